"""Compares readings of the memory of two arms, paired by the hash seed under which both were taken.

A reading is known to the resolution of its method, so that a ratio is known to lie between the ratios of what the two
readings may be at least and at most. Three ratios or more bound their median by order statistics; one or two are facts
about their hash seeds, which nothing is added to.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple

from argo_bench.harness.claims.metrics import MEMORY, MemoryFigure, Metric
from argo_bench.harness.record.records import Reading
from argo_bench.harness.statistics.bounds import find_bounds
from argo_bench.harness.statistics.estimate import LARGEST_LOG, Estimate

ENOUGH = 20
"""Peaks of resident memory are compared where the larger is this many times the resolution of the readings, or more."""
SEEN = 0.5
"""Tracing stands for resident memory where it sees this share of the larger peak, or more."""
FEWEST_FOR_BOUNDS = 3
BY_TRACING = "by traced peaks"
"""A note begins so where peaks of resident memory were asked for and were too small to be compared."""
MIB = 1 << 20


class Pair(NamedTuple):
    """Holds the figure of both arms under one hash seed, in bytes, and the resolution of the method."""

    reference: int
    candidate: int
    resolution: int

    @property
    def log_ratio(self) -> float:
        return math.log(max(self.candidate, self.resolution) / max(self.reference, self.resolution))

    @property
    def low(self) -> float:
        least = self.candidate - self.resolution
        return -LARGEST_LOG if least <= 0 else math.log(least / (self.reference + self.resolution))

    @property
    def high(self) -> float:
        least = self.reference - self.resolution
        return LARGEST_LOG if least <= 0 else math.log((self.candidate + self.resolution) / least)


class Weighed(NamedTuple):
    """Says what readings amount to: an interval, or in ``reason`` why there is none.

    ``certainty`` says how the bounds are to be read where that is not the level asked for, and ``notes`` what is in the
    figures and by which method they were taken, a clause each.
    """

    interval: Estimate | None
    certainty: str
    notes: list[str]
    reason: str = ""


def weigh(metric: Metric, reference: Sequence[Reading], candidate: Sequence[Reading], error: float) -> Weighed | None:
    """Compare a figure of memory of two arms; None without a pair of readings.

    ``error`` is what the interval may have. Where resident memory is too coarse for peaks so small, their traced peaks
    are compared instead.
    """
    figure = MEMORY[metric]
    pairs = _pair_up(figure, reference, candidate)
    if not pairs:
        return None
    resolution = pairs[0].resolution
    if all(max(each.reference, each.candidate) <= resolution for each in pairs):
        return Weighed(
            None, "", [], f"both take less than {_format_bytes(resolution)}, which cannot be told from nothing"
        )
    if figure.method == "peak_rss" and _is_too_small(pairs):
        pairs = _pair_up(MEMORY["traced_peak"], reference, candidate)
        coarse = f"resident memory is known to {_format_bytes(resolution)}"
        if not pairs or _largest(pairs) < SEEN * _largest(_pair_up(figure, reference, candidate)):
            reason = f"the workload is too small: {coarse}, and the larger peak is not {ENOUGH} times that"
            return Weighed(None, "", [], f"{reason}; tracing does not see it")
        return _bound(pairs, error)._replace(notes=[f"{BY_TRACING}, since {coarse}"])
    return _bound(pairs, error)


def is_small(readings: Sequence[Reading]) -> bool:
    """Say whether peaks of resident memory of two arms are too small to be compared, and large enough to be seen."""
    resolution = readings[0].resolution_bytes or 1
    largest = max(each.peak_bytes or 0 for each in readings)
    return resolution < largest < ENOUGH * resolution


def _is_too_small(pairs: Sequence[Pair]) -> bool:
    return _largest(pairs) < ENOUGH * pairs[0].resolution


def _largest(pairs: Sequence[Pair]) -> float:
    """Return the median of the arm whose median is the larger one."""
    return max(median(each.reference for each in pairs), median(each.candidate for each in pairs))


def _pair_up(figure: MemoryFigure, reference: Sequence[Reading], candidate: Sequence[Reading]) -> list[Pair]:
    before, after = (
        {each.hash_seed: each for each in readings if each.method == figure.method}
        for readings in (reference, candidate)
    )
    values = (
        (getattr(each, figure.field), getattr(after[seed], figure.field), each.resolution_bytes or 1)
        for seed, each in before.items()
        if seed in after
    )
    return [Pair(old, new, resolution) for old, new, resolution in values if old is not None and new is not None]


def _bound(pairs: Sequence[Pair], error: float) -> Weighed:
    """Return the interval of paired figures; with one or two it holds all that they may be, at the level 1."""
    lows, highs = [each.low for each in pairs], [each.high for each in pairs]
    theta = median(each.log_ratio for each in pairs)
    if len(pairs) < FEWEST_FOR_BOUNDS:
        interval = Estimate(theta, min(lows), max(highs), 1.0, len(pairs), None)
    else:
        low, high, level = find_bounds(lows, highs, error)
        interval = Estimate(theta, low, high, level, len(pairs), None)
    return Weighed(interval, _describe_certainty(interval, pairs[0].resolution, error), [])


def _describe_certainty(interval: Estimate, resolution: int, error: float) -> str:
    of = "byte" if resolution == 1 else "resolution"
    if interval.replicates == 1:
        return f"exact to the {of}"
    if interval.replicates < FEWEST_FOR_BOUNDS:
        return "exact to the seed"
    seeds = f"under {interval.replicates} hash seeds"
    if interval.low == interval.high:
        return f"exact to the {of} {seeds}"
    held = [] if interval.level >= 1 - error else [f"at {100 * interval.level:.0f} %"]
    assert interval.speedup_interval is not None
    low, high = (f"{bound:.3g}" for bound in interval.speedup_interval)
    return ", ".join([*([f"the same to three digits {seeds}"] if low == high else []), *held])


def describe_parts(metric: Metric, arms: Mapping[str, Sequence[Reading]]) -> list[str]:
    """Say what is in the figures of arms, by their names, beyond what a call takes by itself, a clause each."""
    figure = MEMORY[metric]
    said = []
    for name, readings in arms.items():
        taken = [each for each in readings if each.method == figure.method]
        children = max((each.children for each in taken), default=0)
        if children and figure.field == "peak_bytes":
            size = _format_bytes(median(each.children_bytes for each in taken))
            said.append(f"{name}: {size} of it in {children} child process{'es' * (children > 1)}")
        kept = [each.kept_bytes for each in taken if each.kept_bytes is not None]
        if kept and median(kept):
            said.append(f"{name}: {_format_bytes(median(kept))} of it kept from its first call")
        if taken and not kept:
            said.append(f"{name}: what its first call keeps cannot be told from what it imports or compiles")
    return said


def _format_bytes(number: float) -> str:
    return (
        f"{number / MIB:.3g} MiB" if number >= MIB else f"{number / 1024:.3g} KiB" if number >= 1024 else f"{number} B"
    )
