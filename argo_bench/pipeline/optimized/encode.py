"""A decision as JSON for its three sinks, serialized once: the log line and the POST are the same bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from argo_bench.pipeline.model import Decision, Encoded, World

ENCODER = msgspec.json.Encoder()


def encode(world: World, decisions: Sequence[Decision]) -> list[Encoded]:
    """One encoding of all fields for log line and POST body; the canonical JSON of the signed fields for the digest."""
    encoded = []
    for decision in decisions:
        body = ENCODER.encode(decision)
        encoded.append(Encoded(decision, body, body, hashlib.sha256(canonical(decision)).hexdigest()))
    return encoded


def canonical(decision: Decision) -> bytes:
    """The signed fields as JSON without spaces; the keys stand here in sorted order.

    The same text as json.dumps writes, for numbers from 0.0001 up to 1e16: beyond, the two write exponents differently.
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
