"""Shares the time of a batch among its benchmarks, so that its looks end in time and nobody takes what is another's.

Benchmarks get time in one order. In the first replicate each is tried while all that were tried before keep the time
that they need up to the first look; one that does not fit is passed over, so that cheaper ones behind it are measured.
Later on the last ones of the order give way where the others have become slower.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

RESERVE = 0.1
"""Of the time up to the first look this share is given to nobody: replicates are not all as long as the first one."""
PATIENCE = 2.0
"""A benchmark is ended where it takes this many times what it may, or took before."""


class Turns:
    """Says which benchmarks a replicate times, and which were left out because the time of the batch would not do.

    They get time in their ``order``. A batch is of use from its ``first_look`` on, which is a number of replicates, and
    no replicate begins that would end after ``until``, a moment of the clock ``now``.
    """

    def __init__(self, order: Sequence[str], first_look: int, until: float, now: Callable[[], float]) -> None:
        self._order = list(order)
        self._first_look = first_look
        self._until = until
        self._now = now
        self._began = now()
        self._starts: list[float] = []
        self._took: dict[str, list[float]] = {}
        self._cut: dict[str, float] = {}
        self._number = 0
        self.left_out: list[str] = []

    @property
    def open(self) -> list[str]:
        """Return the benchmarks that are still timed, in their order."""
        return list(self._order)

    def begin(self, number: int) -> list[str]:
        """Return the benchmarks of a replicate in their order; none where it does not fit."""
        self._number = number
        while self._order and self._needed_s() >= self._until - self._now():
            self.leave_out(self._order[-1])
        return self.open

    def start(self, seconds: float) -> None:
        """Say what starting the processes of a replicate took."""
        self._starts.append(seconds)

    def may_begin(self, name: str) -> bool:
        """Say whether a benchmark has its turn; on a first try only where the cheapest so far would fit in its place.

        Otherwise it is left out.
        """
        if self._number > 0:
            return name in self._order
        room = self._room_s()
        if room > 0 and room >= min((self._took[each][0] for each in self._kept), default=0.0):
            return True
        self.leave_out(name)
        return False

    def limit_s(self, name: str) -> float:
        """Return the seconds after which a benchmark is to be ended, since the others would not reach the look else."""
        if self._number == 0:
            return PATIENCE * self._room_s()
        others = self._needed_s() - self._replicates_left * statistics.fmean(self._took[name])
        return max(PATIENCE * statistics.fmean(self._took[name]), self._until - self._now() - others)

    def find_spare_s(self, replicates: int) -> float:
        """Return the seconds that each benchmark may take beyond its usual ones in each of so many replicates."""
        if not self._starts or not self._took.keys() >= {*self._order}:
            return 0.0
        spare_s = (1 - RESERVE) * (self._until - self._now()) - replicates * self._replicate_s
        return max(0.0, spare_s / (replicates * len(self._order)))

    def end(self, name: str, seconds: float) -> None:
        """Say what a benchmark took. One that would not reach the first look in time, on its first try, is left out."""
        room = self._room_s() + seconds / self._first_look if self._number == 0 else seconds
        self._took.setdefault(name, []).append(seconds)
        if seconds > room:
            self.leave_out(name)

    def close(self, name: str) -> None:
        """Take a benchmark out that needs no more time."""
        self._order.remove(name)

    def leave_out(self, name: str) -> None:
        """Take a benchmark out since the time does not last for it."""
        self.close(name)
        self.left_out.append(name)

    def cut(self, name: str, seconds: float) -> None:
        """Say that a benchmark was ended after so many seconds."""
        self._cut[name] = seconds
        self.leave_out(name)

    def estimate_s(self, name: str) -> float:
        """Return what a benchmark needs up to the first look, as far as that is known from it or else from others.

        Of one that was ended that is the least that it needs.
        """
        own = self._took.get(name, [])
        known = (
            [self._cut[name]] if name in self._cut else own or [each for some in self._took.values() for each in some]
        )
        return max(0, self._first_look - len(own)) * statistics.fmean(known) if known else 0.0

    def _needed_s(self) -> float:
        """Return what benchmarks need up to the first look, or for one more replicate after it; 0 before the first."""
        if self._number == 0:
            return 0.0
        return self._replicates_left * self._replicate_s

    @property
    def _replicate_s(self) -> float:
        """The seconds that a replicate of the benchmarks takes, processes and all."""
        return statistics.fmean(self._starts) + sum(statistics.fmean(self._took[name]) for name in self._order)

    @property
    def _replicates_left(self) -> int:
        """The replicates up to the first look; one after it."""
        return max(1, self._first_look - self._number)

    @property
    def _kept(self) -> list[str]:
        """The benchmarks that were tried and still have their turns."""
        return [name for name in self._order if name in self._took]

    def _room_s(self) -> float:
        """Return what one more benchmark may take in the first replicate if all before it are to reach the look."""
        start = statistics.fmean(self._starts) if self._starts else 0.0
        later = (self._first_look - 1) * (start + sum(self._took[name][0] for name in self._kept))
        reserve = RESERVE * (self._until - self._began)
        return (self._until - self._now() - later - reserve) / self._first_look
