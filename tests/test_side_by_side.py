"""Does work without a clock go on side by side, each piece for itself?"""

import json
import threading
import time

import pytest

from argo_bench.harness.functions import search_path
from argo_bench.harness.side_by_side import ask_side_by_side, count_processors, run_side_by_side
from argo_bench.harness.workers.messages import Call, Returned
from argo_bench.harness.workers.processes import ArmFailed, OutOfTime


def test_every_call_is_answered_under_its_key():
    assert dict(run_side_by_side({number: lambda number=number: number**2 for number in range(20)})) == {
        number: number**2 for number in range(20)
    }


def test_no_more_calls_run_at_once_than_there_are_processors():
    running, most, lock = 0, 0, threading.Lock()

    def call():
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        with lock:
            running -= 1

    list(run_side_by_side(dict.fromkeys(range(50), call)))
    assert 1 <= most <= count_processors()


def test_calls_that_have_not_begun_are_dropped_when_the_caller_ends():
    begun = []
    gate = threading.Event()

    def call(number):
        begun.append(number)
        if number:
            gate.wait(10)

    answers = run_side_by_side({number: lambda number=number: call(number) for number in range(50)})
    next(answers)
    answers.close()
    gate.set()
    assert len(begun) <= 1 + count_processors()


def test_what_a_call_raises_reaches_the_caller():
    with pytest.raises(ZeroDivisionError):
        list(run_side_by_side({"zero": lambda: 1 / 0}))


def test_a_question_that_fails_is_answered_with_its_failure_and_the_others_go_on(tmp_path):
    nowhere = str(tmp_path / "nowhere.pickle")
    asked = {"variant": "engineered", "universe": nowhere, "seeds": [1], "cycles": 3}
    target, path = "argo_bench.study.checking.questions:markets", tuple(search_path())
    questions = {name: Call(target, json.dumps(asked | {"optimization": name}), path) for name in ("O11", "O99")}
    answers = dict(ask_side_by_side(questions, 1, tmp_path / "numba"))
    assert {name: type(answer) for name, answer in answers.items()} == {"O11": ArmFailed, "O99": ArmFailed}
    assert "nowhere.pickle" in str(answers["O11"])
    assert Returned not in map(type, answers.values())


def test_what_has_not_returned_in_time_is_given_up():
    """The moment is in the past, and the call returns once it has been given up."""
    is_given_up = threading.Event()
    with pytest.raises(OutOfTime):
        list(run_side_by_side({"slow": is_given_up.wait}, until=time.monotonic() - 1))
    is_given_up.set()
    assert list(run_side_by_side({"fast": lambda: 1}, until=time.monotonic() + 600)) == [("fast", 1)]
