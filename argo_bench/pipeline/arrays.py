"""What the stages hand on about many symbols is held as arrays here, one row a symbol.

Each class is a sequence as well: its item is what a stage returns for one symbol, made when somebody asks for it, so
that a stage which knows single symbols only can stand between stages which know many. ``pack`` makes the arrays of such
items.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache, cached_property
from operator import attrgetter
from typing import Self, TypeVar, overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from argo_bench.pipeline.kernels import CONSOLIDATION, FIELDS, TRENDING, VOLATILE, Block
from argo_bench.pipeline.model import SOURCES, Consensus, Direction, Indicators, Regime, Signal, Signals

Item = TypeVar("Item", covariant=True)

UNKNOWN = max(CONSOLIDATION, TRENDING, VOLATILE) + 1
REGIMES: dict[int, Regime] = {
    TRENDING: "TRENDING",
    CONSOLIDATION: "CONSOLIDATION",
    VOLATILE: "VOLATILE",
    UNKNOWN: "UNKNOWN",
}
"""The regimes by the numbers that stand for them in arrays: those of the kernel, and one for UNKNOWN."""

ABSENT, LONG, SHORT, NEUTRAL = range(4)
DIRECTIONS: Sequence[Direction] = ("NEUTRAL", "LONG", "SHORT", "NEUTRAL")
"""The directions by the numbers that stand for them in arrays. ABSENT stands for a source without a usable reply."""

REGIME_NUMBERS = {name: number for number, name in REGIMES.items()}
DIRECTION_NUMBERS: dict[str, int] = {"LONG": LONG, "SHORT": SHORT, "NEUTRAL": NEUTRAL}


class Column(Sequence[Item]):
    """Implements what all these sequences have in common, from their length and their items."""

    def item(self, row: int) -> Item:
        raise NotImplementedError

    @overload
    def __getitem__(self, row: int) -> Item: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[Item]: ...
    def __getitem__(self, row: int | slice) -> Item | Sequence[Item]:
        return (
            [self.item(each) for each in range(*row.indices(len(self)))] if isinstance(row, slice) else self.item(row)
        )

    def __iter__(self) -> Iterator[Item]:
        return map(self.item, range(len(self)))


class Frames(Column[pd.DataFrame]):
    """Holds the bars of many symbols.

    ``blocks`` are arrays of shape (5, n), float64 or float32, one a symbol, n as each has it; ``make`` makes the frame
    of the symbol in a row.
    """

    def __init__(self, blocks: Sequence[Block], make: Callable[[int], pd.DataFrame]) -> None:
        self.blocks = blocks
        self._make = make

    def item(self, row: int) -> pd.DataFrame:
        return self._make(row)

    def __len__(self) -> int:
        return len(self.blocks)

    @cached_property
    def ends(self) -> NDArray[np.int64]:
        """Where the bars of each symbol end in ``values``, int64 of shape (symbols,)."""
        return np.cumsum([block.size for block in self.blocks], dtype=np.int64)

    @cached_property
    def values(self) -> NDArray[np.float64]:
        """All bars, block after block, float64 of shape (ends[-1],). It is read-only, as kernels take it."""
        values = np.concatenate([block.reshape(-1) for block in self.blocks], dtype=np.float64)
        values.flags.writeable = False
        return values


class IndicatorTable(Column[Indicators]):
    """Holds the indicators of many symbols: ``values`` is float64 of shape (symbols, 23), in the order of FIELDS."""

    def __init__(self, values: NDArray[np.float64]) -> None:
        self.values = values

    @classmethod
    def pack(cls, found: Sequence[Indicators]) -> Self:
        return cls(np.array([ALL_FIELDS(each) for each in found], np.float64).reshape(-1, len(FIELDS)))

    def item(self, row: int) -> Indicators:
        return Indicators(*self.values[row].tolist())

    def __len__(self) -> int:
        return len(self.values)

    def __getattr__(self, name: str) -> NDArray[np.float64]:
        """Return one indicator of all symbols, float64 of shape (symbols,)."""
        if name not in PLACES:
            raise AttributeError(name)
        column: NDArray[np.float64] = self.values[:, PLACES[name]]
        return column


ALL_FIELDS = attrgetter(*FIELDS)
PLACES = {name: place for place, name in enumerate(FIELDS)}


class RegimeColumn(Column[Regime]):
    """Holds the regimes of many symbols: ``numbers`` is int64 of shape (symbols,), with the keys of REGIMES."""

    def __init__(self, numbers: NDArray[np.int64]) -> None:
        self.numbers = numbers

    @classmethod
    def pack(cls, found: Sequence[Regime]) -> Self:
        return cls(np.array([REGIME_NUMBERS[each] for each in found], np.int64))

    def item(self, row: int) -> Regime:
        return REGIMES[int(self.numbers[row])]

    def take(self, rows: NDArray[np.int64]) -> list[Regime]:
        return [REGIMES[number] for number in self.numbers[rows].tolist()]

    def __len__(self) -> int:
        return len(self.numbers)


class SignalTable(Column[Signals]):
    """Holds the signals of many symbols, in columns for the sources in their fixed order.

    ``directions`` is int8 of shape (4, symbols), with the numbers of DIRECTIONS; ``confidences`` is float64 of the same
    shape, 0 where a source is absent.
    """

    def __init__(self, directions: NDArray[np.int8], confidences: NDArray[np.float64]) -> None:
        self.directions = directions
        self.confidences = confidences

    @classmethod
    def pack(cls, found: Sequence[Signals]) -> Self:
        table = cls(np.zeros((len(SOURCES), len(found)), np.int8), np.zeros((len(SOURCES), len(found))))
        for row, signals in enumerate(found):
            for place, source in enumerate(SOURCES):
                if (signal := signals.get(source)) is not None:
                    table.directions[place, row] = DIRECTION_NUMBERS[signal.direction]
                    table.confidences[place, row] = signal.confidence
        return table

    def item(self, row: int) -> Signals:
        found = zip(SOURCES, self.directions[:, row].tolist(), self.confidences[:, row].tolist(), strict=True)
        return {source: Signal(DIRECTIONS[number], confidence) for source, number, confidence in found if number}

    def list_sources(self, rows: NDArray[np.int64]) -> list[tuple[tuple[str, Direction], ...]]:
        """Return the directions that the sources of some symbols voted for, as ``Decision.sources`` holds them."""
        return [name_directions(*numbers) for numbers in self.directions[:, rows].T.tolist()]

    def __len__(self) -> int:
        return int(self.directions.shape[1])


class ConsensusColumn(Column["Consensus | None"]):
    """Holds what the sources of many symbols agree on.

    ``directions`` is int8 of shape (symbols,), LONG, SHORT, or ABSENT where there is no consensus; ``confidences`` is
    float64 of the same shape.
    """

    def __init__(self, directions: NDArray[np.int8], confidences: NDArray[np.float64]) -> None:
        self.directions = directions
        self.confidences = confidences

    @classmethod
    def pack(cls, found: Sequence[Consensus | None]) -> Self:
        directions = [ABSENT if each is None else DIRECTION_NUMBERS[each.direction] for each in found]
        confidences = [0.0 if each is None else each.confidence for each in found]
        return cls(np.array(directions, np.int8), np.array(confidences, np.float64))

    def item(self, row: int) -> Consensus | None:
        number = int(self.directions[row])
        return Consensus(DIRECTIONS[number], float(self.confidences[row])) if number else None

    def __len__(self) -> int:
        return len(self.directions)

    def find_accepted(self) -> NDArray[np.int64]:
        """Return the rows that have a consensus."""
        return np.flatnonzero(self.directions)

    def take(self, rows: NDArray[np.int64]) -> list[Consensus]:
        """Return the consensus of some rows that have one."""
        found = zip(self.directions[rows].tolist(), self.confidences[rows].tolist(), strict=True)
        return [Consensus(DIRECTIONS[number], confidence) for number, confidence in found]


@cache
def name_directions(*numbers: int) -> tuple[tuple[str, Direction], ...]:
    """Return the sources that are not absent with their directions; there are 256 ways to vote."""
    return tuple((source, DIRECTIONS[number]) for source, number in zip(SOURCES, numbers, strict=True) if number)
