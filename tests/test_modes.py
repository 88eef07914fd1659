"""Are dear calls told from slow processes, and is a mean that contradicts the typical call heard?"""

import math
import random
import re

import pytest

from argo_bench.harness.benchmark import Benchmark
from argo_bench.harness.claims.verdict import do_contradict, judge
from argo_bench.harness.judging.endings import is_over
from argo_bench.harness.judging.judgements import judge_all
from argo_bench.harness.judging.measurements import Measured
from argo_bench.harness.judging.results import estimate_result
from argo_bench.harness.record.records import Block, Comparison, Samples
from argo_bench.harness.statistics.estimate import RETIRED
from argo_bench.harness.statistics.looks import LOOKS
from argo_bench.harness.statistics.modes import compute_fisher, count_slow, describe_slow, find_dear, find_modes

COMPARISON = Comparison("flushes", "call", 1, "calls", "baseline", "candidate")


def take(candidate, *, replicates=6, blocks=13, slow=(), seed=1):
    """Samples in which the baseline takes 6 ms, and the candidate what ``candidate`` says of every sample."""
    rng = random.Random(seed)
    found = []
    for number in range(replicates):
        factor = 2.0 if number in slow else 1.0
        counter, taken = rng.randrange(12), []
        for _ in range(blocks):
            times = []
            for arm in "ABBA":
                usual = 6.0
                if arm == "B":
                    usual, counter = factor * candidate(counter), counter + 1
                times.append(round(1e6 * usual * math.exp(rng.gauss(0, 0.01))))
            taken.append(Block("ABBA", tuple(times), tuple(times)))
        found.append(Samples(COMPARISON, number, number, 1, 1, taken, None, None, None, None))
    return found


def flush(call):
    return 90.0 if call % 12 == 0 else 4.0


def test_calls_that_are_dear_now_and_then_bring_the_mean_beside_the_typical_call():
    taken = take(flush)
    (dear,) = find_dear(taken, "cpu")
    assert (dear.side, dear.share) == ("candidate", pytest.approx(1 / 12, abs=0.01))
    assert dear.factor == pytest.approx(22.5, rel=0.05)
    result = estimate_result(COMPARISON, taken, 0.9876)
    assert result.cpu.speedup == pytest.approx(1.5, rel=0.02)
    assert result.cpu_mean.speedup == pytest.approx(6 / (134 / 12), rel=0.1)
    assert any(flag.startswith("two modes: ") and "of the candidate take 2" in flag for flag in result.flags)


def test_a_slow_process_is_no_dear_call():
    taken = take(lambda call: 6.0, slow=(1, 4))
    assert find_dear(taken, "cpu") == []
    assert count_slow(taken) == (0, 2)
    result = estimate_result(COMPARISON, taken, 0.9876)
    assert result.cpu_mean is None
    assert result.slow == (0, 2)
    assert result.cpu.low < 0 < result.cpu.high


def test_one_dear_sample_in_a_few_processes_is_none_that_recurs():
    spared = take(lambda call: 6.0, replicates=4)
    assert find_dear([*spared, *take(flush, replicates=3)], "cpu") == []


def test_the_sides_differ_in_their_slow_processes_where_fishers_test_says_so():
    assert describe_slow((0, 2), 6) is None
    assert describe_slow((0, 6), 10) == "slow processes: 0 of 10 of the reference, 6 of 10 of the candidate"
    stats = pytest.importorskip("scipy.stats")
    for first, second, of in ((0, 6, 10), (2, 3, 24), (5, 0, 6), (0, 0, 8), (8, 8, 8)):
        oracle = stats.fisher_exact([[first, of - first], [second, of - second]]).pvalue
        assert compute_fisher(first, second, of) == pytest.approx(oracle, rel=1e-9)


def test_a_record_of_the_retired_rule_has_nothing_of_this():
    result = estimate_result(COMPARISON, take(flush), 0.98, RETIRED)
    assert (result.cpu_mean, result.wall_mean, result.slow, result.flags) == (None, None, None, [])


def test_where_nothing_recurs_no_mean_is_computed():
    assert find_modes(take(lambda call: 6.0)).cpu_means == []


@pytest.mark.parametrize(
    ("first", "second", "contradict"),
    [
        ("faster", "slower", True),
        ("faster", "faster", False),
        ("no difference", "slower", True),
        ("inconclusive", "slower", False),
        ("confirmed", "confirmed, at least low", False),
        ("confirmed", "fell short", True),
        ("fell short or worse", "refuted", False),
        ("exceeded", "confirmed, at least low", False),
        ("exceeded", "confirmed", True),
    ],
)
def test_verdicts_contradict_where_their_regions_lie_apart(first, second, contradict):
    assert do_contradict(first, second) is contradict


def judge_pair(taken, claim=None):
    declared = Benchmark("flushes", "a:steady", "a:flushes", metric="cpu", claim=claim).declaration()
    result = estimate_result(COMPARISON, taken, 0.9876)
    return judge_all([declared], Measured([result], taken), [], [])[0]


def test_a_typical_call_that_the_mean_contradicts_decides_nothing():
    found = judge_pair(take(flush))
    assert (found.verdict, found.needs) == ("inconclusive", None)
    assert found.sentence.startswith("flushes against steady: undecided: a typical call is 1.5x faster [")
    assert re.search(r", but some are dear: on the mean it is 1\.\d+x slower \[", found.sentence)
    claimed = judge_pair(take(flush), claim="1.4-1.6x faster")
    assert claimed.verdict == "inconclusive"


def test_a_mean_that_agrees_leaves_the_verdict_as_it_is():
    found = judge_pair(take(lambda call: 3.0 if call % 12 else 5.0))
    assert found.verdict == "faster"
    assert any(flag.startswith("two modes") for flag in found.flags)
    assert any(re.match(r"on the mean over all calls it is 1\.(89|9)\d?x faster \[", flag) for flag in found.flags)


def test_a_comparison_goes_on_until_its_mean_is_judged_too():
    steady, flushing = take(lambda call: 3.0), take(lambda call: 27.0 if call % 12 == 0 else 3.0, blocks=6)
    claim = Benchmark("flushes", "a:steady", "a:flushes", claim="at least 1.21x").declaration().claims[0]
    assert is_over([claim], steady, 0.9876, LOOKS)
    result = estimate_result(COMPARISON, flushing, 0.9876)
    assert (judge(claim, result.cpu), judge(claim, result.cpu_mean)) == ("confirmed", "inconclusive")
    assert not is_over([claim], flushing, 0.9876, LOOKS)


def test_a_scale_at_which_the_mean_contradicts_has_no_verdict_of_its_own():
    claim = Benchmark("flushes", "a:steady", "a:flushes", claim="at least 1.2x").declaration().claims[0]
    for call, word in ((flush, "inconclusive"), (lambda call: 4.0, "confirmed")):
        taken = take(call)
        measured = Measured([estimate_result(COMPARISON, taken, 0.9876)], taken)
        assert [spot.verdict for spot in measured.strip(claim, COMPARISON)] == [word]
