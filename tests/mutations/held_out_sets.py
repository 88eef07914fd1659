"""The held-out bugs between several optimizations are here: in the first five together, and in all fifteen.

Above each function stands the input that shows its bug; ``SHOWS`` has that input as code, by the mutant's id.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Hashable, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any

from argo_bench.pipeline.memo import Memo
from argo_bench.pipeline.model import Decision, Encoded, Opinions, Pending, Regime, Request, Signal, Signals, World
from argo_bench.pipeline.optimized import reason as reasons
from argo_bench.pipeline.optimized.read import Answers
from argo_bench.pipeline.optimized.reason import AnsweredAtOnce
from argo_bench.pipeline.optimized.schedule import SideBySide
from argo_bench.pipeline.optimized.store import InOneTransaction, LateTexts
from argo_bench.pipeline.optimized.transport import (
    FACTS,
    Arrived,
    Arriving,
    Deduplicated,
    Flight,
    deduplicate,
    one_client,
    within_budget,
)
from argo_bench.pipeline.record import Pipeline, settle
from argo_bench.pipeline.unchanged import skip_unchanged
from argo_bench.pipeline.world.database import FILE_NAME
from tests.mutations import mutant
from tests.mutations.held_out_caches import KeyedBy
from tests.mutations.held_out_stages import Show, sides, told
from tests.mutations.held_out_transports import SIX, InOrderOfSending, show_fetches
from tests.mutations.inputs import OPINIONS, USUAL, Market, Scene, bars_of, decision, rise

# The first five together


# shows on: a reading, a signal that is stored, and another reading
def tell_other_readers(pipeline: Pipeline) -> Pipeline:
    tune = pipeline.store._tune
    return pipeline.replace(store=InOneTransaction(tune, Answers(tune).add))


# shows on: a price that is fetched at 50 s, at 300 s and at 355 s
def keep_what_was_kept(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(fetch=KeyedBy(pipeline.fetch.__wrapped__, key_of_minute))


def key_of_minute(world: World, symbol: str) -> str:
    return f"argo:1:fetched:{symbol}:{int(world.now() // 60)}"


# shows on: two models that are asked in the same words and answer differently
def ask_any_model(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=OfAnyModel(pipeline.transport.__wrapped__))


class OfAnyModel(Deduplicated):
    def __call__(self, world: World, request: Request) -> Pending[Any]:
        if request.what != "opinion":
            return super().__call__(world, request)
        prompt = request.prompt.strip()
        question: Hashable = (request.symbol, request.what, world.cycle, *FACTS.findall(prompt))
        answered = self._answers_for(world, request)
        if (asked := self._find_similar(answered.get(question, []), prompt)) is not None:
            self.hits += 1
            return Arrived(asked.completion)
        key = question, prompt
        if (flight := self._flights.get(key)) is not None:
            self.hits += 1
            return flight
        self.misses += 1
        arriving = Arriving(self.__wrapped__(world, request), partial(self._keep, answered, question, prompt))
        flight = self._flights[key] = Flight(arriving, over=partial(self._flights.pop, key, None))
        return flight


# shows on: the last cycle before the end: its rows are not there
def store_in_next_cycle(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(store=Delayed(pipeline.store))


class Delayed:
    def __init__(self, store: InOneTransaction) -> None:
        self.__wrapped__ = store
        self._waiting: Sequence[Encoded] = ()

    def __call__(self, world: World, signals: Sequence[Encoded]) -> None:
        due, self._waiting = self._waiting, signals
        self.__wrapped__(world, due)


# All fifteen together


# shows on: a symbol that passes, and then a decision of it whose entry is far off
def trust_who_passed(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(validate=PassedBefore(pipeline.validate))


class PassedBefore:
    """Lets the decisions of a symbol pass for a minute after one of them has passed."""

    def __init__(self, validate: Any) -> None:
        self.__wrapped__ = validate
        self._passed_at: dict[str, float] = {}

    async def __call__(self, world: World, decisions: Sequence[Decision]) -> Any:
        now = world.now()
        trusted = [each for each in decisions if now - self._passed_at.get(each.symbol, -60.0) < 60.0]
        found = await settle(self.__wrapped__(world, [each for each in decisions if each not in trusted]))
        self._passed_at |= {each.symbol: now for each in found.kept}
        kept = {*map(id, trusted), *map(id, found.kept)}
        return type(found)(tuple(each for each in decisions if id(each) in kept), found.rejected)


# shows on: two cycles in which the price does not move
def serve_unchanged(pipeline: Pipeline) -> Pipeline:
    return skip_unchanged(pipeline)


# shows on: the first decision of its kind
def answer_at_once(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(reason=AnsweredAtOnce(reasons.reason, LateTexts(pipeline.store)))


# shows on: a symbol that has no signal at first and one 70 s later
def let_quiet_symbols_rest(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(schedule=Resting())


class Resting(SideBySide):
    """Leaves a symbol without a signal out for two minutes."""

    def __init__(self) -> None:
        super().__init__()
        self._walk_again_at: dict[str, float] = {}

    async def __call__(self, world: World, pipeline: Pipeline, symbols: Sequence[str]) -> list[Decision]:
        now = world.now()
        awake = [each for each in symbols if self._walk_again_at.get(each, now) <= now]
        found = await super().__call__(world, pipeline, awake)
        quiet = set(awake) - {each.symbol for each in found}
        self._walk_again_at |= dict.fromkeys(quiet, now + 120.0)
        return found


# shows on: two symbols whose sources agree, one surer than the other
def count_directions_once(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(consensus=Memo(pipeline.consensus.__wrapped__, directions))


def directions(signals: Signals, regime: Regime) -> Hashable:
    return regime, *((name, signal.direction) for name, signal in signals.items())


# shows on: two symbols that are fetched together, of which the second is answered first
def exchange_answers(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=deduplicate(within_budget(InOrderOfSending(one_client()))))


# shows on: two symbols in one cycle, of which the first gives no signal
def read_opinions_of_another(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(signals=WithLastOpinions(pipeline.signals))


class WithLastOpinions:
    """Reads the opinions that were handed in before."""

    def __init__(self, signals: Any) -> None:
        self.__wrapped__ = signals
        self._last: Opinions | None = None

    def __call__(self, world: World, indicators: Any, opinions: Opinions) -> Any:
        read, self._last = self._last or opinions, opinions
        return self.__wrapped__(world, indicators, read)


MUTANTS = (
    mutant(
        "five-tell-other-readers",
        "sets",
        "FIVE",
        "Readers do not see the signals that are stored after their first reading, as the store tells another cache.",
        tell_other_readers,
    ),
    mutant(
        "five-keep-what-was-kept",
        "sets",
        "FIVE",
        "Data that one cache kept for a minute is kept by another for one more.",
        keep_what_was_kept,
    ),
    mutant(
        "five-any-model",
        "sets",
        "FIVE",
        "Two models that are asked the same have one answer, that of the first.",
        ask_any_model,
    ),
    mutant(
        "five-store-next-cycle",
        "sets",
        "FIVE",
        "Signals are stored a cycle later, and those of the last cycle never.",
        store_in_next_cycle,
    ),
    mutant(
        "all-trust-who-passed",
        "sets",
        "ALL",
        "For a minute after a signal of a symbol has passed, any other of it passes.",
        trust_who_passed,
    ),
    mutant(
        "all-serve-unchanged",
        "sets",
        "ALL",
        "Where the price hardly moved, the last signal is served again and rejected as a duplicate.",
        serve_unchanged,
    ),
    mutant(
        "all-answer-at-once",
        "sets",
        "ALL",
        "The first signal of its kind is explained by a template for good.",
        answer_at_once,
    ),
    mutant(
        "all-quiet-symbols-rest",
        "sets",
        "ALL",
        "A symbol that gave no signal is not looked at for two minutes.",
        let_quiet_symbols_rest,
    ),
    mutant(
        "all-directions-once",
        "sets",
        "ALL",
        "Sources that name the same directions have the confidence of those that did so first.",
        count_directions_once,
    ),
    mutant(
        "all-answers-in-order",
        "sets",
        "ALL",
        "The answers of two symbols that are asked for at the same time are exchanged.",
        exchange_answers,
    ),
    mutant(
        "all-opinions-of-another",
        "sets",
        "ALL",
        "A symbol is judged by the models' opinions of the symbol before it.",
        read_opinions_of_another,
    ),
)

# What shows each bug.

Key = tuple[str, str, str]


def show_cycles(*symbols: str, cycles: Sequence[int] = (0,), later: Mapping[Key, str] = {}) -> Show:
    """Show what becomes of every symbol in these cycles of a market that stands still, what readers then read, and the
    rows that another connection finds. ``later`` is what models say from the second cycle on."""

    def show(pipeline: Pipeline) -> Any:
        market = Market({symbol: STILL[symbol] for symbol in symbols})
        found: list[Any] = []
        with Scene(pipeline, market) as scene:
            scene.said = {
                (model, symbol, "opinion"): f"direction={direction} confidence=75"
                for symbol in symbols
                for model, direction in (("x_sentiment", "LONG"), ("sonar", "SHORT" if symbol == "IDLE" else "LONG"))
            }
            for number in cycles:
                walked = scene.walk_through(number)
                found.append([(each.decision.signal_id, each.decision.symbol) for each in walked.stored])
                found.append([(each.decision.signal_id, each.rule) for each in walked.rejected])
                found.append(
                    [(each.decision.reasoning_author, told(each.decision.reasoning)) for each in walked.stored]
                )
                found.append([row[1] for row in walked.readings.latest])
                scene.said |= later
            with closing(sqlite3.connect(scene.directory / FILE_NAME)) as other:
                found.append(other.execute("SELECT signal_id FROM signals ORDER BY id").fetchall())
        return found

    return show


def show_ages(pipeline: Pipeline) -> Any:
    """Show whether bars were ever older than five minutes."""
    ages = []
    with Scene(pipeline, SIX) as scene:
        for number in (10, 60, 71):
            scene.begin(number)
            served = scene.call("fetch", "GAIN").bars.values[3, -1]
            now = SIX.bars("GAIN", number).values[3, -1]
            ages.append(5 * round((now - served) / 0.05))
    return max(ages) <= 300


def show_passed_before(pipeline: Pipeline) -> Any:
    with Scene(pipeline) as scene:
        return [
            sides(scene.call("validate", (each,))) for each in (decision(), decision(signal_id="id later", entry=193.2))
        ]


def show_confidences(pipeline: Pipeline) -> Any:
    with Scene(pipeline) as scene:
        return [
            scene.call("consensus", {"massive": Signal("LONG", each), "sonar": Signal("LONG", 75.0)}, "TRENDING")
            for each in (75.0, 90.0)
        ]


def show_signals_in_turn(pipeline: Pipeline) -> Any:
    """Show the signals of two symbols about which the models disagree, one after another."""
    other = Opinions(OPINIONS.technical, "direction=SHORT confidence=60", "direction=SHORT confidence=60")
    with Scene(pipeline) as scene:
        return [list(scene.call("signals", USUAL, each).items()) for each in (OPINIONS, other, OPINIONS)]


STILL = {symbol: bars_of(rise(start=50.0 + number), symbol) for number, symbol in enumerate(("GAIN", "UP"))}
STILL["IDLE"] = bars_of([80.0] * 300, "IDLE", spread=0.0)
SPLIT = {("x_sentiment", "GAIN", "opinion"): "direction=LONG confidence=75"}
SPLIT[("sonar", "GAIN", "opinion")] = "direction=SHORT confidence=75"
AWAKE = {("sonar", "IDLE", "opinion"): "direction=LONG confidence=90"}
AWAKE[("x_sentiment", "IDLE", "opinion")] = "direction=LONG confidence=90"

SHOWS: Mapping[str, Show] = {
    "five-tell-other-readers": show_cycles("GAIN", "UP", cycles=(0, 1, 2)),
    "five-keep-what-was-kept": show_ages,
    "five-any-model": show_fetches("GAIN", said=SPLIT),
    "five-store-next-cycle": show_cycles("GAIN", "UP", cycles=(0, 1)),
    "all-trust-who-passed": show_passed_before,
    "all-serve-unchanged": show_cycles("GAIN", "UP", cycles=(0, 1)),
    "all-answer-at-once": show_cycles("GAIN", "UP"),
    "all-quiet-symbols-rest": show_cycles("GAIN", "IDLE", cycles=(0, 14), later=AWAKE),
    "all-directions-once": show_confidences,
    "all-answers-in-order": show_fetches("GAIN", "UP", takes={("massive", "GAIN", "bars"): 0.3}),
    "all-opinions-of-another": show_signals_in_turn,
}
