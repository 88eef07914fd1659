"""Cells become numbers here; a comma is never taken for a decimal point, and for thousands only beyond doubt."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from argo_bench.pipeline.market.columns import holds_numbers
from argo_bench.pipeline.market.table import Table, is_absent, refuse

THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+(\.\d*)?", re.ASCII)
DECIMAL_COMMA = re.compile(r"-?(0,\d+|\d+,(\d{1,2}|\d{4,})|\d{4,},\d+|\d{1,3}(\.\d{3})+,\d+)", re.ASCII)
DECIMAL_POINT = re.compile(r"-?(0?\.\d+|\d+\.(\d{1,2}|\d{4,})|\d{4,}\.\d+|\d{1,3}(,\d{3})+\.\d*)", re.ASCII)
ONE_GROUP = re.compile(r"\d{1,3},\d{3}", re.ASCII)
GROUP = 1000
SEVERAL_GROUPS = re.compile(r"\d{1,3}(,\d{3}){2,}", re.ASCII)
WITH_A_POINT = "write decimals with a point: a decimal comma is never guessed"


def find_commas(table: Table) -> tuple[str, ...]:
    """Return the sentence on what commas in numbers are, where there are any.

    Raises UserError where they are decimal commas, as in ``0,987``, and where nothing in the source tells which they
    are: ``1,234`` beside no ``10.5``, ``1,234.50`` or ``12,345,678``.
    """
    columns = [column for column, name in enumerate(table.names) if holds_numbers(name)]
    with_comma = [
        (row, column, _strip(cell))
        for row, cells in enumerate(table.rows)
        for column in columns
        if isinstance(cell := cells[column], str) and "," in cell
    ]
    for row, column, text in with_comma:
        if DECIMAL_COMMA.fullmatch(text):
            refuse(table.at(row, column), "a finite number", repr(text), WITH_A_POINT)
    with_comma = [each for each in with_comma if THOUSANDS.fullmatch(each[2])]
    if not with_comma:
        return ()
    texts = (_strip(cells[column]) for cells in table.rows for column in columns)
    if not any(DECIMAL_POINT.fullmatch(text) or SEVERAL_GROUPS.fullmatch(text) for text in texts):
        row, column, text = with_comma[0]
        found = f"{text!r}, which may be {text.replace(',', '')} or {text.replace(',', '.')}"
        refuse(table.at(row, column), "a number that can be read in one way", found, "write it without the comma")
    return ("commas in numbers separate thousands",)


def read_numbers(table: Table, column: int, field: str) -> NDArray[np.float64]:
    """Return a column as float64 with every digit kept.

    Raises UserError for a number that is not finite, a price that is not above zero and a volume below zero.
    """
    cells = table.cells(column)
    numbers = np.array([parse_number(cell) for cell in cells], dtype=np.float64)
    for row in np.flatnonzero(~np.isfinite(numbers)).tolist():
        way_out = "fill in or delete that column" if all(map(is_absent, cells)) else "fill in or delete that row"
        refuse(table.at(row, column), "a finite number", repr(cells[row]), way_out)
    if field == "volume":
        wrong, expected = numbers < 0, "a volume of zero or more"
    else:
        wrong, expected = numbers <= 0, "a price above zero"
    for row in np.flatnonzero(wrong).tolist():
        refuse(table.at(row, column), expected, repr(cells[row]), "mend or delete that row")
    if field != "volume":
        _refuse_mixed(table, column, numbers)
    return numbers


def _refuse_mixed(table: Table, column: int, prices: NDArray[np.float64]) -> None:
    """Raise UserError for a price with one comma that is nearer to the price before as a decimal: 1,001 after 0.987."""
    texts = [_strip(cell) for cell in table.cells(column)]
    if not any("," in text for text in texts):
        return
    is_open = np.array([ONE_GROUP.fullmatch(text) is not None for text in texts])
    certain = np.flatnonzero(~is_open)
    for row in np.flatnonzero(is_open).tolist() if certain.size else ():
        beside = int(certain[max(0, int(np.searchsorted(certain, row)) - 1)])
        if prices[row] / prices[beside] > GROUP**0.5:
            found = f"{texts[row]!r} beside {texts[beside]!r} in {table.unit} {table.places[beside]}"
            refuse(table.at(row, column), "a number that can be read in one way", found, WITH_A_POINT)


def parse_number(cell: object) -> float:
    """Return the number in a cell, which may be written as ``$1,234.50``; NaN where there is none."""
    try:
        text = _strip(cell)
        return float(text.replace(",", "") if THOUSANDS.fullmatch(text) else text)
    except ValueError:
        return float("nan")


def _strip(cell: object) -> str:
    return str(cell).strip().removeprefix("$")
