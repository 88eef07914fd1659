"""Dates become moments in UTC here; a date that can be read in two ways is refused unless the whole file decides."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NoReturn, get_args

import numpy as np
from numpy.typing import NDArray

from argo_bench.errors import UserError
from argo_bench.pipeline.market.columns import Columns
from argo_bench.pipeline.market.table import Notation, Order, Table, refuse

ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ].+)?|\d{8}", re.ASCII)
WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,? +)?"
CLOCK_BEHIND = r"(?:(?:t|,? +)(?P<clock>\d.*))?"
MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
WRITTEN = [
    (way, re.compile(WEEKDAY + pattern + CLOCK_BEHIND, re.ASCII | re.IGNORECASE))
    for way, pattern in (
        ("year first", r"(?P<year>\d{4})(?P<mark>[-/.])(?P<first>\d{1,2})(?P=mark)(?P<second>\d{1,2})"),
        ("year first", r"(?P<year>\d{4})(?P<first>\d\d)(?P<second>\d\d)"),
        ("year last", r"(?P<first>\d{1,2})(?P<mark>[-/.])(?P<second>\d{1,2})(?P=mark)(?P<year>\d{4})"),
        ("month named", r"(?P<second>\d{1,2})[ /.-]?(?P<first>[a-z]{3,9})\.?,?[ /-]?(?P<year>\d{4})"),
        ("month named", r"(?P<first>[a-z]{3,9})\.? +(?P<second>\d{1,2}),? +(?P<year>\d{4})"),
        ("month named", r"(?P<year>\d{4})[ /-](?P<first>[a-z]{3,9})[ /-](?P<second>\d{1,2})"),
    )
]
CLOCK = re.compile(
    r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?(?: *(?P<half>[ap])\.?m\.?)?"
    r"(?: *(?P<zone>z|utc|gmt|(?P<sign>[+-])(?P<hours>\d\d)(?::?(?P<minutes>\d\d))?))?",
    re.ASCII | re.IGNORECASE,
)
SHORT_YEAR = re.compile(r"\d{1,2}[-/. ](\d{1,2}|[a-z]{3,9})[-/. ]\d\d(\D.*)?", re.ASCII | re.IGNORECASE)
MIDNIGHT = re.compile(r"[T ]00:00(:00(\.0+)?)?$", re.ASCII)
NUMBER = re.compile(r"\d{9,19}(\.0*)?", re.ASCII)
UNITS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
"""Numbers may count from 1970 in these units, of which so many make a second."""
EARLIEST, LATEST = 220_000_000, 1_900_000_000
"""Numbers are read as moments from 1976 to 2030, in seconds: no two units overlap there, and no number is a date that
is written as yyyymmddhh, yyyymmddhhmm or with seconds."""

TAKEN_AS_UTC = "times of day without an offset are taken as UTC"
LAYOUTS: dict[Order, str] = {"month first": "mm/dd/yyyy", "day first": "dd/mm/yyyy"}
FEWEST_DECIDING = 0.1
"""A tenth of the dates must rule out the other order: more than half of real ones do, and one typing error does not."""
EITHER = "write the dates as yyyy-mm-dd, or say --dates day-first or month-first (dates='day first' of read_bars)"


@dataclass(frozen=True, slots=True)
class Written:
    """Holds a date as it is written: which of ``first`` and ``second`` is the month is open where the year is last.

    ``clock`` is the time of day from midnight, ``offset`` that from UTC (None where the cell names none).
    """

    way: str
    year: int
    first: int
    second: int
    clock: timedelta
    offset: timedelta | None

    def date(self, order: Order | None) -> datetime | None:
        """Return the day with month and day in this order; None where there is no such day."""
        is_day_first = self.is_order_open and order == "day first"
        month, day = (self.second, self.first) if is_day_first else (self.first, self.second)
        try:
            return datetime(self.year, month, day)
        except ValueError:
            return None

    @property
    def is_order_open(self) -> bool:
        return self.way.startswith("year last")


@dataclass(frozen=True, slots=True)
class Moments:
    """Holds the moments of all rows in UTC, and the sentences that say what was chosen in reading them."""

    stamps: NDArray[np.datetime64]
    choices: tuple[str, ...]


def find_notation(table: Table, column: int, asked: Order | None) -> Notation:
    """Return the order of day and month that all dates of a source support, or that was asked for.

    Raises UserError where the dates support both orders, or neither, or hardly one of them.
    """
    if asked is not None and asked not in get_args(Order):
        raise UserError(f"dates: expected 'day first' or 'month first', got {asked!r}; leave it out where in doubt.")
    dates = _find_open_dates(table, column)
    against = {order: [row for row, each in dates.items() if each.date(order) is None] for order in LAYOUTS}
    if all(each.first == each.second for each in dates.values()):
        return Notation()
    if asked is not None:
        if against[asked]:
            row = against[asked][0]
            found = repr(str(table.rows[row][column]))
            refuse(table.at(row, column), f"a date as {LAYOUTS[asked]}, as asked for", found, EITHER)
        return Notation(asked, (f"dates are read as {LAYOUTS[asked]}, as asked for",))
    if all(against.values()):
        _refuse_both(table, column, against)
    order: Order = "day first" if against["month first"] else "month first"
    deciding = against["day first"] or against["month first"]
    if len(deciding) < max(1, FEWEST_DECIDING * len(dates)):
        row = next(row for row, each in dates.items() if each.first != each.second and row not in deciding)
        _refuse_open(table, column, dates[row], row, deciding)
    return Notation(order, (f"dates are read as {LAYOUTS[order]}, the only order that all of them can have",))


def _find_open_dates(table: Table, column: int) -> dict[int, Written]:
    """Return the dates whose year stands last, by row."""
    found = {}
    for row, cell in enumerate(table.cells(column)):
        text = str(cell).strip()
        if not ISO_DATE.fullmatch(text) and (date := parse_date(text)) is not None and date.is_order_open:
            found[row] = date
    return found


def _refuse_both(table: Table, column: int, against: dict[Order, list[int]]) -> NoReturn:
    shown = [
        f"{str(table.rows[rows[0]][column])!r} in {table.unit} {table.places[rows[0]]}, which is no {LAYOUTS[order]}"
        for order, rows in against.items()
    ]
    refuse(table.source, "dates in one order", ", and ".join(shown), "write them all as yyyy-mm-dd")


def _refuse_open(table: Table, column: int, date: Written, row: int, deciding: Sequence[int]) -> NoReturn:
    readings = [f"{day:%d %B %Y} as {LAYOUTS[order]}" for order in LAYOUTS if (day := date.date(order)) is not None]
    found = f"{str(table.rows[row][column])!r} ({' or '.join(readings)})"
    if deciding:
        only = str(table.rows[deciding[0]][column])
        found += f", and hardly another that decides than {only!r}"
    refuse(table.at(row, column), "dates that can be read in one order only", found, EITHER)


def read_moments(table: Table, columns: Columns) -> Moments:
    """Return the moment of every row, from the column of dates and that of times where there is one.

    Raises UserError for what is no date, and for dates that are written in several ways.
    """
    column = columns.positions["date"]
    texts = _join(table, columns)
    if texts and all(map(NUMBER.fullmatch, texts)):
        return _count_from_1970(table, column, texts)
    dates = []
    for row, text in enumerate(texts):
        if (date := parse_date(text)) is None or date.date(table.notation.order) is None:
            _refuse_date(table, row, column, text)
        dates.append(date)
    _refuse_several_ways(table, column, [date.way for date in dates])
    _refuse_several_ways(table, column, ["with offset" if date.offset is not None else "without" for date in dates])
    stamps = [(date.date(table.notation.order), date.clock - (date.offset or timedelta())) for date in dates]
    try:
        moments = np.array([day + clock for day, clock in stamps if day is not None], dtype="datetime64[us]")
    except OverflowError:
        refuse(table.source, "dates from year 1 to 9999", f"{texts[0]!r} and others", "write them as yyyy-mm-dd")
    is_local = any(date.clock and date.offset is None for date in dates)
    taken = (TAKEN_AS_UTC,) if is_local else ()
    return Moments(moments, (*table.notation.choices, *taken))


def parse_date(text: str) -> Written | None:
    """Return a date with its time of day as it is written; None for a text that is none.

    Years have four digits, and months digits or English names.
    """
    if ISO_DATE.fullmatch(text) and (exact := _parse_exactly(text)) is not None:
        return exact
    for way, pattern in WRITTEN:
        if (match := pattern.fullmatch(text)) is None or (clock := _parse_clock(match["clock"])) is None:
            continue
        first = _number_of_month(match["first"]) if way == "month named" else int(match["first"])
        marked = f"{way} {match['mark']}" if way == "year last" else way
        return Written(marked, int(match["year"]), first, int(match["second"]), *clock)
    return None


def _parse_exactly(text: str) -> Written | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    clock = moment.replace(tzinfo=None) - datetime(moment.year, moment.month, moment.day)
    return Written("year first", moment.year, moment.month, moment.day, clock, moment.utcoffset())


def _number_of_month(name: str) -> int:
    """Return 1 for January, in full or as three letters; 0 for a word that names no month."""
    lowered = name.lower()
    is_named = [lowered in (month, month[:3]) or (lowered == "sept" and month == "september") for month in MONTHS]
    return is_named.index(True) + 1 if any(is_named) else 0


def _parse_clock(text: str | None) -> tuple[timedelta, timedelta | None] | None:
    """Return the time since midnight and the offset from UTC; None for a text that is no time of day."""
    if text is None:
        return timedelta(), None
    if (match := CLOCK.fullmatch(text.strip())) is None:
        return None
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"] or 0)
    if (match["half"] and not 1 <= hour <= 12) or hour > 23 or minute > 59 or second > 59:
        return None
    if match["half"]:
        hour = hour % 12 + 12 * (match["half"].lower() == "p")
    fraction = int((match["fraction"] or "0")[:6].ljust(6, "0"))
    clock = timedelta(hours=hour, minutes=minute, seconds=second, microseconds=fraction)
    if match["zone"] is None:
        return clock, None
    offset = timedelta(hours=int(match["hours"] or 0), minutes=int(match["minutes"] or 0))
    return clock, -offset if match["sign"] == "-" else offset


def _join(table: Table, columns: Columns) -> list[str]:
    """Return the text of each row's moment: that of its date, with its time behind it where they have two columns."""
    dates = [str(cell).strip() for cell in table.cells(columns.positions["date"])]
    if "time" not in columns.positions:
        return dates
    column = columns.positions["time"]
    joined = []
    for row, (date, cell) in enumerate(zip(dates, table.cells(column), strict=True)):
        time = _write_clock(str(cell).strip())
        if (parts := _parse_clock(time)) is None:
            refuse(table.at(row, column), "a time of day as hh:mm or hh:mm:ss", repr(str(cell)), "mend that cell")
        if parts[1] is None and (whole := parse_date(date)) is not None and (whole.clock or whole.offset is not None):
            two = f"{date!r} and {str(cell)!r}"
            refuse(table.at(row, column), "one time of day for a bar", two, "delete the column that is not meant")
        joined.append(f"{MIDNIGHT.sub('', date)} {time}")
    return joined


def _write_clock(text: str) -> str:
    """Return a time of day with colons, where it is written as four or six digits."""
    if text.isascii() and text.isdecimal() and len(text) in (4, 6):
        return ":".join(text[start : start + 2] for start in range(0, len(text), 2))
    return text


def _count_from_1970(table: Table, column: int, texts: Sequence[str]) -> Moments:
    """Return the moments that numbers stand for, whose size tells their unit."""
    numbers = [int(text.split(".")[0]) for text in texts]
    units = [_find_unit(number) for number in numbers]
    for row, unit in enumerate(units):
        if unit is None:
            _refuse_date(table, row, column, texts[row])
    _refuse_several_ways(table, column, [str(unit) for unit in units])
    unit = str(units[0])
    stamps = [number * 10**6 // UNITS[unit] for number in numbers]
    return Moments(np.array(stamps, dtype="datetime64[us]"), (f"dates are numbers, read as {unit} since 1970 in UTC",))


def _find_unit(number: int) -> str | None:
    """Return the unit in which a number of that size is a moment from 1976 to 2030."""
    return next((unit for unit, size in UNITS.items() if EARLIEST <= number // size < LATEST), None)


def _refuse_several_ways(table: Table, column: int, ways: Sequence[str]) -> None:
    """Raise UserError at the first cell that is written in another way than most."""
    counted = Counter(ways)
    if len(counted) > 1:
        usual = counted.most_common(1)[0][0]
        row = next(row for row, way in enumerate(ways) if way != usual)
        example = str(table.rows[ways.index(usual)][column])
        expected = f"a date written as {example!r} is"
        refuse(table.at(row, column), expected, repr(str(table.rows[row][column])), "write it as the others are")


def _refuse_date(table: Table, row: int, column: int, text: str) -> NoReturn:
    if SHORT_YEAR.fullmatch(text):
        refuse(table.at(row, column), "a year of four digits", repr(text), "write it as yyyy-mm-dd")
    refuse(table.at(row, column), "a date as yyyy-mm-dd", repr(str(table.rows[row][column])), "write it as yyyy-mm-dd")
