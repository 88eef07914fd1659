"""Does the first screen of a page answer what a reader asks first, and with what the record says?"""

import msgspec

from argo_bench.report.glance import describe_measuring, list_answers
from argo_bench.report.sections import HARNESS
from argo_bench.study.report.advice import advise_all
from argo_bench.study.report.sections import STUDY
from tests.test_report_finding import RUN, judgement, recorded

DIFFERS = "differs: missed in 3 of 40 symbol-cycles"


def judged(claim: str, prescribed: tuple, engineered: tuple) -> list:
    """The verdicts on a claim of both versions, each given by its word, speed-up and output."""
    return [
        judgement(word, speedup, claim=claim, arm=arm, output=output)
        for arm, (word, speedup, output) in (("prescribed", prescribed), ("engineered", engineered))
    ]


def study(tmp_path):
    """O06 holds as published, O07 by changing the output, O11 and O13 engineered alone; O13 takes much effort."""
    return recorded(
        tmp_path,
        *judged("O06.time", ("confirmed", 2.5, "same"), ("confirmed", 2.5, "same")),
        *judged("O07.time", ("exceeded", 9.0, DIFFERS), ("fell short", 1.5, "same")),
        *judged("O11.time", ("refuted", 0.9, "same"), ("exceeded", 6.0, "same")),
        *judged("O13.time", ("refuted", 0.9, "same"), ("exceeded", 60.0, "same")),
        run=msgspec.structs.replace(RUN, optimizations=["O06", "O07", "O11", "O13"]),
    )


def answers(run) -> dict:
    return {each.question: each.lines for each in list_answers(run, STUDY)}


def test_what_holds_as_published_is_parted_by_what_became_of_the_output(tmp_path):
    kept, changed = answers(study(tmp_path))["What holds as published?"]
    assert kept.lead == "Reached with the same output (1 of 4 claims)"
    assert [subject for subject, _ in kept.subjects] == ["O06"]
    assert changed.lead == "Reached by changing the output (1)"
    assert changed.subjects == [("O07", "regime cache (time)")]


def test_what_changes_the_output_is_named_for_both_versions(tmp_path):
    published, engineered = answers(study(tmp_path))["What changes the output?"]
    assert published.lead == "As published (1 of 4)"
    assert [subject for subject, _ in published.subjects] == ["O07"]
    assert (engineered.lead, engineered.subjects) == ("As engineered (0 of 4)", [])


def test_where_most_change_the_output_the_others_are_named(tmp_path):
    rows = [
        row
        for claim, output in (("O06.time", "same"), ("O07.time", DIFFERS), ("O11.time", DIFFERS))
        for row in judged(claim, ("exceeded", 9.0, output), ("refuted", 0.9, "same"))
    ]
    found = answers(recorded(tmp_path, *rows))
    published = found["What changes the output?"][0]
    assert published.lead == "As published (2 of 3), all but"
    assert [subject for subject, _ in published.subjects] == ["O06"]


def test_lost_signals_are_a_change_whatever_was_declared(tmp_path):
    lost = {"signals": 86.0, "missed": 20.0, "added": 39.0, "flipped": 0.0}
    first, second = judged("O06.time", ("refuted", 0.9, "same"), ("exceeded", 9.0, "as declared (older data)"))
    second = msgspec.structs.replace(second, damage=lost)
    found = answers(recorded(tmp_path, first, second))
    assert [line.lead for line in found["What changes the output?"]] == [
        "As published (0 of 1)",
        "As engineered (1 of 1, within declared limits)",
    ]


def test_reached_claims_of_little_effort_are_shipped_first(tmp_path):
    run = study(tmp_path)
    places = {each.subject: each.place for each in advise_all(run)}
    assert places == {"O11": 1, "O06": 2, "O13": 3, "O07": 4}
    *first, last = answers(run)["What to ship first?"]
    assert [line.subjects[0][0] for line in first] == ["O11", "O06", "O13"]
    assert first[0].subjects[0][1] == "JSON cache, as engineered: 6.00x (-83 % time)"
    assert (last.lead, [subject for subject, _ in last.subjects]) == ("Then", ["O07"])


def test_what_is_dropped_has_no_place(tmp_path):
    rows = judged("O06.time", ("refuted", 0.9, "same"), ("refuted", 0.9, "same"))
    assert [each.place for each in advise_all(recorded(tmp_path, *rows))] == [0]


def test_how_sure_it_is_counts_what_is_left_undecided(tmp_path):
    rows = judged("O06.time", ("inconclusive", 2.5, "same"), ("confirmed", 2.5, "same"))
    found = answers(recorded(tmp_path, *rows))
    assert "1 of 2 verdicts are left undecided." in [line.lead for line in found["How sure is it?"]]


def test_the_command_of_the_run_repeats_it(tmp_path):
    (line,) = answers(study(tmp_path))["How to repeat it?"]
    assert line.code == RUN.command


def test_functions_of_a_user_have_no_questions_on_published_versions(tmp_path):
    own = judgement("faster", 2.0, claim="new against old", arm="new", kind="difference")
    found = [each.question for each in list_answers(recorded(tmp_path, own), HARNESS)]
    assert found == ["How sure is it?", "How to repeat it?"]


def test_the_heading_says_what_was_measured_and_by_what(tmp_path):
    said = describe_measuring(study(tmp_path), STUDY)
    assert said.startswith("Published optimizations of a trading-signal pipeline, alone and together: 4 claims · ")
    assert "measured by argo-bench" in said
    assert "CPython 3.11 · 2026-01-02 · in 31 s" in said
