"""Tabulates the claims on sets of optimizations: the state that each is counted from, and what a simple rule gives.

The rule is none of the optimizations: it serves last signals while prices have hardly moved, which NOTE explains.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from argo_bench.harness.claims.metrics import CLOCKS, is_count
from argo_bench.harness.record.records import Judgement, Result
from argo_bench.harness.record.store import Recorded
from argo_bench.optimizations import sets
from argo_bench.optimizations.optimization import VARIANTS
from argo_bench.optimizations.together import SERVED
from argo_bench.report import finding
from argo_bench.report.counts import find_counted
from argo_bench.report.marks import label_verdict
from argo_bench.report.tables import Column, Row, Table

NOTE = (
    "The published claims on several optimizations together count from different beginnings: an older document from no "
    "optimization at all, the later one from the state after the first five; and its total of 80-85 % fits neither "
    "(0.8-1.5 s to 0.4-0.8 s is a half). Each claim is judged against the state that it names. The last column is none "
    "of the fifteen: it reuses a symbol's last signal while its price has moved by less than 0.5 %, and shows how much "
    "of a figure that rule alone would explain."
)

UNITS = (1e9, "s"), (1e6, "ms"), (1e3, "us")
"""The larger of two times gives both their unit."""


def tabulate_combined(recorded: Recorded) -> Table:
    """Tabulate every claim on a set of optimizations."""
    together = {each.id for each in sets()}
    claims: dict[str, dict[str, Judgement]] = {}
    for each in recorded.all(Judgement):
        if each.optimization in together:
            claims.setdefault(each.claim, {})[each.arm] = each
    rows = tuple(Row(tuple(_cells(recorded, claim, judged))) for claim, judged in claims.items())
    columns = (
        Column("claim", None),
        Column("counted from", 11),
        Column("as prescribed", 15),
        Column("as engineered", 15),
        Column("last signals reused", 12),
    )
    return Table("Combined claims", NOTE, columns, rows)


def _cells(recorded: Recorded, claim: str, judged: dict[str, Judgement]) -> Iterator[str]:
    first = next(iter(judged.values()))
    yield f"{claim}\n{first.text}"
    yield "\n".join(dict.fromkeys(each.comparison.reference for each in judged.values()))
    for variant in VARIANTS:
        each = judged.get(variant)
        if each is None:
            yield "-"
        else:
            seen = [label_verdict(each.verdict), finding.describe_measured(each), describe_times(recorded, each)]
            yield "\n".join(filter(None, seen))
    yield _format_served(recorded, first)


def describe_times(recorded: Recorded, judgement: Judgement) -> str:
    """Return what a call of the reference and of the variant took, as in ``4.1 -> 0.31 s``: the published figures are
    seconds. It is empty for a claim that is not about a time on the wall clock, and for one that was not timed.
    """
    if judgement.metric != "wall":
        return ""
    result = next((each for each in recorded.all(Result) if each.comparison == judgement.comparison), None)
    if result is None:
        return ""
    both = result.reference_ns, result.candidate_ns
    size, unit = next((of for of in UNITS if max(both) >= of[0]), UNITS[-1])
    rounded = [float(f"{each / size:.2g}") for each in both]
    return f"{' -> '.join(f'{each:,.6g}' for each in rounded)} {unit}"


def _format_served(recorded: Recorded, judgement: Judgement) -> str:
    """Say what serving last signals alone gives against no optimization, on the same workload, by the same metric."""
    where, metric, as_share = judgement.comparison, judgement.metric, judgement.kind == "reduction"
    for result in recorded.all(Result):
        if metric in CLOCKS and (result.comparison.workload, result.comparison.candidate) == (where.workload, SERVED):
            return finding.format_speedup(
                (result.wall if metric == "wall" else result.cpu).speedup, metric, as_share=as_share
            )
    for each in find_counted(recorded) if is_count(metric) else ():
        if (each.optimization, each.workload) == (where.optimization, where.workload) and SERVED in each.arms:
            seen, before = each.values(SERVED, metric), each.values("baseline", metric)
            if metric in ("hit_rate", "layer_hit_rate"):
                return finding.format_level(median(seen)) if seen else "no cache"
            if seen and before and median(seen):
                return finding.format_speedup(median(before) / median(seen), metric, as_share=as_share)
    return "-"
