"""The held-out bugs in what is kept are here: keys that forget something, lifetimes, values that others can change.

Above each function stands the input that shows its bug; ``SHOWS`` has that input as code, by the mutant's id.
"""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import closing
from functools import partial
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import xxhash

from argo_bench.pipeline.baseline.read import LATEST, LATEST_OF_SYMBOL, WIN_RATE
from argo_bench.pipeline.memo import Entry, Memo, content_key, put
from argo_bench.pipeline.model import (
    Bars,
    Completion,
    Decision,
    Encoded,
    Fetched,
    Indicators,
    Pending,
    ProviderError,
    Readings,
    Regime,
    Request,
    Signal,
    Signals,
    World,
)
from argo_bench.pipeline.optimized import transport as sent
from argo_bench.pipeline.optimized.encode import encode as encode_once
from argo_bench.pipeline.optimized.indicators import History, Incremental, block
from argo_bench.pipeline.optimized.read import Answers
from argo_bench.pipeline.optimized.reason import SCHEMA, TTL_S, Rationale, Remembered, TakingApart, meaning, take_apart
from argo_bench.pipeline.optimized.regime import closes
from argo_bench.pipeline.optimized.transport import Arrived, Arriving, Asked, Deduplicated, Kept, WithinBudget
from argo_bench.pipeline.record import Pipeline, settle
from argo_bench.pipeline.shared import ASKED, SharedFetch, decode_fetched
from argo_bench.pipeline.world.base import EPOCH_S
from argo_bench.pipeline.world.database import FILE_NAME
from tests.mutations import mutant
from tests.mutations.held_out_stages import Show, read_by, show_encoded, show_indicators, show_told
from tests.mutations.inputs import (
    SHORT,
    Market,
    Scene,
    bars_of,
    decision,
    encoded,
    frame_of,
    key_of,
    question,
    walk,
    with_last,
)

# The consensus (O06)


# shows on: the same votes in two regimes
def forget_regime(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(consensus=Memo(pipeline.consensus.__wrapped__, votes_without_regime))


def votes_without_regime(signals: Signals, regime: Regime) -> Hashable:
    return tuple(signals.items())


# shows on: two votes that differ behind the decimal point
def key_by_whole_confidence(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(consensus=Memo(pipeline.consensus.__wrapped__, whole_votes))


def whole_votes(signals: Signals, regime: Regime) -> Hashable:
    return regime, *((name, signal.direction, int(signal.confidence)) for name, signal in signals.items())


# The regime (O07)


# shows on: a live bar that ticks within a day
def key_by_day(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(regime=Memo(pipeline.regime.__wrapped__, first_and_last_day))


def first_and_last_day(frame: pd.DataFrame) -> Hashable:
    return float(frame["close"].iloc[0]), len(frame), frame.index[-1]


# shows on: two histories whose digests begin with the same byte (see ``ALIKE``)
def key_by_one_byte(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(regime=Memo(pipeline.regime.__wrapped__, first_byte))


def first_byte(frame: pd.DataFrame) -> Hashable:
    return xxhash.xxh3_128_digest(closes(frame).data)[0]


# shows on: a coin below a cent, whose moves are beyond the second decimal
def key_by_cents(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(regime=Memo(pipeline.regime.__wrapped__, closes_in_cents))


def closes_in_cents(frame: pd.DataFrame) -> Hashable:
    return np.round(closes(frame), 2).tobytes()


# The indicators (O13)


# shows on: a closed bar that the provider revises
def trust_closed_bars(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(indicators=Trusting(pipeline.indicators.__wrapped__))


class Trusting(Incremental):
    def __call__(self, world: World, frame: pd.DataFrame) -> Indicators:
        bars = block(frame)
        history: History | None = self._histories.get(bars[:, :1].tobytes())
        if history is not None and bars.shape[1] > history.closed.shape[1]:
            history.closed = bars[:, : history.closed.shape[1]].copy()
        return super().__call__(world, frame)


# shows on: a tick that moves the high, the low or the volume and not the close
def look_at_close_alone(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(indicators=WhileCloseStands(pipeline.indicators))


class WhileCloseStands:
    def __init__(self, indicators: Incremental) -> None:
        self.__wrapped__ = indicators
        self._last: dict[bytes, tuple[Hashable, Indicators]] = {}

    def __call__(self, world: World, frame: pd.DataFrame) -> Indicators:
        bars = block(frame)
        first, seen = bars[:, :1].tobytes(), (bars.shape[1], float(bars[3, -1]))
        if first not in self._last or self._last[first][0] != seen:
            self._last[first] = seen, self.__wrapped__(world, frame)
        return self._last[first][1]


# The readers' answers (O05)


# shows on: an outcome that another process writes between two readings
def ignore_other_writers(pipeline: Pipeline) -> Pipeline:
    return read_by(pipeline, OfOneWriter)


class OfOneWriter(Answers):
    def __call__(self, world: World, symbols: Sequence[str]) -> Readings:
        self._tune(world)
        self._answers_of = world, 0
        return Readings(
            latest=self._answer(world, LATEST),
            latest_of_symbol=self._answer(world, LATEST_OF_SYMBOL, symbols[world.cycle % len(symbols)]),
            win_rate=self._answer(world, WIN_RATE)[0][0],
        )


# shows on: a reader that empties what it was handed
def hand_out_kept_list(pipeline: Pipeline) -> Pipeline:
    return read_by(pipeline, HandingOut)


class HandingOut(Answers):
    def _answer(self, world: World, *question: str) -> Any:
        answer = super()._answer(world, *question)
        if isinstance(answer, tuple):
            answer = list(answer)
            self._answers[question] = answer
        return answer


# shows on: two signals stored together, and a reader who had asked for the first one's symbol before
def forget_last_symbol_alone(pipeline: Pipeline) -> Pipeline:
    return read_by(pipeline, ForgettingLast)


class ForgettingLast(Answers):
    def _put_in(self, question: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> None:
        if question[0] == LATEST:
            self._last = rows[-1]
        elif self._last not in rows:
            return
        super()._put_in(question, rows)


# The explanations (O12)


def explained_by(pipeline: Pipeline, **options: Any) -> Pipeline:
    """Return the pipeline with another Memo of explanations."""
    usual = {"key": meaning, "ttl_s": TTL_S, "disk": True, "schema": SCHEMA, "keep": is_for_anyone, "memo": Memo}
    return pipeline.replace(reason=RememberedBy(asked_by(pipeline), **usual | options))


def asked_by(pipeline: Pipeline) -> Any:
    """Return the stage that O12 remembers the answers of."""
    return pipeline.reason.__wrapped__.__wrapped__.__wrapped__


def is_for_anyone(rationale: Rationale) -> bool:
    return not rationale.only_for


class RememberedBy(Remembered):
    def __init__(self, reason: Any, key: Callable[[Decision], Hashable], memo: type[Memo], **options: Any) -> None:
        super().__init__(reason)
        self.__wrapped__ = memo(TakingApart(reason), key, maxsize=16_384, **options)


# shows on: a LONG and then a SHORT of one symbol, with the same sources
def forget_direction(pipeline: Pipeline) -> Pipeline:
    return explained_by(pipeline, key=meaning_without_direction)


def meaning_without_direction(decision: Decision) -> Hashable:
    return meaning(dataclasses.replace(decision, direction="LONG"))


# shows on: two symbols whose sources say the same
def forget_symbol(pipeline: Pipeline) -> Pipeline:
    return explained_by(pipeline, key=meaning_without_symbol)


def meaning_without_symbol(decision: Decision) -> Hashable:
    return meaning(dataclasses.replace(decision, symbol=""))


# shows on: the same decision in two regimes
def forget_regime_explained(pipeline: Pipeline) -> Pipeline:
    return explained_by(pipeline, key=meaning_without_regime)


def meaning_without_regime(decision: Decision) -> Hashable:
    return meaning(dataclasses.replace(decision, regime="UNKNOWN"))


# shows on: a model that fails and then answers
def keep_templates(pipeline: Pipeline) -> Pipeline:
    found = explained_by(pipeline)
    found.reason.__wrapped__.__wrapped__ = TakingAnythingApart(asked_by(pipeline))
    return found


class TakingAnythingApart(TakingApart):
    async def __call__(self, world: World, decision: Decision) -> Rationale:
        reasoning = await settle(self.__wrapped__(world, decision))
        parts = take_apart(reasoning.text, decision)
        if parts is None:
            return Rationale((reasoning.text,), reasoning.author, world.now(), only_for=decision.signal_id)
        return Rationale(parts, reasoning.author, world.now())


# What is fetched (O01)


# shows on: two cycles of a market that ticks
def forget_cycle(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(fetch=KeyedBy(pipeline.fetch.__wrapped__, key_of_symbol))


class KeyedBy(SharedFetch):
    """Shares what is fetched under another key."""

    def __init__(self, fetch: Any, key: Callable[[World, str], str]) -> None:
        super().__init__(fetch)
        self._key = key

    async def __call__(self, world: World, symbol: str) -> Fetched:
        return decode_fetched(await settle(self._local(world, symbol, self._key(world, symbol))))


def key_of_symbol(world: World, symbol: str) -> str:
    return f"argo:1:fetched:{symbol}:{content_key(ASKED).hex()}"


# shows on: two processes that fetch two symbols of the same length in one cycle
def forget_symbol_shared(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(fetch=KeyedBy(pipeline.fetch.__wrapped__, key_of_cycle))


def key_of_cycle(world: World, symbol: str) -> str:
    return f"argo:1:fetched:{content_key(world.nominal_time(), ASKED).hex()}"


# shows on: prices in cents
def share_single_precision(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(fetch=SharedInSinglePrecision(pipeline.fetch.__wrapped__))


class SharedInSinglePrecision(SharedFetch):
    async def __call__(self, world: World, symbol: str) -> Fetched:
        fetched = await super().__call__(world, symbol)
        single = fetched.bars.values.astype(np.float32).astype(np.float64)
        return dataclasses.replace(fetched, bars=dataclasses.replace(fetched.bars, values=single))


# shows on: daily bars that begin at five in the morning UTC
def share_days(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(fetch=SharedByDay(pipeline.fetch.__wrapped__))


class SharedByDay(SharedFetch):
    async def __call__(self, world: World, symbol: str) -> Fetched:
        fetched = await super().__call__(world, symbol)
        days = fetched.bars.timestamps.astype("datetime64[D]").astype("datetime64[us]")
        return dataclasses.replace(fetched, bars=dataclasses.replace(fetched.bars, timestamps=days))


# Answers within a budget (O03)


class Lasting(WithinBudget):
    """Keeps answers for another time: ``lifetime_s`` takes what the engineered one would."""

    def __init__(self, transport: Any, lifetime_s: Callable[[Request, float], float]) -> None:
        super().__init__(transport)
        self._lifetime_s = lifetime_s

    def expires_at(self, world: World, request: Request, answer: Any, sent_at: float) -> float:
        return sent_at + self._lifetime_s(request, super().expires_at(world, request, answer, sent_at) - sent_at)


# shows on: an opinion that changes within ten minutes
def keep_ten_times_as_long(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=Lasting(pipeline.transport.__wrapped__, ten_times))


def ten_times(request: Request, lifetime_s: float) -> float:
    return 10 * lifetime_s


# shows on: an answer that took 20 s, asked for again 70 s after it was sent
def count_from_arrival(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=FromArrival(pipeline.transport.__wrapped__))


class FromArrival(WithinBudget):
    def _keep(self, world: World, request: Request, key: Hashable, sent_at: float, answer: Any) -> None:
        super()._keep(world, request, key, world.now(), answer)


# shows on: crypto at night, while the exchange is closed
def close_crypto_at_night(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=StocksAlone(pipeline.transport.__wrapped__))


class StocksAlone(WithinBudget):
    def expires_at(self, world: World, request: Request, answer: Any, sent_at: float) -> float:
        if request.what in ("bars", "quote") and (opens_at := self._session_at(sent_at).opens_at) > sent_at:
            return opens_at
        return super().expires_at(world, request, answer, sent_at)


# shows on: a provider that fails once
def keep_failures(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=KeepingFailures(pipeline.transport.__wrapped__))


class KeepingFailures(WithinBudget):
    def __call__(self, world: World, request: Request) -> Pending[Any]:
        return Outcome(self, world, request, super().__call__(world, request))


class Outcome:
    """Stands for an answer or a failure, and has failures kept as well."""

    def __init__(self, cache: KeepingFailures, world: World, request: Request, pending: Pending[Any]) -> None:
        self._cache, self._world, self._request, self._pending = cache, world, request, pending

    def result(self) -> Any:
        try:
            return self._checked(self._pending.result())
        except ProviderError as failure:
            self._note(failure)
            raise

    def __await__(self) -> Any:
        return self._take().__await__()

    async def _take(self) -> Any:
        try:
            return self._checked(await self._pending)
        except ProviderError as failure:
            self._note(failure)
            raise

    def _checked(self, answer: Any) -> Any:
        if isinstance(answer, ProviderError):
            raise answer
        return answer

    def _note(self, failure: ProviderError) -> None:
        each = self._request
        key = each.provider, each.symbol, each.what, each.prompt
        if key not in self._cache._kept:
            self._cache._kept[key] = Kept(failure, self._world.now() + sent.BOUND_S)


# shows on: two symbols that share one of eight places (see ``NEIGHBOURS``)
def share_places(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=InEightPlaces(pipeline.transport.__wrapped__))


class InEightPlaces(WithinBudget):
    """Keeps an answer in one of eight places, and does not look whose it is: a bounded cache that was to evict."""

    def __call__(self, world: World, request: Request) -> Pending[Any]:
        if request.provider == "explanation":
            return super().__call__(world, request)
        return self.answer(world, request, (request.provider, place_of(request.symbol), request.what))

    def answer(self, world: World, request: Request, key: Hashable) -> Pending[Any]:
        """Answer as ``Cached`` does, under another key."""
        kept = self._kept.get(key)
        if kept is not None and world.now() < kept.expires_at:
            self.hits += 1
            return Arrived(kept.answer)
        self.misses += 1
        return Arriving(self.__wrapped__(world, request), partial(self._keep, world, request, key, world.now()))


def place_of(symbol: str) -> int:
    return xxhash.xxh3_64_intdigest(symbol.encode()) % 8


# shows on: two models that are asked in the same words and answer differently
def forget_provider(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=OfAnyProvider(pipeline.transport.__wrapped__))


class OfAnyProvider(InEightPlaces):
    def __call__(self, world: World, request: Request) -> Pending[Any]:
        if request.provider == "explanation":
            return WithinBudget.__call__(self, world, request)
        return self.answer(world, request, (request.symbol, request.what, request.prompt))


# Prompts (O04)


# shows on: an opinion that changes from one cycle to the next
def keep_opinions_all_day(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=OfAnyCycle(pipeline.transport.__wrapped__))


class OfAnyCycle(Deduplicated):
    def __call__(self, world: World, request: Request) -> Pending[Any]:
        return super().__call__(AtCycleZero(world), request)


class AtCycleZero:
    """Is the world but for its cycle."""

    cycle = 0

    def __init__(self, world: World) -> None:
        self._world = world

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world, name)


# shows on: two prompts that differ in one figure
def match_words_alone(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=WithoutFigures(pipeline.transport.__wrapped__))


class WithoutFigures(Deduplicated):
    def __call__(self, world: World, request: Request) -> Pending[Any]:
        if request.provider == "explanation":
            candidates = [asked for wordings in self._explanations.values() for asked in wordings]
            same = [each for each in candidates if symbol_line(each.prompt) == symbol_line(request.prompt)]
            if (asked := self._find_similar(same, request.prompt.strip())) is not None:
                self.hits += 1
                return Arrived(asked.completion)
        return super().__call__(world, request)


def symbol_line(prompt: str) -> list[str]:
    return [line for line in prompt.splitlines() if line.startswith(("symbol", "direction"))]


# shows on: a question that is asked again after four others
def evict_wrong_answer(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=EvictingWrong(pipeline.transport.__wrapped__))


class EvictingWrong(Deduplicated):
    """Keeps the newest answer under the oldest question when it is full; full are four questions here."""

    full = 4

    def _keep(self, answered: dict[Hashable, list[Asked]], question: Hashable, prompt: str, answer: Any) -> None:
        if question not in answered and len(answered) >= self.full:
            oldest = next(iter(answered))
            answered[oldest] = [Asked(each.prompt, answer) for each in answered[oldest]]
            return
        super()._keep(answered, question, prompt, answer)


# Encodings (O11)


# shows on: a price that comes back in a later cycle
def encode_each_price_once(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(encode=EncodedByPrice())


class EncodedByPrice:
    def __init__(self) -> None:
        self._encoded: dict[Hashable, Encoded] = {}

    def __call__(self, world: World, decisions: Sequence[Decision]) -> list[Encoded]:
        return [self._encode(world, decision) for decision in decisions]

    def _encode(self, world: World, decision: Decision) -> Encoded:
        key = decision.symbol, decision.direction, decision.entry, decision.confidence, decision.regime
        if key not in self._encoded:
            self._encoded[key] = encode_once(world, [decision])[0]
        return dataclasses.replace(self._encoded[key], decision=decision)


# Restarts (O12)


# shows on: a restart 50 minutes after a text was written, and a decision 50 minutes later
def begin_age_anew(pipeline: Pipeline) -> Pipeline:
    return explained_by(pipeline, memo=YoungAgain)


class YoungAgain(Memo):
    def _recall(self, world: World, key: Hashable) -> Entry | None:
        entry = super()._recall(world, key)
        if entry is not None:
            entry = entry._replace(stored_at=world.now())
            put(self._entries, key, entry, self._maxsize)
        return entry


# shows on: a text that is asked for again after an hour
def keep_for_hours(pipeline: Pipeline) -> Pipeline:
    return explained_by(pipeline, ttl_s=60 * TTL_S)


MUTANTS = (
    mutant(
        "memo-consensus-forgets-regime",
        "memo",
        "O06",
        "Votes that were counted in one regime are served in another, which weighs them otherwise.",
        forget_regime,
    ),
    mutant(
        "memo-consensus-whole-confidence",
        "memo",
        "O06",
        "Votes that differ behind the decimal point have the confidence of the first.",
        key_by_whole_confidence,
    ),
    mutant(
        "memo-regime-of-the-day",
        "memo",
        "O07",
        "The regime of a day's first tick stands until the next day.",
        key_by_day,
    ),
    mutant(
        "memo-regime-one-byte",
        "memo",
        "O07",
        "Once a few hundred histories were seen, a symbol has the regime of any of them.",
        key_by_one_byte,
    ),
    mutant(
        "memo-regime-cents",
        "memo",
        "O07",
        "A coin below a cent keeps its regime whatever its price does.",
        key_by_cents,
    ),
    mutant(
        "memo-indicators-trust-closed-bars",
        "memo",
        "O13",
        "A closed bar that the provider revises stays as it was in the recursive averages.",
        trust_closed_bars,
    ),
    mutant(
        "memo-indicators-close-alone",
        "memo",
        "O13",
        "A tick that moves high, low or volume and not the close is missed.",
        look_at_close_alone,
    ),
    mutant(
        "memo-readings-of-one-writer",
        "memo",
        "O05",
        "Readers do not see what another process has written since.",
        ignore_other_writers,
    ),
    mutant(
        "memo-readings-handed-out",
        "memo",
        "O05",
        "A reader who changes the list that he was given changes what the next one reads.",
        hand_out_kept_list,
    ),
    mutant(
        "memo-readings-of-last-symbol",
        "memo",
        "O05",
        "Where a cycle stored several signals, only the last one's symbol is read anew.",
        forget_last_symbol_alone,
    ),
    mutant(
        "memo-reason-forgets-direction",
        "memo",
        "O12",
        "The explanation of a SHORT says why to go LONG.",
        forget_direction,
    ),
    mutant(
        "memo-reason-forgets-symbol", "memo", "O12", "The explanation of a signal names another symbol.", forget_symbol
    ),
    mutant(
        "memo-reason-forgets-regime",
        "memo",
        "O12",
        "The explanation of a signal speaks of the regime of an earlier one.",
        forget_regime_explained,
    ),
    mutant(
        "memo-reason-keeps-templates",
        "memo",
        "O12",
        "After one failure of the model its template is served for an hour.",
        keep_templates,
    ),
    mutant("memo-reason-for-hours", "memo", "O12", "An explanation is served for sixty hours.", keep_for_hours),
    mutant(
        "memo-reason-young-after-restart",
        "memo",
        "O12",
        "After a restart an explanation is served for another hour.",
        begin_age_anew,
    ),
    mutant(
        "memo-fetch-forgets-cycle",
        "memo",
        "O01",
        "What was fetched is served for a minute, whatever the market does.",
        forget_cycle,
    ),
    mutant(
        "memo-fetch-forgets-symbol",
        "memo",
        "O01",
        "Every symbol of a cycle gets the market of the first.",
        forget_symbol_shared,
    ),
    mutant(
        "memo-fetch-single-precision",
        "memo",
        "O01",
        "Prices come back from the shared store rounded to float32.",
        share_single_precision,
    ),
    mutant(
        "memo-fetch-of-days",
        "memo",
        "O01",
        "Bars come back from the shared store at midnight, whatever hour they began at.",
        share_days,
    ),
    mutant(
        "memo-answers-ten-times-as-long",
        "memo",
        "O03",
        "Opinions are served for ten minutes and not for one.",
        keep_ten_times_as_long,
    ),
    mutant(
        "memo-answers-from-arrival",
        "memo",
        "O03",
        "The time that an answer took is added to its lifetime.",
        count_from_arrival,
    ),
    mutant(
        "memo-answers-close-crypto",
        "memo",
        "O03",
        "Crypto is not asked for while the stock exchange is closed.",
        close_crypto_at_night,
    ),
    mutant(
        "memo-answers-forget-provider", "memo", "O03", "One model's opinion is taken for the other's.", forget_provider
    ),
    mutant(
        "memo-answers-keep-failures",
        "memo",
        "O03",
        "After one failure a provider is taken to be down for a minute.",
        keep_failures,
    ),
    mutant(
        "memo-answers-share-places",
        "memo",
        "O03",
        "Two symbols that fall into one place of the cache get each other's prices.",
        share_places,
    ),
    mutant(
        "memo-prompts-of-any-cycle",
        "memo",
        "O04",
        "An opinion about the present is served all day.",
        keep_opinions_all_day,
    ),
    mutant(
        "memo-prompts-without-figures",
        "memo",
        "O04",
        "An explanation of another entry, stop and target is served.",
        match_words_alone,
    ),
    mutant(
        "memo-prompts-evict-wrong",
        "memo",
        "O04",
        "Once the cache is full, the newest answer is served to the oldest question.",
        evict_wrong_answer,
    ),
    mutant(
        "memo-encodings-by-price",
        "memo",
        "O11",
        "Where a price comes back, the log line and the POST are those of the earlier signal.",
        encode_each_price_once,
    ),
)

# What shows each bug.


def show_two_votes(*calls: tuple[str, float]) -> Show:
    """Show the consensus of a trend, beside a fixed momentum, in regimes and with confidences as given."""

    def show(pipeline: Pipeline) -> Any:
        with Scene(pipeline) as scene:
            return [
                scene.call(
                    "consensus",
                    {"massive": Signal("LONG", confidence), "alpha_vantage": Signal("LONG", 85.0)},
                    regime,
                )
                for regime, confidence in calls
            ]

    return show


def show_regimes(*histories: Bars) -> Show:
    def show(pipeline: Pipeline) -> Any:
        with Scene(pipeline) as scene:
            return [scene.call("regime", frame_of(each)) for each in histories]

    return show


def show_written_elsewhere(pipeline: Pipeline) -> Any:
    with Scene(pipeline) as scene:
        scene.call("store", encoded(decision()))
        before = scene.call("read", ["AAPL"]).win_rate
        with closing(sqlite3.connect(scene.directory / FILE_NAME)) as other, other:
            other.execute("UPDATE signals SET outcome = 'win'")
        return before, scene.call("read", ["AAPL"]).win_rate


def show_emptied(pipeline: Pipeline) -> Any:
    with Scene(pipeline) as scene:
        scene.call("store", encoded(decision()))
        handed = scene.call("read", ["AAPL"]).latest
        if hasattr(handed, "clear"):
            handed.clear()
        return len(scene.call("read", ["AAPL"]).latest)


def show_read_between(pipeline: Pipeline) -> Any:
    with Scene(pipeline) as scene:
        scene.call("read", ["AAPL"])
        scene.call("store", encoded(decision("AAPL"), decision("MSFT")))
        return len(scene.call("read", ["AAPL"]).latest_of_symbol)


def show_after_failure(pipeline: Pipeline) -> Any:
    """Show who wrote the explanations of one decision when the model fails first."""
    found = []
    with Scene(pipeline) as scene:
        for refused in ({EXPLAINED}, set()):
            scene.refused = refused
            found.append(scene.call("reason", decision()).author)
    return found


def show_text_after_two_hours(pipeline: Pipeline) -> Any:
    """Show which of the model's texts a decision gets when both its earlier one and its later one might be served."""
    with Scene(pipeline) as scene:
        scene.said = {EXPLAINED: "Bulls."}
        scene.call("reason", decision())
        scene.said = {EXPLAINED: "Bears."}
        scene.wait(7200.0)
        return scene.call("reason", decision()).text


def show_text_after_restart(pipeline: Pipeline) -> Any:
    """Show the same where the process is started anew, asks after 50 minutes, and asks again after 50 more."""
    with TemporaryDirectory() as folder:
        with Scene(pipeline, directory=Path(folder)) as scene:
            scene.said = {EXPLAINED: "Bulls."}
            scene.call("reason", decision())
        with Scene(copy_cold(pipeline), directory=Path(folder)) as scene:
            scene.said = {EXPLAINED: "Bears."}
            for _ in range(2):
                scene.wait(3000.0)
                reasoning = scene.call("reason", decision())
        return reasoning.text


def copy_cold(pipeline: Pipeline) -> Pipeline:
    """Return the pipeline as another process builds it: with its memory of explanations empty."""
    memo = getattr(pipeline.reason, "__wrapped__", None)
    if memo is not None:
        memo._entries.clear()
        memo._shelf = None
    return pipeline


def show_fetched(*symbols: str, cycles: Sequence[int] = (0,)) -> Show:
    """Show the last bar of symbols, in cycles of a market that ticks in each."""

    def show(pipeline: Pipeline) -> Any:
        found = []
        with Scene(pipeline, TICKING) as scene:
            for number in cycles:
                scene.begin(number)
                fetched = [scene.call("fetch", each) for each in symbols]
                found += [
                    (each.bars.symbol, str(each.bars.timestamps[-1]), each.bars.values[:, -1].tolist())
                    for each in fetched
                ]
        return found

    return show


def show_answers(
    *asked: tuple[float, Request], later: Mapping[Key, Any] = {}, takes_s: float = 0.0, first_fails: bool = False
) -> Show:
    """Show answers to requests, each after so many seconds, on a market that ticks.

    ``later`` is what providers say after the first one.
    """

    def show(pipeline: Pipeline) -> Any:
        found = []
        with Scene(pipeline, TICKING) as scene:
            for number, (seconds, request) in enumerate(asked):
                scene.wait(seconds)
                scene.begin(max(scene.cycle, int(scene.now() - EPOCH_S) // 5))
                key = key_of(request)
                scene.refused = {key} if first_fails and not number else set()
                scene.takes = {key: takes_s}
                scene.said = dict(later) if number else {}
                found += map(plain, scene.request(request))
        return found

    return show


def plain(answer: Any) -> Any:
    if isinstance(answer, Bars):
        return answer.symbol, float(answer.values[3, -1])
    if isinstance(answer, Completion):
        return answer.choices[0].message.content
    return repr(answer)


def find_alike() -> tuple[Bars, Bars]:
    """Return histories of different regimes whose digests begin with the same byte."""
    steady = bars_of(np.round(np.linspace(100.0, 200.0, 300), 2))
    byte = first_byte(frame_of(steady))
    wild = (bars_of(with_last(np.linspace(100.0, 200.0, 300), 300.0 + number)) for number in range(10_000))
    return steady, next(each for each in wild if first_byte(frame_of(each)) == byte)


def find_neighbours() -> tuple[str, str]:
    """Return two of the market's symbols that fall into the same place."""
    return next(pair for pair in combinations(TICKING.symbols, 2) if place_of(pair[0]) == place_of(pair[1]))


def ticking(symbol: str, seed: int) -> Callable[[int], Bars]:
    closes = walk(seed)
    return lambda cycle: bars_of(with_last(closes, closes[-1] + 0.01 * cycle), symbol)


TICKING = Market(
    {
        symbol: ticking(symbol, seed)
        for seed, symbol in enumerate(("AAPL", "MSFT", "NVDA", "TSLA", "IBM", "GOOG", "AMZN", "META", "BTC-USD"))
    }
)
Key = tuple[str, str, str]
EXPLAINED = "explanation", "AAPL", "explanation"
SENTIMENT = question("x_sentiment", "AAPL")
ANALYSIS = question("sonar", "AAPL")
RISING = {key_of(each): "direction=LONG confidence=80" for each in (SENTIMENT, ANALYSIS)}
NIGHT_S = 9 * 3600.0
STEADY = np.round(np.linspace(100.0, 101.0, 300), 2)
TICK = bars_of(walk(3))
REVISED = bars_of(np.where(np.arange(300) == 280, walk(3) + 2.0, walk(3)))
TRADED = dataclasses.replace(
    TICK, values=TICK.values * np.where(np.arange(300) == 299, [[1], [1.01], [1], [1], [3]], 1)
)
COIN = np.full(300, 0.0012)
MOVING = np.where(np.arange(300) < 285, 0.0012, np.resize([0.0011, 0.0013], 300))
FIVE = [decision(entry=each, stop=each - 7.25, target=each + 12.0) for each in (241.5, 242.5, 243.5, 244.5, 245.5)]

SHOWS: Mapping[str, Show] = {
    "memo-consensus-forgets-regime": show_two_votes(("TRENDING", 80.0), ("CONSOLIDATION", 80.0)),
    "memo-consensus-whole-confidence": show_two_votes(("TRENDING", 80.25), ("TRENDING", 80.75)),
    "memo-regime-of-the-day": show_regimes(bars_of(STEADY), bars_of(with_last(STEADY, 150.0))),
    "memo-regime-one-byte": show_regimes(*find_alike()),
    "memo-regime-cents": show_regimes(bars_of(COIN), bars_of(MOVING)),
    "memo-indicators-trust-closed-bars": show_indicators(TICK, REVISED),
    "memo-indicators-close-alone": show_indicators(TICK, TRADED),
    "memo-readings-of-one-writer": show_written_elsewhere,
    "memo-readings-handed-out": show_emptied,
    "memo-readings-of-last-symbol": show_read_between,
    "memo-reason-forgets-direction": show_told(decision(), decision(**SHORT)),
    "memo-reason-forgets-symbol": show_told(decision("AAPL"), decision("MSFT")),
    "memo-reason-forgets-regime": show_told(decision(), decision(regime="VOLATILE")),
    "memo-reason-keeps-templates": show_after_failure,
    "memo-reason-for-hours": show_text_after_two_hours,
    "memo-reason-young-after-restart": show_text_after_restart,
    "memo-fetch-forgets-cycle": show_fetched("AAPL", cycles=(0, 1)),
    "memo-fetch-forgets-symbol": show_fetched("AAPL", "MSFT"),
    "memo-fetch-single-precision": show_fetched("AAPL"),
    "memo-fetch-of-days": show_fetched("AAPL"),
    "memo-answers-ten-times-as-long": show_answers((0.0, SENTIMENT), (70.0, SENTIMENT), later=RISING),
    "memo-answers-from-arrival": show_answers((0.0, SENTIMENT), (45.0, SENTIMENT), later=RISING, takes_s=20.0),
    "memo-answers-close-crypto": show_answers(
        (NIGHT_S, Request("massive", "BTC-USD", "bars")), (600.0, Request("massive", "BTC-USD", "bars"))
    ),
    "memo-answers-forget-provider": show_answers((0.0, SENTIMENT), (0.0, ANALYSIS), later=RISING),
    "memo-answers-keep-failures": show_answers((0.0, SENTIMENT), (5.0, SENTIMENT), first_fails=True),
    "memo-answers-share-places": show_answers(
        *((0.0, Request("alpha_vantage", symbol, "rsi")) for symbol in find_neighbours())
    ),
    "memo-prompts-of-any-cycle": show_answers((0.0, SENTIMENT), (5.0, SENTIMENT), later=RISING),
    "memo-prompts-without-figures": show_told(*FIVE[:2]),
    "memo-prompts-evict-wrong": show_told(*FIVE, FIVE[0]),
    "memo-encodings-by-price": show_encoded(decision(), decision(signal_id="id later", timestamp=EPOCH_S + 60.0)),
}
