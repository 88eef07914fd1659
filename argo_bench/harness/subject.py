"""What claims are made about: an optimization of the catalogue, or a user's benchmark."""

from __future__ import annotations

from collections.abc import Sequence

from argo_bench.claim import Claim, Optimization
from argo_bench.harness.benchmark import Benchmark
from argo_bench.harness.results import Comparison
from argo_bench.harness.sequential import nominal_error
from argo_bench.optimizations import headline_claims

Subject = Optimization | Benchmark
FAMILY_ERROR = 0.05


def headline_comparison(subject: Subject, claim: Claim, variant: str) -> Comparison:
    """The comparison that gives a claim its verdict: its workload at the headline scale, against its reference."""
    if isinstance(subject, Benchmark):
        return subject.comparison
    workload = subject.workload(claim.workload)
    return Comparison(subject.id, workload.name, workload.scales[0], workload.unit, claim.against(variant), variant)


def claims_on(subject: Subject, comparison: Comparison) -> list[Claim]:
    """The claims whose verdict rests on a comparison; none for further arms and other scales."""
    if comparison.candidate not in subject.variants:
        return []
    return [
        claim for claim in subject.claims if headline_comparison(subject, claim, comparison.candidate) == comparison
    ]


def level_of(subject: Subject, comparison: Comparison, looks: Sequence[int]) -> float:
    """Confidence level of a comparison's interval, the same at every look.

    Simultaneous (Bonferroni) over the headline claims of the whole catalogue, whatever was run, so that one row alone
    and all together give the same verdict on the same data; 95 % for readings outside that family. What is not of the
    catalogue is a family of its own.
    """
    in_family = any(claim.headline for claim in claims_on(subject, comparison))
    error = FAMILY_ERROR / len(_family(subject)) if in_family else FAMILY_ERROR
    return 1 - nominal_error(error, tuple(looks))


def _family(subject: Subject) -> list[Claim]:
    own = [claim for claim in subject.claims if claim.headline]
    if isinstance(subject, Benchmark):
        return own
    published = headline_claims()
    return published if set(own) <= set(published) else own
