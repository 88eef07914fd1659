"""Is the error of looking more than once controlled, and does an inconclusive result know what it would take?"""

import math
import random

import numpy as np
import pytest

from argo_bench.claim import Claim
from argo_bench.harness.sequential import (
    KNOWN,
    LOOKS,
    Outlook,
    is_decided,
    nominal_error,
    outlook,
    replicates_for,
    simulated_error,
    smallest_detectable,
)
from argo_bench.harness.stats import estimate, student_t

CLAIM = Claim("T1", "50-70 %", "source", "reduction", "workload", "reading", 0.5, 0.7)


@pytest.mark.parametrize("overall", KNOWN)
def test_the_stored_levels_are_what_the_simulation_gives(overall):
    assert math.isclose(simulated_error(overall, LOOKS), KNOWN[overall], rel_tol=0.03)


def test_many_replicates_give_pococks_published_constant():
    # Pocock (1977), two looks at 5 %: nominal 0.0294 for normal statistics, which t at 60 and 120 nearly is.
    assert math.isclose(simulated_error(0.05, (60, 120)), 0.0294, rel_tol=0.02)


def test_one_look_needs_no_correction():
    assert nominal_error(0.05, (6,)) == 0.05


def test_the_error_of_all_looks_together_is_what_was_asked_for():
    rng = np.random.default_rng(7)
    critical = {look: student_t(1 - nominal_error(0.05) / 2, look - 1) for look in LOOKS}
    naive = {look: student_t(0.975, look - 1) for look in LOOKS}
    experiments = 20_000
    wrong = wrong_naively = 0
    for values in rng.standard_normal((experiments, LOOKS[-1])):
        ratios = {n: abs(values[:n].mean()) * math.sqrt(n) / values[:n].std(ddof=1) for n in LOOKS}
        wrong += any(ratios[n] > critical[n] for n in LOOKS)
        wrong_naively += any(ratios[n] > naive[n] for n in LOOKS)
    assert 0.045 < wrong / experiments < 0.055
    assert 0.11 < wrong_naively / experiments < 0.15


@pytest.mark.parametrize(("overall", "looks"), [(0.0, (6,)), (1.5, (6,)), (0.05, ()), (0.05, (10, 6)), (0.05, (1, 6))])
def test_levels_that_make_no_sense_are_refused(overall, looks):
    with pytest.raises(ValueError, match="increasing looks"):
        nominal_error(overall, looks)


def test_the_smallest_detectable_effect_is_the_documented_multiple_of_the_deviation():
    for replicates, multiple in ((6, 2.27), (10, 1.51), (16, 1.11), (24, 0.88)):
        rng = random.Random(1)
        found = estimate([rng.gauss(0, 1) for _ in range(replicates)], 1 - 0.0167)
        assert math.isclose(smallest_detectable(found) / found.deviation, multiple, rel_tol=0.02)


def test_an_effect_of_the_smallest_detectable_size_is_found_19_times_in_20():
    rng = random.Random(3)
    found, experiments = 0, 3_000
    for _ in range(experiments):
        base = [rng.gauss(0, 1) for _ in range(10)]
        # The effect is the expected detectable size, from the true deviation.
        effect = (student_t(0.975, 9) + student_t(0.95, 9)) / math.sqrt(10)
        seen = estimate([value + effect for value in base], 0.95)
        found += seen.low > 0
    assert found / experiments > 0.93


def test_an_outlook_names_the_nearest_edge_and_enough_replicates():
    values = [-math.log(1.9) + noise for noise in (-0.2, 0.2, -0.1, 0.1, 0.15, -0.15)]
    seen = estimate(values, 0.95)
    found = outlook(CLAIM, seen)
    assert isinstance(found, Outlook)
    assert math.isclose(found.edge, 2.0)
    half = student_t(0.975, found.replicates - 1) * seen.deviation / math.sqrt(found.replicates)
    assert half <= math.log(2.0 / 1.9)
    assert replicates_for(half * 1.001, seen.deviation, 0.95) <= found.replicates


def test_an_estimate_on_an_edge_has_no_outlook():
    values = [-math.log(2) + noise for noise in (-0.2, 0.2)]
    assert outlook(CLAIM, estimate(values, 0.95)) is None


def test_a_comparison_is_decided_when_all_its_claims_are():
    clear = estimate([-math.log(2.5) + noise for noise in (-0.001, 0.0, 0.001)], 0.95)
    unclear = estimate([-math.log(2.0) + noise for noise in (-0.2, 0.0, 0.2)], 0.95)
    narrow = estimate([-math.log(2.0) + noise for noise in (-0.0001, 0.0, 0.0001)], 0.95)
    assert is_decided([CLAIM, CLAIM], [clear, clear])
    assert not is_decided([CLAIM, CLAIM], [clear, unclear])
    assert is_decided([CLAIM], [narrow])  # on the edge, but half a percent wide: measuring on would split hairs
    assert is_decided([], [])
