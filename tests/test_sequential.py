"""Is the error of looking more than once controlled, and does an inconclusive result know what it would take?"""

import math
import random

import msgspec
import numpy as np
import pytest

from argo_bench.harness.benchmark import claim_of
from argo_bench.harness.claims.claim import EPSILON, Claim
from argo_bench.harness.statistics import looks as sequential
from argo_bench.harness.statistics.estimate import CURRENT, RETIRED, Estimate, count_cut, estimate, student_t
from argo_bench.harness.statistics.looks import (
    KNOWN,
    LOOKS,
    Outlook,
    Stopping,
    nominal_error,
    outlook,
    replicates_for,
    simulate_error,
    smallest_detectable,
)

LAST = Stopping(LOOKS[-1])
CLAIM = Claim("T1", "50-70 %", "source", "reduction", "workload", "reading", 0.5, 0.7)


STORED = msgspec.json.decode(KNOWN.read_bytes(), type=dict[str, float])


@pytest.mark.parametrize("rule", [CURRENT, pytest.param(RETIRED, marks=pytest.mark.slow)])
@pytest.mark.parametrize("overall", [0.05, 0.05 / 15])
def test_the_stored_levels_are_what_the_simulation_gives(overall, rule):
    stored = STORED[sequential._name(overall, LOOKS, rule)]
    assert math.isclose(simulate_error(overall, LOOKS, rule), stored, rel_tol=0.03)
    assert nominal_error(overall, LOOKS, rule) == stored


@pytest.mark.slow
def test_many_replicates_give_pococks_published_constant():
    # Pocock (1977), two looks at 5 %: nominal 0.0294 for normal statistics, which t at 60 and 120 nearly is.
    assert math.isclose(simulate_error(0.05, (60, 120), RETIRED), 0.0294, rel_tol=0.02)


def test_a_level_that_was_simulated_is_kept_for_the_next_process(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setenv("ARGO_BENCH_HOME", str(tmp_path))
    monkeypatch.setattr(sequential, "simulate_error", lambda overall, looks, rule: calls.append(overall) or 0.0123)
    for _ in range(2):
        nominal_error.cache_clear()
        assert nominal_error(0.04, (5, 9)) == 0.0123
    nominal_error.cache_clear()
    assert calls == [0.04]
    assert len(list(tmp_path.iterdir())) == 1


def test_one_look_needs_no_correction():
    assert nominal_error(0.05, (6,), RETIRED) == 0.05
    assert nominal_error(0.05, (3,)) == 0.05  # of three values none is cut off
    assert 0.04 < nominal_error(0.05, (6,)) < 0.045  # the trimmed mean's interval holds in 94.2 % at 95 %


def test_the_error_of_all_looks_together_is_what_was_asked_for():
    rng = np.random.default_rng(7)
    level, wrong = 1 - nominal_error(0.05), 0
    for values in rng.standard_normal((5_000, LOOKS[-1])).tolist():
        found = [estimate(values[:n], level) for n in LOOKS]
        wrong += any(each.low > 0 or each.high < 0 for each in found)
    assert 0.04 < wrong / 5_000 < 0.06


@pytest.mark.slow
def test_the_error_of_the_retired_rule_was_what_was_asked_for():
    rng = np.random.default_rng(7)
    critical = {look: student_t(1 - nominal_error(0.05, LOOKS, RETIRED) / 2, look - 1) for look in LOOKS}
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
        found = estimate([rng.gauss(0, 1) for _ in range(replicates)], 1 - 0.0167, RETIRED)
        assert math.isclose(smallest_detectable(found) / found.deviation, multiple, rel_tol=0.02)


def test_an_effect_of_the_smallest_detectable_size_is_found_19_times_in_20():
    rng = random.Random(3)
    found, experiments = 0, 3_000
    for _ in range(experiments):
        base = [rng.gauss(0, 1) for _ in range(10)]
        # The effect is the expected detectable size, from the true deviation.
        effect = (student_t(0.975, 9) + student_t(0.95, 9)) / math.sqrt(10)
        seen = estimate([value + effect for value in base], 0.95, RETIRED)
        found += seen.low > 0
    assert found / experiments > 0.93


def test_an_outlook_names_the_nearest_edge_and_enough_replicates():
    values = [-math.log(1.9) + noise for noise in (-0.2, 0.2, -0.1, 0.1, 0.15, -0.15)]
    seen = estimate(values, 0.95, RETIRED)
    found = outlook(CLAIM, seen)
    assert isinstance(found, Outlook)
    assert math.isclose(found.edge, 2.0)
    kept = found.replicates - 2 * count_cut(found.replicates, 0.95)
    half = student_t(0.975, kept - 1) * seen.spread * math.sqrt(1.19 / found.replicates)
    assert half <= math.log(2.0 / 1.9)
    assert replicates_for(half * 1.001, seen.spread, 0.95) <= found.replicates


def test_an_estimate_on_an_edge_has_no_outlook():
    values = [-math.log(2) + noise for noise in (-0.2, 0.2)]
    assert outlook(CLAIM, estimate(values, 0.95)) is None


def test_a_comparison_is_decided_when_all_its_claims_are():
    clear = estimate([-math.log(2.5) + noise for noise in (-0.001, 0.0, 0.001)], 0.95)
    unclear = estimate([-math.log(2.0) + noise for noise in (-0.2, 0.0, 0.2)], 0.95)
    narrow = estimate([-math.log(2.0) + noise for noise in (-0.0001, 0.0, 0.0001)], 0.95)
    assert LAST.is_decided([CLAIM, CLAIM], [clear, clear])
    assert not LAST.is_decided([CLAIM, CLAIM], [clear, unclear])
    assert LAST.is_decided([CLAIM], [narrow])  # on the edge, but half a percent wide: measuring on would split hairs
    assert LAST.is_decided([], [])


QUESTION = claim_of("open", None, "cpu")


def around(speedup, spread, replicates=6):
    pattern = [spread * (-1) ** k * (1 + k % 3) / 2 for k in range(replicates)]
    return estimate([-math.log(speedup) + each for each in pattern], 1 - nominal_error(0.05))


def test_an_open_question_is_decided_by_zero_or_by_what_matters_whichever_takes_less():
    found = outlook(QUESTION, around(1 / 1.012, 0.02), floor=EPSILON)
    assert found.edge == 1.0  # 1.2 % from no difference
    near = outlook(QUESTION, around(1 / 1.001, 0.02), floor=EPSILON)
    assert math.isclose(near.edge, math.exp(-EPSILON))
    below = outlook(QUESTION, around(1 / 1.008, 0.02), floor=EPSILON)
    assert math.isclose(below.edge, math.exp(-EPSILON))  # a clear 0.8 % would be no difference that counts
    assert outlook(QUESTION, around(1 / 1.008, 0.02)).edge == 1.0  # the rule of before had no floor


def test_measuring_is_given_up_when_even_a_lucky_projection_lies_far_beyond_the_last_look():
    hopeless, hopeful = around(2.0, 0.4), around(2.2, 0.12)
    assert LAST.is_futile([CLAIM], [hopeless])
    assert not LAST.is_futile([CLAIM], [hopeful])
    assert LAST.has_ended([CLAIM], [hopeless])


def test_nothing_is_given_up_while_one_of_several_claims_may_still_get_its_verdict():
    assert not LAST.is_futile([CLAIM, CLAIM], [around(2.0, 0.4), around(2.2, 0.12)])
    assert not LAST.is_futile([CLAIM], [around(2.6, 0.001)])  # decided, so there is nothing to give up


def test_an_estimate_near_several_edges_is_not_given_up_while_a_shift_either_way_would_decide_it():
    # 1 % slower, give or take 1 %: the same, or 2 % slower, and the second would be clear soon.
    seen = Estimate(0.0099, 0.0099 - 0.027, 0.0099 + 0.027, 1 - nominal_error(0.05), 16, 0.028, 8)
    assert not LAST.is_futile([QUESTION], [seen])
    assert LAST.is_futile([QUESTION], [msgspec.structs.replace(seen, deviation=0.113, low=-0.1, high=0.12)])
