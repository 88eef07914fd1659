"""Are functions found out that are right when checked and wrong when timed, and are others left alone?"""

import pytest

from argo_bench.comparison import compare
from argo_bench.harness.record.records import Fidelity
from argo_bench.harness.record.store import load
from argo_bench.harness.record.verify import verify
from tests import cheats


@pytest.mark.parametrize("quick", [True, False], ids=["one process", "two processes"])
def test_a_function_that_is_wrong_from_its_tenth_call_on_gets_no_speed_up(tmp_path, quick):
    found = compare(cheats.total, cheats.right_nine_times, quick=quick, budget_s=1, out=tmp_path)
    assert found.verdict == "void"
    assert str(found) == ("right_nine_times against total: differs: after it was timed, output: 1999000 against 7")
    assert verify(load(tmp_path)) == []


def test_a_function_that_is_right_only_beside_the_other_one_gets_no_speed_up(tmp_path):
    found = compare(cheats.leaves, cheats.reads_what_was_left, budget_s=1, out=tmp_path)
    assert found.verdict == "void"
    assert "after it was timed, output: 1999000 against 0" in str(found)


@pytest.mark.parametrize(
    ("baseline", "candidate"),
    [
        (cheats.total, cheats.in_other_words),
        (cheats.pages, cheats.pages),
        (cheats.words, cheats.same_words),
    ],
    ids=["other words", "large", "an order of its own in every process"],
)
def test_functions_that_go_on_agreeing_are_left_alone(tmp_path, baseline, candidate):
    found = compare(baseline, candidate, quick=True, budget_s=1, out=tmp_path)
    assert found.verdict != "void"
    assert [each.output for each in load(tmp_path).all(Fidelity)] == ["same"]
