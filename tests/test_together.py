"""Are the combined claims measured on what they speak of?"""

import re
from pathlib import Path

import pytest

from argo_bench.errors import UserError
from argo_bench.harness.record.store import load
from argo_bench.harness.workers.timing import Timing
from argo_bench.optimizations import build, headline_claims, sets, subjects
from argo_bench.optimizations.optimization import VARIANTS, keep_baseline
from argo_bench.optimizations.together import ALL_IDS, FIVE_IDS
from argo_bench.pipeline.market import Universe, generate, installed_sample
from argo_bench.pipeline.record import PARTS, unwrap
from argo_bench.study import recording as recording_module
from argo_bench.study.checking.check import check_on_markets
from argo_bench.study.checking.trace import Oracle
from argo_bench.study.recording import record
from argo_bench.study.replay import StageBody
from argo_bench.study.report.combined import tabulate_combined
from argo_bench.study.subject import declaration_of

TOGETHER = ("FIVE", "ALL")


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("identifier", "members"), [("FIVE", FIVE_IDS), ("ALL", ALL_IDS)])
def test_they_are_the_selection_of_their_members(identifier, members, variant):
    as_one, one_by_one = build({identifier: variant}), build(dict.fromkeys(members, variant))
    for part in PARTS:
        assert unwrap(getattr(as_one, part)) == unwrap(getattr(one_by_one, part))


@pytest.mark.parametrize("identifier", TOGETHER)
def test_every_reference_of_a_claim_is_an_arm_of_its_workload(identifier):
    subject = subjects()[identifier]
    for claim in subject.claims:
        for variant in VARIANTS:
            comparison = declaration_of(subject).headline_comparison(claim, variant)
            assert comparison.reference in subject.edits(subject.workload(claim.workload))


def test_what_comes_after_the_first_five_is_measured_against_them_in_the_same_variant():
    subject = subjects()["ALL"]
    claim = next(each for each in subject.claims if each.id == "ALL.additional")
    assert [declaration_of(subject).headline_comparison(claim, each).reference for each in VARIANTS] == [
        "first five, prescribed",
        "first five, engineered",
    ]


def test_they_may_change_what_their_members_may():
    subject = subjects()["ALL"]
    members = [subjects()[identifier] for identifier in ALL_IDS]
    assert subject.permits >= frozenset().union(*(each.permits for each in members))
    assert subject.staleness_s == max(each.staleness_s for each in members)


def test_their_headline_claims_belong_to_the_family():
    own = [claim for identifier in TOGETHER for claim in subjects()[identifier].claims if claim.headline]
    assert own
    assert set(own) <= set(headline_claims())


def test_all_engineered_decide_within_what_they_declare(small_universe):
    oracle = Oracle.run(small_universe, 1, 12)
    fidelity = check_on_markets(subjects()["ALL"], "engineered", [oracle])
    assert fidelity.faithful, fidelity.output


@pytest.mark.slow
def test_all_engineered_decide_within_what_they_declare_on_real_bars(real_universe):
    oracle = Oracle.run(real_universe, 1, 500)
    fidelity = check_on_markets(subjects()["ALL"], "engineered", [oracle])
    assert fidelity.compared == 500 * len(real_universe.symbols)
    assert fidelity.faithful, fidelity.output


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_all_engineered_decide_within_what_they_declare_on_generated_markets(seed):
    symbols = ("AAA", "BBB", "CCC-USD")
    universe = Universe(
        generate(symbols, 400, seed).frames, dict.fromkeys(symbols, "generated"), "generated for a test"
    )
    fidelity = check_on_markets(subjects()["ALL"], "engineered", [Oracle.run(universe, seed, 60)])
    assert fidelity.faithful, fidelity.output


def test_every_claim_on_a_set_says_what_it_is_counted_from_and_what_serving_last_signals_would_give():
    table = tabulate_combined(load(Path(__file__).parents[1] / "results" / "reference"))
    claims = {claim.id for subject in sets() for claim in subject.claims}
    assert {row.cells[0].partition("\n")[0] for row in table.rows} <= claims
    cells = {row.cells[0].partition("\n")[0]: row.cells[1:] for row in table.rows}
    assert cells["ALL.additional"][0] == "first five, prescribed\nfirst five, engineered"
    assert cells["ALL.cpu"][0] == "baseline"
    assert cells["ALL.reasoning"][-1].endswith("explanations asked for)")
    assert cells["ALL.memory"][-1] == "-"


def test_a_claim_on_a_set_that_was_published_in_seconds_shows_the_seconds_of_both_arms():
    recorded = load(Path(__file__).parents[1] / "results" / "reference")
    cells = {row.cells[0].partition("\n")[0]: row.cells[1:] for row in tabulate_combined(recorded).rows}
    assert re.search(r"\n[\d.]+ -> 0\.\d+ s$", cells["FIVE.time"][2])
    assert "->" not in cells["ALL.cpu"][2]


@pytest.fixture(scope="module")
def walked():
    """The workload of three symbols, recorded under one seed."""
    workload = subjects()["FIVE"].workload("signal, three symbols")
    return workload, record(workload, installed_sample(), 9, 1000)


def test_the_signal_is_timed_on_three_symbols_on_days_of_their_own_that_reach_decisions(walked):
    workload, recording = walked
    symbols = [group.calls[0][0] for group in recording.groups]
    assert len(set(symbols)) == workload.pairs == 3
    assert symbols == [symbol for symbol in dict.fromkeys(symbols) for _ in range(9)]
    assert [group.is_opening for group in recording.groups] == 3 * [True, *8 * [False]]
    assert [group.cycle for group in recording.groups] == [*range(27)]
    body = StageBody(workload, keep_baseline, recording)
    cycles = body.collect_results()
    body.close()
    decided = [{each.symbol for each in done.decided} for done in cycles]
    assert all(found <= {*walked} for found, walked in zip(decided, symbols, strict=True))
    timed = [found for found, group in zip(decided, recording.groups, strict=True) if not group.is_opening]
    assert set().union(*timed) == {symbol for walked in symbols for symbol in walked}


def test_the_opening_of_each_symbol_is_not_timed(walked):
    workload, recording = walked
    body = StageBody(workload, keep_baseline, recording)
    body.first_call()
    assert body.calls == 24
    timed = []
    body._time_groups_async = lambda groups, passes: note(timed, groups)
    body.time_calls(body.prepare_calls(), 1)
    body.close()
    assert len(timed) == 24
    assert not any(group.is_opening for group in timed)


async def note(timed, groups):
    timed.extend(groups)
    return Timing(1, 1)


def test_symbols_and_days_are_drawn_by_the_seed():
    workload = subjects()["FIVE"].workload("signal, three symbols")
    drawn = [
        [(symbol, recording.market.bars(symbol, 0).timestamps[-1]) for symbol in recording.market.symbols]
        for recording in (record(workload, installed_sample(), 9, seed) for seed in (1000, 1000, 1001))
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_market_on_which_nothing_is_decided_is_refused(small_universe, monkeypatch):
    monkeypatch.setattr(recording_module, "decides", lambda tape, seed, cycles, minutes: False)
    with pytest.raises(UserError, match="0 of the 3 pairs of a symbol and a day that it needs reached a decision"):
        record(subjects()["FIVE"].workload("signal, three symbols"), small_universe, 9, 1)
