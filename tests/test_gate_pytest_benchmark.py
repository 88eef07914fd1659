"""Does a gate take the tests of pytest-benchmark that a repository has, fixtures and all, in both revisions?"""

import json
import textwrap

import pytest

from argo_bench.gate.suites.pytest_benchmarks import find_missing, list_requirements
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
    WarmUp,
)
from argo_bench.harness.workers.processes import ArmFailed
from tests.program import argo
from tests.suites import Asked, Sides
from tests.test_gate_running import Toy

TESTS = """
    import pytest
    import toy

    pytestmark = pytest.mark.benchmark(group="walks")

    @pytest.mark.parametrize("size", [10, 100])
    def test_walk(benchmark, size, offset):
        benchmark.extra_info["size"] = size
        assert benchmark(toy.walk, values=range(size)) + offset > 0
        assert benchmark.stats["mean"] > 0

    def test_decorated(benchmark):
        @benchmark
        def total():
            return toy.walk(range(5))

        assert total % 10 == 0

    def test_rounds(benchmark):
        made = []

        def fill():
            made[:] = [1, 2, 3]
            return (made,), {}

        def empty(values):
            for _ in range(3):
                values.pop()

        benchmark.pedantic(empty, setup=fill, rounds=5)

    def test_once(benchmark):
        left = [1]
        benchmark.pedantic(left.pop)
        assert not left

    def test_wrong(benchmark):
        assert benchmark(toy.walk, [1]) == 17

    @pytest.mark.skip(reason="not here")
    def test_skipped(benchmark):
        benchmark(toy.walk, [1])

    def test_forgetful(benchmark):
        pass

    def test_other():
        assert toy.walk([1])
"""
FEW_TESTS = """
    import pytest
    import toy

    def test_walk(benchmark, offset):
        assert benchmark(toy.walk, range(100)) + offset > 0

    def test_wrong(benchmark):
        assert benchmark(toy.walk, [1]) == 17

    @pytest.mark.skip(reason="not here")
    def test_skipped(benchmark):
        benchmark(toy.walk, [1])
"""
CONFTEST = """
    import pytest

    @pytest.fixture
    def offset():
        return 1
"""
WALK = "tests/test_walks.py::test_walk[100]"


def write_tests(folder, tests=TESTS):
    (folder / "tests").mkdir(exist_ok=True)
    settings = (
        "addopts = --no-such-option\nfaulthandler_timeout = 30\nfilterwarnings = error::pytest.PytestConfigWarning"
    )
    (folder / "pytest.ini").write_text(f"[pytest]\n{settings}\n", encoding="utf-8")
    (folder / "tests" / "test_walks.py").write_text(textwrap.dedent(tests), encoding="utf-8")
    (folder / "tests" / "conftest.py").write_text(textwrap.dedent(CONFTEST), encoding="utf-8")
    (folder / "tests" / "test_broken.py").write_text("import no_such_module # benchmark\n", encoding="utf-8")


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    """A base that has only the modules, and a head with tests."""
    return Sides(tmp_path_factory.mktemp("tests"), write_tests, roles=("head",))


@pytest.fixture(scope="module")
def compared(sides):
    return sides.compared


@pytest.fixture
def ask(compared, sides, tmp_path):
    asked = Asked(sides, tmp_path)
    yield asked
    asked.close()


def test_tests_have_the_names_that_pytest_shows_and_what_cannot_be_collected_a_reason(compared):
    names = ("walk[10]", "walk[100]", "decorated", "rounds", "once", "wrong", "skipped", "forgetful")
    assert [each.name for each in compared.benchmarks] == [f"tests/test_walks.py::test_{name}" for name in names]
    assert {each.file for each in compared.benchmarks} == {"tests/test_walks.py"}
    assert "No module named 'no_such_module'" in compared.left_out["tests/test_broken.py"]


def test_the_tests_are_the_heads_and_the_modules_each_sides_own(ask, sides, tmp_path):
    files = ask(WALK, Describe, Described, str(tmp_path / "results"), role="head").files
    assert str(sides.root("head") / "toy.py") in files
    assert (sides.root("base") / "tests" / "test_walks.py").is_file()


def test_a_test_is_timed_with_its_fixtures_and_another_one_after_it(ask):
    for name in (WALK, "tests/test_walks.py::test_decorated", "tests/test_walks.py::test_rounds"):
        assert ask(name, Prepare, Prepared).calls == 1
        assert ask(name, WarmUp, Ready, 1, 1000).passes >= 1
        assert ask(name, Sample, Taken, 5).wall_ns > 0
    assert ask(WALK, Sample, Taken, 5).cpu_ns > 0


def test_what_a_test_calls_once_is_called_once_in_every_run_of_it(ask, tmp_path):
    name = "tests/test_walks.py::test_once"
    ask(name, Prepare, Prepared)
    assert ask(name, WarmUp, Ready, 1, 1000).passes == 1
    assert ask(name, Sample, Taken, 3).wall_ns > 0
    assert ask(name, Describe, Described, str(tmp_path / "results")).unpicklable is None


def test_calls_are_counted_in_the_thread_of_the_test(ask):
    counted = ask(WALK, Count, Counted)
    assert counted.counts["bytecode instructions"] > 100
    assert any(name.startswith("toy.py:walk") for name in counted.by_function)


@pytest.mark.parametrize(
    ("name", "match", "is_skipped"),
    [
        ("wrong", "assert 2 == 17", False),
        ("skipped", "skipped by its test: Skipped: not here", True),
        ("forgetful", "does not call its benchmark", False),
    ],
)
def test_a_test_that_fails_or_skips_says_why(ask, tmp_path, name, match, is_skipped):
    with pytest.raises(ArmFailed, match=match) as caught:
        ask(f"tests/test_walks.py::test_{name}", Describe, Described, str(tmp_path / "results"))
    assert caught.value.is_skipped is is_skipped


def test_the_requirements_of_tests_are_those_of_the_projects_groups(tmp_path):
    (tmp_path / "pyproject.toml").write_text(
        '[project.optional-dependencies]\ntests = ["a>=1"]\nplot = ["b"]\n'
        '[dependency-groups]\nbench = ["c", {include-group = "more"}]\nmore = ["d"]\ndev = ["e"]\n',
        encoding="utf-8",
    )
    assert list_requirements(tmp_path) == ["a>=1", "c", "d"]
    assert find_missing(tmp_path, ["it fails: No module named 'b'", "No module named 'z'"]) == ["b"]


@pytest.mark.parametrize(
    ("name", "is_for_tests"),
    [
        ("requirements/pytest.txt", True),
        ("requirements/test-ci.txt", True),
        ("requirements-test.txt", True),
        ("requirements/docs.txt", False),
        ("requirements.txt", False),
    ],
)
def test_a_file_of_requirements_is_for_tests_by_its_name(tmp_path, name, is_for_tests):
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("a\n", encoding="utf-8")
    assert list_requirements(tmp_path) == (["-r", str(file)] if is_for_tests else [])


@pytest.mark.slow
def test_tests_are_gated_from_two_commits_to_a_record_that_verifies(tmp_path):
    folder = tmp_path / "toy"
    folder.mkdir()
    toy = Toy(folder)
    write_tests(folder, FEW_TESTS)
    for rounds in (20, 30):
        toy.commit("rounds", tables="", rounds=rounds)
    done = toy.ci("--base", "HEAD~1", "--environment", "current", "--budget", "6m", "--out", "record", "--json")
    states = {each["benchmark"]: each["state"] for each in json.loads(done.stdout)["outcomes"]}
    assert done.returncode == 1, done.stderr
    assert states["tests/test_walks.py::test_walk"] == "worse"
    assert "tests/test_walks.py::test_skipped" not in states
    assert states["tests/test_walks.py::test_wrong"] == "cannot run"
    assert argo("verify", folder / "record").returncode == 0
