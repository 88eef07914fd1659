"""Predicts how long a run will still take from what its parts have taken, within the time that it was given."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

LEAST_SHARE = 0.1
"""A comparison keeps at least this share of its planned seconds of blocks, however short the time."""

ASSUMED = 0.01
"""This share of a part's units counts as done at the expected pace: the first one measured does not stand for all."""


@dataclass(slots=True)
class Part:
    """Counts the units of one part of a run. ``unit_s`` is what a unit is expected to take before one is done."""

    units: float
    unit_s: float
    done: float = 0.0
    spent_s: float = 0.0

    def to_come_s(self, speed: float) -> float:
        """Return the seconds that the part's remaining units will take.

        ``speed`` is that of the run so far: the seconds taken for each second expected.
        """
        assumed = ASSUMED * self.units if self.unit_s else 0.0
        known = assumed + self.done
        unit_s = (assumed * self.unit_s * speed + self.spent_s) / known if known else 0.0
        return max(0.0, self.units - self.done) * unit_s


class Pace:
    """Counts the parts of a run in units of work; time that passes belongs to the part whose unit is done next.

    ``budget_s`` is the time for the whole. ``clock`` is injected by tests.
    """

    def __init__(self, budget_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._budget_s = budget_s
        self._clock = clock
        self._began = self._last = clock()
        self._parts: dict[str, Part] = {}

    def plan(self, part: str, units: float, unit_s: float) -> None:
        """Plan ``units`` more units of a part, beside those that are done; planning it again replaces the number."""
        known = self._parts.setdefault(part, Part(0.0, unit_s))
        known.units = known.done + units

    def did(self, part: str, units: float = 1.0) -> None:
        """Note that units of a part are done, and that they took the time since anything was last done."""
        now = self._clock()
        known = self._parts.setdefault(part, Part(units, 0.0))
        known.done += units
        known.units = max(known.units, known.done)
        known.spent_s += now - self._last
        self._last = now

    @property
    def elapsed_s(self) -> float:
        return self._clock() - self._began

    @property
    def left_s(self) -> float:
        """Return the seconds that are left of the budget; negative when it is used up."""
        return self._budget_s - self.elapsed_s

    def to_come_s(self) -> float:
        """Return the seconds that the units still to be done will take."""
        expected = sum(part.done * part.unit_s for part in self._parts.values())
        spent = sum(part.spent_s for part in self._parts.values() if part.unit_s)
        speed = spent / expected if expected else 1.0
        return sum(part.to_come_s(speed) for part in self._parts.values())


def share_of_blocks(allowed_s: float, blocks_s: float, taken_s: float | None, planned_s: float) -> float:
    """Return the share of the planned seconds of blocks that lets a replicate end in time, between LEAST_SHARE and 1.

    ``allowed_s`` are the seconds that the replicate may take, ``blocks_s`` the planned seconds of all its blocks.
    ``taken_s`` is what the last replicate took beside its blocks; before the first it is None, and ``planned_s`` stands
    for it.
    """
    beside_s = planned_s if taken_s is None else taken_s
    return min(1.0, max(LEAST_SHARE, (allowed_s - beside_s) / blocks_s)) if blocks_s else 1.0
