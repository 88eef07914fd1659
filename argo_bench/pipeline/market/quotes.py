"""How a symbol is quoted is defined here: on which price step, and for how many seconds a day.

A symbol ending in ``-USD`` is crypto (it trades every day and in fractions), any other is a stock.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from argo_bench.pipeline.record import quote_digits

STOCK_SECONDS = 23_400.0
CRYPTO_SECONDS = 86_400.0


def is_crypto(symbol: str) -> bool:
    return symbol.endswith("-USD")


def trading_seconds(symbol: str) -> float:
    """Return how many seconds a day the symbol trades: 23,400 (6.5 hours) for a stock, 86,400 (24 hours) for crypto."""
    return CRYPTO_SECONDS if is_crypto(symbol) else STOCK_SECONDS


def quote_step(price: float) -> float:
    return float(10.0 ** -quote_digits(price))


def round_to_quotes(prices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round prices to their quote step, to at least one step above zero.

    The step is that of ``quote_digits``, computed for arrays. Rounding keeps the order of prices, so a bar with low <=
    open, close <= high still has them in this order afterwards.
    """
    return np.where(prices >= 1, np.round(prices, 2), np.maximum(np.round(prices, 4), 0.0001))
