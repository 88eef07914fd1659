"""Requests to every provider, alone and together, while answers change, are late, and are refused."""

from __future__ import annotations

from typing import Any

from argo_bench.pipeline.baseline.reason import prompt
from argo_bench.pipeline.model import Provider, Request
from argo_bench.pipeline.world.base import OPINION
from argo_bench.pipeline.world.content import MODELS
from argo_bench.study.checking.cases import Cases
from argo_bench.study.checking.cases.market import TWO_SYMBOLS, with_last
from argo_bench.study.checking.cases.reason import draft
from argo_bench.study.checking.scene import Scene

CASES = Cases("transport")
SYMBOLS = ("AAPL", "ETH-USD")


def plain(symbol: str) -> list[Request]:
    """Return the requests for market data and technical figures of a symbol."""
    figures = [Request("alpha_vantage", symbol, what) for what in ("rsi", "sma", "quote")]
    return [Request("massive", symbol, "bars"), Request("alpaca", symbol, "bars"), *figures]


def question(provider: Provider, symbol: str, text: str | None = None) -> Request:
    """Return a request to a model, by default for its opinion."""
    model = MODELS[provider]
    what = "explanation" if provider == "explanation" else "opinion"
    asked = OPINION.format(symbol=symbol) if text is None else text
    return Request(provider, symbol, what, asked, 0, model.system, model.name, model.max_tokens, model.temperature)


def everything(symbol: str) -> list[Request]:
    return [*plain(symbol), question("x_sentiment", symbol), question("sonar", symbol)]


def explanations() -> list[Request]:
    """Return questions that are alike and not the same: other symbols, directions, figures and regimes."""
    drafts = [
        draft("AAPL", "LONG", "TRENDING", 118.5),
        draft("AAPL", "SHORT", "TRENDING", 118.5),
        draft("AAPL", "LONG", "VOLATILE", 118.5),
        draft("AAPL", "LONG", "TRENDING", 118.51),
        draft("AAPL", "LONG", "TRENDING", 118.5, 81.26),
        draft("ETH-USD", "LONG", "TRENDING", 118.5),
    ]
    return [question("explanation", each.symbol, prompt(each)) for each in drafts]


@CASES("every request of two symbols, one after another")
def one_by_one(scene: Scene) -> Any:
    return [scene.request(each) for symbol in SYMBOLS for each in everything(symbol)]


@CASES("every request of two symbols at the same time, some twice")
def at_once(scene: Scene) -> Any:
    asked = [each for symbol in SYMBOLS for each in everything(symbol)]
    scene.takes_s = {(each.provider, each.symbol, each.what): 0.1 * place for place, each in enumerate(asked)}
    return scene.request(*asked, *asked[::3])


@CASES("more requests than connections")
def crowd(scene: Scene) -> Any:
    asked = [each for symbol in SYMBOLS for each in everything(symbol)] * 20
    scene.takes_s = {(each.provider, each.symbol, each.what): 0.2 for each in asked}
    return scene.request(*asked)


FIVE_MINUTES = 61
"""Cycles after which nothing may be served again that was asked for before them."""


@CASES("answers that change from one five minutes to the next")
def changing(scene: Scene) -> Any:
    seen = []
    for _ in range(6):
        seen += [scene.request(*everything(symbol)) for symbol in SYMBOLS]
        scene.pass_cycles(FIVE_MINUTES)
    return seen


@CASES("answers that are asked for every half minute, and change meanwhile")
def often(scene: Scene) -> Any:
    seen = []
    for turn in range(14):
        for place, what in enumerate(("rsi", "sma", "quote")):
            scene.says["alpha_vantage", "AAPL", what] = 50.0 + 40 * place + turn
        seen.append(scene.request(*everything("AAPL")))
        scene.pass_cycles(6)
    return seen


@CASES("a refusal is passed on, to its own request alone, and the next answer is right")
def refused(scene: Scene) -> Any:
    seen = []
    for gone in everything("AAPL"):
        scene.pass_cycles(61)
        scene.refuses = {(gone.provider, gone.symbol, gone.what)}
        seen.append(scene.request(*everything("AAPL"), *everything("ETH-USD")))
        scene.refuses = set()
        scene.pass_cycles(61)
        seen.append(scene.request(gone))
    return seen


@CASES("explanations of decisions that are alike")
def alike(scene: Scene) -> Any:
    asked = explanations()
    return [*(scene.request(each) for each in asked), scene.request(*reversed(asked))]


@CASES("the same question to a model in two wordings, and to another model")
def wordings(scene: Scene) -> Any:
    text = explanations()[0].prompt
    asked = [question("explanation", "AAPL", text), question("explanation", "AAPL", text + "\n")]
    opinions = [question("x_sentiment", "AAPL"), question("sonar", "AAPL"), question("x_sentiment", "ETH-USD")]
    longer = Request("explanation", "AAPL", "explanation", text, 0, "Answer in one word.", "sonar", 5, 1.0)
    return [scene.request(each) for each in (*asked, *opinions, longer, *opinions)]


@CASES("a question that is refused while others wait for the same answer")
def refused_together(scene: Scene) -> Any:
    asked = explanations()[:2]
    scene.takes_s = {("explanation", "AAPL", "explanation"): 2.0}
    scene.refuses = {("explanation", "AAPL", "explanation")}
    seen = scene.request(*asked, asked[0])
    scene.refuses = set()
    scene.pass_cycles(1)
    return [seen, scene.request(*asked, asked[0])]


HOURS_OPEN = 6.5
CYCLES_AN_HOUR = 720


@CASES("around the close of the stock exchange and in the night, while coins go on trading")
def after_hours(scene: Scene) -> Any:
    seen = []
    scene.pass_cycles(round(HOURS_OPEN * CYCLES_AN_HOUR) - 8)
    for turn in range(8):
        price = 2400.0 + turn
        scene.says["alpha_vantage", "ETH-USD", "quote"] = price
        scene.says["massive", "ETH-USD", "bars"] = with_last(TWO_SYMBOLS["ETH-USD"][0], price)
        seen += [scene.request(*plain(symbol)) for symbol in SYMBOLS]
        scene.pass_cycles(FIVE_MINUTES if turn < 6 else CYCLES_AN_HOUR)
    return seen


@CASES("answers that take their time: their age counts from when they were asked for")
def long_waits(scene: Scene) -> Any:
    seen = []
    scene.takes_s = {("alpha_vantage", "AAPL", what): 25.0 for what in ("rsi", "sma", "quote")}
    for turn in range(8):
        for place, what in enumerate(("rsi", "sma", "quote")):
            scene.says["alpha_vantage", "AAPL", what] = 50.0 + 40 * place + turn
        seen.append(scene.request(*plain("AAPL")[2:]))
        scene.pass_cycles(FIVE_MINUTES + 1)
    return seen
