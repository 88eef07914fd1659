"""Defines what the gate knows of a suite: a kind of benchmarks that a repository has already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from argo_bench.gate.benchmarks import Benchmark
from argo_bench.gate.checkouts import Checkout
from argo_bench.harness.workers.messages import Call, Returned
from argo_bench.harness.workers.processes import WorkerProcess


@dataclass(frozen=True, slots=True)
class Found:
    """Holds the benchmarks of a revision, and those that it ``left_out`` with reasons.

    ``unused`` is what the configuration of a suite asks for and does not get, by the suite's folder.
    """

    benchmarks: Sequence[Benchmark] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    unused: Mapping[str, Sequence[str]] = field(default_factory=dict)


def ask_inside(checkout: Checkout, target: str, scratch: Path, until: float, **arguments: str) -> str:
    """Call a function in the environment of a revision and return the text that it returns.

    Raises ArmFailed where it raises, OutOfTime where it takes too long.
    """
    worker = WorkerProcess(0, scratch / f"numba-{checkout.role}", None, checkout.program, until)
    try:
        text = msgspec.json.encode(arguments).decode()
        return worker.ask(Call(target, text, checkout.path), Returned).result
    finally:
        worker.close()
