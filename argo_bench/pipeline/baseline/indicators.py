"""The indicators before any optimization are computed here: loops over the frame keep a full column of every indicator.

One pass with ``itertuples`` takes the frame into lists; one plain function per indicator fills a column with a value
for every bar, NaN before its first valid one; the latest values are the result. ``pandas_indicators`` computes the same
in idiomatic pandas and is the second reference.

Definitions: Wilder, New Concepts in Technical Trading Systems (1978) for RSI, ATR, DI and ADX; Appel, The Moving
Average Convergence-Divergence Trading Method (1979) for MACD; Bollinger, Bollinger on Bollinger Bands (2001), with the
population's deviation. Seeds and first valid bars are TA-Lib's (https://ta-lib.org/functions/).

Bars count from 0. Changes and volatilities are fractions of the price. Prices are positive: the reader sees to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from argo_bench.pipeline.model import COLUMNS, Indicators, World

Column = list[float]
NAN = math.nan


class History(NamedTuple):
    open: Column
    high: Column
    low: Column
    close: Column
    volume: Column


class Shared(NamedTuple):
    """Holds the columns that both halves of the set of indicators use."""

    sma20: Column
    volume_sma20: Column
    change_1: Column


class Directional(NamedTuple):
    plus: Column
    minus: Column
    adx: Column


def indicators(world: World, frame: pd.DataFrame) -> Indicators:
    """Compute the latest value of every indicator, by loops."""
    bars = columns(frame)
    common = compute_shared(bars)
    return Indicators(**latest(compute_published(bars, common)), **latest(compute_others(bars, common)))


def five(world: World, frame: pd.DataFrame) -> dict[str, float]:
    """Compute the five outputs of the published code, by the same loops."""
    bars = columns(frame)
    return latest(compute_published(bars, compute_shared(bars)))


def remaining(world: World, frame: pd.DataFrame) -> dict[str, float]:
    """Compute every other field of Indicators, by the same loops."""
    bars = columns(frame)
    return latest(compute_others(bars, compute_shared(bars)))


def columns(frame: pd.DataFrame) -> History:
    """Copy the frame into five lists, in one pass. Raises ValueError for an empty frame, a NaN or an infinity."""
    bars = History([], [], [], [], [])
    rows: Iterable[Any] = frame.copy().itertuples(index=False)
    for row in rows:
        bars.open.append(row.open)
        bars.high.append(row.high)
        bars.low.append(row.low)
        bars.close.append(row.close)
        bars.volume.append(row.volume)
    if not bars.close:
        raise ValueError("expected at least one bar, got an empty frame; a symbol without history has no indicators")
    for name, values in zip(COLUMNS, bars, strict=True):
        if not all(map(math.isfinite, values)):
            bar = [math.isfinite(value) for value in values].index(False)
            raise ValueError(f"column {name!r}: expected numbers, got {values[bar]!r} at bar {bar}; fill or drop it")
    return bars


def compute_shared(bars: History) -> Shared:
    return Shared(sma(bars.close, 20), sma(bars.volume, 20), change(bars.close, 1))


def compute_published(bars: History, common: Shared) -> Mapping[str, Column]:
    return {
        "close": bars.close,
        "sma20": common.sma20,
        "sma50": sma(bars.close, 50),
        "volume_ratio": [v / mean if mean else NAN for v, mean in zip(bars.volume, common.volume_sma20, strict=True)],
        "change_1": common.change_1,
    }


def compute_others(bars: History, common: Shared) -> Mapping[str, Column]:
    line = macd(bars.close, 12, 26)
    signal = ema(line, 9, seed_bar=33)
    width = deviation(bars.close, 20, ddof=0)
    ranges = true_range(bars)
    direction = directional(bars, ranges, 14)
    return {
        "sma200": sma(bars.close, 200),
        "ema12": ema(bars.close, 12, seed_bar=11),
        "ema26": ema(bars.close, 26, seed_bar=25),
        "macd": [value if at >= 33 else NAN for at, value in enumerate(line)],
        "macd_signal": signal,
        "macd_hist": [value - mean for value, mean in zip(line, signal, strict=True)],
        "rsi14": rsi(bars.close, 14),
        "atr14": wilder(ranges, 14, seed_bar=14),
        "plus_di14": direction.plus,
        "minus_di14": direction.minus,
        "adx14": direction.adx,
        "bb_upper": [mean + 2 * each for mean, each in zip(common.sma20, width, strict=True)],
        "bb_middle": common.sma20,
        "bb_lower": [mean - 2 * each for mean, each in zip(common.sma20, width, strict=True)],
        "volume_sma20": common.volume_sma20,
        "change_4": change(bars.close, 4),
        "volatility20": deviation(common.change_1, 20, ddof=1),
        "volatility50": deviation(common.change_1, 50, ddof=1),
    }


def latest(columns: Mapping[str, Column]) -> dict[str, float]:
    return {name: column[-1] for name, column in columns.items()}


def apply_to_windows(values: Column, n: int, function: Callable[[Column], float]) -> Column:
    """Apply a function to the last n values, bar by bar; NaN where there are fewer than n."""
    return [NAN if end < n else function(values[end - n : end]) for end in range(1, len(values) + 1)]


def sma(values: Column, n: int) -> Column:
    return apply_to_windows(values, n, lambda window: sum(window) / n)


def deviation(values: Column, n: int, ddof: int) -> Column:
    """Compute the standard deviation of the last n values about their own mean, bar by bar.

    The mean of the squares minus the square of the mean would lose its digits to cancellation.
    """

    def of(window: Column) -> float:
        mean = sum(window) / n
        return math.sqrt(sum([(value - mean) ** 2 for value in window]) / (n - ddof))

    return apply_to_windows(values, n, of)


def change(values: Column, n: int) -> Column:
    return [now / then - 1 for now, then in zip(values, [NAN] * n + values, strict=False)]


def smooth(values: Column, n: int, seed_bar: int, weight: float) -> Column:
    """Compute a recursive average that starts at ``seed_bar`` with the mean of the n values up to there; NaN before."""
    column = [NAN] * len(values)
    if seed_bar < len(values):
        average = column[seed_bar] = sum(values[seed_bar - n + 1 : seed_bar + 1]) / n
        for at in range(seed_bar + 1, len(values)):
            average += weight * (values[at] - average)
            column[at] = average
    return column


def ema(values: Column, n: int, seed_bar: int) -> Column:
    return smooth(values, n, seed_bar, 2 / (n + 1))


def wilder(values: Column, n: int, seed_bar: int) -> Column:
    return smooth(values, n, seed_bar, 1 / n)


def macd(close: Column, fast: int, slow: int) -> Column:
    """Compute the MACD line.

    Both averages start at the same bar, so the fast one here is not the EMA of that period.
    """
    averages = zip(ema(close, fast, slow - 1), ema(close, slow, slow - 1), strict=True)
    return [quick - steady for quick, steady in averages]


def rsi(close: Column, n: int) -> Column:
    """Compute Wilder's RSI; it is 0 where nothing has moved yet, as in TA-Lib."""
    changes = [NAN] + [now - before for before, now in pairwise(close)]
    gain = wilder([max(each, 0.0) for each in changes], n, seed_bar=n)
    loss = wilder([max(-each, 0.0) for each in changes], n, seed_bar=n)
    return [share(up, up + down) for up, down in zip(gain, loss, strict=True)]


def true_range(bars: History) -> Column:
    """Compute each bar's range including the gap from the previous close. The first bar has none, so it is NaN."""
    today = zip(bars.high[1:], bars.low[1:], bars.close, strict=False)
    return [NAN] + [max(high, before) - min(low, before) for high, low, before in today]


def directional(bars: History, ranges: Column, n: int) -> Directional:
    """Compute +DI, -DI and ADX. A move counts for the larger of the two sides, and for neither when they are equal."""
    ups = [NAN] + [now - before for before, now in pairwise(bars.high)]
    downs = [NAN] + [before - now for before, now in pairwise(bars.low)]
    rising = [up if up > down and up > 0 else 0.0 for up, down in zip(ups, downs, strict=True)]
    falling = [down if down > up and down > 0 else 0.0 for up, down in zip(ups, downs, strict=True)]
    total = wilder_sum(ranges, n)
    plus = [share(move, whole) for move, whole in zip(wilder_sum(rising, n), total, strict=True)]
    minus = [share(move, whole) for move, whole in zip(wilder_sum(falling, n), total, strict=True)]
    dx = [share(abs(up - down), up + down) for up, down in zip(plus, minus, strict=True)]
    return Directional(plus, minus, wilder(dx, n, seed_bar=2 * n - 1))


def wilder_sum(values: Column, n: int) -> Column:
    """Compute Wilder's running sum: it starts from the sum of n - 1 values, and is valid from the next bar."""
    column = [NAN] * len(values)
    total = sum(values[1:n])
    for at in range(n, len(values)):
        total += values[at] - total / n
        column[at] = total
    return column


def share(part: float, whole: float) -> float:
    """Return the part as a percentage of the whole; 0 where the whole is 0."""
    return 100 * part / whole if whole else 0.0


def pandas_indicators(world: World, frame: pd.DataFrame) -> Indicators:
    """Compute the latest value of every indicator, by pandas over full columns."""
    refuse_gaps(frame)
    frame = frame.astype(np.float64)
    high, low, close, volume = frame["high"], frame["low"], frame["close"], frame["volume"]
    before = close.shift()
    change_1 = close / before - 1
    window = close.rolling(20)
    sma20, volume_sma20 = window.mean(), volume.rolling(20).mean()
    # pandas' running deviation keeps a remainder of 1e-7 of the price from moves that have left the window.
    band = (2 * window.std(ddof=0)).mask(window.max() == window.min(), 0.0)
    ema26 = smooth_column(close, 0, 26, 2 / 27)
    line = smooth_column(close, 14, 12, 2 / 13) - ema26
    signal = smooth_column(line, 25, 9, 2 / 10)
    step = close - before
    gain, loss = smooth_column(step.clip(lower=0), 1, 14, 1 / 14), smooth_column(-step.clip(upper=0), 1, 14, 1 / 14)
    ranges = high.where(high > before, before) - low.where(low < before, before)
    up, down = high.diff(), -low.diff()
    moves = up.where((up > down) & (up > 0), 0.0), down.where((down > up) & (down > 0), 0.0)
    # Wilder's sums start from n - 1 values, that is from n values whose first is zero. Means replace the sums here,
    # since the factor n cancels in the quotient.
    total = smooth_column(ranges.fillna(0.0), 0, 14, 1 / 14)
    plus, minus = (share_column(smooth_column(move, 0, 14, 1 / 14), total).iloc[14:] for move in moves)
    adx = smooth_column(share_column((plus - minus).abs(), plus + minus), 0, 14, 1 / 14)
    return Indicators(
        close=last(close),
        sma20=last(sma20),
        sma50=last(close.rolling(50).mean()),
        sma200=last(close.rolling(200).mean()),
        ema12=last(smooth_column(close, 0, 12, 2 / 13)),
        ema26=last(ema26),
        macd=last(line.where(signal.notna())),
        macd_signal=last(signal),
        macd_hist=last(line - signal),
        rsi14=last(share_column(gain, gain + loss)),
        atr14=last(smooth_column(ranges, 1, 14, 1 / 14)),
        plus_di14=last(plus),
        minus_di14=last(minus),
        adx14=last(adx),
        bb_upper=last(sma20 + band),
        bb_middle=last(sma20),
        bb_lower=last(sma20 - band),
        volume_sma20=last(volume_sma20),
        volume_ratio=last(volume / volume_sma20),
        change_1=last(change_1),
        change_4=last(close / close.shift(4) - 1),
        volatility20=last(change_1.rolling(20).std()),
        volatility50=last(change_1.rolling(50).std()),
    )


def pandas_five(world: World, frame: pd.DataFrame) -> dict[str, float]:
    """Compute the five outputs of the published code, by pandas over full columns."""
    refuse_gaps(frame)
    frame = frame.astype(np.float64)
    close, volume = frame["close"], frame["volume"]
    return {
        "close": last(close),
        "sma20": last(close.rolling(20).mean()),
        "sma50": last(close.rolling(50).mean()),
        "volume_ratio": last(volume / volume.rolling(20).mean()),
        "change_1": last(close.pct_change()),
    }


def refuse_gaps(frame: pd.DataFrame) -> None:
    """Raise what ``columns`` raises, but run its loop only where there is something to refuse."""
    if frame.empty or not np.isfinite(frame.to_numpy()).all():
        columns(frame)


def smooth_column(values: pd.Series, first: int, n: int, weight: float) -> pd.Series:
    """Compute a recursive average that starts with the mean of the n values from bar ``first``; NaN before its seed."""
    column = values.to_numpy(copy=True)
    seed_bar = first + n - 1
    if seed_bar < len(column):
        column[seed_bar] = column[first : seed_bar + 1].mean()
    column[:seed_bar] = np.nan
    return pd.Series(column, index=values.index).ewm(alpha=weight, adjust=False).mean()


def share_column(part: pd.Series, whole: pd.Series) -> pd.Series:
    """Return the part as a percentage of the whole; 0 where the whole is 0, NaN where there is no whole yet."""
    return (100 * part / whole).mask(whole == 0, 0.0)


def last(column: pd.Series) -> float:
    return float(column.iloc[-1]) if len(column) else NAN
