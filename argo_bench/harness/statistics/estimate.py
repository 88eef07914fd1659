"""Turns blocks into an estimate: a trimmed mean inside each pair of processes, and another one over the pairs.

The pair is the unit of replication, so that correlation inside a process cannot make an interval too short. One process
in six to ten is slow from begin to end on a shared machine, by a few percent or several times; what such a process says
is cut off at either end and not weighed. The README beside this file has the figures by which the rule was chosen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from statistics import fmean
from typing import Literal

import msgspec

LARGEST_LOG = 690.0
BLOCK_TRIM = 0.4
"""This share of a replicate's blocks is cut from each end: their mean is then as robust as their median."""
TRIM = 0.25
"""This share of the replicates is cut from each end."""
FEWEST_TRIMMED, MOST_CONFIDENT, FEWEST_KEPT = 10, 0.99, 4
"""Below so many replicates nothing is cut above this level, nor where fewer than FEWEST_KEPT would be left."""
TRIMMED_VARIANCE = 1.19
"""The 25 % trimmed mean of normal values has this multiple of the variance of their mean."""
Rule = Literal["student-t", "trimmed-mean"]
CURRENT: Rule = "trimmed-mean"
RETIRED: Rule = "student-t"
"""This rule judged the runs of earlier versions, whose records are verified by it."""


class Estimate(msgspec.Struct, frozen=True):
    """Holds theta = E[ln candidate - ln baseline] with its confidence interval.

    ``low`` and ``high`` are None below two replicates. ``deviation`` is the standard deviation of the replicates'
    values or, where some were cut off, the winsorized one. The standard error is ``deviation`` over the root of the
    values that were kept: ``kept``, or all of them where it is None.
    """

    theta: float
    low: float | None
    high: float | None
    level: float
    replicates: int
    deviation: float | None
    kept: int | None = None

    @property
    def degrees(self) -> int:
        """Return the degrees of freedom of the interval."""
        return (self.kept or self.replicates) - 1

    @property
    def error(self) -> float | None:
        """Return the standard error of ``theta``."""
        return None if self.deviation is None else self.deviation / math.sqrt(self.degrees + 1)

    @property
    def spread(self) -> float | None:
        """Return the standard deviation that normal values with this error would have, cut or not."""
        if self.error is None:
            return None
        return self.error * math.sqrt(self.replicates / (TRIMMED_VARIANCE if self.kept else 1.0))

    @property
    def speedup(self) -> float:
        """Return baseline / candidate; above 1 the candidate is better."""
        return ratio_of(-self.theta)

    @property
    def speedup_interval(self) -> tuple[float, float] | None:
        if self.low is None or self.high is None:
            return None
        return ratio_of(-self.high), ratio_of(-self.low)


def ratio_of(log: float) -> float:
    """Return the ratio with this logarithm; beyond 1e299 and its inverse, where floats end, the last that there is."""
    return math.exp(max(-LARGEST_LOG, min(LARGEST_LOG, log)))


def is_unbounded(ratio: float) -> bool:
    """Say whether a bound of a ratio stands for none."""
    return ratio >= ratio_of(LARGEST_LOG)


def estimate(values: Sequence[float], level: float, rule: Rule = CURRENT) -> Estimate:
    """Return the 25 % trimmed mean of one value per replicate, with its interval at a confidence level such as 0.95.

    The interval is that of Tukey and McLaughlin (1963): the winsorized sum of squares gives the error, and Student's t
    with as many degrees of freedom as values were kept, less one, the bounds. With too few values for trimming (see
    ``count_cut``) both are those of Student's t, and so they are by the rule ``student-t``. On normal values an
    interval at 95 % holds in 94 % of cases; the levels of looks make up for that. Raises ValueError for no values or
    values that are not finite.
    """
    if not values or not all(map(math.isfinite, values)):
        raise ValueError(f"expected at least one finite value per estimate, got {list(values)!r}")
    n = len(values)
    cut = count_cut(n, level) if rule == CURRENT else 0
    kept = sorted(values)[cut : n - cut]
    mean = math.fsum(kept) / len(kept)
    if n == 1:
        return Estimate(mean, None, None, level, 1, None)
    winsorized = [min(max(value, kept[0]), kept[-1]) for value in values]
    middle = math.fsum(winsorized) / n
    deviation = math.sqrt(math.fsum((value - middle) ** 2 for value in winsorized) / (len(kept) - 1))
    half = student_t((1 + level) / 2, len(kept) - 1) * deviation / math.sqrt(len(kept))
    return Estimate(mean, mean - half, mean + half, level, n, deviation, len(kept) if cut else None)


def count_cut(replicates: int, level: float) -> int:
    """Return how many values are cut from each end: a quarter, or none where too few would be left for the level."""
    cut = int(TRIM * replicates)
    is_enough = replicates >= FEWEST_TRIMMED or (level <= MOST_CONFIDENT and replicates - 2 * cut >= FEWEST_KEPT)
    return cut if is_enough else 0


def block_difference(order: str, values: Sequence[float]) -> float:
    """Return mean ln of the candidate's samples minus mean ln of the baseline's.

    ``order`` is ABBA or BAAB, where A is the baseline.
    """
    logs = [math.log(value) for value in values]
    return fmean(x for x, arm in zip(logs, order, strict=True) if arm == "B") - fmean(
        x for x, arm in zip(logs, order, strict=True) if arm == "A"
    )


def compute_trimmed_mean(values: Sequence[float], share: float = BLOCK_TRIM) -> float:
    """Return the mean of what is left when ``share`` is cut from each end (always at least the middle one or two)."""
    ordered = sorted(values)
    cut = min(int(share * len(ordered)), (len(ordered) - 1) // 2)
    kept = ordered[cut : len(ordered) - cut]
    return math.fsum(kept) / len(kept)


@cache
def student_t(probability: float, degrees: int) -> float:
    """Return a quantile of Student's t for whole degrees of freedom, by bisection of its distribution function.

    P(|T| < t) is the finite trigonometric sum of Abramowitz and Stegun, 26.7.3 and 26.7.4. Raises ValueError unless 0 <
    probability < 1 and degrees >= 1.
    """
    if not (0 < probability < 1 and degrees >= 1):
        raise ValueError(f"expected 0 < probability < 1 and degrees >= 1, got {probability!r} and {degrees!r}")
    if probability < 0.5:
        return -student_t(1 - probability, degrees)
    central = 2 * probability - 1
    low, high = 0.0, 1.0
    while _within(high, degrees) < central:
        high *= 2
    while high - low > 1e-14 * high:
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if _within(middle, degrees) < central else (low, middle)
    return (low + high) / 2


def _within(t: float, degrees: int) -> float:
    """Return P(|T| < t)."""
    angle = math.atan(t / math.sqrt(degrees))
    sine, squared = math.sin(angle), math.cos(angle) ** 2
    odd = degrees % 2
    term = math.cos(angle) if odd else 1.0
    total = term if degrees > 1 else 0.0
    for k in range(3 if odd else 2, degrees - 1, 2):
        term *= squared * (k - 1) / k
        total += term
    return 2 / math.pi * (angle + sine * total) if odd else sine * total
