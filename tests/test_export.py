"""Can other tools run what was exported, and is it what a run measures?"""

import ast
import json
import os
import pickle
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from argo_bench.errors import UserError
from argo_bench.harness.plan import replicate_seed
from argo_bench.harness.workers.timing import Timing
from argo_bench.integrations import export as exporting
from argo_bench.integrations.export import ROLES, export, list_commands, read_export, subject_of
from argo_bench.optimizations import catalogue
from argo_bench.study.recording import record
from tests.program import argo_here

OLD, NEW = (
    "argo_bench.harness.calibration.workloads:python_1us_100",
    "argo_bench.harness.calibration.workloads:python_1us_52",
)
KINDS = ("stage", "functions")
SCRIPTS = [pytest.param(kind, role, id=f"{kind}-{role}") for kind in KINDS for role in ROLES]
MODULE = """
def make():
    return [3, 1, 2]

def old(numbers):
    return sorted(numbers)

def new(numbers):
    return sorted(numbers)

def raising(numbers):
    raise ValueError("no numbers today")

constant = 3
"""


@pytest.fixture(scope="module")
def exported(small_universe, tmp_path_factory):
    """A folder for a stage of the pipeline and one for two functions."""
    folders = {kind: tmp_path_factory.mktemp(kind) for kind in KINDS}
    export(subject_of(["O08"], None, lambda: small_universe, 1), "engineered", 1, folders["stage"])
    export(subject_of([OLD, NEW], None, lambda: small_universe, 1), "candidate", 1, folders["functions"])
    return folders


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with a module of the user's, as the current one."""
    (tmp_path / "mine.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    sys.modules.pop("mine", None)


def run(script, *arguments, **options):
    command = [sys.executable, str(script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


def argo(*arguments, **options):
    return run("-m", "argo_bench.cli", *arguments, **options)


@pytest.mark.parametrize(("kind", "role"), SCRIPTS)
@pytest.mark.parametrize("option", ["--calls", "--prepare"])
def test_a_script_runs_its_passes_or_prepares_them_and_says_nothing(exported, kind, role, option):
    done = run(exported[kind] / f"{role}.py", option, 2)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_scripts_are_pyperf_benchmarks_that_pyperf_compares(exported, kind, tmp_path):
    pyperf = pytest.importorskip("pyperf")
    files = [tmp_path / f"{role}.json" for role in ROLES]
    for role, file in zip(ROLES, files, strict=True):
        done = run(exported[kind] / f"{role}.py", "--debug-single-value", "--quiet", "-o", file)
        assert done.returncode == 0, done.stderr
    benchmarks = [pyperf.Benchmark.load(str(file)) for file in files]
    assert {each.get_name() for each in benchmarks} == {str(read_export(exported[kind]).comparison)}
    assert all(each.mean() > 0 for each in benchmarks)
    assert run("-m", "pyperf", "compare_to", *files).returncode == 0


def test_without_pyperf_a_script_says_how_to_get_it(exported, tmp_path):
    (tmp_path / "pyperf.py").write_text("raise ImportError\n")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = run(exported["functions"] / "candidate.py", env=environment)
    assert done.returncode == 1
    assert done.stderr == "pyperf is not installed: pip install pyperf, or run this script with --calls N\n"


@pytest.mark.parametrize(("kind", "role"), SCRIPTS)
def test_a_script_says_what_it_measures_and_how_it_is_run(exported, kind, role):
    source = (exported[kind] / f"{role}.py").read_text()
    said = ast.get_docstring(ast.parse(source)) or ""
    assert said.startswith(f"The {role} of {read_export(exported[kind]).comparison}.")
    assert f"python {role}.py -o {role}.json" in said
    assert f"python {role}.py --calls 100" in said
    assert max(map(len, source.splitlines())) <= 120


def test_the_inputs_are_those_of_the_first_replicate_of_a_run(small_universe, tmp_path):
    optimization = catalogue()["O11"]
    export(subject_of(["O11"], None, lambda: small_universe, 5), "prescribed", 5, tmp_path)
    comparison = read_export(tmp_path).comparison
    assert (comparison.reference, comparison.candidate) == ("baseline", "prescribed")
    workload = optimization.workload(comparison.workload)
    (inputs,) = tmp_path.glob("*.pickle")
    assert pickle.loads(inputs.read_bytes()) == record(workload, small_universe, 6, replicate_seed(5, 0))


def test_a_folder_of_a_stage_can_be_moved(exported, tmp_path):
    moved = shutil.copytree(exported["stage"], tmp_path / "moved")
    script = (moved / "candidate.py").read_text()
    assert str(exported["stage"]) not in script
    assert run(moved / "candidate.py", "--calls", 1, cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("target", ["mine", "./mine.py"])
def test_functions_of_the_current_folder_are_found_from_everywhere(project, target, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    done = argo(
        "export", f"{target}:old", f"{target}:new", "--setup", f"{target}:make", "--out", elsewhere, cwd=project
    )
    assert done.returncode == 0, done.stderr
    assert str(read_export(elsewhere).comparison) == "new against old: candidate against baseline"
    for role in ROLES:
        assert run(elsewhere / f"{role}.py", "--calls", 2, cwd=elsewhere).stderr == ""


def test_a_benchmark_of_the_pyproject_is_exported_by_its_name(project):
    (project / "pyproject.toml").write_text(
        '[tool.argo_bench.benchmarks.sorting]\nbaseline = "mine:old"\ncandidate = "mine:new"\nsetup = "mine:make"\n'
    )
    done = argo("export", "sorting", "--out", "scripts", cwd=project)
    assert done.returncode == 0, done.stderr
    assert read_export(project / "scripts").comparison.optimization == "sorting"


def test_the_commands_are_those_of_pyperf_and_hyperfine(exported):
    folder = exported["functions"]
    described = read_export(folder)
    *pyperf, compare, hyperfine = [shlex.split(line) for line in list_commands(described, folder)]
    for role, command in zip(ROLES, pyperf, strict=True):
        assert command[1:] == [str(folder / f"{role}.py"), "-o", str(folder / f"{role}.json")]
    assert compare[1:] == ["-m", "pyperf", "compare_to", *(str(folder / f"{role}.json") for role in ROLES)]
    assert hyperfine[:5] == ["hyperfine", "--warmup", "1", "--export-json", str(folder / "hyperfine.json")]
    assert [shlex.split(each)[1:] for each in hyperfine[5:]] == [
        [str(folder / f"{role}.py"), option, str(described.passes[role])]
        for role in ROLES
        for option in ("--prepare", "--calls")
    ]


def test_the_command_line_prints_the_commands(project):
    done = argo("export", "mine:old", "mine:new", "--setup", "mine:make", "--out", "scripts", cwd=project)
    assert done.stdout.splitlines() == list_commands(read_export(project / "scripts"), Path("scripts"))


class FakeBody:
    """48 calls in a pass, of a known time each."""

    fixed_calls = None

    def __init__(self, call_ns):
        self.calls = 48
        self._call_ns = call_ns

    def first_call(self):
        return None

    def sample(self, passes):
        return Timing(passes * self.calls * self._call_ns, 0)

    def keep(self, calls):
        self.calls = min(calls, self.calls)

    def close(self):
        pass


def test_a_pass_is_as_long_as_in_a_run_and_the_passes_take_a_second(monkeypatch):
    monkeypatch.setattr(exporting, "body_of", FakeBody)
    calls, passes = exporting._choose_lengths({"baseline": 1_000_000, "candidate": 10_000})
    assert calls == 30  # 30 ms of the slower arm
    assert passes == {"baseline": 34, "candidate": 3334}
    monkeypatch.setattr(FakeBody, "fixed_calls", 40)
    calls, _ = exporting._choose_lengths({"baseline": 1_000_000, "candidate": 10_000})
    assert calls == 40  # as a trace says, whatever they take


MISTAKES = {
    "an unknown optimization": (["O88"], "did you mean O08"),
    "one function alone": (["mine:old"], "module:old module:new"),
    "three targets": (["mine:old", "mine:new", "O08"], "module:old module:new"),
    "a setup for an optimization": (["O08", "--setup", "mine:make"], "--setup mine:make"),
    "a missing module": (["theirs:old", "mine:new"], "'theirs'"),
    "a missing function": (["mine:old", "mine:newer"], "'newer'"),
    "a name without a module": (["old", "mine:new"], "module:name"),
    "no function": (["mine:old", "mine:constant", "--setup", "mine:make"], "int"),
    "a function that raises": (["mine:old", "mine:raising", "--setup", "mine:make"], "no numbers today"),
    "a folder that is a file": (["mine:old", "mine:new", "--setup", "mine:make", "--out", "mine.py"], "mine.py"),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_mistake_is_one_sentence_and_exit_code_2(kind, project):
    arguments, says = MISTAKES[kind]
    done = argo_here("export", "--out", "scripts", *arguments, cwd=project)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.strip().splitlines()) == 1
    assert says in done.stderr


def test_a_folder_that_no_export_wrote_is_refused(tmp_path):
    with pytest.raises(UserError, match="argo-bench export"):
        read_export(tmp_path)
    (tmp_path / "export.json").write_text(json.dumps({"calls": 3}))
    with pytest.raises(UserError, match="comparison"):
        read_export(tmp_path)
