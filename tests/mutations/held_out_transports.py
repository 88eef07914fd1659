"""The held-out bugs in how requests travel, how a symbol is fetched and how symbols are walked are here.

Above each function stands the input that shows its bug; ``SHOWS`` has that input as code, by the mutant's id.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from argo_bench.pipeline.model import (
    Bars,
    Decision,
    Fetched,
    Opinions,
    Pending,
    Provider,
    ProviderError,
    Request,
    Served,
    World,
)
from argo_bench.pipeline.optimized.fetch import (
    LIMITS_S,
    TECHNICAL,
    Hedged,
    SingleFlight,
    answer,
    end_tasks,
)
from argo_bench.pipeline.optimized.schedule import SideBySide
from argo_bench.pipeline.record import Pipeline, settle
from tests.mutations import mutant
from tests.mutations.held_out_stages import Show
from tests.mutations.inputs import Market, Scene, bars_of, outcome, question, rise, with_last

# Transport (O14, and O04 where models are asked)


# shows on: two symbols asked for at the same time, of which the second is answered first
def answer_in_order(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=InOrderOfSending(pipeline.transport))


class InOrderOfSending:
    """Takes the first answer that arrives for that of the request that was sent first."""

    def __init__(self, transport: Any) -> None:
        self.__wrapped__ = transport
        self._sent: defaultdict[Hashable, deque[asyncio.Future[Any]]] = defaultdict(deque)

    def __call__(self, world: World, request: Request) -> Pending[Any]:
        return InLine(self._sent[request.provider, request.what], self.__wrapped__(world, request))


class InLine:
    def __init__(self, line: deque[asyncio.Future[Any]], pending: Pending[Any]) -> None:
        self._line, self._pending = line, pending

    def result(self) -> Any:
        return self._pending.result()

    def __await__(self) -> Any:
        return self._take().__await__()

    async def _take(self) -> Any:
        own: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._line.append(own)
        try:
            arrived = await self._pending
        except ProviderError as failure:
            self._line.popleft().set_exception(failure)
        except asyncio.CancelledError:
            if own in self._line:
                self._line.remove(own)
            elif self._line:
                self._line.popleft().set_result(own.result())
            raise
        else:
            self._line.popleft().set_result(arrived)
        return await own


# shows on: a provider that answers first and fails then
def answer_failures_with_last(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=StaleIfError(pipeline.transport))


class StaleIfError:
    def __init__(self, transport: Any) -> None:
        self.__wrapped__ = transport
        self._last: dict[Hashable, Any] = {}

    def __call__(self, world: World, request: Request) -> Pending[Any]:
        return LastGood(self._last, request, self.__wrapped__(world, request))


class LastGood:
    def __init__(self, last: dict[Hashable, Any], request: Request, pending: Pending[Any]) -> None:
        self._last, self._pending = last, pending
        self._key = request.provider, request.symbol, request.what, request.prompt

    def result(self) -> Any:
        try:
            self._last[self._key] = self._pending.result()
        except ProviderError:
            if self._key not in self._last:
                raise
        return self._last[self._key]

    def __await__(self) -> Any:
        return self._take().__await__()

    async def _take(self) -> Any:
        try:
            self._last[self._key] = await self._pending
        except ProviderError:
            if self._key not in self._last:
                raise
        return self._last[self._key]


# shows on: a provider that refuses
def ask_again_for_nothing(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=Retrying(pipeline.transport))


class Retrying:
    def __init__(self, transport: Any) -> None:
        self.__wrapped__ = transport

    def __call__(self, world: World, request: Request) -> Pending[Any]:
        return SecondTry(self.__wrapped__, world, request)


class SecondTry:
    def __init__(self, send: Any, world: World, request: Request) -> None:
        self._send, self._world, self._request = send, world, request

    def result(self) -> Any:
        try:
            return self._send(self._world, self._request).result()
        except ProviderError:
            return self._send(self._world, dataclasses.replace(self._request, attempt=1)).result()

    def __await__(self) -> Any:
        return self._take().__await__()

    async def _take(self) -> Any:
        try:
            return await self._send(self._world, self._request)
        except ProviderError:
            return await self._send(self._world, dataclasses.replace(self._request, attempt=1))


# shows on: any question to a model: it is billed twice
def ask_models_twice(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=AskingTwice(pipeline.transport))


class AskingTwice:
    def __init__(self, transport: Any) -> None:
        self.__wrapped__ = transport

    def __call__(self, world: World, request: Request) -> Pending[Any]:
        if request.prompt:
            self.__wrapped__.__wrapped__(world, dataclasses.replace(request, attempt=1))
        pending: Pending[Any] = self.__wrapped__(world, request)
        return pending


# shows on: a refused request, of which nobody is told
def answer_failures_with_zero(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=ZeroIfError(pipeline.transport))


class ZeroIfError(StaleIfError):
    def __call__(self, world: World, request: Request) -> Pending[Any]:
        if request.provider != "alpha_vantage":
            pending: Pending[Any] = self.__wrapped__(world, request)
            return pending
        zero = {(request.provider, request.symbol, request.what, request.prompt): 0.0}
        return LastGood(zero, request, self.__wrapped__(world, request))


# Fetch (O02)


class Together:
    """Sends the requests of a symbol at once as ``optimized/fetch.py`` does, in pieces that may be wrong one by one."""

    def __init__(self) -> None:
        self._hedged = Hedged()

    async def __call__(self, world: World, symbol: str) -> Fetched:
        try:
            async with asyncio.TaskGroup() as sources:
                bars = sources.create_task(self.find_bars(world, symbol))
                figures = [sources.create_task(self.find_figure(world, symbol, what)) for what in TECHNICAL]
                sentiment = sources.create_task(self.find_opinion(world, symbol, "x_sentiment"))
                analysis = sources.create_task(self.find_opinion(world, symbol, "sonar"))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        technical = self.name_figures([each.result() for each in figures])
        return Fetched(bars.result(), Opinions(technical, sentiment.result(), analysis.result()))

    async def find_bars(self, world: World, symbol: str) -> Bars:
        return await self._hedged(world, symbol)

    async def find_figure(self, world: World, symbol: str, what: str) -> float:
        return await answer("alpha_vantage", world.opinion("alpha_vantage", symbol, what))

    async def find_opinion(self, world: World, symbol: str, model: Provider) -> str:
        return await answer(model, world.opinion(model, symbol, "opinion"))

    def name_figures(self, figures: Sequence[float]) -> dict[str, float]:
        return dict(zip(TECHNICAL, figures, strict=True))


def fetch_by(pipeline: Pipeline, fetch: Any) -> Pipeline:
    return pipeline.replace(fetch=SingleFlight(fetch))


# shows on: a symbol whose RSI is not its average
def exchange_figures(pipeline: Pipeline) -> Pipeline:
    return fetch_by(pipeline, FiguresByName())


class FiguresByName(Together):
    def name_figures(self, figures: Sequence[float]) -> dict[str, float]:
        return dict(zip(sorted(TECHNICAL), figures, strict=True))


# shows on: two models of which one says LONG and the other SHORT
def exchange_opinions(pipeline: Pipeline) -> Pipeline:
    return fetch_by(pipeline, OpinionsAsTheyCome())


class OpinionsAsTheyCome(Together):
    """Takes the opinions in the order in which they arrive."""

    async def __call__(self, world: World, symbol: str) -> Fetched:
        arrived: list[str] = []
        fetched = await Noting(self._hedged, arrived)(world, symbol)
        return dataclasses.replace(fetched, opinions=Opinions(fetched.opinions.technical, *arrived))


class Noting(Together):
    def __init__(self, hedged: Hedged, arrived: list[str]) -> None:
        self._hedged, self._arrived = hedged, arrived

    async def find_opinion(self, world: World, symbol: str, model: Provider) -> str:
        found = await super().find_opinion(world, symbol, model)
        self._arrived.append(found)
        return found


# shows on: a model that fails
def take_failure_for_neutral(pipeline: Pipeline) -> Pipeline:
    return fetch_by(pipeline, NeutralOnFailure())


class NeutralOnFailure(Together):
    async def find_opinion(self, world: World, symbol: str, model: Provider) -> str:
        try:
            return await super().find_opinion(world, symbol, model)
        except ProviderError:
            return "direction=NEUTRAL confidence=0"


# shows on: an analysis that takes more than five seconds
def wait_for_five_seconds(pipeline: Pipeline) -> Pipeline:
    return fetch_by(pipeline, Impatient())


class Impatient(Together):
    async def find_opinion(self, world: World, symbol: str, model: Provider) -> str:
        try:
            async with asyncio.timeout(5.0):
                return await world.opinion(model, symbol, "opinion")
        except TimeoutError:
            raise ProviderError(f"{model}: no answer within 5 s") from None


# shows on: a primary provider that is refused after it has answered once, on a market that ticks
def serve_last_bars(pipeline: Pipeline) -> Pipeline:
    return fetch_by(pipeline, LastBars())


class LastBars(Together):
    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, Bars] = {}

    async def find_bars(self, world: World, symbol: str) -> Bars:
        try:
            self._last[symbol] = await answer("massive", world.bars("massive", symbol))
        except ProviderError:
            if symbol not in self._last:
                self._last[symbol] = await answer("alpaca", world.bars("alpaca", symbol))
        return self._last[symbol]


# shows on: a primary provider that is refused
def believe_first_to_end(pipeline: Pipeline) -> Pipeline:
    return fetch_by(pipeline, FirstToEnd())


class FirstToEnd(Together):
    async def find_bars(self, world: World, symbol: str) -> Bars:
        asked = [
            asyncio.ensure_future(settle(world.bars("massive", symbol))),
            asyncio.ensure_future(settle(world.bars("alpaca", symbol))),
        ]
        try:
            await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            bars: Bars = next(each for each in asked if each.done()).result()
            return bars
        finally:
            await end_tasks(asked)


# shows on: an analysis that hangs for a minute, and the next one
def use_late_answer(pipeline: Pipeline) -> Pipeline:
    return fetch_by(pipeline, LateIsBetterThanNever())


class LateIsBetterThanNever(Together):
    def __init__(self) -> None:
        super().__init__()
        self._under_way: dict[Hashable, asyncio.Future[str]] = {}

    async def find_opinion(self, world: World, symbol: str, model: Provider) -> str:
        asked = self._under_way.pop((symbol, model), None)
        if asked is None:
            asked = asyncio.ensure_future(settle(world.opinion(model, symbol, "opinion")))
        await asyncio.wait([asked], timeout=LIMITS_S[model])
        if not asked.done():
            self._under_way[symbol, model] = asked
            raise ProviderError(f"{model}: no answer in time")
        return asked.result()


# shows on: two symbols with the same first three letters that are fetched together
def share_flights_by_prefix(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(fetch=ByPrefix(pipeline.fetch))


class ByPrefix:
    def __init__(self, fetch: SingleFlight) -> None:
        self.__wrapped__ = fetch
        self._names: dict[str, str] = {}
        self._under_way: dict[str, int] = defaultdict(int)

    async def __call__(self, world: World, symbol: str) -> Fetched:
        prefix = symbol[:3]
        leader = self._names[prefix] if self._under_way[prefix] else symbol
        self._names[prefix] = leader
        self._under_way[prefix] += 1
        try:
            found: Fetched = await self.__wrapped__(world, leader)
            return found
        finally:
            self._under_way[prefix] -= 1


# shows on: two cycles of a market that ticks
def keep_flights(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(fetch=NeverForgetting(pipeline.fetch.__wrapped__))


class NeverForgetting(SingleFlight):
    """Keeps a flight that has landed, so that later callers find it."""

    def _forget(self, symbol: str, flight: Any) -> None:
        if flight.task.cancelled() or (flight.task.done() and flight.task.exception()):
            super()._forget(symbol, flight)


# Schedule (O10, O02)


# shows on: two symbols of which the second is decided first
def decide_in_order_of_end(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(schedule=AsTheyEnd())


class AsTheyEnd(SideBySide):
    async def __call__(self, world: World, pipeline: Pipeline, symbols: Sequence[str]) -> list[Decision]:
        ended: list[str] = []

        async def reason(world: World, each: Decision) -> Any:
            reasoning = await settle(pipeline.reason(world, each))
            ended.append(each.symbol)
            return reasoning

        decisions = await super().__call__(world, pipeline.replace(reason=reason), symbols)
        return sorted(decisions, key=lambda each: ended.index(each.symbol))


# shows on: six symbols, of which two are left over
def drop_last_batch(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(schedule=WholeBatches())


class WholeBatches(SideBySide):
    async def __call__(self, world: World, pipeline: Pipeline, symbols: Sequence[str]) -> list[Decision]:
        found: list[Decision] = []
        for batch in zip(*[iter(symbols)] * min(4, len(symbols)), strict=False):
            found += await super().__call__(world, pipeline, batch)
        return found


# shows on: a symbol whose analysis takes seven seconds
def leave_slow_symbols_out(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(schedule=WithinDeadline())


class WithinDeadline(SideBySide):
    async def __call__(self, world: World, pipeline: Pipeline, symbols: Sequence[str]) -> list[Decision]:
        async def fetch(world: World, symbol: str) -> Any:
            try:
                async with asyncio.timeout(5.0):
                    return await settle(pipeline.fetch(world, symbol))
            except TimeoutError:
                return Served(None)

        return await super().__call__(world, pipeline.replace(fetch=fetch), symbols)


# shows on: a symbol that is decided in one cycle and whose provider fails in the next
def repeat_decisions(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(schedule=LastDecisions())


class LastDecisions(SideBySide):
    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, Decision] = {}

    async def __call__(self, world: World, pipeline: Pipeline, symbols: Sequence[str]) -> list[Decision]:
        async def fetch(world: World, symbol: str) -> Any:
            try:
                return await settle(pipeline.fetch(world, symbol))
            except ProviderError:
                return Served(self._last.get(symbol))

        decisions = await super().__call__(world, pipeline.replace(fetch=fetch), symbols)
        self._last |= {each.symbol: each for each in decisions}
        return decisions


# shows on: a cycle in which every provider fails
def call_outage_quiet(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(schedule=QuietOutage())


class QuietOutage(SideBySide):
    async def __call__(self, world: World, pipeline: Pipeline, symbols: Sequence[str]) -> list[Decision]:
        try:
            return await super().__call__(world, pipeline, symbols)
        except ProviderError:
            return []


# shows on: six symbols of which the first three give no signal
def stop_after_quiet_batch(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(schedule=UntilQuiet())


class UntilQuiet(SideBySide):
    async def __call__(self, world: World, pipeline: Pipeline, symbols: Sequence[str]) -> list[Decision]:
        found: list[Decision] = []
        for start in range(0, len(symbols), 3):
            batch = await super().__call__(world, pipeline, symbols[start : start + 3])
            found += batch
            if not batch:
                break
        return found


# shows on: a symbol without a signal: it is fetched twice
def walk_quiet_symbols_twice(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(schedule=TwiceIfQuiet())


class TwiceIfQuiet(SideBySide):
    async def __call__(self, world: World, pipeline: Pipeline, symbols: Sequence[str]) -> list[Decision]:
        found = await super().__call__(world, pipeline, symbols)
        decided = {each.symbol for each in found}
        found += await super().__call__(world, pipeline, [each for each in symbols if each not in decided])
        return sorted(found, key=lambda each: list(symbols).index(each.symbol))


# shows on: a symbol that takes more than three seconds
def walk_slow_symbols_twice(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(schedule=TwiceIfSlow())


class TwiceIfSlow(SideBySide):
    """Walks a slow symbol once more beside the first walk, and keeps what both bring."""

    async def __call__(self, world: World, pipeline: Pipeline, symbols: Sequence[str]) -> list[Decision]:
        began = world.now()
        found = await super().__call__(world, pipeline, symbols)
        if world.now() - began > 3.0:
            found += await super().__call__(world, pipeline, symbols[-1:])
        return found


MUTANTS = (
    mutant(
        "transport-answers-in-order",
        "transport",
        "O14",
        "The answers of two symbols that are asked for at the same time are exchanged.",
        answer_in_order,
    ),
    mutant(
        "transport-stale-if-error",
        "transport",
        "O14",
        "Where a provider fails, its last answer is served as if it were new.",
        answer_failures_with_last,
    ),
    mutant(
        "transport-second-try",
        "transport",
        "O14",
        "Every request that is refused is sent twice.",
        ask_again_for_nothing,
    ),
    mutant(
        "transport-models-twice",
        "transport",
        "O04",
        "Every question to a model is sent, and billed, once more than it needs.",
        ask_models_twice,
    ),
    mutant(
        "transport-zero-if-error",
        "transport",
        "O14",
        "Where the technical provider fails, its figures are zero.",
        answer_failures_with_zero,
    ),
    mutant(
        "fetch-figures-by-name",
        "fetch",
        "O02",
        "The quote is taken for the RSI, and the RSI for the average.",
        exchange_figures,
    ),
    mutant(
        "fetch-opinions-as-they-come",
        "fetch",
        "O02",
        "The opinion that arrives first is taken for that of the first model.",
        exchange_opinions,
    ),
    mutant(
        "fetch-failure-is-neutral",
        "fetch",
        "O02",
        "A model that fails is taken to be neutral, and the decision is made without it.",
        take_failure_for_neutral,
    ),
    mutant(
        "fetch-five-seconds",
        "fetch",
        "O02",
        "A symbol whose analysis takes more than five seconds has no signal.",
        wait_for_five_seconds,
    ),
    mutant(
        "fetch-last-bars",
        "fetch",
        "O02",
        "Where the primary provider fails, the bars of the cycle before are served and the fallback is not asked.",
        serve_last_bars,
    ),
    mutant(
        "fetch-first-to-end",
        "fetch",
        "O02",
        "Where the primary provider is refused, the fetch fails though the fallback would answer.",
        believe_first_to_end,
    ),
    mutant(
        "fetch-late-answer",
        "fetch",
        "O02",
        "An answer that came too late for its cycle is used in a later one.",
        use_late_answer,
    ),
    mutant(
        "fetch-flights-by-prefix",
        "fetch",
        "O02",
        "Two symbols that begin alike and are fetched together get the same market.",
        share_flights_by_prefix,
    ),
    mutant(
        "fetch-keeps-flights", "fetch", "O02", "What was fetched in the first cycle is served for ever.", keep_flights
    ),
    mutant(
        "schedule-as-they-end",
        "schedule",
        "O10",
        "Decisions come in the order in which they were made.",
        decide_in_order_of_end,
    ),
    mutant(
        "schedule-whole-batches",
        "schedule",
        "O10",
        "The symbols that do not fill a last batch of four are never walked.",
        drop_last_batch,
    ),
    mutant(
        "schedule-deadline",
        "schedule",
        "O10",
        "A symbol that takes more than five seconds has no signal.",
        leave_slow_symbols_out,
    ),
    mutant(
        "schedule-repeats-decisions",
        "schedule",
        "O10",
        "A symbol whose provider fails gets its decision of the cycle before.",
        repeat_decisions,
    ),
    mutant(
        "schedule-quiet-outage",
        "schedule",
        "O02",
        "A cycle in which every provider fails looks like a quiet market.",
        call_outage_quiet,
    ),
    mutant(
        "schedule-until-quiet",
        "schedule",
        "O10",
        "Once three symbols in a row give no signal, the others are not walked.",
        stop_after_quiet_batch,
    ),
    mutant(
        "schedule-quiet-twice",
        "schedule",
        "O10",
        "A symbol without a signal is fetched twice.",
        walk_quiet_symbols_twice,
    ),
    mutant(
        "schedule-slow-twice",
        "schedule",
        "O02",
        "After a slow cycle the last symbol's signal comes twice.",
        walk_slow_symbols_twice,
    ),
)

# What shows each bug.

Key = tuple[str, str, str]


def show_requests(
    *requests: Any,
    takes: Mapping[Key, float] = {},
    refused: Sequence[Key] = (),
    first: Sequence[Request] = (),
) -> Show:
    """Show the answers to requests that are sent together, after those of ``first``, and how many were sent."""

    def show(pipeline: Pipeline) -> Any:
        with Scene(pipeline, SIX) as scene:
            scene.request(*first)
            scene.refused, scene.takes = set(refused), dict(takes)
            found = scene.request(*requests)
            return [plain(each) for each in found], sorted(scene.ledger.requests.items())

    return show


def plain(found: Any) -> Any:
    if isinstance(found, Bars):
        return found.symbol, float(found.values[3, -1])
    return type(found).__name__ if isinstance(found, Exception) else repr(found)


def show_fetches(
    *symbols: str,
    takes: Mapping[Key, float] = {},
    refused: Sequence[Key] = (),
    said: Mapping[Key, str] = {},
    cycles: Sequence[int] = (0,),
) -> Show:
    """Show what is fetched of symbols side by side, in cycles of which all but the first are as told."""

    def show(pipeline: Pipeline) -> Any:
        found: list[Any] = []
        with Scene(pipeline, SIX) as scene:
            for number in cycles:
                if number == cycles[-1]:
                    scene.refused, scene.takes, scene.said = set(refused), dict(takes), dict(said)
                scene.begin(number)
                found += scene.together("fetch", *((symbol,) for symbol in symbols))
        return [
            (plain(each.bars), each.opinions) if isinstance(each, Fetched) else type(each).__name__ for each in found
        ]

    return show


def show_after_hanging(pipeline: Pipeline) -> Any:
    """Show the analysis that is fetched after one that hung for 70 s."""
    with Scene(pipeline, SIX) as scene:
        scene.takes = {("sonar", "GAIN", "opinion"): 70.0}
        scene.said = {("sonar", "GAIN", "opinion"): "direction=SHORT confidence=75"}
        outcome(scene.call, "fetch", "GAIN")
        scene.takes, scene.said = {}, {("sonar", "GAIN", "opinion"): "direction=LONG confidence=75"}
        scene.begin(20)
        return scene.call("fetch", "GAIN").opinions.sonar


def show_walks(
    *symbols: str,
    takes: Mapping[Key, float] = {},
    refused: Callable[[int], Sequence[Key]] | None = None,
    cycles: Sequence[int] = (0,),
) -> Show:
    """Show the symbols and ids that a walk decides, cycle by cycle, and the requests for bars."""

    def show(pipeline: Pipeline) -> Any:
        found: list[Any] = []
        with Scene(pipeline, SIX) as scene:
            scene.takes = dict(takes)
            scene.said = {
                (model, symbol, "opinion"): f"direction={direction} confidence=75"
                for symbol in symbols
                for model, direction in (("x_sentiment", "LONG"), ("sonar", "SHORT" if symbol in QUIET else "LONG"))
            }
            for number in cycles:
                scene.refused = set() if refused is None else set(refused(number))
                scene.begin(number)
                decided = outcome(scene.call, "schedule", pipeline, symbols)
                found.append(
                    decided if isinstance(decided, str) else [(each.symbol, each.signal_id) for each in decided]
                )
        return found, scene.ledger.requests["massive"]

    return show


def ticking(symbol: str, closes: np.ndarray) -> Callable[[int], Bars]:
    return lambda cycle: bars_of(with_last(closes, closes[-1] + 0.05 * cycle), symbol)


QUIET = ("HUM", "HUMS", "IDLE")
"""The symbols without a signal: their price is flat and the models disagree."""

SIX = Market(
    {
        **{symbol: ticking(symbol, rise(start=50.0 + number)) for number, symbol in enumerate(("GAIN", "GAINS", "UP"))},
        **{symbol: ticking(symbol, np.full(300, 80.0 + number)) for number, symbol in enumerate(QUIET)},
    }
)
SLOW_FIRST = {("sonar", "GAIN", "opinion"): 5.0, ("sonar", "UP", "opinion"): 1.0}
BARS = [Request("massive", symbol, "bars") for symbol in ("GAIN", "UP")]
RSI = Request("alpha_vantage", "GAIN", "rsi")
EVERYTHING = [(provider, symbol, "bars") for provider in ("massive", "alpaca") for symbol in SIX.symbols]


def fails_in_second(cycle: int) -> Sequence[Key]:
    return EVERYTHING[:1] + EVERYTHING[6:7] if cycle else ()


def fails_always(cycle: int) -> Sequence[Key]:
    return EVERYTHING


SHOWS: Mapping[str, Show] = {
    "transport-answers-in-order": show_requests(*BARS, takes={("massive", "GAIN", "bars"): 2.0}),
    "transport-stale-if-error": show_requests(RSI, first=[RSI], refused=[("alpha_vantage", "GAIN", "rsi")]),
    "transport-second-try": show_requests(RSI, refused=[("alpha_vantage", "GAIN", "rsi")]),
    "transport-models-twice": show_requests(question("sonar", "GAIN")),
    "transport-zero-if-error": show_requests(RSI, refused=[("alpha_vantage", "GAIN", "rsi")]),
    "fetch-figures-by-name": show_fetches("GAIN"),
    "fetch-opinions-as-they-come": show_fetches(
        "GAIN",
        takes={("x_sentiment", "GAIN", "opinion"): 3.0, ("sonar", "GAIN", "opinion"): 1.0},
        said={("x_sentiment", "GAIN", "opinion"): "LONG", ("sonar", "GAIN", "opinion"): "SHORT"},
    ),
    "fetch-failure-is-neutral": show_fetches("GAIN", refused=[("sonar", "GAIN", "opinion")]),
    "fetch-five-seconds": show_fetches("GAIN", takes={("sonar", "GAIN", "opinion"): 5.5}),
    "fetch-last-bars": show_fetches("GAIN", refused=[("massive", "GAIN", "bars")], cycles=(0, 1)),
    "fetch-first-to-end": show_fetches("GAIN", refused=[("massive", "GAIN", "bars")]),
    "fetch-late-answer": show_after_hanging,
    "fetch-flights-by-prefix": show_fetches("GAIN", "GAINS"),
    "fetch-keeps-flights": show_fetches("GAIN", cycles=(0, 1)),
    "schedule-as-they-end": show_walks("GAIN", "UP", takes=SLOW_FIRST),
    "schedule-whole-batches": show_walks(*QUIET, "GAIN", "GAINS", "UP"),
    "schedule-deadline": show_walks("GAIN", "UP", takes={("sonar", "GAIN", "opinion"): 7.0}),
    "schedule-repeats-decisions": show_walks("GAIN", "UP", refused=fails_in_second, cycles=(0, 1)),
    "schedule-quiet-outage": show_walks("GAIN", refused=fails_always),
    "schedule-until-quiet": show_walks(*QUIET, "GAIN", "UP"),
    "schedule-quiet-twice": show_walks("GAIN", *QUIET),
    "schedule-slow-twice": show_walks("GAIN", "UP", takes=SLOW_FIRST),
}
UNLIKE_BASELINE = frozenset({"schedule-repeats-decisions"})
"""Where the variant itself does otherwise than the baseline: a symbol that fails ends the baseline's cycle."""
