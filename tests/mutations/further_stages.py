"""Further bugs between a fetch and a decision that is explained are here: frames, figures, regimes, votes and texts.

Above each function stands the input that shows its bug; ``SHOWS`` has that input as code, by the mutant's id.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from argo_bench.pipeline.baseline import signals as baseline_signals
from argo_bench.pipeline.baseline.consensus import WEIGHTS
from argo_bench.pipeline.baseline.reason import prompt, template
from argo_bench.pipeline.baseline.regime import VOLATILE_RATIO
from argo_bench.pipeline.baseline.signals import HIGH_VOLUME, STRONG_TREND
from argo_bench.pipeline.model import (
    Bars,
    Consensus,
    Decision,
    Indicators,
    Opinions,
    ProviderError,
    Reasoning,
    Regime,
    Signal,
    Signals,
    World,
)
from argo_bench.pipeline.optimized.frame import frame as view_of
from argo_bench.pipeline.optimized.indicators import Incremental, block
from argo_bench.pipeline.optimized.reason import Rationale, Remembered
from argo_bench.pipeline.record import Pipeline, settle
from tests.mutations import mutant
from tests.mutations.held_out_caches import asked_by
from tests.mutations.held_out_stages import (
    HALTED,
    Amended,
    Judged,
    Show,
    Vote,
    count_by,
    detect_by,
    explain_by,
    fill,
    show_consensus,
    show_frame,
    show_indicators,
    show_regime,
    show_signals,
    show_told,
    told,
)
from tests.mutations.inputs import SHORT, Scene, bars_of, decision, walk

# Frames (O09)


# shows on: bars that begin at five in the morning UTC
def date_bars_by_day(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(frame=frame_of_days)


def frame_of_days(world: World, bars: Bars) -> pd.DataFrame:
    frame = view_of(world, bars)
    return frame.set_axis(frame.index.normalize(), axis=0)


# shows on: more bars than a year has
def keep_one_year(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(frame=frame_of_one_year)


def frame_of_one_year(world: World, bars: Bars) -> pd.DataFrame:
    return view_of(world, bars).iloc[-252:]


# shows on: a coin below a cent
def quote_coins_in_cents(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(frame=frame_in_cents)


def frame_in_cents(world: World, bars: Bars) -> pd.DataFrame:
    values = np.concatenate([np.round(bars.values[:4], 2), bars.values[4:]])
    return view_of(world, dataclasses.replace(bars, values=values))


# Indicators (O08, O13)


# shows on: a history in which single days were halted
def leave_halts_out_of_volume(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(indicators=Amended(pipeline.indicators, average_traded_volume))


def average_traded_volume(found: Indicators, bars: np.ndarray) -> Indicators:
    traded = bars[4, -20:][bars[4, -20:] > 0]
    if len(bars[4]) < 20 or not len(traded):
        return found
    mean = float(traded.mean())
    return dataclasses.replace(found, volume_sma20=mean, volume_ratio=float(bars[4, -1]) / mean)


# shows on: a live bar whose volume is not that of the day before
def take_volume_of_yesterday(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(indicators=Amended(pipeline.indicators, compare_closed_volume))


def compare_closed_volume(found: Indicators, bars: np.ndarray) -> Indicators:
    if not found.volume_sma20 > 0:
        return found
    return dataclasses.replace(found, volume_ratio=float(bars[4, -2]) / found.volume_sma20)


# shows on: a closed bar of which the provider revises the high
def compare_closes_alone(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(indicators=ComparingCloses(pipeline.indicators.__wrapped__))


class ComparingCloses(Incremental):
    def __call__(self, world: World, frame: pd.DataFrame) -> Indicators:
        bars = block(frame)
        history = self._histories.get(bars[:, :1].tobytes())
        if history is not None:
            kept = history.closed.shape[1]
            if np.array_equal(bars[3, :kept], history.closed[3]):
                history.closed = bars[:, :kept].copy()
        return super().__call__(world, frame)


# shows on: a symbol that is looked at again when two more days have closed
def carry_one_bar_at_a_time(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(indicators=CarryingOne(pipeline.indicators.__wrapped__))


class CarryingOne(Incremental):
    """Carries the newest of the bars that have closed since, as if there were never more than one."""

    def __call__(self, world: World, frame: pd.DataFrame) -> Indicators:
        bars = block(frame)
        history = self._histories.get(bars[:, :1].tobytes())
        if history is not None:
            kept = history.closed.shape[1]
            if bars.shape[1] > kept + 2 and np.array_equal(bars[:, :kept], history.closed):
                history.closed = bars[:, :-2].copy()
        return super().__call__(world, frame)


# shows on: a bar of last week that arrives late, between others that were seen
def append_late_bars(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(indicators=AppendingLate(pipeline.indicators.__wrapped__))


class AppendingLate(Incremental):
    """Compares closed bars while none has been added, and takes what has been added to be at the end."""

    def __call__(self, world: World, frame: pd.DataFrame) -> Indicators:
        bars = block(frame)
        history = self._histories.get(bars[:, :1].tobytes())
        if history is not None:
            kept = history.closed.shape[1]
            if bars.shape[1] > kept + 1:
                history.closed = bars[:, :kept].copy()
        return super().__call__(world, frame)


# Regime (O07)


# shows on: a ratio of the deviations between 1.25 and 1.27
def take_population_deviations(pipeline: Pipeline) -> Pipeline:
    return detect_by(pipeline, OfPopulation)


class OfPopulation(Judged):
    """Takes numpy's deviations, which divide by n, for those of pandas."""

    def is_volatile(self, short: float, medium: float) -> bool:
        return bool(short * np.sqrt(19 / 20) > VOLATILE_RATIO * medium * np.sqrt(49 / 50))


# shows on: a price that rises in the long run, and has fallen for a month
def leave_long_average_out(pipeline: Pipeline) -> Pipeline:
    return detect_by(pipeline, OfTwoAverages)


class OfTwoAverages(Judged):
    def is_trend(self, short: float, medium: float, long: float) -> bool:
        return short != medium


# shows on: a market whose last twenty days were calmer by far than the thirty before
def call_any_change_volatile(pipeline: Pipeline) -> Pipeline:
    return detect_by(pipeline, VolatileEitherWay)


class VolatileEitherWay(Judged):
    def is_volatile(self, short: float, medium: float) -> bool:
        return max(short, medium) > VOLATILE_RATIO * min(short, medium)


# Signals


# shows on: a volume of 1.2 times the usual one
def count_threshold_as_high(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(signals=signals_at_threshold)


def signals_at_threshold(world: World, indicators: Indicators, opinions: Opinions) -> dict[str, Signal]:
    found = baseline_signals(world, indicators, opinions)
    is_high, is_strong = indicators.volume_ratio >= HIGH_VOLUME, indicators.adx14 >= STRONG_TREND
    return {**found, "massive": Signal(found["massive"].direction, 60.0 + 15.0 * is_high + 15.0 * is_strong)}


# shows on: a reply with a confidence of 62.5
def cut_decimals_of_replies(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(signals=signals_of_whole_replies)


def signals_of_whole_replies(world: World, indicators: Indicators, opinions: Opinions) -> dict[str, Signal]:
    found = baseline_signals(world, indicators, opinions)
    models = {
        name: Signal(each.direction, float(int(each.confidence)))
        for name, each in found.items()
        if name in ("x_sentiment", "sonar")
    }
    return {**found, **models}


# Consensus (O06)


# shows on: a symbol without a regime, whose momentum weighs less than its trend
def weigh_unknown_as_trending(pipeline: Pipeline) -> Pipeline:
    return count_by(pipeline, UnknownIsTrending())


class UnknownIsTrending(Vote):
    def weigh(self, regime: Regime) -> Mapping[str, float]:
        return WEIGHTS["TRENDING" if regime == "UNKNOWN" else regime]


# shows on: one model that says SHORT beside three sources that say LONG
def forget_opposition(pipeline: Pipeline) -> Pipeline:
    return count_by(pipeline, OfThoseWhoAgree())


class OfThoseWhoAgree(Vote):
    """Divides by the weights of those who agree, so that who disagrees counts for nothing."""

    def __call__(self, world: World, signals: Signals, regime: Regime) -> Consensus | None:
        weights = self.weigh(regime)
        votes = {"LONG": 0.0, "SHORT": 0.0}
        agreeing = {"LONG": 0.0, "SHORT": 0.0}
        for source in self.order(signals):
            signal = signals.get(source)
            if signal is not None and signal.direction != "NEUTRAL":
                votes[signal.direction] += signal.confidence * weights[source]
                agreeing[signal.direction] += weights[source]
        if votes["LONG"] == votes["SHORT"]:
            return None
        direction = "LONG" if votes["LONG"] > votes["SHORT"] else "SHORT"
        confidence = votes[direction] / agreeing[direction]
        return Consensus(direction, confidence) if self.is_accepted(confidence) else None


# shows on: two sources that agree while the others are missing
def ask_for_three_sources(pipeline: Pipeline) -> Pipeline:
    return count_by(pipeline, OfThreeSources())


class OfThreeSources(Vote):
    def __call__(self, world: World, signals: Signals, regime: Regime) -> Consensus | None:
        named = [each for each in signals.values() if each.direction != "NEUTRAL"]
        return super().__call__(world, signals, regime) if len(named) >= 3 else None


# shows on: a vote with four decimals
def round_confidence(pipeline: Pipeline) -> Pipeline:
    return count_by(pipeline, ToWholePoints())


class ToWholePoints(Vote):
    def __call__(self, world: World, signals: Signals, regime: Regime) -> Consensus | None:
        found = super().__call__(world, signals, regime)
        return found and dataclasses.replace(found, confidence=float(round(found.confidence)))


# Reason (O12, and O02 where nothing is remembered)


# shows on: a quote beside the entry
def tell_reference(pipeline: Pipeline) -> Pipeline:
    return explain_by(pipeline, fill_reference)


def fill_reference(rationale: Rationale, decision: Decision) -> str:
    return rationale.fill_in(dataclasses.replace(decision, entry=decision.reference))


# shows on: prices in cents
def tell_whole_prices(pipeline: Pipeline) -> Pipeline:
    return explain_by(pipeline, fill_whole_prices)


def fill_whole_prices(rationale: Rationale, decision: Decision) -> str:
    return fill(rationale, lambda name: decision.confidence if name == "confidence" else round(getattr(decision, name)))


# shows on: any decision: who is long has the stop below
def tell_direction_by_stop(pipeline: Pipeline) -> Pipeline:
    return explain_by(pipeline, fill_direction_by_stop)


def fill_direction_by_stop(rationale: Rationale, decision: Decision) -> str:
    direction = "LONG" if decision.stop > decision.entry else "SHORT"
    return rationale.fill_in(decision).replace(f" {decision.direction} ", f" {direction} ")


# shows on: two decisions that are explained at the same time
def share_decision_under_way(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(reason=OneAtATime(asked_by(pipeline)))


class OneAtATime(Remembered):
    """Keeps the decision at hand in itself, where another call puts its own while this one waits."""

    _decision: Decision

    async def __call__(self, world: World, decision: Decision) -> Reasoning:
        self._decision = decision
        rationale = await self._rationale(world, decision)
        return self._serve(world, self._decision, rationale)


# shows on: a model that answers for one symbol and fails for the next
def explain_failures_by_last(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(reason=LastOfDirection(pipeline.reason))


class LastOfDirection:
    """Serves the last text of the model in the same direction where it does not answer."""

    def __init__(self, reason: Any) -> None:
        self.__wrapped__ = reason
        self._last: dict[str, Reasoning] = {}

    async def __call__(self, world: World, decision: Decision) -> Reasoning:
        found: Reasoning = await settle(self.__wrapped__(world, decision))
        if found.author == "template":
            return self._last.get(decision.direction, found)
        self._last[decision.direction] = found
        return found


# shows on: two decisions of a symbol whose regime has changed in between
def ask_with_regime_before(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(reason=Remembered(WithRegimeBefore(asked_by(pipeline))))


class WithRegimeBefore:
    """Writes a symbol's regime into its prompts after the question, so that the next one finds it."""

    def __init__(self, reason: Any) -> None:
        self.__wrapped__ = reason
        self._regimes: dict[str, Regime] = {}

    async def __call__(self, world: World, decision: Decision) -> Reasoning:
        regime = self._regimes.get(decision.symbol, decision.regime)
        self._regimes[decision.symbol] = decision.regime
        found: Reasoning = await settle(self.__wrapped__(world, dataclasses.replace(decision, regime=regime)))
        return found


# shows on: a model that takes two and a half seconds
def wait_for_two_seconds(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(reason=explain_within_two_seconds)


async def explain_within_two_seconds(world: World, decision: Decision) -> Reasoning:
    try:
        async with asyncio.timeout(2.0):
            return Reasoning(await world.ask(decision.symbol, prompt(decision)), "model")
    except (ProviderError, TimeoutError):
        return Reasoning(template(decision), "template")


# shows on: a text that is remembered
def call_remembered_template(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(reason=AuthoredByMemory(asked_by(pipeline)))


class AuthoredByMemory(Remembered):
    def _serve(self, world: World, decision: Decision, rationale: Rationale) -> Reasoning:
        found = super()._serve(world, decision, rationale)
        is_new = world.now() == rationale.written_at
        return found if is_new else dataclasses.replace(found, author="template")


MUTANTS = (
    mutant("frame-dates-by-day", "frame", "O09", "A bar's time is the midnight of its day, in UTC.", date_bars_by_day),
    mutant(
        "frame-keeps-one-year",
        "frame",
        "O09",
        "Bars older than a year are cut off, so that recursive averages begin elsewhere.",
        keep_one_year,
    ),
    mutant(
        "frame-quotes-in-cents",
        "frame",
        "O09",
        "Prices of coins are rounded to whole cents.",
        quote_coins_in_cents,
    ),
    mutant(
        "indicators-leave-halts-out",
        "indicators",
        "O08",
        "The usual volume is that of the days on which anything was traded.",
        leave_halts_out_of_volume,
    ),
    mutant(
        "indicators-volume-of-yesterday",
        "indicators",
        "O08",
        "The volume ratio is that of the last closed bar, and today's volume is not looked at.",
        take_volume_of_yesterday,
    ),
    mutant(
        "indicators-compare-closes",
        "indicators",
        "O13",
        "A high or low that the provider revises stays as it was in ranges and directions.",
        compare_closes_alone,
    ),
    mutant(
        "indicators-carry-one-bar",
        "indicators",
        "O13",
        "Where several days have closed since a symbol was looked at, all but the last are missing in the averages.",
        carry_one_bar_at_a_time,
    ),
    mutant(
        "indicators-append-late-bar",
        "indicators",
        "O13",
        "A bar that arrives late pushes the last one into the averages twice, and is itself left out.",
        append_late_bars,
    ),
    mutant(
        "regime-of-population",
        "regime",
        "O07",
        "The deviations divide by n, so that a market is called volatile a little later.",
        take_population_deviations,
    ),
    mutant(
        "regime-without-long-average",
        "regime",
        "O07",
        "A pull-back within a long rise is called a trend.",
        leave_long_average_out,
    ),
    mutant(
        "regime-calm-is-volatile",
        "regime",
        "O07",
        "A market that has calmed down is called volatile.",
        call_any_change_volatile,
    ),
    mutant(
        "signals-at-threshold",
        "signals",
        "O08",
        "A volume of exactly 1.2 times the usual one makes the trend 15 points surer.",
        count_threshold_as_high,
    ),
    mutant(
        "signals-whole-replies",
        "signals",
        "ALL",
        "The confidence of a model loses its decimals.",
        cut_decimals_of_replies,
    ),
    mutant(
        "consensus-unknown-is-trending",
        "consensus",
        "O06",
        "A symbol without a regime is voted on with the weights of a trend.",
        weigh_unknown_as_trending,
    ),
    mutant(
        "consensus-forgets-opposition",
        "consensus",
        "O06",
        "A source that disagrees does not lower the confidence of the others.",
        forget_opposition,
    ),
    mutant(
        "consensus-needs-three",
        "consensus",
        "O06",
        "Where fewer than three sources name a direction there is no signal.",
        ask_for_three_sources,
    ),
    mutant(
        "consensus-whole-points",
        "consensus",
        "ALL",
        "The confidence of a signal is rounded to whole points.",
        round_confidence,
    ),
    mutant(
        "reason-tells-reference",
        "reason",
        "O12",
        "The explanation gives the provider's quote as the entry.",
        tell_reference,
    ),
    mutant(
        "reason-whole-prices",
        "reason",
        "O12",
        "The explanation gives entry, stop and target in whole dollars.",
        tell_whole_prices,
    ),
    mutant(
        "reason-direction-by-stop",
        "reason",
        "O12",
        "The explanation of a LONG speaks of a SHORT, and that of a SHORT of a LONG.",
        tell_direction_by_stop,
    ),
    mutant(
        "reason-shares-decision",
        "reason",
        "ALL",
        "Of two signals that are explained at the same time, one is explained with the figures of the other.",
        share_decision_under_way,
    ),
    mutant(
        "reason-last-of-direction",
        "reason",
        "O12",
        "Where the model fails, a signal is explained by the last text in its direction, of whichever symbol.",
        explain_failures_by_last,
    ),
    mutant(
        "reason-regime-before",
        "reason",
        "O12",
        "The explanation names the regime that the symbol had at its signal before.",
        ask_with_regime_before,
    ),
    mutant(
        "reason-two-seconds",
        "reason",
        "O02",
        "A model that takes more than two seconds is replaced by the template.",
        wait_for_two_seconds,
    ),
    mutant(
        "reason-remembered-is-template",
        "reason",
        "O12",
        "The model's text is marked as a template where it was remembered.",
        call_remembered_template,
    ),
)

# What shows each bug.


def show_explained(
    *decisions: Decision, takes_s: Mapping[str, float] = {}, refused: str = "", apart_s: float | None = None
) -> Show:
    """Show who wrote each explanation and what it says: of decisions side by side, or ``apart_s`` seconds apart."""

    def show(pipeline: Pipeline) -> Any:
        with Scene(pipeline) as scene:
            scene.takes = {("explanation", symbol, "explanation"): seconds for symbol, seconds in takes_s.items()}
            scene.refused = {("explanation", refused, "explanation")}
            if apart_s is None:
                found = scene.together("reason", *((each,) for each in decisions))
            else:
                found = []
                for each in decisions:
                    found.append(scene.call("reason", each))
                    scene.wait(apart_s)
        return [(each.author, told(each.text)) for each in found]

    return show


def find_between() -> Bars:
    """Return a history whose deviations have a ratio that is above 1.25 when they divide by n - 1, and below by n."""
    for seed in range(10_000):
        close = walk(seed)
        returns = close[1:] / close[:-1] - 1
        ratio = returns[-20:].std(ddof=1) / returns[-50:].std(ddof=1)
        if 1.251 < ratio < 1.265:
            return bars_of(close)
    raise AssertionError("no such walk")


def with_revised_high(bars: Bars) -> Bars:
    """Return the same bars, but for the high of the twentieth last one."""
    values = bars.values.copy()
    values[1, -20] *= 1.03
    return dataclasses.replace(bars, values=values)


def with_late_bar(bars: Bars) -> Bars:
    """Return the same bars with one more before the seventh last one."""
    late = np.insert(bars.values, -7, bars.values[:, -7] * 1.01, axis=1)
    stamps = np.insert(bars.timestamps, -7, bars.timestamps[-7] - np.timedelta64(12, "h"))
    return Bars(bars.symbol, stamps, late)


CENTS = bars_of(np.full(300, 0.1234), "DOGE-USD")
DAYS = bars_of(walk(8))
TWO_DAYS_LATER = bars_of(np.concatenate([walk(8), [walk(8)[-1] * 1.02, walk(8)[-1] * 0.97]]))
BUSY = bars_of(walk(8), volumes=np.where(np.arange(300) == 299, 3e6, 1e6))
PULLED_BACK = bars_of(np.concatenate([np.linspace(50.0, 200.0, 270), np.linspace(199.0, 170.0, 30)]))
CALMED = bars_of(np.concatenate([walk(9, scale=0.03), walk(9, scale=0.03)[-1] * np.linspace(1.0, 1.002, 20)]))
HALTED_LATELY = bars_of(walk(8), volumes=np.where(np.isin(np.arange(300), [284, 291]), 0.0, 1e6))
AT_ONCE = decision("AAPL", confidence=81.25), decision("MSFT", entry=410.2, stop=397.89, target=430.71)
PAIRED = {"massive": ("LONG", 90.0), "alpha_vantage": ("LONG", 60.0)}
OPPOSED = {"massive": ("LONG", 90.0), "alpha_vantage": ("LONG", 85.0), "x_sentiment": ("SHORT", 75.0)}

SHOWS: Mapping[str, Show] = {
    "frame-dates-by-day": show_frame(HALTED),
    "frame-keeps-one-year": show_frame(HALTED),
    "frame-quotes-in-cents": show_frame(CENTS),
    "indicators-leave-halts-out": show_indicators(HALTED_LATELY),
    "indicators-volume-of-yesterday": show_indicators(BUSY),
    "indicators-compare-closes": show_indicators(DAYS, with_revised_high(DAYS)),
    "indicators-carry-one-bar": show_indicators(DAYS, TWO_DAYS_LATER),
    "indicators-append-late-bar": show_indicators(DAYS, with_late_bar(DAYS)),
    "regime-of-population": show_regime(find_between()),
    "regime-without-long-average": show_regime(PULLED_BACK),
    "regime-calm-is-volatile": show_regime(CALMED),
    "signals-at-threshold": show_signals(volume_ratio=HIGH_VOLUME),
    "signals-whole-replies": show_signals(
        Opinions({"rsi": 61.0}, "direction=LONG confidence=62.5", "direction=LONG confidence=75")
    ),
    "consensus-unknown-is-trending": show_consensus(**PAIRED),
    "consensus-forgets-opposition": show_consensus("TRENDING", **OPPOSED),
    "consensus-needs-three": show_consensus("TRENDING", **PAIRED),
    "consensus-whole-points": show_consensus("TRENDING", massive=("LONG", 90.0), sonar=("LONG", 62.5)),
    "reason-tells-reference": show_told(decision(reference=240.9)),
    "reason-whole-prices": show_told(decision()),
    "reason-direction-by-stop": show_told(decision(), decision("MSFT", **SHORT)),
    "reason-shares-decision": show_explained(*AT_ONCE, takes_s={"AAPL": 3.0, "MSFT": 1.0}),
    "reason-last-of-direction": show_explained(*AT_ONCE, refused="MSFT", apart_s=5.0),
    "reason-regime-before": show_told(decision(), decision(regime="VOLATILE")),
    "reason-two-seconds": show_explained(decision(), takes_s={"AAPL": 2.5}),
    "reason-remembered-is-template": show_explained(decision(), decision(), apart_s=5.0),
}
