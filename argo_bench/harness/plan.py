"""How much is measured: the profiles, the comparisons of a run, and the blocks that are worth taking.

Between two looks, blocks and replicates share the time that is left as two-stage sampling would have it (Cochran 1977,
section 10.6): with a deviation within processes of w, between them of b, and costs of c for a block and s for starting
a process, the precision for the time spent is best at w/b sqrt(s/c) blocks a process.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, variance
from typing import Literal

from argo_bench.claim import VARIANTS, Metric, Optimization
from argo_bench.harness.benchmark import Benchmark
from argo_bench.harness.memory_pass import Method
from argo_bench.harness.quality import valid_blocks
from argo_bench.harness.results import Comparison, Samples
from argo_bench.harness.sequential import LOOKS
from argo_bench.harness.stats import block_difference, trimmed_mean
from argo_bench.harness.subject import Subject, headline_comparison
from argo_bench.harness.twins import Isolation

FEWEST_BLOCKS = 4
MOST_BLOCKS = 40
MOST_SECONDS = 5.0
"""Of blocks per comparison and replicate."""
SET_UP_S = 0.6
"""What a comparison costs in a replicate beside its blocks: its share of the start, and the warm-up."""
JUDGED_BY: Mapping[Metric, Method] = {"peak_rss": "peak_rss", "traced_peak": "traced", "live_bytes": "traced"}
"""The method whose readings a claim about memory is judged on."""
TRIMMED_VARIANCE = 1.4
"""Variance of the 40 % trimmed mean of normal values against that of their mean (the median's is pi/2)."""


@dataclass(frozen=True, slots=True)
class Profile:
    """How much is measured.

    ``looks``: the numbers of replicates after which a comparison may stop; ``budget_s``: no replicate begins that would
    end after so many seconds, once the first look is reached; ``headline_s`` and ``other_s``: seconds of blocks per
    comparison and replicate; ``memory``: the methods by which the arms behind a headline claim are weighed.
    """

    name: Literal["quick", "default"]
    isolation: Isolation
    looks: tuple[int, ...]
    budget_s: float
    headline_s: float
    other_s: float
    every_scale: bool
    checked_cycles: int
    memory: tuple[Method, ...]


QUICK = Profile("quick", "shared", (6,), 150, 0.4, 0.2, every_scale=False, checked_cycles=36, memory=("traced",))
DEFAULT = Profile(
    "default",
    "twins",
    LOOKS,
    1200,
    0.8,
    0.4,
    every_scale=True,
    checked_cycles=120,
    memory=("peak_rss", "traced", "memory_profiler", "allocations"),
)
PROFILES = {profile.name: profile for profile in (QUICK, DEFAULT)}


def planned(subjects: Sequence[Subject], profile: Profile) -> list[Comparison]:
    """Every comparison of the run: all variants on every workload, further arms at the headline scale."""
    return [
        comparison
        for subject in subjects
        for comparison in ([subject.comparison] if isinstance(subject, Benchmark) else _of_catalogue(subject, profile))
    ]


def _of_catalogue(optimization: Optimization, profile: Profile) -> list[Comparison]:
    comparisons: list[Comparison] = []
    for workload in optimization.workloads:
        claims = [claim for claim in optimization.claims if claim.workload == workload.name]
        pairs = [("baseline", variant) for variant in VARIANTS]
        pairs += [(each.reference, v) for each in claims if each.reference != "baseline" for v in VARIANTS]
        extra = [arm for arm in optimization.edits(workload) if arm != "baseline" and arm not in VARIANTS]
        for scale in workload.scales if profile.every_scale else workload.scales[:1]:
            further = [("baseline", arm) for arm in extra] if scale == workload.scales[0] else []
            comparisons += [
                Comparison(optimization.id, workload.name, scale, workload.unit, reference, candidate)
                for reference, candidate in dict.fromkeys(pairs + further)
            ]
    return comparisons


def weighed(subject: Subject, profile: Profile) -> list[tuple[Comparison, tuple[Method, ...]]]:
    """The comparisons whose arms' memory is measured, and by what: those behind headline claims, and a benchmark's
    where its metric is memory."""
    found: dict[Comparison, tuple[Method, ...]] = {}
    for claim in subject.claims:
        judged = JUDGED_BY.get(claim.metric)
        if isinstance(subject, Benchmark):
            methods = (judged,) if judged is not None else ()
        else:
            methods = tuple(dict.fromkeys((*((judged,) if judged is not None else ()), *profile.memory)))
        if claim.headline and methods:
            found |= {headline_comparison(subject, claim, variant): methods for variant in subject.variants}
    return list(found.items())


def arms(comparison: Comparison) -> tuple[str, str]:
    return comparison.reference, comparison.candidate


def seconds_worth(samples: Sequence[Samples], profile_s: float) -> float:
    """Seconds of blocks per replicate that narrow the interval fastest, from what the samples so far have shown.

    Between FEWEST_BLOCKS and MOST_BLOCKS blocks, no more than MOST_SECONDS; ``profile_s`` where too little is known.
    """
    kept = [valid_blocks(each) for each in samples]
    if len(kept) < 3 or any(len(blocks) < 2 for blocks in kept):
        return profile_s
    differences = [[block_difference(block.order, block.cpu_ns) for block in blocks] for blocks in kept]
    within = fmean(variance(each) for each in differences)
    blocks = fmean(len(each) for each in differences)
    between = variance([trimmed_mean(each) for each in differences]) - TRIMMED_VARIANCE * within / blocks
    block_s = fmean(sum(block.wall_ns) for each in kept for block in each) / 1e9
    shares = TRIMMED_VARIANCE * within / between if between > 0 else math.inf
    best = math.sqrt(shares * SET_UP_S / block_s)
    return min(MOST_SECONDS, block_s * min(MOST_BLOCKS, max(FEWEST_BLOCKS, best)))
