"""Verifies the record of a gate: its outcomes follow from its samples and counts, and nothing is missing or twice."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from argo_bench.errors import UserError
from argo_bench.gate.answers import (
    AGAIN,
    CONFIRMATION,
    FIRST,
    HEAD,
    Batch,
    Candidate,
    comparison_of,
    gate_of,
    make_lines,
    times_of,
)
from argo_bench.gate.records import Agreed, Exact, Gated, Revisions
from argo_bench.gate.run import FIRST_SHARE
from argo_bench.gate.timing import CONFIRMATION_FROM
from argo_bench.harness.record.lines import (
    Disagreement,
    check_ending,
    check_fields,
    check_header,
    check_order,
    check_samples,
    find_out_of_order,
    find_repeated,
    is_sealed,
)
from argo_bench.harness.record.records import RULE, SIGN_TEST, End, Failure, LeftOut, Run, Samples
from argo_bench.harness.record.store import Recorded, read_as
from argo_bench.harness.record.verify import run_checks
from argo_bench.harness.statistics.beyond import choose_test

FROM: dict[Batch, int] = {FIRST: 0, CONFIRMATION: CONFIRMATION_FROM}
CANDIDATES: tuple[Candidate, ...] = (HEAD, AGAIN)
KINDS: tuple[type[msgspec.Struct], ...] = (Revisions, Agreed, Exact, Gated)
RANKS: Mapping[type[msgspec.Struct], int] = {Run: 0, Revisions: 1, Agreed: 2, Exact: 3, Samples: 4, Gated: 5, End: 6}


@dataclass(frozen=True, slots=True)
class _Part:
    """Holds the benchmarks that one gate measured: all of a record, or those of one of its shards."""

    names: Sequence[str]
    changed: Collection[str]
    seconds: float
    interrupted: bool
    may_lack_passes: bool


def _list_parts(recorded: Recorded, revisions: Revisions) -> list[_Part]:
    end, interrupted = recorded.records[-1], _is_interrupted(recorded)
    seconds = end.seconds if isinstance(end, End) else 0.0
    timed = {each.comparison.optimization for each in recorded.all(Samples)}
    shards = [(each.select(revisions.files), each.seconds or seconds, each.interrupted) for each in revisions.shards]
    return [
        _Part(names, revisions.changed, took, cut or interrupted, (cut or interrupted) and not timed & {*names})
        for names, took, cut in shards or [(list(revisions.files), seconds, False)]
    ]


def find_disagreements(recorded: Recorded) -> list[Disagreement]:
    """Return the lines of a record that say other than what follows from its samples and counts, and what is missing.

    Raises UserError for a rule that this version does not know, and for lines of a gate that cannot be read.
    """
    if recorded.run.rule not in ("", RULE, SIGN_TEST):
        raise UserError(
            f"{recorded.directory} was judged by the rule {recorded.run.rule!r}, which this version does not know: "
            "update argo-bench to verify it"
        )
    gate = Recorded(recorded.directory, [_read(each) for each in recorded.records], recorded.digests, recorded.bodies)
    checks = [check_header, _check_outcomes, _check_repeated, _check_numbers]
    if is_sealed(recorded):
        checks += [check_ending, check_fields, _check_order, _check_samples, _check_passes, _check_batches]
        checks += [_check_looks_and_end]
    return run_checks(gate, checks)


def _read(record: msgspec.Struct) -> msgspec.Struct:
    found = (read_as(kind, record) for kind in KINDS)
    return next((each for each in found if each is not None), record)


def _revisions_of(recorded: Recorded) -> Revisions | None:
    return next(iter(recorded.all(Revisions)), None)


def _is_interrupted(recorded: Recorded) -> bool:
    end = recorded.records[-1]
    return not isinstance(end, End) or end.interrupted


def _check_outcomes(recorded: Recorded) -> Iterator[Disagreement]:
    if _revisions_of(recorded) is None:
        if not _is_interrupted(recorded):
            yield Disagreement(1, "no line says which revisions were compared")
        return
    ours = {each.benchmark: each for each in make_lines(gate_of(recorded))}
    for line, said in recorded.lines():
        if isinstance(said, Gated) and ours.pop(said.benchmark, None) != said:
            yield Disagreement(line, f"outcome of {said.benchmark}: its samples and counts say otherwise")
    for name in ours:
        yield Disagreement(len(recorded.records), f"no outcome of {name}")


def _check_repeated(recorded: Recorded) -> Iterator[Disagreement]:
    return find_repeated(
        recorded,
        {
            Revisions: lambda each: "the gate",
            Agreed: lambda each: each.benchmark,
            Exact: lambda each: each.benchmark,
            Samples: lambda each: (each.comparison, f"in replicate {each.replicate}"),
            Gated: lambda each: each.benchmark,
            LeftOut: lambda each: each.comparison,
            Failure: lambda each: (each.optimization, each.arm, each.kind, each.reason),
        },
    )


def _check_order(recorded: Recorded) -> Iterator[Disagreement]:
    """Check that lines stand in the order in which a gate writes them; a failure may come at any time."""
    yield from check_order(recorded, RANKS)
    if _revisions_of(recorded) is not None:
        expected = [each.benchmark for each in make_lines(gate_of(recorded))]
        said = [(line, each.benchmark) for line, each in recorded.lines() if isinstance(each, Gated)]
        for line in find_out_of_order(said, expected):
            yield Disagreement(line, "it stands after an outcome that follows it: lines were moved")
    taken = [(line, each.replicate) for line, each in recorded.lines() if isinstance(each, Samples)]
    for line in find_out_of_order(taken, sorted({number for _, number in taken})):
        yield Disagreement(line, "samples after those of a later replicate: lines were moved")


def _check_samples(recorded: Recorded) -> Iterator[Disagreement]:
    return check_samples(recorded, [(line, each) for line, each in recorded.lines() if isinstance(each, Samples)])


def _check_looks_and_end(recorded: Recorded) -> Iterator[Disagreement]:
    looks = [*choose_test(recorded.run.rule).looks]
    if recorded.run.looks != looks:
        yield Disagreement(1, f"the header has the looks {recorded.run.looks}, the rule has {looks}")
    end, begun = recorded.records[-1], 1 + max((each.replicate for each in recorded.all(Samples)), default=-1)
    if isinstance(end, End) and end.replicates != begun:
        yield Disagreement(len(recorded.records), f"{end.replicates} replicates, the samples have {begun}")


def _check_numbers(recorded: Recorded) -> Iterator[Disagreement]:
    """Check that a benchmark whose files differ has every replicate of a batch up to its last one."""
    revisions = _revisions_of(recorded)
    for name in () if revisions is None else revisions.changed:
        for batch in FROM:
            for candidate in CANDIDATES:
                taken = _numbers_of(recorded, name, batch, candidate)
                first = FROM[batch] if is_sealed(recorded) else min(taken, default=0)
                if gaps := sorted(set(range(first, max(taken, default=-1))) - taken):
                    missing = ", ".join(map(str, gaps))
                    what = f"{name}, {batch} batch, {candidate}: none in replicate {missing}, but in later ones"
                    yield Disagreement(len(recorded.records), what)


def _numbers_of(recorded: Recorded, name: str, batch: Batch, candidate: Candidate = HEAD) -> set[int]:
    comparison = comparison_of(name, batch, candidate)
    return {each.replicate for each in recorded.all(Samples) if each.comparison == comparison}


def _check_passes(recorded: Recorded) -> Iterator[Disagreement]:
    """Check that every benchmark that did not fail was compared and counted, and that no other one is in the record."""
    revisions = _revisions_of(recorded)
    if revisions is None:
        return
    names = {*revisions.files}
    for what, known in (("clock", {*revisions.metrics}), ("tolerance", {*revisions.tolerances})):
        if strangers := sorted(names ^ known):
            yield Disagreement(2, f"a {what} without a file of its benchmark, or the other way round: {strangers[0]}")
    for name in sorted({*revisions.changed, *revisions.accepted, *revisions.acknowledged} - names):
        yield Disagreement(2, f"{name} is said to have changed or to be accepted, and no revision has such a benchmark")
    for line, record in recorded.lines():
        comparison = getattr(record, "comparison", None)
        about = getattr(record, "benchmark", None) if comparison is None else comparison.optimization
        if about is not None and about not in names:
            yield Disagreement(line, f"no revision has a benchmark {about!r}")
    if _is_interrupted(recorded) and not recorded.all(Samples):
        return
    failed = {each.optimization for each in recorded.all(Failure)}
    due = {name for each in _list_parts(recorded, revisions) if not each.may_lack_passes for name in each.names}
    found = {
        "comparison of outputs": {each.benchmark for each in recorded.all(Agreed)},
        "counts": {each.benchmark for each in recorded.all(Exact)},
    }
    for what, known in found.items():
        for name in sorted(due - failed - known):
            yield Disagreement(len(recorded.records), f"no {what} of {name}")


def _check_batches(recorded: Recorded) -> Iterator[Disagreement]:
    """Check that benchmarks were timed until they were decided, no longer and no shorter unless there was a cause."""
    revisions = _revisions_of(recorded)
    if revisions is None:
        return
    for part in _list_parts(recorded, revisions):
        yield from _check_batches_of(part, recorded, revisions)


def _check_batches_of(part: _Part, recorded: Recorded, revisions: Revisions) -> Iterator[Disagreement]:
    failed = {each.optimization for each in recorded.all(Failure)}
    slower = times_of(recorded).find_worse(FIRST, part.names)
    timed_ones = [name for name in part.names if name not in revisions.untimed]
    due: dict[Batch, list[str]] = {FIRST: timed_ones, CONFIRMATION: slower}
    last = len(recorded.records)
    for batch, names in due.items():
        timed = {name: _numbers_of(recorded, name, batch) for name in part.names}
        for name in part.names:
            if timed[name] != _numbers_of(recorded, name, batch, AGAIN):
                yield Disagreement(last, f"{name}, {batch} batch: the control has other replicates than the head")
            if timed[name] and name not in names:
                yield Disagreement(last, f"{name}, {batch} batch: nothing was to be confirmed")
        begun = 1 + max((max(each) for each in timed.values() if each), default=FROM[batch] - 1) - FROM[batch]
        for name in [each for each in names if each not in failed]:
            for what in _check_course(recorded, part, (name, batch), timed[name], begun):
                yield Disagreement(last, f"{name}, {batch} batch: {what}")


def _check_course(recorded: Recorded, part: _Part, of: tuple[str, Batch], taken: set[int], begun: int) -> Iterator[str]:
    """Check a benchmark of a batch that began so many replicates."""
    name, batch = of
    looks, number = recorded.run.looks, len(taken)

    def is_decided_at(look: int) -> bool:
        before = [each for each in recorded.all(Samples) if each.replicate < FROM[batch] + look]
        return times_of(recorded, before).is_decided(name, batch)

    if taken and not {*taken} <= {*range(FROM[batch], FROM[batch] + looks[-1])}:
        yield f"replicates {min(taken)} to {max(taken)}, expected {looks[-1]} from {FROM[batch]} on at the most"
        return
    for look in looks:
        if taken and max(taken) >= FROM[batch] + look and is_decided_at(look):
            yield f"{number} replicates, though it was decided at the look at {look}"
    for each in recorded.all(LeftOut):
        if each.comparison == comparison_of(name, batch, HEAD):
            if each.replicates != number:
                yield f"it was left out after {each.replicates} replicates, and has {number}"
            return
    if name not in part.changed or (part.interrupted and number >= begun - 1):
        return
    if number < max(begun, looks[0]) and not (number in looks and is_decided_at(number)):
        yield f"{number} of {max(begun, looks[0])} replicates, and it was not decided"
    elif number == begun < looks[-1] and not (number in looks and is_decided_at(number)):
        end = recorded.records[-1]
        if isinstance(end, End) and end.budget_s is not None and 2 * part.seconds <= FIRST_SHARE * end.budget_s:
            yield f"it ended after {number} replicates, {part.seconds:.0f} s of {end.budget_s:g} s, and was not decided"
