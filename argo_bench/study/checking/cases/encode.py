"""Every field is encoded with usual and with extreme content, one decision and many, and some of them twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from argo_bench.pipeline.model import Decision
from argo_bench.pipeline.world.base import EPOCH_S
from argo_bench.study.checking.cases import Cases
from argo_bench.study.checking.cases.market import decide
from argo_bench.study.checking.cases.store import several
from argo_bench.study.checking.scene import Scene

CASES = Cases("encode")
CHANGES: dict[str, tuple[Any, ...]] = {
    "symbol": ("BRK.B", "ÅÄÖ", "A/B"),
    "direction": ("SHORT",),
    "entry": (118.51, 0.1 + 0.2, 0.0001, 123_456_789.01, 1e15),
    "stop": (114.96, 1 / 3),
    "target": (124.44, 5.0),
    "confidence": (81.26, 75.0, 100.0),
    "regime": ("VOLATILE", "CONSOLIDATION", "UNKNOWN"),
    "strategy": ("other",),
    "sources": ((), (("sonar", "SHORT"),), (("sonar", "LONG"), ("massive", "LONG"))),
    "timestamp": (EPOCH_S + 5, EPOCH_S + 0.123456),
    "reference": (118.6, 0.25),
    "reasoning": ("", 'quote " back \\ slash / and\nnew\tline', "ein Grund, 理由, 🙂", "\u2028\x7f\x01", "y" * 5_000),
    "reasoning_author": ("template", ""),
}
"""Other content by field. Numbers stay where every encoder writes them alike: from 0.0001 up to 1e15."""


def encode(scene: Scene, *decisions: Decision) -> Any:
    return scene.call("encode", decisions)


@CASES("nothing")
def nothing(scene: Scene) -> Any:
    return encode(scene)


@CASES("every field changed while the id stays")
def every_field(scene: Scene) -> Any:
    usual = decide()
    changed = [replace(usual, **{name: value}) for name, values in CHANGES.items() for value in values]
    one_at_a_time = [encode(scene, usual), *(encode(scene, each) for each in changed)]
    return [*one_at_a_time, encode(scene, usual, *changed, usual)]


@CASES("several ids with otherwise the same content")
def other_ids(scene: Scene) -> Any:
    decisions = [decide(signal_id=name) for name in ("1", "2", "01", 'a"b', "ü" * 8)]
    return [encode(scene, *decisions), encode(scene, *reversed(decisions))]


@CASES("a large batch in its order, then parts of it")
def large(scene: Scene) -> Any:
    decisions = several(250)
    return [encode(scene, *decisions), encode(scene, *decisions[100:110]), encode(scene, *decisions[::-7])]


@CASES("the same decision again after a while")
def again(scene: Scene) -> Any:
    seen = []
    for _ in range(3):
        seen.append(encode(scene, decide(), decide(symbol="ETH-USD")))
        scene.pass_cycles(150)
    return seen
