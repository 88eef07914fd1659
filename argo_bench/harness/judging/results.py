"""Turns the samples of a comparison into its result: an estimate on both clocks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from argo_bench.harness.claims.metrics import Metric
from argo_bench.harness.record.records import Comparison, Result, Samples
from argo_bench.harness.statistics.estimate import (
    CURRENT,
    RETIRED,
    Rule,
    block_difference,
    compute_trimmed_mean,
    estimate,
)
from argo_bench.harness.statistics.modes import Modes, find_modes
from argo_bench.harness.statistics.quality import flag_quality, valid_blocks


def estimate_result(comparison: Comparison, samples: Sequence[Samples], level: float, rule: Rule = CURRENT) -> Result:
    """Estimate on both clocks: the trimmed mean of each replicate's log-ratios per block, then the rule."""
    modes = Modes() if rule == RETIRED else find_modes(samples)
    return Result(
        comparison,
        cpu=estimate(log_ratios(samples, "cpu"), level, rule),
        wall=estimate(log_ratios(samples, "wall"), level, rule),
        reference_ns=_typical_ns(samples, "A"),
        candidate_ns=_typical_ns(samples, "B"),
        candidate_drain_ns=median(drains) if (drains := _drains(samples)) else None,
        seconds_per_replicate=math.fsum(map(seconds_of, samples)) / len(samples),
        flags=[*flag_quality(samples), *modes.flags],
        cpu_mean=estimate(modes.cpu_means, level, rule) if modes.cpu_means else None,
        wall_mean=estimate(modes.wall_means, level, rule) if modes.wall_means else None,
        slow=modes.slow,
    )


def seconds_of(samples: Samples) -> float:
    """Return the seconds that a replicate's blocks took, or their wall time where the record has nothing better."""
    if samples.seconds is not None:
        return samples.seconds
    return sum(sum(block.wall_ns) for block in samples.blocks) / 1e9


def log_ratios(samples: Sequence[Samples], metric: Metric) -> list[float]:
    """Return ln(candidate / reference) per call, one value per replicate.

    Times are on the wall clock for ``wall``, else on the CPU's.
    """
    return [_log_ratio(each, "wall_ns" if metric == "wall" else "cpu_ns") for each in samples]


def _log_ratio(samples: Samples, clock: str) -> float:
    """Return ln of the candidate's time per call over the reference's, in one replicate."""
    blocks = [block_difference(block.order, getattr(block, clock)) for block in valid_blocks(samples)]
    return compute_trimmed_mean(blocks) - math.log(samples.candidate_calls / samples.reference_calls)


def _drains(samples: Sequence[Samples]) -> list[float]:
    """Return what the candidate puts off beyond what closing the reference's world takes, in nanoseconds per call."""
    return [
        max(0.0, each.candidate_drain_ns - each.reference_drain_ns)
        for each in samples
        if each.candidate_drain_ns is not None and each.reference_drain_ns is not None
    ]


def _typical_ns(samples: Sequence[Samples], arm: str) -> float:
    """Return the median wall time per call of one arm over all samples, for display."""
    return median(
        wall / (each.reference_calls if arm == "A" else each.candidate_calls)
        for each in samples
        for block in each.blocks
        for slot, wall in zip(block.order, block.wall_ns, strict=True)
        if slot == arm
    )
