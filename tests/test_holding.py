"""Is the boundary between holding and not holding read rightly off what was measured?"""

import math

import pytest

from argo_bench.harness.claims.claim import Claim
from argo_bench.harness.judging.holds_when import NOWHERE, HitAndMiss, describe_condition, find_straddled_edge
from argo_bench.harness.record.records import Spot
from argo_bench.harness.statistics.estimate import Estimate

HALF = Claim("X.time", "50-70 %", "a test", "reduction", "w", "as it says", low=0.5, high=0.7)


def spots(**speedups):
    return [Spot(int(scale[1:]), speedup, None, "inconclusive") for scale, speedup in speedups.items()]


def test_the_boundary_is_interpolated_between_neighbours_in_logarithms():
    # ln 4 - ln 2 above the edge at 0 %, as much below it at 40 %: the edge of 2x lies half way.
    curve = spots(_0=4.0, _40=1.0, _100=1.0)
    assert (
        describe_condition(HALF, [], "symbols", curve, "% ticking", None)
        == "if fewer than 20 % of symbol-cycles ticked"
    )


def test_a_claim_that_holds_for_large_scales_says_from_where_on():
    strip = spots(_6=1.0, _30=1.0, _120=4.0)
    assert describe_condition(HALF, strip, "symbols", [], "", None) == "from about 75 symbols on"


def test_a_claim_that_holds_for_small_scales_says_up_to_where():
    assert describe_condition(HALF, spots(_6=4.0, _30=1.0), "symbols", [], "", None) == "up to about 18 symbols"


def test_the_order_of_the_scales_does_not_matter():
    strip = spots(_30=1.0, _6=4.0)
    assert describe_condition(HALF, strip, "symbols", [], "", None) == "up to about 18 symbols"


def test_a_claim_that_is_reached_nowhere_says_so():
    assert (
        describe_condition(HALF, spots(_6=1.0, _30=1.9), "symbols", spots(_0=1.0, _20=0.5), "% ticking", None)
        == NOWHERE
    )


def test_a_claim_that_holds_everywhere_on_its_curve_says_from_where_to_where():
    curve = spots(_0=4.0, _20=3.0)
    assert describe_condition(HALF, [], "symbols", curve, "% ticking", None) == "from 0 to 20 % ticking"


def test_hits_and_misses_give_the_hit_rate_that_a_claim_needs():
    cache = HitAndMiss(reference_ns=100.0, hit_ns=10.0, miss_ns=130.0)
    assert cache.rate_for(1.0) == pytest.approx(30 / 120)
    assert cache.rate_for(2.0) == pytest.approx(80 / 120)
    assert describe_condition(HALF, [], "symbols", [], "", cache) == "if 67 % of the calls hit"


def test_a_cache_whose_hits_cost_too_much_never_reaches_the_claim():
    cache = HitAndMiss(reference_ns=100.0, hit_ns=60.0, miss_ns=160.0)
    assert cache.rate_for(2.0) > 1
    assert describe_condition(HALF, [], "symbols", [], "", cache) == "not even if every call hits"


def test_a_cache_whose_misses_cost_no_more_than_hits_needs_no_hit_or_cannot_be_helped():
    assert HitAndMiss(reference_ns=100.0, hit_ns=10.0, miss_ns=10.0).rate_for(2.0) == 0.0
    assert HitAndMiss(reference_ns=100.0, hit_ns=90.0, miss_ns=90.0).rate_for(2.0) == math.inf


def test_the_nearest_straddled_edge_is_named():
    across = Estimate(-math.log(2.1), -math.log(2.5), -math.log(1.9), 0.95, 6, 0.1)
    assert find_straddled_edge(HALF, across) == pytest.approx(2.0)
    inside = Estimate(-math.log(2.5), -math.log(2.6), -math.log(2.4), 0.95, 6, 0.1)
    assert find_straddled_edge(HALF, inside) is None
