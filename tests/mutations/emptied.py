"""Stages that do nothing, accept everything or drop everything are here, two or three in the place of each part.

They are no bugs that somebody makes, but the least that a check of outputs must notice, whatever its inputs are.
``SHOWS`` has for each part the inputs on which they differ from the variant, as code.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from argo_bench.pipeline.baseline.reason import template
from argo_bench.pipeline.kernels import FIELDS
from argo_bench.pipeline.model import SOURCES as NAMES
from argo_bench.pipeline.model import (
    Bars,
    Consensus,
    Decision,
    Encoded,
    Fetched,
    Indicators,
    Opinions,
    Pending,
    ProviderError,
    Readings,
    Reasoning,
    Regime,
    Rejection,
    Request,
    Served,
    Signal,
    Signals,
    Stage,
    Validated,
    World,
)
from argo_bench.pipeline.optimized.frame import frame as view_of
from argo_bench.pipeline.optimized.transport import Arrived
from argo_bench.pipeline.record import Pipeline, settle
from tests.mutations import Mutant, Part, mutant
from tests.mutations.further_caches import show_votes
from tests.mutations.further_records import show_readings_between
from tests.mutations.further_stages import PULLED_BACK
from tests.mutations.further_transports import Turned
from tests.mutations.held_out_caches import TICK, show_regimes
from tests.mutations.held_out_stages import (
    FALLING,
    FIFTY_AGO,
    HALTED,
    Show,
    show_encoded,
    show_frame,
    show_indicators,
    show_rows,
    show_signals,
    show_told,
    show_validated,
)
from tests.mutations.held_out_transports import BARS, show_fetches, show_requests, show_walks
from tests.mutations.inputs import USUAL, decision, outcome


@dataclasses.dataclass(frozen=True, slots=True)
class Emptied:
    """Is the edit that puts into the place of a part what ``make`` returns for the stage that was there."""

    part: str
    make: Callable[[Stage], Stage]

    def __call__(self, pipeline: Pipeline) -> Pipeline:
        return pipeline.replace(**{self.part: self.make(getattr(pipeline, self.part))})


class First:
    """Returns for ever what a plain stage returned first."""

    def __init__(self, stage: Stage) -> None:
        self.__wrapped__ = stage
        self._first: list[Any] = []

    def __call__(self, world: World, *arguments: Any) -> Any:
        if not self._first:
            self._first.append(self.__wrapped__(world, *arguments))
        return self._first[0]

    def forget(self) -> None:
        """Keep the first all the same: workloads ask a stage that keeps readings to forget them."""


class FirstAwaited(First):
    """Returns for ever what an awaited stage returned first."""

    async def __call__(self, world: World, *arguments: Any) -> Any:
        if not self._first:
            self._first.append(await settle(self.__wrapped__(world, *arguments)))
        return self._first[0]


# Transport


class FirstAnswer:
    """Answers every request of a kind as the first one of it was answered, whichever symbol it is of."""

    def __init__(self, transport: Stage) -> None:
        self.__wrapped__ = transport
        self._first: dict[tuple[str, str], Any] = {}

    def __call__(self, world: World, request: Request) -> Pending[Any]:
        key = request.provider, request.what
        if key in self._first:
            return Arrived(self._first[key])
        return Turned(self.__wrapped__(world, request), partial(self._keep, key))

    def _keep(self, key: tuple[str, str], found: Any) -> Any:
        if isinstance(found, ProviderError):
            raise found
        return self._first.setdefault(key, found)


def refuse_everything(transport: Stage) -> Stage:
    return refuse


def refuse(world: World, request: Request) -> Pending[Any]:
    return Turned(Arrived(None), raise_refusal)


def raise_refusal(answer: Any) -> Any:
    raise ProviderError("refused")


def answer_nothing(transport: Stage) -> Stage:
    return answer_none


def answer_none(world: World, request: Request) -> Pending[Any]:
    return Arrived(None)


# Fetch


def serve_nothing(fetch: Stage) -> Stage:
    return fetch_no_symbol


def fetch_no_symbol(world: World, symbol: str) -> Served:
    return Served(None)


def fetch_no_bars(fetch: Stage) -> Stage:
    return fetch_without_bars


def fetch_without_bars(world: World, symbol: str) -> Fetched:
    bars = Bars(symbol, np.array([], "datetime64[us]"), np.empty((5, 0)))
    return Fetched(bars, Opinions({"rsi": 0.0, "sma": 0.0, "quote": 0.0}, "", ""))


# Frame


def empty_frames(frame: Stage) -> Stage:
    return frame_without_bars


def frame_without_bars(world: World, bars: Bars) -> pd.DataFrame:
    return view_of(world, bars).iloc[:0]


# Indicators


def know_nothing(indicators: Stage) -> Stage:
    return indicators_unknown


def indicators_unknown(world: World, frame: pd.DataFrame) -> Indicators:
    return Indicators(**dict.fromkeys(FIELDS, math.nan))


def rise_always(indicators: Stage) -> Stage:
    return indicators_of_rise


def indicators_of_rise(world: World, frame: pd.DataFrame) -> Indicators:
    return USUAL


# Regime


def know_no_regime(regime: Stage) -> Stage:
    return regime_unknown


def regime_unknown(world: World, frame: pd.DataFrame) -> Regime:
    return "UNKNOWN"


def trend_always(regime: Stage) -> Stage:
    return regime_trending


def regime_trending(world: World, frame: pd.DataFrame) -> Regime:
    return "TRENDING"


# Signals


def have_no_signals(signals: Stage) -> Stage:
    return signals_of_nobody


def signals_of_nobody(world: World, indicators: Indicators, opinions: Opinions) -> dict[str, Signal]:
    return {}


def buy_always(signals: Stage) -> Stage:
    return signals_to_buy


def signals_to_buy(world: World, indicators: Indicators, opinions: Opinions) -> dict[str, Signal]:
    return dict.fromkeys(NAMES, Signal("LONG", 99.0))


# Consensus


def agree_never(consensus: Stage) -> Stage:
    return consensus_of_nobody


def consensus_of_nobody(world: World, signals: Signals, regime: Regime) -> Consensus | None:
    return None


def agree_always(consensus: Stage) -> Stage:
    return consensus_to_buy


def consensus_to_buy(world: World, signals: Signals, regime: Regime) -> Consensus | None:
    return Consensus("LONG", 99.0)


# Reason


def say_nothing(reason: Stage) -> Stage:
    return reason_without_words


def reason_without_words(world: World, decision: Decision) -> Reasoning:
    return Reasoning("", "model")


def fill_templates(reason: Stage) -> Stage:
    return reason_by_template


def reason_by_template(world: World, decision: Decision) -> Reasoning:
    return Reasoning(template(decision), "template")


# Validate


def keep_everything(validate: Stage) -> Stage:
    return validate_all


def validate_all(world: World, decisions: Sequence[Decision]) -> Validated:
    return Validated(tuple(decisions), ())


def reject_everything(validate: Stage) -> Stage:
    return validate_none


def validate_none(world: World, decisions: Sequence[Decision]) -> Validated:
    return Validated((), tuple(Rejection(each, "incomplete") for each in decisions))


def lose_everything(validate: Stage) -> Stage:
    return validate_away


def validate_away(world: World, decisions: Sequence[Decision]) -> Validated:
    return Validated((), ())


# Encode


def encode_nothing(encode: Stage) -> Stage:
    return encode_no_decision


def encode_no_decision(world: World, decisions: Sequence[Decision]) -> list[Encoded]:
    return []


def encode_blanks(encode: Stage) -> Stage:
    return encode_without_text


def encode_without_text(world: World, decisions: Sequence[Decision]) -> list[Encoded]:
    return [Encoded(each, b"{}", b"{}", "") for each in decisions]


# Store


def store_nothing(store: Stage) -> Stage:
    return store_no_signal


def store_no_signal(world: World, signals: Sequence[Encoded]) -> None:
    return None


# Read


class NoReadings:
    def __init__(self, read: Stage) -> None:
        self.__wrapped__ = read

    def __call__(self, world: World, symbols: Sequence[str]) -> Readings:
        return Readings((), (), None)

    def forget(self) -> None:
        """Forget nothing, since nothing is kept."""


# Schedule


def decide_nothing(schedule: Stage) -> Stage:
    return schedule_no_symbol


async def schedule_no_symbol(world: World, pipeline: Pipeline, symbols: Sequence[str]) -> list[Decision]:
    return []


class FirstSymbol:
    """Walks the first symbol alone."""

    def __init__(self, schedule: Stage) -> None:
        self.__wrapped__ = schedule

    async def __call__(self, world: World, pipeline: Pipeline, symbols: Sequence[str]) -> list[Decision]:
        found: list[Decision] = await settle(self.__wrapped__(world, pipeline, symbols[:1]))
        return found


Row = tuple[Part, str, str, str, Callable[[Stage], Stage]]

TABLE: Sequence[Row] = (
    ("transport", "O14", "first", "Every answer of a kind is the first one of that kind.", FirstAnswer),
    ("transport", "O14", "refuses", "Every request is refused, and none is sent.", refuse_everything),
    ("transport", "O14", "nothing", "Every answer is None, and no request is sent.", answer_nothing),
    ("fetch", "O02", "first", "Every symbol has the market of the first one, for ever.", FirstAwaited),
    ("fetch", "O02", "nothing", "No symbol is fetched, and none has a signal.", serve_nothing),
    ("fetch", "O02", "no-bars", "No symbol has any bars.", fetch_no_bars),
    ("frame", "O09", "first", "Every frame is the first one.", First),
    ("frame", "O09", "nothing", "No frame has any bars.", empty_frames),
    ("indicators", "O08", "first", "All indicators are those of the first frame.", First),
    ("indicators", "O08", "nothing", "No indicator is known.", know_nothing),
    ("indicators", "O08", "rise", "Every symbol is rising, whatever its bars are.", rise_always),
    ("regime", "O07", "unknown", "No symbol has a regime.", know_no_regime),
    ("regime", "O07", "trending", "Every symbol is in a trend.", trend_always),
    ("signals", "ALL", "nothing", "No source has an opinion.", have_no_signals),
    ("signals", "ALL", "buy", "All sources say LONG.", buy_always),
    ("signals", "ALL", "first", "All signals are those of the first symbol.", First),
    ("consensus", "O06", "nothing", "There is never a consensus.", agree_never),
    ("consensus", "O06", "buy", "There is always a consensus to go LONG.", agree_always),
    ("reason", "O12", "nothing", "Every explanation is empty.", say_nothing),
    ("reason", "O12", "template", "Every explanation is a template, and the model is not asked.", fill_templates),
    ("reason", "O12", "first", "Every explanation is that of the first signal.", FirstAwaited),
    ("validate", "O15", "keeps-all", "Every decision passes.", keep_everything),
    ("validate", "O15", "rejects-all", "Every decision is rejected.", reject_everything),
    ("validate", "O15", "nothing", "No decision is kept or rejected.", lose_everything),
    ("encode", "O11", "nothing", "No decision is encoded.", encode_nothing),
    ("encode", "O11", "blank", "Log lines and POSTs are empty objects, without a digest.", encode_blanks),
    ("store", "O05", "nothing", "No signal is stored.", store_nothing),
    ("store", "O05", "first", "The signals of the first call are stored, and no others.", First),
    ("read", "O05", "nothing", "Readers see nothing.", NoReadings),
    ("read", "O05", "first", "Readers see for ever what the first one saw.", First),
    ("schedule", "O10", "nothing", "No symbol is walked.", decide_nothing),
    ("schedule", "O10", "first", "Every cycle has the decisions of the first.", FirstAwaited),
    ("schedule", "O10", "first-symbol", "Only the first symbol is walked.", FirstSymbol),
)
"""A part, an optimization that touches it, a name, what the product then does, and what makes the stage."""


def emptied() -> list[Mutant]:
    """Return them all, as mutants."""
    return [
        mutant(f"emptied-{part}-{name}", part, subject, says, Emptied(part, make))
        for part, subject, name, says, make in TABLE
    ]


def show_all(*shows: Show) -> Show:
    """Show what several inputs show, or what they raise."""
    return lambda pipeline: [outcome(show, pipeline) for show in shows]


VOTES = (
    {"massive": ("LONG", 90.0), "sonar": ("LONG", 75.0)},
    {"massive": ("SHORT", 90.0)},
    {"massive": ("LONG", 60.0)},
)

SHOWS: Mapping[str, Show] = {
    "transport": show_requests(*BARS),
    "fetch": show_fetches("GAIN", "UP"),
    "frame": show_all(show_frame(TICK), show_frame(HALTED)),
    "indicators": show_indicators(TICK, HALTED),
    "regime": show_regimes(PULLED_BACK, FIFTY_AGO, FALLING),
    "signals": show_all(show_signals(), show_signals(rsi14=35.0, macd=-1.0)),
    "consensus": show_votes(*VOTES),
    "reason": show_told(decision("AAPL"), decision("MSFT")),
    "validate": show_validated(decision("AAPL"), decision("MSFT", confidence=20.0)),
    "encode": show_encoded(decision("AAPL"), decision("MSFT")),
    "store": show_rows([decision("AAPL")], [decision("MSFT")]),
    "read": show_readings_between,
    "schedule": show_walks("GAIN", "UP", cycles=(0, 1)),
}
