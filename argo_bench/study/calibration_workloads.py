"""Provides the workloads of the calibration that need pandas or numba: ``pandas_5ms_103`` does 3 % more work.

They are named and sized like those of ``harness.calibration.workloads``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
from numba import njit

from argo_bench.harness.calibration.workloads import make_sized_function, price_series

WINDOWS = (20, 50, 200)


def sum_halves(symbols: int, times: int = 1) -> float:
    """Halve a column of 2,400 prices by pandas and sum it, ``times`` times for every symbol."""
    column = _column()
    total = 0.0
    for _ in range(symbols * times):
        total += float((column * 0.5).sum())
    return total


def read_first(symbols: int) -> float:
    """Read one price of a column, whatever the number of symbols."""
    return float(_column().iat[0])


def roll_windows(symbols: int, times: int = 1) -> float:
    """Compute rolling means and deviations of a column by pandas, ``times`` times for every symbol."""
    column = _column()
    total = 0.0
    for _ in range(symbols * times):
        for size in WINDOWS:
            window = column.rolling(size)
            total += float(window.mean().iloc[-1]) + float(window.std().iloc[-1])
    return total


def average_array(symbols: int) -> float:
    """Run a weighted loop over an array of 24,000 bars for every symbol, compiled by numba."""
    return float(_average_array(_array(), symbols))


@njit(cache=True)
def _average_array(prices: np.ndarray, symbols: int) -> float:
    total = 0.0
    for _ in range(symbols):
        average = prices[0]
        for price in prices:
            average += 0.1 * (price - average)
        total += average
    return total


@cache
def _column() -> Any:
    import pandas as pd

    return pd.Series(price_series())


@cache
def _array() -> np.ndarray:
    return np.array(price_series() * 10)


SIZED: dict[str, Callable[[int], float]] = {
    "pandas_1us": read_first,
    "pandas_100us": lambda symbols: sum_halves(max(1, symbols // 40)),
    "pandas_5ms": partial(sum_halves, times=2),
    "pandas_100ms": partial(roll_windows, times=2),
    "pandas_300ms": partial(roll_windows, times=6),
    "numba_5ms": average_array,
}


@cache
def __getattr__(name: str) -> Callable[[], float]:
    return make_sized_function(name, __name__, SIZED)
