"""What the arms of a replicate are fed: recorded inputs for stages of the pipeline, functions for users' benchmarks."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from argo_bench.errors import UserError
from argo_bench.harness.benchmark import Benchmark
from argo_bench.harness.record.records import Comparison
from argo_bench.harness.subject import Subject
from argo_bench.harness.workers.messages import Arm, FunctionArm, StageArm
from argo_bench.optimizations.optimization import Optimization, Workload

if TYPE_CHECKING:
    from argo_bench.pipeline.market import Universe

Place = tuple[str, str, int]
"""Optimization, workload and scale: what shares recorded inputs."""


def place(comparison: Comparison) -> Place:
    return comparison.optimization, comparison.workload, comparison.scale


class Feed:
    """Files under ``scratch``, recorded anew for every replicate from ``universe`` (None: functions alone)."""

    def __init__(self, subjects: Mapping[str, Subject], universe: Universe | None, scratch: Path) -> None:
        self._subjects = subjects
        self._universe = universe
        self._scratch = scratch
        self._inputs: dict[Place, Path] = {}
        self._seed: int | None = None
        self._functions: dict[str, dict[str, FunctionArm]] = {}

    def record(self, comparisons: Sequence[Comparison], seed: int, tell: Callable[[str], None]) -> dict[Place, str]:
        """Record the inputs of every stage with a replicate's seed, beside those that are recorded with it already; the
        places where the data gives none, and why."""
        if seed != self._seed:
            self._seed, self._inputs = seed, {}
        from argo_bench.study.recording import record

        barren: dict[Place, str] = {}
        for comparison in comparisons:
            key = place(comparison)
            if key in self._inputs or key in barren or isinstance(self._subjects[comparison.optimization], Benchmark):
                continue
            assert self._universe is not None
            tell(f"recording {comparison.workload} at {comparison.scale}")
            try:
                groups = record(self._workload(comparison), self._universe, comparison.scale, seed)
            except UserError as error:
                barren[key] = str(error)
                continue
            self._inputs[key] = self._scratch / f"inputs-{len(self._inputs)}.pickle"
            self._inputs[key].write_bytes(pickle.dumps(groups))
        return barren

    def arm(self, comparison: Comparison, name: str) -> Arm:
        """The arm of that name. Raises UserError for a local function that cannot be copied to another process."""
        subject = self._subjects[comparison.optimization]
        if isinstance(subject, Benchmark):
            if subject.name not in self._functions:
                self._functions[subject.name] = subject.arms(self._scratch)
            return self._functions[subject.name][name]
        return StageArm(
            comparison.optimization,
            comparison.workload,
            comparison.scale,
            name,
            str(self._inputs[place(comparison)]),
        )

    def arms(self, comparison: Comparison) -> tuple[Arm, Arm]:
        return self.arm(comparison, comparison.reference), self.arm(comparison, comparison.candidate)

    def is_trace(self, comparison: Comparison) -> bool:
        """Whether what is fed is a trace, of which a pass must not be shortened for another arm's sake."""
        subject = self._subjects[comparison.optimization]
        return isinstance(subject, Optimization) and self._workload(comparison).inputs == "trace"

    def _workload(self, comparison: Comparison) -> Workload:
        subject = self._subjects[comparison.optimization]
        assert isinstance(subject, Optimization)
        return subject.workload(comparison.workload)
