"""Holds what a gate says of one benchmark: worse, fine, cannot tell, or why there is nothing to say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from argo_bench.harness.claims.metrics import Metric
from argo_bench.harness.claims.verdict import State
from argo_bench.harness.record.records import Samples


@dataclass(frozen=True, slots=True)
class Change:
    """Holds an exact count of the base and of the head, such as requests, bytes or instructions."""

    base: float
    head: float

    @property
    def share(self) -> float:
        """Return the growth as a share of the base; infinite where the base has none."""
        if self.base == self.head:
            return 0.0
        return (self.head - self.base) / self.base if self.base else float("inf")


@dataclass(frozen=True, slots=True)
class Outcome:
    """Says what was found about one benchmark.

    ``sentence`` says what was seen and stands alone. ``speedup`` is base / head (or baseline / candidate) with its
    ``interval``: below 1 the head is slower; None where no time was compared. ``blocks`` says that the gate fails for
    it. ``file`` is where the benchmark stands, relative to the repository.
    """

    name: str
    state: State
    blocks: bool
    sentence: str
    speedup: float | None = None
    interval: tuple[float, float] | None = None
    metric: Metric = "cpu"
    samples: tuple[Samples, ...] = ()
    counts: Mapping[str, Change] = field(default_factory=dict)
    file: str | None = None

    def row(self) -> dict[str, Any]:
        """Return the outcome as plain data, without the samples."""
        return {
            "benchmark": self.name,
            "state": self.state,
            "blocks": self.blocks,
            "sentence": self.sentence,
            "speedup": self.speedup,
            "interval": self.interval,
            "metric": self.metric,
            "counts": {name: [change.base, change.head] for name, change in self.counts.items()},
            "file": self.file,
        }
