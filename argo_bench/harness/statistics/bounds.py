"""Bounds a median by order statistics, with an exact level and without assuming anything of the distribution.

Of n independent values the r-th smallest and the r-th largest enclose the median with probability 1 - 2 P(B < r), where
B counts the values below the median and has the binomial distribution of n and 1/2 (Conover 1999, "Practical
Nonparametric Statistics", section 3.2; David and Nagaraja 2003, "Order Statistics", section 7.1). Six values enclose
it with 96.9 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

LOOKS = (6, 10, 16)
"""Readings may end at these numbers; with the ranks of ``choose_rank`` all three together err in less than 5 %."""


class Bounds(NamedTuple):
    """Holds what encloses a median, and the exact probability that it does."""

    low: float
    high: float
    level: float


def find_bounds(lows: Sequence[float], highs: Sequence[float], error: float) -> Bounds:
    """Enclose the median of values each of which is known to lie between a low and a high end.

    The level is 1 - ``error`` or more where so many values can give it, and otherwise the most that they give.
    """
    rank = choose_rank(len(lows), error)
    return Bounds(sorted(lows)[rank - 1], sorted(highs)[-rank], 1 - 2 * tail(len(lows), rank))


def choose_rank(number: int, error: float) -> int:
    """Return the largest rank at which the bounds err in no more than ``error``; 1 where there is none.

    At one of the LOOKS, the errors of those before it count too.
    """
    looks = [*(look for look in LOOKS if look < number), number] if number in LOOKS else [number]
    ranks: list[int] = []
    for look in looks:
        able = (rank for rank in range(look // 2, 1, -1) if find_error(looks, [*ranks, rank]) <= error)
        ranks.append(next(able, 1))
    return ranks[-1]


def find_error(looks: Sequence[int], ranks: Sequence[int]) -> float:
    """Return the probability that at some look the bounds of its rank miss the median.

    The number of values below the median is followed over all paths that no look has stopped.
    """
    rank_at = dict(zip(looks, ranks, strict=False))
    paths, missed = [1.0], 0.0
    for number in range(1, max(rank_at) + 1):
        paths = [0.5 * (here + before) for here, before in zip([*paths, 0.0], [0.0, *paths], strict=True)]
        if (rank := rank_at.get(number)) is not None:
            missed += math.fsum(paths[:rank]) + math.fsum(paths[-rank:])
            paths[:rank] = paths[-rank:] = [0.0] * rank
    return missed


def tail(number: int, rank: int) -> float:
    """Return the probability that fewer than ``rank`` of ``number`` values lie below the median."""
    return math.fsum(math.comb(number, below) for below in range(rank)) / 2.0**number
