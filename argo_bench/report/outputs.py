"""Tabulates what was seen when outputs were compared, and what differed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from argo_bench.harness.judging.outputs import SEVERITY, describe_damage, describe_output, word_of
from argo_bench.harness.record.records import Failure, Fidelity, Scope
from argo_bench.harness.record.store import Recorded
from argo_bench.report.finding import word_output
from argo_bench.report.tables import Column, Row, Table, join_lines

SCOPES: Mapping[Scope, str] = {
    "workload": "",
    "cases": "named cases",
    "markets": "markets",
    "failures": "while providers fail",
}
MOST_SIGHTS = 3
"""A row names this number of things that were seen, the most frequent ones; the record has all."""
COLUMNS = (Column("version", 16), Column("compared", 22), Column("output", None))


def name_scope(line: Fidelity) -> str:
    """Say what outputs were compared on."""
    if line.scope == "workload" and line.workload is None:  # a record of an earlier version
        return "decisions of the pipeline"
    return line.workload or SCOPES[line.scope]


def tabulate_checks(recorded: Recorded) -> Table:
    """Tabulate for every arm what its comparisons saw, the worst word, the first difference, and lost signals.

    What earlier versions compared of the optimizations is left out: their records do not say what was seen.
    """
    functions = {each.id for each in recorded.declarations if each.functions}
    lines = [each for each in recorded.all(Fidelity) if each.saw or each.optimization in functions]
    arms = dict.fromkeys((each.id, arm) for each in recorded.declarations for arm in _list_arms(lines, each.id))
    rows = [_make_row(lines, *arm) for arm in arms]
    rows += [
        Row((f"{each.optimization} {each.arm}", "", f"{each.kind}: {each.reason}")) for each in recorded.all(Failure)
    ]
    words = [describe_output(lines, *arm).word for arm in arms]
    counts = ", ".join(f"{words.count(word)} {word}" for word in reversed(SEVERITY) if word in words)
    note = f"Of {len(words)} versions: {counts}." if words else "Nothing was compared."
    return Table("What was compared", note, COLUMNS, tuple(rows))


def _list_arms(lines: Sequence[Fidelity], subject: str) -> list[str]:
    """Return the arms of a subject whose outputs were compared, its variants first."""
    found = dict.fromkeys(each.arm for each in lines if each.optimization == subject)
    return sorted(found, key=lambda arm: arm not in ("prescribed", "engineered"))


def _make_row(lines: Sequence[Fidelity], subject: str, arm: str) -> Row:
    own = [each for each in lines if (each.optimization, each.arm) == (subject, arm)]
    output = describe_output(lines, subject, arm)
    first = next((f"the first one on {name_scope(each)}: {each.first}" for each in own if each.first), "")
    trouble = f"while providers fail: {output.when_providers_fail}" if output.when_providers_fail else ""
    return Row(
        (f"{subject}\n{arm}", _describe_sights(own), join_lines(*map(word_output, (output.text, first, trouble))))
    )


def _describe_sights(lines: Sequence[Fidelity]) -> str:
    """Name what the comparisons of an arm saw most of; they are what was compared first of all."""
    saw = Counter[str]()
    for line in lines:
        saw.update(line.saw or {"results": line.compared})
    return "\n".join(f"{count:,} {noun}" for noun, count in saw.most_common(MOST_SIGHTS) if count)


def describe_checks(recorded: Recorded) -> dict[str, Any]:
    """Return the comparisons and the failures as plain JSON types."""
    return {
        "checks": [_to_dict(each) for each in recorded.all(Fidelity)],
        "failures": msgspec.to_builtins(recorded.all(Failure)),
        "broken": list_broken(recorded),
    }


def _to_dict(line: Fidelity) -> dict[str, Any]:
    return {
        "optimization": line.optimization,
        "arm": line.arm,
        "on": name_scope(line),
        "word": word_of(line),
        "output": line.output,
        "saw": line.saw,
        "first_difference": line.first,
        "damage": line.damage,
        "signals": describe_damage(line.damage),
    }


def list_broken(recorded: Recorded) -> list[str]:
    """Return the engineered variants, and the new functions, whose output differs or could not be computed."""
    return sorted(dict.fromkeys(_find_broken(recorded)))


def _find_broken(recorded: Recorded) -> Iterator[str]:
    for line in recorded.all(Fidelity):
        if line.counts and line.arm in ("engineered", "candidate"):
            yield f"{line.optimization} {line.arm}"
    for failure in recorded.all(Failure):
        if failure.kind == "failed" and failure.arm in ("engineered", "candidate"):
            yield f"{failure.optimization} {failure.arm}"
