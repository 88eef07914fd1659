"""Signals are stored in SQLite here, with one INSERT and one commit each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from argo_bench.pipeline.model import Encoded, World


def store(world: World, signals: Sequence[Encoded]) -> None:
    """Insert each signal. Raises sqlite3.IntegrityError where a row violates a constraint; nothing is ignored."""
    for signal in signals:
        world.insert(row(world, signal))


def row(world: World, signal: Encoded) -> dict[str, Any]:
    """Return the signal as a row of the table; its outcome is not known yet."""
    decision = signal.decision
    return {
        "signal_id": decision.signal_id,
        "symbol": decision.symbol,
        "direction": decision.direction,
        "entry": decision.entry,
        "stop": decision.stop,
        "target": decision.target,
        "confidence": decision.confidence,
        "regime": decision.regime,
        "strategy": decision.strategy,
        "source_count": len(decision.sources),
        "reasoning": decision.reasoning,
        "timestamp": decision.timestamp,
        "sha256": signal.sha256,
        "outcome": None,
        "created_at": world.now(),
    }
