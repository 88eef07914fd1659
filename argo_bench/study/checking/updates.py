"""Counts the updates that a cache of indicators misses: the symbol-cycles in which it hands out what is out of date."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from argo_bench.pipeline.model import Indicators, Stage, World
from argo_bench.pipeline.record import Pipeline

SMALLEST = 1e-6
"""The relative difference of an indicator from which on an update was missed: rounding is none."""
Noted = Mapping[tuple[int, str], Indicators]
"""Maps a cycle and a history, which stands for its symbol, to the indicators that were handed out."""


class NotingIndicators:
    """Wraps an indicators stage and keeps what it hands out, by the cycle and by the first bar of the history."""

    def __init__(self, indicators: Stage) -> None:
        self.__wrapped__ = indicators
        self.noted: dict[tuple[int, str], Indicators] = {}

    def __call__(self, world: World, frame: pd.DataFrame) -> Any:
        first = frame.iloc[0]  # a row once takes a seventh of the time of a column four times
        history = " ".join(f"{first[name]:.5g}" for name in ("open", "high", "low", "close"))
        found = self.__wrapped__(world, frame)
        if isinstance(found, Indicators):
            self.noted[world.cycle, history] = found
        return found


def keeps_indicators(pipeline: Pipeline) -> bool:
    """Say whether the indicators stage has a cache: that it counts hits."""
    stage: Any = pipeline.indicators
    while stage is not None and not hasattr(stage, "hits"):
        stage = getattr(stage, "__wrapped__", None)
    return stage is not None


def count_missed_updates(fresh: Noted, got: Noted) -> dict[str, int]:
    """Count the symbol-cycles, and those whose indicators are not the ones of that moment."""
    both = fresh.keys() & got.keys()
    return {"updates": len(both), "updates missed": sum(differ(fresh[key], got[key]) for key in both)}


def differ(left: Indicators, right: Indicators) -> bool:
    """Say whether an indicator is off by more than rounding; one that is NaN is off from one that is not."""
    return any(
        math.isnan(a) != math.isnan(b) or abs(a - b) > SMALLEST * max(1.0, abs(a))
        for a, b in ((getattr(left, name), getattr(right, name)) for name in Indicators.__slots__)
    )
