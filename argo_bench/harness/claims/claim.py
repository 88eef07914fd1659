"""A published sentence as data: what it says, how it is read, and the workload that it is judged on.

Everything here is written down before anything is measured.
"""

from __future__ import annotations

import html as markup
import math
from collections.abc import Sequence
from typing import Literal, TypeGuard

import msgspec

Kind = Literal["reduction", "speedup", "at_least", "up_to", "direction", "level", "difference"]
Clock = Literal["cpu", "wall"]
MemoryMetric = Literal["peak_rss", "traced_peak", "live_bytes"]
Metric = str
"""A clock, a figure of memory, or the name of a count that a subject declares."""
CLOCKS: tuple[Clock, ...] = ("cpu", "wall")
MEMORY_METRICS: tuple[MemoryMetric, ...] = ("peak_rss", "traced_peak", "live_bytes")
MEASURED: tuple[Metric, ...] = (*CLOCKS, *MEMORY_METRICS)
"""What the harness measures by itself of any function."""


def is_memory(metric: Metric) -> TypeGuard[MemoryMetric]:
    """Whether it is a figure of memory."""
    return metric in MEMORY_METRICS


def is_count(metric: Metric) -> bool:
    """Whether it is counted exactly: the same on every run with a seed."""
    return metric not in MEASURED


EPSILON = math.log(1.01)
"""Practical zero: a change of less than 1 % is no change."""


class Claim(msgspec.Struct, frozen=True):
    """One published figure.

    ``low`` and ``high`` are in the unit of ``kind``: a share of the baseline for a reduction (0.5 = 50 %), a factor
    for ``speedup``, ``at_least`` and ``up_to``, the level itself for ``level``; a ``direction`` (better) and a
    ``difference`` (nothing is claimed: is there any?) have neither; an end that is missing is None.
    ``reading`` says how ambiguous words were read, ``workload`` names the headline workload, ``reference`` the arm
    that it is measured against (it may depend on the ``{variant}``), ``curve`` a workload of the same stage over a
    condition (the share of ticking symbols) from which is read when a claim that was not confirmed would hold. Claims
    that are not ``headline`` are further readings of the same sentence or the figures of a later document; they get
    verdicts too, outside the family of simultaneous intervals.
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

    def __post_init__(self) -> None:
        for end in ("low", "high"):  # NaN stands for no end too; a record has None for it
            if (value := getattr(self, end)) is not None and math.isnan(value):
                msgspec.structs.force_setattr(self, end, None)
        low, high = self._ends()
        if self.kind == "reduction" and not 0 <= low <= high < 1:
            raise ValueError(f"{self.id}: a reduction takes 0 <= low <= high < 1, got {self.low!r} and {self.high!r}")
        if self.kind in ("speedup", "at_least", "up_to") and not (low > 0 or high > 0):
            raise ValueError(f"{self.id}: a factor must be positive, got {self.low!r} and {self.high!r}")

    def _ends(self) -> tuple[float, float]:
        """Both ends, NaN for one that is missing."""
        return (math.nan if self.low is None else self.low), (math.nan if self.high is None else self.high)

    def against(self, variant: str) -> str:
        """The arm that a variant is measured against: a reference may name the variant as ``{variant}``."""
        return self.reference.format(variant=variant)

    def region(self) -> tuple[float, float]:
        """The claimed range of lambda = ln(baseline / candidate); of the level itself for a ``level``."""
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
        """Where one verdict ends and the next begins, as finite values of lambda."""
        if self.kind == "difference":
            return {-EPSILON, 0.0, EPSILON}
        return {edge for edge in (EPSILON, *self.region()) if math.isfinite(edge)}


def show_claims(title: str, claims: Sequence[Claim]) -> dict[str, str]:
    """Claims for a notebook, as tables that need no style: in their words, as they were read, and judged on what."""
    head = ("claim", "as published", "read as", "judged on", "source")
    rows = [(each.id, each.text, each.reading, each.workload, each.source) for each in claims]
    cells = [[markup.escape(text, quote=False) for text in row] for row in rows]
    cell = '<td style="text-align:left;vertical-align:top">'
    body = "".join(f"<tr>{cell}{f'</td>{cell}'.join(row)}</td></tr>" for row in (head, *cells))
    marked = [[text.replace("|", r"\|").replace("~", r"\~") for text in row] for row in cells]
    lines = [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *marked)]
    return {
        "text/html": f"<strong>{markup.escape(title)}</strong><table>{body}</table>",
        "text/markdown": f"**{markup.escape(title, quote=False)}**\n\n" + "\n".join(lines),
        "text/plain": title,
    }
