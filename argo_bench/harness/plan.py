"""Decides how much is measured: the profiles, the plan of a run, and the blocks that are worth taking.

Between two looks, blocks and replicates share the time that is left as two-stage sampling would have it (Cochran 1977,
section 10.6): where w is the deviation within processes and b that between them, and a block costs c and the start of a
process costs s, the precision for the time spent is best at w/b sqrt(s/c) blocks per process.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, variance
from typing import Literal

from argo_bench.harness.claims.claim import Claim
from argo_bench.harness.claims.metrics import Method
from argo_bench.harness.record.records import Comparison, Declaration, Plan, Samples
from argo_bench.harness.shortage import ORDER
from argo_bench.harness.statistics.bounds import LOOKS as MEMORY_LOOKS
from argo_bench.harness.statistics.estimate import (
    CURRENT,
    FEWEST_TRIMMED,
    Rule,
    block_difference,
    compute_trimmed_mean,
    estimate,
)
from argo_bench.harness.statistics.looks import LOOKS, nominal_error
from argo_bench.harness.statistics.quality import valid_blocks

FAMILY_ERROR = 0.05
FEWEST_BLOCKS = 4
MOST_BLOCKS = 40
MOST_SECONDS = 5.0
"""A comparison takes no more than these seconds of blocks in one replicate."""
SET_UP_S = 0.5
"""A comparison costs these seconds in a replicate beside its blocks: its share of the start, and the warm-up."""
GRACE = 1.25
"""Where time is bounded, workers are ended after this multiple of it."""
SLOW_NS = 1_000_000_000
"""A call that takes longer warms its function up by itself."""
FEWEST_CALLS = 3
"""A replicate makes so many calls of each function that is slow: the first one, and two in a block."""
BLOCK_TRIMMED_VARIANCE = 1.4
"""The 40 % trimmed mean of normal values has this multiple of the variance of their mean (the median has pi/2)."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Says how much is measured.

    ``looks`` are the numbers of replicates after which a comparison may stop. Once the first look is reached, no
    replicate begins that would end after ``budget_s`` seconds. ``headline_s`` and ``other_s`` are the seconds of blocks
    per comparison and replicate, for comparisons behind a headline claim and for others.

    ``every_scale`` measures every scale of a workload, not only the headline one. ``every_claim`` judges every claim on
    every arm, not only the headline claims on the variants, and makes the trials in their short form; ``full_trials``
    makes them in their long form. ``seeds`` is the number of seeds under which counts are taken at the headline scale;
    a verdict needs the counts of all of them in one region.

    Every arm is warmed up for ``warm_up_s`` seconds at least. ``memory`` are the methods by which the memory of the
    arms behind a headline claim is measured; cross-checks are made only where the claim is about memory, and without
    ``every_claim`` no other memory is measured. It is read under ``memory_seeds`` hash seeds, and under
    ``memory_claim_seeds`` where a headline claim is about it; for two functions of a user's under the first of
    ``memory_looks``, and under further ones while the verdict is open.
    """

    name: Literal["quick", "default"]
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
    memory_seeds: int = 2
    memory_claim_seeds: int = 6
    memory_looks: tuple[int, ...] = MEMORY_LOOKS

    @property
    def replicates_to_reach(self) -> int:
        """Return how many replicates comparisons behind a claim are to reach in time, before others get any time.

        At the level of a family, the interval of six is too wide where a process is slow.
        """
        return next((look for look in self.looks if look >= FEWEST_TRIMMED), self.looks[-1])

    @property
    def warm_up_ns(self) -> int:
        return round(1e9 * self.warm_up_s)

    def scales(self, scales: tuple[int, ...]) -> tuple[int, ...]:
        """Return the scales of a workload that are measured."""
        return scales if self.every_scale else scales[:1]

    def claims(self, claims: Sequence[Claim]) -> list[Claim]:
        """Return the claims of a subject that are judged."""
        return [claim for claim in claims if claim.headline or self.every_claim]


QUICK = Profile(
    "quick",
    (4, 6, 10),
    180,
    0.15,
    0.15,
    every_scale=False,
    every_claim=False,
    seeds=2,
    checked_cycles=24,
    warm_up_s=0.02,
    memory=("traced",),
    memory_seeds=1,
    memory_claim_seeds=3,
    memory_looks=MEMORY_LOOKS[:1],
)
DEFAULT = Profile(
    "default",
    LOOKS,
    2400,
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


def make_plan(
    declarations: Sequence[Declaration],
    comparisons: Sequence[Comparison],
    profile: Profile,
    seed: int,
    families: Mapping[str, Sequence[str]],
    sets: Mapping[str, Sequence[str]],
) -> Plan:
    """Plan what a run sets out to do, and at which confidence levels the claims of its subjects are judged.

    The intervals of a family hold simultaneously (Bonferroni). ``families`` lists the claims of families of which a run
    may measure only some, so that one subject alone and all together give the same verdict on the same data. Any other
    family consists of the headline claims of the subjects that name it.
    """
    found = {each.family: [*families.get(each.family, headline_ids(each))] for each in declarations}
    judged = [claim.id for each in declarations for claim in profile.claims(each.claims)]
    return Plan(
        FAMILY_ERROR,
        found,
        compute_levels(found, FAMILY_ERROR, profile.looks),
        1 - nominal_error(FAMILY_ERROR, profile.looks),
        judged,
        [replicate_seed(seed, number) for number in range(profile.seeds)],
        {name: [*ids] for name, ids in sets.items()},
        [*comparisons],
        [*profile.looks],
        order=[*ORDER],
    )


def describe_shortage(call_ns: Sequence[int], profile: Profile, built_ns: int = 0, spent_s: float = 0.0) -> str | None:
    """Say that the fewest calls of two functions take longer than there is time; ``call_ns`` is what each call takes.

    ``built_ns`` is the time in which both are loaded and set up in every replicate, ``spent_s`` what has been used up.
    Return None where the time does, and where nothing is known. One more call of each is made before the replicates.
    """
    of_both_s, built_s, first = math.fsum(call_ns) / 1e9, built_ns / 1e9, profile.looks[0]
    least_s = (1 + first * FEWEST_CALLS) * of_both_s + (1 + first) * built_s
    if spent_s + least_s <= profile.budget_s or not call_ns:
        return None
    set_up = f" and the setup of both {built_s:.3g} s" if built_s > of_both_s else ""
    return (
        f"a call of both takes {of_both_s:.3g} s{set_up}, so that {first} replicates take {least_s:.0f} s at least, "
        f"and there are {profile.budget_s:g} s: {write_budget(spent_s + least_s)}"
    )


def describe_end(replicates: int, profile: Profile, spent_s: float, needed_s: float | None) -> str:
    """Say that the time was used up after so many replicates, and what all would take, where that is known."""
    done = f"{replicates} of {profile.looks[0]} replicates were" if replicates else "no replicate was"
    more = "raise the budget" if needed_s is None else f"all take about {needed_s:.0f} s: {write_budget(needed_s)}"
    return f"{spent_s:.0f} s were used up, of {profile.budget_s:g} s that were given, and {done} measured; {more}"


def write_budget(needed_s: float) -> str:
    """Write how to ask for enough time, with a fifth to spare."""
    seconds = math.ceil(1.2 * needed_s)
    return f"raise the budget (budget_s={seconds}, --budget {seconds}s)"


def headline_ids(declaration: Declaration) -> list[str]:
    return [claim.id for claim in declaration.claims if claim.headline]


def compute_levels(
    families: Mapping[str, Sequence[str]], error: float, looks: Sequence[int], rule: Rule = CURRENT
) -> dict[str, float]:
    """Return the confidence level at every look that keeps the error of each family, over all looks, at ``error``."""
    return {
        name: 1 - nominal_error(error / max(1, len(claims)), tuple(looks), rule) for name, claims in families.items()
    }


def replicate_seed(seed: int, replicate: int) -> int:
    """Return the seed of a replicate's inputs and of the order of its blocks."""
    return seed * 1000 + replicate


def hash_seed_of_memory(seed: int, number: int) -> int:
    """Return the hash seed of the readings of memory that both arms of a comparison take as those of this number."""
    return replicate_seed(seed, number) % 2**32


def arms(comparison: Comparison) -> tuple[str, str]:
    return comparison.reference, comparison.candidate


def choose_seconds(samples: Sequence[Samples], profile_s: float) -> float:
    """Return the seconds of blocks per replicate that narrow the interval fastest, judged by the samples so far.

    They amount to between FEWEST_BLOCKS and MOST_BLOCKS blocks, and to no more than MOST_SECONDS. Returns ``profile_s``
    where too little is known.
    """
    kept = [valid_blocks(each) for each in samples]
    if len(kept) < 3 or any(len(blocks) < 2 for blocks in kept):
        return profile_s
    differences = [[block_difference(block.order, block.cpu_ns) for block in blocks] for blocks in kept]
    within = fmean(variance(each) for each in differences)
    blocks = fmean(len(each) for each in differences)
    spread = estimate([compute_trimmed_mean(each) for each in differences], 1 - FAMILY_ERROR).spread or 0.0
    between = spread**2 - BLOCK_TRIMMED_VARIANCE * within / blocks
    block_s = fmean(_block_s(each) for each in samples)
    shares = BLOCK_TRIMMED_VARIANCE * within / between if between > 0 else math.inf
    best = math.sqrt(shares * SET_UP_S / block_s)
    return min(MOST_SECONDS, block_s * min(MOST_BLOCKS, max(FEWEST_BLOCKS, best)))


def _block_s(samples: Samples) -> float:
    """Return the seconds that a block of the replicate took, or its wall time where the record has nothing better."""
    if samples.seconds is not None:
        return samples.seconds / len(samples.blocks)
    return fmean(sum(block.wall_ns) for block in samples.blocks) / 1e9
