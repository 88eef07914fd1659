"""Does the plug-in measure pairs in a test, fail for what is clear, skip what is not, and feed what is beside it?"""

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from types import SimpleNamespace

import pytest

from argo_bench.harness.compare import Speedup
from argo_bench.harness.record.records import Block, Comparison, Declared, Failure, Fidelity, Samples
from argo_bench.integrations import pairs

pytest_plugins = ["pytester"]

COMPARISON = Comparison("pair", "call", 1, "calls", "baseline", "candidate")
BLOCK = Block("ABBA", (2_000_000, 1_000_000, 1_000_000, 2_000_000), (4_000_000, 2_000_000, 2_000_000, 4_000_000))
SAMPLES = [Samples(COMPARISON, number, number, 1, 10, [BLOCK], None, None, None, None) for number in range(3)]
DECLARED = Declared("pair", "old", "new", "", "allclose", False, "wall", None, None)
PAIR = """
def old(): return 1
def new(): return 1

def test_pair(argo_pair):
    result = argo_pair(old, new)
    assert result.{expectation}
"""


def found(point=2.0, low=1.9, high=2.1, verdict="faster", records=(), output="same"):
    """A comparison as ``compare`` would return it."""
    records = [DECLARED, *SAMPLES, *records]
    recorded = SimpleNamespace(all=lambda kind: [each for each in records if isinstance(each, kind)])

    class Found(SimpleNamespace):
        def __str__(self):
            return f"new ran {point:g}x [{low:g}, {high:g}] faster than old"

    return Found(
        speedup=Speedup(point, low, high),
        verdict=verdict,
        holds=verdict == "confirmed",
        judgement=SimpleNamespace(level=0.95, output=output),
        report=SimpleNamespace(recorded=recorded),
    )


@pytest.fixture
def measuring(monkeypatch):
    """Instead of measuring: what ``compare`` shall return, and what it was asked."""
    asked = []
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT"):
        monkeypatch.delenv(name, raising=False)  # the session within is no worker's, whoever runs this test

    def answers(**values):
        def compare(baseline, candidate, **options):
            asked.append((baseline, candidate, options))
            return found(**values)

        monkeypatch.setattr(pairs, "compare", compare)
        return asked

    answers()
    return answers


def run(pytester, text, *options):
    pytester.makepyfile(text)
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:asyncio", *options)


def outcome(result):
    return {name: number for name, number in result.parseoutcomes().items() if name in ("passed", "failed", "skipped")}


@pytest.mark.parametrize(
    ("expectation", "expected"),
    [
        ("at_least(1.5)", {"passed": 1}),
        ("at_least(2.5)", {"failed": 1}),
        ("at_least(2.0)", {"skipped": 1}),
        ("not_slower_than(0.03)", {"passed": 1}),
    ],
)
def test_an_expectation_is_met_missed_or_cannot_be_told(pytester, measuring, expectation, expected):
    assert outcome(run(pytester, PAIR.format(expectation=expectation))) == expected


def test_a_missed_expectation_says_what_was_seen_and_what_was_expected(pytester, measuring):
    result = run(pytester, PAIR.format(expectation="at_least(2.5)"))
    result.stdout.fnmatch_lines(["*new ran 2x [[]1.9, 2.1[]] faster than old, expected at least 2.5x*"])


def test_what_cannot_be_told_is_skipped_with_its_reason(pytester, measuring):
    result = run(pytester, PAIR.format(expectation="at_least(2.0)"), "-rs")
    result.stdout.fnmatch_lines(["*SKIPPED*inconclusive: new ran 2x*expected at least 2x"])


def test_slower_than_is_missed_only_beyond_the_tolerance(pytester, measuring):
    measuring(point=0.96, low=0.955, high=0.965, verdict="slower")
    assert outcome(run(pytester, PAIR.format(expectation="not_slower_than(0.03)"))) == {"failed": 1}
    assert outcome(run(pytester, PAIR.format(expectation="not_slower_than(0.06)"))) == {"passed": 1}


def test_a_claim_is_asserted_in_its_words(pytester, measuring):
    text = PAIR.replace("argo_pair(old, new)", 'argo_pair(old, new, claim="2x faster")').format(
        expectation="confirms()"
    )
    for verdict, expected in (("confirmed", "passed"), ("refuted", "failed"), ("inconclusive", "skipped")):
        measuring(verdict=verdict)
        assert outcome(run(pytester, text)) == {expected: 1}


def test_outputs_that_differ_fail_however_fast(pytester, measuring):
    fidelity = Fidelity("pair", "candidate", None, 1, {"output": 1}, 0.0, "differs: output: 1 and 2", False)
    measuring(verdict="void", records=[fidelity])
    result = run(pytester, PAIR.format(expectation="at_least(1.0)"))
    assert outcome(result) == {"failed": 1}
    result.stdout.fnmatch_lines(["*do not compute the same, differs: output: 1 and 2*"])


def test_a_function_that_raises_fails_with_its_error(pytester, measuring):
    measuring(verdict="failed", records=[Failure("pair", "candidate", "failed", "ValueError: broken on purpose")])
    result = run(pytester, PAIR.format(expectation="at_least(1.0)"))
    assert outcome(result) == {"failed": 1}
    result.stdout.fnmatch_lines(["*the candidate, failed: ValueError: broken on purpose*"])


def test_the_marker_gives_what_the_call_does_not(pytester, measuring):
    asked = measuring()
    text = """
import pytest
def old(): return 1
def new(): return 1
pytestmark = pytest.mark.argo(quick=True, budget_s=5)

@pytest.mark.argo(baseline=old, candidate=new, seed=3)
def test_pair(argo_pair):
    assert argo_pair(budget_s=7).at_least(1.0)
"""
    assert outcome(run(pytester, text, "--strict-markers")) == {"passed": 1}
    [(baseline, candidate, options)] = asked
    assert (baseline.__name__, candidate.__name__) == ("old", "new")
    assert options == {"quick": True, "budget_s": 7, "seed": 3}


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("argo_pair(old, new, sped=3)", "*argo_pair has no option 'sped': expected baseline, candidate*"),
        ("argo_pair(old)", "*argo_pair needs a candidate*"),
    ],
)
def test_a_wrong_call_is_told_in_a_sentence(pytester, measuring, call, said):
    result = run(pytester, PAIR.replace("argo_pair(old, new)", call).format(expectation="at_least(1)"))
    assert outcome(result) == {"failed": 1}
    result.stdout.fnmatch_lines([said])


def test_the_summary_is_a_table_of_80_columns(pytester, measuring):
    result = run(pytester, PAIR.format(expectation="at_least(1.5)"))
    lines = result.stdout.lines
    begin = next(number for number, line in enumerate(lines) if "= argo-bench =" in line)
    table = lines[begin + 1 : begin + 6]
    assert any("test_pair" in line and "faster" in line for line in table)
    assert any("met: at least 1.5x" in line for line in table)
    assert max(map(len, table)) <= 80
    assert "\x1b" not in result.stdout.str()


def test_junit_has_the_figures_as_properties(pytester, measuring):
    run(pytester, PAIR.format(expectation="at_least(1.5)"), "--junitxml=out.xml")
    case = ElementTree.parse(pytester.path / "out.xml").find(".//testcase")
    properties = {each.get("name"): each.get("value") for each in case.iter("property")}
    assert properties["argo.ratio"] == "2.0"
    assert properties["argo.interval"] == "[1.9, 2.1]"
    assert properties["argo.verdict"] == "faster"


def test_the_samples_of_the_candidate_are_rounds_of_pytest_benchmark(pytester, measuring):
    run(pytester, PAIR.format(expectation="at_least(1.5)"), "--benchmark-json=out.json")
    [record] = json.loads((pytester.path / "out.json").read_text())["benchmarks"]
    assert record["stats"]["rounds"] == 6
    assert record["stats"]["mean"] == pytest.approx(1e-4, rel=1e-9)
    assert record["extra_info"]["argo"] == {
        "ratio": 2.0,
        "interval": [1.9, 2.1],
        "level": 0.95,
        "verdict": "faster",
        "replicates": 3,
        "peak_bytes": None,
        "fidelity": "same",
        "sentence": "new ran 2x [1.9, 2.1] faster than old",
    }


def test_save_compare_and_compare_fail_are_pytest_benchmarks_own(pytester, measuring):
    text = PAIR.format(expectation="at_least(1.5)")
    assert run(pytester, text, "--benchmark-save=one").ret == 0
    same = run(pytester, text, "--benchmark-compare", "--benchmark-compare-fail=mean:5%")
    assert same.ret == 0
    slower = Block("ABBA", *([tuple(2 * each for each in BLOCK.wall_ns)] * 2))
    SAMPLES[:], kept = [Samples(COMPARISON, 0, 0, 1, 10, [slower], None, None, None, None)], SAMPLES[:]
    try:
        assert run(pytester, text, "--benchmark-compare", "--benchmark-compare-fail=mean:5%").ret != 0
    finally:
        SAMPLES[:] = kept


def test_a_disabled_benchmark_only_checks_that_both_agree(pytester, measuring):
    asked = measuring()
    assert outcome(run(pytester, PAIR.format(expectation="at_least(99)"), "--benchmark-disable")) == {"passed": 1}
    wrong = PAIR.replace("def new(): return 1", "def new(): return 2").format(expectation="at_least(1)")
    result = run(pytester, wrong, "--benchmark-disable")
    assert outcome(result) == {"failed": 1}
    result.stdout.fnmatch_lines(["*do not compute the same, output: 1 against 2*"])
    assert asked == []


@pytest.mark.parametrize("option", ["", ", fresh=True"])
def test_a_disabled_benchmark_gives_each_function_its_own_input(pytester, measuring, option):
    text = f"""
def rows(): return [3, 1, 2]
def empties(items):
    found = sum(items)
    items.clear()
    return found
def test_it(argo_pair):
    assert argo_pair(empties, empties, setup=rows{option}).at_least(99)
"""
    result = run(pytester, text, "--benchmark-disable")
    assert outcome(result) == {"passed": 1}
    result.stdout.fnmatch_lines(["*the outputs agree; --benchmark-disable*", "*let pass: at least 99x*"])


TWO = """
def old(): return 1
def new(): return 1
def test_two(argo_pair):
    assert argo_pair(old, new).at_least(1.5)
    assert argo_pair(new, old).at_least(1.8)
"""


@pytest.mark.parametrize("options", [(), ("--benchmark-disable",), ("-p", "no:benchmark")])
def test_a_test_may_measure_several_pairs(pytester, measuring, options):
    assert outcome(run(pytester, TWO, *options)) == {"passed": 1}


def test_the_figures_of_every_pair_stand_in_pytest_benchmarks_record(pytester, measuring):
    run(pytester, TWO, "--benchmark-json=found.json")
    (record,) = json.loads((pytester.path / "found.json").read_text())["benchmarks"]
    assert record["extra_info"]["argo"]["verdict"] == record["extra_info"]["argo 2"]["verdict"] == "faster"
    assert record["stats"]["rounds"] == len(SAMPLES) * 2


BOTH = """
def old(): return 1
def new(): return 1
def test_both(argo_pair, benchmark):
    {first}
    {second}
"""
CALLS = "assert argo_pair(old, new).at_least(1.5)", "assert benchmark(new) == 1"


@pytest.mark.parametrize("options", [(), ("--benchmark-disable",)])
@pytest.mark.parametrize("order", [CALLS, CALLS[::-1]], ids=["pair first", "pair last"])
def test_a_test_may_use_pytest_benchmark_itself_beside_a_pair(pytester, measuring, options, order):
    text = BOTH.format(first=order[0], second=order[1])
    quick = ("--benchmark-min-rounds=1", "--benchmark-max-time=0.001", "--benchmark-json=found.json")
    assert outcome(run(pytester, text, *options, *(quick if not options else ()))) == {"passed": 1}
    if not options:
        (record,) = json.loads((pytester.path / "found.json").read_text())["benchmarks"]
        assert record["extra_info"]["argo"]["verdict"] == "faster"
        assert record["stats"]["mean"] < min(BLOCK.cpu_ns) / 1e9 / 10


def test_a_test_that_names_the_group_of_its_pair_has_its_rounds(pytester, measuring):
    text = BOTH.format(first='benchmark.group = "mine"', second=CALLS[0])
    assert outcome(run(pytester, text, "--benchmark-json=found.json")) == {"passed": 1}
    (record,) = json.loads((pytester.path / "found.json").read_text())["benchmarks"]
    assert (record["group"], record["stats"]["rounds"]) == ("mine", len(SAMPLES) * 2)


def test_a_test_that_is_run_again_shows_its_last_pairs_alone(pytester, measuring):
    pytester.makeconftest(
        """
def pytest_runtest_protocol(item, nextitem):
    from _pytest.runner import runtestprotocol
    for _ in range(2):
        item._initrequest()
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    return True
"""
    )
    result = run(pytester, PAIR.format(expectation="at_least(1.5)"))
    assert outcome(result) == {"passed": 1}
    assert result.stdout.str().count("met: at least 1.5x") == 1


def test_a_disabled_benchmark_does_not_compare_a_buffer_with_itself(pytester, measuring):
    text = """
BUFFER = [0]
def fill(value):
    BUFFER[0] = value
    return BUFFER
def old(): return fill(1)
def new(): return fill(2)
def test_it(argo_pair):
    argo_pair(old, new)
"""
    result = run(pytester, text, "--benchmark-disable")
    assert outcome(result) == {"failed": 1}
    result.stdout.fnmatch_lines(["*do not compute the same*1*2*"])


def test_what_there_was_no_time_for_is_skipped_as_not_measured(pytester, measuring):
    late = Failure("pair", "candidate", "untested", "1 s were used up; raise the budget")
    measuring(verdict="untested", records=[late])
    for expectation in ("at_least(1.5)", "not_slower_than(9)", "confirms()"):
        result = run(pytester, PAIR.format(expectation=expectation), "-rs")
        assert outcome(result) == {"skipped": 1}
        result.stdout.fnmatch_lines(["*SKIPPED*not measured: *"])


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["0", "1"])
def test_in_the_only_worker_of_xdist_pairs_are_measured_and_shown(pytester, workers):
    """Where pytest-benchmark disables itself: the real plug-in measures, so that a false claim fails."""
    text = """
def short(): return sum(range(2_000))
def long(): return sum(range(4_000)) - sum(range(2_000, 4_000))
def test_fifty_times_faster(argo_pair):
    assert argo_pair(short, long, quick=True, budget_s=60).at_least(50.0)
"""
    pytester.makepyfile(text)
    result = pytester.runpytest_subprocess("-n", workers)
    assert outcome(result) == {"failed": 1}
    result.stdout.fnmatch_lines(["*= argo-bench =*", "*test_fifty_times_faster*"])


def test_pytest_benchmarks_options_choose_among_these_tests(pytester, measuring):
    text = PAIR.format(expectation="at_least(1.5)") + "\ndef test_other(): pass\n"
    assert outcome(run(pytester, text, "--benchmark-skip")) == {"passed": 1, "skipped": 1}
    only = run(pytester, text, "--benchmark-only")
    assert outcome(only) == {"passed": 1, "skipped": 1}
    only.stdout.fnmatch_lines(["*new ran 2x*"])


def test_without_pytest_benchmark_it_measures_all_the_same(pytester, measuring):
    assert outcome(run(pytester, PAIR.format(expectation="at_least(1.5)"), "-p", "no:benchmark")) == {"passed": 1}


def test_beside_other_workers_nothing_is_timed(pytester, measuring):
    asked = measuring()
    text = f"""
import pytest
@pytest.fixture(autouse=True)
def several(request):
    request.config.workerinput = {{"workercount": 2}}
    yield
    del request.config.workerinput
{PAIR.format(expectation="at_least(1.5)")}"""
    result = run(pytester, text, "-rs", "-p", "no:benchmark")
    assert outcome(result) == {"skipped": 1}
    result.stdout.fnmatch_lines(["*timings would be taken side by side: run these tests without -n*"])
    assert asked == []


def test_loading_the_plug_in_loads_nothing_heavy():
    code = (
        "import argo_bench.integrations.pytest_plugin, sys;"
        "print({'numpy', 'pandas', 'msgspec', 'rich', 'matplotlib'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_a_function_of_a_test_file_is_named_by_its_file_and_a_local_one_is_passed_itself(tmp_path):
    def local():
        return 1

    assert pairs.name_for_workers(local) is local
    assert pairs.name_for_workers("module:name") == "module:name"
    assert pairs.name_for_workers(json.dumps) is json.dumps


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["prepend", "importlib"])
def test_functions_of_a_test_file_are_measured_in_any_import_mode(pytester, mode, monkeypatch):
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT"):
        monkeypatch.delenv(name, raising=False)  # beside other tests, it is still a session of its own
    text = """
def numbers(): return [0.5 * each for each in range(20_000)]
def old(values):
    total = 0
    for value in values:
        total += value
    return total
def new(values): return sum(values)

def test_sum(argo_pair):
    result = argo_pair(old, new, setup=numbers, quick=True, memory=True)
    assert result.is_measured, result
    assert all(peak >= 0 for peak in result.peak_bytes)
"""
    pytester.makepyfile(text)
    result = pytester.runpytest_subprocess(f"--import-mode={mode}", "--benchmark-json=out.json")
    assert outcome(result) == {"passed": 1}
    [record] = json.loads((pytester.path / "out.json").read_text())["benchmarks"]
    low, high = record["extra_info"]["argo"]["interval"]
    assert 0 < low < record["extra_info"]["argo"]["ratio"] < high  # how wide it is, the machine decides
    assert len(record["extra_info"]["argo"]["peak_bytes"]) == 2
