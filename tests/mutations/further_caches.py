"""Further bugs in what is kept are here: keys that forget something, and values that come back as others.

Above each function stands the input that shows its bug; ``SHOWS`` has that input as code, by the mutant's id.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import xxhash

from argo_bench.pipeline.baseline.read import LATEST_OF_SYMBOL
from argo_bench.pipeline.memo import Memo
from argo_bench.pipeline.model import Decision, Fetched, Opinions, Pending, Regime, Request, Signal, Signals, World
from argo_bench.pipeline.optimized.read import Answers
from argo_bench.pipeline.optimized.reason import meaning
from argo_bench.pipeline.optimized.regime import closes
from argo_bench.pipeline.optimized.transport import JITTER, Arrived, Deduplicated, WithinBudget, hash_to_share
from argo_bench.pipeline.record import Pipeline
from argo_bench.pipeline.shared import SharedFetch
from tests.mutations import mutant
from tests.mutations.held_out_caches import (
    RISING,
    SENTIMENT,
    TICKING,
    Key,
    explained_by,
    show_answers,
    show_regimes,
    symbol_line,
)
from tests.mutations.held_out_stages import Show, read_by, show_told
from tests.mutations.inputs import Scene, bars_of, decision, encoded, key_of, question, walk

# The consensus (O06)


# shows on: two sources of which one is another than before
def forget_sources(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(consensus=Memo(pipeline.consensus.__wrapped__, votes_without_names))


def votes_without_names(signals: Signals, regime: Regime) -> Hashable:
    return regime, *signals.values()


# shows on: a source that is missing, and one that is neutral
def forget_order(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(consensus=Memo(pipeline.consensus.__wrapped__, votes_in_any_order))


def votes_in_any_order(signals: Signals, regime: Regime) -> Hashable:
    """Return names and votes, which no longer belong to each other."""
    return regime, frozenset(signals), frozenset(signals.values())


# The regime (O07)


# shows on: two histories that differ before the last hundred bars
def key_by_hundred_closes(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(regime=Memo(pipeline.regime.__wrapped__, hundred_closes))


def hundred_closes(frame: pd.DataFrame) -> Hashable:
    return xxhash.xxh3_128_digest(np.ascontiguousarray(closes(frame)[-100:]).data)


# The readers' answers (O05)


# shows on: two cycles whose readers ask for different symbols
def forget_symbol_read(pipeline: Pipeline) -> Pipeline:
    return read_by(pipeline, OfAnySymbol)


class OfAnySymbol(Answers):
    def _answer(self, world: World, *question: str) -> tuple[Any, ...]:
        asked = next((each for each in self._answers if each[0] == question[0] == LATEST_OF_SYMBOL), question)
        return super()._answer(world, *asked)


# The explanations (O12)


# shows on: one coin in dollars and in euros
def forget_quote_currency(pipeline: Pipeline) -> Pipeline:
    return explained_by(pipeline, key=meaning_of_coin)


def meaning_of_coin(decision: Decision) -> Hashable:
    return meaning(dataclasses.replace(decision, symbol=decision.symbol.partition("-")[0]))


# What is fetched (O01)


# shows on: any RSI: it has more than two decimals
def share_rounded_figures(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(fetch=SharedRounded(pipeline.fetch.__wrapped__))


class SharedRounded(SharedFetch):
    async def __call__(self, world: World, symbol: str) -> Fetched:
        found = await super().__call__(world, symbol)
        rounded = {what: round(value, 2) for what, value in found.opinions.technical.items()}
        return dataclasses.replace(found, opinions=dataclasses.replace(found.opinions, technical=rounded))


# shows on: two models of which one is surer than the other
def share_exchanged_opinions(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(fetch=SharedExchanged(pipeline.fetch.__wrapped__))


class SharedExchanged(SharedFetch):
    async def __call__(self, world: World, symbol: str) -> Fetched:
        found = await super().__call__(world, symbol)
        said = found.opinions
        return dataclasses.replace(found, opinions=Opinions(said.technical, said.sonar, said.x_sentiment))


# Answers within a budget (O03)


# shows on: an opinion that is asked for again 62 s after it was sent
def lengthen_by_jitter(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=Lengthened(pipeline.transport.__wrapped__))


class Lengthened(WithinBudget):
    """Lengthens lifetimes by the jitter that was to shorten them."""

    def expires_at(self, world: World, request: Request, answer: Any, sent_at: float) -> float:
        expires_at = super().expires_at(world, request, answer, sent_at)
        share = JITTER * hash_to_share(request)
        return sent_at + (expires_at - sent_at) / (1 - share) * (1 + share)


# shows on: an opinion that is asked for every half minute
def begin_lifetime_anew(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=KeptWhileAsked(pipeline.transport.__wrapped__))


class KeptWhileAsked(WithinBudget):
    """Counts the lifetime of an answer from when it was served last."""

    def __call__(self, world: World, request: Request) -> Pending[Any]:
        key = request.provider, request.symbol, request.what, request.prompt
        kept = self._kept.get(key)
        if kept is not None and world.now() < kept.expires_at:
            self._keep(world, request, key, world.now(), kept.answer)
        return super().__call__(world, request)


# Prompts (O04)


# shows on: two entries of which one is ten cents higher
def match_whole_figures(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=ToWholeDollars(pipeline.transport.__wrapped__))


class ToWholeDollars(Deduplicated):
    """Takes two questions for one where their figures are the same but for the decimals."""

    def __call__(self, world: World, request: Request) -> Pending[Any]:
        if request.provider == "explanation":
            asked = [each for wordings in self._explanations.values() for each in wordings]
            same = [each for each in asked if without_decimals(each.prompt) == without_decimals(request.prompt)]
            if same:
                self.hits += 1
                return Arrived(same[0].completion)
        return super().__call__(world, request)


def without_decimals(prompt: str) -> list[str]:
    """Return what a prompt says of symbol and direction, and its figures without what is behind the point."""
    figures = [line.partition(".")[0] for line in prompt.splitlines() if line.startswith(("entry", "stop", "target"))]
    return [*symbol_line(prompt), *figures]


MUTANTS = (
    mutant(
        "memo-consensus-forgets-sources",
        "memo",
        "O06",
        "Votes of some sources are served to others, which weigh otherwise.",
        forget_sources,
    ),
    mutant(
        "memo-consensus-forgets-order",
        "memo",
        "O06",
        "Where two sources exchange their votes, the confidence stays what it was.",
        forget_order,
    ),
    mutant(
        "memo-regime-hundred-closes",
        "memo",
        "O07",
        "Histories that agree in the last hundred closes have one regime, whatever the average over 200 is.",
        key_by_hundred_closes,
    ),
    mutant(
        "memo-readings-of-any-symbol",
        "memo",
        "O05",
        "Readers see the signals of the symbol that was asked for before.",
        forget_symbol_read,
    ),
    mutant(
        "memo-reason-by-base",
        "memo",
        "O12",
        "Two pairs of one coin share an explanation, and it names one of them.",
        forget_quote_currency,
    ),
    mutant(
        "memo-fetch-rounds-figures",
        "memo",
        "O01",
        "Figures and quotes come back from the shared store with two decimals.",
        share_rounded_figures,
    ),
    mutant(
        "memo-fetch-exchanges-opinions",
        "memo",
        "O01",
        "The two models' opinions come back from the shared store exchanged.",
        share_exchanged_opinions,
    ),
    mutant(
        "memo-answers-lengthened",
        "memo",
        "O03",
        "Lifetimes are up to 10 % longer than the bound, and not shorter.",
        lengthen_by_jitter,
    ),
    mutant(
        "memo-answers-while-asked",
        "memo",
        "O03",
        "An answer that is asked for often enough is never asked for anew.",
        begin_lifetime_anew,
    ),
    mutant(
        "memo-prompts-whole-dollars",
        "memo",
        "O04",
        "An explanation with levels that are some cents off is served.",
        match_whole_figures,
    ),
)

# What shows each bug.


def show_votes(*votes: Mapping[str, tuple[str, float]]) -> Show:
    """Show the consensus of some votes in a trend, one after another."""

    def show(pipeline: Pipeline) -> Any:
        with Scene(pipeline) as scene:
            return [
                scene.call("consensus", {name: Signal(*each) for name, each in signals.items()}, "TRENDING")
                for signals in votes
            ]

    return show


def show_symbols_read(pipeline: Pipeline) -> Any:
    """Show what is read of a symbol in two cycles, whose readers ask for different ones."""
    with Scene(pipeline) as scene:
        scene.call("store", encoded(decision("AAPL"), decision("MSFT")))
        found = []
        for number in range(2):
            scene.begin(number)
            found.append([each[1] for each in scene.call("read", ["AAPL", "MSFT"]).latest_of_symbol])
        return found


def show_opinions(pipeline: Pipeline) -> Any:
    """Show the opinions that are fetched of a symbol, of which the models say different things."""
    with Scene(pipeline, TICKING) as scene:
        scene.said = dict(SPLIT)
        return scene.call("fetch", "AAPL").opinions


def show_last_answer(*asked: tuple[float, Request], later: Mapping[Key, str]) -> Show:
    """Show the last of these answers, which must not be that of the first."""

    def show(pipeline: Pipeline) -> Any:
        return show_answers(*asked, later=later)(pipeline)[-1]

    return show


SPLIT = {("x_sentiment", "AAPL", "opinion"): "direction=LONG confidence=75"}
SPLIT[("sonar", "AAPL", "opinion")] = "direction=SHORT confidence=80"
LONG, SHORT = ("LONG", 90.0), ("SHORT", 60.0)
RECENT = walk(11)[-100:]
CAME_FROM_BELOW = bars_of(np.concatenate([np.linspace(0.5, 1.0, 200) * RECENT[0], RECENT]))
CAME_FROM_ABOVE = bars_of(np.concatenate([np.linspace(2.0, 1.0, 200) * RECENT[0], RECENT]))
LATE = max((question("x_sentiment", symbol) for symbol in TICKING.symbols), key=hash_to_share)
HALF_MINUTES = [(0.0 if number == 0 else 30.0, SENTIMENT) for number in range(4)]
CENTS_HIGHER = decision(), decision(entry=241.63, stop=234.38, target=253.71)

SHOWS: Mapping[str, Show] = {
    "memo-consensus-forgets-sources": show_votes(
        {"massive": LONG, "x_sentiment": SHORT}, {"massive": LONG, "sonar": SHORT}
    ),
    "memo-consensus-forgets-order": show_votes(
        {"massive": LONG, "sonar": ("LONG", 75.0)}, {"massive": ("LONG", 75.0), "sonar": LONG}
    ),
    "memo-regime-hundred-closes": show_regimes(CAME_FROM_BELOW, CAME_FROM_ABOVE),
    "memo-readings-of-any-symbol": show_symbols_read,
    "memo-reason-by-base": show_told(decision("BTC-USD"), decision("BTC-EUR")),
    "memo-fetch-rounds-figures": show_opinions,
    "memo-fetch-exchanges-opinions": show_opinions,
    "memo-answers-lengthened": show_answers(
        (0.0, LATE), (62.0, LATE), later={key_of(LATE): "direction=LONG confidence=80"}
    ),
    "memo-answers-while-asked": show_last_answer(*HALF_MINUTES, later=RISING),
    "memo-prompts-whole-dollars": show_told(*CENTS_HIGHER),
}
