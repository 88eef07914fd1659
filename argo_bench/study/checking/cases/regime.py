"""Every regime, at its boundary and with revised bars; histories that end alike and differ before."""

from __future__ import annotations

from typing import Any

import numpy as np

from argo_bench.pipeline.baseline.regime import MINIMUM_BARS, VOLATILE_RATIO
from argo_bench.pipeline.model import Bars
from argo_bench.study.checking.cases import Cases
from argo_bench.study.checking.cases.market import climb, copy_of, cut, make_bars, shake, wander, with_last, with_value
from argo_bench.study.checking.scene import Scene

CASES = Cases("regime")
USUAL = make_bars("AAPL", wander(21))


def detect(scene: Scene, *histories: Bars) -> list[Any]:
    """Detect the regimes of bars one after another, by way of the pipeline's own frames."""
    return [scene.call("regime", scene.call("frame", copy_of(each))) for each in histories]


def alternate(ratio: float) -> Bars:
    """Return bars whose deviation over 20 returns is about ``ratio`` times that over 50."""
    restless = np.full(USUAL.values.shape[1], 0.004)
    restless[-20:] *= ratio
    signs = np.where(np.arange(len(restless)) % 2, 1.0, -1.0)
    return make_bars("AAPL", 100 * np.cumprod(1 + restless * signs))


@CASES("every regime, of one symbol and of another")
def every_regime(scene: Scene) -> Any:
    kinds = (climb(), climb(rate=-0.002), shake(), wander(22), np.full(300, 40.0))
    return detect(scene, *(make_bars(symbol, closes) for closes in kinds for symbol in ("AAPL", "ETH-USD")))


@CASES("many histories that wander")
def wandering(scene: Scene) -> Any:
    return detect(scene, *(make_bars("AAPL", wander(40 + each, 260, 0.004 + 0.001 * each)) for each in range(24)))


@CASES("histories of every length around the fewest bars")
def lengths(scene: Scene) -> Any:
    lengths = (0, 1, 2, 20, 50, 51, 100, MINIMUM_BARS - 1, MINIMUM_BARS, MINIMUM_BARS + 1, 260)
    return detect(scene, *(cut(USUAL, 300 - each) for each in lengths), cut(USUAL, 0, 199), cut(USUAL, 0, 200))


@CASES("a live bar that is revised until the regime is another")
def live(scene: Scene) -> Any:
    rising = make_bars("AAPL", climb())
    closes = [rising.values[3, -1] * (1 + move / 1000) for move in (0, 1, -1, 30, -30, 120, -120, -400, 900, 0)]
    return detect(scene, *(with_last(rising, close) for close in closes))


@CASES("a closed bar that is revised: 5, 30, 150 and 250 bars ago")
def revised(scene: Scene) -> Any:
    rising = make_bars("AAPL", climb(rate=0.0004))
    changed = [with_value(rising, 3, 300 - ago, factor) for ago in (5, 30, 150, 250) for factor in (20.0, 400.0)]
    return detect(scene, rising, *changed, rising)


@CASES("other highs, lows and volumes with the same closes")
def closes_alone(scene: Scene) -> Any:
    changed = [with_value(USUAL, row, 299, USUAL.values[row, 299] * 3) for row in (0, 1, 2, 4)]
    return detect(scene, USUAL, *changed)


@CASES("deviations around the ratio from which a market is volatile")
def volatile(scene: Scene) -> Any:
    return detect(scene, *(alternate(1 + each / 20) for each in range(16)), alternate(VOLATILE_RATIO))


@CASES("averages that differ by the last digits, or not at all")
def near(scene: Scene) -> Any:
    seen = []
    for nudge in (0.0, 1e-12, -1e-12, 1e-9, -1e-9, 1e-5, -1e-5):
        closes = np.full(300, 64.0)
        closes[-50:] += nudge
        closes[-20:] += nudge
        seen += detect(scene, make_bars("AAPL", closes))
    return seen


@CASES("histories with the same last closes, the same first ones, the same mean")
def alike(scene: Scene) -> Any:
    closes = climb(rate=0.001)
    swapped = closes.copy()
    swapped[[-1, -30]] = swapped[[-30, -1]]
    turned = np.concatenate([closes[:100], closes[100:][::-1]])
    ends_alike = np.concatenate([wander(23, 290), closes[-10:]])
    return detect(scene, *(make_bars("AAPL", each) for each in (closes, swapped, turned, ends_alike, closes)))


@CASES("the same history hours later, and a new one then")
def later(scene: Scene) -> Any:
    seen = detect(scene, USUAL)
    scene.pass_cycles(100)
    seen += detect(scene, make_bars("AAPL", shake()))
    scene.pass_cycles(2_000)
    return seen + detect(scene, USUAL, make_bars("AAPL", climb(rate=-0.003)))


@CASES("a frame that is looked at again after its regime was detected")
def untouched(scene: Scene) -> Any:
    frame = scene.call("frame", copy_of(USUAL))
    scene.call("regime", frame)
    return frame


@CASES("a restart between histories")
def restarted(scene: Scene) -> Any:
    histories = [make_bars("AAPL", closes) for closes in (climb(), shake(), wander(22))]
    seen = detect(scene, *histories)
    scene.restart()
    return seen + detect(scene, *histories, with_last(histories[0], 60.0))


@CASES("a restart after which the files that were kept are damaged")
def damaged(scene: Scene) -> Any:
    histories = [make_bars("AAPL", closes) for closes in (climb(), shake(), wander(22))]
    seen = detect(scene, *histories)
    scene.restart()
    scene.damage_files()
    return seen + detect(scene, *histories)


@CASES("a coin of a thousandth of a cent, whose price moves in the sixth decimal")
def tiny(scene: Scene) -> Any:
    coin = make_bars("AAPL", climb(rate=0.0003) / 1e7)
    last = float(coin.values[3, -1])
    return detect(scene, *(with_last(coin, last * (1 + move / 100)) for move in (0, 8, -8, -30, 40)), coin)
