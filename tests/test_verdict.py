"""Does an interval get the verdict that the table of verdicts gives it?"""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_bench.harness.claims.claim import EPSILON, Claim
from argo_bench.harness.claims.verdict import find_regions, floor_of, is_worse, judge, judge_level
from argo_bench.harness.statistics.estimate import Estimate


def claim(kind="reduction", low=0.5, high=0.7):
    return Claim("T1", "text", "source", kind, "workload", "reading", low, high)


def interval(slowest, fastest):
    """The interval of a speed-up between two factors."""
    return Estimate(-math.log(math.sqrt(slowest * fastest)), -math.log(fastest), -math.log(slowest), 0.95, 10, 0.1)


REDUCTION = [  # 50 to 70 % less time is a speed-up of 2 to 3.33
    (0.20, 0.25, "refuted"),
    (0.99, 1.005, "refuted"),
    (1.10, 1.90, "fell short"),
    (2.10, 3.20, "confirmed"),
    (3.50, 9.00, "exceeded"),
    (3.00, 4.00, "confirmed, at least low"),
    (0.95, 1.50, "fell short or worse"),
    (1.90, 2.10, "inconclusive"),
    (0.90, 5.00, "inconclusive"),
    (1.50, 5.00, "inconclusive"),
]


@pytest.mark.parametrize(("slowest", "fastest", "word"), REDUCTION)
def test_a_reduction_is_judged_by_where_the_whole_interval_lies(slowest, fastest, word):
    assert judge(claim(), interval(slowest, fastest)) == word


@pytest.mark.parametrize(
    ("kind", "low", "high", "slowest", "fastest", "word"),
    [
        ("speedup", 10, 100, 11, 99, "confirmed"),
        ("speedup", 10, 100, 101, 300, "exceeded"),
        ("speedup", 10, 100, 2, 9, "fell short"),
        ("at_least", 6024, math.nan, 7000, 9000, "confirmed"),
        ("at_least", 6024, math.nan, 2, 3, "fell short"),
        ("up_to", math.nan, 2.5, 2.6, 3, "confirmed"),
        ("direction", math.nan, math.nan, 1.02, 1.5, "confirmed"),
        ("direction", math.nan, math.nan, 0.5, 1.005, "refuted"),
        ("direction", math.nan, math.nan, 0.99, 1.05, "inconclusive"),
        ("difference", math.nan, math.nan, 1.002, 1.05, "faster"),
        ("difference", math.nan, math.nan, 0.5, 0.999, "slower"),
        ("difference", math.nan, math.nan, 0.992, 1.009, "no difference"),
        ("difference", math.nan, math.nan, 1.001, 1.009, "no difference"),
        ("difference", math.nan, math.nan, 0.98, 1.02, "inconclusive"),
    ],
)
def test_every_kind_of_claim_has_its_range(kind, low, high, slowest, fastest, word):
    assert judge(claim(kind, low, high), interval(slowest, fastest)) == word


@pytest.mark.parametrize(
    ("slowest", "fastest", "reference_ns", "word"),
    [
        (1.002, 1.05, 1e6, "faster"),
        (1.001, 1.015, 1e6, "inconclusive"),  # the estimate is below 1 %
        (0.5, 0.999, 1e6, "slower"),
        (1 / 1.015, 0.999, 1e6, "inconclusive"),
        (0.992, 1.009, 1e6, "no difference"),
        (0.98, 1.02, 1e6, "inconclusive"),
        (1.01, 1.06, 30, "no difference"),  # 2 ns of 30
        (1.01, 1.08, 30, "inconclusive"),
        (1.03, 1.20, 30, "faster"),
        (0.99, 1.2, 1e6, "inconclusive"),
    ],
)
def test_a_difference_must_be_estimated_at_one_percent_or_two_nanoseconds(slowest, fastest, reference_ns, word):
    assert judge(claim("difference"), interval(slowest, fastest), floor_of(reference_ns)) == word


def test_the_floor_grows_below_two_hundred_nanoseconds():
    assert floor_of(1e9) == floor_of(200.0) == pytest.approx(EPSILON)
    assert math.exp(floor_of(20.0)) == pytest.approx(1.1)


def test_claims_have_no_floor():
    assert judge(claim("direction"), interval(1.011, 1.012), 0.5) == "confirmed"


def test_a_single_replicate_supports_no_verdict():
    assert judge(claim(), Estimate(-1.0, None, None, 0.95, 1, None)) == "inconclusive"


def test_worse_means_slower_beyond_practical_zero():
    assert is_worse(interval(0.5, 0.9))
    assert not is_worse(interval(0.995, 1.0))


@given(st.floats(-5, 5), st.floats(0, 5), st.floats(0.02, 3), st.floats(0, 3))
def test_every_interval_touches_some_region_and_only_neighbouring_ones(lower, width, low, extent):
    order = ["refuted", "fell short", "confirmed", "exceeded"]
    touched = [order.index(each) for each in find_regions(lower, lower + width, low, low + extent)]
    assert touched
    assert touched == list(range(touched[0], touched[-1] + 1)) or extent == 0


def test_a_point_on_an_edge_belongs_where_the_table_says():
    low, high = claim().region()
    assert find_regions(EPSILON, EPSILON, low, high) == ["refuted"]
    assert find_regions(low, low, low, high) == ["confirmed"]
    assert find_regions(high, high, low, high) == ["confirmed"]


@pytest.mark.parametrize(
    ("values", "word"),
    [([0.7, 0.8], "confirmed"), ([0.4, 0.5], "fell short"), ([0.95, 0.99], "exceeded"), ([0.4, 0.8], "inconclusive")],
)
def test_a_level_is_judged_on_all_its_seeds(values, word):
    assert judge_level(claim("level", 0.7, 0.9), values) == word


def test_a_claim_about_a_level_is_not_judged_by_an_interval():
    with pytest.raises(ValueError, match="judge_level"):
        judge(claim("level", 0.7, 0.9), interval(1, 2))


@pytest.mark.parametrize(
    ("kind", "low", "high"), [("reduction", 0.7, 0.5), ("reduction", 0.5, 1.0), ("speedup", -1, -1)]
)
def test_a_claim_that_makes_no_sense_is_refused(kind, low, high):
    with pytest.raises(ValueError, match="T1"):
        claim(kind, low, high)
