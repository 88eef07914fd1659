"""Calls benchmarks a few times: what they load, whether they wait, what they return, or why they cannot run."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Self

from argo_bench.gate.benchmarks import Benchmark
from argo_bench.gate.checkouts import Checkout, Role
from argo_bench.harness.workers.messages import Arm, Describe, Described
from argo_bench.harness.workers.processes import ArmFailed, OutOfTime, WorkerProcess

CALLS = 2
"""A benchmark is called so often to be described."""


class Describer:
    """Describes benchmarks, each in a process of its own; those of one file of a suite, in a row, share one.

    A suite has hundreds, and starting a process takes longer than most of them. It is a context manager.
    """

    def __init__(self, scratch: Path, until: float) -> None:
        self._scratch = scratch
        self._until = until
        self._workers: dict[Role, tuple[str, WorkerProcess]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for role in [*self._workers]:
            self._close(role)

    def describe(self, benchmark: Benchmark, checkout: Checkout, arm: Arm, results: Path) -> Described:
        """Describe a benchmark at one side; its results are written to a file.

        It may take half of the time that is left, so that one that hangs leaves some for the others, and no longer than
        its suite lets it run, for each of its calls. Raises ArmFailed where it fails or takes longer than its suite
        allows, or where the side cannot be installed, and OutOfTime.
        """
        if checkout.failure is not None:
            raise ArmFailed(f"it cannot be installed: {checkout.failure}", arm=checkout.role)
        now = time.monotonic()
        if now >= self._until:
            raise OutOfTime
        shared = "" if benchmark.suite is None else benchmark.file
        file, worker = self._workers.get(checkout.role, ("", None))
        if worker is None or not shared or file != shared or not worker.is_alive:
            self._close(checkout.role)
            worker = WorkerProcess(0, self._scratch / f"numba-{checkout.role}", None, checkout.program, self._until)
            self._workers[checkout.role] = shared, worker
        half_s = (self._until - now) / 2
        suite = benchmark.suite
        limit_s = None if suite is None else suite.limit_s
        allowed_s = half_s if suite is None or limit_s is None else min(half_s, (CALLS + suite.has_cache) * limit_s)
        worker.limit(now + allowed_s)
        try:
            return worker.ask(Describe(arm, str(results)), Described)
        except OutOfTime:
            if limit_s is None or allowed_s == half_s:
                raise
            sentence = f"it takes longer than the {limit_s:g} s that its suite allows"
            raise ArmFailed(sentence, arm=checkout.role) from None

    def _close(self, role: Role) -> None:
        if role in self._workers:
            self._workers.pop(role)[1].close()
