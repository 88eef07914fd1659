"""Does an examination find what speaks against a function, at the cost of few calls, and nothing where nothing does?"""

import dataclasses
import functools
import gc
import hashlib
import itertools
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from time import thread_time_ns

import numpy as np
import pytest

from argo_bench.harness.benchmark import Benchmark
from argo_bench.harness.plan import DEFAULT, describe_shortage
from argo_bench.harness.suspicions import find_lazy, weigh
from argo_bench.harness.workers import examine, inputs, kept, precision, processors, results, settings
from argo_bench.harness.workers.causes import RULES, Suspicion
from argo_bench.harness.workers.messages import Agreement, Examined
from argo_bench.harness.workers.timing import FunctionBody, Timing

SECOND = 1_000_000_000


class CountedBody(FunctionBody):
    """A body whose calls are counted and take what they are said to take, call by call."""

    def __init__(self, function, setup=None, fresh=False, call_ns=(1000,)):
        self.made = 0
        self._call_ns = itertools.chain(call_ns, itertools.repeat(call_ns[-1]))
        super().__init__(function, setup, fresh)

    def time_calls(self, prepared, passes, kept=None):
        self.made += 1
        super().time_calls(prepared, passes, kept)
        taken = next(self._call_ns)
        return Timing(taken, 0)


def values():
    return [3.0, 1.0, 2.0, 5.0, 4.0, 6.0, 8.0, 7.0]


def numbers_of(body, tmp_path):
    with closing(body):
        return examine.examine(body, settings.read_settings(), tmp_path / "result")


def test_a_slow_function_is_called_twice(tmp_path):
    body = CountedBody(sum, values, call_ns=[4 * SECOND])
    found = numbers_of(body, tmp_path)
    assert (body.made, found["suspicions"]) == (2, [])
    assert found["call_ns"] == pytest.approx(4 * SECOND, rel=0.5)  # what a busy machine delayed is taken off


def test_a_fast_function_is_called_twenty_times_at_most(tmp_path):
    body = CountedBody(sum, values)
    assert numbers_of(body, tmp_path)["suspicions"] == []
    # MOST_CALLS on its input; twice on another one, which is no dearer; once on one for its answer there.
    assert body.made <= examine.MOST_CALLS + 2 * inputs.OTHERS + 1
    assert body.made >= examine.MOST_CALLS


@pytest.mark.parametrize(("dear_ns", "times"), [(200_000_000, 1), (200_000_000, 0), (6_000_000, 1)])
def test_calls_that_are_dear_again_and_again_are_named(dear_ns, times, tmp_path):
    """A busy machine makes a single call dear, or several by a little."""
    cycle = [4_000_000] * 9 + [dear_ns]
    body = CountedBody(lambda: [1], call_ns=cycle * 99 if times else [*cycle, 4_000_000])
    found = [each.seen for each in map(Suspicion._make, numbers_of(body, tmp_path)["suspicions"])]
    if times == 1 and dear_ns > 10_000_000:
        assert len(found) == 1
        assert found[0].startswith("takes 50 times as long at about one call of 1")
    else:
        assert found == []


def test_two_calls_that_a_machine_disturbed_are_not_held_against_a_function(tmp_path):
    usual = [4_000_000] * 9
    body = CountedBody(lambda: [1], call_ns=[*usual, 100_000_000, *usual, 100_000_000, 4_000_000])
    assert numbers_of(body, tmp_path)["suspicions"] == []
    assert body.made > 3 * examine.MOST_CALLS


def test_work_that_is_put_off_to_a_collection_of_all_garbage_is_named(tmp_path):
    calls = itertools.count(1)

    def collect_at_times():
        if next(calls) % 10 == 0:
            gc.collect()
        return [1]

    body = CountedBody(collect_at_times, call_ns=([4_000_000] * 9 + [200_000_000]) * 99)
    [found] = map(Suspicion._make, numbers_of(body, tmp_path)["suspicions"])
    assert found.cause == "some calls are dear"


def test_first_calls_that_warm_up_are_not_held_against_a_function(tmp_path):
    """The C library takes memory for a large result anew, at some three calls, before it keeps it for the next one."""
    dear_ns = iter([3 * examine.REMARKED_NS] * 3)

    def warm_up():
        end_ns = thread_time_ns() + next(dear_ns, 0)
        while thread_time_ns() < end_ns:
            pass
        return 1

    found = map(Suspicion._make, numbers_of(FunctionBody(warm_up), tmp_path)["suspicions"])
    assert "some calls are dear" not in [each.cause for each in found]


def test_a_function_without_a_check_is_only_called_twice():
    with closing(CountedBody(sum, values, call_ns=[SECOND])) as body:
        examine.call_twice(body)
        assert body.made == 2


def test_the_last_call_of_a_sample_is_kept_and_nothing_else():
    numbers = itertools.count()
    body = FunctionBody(lambda: next(numbers))
    seen = []
    body.time_calls([()], 5, seen)
    assert seen == [4]
    body.time_calls([()], 0, seen)
    assert seen == [4, None]
    body.close()


@pytest.mark.parametrize(
    ("call_ns", "budget_s", "is_short"),
    [
        ([4 * SECOND, 3 * SECOND], 20, True),
        ([4 * SECOND, 3 * SECOND], 200, False),
        ([1000, 1000], 1, False),
        ([], 1, False),
    ],
)
def test_too_little_time_for_the_fewest_calls_is_said_before_they_are_made(call_ns, budget_s, is_short):
    said = describe_shortage(call_ns, dataclasses.replace(DEFAULT, budget_s=budget_s))
    assert (said is not None) == is_short
    if is_short:
        assert "6 replicates take 133 s at least, and there are 20 s: raise the budget (budget_s=160, " in said


def test_setups_and_what_is_used_up_count_for_the_shortage():
    budget = dataclasses.replace(DEFAULT, budget_s=20)
    assert describe_shortage([SECOND // 2] * 2, budget) is None
    assert "and there are 20 s" in describe_shortage([SECOND // 2] * 2, budget, spent_s=5)
    said = describe_shortage([1000] * 2, budget, built_ns=4 * SECOND)
    assert "and the setup of both 4 s, so that 6 replicates take 28 s at least" in said


def others_of(*arguments):
    return [*itertools.islice(inputs.list_other_inputs(arguments), 3)]


@pytest.mark.parametrize(
    ("argument", "first"),
    [
        ([1, 2, 3], [3, 2, 1]),
        (3, 4),
        (2.5, 3.5),
        ({"a": [1, 2]}, {"a": [2, 1]}),
        ((1, 2), (2, 1)),
        ([[1, 2], [1, 2]], [[2, 1], [1, 2]]),
    ],
)
def test_another_input_is_of_the_same_kind(argument, first):
    assert others_of(argument)[0] == (first,)


def test_other_inputs_of_an_array_have_the_same_items_in_other_places():
    array = np.arange(10.0)
    found = others_of(array)
    assert len(found) == 3
    assert all(sorted(each) == sorted(array) and not np.array_equal(each, array) for (each,) in found)
    assert np.array_equal(array, np.arange(10.0))


@pytest.mark.parametrize("argument", ["a path", True, None, [1, 1, 1], object(), b"bytes"])
def test_what_could_mean_something_else_is_not_changed(argument):
    found = others_of(argument)
    assert found == [] or argument == [1, 1, 1]


@pytest.mark.parametrize(
    ("value", "grown"),
    [
        (([1, 2.5], "text"), ([2, 3.5], "text")),
        ({"one": (1, True)}, {"one": (2, True)}),
        (np.array([1, 2], np.uint8), np.array([2, 3], np.uint8)),
        (np.array(["a"]), np.array(["a"])),
    ],
)
def test_every_number_grows_and_nothing_else(value, grown):
    found = inputs.grow_numbers(value)
    assert type(found) is type(grown)
    np.testing.assert_equal(found, grown)


def test_numbers_within_a_long_text_change_places():
    text = '{"prices": [' + ", ".join(f"{100.123 + each}" for each in range(30)) + "]}"
    other = others_of(text)[0][0]
    assert other != text
    assert sorted(other) == sorted(text)


ROWS = [[each] for each in range(5)]
ONE = ROWS[0]
SIZE = 60_000_000


def name_of(function, result):
    found = kept.find_kept(function, result)
    return None if found is None else found.name


def test_a_result_is_found_where_a_function_keeps_it():
    assert name_of(lambda: ROWS, ROWS) == "ROWS"
    assert name_of(lambda: list(ROWS), list(ROWS)) == "ROWS"
    assert name_of(lambda: ROWS[0], ONE) == "ROWS"
    assert name_of(lambda: [[0]], [[0]]) is None
    assert name_of(lambda: len(range(SIZE)), int("60000000")) is None  # equal by chance
    assert name_of(lambda: None, None) is None
    closed_over = {"answer": [1.5]}
    assert name_of(lambda: closed_over["answer"], closed_over["answer"]) == "closed_over"


MEMO = {}


def remembers(number):
    if number not in MEMO:
        MEMO[number] = [number * each for each in range(100)]
    return MEMO[number]


@functools.lru_cache
def cached(number):
    return [number * each for each in range(100)]


def empty_memo():
    MEMO.clear()
    cached.cache_clear()
    return (3,)


@pytest.mark.parametrize("function", [remembers, cached])
@pytest.mark.parametrize(("setup", "fresh"), [(lambda: (3,), False), (lambda: (3,), True), (empty_memo, True)])
def test_a_function_whose_setup_empties_what_it_remembers_computes_again(function, setup, fresh, tmp_path):
    empty_memo()
    found = [each[0] for each in numbers_of(CountedBody(function, setup, fresh), tmp_path)["suspicions"]]
    assert found == ([] if setup is empty_memo else ["remembers"])


def first_row(rows=ROWS):
    return rows[0]


@pytest.mark.parametrize("call_ns", [[1000], [SECOND, 1000]])
def test_a_first_call_that_had_to_wait_for_its_turn_makes_no_result_of_its_own(call_ns, tmp_path):
    found = numbers_of(CountedBody(first_row, call_ns=call_ns), tmp_path)
    assert [each[0] for each in found["suspicions"]] == ["was made before"]


@pytest.mark.parametrize(
    ("expected", "got", "is_lowered"),
    [
        (np.sqrt(np.arange(1.0, 9)), np.sqrt(np.arange(1, 9, dtype=np.float32)), True),
        ([2**0.5], [float(np.float32(2**0.5))], True),
        ({"a": 0.1}, {"a": float(np.float32(0.1))}, True),
        ([0.1 + 0.2], [0.3], False),
        ([0.9999999999999999], [1.0], False),
        ([1.5, 2.25], [1.5, 2.25], False),
        (np.float32([0.1, 0.2]), np.float32([0.1, 0.2000001]), False),
        ([1, 2], [1, 2], False),
        ("text", "text", False),
    ],
)
def test_single_precision_is_told_from_rounding(expected, got, is_lowered):
    assert (precision.describe_precision(expected, got) is not None) == is_lowered


def test_a_setting_counts_where_one_of_the_two_changes_it():
    off = Suspicion("changes a setting", "leaves garbage collection off")
    assert weigh({"baseline": [off], "candidate": [off]}) == []
    (held,) = weigh({"baseline": [], "candidate": [off]})
    assert held.outcome == "refused"
    assert held.said.startswith("the candidate leaves garbage collection off: ")
    seldom = Suspicion("changes a setting", "leaves another switch interval of threads")
    assert len(weigh({"baseline": [seldom], "candidate": [off]})) == 2


def test_the_causes_stand_in_the_documentation_as_they_do_in_the_code():
    rows = [
        f"| {cause} | {rule.outcome} | {rule.way_out} | {'yes' if rule.is_fair else 'no'} |"
        for cause, rule in RULES.items()
    ]
    assert "\n".join(rows) in (Path(__file__).parents[1] / "docs/functions.md").read_text(encoding="utf-8")


def test_the_gravest_cause_comes_first():
    memory = Suspicion("remembers", "remembers its input")
    thread = Suspicion("leaves a thread", "leaves a thread running after every call")
    assert [each.outcome for each in weigh({"baseline": [], "candidate": [memory, thread]})] == ["void", "refused"]


@pytest.mark.parametrize(
    ("baseline_ns", "call_ns", "reading_ns", "is_named"),
    [
        (None, 10, None, False),
        (None, 10, 9, False),
        (None, 10, 11, True),
        (None, 10, 1000, True),
        (None, 1000, 2000, False),  # no faster, so that nothing is gained
        (300, 10, 600, False),  # two collections of Python code, read unevenly by a busy machine
        (300, 10, 620, True),
    ],
)
def test_a_result_that_computes_when_it_is_read_is_refused_on_any_machine(baseline_ns, call_ns, reading_ns, is_named):
    baseline = Examined([], False, 1000, 1000, baseline_ns, True)
    candidate = Examined([], False, call_ns, call_ns, reading_ns, True)
    assert bool(find_lazy(baseline, candidate)) == is_named


@pytest.mark.parametrize(
    "result",
    [
        b"x" * 2_000_000,
        "x" * 2_000_000,
        [float(each) for each in range(300_000)],
        {str(each): each for each in range(200_000)},
        set(range(500_000)),
        np.arange(500_000.0),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_large_result_is_sampled_alike_whatever_its_order(result, tmp_path):
    assert results.write_result(result, tmp_path / "large", results.SAMPLED_ABOVE).unread is not None
    taken = results.sample(result)
    written = results.write_result(taken, tmp_path / "sample", results.SAMPLED_ABOVE)
    assert written.unread is None
    if isinstance(result, dict):
        assert results.sample(dict(reversed(result.items()))) == taken


def test_work_in_threads_and_child_processes_is_noticed(tmp_path):
    for function in (in_a_thread, in_a_child):
        found = [each[0] for each in numbers_of(FunctionBody(function), tmp_path)["suspicions"]]
        assert found == ["several processors"]
    assert numbers_of(FunctionBody(hash_much), tmp_path)["suspicions"] == []


def hash_much():
    return hashlib.pbkdf2_hmac("sha256", b"word", b"salt", 20_000)


def in_a_thread():
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(hash_much).result()


def in_a_child():
    return subprocess.check_output([sys.executable, "-S", "-c", "print(sum(range(10**6)))"])


def test_only_arms_that_ask_for_all_processors_get_them(monkeypatch):
    seen = []
    monkeypatch.setattr(processors, "AT_FIRST", frozenset({0, 1}))
    monkeypatch.setattr(processors.os, "sched_getaffinity", lambda process: {1}, raising=False)
    monkeypatch.setattr(processors.os, "sched_setaffinity", lambda process, to: seen.append(set(to)), raising=False)
    with processors.use_processors(of_all=False):
        assert seen == []
    with processors.use_processors(of_all=True):
        assert seen == [{0, 1}]
    assert seen == [{0, 1}, {1}]


def settle(tmp_path, **of_candidate):
    """Settle two functions of which an examination says that nothing is wrong, but for what is given."""
    usual = {"suspicions": [], "waits": False, "first_ns": 1000, "call_ns": 1000, "reading_ns": None}

    def ask(message, expected):
        if expected is Agreement:
            return Agreement(None)
        more = of_candidate if message.arm.name == "candidate" else {}
        return Examined(**{**usual, **more}, is_written=True)

    return Benchmark("pair", "tests.cheats:total", "tests.cheats:in_other_words").settle(ask, ask, tmp_path)


def test_functions_that_use_several_processors_get_them_and_a_remark(tmp_path):
    parallel = Suspicion("several processors", "computes in threads or child processes of its own")
    settled = settle(tmp_path, suspicions=[parallel])
    assert (settled.subject.spread, settled.subject.metric, settled.is_faithful) == (True, "wall", True)
    said = RULES["several processors"].way_out
    assert settled.lines[-1].output == f"same; the candidate {parallel.seen}: {said}"
    assert settled.lines[0].clock_by == "several processors"
    arms = settled.subject.arms(tmp_path)
    assert all('"spread":true' in each.arguments for each in arms.values())
    assert settle(tmp_path).subject.spread is False


def test_a_refused_function_is_not_timed_and_its_reason_is_that_of_the_record(tmp_path):
    settled = settle(tmp_path, suspicions=[Suspicion("remembers", "remembers its input")])
    assert not settled.is_faithful
    assert (settled.lines[-1].kind, settled.lines[-1].arm) == ("untested", "candidate")
    assert "the candidate remembers its input: empty what it remembers" in settled.lines[-1].reason


def test_what_a_call_takes_is_handed_on(tmp_path):
    assert sorted(settle(tmp_path, call_ns=7).call_ns.values()) == [7, 1000]
