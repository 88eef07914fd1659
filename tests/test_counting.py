"""Are exact counts exact: the same on every run, told arm by arm, and judged over all seeds?"""

import dataclasses
import gc
import math
import pickle
from itertools import pairwise

import pytest

from argo_bench.harness.claims.claim import Claim
from argo_bench.harness.judging.judgements import judge_all
from argo_bench.harness.judging.measurements import Measured, estimate_exact
from argo_bench.harness.plan import DEFAULT, QUICK, replicate_seed
from argo_bench.harness.record.records import Comparison, Counts
from argo_bench.optimizations import SKIP_UNCHANGED, TRACE, build, catalogue, subjects, switch
from argo_bench.optimizations.optimization import CYCLE, VARIANTS, Optimization, Workload, is_left_out
from argo_bench.optimizations.together import SETS
from argo_bench.pipeline import baseline
from argo_bench.pipeline.market import Universe, generate
from argo_bench.pipeline.memo import Memo
from argo_bench.pipeline.model import Ledger, Reasoning
from argo_bench.pipeline.record import PARTS, unwrap
from argo_bench.study import counts
from argo_bench.study.checking.differences import Differences, note_differences
from argo_bench.study.counts import StageCounting, count_crossings, load_recording, replay, without_collections
from argo_bench.study.hits import count_cache_hits, count_layer_hits, layers
from argo_bench.study.recording import (
    Group,
    Recording,
    change_rate,
    live_rates,
    record,
    trace_cycles,
    workload_tape,
)
from argo_bench.study.subject import StudySubject, declaration_of
from argo_bench.study.supply import MarketSupply


def silent(pipeline):
    """The edit that never asks the model."""
    return pipeline.replace(reason=lambda world, decision: Reasoning("-", "template"))


def raising(pipeline):
    def reason(world, decision):
        raise KeyError("gone")

    return pipeline.replace(reason=reason)


def texts(expected, got):
    return {"texts": len(got.calls), "empty": sum(call.result.text == "-" for call in got.calls)}


ASKED = Workload(
    name="asked",
    stage="reason",
    inputs="trace",
    description="decisions of a live trace",
    scales=(8, 4, 2),
    unit="cycles",
    arms={"raising": raising},
    timed=False,
    damage=texts,
)
CALLS = Claim(
    "X.calls", "50 % fewer", "a test", "reduction", "asked", "requests", low=0.5, high=0.5, metric="model_calls"
)
SUBJECT = Optimization("X01", "a test", "wrap", silent, lambda p: p, (CALLS,), (ASKED,))


@pytest.fixture
def at_hand(monkeypatch, tmp_path, small_universe):
    """The subject in the catalogue, and a universe on disk."""
    monkeypatch.setattr(counts, "subjects", lambda: {"X01": SUBJECT})
    (tmp_path / "universe.pickle").write_bytes(pickle.dumps(small_universe))
    return tmp_path


def counts_of(folder, arms, seed=1):
    return StageCounting("X01", "asked", seed, arms).count(folder)


def test_every_arm_is_counted_at_every_scale_and_the_same_again(at_hand):
    arms = {8: ("baseline", "prescribed"), 4: ("baseline",)}
    first, again = counts_of(at_hand, arms), counts_of(at_hand, arms)
    assert first == again
    assert [(each.scale, each.arm) for each in first] == [(8, "baseline"), (8, "prescribed"), (4, "baseline")]
    plain, without, half = (each.counts for each in first)
    assert plain["model_calls"] == plain["texts"] > half["texts"] > 0
    assert plain["dollars"] > 0
    assert without["model_calls"] == without["dollars"] == 0
    assert without["empty"] == without["texts"] == plain["texts"]


def test_another_seed_is_another_market(at_hand):
    assert counts_of(at_hand, {8: ("baseline",)}, 1)[0].counts != counts_of(at_hand, {8: ("baseline",)}, 2)[0].counts


def test_an_arm_that_raises_is_told_from_the_others(at_hand):
    good, bad = counts_of(at_hand, {2: ("baseline", "raising")})
    assert good.error is None
    assert (bad.counts, bad.error) == ({}, "KeyError: 'gone'")


def test_shorter_traces_are_the_beginning_of_the_longest(at_hand):
    universe = at_hand / "universe.pickle"
    long, short = (load_recording(ASKED, universe, scale, 1, at_hand) for scale in (8, 2))
    assert short.groups == [group for group in long.groups if group.cycle < 2]
    assert len(list(at_hand.glob("recording-*.pickle"))) == 1


def test_a_replay_knows_when_each_call_began_and_ended():
    waits = Workload("w", CYCLE, "trace", "a test", (2,), "symbols", cycles=2)
    frames = generate(("A", "B"), 320, seed=3).frames
    universe = Universe(frames, dict.fromkeys(frames, "generated"), "generated")
    done = replay(waits, lambda p: p, record(waits, universe, 2, 1))
    assert [call.cycle for call in done.calls] == [0, 1]
    assert all(call.ended_s - call.virtual_s > 3 for call in done.calls), "two symbols ask six slow providers each"
    assert done.calls[0].arguments == ()


def test_crossed_counts_what_left_the_process():
    ledger = Ledger()
    ledger.requests.update({"massive": 3, "sonar": 2, "explanation": 1})
    ledger.dollars = 0.5
    assert count_crossings(ledger)["requests"] == 6
    assert count_crossings(ledger)["model_calls"] == 3
    assert count_crossings(ledger)["dollars"] == 0.5


def test_hits_and_misses_are_found_through_wrappers_and_methods():
    memo = Memo(lambda world, key: key, lambda key: key)
    pipeline = baseline.PIPELINE.replace(regime=Outer(memo).stage)
    assert memo in list(layers(pipeline.regime))
    memo.hits, memo.misses = 3, 1
    assert count_cache_hits(pipeline) == {"hits": 3.0, "misses": 1.0, "hit_rate": 0.75}
    assert count_cache_hits(baseline.PIPELINE) == {}


def test_full_collections_are_left_out_of_counting():
    """A collection changes no count, and took most of the time in which prescribed sets were counted."""
    seen = []
    gc.callbacks.append(lambda phase, info: seen.append(info["generation"]))
    try:
        with without_collections():
            assert gc.collect() == 0
        assert seen == []
        gc.collect()
        assert 2 in seen
    finally:
        gc.callbacks.pop()


@pytest.mark.parametrize("identifier", SETS)
@pytest.mark.parametrize("profile", [QUICK, DEFAULT])
def test_each_member_of_a_set_is_left_out_once_in_every_profile(identifier, profile, small_universe):
    seeds = [replicate_seed(1, number) for number in range(profile.seeds)]
    subject = StudySubject(subjects()[identifier], MarketSupply(small_universe, 1, (1,), 1, (identifier,)))
    counted = [each for each in subject.countings(profile, seeds) if each.workload == "cycles, counted"]
    arms = [(each.seed, arm) for each in counted for names in each.arms.values() for arm in names if is_left_out(arm)]
    assert sorted(arms) == sorted(
        (seeds[0], f"{variant} without {member}") for variant in VARIANTS for member in SETS[identifier]
    )


def test_a_set_without_a_member_is_the_set_of_the_others():
    subject = subjects()["FIVE"]
    edit = subject.edits(subject.workload("cycles, counted"))["prescribed without O04"]
    others = build(dict.fromkeys(["O01", "O02", "O03", "O05"], "prescribed"))
    assert [unwrap(getattr(edit(baseline.PIPELINE), part)) for part in PARTS] == [
        unwrap(getattr(others, part)) for part in PARTS
    ]


class Counted:
    """A cache of which only what it counted matters."""

    def __init__(self, hits, misses, inner=None):
        self.hits, self.misses, self.__wrapped__ = hits, misses, inner


def test_a_question_that_passes_two_caches_of_a_stage_counts_once():
    pipeline = baseline.PIPELINE.replace(consensus=Counted(0, 10, Counted(7, 3)))
    assert count_cache_hits(pipeline) == {"hits": 7.0, "misses": 3.0, "hit_rate": 0.7}
    assert count_layer_hits(pipeline) == {"layer_hit_rate": 7 / 20}


def test_what_a_fetch_does_not_find_counts_where_the_transport_answers_it():
    fetch, transport = Counted(4, 6), Counted(30, 6)
    asking = baseline.PIPELINE.replace(fetch=fetch, transport=transport, regime=Counted(1, 9))
    assert count_cache_hits(asking) == {"hits": 35.0, "misses": 15.0, "hit_rate": 0.7}
    alone = baseline.PIPELINE.replace(fetch=fetch)
    assert count_cache_hits(alone) == {"hits": 4.0, "misses": 6.0, "hit_rate": 0.4}


def test_a_cache_of_two_stages_counts_once():
    database = Counted(3, 1)
    assert count_cache_hits(baseline.PIPELINE.replace(store=database, read=database))["hits"] == 3.0


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("identifier", ["O01", "O03", "O04", "O06", "O07", "O11", "O12", "O13"])
def test_every_optimization_that_keeps_answers_counts_what_it_found(identifier, variant):
    parts = [getattr(getattr(catalogue()[identifier], variant)(baseline.PIPELINE), part) for part in PARTS]
    counted = [each for part in parts for each in layers(part) if hasattr(each, "hits")]
    assert counted or (identifier, variant) == ("O11", "engineered"), "which encodes once and keeps nothing"


class Outer:
    def __init__(self, inner):
        self.__wrapped__ = inner

    def stage(self, world, key):
        return self.__wrapped__(world, key)


def planted(ratio_by_seed, reference=100.0):
    found = []
    for seed, ratio in enumerate(ratio_by_seed):
        for arm, value in (("baseline", reference), ("prescribed", reference / ratio), ("engineered", reference)):
            found.append(Counts("X01", "asked", 8, "cycles", arm, seed, {"model_calls": value}))
    return found


def judged(ratio_by_seed, **options):
    measured = Measured([], counts=planted(ratio_by_seed, **options))
    return next(each for each in judge_all([declaration_of(SUBJECT)], measured, [], []) if each.arm == "prescribed")


def test_a_count_is_judged_by_the_range_over_the_seeds():
    found = judged([2.2, 2.4, 2.9])
    assert found.verdict == "exceeded"
    assert found.interval == pytest.approx((2.2, 2.9))
    assert "fewer model calls" in found.sentence


def test_seeds_on_both_sides_of_an_edge_are_inconclusive_and_name_it():
    found = judged([1.5, 2.4])
    assert found.verdict == "inconclusive"
    assert found.needs == "another workload: the 2 seeds lie on both sides of 2x"


def test_a_count_that_did_not_fall_is_refuted_and_says_where_it_would_hold():
    found = judged([1.0, 0.9])
    assert (found.verdict, found.holds_when) == ("refuted", "nowhere measured")


def test_a_candidate_that_counts_nothing_is_as_good_as_can_be():
    assert judged([math.inf, math.inf]).verdict == "exceeded"


def test_where_the_reference_counts_nothing_nothing_is_judged():
    found = judged([1.0], reference=0.0)
    assert (found.verdict, found.speedup, found.flags) == ("untested", None, ["nothing was counted"])


def test_exact_counts_have_their_range_for_an_interval():
    assert (estimate_exact([0.1, 0.3]).low, estimate_exact([0.1, 0.3]).high) == (0.1, 0.3)


@pytest.mark.parametrize(("trace", "rate"), [("calm", 0.2), ("open", 1.0), ("frozen", 0.0)])
def test_a_trace_ticks_as_it_is_called(trace, rate, small_universe):
    assert change_rate(trace, small_universe) == rate
    workload = Workload("w", "fetch", "trace", "a test", (200,), "cycles", trace=trace)
    tape = workload_tape(workload, small_universe, 200, 1)
    changed = [tape.changed(symbol, cycle) for symbol in tape.symbols for cycle in range(1, 200)]
    assert sum(changed) / len(changed) == pytest.approx(rate, abs=0.05)


def test_a_live_trace_ticks_at_each_symbols_own_rate(small_universe):
    assert change_rate("live", small_universe) == live_rates(small_universe)
    assert all(0 < rate <= 1 for rate in live_rates(small_universe).values())


def test_the_price_of_a_live_trace_moves_about_as_often_as_its_rate_says(real_universe):
    workload = Workload("w", "fetch", "trace", "a test", (700,), "cycles")
    tape, rates = workload_tape(workload, real_universe, 700, 1), live_rates(real_universe)
    for symbol in tape.symbols:
        quotes = [tape.quote(symbol, number) for number in range(700)]
        moved = sum(now != before for before, now in pairwise(quotes)) / 699
        assert moved == pytest.approx(rates[symbol], abs=0.15), symbol


def test_scales_in_ticking_per_cent_are_the_rate(small_universe):
    workload = Workload("w", "fetch", "trace", "a test", (20, 0, 100), "% ticking", cycles=200)
    tape = workload_tape(workload, small_universe, 20, 1)
    changed = [tape.changed(symbol, cycle) for symbol in tape.symbols for cycle in range(1, 200)]
    assert sum(changed) / len(changed) == pytest.approx(0.2, abs=0.05)
    assert trace_cycles(workload, 20) == 200


def test_until_keeps_the_groups_of_the_first_cycles():
    recording = Recording([Group(0, [], 0), Group(5, [], 3)])
    assert recording.until(3).groups == [Group(0, [], 0)]


def test_comparisons_say_their_place_in_their_unit():
    assert Comparison("X01", "asked", 4680, "cycles", "baseline", "prescribed").place == "4,680 cycles"
    assert Comparison("X01", "asked", 20, "% ticking", "baseline", "prescribed").place == "20 % ticking"


@pytest.mark.parametrize("stage", ["signals", "consensus", "reason", "validate"])
def test_recordings_without_frames_are_those_of_the_pipeline(stage, small_universe, monkeypatch):
    workload = Workload("w", stage, "trace", "a test", (12,), "cycles")
    frameless = record(workload, small_universe, 12, 1).groups
    monkeypatch.setattr("argo_bench.study.recording.FRAMELESS", baseline.PIPELINE)
    with_frames = record(workload, small_universe, 12, 1).groups
    assert [(group.virtual_ns, group.cycle) for group in frameless] == [(g.virtual_ns, g.cycle) for g in with_frames]
    found = Differences(tolerance=1e-9)
    note_differences([group.calls for group in with_frames], [group.calls for group in frameless], found)
    assert found.counts == {}


@pytest.fixture
def switchable(monkeypatch):
    """Whatever a test switches is switched back."""
    for name in (TRACE, SKIP_UNCHANGED):
        monkeypatch.setenv(name, "live")
        monkeypatch.delenv(name)
    yield
    catalogue.cache_clear()


def test_every_trace_can_be_put_on_another_market_but_curves_keep_their_rates(switchable):
    own = {(o.id, w.name): w for o in catalogue().values() for w in o.workloads}
    switch("calm", skip_unchanged=True)
    for optimization in catalogue().values():
        for workload in optimization.workloads:
            before = own[optimization.id, workload.name]
            assert workload.skip_unchanged
            assert workload.trace == (before.trace if workload.unit == "% ticking" else "calm")
    switched = catalogue()["O12"].workload("reason, a trading day")
    assert dataclasses.replace(switched, trace="live", skip_unchanged=False) == own["O12", "reason, a trading day"]
