"""Files and frames become unparsed cells here, one table a symbol, so that a refusal can show the cell as it is."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow

from argo_bench.pipeline.market.columns import find_positions, is_understood
from argo_bench.pipeline.market.dates import find_notation, parse_date
from argo_bench.pipeline.market.numerals import find_commas, parse_number
from argo_bench.pipeline.market.table import Notation, Order, Table, is_absent, refuse
from argo_bench.pipeline.model import COLUMNS

EXTENSIONS = (".csv", ".csv.gz", ".parquet")
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "pipes"}
MAX_HEADER_ROWS = 3
HEADER_LABELS = ("price", "ticker", "date", "datetime")
# A damaged footer reaches pandas as JSON with wrong keys or types, so reading may raise more than pyarrow's errors.
PARQUET_ERRORS = (OSError, ValueError, KeyError, TypeError, NotImplementedError, pyarrow.ArrowException)


def tables(
    source: str | Path | pd.DataFrame, *, name: str | None = None, dates: Order | None = None
) -> dict[str, Table]:
    """Return the unparsed cells of every symbol of a source, by symbol, in the order of the source.

    The symbol is '' where the source names none. How dates and numbers are written is decided for the whole source;
    ``dates`` says in which order day and month stand where that cannot be told.
    """
    if isinstance(source, pd.DataFrame):
        whole, depth = _frame_cells(source, name or "the frame")
    else:
        whole, depth = _file_cells(Path(source).expanduser(), name or str(source))
    while depth < min(MAX_HEADER_ROWS, len(whole.rows)) and _is_header(whole.rows[depth]):
        depth += 1
    header = [[str(cell).strip() for cell in row] for row in whole.rows[:depth]]
    fields = max(header, key=lambda row: sum(cell.lower() in COLUMNS for cell in row))
    _refuse_other_separators(whole, fields)
    header = [row if row is fields else _align(whole, index, row, fields) for index, row in enumerate(header)]
    body = replace(whole, names=fields, rows=whole.rows[depth:], places=whole.places[depth:])
    _refuse_uneven(body)
    tickers = next((row for row in header if row is not fields and not all(map(is_absent, row[1:]))), None)
    if tickers is not None:
        _refuse_gaps(whole, header.index(tickers), tickers, fields)
        return _wide(_note(body, 0, dates), tickers)
    positions = find_positions(body)
    body = _note(body, positions.get("date"), dates)
    column = positions.get("ticker")
    return _long(body, column) if column is not None and body.rows else {"": body}


def load_frame(source: str | Path | pd.DataFrame) -> pd.DataFrame | None:
    """Return a source that has types: a frame, or that of a Parquet file; None for any other."""
    if isinstance(source, pd.DataFrame):
        return source
    path = Path(source).expanduser()
    return _read_parquet(path, str(source)) if path.suffix.lower() == ".parquet" and path.is_file() else None


def _read_parquet(path: Path, source: str) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except PARQUET_ERRORS as error:
        refuse(source, "Parquet", _unreadable(error), "export the file again")


def _note(body: Table, column: int | None, dates: Order | None) -> Table:
    """Return the table with what the whole source tells of the order of day and month, and of commas."""
    notation = Notation() if column is None else find_notation(body, column, dates)
    return replace(body, notation=replace(notation, choices=(*notation.choices, *find_commas(body))))


def _file_cells(path: Path, source: str) -> tuple[Table, int]:
    """Return the cells of a file, and how many of its first rows are certain to be header."""
    if path.is_dir():
        refuse(source, "a file", "a directory", "name a file in it or read them all with read_universe")
    if not path.exists():
        refuse(source, "a file", "nothing at that path", "check the path")
    if not path.name.lower().endswith(EXTENSIONS):
        refuse(source, " or ".join(EXTENSIONS), repr(path.suffix), "export the bars as CSV or Parquet")
    if path.suffix.lower() == ".parquet":
        return _frame_cells(_read_parquet(path, source), source)
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix.lower() == ".gz" else content).decode("utf-8-sig")
        if "\0" in text:
            raise ValueError("a zero byte")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        lines = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except (OSError, ValueError, EOFError, zlib.error, csv.Error) as error:
        refuse(source, "comma-separated text in UTF-8", _unreadable(error), "export the file again")
    if not lines:
        refuse(source, "a header line and bars", "an empty file", "download or export it again")
    return Table(source, "line", (), [row for _, row in lines], [number for number, _ in lines]), 1


def _unreadable(error: Exception) -> str:
    return f"something unreadable ({' '.join(str(error).split())})"


def _frame_cells(frame: pd.DataFrame, source: str) -> tuple[Table, int]:
    """Return the cells of a frame, and how many of its first rows are header: one per column level.

    An index that only counts the rows does not become a column.
    """
    levels = frame.columns.nlevels
    names = [list(frame.columns.get_level_values(level)) for level in range(levels)]
    rows = frame.astype(object).to_numpy().tolist()
    if not isinstance(frame.index, pd.RangeIndex):
        parts = [frame.index.get_level_values(level) for level in range(frame.index.nlevels)]
        if len(parts) > 1 and levels > 1:
            refuse(source, "several levels of rows or of columns", "several of both", "stack the tickers into the rows")
        labels = [_name_level(part, len(parts)) for part in parts]
        names = [[*labels, *level] for level in names]
        cells = zip(*map(_write_moments, parts), strict=True)
        rows = [[*index, *row] for index, row in zip(cells, rows, strict=True)]
    return Table(source, "row", (), names + rows, [*[0] * levels, *range(len(rows))]), levels


def _name_level(part: pd.Index, levels: int) -> str:
    """Return the name of the column that a level of a frame's index becomes.

    Of two levels each may be without a name, or have one that is not understood: it is that of the dates or else of the
    tickers, by what it holds.
    """
    if levels == 1:
        return "date" if isinstance(part, pd.DatetimeIndex) else str(part.name or "")
    if part.name and is_understood(str(part.name)):
        return str(part.name)
    first = part[0] if len(part) else ""
    if isinstance(part, pd.DatetimeIndex) or parse_date(str(first).strip()) is not None:
        return "date"
    return "ticker" if levels == 2 or not part.name else str(part.name)


def _write_moments(part: pd.Index) -> Sequence[object]:
    """Return the cells of an index, moments with a time zone as UTC.

    pandas cannot print a moment with a zone in a year that datetime lacks, and a refusal has to print it.
    """
    if isinstance(part, pd.DatetimeIndex) and part.tz is not None:
        return [moment if pd.isna(moment) else f"{moment}+00:00" for moment in part.tz_convert(None)]
    return list(part)


def _is_header(row: Sequence[object]) -> bool:
    if not row:
        return False
    label = str(row[0]).strip().lower()
    return label in HEADER_LABELS or (label == "" and all(np.isnan(parse_number(cell)) for cell in row))


def _refuse_other_separators(whole: Table, fields: Sequence[str]) -> None:
    """Raise UserError for a header whose cells are separated by another mark than a comma."""
    line = ",".join(fields)
    counts = {word: line.count(mark) for mark, word in SEPARATORS.items()}
    if len(fields) == 1 and {"open", "close"} <= {*line.lower().split()}:
        counts["blanks"] = len(line.split()) - 1
    most = max(counts, key=lambda word: counts[word])
    if counts[most] > line.count(","):
        way_out = "export it with commas between the cells and points in the numbers"
        refuse(whole.at(0), "cells separated by commas", f"{most} in {line!r}", way_out)


def _align(whole: Table, index: int, row: list[str], fields: Sequence[str]) -> list[str]:
    """Return a row of a header with as many cells as the names have, where only empty ones are missing or too many."""
    width = len(fields)
    rest = row[1:] if len(row) < width else row[width:]
    if len(row) != width and not all(map(is_absent, rest)):
        found = f"{len(row)}: {', '.join(row)!r}"
        refuse(whole.at(index), f"{width} cells as in the line of names", found, "fill in or delete cells of that line")
    return [*row[:width], *[""] * (width - len(row))]


def _refuse_uneven(body: Table) -> None:
    """Raise UserError for a row that has not as many cells as the header, or for the header where most have not."""
    width = len(body.names)
    uneven = [index for index, row in enumerate(body.rows) if len(row) != width]
    if not uneven:
        return
    row = body.rows[uneven[0]]
    found = f"{len(row)}: {', '.join(map(str, row))!r}"
    is_header_wrong = len(uneven) > 1 and len({len(row) for row in body.rows}) == 1
    way_out = "mend the header, or the separators of all lines" if is_header_wrong else "mend or delete that line"
    refuse(body.at(uneven[0]), f"{width} cells as in the header", found, way_out)


def _refuse_gaps(whole: Table, index: int, tickers: Sequence[str], fields: Sequence[str]) -> None:
    """Raise UserError where a header leaves open of which ticker a price is."""
    for ticker, field in zip(tickers[1:], fields[1:], strict=True):
        if is_absent(ticker) and field.lower() in COLUMNS:
            refuse(whole.at(index), "a ticker above every price", f"none above {field!r}", "fill in that line")


def _wide(body: Table, tickers: Sequence[str]) -> dict[str, Table]:
    """Split a table with several tickers in its header into one table per ticker. Its first column holds the dates."""
    dated = replace(body, names=["date", *body.names[1:]])
    split = {}
    for ticker in dict.fromkeys(filter(None, tickers[1:])):
        own = [column for column, each in enumerate(tickers) if column and each == ticker]
        # Tickers with different calendars share the file's dates: where all its cells are empty, a ticker has no bar.
        bars = [index for index, row in enumerate(body.rows) if not all(is_absent(row[column]) for column in own)]
        split[ticker] = dated.part(ticker, bars, [0, *own])
    return split


def _long(body: Table, column: int) -> dict[str, Table]:
    """Split a table by a column that names the ticker in every row. Raises UserError for a row that names none."""
    bars: dict[str, list[int]] = {}
    for index, row in enumerate(body.rows):
        if is_absent(row[column]):
            refuse(body.at(index, column), "a ticker", repr(row[column]), "fill in or delete that row")
        bars.setdefault(str(row[column]).strip(), []).append(index)
    return {ticker: body.part(ticker, members, range(len(body.names))) for ticker, members in bars.items()}
