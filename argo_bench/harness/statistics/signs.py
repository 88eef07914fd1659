"""Tests whether a median is beyond an edge, exactly and with looks: it counts on which side of the edge the values lie.

This rule judged the gates of earlier versions, whose records are verified by it. Nothing is assumed but independent
values (Conover 1999, "Practical Nonparametric Statistics", chapter 3).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from statistics import median
from typing import NamedTuple

LOOKS = (16, 24, 40, 64)
"""A test may be decided at these numbers of replicates: many short ones, since processes differ more than blocks do."""
ERROR = 0.05


class Middle(NamedTuple):
    """Holds a median or a mean with the bounds that a test gives; no bounds where there are too few values."""

    middle: float
    low: float | None
    high: float | None
    replicates: int


def tail(number: int, beyond: int) -> float:
    """Return P(at least ``beyond`` of ``number`` values lie on one side of the true median)."""
    ways: int = sum(math.comb(number, count) for count in range(beyond, number + 1))
    return ways / float(2**number)


@cache
def critical(number: int, nominal: float) -> int | None:
    """Return the fewest of ``number`` values on one side that are as improbable as ``nominal``, or None."""
    return next((count for count in range(number // 2, number + 1) if tail(number, count) <= nominal), None)


@cache
def nominal_error(overall: float, looks: tuple[int, ...] = LOOKS) -> float:
    """Return the one-sided error of each look that keeps the error of all looks together at ``overall``.

    It is exact to a thousandth: the distribution of the count is computed over all paths that no look has stopped.
    """
    low, high = overall / len(looks), overall
    while high - low > 1e-3 * low:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if _error_of_any(middle, looks) <= overall else (low, middle)
    return low


def _error_of_any(nominal: float, looks: Sequence[int]) -> float:
    """Return the probability, at the true median, that some look finds a critical number of values on one side."""
    paths, stopped = [1.0], 0.0
    for number in range(1, looks[-1] + 1):
        paths = [0.5 * (here + before) for here, before in zip([*paths, 0.0], [0.0, *paths], strict=True)]
        if number in looks and (limit := critical(number, nominal)) is not None:
            stopped += math.fsum(paths[limit:])
            paths[limit:] = [0.0] * (len(paths) - limit)
    return stopped


def median_of(values: Sequence[float], nominal: float) -> Middle:
    """Return the median and the bounds of its interval, which exclude an edge exactly where the test does."""
    ordered = sorted(values)
    if (limit := critical(len(ordered), nominal)) is None:
        return Middle(median(ordered), None, None, len(ordered))
    return Middle(median(ordered), ordered[-limit], ordered[limit - 1], len(ordered))


def find_beyond(values: Mapping[str, Sequence[float]], edges: Mapping[str, float], error: float = ERROR) -> list[str]:
    """Return the names whose median lies above its edge; ``error`` is the chance of naming any whose median does not.

    Holm (1979): the smallest p is tested against ``error`` / m of m names, the next against ``error`` / (m - 1), until
    one does not pass. Each is spent over all looks.
    """
    ranked = sorted((tail(len(of), sum(each > edges[name] for each in of)), name) for name, of in values.items())
    found: list[str] = []
    for rank, (p, name) in enumerate(ranked):
        if p > nominal_error(error / (len(ranked) - rank)):
            break
        found.append(name)
    return found
