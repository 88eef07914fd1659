"""A worker process: prepares arms, warms them up and takes samples when it is told to; sleeps in ``recv`` otherwise.

Started by ``processes`` as ``python -m argo_bench.harness.workers.worker FD PROCESSOR PARENT``; messages are
msgspec-encoded bytes over a socket.
"""

from __future__ import annotations

import gc
import os
import sys
import time
import traceback
from functools import cache
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

import msgspec

from argo_bench.errors import UserError
from argo_bench.harness.workers import timing as calls
from argo_bench.harness.workers.bodies import Body, body_of
from argo_bench.harness.workers.messages import (
    Agreement,
    Arm,
    Checked,
    CheckFunctions,
    CheckVariant,
    CheckWorkload,
    Collect,
    Count,
    Describe,
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
    StageArm,
    Taken,
    WarmUp,
)
from argo_bench.parent import die_with_parent

if TYPE_CHECKING:
    from argo_bench.study.fidelity import Oracle


class Worker:
    """The process's state: bodies by arm, and the calls that each was last warmed up on."""

    def __init__(self) -> None:
        self._bodies: dict[Arm, Body] = {}
        self._ready: dict[Arm, Ready] = {}
        self._kept: dict[Arm, int] = {}

    def answer(self, message: Message) -> Reply:
        match message:
            case Prepare(arm, is_known):
                return self._prepare(arm, is_known)
            case WarmUp(arm, calls, least_ns):
                return self._warm_up(arm, calls, least_ns)
            case Sample(arm, passes):
                return Taken(*self._bodies[arm].sample(passes))
            case Drain(arm):
                return Drained(self._bodies[arm].drained_ns())
            case Forget():
                return self._forget()
            case Collect():
                gc.collect()
                return Done()
            case CheckFunctions():
                return _check_functions(message)
            case CheckWorkload(arm, reference):
                return _check_workload(arm, reference)
            case CheckVariant():
                return _check_variant(message)
            case MeasureAcceptance(universe, seed, cycles):
                return Checked(msgspec.Raw(msgspec.json.encode(_oracle(universe, seed, cycles).acceptance)))
            case Describe() | Count():
                raise TypeError(f"{type(message).__name__} is for the workers of a gate")

    def _prepare(self, arm: Arm, is_known: bool) -> Prepared:
        body = self._bodies[arm] = body_of(arm)
        calls_ns = []
        for _ in range(1 if is_known else 2):
            started = time.perf_counter_ns()
            body.first_call()
            calls_ns.append(time.perf_counter_ns() - started)
        return Prepared(calls_ns[0], None if is_known else calls_ns[1], body.calls)

    def _warm_up(self, arm: Arm, calls: int, least_ns: int) -> Ready:
        """Warm from the last comparison if it used the same calls: one baseline serves several candidates."""
        body = self._bodies[arm]
        if self._kept.get(arm) != calls:
            body.keep(calls)
            self._ready[arm] = Ready(body.warm_up(least_ns), body.calls)
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


def _check_functions(message: CheckFunctions) -> Agreement:
    """Whether the first calls agree, each function with itself and then the two, and whether one of them waits."""
    from argo_bench.harness.functions import function_body, named

    results, again, waits = [], [], False
    for arm in (message.baseline, message.candidate):
        body = function_body(arm)
        results.append(body.first_call())
        timing = body.timed(body.prepared(), 1)
        waits |= calls.waits(timing)
        again += body.results()
        body.close()
    if not message.check:
        return Agreement(None, waits)
    from argo_bench.harness.workers.agreement import first_difference

    for arm, first, second in zip((message.baseline, message.candidate), results, again, strict=True):
        if (difference := first_difference(first, second, "allclose")) is not None:
            way_out = "a function that changes its input needs a fresh setup for every call (fresh)"
            return Agreement(f"the {arm.arm} gives two results for one input, {difference}: {way_out}", waits)
    check: Any = message.check
    if check not in ("allclose", "equal"):
        check = named(message.candidate, "check", "" if check == "pickled" else check)
    return Agreement(first_difference(results[0], results[1], check), waits)


def _check_workload(arm: StageArm, reference: str) -> Checked:
    from argo_bench.optimizations import subjects
    from argo_bench.study.fidelity import check_workload
    from argo_bench.study.recording import recorded_inputs
    from argo_bench.study.replay import workload_and_edit

    optimization = subjects()[arm.optimization]
    workload, candidate = workload_and_edit(arm)
    baseline = optimization.edits(workload)[reference]
    fidelity = check_workload(optimization, workload, recorded_inputs(arm.inputs), baseline, candidate, arm.arm)
    return Checked(msgspec.Raw(msgspec.json.encode(fidelity)))


def _check_variant(message: CheckVariant) -> Checked:
    from argo_bench.optimizations import subjects
    from argo_bench.study.fidelity import check_variant

    oracle = _oracle(message.universe, message.seed, message.cycles)
    fidelity = check_variant(subjects()[message.optimization], message.variant, oracle)
    return Checked(msgspec.Raw(msgspec.json.encode(fidelity)))


@cache
def _oracle(universe: str, seed: int, cycles: int) -> Oracle:
    from argo_bench.study.fidelity import Oracle
    from argo_bench.study.recording import recorded_inputs

    return Oracle.run(recorded_inputs(universe), seed, cycles)


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
            name = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
            reply = Raised(f"{name}{error}", traceback.format_exc())
        connection.send_bytes(msgspec.json.encode(reply))


def main() -> None:
    descriptor, processor, parent = map(int, sys.argv[1:])
    die_with_parent(parent)
    if processor >= 0:
        os.sched_setaffinity(0, {processor})
    serve(Connection(descriptor))


if __name__ == "__main__":
    main()
