"""Spans a grid of runs: the same optimizations at several sizes, rates of change, latencies and seeds.

Every point is a run like any other, in a folder of its own, so that a sweep goes on where it was interrupted.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from argo_bench.errors import UserError
from argo_bench.harness.record.records import Asked, End
from argo_bench.harness.record.store import FILE_NAME, Recorded, load
from argo_bench.pipeline.world.content import LATENCIES

DIMENSIONS = ("symbols", "bars", "trace", "latency", "seed")
"""A grid spans these, the first of them slowest. ``trace`` is how often prices change, ``latency`` a factor on all
response times."""
Value = int | float | str


@dataclass(frozen=True, slots=True)
class Point:
    """Holds a point of the grid: the value of each dimension that varies, and what its run is asked for."""

    values: Mapping[str, Value]
    asked: Asked

    @property
    def name(self) -> str:
        """Return the name of the point's folder, as in ``symbols=100,seed=1``."""
        return ",".join(f"{name}={_write(value)}" for name, value in self.values.items())


def _write(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def span_grid(asked: Asked, values: Mapping[str, Sequence[Value]]) -> list[Point]:
    """Return the points of a grid, in an order in which its first dimensions change last.

    Raises UserError for a grid of one point, and for a value that stands twice.
    """
    varied = {name: [*values[name]] for name in DIMENSIONS if values.get(name)}
    for name, each in varied.items():
        if len(set(each)) < len(each):
            raise UserError(f"--{name}: expected each value once, got {', '.join(map(str, each))}")
    if math.prod(map(len, varied.values())) < 2:
        raise UserError("a sweep has two points at the least: give several values, as in --symbols 6,60,600")
    points = []
    for chosen in itertools.product(*varied.values()):
        own = dict(zip(varied, chosen, strict=True))
        points.append(Point(own, ask_for(asked, own)))
    return points


def ask_for(asked: Asked, values: Mapping[str, Value]) -> Asked:
    """Return what the run of a point is asked for; latencies are the usual ones, or those given, times a factor."""
    changed: dict[str, Any] = {name: value for name, value in values.items() if name != "latency"}
    if "latency" in values:
        changed["latencies"] = scale_latencies(asked.latencies, float(values["latency"]))
    return msgspec.structs.replace(asked, **changed)


def scale_latencies(given: Mapping[str, Mapping[str, float]] | None, factor: float) -> dict[str, dict[str, float]]:
    """Return the response times of every provider times a factor, in milliseconds, and prices as they are."""
    usual = {name: {"median_ms": 1e3 * each.median_s, "p99_ms": 1e3 * each.p99_s} for name, each in LATENCIES.items()}
    figures = {name: {**usual[name], **(given or {}).get(name, {})} for name in usual}
    return {
        provider: {name: value * factor if name.endswith("_ms") else value for name, value in own.items()}
        for provider, own in figures.items()
    }


def find_measured(point: Point, folder: Path) -> Recorded | None:
    """Return the record of a point that is measured to its end, None where there is none or it was interrupted.

    Raises UserError where the folder has another run than that of the point.
    """
    if not (folder / FILE_NAME).exists():
        return None
    recorded = load(folder)
    if recorded.run.asked != point.asked:
        raise UserError(
            f"{folder} has a run that was asked for something else: expected that of {point.name}; take another --out"
        )
    ends = recorded.all(End)
    return recorded if ends and not ends[-1].interrupted else None
