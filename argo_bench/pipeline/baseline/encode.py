"""A decision is encoded as JSON for its three sinks here, and serialized once for each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from argo_bench.pipeline.model import Decision, Encoded, World

FIELDS = tuple(field.name for field in fields(Decision))
SIGNED = ("signal_id", "symbol", "direction", "entry", "stop", "target", "confidence", "regime", "timestamp")
"""The fields that the row's SHA-256 covers, as JSON with sorted keys and no spaces."""


def encode(world: World, decisions: Sequence[Decision]) -> list[Encoded]:
    """Encode decisions: log line and POST body carry all fields,
    the SHA-256 covers the canonical JSON of the signed ones."""
    return [
        Encoded(decision, json.dumps(payload(decision)), json.dumps(payload(decision)), digest(decision))
        for decision in decisions
    ]


def payload(decision: Decision) -> dict[str, Any]:
    return {name: getattr(decision, name) for name in FIELDS}


def digest(decision: Decision) -> str:
    """Return the SHA-256, as hexadecimal text, of the canonical JSON of the signed fields."""
    signed = {name: getattr(decision, name) for name in SIGNED}
    return hashlib.sha256(
        json.dumps(signed, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    ).hexdigest()
