"""Bars become frames: their index, their columns, their types, and two frames that are there at the same time."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from argo_bench.study.checking.cases import Cases
from argo_bench.study.checking.cases.market import copy_of, cut, make_bars, wander, with_value
from argo_bench.study.checking.scene import Scene

CASES = Cases("frame")
USUAL = make_bars("AAPL", wander(5))
COIN = make_bars("ETH-USD", wander(6, start=0.3) / 1000, np.linspace(0.000123, 3e12, 300))


@CASES("bars of a stock and of a coin with broken volumes")
def usual(scene: Scene) -> Any:
    return [scene.call("frame", copy_of(each)) for each in (USUAL, COIN, USUAL)]


@CASES("one bar, few bars, no bar")
def short(scene: Scene) -> Any:
    return [scene.call("frame", cut(USUAL, 0, each)) for each in (1, 2, 20, 0)]


@CASES("two frames at the same time")
def two_at_once(scene: Scene) -> Any:
    first = scene.call("frame", copy_of(USUAL))
    second = scene.call("frame", copy_of(COIN))
    return [first, second, first]


@CASES("prices that float32 cannot hold, numbers that are none, days without trade")
def exact(scene: Scene) -> Any:
    exact_price = with_value(USUAL, 3, 299, 123_456_789.123)
    halted = with_value(with_value(USUAL, 4, 100, 0.0), 4, 299, 0.0)
    return [scene.call("frame", each) for each in (exact_price, halted, with_value(USUAL, 3, 40, np.nan))]


@CASES("days that are missing, and times within a day")
def times(scene: Scene) -> Any:
    moved = replace(USUAL, timestamps=USUAL.timestamps + np.timedelta64(34_200_000_001, "us"))
    return [scene.call("frame", each) for each in (moved, cut(USUAL, 10, 290))]


@CASES("bars that are looked at again after they became a frame")
def untouched(scene: Scene) -> Any:
    bars = copy_of(USUAL)
    scene.call("frame", bars)
    return bars.values, bars.timestamps


@CASES("a frame that somebody writes into: the bars stay what they were")
def written_into(scene: Scene) -> Any:
    bars = copy_of(USUAL)
    frame = scene.call("frame", bars)
    with suppress(ValueError):  # a frame may refuse to be written into
        frame.iloc[3, 3] = -1.0
    with suppress(ValueError):
        frame["close"] = 0.0
    with suppress(ValueError):
        frame.to_numpy()[5, :] = 7.0
    return bars.values
