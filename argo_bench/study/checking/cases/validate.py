"""Each rule is broken alone, at its boundary and together with others; decisions come in batches of several sizes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from argo_bench.pipeline.baseline.validate import MAXIMUM_AGE_S, PRICE_TOLERANCE
from argo_bench.pipeline.model import Decision
from argo_bench.pipeline.world.base import EPOCH_S
from argo_bench.study.checking.cases import Cases
from argo_bench.study.checking.cases.market import decide, step_from
from argo_bench.study.checking.cases.store import encode_plainly
from argo_bench.study.checking.scene import Scene

CASES = Cases("validate")
LARGE = 1_100
"""More decisions than a look-up of ids takes in one query, and than SQLite took parameters for long."""


def judge(scene: Scene, *decisions: Decision) -> Any:
    return scene.call("validate", decisions)


@CASES("nothing to validate")
def nothing(scene: Scene) -> Any:
    return judge(scene)


@CASES("decisions that pass every rule, in their order")
def all_pass(scene: Scene) -> Any:
    return judge(scene, *(decide(symbol=symbol) for symbol in ("ETH-USD", "AAPL", "ETH-USD")))


@CASES("what is missing: a symbol, an id, an explanation, a price")
def incomplete(scene: Scene) -> Any:
    missing = [decide(symbol=""), decide(signal_id=""), decide(reasoning="")]
    prices = (0.0, -1.0, math.inf, math.nan)
    missing += [
        decide(**{name: each}, signal_id=f"{name} {each}") for name in ("entry", "stop", "target") for each in prices
    ]
    return [judge(scene, *missing), judge(scene, decide(reasoning=" "))]


@CASES("an age at the limit and one just beyond it")
def stale(scene: Scene) -> Any:
    scene.pass_cycles(200)
    now = scene.now()
    ages = (0.0, 300.0, MAXIMUM_AGE_S - 0.5, MAXIMUM_AGE_S, MAXIMUM_AGE_S + 0.001, MAXIMUM_AGE_S + 1, 3600.0)
    return judge(scene, *(decide(timestamp=now - age) for age in ages), decide(timestamp=now + 30.0))


@CASES("an age that the batch reaches while the clock goes on")
def stale_later(scene: Scene) -> Any:
    decision = decide(timestamp=EPOCH_S)
    found = [judge(scene, decision)]
    scene.pass_time(MAXIMUM_AGE_S + 1)
    return [*found, judge(scene, decision)]


@CASES("an entry as far from the reference as it may be, and a little farther, on both sides")
def off_the_reference(scene: Scene) -> Any:
    reference = 100.0
    edge = PRICE_TOLERANCE * reference
    entries = [reference + sign * distance for sign in (1, -1) for distance in (0.0, 1.0, edge, edge + 0.01, 20.0)]
    entries += [step_from(reference + edge, up=True), step_from(reference - edge, up=False)]
    return judge(scene, *(decide(entry=each, reference=reference) for each in entries))


@CASES("a reference without a price")
def no_reference(scene: Scene) -> Any:
    return judge(scene, *(decide(reference=each) for each in (0.0, -118.5, 1e-9, math.inf)))


@CASES("a confidence at both ends of its range, and just outside")
def confidence(scene: Scene) -> Any:
    edges = (0.0, 59.0, step_from(60.0, up=False), 60.0, 74.99, 100.0, step_from(100.0, up=True), 101.0, -81.0)
    return judge(scene, *(decide(confidence=each, entry=118.0 + place / 10) for place, each in enumerate(edges)))


@CASES("several rules broken at once: the first is named")
def several(scene: Scene) -> Any:
    old = EPOCH_S - 2 * MAXIMUM_AGE_S
    return judge(
        scene,
        decide(reasoning="", timestamp=old, confidence=20.0),
        decide(timestamp=old, reference=50.0, confidence=20.0),
        decide(reference=50.0, confidence=20.0),
        decide(),
        decide(timestamp=old, confidence=120.0),
    )


@CASES("ids that are stored already, alone and among new ones")
def duplicates(scene: Scene) -> Any:
    known = [decide(entry=118.0 + each / 100) for each in range(4)]
    for encoded in encode_plainly(known):
        scene.call("store", [encoded])
    scene.drain()
    new = [decide(entry=119.0 + each / 100) for each in range(3)]
    mixed = (new[0], known[2], new[1], known[0], new[2], replace(known[1], confidence=10.0))
    return [judge(scene, *mixed), judge(scene, known[3]), judge(scene, *new)]


@CASES("ids among many that are stored: the first, one in the middle, the last")
def duplicates_among_many(scene: Scene) -> Any:
    stored = [decide(signal_id=f"stored {each}", timestamp=EPOCH_S - 5 * each) for each in range(60)]
    scene.call("store", encode_plainly(stored))
    scene.drain()
    again = [replace(stored[place], timestamp=EPOCH_S) for place in (0, 9, 10, 11, 30, 59)]
    return [judge(scene, *again, decide()), *(judge(scene, each) for each in again)]


@CASES("the same id twice in a batch")
def twice(scene: Scene) -> Any:
    decision = decide()
    return judge(scene, decision, decide(symbol="ETH-USD"), decision)


@CASES("a kept decision that comes again after it was stored")
def again(scene: Scene) -> Any:
    decision = decide()
    first = judge(scene, decision)
    for encoded in encode_plainly([decision]):
        scene.call("store", [encoded])
    scene.drain()
    return [first, judge(scene, decision), judge(scene, decide(symbol="ETH-USD"))]


@CASES("a symbol whose quote is refused, beside one that has it")
def refused(scene: Scene) -> Any:
    scene.refuses = {("alpha_vantage", "ETH-USD", "quote")}
    batch = (decide(symbol="ETH-USD"), decide(), decide(symbol="ETH-USD", confidence=20.0), decide(symbol="ETH-USD"))
    return judge(scene, *batch)


@CASES("a quote that is refused and then given")
def refused_once(scene: Scene) -> Any:
    scene.refuses = {("alpha_vantage", "AAPL", "quote")}
    before = judge(scene, decide())
    scene.refuses = set()
    scene.pass_cycles(1)
    return [before, judge(scene, decide(timestamp=scene.nominal_time()))]


@CASES("a batch of more than a thousand, some of them bad")
def many(scene: Scene) -> Any:
    known = [decide(signal_id=f"known {each}") for each in (3, 640, 1050)]
    for encoded in encode_plainly(known):
        scene.call("store", [encoded])
    scene.drain()
    batch = [decide(signal_id=f"known {each}", confidence=50.0 if each % 97 == 5 else 80.0) for each in range(LARGE)]
    return judge(scene, *batch)
