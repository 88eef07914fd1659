"""How often does ``argo-bench ci`` block what is nothing, and let through what is something?

    python tests/benchmarks/study_gate.py [--pairs 30] [--planted 12] [--counted 8] [--report] [--out FILE]

On a repository made for it, beside one busy core: commits that change only a text (nothing), a 5 ms function with 5 %
more rounds (times), and one with 1 % more rounds (exact counts). The same commits go through pytest-benchmark's
``--benchmark-compare-fail=mean:5%``. Pairs take turns; each is appended to a file when it is there, and a later call
goes on where this one stops.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import click

from argo_bench.gate.answers import CONFIRMATION, FIRST, gate_of, times_of
from argo_bench.gate.exact import has_grown
from argo_bench.harness.calibration.bank import keep_busy
from argo_bench.harness.record.store import load

Kind = Literal["nothing", "5 % slower", "1 % more instructions"]
Tool = Literal["argo-bench", "pytest-benchmark"]
ROUNDS: Mapping[Kind, int] = {"nothing": 1000, "5 % slower": 1050, "1 % more instructions": 1010}
RECORD = Path(__file__).parents[2] / "results" / "reference" / "gate.jsonl"
BUDGET = "3m"
PACKAGE = """
def smooth(prices):
    total = 0.0
    for _ in range({rounds}):
        average = prices[0]
        for price in prices:
            average += 0.1 * (price - average)
        total += average
    return round(total / {rounds}, 6)
"""
TABLE = """
[tool.argo_bench.benchmarks.smooth]
function = "smoothing:smooth"
setup = "inputs.py:prices"
"""
INPUTS = """
def prices():
    return [100 + 10 * ((7919 * bar) % 101) / 101 for bar in range({bars})]
"""
BARS = 150
"""At 1,000 rounds a call takes about 5 ms."""
TEST = """
from inputs import prices
from smoothing import smooth


def test_smooth(benchmark):
    benchmark(smooth, prices())
"""


def repository(folder: Path) -> dict[Kind, str]:
    """A commit for every kind, each a child of the first one, which is tagged ``base``."""
    git = ["git", "-C", str(folder), "-c", "user.name=study", "-c", "user.email=study@example.org"]

    def commit(message: str) -> str:
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "--quiet", "--message", message], check=True)
        return subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()

    subprocess.run([*git[:3], "init", "--quiet"], check=True)
    for name, text in {
        "pyproject.toml": TABLE,
        "inputs.py": INPUTS.format(bars=BARS),
        "test_smooth.py": TEST,
        "smoothing.py": PACKAGE.format(rounds=ROUNDS["nothing"]),
    }.items():
        (folder / name).write_text(text, encoding="utf-8")
    base = commit("base")
    subprocess.run([*git, "tag", "base"], check=True)
    made: dict[Kind, str] = {}
    for kind, rounds in ROUNDS.items():
        subprocess.run([*git, "checkout", "--quiet", base], check=True)
        (folder / "smoothing.py").write_text(PACKAGE.format(rounds=rounds), encoding="utf-8")
        (folder / "NOTES").write_text(kind, encoding="utf-8")
        made[kind] = commit(kind)
    return made


def ours(folder: Path, head: str, seed: int) -> dict[str, Any]:
    """What the gate said, by times alone and by exact counts alone."""
    with tempfile.TemporaryDirectory() as out:
        command = [
            "ci",
            "--base",
            "base",
            "--head",
            head,
            "--budget",
            BUDGET,
            "--seed",
            str(seed),
            "--out",
            f"{out}/run",
        ]
        done = subprocess.run(
            [sys.executable, "-m", "argo_bench.cli", *command],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode not in (0, 1, 3):
            raise SystemExit(f"argo-bench ci ended with exit status {done.returncode}: {done.stderr}")
        recorded = load(Path(out) / "run")
    gate = gate_of(recorded)
    times = times_of(recorded)
    [outcome] = gate.outcomes
    first = times.estimate("smooth", FIRST)
    return {
        "state": outcome.state,
        "advisory": gate.advisory,
        "blocked": gate.blocks,
        "blocked_by_times": gate.advisory is None and bool(times.find_worse(FIRST) and times.find_worse(CONFIRMATION)),
        "blocked_by_counts": [name for name, change in outcome.counts.items() if has_grown(change)],
        "counts": {name: [change.base, change.head] for name, change in outcome.counts.items()},
        "slower": list(first),
        "sentence": outcome.sentence,
    }


def pytest_benchmark(folder: Path, head: str, seed: int) -> dict[str, Any]:
    """What its own rule said: the base saved, the head compared with it."""
    with tempfile.TemporaryDirectory() as storage:
        options = [*("-q", "-p", "no:cacheprovider"), f"--benchmark-storage={storage}"]
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
        for revision, more in (
            ("base", ["--benchmark-save=base"]),
            (head, ["--benchmark-compare", "--benchmark-compare-fail=mean:5%"]),
        ):
            subprocess.run(["git", "-C", str(folder), "checkout", "--quiet", revision], check=True)
            done = subprocess.run(
                [sys.executable, "-m", "pytest", "test_smooth.py", *options, *more],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
        return {"blocked": done.returncode != 0, "said": done.stdout.splitlines()[-3:]}


TOOLS = {"argo-bench": ours, "pytest-benchmark": pytest_benchmark}


def recorded(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


def summary(records: Sequence[Mapping[str, Any]]) -> str:
    """Of every kind and tool, how many pairs were blocked, and in how many seconds."""
    lines = []
    for kind in ROUNDS:
        for tool in TOOLS:
            found = [each for each in records if each["kind"] == kind and each["tool"] == tool]
            if not found:
                continue
            seconds = sorted(each["seconds"] for each in found)
            line = f"{kind:24} {tool:18} blocked {sum(each['blocked'] for each in found):2} of {len(found):2}"
            if tool == "argo-bench":
                by_times = sum(each["blocked_by_times"] for each in found)
                by_counts = sum(bool(each["blocked_by_counts"]) for each in found)
                advisory = sum(each["advisory"] is not None for each in found)
                line += f" (by times {by_times}, by counts {by_counts}; advisory {advisory})"
            lines.append(f"{line}, {seconds[len(seconds) // 2]:.0f} s, {seconds[-1]:.0f} s at the most")
    return "\n".join(lines)


@click.command()
@click.option("--pairs", default=30, show_default=True, help="Of commits that change nothing.")
@click.option("--planted", default=12, show_default=True, help="Of 5 % slower ones.")
@click.option("--counted", default=8, show_default=True, help="Of those with 1 % more instructions.")
@click.option("--minutes", default=60.0, show_default=True, help="Stop after so long.")
@click.option("--report", is_flag=True, help="Only print what is recorded.")
@click.option("--out", type=click.Path(path_type=Path), default=RECORD, help="The record.")
def main(pairs: int, planted: int, counted: int, minutes: float, report: bool, out: Path) -> None:
    """Measure what the record lacks, then print what it says."""
    if report:
        click.echo(summary(recorded(out)))
        return
    until = time.monotonic() + 60 * minutes
    wanted = {"nothing": pairs, "5 % slower": planted, "1 % more instructions": counted}
    todo = [
        (number, kind, tool)
        for number in range(max(wanted.values()))
        for kind in ROUNDS
        if number < wanted[kind]
        for tool in TOOLS
    ]
    known = {(each["number"], each["kind"], each["tool"]) for each in recorded(out)}
    with tempfile.TemporaryDirectory() as folder, keep_busy(1):
        commits = repository(Path(folder))
        for number, kind, tool in todo:
            if (number, kind, tool) in known or time.monotonic() > until:
                continue
            began = time.monotonic()
            found = TOOLS[tool](Path(folder), commits[kind], number)
            line = {"number": number, "kind": kind, "tool": tool, "seconds": time.monotonic() - began} | found
            with out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            click.echo(f"{number} {kind}, {tool}: {found.get('state', '')} blocked={found['blocked']}", err=True)
    click.echo(summary(recorded(out)))


if __name__ == "__main__":
    main()
