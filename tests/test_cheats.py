"""Are functions found out that are right when checked and wrong when timed, and are others left alone?"""

import dataclasses
from contextlib import closing
from typing import get_args

import pytest

from argo_bench.comparison import compare
from argo_bench.harness.claims.verdict import HOLDS
from argo_bench.harness.plan import QUICK
from argo_bench.harness.record.records import Fidelity
from argo_bench.harness.record.store import load
from argo_bench.harness.record.verify import verify
from argo_bench.harness.workers.causes import RULES, Cause
from argo_bench.harness.workers.leftovers import Leftovers
from argo_bench.harness.workers.timing import FunctionBody
from tests import cheats


@pytest.fixture(autouse=True)
def brief(monkeypatch):
    """Two short replicates: enough for an interval."""
    tiny = dataclasses.replace(QUICK, looks=(2,), headline_s=0.02, other_s=0.02)
    monkeypatch.setattr("argo_bench.harness.compare.QUICK", tiny)
    twins = dataclasses.replace(tiny, name="default")
    monkeypatch.setattr("argo_bench.harness.compare.DEFAULT", twins)


FIRST = {each.named: each for each in reversed(cheats.CHEATS)}
"""Of those that one sentence names the others are tried with the slow tests."""


@pytest.mark.parametrize(
    "cheat",
    [
        pytest.param(each, id=each.what, marks=[] if FIRST[each.named] is each else [pytest.mark.slow])
        for each in cheats.CHEATS
    ],
)
def test_a_function_gets_no_speed_up_for_what_its_sentence_names(cheat, tmp_path):
    options = {"setup": cheat.setup, "fresh": cheat.fresh, "claim": "at least 1.1x", "out": tmp_path}
    found = compare(cheat.baseline, cheat.candidate, quick=True, **options)
    assert cheat.named in str(found)
    assert found.verdict not in ("faster", *HOLDS)
    assert "faster" not in found.judgement.sentence
    assert verify(load(tmp_path)) == []


def test_every_cause_has_its_rule():
    assert set(RULES) == set(get_args(Cause))


@pytest.mark.parametrize("quick", [True, False], ids=["one process", "two processes"])
def test_a_function_that_is_wrong_from_its_fortieth_call_on_gets_no_speed_up(tmp_path, quick):
    found = compare(cheats.total, cheats.right_forty_times, quick=quick, out=tmp_path)
    assert found.verdict == "void"
    assert str(found) == "right_forty_times against total: differs: after it was timed, output: 1999000 against 7"
    assert verify(load(tmp_path)) == []


@pytest.mark.parametrize(
    ("baseline", "candidate"),
    [
        (cheats.total, cheats.in_other_words),
        (cheats.pages, cheats.pages),
        (cheats.words, cheats.same_words),
        pytest.param(cheats.switches_collection_off, cheats.switches_collection_off, marks=pytest.mark.slow),
        pytest.param(cheats.remembers_without_an_input, cheats.made_at_import, marks=pytest.mark.slow),
    ],
    ids=["other words", "large", "an order of its own in every process", "both do it", "both have it ready"],
)
def test_functions_that_go_on_agreeing_are_left_alone(tmp_path, baseline, candidate):
    found = compare(baseline, candidate, quick=True, out=tmp_path)
    assert found.verdict in ("faster", "slower", "no difference", "inconclusive"), str(found)
    assert [each.output for each in load(tmp_path).all(Fidelity)] == ["same"]


def test_an_executor_that_is_kept_is_no_work_left_behind():
    with closing(FunctionBody(cheats.asks_a_pool)) as body:
        leftovers = Leftovers(body)
        for _ in range(3):
            leftovers.begin_call()
            body.first_call()
            leftovers.end_call()
        assert leftovers.describe() is None


def test_the_cpu_time_of_a_child_counts():
    with closing(FunctionBody(cheats.counts_here)) as here, closing(FunctionBody(cheats.counts_in_a_child)) as child:
        assert here.first_call() == child.first_call()
        # The child has an interpreter to start beside the same work.
        assert child.time_calls([()], 3).cpu_ns > here.time_calls([()], 3).cpu_ns / 2
