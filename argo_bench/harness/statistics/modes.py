"""Says whether calls or processes come in two kinds: calls that are dear now and then, processes that are slow.

The estimate speaks of the typical call of the typical process. Where dear calls recur inside most processes of a side,
such as a flush every twelfth call, the mean over all samples is put beside it. A slow process is no such thing: it is
slow from begin to end, by chance, on either side.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Literal, NamedTuple

from argo_bench.harness.claims.metrics import Clock
from argo_bench.harness.record.records import Samples
from argo_bench.harness.statistics.quality import valid_blocks

CLOCKS: tuple[Clock, ...] = ("cpu", "wall")
Side = Literal["A", "B"]
SIDES: Mapping[Side, str] = {"A": "reference", "B": "candidate"}
DEAR = 1.5
"""A sample is dear from this multiple of the median of its process on."""
SLOW = 1.05
"""A process is slow from this multiple of the median of its side on."""
ERROR = 0.05


class Modes(NamedTuple):
    """Holds what was found about two kinds of calls and processes in the replicates of a comparison.

    ``cpu_means`` and ``wall_means`` are ln(candidate / reference) of plain means, one value per replicate; they are
    empty on a clock on which no dear calls recur. ``slow`` counts the slow processes of the reference and of the
    candidate; ``flags`` say what a reader has to know, of calls by CPU time, since a busy machine makes any call long.
    """

    cpu_means: Sequence[float] = ()
    wall_means: Sequence[float] = ()
    slow: tuple[int, int] | None = None
    flags: Sequence[str] = ()


def find_modes(samples: Sequence[Samples]) -> Modes:
    """Look for calls that are dear now and then, and for processes that are slow, in all replicates of a comparison."""
    dear = {clock: find_dear(samples, clock) for clock in CLOCKS}
    means = {clock: compute_mean_ratios(samples, clock) if dear[clock] else [] for clock in CLOCKS}
    slow = count_slow(samples)
    uneven = describe_slow(slow, len(samples))
    flags = [*map(str, dear["cpu"]), *([uneven] if uneven is not None else [])]
    return Modes(means["cpu"], means["wall"], slow, flags)


class Dear(NamedTuple):
    """Says that samples of a side are dear in most of its processes: which share of them, and by which factor."""

    side: str
    share: float
    factor: float

    def __str__(self) -> str:
        share, factor = f"{100 * self.share:.2g} %", f"{self.factor:.2g} times"
        return f"two modes: {share} of the samples of the {self.side} take {factor} the usual CPU time"


def find_dear(samples: Sequence[Samples], clock: Clock) -> list[Dear]:
    """Return the sides in most of whose processes some samples are dear."""
    found = []
    for side, name in SIDES.items():
        shares = [_list_relative(each, side, clock) for each in samples]
        dear = [[value for value in values if value >= DEAR] for values in shares]
        if 2 * sum(map(bool, dear)) > len(samples):
            alike = [value for values in dear for value in values]
            found.append(Dear(name, len(alike) / sum(map(len, shares)), median(alike)))
    return found


def compute_mean_ratios(samples: Sequence[Samples], clock: Clock) -> list[float]:
    """Return ln(candidate / reference) of the plain means per call, one value per replicate."""
    return [
        math.log(
            (sum(_list_times(each, "B", clock)) / each.candidate_calls)
            / (sum(_list_times(each, "A", clock)) / each.reference_calls)
        )
        for each in samples
    ]


def count_slow(samples: Sequence[Samples]) -> tuple[int, int]:
    """Return how many processes of the reference's side and of the candidate's are slow, by CPU time."""
    reference, candidate = (
        [median(_list_times(each, side, "cpu")) / _calls(each, side) for each in samples] for side in SIDES
    )
    return _count_above(reference), _count_above(candidate)


def _count_above(values: Sequence[float]) -> int:
    usual = median(values)
    return sum(value > SLOW * usual for value in values)


def describe_slow(slow: tuple[int, int], processes: int) -> str | None:
    """Say that the sides differ in their shares of slow processes, by Fisher's exact test (1934); None otherwise."""
    if compute_fisher(*slow, processes) >= ERROR:
        return None
    return f"slow processes: {slow[0]} of {processes} of the reference, {slow[1]} of {processes} of the candidate"


def compute_fisher(first: int, second: int, of: int) -> float:
    """Return the two-sided p of Fisher's exact test that ``first`` of ``of`` and ``second`` of ``of`` are one share."""
    total = first + second
    possible = range(max(0, total - of), min(of, total) + 1)
    ways = {count: math.comb(of, count) * math.comb(of, total - count) for count in possible}
    return sum(way for way in ways.values() if way <= ways[first]) / sum(ways.values())


def _list_relative(samples: Samples, side: Side, clock: Clock) -> list[float]:
    times = _list_times(samples, side, clock)
    usual = median(times)
    return [each / usual for each in times]


def _list_times(samples: Samples, side: Side, clock: Clock) -> list[int]:
    return [
        value
        for block in valid_blocks(samples)
        for slot, value in zip(block.order, getattr(block, f"{clock}_ns"), strict=True)
        if slot == side
    ]


def _calls(samples: Samples, side: Side) -> int:
    return samples.reference_calls if side == "A" else samples.candidate_calls
