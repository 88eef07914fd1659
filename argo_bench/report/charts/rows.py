"""Finds the rows of the picture that a report begins with: every claim that the title counts, by document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from argo_bench.harness.record.records import Judgement
from argo_bench.harness.record.store import Recorded
from argo_bench.report import finding
from argo_bench.report.answers import Answer, find_answer
from argo_bench.report.charts.arms import Style, assign_styles
from argo_bench.report.documents import find_restated, name_documents
from argo_bench.report.references import find_dependent

MOST_ROWS = 40
"""Of further readings, where there is no headline claim, at most this many are drawn."""


class Row(NamedTuple):
    """Holds the judgements on one claim, one of each arm."""

    label: str
    judgements: Sequence[Judgement]

    @property
    def claim(self) -> str:
        return self.judgements[0].claim

    @property
    def is_level(self) -> bool:
        return self.judgements[0].kind == "level"


class Group(NamedTuple):
    """Holds rows under a heading, which is empty where there is only one group; ``more`` has room in a wide figure."""

    heading: str
    more: str
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Hero:
    """Holds what the picture shows: groups of ratios, then levels, and how each arm is drawn.

    ``dependent`` are the claims, each with its arm, whose verdict depends on the reference.
    """

    recorded: Recorded
    ratios: Sequence[Group]
    levels: Sequence[Row]
    styles: Mapping[str, Style]
    dependent: frozenset[tuple[str, str]]

    @property
    def rows(self) -> list[Row]:
        return [*(row for group in self.ratios for row in group.rows), *self.levels]

    @property
    def shown(self) -> list[Judgement]:
        return [each for row in self.rows for each in row.judgements]

    def is_dependent(self, judgement: Judgement) -> bool:
        return (judgement.claim, judgement.arm) in self.dependent

    def answer(self, judgement: Judgement) -> Answer:
        return find_answer(judgement, is_dependent=self.is_dependent(judgement))


def find_hero(recorded: Recorded) -> Hero | None:
    """Return the headline claims in the order of the record, or further readings where there is none.

    Claims whose documents have no copy here are a group of their own, below the others.
    """
    judged = recorded.all(Judgement)
    chosen = [each for each in judged if each.headline]
    rows = _find_rows(recorded, chosen or judged)[: None if chosen else MOST_ROWS]
    if not rows:
        return None
    restated = find_restated(recorded, chosen)
    groups = [[row for row in rows if (row.claim in restated) == apart] for apart in (False, True)]
    documents = name_documents(recorded, {row.claim for row in groups[0]})
    headings = [(f"of {documents}", ""), ("of documents not included here", "counted apart")]
    ratios = []
    for (of, remark), group in zip(headings, groups, strict=True):
        own = [row for row in group if not row.is_level]
        at_foot = f"{len(group) - len(own)} of them at the foot" if len(own) < len(group) else ""
        heading = f"{finding.format_number_of(len(group), 'claim')} {of}" if restated else ""
        if own:
            ratios.append(Group(heading, "; ".join(filter(None, (remark, at_foot))), own))
    levels = [row for row in rows if row.is_level]
    styles = assign_styles(each.arm for row in rows for each in row.judgements)
    return Hero(recorded, ratios, levels, styles, frozenset(find_dependent(judged)))


def _find_rows(recorded: Recorded, judgements: Sequence[Judgement]) -> list[Row]:
    claims: dict[str, list[Judgement]] = {}
    for each in judgements:
        claims.setdefault(each.claim, []).append(each)
    return [Row(_name_row(recorded, of[0]), of) for of in claims.values()]


def _name_row(recorded: Recorded, judgement: Judgement) -> str:
    """Name a claim by its optimization and by what it is about, as in ``O08 vectorized indicators: time``."""
    about = judgement.claim.removeprefix(f"{judgement.optimization}.")
    if about == judgement.claim:
        return judgement.claim
    name = recorded.name_of(judgement.optimization)
    return f"{judgement.optimization}{name and f' {name}'}: {about}"
