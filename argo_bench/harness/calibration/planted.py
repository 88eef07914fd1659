"""Workloads whose work scales exactly, to find out what the harness finds: ``millisecond_103`` does 3 % more work.

A call walks so many symbols and does the same to each; the number is part of the name, as in ``microsecond_100``,
``millisecond_97`` or ``tenth_200``. At 100 symbols a call takes about 5 us, 5 ms and 100 ms: plain arithmetic, a Python
loop over bars, and windows by pandas.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

BARS = 1500
WINDOWS = (20, 50, 200)


def microsecond(symbols: int) -> float:
    """One addition and one multiplication a symbol."""
    total = 0.0
    for symbol in range(symbols):
        total += 0.25 * symbol
    return total


def millisecond(symbols: int) -> float:
    """A weighted loop over the bars of every symbol."""
    prices = _prices()
    total = 0.0
    for _ in range(symbols):
        average = prices[0]
        for price in prices:
            average += 0.1 * (price - average)
        total += average
    return total


def tenth(symbols: int) -> float:
    """Rolling means and deviations over a column, by pandas."""
    column = _column()
    total = 0.0
    for _ in range(symbols):
        for size in WINDOWS:
            window = column.rolling(size)
            total += float(window.mean().iloc[-1]) + float(window.std().iloc[-1])
    return total


def twin(symbols: int) -> float:
    """``millisecond`` once more, byte-different and equivalent: what the layout of code alone can change."""
    bars = _prices()
    total = 0.0
    for _each in range(symbols):
        smoothed = bars[0]
        for value in bars:
            smoothed += (value - smoothed) * 0.1
        total = total + smoothed
    return total


@cache
def _prices() -> list[float]:
    return [100 + 10 * ((7919 * bar) % 101) / 101 for bar in range(BARS)]


@cache
def _column() -> Any:
    import pandas as pd

    return pd.Series(_prices() * 8)


SIZED: dict[str, Callable[[int], float]] = {
    "microsecond": microsecond,
    "millisecond": millisecond,
    "tenth": tenth,
    "twin": twin,
}


@cache
def __getattr__(name: str) -> Callable[[], float]:
    kind, _, symbols = name.rpartition("_")
    if kind not in SIZED or not symbols.isdigit():
        raise AttributeError(
            f"{__name__} has no {name}: expected one of {', '.join(SIZED)} with a number, as in tenth_100"
        )
    function, count = SIZED[kind], int(symbols)

    def planted() -> float:
        return function(count)

    planted.__name__ = planted.__qualname__ = name
    planted.__module__ = __name__
    return planted
