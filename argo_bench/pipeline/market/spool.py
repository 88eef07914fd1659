"""The frames of a universe that is too large to be held in memory are kept in a file here, and read when asked for."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from argo_bench.errors import UserError
from argo_bench.pipeline.market.reader import canonical_frame
from argo_bench.pipeline.model import COLUMNS
from argo_bench.temporary import owned_prefix

HELD_BYTES = 256 * 2**20
"""Frames that take no more than this together stay in memory."""
CELL = 8
"""A number takes so many bytes, and a timestamp as well."""
BYTES_PER_BAR = CELL * (1 + len(COLUMNS))


class Spool:
    """Is a file of timestamps and values, one symbol after another. It ends with the object that ``make`` returned.

    A copy that another process has unpickled reads the same file and leaves it there. That of a process which was
    killed is removed by whatever begins to measure later.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def make(cls) -> Spool:
        """Make one in a folder of its own, in the directory for temporary files."""
        folder = Path(tempfile.mkdtemp(prefix=owned_prefix("bars")))
        spool = cls(folder / "bars")
        weakref.finalize(spool, shutil.rmtree, folder, ignore_errors=True)
        return spool

    def append(self, frame: pd.DataFrame) -> Place:
        """Write a canonical frame. Raises UserError where the disk is full."""
        try:
            with self._path.open("ab") as file:
                offset = file.tell()
                file.write(frame.index.to_numpy("datetime64[us]").tobytes())
                for name in COLUMNS:
                    file.write(frame[name].to_numpy(np.float64).tobytes())
        except OSError as error:
            self._refuse(error)
        return Place(offset, len(frame), range(len(frame)))

    def read(self, place: Place) -> pd.DataFrame:
        """Return the frame of a place. Raises UserError where the file is gone."""
        try:
            stamps, *values = (self._read_column(place, column) for column in range(1 + len(COLUMNS)))
        except OSError as error:
            self._refuse(error)
        return canonical_frame(np.array([each.view(np.float64) for each in values]), stamps.view("datetime64[us]"))

    def _read_column(self, place: Place, column: int) -> NDArray[np.int64]:
        first = place.offset + CELL * (column * place.bars + place.rows.start)
        return np.fromfile(self._path, np.int64, len(place.rows), offset=first)

    def _refuse(self, error: OSError) -> NoReturn:
        raise UserError(
            f"{tempfile.gettempdir()}: expected room for bars that are too many for memory, found {error.strerror}; "
            "make room there, or name another directory with TMPDIR"
        ) from error


class Place(NamedTuple):
    """Says where the ``bars`` bars of a symbol begin in a spool, and which ``rows`` of them are meant."""

    offset: int
    bars: int
    rows: range


class SpooledFrames(Mapping[str, pd.DataFrame]):
    """Maps symbols to frames, each of which is read when it is asked for, or is held in memory."""

    def __init__(self, spool: Spool, places: Mapping[str, Place | pd.DataFrame]) -> None:
        self._spool = spool
        self._places = places

    def __getitem__(self, symbol: str) -> pd.DataFrame:
        place = self._places[symbol]
        return self._spool.read(place) if isinstance(place, Place) else place

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._places

    def select(self, symbols: Sequence[str]) -> SpooledFrames:
        return SpooledFrames(self._spool, {symbol: self._places[symbol] for symbol in symbols})

    def add(self, frames: Mapping[str, pd.DataFrame]) -> SpooledFrames:
        return SpooledFrames(self._spool, {**self._places, **frames})

    def cut(self, rows: slice) -> SpooledFrames:
        places = {
            symbol: place._replace(rows=place.rows[rows]) if isinstance(place, Place) else place.iloc[rows]
            for symbol, place in self._places.items()
        }
        return SpooledFrames(self._spool, places)

    def count_bars(self) -> dict[str, int]:
        return {
            symbol: len(place.rows if isinstance(place, Place) else place) for symbol, place in self._places.items()
        }


class Gathering:
    """Gathers frames by symbol, in memory as long as they are few, and in a spool from then on."""

    def __init__(self, held_bytes: int | None = None) -> None:
        self._left = HELD_BYTES if held_bytes is None else held_bytes
        self._held: dict[str, pd.DataFrame] = {}
        self._spool: Spool | None = None
        self._places: dict[str, Place | pd.DataFrame] = {}

    def add(self, symbol: str, frame: pd.DataFrame) -> None:
        """Raises UserError where the disk is full."""
        self._left -= BYTES_PER_BAR * len(frame)
        if self._left >= 0:
            self._held[symbol] = frame
            return
        self._spool = self._spool or Spool.make()
        for held, earlier in self._held.items():
            self._places[held] = self._spool.append(earlier)
        self._held.clear()
        self._places[symbol] = self._spool.append(frame)

    def frames(self) -> Mapping[str, pd.DataFrame]:
        return self._held if self._spool is None else SpooledFrames(self._spool, self._places)


def select_frames(frames: Mapping[str, pd.DataFrame], symbols: Sequence[str]) -> Mapping[str, pd.DataFrame]:
    """Return the frames of some symbols, in their order."""
    if isinstance(frames, SpooledFrames):
        return frames.select(symbols)
    return {symbol: frames[symbol] for symbol in symbols}


def add_frames(frames: Mapping[str, pd.DataFrame], added: Mapping[str, pd.DataFrame]) -> Mapping[str, pd.DataFrame]:
    return frames.add(added) if isinstance(frames, SpooledFrames) else {**frames, **added}


def cut_frames(frames: Mapping[str, pd.DataFrame], rows: slice) -> Mapping[str, pd.DataFrame]:
    """Return the same symbols with some of the rows of each alone."""
    if isinstance(frames, SpooledFrames):
        return frames.cut(rows)
    return {symbol: frame.iloc[rows] for symbol, frame in frames.items()}


def count_bars(frames: Mapping[str, pd.DataFrame]) -> dict[str, int]:
    """Return the number of bars of each symbol."""
    if isinstance(frames, SpooledFrames):
        return frames.count_bars()
    return {symbol: len(frame) for symbol, frame in frames.items()}
