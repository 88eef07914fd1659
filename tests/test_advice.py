"""Does "keep, fix or drop" follow its rules?"""

from dataclasses import replace
from pathlib import Path
from typing import get_args, get_type_hints

import msgspec
import pytest

from argo_bench.harness.claims.verdict import word_for
from argo_bench.harness.record.records import Fidelity
from argo_bench.harness.record.store import load
from argo_bench.optimizations import catalogue
from argo_bench.optimizations.optimization import keep_baseline
from argo_bench.report.sections import Advice
from argo_bench.study.report.advice import LEAST_GAIN, advise_all, tabulate_advice
from tests.test_report_finding import estimate, judgement, recorded, result

ROOT = Path(__file__).parents[1]

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
    assert found.reason.endswith("the output stays the same")


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


HIT, TRACE = "consensus, hit", "consensus, live trace"


def readings(arm, headline, trace, *, output=SAME, text="faster on the stream", **more):
    """What an arm was seen to do on hits, and on the stream as it comes; figures below 1 are surely slower."""
    return [
        judgement(
            "confirmed" if speedup >= 1 else "refuted",
            speedup,
            arm=arm,
            claim=claim,
            output=output,
            headline=claim == "O06.time",
            flags=() if speedup >= 1 else ("worse",),
            workload=workload,
            text="50-70% reduction" if claim == "O06.time" else text,
            **more,
        )
        for claim, workload, speedup in (("O06.time", HIT, headline), ("O06.redundant", TRACE, trace))
    ]


def timed_simple(headline=1.4, trace=1.4, *, checked=True):
    """The results of the simple way on both, and its comparison with the baseline on markets."""
    rows = readings("simple", headline, trace)
    lines = [msgspec.structs.replace(result(each), cpu=estimate(each.speedup)) for each in rows]
    line = Fidelity("O06", "simple", None, 3, {}, 0.0, SAME, True, scope="markets", saw={"signals": 3})
    return [*lines, *[line] * checked]


SLOW_PRESCRIBED = readings("prescribed", 0.2, 0.2)


def test_a_gain_on_hits_is_none_where_the_stream_is_slower(tmp_path):
    found = advise_all(recorded(tmp_path, *SLOW_PRESCRIBED, *readings("engineered", 1.9, 0.25)))[0]
    assert (found.word, found.label) == ("drop", "do not cache")
    assert found.reason.startswith("recompute; no gain worth having")
    assert "CPU time is 0.25x (4.0x slower) on consensus, live trace" in found.reason


def test_the_simple_way_that_recomputes_wins_over_a_cache_that_loses_somewhere(tmp_path, monkeypatch):
    recomputing = {"O06": replace(catalogue()["O06"], simple=keep_baseline)}
    monkeypatch.setattr("argo_bench.study.report.advice.subjects", lambda: recomputing)
    found = advise_all(recorded(tmp_path, *SLOW_PRESCRIBED, *readings("engineered", 1.9, 0.25), *timed_simple()))[0]
    assert (found.word, found.label, found.winner) == ("simple", "do not cache", "simple")
    assert found.reason.startswith("recompute; the simple way gives 1.40x (-29 % time)")
    assert "engineered CPU time is 0.25x (4.0x slower) on consensus, live trace" in found.reason


@pytest.mark.parametrize(
    ("engineered", "word", "winner"),
    [(1.42, "simple", "simple"), (1.39, "simple", "simple"), (1.6, "fix", "engineered")],
)
def test_of_arms_alike_the_simple_way_is_advised(tmp_path, engineered, word, winner):
    rows = [*SLOW_PRESCRIBED, *readings("engineered", engineered, engineered), *timed_simple()]
    found = advise_all(recorded(tmp_path, *rows))[0]
    assert (found.word, found.winner) == (word, winner)


def test_a_simple_way_that_nobody_checked_is_not_advised(tmp_path):
    rows = [*SLOW_PRESCRIBED, *readings("engineered", 1.3, 1.3), *timed_simple(checked=False)]
    assert advise_all(recorded(tmp_path, *rows))[0].word == "fix"


def test_keep_says_when_the_claim_itself_was_missed(tmp_path):
    found = advise_all(recorded(tmp_path, judgement("fell short", 1.3, arm="prescribed")))[0]
    assert (found.word, found.label) == ("keep", "keep, claim missed")
    assert "the claim itself was missed: -50 to -70 % of CPU time was published" in found.reason


def test_keep_names_the_engineered_variant_where_that_is_better_still(tmp_path):
    rows = [judgement("confirmed", speedup, arm=arm) for arm, speedup in (("prescribed", 2.1), ("engineered", 3.0))]
    found = advise_all(recorded(tmp_path, *rows))[0]
    assert (found.word, found.winner) == ("keep", "engineered")
    assert "engineered is better still: it gives 3.00x" in found.reason


@pytest.mark.parametrize(("speedup", "word"), [(1.04, "drop"), (1.06, "keep")])
def test_a_gain_has_a_least_size(tmp_path, speedup, word):
    refuted = judgement("refuted", 0.9, arm="engineered")
    assert advise_all(recorded(tmp_path, judgement("fell short", speedup, arm="prescribed"), refuted))[0].word == word


def test_the_same_sentence_read_in_another_way_is_a_loss_in_part(tmp_path):
    rows = readings("prescribed", 2.1, 0.5, text="50-70% reduction")
    rows = [msgspec.structs.replace(each, comparison=replace_workload(each, "elsewhere")) for each in rows]
    found = advise_all(recorded(tmp_path, *rows))[0]
    assert (found.word, found.label) == ("keep", "keep, in part")
    better = readings("engineered", 2.1, 1.0)
    found = advise_all(recorded(tmp_path / "both", *rows, *better))[0]
    assert (found.word, found.label) == ("fix", "fix")
    assert "CPU time is 0.50x (2.0x slower) on elsewhere" in found.reason


def replace_workload(of, workload):
    return msgspec.structs.replace(of.comparison, workload=workload)


def test_a_level_that_falls_short_is_no_gain(tmp_path):
    row = judgement("fell short", None, arm="prescribed", kind="level", low=0.7, high=1.0, level_seen=(0.0, 0.0))
    assert advise_all(recorded(tmp_path, row))[0].word == "drop"


def test_the_stored_run_is_not_advised_to_cache_what_is_cheaper_to_find_anew():
    labels = {each.subject: each.label for each in advise_all(load(ROOT / "results" / "reference"))}
    assert labels["O06"] == "do not cache"
    assert labels["O02"] == "fix, claim missed"
    assert labels["O03"] == "drop"


def test_every_word_is_explained_in_the_rules():
    rules = (ROOT / "docs" / "advice.md").read_text(encoding="utf-8")
    for word in (*get_args(get_type_hints(Advice)["word"]), "do not cache"):
        assert f"| {word} |" in rules
    assert f"{100 * (LEAST_GAIN - 1):.0f} %" in rules
