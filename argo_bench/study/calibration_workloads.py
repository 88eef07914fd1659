"""Work by pandas that scales exactly is planted here for the calibration.

``tenth_100`` takes about 0.1 s, and ``tenth_103`` does 3 % more.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from argo_bench.harness.calibration.workloads import make_sized_function, price_series

WINDOWS = (20, 50, 200)


def tenth(symbols: int) -> float:
    """Compute rolling means and deviations over a column, by pandas, once for each of ``symbols``."""
    column = _column()
    total = 0.0
    for _ in range(symbols):
        for size in WINDOWS:
            window = column.rolling(size)
            total += float(window.mean().iloc[-1]) + float(window.std().iloc[-1])
    return total


@cache
def _column() -> Any:
    import pandas as pd

    return pd.Series(price_series() * 8)


@cache
def __getattr__(name: str) -> Callable[[], float]:
    return make_sized_function(name, __name__, {"tenth": tenth})
