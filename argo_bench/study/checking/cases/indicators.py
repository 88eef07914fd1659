"""Histories as providers deliver them: revised, extended, cut, halted, split, and of any length."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from argo_bench.pipeline.model import Bars
from argo_bench.study.checking.cases import Cases
from argo_bench.study.checking.cases.market import (
    climb,
    copy_of,
    cut,
    make_bars,
    shake,
    wander,
    with_last,
    with_value,
    without,
)
from argo_bench.study.checking.scene import Scene

CASES = Cases("indicators")
LENGTHS = (1, 2, 5, 13, 14, 15, 16, 19, 20, 21, 26, 27, 28, 29, 33, 34, 35, 49, 50, 51, 52, 199, 200, 201, 300, 700)
USUAL = make_bars("AAPL", wander(11))


def compute(scene: Scene, bars: Bars) -> Any:
    """Compute the indicators of bars, by way of the pipeline's own frame."""
    return scene.call("indicators", scene.call("frame", copy_of(bars)))


def compute_all(scene: Scene, *histories: Bars) -> list[Any]:
    return [compute(scene, each) for each in histories]


@CASES("histories of every length around a window")
def lengths(scene: Scene) -> Any:
    return compute_all(scene, *(make_bars("AAPL", wander(12, each)) for each in LENGTHS))


@CASES("no bar at all")
def none(scene: Scene) -> Any:
    return compute_all(scene, cut(USUAL, 0, 0))


@CASES("a live bar that is revised: its close, its volume, its high and its low")
def live(scene: Scene) -> Any:
    last = len(USUAL) - 1
    return compute_all(
        scene,
        USUAL,
        with_last(USUAL, 121.0),
        with_last(USUAL, 121.0, 2_500_000.0),
        with_value(with_last(USUAL, 121.0, 2_500_000.0), 1, last, 131.0),
        with_value(with_last(USUAL, 121.0, 2_500_000.0), 2, last, 101.0),
        with_last(USUAL, 118.25),
        USUAL,
        USUAL,
    )


@CASES("a new bar after the live one has closed, at once and after a gap")
def new_bars(scene: Scene) -> Any:
    return compute_all(
        scene,
        cut(USUAL, 0, 280),
        with_last(cut(USUAL, 0, 280), 120.0),
        cut(USUAL, 0, 281),
        with_last(cut(USUAL, 0, 282), 119.0),
        cut(USUAL, 0, 287),
        USUAL,
    )


@CASES("a closed bar that is revised, near the end and long ago")
def revised(scene: Scene) -> Any:
    return compute_all(
        scene,
        USUAL,
        *(with_value(USUAL, row, bar, USUAL.values[row, bar] * 1.05) for row in range(5) for bar in (298, 285, 120, 1)),
        USUAL,
    )


@CASES("the first bar revised, and the first bars gone")
def shifted(scene: Scene) -> Any:
    return compute_all(
        scene, USUAL, with_value(USUAL, 3, 0, 140.0), cut(USUAL, 1), cut(USUAL, 20), USUAL, cut(USUAL, 60)
    )


@CASES("a bar inserted and a bar left out")
def inserted(scene: Scene) -> Any:
    return compute_all(scene, without(USUAL, 150), USUAL, without(USUAL, 297), USUAL, without(USUAL, 1))


@CASES("an older history after a newer one")
def back(scene: Scene) -> Any:
    return compute_all(scene, USUAL, cut(USUAL, 0, 290), cut(USUAL, 0, 291), USUAL)


@CASES("two symbols in turn, of the same length and with the same first bar")
def two_symbols(scene: Scene) -> Any:
    other = make_bars("ETH-USD", np.concatenate([wander(11)[:1], wander(13)[1:]]))
    twin = with_value(other, 4, 0, USUAL.values[4, 0])
    return compute_all(scene, USUAL, other, USUAL, twin, with_last(USUAL, 117.0), with_last(other, 150.0), USUAL)


@CASES("prices that stand still, and trading that was halted")
def still(scene: Scene) -> Any:
    flat = make_bars("AAPL", np.full(300, 50.0))
    volumes = flat.values[4].copy()
    volumes[40:70] = 0.0
    halted = replace(USUAL, values=np.vstack([USUAL.values[:4], volumes]))
    resting = wander(14)
    resting[200:] = resting[200]
    none_at_all = replace(USUAL, values=np.vstack([USUAL.values[:4], np.zeros(300)]))
    return compute_all(scene, flat, halted, make_bars("AAPL", resting), none_at_all, with_last(halted, 120.0, 0.0))


@CASES("a split: all closed prices halved, with and without the live bar")
def split(scene: Scene) -> Any:
    values = USUAL.values.copy()
    values[:4] /= 2
    values[4] *= 2
    unadjusted = USUAL.values.copy()
    unadjusted[:4, -30:] /= 2
    return compute_all(scene, USUAL, replace(USUAL, values=values), replace(USUAL, values=unadjusted), USUAL)


@CASES("prices of a hundredth of a cent and of a million, up, down and restless")
def scales(scene: Scene) -> Any:
    return compute_all(
        scene,
        make_bars("AAPL", climb() / 1e6),
        make_bars("AAPL", climb(rate=-0.002) * 1e4, np.full(300, 5e9)),
        make_bars("AAPL", shake()),
        make_bars("AAPL", climb(rate=0.01)),
        make_bars("AAPL", climb(rate=-0.01), np.full(300, 0.25)),
    )


@CASES("numbers that are none: in the live bar, in a closed one, in the volume")
def not_a_number(scene: Scene) -> Any:
    places = ((3, 299), (3, 100), (1, 299), (4, 299), (4, 290), (4, 3))
    seen = []
    for row, bar in places:
        seen += compute_all(scene, with_value(USUAL, row, bar, np.nan), USUAL)
    return [*seen, compute(scene, with_value(USUAL, 3, 299, np.inf))]


@CASES("a frame that is looked at again after its indicators were computed")
def untouched(scene: Scene) -> Any:
    frame = scene.call("frame", copy_of(USUAL))
    scene.call("indicators", frame)
    return frame
