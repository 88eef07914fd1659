"""Do eight shards, measured one after the other and merged, say what one gate says that measures everything?

    python tests/benchmarks/study_shards.py [--shards 8] [--budget 40m] [--work DIR] [--out FILE] [--report]

A repository made for it has forty functions; the head lets every fifth do 8 % or 30 % more work, and every tenth 20 %
less. What the whole gate and the merged shards say of each function is written to FILE.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.study_trials import read_lines

RECORD = Path(__file__).parents[2] / "results" / "reference" / "shards.jsonl"
FUNCTIONS = 40
ROUNDS = 400
DECIDED = {"fine", "worse", "better"}
FUNCTION = """
def smooth_{number:02}(prices):
    total = 0.0
    for _ in range({rounds}):
        average = prices[{number}]
        for price in prices:
            average += 0.1 * (price - average)
        total += average
    return round(total / {rounds}, 3)
"""
TABLE = """
[tool.argo_bench.benchmarks.smooth_{number:02}]
function = "smoothing:smooth_{number:02}"
setup = "inputs.py:prices"
"""
INPUTS = """
def prices():
    return [100 + 10 * ((7919 * bar) % 101) / 101 for bar in range(100)]
"""


def choose_rounds(number: int) -> int:
    """Return how many rounds a function makes in the head; in the base each makes ``ROUNDS``."""
    changes = {0: 1.08, 5: 1.3, 3: 0.8}
    return round(ROUNDS * changes.get(number % 10, 1.0))


def make_repository(folder: Path) -> None:
    """Make a repository of two commits in ``folder``."""
    git = ["git", "-C", str(folder), "-c", "user.name=study", "-c", "user.email=study@example.org"]
    subprocess.run([*git[:3], "init", "--quiet"], check=True)
    tables = "".join(TABLE.format(number=number) for number in range(FUNCTIONS))
    (folder / "pyproject.toml").write_text(tables, encoding="utf-8")
    (folder / "inputs.py").write_text(INPUTS, encoding="utf-8")
    for message in ("base", "head"):
        functions = (
            FUNCTION.format(number=number, rounds=ROUNDS if message == "base" else choose_rounds(number))
            for number in range(FUNCTIONS)
        )
        (folder / "smoothing.py").write_text("".join(functions), encoding="utf-8")
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "--quiet", "--message", message], check=True)


def ask(folder: Path, *arguments: str) -> tuple[Mapping[str, Any], float]:
    """Return the outcome of each benchmark by its name, and the seconds that the command took."""
    began = time.monotonic()
    command = [sys.executable, "-m", "argo_bench.cli", "ci", *arguments, "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"argo-bench ci ended with exit status {done.returncode}: {done.stderr}")
    outcomes = json.loads(done.stdout)["outcomes"]
    return {each["benchmark"]: each for each in outcomes}, time.monotonic() - began


def measure(folder: Path, shards: int, budget: str, out: Path) -> list[dict[str, Any]]:
    """Return a line for each function: what the whole gate says of it, and what the merged shards say."""
    options = ("--base", "HEAD~1", "--environment", "current", "--budget", budget)
    whole, whole_s = ask(folder, *options, "--out", str(out / "whole"))
    shards_s, parts = [], [str(out / f"shard-{number}") for number in range(1, shards + 1)]
    for number, part in enumerate(parts, start=1):
        shards_s.append(ask(folder, *options, "--shard", f"{number}/{shards}", "--out", part)[1])
        click.echo(f"shard {number} of {shards}: {shards_s[-1]:.0f} s", err=True)
    merged, _ = ask(folder, "merge", *parts, "--out", str(out / "merged"))
    return [
        {
            "benchmark": name,
            "change": choose_rounds(int(name.rpartition("_")[2])) / ROUNDS - 1,
            "whole": outcome,
            "merged": merged[name],
            "whole_s": whole_s,
            "shards_s": shards_s,
        }
        for name, outcome in sorted(whole.items())
    ]


def summarize(lines: Sequence[Mapping[str, Any]]) -> str:
    """Say how far the merged shards agree with the whole gate."""
    states = [(line["whole"]["state"], line["merged"]["state"]) for line in lines]
    contradicted = [line["benchmark"] for line, pair in zip(lines, states, strict=True) if contradicts(*pair)]
    rows = [f"{count:3}  {of}, merged {merged}" for (of, merged), count in sorted(Counter(states).items())]
    rows += [
        describe_difference(name, lines)
        for name in sorted({name for each in lines for name in each["whole"]["counts"]})
    ]
    rows.append(f"decided and contradicted: {len(contradicted)} of {len(lines)} {contradicted or ''}".rstrip())
    rows.append(f"the whole took {lines[0]['whole_s']:.0f} s, the longest shard {max(lines[0]['shards_s']):.0f} s")
    return "\n".join(rows)


def describe_difference(name: str, lines: Sequence[Mapping[str, Any]]) -> str:
    """Say how far a count differs between the whole and the shards, of those functions for which both list it."""
    pairs = [
        (ours, theirs)
        for line in lines
        if name in line["whole"]["counts"] and name in line["merged"]["counts"]
        for ours, theirs in zip(line["whole"]["counts"][name], line["merged"]["counts"][name], strict=True)
    ]
    if not pairs:
        return f"{name}: listed by one of both only"
    differing = sum(ours != theirs for ours, theirs in pairs)
    largest = max(abs(theirs / ours - 1) for ours, theirs in pairs)
    return f"{name}: {differing} of {len(pairs)} differ, by {largest:.1e} at the most"


def contradicts(whole: str, merged: str) -> bool:
    """Say whether both are decided, and not alike."""
    return {whole, merged} <= DECIDED and whole != merged


@click.command()
@click.option("--shards", default=8, show_default=True)
@click.option("--budget", default="40m", show_default=True, help="Of the whole gate, and of each shard.")
@click.option("--work", type=click.Path(path_type=Path), help="The folder of records. [default: a temporary one]")
@click.option("--out", type=click.Path(path_type=Path), default=RECORD, help="The record, one line a function.")
@click.option("--report", is_flag=True, help="Only say what is recorded.")
def main(shards: int, budget: str, work: Path | None, out: Path, report: bool) -> None:
    """Measure the whole and its shards once, and say how far they agree."""
    if not report:
        with tempfile.TemporaryDirectory() as folder:
            repository = Path(folder) / "repository"
            repository.mkdir()
            make_repository(repository)
            lines = measure(repository, shards, budget, (work or Path(folder)).resolve())
        out.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    click.echo(summarize(read_lines(out)))


if __name__ == "__main__":
    main()
