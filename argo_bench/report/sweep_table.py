"""Tabulates what a sweep found: the ratio of every headline claim at each point of the grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from argo_bench.harness.record.records import Judgement
from argo_bench.harness.record.store import Recorded
from argo_bench.report.finding import format_factor, format_interval
from argo_bench.report.marks import label_verdict
from argo_bench.report.tables import Column, Row, Table, join_lines

Values = Mapping[str, int | float | str]


@dataclass(frozen=True, slots=True)
class Found:
    """Holds a verdict at a point of the grid: where it is, of which claim and arm, and the line of its record."""

    values: Values
    judgement: Judgement

    @property
    def where(self) -> str:
        return ", ".join(f"{name} {write_value(value)}" for name, value in self.values.items())


def find_all(measured: Sequence[tuple[Values, Recorded]]) -> list[Found]:
    """Return the verdicts on the headline claims of all points that are measured, each at the values that vary."""
    first = measured[0][0]
    varied = [name for name in first if len({values[name] for values, _ in measured}) > 1]
    return [
        Found({name: values[name] for name in varied}, each)
        for values, recorded in measured
        for each in recorded.all(Judgement)
        if each.headline
    ]


def tabulate_sweep(found: Sequence[Found]) -> Table:
    """Tabulate the ratio, the interval and the verdict of every claim and arm at each point."""
    rows = [
        Row((join_lines(one.claim, one.arm), each.where, _describe_ratio(one), label_verdict(one.verdict)))
        for each in sorted(found, key=lambda each: (each.judgement.claim, each.judgement.arm))
        for one in (each.judgement,)
    ]
    columns = (Column("claim", 14), Column("at", 20), Column("measured", 20), Column("verdict", None))
    note = "Every point of the grid is a run of its own, with its own intervals."
    return Table("The claims over the grid", note, columns, tuple(rows))


def describe_sweep(found: Sequence[Found]) -> list[dict[str, Any]]:
    """Return what the table shows, with numbers as they are."""
    return [
        {
            "claim": each.judgement.claim,
            "arm": each.judgement.arm,
            **each.values,
            "speedup": each.judgement.speedup,
            "interval": each.judgement.interval,
            "verdict": each.judgement.verdict,
        }
        for each in found
    ]


def _describe_ratio(judgement: Judgement) -> str:
    if judgement.speedup is None:
        return "not measured"
    return join_lines(format_factor(judgement.speedup), format_interval(judgement.interval, None))


def write_value(value: int | float | str) -> str:
    return value if isinstance(value, str) else f"{value:,}" if isinstance(value, int) else f"{value:g}"
