"""Are the combined claims measured on what they speak of?"""

from pathlib import Path

import pytest

from argo_bench.harness.record.store import load
from argo_bench.optimizations import build, headline_claims, sets, subjects
from argo_bench.optimizations.optimization import VARIANTS
from argo_bench.optimizations.together import ALL_IDS, FIVE_IDS
from argo_bench.pipeline.market import Universe, generate
from argo_bench.pipeline.record import PARTS, unwrap
from argo_bench.study.checking.check import check_on_markets
from argo_bench.study.checking.trace import Oracle
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
    assert {row.cells[0].partition("\n")[0] for row in table.rows} == claims
    cells = {row.cells[0].partition("\n")[0]: row.cells[1:] for row in table.rows}
    assert cells["ALL.additional"][0] == "first five, prescribed\nfirst five, engineered"
    assert cells["ALL.cpu"][0] == "baseline"
    assert cells["ALL.reasoning"][-1].endswith("explanations asked for)")
    assert cells["ALL.memory"][-1] == "-"
