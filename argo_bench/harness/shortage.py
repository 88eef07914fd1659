"""Says what goes without where the time is short: comparisons have ranks, and those of later ranks are left out first.

Headline comparisons stay, whatever the time. The others stay in the order of their ranks, and within a rank the
cheapest first, while what they take still fits beside the replicates that headline comparisons are expected to need.
What is left out is a line of the record, and what it has no verdict on is undecided.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum

import msgspec

from argo_bench.harness.claims.claim import Claim
from argo_bench.harness.record.records import Comparison, Declaration, LeftOut


class Rank(IntEnum):
    """The order in which comparisons get time, the first one first."""

    HEADLINE = 0
    BESIDE = 1
    READING = 2
    SCALE = 3
    ARM = 4


ORDER = (
    "headline claims",
    "further arms beside headline claims",
    "other claims and readings",
    "other scales",
    "further arms elsewhere",
)
"""What the comparisons of each rank are behind, in words."""
PAST_ORDERS = (
    ("headline claims", "other claims and readings", "other scales", "further arms"),
    (
        "headline claims",
        "other claims and readings",
        "further arms beside headline claims",
        "other scales",
        "further arms elsewhere",
    ),
)
"""The orders of earlier versions, by which their records say what was left out."""
DUE = (Rank.HEADLINE, Rank.BESIDE, Rank.READING)
"""What has these ranks is measured in every replicate until it has ended or is left out; others where time is left."""


def rank_of(comparison: Comparison, declaration: Declaration) -> Rank:
    """Return the rank of a comparison among those of its subject."""
    claims = declaration.claims_on(comparison)
    if any(claim.headline for claim in claims):
        return Rank.HEADLINE
    if claims:
        return Rank.READING
    if any(_is_beside(comparison, declaration, claim) for claim in declaration.claims if claim.headline):
        return Rank.BESIDE
    workload = declaration.workload(comparison.workload)
    is_elsewhere = comparison.candidate in declaration.variants and comparison.scale != workload.scales[0]
    return Rank.SCALE if is_elsewhere else Rank.ARM


def _is_beside(comparison: Comparison, declaration: Declaration, claim: Claim) -> bool:
    """Say whether a further arm is compared with what a variant is that a claim is judged on, at the same scale."""
    return any(
        msgspec.structs.replace(declaration.headline_comparison(claim, variant), candidate=comparison.candidate)
        == comparison
        for variant in declaration.variants
    )


def choose_left_out(
    ranked: Sequence[tuple[Comparison, Rank]],
    replicate_s: Mapping[Comparison, float],
    missing: Mapping[Comparison, float],
    left_s: float,
) -> list[Comparison]:
    """Return the comparisons that are due and for which there is no time, in the order in which they would have it.

    ``ranked`` are those that are still measured, in the order of the plan, and ``replicate_s`` is what each takes in
    a replicate. ``missing`` is the number of replicates that each still needs, ``left_s`` the time for all.
    """
    found: list[Comparison] = []
    for rank in DUE:
        own = [each for each, others in ranked if others == rank]
        for comparison in sorted(own, key=lambda each: replicate_s.get(each, 0.0)):
            needed_s = missing[comparison] * replicate_s.get(comparison, 0.0)
            if rank == Rank.HEADLINE or needed_s <= left_s:
                left_s -= needed_s
            else:
                found.append(comparison)
    return found


def write_left_out(comparison: Comparison, rank: Rank, replicates: int, needed: int, replicate_s: float) -> LeftOut:
    """Return the line that says of a comparison that it is left out after some of the ``needed`` replicates."""
    reason = f"the time was short, and {ORDER[rank]} come after {ORDER[rank - 1]}"
    return LeftOut(comparison, replicates, reason, max(0.0, (needed - replicates) * replicate_s))


def describe_left_out(lines: Sequence[LeftOut]) -> Iterator[str]:
    """Say how many comparisons were left out, which were the first of them, and what all would take."""
    if lines:
        more = " and more" if lines[1:] else ""
        minutes = math.ceil(math.fsum(each.needs_s for each in lines) / 60)
        yield (
            f"Left out, since the time was short: {len(lines)} comparisons, first of them {lines[0].comparison}{more}; "
            f"all of them would take about {minutes} min more."
        )
