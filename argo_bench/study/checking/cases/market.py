"""The bars and decisions of the cases are made here, the same ones in every run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from argo_bench.pipeline.model import STRATEGY, Bars, Decision, Direction, Regime
from argo_bench.pipeline.world.base import EPOCH_S

Closes = NDArray[np.float64]
FIRST_DAY = np.datetime64("2023-11-02T05:00:00", "us")
DAY = np.timedelta64(1, "D")
USUAL = 300


def make_bars(symbol: str, closes: Closes | Sequence[float], volumes: Closes | None = None, first: int = 0) -> Bars:
    """Return daily bars with these closes; ``first`` is the day of the first one."""
    close = np.asarray(closes, np.float64)
    before = np.concatenate([close[:1], close[:-1]])
    day = np.arange(len(close))
    high = np.maximum(before, close) * (1.002 + 0.001 * (day % 5))
    low = np.minimum(before, close) * (0.998 - 0.001 * (day % 3))
    volume = 900_000.0 + 25_000.0 * ((7 * day) % 11) if volumes is None else volumes
    return Bars(symbol, FIRST_DAY + (first + day) * DAY, np.array([before, high, low, close, volume]))


def wander(seed: int, days: int = USUAL, deviation: float = 0.012, start: float = 120.0) -> Closes:
    """Return closes in cents that wander without a direction."""
    steps = np.random.default_rng([seed, days]).normal(0.0, deviation, days)
    return np.round(start * np.exp(np.cumsum(steps)), 2)


def climb(days: int = USUAL, rate: float = 0.002, start: float = 80.0) -> Closes:
    """Return closes that rise day by day, with a small fall every fifth one; a negative rate falls."""
    day = np.arange(days)
    closes: Closes = np.round(start * np.exp(rate * day + 0.004 * (day % 5 != 4) * np.sign(rate)), 2)
    return closes


def shake(days: int = USUAL) -> Closes:
    """Return closes that were calm for long and have been restless for twenty days."""
    calm = wander(31, days, 0.004)
    calm[-20:] *= 1 + 0.05 * np.where(np.arange(20) % 2, 1.0, -1.0)
    return np.round(calm, 2)


def with_last(bars: Bars, close: float, volume: float | None = None) -> Bars:
    """Return the bars with another close of the live bar, whose range is widened to it."""
    values = bars.values.copy()
    values[3, -1] = close
    values[1, -1], values[2, -1] = max(values[1, -1], close), min(values[2, -1], close)
    values[4, -1] = values[4, -1] if volume is None else volume
    return replace(bars, values=values)


def with_value(bars: Bars, row: int, bar: int, value: float) -> Bars:
    """Return the bars with one number replaced; rows are open, high, low, close and volume."""
    values = bars.values.copy()
    values[row, bar] = value
    return replace(bars, values=values)


def cut(bars: Bars, start: int, end: int | None = None) -> Bars:
    """Return a part of the bars, with memory of its own."""
    return replace(bars, timestamps=bars.timestamps[start:end].copy(), values=bars.values[:, start:end].copy())


def without(bars: Bars, bar: int) -> Bars:
    """Return the bars without one of them."""
    return replace(bars, timestamps=np.delete(bars.timestamps, bar), values=np.delete(bars.values, bar, axis=1))


def copy_of(bars: Bars) -> Bars:
    return replace(bars, values=bars.values.copy())


TWO_SYMBOLS = {
    "AAPL": [with_last(make_bars("AAPL", wander(1)), 118.0 + 0.25 * cycle) for cycle in range(8)],
    "ETH-USD": [with_last(make_bars("ETH-USD", wander(2, start=2400.0)), 2390.0 + cycle) for cycle in range(8)],
}
"""A stock and a coin whose price moves in every cycle."""

SOURCES: tuple[tuple[str, Direction], ...] = (
    ("massive", "LONG"),
    ("alpha_vantage", "NEUTRAL"),
    ("x_sentiment", "LONG"),
    ("sonar", "SHORT"),
)
USUAL_DECISION = Decision(
    signal_id="3f0c",
    symbol="AAPL",
    direction="LONG",
    entry=118.5,
    stop=114.95,
    target=124.43,
    confidence=81.25,
    regime="TRENDING",
    strategy=STRATEGY,
    sources=SOURCES,
    timestamp=EPOCH_S,
    reference=118.5,
    reasoning="The sources agree on a LONG position in AAPL at 118.5.",
    reasoning_author="model",
)
"""Passes every rule."""


def decide(**fields: Any) -> Decision:
    """Return a decision that passes every rule, with some fields replaced; its id follows from what it says."""
    usual = replace(USUAL_DECISION, **fields)
    if "signal_id" in fields:
        return usual
    return replace(usual, signal_id=f"id-{usual.symbol}-{usual.timestamp:.0f}-{usual.direction}-{usual.entry}")


def price(decision: Decision, entry: float, direction: Direction, regime: Regime = "TRENDING") -> Decision:
    """Return a decision at another entry, its other prices in proportion."""
    sign = 1 if direction == "LONG" else -1
    stop, target = round(entry * (1 - 0.03 * sign), 2), round(entry * (1 + 0.05 * sign), 2)
    return replace(decision, entry=entry, stop=stop, target=target, direction=direction, regime=regime, reference=entry)


def step_from(value: float, *, up: bool) -> float:
    """Return the next float above or below a value."""
    return math.nextafter(value, math.inf if up else -math.inf)
