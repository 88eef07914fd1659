"""Reads what an explanation says, so that two texts may differ in their wording and in nothing else."""

from __future__ import annotations

import re
from typing import NamedTuple

NUMBER = re.compile(r"(?<![\w.,])[-+]?\d+(?:[.,]\d+)*(?:e[-+]?\d+)?(?!\w)", re.IGNORECASE)
NAME = re.compile(r"\b[A-Z][A-Z0-9]+(?:[-.][A-Z0-9]+)*\b")
"""Matches a word in capitals: a symbol, a direction or a regime."""
NEGATION = re.compile(r"\b(?:not|no|never|without|against|nor)\b|n't\b", re.IGNORECASE)


TEMPLATE = re.compile(
    r"(?P<direction>LONG|SHORT|NEUTRAL) (?P<symbol>\S+) at (?P<entry>\S+), stop (?P<stop>\S+), target (?P<target>\S+), "
    r"confidence (?P<confidence>\S+) \((?P<regime>[A-Z]+)\)\."
)
"""Matches the template that stands where the model has not answered: ``template`` of the baseline's reason stage."""


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


def is_template(text: str) -> bool:
    """Say whether a text is the template that stands in for the model's words."""
    return TEMPLATE.fullmatch(text) is not None


def describe_template(before: str, after: str) -> str | None:
    """Say in which facts a template differs from the model's text; None where it says the same in its own order.

    A model tells the figures in its own order, so that they are compared as a collection. Which is which is seen from
    their sizes: the entry lies between the stop and the target, on the side that the direction says.
    """
    told = TEMPLATE.fullmatch(after)
    if told is None or sorted(read_facts(before).figures) != sorted(read_facts(after).figures):
        return "figures of a text"
    if set(read_facts(before).names) != set(read_facts(after).names):
        return "symbol, direction or regime of a text"
    stop, entry, target = (float(told[name]) for name in ("stop", "entry", "target"))
    if (told["direction"] == "LONG" and not stop <= entry <= target) or (
        told["direction"] == "SHORT" and not stop >= entry >= target
    ):
        return "figures of a text"
    return None
