"""Does a gate take the suite of asv that a repository has: what asv-runner finds, in both revisions, as asv runs it?"""

import json
import textwrap
import time

import pytest

from argo_bench.gate.benchmarks import read_benchmarks
from argo_bench.gate.counts import Limits, count_exactly
from argo_bench.gate.exact import find_growth
from argo_bench.gate.suites.asv import find_suites
from argo_bench.gate.suites.listing import UNUSED, Listed, make_list_table
from argo_bench.harness.workers.messages import (
    Describe,
    Described,
    Prepare,
    Prepared,
    Ready,
    Sample,
    Taken,
    WarmUp,
)
from argo_bench.harness.workers.processes import ArmFailed
from tests.program import argo
from tests.suites import Asked, Sides
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

    def time_endless():
        while True:
            pass

    time_endless.timeout = 0.5

    def peakmem_walk():
        toy.walk(list(range(100_000)))

    def track_total():
        return toy.walk(range(3)) + 0.5

    track_total.unit = "points"
"""
FEW = (
    SUITE.partition("    class Emptied:")[0].replace('"list", "tuple"', '"list"')
    + """
    def track_total():
        return toy.walk(range(3)) + 0.5
"""
)


def write_suite(folder):
    (folder / "asv.conf.json").write_text(CONFIGURATION, encoding="utf-8")
    (folder / "speed").mkdir(exist_ok=True)
    (folder / "speed" / "__init__.py").touch()
    (folder / "speed" / "common.py").write_text("SIZES = [2, 3]\n", encoding="utf-8")
    (folder / "speed" / "walking.py").write_text(textwrap.dedent(SUITE), encoding="utf-8")
    (folder / "speed" / "broken.py").write_text("import no_such_module\n", encoding="utf-8")


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    """A base with another module and an older suite, and a head."""
    sides = Sides(tmp_path_factory.mktemp("asv"), write_suite)
    old = sides.root("base") / "speed" / "walking.py"
    old.write_text(old.read_text(encoding="utf-8") + "\ndef time_gone(): pass\n", encoding="utf-8")
    return sides


@pytest.fixture(scope="module")
def compared(sides):
    return sides.compared


@pytest.fixture
def ask(sides, tmp_path):
    asked = Asked(sides, tmp_path)
    yield asked
    asked.close()


def test_a_configuration_with_comments_names_the_folder_and_the_packages(sides):
    (found,) = find_suites(sides.root("head"))
    assert found.folder == sides.root("head") / "speed"
    assert found.requirements == ("numpy", "attrs")
    assert found.unused == ("numpy 1.16",)


@pytest.mark.parametrize(("said", "limit_s"), [("null", 60.0), ("90", 90.0)])
def test_a_configuration_says_how_long_a_benchmark_may_take(tmp_path, said, limit_s):
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "asv.conf.json").write_text(f'{{"default_benchmark_timeout": {said}}}', encoding="utf-8")
    assert [each.limit_s for each in find_suites(tmp_path)] == [limit_s]


def test_benchmarks_have_the_names_that_asv_shows_and_what_cannot_run_has_a_reason(compared):
    assert {each.name for each in compared.benchmarks} - {"walking.mem_list"} == {
        "walking.Walking.time_walk(2, 'list')",
        "walking.Walking.time_walk(2, 'tuple')",
        "walking.Walking.time_walk(3, 'list')",
        "walking.Walking.time_walk(3, 'tuple')",
        "walking.Emptied.time_empty",
        "walking.timeraw_import",
        "walking.time_endless",
        "walking.peakmem_walk",
        "walking.track_total",
    }
    assert compared.removed == {"walking.time_gone": "speed/walking.py"}
    assert "No module named 'no_such_module'" in compared.left_out["speed.broken"]
    by_name = {each.name: each for each in compared.benchmarks}
    assert by_name["walking.timeraw_import"].metric == "wall"
    places = {name: each.suite for name, each in by_name.items()}
    assert {name for name, each in places.items() if each.has_cache} == {name for name in places if "time_walk" in name}
    assert {each.limit_s for each in places.values()} == {60.0, 0.5}
    assert not by_name["walking.track_total"].is_timed
    assert {each.file for each in compared.benchmarks} == {"speed/walking.py"}


def test_a_table_is_preferred_to_a_suite(tmp_path):
    sides = Sides(tmp_path, write_suite)
    table = '[tool.argo_bench.benchmarks.walk]\nfunction = "toy:walk"\n'
    (sides.root("head") / "pyproject.toml").write_text(table, encoding="utf-8")
    assert sides.compared.benchmarks == read_benchmarks(sides.root("head"), 0.03)


def test_a_parametrized_method_is_timed_with_its_setup_and_its_cache(ask, sides):
    name = "walking.Walking.time_walk(2, 'tuple')"
    for role in ("head", "base"):
        assert ask(name, Prepare, Prepared, role=role).calls == 1
    assert ask(name, WarmUp, Ready, 1, 1000).passes >= 1
    assert ask(name, Sample, Taken, 3).cpu_ns > 0
    assert len(list(sides.scratch.glob("asv-*/*/beside.txt"))) == 2
    assert not list(sides.root("head").glob("**/beside.txt"))


def test_a_file_of_a_suite_is_the_heads_and_the_modules_are_each_sides_own(sides, tmp_path):
    asked = Asked(sides, tmp_path, "base")
    name = "walking.Walking.time_walk(2, 'list')"
    files = asked(name, Describe, Described, str(tmp_path / "results"), role="base").files
    asked.close()
    base, head = sides.root("base"), sides.root("head")
    assert str(base / "toy.py") in files
    assert str(head / "speed" / "walking.py") in files
    assert not {str(head / "toy.py"), str(base / "speed" / "walking.py")} & {*files}


def test_setup_runs_before_every_call_where_the_number_is_one(ask, tmp_path):
    name = "walking.Emptied.time_empty"
    ask(name, Prepare, Prepared)
    ask(name, WarmUp, Ready, 1, 1000)
    assert ask(name, Sample, Taken, 50).wall_ns > 0
    assert ask(name, Describe, Described, str(tmp_path / "results")).unpicklable is None


def test_raw_code_is_timed_by_the_process_that_runs_it(ask):
    name = "walking.timeraw_import"
    ask(name, Prepare, Prepared)
    assert ask(name, WarmUp, Ready, 1, 1000).passes == 1
    taken = ask(name, Sample, Taken, 2)
    assert taken.wall_ns == taken.cpu_ns > 0


def test_a_setup_that_is_not_implemented_skips(ask, tmp_path):
    with pytest.raises(ArmFailed, match="NotImplementedError") as caught:
        ask("walking.Walking.time_walk(3, 'list')", Describe, Described, str(tmp_path / "results"))
    assert caught.value.is_skipped


def test_tracked_values_inform_and_peaks_of_memory_may_block(sides, tmp_path):
    limits = Limits(tmp_path, time.monotonic() + 60)

    def count(name):
        benchmark, head = sides.arm(name)
        arms = {"base": sides.arm(name, "base")[1], "head": head}
        return count_exactly(benchmark, sides.checkouts, arms, {"base": "", "head": ""}, limits)

    tracked = count("walking.track_total")
    assert (tracked.base, tracked.head) == ({"tracked value": 3.5}, {"tracked value": 6.5})
    assert find_growth(tracked).information == ("tracked value +85.7 %, 3.5 -> 6.5",)
    assert find_growth(tracked).count == ()
    peak = count("walking.peakmem_walk")
    assert peak.base["peak bytes"] == pytest.approx(peak.head["peak bytes"], rel=0.01)
    assert peak.base["resident bytes"] > peak.base["peak bytes"] > 800_000


@pytest.mark.parametrize(
    ("settings", "unused"),
    [
        ({}, ()),
        ({"matrix": {}}, ()),
        ({"matrix": {"numpy": ["1.16", ""], "attrs": [None, "23"], "six": []}}, ("numpy 1.16", "attrs 23")),
        ({"matrix": {"req": {"pip+numpy": [""]}, "env": {"A": ["1", "2"]}}}, ("A=1", "A=2")),
        ({"matrix": {"env_nobuild": {"B": "3"}}, "pythons": ["3.9"]}, ("B=3", "Python 3.9")),
        ({"build_command": ["make"], "install_command": []}, ("build_command",)),
        ({"matrix": ["numpy"], "pythons": "3.9"}, ()),
    ],
)
def test_what_a_configuration_asks_for_in_vain_is_said(settings, unused, tmp_path):
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "asv.conf.json").write_text(json.dumps(settings), encoding="utf-8")
    (found,) = find_suites(tmp_path)
    assert found.unused == unused


def test_a_list_says_under_its_table_what_is_not_used():
    runs, asked = Listed("time_walk", "asv", "speed/walking.py", None), Listed("speed", UNUSED, "speed", "numpy 1.16")
    table = make_list_table([runs, asked])
    assert table.title == "1 of 1 benchmarks run: 1 of asv"
    assert [row.cells[0] for row in table.rows] == ["time_walk"]
    assert table.note.startswith("The configuration of speed asks for numpy 1.16, which is not used: ")
    assert make_list_table([runs]).note == ""


@pytest.mark.slow
def test_a_suite_is_gated_from_two_commits_to_a_record_that_verifies(tmp_path):
    folder = tmp_path / "toy"
    folder.mkdir()
    toy = Toy(folder)
    for rounds in (20, 30):
        write_suite(folder)
        (folder / "speed" / "common.py").write_text("SIZES = [500, 3]\n", encoding="utf-8")
        (folder / "speed" / "walking.py").write_text(textwrap.dedent(FEW), encoding="utf-8")
        toy.commit("rounds", tables="", rounds=rounds)
    done = toy.ci("--base", "HEAD~1", "--environment", "current", "--budget", "6m", "--out", "record", "--json")
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
    assert listed["walking.time_endless"]["problem"] == "it takes longer than the 0.5 s that its suite allows"
    assert listed["walking.timeraw_import"]["problem"] is None
    assert listed["speed.broken"]["kind"] == "left out"
    assert (listed["speed"]["kind"], listed["speed"]["problem"]) == ("unused", "numpy 1.16")
    assert toy.worktrees() == 1
