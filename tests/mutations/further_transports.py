"""Further bugs in how requests travel, how a symbol is fetched and how symbols are walked are here.

Above each function stands the input that shows its bug; ``SHOWS`` has that input as code, by the mutant's id.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Generator, Hashable, Mapping, Sequence
from functools import partial
from typing import Any

from argo_bench.pipeline.model import (
    Bars,
    Choice,
    Completion,
    Decision,
    Fetched,
    Message,
    Pending,
    Provider,
    ProviderError,
    Request,
    Served,
    Usage,
    World,
)
from argo_bench.pipeline.optimized.schedule import SideBySide
from argo_bench.pipeline.optimized.transport import Arriving, Session, WithinBudget
from argo_bench.pipeline.record import Pipeline, settle
from tests.mutations import mutant
from tests.mutations.held_out_caches import (
    NIGHT_S,
    RISING,
    SENTIMENT,
    InEightPlaces,
    show_after_failure,
    show_answers,
)
from tests.mutations.held_out_stages import Show
from tests.mutations.held_out_transports import (
    BARS,
    QUIET,
    RSI,
    SIX,
    Key,
    Together,
    fetch_by,
    plain,
    show_fetches,
    show_requests,
    show_walks,
)
from tests.mutations.inputs import Scene, question

# Transport (O14, and what wraps it: O03, O04)


class Turned:
    """Stands for a request under way of whose outcome, an answer or a ProviderError, ``turn`` makes another."""

    def __init__(self, pending: Pending[Any], turn: Callable[[Any], Any]) -> None:
        self._pending, self._turn = pending, turn

    def result(self) -> Any:
        try:
            found = self._pending.result()
        except ProviderError as failure:
            found = failure
        return self._turn(found)

    def __await__(self) -> Generator[Any, None, Any]:
        try:
            found = yield from self._pending.__await__()
        except ProviderError as failure:
            found = failure
        return self._turn(found)


class Turning:
    """Wraps a transport and changes what comes of its requests."""

    def __init__(self, transport: Any) -> None:
        self.__wrapped__ = transport

    def __call__(self, world: World, request: Request) -> Pending[Any]:
        return Turned(self.__wrapped__(world, request), partial(self._turn, world, request))

    def _turn(self, world: World, request: Request, found: Any) -> Any:
        if isinstance(found, ProviderError):
            raise found
        return self.change(world, request, found)

    def change(self, world: World, request: Request, answer: Any) -> Any:
        return answer


# shows on: the RSI and the average of one symbol
def forget_figure(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=OfAnyFigure(pipeline.transport.__wrapped__))


class OfAnyFigure(InEightPlaces):
    def __call__(self, world: World, request: Request) -> Pending[Any]:
        if request.provider == "explanation":
            return WithinBudget.__call__(self, world, request)
        return self.answer(world, request, (request.provider, request.symbol, request.prompt))


# shows on: three symbols of which the second is refused
def read_what_was_left(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=OutOfStep(pipeline.transport))


class OutOfStep(Turning):
    """Finds, after a refusal, an earlier answer of the connection in the place of the next one."""

    def __init__(self, transport: Any) -> None:
        super().__init__(transport)
        self._last: dict[Hashable, Any] = {}
        self._refused: set[Provider] = set()

    def _turn(self, world: World, request: Request, found: Any) -> Any:
        if isinstance(found, ProviderError):
            self._refused.add(request.provider)
        return super()._turn(world, request, found)

    def change(self, world: World, request: Request, answer: Any) -> Any:
        left = self._last.get((request.provider, request.what), answer)
        self._last[request.provider, request.what] = answer
        if request.provider not in self._refused:
            return answer
        self._refused.remove(request.provider)
        return left


# shows on: a model that fails, and would answer the same question later
def keep_refusals(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=KeepingRefusals(pipeline.transport))


class KeepingRefusals(Turning):
    """Remembers of a question to the model that it was refused."""

    def __init__(self, transport: Any) -> None:
        super().__init__(transport)
        self._refused: dict[Hashable, ProviderError] = {}

    def _turn(self, world: World, request: Request, found: Any) -> Any:
        asked = request.provider, request.symbol, request.prompt
        if request.prompt and isinstance(found, ProviderError):
            self._refused[asked] = found
        return super()._turn(world, request, self._refused.get(asked, found))


# shows on: a model that fails
def answer_failures_with_nothing(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=EmptyIfError(pipeline.transport))


class EmptyIfError(Turning):
    def _turn(self, world: World, request: Request, found: Any) -> Any:
        if request.what == "opinion" and isinstance(found, ProviderError):
            return Completion("", request.model, (Choice(Message("assistant", ""), "stop"),), Usage(0, 0, 0))
        return super()._turn(world, request, found)


# shows on: an opinion that is asked for again after two minutes
def serve_while_revalidating(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=Revalidating(pipeline.transport.__wrapped__))


class Revalidating(WithinBudget):
    """Serves an answer that has expired once more, however old it is, and keeps the new one for the next."""

    def __call__(self, world: World, request: Request) -> Pending[Any]:
        key = request.provider, request.symbol, request.what, request.prompt
        kept = self._kept.get(key)
        if request.provider == "explanation" or kept is None or world.now() < kept.expires_at:
            return super().__call__(world, request)
        self.misses += 1
        keep = partial(self._keep, world, request, key, world.now())
        return Turned(Arriving(self.__wrapped__(world, request), keep), partial(prefer, kept.answer))


def prefer(kept: Any, found: Any) -> Any:
    if isinstance(found, ProviderError):
        raise found
    return kept


# shows on: two cycles of a market that ticks
def serve_last_cycle(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=OneCycleLate(pipeline.transport))


class OneCycleLate(Turning):
    """Asks ahead: what arrives in a cycle is served in the next."""

    def __init__(self, transport: Any) -> None:
        super().__init__(transport)
        self._ahead: dict[Hashable, tuple[int, Any]] = {}

    def change(self, world: World, request: Request, answer: Any) -> Any:
        if request.prompt:
            return answer
        key = request.provider, request.symbol, request.what
        asked_in, ahead = self._ahead.get(key, (world.cycle, answer))
        self._ahead[key] = world.cycle, answer
        return ahead if asked_in < world.cycle else answer


# shows on: a history of more than 250 bars
def read_first_page(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=OnePage(pipeline.transport))


class OnePage(Turning):
    def change(self, world: World, request: Request, answer: Any) -> Any:
        if not isinstance(answer, Bars):
            return answer
        return dataclasses.replace(answer, timestamps=answer.timestamps[-250:], values=answer.values[:, -250:])


# shows on: any RSI: it has more than two decimals
def round_figures(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=TwoDecimals(pipeline.transport))


class TwoDecimals(Turning):
    def change(self, world: World, request: Request, answer: Any) -> Any:
        return round(answer, 2) if isinstance(answer, float) else answer


# shows on: a minute after the opening, and the night before
def open_an_hour_late(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=AnHourLate(pipeline.transport.__wrapped__))


class AnHourLate(WithinBudget):
    """Takes the exchange's hours for those of summer time, or the other way round."""

    def _session_at(self, now: float) -> Session:
        session = super()._session_at(now)
        return session._replace(opens_at=session.opens_at + 3600.0)


# Fetch (O02)


# shows on: an opinion that changes from one cycle to the next
def ask_models_ahead(pipeline: Pipeline) -> Pipeline:
    return fetch_by(pipeline, AskingAhead())


class AskingAhead(Together):
    def __init__(self) -> None:
        super().__init__()
        self._ahead: dict[Hashable, str] = {}

    async def find_opinion(self, world: World, symbol: str, model: Provider) -> str:
        found = await super().find_opinion(world, symbol, model)
        ahead = self._ahead.get((symbol, model), found)
        self._ahead[symbol, model] = found
        return ahead


# shows on: a quote that is not the last close
def take_close_for_quote(pipeline: Pipeline) -> Pipeline:
    return fetch_by(pipeline, WithoutQuote())


class WithoutQuote(Together):
    """Saves the request for the quote, which the entry is to be checked against."""

    async def __call__(self, world: World, symbol: str) -> Fetched:
        found = await super().__call__(world, symbol)
        technical = {**found.opinions.technical, "quote": float(found.bars.values[3, -1])}
        return dataclasses.replace(found, opinions=dataclasses.replace(found.opinions, technical=technical))

    async def find_figure(self, world: World, symbol: str, what: str) -> float:
        return 0.0 if what == "quote" else await super().find_figure(world, symbol, what)


# shows on: a symbol that is fetched after another one of the same cycle has failed
def fail_all_after_one(pipeline: Pipeline) -> Pipeline:
    return fetch_by(pipeline, FailingFast())


class FailingFast(Together):
    """Asks nobody for the rest of a cycle in which one symbol has failed."""

    _failed_in = -1

    async def __call__(self, world: World, symbol: str) -> Fetched:
        if self._failed_in == world.cycle:
            raise ProviderError("a provider has failed in this cycle")
        try:
            return await super().__call__(world, symbol)
        except ProviderError:
            self._failed_in = world.cycle
            raise


# shows on: a second model that takes longer than three seconds
def take_first_opinion_twice(pipeline: Pipeline) -> Pipeline:
    return fetch_by(pipeline, FirstOpinionTwice())


class FirstOpinionTwice(Together):
    async def find_opinion(self, world: World, symbol: str, model: Provider) -> str:
        try:
            async with asyncio.timeout(3.0):
                return await super().find_opinion(world, symbol, model)
        except TimeoutError:
            return await super().find_opinion(world, symbol, "x_sentiment")


# shows on: a primary provider that is refused, on a market that ticks
def leave_live_bar_of_fallback_out(pipeline: Pipeline) -> Pipeline:
    return fetch_by(pipeline, ClosedBarsOfFallback())


class ClosedBarsOfFallback(Together):
    """Asks the fallback, where it is asked, for the days that have closed."""

    async def find_bars(self, world: World, symbol: str) -> Bars:
        return await super().find_bars(WithClosedFallback(world), symbol)


class WithClosedFallback:
    """Is the world but for the last bar of the fallback."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world, name)

    def bars(self, provider: Provider, symbol: str) -> Pending[Any]:
        pending = self._world.bars(provider, symbol)
        return Turned(pending, leave_last_out) if provider == "alpaca" else pending


def leave_last_out(found: Any) -> Any:
    if isinstance(found, ProviderError):
        raise found
    return dataclasses.replace(found, timestamps=found.timestamps[:-1], values=found.values[:, :-1])


# Schedule (O10, O02)


# shows on: symbols that do not come in alphabetical order
def decide_by_name(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(schedule=ByName())


class ByName(SideBySide):
    async def __call__(self, world: World, pipeline: Pipeline, symbols: Sequence[str]) -> list[Decision]:
        return await super().__call__(world, pipeline, sorted(symbols))


# shows on: four symbols or more
def drop_every_fourth(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(schedule=ThreeOfFour())


class ThreeOfFour(SideBySide):
    async def __call__(self, world: World, pipeline: Pipeline, symbols: Sequence[str]) -> list[Decision]:
        found: list[Decision] = []
        for start in range(0, len(symbols), 4):
            found += await super().__call__(world, pipeline, symbols[start : start + 3])
        return found


# shows on: a symbol that fails among others of its batch
def lose_batch_of_failure(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(schedule=BatchesAsOne())


class BatchesAsOne(SideBySide):
    """Walks batches of three, and goes on with the next where one of a batch has failed."""

    async def __call__(self, world: World, pipeline: Pipeline, symbols: Sequence[str]) -> list[Decision]:
        found: list[Decision] = []
        for start in range(0, len(symbols), 3):
            before = world.ledger.failures["schedule"]
            try:
                batch = await super().__call__(world, pipeline, symbols[start : start + 3])
            except ProviderError:
                continue
            found += batch if world.ledger.failures["schedule"] == before else []
        return found


# shows on: a symbol that fails in one cycle and would be decided in the next
def let_failed_symbols_rest(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(schedule=RestingAfterFailure())


class RestingAfterFailure(SideBySide):
    def __init__(self) -> None:
        super().__init__()
        self._walk_again_in: dict[str, int] = {}

    async def __call__(self, world: World, pipeline: Pipeline, symbols: Sequence[str]) -> list[Decision]:
        async def fetch(world: World, symbol: str) -> Any:
            if self._walk_again_in.get(symbol, 0) > world.cycle:
                return Served(None)
            try:
                return await settle(pipeline.fetch(world, symbol))
            except ProviderError:
                self._walk_again_in[symbol] = world.cycle + 12
                raise

        return await super().__call__(world, pipeline.replace(fetch=fetch), symbols)


# shows on: the first cycle
def wait_for_confirmation(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(schedule=Confirmed())


class Confirmed(SideBySide):
    """Gives a signal when the cycle before had one in the same direction."""

    def __init__(self) -> None:
        super().__init__()
        self._before: set[tuple[str, str]] = set()

    async def __call__(self, world: World, pipeline: Pipeline, symbols: Sequence[str]) -> list[Decision]:
        found = await super().__call__(world, pipeline, symbols)
        before, self._before = self._before, {(each.symbol, each.direction) for each in found}
        return [each for each in found if (each.symbol, each.direction) in before]


# shows on: three symbols with a signal
def give_two_signals_at_most(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(schedule=SurestTwo())


class SurestTwo(SideBySide):
    async def __call__(self, world: World, pipeline: Pipeline, symbols: Sequence[str]) -> list[Decision]:
        found = await super().__call__(world, pipeline, symbols)
        surest = sorted(found, key=lambda each: -each.confidence)[:2]
        return [each for each in found if each in surest]


# shows on: any symbol with a signal: it is fetched and explained twice
def decide_twice(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(schedule=Again())


class Again(SideBySide):
    """Walks the symbols with a signal once more, and takes what the second walk brings."""

    async def __call__(self, world: World, pipeline: Pipeline, symbols: Sequence[str]) -> list[Decision]:
        found = await super().__call__(world, pipeline, symbols)
        return await super().__call__(world, pipeline, [each.symbol for each in found])


MUTANTS = (
    mutant(
        "transport-forgets-figure",
        "transport",
        "O03",
        "A symbol's RSI is served for its average, and for its quote.",
        forget_figure,
    ),
    mutant(
        "transport-out-of-step",
        "transport",
        "O14",
        "After a provider has refused, its next answer is that of another symbol.",
        read_what_was_left,
    ),
    mutant(
        "transport-keeps-refusals",
        "transport",
        "O04",
        "A question that a model refused once is never answered.",
        keep_refusals,
    ),
    mutant(
        "transport-empty-if-error",
        "transport",
        "O04",
        "Where a model fails its opinion is an empty text, and the decision is made without it.",
        answer_failures_with_nothing,
    ),
    mutant(
        "transport-while-revalidating",
        "transport",
        "O03",
        "An answer of any age is served once more while the new one is on its way.",
        serve_while_revalidating,
    ),
    mutant(
        "transport-one-cycle-late",
        "transport",
        "O14",
        "Prices and figures are those of the cycle before.",
        serve_last_cycle,
    ),
    mutant(
        "transport-one-page", "transport", "O14", "Only the last 250 bars of a longer history arrive.", read_first_page
    ),
    mutant(
        "transport-two-decimals",
        "transport",
        "O14",
        "Technical figures and quotes arrive with two decimals.",
        round_figures,
    ),
    mutant(
        "transport-opens-late",
        "transport",
        "O03",
        "In the first hour of a session prices of the evening before are served.",
        open_an_hour_late,
    ),
    mutant("fetch-asks-ahead", "fetch", "O02", "The models' opinions are those of the cycle before.", ask_models_ahead),
    mutant(
        "fetch-quote-is-close",
        "fetch",
        "O02",
        "The quote is not asked for, so that the entry is checked against itself.",
        take_close_for_quote,
    ),
    mutant(
        "fetch-fails-fast",
        "fetch",
        "O02",
        "After one symbol has failed, the symbols that come later in the cycle fail too.",
        fail_all_after_one,
    ),
    mutant(
        "fetch-first-opinion-twice",
        "fetch",
        "O02",
        "Where the second model is slow, the first one's opinion counts twice.",
        take_first_opinion_twice,
    ),
    mutant(
        "fetch-closed-bars-of-fallback",
        "fetch",
        "O02",
        "Bars of the fallback end with the day before.",
        leave_live_bar_of_fallback_out,
    ),
    mutant("schedule-by-name", "schedule", "O10", "Decisions come in alphabetical order.", decide_by_name),
    mutant("schedule-every-fourth", "schedule", "O10", "Every fourth symbol is never walked.", drop_every_fourth),
    mutant(
        "schedule-batch-fails",
        "schedule",
        "O10",
        "Where a symbol fails, those of its batch have no signal either.",
        lose_batch_of_failure,
    ),
    mutant(
        "schedule-failed-rest",
        "schedule",
        "O10",
        "A symbol whose provider has failed once has no signal for a minute.",
        let_failed_symbols_rest,
    ),
    mutant(
        "schedule-confirms",
        "schedule",
        "O02",
        "A signal is given when the cycle before had the same one, and no sooner.",
        wait_for_confirmation,
    ),
    mutant(
        "schedule-surest-two",
        "schedule",
        "O10",
        "A cycle has two signals at most, the surest.",
        give_two_signals_at_most,
    ),
    mutant(
        "schedule-decides-twice",
        "schedule",
        "O10",
        "Every symbol with a signal is fetched and decided twice.",
        decide_twice,
    ),
)

# What shows each bug.


def show_in_turn(*requests: Request, refused: Sequence[Key] = ()) -> Show:
    """Show the answers to requests that are sent one after another."""

    def show(pipeline: Pipeline) -> Any:
        with Scene(pipeline, SIX) as scene:
            scene.refused = set(refused)
            return [plain(answer) for each in requests for answer in scene.request(each)]

    return show


def show_history(pipeline: Pipeline) -> Any:
    """Show how many bars of a symbol arrive, and the first of them."""
    with Scene(pipeline, SIX) as scene:
        (bars,) = scene.request(BARS[0])
        return len(bars), bars.values[:, 0].tolist()


def refuse(symbol: str, first: int = 0, last: int = 0) -> Callable[[int], Sequence[Key]]:
    """Return what is refused in a cycle: the bars of a symbol, from the cycle ``first`` to ``last``."""

    def find_refused(cycle: int) -> Sequence[Key]:
        return [(provider, symbol, "bars") for provider in ("massive", "alpaca") if first <= cycle <= last]

    return find_refused


FIGURES = [Request("alpha_vantage", "AAPL", what) for what in ("rsi", "sma", "quote")]
AAPL = Request("massive", "AAPL", "bars")
A_MINUTE_AFTER_OPENING_S = 24 * 3600.0 + 60.0 - NIGHT_S
SURER = {("sonar", "GAIN", "opinion"): "direction=LONG confidence=90"}
SPLIT = {("x_sentiment", "GAIN", "opinion"): "direction=SHORT confidence=75", **SURER}

SHOWS: Mapping[str, Show] = {
    "transport-forgets-figure": show_answers(*((0.0, each) for each in FIGURES)),
    "transport-out-of-step": show_in_turn(
        *(dataclasses.replace(RSI, symbol=each) for each in ("GAIN", "HUM", "UP")),
        refused=[("alpha_vantage", "HUM", "rsi")],
    ),
    "transport-keeps-refusals": show_after_failure,
    "transport-empty-if-error": show_requests(question("sonar", "GAIN"), refused=[("sonar", "GAIN", "opinion")]),
    "transport-while-revalidating": show_answers((0.0, SENTIMENT), (120.0, SENTIMENT), later=RISING),
    "transport-one-cycle-late": show_answers((0.0, AAPL), (5.0, AAPL)),
    "transport-one-page": show_history,
    "transport-two-decimals": show_requests(RSI),
    "transport-opens-late": show_answers((NIGHT_S, AAPL), (A_MINUTE_AFTER_OPENING_S, AAPL)),
    "fetch-asks-ahead": show_fetches("GAIN", said=SURER, cycles=(0, 1)),
    "fetch-quote-is-close": show_fetches("GAIN", said={("alpha_vantage", "GAIN", "quote"): 60.0}),
    "fetch-fails-fast": show_fetches("UP", "GAIN", refused=[("sonar", "GAIN", "opinion")], cycles=(0, 0)),
    "fetch-first-opinion-twice": show_fetches("GAIN", takes={("sonar", "GAIN", "opinion"): 5.0}, said=SPLIT),
    "fetch-closed-bars-of-fallback": show_fetches("GAIN", refused=[("massive", "GAIN", "bars")]),
    "schedule-by-name": show_walks("UP", "GAIN"),
    "schedule-every-fourth": show_walks(*QUIET, "GAIN", "UP"),
    "schedule-batch-fails": show_walks("GAIN", "GAINS", "HUM", "UP", refused=refuse("GAIN")),
    "schedule-failed-rest": show_walks("GAIN", "UP", refused=refuse("GAIN"), cycles=(0, 1)),
    "schedule-confirms": show_walks("GAIN", "UP", cycles=(0, 1)),
    "schedule-surest-two": show_walks("GAIN", "GAINS", "UP"),
    "schedule-decides-twice": show_walks("GAIN", "HUM"),
}
UNLIKE_BASELINE = frozenset({"schedule-batch-fails", "schedule-failed-rest"})
"""Where the variant itself does otherwise than the baseline: a symbol that fails ends the baseline's cycle."""
