"""Writes one side of a gate as a suite of pyperf's: every process is a run, its samples are the values, in seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from argo_bench.gate.outcome import Outcome
from argo_bench.harness.record.records import Run
from argo_bench.integrations.outputs.results import Results
from argo_bench.integrations.outputs.sides import SIDES, Side, name_clock, seconds_of

VERSION = "1.0"
"""The format has this version (pyperf's documentation, "pyperf JSON")."""


def render(results: Results) -> dict[str, str]:
    """Return a suite for each side; none where nothing was timed, since pyperf reads no empty suite."""
    if not any(each.samples for each in results.outcomes):
        return {}
    return {f"pyperf-{side}.json": pyperf(results.outcomes, results.run, side) for side in SIDES}


def pyperf(outcomes: Sequence[Outcome], run: Run, side: Side) -> str:
    """Write JSON that ``pyperf show`` and ``pyperf compare_to`` read."""
    benchmarks = [
        {
            "metadata": {"name": each.name, "unit": "second", "timer": name_clock(each)},
            "runs": [
                {"metadata": {"date": f"{run.started[:10]} {run.started[11:19]}.000000"}, "values": values}
                for values in seconds_of(each, side)
                if values
            ],
        }
        for each in outcomes
        if each.samples
    ]
    suite = {"version": VERSION, "metadata": _metadata(run.environment), "benchmarks": benchmarks}
    return msgspec.json.encode(suite).decode()


def _metadata(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts under pyperf's names."""
    implementation, _, version = str(facts.get("python", "")).partition(" ")
    found = {
        "cpu_model_name": facts.get("processor"),
        "cpu_count": facts.get("cores"),
        "platform": facts.get("system"),
        "python_implementation": implementation.lower() or None,
        "python_version": version or None,
    }
    return {name: value for name, value in found.items() if value is not None}
