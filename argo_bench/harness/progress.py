"""Holds how far a run is, for whoever shows it."""

from __future__ import annotations

from typing import NamedTuple


class Progress(NamedTuple):
    """Says how many seconds a run has taken and is still expected to take, what it is doing, and the interval so far.

    ``left_s`` is infinite where it is unknown.
    """

    spent_s: float
    left_s: float
    doing: str
    seen: str
