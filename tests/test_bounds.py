"""Do order statistics enclose a median as often as they say, at every look and over all looks together?"""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_bench.harness.statistics.bounds import LOOKS, choose_rank, find_bounds, find_error, tail

KNOWN = {6: (1, 0.96875), 10: (2, 0.978515625), 16: (3, 0.995819091796875)}


@pytest.mark.parametrize(("number", "expected"), KNOWN.items())
def test_at_a_look_the_bounds_are_those_of_the_tables(number, expected):
    rank, level = expected
    values = [float(value) for value in range(number)]
    random.Random(1).shuffle(values)
    assert find_bounds(values, values, 0.05) == (rank - 1, number - rank, level)


def test_all_looks_together_err_in_less_than_five_percent_and_a_rank_more_would_err_in_more():
    ranks = [choose_rank(look, 0.05) for look in LOOKS]
    assert find_error(LOOKS, ranks) <= 0.05
    assert find_error(LOOKS, [*ranks[:-1], ranks[-1] + 1]) > 0.05
    assert find_error(LOOKS[:2], [ranks[0], ranks[1] + 1]) > 0.05


def test_the_error_of_one_look_is_that_of_the_binomial_distribution():
    for number, rank in ((5, 1), (12, 3), (16, 4)):
        assert find_error([number], [rank]) == pytest.approx(2 * tail(number, rank))


def test_simulated_readings_miss_the_median_as_often_as_computed():
    rng, trials, missed = random.Random(7), 20_000, 0
    ranks = [choose_rank(look, 0.05) for look in LOOKS]
    for _ in range(trials):
        below = [rng.random() < 0.5 for _ in range(LOOKS[-1])]
        missed += any(
            sum(below[:look]) < rank or look - sum(below[:look]) < rank for look, rank in zip(LOOKS, ranks, strict=True)
        )
    expected = find_error(LOOKS, ranks)
    assert abs(missed / trials - expected) < 5 * math.sqrt(expected / trials)


@given(st.integers(1, 40), st.floats(1e-6, 0.4))
def test_the_level_is_the_one_asked_for_or_that_of_the_whole_range(number, error):
    values = list(range(number))
    found = find_bounds(values, values, error)
    assert found.level >= 1 - error or (found.low, found.high) == (0, number - 1)


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(0, 1)), min_size=1, max_size=20))
def test_wider_ends_never_make_narrower_bounds(values):
    points = [value for value, _ in values]
    wide = find_bounds([v - w for v, w in values], [v + w for v, w in values], 0.05)
    narrow = find_bounds(points, points, 0.05)
    assert wide.low <= narrow.low <= narrow.high <= wide.high
