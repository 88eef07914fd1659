"""Further bugs in the first five and in all fifteen together are here, several of which need two optimizations.

Above each function stands the input that shows its bug; ``SHOWS`` has that input as code, by the mutant's id.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from argo_bench.pipeline.baseline.read import LATEST
from argo_bench.pipeline.baseline.reason import template
from argo_bench.pipeline.baseline.store import row
from argo_bench.pipeline.memo import Memo
from argo_bench.pipeline.model import (
    Bars,
    Decision,
    Encoded,
    Fetched,
    Indicators,
    Pending,
    Provider,
    ProviderError,
    Reasoning,
    Regime,
    Request,
    World,
)
from argo_bench.pipeline.optimized.encode import ENCODER
from argo_bench.pipeline.optimized.encode import encode as encode_once
from argo_bench.pipeline.optimized.indicators import Incremental, block
from argo_bench.pipeline.optimized.reason import meaning
from argo_bench.pipeline.optimized.regime import closes
from argo_bench.pipeline.optimized.schedule import SideBySide
from argo_bench.pipeline.optimized.transport import Deduplicated, Flight, deduplicate
from argo_bench.pipeline.record import Pipeline, settle
from argo_bench.pipeline.shared import SharedFetch
from argo_bench.pipeline.world.database import SIGNAL_ID
from tests.mutations import mutant
from tests.mutations.held_out_caches import REVISED, STEADY, TICK, InEightPlaces, show_regimes
from tests.mutations.held_out_stages import (
    TEN,
    OneBuffer,
    Rounds,
    Show,
    StoredAs,
    show_encoded,
    show_rows,
    show_told,
    sides,
    told,
)
from tests.mutations.held_out_transports import show_fetches, show_walks
from tests.mutations.inputs import Scene, bars_of, decision, encoded, figures, with_last

# The first five together


# shows on: two symbols that are fetched side by side
def fetch_last_symbol_for_all(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(fetch=SharedLate(pipeline.fetch.__wrapped__))


class SharedLate(SharedFetch):
    """Keeps the symbol at hand in itself: right while one symbol is fetched after another."""

    _symbol = ""

    async def __call__(self, world: World, symbol: str) -> Fetched:
        self._symbol = symbol
        return await super().__call__(world, symbol)

    async def _fetch_shared(self, world: World, symbol: str, key: str) -> bytes:
        body = await self._read(world, key)
        return await super()._fetch_shared(world, self._symbol, key) if body is None else body


# shows on: a symbol that is explained twice within a minute, at different levels
def leave_prompts_to_deduplication(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=deduplicate(OfAnyPrompt(pipeline.transport.__wrapped__.__wrapped__)))


class OfAnyPrompt(InEightPlaces):
    """Keeps every answer without its prompt, since prompts are compared by what is wrapped around it."""

    def __call__(self, world: World, request: Request) -> Pending[Any]:
        return self.answer(world, request, (request.provider, request.symbol, request.what))


# shows on: two symbols of which a model is asked side by side
def share_questions_under_way(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=OneQuestionOfAModel(pipeline.transport.__wrapped__))


class OneQuestionOfAModel(Deduplicated):
    """Has whoever asks a model for an opinion wait for the question that is under way, whatever symbol it is of."""

    def __init__(self, transport: Any) -> None:
        super().__init__(transport)
        self._under_way: dict[Provider, Flight] = {}

    def __call__(self, world: World, request: Request) -> Pending[Any]:
        if request.what != "opinion":
            return super().__call__(world, request)
        flight = self._under_way.get(request.provider)
        if flight is not None and not flight._is_over:
            return flight
        pending = super().__call__(world, request)
        if isinstance(pending, Flight):
            self._under_way[request.provider] = pending
        return pending


# shows on: providers that fail five minutes after they have answered
def serve_shared_if_error(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(fetch=SharedIfError(pipeline.fetch.__wrapped__))


class SharedIfError(SharedFetch):
    """Serves what was shared of a symbol last, of whatever age, where it cannot be fetched."""

    def __init__(self, fetch: Any) -> None:
        super().__init__(fetch)
        self._last: dict[str, Fetched] = {}

    async def __call__(self, world: World, symbol: str) -> Fetched:
        try:
            self._last[symbol] = await super().__call__(world, symbol)
        except ProviderError:
            if symbol not in self._last:
                raise
        return self._last[symbol]


# shows on: two decisions that are explained side by side
def ask_one_question_at_a_time(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(reason=NeverTwo(pipeline.reason))


class NeverTwo:
    """Asks the model nothing while it is being asked."""

    def __init__(self, reason: Any) -> None:
        self.__wrapped__ = reason
        self._is_asking = False

    async def __call__(self, world: World, decision: Decision) -> Reasoning:
        if self._is_asking:
            return Reasoning(template(decision), "template")
        self._is_asking = True
        try:
            found: Reasoning = await settle(self.__wrapped__(world, decision))
            return found
        finally:
            self._is_asking = False


# All fifteen together


# shows on: a revised bar, where frames share a buffer: either alone does no harm
def compare_with_view(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(frame=OneBuffer(), indicators=OfViews(pipeline.indicators.__wrapped__))


class OfViews(Incremental):
    """Compares the closed bars with those of the frame before, of which it has no copy."""

    def __init__(self, indicators: Any) -> None:
        super().__init__(indicators)
        self._seen: dict[bytes, Any] = {}

    def __call__(self, world: World, frame: pd.DataFrame) -> Indicators:
        bars = block(frame)
        first = bars[:, :1].tobytes()
        history = self._histories.get(first)
        if history is not None:
            history.closed = self._seen[first][:, : history.closed.shape[1]].copy()
        self._seen[first] = bars
        return super().__call__(world, frame)


# shows on: two signals of the same meaning at different levels
def post_text_of_meaning(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(encode=PostedByMeaning())


class PostedByMeaning:
    """Puts the text that is remembered for a meaning into the POST, with the figures that it had."""

    def __init__(self) -> None:
        self._texts: dict[Hashable, str] = {}

    def __call__(self, world: World, decisions: Sequence[Decision]) -> list[Encoded]:
        return [self._post(each) for each in encode_once(world, decisions)]

    def _post(self, each: Encoded) -> Encoded:
        text = self._texts.setdefault(meaning(each.decision), each.decision.reasoning)
        return dataclasses.replace(each, body=ENCODER.encode(dataclasses.replace(each.decision, reasoning=text)))


# shows on: a signal that is stored, and older than the latest ten
def look_for_duplicates_in_readings(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(validate=DuplicatesOfLatest())


class DuplicatesOfLatest(Rounds):
    def find_stored(self, world: World, ids: Sequence[str]) -> set[str]:
        return {each[SIGNAL_ID] for each in world.query(LATEST)}


# shows on: a live bar that jumps within a minute
def keep_regime_for_a_minute(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(regime=Memo(pipeline.regime.__wrapped__, first_close, ttl_s=60.0))


def first_close(frame: pd.DataFrame) -> Hashable:
    return closes(frame)[:1].tobytes()


# shows on: a live bar that jumps from one cycle to the next
def detect_behind(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(regime=OneCycleBehind(pipeline.regime))


class OneCycleBehind:
    """Hands out the regime that was detected in the cycle before, while this one's is detected."""

    def __init__(self, regime: Any) -> None:
        self.__wrapped__ = regime
        self._before: dict[bytes, Regime] = {}

    def __call__(self, world: World, frame: pd.DataFrame) -> Regime:
        first = np.float64(frame["close"].iloc[0]).tobytes()
        detected: Regime = self.__wrapped__(world, frame)
        before = self._before.get(first, detected)
        self._before[first] = detected
        return before


# shows on: three symbols with a signal
def stop_when_there_are_enough(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(schedule=UntilEnough())


class UntilEnough(SideBySide):
    """Walks two symbols at a time, and none once there are two signals."""

    async def __call__(self, world: World, pipeline: Pipeline, symbols: Sequence[str]) -> list[Decision]:
        found: list[Decision] = []
        for start in range(0, len(symbols), 2):
            if len(found) < 2:
                found += await super().__call__(world, pipeline, symbols[start : start + 2])
        return found


# shows on: any explanation of the model: its stop and target are in the second sentence
def tell_first_sentence(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(reason=FirstSentence(pipeline.reason))


class FirstSentence:
    def __init__(self, reason: Any) -> None:
        self.__wrapped__ = reason

    async def __call__(self, world: World, decision: Decision) -> Reasoning:
        found: Reasoning = await settle(self.__wrapped__(world, decision))
        first, stop, _ = found.text.partition(". ")
        return dataclasses.replace(found, text=first + stop.strip())


# shows on: any signal: its row does not have the digest that it was signed with
def store_digest_of_line(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(store=StoredAs(pipeline.store, rows_with_digest_of_line))


def rows_with_digest_of_line(world: World, signals: Sequence[Encoded]) -> list[Any]:
    lines = [each.log_line if isinstance(each.log_line, bytes) else each.log_line.encode() for each in signals]
    return [
        {**row(world, each), "sha256": hashlib.sha256(line).hexdigest()}
        for each, line in zip(signals, lines, strict=True)
    ]


MUTANTS = (
    mutant(
        "five-last-symbol",
        "sets",
        "FIVE",
        "Symbols that are fetched side by side all get the market of the last one.",
        fetch_last_symbol_for_all,
    ),
    mutant(
        "five-any-prompt",
        "sets",
        "FIVE",
        "For a minute a symbol's explanation is the one before, as each cache leaves the prompt to the other.",
        leave_prompts_to_deduplication,
    ),
    mutant(
        "five-questions-under-way",
        "sets",
        "FIVE",
        "A model that is asked about two symbols side by side answers about the first, and both take it.",
        share_questions_under_way,
    ),
    mutant(
        "five-shared-if-error",
        "fetch",
        "FIVE",
        "Where providers fail, what was shared of a symbol last is served, of whatever age.",
        serve_shared_if_error,
    ),
    mutant(
        "five-one-question",
        "reason",
        "FIVE",
        "Of two signals that are explained side by side, the second gets a template.",
        ask_one_question_at_a_time,
    ),
    mutant(
        "all-history-is-a-view",
        "sets",
        "ALL",
        "A closed bar that the provider revises is compared with itself, since frames share their memory.",
        compare_with_view,
    ),
    mutant(
        "all-post-of-meaning",
        "sets",
        "ALL",
        "The POST has the figures that the remembered text had at first; log line and row have those of the signal.",
        post_text_of_meaning,
    ),
    mutant(
        "all-duplicates-of-latest",
        "sets",
        "ALL",
        "A duplicate of a signal that is older than the latest ten passes.",
        look_for_duplicates_in_readings,
    ),
    mutant(
        "all-regime-for-a-minute",
        "sets",
        "ALL",
        "A regime is kept for a minute, and the bars that it is of may be a minute old themselves.",
        keep_regime_for_a_minute,
    ),
    mutant(
        "all-regime-behind", "regime", "ALL", "A symbol has the regime that it had in the cycle before.", detect_behind
    ),
    mutant(
        "all-enough-signals",
        "schedule",
        "ALL",
        "Once two symbols have a signal the others are not walked.",
        stop_when_there_are_enough,
    ),
    mutant(
        "all-first-sentence",
        "reason",
        "ALL",
        "Explanations end with their first sentence, before stop and target.",
        tell_first_sentence,
    ),
    mutant(
        "all-digest-of-line",
        "store",
        "ALL",
        "The stored digest is that of the log line, and not of the signed fields.",
        store_digest_of_line,
    ),
)

# What shows each bug.


def show_frames_and_indicators(*histories: Bars) -> Show:
    """Show the indicators of the frames that the pipeline makes of these bars, one after another."""

    def show(pipeline: Pipeline) -> Any:
        return [figures(pipeline.indicators(None, pipeline.frame(None, each))) for each in histories]

    return show


def show_explained_together(*decisions: Decision) -> Show:
    """Show who wrote the explanations of decisions side by side, and what they say."""

    def show(pipeline: Pipeline) -> Any:
        with Scene(pipeline) as scene:
            scene.takes = {("explanation", each.symbol, "explanation"): 2.0 for each in decisions}
            found = scene.together("reason", *((each,) for each in decisions))
        return [(each.author, told(each.text)) for each in found]

    return show


def show_oldest_again(pipeline: Pipeline) -> Any:
    """Show what becomes of the first of twelve signals that are stored."""
    with Scene(pipeline) as scene:
        scene.call("store", encoded(*TEN))
        return sides(scene.call("validate", (TEN[0],)))


EVERYONE = [(provider, "GAIN", "bars") for provider in ("massive", "alpaca")]
SAID = {("sonar", "GAIN", "opinion"): "direction=LONG confidence=90"}
SAID[("sonar", "UP", "opinion")] = "direction=SHORT confidence=75"
JUMPED = bars_of(STEADY), bars_of(with_last(STEADY, 150.0))
RISEN = decision(signal_id="id later", entry=250.0, stop=242.5, target=262.5)
AT_LEVELS = decision(reasoning="LONG at 241.53."), dataclasses.replace(RISEN, reasoning="LONG at 250.0.")

SHOWS: Mapping[str, Show] = {
    "five-last-symbol": show_fetches("GAIN", "UP"),
    "five-any-prompt": show_told(decision(), RISEN),
    "five-questions-under-way": show_fetches("GAIN", "UP", said=SAID),
    "five-shared-if-error": show_fetches("GAIN", refused=EVERYONE, cycles=(0, 61)),
    "five-one-question": show_explained_together(decision("AAPL"), decision("MSFT")),
    "all-history-is-a-view": show_frames_and_indicators(TICK, REVISED),
    "all-post-of-meaning": show_encoded(*AT_LEVELS),
    "all-duplicates-of-latest": show_oldest_again,
    "all-regime-for-a-minute": show_regimes(*JUMPED),
    "all-regime-behind": show_regimes(*JUMPED),
    "all-enough-signals": show_walks("GAIN", "GAINS", "UP"),
    "all-first-sentence": show_told(decision()),
    "all-digest-of-line": show_rows([decision()]),
}
