"""One symbol's signals are made as in ``baseline/signals.py``, and those of many symbols by arrays."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from argo_bench.pipeline.arrays import ABSENT, DIRECTION_NUMBERS, LONG, NEUTRAL, SHORT, IndicatorTable, SignalTable
from argo_bench.pipeline.baseline.signals import HIGH_VOLUME, STRONG_TREND, parse_reply, signals
from argo_bench.pipeline.model import SOURCES, Opinions, World

__all__ = ["signals", "signals_of_many"]

MODELS = SOURCES[2:]
"""The sources whose signals are a model's replies."""


def signals_of_many(world: World, indicators: IndicatorTable, opinions: Sequence[Opinions]) -> SignalTable:
    """Make the signals of many symbols. Comparisons with NaN are false here as well."""
    i = indicators
    trend = choose((i.close > i.sma20) & (i.sma20 > i.sma50), (i.close < i.sma20) & (i.sma20 < i.sma50))
    trend_confidence = 60.0 + 15.0 * (i.volume_ratio > HIGH_VOLUME) + 15.0 * (i.adx14 > STRONG_TREND)
    momentum = choose((i.macd > i.macd_signal) & (i.rsi14 > 50), (i.macd < i.macd_signal) & (i.rsi14 < 50))
    distance = np.abs(i.rsi14 - 50.0)
    momentum_confidence = 60.0 + np.where(distance < 30.0, distance, 30.0)
    sentiments, analyses = ([getattr(each, source) for each in opinions] for source in MODELS)
    replies = [[read_reply(reply) for reply in said] for said in (sentiments, analyses)]
    for source, read in zip(MODELS, replies, strict=True):
        if missing := sum(number == ABSENT for number, _ in read):
            world.ledger.failures[f"{source} reply"] += missing
    said = [np.array(read, np.float64).reshape(-1, 2).T for read in replies]
    return SignalTable(
        np.array([trend, momentum, *(each[0] for each in said)], np.int8),
        np.array([trend_confidence, momentum_confidence, *(each[1] for each in said)]),
    )


def choose(is_long: NDArray[np.bool_], is_short: NDArray[np.bool_]) -> NDArray[np.int8]:
    """Return LONG, SHORT or NEUTRAL for each symbol, int8 of shape (symbols,)."""
    return np.where(is_long, LONG, np.where(is_short, SHORT, NEUTRAL)).astype(np.int8)


@lru_cache(maxsize=4096)
def read_reply(reply: str) -> tuple[int, float]:
    """Return the number of the direction and the confidence that a reply names, ABSENT and 0 where it names none."""
    signal = parse_reply(reply)
    return (ABSENT, 0.0) if signal is None else (DIRECTION_NUMBERS[signal.direction], signal.confidence)
