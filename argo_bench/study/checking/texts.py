"""Reads what an explanation says, so that two texts may differ in their wording and in nothing else."""

from __future__ import annotations

import re
from typing import NamedTuple

NUMBER = re.compile(r"(?<![\w.,])[-+]?\d+(?:[.,]\d+)*(?:e[-+]?\d+)?(?!\w)", re.IGNORECASE)
NAME = re.compile(r"\b[A-Z][A-Z0-9]+(?:[-.][A-Z0-9]+)*\b")
"""Matches a word in capitals: a symbol, a direction or a regime."""
NEGATION = re.compile(r"\b(?:not|no|never|without|against|nor)\b|n't\b", re.IGNORECASE)


class Facts(NamedTuple):
    """Holds what a text says besides its wording.

    ``names`` are its words in capitals and ``figures`` its numbers, both in their order. ``negations`` is how often it
    says no, and ``is_whole`` whether it ends where a sentence ends.
    """

    names: tuple[str, ...]
    figures: tuple[float, ...]
    negations: int
    is_whole: bool


def read_facts(text: str) -> Facts:
    """Read the symbol, the direction, the regime and the figures of a text."""
    names = tuple(NAME.findall(text))
    figures = tuple(float(each.replace(",", "")) for each in NUMBER.findall(NAME.sub(" ", text)))
    return Facts(names, figures, len(NEGATION.findall(text)), text.rstrip().endswith((".", "!", "?")))


def describe_facts(before: str, after: str) -> str | None:
    """Say in which of their facts two texts differ; None where they differ in their wording at most."""
    left, right = read_facts(before), read_facts(after)
    if left.figures != right.figures:
        return "figures of a text"
    if left.names != right.names:
        return "symbol, direction or regime of a text"
    if left != right:
        return "sense of a text"
    return None
