"""How far a run is, for whoever shows it."""

from __future__ import annotations

from typing import NamedTuple


class Progress(NamedTuple):
    """Seconds that a run has taken and those that it is expected to take still (infinite where that is unknown), what
    it is doing, and the interval so far."""

    spent_s: float
    left_s: float
    doing: str
    seen: str
