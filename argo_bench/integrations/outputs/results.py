"""Holds what is written in other tools' formats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from argo_bench.gate.outcome import Outcome
from argo_bench.harness.record.records import Run


@dataclass(frozen=True, slots=True)
class Results:
    """The outcomes of a gate or a run, under a title: the finding. ``note`` says what was compared with what."""

    title: str
    outcomes: Sequence[Outcome]
    run: Run
    note: str = ""

    @property
    def suite(self) -> str:
        """The name of the whole where a tool has one: ``argo-bench`` for a gate, else the run's."""
        return "argo-bench" if self.run.profile == "ci" else self.run.run
