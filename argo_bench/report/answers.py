"""Sorts verdicts into the few answers that a picture tells apart by colour."""

from __future__ import annotations

from typing import NamedTuple

from argo_bench.harness.claims.verdict import HOLDS, Word
from argo_bench.harness.record.records import Judgement


class Answer(NamedTuple):
    """Says in a picture's words what became of a claim; ``hue`` is a name of OKABE_ITO's."""

    name: str
    hue: str
    words: tuple[Word, ...] = ()


ANSWERS = (
    Answer("reached", "bluish green", HOLDS),
    Answer("short of the claim", "orange", ("fell short", "fell short or worse")),
    Answer("worse, or no gain", "vermillion", ("refuted",)),
    Answer("faster", "bluish green", ("faster",)),
    Answer("no difference", "black", ("no difference",)),
    Answer("slower", "vermillion", ("slower",)),
)
"""A legend lists them in this order."""
UNDECIDED = Answer("undecided", "grey", ())
"""Whatever else is said of a claim does not answer it."""


def find_answer(judgement: Judgement, *, is_dependent: bool = False) -> Answer:
    """Return what a verdict answers; one that depends on the reference decides nothing."""
    if is_dependent:
        return UNDECIDED
    return next((each for each in ANSWERS if judgement.verdict in each.words), UNDECIDED)
