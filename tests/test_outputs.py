"""Are outcomes read by those for whom they are written, whatever stands in a name?"""

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import jsonschema
import pytest

from argo_bench.gate.answers import FIRST, HEAD, comparison_of
from argo_bench.gate.outcome import Change, Outcome
from argo_bench.harness.record.records import SCHEMA, Block, Judgement, Run, Samples
from argo_bench.harness.record.store import load
from argo_bench.integrations.outputs.github import annotate, smaller_is_better, step_summary
from argo_bench.integrations.outputs.junit import junit
from argo_bench.integrations.outputs.pyperf import pyperf
from argo_bench.integrations.outputs.pytest_benchmark import pytest_benchmark
from argo_bench.integrations.outputs.rendering import make_outcomes, write_all
from argo_bench.integrations.outputs.results import Results
from tests.program import argo_here

HOSTILE = "<b>|`x`\n::error::\x00\x1b[31m \N{ROCKET} a,b:c%"
FACTS = {"processor": "AMD EPYC", "cores": 2, "python": "CPython 3.13.1", "system": "Linux 6.1"}
RUN = Run(SCHEMA, "ci", "2026-11-25T10:00:00+00:00", "", "ci", "twins", 1, [16], {}, "", [], FACTS)
BENCHMARKS_OF_THE_ACTION = {
    # github.com/benchmark-action/github-action-benchmark, README, "customBiggerIsBetter and customSmallerIsBetter"
    "type": "array",
    "items": {
        "type": "object",
        "required": ["name", "unit", "value"],
        "properties": {
            "name": {"type": "string"},
            "unit": {"type": "string"},
            "value": {"type": "number"},
            "range": {"type": ["string", "number"]},
            "extra": {"type": "string"},
        },
        "additionalProperties": False,
    },
}


def block(base, head):
    times = (base, head, head, base)
    return Block("ABBA", times, times)


def outcome(name="parse", state="worse", blocks=True, **more):
    """One whose head takes 1.05 ms a call and whose base 1 ms, in two processes."""
    samples = tuple(sampled(name, number) for number in range(2))
    fields = {"speedup": 1 / 1.05, "interval": (1 / 1.06, 1 / 1.04), "samples": samples}
    return Outcome(name, state, blocks, f"{name}: 5.0 % slower [4.0, 6.0]", **(fields | more))


def sampled(name, number):
    """A replicate whose times differ by nothing that matters, since pyperf takes equal ones for an error."""
    blocks = [block(10_000_000 + number, 21_000_000 - number)] * 3
    return Samples(comparison_of(name, FIRST, HEAD), number, 1, 10, 20, blocks, *[None] * 4)


def undecided(name="walk", state="cannot tell"):
    return Outcome(name, state, False, f"{name}: 2 % slower [-1, 5]")


# GitHub


def test_the_summary_has_the_finding_on_top_and_what_blocks_first():
    text = step_summary("1 of 2 fine", [undecided(), outcome()], "Base a, head b.")
    lines = text.splitlines()
    assert lines[0] == "### 1 of 2 fine"
    assert lines[4].startswith("| parse | 1.05 [1.04, 1.06] | \N{DOWNWARDS ARROW} worse | 5.0 % slower")
    assert lines[5].startswith("| walk |  | ? inconclusive")
    assert lines[-1] == "Base a, head b."


def test_no_name_breaks_the_table_of_the_summary():
    row = step_summary(HOSTILE, [outcome(HOSTILE)]).splitlines()[4]
    assert "<b>" not in row
    assert row.replace(r"\|", "").count("|") == 5


def test_a_summary_stays_below_a_mebibyte_and_counts_what_it_leaves_out():
    text = step_summary("many", [outcome("x" * 500 + str(number)) for number in range(2000)])
    assert len(text.encode()) <= 1 << 20
    assert "more are left out for want of room." in text


def test_annotations_are_errors_for_what_blocks_and_notices_for_what_cannot_be_told():
    lines = annotate(
        [outcome(file="bench/parse.py"), outcome("slow", blocks=False), undecided(), undecided("n", "new")]
    )
    assert lines.splitlines() == [
        "::error file=bench/parse.py,title=parse::parse: 5.0 %25 slower [4.0, 6.0]",
        "::warning title=slow::slow: 5.0 %25 slower [4.0, 6.0]",
        "::notice title=walk::walk: 2 %25 slower [-1, 5]",
    ]


def test_no_name_begins_another_command():
    [line] = annotate([outcome(HOSTILE)]).splitlines()
    assert line.startswith("::error title=<b>|`x`%0A%3A%3Aerror%3A%3A")
    assert "a%2Cb%3Ac%25::" in line


def test_more_than_ten_annotations_of_a_kind_are_counted():
    lines = annotate([outcome(str(number)) for number in range(25)]).splitlines()
    assert len(lines) == 10
    assert lines[-1] == "::error title=argo-bench::16 more, see the summary"


def test_the_action_gets_the_ratio_to_the_base():
    found = json.loads(smaller_is_better([outcome(), undecided()]))
    jsonschema.validate(found, BENCHMARKS_OF_THE_ACTION)
    assert [(each["name"], each["unit"], round(each["value"], 9), each["range"]) for each in found] == [
        ("parse", "x of base", 1.05, "\N{PLUS-MINUS SIGN} 0.01")
    ]


# JUnit


def test_junit_has_failures_errors_and_what_was_skipped():
    failed = Outcome("broken", "failed", True, "broken: ValueError")
    suite = ElementTree.fromstring(junit("gate", [outcome(), failed, undecided(), undecided("n", "new")]))[0]
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "4",
        "failures": "1",
        "errors": "1",
        "skipped": "2",
    }
    kinds = [[child.tag for child in case if child.tag != "properties"] for case in suite]
    assert kinds == [["failure"], ["error"], ["skipped"], ["skipped"]]
    properties = {each.get("name"): each.get("value") for each in suite[0].iter("property")}
    assert properties["argo.ratio"] == "1.05"
    assert properties["argo.interval"] == "1.04 1.06"


@pytest.mark.parametrize("number", [0, 1, 2000])
def test_junit_is_xml_whatever_the_names(number):
    root = ElementTree.fromstring(junit(HOSTILE, [outcome(f"{HOSTILE}{n}") for n in range(number)]))
    assert len(list(root.iter("testcase"))) == number


# pyperf and pytest-benchmark


def test_pyperf_reads_both_sides_and_compares_them(tmp_path):
    pytest.importorskip("pyperf")
    counts = {"peak bytes": Change(1, 2)}
    for side in ("base", "head"):
        (tmp_path / f"{side}.json").write_text(pyperf([outcome(counts=counts), outcome("b")], RUN, side))
    command = [sys.executable, "-m", "pyperf", "compare_to", str(tmp_path / "base.json"), str(tmp_path / "head.json")]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Mean +- std dev: [base] 1.00 ms +- 0.00 ms -> [head] 1.05 ms +- 0.00 ms: 1.05x slower" in shown
    assert "ERROR" not in shown


def test_pytest_benchmark_compares_what_we_wrote(tmp_path):
    storage = tmp_path / "Linux-CPython-3.13-64bit"
    storage.mkdir()
    (storage / "0001_gate.json").write_text(pytest_benchmark([outcome()], RUN))
    command = [sys.executable, "-m", "pytest_benchmark", "--storage", str(tmp_path), "compare", "0001"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "parse[base]" in shown and "parse[head]" in shown
    assert "1.0500" in shown.replace("1,050.0000", "1.0500")


def test_the_rounds_of_pytest_benchmark_are_the_samples():
    record = json.loads(pytest_benchmark([outcome()], RUN))
    base, head = record["benchmarks"]
    assert (base["stats"]["rounds"], head["stats"]["rounds"]) == (12, 12)
    assert head["stats"]["mean"] == pytest.approx(1.05e-3, rel=1e-6)
    assert head["extra_info"]["argo"]["state"] == "worse"
    assert head["extra_info"]["argo"]["speedup"] == pytest.approx(1 / 1.05)


def test_all_files_are_written_whole(tmp_path):
    names = {each.name for each in write_all(tmp_path, Results("title", [outcome(), undecided()], RUN))}
    assert names == {each.name for each in tmp_path.iterdir()}
    assert {"junit.xml", "summary.md", "pyperf-base.json", "pyperf-head.json", "pytest-benchmark.json"} < names
    none = tmp_path / "none"
    none.mkdir()
    assert not any(each.name.startswith("pyperf") for each in write_all(none, Results("title", [undecided()], RUN)))


def test_the_verdicts_of_a_run_are_outcomes_too():
    found = {each.name: each for each in make_outcomes(load("results/reference"))}
    assert found["O08.time engineered"].state == "fine"
    assert found["O08.time engineered"].samples
    assert found["O08.time prescribed"].state == "worse"
    assert not any(each.blocks for each in found.values())


def test_a_run_is_reported_as_junit_and_as_pytest_benchmarks_record():
    shown = argo_here("report", "results/reference", "--format", "junit")
    suite = ElementTree.fromstring(shown.stdout.encode())[0]
    assert int(suite.get("tests")) == len(load("results/reference").all(Judgement))
    assert suite.get("failures") == "0"
    record = json.loads(argo_here("report", "results/reference", "--format", "pytest-benchmark").stdout)
    assert "O08.time engineered[head]" in {each["name"] for each in record["benchmarks"]}
