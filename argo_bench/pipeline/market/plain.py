"""A frame that is plainly one symbol's bars is taken as it stands here; any other source is read cell by cell.

Typed columns with the usual names, whole microseconds and sound numbers leave nothing to be parsed or refused, and
5,000 bars take a hundredth of the time.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from argo_bench.pipeline.market.adjustment import HIGHEST, LOWEST
from argo_bench.pipeline.model import COLUMNS

DATES = ("date", "datetime", "timestamp")
TYPES = (np.dtype(np.float64), np.dtype(np.int64))
FIRST, LAST = np.datetime64("1000-01-01", "us"), np.datetime64("9999-12-31", "us")
Stamps = NDArray[np.datetime64]


def take_plain(frame: pd.DataFrame) -> tuple[NDArray[np.float64], Stamps, bool] | None:
    """Return the values of a frame, float64 of shape (5, n) in the order of COLUMNS, and their moments, both by moment.

    The third says whether there are times of day without a time zone. Returns None where the frame is not plainly bars:
    where it has other columns than the five and a date, other types than float64 and int64, a moment that stands twice,
    a price that is not above zero, a volume below it, or a price outside of low and high.
    """
    if frame.columns.nlevels > 1 or frame.empty:
        return None
    names = [str(name).lower() for name in frame.columns]
    dates = [frame.iloc[:, place] for place, name in enumerate(names) if name in DATES]
    if not dates and isinstance(frame.index, pd.DatetimeIndex):
        index = frame.index
    elif len(dates) == 1 and isinstance(frame.index, pd.RangeIndex) and pd.api.types.is_datetime64_any_dtype(dates[0]):
        index = pd.DatetimeIndex(dates[0])
    else:
        return None
    places = {name: place for place, name in enumerate(names) if name not in DATES}
    if sorted(name for name in names if name not in DATES) != sorted(COLUMNS):
        return None
    columns = [frame.iloc[:, places[name]] for name in COLUMNS]
    stamps = _take_moments(index)
    if stamps is None or any(column.dtype not in TYPES for column in columns):
        return None
    values = np.array([column.to_numpy(np.float64) for column in columns])
    if not _is_sound(values):
        return None
    if (np.diff(stamps) <= np.timedelta64(0, "us")).any():
        order = np.argsort(stamps, kind="stable")
        values, stamps = values[:, order], stamps[order]
        if (np.diff(stamps) == np.timedelta64(0, "us")).any():
            return None
    is_local = index.tz is None and bool((stamps != stamps.astype("datetime64[D]")).any())
    return values, stamps, is_local


def _take_moments(index: pd.DatetimeIndex) -> Stamps | None:
    """Return moments in UTC, datetime64[us] of shape (n,); None where one is missing, finer or out of range."""
    moments = (index if index.tz is None else index.tz_convert(None)).to_numpy()
    stamps = moments.astype("datetime64[us]")
    if np.isnat(moments).any() or (stamps != moments).any() or not (stamps.min() >= FIRST and stamps.max() <= LAST):
        return None
    return stamps


def _is_sound(values: NDArray[np.float64]) -> bool:
    """Say whether no number, of shape (5, n), is one that the reader of cells refuses or compares with others."""
    prices, volume = values[:4], values[4]
    opened, high, low, closed = prices
    inside = (low <= np.minimum(opened, closed)) & (np.maximum(opened, closed) <= high)
    is_possible = bool(((prices >= LOWEST) & (prices <= HIGHEST)).all())
    return is_possible and bool(np.isfinite(volume).all() and (volume >= 0).all() and inside.all())
