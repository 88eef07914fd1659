"""Turns blocks into an estimate: a trimmed mean inside each process, Student's t over the processes.

The process is the unit of replication, so that correlation inside a process cannot make an interval too short.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from statistics import fmean

import msgspec

LARGEST_LOG = 690.0
TRIM = 0.4
"""This share is cut from each end: the mean is then as robust as the median at a little less variance."""


class Estimate(msgspec.Struct, frozen=True):
    """Holds theta = E[ln candidate - ln baseline] with its confidence interval.

    ``low`` and ``high`` are None below two replicates. ``deviation`` is the standard deviation of the replicates'
    values.
    """

    theta: float
    low: float | None
    high: float | None
    level: float
    replicates: int
    deviation: float | None

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


def estimate(values: Sequence[float], level: float) -> Estimate:
    """Return the mean of one value per replicate, with a t interval at a confidence level such as 0.95.

    Raises ValueError for no values or values that are not finite.
    """
    if not values or not all(map(math.isfinite, values)):
        raise ValueError(f"expected at least one finite value per estimate, got {list(values)!r}")
    n = len(values)
    mean = math.fsum(values) / n
    if n == 1:
        return Estimate(mean, None, None, level, 1, None)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    half = student_t((1 + level) / 2, n - 1) * deviation / math.sqrt(n)
    return Estimate(mean, mean - half, mean + half, level, n, deviation)


def block_difference(order: str, values: Sequence[float]) -> float:
    """Return mean ln of the candidate's samples minus mean ln of the baseline's.

    ``order`` is ABBA or BAAB, where A is the baseline.
    """
    logs = [math.log(value) for value in values]
    return fmean(x for x, arm in zip(logs, order, strict=True) if arm == "B") - fmean(
        x for x, arm in zip(logs, order, strict=True) if arm == "A"
    )


def compute_trimmed_mean(values: Sequence[float], share: float = TRIM) -> float:
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
