"""Do estimate and interval do what they say, by outside oracles and by coverage?"""

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_bench.harness.statistics.estimate import (
    RETIRED,
    block_difference,
    compute_trimmed_mean,
    count_cut,
    estimate,
    student_t,
)
from argo_bench.harness.statistics.looks import estimate_rows


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 5, 9, 15, 23, 100])
@pytest.mark.parametrize("probability", [0.3, 0.6, 0.9, 0.975, 0.99167, 0.9995])
def test_quantiles_of_students_t_equal_scipys(degrees, probability):
    oracle = pytest.importorskip("scipy.stats").t.ppf(probability, degrees)
    assert math.isclose(student_t(probability, degrees), oracle, rel_tol=1e-10)


def test_quantiles_equal_the_printed_tables():
    assert round(student_t(0.975, 5), 3) == 2.571
    assert round(student_t(0.975, 10), 3) == 2.228
    assert round(student_t(0.995, 1), 3) == 63.657


def test_the_interval_equals_a_hand_worked_case():
    # Values 1 to 5: mean 3, deviation sqrt(2.5), t(0.975, 4) = 2.776445; half-width 2.776445 sqrt(2.5) / sqrt(5).
    found = estimate([1, 2, 3, 4, 5], 0.95, RETIRED)
    assert found.theta == 3
    assert math.isclose(found.high - 3, 2.7764451052 * math.sqrt(2.5 / 5), rel_tol=1e-9)
    assert math.isclose(3 - found.low, found.high - 3, rel_tol=1e-12)


def test_the_interval_of_scipy_is_ours():
    stats = pytest.importorskip("scipy.stats")
    values = [0.1, 0.13, 0.08, 0.11, 0.12, 0.09, 0.105]
    low, high = stats.t.interval(0.99, 6, loc=sum(values) / 7, scale=stats.sem(values))
    found = estimate(values, 0.99, RETIRED)
    assert math.isclose(found.low, low, rel_tol=1e-9)
    assert math.isclose(found.high, high, rel_tol=1e-9)


def test_the_trimmed_interval_equals_a_hand_worked_case():
    # A quarter of eight is cut from each end: 3, 4, 5 and 6 are left, and 3, 3, 3, 4, 5, 6, 6, 6 is winsorized, with
    # squares of 2 (3 (1.5)^2 + 0.5^2) = 14 about 4.5; the error is sqrt(14 / (4 x 3)), t(0.975, 3) = 3.182446.
    found = estimate([1, 2, 3, 4, 5, 6, 7, 800], 0.95)
    assert (found.theta, found.kept, found.degrees) == (4.5, 4, 3)
    assert math.isclose(found.high - 4.5, 3.1824463053 * math.sqrt(14 / 12), rel_tol=1e-9)
    assert math.isclose(found.error, math.sqrt(14 / 12), rel_tol=1e-12)


def test_the_trimmed_interval_of_scipy_is_ours():
    stats = pytest.importorskip("scipy.stats")
    rng = random.Random(5)
    values = [rng.gauss(0.1, 0.02) for _ in range(16)]
    found = estimate(values, 0.95)
    assert math.isclose(found.theta, stats.trim_mean(values, 0.25), rel_tol=1e-12)
    winsorized = stats.mstats.winsorize(np.array(values), limits=(0.25, 0.25))
    assert math.isclose(found.error, math.sqrt(15 * winsorized.var(ddof=1) / (8 * 7)), rel_tol=1e-9)


@pytest.mark.parametrize("number", [5, 6, 10, 24])
def test_many_experiments_at_once_are_estimated_as_one_is(number):
    values = np.random.default_rng(8).standard_normal((20, number))
    means, errors = estimate_rows(values, count_cut(number, 0.95))
    each = [estimate(row.tolist(), 0.95) for row in values]
    assert means == pytest.approx([one.theta for one in each], rel=1e-12)
    assert errors == pytest.approx([one.error for one in each], rel=1e-12)


def test_the_spread_is_that_of_normal_values_whether_some_are_cut_or_not():
    rng = random.Random(4)
    values = [rng.gauss(0, 0.02) for _ in range(4_000)]
    for rule in ("student-t", "trimmed-mean"):
        assert estimate(values, 0.95, rule).spread == pytest.approx(0.02, rel=0.04)


def test_nothing_is_cut_where_too_few_values_would_be_left():
    assert [count_cut(n, 0.95) for n in (2, 3, 4, 5, 6, 10, 16, 24)] == [0, 0, 0, 0, 1, 2, 4, 6]
    assert [count_cut(n, 0.9995) for n in (6, 9, 10, 24)] == [0, 0, 2, 6]


def test_slow_processes_on_either_side_move_the_estimate_by_less_than_the_noise():
    rng = random.Random(2)
    values = [0.03 + rng.gauss(0, 0.01) for _ in range(16)]
    disturbed = [*values[:-3], values[-3] + 1.2, values[-2] - 0.4, values[-1] + 0.3]
    assert abs(estimate(disturbed, 0.95).theta - estimate(values, 0.95).theta) < 0.01
    assert estimate(disturbed, 0.95).low > 0
    assert estimate(disturbed, 0.95, RETIRED).low < 0


def test_one_replicate_gives_an_estimate_without_an_interval():
    found = estimate([0.5], 0.95)
    assert (found.low, found.high, found.deviation, found.speedup_interval) == (None, None, None, None)
    assert math.isclose(found.speedup, math.exp(-0.5))


@pytest.mark.parametrize("values", [[], [0.1, math.nan], [math.inf]])
def test_what_cannot_be_estimated_is_refused(values):
    with pytest.raises(ValueError, match="finite value"):
        estimate(values, 0.95)


def test_95_percent_intervals_cover_the_truth_19_times_in_20():
    rng = random.Random(1)
    experiments = 4_000
    covered = 0
    for _ in range(experiments):
        found = estimate([rng.gauss(0.03, 0.02) for _ in range(10)], 0.95, RETIRED)
        covered += found.low <= 0.03 <= found.high
    assert 0.94 < covered / experiments < 0.96


def test_a_trimmed_mean_of_40_percent_ignores_two_wild_values_of_five_and_more():
    assert compute_trimmed_mean([1.0, 2.0, 3.0, 1e9, -1e9]) == 2.0
    assert compute_trimmed_mean([5.0]) == 5.0
    assert compute_trimmed_mean([1.0, 3.0]) == 2.0
    assert compute_trimmed_mean([1.0, 2.0, 3.0, 100.0]) == 2.5


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
def test_a_trimmed_mean_lies_within_the_values(values):
    found = compute_trimmed_mean(values)
    slack = 1e-9 * max(map(abs, values))
    assert min(values) - slack <= found <= max(values) + slack


@pytest.mark.parametrize("order", ["ABBA", "BAAB"])
def test_a_block_cancels_a_linear_drift_of_the_machine(order):
    drifting = [(1 if arm == "A" else 2) * math.exp(0.1 * slot) for slot, arm in enumerate(order)]
    assert math.isclose(block_difference(order, drifting), math.log(2))


def test_the_ratio_is_baseline_over_candidate():
    # The candidate takes half the time: ln(1/2), a speed-up of 2.
    difference = block_difference("ABBA", [10, 5, 5, 10])
    assert math.isclose(estimate([difference, difference], 0.95).speedup, 2.0)


def test_an_interval_may_be_wider_than_floats_are():
    """So it is after two replicates that have next to nothing in common."""
    found = estimate([-9.0, 2.0], 0.9998)
    assert found.high - found.low > 2_000
    low, high = found.speedup_interval
    assert 0 < low < 1e-290
    assert 1e290 < high < math.inf
