"""Lists what may be held against a user's function, each with what follows and with the way out.

The list is closed: a comparison that is refused or remarked upon names one of these causes in its sentence. This file
uses the standard library alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

Cause = Literal[
    "two results",
    "changes its input",
    "returns its input",
    "repeats an answer",
    "leaves a task",
    "leaves a thread",
    "leaves a child process",
    "goes on computing",
    "replaces a clock",
    "changes a setting",
    "was made before",
    "remembers",
    "computes when read",
    "lowers precision",
    "some calls are dear",
    "first call is dear",
    "several processors",
    "clock is unknown",
]
Outcome = Literal["void", "refused", "remarked"]
"""``void``: its output or its work is not the other's. ``refused``: the outputs agree, yet the times would compare
different things, and no ratio is given. ``remarked``: the ratio stands, with a sentence beside it."""


class Rule(NamedTuple):
    """Says what follows from a cause.

    ``is_fair`` says that nothing follows where it holds of both functions. ``way_out`` ends the sentence.
    """

    outcome: Outcome
    is_fair: bool
    way_out: str


RULES: Mapping[Cause, Rule] = {
    "two results": Rule(
        "void", False, "a function that changes its input needs a fresh setup for every call (fresh=True)"
    ),
    "changes its input": Rule("void", False, "give every call a fresh setup (fresh=True)"),
    "returns its input": Rule("void", True, "give every call a fresh setup (fresh=True), or have it return a copy"),
    "repeats an answer": Rule("void", False, "have it remember by the values of its input"),
    "leaves a task": Rule("void", False, "have the function wait for what it begins"),
    "leaves a thread": Rule("void", False, "have the function wait for what it begins"),
    "leaves a child process": Rule("void", False, "have the function wait for what it begins"),
    "goes on computing": Rule("void", False, "have the function wait for what it begins"),
    "replaces a clock": Rule("refused", True, "have the function put it back before it returns"),
    "changes a setting": Rule("refused", True, "have the function put it back, or have setup change it for both"),
    "was made before": Rule("refused", True, "have the function make it, or have setup make it for both"),
    "remembers": Rule(
        "refused", True, "empty what it remembers in setup and give every call a fresh setup (fresh=True)"
    ),
    "computes when read": Rule("refused", True, "return a list or an array"),
    "lowers precision": Rule("refused", True, "pass a check of your own (check=) if that is precise enough"),
    "some calls are dear": Rule(
        "refused", True, "have the function do the work of so many calls, since the time of a usual one is no mean"
    ),
    "first call is dear": Rule("remarked", False, "it may compile, import or remember, which cannot be told"),
    "several processors": Rule(
        "remarked", True, "both functions were timed on all processors, by wall time unless a metric is named"
    ),
    "clock is unknown": Rule("remarked", True, "both functions were timed by wall time; name a metric to choose"),
}
"""What is held against a function, the gravest first: one cause is named. A test holds the keys to ``Cause``."""


class Suspicion(NamedTuple):
    """Holds a cause and what was seen, as what follows the function's name in a sentence."""

    cause: Cause
    seen: str


def say_times(ratio: float) -> str:
    """Write a ratio for a sentence: ``2.3 times``, ``5,800 times``."""
    return f"{ratio:,.0f} times" if ratio >= 10 else f"{ratio:.2g} times"


def rank(cause: Cause) -> int:
    """Return the place of a cause in the list: the gravest has the lowest."""
    return get_args(Cause).index(cause)
