"""Draws the order of every block from facts that a record holds, so that anyone can draw it again and compare."""

from __future__ import annotations

import random
from typing import Literal

import msgspec

from argo_bench.harness.record.records import Comparison

Order = Literal["ABBA", "BAAB"]
REFERENCE = 0.5
"""The reference's turn in a block stands here, among the keys of the candidates."""


def draw_key(seed: int, comparison: Comparison, block: int) -> float:
    """Return where in a block the candidate's turn stands, within [0, 1); turns are taken in the order of their keys.

    The replicate's ``seed``, the comparison and the number of the block say it, and nothing else.
    """
    return random.Random("|".join(map(str, (seed, *msgspec.structs.astuple(comparison), block)))).random()


def draw_order(seed: int, comparison: Comparison, block: int) -> Order:
    """Return the order of a block: ABBA where the reference's turn comes before the candidate's."""
    return "ABBA" if draw_key(seed, comparison, block) > REFERENCE else "BAAB"
