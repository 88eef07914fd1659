"""Does "keep, fix or drop" follow its rules?"""

import msgspec
import pytest

from argo_bench.harness.claims.verdict import word_for
from argo_bench.study.report.advice import advise_all, tabulate_advice
from tests.test_report_finding import judgement, recorded

SAME, DIFFERS = "same", "differs: missed in 3 of 40 symbol-cycles"


def advised(tmp_path, prescribed, engineered, output=SAME, engineered_output=SAME):
    rows = [
        judgement(verdict=prescribed, arm="prescribed", output=output),
        judgement(verdict=engineered, arm="engineered", output=engineered_output),
    ]
    return advise_all(recorded(tmp_path, *rows))[0]


@pytest.mark.parametrize(
    ("prescribed", "output", "engineered", "word"),
    [
        ("confirmed", SAME, "refuted", "keep"),
        ("fell short", SAME, "exceeded", "keep"),
        ("confirmed", DIFFERS, "exceeded", "fix"),
        ("refuted", SAME, "fell short", "fix"),
        ("inconclusive", SAME, "confirmed", "fix"),
        ("refuted", SAME, "refuted", "drop"),
        ("refuted", SAME, "inconclusive", "drop"),
        ("confirmed", DIFFERS, "void", "undecided"),
        ("inconclusive", SAME, "inconclusive", "undecided"),
        ("untested", SAME, "untested", "undecided"),
        ("failed", SAME, "failed", "undecided"),
    ],
)
def test_the_rules(tmp_path, prescribed, output, engineered, word):
    assert advised(tmp_path, prescribed, engineered, output).word == word


def test_the_reason_says_what_speaks_against_the_prescription(tmp_path):
    found = advised(tmp_path, "confirmed", "exceeded", DIFFERS)
    assert "the output differs" in found.reason
    assert found.reason.startswith("as prescribed")


def test_an_engineered_variant_that_changes_the_output_fixes_nothing(tmp_path):
    assert advised(tmp_path, "refuted", "exceeded", engineered_output=DIFFERS).word == "undecided"


LOST = {"signals": 86.0, "missed": 20.0, "added": 39.0, "flipped": 0.0}


@pytest.mark.parametrize(
    ("lost_as_prescribed", "lost_as_engineered", "word"),
    [(LOST, {}, "fix"), (LOST, LOST, "drop"), ({}, LOST, "keep"), ({"signals": 86.0}, LOST, "keep")],
)
def test_lost_signals_outrank_gains_whatever_is_declared(tmp_path, lost_as_prescribed, lost_as_engineered, word):
    rows = [
        msgspec.structs.replace(judgement("exceeded", arm=arm, output="as declared (older data)"), damage=damage)
        for arm, damage in (("prescribed", lost_as_prescribed), ("engineered", lost_as_engineered))
    ]
    found = advise_all(recorded(tmp_path, *rows))[0]
    assert found.word == word
    if word != "keep":
        assert "20 of 86 signals missed, 39 added" in found.reason


@pytest.mark.parametrize(
    ("prescribed", "engineered", "word"),
    [
        (("confirmed", "inconclusive"), ("refuted", "refuted"), "keep"),
        (("confirmed", "refuted"), ("confirmed", "confirmed"), "fix"),
        (("confirmed", "refuted"), ("confirmed", "refuted"), "undecided"),
        (("confirmed", "void"), ("failed", "failed"), "undecided"),
        (("refuted", "untested"), ("inconclusive", "failed"), "drop"),
    ],
)
def test_a_variant_is_judged_by_all_its_headline_claims(tmp_path, prescribed, engineered, word):
    rows = [
        judgement(verdict=verdict, arm=arm, claim=claim)
        for arm, verdicts in (("prescribed", prescribed), ("engineered", engineered))
        for claim, verdict in zip(("O06.time", "O06.calls"), verdicts, strict=True)
    ]
    assert advise_all(recorded(tmp_path, *rows))[0].word == word


@pytest.mark.parametrize("first", ["confirmed", "failed"])
def test_an_output_that_differs_counts_wherever_a_failed_claim_stands(tmp_path, first):
    gained = judgement(verdict="confirmed", arm="prescribed", output=DIFFERS)
    failed = judgement(verdict="failed", speedup=None, arm="prescribed", output="not checked", claim="O06.calls")
    rows = [gained, failed] if first == "confirmed" else [failed, gained]
    found = advise_all(recorded(tmp_path, *rows))[0]
    assert found.word == "undecided"
    assert "the output differs" in found.reason


def test_the_output_that_is_kept_is_that_of_the_claim_that_gained(tmp_path):
    failed = judgement(verdict="failed", speedup=None, arm="prescribed", output="not checked")
    gained = judgement(verdict="confirmed", arm="prescribed", claim="O06.calls")
    found = advise_all(recorded(tmp_path, failed, gained))[0]
    assert found.word == "keep"
    assert found.reason.endswith("the output stays same")


@pytest.mark.parametrize("brief", [True, False])
@pytest.mark.parametrize("verdict", ["failed", "untested"])
@pytest.mark.parametrize("arms", [("prescribed", "engineered"), ("prescribed",), ("engineered",)])
def test_what_was_not_measured_is_said_to_be_so(tmp_path, arms, verdict, brief):
    rows = [judgement(verdict=verdict, speedup=None, arm=arm, output="not checked") for arm in arms]
    cells = tabulate_advice(recorded(tmp_path, *rows), brief=brief).rows[0].cells
    assert cells[1:3] == tuple("not measured" if arm in arms else "-" for arm in ("prescribed", "engineered"))
    assert cells[3] == "undecided: " + "; ".join(f"CPU time of {arm} is {word_for(verdict)}" for arm in arms)


def test_further_readings_advise_nothing(tmp_path):
    assert advise_all(recorded(tmp_path, judgement(headline=False))) == []


def test_the_document_s_ranking_stands_beside_the_advice(tmp_path):
    table = tabulate_advice(recorded(tmp_path, judgement(arm="prescribed")))
    assert table.rows[0].cells[0] == "O06 consensus cache\nmedium priority, low effort, week 1"
