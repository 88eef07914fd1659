"""Gives the samples of an outcome by side, as seconds per call in every process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from argo_bench.gate.outcome import Outcome
from argo_bench.harness.record.records import Samples

Side = Literal["base", "head"]
SIDES: Sequence[Side] = ("base", "head")


def seconds_of(outcome: Outcome, side: Side) -> list[list[float]]:
    """Return one list per replicate, in the order in which the samples were taken."""
    return [_seconds(each, side, outcome.metric == "wall") for each in outcome.samples]


def _seconds(samples: Samples, side: Side, on_wall: bool) -> list[float]:
    letter, calls = ("A", samples.reference_calls) if side == "base" else ("B", samples.candidate_calls)
    return [
        value / calls / 1e9
        for block in samples.blocks
        for arm, value in zip(block.order, block.wall_ns if on_wall else block.cpu_ns, strict=True)
        if arm == letter
    ]


def name_clock(outcome: Outcome) -> str:
    return "wall time" if outcome.metric == "wall" else "CPU time"
