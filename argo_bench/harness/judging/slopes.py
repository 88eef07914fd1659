"""Finds how the time of a function grows with its input: local slopes between sizes, each with its interval.

Where t is the time of a call and n the size of its input, the local slope between two sizes is ln(t2 / t1) over
ln(n2 / n1), the exponent with which the time grows there. Both times come from one process, so that a slow one cancels
out; the interval allows for a speed that differs between short calls and long ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from statistics import fmean
from typing import NamedTuple

import msgspec

from argo_bench.harness.benchmark import ITEMS
from argo_bench.harness.claims.metrics import CLOCKS, Clock
from argo_bench.harness.record.records import Samples
from argo_bench.harness.record.store import Recorded
from argo_bench.harness.statistics.estimate import Estimate, compute_trimmed_mean, estimate
from argo_bench.harness.statistics.quality import valid_blocks

LEVEL = 0.95
UNSTEADY = 0.04
"""An instruction may take longer by this share in short calls than in long ones: on a machine with nothing else to do
it took up to 3.5 % less in calls that fill a sample, in the mean over twelve rounds of a study."""
GROWTHS: Mapping[str, Callable[[float], float]] = {
    "constant": lambda n: 1.0,
    "log n": math.log,
    "sqrt n": math.sqrt,
    "n": lambda n: n,
    "n log n": lambda n: n * math.log(n),
    "n^2": lambda n: n**2,
    "n^2 log n": lambda n: n**2 * math.log(n),
    "n^3": lambda n: n**3,
}
"""These are the usual ways to grow; a slope is held against what each would give between the same two sizes."""
ARMS = {"baseline": "A", "candidate": "B"}


class Step(NamedTuple):
    """Holds the local slope of a function between two sizes of its input, with its interval at 95 %."""

    function: str
    low: int
    high: int
    clock: Clock
    slope: Estimate

    def find_growths(self) -> list[str]:
        """Return the usual ways to grow that the interval contains; empty where there is none, or no interval."""
        lowest, highest = self.slope.low, self.slope.high
        if self.low < 2 or lowest is None or highest is None:
            return []
        slopes = {
            name: compute_slope(grow(self.low), grow(self.high), self.low, self.high) for name, grow in GROWTHS.items()
        }
        return [name for name, slope in slopes.items() if lowest <= slope <= highest]

    def describe(self) -> str:
        """Say how the time grows, and by which name where only one fits: ``about n log n``."""
        if self.slope.low is None:
            return "not known from one replicate"
        found = self.find_growths()
        if len(found) == 1:
            return f"about {found[0]}"
        return f"{' or '.join(found)}, which is not told apart" if found else f"n^{self.slope.theta:.2f}"


def find_steps(recorded: Recorded) -> list[Step]:
    """Return the steps of every function that was measured at several sizes, from the smallest size on."""
    sized: dict[tuple[str, str], dict[int, list[Samples]]] = {}
    clocks: dict[tuple[str, str], set[Clock]] = {}
    for each in recorded.declarations:
        workload, claim = each.workloads[0], each.claims[0]
        if each.functions and workload.unit == ITEMS and claim.metric in CLOCKS:
            names = each.functions["baseline"], each.functions["candidate"]
            samples = [one for one in recorded.all(Samples) if one.comparison.optimization == each.id]
            if samples:
                sized.setdefault(names, {})[workload.scales[0]] = samples
                clocks.setdefault(names, set()).add(claim.metric)  # type: ignore[arg-type]
    return [
        step
        for names, of in sized.items()
        for arm, function in zip(ARMS, names, strict=True)
        for step in _list_steps(function, ARMS[arm], of, "cpu" if clocks[names] == {"cpu"} else "wall")
    ]


def _list_steps(function: str, arm: str, of: Mapping[int, Sequence[Samples]], clock: Clock) -> Iterator[Step]:
    times = {size: {each.replicate: _log_time(each, arm, clock) for each in samples} for size, samples in of.items()}
    for low, high in pairwise(sorted(times)):
        both = sorted(times[low].keys() & times[high].keys())
        slopes = [(times[high][each] - times[low][each]) / math.log(high / low) for each in both]
        if slopes:
            yield Step(function, low, high, clock, _widen(estimate(slopes, LEVEL), math.log(high / low)))


def _widen(slope: Estimate, span: float) -> Estimate:
    """Widen an interval, which knows of chance alone, by what UNSTEADY makes of a slope."""
    if slope.low is None or slope.high is None:
        return slope
    allowed = math.log1p(UNSTEADY) / span
    return msgspec.structs.replace(slope, low=slope.low - allowed, high=slope.high + allowed)


def _log_time(samples: Samples, arm: str, clock: Clock) -> float:
    """Return ln of an arm's time per call in a replicate: the trimmed mean over blocks."""
    blocks = [
        fmean(
            math.log(ns)
            for ns, slot in zip(block.wall_ns if clock == "wall" else block.cpu_ns, block.order, strict=True)
            if slot == arm
        )
        for block in valid_blocks(samples)
    ]
    calls = samples.reference_calls if arm == "A" else samples.candidate_calls
    return compute_trimmed_mean(blocks) - math.log(calls)


def compute_slope(first: float, second: float, low: float, high: float) -> float:
    """Return the local slope of what is ``first`` at the size ``low`` and ``second`` at ``high``."""
    return math.log(second / first) / math.log(high / low)
