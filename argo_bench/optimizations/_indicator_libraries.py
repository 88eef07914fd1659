"""The same indicators by TA-Lib, by polars, and by the baseline's loops on the last windows only: references for O08.

All return what the baseline returns. TA-Lib and polars are optional and imported at the first call. Neither is
charged for refusing a NaN, which the baseline and the kernel do, and both read the same block that the kernel reads.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from argo_bench.baseline.indicators import (
    NAN,
    History,
    change,
    columns,
    deviation,
    directional,
    ema,
    macd,
    rsi,
    sma,
    true_range,
    wilder,
)
from argo_bench.model import COLUMNS, Indicators, World
from argo_bench.optimized.indicators import block

if TYPE_CHECKING:
    import polars

Array = NDArray[np.float64]


def latest_only(world: World, frame: pd.DataFrame) -> Indicators:
    """Plain Python without the columns that nobody reads: a window is summed once, at the last bar."""
    bars = History(*block(frame).tolist())
    if not all(math.isfinite(sum(values)) for values in bars):
        columns(frame)
    close, volume = bars.close, bars.volume
    returns = change(close[-51:], 1)
    middle, volume_mean = sma(close[-20:], 20)[-1], sma(volume[-20:], 20)[-1]
    band = 2 * deviation(close[-20:], 20, ddof=0)[-1]
    line = macd(close, 12, 26)
    signal = ema(line, 9, seed_bar=33)[-1]
    ranges = true_range(bars)
    direction = directional(bars, ranges, 14)
    return Indicators(
        close=close[-1],
        sma20=middle,
        sma50=sma(close[-50:], 50)[-1],
        sma200=sma(close[-200:], 200)[-1],
        ema12=ema(close, 12, seed_bar=11)[-1],
        ema26=ema(close, 26, seed_bar=25)[-1],
        macd=line[-1] if len(line) > 33 else NAN,
        macd_signal=signal,
        macd_hist=line[-1] - signal,
        rsi14=rsi(close, 14)[-1],
        atr14=wilder(ranges, 14, seed_bar=14)[-1],
        plus_di14=direction.plus[-1],
        minus_di14=direction.minus[-1],
        adx14=direction.adx[-1],
        bb_upper=middle + band,
        bb_middle=middle,
        bb_lower=middle - band,
        volume_sma20=volume_mean,
        volume_ratio=volume[-1] / volume_mean if volume_mean else NAN,
        change_1=returns[-1],
        change_4=change(close[-5:], 4)[-1],
        volatility20=deviation(returns[-20:], 20, ddof=1)[-1],
        volatility50=deviation(returns[-50:], 50, ddof=1)[-1],
    )


def talib_indicators(world: World, frame: pd.DataFrame) -> Indicators:
    """TA-Lib at its fastest for latest values: windowed functions see the last window, recursive ones all bars."""
    return by_talib(frame, lambda values, window: values[-window:])


def talib_columns(world: World, frame: pd.DataFrame) -> Indicators:
    """TA-Lib as it is commonly used: every function over the whole column, and its last value."""
    return by_talib(frame, lambda values, window: values)


def by_talib(frame: pd.DataFrame, tail: Callable[[Array, int], Array]) -> Indicators:
    import talib

    def last(function: Any, *arguments: Any) -> float:
        return float(bare(function)(*arguments)[-1])

    _, high, low, close, volume = np.asarray(block(frame), dtype=np.float64)
    bars = high, low, close
    line, signal, histogram = bare(talib.MACD)(close, 12, 26, 9)
    upper, middle, lower = bare(talib.BBANDS)(tail(close, 20), 20, 2, 2)
    returns = bare(talib.ROCP)(tail(close, 51), 1)
    volume_mean = last(talib.SMA, tail(volume, 20), 20)
    return Indicators(
        close=float(close[-1]),
        sma20=float(middle[-1]),
        sma50=last(talib.SMA, tail(close, 50), 50),
        sma200=last(talib.SMA, tail(close, 200), 200),
        ema12=last(talib.EMA, close, 12),
        ema26=last(talib.EMA, close, 26),
        macd=float(line[-1]),
        macd_signal=float(signal[-1]),
        macd_hist=float(histogram[-1]),
        rsi14=last(talib.RSI, close, 14),
        atr14=last(talib.ATR, *bars, 14),
        plus_di14=last(talib.PLUS_DI, *bars, 14),
        minus_di14=last(talib.MINUS_DI, *bars, 14),
        adx14=last(talib.ADX, *bars, 14),
        bb_upper=float(upper[-1]),
        bb_middle=float(middle[-1]),
        bb_lower=float(lower[-1]),
        volume_sma20=volume_mean,
        volume_ratio=float(volume[-1]) / volume_mean if volume_mean else NAN,
        change_1=float(returns[-1]),
        change_4=last(talib.ROCP, tail(close, 5), 4),
        volatility20=last(talib.STDDEV, tail(returns, 20), 20) * math.sqrt(20 / 19),
        volatility50=last(talib.STDDEV, tail(returns, 50), 50) * math.sqrt(50 / 49),
    )


def bare(function: Any) -> Any:
    """A TA-Lib function without the look for pandas and polars arguments, which takes longer than 200 bars of EMA."""
    return getattr(function, "__wrapped__", function)


def polars_indicators(world: World, frame: pd.DataFrame) -> Indicators:
    """Every indicator as one polars expression over full columns, selected together so that polars shares parts."""
    import polars as pl

    rows = np.asarray(block(frame), dtype=np.float64)
    high, low, close, volume = (pl.col(name) for name in COLUMNS[1:])
    before = close.shift(1)
    step, up, down = close - before, high - high.shift(1), low.shift(1) - low
    change_1 = close / before - 1
    middle, volume_mean = close.rolling_mean(20), volume.rolling_mean(20)
    band = 2 * close.rolling_std(20, ddof=0)
    slow = seeded(close, 0, 26, 2 / 27)
    line = seeded(close, 14, 12, 2 / 13) - slow
    signal = seeded(line, 0, 9, 2 / 10)
    gain, loss = seeded(step.clip(lower_bound=0), 1, 14, 1 / 14), seeded((-step).clip(lower_bound=0), 1, 14, 1 / 14)
    ranges = pl.max_horizontal(high, before) - pl.min_horizontal(low, before)
    # Wilder's sums start from n - 1 values: n with a first of zero. Their factor n cancels in the quotient.
    total = seeded(pl.when(before.is_null()).then(0.0).otherwise(ranges), 0, 14, 1 / 14)
    rising = seeded(pl.when((up > down) & (up > 0)).then(up).otherwise(0.0), 0, 14, 1 / 14)
    falling = seeded(pl.when((down > up) & (down > 0)).then(down).otherwise(0.0), 0, 14, 1 / 14)
    plus, minus = share(rising, total).slice(1), share(falling, total).slice(1)
    first_valid_and_column = {
        "close": (0, close),
        "sma20": (19, middle),
        "sma50": (49, close.rolling_mean(50)),
        "sma200": (199, close.rolling_mean(200)),
        "ema12": (11, seeded(close, 0, 12, 2 / 13)),
        "ema26": (25, slow),
        "macd": (33, line),
        "macd_signal": (33, signal),
        "rsi14": (14, share(gain, gain + loss)),
        "atr14": (14, seeded(ranges, 1, 14, 1 / 14)),
        "plus_di14": (14, plus),
        "minus_di14": (14, minus),
        "adx14": (27, seeded(share((plus - minus).abs(), plus + minus), 0, 14, 1 / 14)),
        "bb_upper": (19, middle + band),
        "bb_lower": (19, middle - band),
        "volume_sma20": (19, volume_mean),
        "change_1": (1, change_1),
        "change_4": (4, close / close.shift(4) - 1),
        "volatility20": (20, change_1.rolling_std(20)),
        "volatility50": (50, change_1.rolling_std(50)),
    }
    valid = {name: column.last() for name, (first, column) in first_valid_and_column.items() if first < rows.shape[1]}
    found = pl.DataFrame(dict(zip(COLUMNS, rows, strict=True))).select(**valid).row(0, named=True)
    latest = dict.fromkeys(first_valid_and_column, NAN) | found
    traded = latest["volume_sma20"]
    return Indicators(
        **latest,
        bb_middle=latest["sma20"],
        macd_hist=latest["macd"] - latest["macd_signal"],
        volume_ratio=float(rows[4, -1]) / traded if traded else NAN,
    )


def seeded(values: polars.Expr, first: int, n: int, weight: float) -> polars.Expr:
    """A recursive average from its seed on, the mean of the n values from ``first``: shorter than its input."""
    seed = values.slice(first, n).mean()
    return seed.append(values.slice(first + n)).ewm_mean(alpha=weight, adjust=False)


def share(part: polars.Expr, whole: polars.Expr) -> polars.Expr:
    """Per cent of the whole; 0 of nothing."""
    return (100 * part / whole).fill_nan(0.0)
