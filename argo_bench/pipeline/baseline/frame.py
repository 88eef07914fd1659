"""The bars of one symbol become an OHLCV frame here."""

from __future__ import annotations

import pandas as pd

from argo_bench.pipeline.model import COLUMNS, Bars, World


def frame(world: World, bars: Bars) -> pd.DataFrame:
    """Build a frame with the float64 columns open, high, low,
    close, volume and a UTC index ``timestamp`` of unit us."""
    index = pd.DatetimeIndex(bars.timestamps, name="timestamp").tz_localize("UTC")
    return pd.DataFrame(dict(zip(COLUMNS, bars.values, strict=True)), index=index)
