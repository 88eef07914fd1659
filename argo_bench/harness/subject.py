"""What claims are made about: an optimization of the catalogue, or a user's benchmark; and what a record says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from argo_bench.harness.benchmark import Benchmark
from argo_bench.harness.claims.claim import COUNTS, Claim
from argo_bench.harness.record.records import Comparison, Declaration, Plan, WorkloadFacts
from argo_bench.harness.statistics.looks import nominal_error
from argo_bench.optimizations import headline_claims
from argo_bench.optimizations.optimization import CYCLE, Optimization, Workload

Subject = Optimization | Benchmark
FAMILY_ERROR = 0.05
PUBLISHED = "published"
"""The name of the family of the catalogue's headline claims."""
NOUNS: Mapping[str, str] = {
    "requests": "requests",
    "model_calls": "model calls",
    "dollars": "dollars",
    "frame_bytes": "bytes of frames",
    "hit_rate": "hits",
    "queries": "database queries",
    "explanations": "explanations asked for",
}
"""What the counts are of."""


def declaration_of(subject: Subject) -> Declaration:
    """What a record says of a subject."""
    if isinstance(subject, Benchmark):
        return subject.declaration()
    own = {claim.id for claim in subject.claims if claim.headline}
    is_published = own <= {claim.id for claim in headline_claims()}
    return Declaration(
        subject.id,
        subject.name,
        [*subject.variants],
        [*subject.claims],
        [_facts(workload) for workload in subject.workloads],
        family=PUBLISHED if is_published else subject.id,
        nouns={metric: NOUNS[metric] for metric in COUNTS if any(claim.metric == metric for claim in subject.claims)},
    )


def _facts(workload: Workload) -> WorkloadFacts:
    is_modelled = workload.stage == CYCLE and not workload.servers and workload.latency_scale > 0
    return WorkloadFacts(workload.name, workload.unit, [*workload.scales], workload.stage, workload.inputs, is_modelled)


def plan_of(
    declarations: Sequence[Declaration],
    looks: Sequence[int],
    judged: Sequence[Claim],
    seeds: Sequence[int],
    sets: Mapping[str, Sequence[str]],
    comparisons: Sequence[Comparison],
) -> Plan:
    """At which levels the claims of some subjects are judged.

    The intervals of a family hold simultaneously (Bonferroni). That of the published claims has all of the catalogue,
    whatever is run, so that one row alone and all together give the same verdict on the same data; what is not of the
    catalogue is a family of its own.
    """
    published = [claim.id for claim in headline_claims()]
    families = {
        each.family: published if each.family == PUBLISHED else [claim.id for claim in each.claims if claim.headline]
        for each in declarations
    }
    return Plan(
        FAMILY_ERROR,
        families,
        levels_of(families, FAMILY_ERROR, looks),
        1 - nominal_error(FAMILY_ERROR, tuple(looks)),
        [claim.id for claim in judged],
        [*seeds],
        {name: [*ids] for name, ids in sets.items()},
        [*comparisons],
    )


def levels_of(families: Mapping[str, Sequence[str]], error: float, looks: Sequence[int]) -> dict[str, float]:
    """The confidence level at every look that keeps the error of each family, over all looks, at ``error``."""
    return {name: 1 - nominal_error(error / max(1, len(claims)), tuple(looks)) for name, claims in families.items()}


def headline_comparison(subject: Subject, claim: Claim, variant: str) -> Comparison:
    """The comparison that gives a claim its verdict: its workload at the headline scale, against its reference."""
    if isinstance(subject, Benchmark):
        return subject.comparison
    workload = subject.workload(claim.workload)
    return Comparison(subject.id, workload.name, workload.scales[0], workload.unit, claim.against(variant), variant)


def replicate_seed(seed: int, replicate: int) -> int:
    """The seed of a replicate's market and of the order of its blocks."""
    return seed * 1000 + replicate
