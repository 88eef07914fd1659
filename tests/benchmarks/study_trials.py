"""What does ``argo-bench ci`` say of real commits of public repositories?

    python tests/benchmarks/study_trials.py --mirrors DIR --work DIR --out FILE [--minutes M] [--prepare] [--report]

``trials.toml`` names the pairs of commits, each with one function that is timed. DIR/OWNER/NAME of the mirrors is a
clone of each repository, bare or not; everything else goes into the work folder. The truth is found by other means: of
a changed pair by the standard library's timeit in fresh processes that take turns, of an unchanged one by comparing
syntax trees without docstrings. Each pair is appended to FILE when it is there, and a later call goes on where this one
stops.
"""

from __future__ import annotations

import ast
import json
import os
import re
import statistics
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click

Side = Literal["base", "head"]
SIDES: tuple[Side, ...] = ("base", "head")
PAIRS = Path(__file__).with_name("trials.toml")
FILE = "benchmarks/of_the_trial.py"
TABLE = """
[tool.argo_bench.benchmarks.{function}]
function = "{file}:{function}"
"""
PLANTED = '''

def _plant(function, every):
    """Repeat the work of every so-many-th call."""
    calls = 0

    def planted(*arguments, **options):
        nonlocal calls
        calls += 1
        if calls % every == 0:
            function(*arguments, **options)
        return function(*arguments, **options)

    return planted


{function} = _plant({function}, {every})
'''
PROCESSES = 12
ENDS = (2, 9)
"""Of twelve ratios in order the third and the tenth hold the median in 96 of 100 cases."""
TURNS = 20
TIMER = """
import gc, os, runpy, sys, timeit
site, file, function = sys.argv[1:]
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
sys.path.insert(0, site)
timer = timeit.Timer(runpy.run_path(file)[function], setup="import gc; gc.enable()")
number = max(1, round(0.01 / min(timer.repeat(5, 1))))
print(flush=True)
for _ in sys.stdin:
    print(timer.timeit(number) / number, flush=True)
"""
KEPT = ("repository", "number", "kind", "function", "base", "head", "what")
TOLERANCE = 0.03
"""The slow-down that the gate lets pass by default."""


@dataclass(frozen=True)
class Planted:
    """Says which function in which file does its work twice in ``every`` so-many-th call."""

    file: str
    function: str
    every: int


@dataclass(frozen=True)
class Pair:
    """Holds two commits of a repository, the function that is timed in both, and what is changed."""

    repository: str
    needs: Sequence[str]
    functions: str
    number: int
    kind: Literal["changed", "unchanged"]
    function: str
    base: str
    head: str
    what: str
    planted: Planted | None

    @property
    def name(self) -> str:
        return f"{self.repository.rpartition('/')[2]}-{self.number}"

    def commit_of(self, side: Side) -> str:
        return self.base if side == "base" else self.head


def read_pairs(file: Path) -> list[Pair]:
    """Read every pair of a file: the first changed and the first unchanged one of each repository, then the others."""
    pairs = []
    for table in tomllib.loads(file.read_text(encoding="utf-8")).values():
        about = {key: table[key] for key in ("repository", "needs", "functions")}
        for number, each in enumerate(table["pairs"]):
            planted = Planted(**each["planted"]) if "planted" in each else None
            pairs.append(Pair(**about, number=number, **each | {"planted": planted}))
    return sorted(pairs, key=lambda pair: (pair.number % 2, pair.number))


# What both the gate and the truth look at


def git(clone: Path, *arguments: str) -> str:
    nobody = {f"GIT_{who}_{what}": "study" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    dates = {f"GIT_{who}_DATE": "2000-01-01T00:00:00Z" for who in ("AUTHOR", "COMMITTER")}
    command = ["git", "-C", str(clone), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | nobody | dates)
    return done.stdout.strip()


def prepare(pair: Pair, mirrors: Path, work: Path) -> dict[Side, str]:
    """Clone a repository, commit both sides with the functions and the table, and install each in a folder of its own.

    The head's commit is a child of the base's, so that nothing but the pair's own change lies between them.
    """
    clone = clone_of(pair, work)
    if not clone.exists():
        mirror = (mirrors / pair.repository).resolve()
        subprocess.run(["git", "clone", "--quiet", "--shared", "--no-checkout", str(mirror), str(clone)], check=True)
    commits: dict[Side, str] = {}
    for side in SIDES:
        git(clone, "checkout", "--quiet", "--force", "--detach", pair.commit_of(side))
        git(clone, "clean", "-ffdxq")
        (clone / FILE).parent.mkdir(exist_ok=True)
        (clone / FILE).write_text(pair.functions, encoding="utf-8")
        with (clone / "pyproject.toml").open("a", encoding="utf-8") as file:
            file.write(TABLE.format(file=FILE, function=pair.function))
        if side == "head" and pair.planted is not None:
            with (clone / pair.planted.file).open("a", encoding="utf-8") as file:
                file.write(PLANTED.format(function=pair.planted.function, every=pair.planted.every))
        git(clone, "add", "--all", "--force")
        parent = commits.get("base", pair.base)
        commits[side] = git(clone, "commit-tree", git(clone, "write-tree"), "-p", parent, "-m", f"The {side}")
        git(clone, "update-ref", f"refs/trials/{pair.name}-{side}", commits[side])
        site = site_of(pair, side, work)
        if pair.kind == "changed" and not site.exists():
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
            subprocess.run([*pip, "--target", str(site), ".", *pair.needs], cwd=clone, check=True)
    git(clone, "checkout", "--quiet", "--force", commits["head"])
    git(clone, "clean", "-ffdxq")
    return commits


def clone_of(pair: Pair, work: Path) -> Path:
    return work / "clones" / pair.repository.replace("/", "-")


def site_of(pair: Pair, side: Side, work: Path) -> Path:
    return work / "sites" / pair.name / side


# The truth by other means


def time_both(pair: Pair, work: Path) -> dict[str, Any]:
    """Return by how much the head takes longer than the base, as a share, with a 96 % interval.

    Of each of twelve pairs of fresh processes, which take turns of 10 ms on one processor, the median ratio counts.
    """
    ratios = sorted(time_pair_of_processes(pair, work, first) for first in SIDES for _ in range(PROCESSES // 2))
    low, high = (ratios[end] for end in ENDS)
    return {"slower": statistics.median(ratios), "low": low, "high": high, "ratios": ratios}


def time_pair_of_processes(pair: Pair, work: Path, first: Side) -> float:
    """Return by how much the head takes longer in one process for each side; ``first`` starts first."""
    order = SIDES if first == "base" else SIDES[::-1]
    workers: dict[Side, subprocess.Popen[str]] = {}
    for side in order:
        asked = [str(site_of(pair, side, work)), str(clone_of(pair, work) / FILE), pair.function]
        command = [sys.executable, "-P", "-c", TIMER, *asked]
        workers[side] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        answer(workers[side])
    ratios = []
    for turn in range(TURNS):
        seconds: dict[Side, float] = {}
        for side in order if turn % 2 == 0 else order[::-1]:
            print(file=workers[side].stdin, flush=True)
            seconds[side] = float(answer(workers[side]))
        ratios.append(seconds["head"] / seconds["base"] - 1)
    for worker in workers.values():
        worker.communicate()
    return statistics.median(ratios)


def answer(worker: subprocess.Popen[str]) -> str:
    assert worker.stdout is not None
    return worker.stdout.readline()


def compare_trees(pair: Pair, work: Path, commits: Mapping[Side, str]) -> dict[str, Any]:
    """Say that nothing is slower where every changed file of Python has the same syntax tree without docstrings."""
    clone = clone_of(pair, work)
    changed = [file for file in git(clone, "diff", "--name-only", *commits.values()).splitlines() if file[-3:] == ".py"]
    for file in changed:
        trees = {strip_docstrings(git(clone, "show", f"{commits[side]}:{file}")) for side in SIDES}
        if len(trees) > 1:
            raise SystemExit(f"{pair.name}: {file} is changed in more than docstrings and comments")
    return {"slower": 0.0, "low": 0.0, "high": 0.0, "same_trees": changed}


def strip_docstrings(text: str) -> str:
    """Return a module's syntax tree without docstrings, as a text."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node, clean=False
        ):
            del node.body[0]
    return ast.dump(tree)


# What the gate says


def ask_gate(pair: Pair, work: Path, commits: Mapping[Side, str], budget: str) -> dict[str, Any]:
    """Return what the gate says of a pair, and in how many seconds."""
    record = work / "records" / f"{pair.name}-{time.time_ns()}"
    sides = [f"--{side}={commits[side]}" for side in SIDES]
    command = ["ci", *sides, "--json", "--budget", budget, "--seed", str(pair.number), "--out", str(record)]
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "argo_bench.cli", *command],
        cwd=clone_of(pair, work),
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - began
    if done.returncode not in (0, 1, 3, 4):
        raise click.ClickException(f"argo-bench ci ended with exit status {done.returncode}: {done.stderr}")
    said = json.loads(done.stdout)
    kept = ("state", "blocks", "sentence", "speedup", "interval", "metric", "counts")
    [outcome] = said["outcomes"]
    about = {"code": done.returncode, "advisory": said["advisory"], "notes": said["notes"]}
    return {"gate_s": seconds} | about | {key: outcome[key] for key in kept}


# What is recorded


def judge(line: Mapping[str, Any]) -> str:
    """Say in a word what a gate's answer is worth beside the truth."""
    truth = line["truth"]
    state = line["gate"]["state"]
    if state in ("cannot run", "not measured"):
        return "not judged"
    if line["gate"]["blocks"] and state != "worse":
        return f"blocked: {state}"
    if line["gate"]["blocks"]:
        return "found" if truth["high"] > TOLERANCE else "false alarm"
    if truth["low"] > TOLERANCE:
        return "undecided" if state == "cannot tell" else "missed"
    if truth["high"] < -TOLERANCE and state == "better":
        return "found"
    return "no false alarm"


def make_table(lines: Sequence[Mapping[str, Any]]) -> str:
    """Tabulate every pair in Markdown: by how much the head is slower in truth and as the gate has it."""
    rows = ["| repository | what changed | truth | the gate | its word | seconds | so |", "| --- " * 7 + "|"]
    for line in sorted(lines, key=lambda each: (each["repository"], each["number"])):
        truth, gate = line["truth"], line["gate"]
        known = "the same code" if "same_trees" in truth else show(truth["slower"], truth["low"], truth["high"])
        ours = "-"
        if gate["speedup"] is not None:
            ours = show(*(1 / ratio - 1 for ratio in (gate["speedup"], *reversed(gate["interval"]))))
        cells = (line["repository"], line["what"], known, ours, gate["state"], f"{gate['gate_s']:.0f}", judge(line))
        rows.append(f"| {' | '.join(cells)} |")
    words = [judge(line) for line in lines]
    counted = ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))
    seconds = statistics.median(line["gate"]["gate_s"] for line in lines)
    return "\n".join([*rows, "", f"{len(lines)} pairs: {counted}; {seconds:.0f} s in the median."])


def show(slower: float, low: float, high: float) -> str:
    return re.sub("-", "−", f"{100 * slower:+.1f} % [{100 * low:+.1f}, {100 * high:+.1f}]")


def read_lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


@click.command()
@click.option("--pairs", type=click.Path(path_type=Path, exists=True), default=PAIRS, help="The pairs. [trials.toml]")
@click.option("--mirrors", type=click.Path(path_type=Path), help="The folder of clones, OWNER/NAME each.")
@click.option("--work", type=click.Path(path_type=Path), help="The folder for clones, installed packages and records.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The record, one line a pair.")
@click.option("--budget", default="2m", show_default=True, help="Of the gate, for each pair.")
@click.option("--minutes", default=60.0, show_default=True, help="Start no pair later than this.")
@click.option("--prepare", "is_only_prepared", is_flag=True, help="Clone, commit and install only; time nothing.")
@click.option("--report", is_flag=True, help="Only print what is recorded.")
def main(
    pairs: Path,
    mirrors: Path | None,
    work: Path | None,
    out: Path,
    budget: str,
    minutes: float,
    is_only_prepared: bool,
    report: bool,
) -> None:
    """Try what the record lacks, then print a table of it."""
    if report:
        click.echo(make_table(read_lines(out)))
        return
    if mirrors is None or work is None:
        raise click.UsageError("--mirrors and --work are needed")
    until = time.monotonic() + 60 * minutes
    known = {(each["repository"], each["number"]) for each in read_lines(out)}
    for pair in read_pairs(pairs):
        if (pair.repository, pair.number) in known or time.monotonic() > until:
            continue
        commits = prepare(pair, mirrors.resolve(), work.resolve())
        if is_only_prepared:
            if pair.kind == "unchanged":
                compare_trees(pair, work.resolve(), commits)
            click.echo(f"{pair.name} is prepared", err=True)
            continue
        try:
            gate = ask_gate(pair, work.resolve(), commits, budget)
        except click.ClickException as error:
            click.echo(f"{pair.name}: {error.message}", err=True)
            continue
        changed = pair.kind == "changed"
        truth = time_both(pair, work.resolve()) if changed else compare_trees(pair, work.resolve(), commits)
        line = {key: getattr(pair, key) for key in KEPT} | {"truth": truth, "gate": gate}
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        click.echo(f"{pair.name}, {pair.what}: {gate['state']} in {gate['gate_s']:.0f} s, {judge(line)}", err=True)
    if lines := read_lines(out):
        click.echo(make_table(lines))


if __name__ == "__main__":
    main()
