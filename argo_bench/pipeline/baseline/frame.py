"""The bars of one symbol as an OHLCV frame."""

from __future__ import annotations

import pandas as pd

from argo_bench.pipeline.model import COLUMNS, Bars, World


def frame(world: World, bars: Bars) -> pd.DataFrame:
    """Columns open, high, low, close, volume, float64; UTC index ``timestamp``, unit us."""
    index = pd.DatetimeIndex(bars.timestamps, name="timestamp").tz_localize("UTC")
    return pd.DataFrame(dict(zip(COLUMNS, bars.values, strict=True)), index=index)
