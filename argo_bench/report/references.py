"""Finds the claims whose verdict depends on what a variant is compared with.

A document says "faster" and leaves open than what. Where a sentence is judged against several references on one
workload and holds against one of them alone, no single word is an answer: such rows say so, and a title counts them
apart.
"""

from __future__ import annotations

from collections.abc import Sequence

from argo_bench.harness.claims.verdict import HOLDS, Word
from argo_bench.harness.record.records import Judgement

DEPENDS = "depends on the reference"
OPEN: tuple[Word, ...] = ("inconclusive", "untested", "failed", "void")
"""These words say nothing of whether a claim holds."""


def find_dependent(judgements: Sequence[Judgement]) -> set[tuple[str, str]]:
    """Return the claims, each with its arm, that hold against one reference and not against another.

    They are readings of one sentence on one workload and by one metric, which differ in nothing but their reference. A
    workload of the same inputs with further arms to compare with has the name of the first one with an addition.
    """
    workloads = {(each.optimization, each.comparison.workload) for each in judgements}
    groups: dict[tuple[object, ...], list[Judgement]] = {}
    for each in judgements:
        at = each.comparison
        own = [name for of, name in workloads if of == each.optimization and f"{at.workload},".startswith(f"{name},")]
        same = each.optimization, each.text, each.arm, each.metric, min(own, key=len), at.scale
        groups.setdefault(same, []).append(each)
    return {(each.claim, each.arm) for group in groups.values() if _disagree(group) for each in group}


def _disagree(group: Sequence[Judgement]) -> bool:
    decided = [each for each in group if each.verdict not in OPEN]
    holding = {each.comparison.reference for each in decided if each.verdict in HOLDS}
    missing = {each.comparison.reference for each in decided if each.verdict not in HOLDS}
    return bool(holding - missing) and bool(missing - holding)
