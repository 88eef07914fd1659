"""Defines a claim, a published sentence as data: what it says, how it is read, and the workload that it is judged on.

A claim is written down before anything is measured.
"""

from __future__ import annotations

import html as markup
import math
from collections.abc import Sequence
from typing import Literal

import msgspec

from argo_bench.controls import spell_controls
from argo_bench.harness.claims.metrics import Metric

Kind = Literal["reduction", "speedup", "at_least", "up_to", "direction", "level", "difference"]
EPSILON = math.log(1.01)
"""This is practical zero, as a difference of ln: a change of less than 1 % is no change."""


class Claim(msgspec.Struct, frozen=True):
    """States one published figure.

    ``low`` and ``high`` are in the unit of ``kind``: a share of the baseline for a ``reduction`` (0.5 = 50 %), a factor
    for ``speedup``, ``at_least`` and ``up_to``, the level itself for ``level``. A ``direction`` (better) and a
    ``difference`` (nothing is claimed: is there any?) have neither. An end that is missing is None. ``reading`` says
    how ambiguous words were read. ``workload`` names the headline workload, ``reference`` the arm that a variant is
    compared with (it may depend on the ``{variant}``). ``curve`` names a workload of the same stage over a condition
    (the share of ticking symbols); from it is read when a claim that was not confirmed would hold. Claims that are not
    ``headline`` are further readings of the same sentence or the figures of a later document; they get verdicts too,
    outside the family of simultaneous intervals. ``bound`` says, for the end of a sentence, what keeps any version from
    reaching the claim, with its size.
    """

    id: str
    text: str
    source: str
    kind: Kind
    workload: str
    reading: str
    low: float | None = None
    high: float | None = None
    metric: Metric = "cpu"
    reference: str = "baseline"
    headline: bool = False
    curve: str = ""
    bound: str = ""

    def __post_init__(self) -> None:
        for end in ("low", "high"):  # NaN may stand for a missing end too; a record has None for it
            if (value := getattr(self, end)) is not None and math.isnan(value):
                msgspec.structs.force_setattr(self, end, None)
        low, high = self._ends()
        if self.kind == "reduction" and not 0 <= low <= high < 1:
            raise ValueError(f"{self.id}: a reduction takes 0 <= low <= high < 1, got {self.low!r} and {self.high!r}")
        if self.kind in ("speedup", "at_least", "up_to") and not (low > 0 or high > 0):
            raise ValueError(f"{self.id}: a factor must be positive, got {self.low!r} and {self.high!r}")

    def _ends(self) -> tuple[float, float]:
        """Return both ends, NaN for one that is missing."""
        return (math.nan if self.low is None else self.low), (math.nan if self.high is None else self.high)

    def against(self, variant: str) -> str:
        """Return the arm that a variant is compared with: a reference may name the variant as ``{variant}``."""
        return self.reference.format(variant=variant)

    def region(self) -> tuple[float, float]:
        """Return the claimed range of lambda = ln(baseline / candidate), or of the level itself for a ``level``."""
        low, high = self._ends()
        match self.kind:
            case "reduction":
                return -math.log(1 - low), -math.log(1 - high)
            case "speedup":
                return math.log(low), math.log(high)
            case "at_least":
                return math.log(low), math.inf
            case "up_to":
                return math.log(high), math.inf
            case "direction" | "difference":
                return EPSILON, math.inf
            case "level":
                return low, high

    def __str__(self) -> str:
        return f'{self.id}: "{self.text}"'

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return show_claims(str(self), [self])

    def edges(self) -> set[float]:
        """Return the finite values of lambda at which one verdict ends and the next begins."""
        if self.kind == "difference":
            return {-EPSILON, 0.0, EPSILON}
        return {edge for edge in (EPSILON, *self.region()) if math.isfinite(edge)}


def show_claims(title: str, claims: Sequence[Claim]) -> dict[str, str]:
    """Return claims for a notebook, as tables without style: their words, their reading, and what judges them."""
    head = ("claim", "as published", "read as", "judged on", "source")
    rows = [(each.id, each.text, each.reading, each.workload, each.source) for each in claims]
    cells = [[markup.escape(spell_controls(text), quote=False) for text in row] for row in rows]
    cell = '<td style="text-align:left;vertical-align:top">'
    body = "".join(f"<tr>{cell}{f'</td>{cell}'.join(row)}</td></tr>" for row in (head, *cells))
    marked = [[text.replace("|", r"\|").replace("~", r"\~") for text in row] for row in cells]
    lines = [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *marked)]
    return {
        "text/html": f"<strong>{markup.escape(title)}</strong><table>{body}</table>",
        "text/markdown": f"**{markup.escape(title, quote=False)}**\n\n" + "\n".join(lines),
        "text/plain": title,
    }
