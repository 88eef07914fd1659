"""The document's five outputs are computed here by loops over a frame, in the three ways in which they get written.

The document calls its current state "loops in pandas" and shows none. What vectorizing gains depends on which loop it
replaces: one pass of ``iterrows`` into lists, a slice by ``iloc`` for every window, or ``iloc`` for every number. The
columns are taken out of the frame once, which is the kinder form. All three compute a full column of each output, as
the list loop of the baseline does, and return the latest values.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from argo_bench.pipeline.baseline.indicators import NAN, Column, History, compute_published, compute_shared, latest
from argo_bench.pipeline.model import COLUMNS, World

Mean = Callable[[pd.Series, int, int], float]
"""Computes the mean of a column between two places."""


def five_by_rows(world: World, frame: pd.DataFrame) -> dict[str, float]:
    """Take the rows into lists by ``iterrows``, and loop over the lists as the baseline does."""
    bars = History([], [], [], [], [])
    for _, row in frame.iterrows():
        for name, values in zip(COLUMNS, bars, strict=True):
            values.append(float(row[name]))
    return latest(compute_published(bars, compute_shared(bars)))


def five_by_slices(world: World, frame: pd.DataFrame) -> dict[str, float]:
    """Take every window as a slice by ``iloc``, and let pandas compute its mean."""
    return five_by(frame, lambda column, start, end: float(column.iloc[start:end].mean()))


def five_by_scalars(world: World, frame: pd.DataFrame) -> dict[str, float]:
    """Take every number of every window by ``iloc``, and add it up."""
    return five_by(frame, add_up)


def add_up(column: pd.Series, start: int, end: int) -> float:
    total = 0.0
    for place in range(start, end):
        total += column.iloc[place]
    return total / (end - start)


def five_by(frame: pd.DataFrame, mean: Mean) -> dict[str, float]:
    """Compute the five outputs bar by bar, the means of the windows as ``mean`` does."""
    close, volume = frame["close"], frame["volume"]

    def average(column: pd.Series, n: int) -> Column:
        return [mean(column, end - n, end) if end >= n else NAN for end in range(1, len(column) + 1)]

    usual = average(volume, 20)
    return {
        "close": float(close.iloc[-1]),
        "sma20": average(close, 20)[-1],
        "sma50": average(close, 50)[-1],
        "volume_ratio": [volume.iloc[at] / each if each else NAN for at, each in enumerate(usual)][-1],
        "change_1": [NAN, *(close.iloc[at] / close.iloc[at - 1] - 1 for at in range(1, len(close)))][-1],
    }
