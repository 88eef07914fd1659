"""How long an answer may be served is decided here: until what is decided on it could be another decision.

A price has a budget for its own error, and must not be off so far that a source would change sides. A model's opinion
has a budget for the chance that the model has changed its mind. Hours in which an exchange is closed cost nothing.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from argo_bench.pipeline.baseline.consensus import consensus
from argo_bench.pipeline.baseline.regime import MINIMUM_BARS, VOLATILE_RATIO
from argo_bench.pipeline.baseline.signals import momentum, trend
from argo_bench.pipeline.kernels import IN_DOUBT, latest_indicators, latest_regime
from argo_bench.pipeline.market import trading_seconds
from argo_bench.pipeline.model import Bars, Direction, Indicators, Regime, Signal, World
from argo_bench.pipeline.optimized.regime import NAMES

PRICE_BUDGET = 0.001
"""How far a served price may be expected to be off: a tenth of a per cent, a thirtieth of the way to the stop."""

QUOTE_BUDGET = 0.01
"""The same for the reference price, which is only read to refuse an entry that is 5 % off it: a fifth of that."""

OPINION_BUDGET = 0.05
"""The chance that a model would say something else by now: one in twenty.

Few votes survive that a model changes sides: where strong sources agree in a trend the confidence is 82.5, with the
lighter model against them 75, with the heavier one 71.2, and 75 is what is accepted.
"""

FIRST_LIFETIME_S = 60.0
"""How long a model's opinion is kept until its changes have been seen."""

PRIOR_S, FORGOTTEN_S, PAUSE_S = 300.0, 3600.0, 3600.0
"""See ``Volatility``."""

HALVINGS = 3
"""How often the budget of a price is halved where a source is about to change sides, before the price is not kept."""

DEVIATIONS = 2.0
"""How many deviations of its expected move a price stays away from where the decision would be another one."""

DEVIATION_BARS = 20
MODEL_CONFIDENCE = 75.0
SIDES: Sequence[tuple[Direction, Direction]] = (
    ("LONG", "LONG"),
    ("LONG", "SHORT"),
    ("SHORT", "LONG"),
    ("SHORT", "SHORT"),
)


class Volatility:
    """Estimates how fast a symbol's price moves, as the variance of its relative moves per trading second.

    It begins with what the daily bars say, in the weight of PRIOR_S seconds, and goes on with the moves between the
    prices that arrive. When FORGOTTEN_S seconds have been seen, what was seen before counts half.
    """

    def __init__(self, bars: Bars) -> None:
        self._at, self._price = -math.inf, 0.0
        self._seconds = PRIOR_S
        self._squares = PRIOR_S * daily_deviation(bars) ** 2 / trading_seconds(bars.symbol)

    def note(self, at: float, price: float) -> None:
        """Learn from a price that was asked for ``at`` seconds; a pause of more than PAUSE_S says nothing."""
        if 0 < at - self._at < PAUSE_S:
            self._seconds += at - self._at
            self._squares += (price / self._price - 1) ** 2
            if self._seconds > FORGOTTEN_S:
                self._seconds, self._squares = self._seconds / 2, self._squares / 2
        self._at, self._price = at, price

    def seconds_until(self, move: float) -> float:
        """Return after how many trading seconds a price is expected to be off by a move, a share of it."""
        return float(move**2 * self._seconds / self._squares) if self._squares else math.inf


def find_budget(world: World, bars: Bars) -> float:
    """Return PRICE_BUDGET, halved until no move of DEVIATIONS times as much changes the decision; 0 where all do."""
    decided = list_decisions(world, bars.values)
    for halving in range(HALVINGS + 1):
        budget = PRICE_BUDGET * 0.5**halving
        moves = (1 - DEVIATIONS * budget, 1 + DEVIATIONS * budget)
        if all(list_decisions(world, move_last_price(bars.values, move)) == decided for move in moves):
            return budget
    return 0.0


def move_last_price(values: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
    """Return the bars, of shape (5, n), with the last price multiplied; high and low follow where it passes them."""
    moved = values.copy()
    _, high, low, close, _ = moved[:, -1]
    price = close * factor
    moved[1:4, -1] = max(high, price), min(low, price), price
    return moved


def list_decisions(world: World, values: NDArray[np.float64]) -> tuple[Direction | None, ...]:
    """Return what would be decided on bars of shape (5, n) for all that the two models can say."""
    found, regime = read_bars(values)
    technical = {"massive": trend(found), "alpha_vantage": momentum(found)}
    votes = (
        consensus(
            world,
            technical | {"x_sentiment": Signal(x, MODEL_CONFIDENCE), "sonar": Signal(sonar, MODEL_CONFIDENCE)},
            regime,
        )
        for x, sonar in SIDES
    )
    return tuple(None if each is None else each.direction for each in votes)


def read_bars(values: NDArray[np.float64]) -> tuple[Indicators, Regime]:
    """Return the indicators and the regime of bars, float64 of shape (5, n)."""
    block = np.ascontiguousarray(values).view()
    block.flags.writeable = False  # a kernel would compile anew for an array that can be written to
    return Indicators(*latest_indicators(block).tolist()), find_regime(block[3])


def find_regime(close: NDArray[np.float64]) -> Regime:
    """Return the regime of closes, UNKNOWN where there are too few or where the order of a sum would decide."""
    if len(close) < MINIMUM_BARS:
        return "UNKNOWN"
    detected = latest_regime(close[-MINIMUM_BARS:], VOLATILE_RATIO)
    return "UNKNOWN" if detected == IN_DOUBT else NAMES[detected]


def daily_deviation(bars: Bars) -> float:
    """Return the deviation (ddof 1) of the last 20 daily returns, or today's move where that is larger already."""
    close = bars.values[3, -DEVIATION_BARS - 1 :]
    returns = np.diff(close) / close[:-1]
    return max(float(returns.std(ddof=1)), abs(float(returns[-1])))


class Changes:
    """Learns from consecutive answers of one model how soon it changes its mind, over all symbols together.

    The rate is that of a Poisson process: changes over the time between the answers that were compared. It begins with
    one change that was not seen, in as much time as makes the first lifetime FIRST_LIFETIME_S.
    """

    def __init__(self) -> None:
        self._changes = 1.0
        self._seconds = FIRST_LIFETIME_S / OPINION_BUDGET

    def note(self, seconds: float, *, has_changed: bool) -> None:
        self._changes += has_changed
        self._seconds += seconds

    @property
    def lifetime_s(self) -> float:
        """After this time the chance of another answer is OPINION_BUDGET."""
        return OPINION_BUDGET * self._seconds / self._changes


class Session(NamedTuple):
    """Holds the hours of one trading session, in seconds since the epoch."""

    opens_at: float
    closes_at: float


ALWAYS_OPEN = Session(-math.inf, math.inf)
LONGEST_CLOSURE = pd.Timedelta(days=14)


def session_after(now: float) -> Session:
    """Return the session of the New York Stock Exchange that is
    on, or the next one; holidays and early closes are known.

    Without exchange_calendars every hour counts as trading hours: more requests are sent, and nothing served is older.
    """
    try:
        import exchange_calendars
    except ImportError:
        return ALWAYS_OPEN
    day = pd.Timestamp(now, unit="s").normalize()
    with warnings.catch_warnings():
        # The exchange_calendars of March 2026 calls what pandas 3.1 deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        calendar = exchange_calendars.get_calendar("XNYS", start=day, end=day + LONGEST_CLOSURE)
        sessions = zip(calendar.opens, calendar.closes, strict=True)
        return next(
            Session(opens.timestamp(), closes.timestamp()) for opens, closes in sessions if closes.timestamp() > now
        )
