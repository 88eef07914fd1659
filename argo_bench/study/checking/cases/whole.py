"""Whole cycles of a market in which every symbol decides: what is decided, rejected, stored and read."""

from __future__ import annotations

from typing import Any

from argo_bench.pipeline.model import Readings
from argo_bench.study.checking.cases import Cases
from argo_bench.study.checking.cases.schedule import SEVEN, let_decide, universe
from argo_bench.study.checking.differences import RowsAtTheEnd
from argo_bench.study.checking.scene import Scene

CASES = Cases("whole")


def walk(scene: Scene, cycles: int, step: int = 1) -> list[Any]:
    seen = []
    for _ in range(cycles):
        seen.append(scene.walk())
        scene.pass_cycles(step)
    return seen


def end(scene: Scene) -> Any:
    """Return the rows that are there when everything is closed."""
    scene.drain()
    return RowsAtTheEnd(scene.stored_rows())


def read_at_the_end(scene: Scene) -> Any:
    """Return the rows that readers see when everything is closed: they saw others before."""
    found = scene.call("read", scene.market.symbols)
    return [RowsAtTheEnd(found.latest), RowsAtTheEnd(found.latest_of_symbol)] if isinstance(found, Readings) else found


@CASES("several cycles, and the rows at the end", SEVEN)
def several_cycles(scene: Scene) -> Any:
    let_decide(scene, scene.market.symbols)
    return [walk(scene, 5), end(scene)]


@CASES("models that change their mind from minute to minute", SEVEN)
def changing_minds(scene: Scene) -> Any:
    seen = []
    for turn in range(3):
        let_decide(scene, scene.market.symbols if turn % 2 else scene.market.symbols[::-1])
        seen += walk(scene, 1, 13)
    return [seen, end(scene)]


@CASES("quotes that are off the price, so that entries are rejected", SEVEN)
def off_the_quote(scene: Scene) -> Any:
    let_decide(scene, scene.market.symbols)
    for symbol in scene.market.symbols[:2]:
        scene.says["alpha_vantage", symbol, "quote"] = 10.0
    return [walk(scene, 2), end(scene)]


@CASES("explanations that fail: templates are stored as such", SEVEN)
def templates(scene: Scene) -> Any:
    let_decide(scene, scene.market.symbols)
    scene.refuses = {("explanation", symbol, "explanation") for symbol in scene.market.symbols[:4]}
    seen = walk(scene, 2)
    scene.refuses = set()
    return [seen, walk(scene, 2), end(scene)]


@CASES("a restart between cycles", SEVEN)
def restarted(scene: Scene) -> Any:
    let_decide(scene, scene.market.symbols)
    seen = walk(scene, 2)
    scene.restart()
    return [seen, walk(scene, 2), end(scene)]


@CASES("a coin of a few cents and one of a hundred thousand dollars", universe(4, (0.004, 1_500.0)))
def magnitudes(scene: Scene) -> Any:
    let_decide(scene, scene.market.symbols)
    return [walk(scene, 3), end(scene)]


@CASES("answers that take their time", SEVEN)
def slow(scene: Scene) -> Any:
    let_decide(scene, scene.market.symbols)
    for place, symbol in enumerate(scene.market.symbols):
        scene.takes_s["x_sentiment", symbol, "opinion"] = 0.25 * place
        scene.takes_s["explanation", symbol, "explanation"] = 1.0
    return [walk(scene, 2, 20), end(scene)]


@CASES("explanations that come late, and the rows when they are there", SEVEN)
def late(scene: Scene) -> Any:
    let_decide(scene, scene.market.symbols)
    for place, symbol in enumerate(scene.market.symbols):
        scene.takes_s["explanation", symbol, "explanation"] = 1.5 + 0.5 * place
    return [walk(scene, 1, 4), walk(scene, 1, 4), end(scene), read_at_the_end(scene)]


@CASES("explanations that come late for signals of which some are rejected", SEVEN)
def late_and_rejected(scene: Scene) -> Any:
    let_decide(scene, scene.market.symbols)
    for symbol in scene.market.symbols:
        scene.takes_s["explanation", symbol, "explanation"] = 12.0
    for symbol in scene.market.symbols[:3]:
        scene.says["alpha_vantage", symbol, "quote"] = 10.0
    return [walk(scene, 1, 4), walk(scene, 1, 4), end(scene), read_at_the_end(scene)]
