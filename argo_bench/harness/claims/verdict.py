"""Turns a claim and an interval into a verdict.

The whole interval of lambda = ln(baseline / candidate) must lie in one region, or in two neighbours that have a word
together (``TOGETHER``); otherwise nothing is said (``inconclusive`` is not ``equal``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from argo_bench.harness.claims.claim import EPSILON, Claim
from argo_bench.harness.statistics.estimate import Estimate

Word = Literal[
    "confirmed",
    "exceeded",
    "confirmed, at least low",
    "fell short",
    "fell short or worse",
    "refuted",
    "faster",
    "no difference",
    "slower",
    "inconclusive",
    "void",
    "untested",
    "failed",
]
State = Literal[
    "worse",
    "more memory",
    "more counted",
    "fine",
    "better",
    "cannot tell",
    "cannot run",
    "accepted",
    "differs",
    "failed",
    "new",
    "removed",
    "not measured",
]
"""A gate says one of these of a benchmark. ``differs``: the two do not compute the same. ``new``: the base has nothing
to compare with, ``removed``: the head has not. ``cannot run``: both sides fail, or what they need is not there. ``more
counted``: a count of the benchmark's own grew, such as requests. ``accepted``: it takes more, within a bound that the
repository acknowledges. ``not measured``: no time was left."""
Region = Literal["refuted", "fell short", "confirmed", "exceeded"]

SHOWN: Mapping[Word | State, str] = {
    "confirmed, at least low": "at least as claimed",
    "fell short or worse": "below the claim",
    "void": "output differs",
    "differs": "output differs",
    "untested": "not measured",
    "cannot tell": "inconclusive",
    "fine": "not worse",
    "more counted": "count grew",
}
"""What readers see of a stored word that is not shown as it is. A run and a gate say the same in the same word."""


def word_for(stored: Word | State) -> str:
    """Return what readers see of a verdict of a run or of a gate. Records and JSON keep the stored word."""
    return SHOWN.get(stored, stored)


FLOOR_NS = 2.0
"""A difference of fewer nanoseconds a call comes from where code happens to lie: identical functions of 30 ns are up to
6 % apart."""
FLOORED = frozenset({"trimmed-mean"})
"""Records by these rules were judged with a floor; by older ones whatever lies on one side of zero is a difference."""
HOLDS: tuple[Word, ...] = ("confirmed", "exceeded", "confirmed, at least low")
"""With these verdicts a claim holds."""
TOGETHER: dict[frozenset[Region], Word] = {
    frozenset({"refuted"}): "refuted",
    frozenset({"fell short"}): "fell short",
    frozenset({"confirmed"}): "confirmed",
    frozenset({"exceeded"}): "exceeded",
    frozenset({"confirmed", "exceeded"}): "confirmed, at least low",
    frozenset({"refuted", "fell short"}): "fell short or worse",
}


def floor_of(reference_ns: float) -> float:
    """Return the smallest difference of ln that matters where a call of the reference takes so many nanoseconds.

    It is 1 %, or 2 ns a call where that is more.
    """
    return max(EPSILON, math.log1p(FLOOR_NS / reference_ns))


def judge(claim: Claim, interval: Estimate, floor: float | None = None) -> Word:
    """Return the verdict that an interval supports; without an interval (one replicate) it is ``inconclusive``.

    Where nothing was claimed, a difference must be estimated at ``floor`` or more to be called one, as ln; None stands
    for the rule of before, by which the whole interval on one side of zero is enough. Raises ValueError for claims
    about a level, which are judged on exact counts by ``judge_level``.
    """
    if claim.kind == "level":
        raise ValueError(f"{claim.id} is about a level; judge_level takes its counts")
    if interval.low is None or interval.high is None:
        return "inconclusive"
    if claim.kind == "difference":
        return _judge_difference(-interval.high, -interval.low, -interval.theta, floor)
    low, high = claim.region()
    return TOGETHER.get(frozenset(find_regions(-interval.high, -interval.low, low, high)), "inconclusive")


def _judge_difference(lower: float, upper: float, point: float, floor: float | None) -> Word:
    """Judge lambda in [lower, upper] where nothing was claimed: which arm is faster, if it matters at all."""
    same = EPSILON if floor is None else floor
    if lower >= -same and upper <= same:
        return "no difference"
    if abs(point) < (floor or 0.0):
        return "inconclusive"
    return "faster" if lower > 0 else "slower" if upper < 0 else "inconclusive"


def find_regions(lower: float, upper: float, low: float, high: float) -> list[Region]:
    """Return the regions that the interval [lower, upper] of lambda touches, for a claimed range [low, high].

    The edges belong as the table of verdicts says: refuted up to EPSILON, then fell short below ``low``, confirmed from
    ``low`` to ``high``, exceeded above.
    """
    touched: list[Region] = []
    if lower <= EPSILON:
        touched.append("refuted")
    if low > EPSILON and upper > EPSILON and lower < low:
        touched.append("fell short")
    if lower <= high and upper >= low and upper > EPSILON:
        touched.append("confirmed")
    if upper > high:
        touched.append("exceeded")
    return touched


def do_contradict(first: Word, second: Word) -> bool:
    """Say whether two verdicts on one claim cannot both be right: their intervals lie in regions apart."""
    if "inconclusive" in (first, second):
        return False
    regions = {word: names for names, word in TOGETHER.items()}
    if first in regions and second in regions:
        return not regions[first] & regions[second]
    return first != second


def is_worse(interval: Estimate, floor: float | None = None) -> bool:
    """Say whether the whole interval lies on the wrong side of practical zero: slower, not merely no faster."""
    return interval.low is not None and interval.low > (floor or EPSILON)


def judge_level(claim: Claim, values: Sequence[float]) -> Word:
    """Return the verdict on exact counts, one per seed: all seeds lie in one region, or it is ``inconclusive``."""
    low, high = claim.region()
    words = {"fell short" if value < low else "exceeded" if value > high else "confirmed" for value in values}
    word: Word = words.pop() if len(words) == 1 else "inconclusive"  # type: ignore[assignment]
    return word
