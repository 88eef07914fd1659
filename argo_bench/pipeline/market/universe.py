"""A universe says which symbols a study walks, with the bars of each and whether they are real or generated."""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count, islice
from pathlib import Path
from typing import Literal

import pandas as pd

from argo_bench.errors import UserError
from argo_bench.pipeline.market.generator import generate
from argo_bench.pipeline.market.reader import canonical, read_every_ticker
from argo_bench.pipeline.market.sources import EXTENSIONS, tables
from argo_bench.pipeline.market.spool import Gathering, add_frames, count_bars, cut_frames, select_frames
from argo_bench.pipeline.market.table import Order

Origin = Literal["real", "generated"]

SAMPLE_STOCKS = ("AAPL", "GOOG", "IBM", "MSFT")
SAMPLE_CRYPTO = {"GENA-USD": 60_000.0, "GENB-USD": 2_000.0}
SAMPLE_CRYPTO_BARS = 3_000
SAMPLE_SEED = 2_025

FEWEST_BARS = 260
"""Indicators need so many bars of a symbol."""
GENERATED_BARS = 1_000
"""A symbol that fills a universe up has so many bars."""
MAX_NAMED = 8
"""So many symbols are named before a sentence."""


@dataclass(frozen=True, slots=True)
class Universe:
    """Holds canonical frames by symbol, in the order in which they are walked; ``source`` says where they come from.

    Frames that were read and are too many for memory are in a file, and read anew whenever one is asked for.
    ``choices`` are the sentences that say what was chosen in reading a symbol's bars.
    """

    frames: Mapping[str, pd.DataFrame]
    origin: Mapping[str, Origin]
    source: str
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(self.frames)

    def describe_choices(self) -> list[str]:
        """Return what was chosen in reading the bars, each sentence once, with the symbols of which it holds."""
        told: dict[str, list[str]] = {}
        for symbol in self.frames:
            for sentence in self.choices.get(symbol, ()):
                told.setdefault(sentence, []).append(symbol)
        read = [symbol for symbol in self.frames if self.origin[symbol] == "real"]
        return [sentence if symbols == read else f"{_list(symbols)}: {sentence}" for sentence, symbols in told.items()]

    def take(self, n: int, seed: int = 0, *, bars: int = GENERATED_BARS) -> Universe:
        """Return a universe of the first ``n`` symbols.

        Where there are fewer, generated symbols (SYN001, SYN002, ...) of ``bars`` bars each fill it up. Raises
        UserError for ``n`` below 1.
        """
        if n < 1:
            raise UserError(f"Universe.take: expected at least 1 symbol, got {n!r}; ask for a positive number.")
        frames = select_frames(self.frames, self.symbols[:n])
        names = (name for number in count(1) if (name := f"SYN{number:03d}") not in frames)
        added = generate(list(islice(names, n - len(frames))), bars, seed).frames
        origin: dict[str, Origin] = {symbol: self.origin[symbol] for symbol in frames}
        origin |= dict.fromkeys(added, "generated")
        return Universe(add_frames(frames, added), origin, self.source, self.choices)

    def select(self, symbols: Sequence[str]) -> Universe:
        """Return a universe of these of the symbols, in their order."""
        return replace(self, frames=select_frames(self.frames, symbols))

    def cut(self, rows: slice) -> Universe:
        """Return the same symbols with some of the bars of each alone."""
        return replace(self, frames=cut_frames(self.frames, rows))

    def count_bars(self) -> dict[str, int]:
        """Return the number of bars of each symbol."""
        return count_bars(self.frames)

    def take_newest(self, bars: int) -> Universe:
        """Return the same symbols with their newest bars alone.

        Raises UserError where a symbol has fewer, or where indicators would have too few.
        """
        if bars < FEWEST_BARS:
            raise UserError(f"expected at least {FEWEST_BARS} bars of a symbol, got {bars}: indicators need them")
        found = self.count_bars()
        if short := [symbol for symbol in found if found[symbol] < bars]:
            most = min(found.values())
            raise UserError(
                f"expected {bars} bars of every symbol, and {_list(short)} have fewer: take {most} at the most"
            )
        return self.cut(slice(-bars, None))


def read_universe(
    path: str | Path, *, minimum: int = FEWEST_BARS, dates: Order | None = None, adjust_by: str | None = None
) -> Universe:
    """Read all symbols of a file, or of a directory's ``.csv``,
    ``.csv.gz`` and ``.parquet`` files, sorted by file name.

    A symbol is named by the file's header or ticker column, else by the file's name (``AAPL.csv`` is AAPL). ``dates``
    and ``adjust_by`` are those of ``read_bars``, for all files. Raises UserError as ``read_bars`` does, and for a
    directory without such files or two files with the same symbol.
    """
    place = Path(path).expanduser()
    files = sorted(each for each in place.iterdir() if _stem(each)) if place.is_dir() else [place]
    if not files:
        raise UserError(
            f"{path}: expected {', '.join(EXTENSIONS)} files, found none; name the directory that has them."
        )
    gathering = Gathering()
    origin: dict[str, Path] = {}
    choices: dict[str, tuple[str, ...]] = {}
    for file in files:
        for ticker, bars in read_every_ticker(file, minimum, dates, adjust_by).items():
            symbol = ticker or _stem(file)
            if symbol in origin:
                raise UserError(
                    f"{file}: expected every symbol in one file only, found {symbol} in {origin[symbol].name} as well; "
                    "move one of them away."
                )
            gathering.add(symbol, bars.frame)
            origin[symbol], choices[symbol] = file, bars.choices
    return Universe(gathering.frames(), dict.fromkeys(origin, "real"), str(path), choices)


def installed_sample() -> Universe:
    """Return the sample universe: four real stocks and two generated crypto symbols.

    The stocks are AAPL, GOOG (from 2004), IBM and MSFT with adjusted daily bars of 2000 to 2013. They come with the
    ``bokeh_sampledata`` package; nothing is downloaded.
    """
    data = importlib.resources.files("bokeh_sampledata") / "_data" / "stocks.csv.gz"
    with importlib.resources.as_file(data) as path:
        found = tables(path, name="bokeh_sampledata stocks.csv.gz")
    bars = {symbol: canonical(found[symbol], minimum=FEWEST_BARS) for symbol in SAMPLE_STOCKS}
    real = {symbol: each.frame for symbol, each in bars.items()}
    choices = {symbol: each.choices for symbol, each in bars.items()}
    generated = generate(list(SAMPLE_CRYPTO), SAMPLE_CRYPTO_BARS, SAMPLE_SEED, levels=SAMPLE_CRYPTO).frames
    origin: dict[str, Origin] = dict.fromkeys(real, "real")
    return Universe(real | generated, origin | dict.fromkeys(generated, "generated"), "installed sample", choices)


def _stem(path: Path) -> str:
    """Return the file's name without its extension, or '' for a file of another kind."""
    extension = next((each for each in EXTENSIONS if path.name.lower().endswith(each)), None)
    return path.name[: -len(extension)] if extension and path.is_file() else ""


def _list(symbols: list[str]) -> str:
    more = f" and {len(symbols) - MAX_NAMED} more" if len(symbols) > MAX_NAMED else ""
    return ", ".join(symbols[:MAX_NAMED]) + more
