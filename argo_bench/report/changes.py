"""Says what changed from one run to another: which verdicts flipped, what moved, and in what the runs are unlike.

A verdict *flipped* where the claim is reached in one run and decidedly not in the other. It is *decided* or *undecided
now* where only one of the runs decides. A figure *moved* where both intervals have nothing in common; one that did not
move may still have changed by less than both runs can tell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from argo_bench.harness.record.records import Judgement, Run
from argo_bench.harness.record.store import Recorded
from argo_bench.report import finding
from argo_bench.report.marks import label_verdict
from argo_bench.report.tables import Column, Row, Table, join_lines
from argo_bench.report.two_runs import OPEN, Pair, pair_verdicts

Kind = Literal["flipped", "decided now", "undecided now", "moved", "as before"]
KINDS: tuple[Kind, ...] = ("flipped", "decided now", "undecided now", "moved", "as before")
TOLD: Mapping[Kind, str] = {
    "flipped": "flipped",
    "decided now": "decided now and not before",
    "undecided now": "decided before and not now",
    "moved": "the same verdict from figures that moved",
    "as before": "as before",
}


@dataclass(frozen=True, slots=True)
class Change:
    """Holds the verdicts of an earlier and of a later run on one claim and arm."""

    before: Judgement
    after: Judgement

    @property
    def kind(self) -> Kind:
        match Pair(self.before, self.after).agreement:
            case "contradiction":
                return "flipped"
            case "one inconclusive" if self.after.verdict in OPEN and self.before.verdict not in OPEN:
                return "undecided now"
            case "one inconclusive" if self.before.verdict in OPEN and self.after.verdict not in OPEN:
                return "decided now"
        return "moved" if has_moved(self.before, self.after) else "as before"


def has_moved(before: Judgement, after: Judgement) -> bool:
    """Say whether two measurements have no value in common; what was not measured in both did not move."""
    ranges = [_find_range(before), _find_range(after)]
    if None in ranges:
        return False
    (low, high), (other_low, other_high) = (each for each in ranges if each is not None)
    return max(low, other_low) > min(high, other_high)


def _find_range(judgement: Judgement) -> tuple[float, float] | None:
    """Return the interval of what was measured; one reading, as of an exact count, is a range of one value."""
    if judgement.level_seen is not None:
        return judgement.level_seen
    if judgement.interval is not None:
        return judgement.interval
    return None if judgement.speedup is None else (judgement.speedup, judgement.speedup)


def find_changes(before: Recorded, after: Recorded) -> list[Change]:
    """Return the verdicts that both runs have, flipped ones first and within a kind headline claims first."""
    changes = [Change(pair.first, pair.second) for pair in pair_verdicts(before, after)]
    return sorted(changes, key=lambda each: (KINDS.index(each.kind), not each.after.headline))


def describe_changes(before: Recorded, after: Recorded) -> str:
    """Say in a sentence how many verdicts flipped, and what became of the others."""
    changes = find_changes(before, after)
    if not changes:
        return "The runs have no claim in common"
    counted = Counter(each.kind for each in changes)
    told = ", ".join(f"{counted[kind]} {TOLD[kind]}" for kind in KINDS if counted[kind] or kind == "flipped")
    verdicts = finding.format_number_of(len(changes), "verdict")
    return f"Of {verdicts} in both runs, {told}"


def list_remarks(before: Recorded, after: Recorded) -> list[str]:
    """Return sentences on what has to be known of a comparison: in what the runs are unlike, and what only one has."""
    unlike = list(find_unlike(before.run, after.run))
    said = [f"The runs are not alike: {'; '.join(unlike)}."] if unlike else []
    earlier, later = ([f"{each.claim} {each.arm}" for each in of.all(Judgement)] for of in (before, after))
    for own, other, which in ((earlier, later, "earlier"), (later, earlier, "later")):
        if alone := [name for name in own if name not in other]:
            number = finding.format_number_of(len(alone), "verdict")
            said.append(f"{number} of the {which} run alone: {finding.list_some(alone)}.")
    return said


def find_unlike(before: Run, after: Run) -> Iterator[str]:
    """Yield in what two runs are unlike: how and on what they measured, by which rule, and on which machine."""
    facts = zip(_list_facts(before), _list_facts(after), strict=True)
    for (name, one), (_, other) in facts:
        if one != other:
            yield f"{name} {_write(one)} against {_write(other)}"
    versions = [each.environment.get("versions", {}) for each in (before, after)]
    for package in sorted({*versions[0], *versions[1]}):
        one, other = (each.get(package) for each in versions)
        if one != other:
            yield f"{package} {_write(one)} against {_write(other)}"


def _list_facts(run: Run) -> Iterator[tuple[str, Any]]:
    yield "profile", run.profile
    yield "processes", "shared by both arms" if run.isolation == "shared" else "one for each arm"
    yield "seed", run.seed
    yield "replicates", finding.describe_replicates(run.looks).removesuffix(" replicates")
    yield "symbols", ", ".join(run.symbols)
    yield "source of bars", run.source
    yield "trace", run.trace
    yield "latencies", ", ".join(finding.describe_latencies(run.asked)) or "the usual ones"
    yield "rule", run.rule
    for name in ("processor", "cores", "memory_bytes", "system", "python"):
        value = run.environment.get(name)
        yield name.removesuffix("_bytes"), finding.format_bytes(value) if name == "memory_bytes" and value else value


def _write(value: Any) -> str:
    return "none" if value in (None, "") else str(value)


def tabulate_changes(before: Recorded, after: Recorded) -> Table:
    """Tabulate the verdicts that are not as before: what was measured in both runs, and what became of the verdict."""
    changes = [each for each in find_changes(before, after) if each.kind != "as before"]
    rows = tuple(
        Row(
            (
                join_lines(finding.name_claim(after, each.after), finding.name_arms(each.after.comparison)),
                _describe_side(before, each.before),
                _describe_side(after, each.after),
                describe_factor(each),
                join_lines(each.kind, label_verdict(each.after.verdict)),
            ),
            each.after.verdict,
            each.after.headline,
        )
        for each in changes
    )
    columns = (
        Column("claim", 20),
        Column("before", 20),
        Column("after", 20),
        Column("after / before", 14),
        Column("change", 16),
    )
    note = (
        "Flipped: the claim is reached in one run and not in the other. Moved: both intervals have nothing in common. "
        "What is as before is left out."
    )
    return Table("What changed", note, columns, rows)


def _describe_side(recorded: Recorded, judgement: Judgement) -> str:
    is_measured = judgement.speedup is not None or judgement.level_seen is not None
    return join_lines(
        label_verdict(judgement.verdict),
        finding.describe_measured(judgement),
        finding.describe_interval(recorded, judgement) if is_measured else "",
    )


def describe_factor(change: Change) -> str:
    """Say by how much a ratio or a level changed; ``-`` where one run did not measure it."""
    before, after = change.before, change.after
    if before.level_seen is not None and after.level_seen is not None:
        levels = (sum(each.level_seen or ()) / 2 for each in (before, after))
        one, other = levels
        return f"{100 * (other - one):+.3g} points"
    if not before.speedup or after.speedup is None:
        return "-"
    if max(before.speedup, after.speedup) >= finding.NONE_LEFT:
        return "-"
    return finding.format_factor(after.speedup / before.speedup, 3)


def summarize_changes(before: Recorded, after: Recorded) -> dict[str, Any]:
    """Return what changed as plain JSON types."""
    return {
        "finding": describe_changes(before, after),
        "before": before.run.run,
        "after": after.run.run,
        "unlike": list(find_unlike(before.run, after.run)),
        "changes": [
            {
                "claim": each.after.claim,
                "arm": each.after.arm,
                "change": each.kind,
                "verdicts": [each.before.verdict, each.after.verdict],
                "speedups": [each.before.speedup, each.after.speedup],
            }
            for each in find_changes(before, after)
        ],
    }
