"""Is the clock chosen by what calls wait for, by the best means that the system has?"""

import hashlib
import itertools
import multiprocessing
import time
from contextlib import closing

import pytest

from argo_bench.harness.benchmark import Benchmark
from argo_bench.harness.workers import examine, settings, waiting
from argo_bench.harness.workers.messages import Agreement, Examined
from argo_bench.harness.workers.timing import FunctionBody, Timing
from argo_bench.harness.workers.waiting import Call, Decision, Kept, decide

MS = 1_000_000


def call(wall, cpu, delay=None, steal=0, switches=None):
    """A call of so many milliseconds; unless told, its run delay and switches are unknown."""
    return Call(Timing(wall * MS, cpu * MS), None if delay is None else delay * MS, steal * MS, switches)


@pytest.mark.parametrize(
    ("calls", "decided"),
    [
        ([call(30, 10, delay=20)], (False, "run delay")),
        ([call(30, 10, delay=20), call(20, 10, delay=0, steal=10)], (False, "run delay")),
        ([call(30, 10, delay=18)], (False, "run delay")),
        ([call(30, 10, delay=5)], (True, "run delay")),
        ([call(30, 0, delay=0)], (True, "run delay")),
        ([call(30, 50, delay=0)], (False, "run delay")),  # two threads at once
        ([call(30, 10, switches=0)] * 2, (False, "context switches")),
        ([call(30, 10, switches=3)] * 2, (True, "context switches")),
        ([call(30, 29, switches=3)] * 2, (False, "context switches")),  # it gives the processor away for a moment
        ([call(30, 10, switches=3)], (True, "nothing")),
        ([call(30, 10, switches=1), *[call(30, 30, switches=0)] * 4], (False, "largest CPU share")),
        ([call(30, 10)] * 5, (True, "largest CPU share")),
        ([call(30, 10)] * 4 + [call(30, 30)], (False, "largest CPU share")),
        ([call(30, 30)] * 4, (True, "nothing")),
        ([], (True, "nothing")),
    ],
)
def test_a_call_waits_where_it_might_have_computed_and_did_not(calls, decided):
    assert decide(calls) == Decision(*decided)


def test_calls_too_brief_for_the_run_delay_are_told_by_their_largest_share():
    brief = Call(Timing(1000, 300), 0, 0, None)
    assert decide([brief] * 5) == Decision(True, "largest CPU share")
    assert decide([brief] * 4 + [Call(Timing(1000, 1000), 0, 0, None)]) == Decision(False, "largest CPU share")


def test_the_run_delay_is_that_of_all_threads_and_of_none_that_is_gone(tmp_path, monkeypatch):
    monkeypatch.setattr(waiting, "TASKS", tmp_path)
    assert not waiting.is_delay_known()
    for task, text in (("1", "100 20 3\n"), ("2", "50 5 1\n"), ("3", "")):
        (tmp_path / task).mkdir()
        (tmp_path / task / "schedstat").write_text(text)
    assert waiting.read_delay_ns() == 25
    for task in ("1", "2"):
        (tmp_path / task / "schedstat").write_text("0 0 0\n")  # a kernel that does not account
    assert waiting.read_delay_ns() is None


def test_steal_is_that_of_the_processors_in_use(tmp_path, monkeypatch):
    monkeypatch.setattr(waiting, "STAT", tmp_path / "stat")
    monkeypatch.setattr(waiting.os, "sched_getaffinity", lambda process: {1}, raising=False)
    assert waiting.read_steal_ns() == 0
    (tmp_path / "stat").write_text("cpu  0 0 0 0 0 0 0 90 0 0\ncpu0 0 0 0 0 0 0 0 50 0 0\ncpu1 0 0 0 0 0 0 0 40 0 0\n")
    assert waiting.read_steal_ns() == 40 * 10**9 // waiting.os.sysconf("SC_CLK_TCK")


def test_a_thread_that_ended_with_its_delay_leaves_none(monkeypatch):
    monkeypatch.setattr(waiting, "read_delay_ns", lambda: 10)
    assert waiting.account(Kept(15, 0, 0), Timing(1, 1)).delay_ns == 0


def hash_much():
    return hashlib.pbkdf2_hmac("sha256", b"word", b"salt", 30_000)


def sleep_a_little():
    time.sleep(0.1)  # far longer than a busy machine has a woken process wait


def compute_for_ever():
    while True:
        pass


@pytest.fixture
def busy_processors():
    """Processes that never wait, two for each processor."""
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=compute_for_ever, daemon=True) for _ in range(2 * multiprocessing.cpu_count())]
    for each in others:
        each.start()
    yield
    for each in others:
        each.kill()
        each.join()


@pytest.mark.skipif(not waiting.is_delay_known(), reason="this system does not tell the run delay")
def test_a_sum_beside_busy_processors_computes_and_a_sleep_waits(busy_processors, tmp_path):
    for function, is_waiting in ((hash_much, False), (sleep_a_little, True)):
        with closing(FunctionBody(function)) as body:
            found = examine.examine(body, settings.read_settings(), tmp_path / "result")
        assert (found["waits"], found["told_by"]) == (is_waiting, "run delay")


def test_more_calls_are_made_where_nothing_tells_what_kept_one_from_computing(monkeypatch, tmp_path):
    class Slow(FunctionBody):
        made = 0

        def time_calls(self, prepared, passes, kept=None):
            self.made += 1
            super().time_calls(prepared, passes, kept)
            return Timing(200 * MS, 200 * MS)

    monkeypatch.setattr(waiting, "TASKS", tmp_path / "absent")
    monkeypatch.setattr(waiting, "read_switches", lambda: None)
    for made in (examine.call_twice, lambda body: examine.examine(body, settings.read_settings(), tmp_path / "result")):
        with closing(Slow(sum, lambda: [1.0, 2.0])) as body:
            found = made(body)
            assert (found["waits"], found["told_by"]) == (False, "largest CPU share")
            assert body.made == 1 + waiting.ENOUGH


def test_brief_calls_of_which_some_gave_way_are_enough_whatever_the_time_between_them(monkeypatch, tmp_path):
    """A busy machine uses up the elapsed time with two calls, and makes one of them give way."""
    readings = itertools.chain.from_iterable((n, n + n % 2) for n in itertools.count())
    monkeypatch.setattr(waiting, "read_switches", lambda: next(readings))
    monkeypatch.setattr(examine, "BUDGET_NS", 0)
    for is_known in (True, False):
        monkeypatch.setattr(examine, "is_delay_known", lambda is_known=is_known: is_known)
        with closing(FunctionBody(sum, lambda: [1.0, 2.0])) as body:
            found = examine.examine(body, settings.read_settings(), tmp_path / "result")
        assert found["told_by"] == "largest CPU share"


def settle(tmp_path, metric=None, **found):
    def ask(message, expected):
        if expected is Agreement:
            return Agreement(None)
        usual = {"suspicions": [], "waits": False, "first_ns": 1000, "call_ns": 1000, "reading_ns": None}
        return Examined(**usual | found.get(message.arm.name, {}), is_written=True)

    return Benchmark("pair", "tests.cheats:total", "tests.cheats:in_other_words", metric=metric).settle(
        ask, ask, tmp_path
    )


def test_the_record_says_what_told_which_clock_counts(tmp_path):
    by_delay = {"told_by": "run delay"}
    waits = {"told_by": "context switches", "waits": True}
    assert settle(tmp_path, baseline=by_delay, candidate=by_delay).lines[0].clock_by == "run delay"
    settled = settle(tmp_path, baseline=by_delay, candidate=waits)
    assert (settled.subject.metric, settled.lines[0].clock_by) == ("wall", "context switches")
    named = settle(tmp_path, metric="cpu", baseline=by_delay, candidate=waits)
    assert (named.subject.metric, named.lines[0].clock_by) == ("cpu", "")


def test_wall_time_counts_where_nothing_told_and_the_sentence_says_so(tmp_path):
    unknown = {"told_by": "nothing", "waits": True}
    settled = settle(tmp_path, baseline=unknown, candidate=unknown)
    assert settled.subject.metric == "wall"
    assert (
        "is called too rarely to tell whether it waits: both functions were timed by wall" in settled.lines[-1].output
    )
