"""A worker process: prepares arms, warms them up and takes samples when it is told to; sleeps in ``recv`` otherwise.

Started by ``twins`` as ``python -m argo_bench.harness.worker FD``; messages are msgspec-encoded bytes over a socket.
"""

from __future__ import annotations

import gc
import os
import pickle
import sys
import time
import traceback
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec

from argo_bench.claim import Workload
from argo_bench.harness.fidelity import Oracle, check_variant, check_workload
from argo_bench.harness.messages import (
    Arm,
    Checked,
    CheckVariant,
    CheckWorkload,
    Done,
    Drain,
    Drained,
    Forget,
    MeasureAcceptance,
    Message,
    Prepare,
    Prepared,
    Raised,
    Ready,
    Reply,
    Sample,
    Taken,
    WarmUp,
)
from argo_bench.harness.workload import Body
from argo_bench.optimizations import catalogue
from argo_bench.pipeline import Edit


class Worker:
    """The process's state: bodies by arm, and which arms ran here before."""

    def __init__(self) -> None:
        self._bodies: dict[Arm, Body] = {}
        self._ready: dict[Arm, Ready] = {}
        self._kept: dict[Arm, int] = {}
        self._met: set[tuple[str, str, str]] = set()

    def answer(self, message: Message) -> Reply:
        match message:
            case Prepare(arm):
                return self._prepare(arm)
            case WarmUp(arm, calls):
                return self._warm_up(arm, calls)
            case Sample(arm, passes):
                return Taken(*self._bodies[arm].sample(passes))
            case Drain(arm):
                return Drained(self._bodies[arm].drained_ns())
            case Forget():
                return self._forget()
            case CheckWorkload(arm, reference):
                return self._check_workload(arm, reference)
            case CheckVariant():
                return self._check_variant(message)
            case MeasureAcceptance(universe, seed, cycles):
                return Checked(msgspec.Raw(msgspec.json.encode(_oracle(universe, seed, cycles).acceptance)))

    def _prepare(self, arm: Arm) -> Prepared:
        if arm in self._bodies:
            body, first = self._bodies[arm], None
        else:
            body = self._bodies[arm] = Body(*_workload_and_edit(arm), _inputs(arm.inputs))
            started = time.perf_counter_ns()
            body.first_call()
            met = (arm.optimization, arm.workload, arm.arm)
            first = None if met in self._met else time.perf_counter_ns() - started
            self._met.add(met)
        started = time.perf_counter_ns()
        body.first_call()
        return Prepared(first, time.perf_counter_ns() - started, body.calls)

    def _warm_up(self, arm: Arm, calls: int) -> Ready:
        """Warm from the last comparison if it used the same calls: one baseline serves several candidates."""
        body = self._bodies[arm]
        if self._kept.get(arm) != calls:
            body.keep(calls)
            gc.collect()
            self._ready[arm] = Ready(body.warm_up(), body.calls)
            self._kept[arm] = calls
        return self._ready[arm]

    def _forget(self) -> Done:
        for body in self._bodies.values():
            body.close()
        self._bodies.clear()
        self._ready.clear()
        self._kept.clear()
        gc.collect()
        return Done()

    def _check_workload(self, arm: Arm, reference: str) -> Checked:
        optimization = catalogue()[arm.optimization]
        workload, candidate = _workload_and_edit(arm)
        edits = optimization.edits(workload)
        fidelity = check_workload(optimization, workload, _inputs(arm.inputs), edits[reference], candidate, arm.arm)
        return Checked(msgspec.Raw(msgspec.json.encode(fidelity)))

    def _check_variant(self, message: CheckVariant) -> Checked:
        oracle = _oracle(message.universe, message.seed, message.cycles)
        fidelity = check_variant(catalogue()[message.optimization], message.variant, oracle)
        return Checked(msgspec.Raw(msgspec.json.encode(fidelity)))


def _workload_and_edit(arm: Arm) -> tuple[Workload, Edit]:
    optimization = catalogue()[arm.optimization]
    workload = optimization.workload(arm.workload)
    return workload, optimization.edits(workload)[arm.arm]


@cache
def _inputs(path: str) -> Any:
    return pickle.loads(Path(path).read_bytes())


@cache
def _oracle(universe: str, seed: int, cycles: int) -> Oracle:
    return Oracle.run(_inputs(universe), seed, cycles)


def serve(connection: Connection) -> None:
    """Answer messages until the other end closes."""
    worker = Worker()
    while True:
        try:
            message = msgspec.json.decode(connection.recv_bytes(), type=Message)
        except (EOFError, OSError):
            return
        try:
            reply: Reply = worker.answer(message)
        except Exception as error:  # noqa: BLE001 - a variant may raise anything; the orchestrator records it
            reply = Raised(f"{type(error).__name__}: {error}", traceback.format_exc())
        connection.send_bytes(msgspec.json.encode(reply))


def main() -> None:
    descriptor, processor = int(sys.argv[1]), int(sys.argv[2])
    if processor >= 0:
        os.sched_setaffinity(0, {processor})
    serve(Connection(descriptor))


if __name__ == "__main__":
    main()
