"""Does "keep, fix or drop" follow its rules?"""

import pytest

from argo_bench.report.advice import advice, what_to_do
from tests.test_report_finding import judgement, recorded

SAME, DIFFERS = "same", "differs: missed in 3 of 40 symbol-cycles"


def advised(tmp_path, prescribed, engineered, output=SAME):
    rows = [
        judgement(verdict=prescribed, arm="prescribed", output=output),
        judgement(verdict=engineered, arm="engineered", output=SAME),
    ]
    return advice(recorded(tmp_path, *rows))[0]


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


def test_further_readings_advise_nothing(tmp_path):
    assert advice(recorded(tmp_path, judgement(headline=False))) == []


def test_the_document_s_ranking_stands_beside_the_advice(tmp_path):
    table = what_to_do(recorded(tmp_path, judgement(arm="prescribed")))
    assert table.rows[0].cells[0] == "O06 consensus cache\nmedium priority, low effort, week 1"
