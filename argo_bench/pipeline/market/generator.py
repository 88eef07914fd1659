"""Synthetic bars are generated here: as irregular as real ones, with the regime of every bar known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from argo_bench.errors import UserError
from argo_bench.pipeline.market.quotes import is_crypto, round_to_quotes
from argo_bench.pipeline.market.reader import canonical_frame

REGIMES = np.array(["TRENDING", "CONSOLIDATION", "VOLATILE"])
DRIFT = np.array([0.004, 0.0, 0.0])
VOLATILITY = np.array([0.010, 0.007, 0.035])
"""Drift and volatility are per bar, in log price, one number per regime.

A trend goes up or down for as long as it lasts.
"""

MEAN_DWELL = 40
CRYPTO_SCALE = 1.5
GAP_RATE = 0.02
FLAT_BARS = 5
FLASH_DEPTH = 0.75
SPLIT = 2.0
MEMORY = np.array([1.0, 1.0, 0.985])
"""For each regime, the share of the log price's distance from its level that a bar keeps.

Without this pull back to the level, long series would reach zero or infinity. Only volatile bars have it, since in the
other regimes it would itself be a trend.
"""

LAST_DAY = np.datetime64("2025-10-31")


@dataclass(frozen=True, slots=True)
class Generated:
    """Holds generated bars and the regime of each.

    ``frames`` holds the canonical bars by symbol, ``labels`` the regime of each bar as an array of str of the same
    length.
    """

    frames: dict[str, pd.DataFrame]
    labels: dict[str, NDArray[np.str_]]


def generate(symbols: Sequence[str], bars: int, seed: int, *, levels: Mapping[str, float] | None = None) -> Generated:
    """Generate regime-switching bars for every symbol.

    The bars of a symbol are a function of (seed, symbol, bars) and do not depend on the other symbols. Stocks trade on
    business days in whole shares, crypto (``-USD``) trades every day in fractions. Each symbol has gaps, one halt (flat
    bars without volume), one unadjusted split and one flash move. ``levels`` gives the price around which a symbol
    moves; where it gives none, the seed draws it.

    Raises UserError where fewer than one bar is asked for.
    """
    if bars < 1:
        raise UserError(f"generate: expected at least 1 bar, got {bars!r}; ask for a positive number.")
    levels = levels or {}
    ago = np.arange(1 - bars, 1)
    business_days = np.busday_offset(LAST_DAY, ago)
    every_day = LAST_DAY + ago
    result = Generated({}, {})
    for symbol in symbols:
        values, regimes = _walk(symbol, bars, seed, levels.get(symbol))
        result.frames[symbol] = canonical_frame(values, every_day if is_crypto(symbol) else business_days)
        result.labels[symbol] = REGIMES[regimes]
    return result


def _walk(symbol: str, bars: int, seed: int, level: float | None) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return one symbol's values, float64 of shape (5, bars), and
    the number of each bar's regime, int64 of shape (bars,)."""
    rng = np.random.default_rng([seed, *symbol.encode()])
    crypto = is_crypto(symbol)
    drawn = float(np.exp(rng.uniform(np.log(0.5), np.log(900.0))))
    level = drawn if level is None else level

    dwell = np.cumsum(rng.random(bars) < 1 / MEAN_DWELL)
    # A step of one or two around the circle of three regimes always leads to another regime.
    regimes = np.cumsum(rng.integers(1, 3, bars + 1))[dwell] % len(REGIMES)
    direction = rng.choice([-1.0, 1.0], bars + 1)[dwell]
    sigma = VOLATILITY[regimes] * (CRYPTO_SCALE if crypto else 1.0)
    gap = rng.normal(0, sigma) * np.where(rng.random(bars) < GAP_RATE, 3.0, 0.3)
    move = direction * DRIFT[regimes] + rng.normal(0, sigma)

    steps = zip(MEMORY[regimes].tolist(), (gap + move).tolist(), strict=True)
    log_close = list(accumulate(steps, lambda before, step: step[0] * before + step[1], initial=0.0))[1:]
    close = level * np.exp(log_close)
    open_ = close * np.exp(-move)
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0, sigma / 2)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0, sigma / 2)))
    turnover = np.exp(rng.uniform(np.log(1e7), np.log(1e10)))
    volume = turnover / level * np.exp(rng.normal(0, 0.4, bars) + 8 * np.abs(move))
    values = np.array([open_, high, low, close, volume])

    # The three events lie in separate stretches of the history, so that none hides another.
    halt, split, flash = (int(bars * rng.uniform(*span)) for span in ((0.2, 0.4), (0.45, 0.6), (0.65, 0.95)))
    values[:4, halt : halt + FLAT_BARS] = values[3, max(halt - 1, 0)]
    values[4, halt : halt + FLAT_BARS] = 0.0
    # Half of the split's factor is applied on either side, so that the whole history stays around the level.
    unadjusted = np.where(np.arange(bars) < split, math.sqrt(SPLIT), 1 / math.sqrt(SPLIT))
    values[:4] *= unadjusted
    values[4] /= unadjusted
    values[2, flash] *= FLASH_DEPTH

    values[:4] = round_to_quotes(values[:4])
    values[4] = np.round(values[4], 6 if crypto else 0)
    return values, regimes
