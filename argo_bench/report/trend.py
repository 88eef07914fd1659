"""Tabulates each claim over several runs of the same subjects, from the oldest to the newest."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from argo_bench.harness.record.records import Judgement
from argo_bench.harness.record.store import Recorded
from argo_bench.report import finding
from argo_bench.report.changes import has_moved
from argo_bench.report.marks import label_verdict
from argo_bench.report.tables import Column, Row, Table, join_lines

SPARK = (120.0, 26.0)
"""A line of the trend is so wide and so high, in pixels."""


class Dot(NamedTuple):
    """Holds a run's place in the line of a claim, in pixels, with what it says and its verdict."""

    x: float
    y: float
    words: str
    judgement: Judgement


def tabulate_trend(runs: Sequence[Recorded]) -> Table:
    """Tabulate every headline claim of the newest run in all runs, one column each; further readings without any."""
    newest = runs[-1].all(Judgement)
    shown = [each for each in newest if each.headline] or newest
    found = [_index(each) for each in runs]
    rows = []
    for each in shown:
        cells = [_describe(of.get((each.claim, each.arm))) for of in found]
        rows.append(Row((join_lines(each.claim, each.arm), *cells), None, each.headline))
    columns = (Column("claim", 18), *(Column(name_run(of), 16) for of in runs))
    note = "The oldest run is first; a cell is empty where a run did not judge the claim."
    return Table("Trend over runs", note, columns, tuple(rows))


def name_run(recorded: Recorded) -> str:
    """Name a run by its date, its profile and its seed, which is what a reader tells runs apart by."""
    run = recorded.run
    return f"{run.started[:16].replace('T', ' ')}, {run.profile}, seed {run.seed}"


def _index(recorded: Recorded) -> Mapping[tuple[str, str], Judgement]:
    return {(each.claim, each.arm): each for each in recorded.all(Judgement)}


def _describe(judgement: Judgement | None) -> str:
    if judgement is None:
        return ""
    return join_lines(finding.describe_measured(judgement), label_verdict(judgement.verdict))


def list_dots(runs: Sequence[Recorded], claim: str, arm: str) -> list[Dot]:
    """Return the line of a claim over runs: the place of each is its speed-up on a log axis, or its level.

    A run that did not measure the claim has no dot.
    """
    found = [(place, _index(of).get((claim, arm))) for place, of in enumerate(runs)]
    seen = [(place, each, _find_value(each)) for place, each in found if each is not None]
    measured = [(place, each, value) for place, each, value in seen if value is not None]
    values = [value for _, _, value in measured]
    if not values:
        return []
    low, span = min(values), max(max(values) - min(values), 1e-9)
    width, height = SPARK
    step = (width - 12) / max(len(runs) - 1, 1)
    is_flat = not any(has_moved(one, other) for _, one, _ in measured for _, other, _ in measured)
    return [
        Dot(
            6 + step * place,
            height / 2 if is_flat else 5 + (height - 10) * (1 - (value - low) / span),
            f"{name_run(runs[place])}: {finding.describe_measured(each)}",
            each,
        )
        for place, each, value in measured
    ]


def _find_value(judgement: Judgement) -> float | None:
    if judgement.level_seen is not None:
        return sum(judgement.level_seen) / 2
    return math.log(judgement.speedup) if judgement.speedup else None
