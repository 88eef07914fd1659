"""Says when a comparison needs no more replicates, from its claims and samples alone."""

from __future__ import annotations

from collections.abc import Sequence

from argo_bench.harness.claims.claim import Claim
from argo_bench.harness.claims.metrics import CLOCKS
from argo_bench.harness.judging.results import estimate_result
from argo_bench.harness.record.records import Comparison, Samples
from argo_bench.harness.statistics.looks import has_ended


def is_over(
    comparison: Comparison, claims: Sequence[Claim], samples: Sequence[Samples], level: float, looks: Sequence[int]
) -> bool:
    """Say whether a comparison leaves at a look, at which it has these samples.

    One behind no claim ends when it has the replicates of the first look; one behind claims of which none is about time
    ends at that look.
    """
    if not claims:
        return len(samples) >= looks[0]
    result = estimate_result(comparison, samples, level)
    timed = [claim for claim in claims if claim.metric in CLOCKS]
    return has_ended(timed, [result.on(claim.metric) for claim in timed], looks[-1])
