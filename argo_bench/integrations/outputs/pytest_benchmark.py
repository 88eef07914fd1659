"""Writes outcomes as a record of pytest-benchmark's for its ``compare``, with base and head as two benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, median, quantiles, stdev
from typing import Any

import msgspec

from argo_bench.gate.outcome import Outcome
from argo_bench.harness.record.records import Run
from argo_bench.integrations.outputs.results import Results
from argo_bench.integrations.outputs.sides import SIDES, Side, name_clock, seconds_of

VERSION = "5.0.0"
"""This is the oldest version of pytest-benchmark that writes records like this."""


def render(results: Results) -> dict[str, str]:
    """Return a record with both sides."""
    return {"pytest-benchmark.json": pytest_benchmark(results.outcomes, results.run)}


def pytest_benchmark(outcomes: Sequence[Outcome], run: Run) -> str:
    """Write JSON with a round for every sample, in seconds per call; the finding is in ``extra_info["argo"]``."""
    record = {
        "machine_info": {
            "node": "",
            "processor": run.environment.get("processor", ""),
            "machine": "",
            "python_implementation": str(run.environment.get("python", "")).partition(" ")[0],
            "python_version": str(run.environment.get("python", "")).partition(" ")[2],
            "system": str(run.environment.get("system", "")).partition(" ")[0],
            "cpu": {"brand_raw": run.environment.get("processor", ""), "count": run.environment.get("cores")},
        },
        "commit_info": {"id": "", "time": run.started, "dirty": False, "branch": ""},
        "benchmarks": [
            _benchmark(each, side, values)
            for each in outcomes
            for side in SIDES
            if (values := [value for process in seconds_of(each, side) for value in process])
        ],
        "datetime": run.started,
        "version": VERSION,
    }
    return msgspec.json.encode(record).decode()


def _benchmark(outcome: Outcome, side: Side, values: Sequence[float]) -> dict[str, Any]:
    return {
        "group": outcome.name,
        "name": f"{outcome.name}[{side}]",
        "fullname": f"argo-bench::{outcome.name}[{side}]",
        "params": None,
        "param": side,
        "extra_info": {"argo": outcome.row() if side == "head" else {}},
        "options": {
            "disable_gc": False,
            "timer": name_clock(outcome),
            "min_rounds": len(values),
            "max_time": 0.0,
            "min_time": 0.0,
            "warmup": True,
        },
        "stats": _summarize(values),
    }


def _summarize(values: Sequence[float]) -> dict[str, Any]:
    """Compute the fields of pytest-benchmark's statistics, with outliers by its own two rules."""
    mean, deviation = fmean(values), stdev(values) if len(values) > 1 else 0.0
    first, _, third = quantiles(values, n=4, method="inclusive") if len(values) > 1 else (values[0],) * 3
    spread = third - first
    severe = [each for each in values if each < first - 1.5 * spread or each > third + 1.5 * spread]
    mild = [each for each in values if abs(each - mean) > deviation]
    inner = [each for each in values if first - 1.5 * spread <= each <= third + 1.5 * spread]
    return {
        "min": min(values),
        "max": max(values),
        "mean": mean,
        "stddev": deviation,
        "rounds": len(values),
        "median": median(values),
        "iqr": spread,
        "q1": first,
        "q3": third,
        "iqr_outliers": len(severe),
        "stddev_outliers": len(mild),
        "outliers": f"{len(mild)};{len(severe)}",
        "ld15iqr": min(inner),
        "hd15iqr": max(inner),
        "ops": 1 / mean,
        "total": sum(values),
        "iterations": 1,
    }
