"""Everything that is fetched of a symbol, with the fallback, with refusals, and for several callers at once."""

from __future__ import annotations

from contextlib import suppress
from copy import deepcopy
from typing import Any

from argo_bench.study.checking.cases import Cases
from argo_bench.study.checking.cases.market import make_bars, wander
from argo_bench.study.checking.scene import Scene

CASES = Cases("fetch")
SYMBOLS = ("AAPL", "ETH-USD")
SOURCES = (
    *(("alpha_vantage", "rsi"), ("alpha_vantage", "sma"), ("alpha_vantage", "quote")),
    *(("x_sentiment", "opinion"), ("sonar", "opinion")),
)
ELSEWHERE = make_bars("AAPL", wander(91))
"""Bars of the other market provider that differ from the primary's."""


def fetch(scene: Scene, symbol: str = "AAPL") -> Any:
    return scene.call("fetch", symbol)


@CASES("two symbols in turn, over several cycles")
def in_turn(scene: Scene) -> Any:
    seen = []
    for _ in range(5):
        seen += [fetch(scene, symbol) for symbol in SYMBOLS]
        scene.pass_cycles(1)
    return seen


@CASES("minutes and hours later")
def later(scene: Scene) -> Any:
    seen = []
    for cycles in (1, 11, 13, 61, 700):
        seen += [fetch(scene), fetch(scene)]
        scene.pass_cycles(cycles)
    return seen


@CASES("what a figure, an opinion and a bar say is taken from the answer")
def as_said(scene: Scene) -> Any:
    scene.says = {
        ("alpha_vantage", "AAPL", what): number for what, number in (("rsi", 1.5), ("sma", 2.5), ("quote", 9.0))
    }
    scene.says["x_sentiment", "AAPL", "opinion"] = "direction=SHORT confidence=91"
    scene.says["sonar", "AAPL", "opinion"] = "no opinion"
    return [fetch(scene), fetch(scene, "ETH-USD")]


@CASES("the primary provider refuses: bars come from the other one")
def fallback(scene: Scene) -> Any:
    scene.says["alpaca", "AAPL", "bars"] = ELSEWHERE
    before = fetch(scene)
    scene.pass_cycles(120)
    scene.refuses = {("massive", "AAPL", "bars")}
    meanwhile = [fetch(scene), fetch(scene, "ETH-USD")]
    scene.pass_cycles(120)
    scene.refuses = set()
    return [before, meanwhile, fetch(scene)]


@CASES("both market providers refuse")
def no_bars(scene: Scene) -> Any:
    scene.refuses = {("massive", "AAPL", "bars"), ("alpaca", "AAPL", "bars")}
    seen = [fetch(scene), fetch(scene, "ETH-USD")]
    scene.refuses = set()
    scene.pass_cycles(120)
    return [*seen, fetch(scene)]


@CASES("each source without a fallback refuses, and answers again")
def refused(scene: Scene) -> Any:
    seen = []
    for provider, what in SOURCES:
        scene.pass_cycles(1)
        scene.refuses = {(provider, "AAPL", what)}
        seen += [fetch(scene), fetch(scene, "ETH-USD")]
        scene.refuses = set()
        scene.pass_cycles(120)
        seen.append(fetch(scene))
        scene.pass_cycles(120)
        scene.refuses = {(provider, "AAPL", what)}
        seen.append(fetch(scene))
    return seen


@CASES("several callers at the same time, for two symbols")
def together(scene: Scene) -> Any:
    scene.takes_s = {(provider, symbol, what): 0.3 for provider, what in SOURCES for symbol in SYMBOLS}
    return scene.call_together("fetch", [("AAPL",), ("ETH-USD",), ("AAPL",), ("AAPL",), ("ETH-USD",)])


@CASES("several callers of a fetch that fails")
def fail_together(scene: Scene) -> Any:
    scene.takes_s = {(provider, "AAPL", what): 0.3 for provider, what in SOURCES}
    scene.refuses = {("sonar", "AAPL", "opinion")}
    seen = scene.call_together("fetch", [("AAPL",), ("ETH-USD",), ("AAPL",), ("AAPL",)])
    scene.refuses = set()
    scene.pass_cycles(120)
    return [seen, fetch(scene)]


@CASES("a caller who changes what he was given")
def changed(scene: Scene) -> Any:
    seen = []
    for _ in range(3):
        fetched = fetch(scene)
        seen.append(deepcopy(fetched))
        with suppress(ValueError, TypeError):  # what was fetched may refuse to be written into
            fetched.bars.values[:, -1] = 1.0
        with suppress(ValueError, TypeError):
            fetched.opinions.technical["quote"] = 1.0
        scene.pass_cycles(1)
    return seen


@CASES("a primary provider that is late")
def late(scene: Scene) -> Any:
    seen = [fetch(scene)]
    for seconds in (1.0, 1.9, 5.0):
        scene.pass_cycles(120)
        scene.takes_s = {("massive", "AAPL", "bars"): seconds}
        seen += [fetch(scene), fetch(scene, "ETH-USD")]
    return seen


@CASES("each source late, and the others not")
def each_late(scene: Scene) -> Any:
    scene.says["x_sentiment", "AAPL", "opinion"] = "direction=SHORT confidence=91"
    scene.says["sonar", "AAPL", "opinion"] = "direction=LONG confidence=62"
    seen = []
    for provider, what in SOURCES:
        scene.pass_cycles(120)
        scene.takes_s = {(provider, "AAPL", what): 7.0}
        seen.append(fetch(scene))
    return seen


@CASES("a caller that leaves while others wait for the same")
def left(scene: Scene) -> Any:
    scene.takes_s = {(provider, symbol, what): 0.3 for provider, what in SOURCES for symbol in SYMBOLS}
    calls = [("AAPL",), ("AAPL",), ("ETH-USD",), ("AAPL",)]
    seen = scene.call_and_leave("fetch", calls, 0.1)
    scene.pass_cycles(20)
    return [seen, scene.call_and_leave("fetch", calls[::2], 0.5), fetch(scene)]


@CASES("two processes in turn, which may share a store")
def shared(scene: Scene) -> Any:
    seen = []
    for cycles in (0, 0, 1, 12, 60):
        seen += [fetch(scene), fetch(scene, "ETH-USD")]
        scene.restart()
        seen += [fetch(scene), fetch(scene, "ETH-USD")]
        scene.pass_cycles(cycles)
    return seen


@CASES("a shared store that has damaged entries, and one that is gone for a while")
def store_damaged(scene: Scene) -> Any:
    seen = [fetch(scene)]
    scene.damage_store()
    scene.restart()
    seen += [fetch(scene), fetch(scene, "ETH-USD")]
    scene.is_store_unplugged = True
    scene.restart()
    seen += [fetch(scene), fetch(scene, "ETH-USD")]
    scene.pass_cycles(13)
    seen.append(fetch(scene))
    scene.is_store_unplugged = False
    return [*seen, fetch(scene), fetch(scene, "ETH-USD")]
