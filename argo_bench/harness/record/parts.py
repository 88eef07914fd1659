"""Takes a merged record apart: each of its parts is the record of a run that measured some of the subjects."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from argo_bench.harness.record.lines import Disagreement
from argo_bench.harness.record.records import End, Part, Plan, Run
from argo_bench.harness.record.store import Recorded, subject_of

Check = Callable[[Recorded], Iterator[Disagreement]]


def check_apart(recorded: Recorded, check: Check) -> Iterator[Disagreement]:
    """Check every part of a merged record by itself, or a record that was not merged as a whole."""
    parts = recorded.all(Part)
    for part in parts:
        lines = [(number, each) for number, each in recorded.lines() if subject_of(each) in (None, *part.subjects)]
        own = [(number, _restrict(each, part, recorded)) for number, each in lines if not isinstance(each, Part | End)]
        numbers = [number for number, _ in own] + [len(recorded.records)]
        records = [each for _, each in own] + ([] if part.end is None else [part.end])
        for each in check(Recorded(recorded.directory, records)):
            yield Disagreement(numbers[min(each.line, len(numbers)) - 1], each.what)
    if not parts:
        yield from check(recorded)


def _restrict(record: msgspec.Struct, part: Part, recorded: Recorded) -> msgspec.Struct:
    """Return the header and the plan as the run of a part had them, and any other line as it is."""
    if isinstance(record, Run):
        own = [each for each in record.optimizations if each in part.subjects]
        return msgspec.structs.replace(record, run=part.run, environment=part.environment, optimizations=own)
    if isinstance(record, Plan):
        claims = {claim.id for each in recorded.declarations if each.id in part.subjects for claim in each.claims}
        return msgspec.structs.replace(
            record,
            claims=[each for each in record.claims if each in claims],
            comparisons=[each for each in record.comparisons if each.optimization in part.subjects],
        )
    return record


def check_parts(recorded: Recorded) -> Iterator[Disagreement]:
    """Check that the parts of a merged record have every subject once, on machines of one kind."""
    parts = [(line, each) for line, each in recorded.lines() if isinstance(each, Part)]
    kind = kind_of(recorded.run.environment)
    seen: dict[str, int] = {}
    for line, each in parts:
        if (other := kind_of(each.environment)) != kind:
            yield Disagreement(line, f"part {each.run}: measured on {other}, the record is of {kind}")
        for subject in each.subjects:
            if seen.setdefault(subject, line) != line:
                yield Disagreement(line, f"part {each.run}: {subject} is of the part in line {seen[subject]} already")
    declared = {each.id for each in recorded.declarations}
    for subject in sorted(declared ^ seen.keys() if parts else ()):
        what = "is of no part" if subject in declared else "is of a part, and no line declares it"
        yield Disagreement(len(recorded.records), f"{subject} {what}")


def kind_of(environment: dict[str, object]) -> str:
    """Return the kind of a machine in words, as in ``AMD EPYC 9R14, 2 processors``: verdicts are those of one kind."""
    return f"{environment.get('processor') or 'an unknown processor'}, {environment.get('cores')} processors"
