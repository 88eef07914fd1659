"""Does one process alone write into a folder, and do runs that measure on one machine know of each other?"""

import os
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from argo_bench.errors import UserError
from argo_bench.gate import run as gate
from argo_bench.gate.benchmarks import Settings
from argo_bench.harness.holding import Hold, Taken, find_holder
from argo_bench.harness.machine import fitness, measuring
from argo_bench.harness.record.lines import check_ending
from argo_bench.harness.record.store import FILE_NAME, LOCK, Writer, find_writer, load, reopen
from tests.stored import SEED, gate_lines, run_lines, sealed, store

HELD = """
    import sys
    from pathlib import Path
    from argo_bench.harness.machine.measuring import measuring
    from argo_bench.harness.record.store import Writer
    folder = Path(sys.argv[1])
    with measuring(str(folder)):
        writer = Writer(folder, resume=True)
        print("begun", flush=True)
        sys.stdin.read()
        writer.close()
"""


@pytest.fixture
def other(tmp_path, monkeypatch):
    """Start a process that writes into a folder until its stdin ends; what it says of itself is in a folder of ours."""
    monkeypatch.setenv("ARGO_BENCH_HOME", str(tmp_path / "home"))
    begun = []

    def start(folder):
        command = [sys.executable, "-c", textwrap.dedent(HELD), str(folder)]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1]
        )
        begun.append(process)
        assert process.stdout.readline() == b"begun\n"
        return process

    yield start
    for process in begun:
        process.kill()
        process.communicate()


def test_a_second_writer_is_told_who_writes_and_touches_nothing(other, tmp_path):
    folder = tmp_path / "run"
    store(folder, sealed(run_lines()))
    before = (folder / FILE_NAME).read_bytes()
    process = other(folder)
    who = (
        re.escape(f"is being written by process {process.pid}, since 2") + r"\S+ \S+, .+: wait until .* another --out$"
    )
    for write in (lambda: Writer(folder, resume=True), lambda: Writer(folder), lambda: reopen(folder)):
        with pytest.raises(UserError, match=who):
            write()
    assert (folder / FILE_NAME).read_bytes() == before
    assert {each.name for each in folder.iterdir()} == {FILE_NAME, LOCK}
    process.communicate()
    assert find_writer(folder) is None
    assert {each.name for each in folder.iterdir()} == {FILE_NAME}


def test_a_writer_that_was_killed_blocks_nobody(other, tmp_path):
    folder = tmp_path / "run"
    process = other(folder)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (folder / LOCK).exists()
    assert find_writer(folder) is None
    writer = Writer(folder, resume=True)
    assert find_writer(folder).pid == os.getpid()
    writer.close()
    assert not (folder / LOCK).exists()


def test_a_record_can_be_read_while_it_is_written(other, tmp_path):
    folder = tmp_path / "run"
    store(folder, sealed(run_lines())[:30])
    process = other(folder)
    with (folder / FILE_NAME).open("ab") as file:
        file.write(b'{"xxh3":"0')  # a line that is not whole yet
    recorded = load(folder)
    assert len(recorded.records) == 30
    assert f"it is being written by process {process.pid}" in next(check_ending(recorded)).what
    process.communicate()
    with pytest.raises(UserError, match="cut off"):
        load(folder)


def test_one_process_has_one_writer_in_a_folder(tmp_path):
    writer = Writer(tmp_path)
    with pytest.raises(UserError, match="is being written by this process"):
        Writer(tmp_path, resume=True)
    writer.close()
    Writer(tmp_path).close()


def test_a_writer_that_wrote_nothing_leaves_nothing(tmp_path):
    Writer(tmp_path / "run").close()
    assert [*(tmp_path / "run").iterdir()] == []


def test_a_file_that_says_nothing_of_its_holder_is_held_all_the_same(tmp_path):
    hold = Hold.take(tmp_path / "held", "a test")
    (tmp_path / "held").write_bytes(b"\xff{")
    assert str(find_holder(tmp_path / "held")) == "another process"
    with pytest.raises(Taken):
        Hold.take(tmp_path / "held", "another")
    hold.release()


def test_a_run_says_that_another_one_measures(other, tmp_path, monkeypatch):
    monkeypatch.setattr(fitness, "find_other_runs", measuring.find_other_runs)
    assert fitness.describe_busy(fitness.glance_at_load()) == ""
    process = other(tmp_path / "run")
    said = fitness.describe_busy(fitness.glance_at_load())
    assert said.startswith(f"busy machine: another run measures here (process {process.pid}, since ")
    assert str(tmp_path / "run") in said
    assert said.endswith("both share the processors: let one end before the other begins")
    with measuring.measuring("own"):
        assert [each.pid for each in measuring.find_other_runs()] == [process.pid]
    process.kill()
    process.wait()
    assert measuring.find_other_runs() == []


@pytest.mark.parametrize("partial", [0, 7])
def test_what_was_measured_before_the_disk_was_full_is_kept(partial, tmp_path):
    lines = sealed(run_lines())
    writer = Writer(tmp_path)
    writer.write(*lines[:20])
    file = writer._file

    class Full:
        """A file of which the disk takes ``partial`` bytes more."""

        def write(self, content):
            if self.left:
                taken, self.left = self.left, 0
                return file.write(content[:taken])
            raise OSError(28, "No space left on device")

        def __getattr__(self, name):
            return getattr(file, name)

    writer._file = Full()
    writer._file.left = partial
    with pytest.raises(UserError, match=r"No space left on device.*measured before is in it.*--resume"):
        writer.write(*lines[20:])
    writer._file = file
    writer.close()
    assert [*load(tmp_path).records] == [msgspec.json.decode(msgspec.json.encode(e), type=type(e)) for e in lines[:20]]


@pytest.mark.parametrize("measured", [False, True])
def test_a_gate_that_cannot_go_on_keeps_its_record_where_it_has_measured(measured, tmp_path, monkeypatch):
    def measure(repository, question, commits, writer, *_):
        if measured:
            writer.write(*gate_lines()[1:9])
        raise UserError("cannot write: no space is left")

    monkeypatch.setattr(gate, "_measure", measure)
    question = gate.Question("a", "b", Settings(budget_s=1.0), (), SEED, is_direct=True)
    repository = SimpleNamespace(commit_of=str)
    with pytest.raises(UserError, match="no space is left"):
        gate.run_gate(repository, question, tmp_path, print)
    assert (tmp_path / FILE_NAME).exists() == measured
    assert not (tmp_path / LOCK).exists()
