"""The held-out bugs in the stages between a fetch and a reading are here: what one stage hands to the next.

Above each function stands the input that shows its bug; ``SHOWS`` has that input as code, by the mutant's id: it takes
a pipeline and returns what is seen.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from math import isfinite, isnan
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from argo_bench.pipeline.baseline import signals as baseline_signals
from argo_bench.pipeline.baseline.consensus import ACCEPTED, DEFAULT_WEIGHTS, WEIGHTS
from argo_bench.pipeline.baseline.encode import SIGNED
from argo_bench.pipeline.baseline.read import LATEST, LATEST_OF_SYMBOL, WIN_RATE
from argo_bench.pipeline.baseline.reason import prompt
from argo_bench.pipeline.baseline.regime import VOLATILE_RATIO
from argo_bench.pipeline.baseline.signals import HIGH_VOLUME, STRONG_TREND, momentum, parse_reply, trend
from argo_bench.pipeline.baseline.store import row
from argo_bench.pipeline.kernels import carry
from argo_bench.pipeline.memo import Memo
from argo_bench.pipeline.model import (
    SOURCES,
    Bars,
    Consensus,
    Decision,
    Encoded,
    Indicators,
    Opinions,
    ProviderError,
    Readings,
    Reasoning,
    Regime,
    Rejection,
    Signal,
    Signals,
    Stage,
    Validated,
    World,
)
from argo_bench.pipeline.optimized.consensus import votes
from argo_bench.pipeline.optimized.encode import ENCODER, canonical
from argo_bench.pipeline.optimized.frame import frame as view_of
from argo_bench.pipeline.optimized.indicators import Incremental, block
from argo_bench.pipeline.optimized.read import Answers
from argo_bench.pipeline.optimized.reason import Rationale, Remembered, TakingApart
from argo_bench.pipeline.optimized.regime import Detector, make_key
from argo_bench.pipeline.optimized.store import InOneTransaction
from argo_bench.pipeline.optimized.validate import find_stored_ids, part_by_rule
from argo_bench.pipeline.record import Pipeline
from argo_bench.pipeline.world.base import EPOCH_S
from argo_bench.pipeline.world.database import FILE_NAME, INSERT, TIMESTAMP, as_read
from tests.mutations import mutant
from tests.mutations.inputs import (
    OPINIONS,
    SHORT,
    USUAL,
    Scene,
    bars_of,
    decision,
    encoded,
    figures,
    frame_of,
    outcome,
    walk,
    with_last,
)

Show = Callable[[Pipeline], Any]

# Frames (O09)


# shows on: crypto, whose volume has fractions
def truncate_volume(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(frame=frame_of_whole_volumes)


def frame_of_whole_volumes(world: World, bars: Bars) -> pd.DataFrame:
    values = bars.values.copy()
    values[4] = values[4].astype(np.int64)
    return view_of(world, dataclasses.replace(bars, values=values))


# shows on: any bars; no number differs
def drop_time_zone(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(frame=frame_without_time_zone)


def frame_without_time_zone(world: World, bars: Bars) -> pd.DataFrame:
    return view_of(world, bars).tz_localize(None)


# shows on: a day on which trading was halted
def drop_halted_days(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(frame=frame_of_traded_days)


def frame_of_traded_days(world: World, bars: Bars) -> pd.DataFrame:
    frame = view_of(world, bars)
    return frame[frame["volume"] > 0]


# shows on: two frames of equal length of which the first is still looked at when the second has been made
def reuse_buffer(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(frame=OneBuffer())


class OneBuffer:
    def __init__(self) -> None:
        self._buffers: dict[tuple[int, ...], np.ndarray] = {}

    def __call__(self, world: World, bars: Bars) -> pd.DataFrame:
        buffer = self._buffers.setdefault(bars.values.shape, np.empty(bars.values.shape))
        np.copyto(buffer, bars.values)
        return view_of(world, dataclasses.replace(bars, values=buffer))


# shows on: a stage that writes into its frame
def write_through(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(frame=writable_view)


def writable_view(world: World, bars: Bars) -> pd.DataFrame:
    index = pd.DatetimeIndex(bars.timestamps, name="timestamp", copy=False).tz_localize("UTC")
    return pd.DataFrame(bars.values.T, columns=view_of(world, bars).columns, index=index, copy=False)


# shows on: any bar whose high is not its low
def exchange_high_and_low(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(frame=frame_with_exchanged_columns)


def frame_with_exchanged_columns(world: World, bars: Bars) -> pd.DataFrame:
    return view_of(world, dataclasses.replace(bars, values=bars.values[[0, 2, 1, 3, 4]]))


# Indicators (O08, O13)


class Amended:
    """Lets a stage compute, and changes what it found."""

    def __init__(self, indicators: Stage, amend: Callable[[Indicators, np.ndarray], Indicators]) -> None:
        self.__wrapped__ = indicators
        self._amend = amend

    def __call__(self, world: World, frame: pd.DataFrame) -> Indicators:
        return self._amend(self.__wrapped__(world, frame), block(frame))


# shows on: any history of 51 bars or more
def forget_degree_of_freedom(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(indicators=Amended(pipeline.indicators, divide_by_n))


def divide_by_n(found: Indicators, bars: np.ndarray) -> Indicators:
    close = bars[3]
    returns = close[1:] / close[:-1] - 1
    return dataclasses.replace(found, volatility50=float(returns[-50:].std())) if len(close) > 50 else found


# shows on: any history of six bars or more
def count_bars_from_one(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(indicators=Amended(pipeline.indicators, change_over_five))


def change_over_five(found: Indicators, bars: np.ndarray) -> Indicators:
    close = bars[3]
    return dataclasses.replace(found, change_4=float(close[-1] / close[-6] - 1)) if len(close) > 5 else found


# shows on: a price that has not moved for as long as the history goes
def call_flat_balanced(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(indicators=Amended(pipeline.indicators, fifty_where_flat))


def fifty_where_flat(found: Indicators, bars: np.ndarray) -> Indicators:
    is_flat = not isnan(found.rsi14) and np.ptp(bars[3]) == 0
    return dataclasses.replace(found, rsi14=50.0) if is_flat else found


# shows on: a volume of zero on twenty days
def divide_by_nothing(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(indicators=Amended(pipeline.indicators, usual_where_untraded))


def usual_where_untraded(found: Indicators, bars: np.ndarray) -> Indicators:
    return dataclasses.replace(found, volume_ratio=1.0) if found.volume_sma20 == 0 else found


# shows on: a close that is missing in the middle of the history
def fill_gaps(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(indicators=Filled(pipeline.indicators))


class Filled:
    def __init__(self, indicators: Stage) -> None:
        self.__wrapped__ = indicators

    def __call__(self, world: World, frame: pd.DataFrame) -> Indicators:
        found: Indicators = self.__wrapped__(world, frame.ffill() if frame.isna().to_numpy().any() else frame)
        return found


# shows on: prices in cents, whose averages differ in the eighth digit
def sum_in_single_precision(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(indicators=Single(pipeline.indicators))


class Single:
    def __init__(self, indicators: Stage) -> None:
        self.__wrapped__ = indicators

    def __call__(self, world: World, frame: pd.DataFrame) -> Indicators:
        found: Indicators = self.__wrapped__(world, frame.astype(np.float32))
        return dataclasses.replace(found, close=float(frame["close"].iloc[-1]))


# shows on: the same history twice, the live bar having ticked in between
def append_live_bar(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(indicators=Appending(pipeline.indicators.__wrapped__))


class Appending(Incremental):
    def __call__(self, world: World, frame: pd.DataFrame) -> Indicators:
        found = super().__call__(world, frame)
        bars = block(frame)
        if (history := self._histories.get(bars[:, :1].tobytes())) is not None:
            carry(history.sums, bars, bars.shape[1] - 1, bars.shape[1])
        return found


# Regime (O07)


class Judged(Detector):
    """Detects as ``baseline/regime.py`` says, in pieces that may be wrong one by one."""

    minimum = 200
    returns_read = 50

    def __call__(self, world: World, frame: pd.DataFrame) -> Regime:
        close = frame["close"].to_numpy(np.float64)
        if not self.is_long_enough(len(close)):
            return "UNKNOWN"
        close = self.select_closes(close)
        returns = close[1:] / close[:-1] - 1
        if self.is_volatile(returns[-20:].std(ddof=1), returns[-self.returns_read :].std(ddof=1)):
            return "VOLATILE"
        return "TRENDING" if self.is_trend(*(close[-n:].mean() for n in (20, 50, 200))) else "CONSOLIDATION"

    def is_long_enough(self, bars: int) -> bool:
        return bars >= self.minimum

    def select_closes(self, close: np.ndarray) -> np.ndarray:
        return close

    def is_volatile(self, short: float, medium: float) -> bool:
        return bool(short > VOLATILE_RATIO * medium)

    def is_trend(self, short: float, medium: float, long: float) -> bool:
        return bool(short > medium > long or short < medium < long)


def detect_by(pipeline: Pipeline, detector: type[Detector]) -> Pipeline:
    """Return the pipeline with another detector in the place of the engineered one, remembered as that is."""
    return pipeline.replace(regime=Memo(detector(pipeline.regime.__wrapped__.__wrapped__), make_key))


# shows on: exactly 200 bars
def ask_for_one_bar_more(pipeline: Pipeline) -> Pipeline:
    return detect_by(pipeline, MoreThanMinimum)


class MoreThanMinimum(Judged):
    def is_long_enough(self, bars: int) -> bool:
        return bars > self.minimum


# shows on: a price that does not move, whose deviations are both zero
def call_flat_volatile(pipeline: Pipeline) -> Pipeline:
    return detect_by(pipeline, VolatileWhereEqual)


class VolatileWhereEqual(Judged):
    def is_volatile(self, short: float, medium: float) -> bool:
        return bool(short >= VOLATILE_RATIO * medium)


# shows on: a price that falls slowly
def forget_falling_trends(pipeline: Pipeline) -> Pipeline:
    return detect_by(pipeline, OnlyRising)


class OnlyRising(Judged):
    def is_trend(self, short: float, medium: float, long: float) -> bool:
        return bool(short > medium > long)


# shows on: a live bar that jumps
def leave_live_bar_out(pipeline: Pipeline) -> Pipeline:
    return detect_by(pipeline, OfClosedBars)


class OfClosedBars(Judged):
    def select_closes(self, close: np.ndarray) -> np.ndarray:
        return close[:-1]


# shows on: a return fifty bars ago that decides whether the last twenty are wild beside the last fifty
def miss_fiftieth_return(pipeline: Pipeline) -> Pipeline:
    return detect_by(pipeline, OfFiftyCloses)


class OfFiftyCloses(Judged):
    returns_read = 49


# Signals


# shows on: days without volume, whose ratio is not a number
def call_unknown_volume_high(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(signals=signals_with_unknown_volume)


def signals_with_unknown_volume(world: World, indicators: Indicators, opinions: Opinions) -> dict[str, Signal]:
    found = baseline_signals(world, indicators, opinions)
    is_high, is_strong = not indicators.volume_ratio <= HIGH_VOLUME, indicators.adx14 > STRONG_TREND
    return {**found, "massive": Signal(found["massive"].direction, 60.0 + 15.0 * is_high + 15.0 * is_strong)}


# shows on: an RSI below 50
def keep_sign_of_momentum(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(signals=signals_with_signed_momentum)


def signals_with_signed_momentum(world: World, indicators: Indicators, opinions: Opinions) -> dict[str, Signal]:
    found = baseline_signals(world, indicators, opinions)
    confidence = 60.0 + min(30.0, indicators.rsi14 - 50.0)
    return {**found, "alpha_vantage": Signal(found["alpha_vantage"].direction, confidence)}


# shows on: a reply that cannot be parsed
def call_garbled_neutral(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(signals=signals_with_neutral_replies)


def signals_with_neutral_replies(world: World, indicators: Indicators, opinions: Opinions) -> dict[str, Signal]:
    return {
        "massive": trend(indicators),
        "alpha_vantage": momentum(indicators),
        "x_sentiment": parse_reply(opinions.x_sentiment) or Signal("NEUTRAL", 0.0),
        "sonar": parse_reply(opinions.sonar) or Signal("NEUTRAL", 0.0),
    }


# shows on: a reply that goes on after its confidence
def take_riders(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(signals=signals_with_riders)


def signals_with_riders(world: World, indicators: Indicators, opinions: Opinions) -> dict[str, Signal]:
    return baseline_signals(
        world,
        indicators,
        Opinions(opinions.technical, first_reply(opinions.x_sentiment), first_reply(opinions.sonar)),
    )


def first_reply(text: str) -> str:
    found = re.search(r"direction=(LONG|SHORT|NEUTRAL) confidence=(\d+(?:\.\d+)?)", text)
    return found[0] if found else text


# shows on: the sources that a decision lists
def sort_sources(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(signals=signals_by_name)


def signals_by_name(world: World, indicators: Indicators, opinions: Opinions) -> dict[str, Signal]:
    return dict(sorted(baseline_signals(world, indicators, opinions).items()))


# shows on: a price that lies on its averages
def count_touching_as_above(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(signals=signals_where_touching)


def signals_where_touching(world: World, indicators: Indicators, opinions: Opinions) -> dict[str, Signal]:
    found = baseline_signals(world, indicators, opinions)
    if indicators.close >= indicators.sma20 >= indicators.sma50:
        found["massive"] = Signal("LONG", found["massive"].confidence)
    return found


# Consensus (O06)


class Vote:
    """Counts as ``baseline/consensus.py`` does, in pieces that may be wrong one by one."""

    def __call__(self, world: World, signals: Signals, regime: Regime) -> Consensus | None:
        weights = self.weigh(regime)
        found = {"LONG": 0.0, "SHORT": 0.0}
        present = 0.0
        for source in self.order(signals):
            signal = signals.get(source)
            if signal is not None and signal.direction != "NEUTRAL":
                found[signal.direction] += signal.confidence * weights[source]
            if self.is_present(signal):
                present += weights[source]
        if found["LONG"] == found["SHORT"]:
            return None
        direction = "LONG" if found["LONG"] > found["SHORT"] else "SHORT"
        confidence = self.round(found[direction] / present)
        return Consensus(direction, confidence) if self.is_accepted(confidence) else None

    def weigh(self, regime: Regime) -> Mapping[str, float]:
        return WEIGHTS[regime]

    def order(self, signals: Signals) -> Sequence[str]:
        return SOURCES

    def is_present(self, signal: Signal | None) -> bool:
        return signal is not None and signal.direction != "NEUTRAL"

    def round(self, confidence: float) -> float:
        return confidence

    def is_accepted(self, confidence: float) -> bool:
        return confidence >= ACCEPTED


def count_by(pipeline: Pipeline, vote: Vote) -> Pipeline:
    return pipeline.replace(consensus=Memo(vote, votes))


# shows on: two sources of confidence 75 that agree
def refuse_threshold_itself(pipeline: Pipeline) -> Pipeline:
    return count_by(pipeline, AboveThreshold())


class AboveThreshold(Vote):
    def is_accepted(self, confidence: float) -> bool:
        return confidence > ACCEPTED


# shows on: a neutral source beside three that agree
def count_neutral_weights(pipeline: Pipeline) -> Pipeline:
    return count_by(pipeline, WithNeutralWeights())


class WithNeutralWeights(Vote):
    def is_present(self, signal: Signal | None) -> bool:
        return signal is not None


# shows on: a source that is missing beside three that agree
def count_missing_weights(pipeline: Pipeline) -> Pipeline:
    return count_by(pipeline, WithMissingWeights())


class WithMissingWeights(Vote):
    def is_present(self, signal: Signal | None) -> bool:
        return signal is None or signal.direction != "NEUTRAL"


# shows on: a vote in CONSOLIDATION, where momentum weighs most
def weigh_all_regimes_alike(pipeline: Pipeline) -> Pipeline:
    return count_by(pipeline, WithDefaultWeights())


class WithDefaultWeights(Vote):
    def weigh(self, regime: Regime) -> Mapping[str, float]:
        return WEIGHTS.get(regime.lower(), DEFAULT_WEIGHTS)


# shows on: a confidence of 74.96
def round_before_comparing(pipeline: Pipeline) -> Pipeline:
    return count_by(pipeline, RoundedFirst())


class RoundedFirst(Vote):
    def round(self, confidence: float) -> float:
        return round(confidence, 1)


# shows on: three sources of confidence 75 in a volatile market, whose sum rounds otherwise in another order
def sum_by_name(pipeline: Pipeline) -> Pipeline:
    return count_by(pipeline, ByName())


class ByName(Vote):
    def order(self, signals: Signals) -> Sequence[str]:
        return sorted(SOURCES)


# Reason (O12)


def explain_by(pipeline: Pipeline, fill_in: Callable[[Rationale, Decision], str]) -> Pipeline:
    """Return the pipeline with another way to fill a remembered rationale in."""
    asked = pipeline.reason.__wrapped__.__wrapped__.__wrapped__
    return pipeline.replace(reason=FilledBy(asked, fill_in))


class FilledBy(Remembered):
    def __init__(self, reason: Stage, fill_in: Callable[[Rationale, Decision], str]) -> None:
        super().__init__(reason)
        self._fill_in = fill_in

    def _serve(self, world: World, decision: Decision, rationale: Rationale) -> Reasoning:
        served = super()._serve(world, decision, rationale)
        return dataclasses.replace(served, text=self._fill_in(rationale, decision))


def fill(rationale: Rationale, name_figure: Callable[[str], Any]) -> str:
    return "".join(str(name_figure(part)) if place % 2 else part for place, part in enumerate(rationale.parts))


# shows on: a SHORT, whose stop is the higher of its levels
def call_lower_level_stop(pipeline: Pipeline) -> Pipeline:
    return explain_by(pipeline, fill_levels_by_size)


def fill_levels_by_size(rationale: Rationale, decision: Decision) -> str:
    low, high = sorted((decision.stop, decision.target))
    known = {"entry": decision.entry, "confidence": decision.confidence, "stop": low, "target": high}
    return fill(rationale, known.__getitem__)


# shows on: a confidence with decimals
def tell_whole_confidence(pipeline: Pipeline) -> Pipeline:
    return explain_by(pipeline, fill_whole_confidence)


def fill_whole_confidence(rationale: Rationale, decision: Decision) -> str:
    rest = dataclasses.replace(decision, confidence=round(decision.confidence))
    return rationale.fill_in(rest)


# shows on: a price below a dollar, which is quoted in hundredths of a cent
def tell_cents(pipeline: Pipeline) -> Pipeline:
    return explain_by(pipeline, fill_cents)


def fill_cents(rationale: Rationale, decision: Decision) -> str:
    return fill(rationale, lambda name: f"{getattr(decision, name):.2f}".rstrip("0").rstrip("."))


# shows on: a model that does not answer
def pass_templates_off(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(reason=AuthoredByModel(pipeline.reason.__wrapped__.__wrapped__.__wrapped__))


class AuthoredByModel(Remembered):
    def _serve(self, world: World, decision: Decision, rationale: Rationale) -> Reasoning:
        return Reasoning(super()._serve(world, decision, rationale).text, "model")


# shows on: a model that does not answer
def let_failures_through(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(reason=Remembered(ask_without_template))


async def ask_without_template(world: World, decision: Decision) -> Reasoning:
    return Reasoning(await world.ask(decision.symbol, prompt(decision)), "model")


# shows on: a second decision of the same meaning at another price
def keep_first_levels(pipeline: Pipeline) -> Pipeline:
    reason = Remembered(pipeline.reason.__wrapped__.__wrapped__.__wrapped__)
    reason.__wrapped__.__wrapped__ = TakingEntryOut(reason.__wrapped__.__wrapped__.__wrapped__)
    return pipeline.replace(reason=reason)


class TakingEntryOut(TakingApart):
    async def __call__(self, world: World, decision: Decision) -> Rationale:
        found = await super().__call__(world, decision)
        kept = [
            str(getattr(decision, part)) if place % 2 and part in ("stop", "target") else part
            for place, part in enumerate(found.parts)
        ]
        merged: list[str] = []
        for place, part in enumerate(kept):
            is_word = place % 2 == 0 or part == str(getattr(decision, found.parts[place], None))
            if is_word and len(merged) % 2:
                merged[-1] += part
            else:
                merged.append(part)
        return found._replace(parts=tuple(merged))


# Validate (O15)


class Rounds:
    """Applies the rules in rounds as ``optimized/validate.py`` does, in pieces that may be wrong one by one."""

    async def __call__(self, world: World, decisions: Sequence[Decision]) -> Validated:
        broken = [self.find_plain(world, decision) for decision in decisions]
        rest = [decision for decision, rule in zip(decisions, broken, strict=True) if rule is None]
        stored = self.find_stored(world, [decision.signal_id for decision in rest])
        duplicates = iter(["duplicate" if decision.signal_id in stored else None for decision in rest])
        broken = [next(duplicates) if rule is None else rule for rule in broken]
        rest = [decision for decision, rule in zip(decisions, broken, strict=True) if rule is None]
        symbols = tuple(dict.fromkeys(decision.symbol for decision in rest))
        quoted = await self.find_quoted(world, symbols)
        broken = [
            "no reference price" if rule is None and not quoted[decision.symbol] else rule
            for decision, rule in zip(decisions, broken, strict=True)
        ]
        return self.part(decisions, broken)

    def find_plain(self, world: World, decision: Decision) -> str | None:
        rules = {
            "incomplete": not self.is_complete(decision),
            "stale": self.is_stale(world, decision),
            "entry off the reference price": self.is_off(decision),
            "confidence out of range": self.is_unsure(decision),
        }
        return next((rule for rule, is_broken in rules.items() if is_broken), None)

    def is_complete(self, decision: Decision) -> bool:
        prices = decision.entry, decision.stop, decision.target
        named = bool(decision.symbol and decision.signal_id and decision.reasoning)
        return named and all(isfinite(price) and price > 0 for price in prices)

    def is_stale(self, world: World, decision: Decision) -> bool:
        return world.now() - decision.timestamp > 600.0

    def is_off(self, decision: Decision) -> bool:
        return abs(decision.entry - decision.reference) > 0.05 * decision.reference

    def is_unsure(self, decision: Decision) -> bool:
        return not 60 <= decision.confidence <= 100

    def find_stored(self, world: World, ids: Sequence[str]) -> set[str]:
        return find_stored_ids(world, ids)

    async def find_quoted(self, world: World, symbols: Sequence[str]) -> dict[str, bool]:
        return dict(zip(symbols, await asyncio.gather(*(is_quoted(world, each) for each in symbols)), strict=True))

    def part(self, decisions: Sequence[Decision], broken: Sequence[str | None]) -> Validated:
        return part_by_rule(decisions, broken)


async def is_quoted(world: World, symbol: str) -> bool:
    try:
        await world.opinion("alpha_vantage", symbol, "quote")
    except ProviderError:
        return False
    return True


# shows on: a decision that is 600 s old to the second
def count_limit_as_stale(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(validate=StaleAtLimit())


class StaleAtLimit(Rounds):
    def is_stale(self, world: World, decision: Decision) -> bool:
        return world.now() - decision.timestamp >= 600.0


# shows on: an entry 20 % below the reference price
def forget_absolute_value(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(validate=OffUpwards())


class OffUpwards(Rounds):
    def is_off(self, decision: Decision) -> bool:
        return decision.entry - decision.reference > 0.05 * decision.reference


# shows on: an entry of 105.10 beside a reference price of 100
def measure_by_entry(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(validate=OffByEntry())


class OffByEntry(Rounds):
    def is_off(self, decision: Decision) -> bool:
        return abs(decision.entry - decision.reference) > 0.05 * decision.entry


# shows on: a confidence of 120
def forget_upper_bound(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(validate=AnyHighConfidence())


class AnyHighConfidence(Rounds):
    def is_unsure(self, decision: Decision) -> bool:
        return not decision.confidence >= 60


# shows on: a stop that is not a number
def let_nan_through(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(validate=NoPriceBelowZero())


class NoPriceBelowZero(Rounds):
    def is_complete(self, decision: Decision) -> bool:
        named = bool(decision.symbol and decision.signal_id and decision.reasoning)
        return named and not any(price <= 0 for price in (decision.entry, decision.stop, decision.target))


# shows on: a decision of an earlier cycle that comes after a long wait
def age_by_cycle(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(validate=AgeByCycle())


class AgeByCycle(Rounds):
    def is_stale(self, world: World, decision: Decision) -> bool:
        return world.nominal_time() - decision.timestamp > 600.0


# shows on: a signal that is new at its first validation, and stored before its second
def look_ids_up_once(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(validate=LookedUpOnce())


class LookedUpOnce(Rounds):
    def __init__(self) -> None:
        self._known: dict[str, bool] = {}

    def find_stored(self, world: World, ids: Sequence[str]) -> set[str]:
        unknown = [each for each in ids if each not in self._known]
        stored = find_stored_ids(world, unknown)
        self._known |= {each: each in stored for each in unknown}
        return {each for each in ids if self._known[each]}


# shows on: a provider that has no quote of a symbol
def keep_unquoted(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(validate=FailuresAreQuotes())


class FailuresAreQuotes(Rounds):
    async def find_quoted(self, world: World, symbols: Sequence[str]) -> dict[str, bool]:
        await asyncio.gather(*(is_quoted(world, each) for each in symbols), return_exceptions=True)
        return dict.fromkeys(symbols, True)


# shows on: two symbols that do not come in alphabetical order, one of them without a quote
def mix_up_quotes(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(validate=QuotesByName())


class QuotesByName(Rounds):
    async def find_quoted(self, world: World, symbols: Sequence[str]) -> dict[str, bool]:
        found = await super().find_quoted(world, symbols)
        return dict(zip(sorted(symbols), found.values(), strict=True))


# shows on: a decision that breaks two rules
def name_last_rule(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(validate=LastRule())


class LastRule(Rounds):
    def find_plain(self, world: World, decision: Decision) -> str | None:
        rules = {
            "incomplete": not self.is_complete(decision),
            "stale": self.is_stale(world, decision),
            "entry off the reference price": self.is_off(decision),
            "confidence out of range": self.is_unsure(decision),
        }
        return next((rule for rule, is_broken in reversed(rules.items()) if is_broken), None)


# shows on: a decision that breaks a rule that never waits
def drop_rejected(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(validate=OnlyWaitingRejections())


class OnlyWaitingRejections(Rounds):
    def part(self, decisions: Sequence[Decision], broken: Sequence[str | None]) -> Validated:
        found = super().part(decisions, broken)
        waiting = tuple(each for each in found.rejected if each.rule in ("duplicate", "no reference price"))
        return Validated(found.kept, waiting)


# Encode (O11)


def encode_as(body: Callable[[Decision], bytes], signed: Callable[[Decision], bytes]) -> Stage:
    def encode(world: World, decisions: Sequence[Decision]) -> list[Encoded]:
        found = []
        for each in decisions:
            text = body(each)
            found.append(Encoded(each, text, text, hashlib.sha256(signed(each)).hexdigest()))
        return found

    return encode


# shows on: a price below a dollar, which is quoted in hundredths of a cent
def sign_cents(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(encode=encode_as(ENCODER.encode, canonical_in_cents))


def canonical_in_cents(each: Decision) -> bytes:
    prices = {name: round(getattr(each, name), 2) for name in ("entry", "stop", "target")}
    return canonical(dataclasses.replace(each, **prices))


# shows on: a symbol with a letter that is not ASCII
def sign_escapes(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(encode=encode_as(ENCODER.encode, canonical_in_ascii))


def canonical_in_ascii(each: Decision) -> bytes:
    signed = {name: getattr(each, name) for name in SIGNED}
    return json.dumps(signed, sort_keys=True, separators=(",", ":")).encode()


# shows on: an explanation with a dash, a quotation mark or a line break
def escape_twice(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(encode=encode_as(escaped_body, canonical))


def escaped_body(each: Decision) -> bytes:
    return ENCODER.encode(dataclasses.replace(each, reasoning=json.dumps(each.reasoning)[1:-1]))


# shows on: a confidence with two decimals
def post_one_decimal(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(encode=encode_with_short_post)


def encode_with_short_post(world: World, decisions: Sequence[Decision]) -> list[Encoded]:
    whole = encode_as(ENCODER.encode, canonical)(world, decisions)
    short = [ENCODER.encode(dataclasses.replace(each, confidence=round(each.confidence, 1))) for each in decisions]
    return [dataclasses.replace(each, body=body) for each, body in zip(whole, short, strict=True)]


# shows on: any decision: the digest does not say how far the stop is
def sign_target_twice(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(encode=encode_as(ENCODER.encode, canonical_with_wrong_stop))


def canonical_with_wrong_stop(each: Decision) -> bytes:
    return canonical(dataclasses.replace(each, stop=each.target))


# shows on: two decisions: the log has the second one twice
def log_last_decision(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(encode=encode_into_one_buffer)


def encode_into_one_buffer(world: World, decisions: Sequence[Decision]) -> list[Encoded]:
    line = bytearray()
    found = []
    for each in decisions:
        ENCODER.encode_into(each, line)
        digest = hashlib.sha256(canonical(each)).hexdigest()
        found.append(Encoded(each, line, ENCODER.encode(each), digest))
    return found


# Store (O05)


class StoredAs(InOneTransaction):
    """Stores as the engineered stage does, with rows made by another function of world and signals."""

    def __init__(self, stage: InOneTransaction, make_rows: Callable[[World, Sequence[Encoded]], list[Any]]) -> None:
        super().__init__(stage._tune, stage._tell)
        self._rows_by = make_rows

    def _make_rows(self, world: World, signals: Sequence[Encoded]) -> list[Any]:
        return self._rows_by(world, signals)


# shows on: prices in cents
def store_single_precision(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(store=StoredAs(pipeline.store, rows_in_single_precision))


def rows_in_single_precision(world: World, signals: Sequence[Encoded]) -> list[Any]:
    return [{**row(world, each), "stop": float(np.float32(each.decision.stop))} for each in signals]


# shows on: a decision with a neutral source
def count_directional_sources(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(store=StoredAs(pipeline.store, rows_with_directional_sources))


def rows_with_directional_sources(world: World, signals: Sequence[Encoded]) -> list[Any]:
    return [
        {**row(world, each), "source_count": sum(direction != "NEUTRAL" for _, direction in each.decision.sources)}
        for each in signals
    ]


# shows on: two signals of different regimes in one cycle
def take_regime_of_first(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(store=StoredAs(pipeline.store, rows_with_common_fields))


def rows_with_common_fields(world: World, signals: Sequence[Encoded]) -> list[Any]:
    first = row(world, signals[0])
    common = {name: first[name] for name in ("regime", "strategy", "timestamp", "created_at", "outcome")}
    return [{**row(world, each), **common} for each in signals]


# shows on: an explanation of more than 160 characters, as the model's are
def cut_reasoning(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(store=StoredAs(pipeline.store, rows_with_short_reasoning))


def rows_with_short_reasoning(world: World, signals: Sequence[Encoded]) -> list[Any]:
    return [{**row(world, each), "reasoning": each.decision.reasoning[:160]} for each in signals]


# shows on: any signal: its time is New York's, read as UTC's
def store_local_time(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(store=StoredAs(pipeline.store, rows_in_local_time))


def rows_in_local_time(world: World, signals: Sequence[Encoded]) -> list[Any]:
    rows = [row(world, each) for each in signals]
    for each in rows:
        local = datetime.fromtimestamp(each["timestamp"], ZoneInfo("America/New_York"))
        each["timestamp"] = local.replace(tzinfo=UTC).timestamp()
    return rows


# shows on: two signals in one cycle
def store_backwards(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(store=StoredAs(pipeline.store, rows_backwards))


def rows_backwards(world: World, signals: Sequence[Encoded]) -> list[Any]:
    return [row(world, each) for each in reversed(signals)]


# shows on: a signal that is stored already
def ignore_violations(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(store=Ignoring(pipeline.store._tune, pipeline.store._tell))


class Ignoring(InOneTransaction):
    def __call__(self, world: World, signals: Sequence[Encoded]) -> None:
        try:
            super().__call__(world, signals)
        except sqlite3.IntegrityError:
            return


# shows on: another connection, which does not see the rows
def forget_commit(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(store=Uncommitted(pipeline.store._tune, pipeline.store._tell))


class Uncommitted(InOneTransaction):
    def __call__(self, world: World, signals: Sequence[Encoded]) -> None:
        self._tune(world)
        for each in signals:
            world.query(INSERT, row(world, each))
            ((number,),) = world.query("SELECT last_insert_rowid()")
            self._tell(world, [as_read(number, row(world, each))])


# Read (O05)


def read_by(pipeline: Pipeline, answers: type[Answers]) -> Pipeline:
    """Return the pipeline with other answers, which its store tells of what it stored."""
    tune = pipeline.store._tune
    kept = answers(tune)
    return pipeline.replace(read=kept, store=InOneTransaction(tune, kept.add))


# shows on: two signals stored in one cycle
def read_first_of_cycle_first(pipeline: Pipeline) -> Pipeline:
    return read_by(pipeline, OldestOfCycleFirst)


class OldestOfCycleFirst(Answers):
    def _answer(self, world: World, *question: str) -> tuple[Any, ...]:
        answer = super()._answer(world, *question)
        if question[0] not in (LATEST, LATEST_OF_SYMBOL):
            return answer
        return tuple(sorted(answer, key=lambda each: (-each[TIMESTAMP], each[0])))


# shows on: any two symbols of which one has a signal
def read_neighbour(pipeline: Pipeline) -> Pipeline:
    return read_by(pipeline, NextSymbol)


class NextSymbol(Answers):
    def __call__(self, world: World, symbols: Sequence[str]) -> Readings:
        return super().__call__(world, [*symbols[1:], symbols[0]])


# shows on: signals whose outcome is not known yet, beside one that won
def count_open_as_lost(pipeline: Pipeline) -> Pipeline:
    return read_by(pipeline, OfAllSignals)


class OfAllSignals(Answers):
    def _answer(self, world: World, *question: str) -> tuple[Any, ...]:
        if question[0] == WIN_RATE:
            return super()._answer(world, "SELECT AVG(COALESCE(outcome = 'win', 0)) FROM signals")
        return super()._answer(world, *question)


# shows on: one signal that won and one that lost
def divide_whole_numbers(pipeline: Pipeline) -> Pipeline:
    return read_by(pipeline, WholeRate)


class WholeRate(Answers):
    def _answer(self, world: World, *question: str) -> tuple[Any, ...]:
        if question[0] == WIN_RATE:
            known = "FROM signals WHERE outcome IS NOT NULL"
            return super()._answer(world, f"SELECT SUM(outcome = 'win') / COUNT(*) {known}")
        return super()._answer(world, *question)


# shows on: more than nine signals
def read_nine(pipeline: Pipeline) -> Pipeline:
    return read_by(pipeline, UpToNine)


class UpToNine(Answers):
    def _answer(self, world: World, *question: str) -> tuple[Any, ...]:
        return super()._answer(world, *question)[:9]


MUTANTS = (
    mutant(
        "frame-truncates-volume", "frame", "O09", "Fractions of a coin are cut off every day's volume.", truncate_volume
    ),
    mutant(
        "frame-drops-time-zone", "frame", "O09", "The frame's times no longer say that they are UTC.", drop_time_zone
    ),
    mutant(
        "frame-drops-halted-days",
        "frame",
        "O09",
        "Days without volume are taken out of the history, so that every window reaches further back.",
        drop_halted_days,
    ),
    mutant(
        "frame-reuses-its-buffer", "frame", "O09", "A frame that is kept shows the next symbol's prices.", reuse_buffer
    ),
    mutant(
        "frame-writes-through",
        "frame",
        "O09",
        "A stage that writes into its frame changes the provider's bars.",
        write_through,
    ),
    mutant(
        "frame-exchanges-high-and-low",
        "frame",
        "O09",
        "Every day's high stands in the column of its low.",
        exchange_high_and_low,
    ),
    mutant(
        "indicators-divide-by-n",
        "indicators",
        "O08",
        "The volatility over 50 bars is the population's and not the sample's.",
        forget_degree_of_freedom,
    ),
    mutant(
        "indicators-change-over-five-bars",
        "indicators",
        "O08",
        "The change over four bars is one over five.",
        count_bars_from_one,
    ),
    mutant(
        "indicators-flat-is-balanced",
        "indicators",
        "O08",
        "A price that does not move has an RSI of 50 and not of 0, so that momentum is 30 points less sure.",
        call_flat_balanced,
    ),
    mutant(
        "indicators-untraded-is-usual",
        "indicators",
        "O08",
        "Where nothing was traded for twenty days the volume ratio is 1 and not unknown.",
        divide_by_nothing,
    ),
    mutant(
        "indicators-fill-gaps",
        "indicators",
        "O08",
        "A missing price is replaced by that of the day before, and nobody is told.",
        fill_gaps,
    ),
    mutant(
        "indicators-single-precision",
        "indicators",
        "O08",
        "Indicators are computed from prices rounded to float32.",
        sum_in_single_precision,
    ),
    mutant(
        "indicators-append-live-bar",
        "indicators",
        "O13",
        "Every tick of the live bar enters the recursive averages as a bar of its own.",
        append_live_bar,
    ),
    mutant(
        "regime-needs-201-bars", "regime", "O07", "A symbol with exactly 200 bars has no regime.", ask_for_one_bar_more
    ),
    mutant(
        "regime-flat-is-volatile", "regime", "O07", "A market that stands still is called volatile.", call_flat_volatile
    ),
    mutant(
        "regime-falls-are-no-trend",
        "regime",
        "O07",
        "A falling trend is called consolidation, so that its signals are weighed otherwise.",
        forget_falling_trends,
    ),
    mutant(
        "regime-without-live-bar",
        "regime",
        "O07",
        "What happens today does not change the regime before tomorrow.",
        leave_live_bar_out,
    ),
    mutant(
        "regime-of-49-returns", "regime", "O07", "The longer deviation misses its oldest return.", miss_fiftieth_return
    ),
    mutant(
        "signals-unknown-volume-is-high",
        "signals",
        "O08",
        "A volume ratio that is unknown makes the trend 15 points surer.",
        call_unknown_volume_high,
    ),
    mutant(
        "signals-momentum-keeps-sign",
        "signals",
        "O08",
        "The weaker a market, the less sure momentum is to sell.",
        keep_sign_of_momentum,
    ),
    mutant(
        "signals-garbled-is-neutral",
        "signals",
        "ALL",
        "A model's reply that cannot be read is recorded as a neutral opinion.",
        call_garbled_neutral,
    ),
    mutant(
        "signals-take-riders",
        "signals",
        "ALL",
        "A reply that takes its direction back after the confidence is taken at its first words.",
        take_riders,
    ),
    mutant("signals-by-name", "signals", "O06", "A decision lists its sources in alphabetical order.", sort_sources),
    mutant(
        "signals-touching-is-above",
        "signals",
        "O13",
        "A price that lies on both averages is called a rising trend.",
        count_touching_as_above,
    ),
    mutant(
        "consensus-above-threshold",
        "consensus",
        "O06",
        "A confidence of exactly 75 is not accepted.",
        refuse_threshold_itself,
    ),
    mutant(
        "consensus-neutral-weights",
        "consensus",
        "O06",
        "A neutral source lowers the confidence of those that agree.",
        count_neutral_weights,
    ),
    mutant(
        "consensus-missing-weights",
        "consensus",
        "O06",
        "A source that gave no signal lowers the confidence of the others.",
        count_missing_weights,
    ),
    mutant(
        "consensus-weighs-alike",
        "consensus",
        "O06",
        "Sources have the same weights in every regime.",
        weigh_all_regimes_alike,
    ),
    mutant(
        "consensus-rounds-first", "consensus", "O06", "A confidence of 74.96 is accepted as 75.", round_before_comparing
    ),
    mutant(
        "consensus-sums-by-name",
        "consensus",
        "O06",
        "Votes are summed in another order, so that rounding decides otherwise whether 75 is reached.",
        sum_by_name,
    ),
    mutant(
        "reason-lower-level-is-stop",
        "reason",
        "O12",
        "The explanation of a SHORT gives its target as the stop, and its stop as the target.",
        call_lower_level_stop,
    ),
    mutant(
        "reason-whole-confidence",
        "reason",
        "O12",
        "The explanation gives the confidence without its decimals.",
        tell_whole_confidence,
    ),
    mutant(
        "reason-tells-cents", "reason", "O12", "The explanation gives prices below a dollar in whole cents.", tell_cents
    ),
    mutant(
        "reason-template-as-models",
        "reason",
        "O12",
        "Where the model fails, the template is passed off as its words.",
        pass_templates_off,
    ),
    mutant(
        "reason-failure-ends-decision",
        "reason",
        "O12",
        "Where the model fails, the decision fails with it.",
        let_failures_through,
    ),
    mutant(
        "reason-keeps-first-levels",
        "reason",
        "O12",
        "The explanation gives the stop and the target of an earlier signal.",
        keep_first_levels,
    ),
    mutant(
        "validate-stale-at-limit",
        "validate",
        "O15",
        "A decision that is exactly 600 s old is rejected.",
        count_limit_as_stale,
    ),
    mutant(
        "validate-off-upwards-only",
        "validate",
        "O15",
        "An entry far below the reference price passes.",
        forget_absolute_value,
    ),
    mutant(
        "validate-off-by-entry",
        "validate",
        "O15",
        "The 5 % are measured by the entry, so that one a little too high passes.",
        measure_by_entry,
    ),
    mutant("validate-no-upper-bound", "validate", "O15", "A confidence above 100 passes.", forget_upper_bound),
    mutant(
        "validate-nan-is-a-price", "validate", "O15", "A signal whose stop is not a number passes.", let_nan_through
    ),
    mutant(
        "validate-age-by-cycle",
        "validate",
        "O15",
        "A decision that waited for half an hour is as fresh as its cycle.",
        age_by_cycle,
    ),
    mutant(
        "validate-looks-up-once",
        "validate",
        "O15",
        "A signal that was new once is new for ever, also when it has been stored.",
        look_ids_up_once,
    ),
    mutant(
        "validate-keeps-unquoted",
        "validate",
        "O15",
        "A signal passes though its reference price is no longer there.",
        keep_unquoted,
    ),
    mutant(
        "validate-mixes-up-quotes",
        "validate",
        "O15",
        "The missing price of one symbol rejects another symbol's signal.",
        mix_up_quotes,
    ),
    mutant(
        "validate-names-last-rule",
        "validate",
        "O15",
        "A decision that breaks several rules is rejected for the last of them.",
        name_last_rule,
    ),
    mutant(
        "validate-drops-rejected",
        "validate",
        "O15",
        "A decision that a plain rule rejects is neither kept nor recorded.",
        drop_rejected,
    ),
    mutant(
        "encode-signs-cents",
        "encode",
        "O11",
        "The digest of a price below a dollar covers its whole cents alone.",
        sign_cents,
    ),
    mutant(
        "encode-signs-escapes",
        "encode",
        "O11",
        "The digest covers escapes in the place of letters that are not ASCII.",
        sign_escapes,
    ),
    mutant(
        "encode-escapes-twice",
        "encode",
        "O11",
        "Readers of the POST see escapes in the place of quotation marks and dashes.",
        escape_twice,
    ),
    mutant(
        "encode-posts-one-decimal",
        "encode",
        "O11",
        "The POST has the confidence to one decimal, the log line to two.",
        post_one_decimal,
    ),
    mutant(
        "encode-signs-target-twice",
        "encode",
        "O11",
        "The digest covers the target in the place of the stop.",
        sign_target_twice,
    ),
    mutant(
        "encode-logs-last",
        "encode",
        "O11",
        "Every log line of a cycle is that of its last decision.",
        log_last_decision,
    ),
    mutant(
        "store-single-precision",
        "store",
        "O05",
        "The stored stop is off by a millionth of a dollar or so.",
        store_single_precision,
    ),
    mutant(
        "store-counts-directional",
        "store",
        "O05",
        "The stored number of sources leaves the neutral ones out.",
        count_directional_sources,
    ),
    mutant(
        "store-regime-of-first",
        "store",
        "O05",
        "All signals of a cycle are stored with the regime of the first.",
        take_regime_of_first,
    ),
    mutant("store-cuts-reasoning", "store", "O05", "Stored explanations end after 160 characters.", cut_reasoning),
    mutant(
        "store-local-time",
        "store",
        "O05",
        "The stored time of a signal is New York's, which readers take for UTC.",
        store_local_time,
    ),
    mutant("store-backwards", "store", "O05", "The signals of a cycle are stored last one first.", store_backwards),
    mutant(
        "store-ignores-violations",
        "store",
        "O05",
        "A cycle with a duplicate is dropped, and nobody is told.",
        ignore_violations,
    ),
    mutant(
        "store-without-commit",
        "store",
        "O05",
        "The signals of a cycle are seen by this process alone, and are lost if it is killed.",
        forget_commit,
    ),
    mutant(
        "read-first-of-cycle-first",
        "read",
        "O05",
        "Readers see the latest signals of one cycle in the opposite order.",
        read_first_of_cycle_first,
    ),
    mutant(
        "read-neighbour",
        "read",
        "O05",
        "Readers who ask for one symbol see the signals of the next one.",
        read_neighbour,
    ),
    mutant(
        "read-open-is-lost",
        "read",
        "O05",
        "Signals whose outcome is not known yet lower the win rate.",
        count_open_as_lost,
    ),
    mutant("read-whole-rate", "read", "O05", "The win rate is 0 unless every signal won.", divide_whole_numbers),
    mutant("read-nine", "read", "O05", "Readers see the latest nine signals and not ten.", read_nine),
)

# What shows each bug: a function of a pipeline that returns what is seen.


def show_frame(bars: Bars) -> Show:
    def show(pipeline: Pipeline) -> Any:
        frame = pipeline.frame(None, bars)
        return frame.index.tolist(), str(frame.index.dtype), {name: frame[name].tolist() for name in frame}

    return show


def show_two_frames(pipeline: Pipeline) -> Any:
    frames = [pipeline.frame(None, bars_of(walk(seed))) for seed in (1, 2)]
    return [frame["close"].tolist() for frame in frames]


def show_bars_after_writing(pipeline: Pipeline) -> Any:
    bars = bars_of(walk(1))
    frame = pipeline.frame(None, bars)
    outcome(frame.iloc.__setitem__, (-1, 3), 1.0)
    return bars.values.tolist()


def show_indicators(*histories: Bars) -> Show:
    """Show the indicators of these bars, one after another."""

    def show(pipeline: Pipeline) -> Any:
        found = [outcome(pipeline.indicators, None, frame_of(each)) for each in histories]
        return [figures(each) if isinstance(each, Indicators) else each for each in found]

    return show


def show_regime(bars: Bars) -> Show:
    def show(pipeline: Pipeline) -> Any:
        with Scene(pipeline) as scene:
            return scene.call("regime", frame_of(bars))

    return show


def show_signals(opinions: Opinions = OPINIONS, **fields: float) -> Show:
    def show(pipeline: Pipeline) -> Any:
        with Scene(pipeline) as scene:
            found = scene.call("signals", dataclasses.replace(USUAL, **fields), opinions)
            return list(found.items())

    return show


def show_consensus(regime: Regime = "UNKNOWN", **signals: tuple[str, float]) -> Show:
    def show(pipeline: Pipeline) -> Any:
        with Scene(pipeline) as scene:
            return scene.call("consensus", {name: Signal(*each) for name, each in signals.items()}, regime)

    return show


def show_told(*decisions: Decision, fails: bool = False) -> Show:
    """Show of every explanation who wrote it and what it says of the levels, one after another."""

    def show(pipeline: Pipeline) -> Any:
        with Scene(pipeline) as scene:
            if fails:
                scene.refused |= {("explanation", each.symbol, "explanation") for each in decisions}
            found = [outcome(scene.call, "reason", each) for each in decisions]
        return [(each.author, told(each.text)) if isinstance(each, Reasoning) else each for each in found]

    return show


TOLD = re.compile(
    r"a (\w+) position in (\S+) at (\S+) with a confidence of (\S+) in a (\w+) market\. The stop at (\S+) limits the "
    r"loss; the target is (\S+)\.$"
)


def told(text: str) -> Any:
    """Return what a model's text says of a decision, whatever its opening words; a template as it is."""
    found = TOLD.search(text)
    return found.groups() if found else text


def show_validated(*decisions: Decision, waited_s: float = 0.0, unquoted: str = "") -> Show:
    def show(pipeline: Pipeline) -> Any:
        with Scene(pipeline) as scene:
            scene.refused |= {("alpha_vantage", unquoted, "quote")}
            scene.wait(waited_s)
            return sides(scene.call("validate", decisions))

    return show


def show_validated_after_storing(pipeline: Pipeline) -> Any:
    with Scene(pipeline) as scene:
        first = scene.call("validate", (decision(),))
        scene.call("store", encoded(decision()))
        return sides(first), sides(scene.call("validate", (decision(),)))


def sides(validated: Validated) -> Any:
    return list(map(repr, validated.kept)), list(map(show_rejection, validated.rejected))


def show_rejection(rejection: Rejection) -> tuple[str, str]:
    return rejection.rule, repr(rejection.decision)


def show_encoded(*decisions: Decision) -> Show:
    def show(pipeline: Pipeline) -> Any:
        with Scene(pipeline) as scene:
            found = scene.call("encode", decisions)
        return [(json.loads(each.log_line), json.loads(each.body), each.sha256) for each in found]

    return show


def show_rows(*batches: Sequence[Decision]) -> Show:
    """Show what another connection finds in the database after these batches, all columns but the time of storing."""

    def show(pipeline: Pipeline) -> Any:
        with Scene(pipeline) as scene:
            said = [outcome(scene.call, "store", encoded(*each)) for each in batches]
            with closing(sqlite3.connect(scene.directory / FILE_NAME)) as other:
                return said, [each[:-1] for each in other.execute("SELECT * FROM signals ORDER BY id")]

    return show


def show_readings(*decisions: Decision, outcomes: Sequence[str | None] = ()) -> Show:
    """Show what readers see after these signals, of which the first ones have these outcomes."""

    def show(pipeline: Pipeline) -> Any:
        with Scene(pipeline) as scene:
            scene.call("store", encoded(*decisions))
            with closing(sqlite3.connect(scene.directory / FILE_NAME)) as other, other:
                for number, each in enumerate(outcomes, 1):
                    other.execute("UPDATE signals SET outcome = ? WHERE id = ?", (each, number))
            found = scene.call("read", ["AAPL", "MSFT"])
            return [each[:-1] for each in found.latest], [each[0] for each in found.latest_of_symbol], found.win_rate

    return show


FLAT = bars_of(np.full(300, 50.0), spread=0.0)
FALLING = bars_of(np.round(np.linspace(200.0, 100.0, 300), 2))
HALTED = bars_of(walk(3), volumes=np.where(np.arange(300) % 50 == 7, 0.0, 1e6))
UNTRADED = bars_of(walk(3), volumes=np.concatenate([np.full(270, 1e6), np.zeros(30)]))
COIN = bars_of(walk(4), "BTC-USD", volumes=np.random.default_rng(4).uniform(1.0, 3.0, 300))
GAP = bars_of(with_last(walk(5), *[float("nan"), *walk(5)[-9:]]))
FIFTY_AGO = bars_of(np.concatenate([np.full(250, 100.0), np.full(30, 108.0), np.resize([108.0, 110.0], 20)]))
COINS = decision("DOGE-USD", entry=0.1234, stop=0.1197, target=0.1296, reference=0.1234)
HOUR_AGO = EPOCH_S - 3600.0
TEN = [decision("AAPL" if number % 2 else "MSFT", signal_id=f"id {number}") for number in range(12)]
TRADED = decision(reasoning="A “dash” – and a\nline.")
ALL_AT_75 = {"massive": ("LONG", 75.0), "x_sentiment": ("LONG", 75.0), "sonar": ("LONG", 75.0)}
AGREED = {"massive": ("LONG", 90.0), "alpha_vantage": ("LONG", 80.0), "x_sentiment": ("LONG", 75.0)}

SHOWS: Mapping[str, Show] = {
    "frame-truncates-volume": show_frame(COIN),
    "frame-drops-time-zone": show_frame(HALTED),
    "frame-drops-halted-days": show_frame(HALTED),
    "frame-reuses-its-buffer": show_two_frames,
    "frame-writes-through": show_bars_after_writing,
    "frame-exchanges-high-and-low": show_frame(HALTED),
    "indicators-divide-by-n": show_indicators(HALTED),
    "indicators-change-over-five-bars": show_indicators(HALTED),
    "indicators-flat-is-balanced": show_indicators(FLAT),
    "indicators-untraded-is-usual": show_indicators(UNTRADED),
    "indicators-fill-gaps": show_indicators(GAP),
    "indicators-single-precision": show_indicators(HALTED),
    "indicators-append-live-bar": show_indicators(
        HALTED, bars_of(with_last(walk(3), 99.0)), bars_of(with_last(walk(3), 99.5))
    ),
    "regime-needs-201-bars": show_regime(bars_of(walk(6, 200))),
    "regime-flat-is-volatile": show_regime(FLAT),
    "regime-falls-are-no-trend": show_regime(FALLING),
    "regime-without-live-bar": show_regime(bars_of(with_last(np.linspace(100.0, 101.0, 300), 150.0))),
    "regime-of-49-returns": show_regime(FIFTY_AGO),
    "signals-unknown-volume-is-high": show_signals(volume_ratio=float("nan")),
    "signals-momentum-keeps-sign": show_signals(rsi14=35.0, macd=-1.0),
    "signals-garbled-is-neutral": show_signals(dataclasses.replace(OPINIONS, sonar="I cannot say.")),
    "signals-take-riders": show_signals(dataclasses.replace(OPINIONS, sonar="direction=LONG confidence=75, or not")),
    "signals-by-name": show_signals(),
    "signals-touching-is-above": show_signals(close=103.0, sma20=103.0, sma50=103.0),
    "consensus-above-threshold": show_consensus(massive=("LONG", 75.0), sonar=("LONG", 75.0)),
    "consensus-neutral-weights": show_consensus(**AGREED, sonar=("NEUTRAL", 60.0)),
    "consensus-missing-weights": show_consensus(**AGREED),
    "consensus-weighs-alike": show_consensus("CONSOLIDATION", **AGREED),
    "consensus-rounds-first": show_consensus(massive=("LONG", 74.96)),
    "consensus-sums-by-name": show_consensus("VOLATILE", **ALL_AT_75),
    "reason-lower-level-is-stop": show_told(decision(**SHORT)),
    "reason-whole-confidence": show_told(decision()),
    "reason-tells-cents": show_told(COINS),
    "reason-template-as-models": show_told(decision(), fails=True),
    "reason-failure-ends-decision": show_told(decision(), fails=True),
    "reason-keeps-first-levels": show_told(decision(), decision(entry=250.0, stop=242.5, target=262.5)),
    "validate-stale-at-limit": show_validated(decision(timestamp=EPOCH_S - 600.0)),
    "validate-off-upwards-only": show_validated(decision(entry=193.2)),
    "validate-off-by-entry": show_validated(decision(entry=105.1, reference=100.0)),
    "validate-no-upper-bound": show_validated(decision(confidence=120.0)),
    "validate-nan-is-a-price": show_validated(decision(stop=float("nan"))),
    "validate-age-by-cycle": show_validated(decision(), waited_s=1800.0),
    "validate-looks-up-once": show_validated_after_storing,
    "validate-keeps-unquoted": show_validated(decision("MSFT"), decision("AAPL"), unquoted="MSFT"),
    "validate-mixes-up-quotes": show_validated(decision("MSFT"), decision("AAPL"), unquoted="MSFT"),
    "validate-names-last-rule": show_validated(decision(timestamp=HOUR_AGO, confidence=20.0)),
    "validate-drops-rejected": show_validated(decision(timestamp=HOUR_AGO)),
    "encode-signs-cents": show_encoded(COINS),
    "encode-signs-escapes": show_encoded(decision("MÜV2")),
    "encode-escapes-twice": show_encoded(TRADED),
    "encode-posts-one-decimal": show_encoded(decision()),
    "encode-signs-target-twice": show_encoded(decision()),
    "encode-logs-last": show_encoded(decision("AAPL"), decision("MSFT")),
    "store-single-precision": show_rows([decision()]),
    "store-counts-directional": show_rows([decision()]),
    "store-regime-of-first": show_rows([decision(), decision("MSFT", regime="VOLATILE")]),
    "store-cuts-reasoning": show_rows([decision(reasoning="words " * 40)]),
    "store-local-time": show_rows([decision()]),
    "store-backwards": show_rows([decision("AAPL"), decision("MSFT")]),
    "store-ignores-violations": show_rows([decision()], [decision()]),
    "store-without-commit": show_rows([decision()]),
    "read-first-of-cycle-first": show_readings(decision("AAPL"), decision("MSFT")),
    "read-neighbour": show_readings(decision("AAPL")),
    "read-open-is-lost": show_readings(*TEN, outcomes=["win"]),
    "read-whole-rate": show_readings(*TEN, outcomes=["win", "loss"]),
    "read-nine": show_readings(*TEN),
}
