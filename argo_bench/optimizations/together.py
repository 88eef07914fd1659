"""The combined claims are judged here: the first five together, and all fifteen, each as prescribed and as engineered.

They are measured as if each set were one optimization. Gains do not add up, so that nothing here follows from the
verdicts on the single ones. The published "before" and "after" do not share a baseline: the older document counts from
no optimization, the later one from the state after the first five. Each is judged here against the reference that it
names.

"80-85% faster" is read as 1.80 to 1.85 times the speed (since 2026-11-28; before that as 80 to 85 % less time, which is
5.0 to 6.7 times). The columns of the same row, 0.8-1.5 s and 0.4-0.8 s, make 1.9 to 2.0 times; and it is the weaker of
the two readings, which is the one that everybody's sentences get.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from types import MappingProxyType

from argo_bench.harness.claims.claim import Claim
from argo_bench.harness.claims.sentence import publish_claim
from argo_bench.optimizations._redundancy import describe_workload, publish_claims
from argo_bench.optimizations.optimization import (
    CYCLE,
    LEFT_OUT,
    VARIANTS,
    Optimization,
    Variant,
    Workload,
    keep_baseline,
)
from argo_bench.pipeline.record import Edit, Pipeline
from argo_bench.pipeline.unchanged import skip_unchanged

FIVE_IDS = ("O01", "O02", "O03", "O04", "O05")
ALL_IDS = (*FIVE_IDS, "O06", "O07", "O08", "O09", "O10", "O11", "O12", "O13", "O14", "O15")
"""The fifteen that the documents describe, whatever else is installed beside them."""
SETS = MappingProxyType({"FIVE": FIVE_IDS, "ALL": ALL_IDS})
"""The members of each subject that stands for several optimizations."""
FIVE = "older document on optimizations 1-5 (as restated)"
SEED = "additional_optimizations.txt, Combined Expected Impact"
SUMMARY = "additional_optimizations.txt, Executive Summary"
ALL = "later status document (as restated)"
AFTER_FIVE = "first five, {variant}"
SERVED = "last signals served"
"""The arm with the rule of ``unchanged`` alone, which is none of the
fifteen: it shows how much of each figure that rule would explain."""


def all_of(optimizations: Sequence[Optimization], variant: Variant) -> Edit:
    """Return the edits of several optimizations as one edit, applied by layer and then by id."""

    def edit_pipeline(pipeline: Pipeline) -> Pipeline:
        ordered = sorted(optimizations, key=lambda each: each.order)
        return reduce(lambda built, each: getattr(each, variant)(built), ordered, pipeline)

    return edit_pipeline


DEAR = tuple(LEFT_OUT.format(variant="prescribed", member=member) for member in ("O07", "O09"))
"""The arms without a text that is made of a frame for its key, and without a full garbage collection in every cycle:
what is prescribed spends most of its time on these two."""


def leave_one_out(optimizations: Sequence[Optimization]) -> dict[str, Edit]:
    """Return the arms in which each of several optimizations is missing from all of them, by name, in both variants."""
    return {
        LEFT_OUT.format(variant=variant, member=each.id): all_of(
            [other for other in optimizations if other is not each], variant
        )
        for variant in VARIANTS
        for each in optimizations
    }


SIGNAL = Workload(
    name="signal, three symbols",
    stage=CYCLE,
    inputs="trace",
    description="whole live cycles at the stated latencies, 40 s of one symbol on one day after another: the time "
    "until its signal is stored; each reaches decisions",
    scales=(9,),
    unit="cycles",
    pairs=3,
    arms={SERVED: skip_unchanged},
)
SIGNAL_ONE = Workload(
    name="signal, one symbol",
    stage=CYCLE,
    inputs="trace",
    description="whole live cycles of one symbol at the stated latencies: the time until its signal is stored",
    scales=(24,),
    unit="cycles",
    symbols=1,
    arms={SERVED: skip_unchanged},
)
PAIRS = (
    "three symbols, each with a day of its own, drawn by the seed so that each reaches decisions (since 2026-11-29; "
    "before that one symbol, whose signals might be a handful or none)"
)
OLD = "as it was read until 2026-11-29: one symbol, drawn by the seed"
CYCLES = Workload(
    name="cycle, six symbols",
    stage=CYCLE,
    inputs="trace",
    description="whole live cycles of six symbols without latency: what the pipeline itself computes",
    scales=(13,),
    unit="cycles",
    latency_scale=0.0,
    arms={SERVED: skip_unchanged},
)
DAY = Workload(
    name="cycles, counted",
    stage=CYCLE,
    inputs="trace",
    description="five minutes or two of live cycles of six symbols: what crosses the border of the process",
    scales=(60, 24),
    unit="cycles",
    latency_scale=0.1,
    timed=False,
    arms={SERVED: skip_unchanged},
)
MISSING = Workload(
    name="signal, one left out",
    stage=CYCLE,
    inputs="trace",
    description="whole live cycles of one symbol at the stated latencies, with all of the set but one",
    scales=(7,),
    unit="cycles",
    symbols=1,
)
MEMORY = Workload(
    name="cycle, memory",
    stage=CYCLE,
    inputs="trace",
    description="whole live cycles of six symbols on long histories",
    scales=(2000,),
    unit="bars",
    cycles=4,
    latency_scale=0.0,
)
READ = Workload(
    name="queries of the readers",
    stage="read",
    inputs="miss",
    description="the readers' three queries on so many stored rows, none repeated; without the garbage collection that "
    "O09 prescribes after them",
    scales=(10_000,),
    unit="rows",
)

CALLS_PER_HOUR = (720 / 100, 720 / 50)
QUERY_TIME = (50 / 15, 100 / 5)


def first_five(optimizations: Sequence[Optimization]) -> Optimization:
    """Return the first five as one optimization, with the older document's claim on them all."""
    five = [each for each in optimizations if each.id in FIVE_IDS]
    return _as_one(
        "FIVE",
        "the first five together",
        five,
        claims=(
            publish_claim(
                id="FIVE.time",
                text="signal time 2-4 s -> 0.8-1.5 s",
                source=FIVE,
                metric="wall",
                workload=SIGNAL.name,
                reading="one symbol's cycle against no optimization; before and after as a ratio, from 2/1.5 to 4/0.8; "
                f"over {PAIRS}",
                headline=True,
            ),
            publish_claim(
                id="FIVE.time-one",
                text="signal time 2-4 s -> 0.8-1.5 s",
                source=FIVE,
                metric="wall",
                workload=SIGNAL_ONE.name,
                reading=f"the same {OLD}",
            ),
        ),
        workloads=(
            *(SIGNAL, SIGNAL_ONE),
            replace(DAY, scales=DAY.scales[:1], arms=leave_one_out(five)),
            replace(MISSING, study_arms=leave_one_out(five)),
        ),
    )


def all_fifteen(optimizations: Sequence[Optimization]) -> Optimization:
    """Return the fifteen as one optimization, with the claims of the documents' summaries."""
    optimizations = [each for each in optimizations if each.id in ALL_IDS]
    five = [each for each in optimizations if each.id in FIVE_IDS]
    uncollected = all_of([each for each in optimizations if each.id != "O09"], "prescribed")
    queried = replace(READ, arms={"prescribed": uncollected})
    watched = {"baseline": keep_baseline} | {variant: all_of(optimizations, variant) for variant in VARIANTS}
    after_five = {AFTER_FIVE.format(variant=variant): all_of(five, variant) for variant in VARIANTS}
    dear = {name: edit for name, edit in leave_one_out(optimizations).items() if name in DEAR}
    return _as_one(
        "ALL",
        "all fifteen together",
        optimizations,
        arms=after_five,
        claims=(
            publish_claim(
                id="ALL.time",
                text="80-85% faster",
                source=SEED,
                metric="wall",
                workload=SIGNAL.name,
                reading="one symbol's cycle is 1.80 to 1.85 times as fast as without any optimization (80-85 % less "
                f"time would be 5.0 to 6.7 times); over {PAIRS}",
                headline=True,
            ),
            publish_claim(
                id="ALL.time-one",
                text="80-85% faster",
                source=SEED,
                metric="wall",
                workload=SIGNAL_ONE.name,
                reading=f"the same {OLD}",
            ),
            publish_claim(
                id="ALL.time-after-five",
                text="0.8-1.5s -> 0.4-0.8s",
                source=SEED,
                metric="wall",
                workload=SIGNAL.name,
                reference=AFTER_FIVE,
                reading="one symbol's cycle against the first five; both columns as a ratio, 0.8/0.8 to 1.5/0.4; "
                f"over {PAIRS}",
            ),
            publish_claim(
                id="ALL.additional",
                text="30-50% additional reduction in signal generation time",
                source=SUMMARY,
                metric="wall",
                workload=SIGNAL.name,
                reference=AFTER_FIVE,
                reading=f"one symbol's cycle against the first five in the same variant; over {PAIRS}",
                headline=True,
            ),
            publish_claim(
                id="ALL.additional-one",
                text="30-50% additional reduction in signal generation time",
                source=SUMMARY,
                metric="wall",
                workload=SIGNAL_ONE.name,
                reference=AFTER_FIVE,
                reading=f"the same {OLD}",
            ),
            publish_claim(
                id="ALL.cpu",
                text="30-40% reduction",
                source=f"{SEED}, CPU Usage",
                workload=CYCLES.name,
                reading="CPU time of live cycles of six symbols over a minute (since 2026-11-29; before that two)",
                headline=True,
            ),
            publish_claim(
                id="ALL.utilization",
                text="Better CPU utilization through vectorization",
                source=SUMMARY,
                workload=CYCLES.name,
                reading="less CPU time for the same cycles",
            ),
            publish_claim(
                id="ALL.memory",
                text="40-60% reduction",
                source=f"{SEED}, Memory Usage",
                metric="peak_rss",
                workload=MEMORY.name,
                reading="the largest resident memory during a cycle over six symbols, beyond what was there before it",
                headline=True,
            ),
            publish_claim(
                id="ALL.reasoning",
                text="70-90% reduction",
                source=f"{SEED}, AI Reasoning Calls",
                metric="explanations",
                workload=DAY.name,
                reading="requests to the explanation model over five minutes of live cycles",
                headline=True,
            ),
            publish_claim(
                id="ALL.cost",
                text="70-90% reduction",
                source=f"{SEED}, API Costs",
                metric="dollars",
                workload=DAY.name,
                reading="dollars to all models over five minutes of live cycles",
                headline=True,
            ),
            Claim(
                id="ALL.calls",
                text="API calls per hour ~720 -> ~50-100",
                source=ALL,
                kind="speedup",
                low=CALLS_PER_HOUR[0],
                high=CALLS_PER_HOUR[1],
                metric="requests",
                workload=DAY.name,
                reading="requests to all providers over the same cycles; before and after as a ratio, 7.2 to 14.4",
                headline=True,
            ),
            Claim(
                id="ALL.hits",
                text="cache hit rate 40 % -> 85 %+",
                source=ALL,
                kind="level",
                low=0.85,
                high=1.0,
                metric="hit_rate",
                workload=DAY.name,
                reading="hits of all caches together over five minutes of live cycles, each question once: a miss of "
                "one cache that another one answers is a hit (since 2026-11-29; before that it was a miss as well)",
                headline=True,
            ),
            Claim(
                id="ALL.hits-layers",
                text="cache hit rate 40 % -> 85 %+",
                source=ALL,
                kind="level",
                low=0.85,
                high=1.0,
                metric="layer_hit_rate",
                workload=DAY.name,
                reading="the same as it was read until 2026-11-29: hits and misses of every cache added up",
            ),
            Claim(
                id="ALL.queries",
                text="database query 50-100 ms -> 5-15 ms",
                source=ALL,
                kind="speedup",
                low=QUERY_TIME[0],
                high=QUERY_TIME[1],
                metric="wall",
                workload=READ.name,
                reading="the readers' three queries, none repeated; before and after as a ratio, from 50/15 to 100/5, "
                "on 10,000 rows (since 2026-11-29; before that also on 200,000, beside the verdict)",
                headline=True,
            ),
            *publish_claims(AFTER_FIVE),
        ),
        workloads=(
            *(SIGNAL, SIGNAL_ONE, CYCLES),
            replace(DAY, arms={**DAY.arms, **leave_one_out(optimizations)}),
            *(MEMORY, queried),
            replace(MISSING, arms=dear, study_arms=leave_one_out(optimizations)),
            describe_workload(watched | after_five),
        ),
    )


def _as_one(
    identifier: str,
    name: str,
    optimizations: Sequence[Optimization],
    claims: tuple[Claim, ...],
    workloads: tuple[Workload, ...],
    arms: Mapping[str, Edit] = MappingProxyType({}),
) -> Optimization:
    """Return several optimizations as one, which may change what any of them may."""
    return Optimization(
        id=identifier,
        name=name,
        layer="schedule",
        prescribed=all_of(optimizations, "prescribed"),
        engineered=all_of(optimizations, "engineered"),
        claims=claims,
        workloads=workloads,
        arms=arms,
        may_change="what its members may",
        tolerance=max(each.tolerance for each in optimizations),
        permits=frozenset[str]().union(*(each.permits for each in optimizations)),
        staleness_s=max(each.staleness_s for each in optimizations),
    )
