"""Knows how much time a gate has, and tells what it is doing."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from argo_bench.harness.progress import Progress


@dataclass(frozen=True, slots=True)
class Clock:
    """Says how much time is left until the ``deadline``, in seconds of the monotonic clock, and tells what is done."""

    deadline: float
    on_progress: Callable[[Progress], None]
    began: float = field(default_factory=time.monotonic)
    now: Callable[[], float] = time.monotonic

    @property
    def left_s(self) -> float:
        return max(0.0, self.deadline - self.now())

    def end_of(self, share: float) -> float:
        """Return the moment at which a share of the time that is left is used."""
        return self.now() + share * self.left_s

    def tell(self, doing: str, left_s: float = math.inf) -> None:
        """Report what is being done; ``left_s`` is what it is expected to take, infinite where that is unknown."""
        self.on_progress(Progress(self.now() - self.began, left_s, doing, ""))
