"""Explanations of both directions, every regime and two symbols, while the model answers and while it fails."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

from argo_bench.pipeline.model import Decision
from argo_bench.study.checking.cases import Cases
from argo_bench.study.checking.cases.market import decide, price
from argo_bench.study.checking.scene import Scene

CASES = Cases("reason")
SYMBOLS, DIRECTIONS = ("AAPL", "ETH-USD"), ("LONG", "SHORT")
REGIMES = ("TRENDING", "CONSOLIDATION", "VOLATILE", "UNKNOWN")
REFUSED = {("explanation", symbol, "explanation") for symbol in SYMBOLS}


def explain(scene: Scene, *decisions: Decision) -> list[Any]:
    return [scene.call("reason", each) for each in decisions]


def draft(symbol: str, direction: str, regime: str, entry: float, confidence: float = 81.25) -> Decision:
    """Return a decision that has no explanation yet."""
    plain = replace(decide(symbol=symbol, confidence=confidence), reasoning="", reasoning_author="")
    return price(plain, entry, direction, regime)  # type: ignore[arg-type]


@CASES("both symbols, both directions, every regime, each twice")
def every_kind(scene: Scene) -> Any:
    drafts = [draft(*each, 118.5) for each in itertools.product(SYMBOLS, DIRECTIONS, REGIMES)]
    seen = explain(scene, *drafts)
    scene.pass_cycles(3)
    return seen + explain(scene, *reversed(drafts))


@CASES("the same meaning with other figures")
def other_figures(scene: Scene) -> Any:
    seen = []
    for cycle in range(12):
        entry = (118.5, 118.51, 119.0, 95.25, 118.5, 1180.04)[cycle % 6]
        confidence = (81.25, 81.3, 84.99, 76.0, 99.5, 80.0)[cycle * 5 % 6]
        seen += explain(scene, draft("AAPL", "LONG", "TRENDING", entry, confidence))
        scene.pass_cycles(1)
    return seen


@CASES("one figure changed at a time")
def one_figure(scene: Scene) -> Any:
    usual = draft("AAPL", "LONG", "TRENDING", 118.5)
    changed = [
        replace(usual, stop=111.11),
        replace(usual, target=133.33),
        replace(usual, entry=118.49),
        replace(usual, confidence=81.24),
    ]
    return explain(scene, usual, *changed, usual)


@CASES("other votes behind the same direction")
def other_sources(scene: Scene) -> Any:
    usual = draft("AAPL", "LONG", "TRENDING", 118.5)
    fewer, other = usual.sources[:2], (*usual.sources[:3], ("sonar", "LONG"))
    return explain(scene, usual, replace(usual, sources=fewer), replace(usual, sources=other), usual)


@CASES("prices of which one is part of another, or of the symbol")
def confusing(scene: Scene) -> Any:
    usual = draft("AAPL", "LONG", "TRENDING", 118.5)
    alike = replace(usual, entry=100.0, stop=97.0, target=105.0, confidence=97.0)
    numbered = replace(usual, symbol="SYN005", entry=5.0, stop=4.85, target=5.25)
    tiny = replace(usual, symbol="ETH-USD", entry=0.0007, stop=0.0007, target=0.0008)
    return explain(scene, alike, replace(alike, stop=96.0), numbered, replace(numbered, entry=5.1), tiny, usual)


@CASES("pairs of the same coin")
def pairs(scene: Scene) -> Any:
    symbols = ("ETH-USD", "ETH-EUR", "ETH", "WETH-USD", "ETH-USD")
    return explain(scene, *(draft(symbol, "LONG", "TRENDING", 118.5) for symbol in symbols))


@CASES("the model fails, and answers again")
def failing(scene: Scene) -> Any:
    first, second = draft("AAPL", "LONG", "TRENDING", 118.5), draft("ETH-USD", "SHORT", "VOLATILE", 2400.0)
    scene.refuses = set(REFUSED)
    seen = explain(scene, first, second)
    scene.pass_cycles(1)
    seen += explain(scene, first)
    scene.refuses = set()
    scene.pass_cycles(1)
    return seen + explain(scene, first, second, replace(first, entry=119.0))


@CASES("the model answers, and fails for something else")
def failing_later(scene: Scene) -> Any:
    first = draft("AAPL", "LONG", "TRENDING", 118.5)
    seen = explain(scene, first)
    scene.refuses = set(REFUSED)
    return seen + explain(scene, draft("AAPL", "SHORT", "TRENDING", 118.5), draft("ETH-USD", "LONG", "TRENDING", 9.5))


@CASES("hours later, when a text speaks of another market")
def later(scene: Scene) -> Any:
    usual = draft("AAPL", "LONG", "TRENDING", 118.5)
    seen = explain(scene, usual)
    for _ in range(3):
        scene.pass_cycles(1_000)
        seen += explain(scene, usual, replace(usual, regime="VOLATILE"))
    return seen


@CASES("several decisions at the same time")
def together(scene: Scene) -> Any:
    drafts = [draft(*each, 118.5) for each in itertools.product(SYMBOLS, DIRECTIONS, REGIMES[:2])]
    scene.takes_s = dict.fromkeys(REFUSED, 2.0)
    seen = scene.call_together("reason", [(each,) for each in (*drafts, *drafts, replace(drafts[0], entry=120.0))])
    scene.drain()
    return seen


@CASES("a restart between explanations")
def restarted(scene: Scene) -> Any:
    usual = draft("AAPL", "LONG", "TRENDING", 118.5)
    drafts = [usual, price(usual, 119.0, "LONG"), price(usual, 118.5, "SHORT"), replace(usual, regime="VOLATILE")]
    seen = explain(scene, *drafts)
    scene.restart()
    scene.pass_cycles(2)
    return seen + explain(scene, *drafts, price(usual, 121.0, "LONG"))


@CASES("prices below a dollar, and above a hundred thousand")
def magnitudes(scene: Scene) -> Any:
    usual = draft("ETH-USD", "LONG", "TRENDING", 118.5)
    small = [replace(usual, entry=entry, stop=entry * 0.97, target=entry * 1.05) for entry in (0.0712, 0.5, 0.0004)]
    rounded = [replace(each, stop=round(each.stop, 5), target=round(each.target, 5)) for each in small]
    large = replace(usual, entry=165_846.23, stop=160_870.84, target=174_138.54)
    return explain(scene, *rounded, large, *rounded[::-1], usual)


@CASES("a restart after which the files that were kept are damaged")
def damaged(scene: Scene) -> Any:
    drafts = [draft(symbol, "LONG", "TRENDING", 118.5) for symbol in SYMBOLS]
    seen = explain(scene, *drafts)
    scene.restart()
    scene.damage_files()
    return seen + explain(scene, *drafts)


@CASES("a caller that leaves while others wait for the same explanation")
def left(scene: Scene) -> Any:
    usual = draft("AAPL", "LONG", "TRENDING", 118.5)
    scene.takes_s = dict.fromkeys(REFUSED, 2.0)
    seen = scene.call_and_leave("reason", [(usual,), (usual,), (replace(usual, regime="VOLATILE"),), (usual,)], 0.5)
    scene.drain()
    return [seen, explain(scene, usual)]
