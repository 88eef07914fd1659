"""Are functions found out that are right when checked and wrong when timed, and are others left alone?"""

from contextlib import closing

import pytest

from argo_bench.comparison import compare
from argo_bench.harness.record.records import Fidelity
from argo_bench.harness.record.store import load
from argo_bench.harness.record.verify import verify
from argo_bench.harness.workers.leftovers import describe_work_left
from argo_bench.harness.workers.timing import FunctionBody
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


@pytest.mark.parametrize(
    ("baseline", "candidate", "said"),
    [
        (cheats.awaits_all, cheats.leaves_a_task, "the candidate leaves a task running after every call"),
        (cheats.total, cheats.starts_a_thread, "the candidate leaves a thread running after every call"),
        (cheats.total, cheats.goes_on_computing, "the candidate goes on computing for 1 s after its call"),
    ],
)
def test_a_function_that_leaves_work_behind_is_named(baseline, candidate, said, tmp_path):
    found = compare(baseline, candidate, quick=True, budget_s=1, out=tmp_path)
    assert found.verdict == "void"
    assert said in str(found)
    assert "have the function wait for what it begins" in str(found)


def test_an_executor_that_is_kept_is_no_work_left_behind():
    with closing(FunctionBody(cheats.asks_a_pool)) as body:
        body.first_call()
        assert describe_work_left(body) is None


def test_the_cpu_time_of_a_child_counts():
    with closing(FunctionBody(cheats.counts_here)) as here, closing(FunctionBody(cheats.counts_in_a_child)) as child:
        assert here.first_call() == child.first_call()
        # The child has an interpreter to start beside the same work.
        assert child.time_calls([()], 3).cpu_ns > here.time_calls([()], 3).cpu_ns / 2
