"""Tabulates what a set of optimizations is without each of its members: what it asks, finds and takes then.

Gains do not add up, and one member may undo those of others: what a member is worth shows where it alone is missing.
"""

from __future__ import annotations

from argo_bench.harness.record.records import Counts, Result
from argo_bench.harness.record.store import Recorded
from argo_bench.optimizations.optimization import LEFT_OUT, VARIANTS, is_left_out
from argo_bench.optimizations.together import MISSING, SETS
from argo_bench.report import finding
from argo_bench.report.tables import Column, Row, Table

NOTE = (
    "Several optimizations together, without one of them in each row; the first row of a set has all. Counts are "
    "exact, of one seed. The time of a signal is the median over whole cycles of one symbol, with what is waited for. "
    "A dash was not timed: argo-bench run --study times every row."
)
COUNTED = (("requests", "requests"), ("explanations", "explanations"), ("dollars", "dollars"), ("hit_rate", "hits"))
"""The counts that are shown, each with its heading."""


def tabulate_left_out(recorded: Recorded) -> Table:
    """Tabulate every set without each of its members, in both variants; without rows where none was counted."""
    counts = recorded.all(Counts)
    places = {(each.optimization, each.workload, each.scale, each.seed) for each in counts if is_left_out(each.arm)}
    counted = {
        (each.optimization, each.arm): each
        for each in counts
        if (each.optimization, each.workload, each.scale, each.seed) in places
    }
    timed = {
        (each.comparison.optimization, each.comparison.candidate): each.candidate_ns
        for each in recorded.all(Result)
        if each.comparison.workload == MISSING.name
    }
    rows = []
    for name, members in SETS.items():
        for variant in VARIANTS:
            without = [LEFT_OUT.format(variant=variant, member=member) for member in members]
            known = [arm for arm in without if (name, arm) in counted]
            for arm in (variant, *known) if known else ():
                seen = counted.get((name, arm))
                cells = [f"{name} {arm}", *(_format_count(seen, count) for count, _ in COUNTED)]
                ns = timed.get((name, arm))
                rows.append(Row((*cells, "-" if ns is None else finding.format_duration(ns, 2))))
    headings = [heading for _, heading in COUNTED]
    columns = (Column("set", None), *(Column(heading, 12) for heading in headings), Column("a signal", 10))
    return Table("With one optimization left out", NOTE, columns, tuple(rows))


def _format_count(counts: Counts | None, name: str) -> str:
    if counts is None or (value := counts.counts.get(name)) is None:
        return "-"
    if name == "hit_rate":
        return finding.format_level(value)
    return f"{value:,.3g}" if name == "dollars" else f"{value:,.0f}"
