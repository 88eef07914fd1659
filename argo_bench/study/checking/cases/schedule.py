"""The symbols of a universe are walked: their order, none twice, none left out, over many cycles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from argo_bench.pipeline.model import Bars
from argo_bench.study.checking.cases import Cases
from argo_bench.study.checking.cases.market import climb, make_bars, with_last
from argo_bench.study.checking.scene import Scene

CASES = Cases("schedule")
CYCLES = 6


def universe(count: int, factors: Sequence[float] = (1.0,)) -> dict[str, list[Bars]]:
    """Return symbols of which some rise, some fall and some stand still, and whose prices move in every cycle.

    ``factors`` multiply the prices of the symbols in turn.
    """
    found = {}
    for number in range(count):
        symbol = f"T{'ABCDEFGHIJKLMNOPQRSTUVWXYZ'[number]}"
        rate = (0.002, -0.002, 0.0000001, 0.0000001)[number % 4]
        factor = factors[number % len(factors)]
        bars = make_bars(symbol, climb(rate=rate, start=60.0 + number) * factor)
        close = float(bars.values[3, -1])
        found[symbol] = [with_last(bars, close + 0.01 * factor * (cycle + number % 3)) for cycle in range(CYCLES)]
    return found


SEVEN, MANY = universe(7), universe(20)


def let_decide(scene: Scene, symbols: Sequence[str]) -> None:
    """Have both models agree with the trend, strongly enough for a consensus wherever there is a trend."""
    for number, symbol in enumerate(symbols):
        direction = ("LONG", "SHORT", "LONG", "SHORT")[number % 4]
        for model in ("x_sentiment", "sonar"):
            scene.says[model, symbol, "opinion"] = f"direction={direction} confidence={90 if number % 4 < 2 else 50}"


def walk(scene: Scene, symbols: Sequence[str], cycles: int = CYCLES) -> list[Any]:
    let_decide(scene, scene.market.symbols)
    seen = []
    for _ in range(cycles):
        seen.append(scene.schedule(symbols))
        scene.pass_cycles(1)
    return seen


@CASES("a universe over several cycles", SEVEN)
def several_cycles(scene: Scene) -> Any:
    return walk(scene, scene.market.symbols)


@CASES("more symbols than a batch has, most without a consensus", MANY)
def many(scene: Scene) -> Any:
    order = sorted(scene.market.symbols, key=lambda symbol: "ABCDEFGHIJKLMNOPQRST".index(symbol[1]) % 4 < 2)
    return walk(scene, order, 3)


@CASES("no symbol and one symbol", SEVEN)
def few(scene: Scene) -> Any:
    return [scene.schedule(()), *walk(scene, scene.market.symbols[:1], 2), *walk(scene, scene.market.symbols[2:3], 1)]


@CASES("another order from cycle to cycle", SEVEN)
def other_order(scene: Scene) -> Any:
    symbols = tuple(scene.market.symbols)
    return [walk(scene, each, 1) for each in (symbols, symbols[::-1], symbols[2:] + symbols[:2])]


@CASES("symbols whose answers take their time", SEVEN)
def slow(scene: Scene) -> Any:
    for place, symbol in enumerate(scene.market.symbols):
        scene.takes_s[("sonar", symbol, "opinion")] = 0.5 * (7 - place)
        scene.takes_s[("explanation", symbol, "explanation")] = 0.25 * place
    let_decide(scene, scene.market.symbols)
    return [scene.schedule()]


@CASES("every provider refuses every symbol", SEVEN)
def outage(scene: Scene) -> Any:
    providers = ("massive", "alpaca")
    scene.refuses = {(provider, symbol, "bars") for provider in providers for symbol in scene.market.symbols}
    seen = [scene.schedule()]
    scene.refuses = set()
    scene.pass_cycles(13)
    return [*seen, *walk(scene, scene.market.symbols, 2)]
