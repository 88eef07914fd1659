"""Says whether two runs with different seeds lead to the same verdicts, and explains where they do not.

A seed draws symbols, days and the order of everything. A verdict that another seed turns round rests on what was drawn,
or on noise; the intervals of both runs say which is more likely.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from argo_bench.harness.claims.verdict import HOLDS, word_for
from argo_bench.harness.record.records import Judgement
from argo_bench.harness.record.store import Recorded
from argo_bench.report.tables import Column, Row, Table, markdown_table

Agreement = Literal["same", "neighbours", "one inconclusive", "contradiction"]
KINDS: tuple[Agreement, ...] = ("same", "neighbours", "one inconclusive", "contradiction")
NEIGHBOURS = "Neighbours are two words on the same side of the claim's edge. A contradiction is one on either side."
BELOW = ("fell short", "fell short or worse", "refuted", "slower")
OPEN = ("inconclusive", "untested", "failed")


@dataclass(frozen=True, slots=True)
class Pair:
    """Holds the verdicts of two runs on one claim and variant."""

    first: Judgement
    second: Judgement

    @property
    def agreement(self) -> Agreement:
        """Say how far the verdicts agree: neighbours are other words on the same side of the claim's edge."""
        words = self.first.verdict, self.second.verdict
        if words[0] == words[1]:
            return "same"
        if any(word in OPEN for word in words):
            return "one inconclusive"
        is_one_side = all(word in HOLDS for word in words) or all(word in BELOW for word in words)
        return "neighbours" if is_one_side else "contradiction"

    @property
    def name(self) -> str:
        return f"{self.first.claim} {self.first.arm}"


def pair_verdicts(first: Recorded, second: Recorded) -> list[Pair]:
    """Return the verdicts that both runs have, in the order of the first."""
    others = {(each.claim, each.arm): each for each in second.all(Judgement)}
    return [
        Pair(each, others[each.claim, each.arm]) for each in first.all(Judgement) if (each.claim, each.arm) in others
    ]


def explain_contradiction(pair: Pair) -> str:
    """Say what the two verdicts rest on, and whether chance or what the seeds drew is the more likely cause."""
    first, second = pair.first, pair.second
    if "void" in (first.verdict, second.verdict):
        differing = first if first.verdict == "void" else second
        return f"the output of one run differs: {differing.output}"
    if first.level_seen is not None and second.level_seen is not None:
        return "counted levels: the seeds drew other symbols and days, and the claim's edge lies between them"
    if first.interval is None or second.interval is None:
        return "one of both has no interval: " + "; ".join([*first.flags, *second.flags])
    low, high = max(first.interval[0], second.interval[0]), min(first.interval[1], second.interval[1])
    if low <= high:
        return f"the intervals overlap from {low:.3g}x to {high:.3g}x, and an edge of the claim lies close by"
    drawn = "the seeds drew other inputs, on which the gain is another, or one run met a slow process"
    return f"the intervals have nothing in common: {drawn}"


def write_agreement(first: Recorded, second: Recorded) -> str:
    """Return, as Markdown, how far two runs agree: the numbers of each kind, and every contradiction explained."""
    pairs = pair_verdicts(first, second)
    seeds = f"seed {first.run.seed} and seed {second.run.seed}"
    counted, headline = (
        Counter(each.agreement for each in pairs if each.first.headline or not only) for only in (False, True)
    )
    rows = [Row((kind, str(headline[kind]), str(counted[kind]))) for kind in KINDS]
    columns = (Column("the two verdicts are", None), Column("headline claims", None), Column("all claims", None))
    parts = [
        f"# Two runs, {seeds}",
        markdown_table(Table("How far they agree", NEIGHBOURS, columns, tuple(rows))),
        "## Contradictions",
        "\n".join(_list_contradictions(pairs)) or "None.",
        "## Decided in one run only",
        "\n".join(_list_open(pairs)) or "None.",
    ]
    return "\n\n".join(parts) + "\n"


def _list_contradictions(pairs: list[Pair]) -> Iterator[str]:
    for each in pairs:
        if each.agreement == "contradiction":
            seen = " against ".join(map(_describe, (each.first, each.second)))
            yield f'- **{each.name}** ("{each.first.text}"): {seen}; {explain_contradiction(each)}.'


def _list_open(pairs: list[Pair]) -> Iterator[str]:
    for each in pairs:
        if each.agreement == "one inconclusive":
            yield f"- {each.name}: {' against '.join(map(_describe, (each.first, each.second)))}"


def _describe(judgement: Judgement) -> str:
    """Return a verdict with what it rests on, as in ``confirmed (2.1x [2.0x, 2.2x])``."""
    word = word_for(judgement.verdict)
    if judgement.level_seen is not None:
        low, high = judgement.level_seen
        return f"{word} ({100 * low:.3g} to {100 * high:.3g} %)"
    if judgement.speedup is None or judgement.interval is None:
        return word
    low, high = judgement.interval
    return f"{word} ({judgement.speedup:.3g}x [{low:.3g}x, {high:.3g}x])"
