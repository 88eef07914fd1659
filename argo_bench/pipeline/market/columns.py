"""Which column holds what is told here, by the names of the columns; a name that may change the prices is never passed
over."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from argo_bench.pipeline.market.table import Table, is_absent, refuse
from argo_bench.pipeline.model import COLUMNS

ALIASES: Mapping[str, tuple[str, ...]] = {
    "date": ("date", "datetime", "timestamp", "time", "index", "", "unnamed0"),
    "open": ("open",),
    "high": ("high",),
    "low": ("low",),
    "close": ("close", "closelast", "last"),
    "volume": ("volume",),
    "ticker": ("ticker", "symbol"),
    "splits": ("stocksplits", "stocksplit", "splitcoefficient", "splitfactor", "splitratio", "splits", "split"),
    "dividends": ("dividends", "dividend", "dividendamount", "exdividend", "divcash", "cashdividend"),
}
"""What each column may be called, as ``normalize`` writes it.

Where a source has several of these names, the first one listed counts.
"""

RIVALS: Mapping[str, tuple[str, ...]] = {
    "date": ("date", "datetime", "timestamp", "time"),
    "close": ("close", "closelast", "last"),
}
"""Where a source has several of these names for one field, each might be meant, and the choice is told."""

PRICES = COLUMNS[:4]
ADJUSTED = re.compile(r"adj(?:usted)?(open|high|low|close|volume)(?:price)?|(open|high|low|close|volume)adj(?:usted)?")
ZONES = ("timezone", "tz", "gmtoffset", "utcoffset")
UTC_ZONES = ("0", "0.0", "utc", "gmt", "z", "+00:00", "+0000", "etc/utc")
NOTHING = "nothing"
"""Asked to adjust by this, the reader takes open, high, low and close as they stand."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Says at which position each field stands, and which choices that involved, as sentences.

    ``adjusted`` is the field of adjusted closes by which the other prices are scaled. ``is_adjusted`` says that the
    source has a column of adjusted prices.
    """

    positions: Mapping[str, int]
    choices: tuple[str, ...]
    is_adjusted: bool = False


def normalize(name: str) -> str:
    """Return a column's name in lower case without blanks and marks: ``Adj Close*`` and ``adj_close`` are one name.

    The numbers that Alpha Vantage puts before its names (``5. adjusted close``) are left out. A per cent sign stays.
    """
    lowered = re.sub(r"^\d+\.\s", "", name.strip().lower())
    return "".join(mark for mark in lowered if mark.isalnum() or mark in "%#") or lowered


def is_understood(name: str) -> bool:
    """Say whether a column of this name, which is not empty, is one of the fields."""
    key = normalize(name)
    return any(key in aliases for aliases in ALIASES.values())


def holds_numbers(name: str) -> bool:
    key = normalize(name)
    return "adj" in key or any(key in ALIASES[field] for field in (*COLUMNS, "dividends"))


def find_positions(table: Table) -> dict[str, int]:
    """Return the position of each field's column, for the fields that the table has.

    A column of times beside one of dates is the field ``time``. Raises UserError for two columns of one name.
    """
    keys = [normalize(name) for name in table.names]
    positions = {}
    for field, aliases in ALIASES.items():
        if (alias := next((alias for alias in aliases if alias in keys), None)) is not None:
            positions[field] = _only(table, field, [place for place, key in enumerate(keys) if key == alias])
    if "date" in keys and "time" in keys:
        positions["time"] = _only(table, "time", [place for place, key in enumerate(keys) if key == "time"])
    return positions


def find_columns(table: Table, adjust_by: str | None) -> Columns:
    """Return where each field stands, with the prices that count: adjusted ones where the source has them.

    ``adjust_by`` names the column of adjusted closes, or is NOTHING; without it the names decide. Raises UserError for
    two columns of one name, and for an adjusted column that is not understood.
    """
    positions = find_positions(table)
    _refuse_zones(table)
    choices = _tell_rivals(table, positions)
    if "time" in positions:
        date, time = (table.names[positions[field]] for field in ("date", "time"))
        choices += [f"columns {date!r} and {time!r} are joined to one moment"]
    if adjust_by == NOTHING:
        asked = "open, high, low and close are taken as they stand, as asked for"
        return Columns(positions, (*choices, asked))
    adjusted = _find_adjusted(table) if adjust_by is None else {"close": _find_named(table, adjust_by)}
    if not adjusted:
        return Columns(positions, tuple(choices))
    if set(adjusted) == {"close"}:
        choices += [_tell_scaling(table, positions, adjusted["close"])]
        return Columns({**positions, "adjusted": adjusted["close"]}, tuple(choices), is_adjusted=True)
    names = ", ".join(repr(table.names[place]) for place in adjusted.values())
    choices += [f"prices are taken from the adjusted columns {names}"]
    return Columns(positions | adjusted, tuple(choices), is_adjusted=True)


def _only(table: Table, field: str, places: list[int]) -> int:
    if len(places) > 1:
        names = list(dict.fromkeys(table.names[place] for place in places))
        named = f"{len(places)} named {names[0]!r}" if len(names) == 1 else ", ".join(map(repr, names))
        refuse(table.source, f"one column for {field}", named, "keep the right one")
    return places[0]


def _tell_rivals(table: Table, positions: Mapping[str, int]) -> list[str]:
    """Return a sentence for each field for which there are several columns, and for a close that is called Last."""
    told = []
    for field, aliases in RIVALS.items():
        used = {place for each, place in positions.items() if each in (field, "time")}
        others = [name for place, name in enumerate(table.names) if normalize(name) in aliases and place not in used]
        if field in positions and (others or normalize(table.names[positions[field]]) == "last"):
            instead = f", not from {', '.join(map(repr, others))}" if others else ""
            told.append(f"the {field} is taken from column {table.names[positions[field]]!r}{instead}")
    return told


def _tell_scaling(table: Table, positions: Mapping[str, int], column: int) -> str:
    close = repr(table.names[positions["close"]]) if "close" in positions else "the close"
    name = repr(table.names[column])
    return f"the close is {name}, and open, high and low are scaled by {name} / {close}; volume stays as it stands"


def _find_adjusted(table: Table) -> dict[str, int]:
    """Return the adjusted close alone or all four adjusted prices, with their volume where there is one, by field."""
    found: dict[str, list[int]] = {}
    for place, name in enumerate(table.names):
        key = normalize(name)
        if match := ADJUSTED.fullmatch(key):
            found.setdefault(match[1] or match[2], []).append(place)
        elif "adj" in key and "unadj" not in key:
            _refuse_adjusted(table, "columns whose meaning is known", [place])
    adjusted = {field: _only(table, f"adjusted {field}", places) for field, places in found.items()}
    if adjusted and set(adjusted) != {"close"} and not set(PRICES) <= set(adjusted):
        _refuse_adjusted(table, "an adjusted close alone, or all four prices adjusted", list(adjusted.values()))
    return adjusted


def _refuse_adjusted(table: Table, expected: str, places: list[int]) -> None:
    found = ", ".join(repr(table.names[place]) for place in places)
    way_out = (
        f"say --adjust-by COLUMN (adjust_by= of read_bars), {NOTHING!r} for prices as they stand, or delete that column"
    )
    refuse(table.source, expected, found, way_out)


def _find_named(table: Table, name: str) -> int:
    places = [place for place, each in enumerate(table.names) if normalize(each) == normalize(name)]
    if not places:
        found = ", ".join(map(repr, table.names))
        refuse(table.source, f"a column {name!r} to adjust by", found, f"name one, or {NOTHING!r}")
    return _only(table, f"adjusted close {name!r}", places)


def _refuse_zones(table: Table) -> None:
    """Raise UserError for a column that names another time zone than UTC."""
    for column, name in enumerate(table.names):
        if normalize(name) not in ZONES:
            continue
        for row, cell in enumerate(table.cells(column)):
            if not is_absent(cell) and str(cell).strip().lower() not in UTC_ZONES:
                way_out = "write the offset behind the dates, or delete that column where they are in UTC"
                refuse(table.at(row, column), "UTC, or offsets behind the dates", repr(str(cell)), way_out)
