"""Is a median beyond an edge? An exact sign test, with looks: it counts on which side of the edge the values lie.

Of processes on a shared machine one in ten is slow from begin to end, by chance and by up to several times: means and
their t intervals would need hundreds of replicates, counts do not care how far off a value is. Nothing is assumed but
independent values (Conover 1999, "Practical Nonparametric Statistics", chapter 3).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from statistics import median
from typing import NamedTuple

LOOKS = (16, 24, 40, 64)
"""Numbers of replicates at which may be decided: many short ones, since processes differ more than their blocks do."""
ERROR = 0.05


class Median(NamedTuple):
    """A median with the interval that the test at ``nominal`` gives; no bounds where there are too few values."""

    middle: float
    low: float | None
    high: float | None
    replicates: int


def tail(number: int, beyond: int) -> float:
    """P(at least ``beyond`` of ``number`` values on one side of the true median)."""
    ways: int = sum(math.comb(number, count) for count in range(beyond, number + 1))
    return ways / float(2**number)


@cache
def critical(number: int, nominal: float) -> int | None:
    """The fewest of ``number`` values on one side that are as improbable as ``nominal``; None where no number is."""
    return next((count for count in range(number // 2, number + 1) if tail(number, count) <= nominal), None)


@cache
def nominal_error(overall: float, looks: tuple[int, ...] = LOOKS) -> float:
    """The error of each look that keeps the error of all looks together at ``overall``, one-sided.

    Exact, by the distribution of the count over all paths that no look has stopped; to a thousandth.
    """
    low, high = overall / len(looks), overall
    while high - low > 1e-3 * low:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if _error_of_any(middle, looks) <= overall else (low, middle)
    return low


def _error_of_any(nominal: float, looks: Sequence[int]) -> float:
    """The probability that some look finds as many values on one side as are critical there, at the true median."""
    paths, stopped = [1.0], 0.0
    for number in range(1, looks[-1] + 1):
        paths = [0.5 * (here + before) for here, before in zip([*paths, 0.0], [0.0, *paths], strict=True)]
        if number in looks and (limit := critical(number, nominal)) is not None:
            stopped += math.fsum(paths[limit:])
            paths[limit:] = [0.0] * (len(paths) - limit)
    return stopped


def median_of(values: Sequence[float], nominal: float) -> Median:
    """The median and the values between which it lies: beyond an edge exactly where the test finds it there."""
    ordered = sorted(values)
    if (limit := critical(len(ordered), nominal)) is None:
        return Median(median(ordered), None, None, len(ordered))
    return Median(median(ordered), ordered[-limit], ordered[limit - 1], len(ordered))


def beyond(values: Mapping[str, Sequence[float]], edges: Mapping[str, float], error: float = ERROR) -> list[str]:
    """The names whose median lies above its edge, with the chance of naming any that does not held at ``error``.

    Holm (1979): the smallest p against ``error`` over all m, the next against m - 1, until one does not pass; ``error``
    is spent over all looks.
    """
    ranked = sorted((tail(len(of), sum(each > edges[name] for each in of)), name) for name, of in values.items())
    found: list[str] = []
    for rank, (p, name) in enumerate(ranked):
        if p > nominal_error(error / (len(ranked) - rank)):
            break
        found.append(name)
    return found
