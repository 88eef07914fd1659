"""Do the answers of the notebooks say what the record says, and leave open what it leaves open?"""

from pathlib import Path

import pytest

from argo_bench.errors import UserError
from argo_bench.opening import open_report
from argo_bench.study.report import answers
from argo_bench.study.report.advice import advise_all
from tests.test_report_finding import judgement, recorded, result

REFERENCE = open_report(Path(__file__).parents[1] / "results" / "reference")
LOOKUPS = open_report(REFERENCE.directory / "lookups")
COMPARED = Path(__file__).parent / "goldens" / "records" / "compare"


@pytest.mark.parametrize("advice", advise_all(REFERENCE.recorded), ids=lambda advice: advice.subject)
def test_the_answer_on_an_optimization_is_its_advice_with_the_reason(advice):
    said = answers.say_what_to_ship(REFERENCE.of(advice.subject))
    assert said.startswith(answers.SHIP[advice.word].split("{subject}")[0])
    assert advice.subject in said
    assert said.endswith(f"{advice.reason}.")


def test_the_answer_on_functions_of_ones_own_is_the_finding():
    report = open_report(COMPARED)
    assert answers.say_what_to_ship(report) == str(report)


@pytest.mark.parametrize(
    ("lookup_ns", "said"),
    [
        (0.5, "dict (0.5 ns a look-up) pays for slow and quick from less than 0.1 % on"),
        (50, "dict (50 ns a look-up) pays for quick from 5 % on; for slow from less than 0.1 % on"),
        (1000, "dict (1 us a look-up) pays for slow from less than 0.1 % on, but never pays for quick"),
        (1e10, "dict (10 s a look-up) never pays for slow and quick"),
    ],
)
def test_a_store_pays_from_the_share_that_its_look_up_is_of_the_computation(lookup_ns, said):
    assert answers._describe_store("dict", lookup_ns, {"slow": 1e9, "quick": 1e3}) == said


def test_the_answer_on_caches_names_every_store_of_the_record():
    said = answers.say_when_a_cache_pays(LOOKUPS, REFERENCE).splitlines()
    stores = ["dict", *LOOKUPS.recorded.subjects]
    assert sorted(line.split()[1] for line in said[1:]) == sorted(stores)


@pytest.mark.parametrize(("stores", "stages"), [(REFERENCE, REFERENCE), (LOOKUPS, LOOKUPS)])
def test_a_run_without_the_times_of_look_ups_or_stages_is_named(stores, stages):
    with pytest.raises(UserError, match=r"has not the times that the answer needs: expected a run of argo-bench run"):
        answers.say_when_a_cache_pays(stores, stages)


@pytest.mark.parametrize(
    ("verdict", "speedup", "said"),
    [
        ("confirmed", 2.0, "50 % less memory"),
        ("refuted", 0.5, "100 % more memory"),
        ("refuted", 1.001, "as much memory as before"),
        ("inconclusive", 1.2, "memory by an amount that this run leaves open"),
        ("untested", None, "memory by an amount that this run leaves open"),
    ],
)
def test_an_amount_is_told_as_more_less_or_open(verdict, speedup, said):
    assert answers._compare(judgement(verdict, speedup), "memory") == said


def test_the_answer_on_float32_leaves_out_what_was_not_judged(tmp_path):
    memory = judgement("refuted", 1.0, claim="O09.memory", low=0.4, high=0.6, metric="peak_rss")
    report = open_report(recorded(tmp_path, result(memory), memory).directory)
    assert answers.say_what_float32_saves(report) == (
        "With float32 as published, a whole cycle takes as much memory as before "
        "(-40 to -60 % was published: refuted); the output stays the same."
    )


def test_a_run_that_judged_nothing_of_float32_as_published_is_named(tmp_path):
    other = judgement("refuted", 1.0, claim="O09.memory", arm="engineered")
    report = open_report(recorded(tmp_path, result(other), other).directory)
    with pytest.raises(UserError, match="judged nothing of O09 as published"):
        answers.say_what_float32_saves(report)
