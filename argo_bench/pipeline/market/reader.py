"""Files and frames of bars are read here into one canonical frame, or refused in one sentence that says what is wrong.

Every source becomes rows of unparsed cells first, so that a refusal can name the line and show the cell as it stands.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NoReturn

import numpy as np
import pandas as pd
import pyarrow
from numpy.typing import NDArray

from argo_bench.errors import UserError
from argo_bench.pipeline.model import COLUMNS

EXTENSIONS = (".csv", ".csv.gz", ".parquet")

NAMES: Mapping[str, tuple[str, ...]] = {
    "date": ("date", "datetime", "timestamp", "time", "index", "", "unnamed: 0"),
    "open": ("open",),
    "high": ("high",),
    "low": ("low",),
    "close": ("close", "close/last", "last"),
    "volume": ("volume",),
    "adjusted": ("adj close", "adj_close", "adjclose", "adjusted close"),
    "ticker": ("ticker", "symbol"),
}
"""What each column may be called, in lower case.

Where a source has several of these names, the first one listed counts.
"""

MAX_HEADER_ROWS = 3
HEADER_LABELS = ("price", "ticker", "date", "datetime")
ABSENT = ("", "nan", "nat", "none", "null", "<na>")
MAX_SHOWN = 200
# A damaged footer reaches pandas as JSON with wrong keys or types, so reading may raise more than pyarrow's errors.
PARQUET_ERRORS = (OSError, ValueError, KeyError, TypeError, NotImplementedError, pyarrow.ArrowException)

# Adjusted prices have often passed through float32: an error of two units in its last place is rounding, a larger one
# is a wrong bar.
ROUNDING = 2 * float(np.finfo(np.float32).eps)

ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ].+)?|\d{8}", re.ASCII)
US_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})", re.ASCII)
THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+(\.\d*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Table:
    """Holds one symbol's cells as the source has them.

    ``places`` are the rows' line numbers in a file, counted from 1, or their row numbers in a frame, counted from 0.
    """

    source: str
    unit: Literal["line", "row"]
    names: Sequence[str]
    rows: Sequence[Sequence[object]]
    places: Sequence[int]

    def at(self, row: int, column: int | None = None) -> str:
        place = f"{self.source}, {self.unit} {self.places[row]}"
        return place if column is None else f"{place}, column {self.names[column]!r}"

    def part(self, ticker: str, rows: Sequence[int], columns: Sequence[int]) -> Table:
        return Table(
            f"{self.source} ({ticker})",
            self.unit,
            [self.names[column] for column in columns],
            [[self.rows[row][column] for column in columns] for row in rows],
            [self.places[row] for row in rows],
        )


def read_bars(
    source: str | Path | pd.DataFrame, *, name: str | None = None, ticker: str | None = None, minimum: int = 1
) -> pd.DataFrame:
    """Read the bars of one symbol into a canonical frame.

    The frame has the float64 columns open, high, low, close, volume and a UTC index named ``timestamp`` of unit us. The
    source is a ``.csv``, ``.csv.gz`` or ``.parquet`` file or a frame, with its dates in any order. Understood are
    yfinance with one or several tickers (``ticker`` picks one), Yahoo with ``Adj Close``, backtesting.py, Nasdaq, and
    long tables with a ticker column.

    Dates with an offset are converted to UTC, dates without one are taken as UTC. Slashes are read as mm/dd/yyyy, the
    US way; a day-first file is refused at its first impossible month, because guessing per file would scramble a US
    file with one typing error. Where there is an ``Adj Close``, open, high and low are scaled by Adj Close / Close and
    the close is Adj Close, as yfinance's ``auto_adjust`` does; volume stays as it is. Three oddities are taken for data
    and stay as they are: a high below the low by no more than float32 rounding, an open or close outside high and low,
    and a volume of zero.

    Raises UserError that names the file (or ``name``), the line or column, what was expected, what was found and what
    to do.
    """
    found = tables(source, name=name)
    where = name or ("the frame" if isinstance(source, pd.DataFrame) else str(source))
    if ticker is None and len(found) == 1:
        (table,) = found.values()
    elif ticker is None:
        _refuse(where, "one ticker", ", ".join(found), "name one with ticker= or read them all with read_universe")
    elif ticker in found:
        table = found[ticker]
    else:
        tickers = ", ".join(filter(None, found)) or "a source that names no ticker"
        _refuse(where, f"ticker {ticker!r}", tickers, "ask for one that is there or leave ticker out")
    return canonical(table, minimum)


def tables(source: str | Path | pd.DataFrame, *, name: str | None = None) -> dict[str, Table]:
    """Return the unparsed cells of every symbol of a source, by symbol, in the order of the source.

    The symbol is '' where the source names none.
    """
    if isinstance(source, pd.DataFrame):
        whole, depth = _frame_cells(source, name or "the frame")
    else:
        whole, depth = _file_cells(Path(source).expanduser(), name or str(source))
    while depth < min(MAX_HEADER_ROWS, len(whole.rows)) and _is_header(whole.rows[depth]):
        depth += 1
    header = [[str(cell).strip() for cell in row] for row in whole.rows[:depth]]
    fields = max(header, key=lambda row: sum(cell.lower() in COLUMNS for cell in row))
    body = replace(whole, names=fields, rows=whole.rows[depth:], places=whole.places[depth:])
    for index, row in enumerate(body.rows):
        if len(row) != len(fields):
            found = f"{len(row)}: {', '.join(map(str, row))!r}"
            _refuse(body.at(index), f"{len(fields)} cells as in the header", found, "mend or delete that line")
    tickers = next((row for row in header if row is not fields and not all(map(_is_absent, row[1:]))), None)
    if tickers is not None:
        return _wide(body, tickers)
    column = _columns(body).get("ticker")
    return _long(body, column) if column is not None and body.rows else {"": body}


def canonical(table: Table, minimum: int) -> pd.DataFrame:
    """Check a table of at least ``minimum`` bars cell by cell and return it as a canonical frame.

    Raises UserError as ``read_bars`` does.
    """
    columns = _columns(table)
    if missing := [field for field in ("date", *COLUMNS) if field not in columns]:
        found = ", ".join(map(repr, table.names)) or "none"
        where = f"{table.source}, line 1" if table.unit == "line" else table.source
        _refuse(where, f"a column for {', '.join(missing)}", found, "add or rename columns")
    if len(table.rows) < minimum:
        expected = f"at least {minimum} bar{'s' * (minimum != 1)}"
        _refuse(table.source, expected, f"{len(table.rows)}", "give a longer history")
    stamps = _dates(table, columns["date"])
    order = np.argsort(stamps, kind="stable")
    ordered = stamps[order]
    for twice in np.flatnonzero(ordered[1:] == ordered[:-1]).tolist():
        earlier, later = order[twice : twice + 2].tolist()
        found = f"{str(table.rows[later][columns['date']]).strip()} in {table.unit}s {table.places[earlier]} and"
        _refuse(table.source, "every date once", f"{found} {table.places[later]}", "delete one of them")
    values = {field: _numbers(table, columns[field], field) for field in columns if field in (*COLUMNS, "adjusted")}
    for row in np.flatnonzero(values["high"] < values["low"] * (1 - ROUNDING)).tolist():
        found = f"high {values['high'][row]:g} below low {values['low'][row]:g}"
        _refuse(table.at(row), "high >= low", found, "mend or delete that bar")
    if (adjusted := values.pop("adjusted", None)) is not None:
        factor = adjusted / values["close"]
        values |= {field: values[field] * factor for field in ("open", "high", "low")} | {"close": adjusted}
    return canonical_frame(np.array([values[field] for field in COLUMNS])[:, order], stamps[order])


def canonical_frame(values: NDArray[np.float64], stamps: NDArray[np.datetime64]) -> pd.DataFrame:
    """Build a canonical frame from ``values``, shape (5, n) in the order of COLUMNS, at the UTC moments ``stamps``."""
    index = pd.DatetimeIndex(stamps.astype("datetime64[us]"), name="timestamp").tz_localize("UTC")
    return pd.DataFrame(values.T, index=index, columns=list(COLUMNS))


def _refuse(where: str, expected: str, found: str, way_out: str) -> NoReturn:
    shown = found if len(found) <= MAX_SHOWN else f"{found[:MAX_SHOWN]}..."
    raise UserError(f"{where}: expected {expected}, found {shown}; {way_out}.") from None


def _file_cells(path: Path, source: str) -> tuple[Table, int]:
    """Return the cells of a file, and how many of its first rows are certain to be header."""
    if path.is_dir():
        _refuse(source, "a file", "a directory", "name a file in it or read them all with read_universe")
    if not path.exists():
        _refuse(source, "a file", "nothing at that path", "check the path")
    if not path.name.lower().endswith(EXTENSIONS):
        _refuse(source, " or ".join(EXTENSIONS), repr(path.suffix), "export the bars as CSV or Parquet")
    if path.suffix.lower() == ".parquet":
        try:
            frame = pd.read_parquet(path)
        except PARQUET_ERRORS as error:
            _refuse(source, "Parquet", _unreadable(error), "export the file again")
        return _frame_cells(frame, source)
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix.lower() == ".gz" else content).decode("utf-8-sig")
        if "\0" in text:
            raise ValueError("a zero byte")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        lines = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except (OSError, ValueError, EOFError, zlib.error, csv.Error) as error:
        _refuse(source, "comma-separated text in UTF-8", _unreadable(error), "export the file again")
    if not lines:
        _refuse(source, "a header line and bars", "an empty file", "download or export it again")
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
    index = frame.index
    if not isinstance(index, pd.RangeIndex):
        label = "date" if isinstance(index, pd.DatetimeIndex) else index.name or ""
        if isinstance(index, pd.DatetimeIndex) and index.tz is not None:
            # pandas cannot print a moment with a zone in a year that datetime lacks; a refusal has to print it.
            index = index.tz_convert(None)
        names = [[label, *level] for level in names]
        rows = [[stamp, *row] for stamp, row in zip(index, rows, strict=True)]
    return Table(source, "row", (), names + rows, [*[0] * levels, *range(len(rows))]), levels


def _is_header(row: Sequence[object]) -> bool:
    if not row:
        return False
    label = str(row[0]).strip().lower()
    return label in HEADER_LABELS or (label == "" and all(np.isnan(_number(cell)) for cell in row))


def _wide(body: Table, tickers: Sequence[str]) -> dict[str, Table]:
    """Split a table with several tickers in its header into one table per ticker. Its first column holds the dates."""
    dated = replace(body, names=["date", *body.names[1:]])
    split = {}
    for ticker in dict.fromkeys(filter(None, tickers[1:])):
        own = [column for column, each in enumerate(tickers) if column and each == ticker]
        # Tickers with different calendars share the file's dates: where all its cells are empty, a ticker has no bar.
        bars = [index for index, row in enumerate(body.rows) if not all(_is_absent(row[column]) for column in own)]
        split[ticker] = dated.part(ticker, bars, [0, *own])
    return split


def _long(body: Table, column: int) -> dict[str, Table]:
    """Split a table by a column that names the ticker in every row. Raises UserError for a row that names none."""
    bars: dict[str, list[int]] = {}
    for index, row in enumerate(body.rows):
        if _is_absent(row[column]):
            _refuse(body.at(index, column), "a ticker", repr(row[column]), "fill in or delete that row")
        bars.setdefault(str(row[column]).strip(), []).append(index)
    return {ticker: body.part(ticker, members, range(len(body.names))) for ticker, members in bars.items()}


def _columns(table: Table) -> dict[str, int]:
    """Return the position of each field's column, for the fields that the table has.

    Raises UserError for two columns of one name.
    """
    lowered = [name.strip().lower() for name in table.names]
    columns = {}
    for field, aliases in NAMES.items():
        if (alias := next((alias for alias in aliases if alias in lowered), None)) is None:
            continue
        columns[field] = lowered.index(alias)
        if lowered.count(alias) > 1:
            found = f"{lowered.count(alias)} named {table.names[columns[field]]!r}"
            _refuse(table.source, f"one column for {field}", found, "keep the right one")
    return columns


def _dates(table: Table, column: int) -> NDArray[np.datetime64]:
    moments = []
    for index, row in enumerate(table.rows):
        if (moment := _date(row[column])) is None:
            found = repr(str(row[column]))
            _refuse(table.at(index, column), "a date as yyyy-mm-dd or mm/dd/yyyy", found, "write it as yyyy-mm-dd")
        moments.append(moment)
    return np.array(moments, dtype="datetime64[us]")


def _date(cell: object) -> datetime | None:
    """Return the moment in UTC, without its time zone, or None for a cell that holds neither an ISO nor a US date.

    Epoch numbers are not read as dates, since their unit is unknown.
    """
    text = str(cell).strip()
    try:
        if us := US_DATE.fullmatch(text):
            return datetime(int(us[3]), int(us[1]), int(us[2]))
        moment = datetime.fromisoformat(text) if ISO_DATE.fullmatch(text) else None
        return moment.astimezone(UTC).replace(tzinfo=None) if moment and moment.tzinfo else moment
    except (ValueError, OverflowError):
        return None


def _numbers(table: Table, column: int, field: str) -> NDArray[np.float64]:
    """Return a column as float64 with every digit kept.

    Raises UserError for a number that is not finite, a price that is not above zero and a volume below zero.
    """
    cells = [row[column] for row in table.rows]
    numbers = np.array([_number(cell) for cell in cells], dtype=np.float64)
    for row in np.flatnonzero(~np.isfinite(numbers)).tolist():
        _refuse(table.at(row, column), "a finite number", repr(cells[row]), "fill in or delete that row")
    if field == "volume":
        wrong, expected = numbers < 0, "a volume of zero or more"
    else:
        wrong, expected = numbers <= 0, "a price above zero"
    for row in np.flatnonzero(wrong).tolist():
        _refuse(table.at(row, column), expected, repr(cells[row]), "mend or delete that row")
    return numbers


def _number(cell: object) -> float:
    """Return the number in a cell, which may be written as ``$1,234.50``; NaN where there is none.

    A comma is never taken for a decimal point.
    """
    try:
        text = str(cell).strip().removeprefix("$")
        return float(text.replace(",", "") if THOUSANDS.fullmatch(text) else text)
    except ValueError:
        return float("nan")


def _is_absent(cell: object) -> bool:
    return str(cell).strip().lower() in ABSENT
