"""Does a run know what it was asked for?"""

import msgspec
import pytest

from argo_bench.errors import UserError
from argo_bench.harness.durations import seconds
from argo_bench.harness.record.records import Asked
from argo_bench.optimizations import catalogue
from argo_bench.study.job import job_of

ASKED = Asked(["O11"], None, "quick", None, 3, None, False, False, False, None)


@pytest.mark.parametrize(("text", "value"), [("90", 90), ("90s", 90), ("5m", 300), ("1.5 h", 5400), (" 2M ", 120)])
def test_durations_are_read_as_people_write_them(text, value):
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "soon", "5 minutes", "-3s", "1:30"])
def test_anything_else_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="expected a duration such as 90s, 5m or 1h"):
        seconds(text)


def test_the_settings_become_subjects_market_and_profile():
    job = job_of(msgspec.structs.replace(ASKED, budget_s=77.0, study=True))
    assert [each.id for each in job.subjects] == ["O11"]
    assert set(job.supply.header()["symbols"]) == set(job.supply.universe.symbols)
    assert (job.profile.name, job.profile.budget_s, job.profile.full_trials, job.seed) == ("quick", 77.0, True, 3)


@pytest.mark.parametrize(("profile", "sets"), [("quick", set()), ("default", {"FIVE", "ALL"})])
def test_a_quick_run_of_everything_leaves_out_the_sets_of_optimizations(profile, sets):
    job = job_of(msgspec.structs.replace(ASKED, ids=[], profile=profile))
    assert {each.id for each in job.subjects} - catalogue().keys() == sets


def test_a_subject_that_is_not_there_is_refused():
    with pytest.raises(UserError, match="unknown optimization 'O99'"):
        job_of(msgspec.structs.replace(ASKED, ids=["O99"]))
