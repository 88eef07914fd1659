"""Says which of several changes lie beyond an edge, such as a tolerance, by the rule of the estimate and its looks.

The chance of naming any that does not lie there is held over all of them and over all looks together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from argo_bench.harness.statistics import signs
from argo_bench.harness.statistics.estimate import CURRENT, estimate
from argo_bench.harness.statistics.looks import LOOKS, nominal_error
from argo_bench.harness.statistics.signs import ERROR, Middle


class EdgeTest(NamedTuple):
    """Holds a test with its looks.

    ``make_interval`` takes values and a one-sided error over all looks; ``find_beyond`` takes values and edges by name
    and the error for all names.
    """

    looks: tuple[int, ...]
    make_interval: Callable[[Sequence[float], float], Middle]
    find_beyond: Callable[[Mapping[str, Sequence[float]], Mapping[str, float], float], list[str]]


def make_interval(values: Sequence[float], error: float) -> Middle:
    """Return the estimate with bounds of which each is wrong with the chance ``error``, over all looks.

    Raises ValueError where there are no values.
    """
    found = estimate(values, 1 - nominal_error(2 * error, LOOKS, CURRENT), CURRENT)
    return Middle(found.theta, found.low, found.high, found.replicates)


def find_beyond(values: Mapping[str, Sequence[float]], edges: Mapping[str, float], error: float = ERROR) -> list[str]:
    """Return the names whose change lies above its edge; ``error`` is the chance of naming any whose change does not.

    Holm (1979): while one of m names lies beyond its edge at ``error`` / m, it is named, and m - 1 are left.
    """
    found: list[str] = []
    left = [name for name in values if values[name]]
    while left:
        lows = {name: make_interval(values[name], error / len(left)).low for name in left}
        clear = next((name for name, low in lows.items() if low is not None and low > edges[name]), None)
        if clear is None:
            break
        found.append(clear)
        left.remove(clear)
    return found


BY_MEANS = EdgeTest(LOOKS, make_interval, find_beyond)
BY_SIGNS = EdgeTest(
    signs.LOOKS, lambda values, error: signs.median_of(values, signs.nominal_error(error)), signs.find_beyond
)
"""This test judged the gates of earlier versions."""


def choose_test(rule: str) -> EdgeTest:
    """Return the test by which a gate of a rule was judged; records of schemas 1 and 2 name none."""
    return BY_MEANS if rule == CURRENT else BY_SIGNS
