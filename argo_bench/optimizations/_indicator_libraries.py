"""The indicators are computed here by TA-Lib, polars and the baseline's loops on the last windows, to compare O08 with.

All return what the baseline returns. TA-Lib and polars are optional and imported at the first call. Neither is charged
for refusing a NaN, which the baseline and the kernel do, and both read the same block that the kernel reads.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from argo_bench.pipeline.baseline.indicators import (
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
from argo_bench.pipeline.model import Indicators, World
from argo_bench.pipeline.optimized.indicators import block

if TYPE_CHECKING:
    import polars

Array = NDArray[np.float64]


def latest_only(world: World, frame: pd.DataFrame) -> Indicators:
    """Compute the indicators in plain Python without the columns
    that nobody reads: a window is summed once, at the last bar."""
    bars = History(*block(frame).tolist())
    if not bars.close or not all(math.isfinite(sum(values)) for values in bars):
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
    """Compute by TA-Lib at its fastest for latest values: windowed
    functions see the last window, recursive ones all bars."""
    return by_talib(frame, lambda values, window: values[-window:])


def talib_columns(world: World, frame: pd.DataFrame) -> Indicators:
    """Compute by TA-Lib as it is commonly used: every function over whole columns, of which the last value is taken."""
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
    """Return a TA-Lib function without its check for pandas and
    polars arguments, which takes longer than 200 bars of EMA."""
    return getattr(function, "__wrapped__", function)


def polars_indicators(world: World, frame: pd.DataFrame) -> Indicators:
    """Compute by polars over full columns.

    Polars' series are used and not one large expression, since they are three times faster at 300 bars. Columns start
    at their first valid bar and are aligned at their ends.
    """
    import polars as pl

    def average(values: polars.Series, n: int, weight: float) -> polars.Series:
        """Compute a recursive average that starts with the mean of the first n values."""
        if len(values) < n:
            return values.clear()
        return pl.concat([pl.Series([values.head(n).mean()]), values.slice(n)]).ewm_mean(alpha=weight, adjust=False)

    def share(part: polars.Series, whole: polars.Series) -> polars.Series:
        """Return the part as a percentage of the whole; 0 where the whole is 0."""
        return (100 * part / whole).fill_nan(0.0)

    def last(column: polars.Series) -> float:
        return NAN if column.is_empty() or column[-1] is None else float(column[-1])

    rows = np.asarray(block(frame), dtype=np.float64)
    _, high, low, close, volume = (pl.Series(row) for row in rows)
    before, step = close.head(-1), close.slice(1) - close.head(-1)
    zero = step * 0.0
    today_high, today_low = high.slice(1), low.slice(1)
    ranges = today_high.zip_with(today_high > before, before) - today_low.zip_with(today_low < before, before)
    up, down = today_high - high.head(-1), low.head(-1) - today_low
    returns = close.slice(1) / before - 1
    quick, ema26 = average(close.slice(14), 12, 2 / 13), average(close, 26, 2 / 27)
    line = quick - ema26
    signal = average(line, 9, 2 / 10)
    gain = average(step.zip_with(step > 0, zero), 14, 1 / 14)
    loss = average((-step).zip_with(step < 0, zero), 14, 1 / 14)

    def wilder_sum(moves: polars.Series) -> polars.Series:
        """Compute Wilder's running sum over n, divided by n.

        The factor n cancels in quotients. The sum starts from n - 1 values, that is from n values whose first is zero.
        """
        return average(pl.concat([zero.head(1), moves]), 14, 1 / 14).slice(1)

    total = wilder_sum(ranges)
    plus = share(wilder_sum(up.zip_with((up > down) & (up > 0), zero)), total)
    minus = share(wilder_sum(down.zip_with((down > up) & (down > 0), zero)), total)
    middle, volume_mean = close.rolling_mean(20), volume.rolling_mean(20)
    band = 2 * close.rolling_std(20, ddof=0)
    return Indicators(
        close=last(close),
        sma20=last(middle),
        sma50=last(close.rolling_mean(50)),
        sma200=last(close.rolling_mean(200)),
        ema12=last(average(close, 12, 2 / 13)),
        ema26=last(ema26),
        macd=last(line.slice(8)),
        macd_signal=last(signal),
        macd_hist=last(line) - last(signal),
        rsi14=last(share(gain, gain + loss)),
        atr14=last(average(ranges, 14, 1 / 14)),
        plus_di14=last(plus),
        minus_di14=last(minus),
        adx14=last(average(share((plus - minus).abs(), plus + minus), 14, 1 / 14)),
        bb_upper=last(middle + band),
        bb_middle=last(middle),
        bb_lower=last(middle - band),
        volume_sma20=last(volume_mean),
        volume_ratio=last(volume / volume_mean),
        change_1=last(returns),
        change_4=last(close.slice(4) / close.head(-4) - 1),
        volatility20=last(returns.rolling_std(20)),
        volatility50=last(returns.rolling_std(50)),
    )
