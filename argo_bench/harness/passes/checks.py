"""Checks whether the arms compute the same: a user's functions first, all else in workers on all processors at once."""

from __future__ import annotations

import msgspec

from argo_bench.harness.record.records import Fidelity, Scope
from argo_bench.harness.side_by_side import ask_side_by_side
from argo_bench.harness.state import RunState
from argo_bench.harness.subject import Around, OutputCheck
from argo_bench.harness.workers.processes import ArmFailed, Twins

UNIT_S = 0.35
"""A check is expected to take these seconds, before any has been made."""


def settle_subjects(state: RunState, pair: Twins, around: Around) -> None:
    """Make every subject ready to be timed; one whose outputs disagree is not timed."""
    for subject in list(state.subjects.values()):
        state.tell(f"checking outputs: {subject.name}")
        settled = subject.settle_unchecked()
        with state.failing(subject.id, subject.variants[-1]):
            settled = subject.settle(pair.reference.ask, around.scratch)
        state.subjects[subject.id] = settled.subject
        if settled.lines:
            state.declared[subject.id] = settled.subject.declaration()
            state.write(settled.lines)
        if not settled.is_faithful:
            state.comparisons = [each for each in state.comparisons if each.optimization != subject.id]


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
