"""The market regime of one symbol is detected here, anew in every cycle."""

from __future__ import annotations

import pandas as pd

from argo_bench.pipeline.model import Regime, World

MINIMUM_BARS = 200
VOLATILE_RATIO = 1.25


def regime(world: World, frame: pd.DataFrame) -> Regime:
    """Detect TRENDING, CONSOLIDATION or VOLATILE; UNKNOWN below 200 bars.

    The rule reads simple averages of the close over 20, 50 and 200 bars, and the deviations (ddof 1) of 1-bar returns
    over 20 and 50 bars.
    """
    frame = frame.copy()
    close = frame["close"]
    if len(close) < MINIMUM_BARS:
        return "UNKNOWN"
    returns = close.tail(51).pct_change()
    if returns.tail(20).std() > VOLATILE_RATIO * returns.tail(50).std():
        return "VOLATILE"
    s20, s50, s200 = close.tail(20).mean(), close.tail(50).mean(), close.tail(200).mean()
    return "TRENDING" if s20 > s50 > s200 or s20 < s50 < s200 else "CONSOLIDATION"
