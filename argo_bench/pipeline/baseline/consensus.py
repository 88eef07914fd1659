"""The weighted vote of the sources is counted here, anew in every cycle."""

from __future__ import annotations

from collections.abc import Mapping

from argo_bench.pipeline.model import SOURCES, Consensus, Regime, Signals, World

DEFAULT_WEIGHTS: Mapping[str, float] = {"massive": 0.40, "alpha_vantage": 0.25, "x_sentiment": 0.20, "sonar": 0.15}
WEIGHTS: Mapping[str, Mapping[str, float]] = {
    "TRENDING": {"massive": 0.50, "alpha_vantage": 0.25, "x_sentiment": 0.15, "sonar": 0.10},
    "CONSOLIDATION": {"massive": 0.30, "alpha_vantage": 0.35, "x_sentiment": 0.20, "sonar": 0.15},
    "VOLATILE": DEFAULT_WEIGHTS,
    "UNKNOWN": DEFAULT_WEIGHTS,
}
ACCEPTED = 75.0


def consensus(world: World, signals: Signals, regime: Regime) -> Consensus | None:
    """Return the direction with the larger weighted vote, or None.

    It is None where no source names a direction, where both votes are equal, and where the confidence is below 75.
    Votes are summed in the fixed source order, since a sum in another order may round to another confidence.
    """
    weights = WEIGHTS[regime]
    votes = {"LONG": 0.0, "SHORT": 0.0}
    present = 0.0
    for source in SOURCES:
        signal = signals.get(source)
        if signal is None or signal.direction == "NEUTRAL":
            continue
        votes[signal.direction] += signal.confidence * weights[source]
        present += weights[source]
    if votes["LONG"] == votes["SHORT"]:
        return None
    direction = "LONG" if votes["LONG"] > votes["SHORT"] else "SHORT"
    confidence = votes[direction] / present
    return Consensus(direction, confidence) if confidence >= ACCEPTED else None  # type: ignore[arg-type]
