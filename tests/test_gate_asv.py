"""Does a gate take the suite of asv that a repository has: what asv-runner finds, in both revisions, as asv runs it?"""

import json
import textwrap
import time

import pytest

from argo_bench.gate.benchmarks import read_benchmarks
from argo_bench.gate.checkouts import Checkout
from argo_bench.gate.counts import Limits, count_exactly
from argo_bench.gate.exact import find_growth
from argo_bench.gate.suites.asv import find_suites
from argo_bench.gate.suites.finding import find_compared, name_function
from argo_bench.harness.workers.messages import (
    Describe,
    Described,
    Prepare,
    Prepared,
    Ready,
    Sample,
    Taken,
    WarmUp,
    function_arm,
)
from argo_bench.harness.workers.processes import ArmFailed, WorkerProcess
from tests.test_cli import argo
from tests.test_gate_running import Toy

pytest.importorskip("asv_runner")

CONFIGURATION = """
{
    // asv's own files have comments like this one, "quoted" or not
    "version": 1,
    "project": "toy", /* and such */
    "repo": "https://example.org/toy.git",
    "benchmark_dir": "speed",
    "matrix": {"req": {"numpy": ["1.16"], "pip+attrs": []}},
}
"""
SUITE = """
    import pathlib
    import toy
    from .common import SIZES

    calls = []

    class Walking:
        params = [SIZES, ["list", "tuple"]]
        param_names = ["size", "kind"]

        def setup_cache(self):
            calls.append("cache")
            pathlib.Path("beside.txt").write_text("made once")
            return {"offset": 1}

        def setup(self, cache, size, kind):
            if size == 3:
                raise NotImplementedError
            self.values = {"list": list, "tuple": tuple}[kind](range(size))

        def time_walk(self, cache, size, kind):
            assert pathlib.Path("beside.txt").read_text() == "made once"
            return toy.walk(self.values) + cache["offset"]

    class Emptied:
        number = 1

        def setup(self):
            self.values = [1, 2, 3]

        def teardown(self):
            assert not self.values

        def time_empty(self):
            for _ in range(3):
                self.values.pop()

    def timeraw_import():
        return "import toy; toy.walk(range(10))"

    def peakmem_walk():
        toy.walk(list(range(100_000)))

    def track_total():
        return toy.walk(range(3)) + 0.5

    track_total.unit = "points"
"""


def write_suite(folder):
    (folder / "asv.conf.json").write_text(CONFIGURATION, encoding="utf-8")
    (folder / "speed").mkdir(exist_ok=True)
    (folder / "speed" / "__init__.py").touch()
    (folder / "speed" / "common.py").write_text("SIZES = [2, 3]\n", encoding="utf-8")
    (folder / "speed" / "walking.py").write_text(textwrap.dedent(SUITE), encoding="utf-8")
    (folder / "speed" / "broken.py").write_text("import no_such_module\n", encoding="utf-8")


def write_toy(folder, rounds):
    text = f"def walk(values):\n    return sum(each for _ in range({rounds}) for each in values)\n"
    (folder / "toy.py").write_text(text, encoding="utf-8")


@pytest.fixture
def sides(tmp_path):
    """A base with another module and an older suite, and a head, both of which use this interpreter."""
    import sys
    from pathlib import Path

    checkouts = {}
    for role, rounds in (("base", 1), ("head", 2)):
        root = tmp_path / role
        root.mkdir()
        write_suite(root)
        write_toy(root, rounds)
        checkouts[role] = Checkout(role, role, role, root, root, Path(sys.executable))
    old = tmp_path / "base" / "speed" / "walking.py"
    old.write_text(old.read_text(encoding="utf-8") + "\ndef time_gone(): pass\n", encoding="utf-8")
    return checkouts


@pytest.fixture
def compared(sides, tmp_path):
    return find_compared(sides, 0.03, tmp_path, time.monotonic() + 60, is_own=False)


def arm_of(compared, name, sides, tmp_path, role="head"):
    benchmark = next(each for each in compared.benchmarks if each.name == name)
    function = name_function(benchmark, sides[role], sides["head"], tmp_path)
    return benchmark, function_arm(role, function, sides[role].path)


@pytest.fixture
def worker(sides, tmp_path):
    worker = WorkerProcess(0, tmp_path / "numba", None, sides["head"].program)
    yield worker
    worker.close()


def test_a_configuration_with_comments_names_the_folder_and_the_packages(sides):
    (found,) = find_suites(sides["head"].root)
    assert found.folder == sides["head"].root / "speed"
    assert found.requirements == ("numpy", "attrs")


def test_benchmarks_have_the_names_that_asv_shows_and_what_cannot_run_has_a_reason(compared):
    assert {each.name for each in compared.benchmarks} - {"walking.mem_list"} == {
        "walking.Walking.time_walk(2, 'list')",
        "walking.Walking.time_walk(2, 'tuple')",
        "walking.Walking.time_walk(3, 'list')",
        "walking.Walking.time_walk(3, 'tuple')",
        "walking.Emptied.time_empty",
        "walking.timeraw_import",
        "walking.peakmem_walk",
        "walking.track_total",
    }
    assert compared.removed == {"walking.time_gone": "speed/walking.py"}
    assert "No module named 'no_such_module'" in compared.left_out["speed.broken"]
    by_name = {each.name: each for each in compared.benchmarks}
    assert by_name["walking.timeraw_import"].metric == "wall"
    assert not by_name["walking.track_total"].is_timed
    assert {each.file for each in compared.benchmarks} == {"speed/walking.py"}


def test_a_table_is_preferred_to_a_suite(sides, tmp_path):
    table = '[tool.argo_bench.benchmarks.walk]\nfunction = "toy:walk"\n'
    (sides["head"].root / "pyproject.toml").write_text(table, encoding="utf-8")
    found = find_compared(sides, 0.03, tmp_path, time.monotonic() + 60, is_own=False)
    assert found.benchmarks == read_benchmarks(sides["head"].root, 0.03)


def test_a_parametrized_method_is_timed_with_its_setup_and_its_cache(compared, sides, worker, tmp_path):
    for role in ("head", "base"):
        _, arm = arm_of(compared, "walking.Walking.time_walk(2, 'tuple')", sides, tmp_path, role)
        assert worker.ask(Prepare(arm), Prepared).calls == 1
    assert worker.ask(WarmUp(arm, 1, 1000), Ready).passes >= 1
    assert worker.ask(Sample(arm, 3), Taken).cpu_ns > 0
    assert len(list(tmp_path.glob("asv-*/*/beside.txt"))) == 2
    assert not list(sides["head"].root.glob("**/beside.txt"))


def test_a_file_of_a_suite_is_the_heads_and_the_modules_are_each_sides_own(compared, sides, tmp_path):
    _, arm = arm_of(compared, "walking.Walking.time_walk(2, 'list')", sides, tmp_path, "base")
    worker = WorkerProcess(0, tmp_path / "numba", None, sides["base"].program)
    files = worker.ask(Describe(arm, str(tmp_path / "results")), Described).files
    worker.close()
    assert str(sides["base"].root / "toy.py") in files
    assert str(sides["head"].root / "speed" / "walking.py") in files
    assert not {str(sides["head"].root / "toy.py"), str(sides["base"].root / "speed" / "walking.py")} & {*files}


def test_setup_runs_before_every_call_where_the_number_is_one(compared, sides, worker, tmp_path):
    _, arm = arm_of(compared, "walking.Emptied.time_empty", sides, tmp_path)
    worker.ask(Prepare(arm), Prepared)
    worker.ask(WarmUp(arm, 1, 1000), Ready)
    assert worker.ask(Sample(arm, 50), Taken).wall_ns > 0
    assert worker.ask(Describe(arm, str(tmp_path / "results")), Described).unpicklable is None


def test_raw_code_is_timed_by_the_process_that_runs_it(compared, sides, worker, tmp_path):
    _, arm = arm_of(compared, "walking.timeraw_import", sides, tmp_path)
    worker.ask(Prepare(arm), Prepared)
    assert worker.ask(WarmUp(arm, 1, 1000), Ready).passes == 1
    taken = worker.ask(Sample(arm, 2), Taken)
    assert taken.wall_ns == taken.cpu_ns > 0


def test_a_setup_that_is_not_implemented_skips(compared, sides, worker, tmp_path):
    _, arm = arm_of(compared, "walking.Walking.time_walk(3, 'list')", sides, tmp_path)
    with pytest.raises(ArmFailed, match="NotImplementedError") as caught:
        worker.ask(Describe(arm, str(tmp_path / "results")), Described)
    assert caught.value.is_skipped


def test_tracked_values_inform_and_peaks_of_memory_may_block(compared, sides, tmp_path):
    limits = Limits(tmp_path, time.monotonic() + 60)

    def count(name):
        benchmark, head = arm_of(compared, name, sides, tmp_path)
        arms = {"base": arm_of(compared, name, sides, tmp_path, "base")[1], "head": head}
        return count_exactly(benchmark, sides, arms, {"base": "", "head": ""}, limits)

    tracked = count("walking.track_total")
    assert (tracked.base, tracked.head) == ({"tracked value": 3.5}, {"tracked value": 6.5})
    assert find_growth(tracked).information == ("tracked value +85.7 %, 3.5 -> 6.5",)
    assert find_growth(tracked).count == ()
    peak = count("walking.peakmem_walk")
    assert peak.base["peak bytes"] == pytest.approx(peak.head["peak bytes"], rel=0.01)
    assert peak.base["resident bytes"] > peak.base["peak bytes"] > 800_000


@pytest.mark.slow
def test_a_suite_is_gated_from_two_commits_to_a_record_that_verifies(tmp_path):
    folder = tmp_path / "toy"
    folder.mkdir()
    toy = Toy(folder)
    for rounds in (20, 30):
        write_suite(folder)
        (folder / "speed" / "common.py").write_text("SIZES = [500, 3]\n", encoding="utf-8")
        toy.commit("rounds", tables="", rounds=rounds)
    done = toy.ci("--base", "HEAD~1", "--environment", "current", "--budget", "2m", "--out", "record", "--json")
    states = {each["benchmark"]: each["state"] for each in json.loads(done.stdout)["outcomes"]}
    assert done.returncode == 1, done.stderr
    assert states["walking.Walking.time_walk(500, 'list')"] == "worse"
    assert states["walking.track_total"] == "fine"
    assert "walking.Walking.time_walk(3, 'list')" not in states
    assert argo("verify", folder / "record").returncode == 0
    assert "Left out: walking.Walking.time_walk(3, 'list')" in " ".join(
        argo("report", folder / "record").stdout.split()
    )


def test_a_list_shows_what_runs_and_why_the_rest_does_not(tmp_path):
    folder = tmp_path / "toy"
    folder.mkdir()
    toy = Toy(folder)
    write_suite(folder)
    toy.commit("one", tables="")
    done = toy.ci("--list", "--environment", "current", "--json")
    assert done.returncode == 0, done.stderr
    listed = {each["name"]: each for each in json.loads(done.stdout)}
    assert listed["walking.Walking.time_walk(2, 'list')"] == {
        "name": "walking.Walking.time_walk(2, 'list')",
        "kind": "asv",
        "file": "speed/walking.py",
        "problem": None,
    }
    assert "NotImplementedError" in listed["walking.Walking.time_walk(3, 'list')"]["problem"]
    assert listed["speed.broken"]["kind"] == "left out"
    assert toy.worktrees() == 1
