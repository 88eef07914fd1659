"""The bars of one symbol as one float32 block, and the close read from it as it was quoted."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from argo_bench.model import Bars, Indicators, Stage, World
from argo_bench.optimized.indicators import CANONICAL
from argo_bench.pipeline import quote_digits

CENTS_SURVIVE_BELOW = 131_072.0
"""From 2^17 up, float32 values are 1/64 apart, and rounding no longer finds every cent again: the nearest value may be
0.0078 off, more than half a cent. Below it is at most 0.0039 off."""


def frame(world: World, bars: Bars) -> pd.DataFrame:
    """As in ``baseline/frame.py``, but float32: a view of one array of shape (5, n), cast once and copied never.

    Volume is float32 too: whole numbers beyond 2^24 are rounded, by 6e-8 of their size at most, and nothing reads more
    of it than ratios. A symbol whose last close would lose its cents stays float64. Readers must accumulate in float64.
    """
    dtype = np.float32 if bars.values[3, -1:].max(initial=0.0) < CENTS_SURVIVE_BELOW else np.float64
    index = pd.DatetimeIndex(bars.timestamps, name="timestamp", copy=False).tz_localize("UTC")
    return pd.DataFrame(bars.values.astype(dtype).T, columns=CANONICAL, index=index, copy=False)


class QuotedClose:
    """An indicators stage whose close, from which entry, stop and target are derived, is rounded to its quote step.

    What was quoted comes back to the last bit; a last price that lies between two quotes is moved to one of them.
    """

    def __init__(self, indicators: Stage) -> None:
        self.__wrapped__ = indicators

    def __call__(self, world: World, frame: pd.DataFrame) -> Indicators:
        found: Indicators = self.__wrapped__(world, frame)
        return dataclasses.replace(found, close=round(found.close, quote_digits(found.close)))
