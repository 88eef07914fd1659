"""Does the simple way stand beside the two variants, with its figure and what it does to the output?"""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from argo_bench.harness.plan import DEFAULT, QUICK
from argo_bench.harness.record.records import Fidelity
from argo_bench.optimizations import catalogue
from argo_bench.optimizations.optimization import keep_baseline
from argo_bench.pipeline.market import Universe
from argo_bench.report import verdicts
from argo_bench.report.simple import describe_simple, find_simple
from argo_bench.study.checking.questions import cases
from argo_bench.study.job import study_job
from argo_bench.study.report.explain import find_exchanged
from argo_bench.study.report.readme import make_table
from argo_bench.study.subject import StudySubject, plan_comparisons
from argo_bench.study.supply import MarketSupply
from tests.test_report_finding import RUN, counts, judgement, recorded, result

CLAIM = judgement("refuted", 0.9, arm="engineered")
DAMAGE = {"signals": 86.0, "missed": 20.0}


def timed(speedup=1.4):
    """The result of the simple way on the workload of the claim."""
    at = msgspec.structs.replace(CLAIM.comparison, candidate="simple")
    return result(msgspec.structs.replace(CLAIM, comparison=at, speedup=speedup))


def checked(output="same", counts=None, **more):
    return Fidelity("O06", "simple", None, 3, counts or {}, 0.0, output, not counts, scope="markets", **more)


def test_it_has_the_figure_that_a_variant_would_have(tmp_path):
    found = find_simple(recorded(tmp_path, CLAIM, timed(), checked(saw={"signals": 3})))
    assert list(found) == ["O06.time"]
    assert describe_simple(found["O06.time"]) == "1.40x (-29 % time)"


def test_of_counts_it_has_all_seeds(tmp_path):
    workload = "reason, a trading day"
    claim = judgement(claim="O12.calls", arm="engineered", workload=workload, metric="model_calls")
    at = msgspec.structs.replace(claim.comparison, scale=4680, unit="cycles")
    claim = msgspec.structs.replace(claim, comparison=at)
    lines = [*counts(claim, "baseline", 100, 90), *counts(claim, "simple", 50, 30)]
    run = recorded(tmp_path, claim, *lines, run=msgspec.structs.replace(RUN, optimizations=["O12"]))
    seen = find_simple(run)["O12.calls"]
    assert seen.interval == pytest.approx((2, 3))
    assert seen.speedup == pytest.approx(6**0.5)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (checked("differs: target in 3 of 3 symbol-cycles", {"target": 3}, damage=DAMAGE), ", output differs"),
        (checked("not checked: no signals seen", unseen=["signals"], saw={"rows": 1}), ", output not checked"),
        (checked("as declared (rounding)", permitted={"target": 1}), ""),
        (None, ", output not checked"),
    ],
)
def test_a_figure_is_shown_with_what_it_does_to_the_output(tmp_path, line, said):
    found = find_simple(recorded(tmp_path, CLAIM, timed(), *[line] * (line is not None)))
    assert describe_simple(found["O06.time"]) == f"1.40x (-29 % time){said}"


def test_where_it_was_checked_and_not_timed_the_cell_says_so(tmp_path):
    run = recorded(tmp_path, CLAIM, checked())
    assert describe_simple(find_simple(run)["O06.time"]) == "not measured"
    assert verdicts.tabulate_verdicts(run, "Verdicts", [CLAIM]).rows[0].cells[2].endswith("\nsimple: not measured")


def test_it_has_a_column_of_the_readme_with_the_signals_that_it_costs(tmp_path):
    line = checked("differs: target in 3 of 3 symbol-cycles", {"target": 3}, damage=DAMAGE)
    table = make_table(recorded(tmp_path, CLAIM, timed(), line))
    assert "| as engineered | the simple way | advice |" in table
    assert "| 1.40x (-29 % time), output differs<br>20 of 86 signals missed |" in table


def test_a_record_without_it_has_no_column(tmp_path):
    run = recorded(tmp_path, CLAIM)
    assert find_simple(run) == {}
    assert "simple" not in make_table(run)


def with_simple(identifier, edit=keep_baseline):
    return replace(catalogue()[identifier], simple=edit)


def test_its_outputs_are_checked_on_cases_and_markets():
    supply = MarketSupply(Universe({}, {}, "nowhere"), 1, (1,), 1, ("O06",))
    for optimization, scopes in ((with_simple("O06"), ["cases", "markets"]), (with_simple("O06", None), [])):
        checks = StudySubject(optimization, supply).checks([], Path("scratch"))
        assert [each.scope for each in checks if each.arm == "simple"] == scopes


@pytest.mark.parametrize(("profile", "asked"), [(QUICK, False), (DEFAULT, True)])
def test_a_quick_run_leaves_it_out(profile, asked):
    job = study_job([with_simple("O02")], Universe({}, {}, "nowhere"), profile, 1)
    [subject] = job.subjects
    assert ("simple" in {each.arm for each in subject.checks([], Path("scratch"))}) == asked
    counted = subject.countings(profile, [1])
    assert any("simple" in arms for each in counted for arms in each.arms.values()) == asked


@pytest.mark.parametrize(("profile", "timed"), [(QUICK, False), (DEFAULT, True)])
def test_it_is_timed_at_the_headline_scale_against_what_the_claims_name(profile, timed):
    found = [each for each in plan_comparisons(with_simple("O10"), profile) if each.candidate == "simple"]
    assert bool(found) == timed
    references = {claim.reference for claim in catalogue()["O10"].claims if claim.metric in ("cpu", "wall")}
    assert {each.reference for each in found} <= references | {"baseline"}


def test_its_source_is_shown_last():
    shown = find_exchanged(with_simple("O06", catalogue()["O06"].prescribed))["consensus"]
    assert [each.title for each in shown] == ["baseline", "prescribed", "engineered", "simple"]


def test_a_worker_checks_it_as_a_variant(monkeypatch):
    monkeypatch.setattr("argo_bench.study.checking.questions.subjects", lambda: {"O06": with_simple("O06")})
    line = msgspec.json.decode(cases("O06", "simple"), type=Fidelity)
    assert (line.arm, line.scope, line.output, line.faithful) == ("simple", "cases", "same", True)
    assert line.compared > 0


@pytest.mark.parametrize(("profile", "read"), [(QUICK, False), (DEFAULT, True)])
def test_its_memory_is_read_where_a_headline_claim_is_about_that(profile, read):
    supply = MarketSupply(Universe({}, {}, "nowhere"), 1, (1,), 1, ("O09",))
    asked = StudySubject(with_simple("O09"), supply).memory_questions(profile)
    assert any(each.comparison.candidate == "simple" for each in asked) == read
    asked = StudySubject(with_simple("O09", None), supply).memory_questions(profile)
    assert all(each.comparison.candidate != "simple" for each in asked)
