"""Says on which kinds of machine a claim holds: verdicts of different processors stand side by side, never averaged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from argo_bench.harness.claims.verdict import HOLDS, word_for
from argo_bench.harness.record.records import Judgement
from argo_bench.harness.record.store import Recorded
from argo_bench.report import finding
from argo_bench.report.marks import label_verdict
from argo_bench.report.tables import Column, Row, Table, join_lines
from argo_bench.report.two_runs import OPEN

NOTE = "Verdicts are those of one kind of machine each. Where a claim holds is counted; nothing is averaged over kinds."


def tabulate_kinds(kinds: Mapping[str, Recorded]) -> Table:
    """Tabulate every headline claim on every kind of machine, and on how many of them it holds."""
    rows = [
        Row((join_lines(claim, arm), describe_kinds(found), *map(_describe, found.values())), strong=True)
        for (claim, arm), found in _list_judged(kinds)
    ]
    columns = (Column("claim", 18), Column("holds", 24), *(Column(kind, 20) for kind in kinds))
    return Table("Kinds of machine", NOTE, columns, tuple(rows))


def describe_table(kinds: Mapping[str, Recorded]) -> list[dict[str, object]]:
    """Return the same as JSON: every claim and arm with its verdict by kind, and where it holds in words."""
    return [
        {
            "claim": claim,
            "arm": arm,
            "holds": describe_kinds(found),
            "verdicts": {kind: None if each is None else each.verdict for kind, each in found.items()},
        }
        for (claim, arm), found in _list_judged(kinds)
    ]


def describe_kinds(found: Mapping[str, Judgement | None]) -> str:
    """Say on how many kinds of machine a claim holds, and what it does on the others, as in ``holds on 4 of 5 kinds; on
    X it fell short``; kinds that did not judge it do not count."""
    judged = {kind: each for kind, each in found.items() if each is not None and each.verdict not in OPEN}
    holding = [kind for kind, each in judged.items() if each.verdict in HOLDS]
    said = [f"holds on {len(holding)} of {len(judged)} kinds" if judged else "is decided on no kind"]
    said += [f"on {kind}: {word_for(each.verdict)}" for kind, each in judged.items() if kind not in holding]
    undecided = [kind for kind, each in found.items() if kind not in judged and each is not None]
    return "; ".join([*said, *(f"open on {kind}" for kind in undecided)])


def _list_judged(kinds: Mapping[str, Recorded]) -> Iterator[tuple[tuple[str, str], Mapping[str, Judgement | None]]]:
    """Yield every headline claim of every arm that some kind has, with its verdict on each kind."""
    verdicts = {kind: _index(each.all(Judgement)) for kind, each in kinds.items()}
    for key in dict.fromkeys(key for own in verdicts.values() for key in own):
        yield key, {kind: own.get(key) for kind, own in verdicts.items()}


def _index(judged: Sequence[Judgement]) -> Mapping[tuple[str, str], Judgement]:
    return {(each.claim, each.arm): each for each in judged if each.headline}


def _describe(judgement: Judgement | None) -> str:
    if judgement is None:
        return "not measured"
    return join_lines(finding.describe_measured(judgement), label_verdict(judgement.verdict))
