"""Do scales, first calls and memory get their verdicts, each from its own samples?"""

import dataclasses
import math

import msgspec
import pytest

from argo_bench.harness.benchmark import Benchmark
from argo_bench.harness.claims.claim import Claim
from argo_bench.harness.judging.judgements import judge_all
from argo_bench.harness.judging.measurements import Measured, find_break_even_calls, judge_first_call
from argo_bench.harness.judging.results import estimate_result
from argo_bench.harness.record.records import Comparison, Memory, Plan, Reading
from argo_bench.harness.workers.memory import RESOLUTION
from argo_bench.optimizations import catalogue
from argo_bench.report.finding import describe_measured
from argo_bench.study.subject import declaration_of
from tests.test_experiment import samples

O06 = catalogue()["O06"]
HEADLINE = Comparison("O06", "consensus, hit", 6, "symbols", "baseline", "engineered")


def at(scale):
    return msgspec.structs.replace(HEADLINE, scale=scale)


def measured(ratios, first_calls=(), memories=()):
    """Samples at every scale with one time ratio each; ``first_calls`` are pairs of ns at the headline scale."""
    taken = []
    for scale, ratio in ratios.items():
        for number in range(4):
            each = samples(at(scale), number, ratio * (1 + 0.001 * (-1) ** number))
            if first_calls and scale == HEADLINE.scale:
                pair = first_calls[number]
                each = msgspec.structs.replace(each, reference_first_call_ns=pair[0], candidate_first_call_ns=pair[1])
            taken.append(each)
    results = [
        estimate_result(at(scale), [each for each in taken if each.comparison == at(scale)], 0.99) for scale in ratios
    ]
    return Measured(results, taken, memories)


def headline(found, arm="engineered"):
    return next(each for each in found if each.claim == "O06.time" and each.arm == arm)


def test_a_strip_has_the_verdict_of_every_scale_in_order_and_the_headline_scale_decides():
    found = headline(judge_all([declaration_of(O06)], measured({6: 0.40, 120: 0.90, 30: 0.10}), [], []))
    assert found.verdict == "confirmed"
    assert [(spot.scale, spot.verdict) for spot in found.strip] == [
        (6, "confirmed"),
        (30, "exceeded"),
        (120, "fell short"),
    ]


def test_a_strip_stands_outside_the_family_at_95_percent_each():
    found = headline(judge_all([declaration_of(O06)], measured({6: 0.40}), [], []))
    family = found.interval[1] / found.interval[0]
    alone = found.strip[0].interval[1] / found.strip[0].interval[0]
    assert found.level == 0.99
    assert alone < family


def test_up_to_is_met_by_any_scale_and_by_none_if_none_reaches_it():
    claim = Claim("O06.time", "up to 5x", "s", "up_to", HEADLINE.workload, "r", high=5.0, headline=True)
    o06 = dataclasses.replace(O06, claims=(claim,))
    assert headline(judge_all([declaration_of(o06)], measured({6: 0.5, 30: 0.1}), [], [])).verdict == "confirmed"
    assert headline(judge_all([declaration_of(o06)], measured({6: 0.5, 30: 0.4}), [], [])).verdict == "fell short"


PAIRS = [(1_000, 50_000), (1_100, 52_000), (900, 51_000), (1_000, 49_000)]


def test_the_first_call_has_a_verdict_of_its_own():
    found = headline(judge_all([declaration_of(O06)], measured({6: 0.40}, PAIRS), [], []))
    assert found.cold.verdict == "refuted"
    assert found.cold.speedup == pytest.approx(
        math.exp(-sum(math.log(candidate / reference) for reference, candidate in PAIRS) / 4)
    )
    assert headline(judge_all([declaration_of(O06)], measured({6: 0.40}), [], [])).cold is None
    assert judge_first_call(O06.claims[0], 6, []) is None


def test_break_even_is_the_extra_of_the_first_call_over_the_gain_of_a_later_one():
    # Medians: 50,500 - 1,000 ns at the start against 1,000 - 400 ns a call.
    found = headline(judge_all([declaration_of(O06)], measured({6: 0.40}, PAIRS), [], []))
    assert found.break_even_calls == pytest.approx(49_500 / 600, rel=0.01)


def test_a_slower_candidate_never_breaks_even_and_a_faster_start_does_at_once():
    slower = estimate_result(HEADLINE, [samples(HEADLINE, r, 1.5) for r in range(3)], 0.95)
    faster = estimate_result(HEADLINE, [samples(HEADLINE, r, 0.5) for r in range(3)], 0.95)
    assert find_break_even_calls(PAIRS, slower) is None
    assert find_break_even_calls([(50_000, 1_000)], faster) == 0.0
    assert find_break_even_calls([], faster) is None


def weighed(arm, *peaks, live=1_000):
    readings = [Reading("peak_rss", "VmHWM reset", True, peak_bytes=peak) for peak in peaks]
    readings.append(Reading("traced", "tracemalloc", True, peak_bytes=peaks[0] // 2, live_bytes=live))
    return Memory("O06", "consensus, hit", 6, arm, readings)


def on(metric, kind="reduction", low=0.4, high=0.6):
    claim = Claim("O06.time", "less memory", "s", kind, HEADLINE.workload, "r", low, high, metric=metric, headline=True)
    return dataclasses.replace(O06, claims=(claim,))


MIB = 1 << 20


def test_a_claim_about_memory_is_judged_on_the_readings_of_both_arms():
    memories = [weighed("baseline", 100 * MIB, 101 * MIB), weighed("engineered", 50 * MIB, 50 * MIB)]
    found = headline(judge_all([declaration_of(on("peak_rss"))], measured({6: 1.0}, memories=memories), [], []))
    assert found.verdict == "confirmed"
    assert found.speedup == pytest.approx(math.sqrt(2 * 2.02))
    assert "lighter in memory" not in found.sentence or "times lighter in memory" in found.sentence


def test_live_bytes_and_traced_peak_come_from_the_traced_reading():
    memories = [weighed("baseline", 80 * MIB, live=4_000), weighed("engineered", 80 * MIB, live=1_000)]
    live = headline(judge_all([declaration_of(on("live_bytes"))], measured({}, memories=memories), [], []))
    traced = headline(judge_all([declaration_of(on("traced_peak"))], measured({}, memories=memories), [], []))
    assert live.speedup == pytest.approx(4.0)
    assert (live.verdict, traced.verdict) == ("exceeded", "refuted")


def test_memory_that_cannot_be_told_from_nothing_is_no_gain():
    memories = [weighed("baseline", RESOLUTION // 2), weighed("engineered", 0)]
    found = headline(judge_all([declaration_of(on("peak_rss"))], measured({}, memories=memories), [], []))
    assert found.speedup == 1.0
    assert found.verdict == "refuted"


def test_memory_that_was_not_measured_says_so():
    found = headline(judge_all([declaration_of(on("peak_rss"))], measured({6: 0.4}), [], []))
    assert (found.verdict, found.speedup) == ("untested", None)
    assert found.flags == ["not measured before the run ended"]


FUNCTIONS = Comparison("pair", "call", 1, "calls", "baseline", "candidate")


def judge_functions(ratios, rule, claim=None, call_ns=None):
    """Judge functions whose replicates have these ratios of candidate to reference."""
    declared = Benchmark("pair", "a:old", "a:new", metric="cpu", claim=claim).declaration()
    taken = [samples(FUNCTIONS, number, ratio) for number, ratio in enumerate(ratios)]
    result = estimate_result(FUNCTIONS, taken, 0.95)
    if call_ns is not None:
        result = msgspec.structs.replace(result, reference_ns=call_ns)
    return judge_all([declared], Measured([result], taken, rule=rule), [], [])[0]


@pytest.mark.parametrize(
    ("ratios", "call_ns", "verdict", "says"),
    [
        ([1.001, 0.999, 1.001, 0.999], None, "no difference", "new against old: no difference: within 1 %"),
        ([1.04, 1.02, 1.04, 1.02], 30.0, "no difference", "new against old: no difference: within 6.7 %"),
        (
            [1.02, 0.98, 1.02, 0.98],
            None,
            "inconclusive",
            "new against old: undecided: between 3.7 % slower and 3.8 % faster",
        ),
        (
            [3.0, 0.3, 3.0, 0.3],
            None,
            "inconclusive",
            "new against old: undecided: between 7.87x slower and 8.74x faster",
        ),
        ([0.995, 0.990, 0.995, 0.990], None, "inconclusive", "between 0.29 % faster and 1.2 % faster"),
        ([0.5, 0.5, 0.5, 0.5001], None, "faster", "new ran 2x [2, 2] faster than old"),
    ],
)
def test_what_is_not_decided_says_between_what(ratios, call_ns, verdict, says):
    found = judge_functions(ratios, "trimmed-mean", call_ns=call_ns)
    assert found.verdict == verdict
    assert says in found.sentence


def test_records_of_the_rule_before_keep_their_words():
    found = judge_functions([0.995, 0.990, 0.995, 0.990], "student-t")
    assert found.verdict == "faster"
    assert found.sentence == "new ran 1.01x [1, 1.01] faster than old"


def test_a_claim_that_is_open_shows_its_ratio_unless_its_direction_is_open_too():
    found = judge_functions([0.5, 0.6, 0.5, 0.6], "trimmed-mean", claim="45% less time")
    assert found.verdict == "inconclusive"
    assert found.sentence.startswith("new ran 1.83x [")
    either = judge_functions([0.9, 1.1, 0.9, 1.1], "trimmed-mean", claim="45% less time")
    assert (either.verdict, either.sentence) == ("fell short or worse", either.sentence)
    assert either.sentence.startswith("new against old: between ")


def test_what_was_not_measured_is_never_inconclusive():
    declared = Benchmark("pair", "a:old", "a:new", metric="cpu").declaration()
    words = [
        judge_all([declared], Measured([], rule=rule), [], [])[0].verdict for rule in ("trimmed-mean", "student-t")
    ]
    assert words == ["untested", "inconclusive"]


# Readings that name their hash seeds


COARSE = 1 << 18


def paired(arm, *peaks, method="peak_rss", resolution=COARSE, **more):
    readings = [
        Reading(method, "as told", True, peak, hash_seed=seed, resolution_bytes=resolution, **more)
        for seed, peak in enumerate(peaks)
    ]
    return Memory("O06", "consensus, hit", 6, arm, readings)


def judge_peaks(*memories, kind="reduction", low=0.4, high=0.6, metric="peak_rss", plan=None):
    return headline(
        judge_all([declaration_of(on(metric, kind, low, high))], measured({}, memories=memories), [], [], plan)
    )


def join(first, second):
    return msgspec.structs.replace(first, readings=[*first.readings, *second.readings])


def test_six_pairs_enclose_the_median_by_their_range_widened_by_the_resolution():
    before, after = [100, 102, 101, 99, 100, 103], [50, 52, 49, 50, 51, 50]
    found = judge_peaks(*(paired(a, *(p * MIB for p in ps)) for a, ps in (("baseline", before), ("engineered", after))))
    ratios = [
        ((b * MIB - COARSE) / (a * MIB + COARSE), (b * MIB + COARSE) / (a * MIB - COARSE))
        for b, a in zip(before, after, strict=True)
    ]
    assert found.interval == pytest.approx((min(low for low, _ in ratios), max(high for _, high in ratios)))
    assert (found.verdict, found.level) == ("confirmed", 0.96875)
    assert "%" not in found.sentence


def test_readings_are_paired_by_their_seed_and_not_by_their_place():
    before = paired("baseline", *(peak * MIB for peak in (100, 200, 400)))
    after = paired("engineered", *(peak * MIB for peak in (50, 100, 200)))
    found = judge_peaks(before, msgspec.structs.replace(after, readings=after.readings[::-1]))
    assert found.speedup == pytest.approx(2.0)
    assert found.interval == pytest.approx((2.0, 2.0), rel=0.03)


def test_a_level_that_six_readings_cannot_reach_is_said():
    memories = [paired(arm, *[peak * MIB] * 6) for arm, peak in (("baseline", 100), ("engineered", 50))]
    families = {declaration_of(O06).family: ["O06.time", *map(str, range(14))]}
    plan = Plan(0.05, families, {}, 0.95, ["O06.time"], [], {}, [])
    found = judge_peaks(*memories, plan=plan)
    assert (found.verdict, found.level) == ("confirmed", 0.96875)
    assert ", at 97 %]" in found.sentence


@pytest.mark.parametrize(("number", "says"), [(1, "exact to the resolution"), (2, "exact to the seed")])
def test_one_or_two_readings_are_exact_to_what_they_rest_on(number, says):
    memories = [paired(arm, *[peak * MIB] * number) for arm, peak in (("baseline", 40), ("engineered", 20))]
    found = judge_peaks(*memories)
    low, high = found.interval
    assert low == pytest.approx((40 * MIB - COARSE) / (20 * MIB + COARSE))
    assert high == pytest.approx((40 * MIB + COARSE) / (20 * MIB - COARSE))
    assert (found.level, found.verdict) == (1.0, "confirmed")
    assert f", {says}]" in found.sentence


def test_a_traced_reading_is_exact_to_the_byte_and_has_no_bounds_that_read_the_same():
    memories = [
        paired(arm, size * MIB, method="traced", resolution=1) for arm, size in (("baseline", 40), ("engineered", 20))
    ]
    found = judge_peaks(*memories, metric="traced_peak")
    assert "2 times lighter in memory than the baseline (exact to the byte)" in found.sentence


def test_two_peaks_below_the_resolution_have_no_ratio():
    found = judge_peaks(paired("baseline", *[COARSE] * 6), paired("engineered", *[0] * 6))
    assert (found.verdict, found.speedup, found.interval) == ("inconclusive", None, None)
    assert found.flags == ["both take less than 256 KiB, which cannot be told from nothing"]


def test_peaks_below_twenty_times_the_resolution_are_compared_by_tracing():
    traced = {"method": "traced", "resolution": 1}
    before = join(paired("baseline", *[8 * COARSE] * 6), paired("baseline", *[2_000_000] * 6, **traced))
    after = join(paired("engineered", *[2 * COARSE] * 6), paired("engineered", *[1_000_000] * 6, **traced))
    found = judge_peaks(before, after)
    assert (found.verdict, found.speedup) == ("confirmed", 2.0)
    assert found.sentence.endswith("; by traced peaks, since resident memory is known to 256 KiB")
    assert describe_measured(found) == "2.00x (-50 % traced peak)"


@pytest.mark.parametrize("traced", [(), (1000,)])
def test_small_peaks_that_tracing_does_not_see_are_too_small(traced):
    before, after = paired("baseline", 8 * COARSE), paired("engineered", 2 * COARSE)
    unseen = {"method": "traced", "resolution": 1}
    memories = join(before, paired("baseline", *traced, **unseen)), join(after, paired("engineered", *traced, **unseen))
    found = judge_peaks(*memories)
    assert (found.verdict, found.speedup) == ("inconclusive", None)
    assert found.flags[0].startswith("the workload is too small")


def test_a_peak_that_cannot_be_told_from_nothing_bounds_the_ratio_from_below_alone():
    found = judge_peaks(paired("baseline", *[100 * MIB] * 6), paired("engineered", *[0] * 6), kind="at_least", low=50)
    assert found.interval[0] == pytest.approx((100 * MIB - COARSE) / COARSE)
    assert found.interval[1] > 1e100
    assert found.verdict == "confirmed"
