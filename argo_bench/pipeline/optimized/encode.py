"""A decision is encoded as JSON for its three sinks here, and serialized once: log line and POST are the same bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from argo_bench.pipeline.model import Decision, Encoded, World

ENCODER = msgspec.json.Encoder()


def encode(world: World, decisions: Sequence[Decision]) -> list[Encoded]:
    """Encode decisions: log line and POST body are one encoding of all
    fields, the SHA-256 covers the canonical JSON of the signed ones."""
    encoded = []
    for decision in decisions:
        body = ENCODER.encode(decision)
        encoded.append(Encoded(decision, body, body, hashlib.sha256(canonical(decision)).hexdigest()))
    return encoded


def canonical(decision: Decision) -> bytes:
    """Encode the signed fields as JSON without spaces. The keys are written here in sorted order.

    The text is the same as json.dumps writes for numbers from 0.0001 up to 1e16; beyond, the two write exponents
    differently.
    """
    return ENCODER.encode(
        {
            "confidence": decision.confidence,
            "direction": decision.direction,
            "entry": decision.entry,
            "regime": decision.regime,
            "signal_id": decision.signal_id,
            "stop": decision.stop,
            "symbol": decision.symbol,
            "target": decision.target,
            "timestamp": decision.timestamp,
        }
    )
