"""Says when a comparison needs no more replicates, from its claims and samples alone."""

from __future__ import annotations

from collections.abc import Sequence

from argo_bench.harness.claims.claim import Claim
from argo_bench.harness.claims.metrics import CLOCKS
from argo_bench.harness.claims.verdict import FLOORED, floor_of
from argo_bench.harness.judging.results import estimate_result
from argo_bench.harness.record.records import Samples
from argo_bench.harness.statistics.estimate import CURRENT, Rule
from argo_bench.harness.statistics.looks import Stopping


def is_over(
    claims: Sequence[Claim], samples: Sequence[Samples], level: float, looks: Sequence[int], rule: Rule = CURRENT
) -> bool:
    """Say whether a comparison leaves at a look, at which it has these samples, by the rule that judges it.

    One behind no claim ends when it has the replicates of the first look; one behind claims of which none is about time
    ends at that look. Where dear calls recur, it goes on until the mean over all calls has a verdict as well, which may
    contradict the one on the typical call.
    """
    if not claims:
        return len(samples) >= looks[0]
    result = estimate_result(samples[0].comparison, samples, level, rule)
    timed = [claim for claim in claims if claim.metric in CLOCKS]
    stopping = Stopping(looks[-1], rule, floor_of(result.reference_ns) if rule in FLOORED else None)
    means = [(claim, mean) for claim in timed if (mean := result.mean_on(claim.metric)) is not None]
    return stopping.has_ended(timed, [result.on(claim.metric) for claim in timed]) and stopping.has_ended(
        [claim for claim, _ in means], [mean for _, mean in means]
    )
