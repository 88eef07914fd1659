"""Do two workers take turns, and is the end of one noticed?"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from argo_bench.harness.machine.environment import Watch
from argo_bench.harness.workers.children import read_status
from argo_bench.harness.workers.messages import (
    Call,
    Prepare,
    Prepared,
    Returned,
    Sample,
    Taken,
    UserFunction,
    function_arm,
)
from argo_bench.harness.workers.processes import (
    ArmFailed,
    OutOfTime,
    Program,
    Turn,
    Twins,
    WorkerProcess,
    job_command,
    take_blocks,
    walk_in_turns,
)
from argo_bench.study.subject import stage_arm
from tests.endings import await_end, finish

ROOT = str(Path(__file__).parents[1])
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of the processes of others")


def test_a_worker_that_dies_is_an_arm_that_failed(tmp_path):
    worker = WorkerProcess(1, tmp_path, None)
    os.kill(worker._process.pid, signal.SIGKILL)
    with pytest.raises(ArmFailed, match="its process ended with signal 9"):
        worker.ask(Sample(arm(tmp_path), 1), Taken)
    worker.close()


def test_a_worker_that_has_not_answered_in_time_is_ended_with_its_children(tmp_path):
    """The moment is in the past, so that nothing depends on how fast the machine is."""
    worker = WorkerProcess(1, tmp_path, None, until=time.monotonic() - 1)
    with pytest.raises(OutOfTime):
        worker.ask(Call("time:sleep", '{"secs": 600}'), Returned)
    assert worker._process.returncode == -signal.SIGKILL
    worker.close()


@linux
def test_the_end_of_a_worker_is_noticed_while_its_children_live(tmp_path):
    """They have the worker's end of the connection open."""
    worker = WorkerProcess(1, tmp_path, None)
    failed = finish(lambda: worker.ask(Call("tests.allocators:killed_beside_a_child", "{}", (ROOT,)), Returned))
    worker.close()
    assert isinstance(failed, ArmFailed)
    assert str(failed) == "its process ended with signal 9"


@linux
@pytest.mark.parametrize("is_dead", [False, True])
def test_a_worker_is_closed_with_its_children(tmp_path, is_dead):
    worker = WorkerProcess(1, tmp_path, None)
    child = int(worker.ask(Call("tests.allocators:leave_a_child", "{}", (ROOT,)), Returned).result)
    assert read_status(child)
    if is_dead:
        os.kill(worker._process.pid, signal.SIGKILL)
        worker._process.wait()
    worker.close()
    await_end(child)


def test_what_a_worker_raises_is_said_in_one_line_with_its_traceback_kept(tmp_path):
    worker = WorkerProcess(1, tmp_path, None)
    with pytest.raises(ArmFailed, match="FileNotFoundError") as raised:
        worker.ask(Prepare(arm(tmp_path)), Prepared)
    assert "Traceback" in raised.value.details
    worker.close()


def arm(tmp_path):
    return stage_arm("O06", ("consensus, hit", 6), "baseline", tmp_path / "absent.pickle")


def test_only_one_process_runs_at_a_time_and_both_are_gone_afterwards(tmp_path):
    with Twins.start(1, tmp_path) as pair:
        workers = {pair.reference, pair.candidate}
        processes = [worker._process for worker in workers]
        pair.forget()
    assert len(workers) == 2
    assert all(process.poll() is not None for process in processes)


class Counter:
    """A worker that says the how-manieth sample this is, and notes whose it was."""

    def __init__(self):
        self.asked = []

    def ask(self, message, expected):
        self.asked.append(message.arm)
        return Taken(len(self.asked), 10 * len(self.asked))


def test_the_samples_of_a_block_are_taken_there_and_back_and_the_reference_serves_every_candidate():
    orders = set()
    for seed in range(40):
        worker = Counter()
        keys = random.Random(seed).random(), random.Random(-1 - seed).random()
        first, second = take_blocks([Turn(worker, name, 1) for name in "abc"], keys)
        assert [each.order for each in (first, second)] == ["ABBA" if key > 0.5 else "BAAB" for key in keys]
        assert worker.asked == worker.asked[::-1]
        places = {name: (worker.asked.index(name) + 1, 6 - worker.asked.index(name)) for name in "abc"}
        for block, candidate in ((first, "b"), (second, "c")):
            roles = {"A": iter(places["a"]), "B": iter(places[candidate])}
            assert block.wall_ns == tuple(next(roles[slot]) for slot in block.order)
            assert block.cpu_ns == tuple(10 * each for each in block.wall_ns)
            assert list(block.wall_ns) == sorted(block.wall_ns)
        orders.add((first.order, second.order))
    assert len(orders) == 4


class Walker:
    """A worker in which a step takes what its number says, and which notes whose step was taken when."""

    def __init__(self):
        self.asked = []

    def ask(self, message, expected):
        self.asked.append((message.arm, message.number))
        return Taken(2**message.number, 10 * 2**message.number)


def test_a_pass_is_walked_once_with_all_arms_and_every_block_sees_all_of_it():
    keys = [[random.Random(f"{block} {number}").random() for number in range(2)] for block in range(4)]
    worker = Walker()
    blocks = walk_in_turns([Turn(worker, name, 1) for name in "abc"], keys, 23)
    for name in "abc":
        assert [number for arm, number in worker.asked if arm == name] == list(range(16))
    for pair in range(8):
        there, back = worker.asked[6 * pair : 6 * pair + 3], worker.asked[6 * pair + 3 : 6 * pair + 6]
        assert [arm for arm, _ in there] == [arm for arm, _ in back][::-1]
        assert ({number for _, number in there}, {number for _, number in back}) == ({2 * pair}, {2 * pair + 1})
    for block, found in enumerate(blocks):
        assert [each.order for each in found] == ["ABBA" if key > 0.5 else "BAAB" for key in keys[block]]
        there, back = (2 ** (2 * block + at) + 2 ** (2 * block + at + 8) for at in (0, 1))
        assert {each.wall_ns for each in found} == {(there, there, back, back)}
        assert {each.cpu_ns for each in found} == {(10 * there, 10 * there, 10 * back, 10 * back)}


def test_a_block_of_a_walk_does_not_count_where_one_of_its_pairs_was_disturbed(monkeypatch):
    causes = iter([None, None, None, None, None, "the clock jumped", None, None])
    monkeypatch.setattr(Watch, "outside_cause", lambda watch: next(causes))
    blocks = walk_in_turns([Turn(Walker(), name, 1) for name in "ab"], [[0.2], [0.7], [0.4], [0.9]], 16)
    assert [each.invalid for [each] in blocks] == [None, "the clock jumped", None, None]


def test_processes_that_have_died_are_replaced_and_the_others_kept(tmp_path):
    with Twins.start(1, tmp_path) as pair:
        reference, candidate = pair.reference, pair.candidate
        os.kill(candidate._process.pid, signal.SIGKILL)
        candidate._process.wait()
        pair.revive()
        assert pair.reference is reference
        assert pair.candidate is not candidate
        pair.forget()


BARE = """#!/bin/sh
exec {python} -I -S "$@"
"""
ANOTHER = 'raise ImportError("another argo_bench")'


def timed(worker):
    """What a worker takes for a function of the standard library."""
    try:
        arm = function_arm("candidate", UserFunction("math:sqrt"))
        with pytest.raises(ArmFailed, match="TypeError"):
            worker.ask(Prepare(arm), Prepared)  # sqrt needs an argument: the worker says so and lives on
        arm = function_arm("candidate", UserFunction("time:perf_counter"))
        assert worker.ask(Prepare(arm), Prepared).calls == 1
        return worker.ask(Sample(arm, 1000), Taken)
    finally:
        worker.close()


def test_a_worker_runs_in_an_interpreter_that_has_nothing_but_the_standard_library(tmp_path):
    python = tmp_path / "python"
    python.write_text(BARE.format(python=sys.executable), encoding="utf-8")
    python.chmod(0o755)
    found = timed(WorkerProcess(0, tmp_path, None, Program(str(python))))
    assert found.wall_ns > 0
    assert job_command("worker", python=str(python))[:2] == [str(python), "-P"]


def test_a_worker_runs_where_another_argo_bench_is_installed(tmp_path):
    (tmp_path / "argo_bench").mkdir()
    (tmp_path / "argo_bench" / "__init__.py").write_text(ANOTHER, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-P", "-c", "import argo_bench"]
    refused = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "another argo_bench" in refused.stderr
    found = timed(WorkerProcess(0, tmp_path, None, Program(environment=environment)))
    assert found.wall_ns > 0
