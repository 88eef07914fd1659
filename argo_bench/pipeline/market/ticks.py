"""The market is replayed here as it moves within a day: in each cycle the last bar is live, the others are closed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from argo_bench.errors import UserError
from argo_bench.pipeline.market.quotes import quote_step, round_to_quotes
from argo_bench.pipeline.model import COLUMNS, Bars

MINIMUM_BARS = 260
# A Brownian motion of unit variance has the expected range sqrt(8 / pi) (Feller 1951).
RANGE_OF_UNIT_WALK = math.sqrt(8 / math.pi)
# Trade is busier at both ends of a day: at the share x of the day, x + U_SHAPE sin(2 pi x) of the volume is traded.
U_SHAPE = 0.08


@dataclass(frozen=True, slots=True)
class _Day:
    """Holds one symbol's day.

    ``ticks[step]`` is the number of ticks up to that step, and ``prices[i]`` the last price after i + 1 ticks.
    """

    number: int
    bar: tuple[float, float, float, float, float]
    ticks: NDArray[np.int32]
    prices: NDArray[np.float64]

    def live(self, step: int) -> tuple[float, float, float, float, float]:
        """Return open, high, low, close and volume of the day's bar as ticked up to ``step``."""
        ticks = int(self.ticks[step])
        if ticks == len(self.prices):
            return self.bar
        seen = self.prices[:ticks]
        open_, _, _, _, volume = self.bar
        share = ticks / len(self.prices)
        traded = volume * (share + U_SHAPE * math.sin(2 * math.pi * share))
        if volume.is_integer():
            traded = float(round(traded))
        return open_, float(seen.max()), float(seen.min()), float(seen[-1]), traded


class Tape:
    """Replays the ticks of some symbols; cycle k is step k % cycles_per_bar of day k // cycles_per_bar.

    On day d the history is the file's bars from the first one on, and bar ``start - 1 + d`` is live (a file with fewer
    than ``start`` bars, but 260 or more, starts on its last one). The live bar follows a seeded bridge: a random path
    that starts at the bar's open, ends at its close and touches its high and low, rounded to the quote step. With too
    few ticks to touch both, high and low come with the last tick. Where a bar's open or close lies outside its range,
    the range is widened to include it, since the path has been there. What a cycle holds is a function of (seed,
    symbol, day, step), never of the order of calls.

    The canonical ``frames`` are not copied. ``change_rate`` is the share of the steps within a day at which anything
    ticks, given for all symbols or by symbol. ``last_cycle`` is the last cycle that every symbol has bars for.

    Raises UserError for empty or too short histories, for numbers out of range, and where a later cycle is asked for.
    """

    def __init__(
        self,
        frames: Mapping[str, pd.DataFrame],
        *,
        seed: int,
        change_rate: float | Mapping[str, float] = 1.0,
        start: int = 300,
        cycles_per_bar: int = 4680,
    ) -> None:
        if not frames or start < 1 or cycles_per_bar < 1:
            raise UserError(
                "Tape: expected at least one symbol, a positive start and positive cycles per bar, "
                f"got {len(frames)} symbols, {start!r} and {cycles_per_bar!r}; give all three."
            )
        self.symbols = tuple(frames)
        self.cycles_per_bar = cycles_per_bar
        self._seed = seed
        self._values: dict[str, NDArray[np.float64]] = {}
        self._timestamps: dict[str, NDArray[np.datetime64]] = {}
        self._start: dict[str, int] = {}
        self._rate: dict[str, float] = {}
        # Only one day per symbol is kept: cycles run forward, and with 600 symbols more days would dwarf the memory
        # that studies measure.
        self._today: dict[str, _Day] = {}
        for symbol, frame in frames.items():
            if len(frame) < min(start, MINIMUM_BARS):
                raise UserError(
                    f"{symbol}: expected at least {min(start, MINIMUM_BARS)} bars, found {len(frame)}; "
                    "give a longer history or leave the symbol out."
                )
            rate = change_rate.get(symbol, -1.0) if isinstance(change_rate, Mapping) else change_rate
            if not 0 <= rate <= 1:
                raise UserError(f"{symbol}: expected a change rate from 0 to 1, got {change_rate!r}; give it a share.")
            self._values[symbol] = np.ascontiguousarray(frame.reindex(columns=list(COLUMNS)).to_numpy(np.float64).T)
            self._timestamps[symbol] = frame.index.to_numpy("datetime64[us]")
            self._start[symbol] = min(start, len(frame))
            self._rate[symbol] = rate
        days_after = {symbol: values.shape[1] - self._start[symbol] for symbol, values in self._values.items()}
        self._shortest = min(days_after, key=days_after.__getitem__)
        self.last_cycle = (days_after[self._shortest] + 1) * cycles_per_bar - 1

    def bars(self, symbol: str, cycle: int) -> Bars:
        """Return the history with the live bar, as ticked so far, in the last column.

        The values are a copy that the caller owns.
        """
        day, step = self._at(symbol, cycle)
        end = self._start[symbol] + day.number
        values = self._values[symbol][:, :end].copy()
        values[:, -1] = day.live(step)
        return Bars(symbol, self._timestamps[symbol][:end], values)

    def quote(self, symbol: str, cycle: int) -> float:
        """Return the last price."""
        day, step = self._at(symbol, cycle)
        return float(day.prices[day.ticks[step] - 1])

    def changed(self, symbol: str, cycle: int) -> bool:
        """Return whether the bars differ from those of the cycle before.

        The first cycle of a day always brings a new bar.
        """
        day, step = self._at(symbol, cycle)
        return step == 0 or bool(day.ticks[step] != day.ticks[step - 1] and day.live(step) != day.live(step - 1))

    def _at(self, symbol: str, cycle: int) -> tuple[_Day, int]:
        if symbol not in self._start:
            raise UserError(f"Tape: expected one of {', '.join(self.symbols)}, got {symbol!r}; add it to the universe.")
        if cycle < 0:
            raise UserError(f"Tape: expected a cycle from 0 to {self.last_cycle}, got {cycle}; start at 0.")
        number, step = divmod(cycle, self.cycles_per_bar)
        if cycle > self.last_cycle:
            raise UserError(
                f"Tape: expected a cycle from 0 to {self.last_cycle}, got {cycle}, which needs "
                f"{self._start[self._shortest] + number} bars of {self._shortest}, and it has "
                f"{self._values[self._shortest].shape[1]}; run fewer cycles or give a longer history."
            )
        day = self._today.get(symbol)
        if day is None or day.number != number:
            day = self._today[symbol] = self._tick_day(symbol, number)
        return day, step

    def _tick_day(self, symbol: str, number: int) -> _Day:
        *prices, volume = self._values[symbol][:, self._start[symbol] - 1 + number]
        open_, high, low, close = round_to_quotes(np.array(prices)).tolist()
        high, low = max(open_, high, low, close), min(open_, high, low, close)
        bar = (open_, high, low, close, float(volume))
        if self.cycles_per_bar == 1:
            return _Day(number, bar, np.ones(1, np.int32), np.array([close]))
        rng = np.random.default_rng([self._seed, number, *symbol.encode()])
        ticked = rng.random(self.cycles_per_bar) < self._rate[symbol]
        ticked[0] = True
        ticks = np.cumsum(ticked, dtype=np.int32)
        return _Day(number, bar, ticks, _bridge(open_, high, low, close, int(ticks[-1]), rng))


def _bridge(
    open_: float, high: float, low: float, close: float, ticks: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw a path of quoted prices from open to close within low..high, float64 of shape (ticks,).

    With four ticks or more the path touches both low and high.
    """
    if ticks == 1 or high == low:
        return np.full(ticks, close)
    anchors = {0: open_, ticks - 1: close}
    if ticks >= 4:
        first = int(rng.integers(1, ticks - 1))
        second = 1 + (first + int(rng.integers(ticks - 3))) % (ticks - 2)
        anchors |= {first: high, second: low}
    at = np.array(sorted(anchors))
    pinned = np.array([anchors[each] for each in at.tolist()])
    span = high - low
    noise = np.cumsum(rng.normal(0, span / RANGE_OF_UNIT_WALK / math.sqrt(ticks), ticks))
    path = noise + np.interp(np.arange(ticks), at, pinned - noise[at])
    # The path is reflected at both ends, since clipping would let the price stick to the extremes for minutes.
    inside = low + span - np.abs((path - low) % (2 * span) - span)
    inside[at] = pinned
    return round_to_quotes(inside)


def live_change_rate(close: NDArray[np.float64], *, trading_seconds: float, step_s: float = 5.0) -> float:
    """Estimate the share of steps of ``step_s`` seconds in which
    the quoted price moves, from the daily closes' own volatility.

    A move of sigma Z within a step, seen through a quote step q, shows with the probability E[min(1, |sigma Z| / q)],
    which is computed here in closed form. Sigma is the deviation of the daily log returns, scaled by the price and the
    root of time, and counted in quote steps. Raises UserError for fewer than 3 closes.
    """
    if len(close) < 3:
        raise UserError(f"live_change_rate: expected at least 3 closes, got {len(close)}; give a longer history.")
    price = float(close[-1])
    daily = float(np.std(np.diff(np.log(close)), ddof=1))
    sigma = daily * price * math.sqrt(step_s / trading_seconds) / quote_step(price)
    if sigma == 0:
        return 0.0
    normal = NormalDist()
    return 2 * sigma * (normal.pdf(0) - normal.pdf(1 / sigma)) + 2 * (1 - normal.cdf(1 / sigma))
