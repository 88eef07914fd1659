"""Do blocks and replicates share the time as two-stage sampling would have it?"""

import dataclasses
import math
import random

import pytest

from argo_bench.harness.benchmark import Benchmark
from argo_bench.harness.claims.claim import Claim
from argo_bench.harness.plan import DEFAULT, FEWEST_BLOCKS, MOST_BLOCKS, MOST_SECONDS, QUICK, choose_seconds
from argo_bench.harness.record.records import Block, Comparison, Samples
from argo_bench.optimizations import catalogue
from argo_bench.optimizations.optimization import Optimization, Workload, keep_baseline
from argo_bench.study.job import study_job

COMPARISON = Comparison("O06", "consensus, hit", 6, "symbols", "baseline", "engineered")


def series(within, between, block_ms=40, blocks=10, replicates=12, seed=1):
    """Samples whose log-ratios vary by ``within`` inside a process and by ``between`` from one to the next."""
    rng = random.Random(seed)
    found = []
    for number in range(replicates):
        own = rng.gauss(0, between)
        taken = []
        for _ in range(blocks):
            base = block_ms * 1_000_000 // 4
            other = int(base * math.exp(own + rng.gauss(0, within)))
            taken.append(Block("ABBA", (base, other, other, base), (base, other, other, base)))
        found.append(Samples(COMPARISON, number, number, 1, 1, taken, None, None, None, None))
    return found


def blocks_worth(samples):
    block_s = sum(samples[0].blocks[0].wall_ns) / 1e9
    return choose_seconds(samples, 0.8) / block_s


def test_noise_inside_the_processes_is_met_with_more_blocks_and_between_them_with_fewer():
    assert blocks_worth(series(within=0.05, between=0.0005)) == pytest.approx(MOST_BLOCKS, rel=0.1)
    assert blocks_worth(series(within=0.001, between=0.05)) == pytest.approx(FEWEST_BLOCKS, rel=0.1)
    middling = blocks_worth(series(within=0.02, between=0.01, replicates=200))
    assert middling == pytest.approx(math.sqrt(1.4 * 4 * 0.6 / 0.04), rel=0.2)


def test_long_blocks_are_capped_in_seconds_and_too_few_replicates_change_nothing():
    assert choose_seconds(series(within=0.05, between=0.0005, block_ms=2_000), 0.8) == MOST_SECONDS
    assert choose_seconds(series(0.01, 0.01, replicates=2), 0.8) == 0.8


def test_the_trimmed_mean_varies_as_the_plan_assumes():
    from argo_bench.harness.plan import BLOCK_TRIMMED_VARIANCE
    from argo_bench.harness.statistics.estimate import compute_trimmed_mean

    rng = random.Random(5)
    means = [compute_trimmed_mean([rng.gauss(0, 1) for _ in range(20)]) for _ in range(8_000)]
    variance = sum(each * each for each in means) / len(means)
    assert 20 * variance == pytest.approx(BLOCK_TRIMMED_VARIANCE, rel=0.06)


def test_a_benchmark_is_one_comparison_whose_memory_is_weighed_only_where_it_is_asked_for():
    timed = Benchmark("b", "a:f", "a:g")
    assert timed.comparisons(QUICK) == [timed.comparison]
    assert timed.memory_questions(DEFAULT) == []
    heavy = timed.with_metric("peak_rss")
    assert heavy.memory_questions(QUICK) == [(timed.comparison, {"peak_rss": (6,)})]
    assert heavy.memory_questions(DEFAULT) == [(timed.comparison, {"peak_rss": (6, 10, 16)})]


def subject_of(optimization, universe):
    return study_job([optimization], universe, DEFAULT, 1).subjects[0]


def test_memory_of_an_optimization_is_weighed_behind_headline_claims_by_the_methods_of_the_profile(small_universe):
    o08 = catalogue()["O08"]
    assert subject_of(o08, small_universe).memory_questions(QUICK) == []  # no headline claim is about memory
    plain = subject_of(o08, small_universe).memory_questions(DEFAULT)
    assert [looks for comparison, looks in plain if comparison.workload == "five outputs"] == [
        {"peak_rss": (2,), "traced": (2,)}
    ] * 2
    assert {comparison.workload for comparison, _ in plain} == {"five outputs", "full set"}  # the latter by a claim
    claim = Claim("O08.m", "less", "s", "direction", "full set", "r", metric="peak_rss", headline=True)
    heavier = subject_of(dataclasses.replace(o08, claims=(claim,)), small_universe)
    assert [looks for _, looks in heavier.memory_questions(QUICK)] == [{"peak_rss": (3,), "traced": (1,)}] * 2
    crosschecks = {"memory_profiler": (1,), "allocations": (1,)}
    thorough = {"peak_rss": (6,), "traced": (2,), **crosschecks}
    assert [looks for _, looks in heavier.memory_questions(DEFAULT)] == [thorough] * 3  # the simple way's too


def test_after_two_seeds_only_the_arms_that_claims_rest_on_are_counted_and_at_the_headline_scale(small_universe):
    workload = Workload("asked", "reason", "trace", "a test", (60, 24), "cycles", arms={"further": keep_baseline})
    claim = Claim("X.calls", "fewer", "a test", "direction", "asked", "requests", metric="model_calls")
    asked = Optimization("X01", "a test", "wrap", keep_baseline, keep_baseline, (claim,), (workload,))
    countings = subject_of(asked, small_universe).countings(DEFAULT, [7, 8, 9])
    judged = ("baseline", "prescribed", "engineered")
    assert [each.seed for each in countings] == [7, 8, 9]
    assert [each.arms for each in countings[:2]] == 2 * [{60: (*judged, "further"), 24: judged}]
    assert countings[2].arms == {60: judged}
