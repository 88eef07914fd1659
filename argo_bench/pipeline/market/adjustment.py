"""Prices are adjusted here, and closes are held against the splits and dividends that the source tells of."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from argo_bench.pipeline.market.columns import NOTHING, PRICES, Columns
from argo_bench.pipeline.market.numerals import parse_number
from argo_bench.pipeline.market.table import Table, is_absent, refuse

LOWEST, HIGHEST = 1e-12, 1e12
"""A price beyond these is taken for another number, or for one in a wrong unit."""
RATIO = re.compile(r"(\d+(?:\.\d+)?) *(?::|/|-?for-?| for ) *(\d+(?:\.\d+)?)", re.ASCII | re.IGNORECASE)
SMALLEST_TOLD = float(np.log(1.2))
"""A fall by less than a sixth at a split or dividend is not told from what a close does by itself."""
NOISES = 6
"""A fall has to be so many times the usual step of a close: half of it is then three standard deviations off."""
TAKEN = "prices are taken as adjusted already: no close jumps by the size of its split or dividend"


def adjust(table: Table, columns: Columns, values: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """Return prices and volume by field, scaled by adjusted close / close where there is an adjusted close.

    Raises UserError for a price that is then beyond reason.
    """
    values = dict(values)
    if (adjusted := values.pop("adjusted", None)) is not None:
        with np.errstate(all="ignore"):
            factor = adjusted / values["close"]
            values |= {field: values[field] * factor for field in ("open", "high", "low")} | {"close": adjusted}
    for field in PRICES:
        for row in np.flatnonzero(~((values[field] >= LOWEST) & (values[field] <= HIGHEST))).tolist():
            where = "adjusted" if "adjusted" in columns.positions else field
            way_out = "mend that row, or give all prices in another unit"
            found = f"{field} {values[field][row]:g}"
            refuse(table.at(row, columns.positions[where]), f"a price from {LOWEST:g} to {HIGHEST:g}", found, way_out)
    return values


def check_adjustment(
    table: Table, columns: Columns, closes: NDArray[np.float64], order: NDArray[np.intp]
) -> tuple[str, ...]:
    """Hold closes, by row, against splits and dividends, and return the sentence on what they are taken for.

    ``order`` sorts the rows by date. Raises UserError where a close jumps by the size of a split or dividend.
    """
    told = [field for field in ("splits", "dividends") if field in columns.positions]
    if not told:
        return ()
    splits, dividends = np.ones(len(closes)), np.zeros(len(closes))
    if "splits" in told:
        splits = _read_events(table, columns.positions["splits"], none=1.0)
    if "dividends" in told:
        dividends = _read_events(table, columns.positions["dividends"], none=0.0)
    found = find_jump(closes[order], splits[order], dividends[order])
    if found is not None:
        names = " and ".join(repr(table.names[columns.positions[field]]) for field in told)
        before, after = closes[order][found - 1 : found + 1].tolist()
        refuse(
            table.at(int(order[found])),
            "closes that are adjusted for the split or dividend there",
            f"a jump of its size, from {before:g} to {after:g}",
            f"add adjusted closes; to take prices as traded, say --adjust-by {NOTHING} (adjust_by= of read_bars), "
            f"or delete {names}",
        )
    happened = bool((splits != 1).any() or (dividends > 0).any())
    return (TAKEN,) if happened and not columns.is_adjusted else ()


def find_jump(closes: NDArray[np.float64], splits: NDArray[np.float64], dividends: NDArray[np.float64]) -> int | None:
    """Return the first bar at which the close jumps by the size of a split or dividend, or a bar beside it.

    All arrays are of shape (n,), oldest bar first: ``splits`` in new shares for an old one (1 without a split),
    ``dividends`` in units of the price. Events too small to be told from the usual step of a close are passed over.
    """
    steps = np.diff(np.log(closes))
    shares = dividends[1:] / closes[:-1]
    falls = np.log(splits[1:]) - np.log1p(-np.where(shares < 1, shares, 0.0))
    quiet = np.abs(steps[falls == 0])
    usual = 1.4826 * float(np.median(quiet)) if quiet.size else 0.0
    for place in np.flatnonzero(np.abs(falls) >= max(SMALLEST_TOLD, NOISES * usual)).tolist():
        size = abs(falls[place])
        for near in range(max(0, place - 1), min(len(steps), place + 2)):
            if abs(abs(steps[near]) - size) < size / 2:
                return near + 1
    return None


def _read_events(table: Table, column: int, *, none: float) -> NDArray[np.float64]:
    """Return a column of splits or dividends, with ``none`` where a cell is empty or 0."""
    found = []
    for row, cell in enumerate(table.cells(column)):
        ratio = RATIO.fullmatch(str(cell).strip())
        number = float(ratio[1]) / max(float(ratio[2]), 1e-300) if ratio else parse_number(cell)
        if is_absent(cell) or number == 0:
            number = none
        if not 0 <= number <= HIGHEST:
            refuse(table.at(row, column), "a number from 0 on", repr(str(cell)), "mend that cell or delete that column")
        found.append(number)
    return np.array(found, dtype=np.float64)
