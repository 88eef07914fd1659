"""The indicators before any optimization: loops over the frame that keep a full column of every indicator.

One pass with ``itertuples`` takes the frame into lists; one plain function per indicator fills a column with a value
for every bar, NaN before its first valid one; the latest value of each column is the result. ``vectorized`` computes
the same in idiomatic pandas and is the second reference.

Units: prices in the quote currency, volumes in shares or coins, changes and volatilities as fractions of the price.
Bars are counted from 0. Prices are positive, which the reader of the bars sees to.

Definitions: Wilder, New Concepts in Technical Trading Systems (1978) for RSI, ATR, DI and ADX; Appel, The Moving
Average Convergence-Divergence Trading Method (1979) for MACD; Bollinger on Bollinger Bands (2001) for the bands,
with the population's deviation. Seeds and first valid bars are those of TA-Lib 0.8 (https://ta-lib.org/functions/).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from argo_bench.model import COLUMNS, Indicators, World

Column = list[float]
NAN = math.nan


class Lists(NamedTuple):
    """The columns of the canonical frame, oldest bar first."""

    open: Column
    high: Column
    low: Column
    close: Column
    volume: Column


def indicators(world: World, frame: pd.DataFrame) -> Indicators:
    """The latest value of every indicator, by loops."""
    bars = columns(frame)
    common = shared(bars)
    return Indicators(**latest(first_five(bars, common)), **latest(all_others(bars, common)))


def five(world: World, frame: pd.DataFrame) -> dict[str, float]:
    """The five outputs that the published code computes, by the same loop."""
    bars = columns(frame)
    return latest(first_five(bars, shared(bars)))


def remaining(world: World, frame: pd.DataFrame) -> dict[str, float]:
    """Every other field of Indicators, by the same loop."""
    bars = columns(frame)
    return latest(all_others(bars, shared(bars)))


def columns(frame: pd.DataFrame) -> Lists:
    """The frame as five lists, in one pass over a copy of it. A NaN or an infinity is a ValueError."""
    bars = Lists([], [], [], [], [])
    for row in frame.copy().itertuples(index=False):
        bars.open.append(row.open)
        bars.high.append(row.high)
        bars.low.append(row.low)
        bars.close.append(row.close)
        bars.volume.append(row.volume)
    for name, values in zip(COLUMNS, bars, strict=True):
        if not all(map(math.isfinite, values)):
            bar = [math.isfinite(value) for value in values].index(False)
            raise ValueError(
                f"expected finite numbers in column {name!r}, got {values[bar]!r} at {frame.index[bar]}; "
                "fill or drop that bar"
            )
    return bars
