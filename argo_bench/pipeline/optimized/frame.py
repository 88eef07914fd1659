"""The bars of one symbol become a frame here without a copy: it is a view of the array that they came in."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from argo_bench.pipeline.arrays import Frames
from argo_bench.pipeline.model import Bars, World
from argo_bench.pipeline.optimized.indicators import CANONICAL


def frame(world: World, bars: Bars) -> pd.DataFrame:
    """Build the same frame as ``baseline/frame.py``, as one block
    in the bars' own dtype; only the timestamps are new memory.

    Columns may be added or replaced; what would write into the bars raises ValueError.
    """
    values = bars.values.view()
    values.flags.writeable = False
    index = pd.DatetimeIndex(bars.timestamps, name="timestamp", copy=False).tz_localize("UTC")
    return pd.DataFrame(values.T, columns=CANONICAL, index=index, copy=False)


def frames_of_many(world: World, bars: Sequence[Bars]) -> Frames:
    """Return the frames of many symbols as the arrays that they came in; none is made before somebody asks for it."""
    return Frames([each.values for each in bars], lambda row: frame(world, bars[row]))
