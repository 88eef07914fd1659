"""Writes the outcomes of a gate or a run in the formats of other tools.

They are GitHub, JUnit, github-action-benchmark, pytest-benchmark and pyperf.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from argo_bench.gate.outcome import Outcome
from argo_bench.gate.records import State
from argo_bench.harness.claims.verdict import HOLDS
from argo_bench.harness.record.records import Judgement, Samples
from argo_bench.harness.record.store import Recorded
from argo_bench.integrations.outputs.github import annotated, smaller_is_better, step_summary
from argo_bench.integrations.outputs.junit import junit
from argo_bench.integrations.outputs.pyperf import pyperf
from argo_bench.integrations.outputs.pytest_benchmark import pytest_benchmark

__all__ = [
    "annotated",
    "from_judgements",
    "junit",
    "pyperf",
    "pytest_benchmark",
    "smaller_is_better",
    "step_summary",
    "write_all",
]

STATES: Mapping[str, State] = {
    "inconclusive": "cannot tell",
    "void": "differs",
    "failed": "failed",
    "untested": "not measured",
    "refuted": "worse",
    "slower": "worse",
}
"""A gate gives this state to a verdict that does not hold."""


def write_all(
    directory: Path, title: str, outcomes: Sequence[Outcome], recorded: Recorded, note: str = ""
) -> list[Path]:
    """Write every format to its file, whole or not at all, and return the files."""
    texts: Mapping[str, Callable[[], str]] = {
        "summary.md": lambda: step_summary(title, outcomes, note),
        "junit.xml": lambda: junit("argo-bench", outcomes),
        "github-action-benchmark.json": lambda: smaller_is_better(outcomes),
        "pytest-benchmark.json": lambda: pytest_benchmark(outcomes, recorded.run),
        "pyperf-base.json": lambda: pyperf(outcomes, recorded.run, "base"),
        "pyperf-head.json": lambda: pyperf(outcomes, recorded.run, "head"),
    }
    has_samples = any(each.samples for each in outcomes)
    written = []
    for name, text in texts.items():
        if name.startswith("pyperf") and not has_samples:
            continue  # pyperf cannot read a suite without a benchmark
        scratch = directory / f".{name}.{os.getpid()}"
        scratch.write_text(text(), encoding="utf-8")
        os.replace(scratch, directory / name)
        written.append(directory / name)
    return written


def from_judgements(recorded: Recorded) -> list[Outcome]:
    """Return the verdicts of a run as outcomes.

    What an engineered variant computes wrongly, and what failed, blocks.
    """
    return [_outcome(each, recorded) for each in recorded.all(Judgement)]


def _outcome(judgement: Judgement, recorded: Recorded) -> Outcome:
    state = STATES.get(judgement.verdict, "fine" if judgement.verdict in HOLDS else "worse")
    if judgement.verdict in ("faster", "no difference"):
        state = "fine"
    return Outcome(
        f"{judgement.claim} {judgement.arm}",
        state,
        state in ("differs", "failed"),
        f"{judgement.sentence}: {judgement.verdict}",
        judgement.speedup,
        judgement.interval,
        judgement.metric,
        tuple(each for each in recorded.all(Samples) if each.comparison == judgement.comparison),
    )
