"""Files and frames of bars are read here into one canonical frame, or refused in one sentence that says what is wrong.

``plain`` takes what is typed and sound as it stands. Of anything else ``sources`` has the cells, ``columns`` says which
is which, ``dates`` and ``numerals`` parse them, ``adjustment`` says which prices count. What had to be chosen is told
in sentences that go with the bars.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from argo_bench.pipeline.market.adjustment import adjust, check_adjustment
from argo_bench.pipeline.market.columns import NOTHING, Columns, find_columns
from argo_bench.pipeline.market.dates import TAKEN_AS_UTC, parse_date, read_moments
from argo_bench.pipeline.market.numerals import parse_number, read_numbers
from argo_bench.pipeline.market.plain import take_plain
from argo_bench.pipeline.market.sources import load_frame, tables
from argo_bench.pipeline.market.table import Order, Table, refuse
from argo_bench.pipeline.model import COLUMNS

CHOICES = "choices"
"""Under this key a frame that was read has in its ``attrs`` what was chosen in reading it."""

# Adjusted prices have often passed through float32: an error of two units in its last place is rounding, a larger one
# is a wrong bar.
ROUNDING = 2 * float(np.finfo(np.float32).eps)


@dataclass(frozen=True, slots=True)
class Bars:
    """Holds a canonical frame, and the sentences that say what was chosen in reading it."""

    frame: pd.DataFrame
    choices: tuple[str, ...]


def read_bars(
    source: str | Path | pd.DataFrame,
    *,
    name: str | None = None,
    ticker: str | None = None,
    minimum: int = 1,
    dates: Order | None = None,
    adjust_by: str | None = None,
) -> pd.DataFrame:
    """Read the bars of one symbol into a canonical frame.

    The frame has the float64 columns open, high, low, close, volume and a UTC index named ``timestamp`` of unit us. The
    source is a ``.csv``, ``.csv.gz`` or ``.parquet`` file or a frame, with its bars in any order and one or several
    tickers (``ticker`` picks one). docs/bars.md says what is read, what is chosen and what is refused.

    Dates with an offset are converted to UTC, those without one are taken as UTC. Where the year stands last, the whole
    source tells which of day and month is first, or ``dates`` does. Where there is an adjusted close, open, high and
    low are scaled by adjusted close / close, as yfinance's ``auto_adjust`` does; volume stays as it is. ``adjust_by``
    names a column of adjusted closes that is called otherwise, or is "nothing" for prices as they stand. Three oddities
    are taken for data and stay as they are: a high below the low by no more than float32 rounding, an open or close
    outside high and low in few bars, and a volume of zero.

    What was chosen stands as sentences in the frame's ``attrs["choices"]``. Raises UserError that names the file (or
    ``name``), the line or column, what was expected, what was found and what to do.
    """
    where = name or ("the frame" if isinstance(source, pd.DataFrame) else str(source))
    frame = load_frame(source)
    bars = None if frame is None or ticker or dates or adjust_by else read_plain(frame, minimum)
    if bars is None:
        found = tables(source if frame is None else frame, name=where, dates=dates)
        bars = canonical(choose_ticker(found, ticker, where), minimum, adjust_by)
    bars.frame.attrs[CHOICES] = list(bars.choices)
    return bars.frame


def read_every_ticker(
    file: Path, minimum: int, dates: Order | None = None, adjust_by: str | None = None
) -> dict[str, Bars]:
    """Read the bars of all tickers of a file, by ticker ('' where it names none). Raises UserError as ``read_bars``."""
    frame = load_frame(file)
    if frame is not None and not (dates or adjust_by) and (plain := read_plain(frame, minimum)) is not None:
        return {"": plain}
    found = tables(file if frame is None else frame, name=str(file), dates=dates)
    return {ticker: canonical(table, minimum, adjust_by) for ticker, table in found.items()}


def read_plain(frame: pd.DataFrame, minimum: int) -> Bars | None:
    """Return what ``canonical`` makes of the cells of a frame that is plainly bars; None for any other."""
    taken = take_plain(frame) if len(frame) >= minimum else None
    if taken is None:
        return None
    values, stamps, is_local = taken
    return Bars(canonical_frame(values, stamps), (TAKEN_AS_UTC,) if is_local else ())


def choose_ticker(found: Mapping[str, Table], ticker: str | None, where: str) -> Table:
    """Return the table of a ticker, or the only one. Raises UserError where there is none."""
    if ticker is None and len(found) == 1:
        (table,) = found.values()
        return table
    if ticker is None:
        refuse(where, "one ticker", ", ".join(found), "name one with ticker= or read them all with read_universe")
    if ticker not in found:
        tickers = ", ".join(filter(None, found)) or "a source that names no ticker"
        refuse(where, f"ticker {ticker!r}", tickers, "ask for one that is there or leave ticker out")
    return found[ticker]


def canonical(table: Table, minimum: int, adjust_by: str | None = None) -> Bars:
    """Check a table of at least ``minimum`` bars cell by cell and return it as a canonical frame.

    Raises UserError as ``read_bars`` does.
    """
    columns = find_columns(table, adjust_by)
    if missing := [field for field in ("date", *COLUMNS) if field not in columns.positions]:
        found = ", ".join(map(repr, table.names)) or "none"
        where = f"{table.source}, line 1" if table.unit == "line" else table.source
        is_headless = any(parse_date(name) is not None for name in table.names)
        way_out = "put a line with the names of the columns first" if is_headless else "add or rename columns"
        refuse(where, f"a column for {', '.join(missing)}", found, way_out)
    if len(table.rows) < minimum:
        expected = f"at least {minimum} bar{'s' * (minimum != 1)}"
        refuse(table.source, expected, f"{len(table.rows)}", "give a longer history")
    moments = read_moments(table, columns)
    order = np.argsort(moments.stamps, kind="stable")
    _refuse_repeated(table, columns, moments.stamps[order], order)
    fields = [field for field in columns.positions if field in (*COLUMNS, "adjusted")]
    values = {field: read_numbers(table, columns.positions[field], field) for field in fields}
    _refuse_mistaken(table, values)
    values = adjust(table, columns, values)
    taken = () if adjust_by == NOTHING else check_adjustment(table, columns, values["close"], order)
    frame = canonical_frame(np.array([values[field] for field in COLUMNS])[:, order], moments.stamps[order])
    return Bars(frame, (*moments.choices, *columns.choices, *taken))


def canonical_frame(values: NDArray[np.float64], stamps: NDArray[np.datetime64]) -> pd.DataFrame:
    """Build a canonical frame from ``values``, shape (5, n) in the order of COLUMNS, at the UTC moments ``stamps``."""
    index = pd.DatetimeIndex(stamps.astype("datetime64[us]"), name="timestamp").tz_localize("UTC")
    return pd.DataFrame(values.T, index=index, columns=list(COLUMNS))


def _refuse_repeated(table: Table, columns: Columns, stamps: NDArray[np.datetime64], order: NDArray[np.intp]) -> None:
    """Raise UserError for a moment that two bars have; ``stamps`` are sorted by ``order``."""
    twice = np.flatnonzero(stamps[1:] == stamps[:-1])
    if not twice.size:
        return
    earlier, later = order[twice[0] : twice[0] + 2].tolist()
    cells = [
        str(table.rows[later][columns.positions[field]]).strip()
        for field in ("date", "time")
        if field in columns.positions
    ]
    found = f"{' '.join(cells)} in {table.unit}s {table.places[earlier]} and {table.places[later]}"
    way_out = "delete one of them"
    if twice.size > 1:
        found += f" ({twice.size} such pairs)"
        way_out = "add what tells the bars apart (a column Time or Ticker), or delete the repeated ones"
    if unread := _find_unread(table, columns.positions, table.rows[earlier], table.rows[later]):
        way_out = f"if {', '.join(unread)} tells them apart, name it Time or Ticker; else delete one of them"
    refuse(table.source, "every date once", found, way_out)


def _find_unread(
    table: Table, positions: Mapping[str, int], one: Sequence[object], other: Sequence[object]
) -> list[str]:
    """Return the names of the columns of words that are not read and in which two rows differ."""
    read = set(positions.values())
    differ = [column for column in range(len(table.names)) if column not in read and one[column] != other[column]]
    return [repr(table.names[column]) for column in differ if np.isnan(parse_number(one[column]))]


def _refuse_mistaken(table: Table, values: Mapping[str, NDArray[np.float64]]) -> None:
    """Raise UserError for a high below its low, and for columns that most bars show to be mistaken for each other."""
    low, high = values["low"] * (1 - ROUNDING), values["high"] * (1 + ROUNDING)
    crossed = np.flatnonzero(values["high"] < low).tolist()
    if len(crossed) > max(1, len(low) / 2):
        found = f"high below low in {len(crossed)} of {len(low)} bars"
        refuse(table.source, "high >= low", found, "the two columns seem to be swapped: name each by what it holds")
    for row in crossed:
        found = f"high {values['high'][row]:g} below low {values['low'][row]:g}"
        refuse(table.at(row), "high >= low", found, "mend or delete that bar")
    for field in ("close", "open"):
        outside = int(np.count_nonzero((values[field] < low) | (values[field] > high)))
        if 2 * outside > len(low):
            way_out = "columns seem to be swapped, or some adjusted and others not: name each by what it holds"
            found = f"{outside} of {len(low)} outside"
            refuse(table.source, f"the {field} between low and high", found, way_out)
