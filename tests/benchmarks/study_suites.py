"""Which benchmarks of public suites does ``argo-bench ci`` run, without an edit, and why not the others?

    python tests/benchmarks/study_suites.py --mirrors DIR --work DIR --out FILE [--minutes M] [--shard K/N] [--report]

``suites.toml`` names a commit of each repository, and DIR/OWNER/NAME of the mirrors is a clone of it. Every benchmark
is called by ``ci --list``; with ``--shard`` a part of each suite is also judged, the commit against itself, in the
budget. Each suite is appended to FILE when it is there, and a later call goes on where this one stops.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.study_trials import read_lines

SUITES = Path(__file__).with_name("suites.toml")
UNUSED = "unused"


def check_out(repository: str, commit: str, mirrors: Path, work: Path) -> Path:
    clone = work / "suites" / repository.replace("/", "-")
    if not clone.exists():
        mirror = (mirrors / repository).resolve()
        subprocess.run(["git", "clone", "--quiet", "--shared", "--no-checkout", str(mirror), str(clone)], check=True)
    subprocess.run(["git", "-C", str(clone), "checkout", "--quiet", "--detach", commit], check=True)
    return clone


def ask(clone: Path, *options: str) -> tuple[Any, float, str]:
    """Return what ``argo-bench ci`` prints as JSON (None for nothing), its seconds, and what it says last."""
    began = time.monotonic()
    command = [sys.executable, "-m", "argo_bench.cli", "ci", "--json", *options]
    done = subprocess.run(command, cwd=clone, capture_output=True, text=True, check=False)
    said = json.loads(done.stdout) if done.stdout.strip() else None
    return said, time.monotonic() - began, done.stderr.strip().rpartition("\n")[2]


def list_suite(clone: Path, budget: str) -> dict[str, Any]:
    """Return how many benchmarks each kind of suite has, how many run, and the reasons of those that do not."""
    rows, seconds, said = ask(clone, "--list", "--budget", budget)
    found = [each for each in rows or () if each["kind"] != UNUSED]
    problems = [each for each in found if each["problem"] is not None]
    return {
        "kinds": Counter(each["kind"] for each in found),
        "found": len(found),
        "run": len(found) - len(problems),
        "reasons": Counter(each["problem"] for each in problems) or ({said: 1} if rows is None else {}),
        "list_s": seconds,
    }


def judge_suite(clone: Path, shard: str, budget: str, record: Path) -> dict[str, Any]:
    """Return how many benchmarks of a shard got which word, and what blocks, where a commit is compared with itself."""
    options = ("--base", "HEAD", "--shard", shard, "--budget", budget, "--out", str(record))
    said, seconds, _ = ask(clone, *options)
    outcomes = said["outcomes"] if said is not None else []
    mine = [each for each in outcomes if "other shard" not in each["sentence"]]
    return {
        "shard": shard,
        "words": Counter(each["state"] for each in mine),
        "blocking": [each["sentence"] for each in mine if each["blocks"]],
        "judge_s": seconds,
    }


def make_table(lines: Sequence[Mapping[str, Any]]) -> str:
    """Tabulate the suites in Markdown."""
    rows = ["| suite | kind | benchmarks | run | seconds | reasons of the others |", "| --- " * 6 + "|"]
    for line in lines:
        kinds = ", ".join(kind for kind in line["kinds"] if kind != "left out")
        reasons = "; ".join(f"{count} {reason}" for reason, count in line["reasons"].items())
        cells = (line["repository"], kinds, line["found"], line["run"], f"{line['list_s']:.0f}", reasons)
        rows.append(f"| {' | '.join(map(str, cells))} |")
    found, run = (sum(line[key] for line in lines) for key in ("found", "run"))
    return "\n".join([*rows, "", f"{run} of {found} benchmarks of {len(lines)} suites run."])


@click.command()
@click.option("--suites", type=click.Path(path_type=Path, exists=True), default=SUITES, help="[default: suites.toml]")
@click.option("--mirrors", type=click.Path(path_type=Path), help="The folder of clones, OWNER/NAME each.")
@click.option("--work", type=click.Path(path_type=Path), help="The folder for clones and records.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The record, one line a suite.")
@click.option("--budget", default="10m", show_default=True, help="Of each command.")
@click.option("--shard", help="Also judge this part of each suite, as in 1/8.")
@click.option("--minutes", default=60.0, show_default=True, help="Start no suite later than this.")
@click.option("--report", is_flag=True, help="Only print what is recorded.")
def main(
    suites: Path,
    mirrors: Path | None,
    work: Path | None,
    out: Path,
    budget: str,
    shard: str | None,
    minutes: float,
    report: bool,
) -> None:
    """List, and judge, what the record lacks, then print a table of it."""
    until = time.monotonic() + 60 * minutes
    known = {each["repository"] for each in read_lines(out)}
    if report:
        click.echo(make_table(read_lines(out)))
        return
    if mirrors is None or work is None:
        raise click.UsageError("--mirrors and --work are needed")
    for name, suite in tomllib.loads(suites.read_text(encoding="utf-8")).items():
        if suite["repository"] in known or time.monotonic() > until:
            continue
        clone = check_out(suite["repository"], suite["commit"], mirrors, work)
        line = suite | list_suite(clone, budget)
        if shard is not None:
            line |= judge_suite(clone, shard, budget, work.resolve() / "records" / f"{name}-{time.time_ns()}")
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        click.echo(f"{name}: {line['run']} of {line['found']} in {line['list_s']:.0f} s", err=True)
    if lines := read_lines(out):
        click.echo(make_table(lines))


if __name__ == "__main__":
    main()
