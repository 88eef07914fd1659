"""Lists the metrics that the harness measures of any function, and what a claim about each is judged on.

Any other metric is the name of a count that a subject declares. A metric of memory is one more line of MEMORY.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Metric = str
"""A metric is a clock, a figure of memory, or the name of a count."""
Clock = Literal["cpu", "wall"]
Method = Literal["peak_rss", "traced", "polled_rss", "memory_profiler", "ru_maxrss", "allocations"]
"""The ways in which the memory of a pass is read."""


@dataclass(frozen=True, slots=True)
class MemoryFigure:
    """Says which ``field`` of the readings by which ``method`` a metric of memory is, and what it is called."""

    method: Method
    field: Literal["peak_bytes", "live_bytes", "allocations"]
    noun: str


CLOCKS: Mapping[Metric, str] = {"cpu": "CPU time", "wall": "wall time"}
MEMORY: Mapping[Metric, MemoryFigure] = {
    "peak_rss": MemoryFigure("peak_rss", "peak_bytes", "peak RSS"),
    "traced_peak": MemoryFigure("traced", "peak_bytes", "traced peak"),
    "live_bytes": MemoryFigure("traced", "live_bytes", "live bytes"),
}
MEASURED: tuple[Metric, ...] = (*CLOCKS, *MEMORY)


def is_memory(metric: Metric) -> bool:
    """Say whether a metric is a figure of memory."""
    return metric in MEMORY


def is_count(metric: Metric) -> bool:
    """Say whether a metric is counted exactly, so that it is the same on every run with a seed."""
    return metric not in MEASURED
