"""Signals are stored in several batches, with readers between; rows are looked at from another connection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from argo_bench.pipeline import baseline
from argo_bench.pipeline.model import Decision, Encoded
from argo_bench.study.checking.cases import Cases
from argo_bench.study.checking.cases.market import decide, price
from argo_bench.study.checking.scene import Scene

CASES = Cases("store")


def encode_plainly(decisions: Sequence[Decision]) -> list[Encoded]:
    """Encode by the baseline, so that what is stored does not depend on the variant's own encoding."""
    found: list[Encoded] = baseline.PIPELINE.encode(None, decisions)
    return found


def several(count: int, first: int = 0) -> list[Decision]:
    """Return decisions that differ in every column."""
    found = []
    for number in range(first, first + count):
        direction, symbol = ("LONG", "AAPL") if number % 3 else ("SHORT", "ETH-USD")
        regime = ("TRENDING", "CONSOLIDATION", "VOLATILE", "UNKNOWN")[number % 4]
        plain = decide(symbol=symbol, confidence=75.0 + 0.25 * (number % 80), signal_id=f"signal {number}")
        priced = price(plain, 100.0 + number / 4, direction, regime)  # type: ignore[arg-type]
        told = f"Number {number}: {direction} {symbol} at {priced.entry}, ein Grund, 理由."
        found.append(replace(priced, reasoning=told, sources=plain.sources[: 1 + number % 4]))
    return found


@CASES("nothing")
def nothing(scene: Scene) -> Any:
    scene.call("store", [])
    return scene.stored_rows()


@CASES("one signal: every column, visible to others when the call returns")
def one(scene: Scene) -> Any:
    scene.call("store", encode_plainly(several(1)))
    return scene.stored_rows()


@CASES("batches of several sizes: all rows in their order, none twice")
def batches(scene: Scene) -> Any:
    seen, first = [], 0
    for size in (1, 3, 2, 0, 7, 60, 1):
        scene.call("store", encode_plainly(several(size, first)))
        seen.append(scene.stored_rows())
        first += size
        scene.pass_cycles(1)
    return seen


@CASES("signals that are not in the order of their ids or times")
def in_any_order(scene: Scene) -> Any:
    decisions = [replace(each, timestamp=each.timestamp - 7 * place) for place, each in enumerate(several(9))]
    scene.call("store", encode_plainly(decisions[::2] + decisions[1::2]))
    return scene.stored_rows()


@CASES("long pauses, and what is there after the end")
def to_the_end(scene: Scene) -> Any:
    seen = []
    for first in (0, 2, 4):
        scene.call("store", encode_plainly(several(2, first)))
        scene.pass_time(45.0)
        seen.append(scene.stored_rows())
        scene.pass_cycles(40)
    scene.drain()
    return [*seen, scene.stored_rows()]


@CASES("a signal that is stored already raises")
def duplicate(scene: Scene) -> Any:
    scene.call("store", encode_plainly(several(2)))
    again = scene.call("store", encode_plainly(several(1)))
    scene.call("store", encode_plainly(several(1, 5)))
    return [again, scene.stored_rows()]


@CASES("a direction that the table does not take raises")
def neutral(scene: Scene) -> Any:
    refused = scene.call("store", encode_plainly([decide(direction="NEUTRAL")]))
    scene.call("store", encode_plainly(several(1)))
    return [refused, scene.stored_rows()]


@CASES("text of any kind, and extreme numbers")
def extremes(scene: Scene) -> Any:
    strange = [
        decide(signal_id="a", reasoning="quotes ' \" ; -- and\na new line, 🙂", entry=1e-7, stop=1e-8, target=1e22),
        decide(signal_id="b", reasoning="x" * 20_000, confidence=99.999999999, entry=0.1 + 0.2),
        decide(signal_id="ß" * 40, sources=(), timestamp=1736951400.123456),
    ]
    scene.call("store", encode_plainly(strange))
    return scene.stored_rows()


@CASES("a reader between batches sees the newest rows")
def with_a_reader(scene: Scene) -> Any:
    seen, symbols = [], ("AAPL", "ETH-USD")
    for number in range(6):
        scene.call("store", encode_plainly(several(4, 4 * number)))
        seen.append(scene.call("read", symbols))
        scene.pass_cycles(1)
    return seen


@CASES("a restart between batches")
def restarted(scene: Scene) -> Any:
    scene.call("store", encode_plainly(several(3)))
    scene.restart()
    scene.call("store", encode_plainly(several(3, 3)))
    scene.drain()
    return scene.stored_rows()
