"""Shows the answers of a gate as a table: the finding on top, what blocks first."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from argo_bench.gate.answers import FIRST, Gate
from argo_bench.gate.outcome import Change, Outcome
from argo_bench.gate.records import NO_OUTPUT, Agreed, Exact, Revisions
from argo_bench.harness.record.records import LeftOut
from argo_bench.harness.record.store import Recorded
from argo_bench.report.marks import label_verdict
from argo_bench.report.tables import VERDICT, Column, Row, Table

COMMIT = 10
SHOWN_NAMES = 5


def table_of(gate: Gate, recorded: Recorded) -> Table:
    """Tabulate the outcomes, and say under them what was compared and what nothing can be said about.

    Of a single shard the benchmarks of the others have no rows.
    """
    revisions = recorded.all(Revisions)[0]
    left_out = revisions.find_missing() if revisions.is_part else {}
    shown = [each for each in gate.outcomes if each.name not in left_out]
    return make_outcome_table(str(gate), " ".join(list_notes(gate, recorded)), shown, "head against base")


def make_outcome_table(finding: str, note: str, outcomes: Sequence[Outcome], seen: str) -> Table:
    """Tabulate outcomes in the order given; ``seen`` is the name of the column with what was seen."""
    rows = tuple(
        Row((each.name, label_verdict(each.state), _describe_outcome(each)), each.state, each.blocks)
        for each in outcomes
    )
    return Table(finding, note, (Column("benchmark", 24), Column(VERDICT, 16), Column(seen, None)), rows)


def list_notes(gate: Gate, recorded: Recorded) -> Iterator[str]:
    """Yield what was compared with what, and what could not be."""
    revisions = recorded.all(Revisions)[0]
    compared = f"Base {revisions.base[:COMMIT]}, head {revisions.head[:COMMIT]}"
    yield f"{compared}. Ranges in brackets hold for all benchmarks together."
    if revisions.moved_on:
        yield (
            f"The base is where the head branched off; {revisions.moved_on} newer commits of its branch were "
            "not compared (--direct compares with them)."
        )
    missing: dict[str, list[str]] = {}
    for name, shard in revisions.find_missing().items():
        missing.setdefault(shard, []).append(name)
    if revisions.is_part:
        part = revisions.shards[0]
        yield f"This is shard {part.number} of {part.of}; argo-bench ci merge decides over all of them."
    else:
        for shard, names in missing.items():
            yield f"Lost: {shard}, with {', '.join(names)}."
    if unmeasured := [
        each
        for each in recorded.all(LeftOut)
        if each.comparison.workload == FIRST and each.replicates < recorded.run.looks[0]
    ]:
        names = [each.comparison.optimization for each in unmeasured]
        minutes = math.ceil(math.fsum(each.needs_s for each in unmeasured) / 60)
        yield (
            f"The budget ended before {_shorten(names)}, in the order in which they would have had their turn; "
            f"all of them need at least {max(1, minutes)} min more (--budget)."
        )
    if gate.advisory is not None:
        yield f"Advisory: {gate.advisory}."
    known = {each.name for each in gate.outcomes}
    if expired := [name for name in revisions.expired if name in known]:
        yield f"Expired entries of [tool.argo_bench.ci.accepted], to be taken out: {', '.join(expired)}."
    if any(each.blocks and each.state != "failed" for each in gate.outcomes):
        yield "If that is meant, say so with a reason and a bound in [tool.argo_bench.ci.accepted]."
    unknown = {each.benchmark: each.unknown for each in recorded.all(Agreed) if each.unknown not in (None, NO_OUTPUT)}
    for reason, which in _group_by_reason(unknown):
        yield f"{which}: outputs were not compared, {reason}."
    for reason, which in _group_by_reason(revisions.left_out):
        yield f"Left out: {which}, {reason}."
    uncounted: dict[str, list[str]] = {}
    for each in recorded.all(Exact):
        if each.uncounted is not None:
            uncounted.setdefault(each.uncounted, []).append(each.benchmark)
    for reason, names in sorted(uncounted.items()):
        yield f"Machine instructions of {', '.join(sorted(names))} were not counted: {reason}."


def _group_by_reason(reasons: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield every reason with the names that it is given for, of which SHOWN_NAMES are shown."""
    grouped: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        grouped.setdefault(reason, []).append(name)
    for reason, names in grouped.items():
        yield reason, _shorten(names)


def _shorten(names: Sequence[str]) -> str:
    """Join names, of which SHOWN_NAMES are shown."""
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return f"{', '.join(names[:SHOWN_NAMES])}{more}"


def _describe_outcome(outcome: Outcome) -> str:
    """Return the sentence without the name, and the counts that shrank."""
    seen = outcome.sentence.removeprefix(f"{outcome.name}: ")
    return "; ".join(
        [seen, *(f"{name} {_format_decrease(each)}" for name, each in outcome.counts.items() if each.share < 0)]
    )


def _format_decrease(change: Change) -> str:
    return f"{100 * change.share:.1f} %"
