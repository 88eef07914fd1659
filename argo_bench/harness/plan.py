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
from typing import Literal, NamedTuple

from argo_bench.harness.benchmark import Benchmark
from argo_bench.harness.claims.claim import CLOCKS, Claim, Metric, is_count, is_memory
from argo_bench.harness.record.records import Comparison, Samples
from argo_bench.harness.statistics.estimate import block_difference, trimmed_mean
from argo_bench.harness.statistics.looks import LOOKS
from argo_bench.harness.statistics.quality import valid_blocks
from argo_bench.harness.subject import Subject, headline_comparison
from argo_bench.harness.workers.memory import Method
from argo_bench.harness.workers.processes import Isolation
from argo_bench.optimizations.optimization import VARIANTS, Optimization, Workload

OTHER_SEEDS = 2
"""Under which counts are taken at other scales than the headline one, and of arms that no claim is about."""
FEWEST_BLOCKS = 4
MOST_BLOCKS = 40
MOST_SECONDS = 5.0
"""Of blocks per comparison and replicate."""
SET_UP_S = 0.5
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
    comparison and replicate; ``every_scale``, not only the headline one; ``every_claim`` and arm, not only the headline
    claims, and trials in their short form (``full_trials``: the long ones); ``seeds``: under which counts are taken at
    the headline scale, all of which must lie in one region; ``warm_up_s``: what an arm is warmed up for at least;
    ``memory``: the methods by which the arms behind a headline claim are weighed, cross-checks only where it is about
    memory.
    """

    name: Literal["quick", "default"]
    isolation: Isolation
    looks: tuple[int, ...]
    budget_s: float
    headline_s: float
    other_s: float
    every_scale: bool
    every_claim: bool
    seeds: int
    checked_cycles: int
    warm_up_s: float
    memory: tuple[Method, ...]
    full_trials: bool = False

    @property
    def warm_up_ns(self) -> int:
        return round(1e9 * self.warm_up_s)

    def scales(self, workload: Workload) -> tuple[int, ...]:
        return workload.scales if self.every_scale else workload.scales[:1]

    def claims(self, subject: Subject) -> list[Claim]:
        """The claims that are judged."""
        return [claim for claim in subject.claims if claim.headline or self.every_claim]


QUICK = Profile(
    "quick",
    "shared",
    (6,),
    150,
    0.15,
    0.15,
    every_scale=False,
    every_claim=False,
    seeds=2,
    checked_cycles=24,
    warm_up_s=0.02,
    memory=("traced",),
)
DEFAULT = Profile(
    "default",
    "twins",
    LOOKS,
    1200,
    0.6,
    0.3,
    every_scale=True,
    every_claim=True,
    seeds=6,
    checked_cycles=40,
    warm_up_s=0.06,
    memory=("peak_rss", "traced", "memory_profiler", "allocations"),
)
PROFILES: Mapping[str, Profile] = {profile.name: profile for profile in (QUICK, DEFAULT)}


def planned(subjects: Sequence[Subject], profile: Profile) -> list[Comparison]:
    """Every comparison of the run: all variants on every workload, further arms at the headline scale."""
    return [
        comparison
        for subject in subjects
        for comparison in ([subject.comparison] if isinstance(subject, Benchmark) else _of_catalogue(subject, profile))
    ]


def _of_catalogue(optimization: Optimization, profile: Profile) -> list[Comparison]:
    comparisons: dict[Comparison, None] = {}
    for workload in optimization.workloads:
        claims = spoken_of(optimization, workload, profile)
        if not profile.every_claim:
            claims = [claim for claim in claims if claim.metric in CLOCKS]
        if not workload.timed or not (claims or profile.every_claim):
            continue
        pairs = [("baseline", variant) for variant in VARIANTS] if profile.every_claim else []
        pairs += [(claim.against(variant), variant) for claim in claims for variant in VARIANTS]
        arms = optimization.edits(workload) if profile.every_claim else {}
        extra = [arm for arm in arms if arm != "baseline" and arm not in VARIANTS]
        for scale in profile.scales(workload):
            further = [("baseline", arm) for arm in extra] if scale == workload.scales[0] else []
            for reference, candidate in pairs + further:
                comparison = Comparison(optimization.id, workload.name, scale, workload.unit, reference, candidate)
                comparisons[comparison] = None
    return list(comparisons)


def spoken_of(optimization: Optimization, workload: Workload, profile: Profile) -> list[Claim]:
    """The claims that a profile judges on a workload or reads a curve of it for."""
    return [
        claim
        for claim in profile.claims(optimization)
        if workload.name in (claim.workload, claim.curve if profile.every_scale else "")
    ]


class Counting(NamedTuple):
    """A workload whose arms are counted, by scale, the headline one first; claims rest on those that are ``judged``."""

    optimization: str
    workload: str
    arms: Mapping[int, tuple[str, ...]]
    judged: tuple[str, ...]

    def under(self, number: int) -> Counting:
        """What is counted of it under a seed, by the seed's number: other scales and arms under the first two alone."""
        if number < OTHER_SEEDS:
            return self
        scale, names = next(iter(self.arms.items()))
        return self._replace(arms={scale: tuple(name for name in names if name in self.judged)})


def counted(subjects: Sequence[Subject], profile: Profile) -> list[Counting]:
    """Every workload with counts, of which some claim speaks or which say what an arm does to the output."""
    found = []
    for subject in subjects:
        if isinstance(subject, Benchmark):
            continue
        for workload in subject.workloads:
            claims = spoken_of(subject, workload, profile)
            if workload.servers:
                continue
            tells = workload.damage is not None and (profile.every_claim or claims)
            if not tells and not any(is_count(claim.metric) for claim in claims):
                continue
            references = [claim.against(variant) for claim in claims for variant in VARIANTS]
            judged = dict.fromkeys(("baseline", *VARIANTS, *references))
            arms = {scale: tuple(judged) for scale in profile.scales(workload)}
            if profile.every_claim:
                arms[workload.scales[0]] = tuple(subject.edits(workload))
            found.append(Counting(subject.id, workload.name, arms, tuple(judged)))
    return found


def weighed(subject: Subject, profile: Profile) -> list[tuple[Comparison, tuple[Method, ...]]]:
    """The comparisons whose arms' memory is measured, and by what: those behind headline claims about times, and those
    behind claims about memory."""
    found: dict[Comparison, tuple[Method, ...]] = {}
    for claim in profile.claims(subject):
        methods = [JUDGED_BY[claim.metric]] if is_memory(claim.metric) else []
        if claim.headline and not isinstance(subject, Benchmark) and not is_count(claim.metric):
            methods += profile.memory if methods else [each for each in profile.memory if each in JUDGED_BY.values()]
        for variant in subject.variants:
            comparison = headline_comparison(subject, claim, variant)
            known = found.get(comparison, ())
            if methods:
                found[comparison] = tuple(dict.fromkeys((*known, *methods)))
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
    block_s = fmean(_block_s(each) for each in samples)
    shares = TRIMMED_VARIANCE * within / between if between > 0 else math.inf
    best = math.sqrt(shares * SET_UP_S / block_s)
    return min(MOST_SECONDS, block_s * min(MOST_BLOCKS, max(FEWEST_BLOCKS, best)))


def _block_s(samples: Samples) -> float:
    """Seconds that a block of the replicate took; its wall time where the record has nothing better."""
    if samples.seconds is not None:
        return samples.seconds / len(samples.blocks)
    return fmean(sum(block.wall_ns) for block in samples.blocks) / 1e9
