"""When the time is short, does it go where it was said to go, and is what it did not last for named?"""

import dataclasses

import msgspec
import pytest

from argo_bench.harness.plan import DEFAULT
from argo_bench.harness.record.records import Comparison, LeftOut, Samples
from argo_bench.harness.record.store import load, reopen
from argo_bench.harness.record.verify import verify
from argo_bench.harness.replicate import is_block_due
from argo_bench.harness.replicates import time_replicates
from argo_bench.harness.shortage import ORDER, Rank, choose_left_out, describe_left_out, rank_of, write_left_out
from argo_bench.harness.state import RunState
from argo_bench.optimizations import catalogue, lookup
from argo_bench.report.remarks import list_remarks
from argo_bench.study.job import study_job
from argo_bench.study.subject import declaration_of
from tests import stored


def named(name, scale=6, arm="engineered"):
    return Comparison("O06", name, scale, "symbols", "baseline", arm)


def test_headline_claims_come_first_then_arms_beside_then_readings_then_scales_then_arms():
    declared = declaration_of(catalogue()["O06"])
    ranks = [
        rank_of(named("consensus, hit"), declared),
        rank_of(named("consensus, hit", 6, "simple"), declared),
        rank_of(named("consensus, live trace"), declared),
        rank_of(named("consensus, hit", 30), declared),
        rank_of(named("consensus, live trace", 6, "simple"), declared),
    ]
    assert ranks == [*Rank]
    assert len(ORDER) == len(Rank)


def test_what_is_compared_with_another_reference_than_the_claims_is_not_beside_them():
    declared = declaration_of(catalogue()["O10"])
    [headline] = [each for each in declared.claims if each.headline]
    at = declared.headline_comparison(headline, "engineered")
    beside = msgspec.structs.replace(at, candidate="simple")
    assert rank_of(beside, declared) == Rank.BESIDE
    assert at.reference != "baseline"
    assert rank_of(msgspec.structs.replace(beside, reference="baseline"), declared) == Rank.ARM


def test_what_does_not_fit_beside_the_headlines_is_left_out_from_behind():
    headline, first, dear, cheap = (named(each) for each in "abcd")
    ranked = [(first, Rank.READING), (dear, Rank.BESIDE), (headline, Rank.HEADLINE), (cheap, Rank.READING)]
    takes = {headline: 5.0, first: 2.0, dear: 9.0, cheap: 1.0}
    missing = {headline: 8, first: 4, dear: 4, cheap: 4}
    assert choose_left_out(ranked, takes, missing, 100.0) == []
    assert choose_left_out(ranked, takes, missing, 80.0) == [first]
    assert choose_left_out(ranked, takes, missing, 52.0) == [dear]
    assert choose_left_out(ranked, takes, missing, 40.0) == [dear, cheap, first]
    assert choose_left_out(ranked, takes, missing, 0.0) == [dear, cheap, first]


def test_further_arms_are_never_left_out_before_the_end():
    assert choose_left_out([(named("a"), Rank.ARM), (named("b"), Rank.SCALE)], {}, {}, 0.0) == []


def test_a_line_says_what_came_before_and_what_it_would_take():
    line = write_left_out(named("a"), Rank.ARM, 2, 6, 1.5)
    assert (line.replicates, line.needs_s) == (2, 6.0)
    assert line.reason == "the time was short, and further arms elsewhere come after other scales"


def test_a_report_says_how_many_were_left_out_and_which_first():
    lines = [LeftOut(named("a", at), 0, "the time was short", 90.0) for at in (30, 120)]
    assert [*describe_left_out(lines)] == [
        "Left out, since the time was short: 2 comparisons, first of them O06 a at 30 symbols: engineered against "
        "baseline and more; all of them would take about 3 min more."
    ]
    assert [*describe_left_out([])] == []


def test_an_honest_record_with_something_left_out_verifies_and_its_report_names_it(tmp_path):
    recorded = stored.store(tmp_path, stored.sealed(stored.run_lines()))
    assert verify(recorded) == []
    assert any(each.startswith("Left out, since the time was short: 1 comparisons") for each in list_remarks(recorded))


def test_a_run_that_is_resumed_takes_up_what_it_had_left_out(tmp_path):
    stored.store(tmp_path, stored.sealed(stored.run_lines()))
    assert load(tmp_path).all(LeftOut)
    reopened = reopen(tmp_path)
    assert reopened.all(LeftOut) == []
    assert {each.comparison.candidate for each in reopened.all(Samples)} > {stored.GIVEN_UP}


@pytest.mark.parametrize(("calls", "more"), [(24, True), (10, False)])
def test_four_blocks_are_taken_of_calls_that_take_up_to_50_ms_however_short_the_time(calls, more):
    assert is_block_due(1, 1.0, 0.1, calls) is more
    assert is_block_due(3, 3.0, 0.1, calls) is more
    assert is_block_due(4, 4.0, 0.1, calls) is False


class Clock:
    """A clock that tests move."""

    now = 0.0

    def __call__(self):
        return self.now


def begin_on_a_clock(monkeypatch, universe):
    """A run of O06 in 250 s, of which every comparison that is due takes 10 in a replicate; its lines, and what was
    taken of which rank in which replicate."""
    lines, taken, clock = [], [], Clock()
    profile = dataclasses.replace(DEFAULT, looks=(2, 4), budget_s=250)

    class Kept:
        def write(self, *records):
            lines.extend(records)

    state = RunState.begin(study_job(lookup(["O06"]), universe, profile, 1), Kept(), lambda progress: None, None)
    state.pace._clock, state.pace._began = clock, 0.0

    def take(state, around, number, until_s, costs):
        for each in state.comparisons:
            if state.is_due(each):
                clock.now += 10
                state.replicate_s[each] = 10.0
                taken.append((number, state.rank_of(each)))

    monkeypatch.setattr(RunState, "feed", lambda state, around, replicate, comparisons: None)
    monkeypatch.setattr("argo_bench.harness.replicates._expect_seconds", lambda state, around, comparison: 1.0)
    monkeypatch.setattr("argo_bench.harness.replicates._time_replicate", take)
    return state, lines, taken


def test_a_run_leaves_out_readings_before_arms_beside_headlines_and_names_further_arms_at_its_end(
    monkeypatch, small_universe
):
    """There are 250 s."""
    state, lines, taken = begin_on_a_clock(monkeypatch, small_universe)
    monkeypatch.setattr("argo_bench.harness.replicates._look", lambda state, number: None)
    everything = list(state.comparisons)
    time_replicates(state, None)
    left_out = [each.comparison for each in lines if isinstance(each, LeftOut)]
    by_rank = [state.rank_of(each) for each in left_out]
    assert Rank.HEADLINE not in by_rank
    assert {each for each in everything if not state.is_due(each)} <= {*left_out}
    assert by_rank.index(Rank.ARM) > by_rank.index(Rank.READING) if Rank.READING in by_rank else True
    assert {number for number, rank in taken if rank == Rank.HEADLINE} == {0, 1, 2, 3}


def test_what_a_resumed_run_did_not_bring_as_far_as_the_others_is_named_and_no_headline_is(monkeypatch, small_universe):
    state, lines, _ = begin_on_a_clock(monkeypatch, small_universe)
    monkeypatch.setattr("argo_bench.harness.replicates._take_replicates", lambda state, around: None)
    readings = [each for each in state.comparisons if state.rank_of(each) == Rank.READING]
    headline = next(each for each in state.comparisons if state.rank_of(each) == Rank.HEADLINE)
    behind, under_way = readings[:2]
    late = next(each for each in state.comparisons if state.rank_of(each) == Rank.HEADLINE and each != headline)
    state.comparisons = [headline, late, behind, under_way]
    state.samples = {headline: 4 * [None], behind: [None], under_way: 3 * [None], late: [None]}
    time_replicates(state, None)
    assert [(each.comparison, each.replicates) for each in lines] == [(behind, 1)]


def test_a_headline_that_is_open_gets_the_time_that_is_left_however_many_others_have_none(monkeypatch, small_universe):
    state, _, taken = begin_on_a_clock(monkeypatch, small_universe)
    headline = next(each for each in state.comparisons if state.rank_of(each) == Rank.HEADLINE)

    def keep_one_open(state, number):
        if number == 2:
            others = [each for each in state.comparisons if not state.is_due(each)]
            assert len(others) > 3
            state.comparisons = [headline, *others]
            state.pace._budget_s = state.pace.elapsed_s + 25

    monkeypatch.setattr("argo_bench.harness.replicates._look", keep_one_open)
    time_replicates(state, None)
    assert [number for number, _ in taken if number >= 2] == [2, 3]
