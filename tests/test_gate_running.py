"""Does a gate check revisions out, measure what is in them, meet what is broken with a sentence, and leave nothing?"""

import json
import os
import subprocess
import time

import pytest

from argo_bench.gate import callgrind, run
from argo_bench.gate.answers import gate_of
from argo_bench.gate.benchmarks import Settings, read_benchmarks
from argo_bench.gate.checkouts import check_out
from argo_bench.gate.counts import Limits, count_exactly
from argo_bench.gate.output_check import compare_in_subprocess
from argo_bench.gate.records import Gated, Revisions
from argo_bench.gate.repository import Repository
from argo_bench.gate.run import _describe_all
from argo_bench.harness.record.records import End, Failure
from argo_bench.harness.record.store import load
from argo_bench.harness.workers.messages import (
    Count,
    Counted,
    Describe,
    Described,
    Prepare,
    Prepared,
    Ready,
    Sample,
    Taken,
    UserFunction,
    WarmUp,
    function_arm,
)
from argo_bench.harness.workers.processes import ArmFailed, WorkerProcess
from tests import clocked
from tests.program import argo

CLOCKED = clocked.__file__
TOY = """
ROUNDS = {rounds}

def walk(values):
    total = 0
    for _ in range(ROUNDS):
        for value in values:
            total += value
    return {returns}

def only_here():
    return {name!r}

def fails():
    {fails}

def served():
    return {{"requests": {requests}}}
"""
BENCH = """
import toy

def values():
    return list(range(50))

def twice(values):
    return toy.walk(values) + toy.walk(values)
"""
TABLES = """
[tool.argo_bench.benchmarks.walk]
function = "toy:walk"
setup = "bench/inputs.py:values"
counts = "toy:served"
[tool.argo_bench.benchmarks.twice]
function = "bench/inputs.py:twice"
setup = "bench/inputs.py:values"
"""


class Toy:
    """A repository with a commit for every state that a test needs."""

    def __init__(self, folder):
        self.folder = folder
        self._git("init", "--quiet", "--initial-branch=main")
        (folder / "bench").mkdir()

    def commit(self, message, tables=TABLES, rounds=20, returns="total", name="here", fails="pass", requests=3):
        text = TOY.format(rounds=rounds, returns=returns, name=name, fails=fails, requests=requests)
        for file, content in {"pyproject.toml": tables, "toy.py": text, "bench/inputs.py": BENCH}.items():
            (self.folder / file).write_text(content, encoding="utf-8")
        self._git("add", "-A")
        self._git("commit", "--quiet", "--allow-empty", "--message", message)
        return self._git("rev-parse", "HEAD").strip()

    def ci(self, *arguments):
        return argo("ci", *arguments, cwd=self.folder)

    def worktrees(self):
        return self._git("worktree", "list", "--porcelain").count("worktree ")

    def _git(self, *arguments):
        identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
        command = ["git", "-C", str(self.folder), *identity, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def toy(tmp_path):
    folder = tmp_path / "toy"
    folder.mkdir()
    return Toy(folder)


@pytest.fixture
def sides(toy, tmp_path):
    """Opens two commits in the current interpreter: their checkouts, and what describing the benchmarks found."""

    def opened(base, head):
        scratch = tmp_path / "scratch"
        scratch.mkdir(exist_ok=True)
        repository = Repository(toy.folder)
        commits = {"base": (base, base), "head": (head, head)}
        return repository, scratch, check_out(repository, commits, scratch, "current", (), 60)

    return opened


def described(checkouts, scratch):
    """The sides of the head's benchmarks, by name."""
    named = read_benchmarks(checkouts["head"].root, 0.03)
    clock = run.Clock(time.monotonic() + 600, lambda progress: None)
    return {each.benchmark.name: each for each in _describe_all(named, checkouts, scratch, clock)}


def asked(worker, message, expected):
    try:
        return worker.ask(message, expected)
    finally:
        worker.close()


def test_a_worker_times_what_it_is_told_to_in_a_clean_environment(toy, sides, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    commit = toy.commit("one")
    _, scratch, opened = sides(commit, commit)
    with opened as checkouts:
        checkout = checkouts["head"]
        assert "PYTHONPATH" not in checkout.program.environment
        walk = UserFunction("toy:walk", f"{checkout.root}/bench/inputs.py:values")
        arm = function_arm("head", walk, checkout.path)
        worker = WorkerProcess(0, tmp_path / "numba", None, checkout.program)
        assert worker.ask(Prepare(arm), Prepared).calls == 1
        assert worker.ask(WarmUp(arm, 1, 1000), Ready).passes >= 1
        assert worker.ask(Sample(arm, 3), Taken).cpu_ns > 0
        worker.close()
        worker = WorkerProcess(0, tmp_path / "numba", None, checkout.program)
        answer = asked(worker, Describe(arm, str(scratch / "results")), Described)
        assert f"{checkout.root}/toy.py" in answer.files
        assert answer.unpicklable is None
        for function, setup, waits in (("slow", "numbers", False), ("patient", "exact_clocks", True)):
            arm = function_arm("head", UserFunction(f"{CLOCKED}:{function}", f"{CLOCKED}:{setup}"), checkout.path)
            worker = WorkerProcess(0, tmp_path / "numba", None, checkout.program)
            assert asked(worker, Describe(arm, str(scratch / "results")), Described).waits is waits
    assert toy.worktrees() == 1


def test_a_file_is_the_heads_for_both_sides_and_imports_each_sides_own_modules(toy, sides):
    base = toy.commit("one", returns="total")
    head = toy.commit("two", returns="total + 1")
    repository, scratch, opened = sides(base, head)
    with opened as checkouts:
        twice = described(checkouts, scratch)["twice"]
        assert {json.loads(arm.arguments)["function"] for arm in twice.arms.values()} == {
            f"{checkouts['head'].root}/bench/inputs.py:twice"
        }
        assert f"{checkouts['base'].root}/toy.py" in twice.described["base"].files
        assert f"{checkouts['head'].root}/toy.py" not in twice.described["base"].files
        compared = compare_in_subprocess(
            "twice", twice.results["base"], twice.results["head"], "allclose", checkouts["head"].path
        )
        assert compared.difference == "output: 49000 against 49002"
    assert repository.find_changed_files(base, head) == {"toy.py"}


@pytest.mark.slow
def test_counts_are_exact_and_equal_for_equal_code(toy, sides, monkeypatch):
    base = toy.commit("one", rounds=100)
    head = toy.commit("two", rounds=101, requests=4)
    _, scratch, opened = sides(base, head)
    with opened as checkouts:
        walk = described(checkouts, scratch)["walk"]
        limits = Limits(scratch, time.monotonic() + 600)
        found = count_exactly(walk.benchmark, checkouts, walk.arms, walk.counts, limits)
        monkeypatch.setattr(callgrind, "is_installed", lambda: False)
        again = count_exactly(
            walk.benchmark, checkouts, dict.fromkeys(walk.arms, walk.arms["base"]), walk.counts, limits
        )
    assert (found.base["requests"], found.head["requests"]) == (3, 4)
    name = "bytecode instructions"
    assert 1.009 < found.head[name] / found.base[name] < 1.0101
    assert list(found.moved[name]) == ["toy.py:walk"]
    assert found.unsteady == []
    if found.uncounted is None:
        assert 1.009 < found.head["instructions"] / found.base["instructions"] < 1.011
    assert again.base[name] == found.base[name]


def test_a_benchmark_that_cannot_be_counted_says_why(toy, sides, tmp_path):
    commit = toy.commit("one")
    _, _, opened = sides(commit, commit)
    with opened as checkouts:
        checkout = checkouts["head"]
        arm = function_arm("head", UserFunction("toy:only_here"), checkout.path)
        worker = WorkerProcess(0, tmp_path / "numba", None, checkout.program)
        with pytest.raises(ArmFailed, match="toy:only_here counts: expected a dict of numbers by name, got 'here'"):
            asked(worker, Count(arm, "toy:only_here"), Counted)


def test_an_unknown_revision_is_told_before_anything_is_measured(toy):
    toy.commit("one")
    done = toy.ci("--base", "nowhere", "--out", "record")
    assert done.returncode == 2
    assert "the repository has no revision 'nowhere': expected a branch, tag or commit" in done.stderr
    assert not (toy.folder / "record" / "run.jsonl").exists()
    assert "Traceback" not in done.stderr


def test_a_folder_without_git_is_told(tmp_path):
    done = argo("ci", cwd=tmp_path, env=os.environ | {"GIT_CEILING_DIRECTORIES": str(tmp_path.parent)})
    assert done.returncode == 2
    assert "is in no git repository" in done.stderr


def test_a_head_without_benchmarks_is_told_with_an_example(toy):
    toy.commit("one", tables="")
    done = toy.ci("--base", "HEAD", "--environment", "current", "--out", "record")
    assert done.returncode == 2
    assert "has no [tool.argo_bench.benchmarks], and the project no suite: expected a table" in done.stderr
    assert toy.worktrees() == 1


def test_a_name_to_accept_that_is_no_benchmark_is_told(toy):
    toy.commit("one")
    done = toy.ci("--base", "HEAD", "--environment", "current", "--accept", "wlak", "--out", "record")
    assert done.returncode == 2
    assert "--accept wlak: expected a benchmark of the head, one of walk, twice" in done.stderr


@pytest.mark.slow
def test_one_benchmark_that_fails_or_is_new_leaves_the_others_judged(toy):
    fails = '[tool.argo_bench.benchmarks.fails]\nfunction = "toy:fails"\n'
    toy.commit("base", tables=TABLES + fails)
    toy.commit(
        "head",
        tables=TABLES + fails + '[tool.argo_bench.benchmarks.new]\nfunction = "bench/new.py:new"\n',
        fails="raise ValueError('broken on purpose')",
    )
    (toy.folder / "toy.py").write_text((toy.folder / "toy.py").read_text(encoding="utf-8") + "#", encoding="utf-8")
    done = toy.ci("--base", "HEAD~1", "--environment", "current", "--budget", "60s", "--out", "record", "--json")
    states = {each["benchmark"]: each["state"] for each in json.loads(done.stdout)["outcomes"]}
    assert done.returncode == 1
    assert states["fails"] == "failed"
    assert states["new"] == "cannot run"
    assert states["walk"] in ("fine", "cannot tell", "better")
    assert "what is not committed is not measured: toy.py" in done.stderr
    recorded = load(toy.folder / "record")
    assert {each.arm for each in recorded.all(Failure) if each.optimization == "fails"} == {"head"}
    assert argo("verify", toy.folder / "record").returncode == 0
    assert argo("report", toy.folder / "record").stdout.startswith(str(gate_of(recorded)))
    assert {"walk", "twice"} <= set(recorded.all(Revisions)[0].changed)


@pytest.mark.slow
def test_another_output_is_exit_code_3_unless_it_is_accepted(toy):
    toy.commit("base")
    toy.commit("head", returns="total + 1")
    arguments = ("--base", "HEAD~1", "--environment", "current", "--budget", "40s")
    done = toy.ci(*arguments, "--out", "one")
    assert done.returncode == 3
    assert "if that is meant: --accept walk" in " ".join(done.stdout.split())
    done = toy.ci(*arguments, "--accept", "walk", "--accept", "twice", "--out", "two")
    assert done.returncode in (0, 1), done.stdout  # whether the head is slower by its addition is another question
    assert "if that is meant" not in " ".join(done.stdout.split())


@pytest.mark.slow
def test_a_head_that_does_not_build_fails_with_what_pip_said(toy):
    toy.commit("base")
    broken = (
        TABLES + '[build-system]\nrequires = []\nbuild-backend = "nowhere"\n[project]\nname = "toy"\nversion = "1"\n'
    )
    toy.commit("head", tables=broken)
    done = toy.ci("--base", "HEAD~1", "--budget", "40s", "--out", "record")
    assert done.returncode == 1
    assert "it cannot be installed" in " ".join(done.stdout.split())


@pytest.mark.slow
def test_a_planted_regression_blocks_and_is_told_to_github(toy, monkeypatch, tmp_path):
    toy.commit("base", rounds=200, returns="len(values)")
    toy.commit("head", rounds=300, returns="len(values)")
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    done = toy.ci("--base", "HEAD~1", "--environment", "current", "--budget", "2m", "--out", "record")
    assert done.returncode == 1
    assert "::error file=toy.py,title=walk::walk: " in done.stdout
    assert summary.read_text(encoding="utf-8").startswith("### 0 of 2 benchmarks not worse, 2 worse")
    assert (toy.folder / "record" / "junit.xml").is_file()


def test_an_interrupt_keeps_what_was_measured_and_removes_the_worktrees(toy, tmp_path, monkeypatch):
    toy.commit("base")
    toy.commit("head", requests=4)

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "_time_batches", interrupted)
    monkeypatch.setattr(callgrind, "is_installed", lambda: False)  # which would take most of the time
    question = run.Question("HEAD~1", "HEAD", Settings(environment="current"), (), 1)
    with pytest.raises(KeyboardInterrupt):
        run.run_gate(Repository(toy.folder), question, tmp_path / "record", lambda progress: None)
    recorded = load(tmp_path / "record")
    assert recorded.all(End)[0].interrupted
    assert {each.benchmark: each.state for each in recorded.all(Gated)} == {
        "walk": "more counted",
        "twice": "not measured",
    }
    assert "requests +33.3 %, 3 -> 4" in recorded.all(Gated)[0].sentence
    assert toy.worktrees() == 1
