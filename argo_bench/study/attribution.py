"""This subject asks what each of the fifteen contributes to all, alone and by being left out, in whole cycles.

``argo-bench run argo_bench/study/attribution.py --budget 15m --out DIRECTORY`` measures the 32 configurations, and
``Report.shares`` draws them.
"""

from __future__ import annotations

from dataclasses import replace

from argo_bench.harness.claims.claim import Claim
from argo_bench.optimizations import catalogue
from argo_bench.optimizations.optimization import Optimization
from argo_bench.optimizations.together import CYCLES, all_of

NAME = "SHARES"
ONLY, WITHOUT = "only {}", "without {}"
"""Names of arms, to be filled with the id of the optimization."""

_ALL = list(catalogue().values())

WORKLOAD = replace(
    CYCLES,
    name="cycle, switch by switch",
    description="whole live cycles of six symbols without latency, with one optimization alone and with all but one",
    arms={
        **{ONLY.format(each.id): each.engineered for each in _ALL},
        **{
            WITHOUT.format(each.id): all_of([other for other in _ALL if other is not each], "engineered")
            for each in _ALL
        },
    },
)

OPTIMIZATION = Optimization(
    id=NAME,
    name="what each of the fifteen contributes",
    layer="schedule",
    prescribed=all_of(_ALL, "prescribed"),
    engineered=all_of(_ALL, "engineered"),
    claims=(
        Claim(
            id=f"{NAME}.cpu",
            text="all fifteen together are faster",
            source="",
            kind="direction",
            workload=WORKLOAD.name,
            reading="the CPU time of six symbols' cycles, against no optimization",
            headline=True,
        ),
    ),
    workloads=(WORKLOAD,),
    may_change="what its members may",
    tolerance=max(each.tolerance for each in _ALL),
    permits=frozenset[str]().union(*(each.permits for each in _ALL)),
    staleness_s=max(each.staleness_s for each in _ALL),
)
