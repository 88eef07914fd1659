"""Provides workloads whose work scales exactly, to see what the harness finds: ``python_5ms_103`` does 3 % more work.

A call does the same work for each of a number of symbols, which is the last part of the name. At 100 symbols it takes
about the time in the name, such as 5 ms. Workloads that need pandas or numba are the study's.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, BinaryIO

BARS = 2400
"""A loop over so many bars takes about 50 us."""
PAGE = b"bars" * 1024
SYNCED = 2
"""A file is forced to disk after this many pages."""


def add_products(symbols: int) -> float:
    """Make one addition and one multiplication for every fourth of 100 symbols."""
    total = 0.0
    for symbol in range(symbols // 4):
        total += 0.25 * symbol
    return total


def average_bars(symbols: int, bars: int = BARS) -> float:
    """Run a weighted loop over the bars of every symbol."""
    prices = price_series(bars)
    total = 0.0
    for _ in range(symbols):
        average = prices[0]
        for price in prices:
            average += 0.1 * (price - average)
        total += average
    return total


def average_bars_otherwise(symbols: int) -> float:
    """Do what ``average_bars`` does in other bytecode, to show what the layout of code alone can change."""
    bars = price_series(BARS)
    total = 0.0
    for _each in range(symbols):
        smoothed = bars[0]
        for value in bars:
            smoothed += (value - smoothed) * 0.1
        total = total + smoothed
    return total


def count_words(symbols: int) -> int:
    """Count words in a new dict for every symbol; where a word lies in it depends on the hash seed."""
    words = word_list()
    total = 0
    for _ in range(symbols):
        counts: dict[str, int] = {}
        for word in words:
            counts[word] = counts.get(word, 0) + 1
        total += len(counts)
    return total


def make_rows(symbols: int) -> int:
    """Make many small objects for every symbol, and drop them."""
    total = 0
    for _ in range(symbols):
        rows = [(bar, [bar, bar + 1], {"bar": bar}) for bar in range(400)]
        total += len(rows)
    return total


def compute_roots(symbols: int) -> float:
    """Compute by numpy over an array of 36,000 values for every symbol."""
    import numpy as np

    column = _array()
    total = 0.0
    for _ in range(symbols):
        total += float(np.sqrt(column * 0.5 + 1.0).sum())
    return total


async def gather_tasks(symbols: int) -> int:
    """Wait for ten tasks that give way once, for every symbol."""
    total = 0
    for _ in range(symbols):
        total += sum(await asyncio.gather(*(_give_way(number) for number in range(10))))
    return total


async def _give_way(number: int) -> int:
    await asyncio.sleep(0)
    return number


def write_pages(symbols: int) -> int:
    """Write a page of 4 KiB for every symbol, and wait for the disk after every SYNCED of them."""
    file = _file().fileno()
    for symbol in range(symbols):
        os.pwrite(file, PAGE, len(PAGE) * symbol)
        if symbol % SYNCED == SYNCED - 1:
            os.fsync(file)
    return symbols


@cache
def price_series(bars: int = BARS) -> list[float]:
    return [100 + 10 * ((7919 * bar) % 101) / 101 for bar in range(bars)]


@cache
def word_list() -> list[str]:
    return [f"word {(7919 * number) % 613}" for number in range(1200)]


@cache
def _array() -> Any:
    import numpy as np

    return np.array(price_series() * 15)


@cache
def _file() -> BinaryIO:
    return tempfile.TemporaryFile()


SIZED: dict[str, Callable[[int], Any]] = {
    "python_1us": add_products,
    "python_100us": partial(average_bars, bars=BARS // 50),
    "python_5ms": average_bars,
    "python_100ms": partial(average_bars, bars=20 * BARS),
    "python_300ms": partial(average_bars, bars=60 * BARS),
    "twin_5ms": average_bars_otherwise,
    "dict_5ms": count_words,
    "allocation_5ms": make_rows,
    "numpy_5ms": compute_roots,
    "asyncio_5ms": gather_tasks,
    "disk_5ms": write_pages,
}


def make_sized_function(name: str, module: str, functions: Mapping[str, Callable[[int], Any]]) -> Callable[[], Any]:
    """Return the function that a name with a number stands for. Raises AttributeError for any other name."""
    kind, _, symbols = name.rpartition("_")
    if kind not in functions or not symbols.isdigit():
        example = next(iter(functions))
        raise AttributeError(
            f"{module} has no {name}: expected one of {', '.join(functions)} with a number, as in {example}_100"
        )
    function, count = functions[kind], int(symbols)

    def call_with_count() -> Any:
        return function(count)

    call_with_count.__name__ = call_with_count.__qualname__ = name
    call_with_count.__module__ = module
    return call_with_count


@cache
def __getattr__(name: str) -> Callable[[], Any]:
    return make_sized_function(name, __name__, SIZED)
