"""Are the figures of pyperf and hyperfine read as they are meant, and laid beside those of the run?"""

import fcntl
import json
import math
from io import StringIO
from statistics import fmean, stdev

import click
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from argo_bench.errors import UserError
from argo_bench.harness.record.records import SCHEMA, Comparison, End, Result, Run
from argo_bench.harness.record.store import Recorded, Writer
from argo_bench.harness.statistics.estimate import Estimate
from argo_bench.integrations.export import Export
from argo_bench.integrations.peers import Peer, Time, compare_with_peers, read_hyperfine, read_peers, read_pyperf
from argo_bench.report.tables import terminal_table
from tests.benchmarks import study_peers
from tests.program import argo

COMPARISON = Comparison("O08", "five outputs", 300, "bars", "baseline", "engineered")
CALLS = 37
CPU, WALL = (
    Estimate(-math.log(ratio), -math.log(ratio) - 0.02, -math.log(ratio) + 0.02, 0.95, 6, 0.02)
    for ratio in (96.0, 95.5)
)
RESULT = Result(COMPARISON, CPU, WALL, 812_000.0, 8_430.0, None, 0.5, [])
RUN = Run(SCHEMA, "run", "2026-01-02T03:04:05", "argo-bench run", "quick", "shared", 1, [6], {}, "a test", ["O08"], {})
END = End(30.0, False, 6)
VALUES = {"baseline": [[8.1e-4, 8.2e-4], [8.3e-4, 8.0e-4]], "candidate": [[8.4e-6, 8.6e-6], [8.5e-6, 8.3e-6]]}


def write_export(folder, comparison=COMPARISON):
    described = Export(comparison, CALLS, {"baseline": 34, "candidate": 3000})
    (folder / "export.json").write_bytes(msgspec.json.encode(described))


def write_pyperf(folder, values=VALUES):
    """As pyperf writes it: a process that calibrates, then the values of each process per call."""
    for role, processes in values.items():
        runs = [{"metadata": {"calibrate_loops": 1}, "warmups": [[1, 9e-4], [2, 8e-4]]}]
        runs += [{"metadata": {"load_avg_1min": 0.5}, "values": each, "warmups": [[64, 1e-3]]} for each in processes]
        metadata = {"name": str(COMPARISON), "unit": "second", "inner_loops": CALLS}
        content = {"benchmarks": [{"runs": runs}], "metadata": metadata, "version": "1.0"}
        (folder / f"{role}.json").write_text(json.dumps(content))


def write_hyperfine(folder, *results):
    """As hyperfine writes it, for (command, mean, standard deviation) in seconds."""
    shown = [
        {"command": command, "mean": mean, "stddev": deviation, "median": mean, "times": [mean], "exit_codes": [0]}
        for command, mean, deviation in results
    ]
    (folder / "hyperfine.json").write_text(json.dumps({"results": shown}))


def process(role, option, passes, mean, deviation=0.02):
    return f"python some/folder/{role}.py --{option} {passes}", mean, deviation


FOUR = (
    process("baseline", "prepare", 34, 0.66, 0.03),
    process("baseline", "calls", 34, 1.66, 0.04),
    process("candidate", "prepare", 3000, 2.4, 0.0),
    process("candidate", "calls", 3000, 3.3, 0.02),
)


@pytest.fixture
def folder(tmp_path):
    """An exported folder with the figures of both tools."""
    write_export(tmp_path)
    write_pyperf(tmp_path)
    write_hyperfine(tmp_path, *FOUR)
    return tmp_path


@pytest.fixture
def recorded(tmp_path):
    return Recorded(tmp_path, [RUN, RESULT, END])


def test_pyperf_is_read_as_the_mean_over_all_values_of_all_processes(folder):
    found = read_pyperf(folder)
    for time, role in ((found.baseline, "baseline"), (found.candidate, "candidate")):
        values = [1e9 * value for process in VALUES[role] for value in process]
        assert time.mean_ns == pytest.approx(fmean(values), rel=1e-12)
        assert time.deviation_ns == pytest.approx(stdev(values), rel=1e-12)


def test_pyperf_reads_the_same_from_its_file(folder):
    tool = pytest.importorskip("pyperf")
    found = read_pyperf(folder)
    for time, role in ((found.baseline, "baseline"), (found.candidate, "candidate")):
        theirs = tool.Benchmark.load(str(folder / f"{role}.json"))
        assert time.mean_ns == pytest.approx(1e9 * theirs.mean(), rel=1e-12)
        assert time.deviation_ns == pytest.approx(1e9 * theirs.stdev(), rel=1e-12)


def test_a_single_value_has_no_deviation(folder):
    write_pyperf(folder, {"baseline": [[2.0]], "candidate": [[1.0]]})
    assert read_pyperf(folder) == Peer("pyperf", Time(2e9, 0.0), Time(1e9, 0.0))


def test_hyperfine_is_read_as_what_the_calls_add_to_a_process(folder):
    found = read_hyperfine(folder, CALLS)
    assert found.tool == "hyperfine"
    assert found.baseline.mean_ns == pytest.approx(1e9 / (34 * CALLS))
    assert found.baseline.deviation_ns == pytest.approx(0.05e9 / (34 * CALLS))  # 3, 4, 5
    assert found.candidate.mean_ns == pytest.approx(0.9e9 / (3000 * CALLS))


@given(
    start=st.floats(0.01, 3),
    calls_ns=st.tuples(st.floats(1e3, 1e8), st.floats(1e3, 1e8)),
    passes=st.tuples(st.integers(10, 5000), st.integers(10, 5000)),
)
def test_what_a_process_needs_before_its_calls_does_not_matter(tmp_path_factory, start, calls_ns, passes):
    folder = tmp_path_factory.mktemp("hyperfine")
    results = []
    for role, call_ns, count in zip(("baseline", "candidate"), calls_ns, passes, strict=True):
        added = 1e-9 * call_ns * count * CALLS
        results += [process(role, "prepare", count, start), process(role, "calls", count, start + added)]
    write_hyperfine(folder, *results)
    assert read_hyperfine(folder, CALLS).speedup == pytest.approx(calls_ns[0] / calls_ns[1], rel=1e-6)


@pytest.mark.parametrize(
    "empty", [[], [process("baseline", "prepare", 34, 0.5)], [process(r, "prepare", 1, 0.5) for r in VALUES]]
)
def test_without_the_same_passes_prepared_the_whole_process_counts_and_the_row_says_so(folder, empty):
    write_hyperfine(folder, process("baseline", "calls", 34, 3.4, None), process("candidate", "calls", 34, 1.7), *empty)
    found = read_hyperfine(folder, 1)
    assert found.tool == "hyperfine\nwhole process"
    assert found.baseline == Time(pytest.approx(1e8), 0.0)
    assert found.speedup == pytest.approx(2.0)


def test_the_deviation_of_a_ratio_is_propagated_from_both():
    peer = Peer("any", Time(100.0, 3.0), Time(50.0, 2.0))
    assert peer.speedup == 2.0
    assert peer.deviation == pytest.approx(2 * math.sqrt(0.03**2 + 0.04**2))


def test_either_tool_may_be_missing(folder):
    (folder / "candidate.json").unlink()
    assert [each.tool for each in read_peers(folder)] == ["hyperfine"]
    write_pyperf(folder)
    (folder / "hyperfine.json").unlink()
    assert [each.tool for each in read_peers(folder)] == ["pyperf"]


def test_the_table_has_every_tool_and_the_run_itself(folder, recorded):
    table = compare_with_peers(recorded, folder)
    assert [row.cells[0] for row in table.rows] == ["pyperf", "hyperfine", "argo-bench"]
    assert table.rows[-1].cells == ("argo-bench", "812 us", "8.43 us", "95.5x\n93.6 to 97.4x, n=6")
    assert str(COMPARISON) in table.note


def test_the_table_fits_a_terminal_with_every_number_whole(folder, recorded):
    console = Console(width=80, file=StringIO(), color_system=None)
    console.print(terminal_table(compare_with_peers(recorded, folder)))
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    for cell in ("815 us", "8.45 us", "96.4x", "+- 2.12", "795 us", "93.6 to 97.4x, n=6"):
        assert any(cell in line for line in lines), cell


@pytest.mark.slow
def test_the_command_line_lays_the_table_below_the_verdicts(folder):
    writer = Writer(folder / "run")
    for each in (RUN, RESULT, END):
        writer.write(each)
    writer.close()
    plain, both = argo("report", folder / "run"), argo("report", folder / "run", "--peers", folder)
    assert both.returncode == 0, both.stderr
    *verdicts, last = plain.stdout.splitlines()
    assert both.stdout.splitlines()[: len(verdicts)] == verdicts
    assert "hyperfine" in both.stdout
    assert both.stdout.splitlines()[-1] == last
    read = json.loads(argo("report", folder / "run", "--peers", folder, "--json").stdout)
    assert [each["tool"] for each in read["peers"]] == ["pyperf", "hyperfine"]
    assert read["run"]["profile"] == "quick"


def spoil(name, content):
    return lambda folder: (folder / name).write_text(content)


def no_figures(folder):
    for name in ("baseline.json", "candidate.json", "hyperfine.json"):
        (folder / name).unlink()


BAD_FOLDERS = {
    "no figures": (no_figures, "commands that argo-bench export prints"),
    "no export": (lambda folder: (folder / "export.json").unlink(), "folder that argo-bench export wrote"),
    "half a file": (spoil("baseline.json", '{"benchmarks": ['), "baseline.json is not what its tool writes"),
    "a foreign file": (spoil("candidate.json", '{"machine": {}}'), "benchmarks"),
    "no values": (spoil("candidate.json", '{"benchmarks": [{"runs": []}]}'), "holds no values"),
    "a foreign command": (lambda folder: write_hyperfine(folder, ("sleep 1", 1.0, 0.0)), "no run of baseline.py"),
    "one script": (lambda folder: write_hyperfine(folder, *FOUR[:2]), "no run of candidate.py"),
    "no calls": (lambda folder: write_hyperfine(folder, process("baseline", "calls", 0, 1.0)), "no run of baseline.py"),
    "too few calls": (
        lambda folder: write_hyperfine(folder, *FOUR[:3], process("candidate", "calls", 3000, 2.3)),
        "expected more --calls",
    ),
    "another comparison": (
        lambda folder: write_export(
            folder, Comparison("O06", "consensus, hit", 6, "symbols", "baseline", "prescribed")
        ),
        "holds no O06 consensus, hit at 6 symbols: prescribed against baseline",
    ),
}


@pytest.mark.parametrize("kind", BAD_FOLDERS)
def test_what_cannot_be_read_is_said_in_one_sentence(kind, folder, recorded):
    spoiling, says = BAD_FOLDERS[kind]
    spoiling(folder)
    with pytest.raises(UserError, match=says) as raised:
        compare_with_peers(recorded, folder)
    assert "\n" not in str(raised.value)


def measured(run, arm, *processes, seconds=1.0):
    record = {"tool": "asv", "run": run, "arm": arm, "seconds": seconds, "samples_ns": [*processes]}
    return ("asv", run, arm), record


def by_mean(baseline, candidate):
    before, after = (fmean(study_peers.pooled(each)) for each in (baseline, candidate))
    return "" if before == after else study_peers.direction(after / before)


def test_the_study_counts_a_planted_effect_only_in_its_own_direction():
    records = dict(
        measured(run, arm, [values[arm]], seconds=seconds)
        for run, values in enumerate([{"A": 5, "N": 5, "P": 6}, {"A": 5, "N": 4, "P": 4}, {"A": 5, "N": 5, "P": 6}])
        for arm, seconds in (("A", 2.0), ("N", 3.0), ("P", 4.0))
    )
    seen = study_peers.rates(study_peers.Setting("asv", "any", by_mean, share=0.5), records)
    assert seen == study_peers.Rates("asv", "any", decisions=3, false_positives=1, found=2, seconds=2.75)
    assert not seen.meets_both


def test_the_study_leaves_out_runs_that_were_broken_off_and_pools_only_whole_groups():
    records = dict(measured(run, arm, [5]) for run in range(4) for arm in study_peers.ARMS)
    del records["asv", 1, "P"]
    assert study_peers.complete("asv", records) == [0, 2, 3]
    pooled = study_peers.rates(study_peers.Setting("asv", "any", by_mean, runs=2), records)
    assert pooled is not None and pooled.decisions == 1


def test_a_shorter_setting_takes_the_processes_that_stood_next_to_each_other():
    records = dict(measured(0, arm, [1, 2, 3], [4, 5, 6], [7, 8, 9]) for arm in study_peers.ARMS)
    setting = study_peers.Setting("asv", "any", by_mean, processes=2, values=1)
    assert study_peers.part(setting, records, [0], "A") == [[4], [7]]
    assert study_peers.part(setting, records, [0], "P") == [[1], [4]]


def test_the_study_goes_on_where_it_stopped_and_takes_a_broken_run_again(tmp_path, monkeypatch):
    taken = []

    def measure(tool, run):
        for arm in study_peers.ARMS:
            if (run, arm) == (1, "P") and len(taken) < 6:
                raise KeyboardInterrupt
            taken.append((run, arm))
            yield measured(run, arm, [len(taken)])[1]

    monkeypatch.setattr(study_peers, "measure", measure)
    monkeypatch.setattr(study_peers, "about", dict)
    file = tmp_path / "peers.jsonl"
    with pytest.raises(KeyboardInterrupt):
        study_peers.study(file, 2, ["asv"], math.inf)
    study_peers.study(file, 2, ["asv"], math.inf)
    assert taken == [(0, "A"), (0, "N"), (0, "P"), (1, "A"), (1, "N"), (1, "A"), (1, "N"), (1, "P")]
    assert study_peers.read(file)["asv", 1, "A"]["samples_ns"] == [[6]]


def test_two_studies_never_write_to_one_file(tmp_path):
    file = tmp_path / "peers.jsonl"
    with file.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(click.ClickException, match="another study"):
            study_peers.study(file, 1, ["asv"], math.inf)
