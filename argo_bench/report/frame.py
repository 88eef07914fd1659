"""Tabulates the verdicts of a record for other tools: as a data frame, as CSV and as Parquet, with the same columns.

docs/data.md describes every column; a test holds both lists to each other.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from argo_bench.controls import spell_controls
from argo_bench.extras import check_extra
from argo_bench.harness.claims.verdict import HOLDS
from argo_bench.harness.record.records import Judgement
from argo_bench.harness.record.store import Recorded
from argo_bench.report import finding

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["text", "truth", "whole", "number"]
DTYPES: dict[Kind, str] = {"text": "str", "truth": "bool", "whole": "Int64", "number": "float64"}
"""Data frames have these dtypes. Texts, whole numbers and numbers may be missing."""


class Field(NamedTuple):
    """Describes a column; an empty unit is that of no quantity."""

    name: str
    kind: Kind
    unit: str = ""


FIELDS = (
    Field("claim", "text"),
    Field("optimization", "text"),
    Field("arm", "text"),
    Field("headline", "truth"),
    Field("workload", "text"),
    Field("scale", "whole", "the workload's"),
    Field("reference", "text"),
    Field("claimed", "text"),
    Field("metric", "text"),
    Field("speedup", "number", "ratio"),
    Field("interval_low", "number", "ratio"),
    Field("interval_high", "number", "ratio"),
    Field("level", "number", "share"),
    Field("replicates", "whole", "count"),
    Field("cpu_speedup", "number", "ratio"),
    Field("wall_speedup", "number", "ratio"),
    Field("reference_ns", "number", "ns per call"),
    Field("candidate_ns", "number", "ns per call"),
    Field("verdict", "text"),
    Field("holds", "truth"),
    Field("holds_when", "text"),
    Field("output", "text"),
    Field("signals_due", "number", "count"),
    Field("signals_missed", "number", "count"),
    Field("signals_added", "number", "count"),
    Field("signals_flipped", "number", "count"),
    Field("when_providers_fail", "text"),
    Field("flags", "text"),
)
"""These are the columns of a verdict, in order."""


def list_rows(recorded: Recorded) -> list[dict[str, Any]]:
    """Return a row for every verdict; None stands for what there is not."""
    return [_make_row(recorded, each) for each in recorded.all(Judgement)]


def _make_row(recorded: Recorded, judgement: Judgement) -> dict[str, Any]:
    result = finding.find_result(recorded, judgement)
    low, high = judgement.interval or (None, None)
    return {
        "claim": judgement.claim,
        "optimization": judgement.optimization,
        "arm": judgement.arm,
        "headline": judgement.headline,
        "workload": judgement.comparison.workload,
        "scale": judgement.comparison.scale,
        "reference": judgement.comparison.reference,
        "claimed": finding.format_claimed(judgement.kind, judgement.low, judgement.high),
        "metric": judgement.metric,
        "speedup": judgement.speedup,
        "interval_low": low,
        "interval_high": high,
        "level": judgement.level,
        "replicates": finding.count_replicates(recorded, judgement),
        "cpu_speedup": None if result is None else result.cpu.speedup,
        "wall_speedup": None if result is None else result.wall.speedup,
        "reference_ns": None if result is None else result.reference_ns,
        "candidate_ns": None if result is None else result.candidate_ns,
        "verdict": judgement.verdict,
        "holds": judgement.verdict in HOLDS,
        "holds_when": judgement.holds_when,
        "output": judgement.output,
        "signals_due": judgement.damage.get("signals"),
        "signals_missed": judgement.damage.get("missed"),
        "signals_added": judgement.damage.get("added"),
        "signals_flipped": judgement.damage.get("flipped"),
        "when_providers_fail": judgement.when_providers_fail,
        "flags": "; ".join(judgement.flags),
    }


def make_frame(recorded: Recorded) -> pd.DataFrame:
    """Return a data frame whose dtypes do not depend on what was measured.

    Raises UserError where pandas is not installed.
    """
    check_extra("study", "a data frame")
    import pandas as pd

    rows = list_rows(recorded)
    return pd.DataFrame(
        {each.name: pd.Series([row[each.name] for row in rows], dtype=DTYPES[each.kind]) for each in FIELDS}
    )


def write_csv(recorded: Recorded) -> str:
    """Return the verdicts as CSV with a header; a cell is empty for what there is not."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([each.name for each in FIELDS])
    for row in list_rows(recorded):
        writer.writerow([_write_cell(row[each.name]) for each in FIELDS])
    return text.getvalue()


def _write_cell(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else spell_controls(str(value))


def write_parquet(recorded: Recorded) -> bytes:
    """Return the verdicts as Parquet; the metadata of a column has its unit.

    Raises UserError where pyarrow is not installed.
    """
    check_extra("study", "Parquet")
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    types = {"text": arrow.string(), "truth": arrow.bool_(), "whole": arrow.int64(), "number": arrow.float64()}
    schema = arrow.schema(
        [
            arrow.field(each.name, types[each.kind], metadata={"unit": each.unit} if each.unit else None)
            for each in FIELDS
        ]
    )
    buffer = io.BytesIO()
    parquet.write_table(arrow.Table.from_pylist(_replace_halves(list_rows(recorded)), schema), buffer)
    return buffer.getvalue()


def _replace_halves(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows without halves of characters, which no file in UTF-8 holds."""
    return [
        {
            name: each.encode(errors="backslashreplace").decode() if isinstance(each, str) else each
            for name, each in row.items()
        }
        for row in rows
    ]


def export_verdicts(recorded: Recorded, path: Path, form: Literal["csv", "parquet"]) -> None:
    """Write the verdicts into a file. Raises UserError where it cannot be written."""
    from argo_bench.report import write_whole

    write_whole(path, write_csv(recorded).encode() if form == "csv" else write_parquet(recorded))
