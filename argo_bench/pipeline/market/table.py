"""A table holds one symbol's bars as the source writes them: cells that are not parsed yet, and where rows stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NoReturn

from argo_bench.errors import UserError

Order = Literal["day first", "month first"]

ABSENT = ("", "nan", "nat", "none", "null", "<na>")
MAX_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Notation:
    """Says how a whole source writes its dates: in which ``order`` day and month stand where the year comes last.

    ``choices`` are the sentences that say what was decided for the whole source.
    """

    order: Order | None = None
    choices: tuple[str, ...] = ()


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
    notation: Notation = Notation()

    def at(self, row: int, column: int | None = None) -> str:
        place = f"{self.source}, {self.unit} {self.places[row]}"
        return place if column is None else f"{place}, column {self.names[column]!r}"

    def cells(self, column: int) -> list[object]:
        return [row[column] for row in self.rows]

    def part(self, ticker: str, rows: Sequence[int], columns: Sequence[int]) -> Table:
        return replace(
            self,
            source=f"{self.source} ({ticker})",
            names=[self.names[column] for column in columns],
            rows=[[self.rows[row][column] for column in columns] for row in rows],
            places=[self.places[row] for row in rows],
        )


def is_absent(cell: object) -> bool:
    return str(cell).strip().lower() in ABSENT


def refuse(where: str, expected: str, found: str, way_out: str) -> NoReturn:
    shown = found if len(found) <= MAX_SHOWN else f"{found[:MAX_SHOWN]}..."
    raise UserError(f"{where}: expected {expected}, found {shown}; {way_out}.") from None
