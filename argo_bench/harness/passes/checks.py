"""Checks whether the arms compute the same: a user's functions first, all else in workers on all processors at once."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cache

import msgspec

from argo_bench.harness.plan import describe_end, describe_shortage
from argo_bench.harness.record.records import Failure, Fidelity, Scope
from argo_bench.harness.side_by_side import ask_side_by_side
from argo_bench.harness.state import RunState
from argo_bench.harness.subject import Around, Ask, OutputCheck
from argo_bench.harness.workers.processes import ArmFailed, OutOfTime, WorkerProcess

UNIT_S = 0.35
"""A check is expected to take these seconds, before any has been made."""


def settle_subjects(state: RunState, around: Around) -> None:
    """Make every subject ready to be timed; one whose outputs disagree is not timed, nor one that takes too long."""
    for subject in list(state.subjects.values()):
        state.tell(f"checking outputs: {subject.name}")
        settled, shortage = subject.settle_unchecked(), None
        try:
            with state.failing(subject.id, subject.variants[-1]), ExitStack() as stack:
                reference, candidate = (_ask_when_started(state, around, stack) for _ in range(2))
                settled = subject.settle(reference, candidate, around.scratch)
        except OutOfTime:
            shortage = describe_end(0, state.profile, state.pace.elapsed_s, None)
        state.subjects[subject.id] = settled.subject
        state.call_ns |= settled.call_ns
        if settled.lines:
            state.declared[subject.id] = settled.subject.declaration()
            state.write(settled.lines)
        if settled.is_faithful:
            spent_s = state.pace.elapsed_s
            shortage = describe_shortage([*settled.call_ns.values()], state.profile, settled.built_ns, spent_s)
        if shortage is not None:
            state.fail(Failure(subject.id, subject.variants[-1], "untested", shortage))
        if not settled.is_faithful or shortage is not None:
            state.comparisons = [each for each in state.comparisons if each.optimization != subject.id]


def _ask_when_started(state: RunState, around: Around, stack: ExitStack) -> Ask:
    """Return what asks a process of its own, which starts at the first question and ends with ``stack``."""

    @cache
    def start() -> WorkerProcess:
        worker = state.start_worker(around)
        stack.callback(worker.close)
        return worker

    return lambda message, expected: start().ask(message, expected)


def check_outputs(state: RunState, around: Around) -> None:
    """Make every comparison of outputs that the record does not have yet."""
    known = {(each.optimization, each.arm, each.workload, each.scope) for each in state.fidelities}
    asked: dict[tuple[str, str, str | None, Scope], OutputCheck] = {}
    for subject in state.subjects.values():
        own = [
            each for each in state.comparisons if each.optimization == subject.id and state.is_at_headline_scale(each)
        ]
        for each in subject.checks(own, around.scratch):
            if (key := (subject.id, each.arm, each.workload, each.scope)) not in known:
                asked[key] = each
    for each in state.supply.checks(around.scratch):
        if not state.earlier(each.line):
            asked["", each.arm, each.workload, each.scope] = each
    state.pace.plan("checks", len(asked), UNIT_S)
    if asked:
        state.tell("checking outputs")
    calls = {key: each.call for key, each in asked.items()}
    for key, answer in ask_side_by_side(calls, state.seed, around.scratch / "numba"):
        identifier, arm, *_ = key
        with state.failing(identifier, arm):
            if isinstance(answer, ArmFailed):
                raise answer
            line = msgspec.json.decode(answer.result, type=asked[key].line)
            if isinstance(line, Fidelity):
                state.note(line)
            else:
                state.writer.write(line)
        state.did("checks", f"checking outputs: {identifier} {arm}")
