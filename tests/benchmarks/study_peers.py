"""How often do argo-bench, pyperf, pytest-benchmark and asv see 3 % more work, and how often nothing at all?

    python tests/benchmarks/study_peers.py [--runs 20] [--minutes M] [--tools ours,pyperf] [--report]

A run of a tool measures 100 symbols (A), 100 symbols again (N) and 103 symbols (P), and decides by the tool's own rule
whether N and P differ from A. A is shared by both decisions; the seconds of a decision are those of two measurements.
Tools take turns, one process at a time. Every measurement is appended to a file when it is there, and a later call
goes on where this one stops. ``pip install 'argo-bench[peers]'`` installs the other tools.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, TextIO

import click

Arm = Literal["A", "N", "P"]
Word = Literal["faster", "slower", ""]
Processes = Sequence[Sequence[int]]
"""Nanoseconds per call: the samples of every process."""
Record = Mapping[str, Any]
Records = Mapping[tuple[str, int, Arm], Record]

PLANTED: dict[Arm, str] = {"A": "python_5ms_100", "N": "python_5ms_100", "P": "python_5ms_103"}
FALSE_POSITIVES, POWER = 0.05, 0.95
ASV_ROUNDS, MOST_ASV_ROUNDS = 2, 10
PACKAGES = ("argo-bench", "pyperf", "pytest-benchmark", "asv", "asv_runner")


# How each tool measures one arm, in a folder of its own


def ours(arm: Arm, seed: int, folder: Path) -> Record:
    import argo_bench

    compared = argo_bench.compare(target("A"), target(arm), check=None, seed=seed, out=folder)
    speedup = compared.speedup
    return {"verdict": compared.verdict, "speedup": [speedup.low, speedup.point, speedup.high]}


def target(arm: Arm) -> str:
    return f"argo_bench.harness.calibration.workloads:{PLANTED[arm]}"


def imported(arm: Arm) -> str:
    return f"from argo_bench.harness.calibration.workloads import {PLANTED[arm]} as planted\n"


def pyperf(arm: Arm, folder: Path) -> Processes:
    script, figures = folder / "script.py", folder / "figures.json"
    script.write_text(f'import pyperf\n{imported(arm)}pyperf.Runner().bench_func("planted", planted)\n')
    called(folder, str(script), "--quiet", "-o", str(figures))
    (benchmark,) = json.loads(figures.read_text())["benchmarks"]
    return [nanoseconds(run["values"]) for run in benchmark["runs"] if "values" in run]


def pytest_benchmark(arm: Arm, folder: Path) -> Processes:
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_planted.py").write_text(f"{imported(arm)}\ndef test_planted(benchmark):\n    benchmark(planted)\n")
    called(folder, "-m", "pytest", "--quiet", "--benchmark-only", "--benchmark-json", "figures.json", "test_planted.py")
    (benchmark,) = json.loads((folder / "figures.json").read_text())["benchmarks"]
    return [nanoseconds(benchmark["stats"]["data"])]


def asv(rounds: int, arm: Arm, folder: Path) -> Processes:
    """The script that asv starts for every round of a benchmark; its own work around that is not counted."""
    suite = folder / "suite"
    suite.mkdir()
    (suite / "__init__.py").touch()
    (suite / "planted.py").write_text(f"{imported(arm)}\ndef time_planted():\n    planted()\n")
    processes = []
    for _ in range(rounds):
        called(folder, "-m", "asv.benchmark", "run", str(suite), "planted.time_planted", "{}", "None", "figures.json")
        processes.append(nanoseconds(json.loads((folder / "figures.json").read_text())["samples"]))
    return processes


def called(folder: Path, *arguments: str) -> None:
    done = subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise click.ClickException(f"{' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")


def nanoseconds(seconds: Sequence[float]) -> list[int]:
    return [round(1e9 * each) for each in seconds]


MEASURED_BY: dict[str, Callable[[Arm, Path], Processes]] = {
    "pyperf": pyperf,
    "pytest-benchmark": pytest_benchmark,
    "asv": partial(asv, ASV_ROUNDS),
    "asv, 10 rounds": partial(asv, MOST_ASV_ROUNDS),
}
OURS = "ours"
TOOLS = (OURS, *MEASURED_BY)
ARMS: tuple[Arm, ...] = ("A", "N", "P")


def measure(tool: str, run: int) -> Iterator[Record]:
    """A run of a tool: every arm once, A first and then N and P in random order. Ours measures A with each of them."""
    order = random.Random(run).sample(["N", "P"], 2)
    for arm in order if tool == OURS else ["A", *order]:
        started = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="argo-bench-peers-") as name:
            folder = Path(name)
            found = ours(arm, run, folder) if tool == OURS else {"samples_ns": MEASURED_BY[tool](arm, folder)}
        yield {"tool": tool, "run": run, "arm": arm, "seconds": round(time.perf_counter() - started, 2), **found}


# How each tool decides: which word it has for a candidate


def by_pyperf(baseline: Processes, candidate: Processes, min_speed: float = 0) -> Word:
    """As ``pyperf compare_to``: Student's t over all values at 95 %, and a least difference in percent."""
    from pyperf._utils import is_significant

    before, after = pooled(baseline), pooled(candidate)
    ratio = statistics.fmean(after) / statistics.fmean(before)
    differs, _ = is_significant(before, after)
    return direction(ratio) if differs and 100 * (max(ratio, 1 / ratio) - 1) >= min_speed else ""


def by_asv(baseline: Processes, candidate: Processes, factor: float = 1.1) -> Word:
    """As ``asv compare``: a factor between the medians, and Mann and Whitney's U with p < 0.002."""
    from asv._stats import is_different
    from asv_runner.statistics import compute_stats

    before, after = pooled(baseline), pooled(candidate)
    (median, stats), (later, later_stats) = compute_stats(before, 1), compute_stats(after, 1)
    if not is_different(before, after, stats, later_stats):
        return ""
    return "slower" if median < later / factor else "faster" if later < median / factor else ""


def by_pytest_benchmark(
    baseline: Processes, candidate: Processes, statistic: Callable[[Sequence[int]], float], percent: float
) -> Word:
    """As ``--benchmark-compare-fail``: a regression beyond a threshold; it has no word for an improvement."""
    from pytest_benchmark.utils import PercentageRegressionCheck

    check = PercentageRegressionCheck("statistic", percent)
    fails = check.fails({"statistic": statistic(pooled(candidate))}, {"statistic": statistic(pooled(baseline))})
    return "slower" if fails else ""


def pooled(processes: Processes) -> list[int]:
    return [sample for process in processes for sample in process]


def direction(ratio: float) -> Word:
    return "slower" if ratio > 1 else "faster"


Rule = Callable[[Processes, Processes], Word]


@dataclass(frozen=True, slots=True)
class Setting:
    """A documented way to run a tool, applied to what was recorded of it.

    ``processes`` and ``values`` take that much of a run: the last processes of A and the first of the other, which
    stood next to each other, and the first values of each. ``runs`` pools so many runs. ``share`` is the time that the
    setting takes of that of the recorded runs.
    """

    tool: str
    name: str
    rule: Rule
    processes: int | None = None
    values: int | None = None
    runs: int = 1
    share: float = 1.0


def settings() -> list[Setting]:
    mean, median = statistics.fmean, statistics.median
    statistic = {"min": min, "median": median, "mean": mean}
    found = [
        Setting("pyperf", "default", by_pyperf),
        Setting("pyperf", "--fast", by_pyperf, processes=10, values=2, share=10 * 3 / (20 * 4)),
        Setting("pyperf", "--rigorous", by_pyperf, runs=2, share=2),
        Setting("pyperf", "--min-speed 1", partial(by_pyperf, min_speed=1)),
        Setting("pyperf", "--min-speed 2", partial(by_pyperf, min_speed=2)),
        Setting("pyperf", "--rigorous --min-speed 1", partial(by_pyperf, min_speed=1), runs=2, share=2),
        Setting("pyperf", "--rigorous --min-speed 2", partial(by_pyperf, min_speed=2), runs=2, share=2),
    ]
    found += [
        Setting(
            "pytest-benchmark", f"fail={name}:{percent}%", partial(by_pytest_benchmark, statistic=f, percent=percent)
        )
        for name, f in statistic.items()
        for percent in (5, 3, 2, 1)
    ]
    for rounds in (ASV_ROUNDS, 4, MOST_ASV_ROUNDS):
        for factor in (1.1, 1.02, 1.01):
            options = [f"--factor {factor}"] * (factor != 1.1) + [f"-a rounds={rounds}"] * (rounds != ASV_ROUNDS)
            name, rule = " ".join(options) or "default", partial(by_asv, factor=factor)
            if rounds == ASV_ROUNDS:
                found.append(Setting("asv", name, rule))
            else:
                share = rounds / MOST_ASV_ROUNDS
                found.append(Setting("asv, 10 rounds", name, rule, processes=rounds, share=share))
    return found


@dataclass(frozen=True, slots=True)
class Rates:
    """What a setting did: its decisions on N (a null) and on P (planted), and the median seconds of a decision."""

    tool: str
    setting: str
    decisions: int
    false_positives: int
    found: int
    seconds: float

    @property
    def meets_both(self) -> bool:
        return self.false_positives <= FALSE_POSITIVES * self.decisions and self.found >= POWER * self.decisions


def rates(setting: Setting, records: Records) -> Rates | None:
    runs = complete(setting.tool, records)
    groups = [runs[start : start + setting.runs] for start in range(0, len(runs) - setting.runs + 1, setting.runs)]
    if not groups:
        return None
    words = {
        arm: [setting.rule(part(setting, records, group, "A"), part(setting, records, group, arm)) for group in groups]
        for arm in ("N", "P")
    }
    taken = [
        records[setting.tool, run, "A"]["seconds"] + records[setting.tool, run, arm]["seconds"]
        for run in runs
        for arm in ("N", "P")
    ]
    return counted(
        setting.tool.split(",")[0], setting.name, words["N"], words["P"], setting.share * statistics.median(taken)
    )


def part(setting: Setting, records: Records, runs: Sequence[int], arm: Arm) -> Processes:
    """The samples of an arm that a setting would have taken."""
    taken: list[Sequence[int]] = []
    for run in runs:
        processes = records[setting.tool, run, arm]["samples_ns"]
        count = setting.processes or len(processes)
        taken += processes[-count:] if arm == "A" else processes[:count]
    return [process[: setting.values] for process in taken]


def our_rates(records: Records) -> Rates | None:
    runs = complete(OURS, records)
    if not runs:
        return None
    words: dict[Arm, list[Word]] = {
        arm: [word if (word := records[OURS, run, arm]["verdict"]) in ("faster", "slower") else "" for run in runs]
        for arm in ("N", "P")
    }
    seconds = statistics.median(records[OURS, run, arm]["seconds"] for run in runs for arm in ("N", "P"))
    return counted("argo-bench", "default", words["N"], words["P"], seconds)


def counted(tool: str, setting: str, null: Sequence[Word], planted: Sequence[Word], seconds: float) -> Rates:
    """A planted effect counts as found only in its own direction."""
    return Rates(tool, setting, len(null), sum(map(bool, null)), planted.count("slower"), seconds)


def complete(tool: str, records: Records) -> list[int]:
    """The runs of a tool that have all their arms."""
    needed: tuple[Arm, ...] = ("N", "P") if tool == OURS else ARMS
    runs = sorted({run for name, run, _ in records if name == tool})
    return [run for run in runs if all((tool, run, arm) in records for arm in needed)]


# The file and the report


def read(file: Path) -> Records:
    """The measurements so far; of one that was taken twice, since a run was broken off, the later."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    found = (json.loads(line) for line in lines)
    return {(each["tool"], each["run"], each["arm"]): each for each in found if "tool" in each}


def write(out: TextIO, record: Record) -> None:
    out.write(json.dumps(record) + "\n")
    out.flush()
    os.fsync(out.fileno())


def about() -> Record:
    try:
        found = {package: version(package) for package in PACKAGES}
    except PackageNotFoundError as missing:
        raise click.ClickException(f"{missing.name} is not installed: pip install 'argo-bench[peers,test]'") from None
    return {"python": platform.python_version(), "machine": platform.machine(), "cpus": os.cpu_count(), **found}


def study(file: Path, runs: int, tools: Sequence[str], minutes: float) -> None:
    """Measure what is missing, run by run and tool by tool; a run of a tool that was broken off is taken again."""
    ends = time.monotonic() + 60 * minutes
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as out:
        try:
            fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise click.ClickException(f"{file} is being written by another study: wait for its end") from None
        records = read(file)
        to_do = [(run, tool) for run in range(runs) for tool in tools if run not in complete(tool, records)]
        if to_do:
            write(out, about())
        for done, (run, tool) in enumerate(to_do):
            if time.monotonic() > ends:
                click.echo(f"{minutes:g} minutes are over: {len(to_do) - done} of {len(to_do)} runs to go", err=True)
                return
            for record in measure(tool, run):
                write(out, record)
                click.echo(f"run {run}, {tool} {record['arm']}: {record['seconds']:.1f} s", err=True)


def report(records: Records) -> None:
    found = [each for each in (our_rates(records), *(rates(s, records) for s in settings())) if each is not None]
    if not found:
        click.echo("No run is complete yet.")
        return
    click.echo("False positives: 100 against 100 symbols; power: 103 against 100; with 95 %")
    click.echo("Clopper-Pearson intervals. ok: the counts are at most 5 % and at least 95 %.")
    click.echo("pytest-benchmark looks for slow-downs only.\n")
    click.echo(f"{'tool and setting':30}{'n':>3}{'s':>6}  {'false positives':18}{'power':16}ok")
    tool = ""
    for each in found:
        if each.tool != tool:
            tool = each.tool
            click.echo(tool)
        null, planted = share(each.false_positives, each.decisions), share(each.found, each.decisions)
        mark = "yes" if each.meets_both else "-"
        click.echo(f"  {each.setting:28}{each.decisions:3}{each.seconds:6.1f}  {null:18}{planted:14}  {mark}")
    click.echo("\n" + textwrap.fill(conclusion(found), 80))


def share(count: int, of: int) -> str:
    """In percent with its exact interval, such as ``5 % (0-25)``."""
    from scipy.stats import binomtest

    low, high = binomtest(count, of).proportion_ci(0.95, method="exact")
    return f"{100 * count / of:3.0f} % ({100 * low:.0f}-{100 * high:.0f})"


def conclusion(found: Sequence[Rates]) -> str:
    ours = next((each for each in found if each.tool == "argo-bench"), None)
    others = sorted((each for each in found if each is not ours and each.meets_both), key=lambda each: each.seconds)
    said = "meets both limits" if ours is not None and ours.meets_both else "does not meet both limits"
    first = "" if ours is None else f"argo-bench {said} in {ours.seconds:.1f} s a decision. "
    if not others:
        return f"{first}No setting of another tool meets both limits."
    best = others[0]
    beside = "" if ours is None else f", {best.seconds / ours.seconds:.2f} times as long as argo-bench"
    return (
        f"{first}{len(others)} other settings meet them; the fastest is {best.tool} {best.setting} in "
        f"{best.seconds:.1f} s{beside}."
    )


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("results/reference/peers.jsonl"), show_default=True
)
@click.option("--runs", type=click.IntRange(min=1), default=20, show_default=True)
@click.option("--tools", default=",".join(each for each in TOOLS if "," not in each), show_default=True)
@click.option("--minutes", type=float, default=float("inf"), help="Begin nothing after so many minutes.")
@click.option("--report", "only_report", is_flag=True, help="Measure nothing; print the rates of what is there.")
def main(out: Path, runs: int, tools: str, minutes: float, only_report: bool) -> None:
    if not only_report:
        study(out, runs, chosen(tools), minutes)
    report(read(out))


def chosen(tools: str) -> list[str]:
    """The tools by name; asv brings its longer run along."""
    named = [each.strip() for each in tools.split(",")]
    if unknown := [each for each in named if each not in TOOLS]:
        raise click.ClickException(
            f"expected tools of {', '.join(t for t in TOOLS if ',' not in t)}, got {unknown[0]!r}"
        )
    return [each for each in TOOLS if each.split(",")[0] in named]


if __name__ == "__main__":
    main()
