"""Reads durations and shares as users write them."""

from __future__ import annotations

import re

SECONDS = {"s": 1, "m": 60, "h": 3600}


def seconds(text: str) -> float:
    """Convert a duration such as ``90``, ``90s``, ``5m`` or ``1.5h`` to seconds.

    Raises ValueError for anything else.
    """
    if (found := re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip().lower())) is None:
        raise ValueError(f"expected a duration such as 90s, 5m or 1h, got {text!r}")
    return float(found[1]) * SECONDS[found[2] or "s"]


def share(value: object) -> float:
    """Convert ``0.03`` or ``"3%"`` to a share between 0 and 1, both excluded. Raises ValueError for anything else."""
    text = str(value).strip()
    try:
        found = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        found = -1.0
    if not 0 < found < 1:
        raise ValueError(f"expected a share such as 3% or 0.03, got {value!r}")
    return found
