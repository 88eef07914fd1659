"""One directional signal per source is made here, from the indicators and the providers' replies."""

from __future__ import annotations

import re

from argo_bench.pipeline.model import Indicators, Opinions, Signal, World

REPLY = re.compile(r"direction=(LONG|SHORT|NEUTRAL) confidence=(\d+(?:\.\d+)?)")
HIGH_VOLUME = 1.2
STRONG_TREND = 25


def signals(world: World, indicators: Indicators, opinions: Opinions) -> dict[str, Signal]:
    """Return the signals by source, in the fixed source order.

    A reply that cannot be parsed yields no signal, and is counted among the ledger's failures.
    """
    found = {
        "massive": trend(indicators),
        "alpha_vantage": momentum(indicators),
        "x_sentiment": parse_reply(opinions.x_sentiment),
        "sonar": parse_reply(opinions.sonar),
    }
    for name, signal in found.items():
        if signal is None:
            world.ledger.failures[f"{name} reply"] += 1
    return {name: signal for name, signal in found.items() if signal is not None}


def trend(i: Indicators) -> Signal:
    """Compare the price with both averages: above both in order is LONG, below both in order is SHORT.

    Comparisons with NaN are false, so a history that is too short yields NEUTRAL.
    """
    confidence = 60.0 + 15.0 * (i.volume_ratio > HIGH_VOLUME) + 15.0 * (i.adx14 > STRONG_TREND)
    if i.close > i.sma20 > i.sma50:
        return Signal("LONG", confidence)
    return Signal("SHORT", confidence) if i.close < i.sma20 < i.sma50 else Signal("NEUTRAL", confidence)


def momentum(i: Indicators) -> Signal:
    confidence = 60.0 + min(30.0, abs(i.rsi14 - 50.0))
    if i.macd > i.macd_signal and i.rsi14 > 50:
        return Signal("LONG", confidence)
    return Signal("SHORT", confidence) if i.macd < i.macd_signal and i.rsi14 < 50 else Signal("NEUTRAL", confidence)


def parse_reply(reply: str) -> Signal | None:
    """Parse a model's fixed one-line format, ``direction=LONG confidence=75``; None for anything else."""
    match = REPLY.fullmatch(reply)
    if match is None:
        return None
    direction, confidence = match.groups()
    return Signal(direction, float(confidence))  # type: ignore[arg-type]
