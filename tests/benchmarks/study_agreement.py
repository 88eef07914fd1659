"""Do verdicts agree with those of another way of measuring? Thirty pairs of users' functions and ten exported arms.

    python tests/benchmarks/study_agreement.py [--out FILE] [--report]

The other way is a plain one that shares no code with the package: fresh processes of both sides take turns in random
order, each warms up and reports its median time per call, on the CPU's clock or, where the function waits, on the wall.
Arms are exported as scripts, which pyperf runs, a process at a time. The interval of the ratio is that of
the sign test over fifteen pairs, at 99.3 %. Two words agree where they are the same, or where one of them is
inconclusive and both intervals have a value in common.
"""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import click

import argo_bench
from argo_bench.harness.record.records import Result
from argo_bench.harness.record.store import load
from argo_bench.integrations.export import ROLES, Role, export, find_claim_about_time, read_export, subject_of
from argo_bench.pipeline.market.universe import installed_sample

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import user_pairs  # noqa: E402 - it lies beside this file

RESULT = HERE.parents[1] / "results" / "reference" / "agreement.jsonl"
ARMS = tuple(
    (name, variant) for name in ("O06", "O08", "O09", "O11", "O13") for variant in ("prescribed", "engineered")
)
PROCESSES = 15
CUT = 2
"""The third smallest and the third largest of fifteen ratios bound their median at 99.3 %."""
VALUE_S = 0.1
"""A value of pyperf's takes about this time."""
FLOOR = math.log(1.01)
SCRIPT = """
import sys, time, statistics
sys.path.insert(0, {folder!r})
import user_pairs
from inspect import isawaitable
import asyncio
function = getattr(user_pairs, {name!r})
runner = asyncio.Runner()
def call():
    result = function()
    if isawaitable(result):
        async def wait(): return await result
        runner.run(wait())
clock = time.perf_counter if {waits} else time.process_time
until = time.perf_counter() + 0.15
calls = 0
while time.perf_counter() < until:
    call(); calls += 1
calls = max(1, calls // 10)
taken = []
for _ in range(21):
    began = clock()
    for _ in range(calls):
        call()
    taken.append((clock() - began) / calls)
print(statistics.median(taken))
"""


def time_plainly(number: int, waits: bool, rng: random.Random) -> list[float]:
    """Return ln(new / old) of every pair of fresh processes."""
    return [
        math.log(times["new"] / times["old"])
        for _ in range(PROCESSES)
        if (times := {side: _run(f"{side}_{number}", waits) for side in rng.sample(("old", "new"), 2)})
    ]


def _run(name: str, waits: bool) -> float:
    script = SCRIPT.format(folder=str(HERE), name=name, waits=waits)
    return float(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)


def time_exported(folder: Path, rng: random.Random) -> list[float]:
    """Return ln(candidate / baseline) of every pair of processes of pyperf's that run the exported scripts."""
    passes = read_export(folder).passes

    def run(side: Role) -> float:
        file = folder / f"{side}-{rng.getrandbits(64):x}.json"
        options = ["--processes", "1", "--values", "5", "--warmups", "1", "--quiet", "--output", str(file)]
        loops = max(1, math.ceil(VALUE_S * passes[side]))
        command = [sys.executable, str(folder / f"{side}.py"), *options, "--loops", str(loops)]
        subprocess.run(command, check=True, capture_output=True)
        [benchmark] = json.loads(file.read_text(encoding="utf-8"))["benchmarks"]
        return median(value for each in benchmark["runs"] for value in each.get("values", []))

    return [
        math.log(times["candidate"] / times["baseline"])
        for _ in range(PROCESSES)
        if (times := {side: run(side) for side in rng.sample(ROLES, 2)})
    ]


def bound(ratios: Sequence[float]) -> tuple[float, float]:
    ordered = sorted(ratios)
    return ordered[CUT], ordered[-1 - CUT]


def word_of(low: float, high: float, middle: float) -> str:
    """Return the word that an interval of ln(new / old) supports."""
    if low >= -FLOOR and high <= FLOOR:
        return "no difference"
    if (low > 0 or high < 0) and abs(middle) >= FLOOR:
        return "slower" if low > 0 else "faster"
    return "inconclusive"


def do_agree(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    """Say whether two findings have one word, or one of them leaves open what the other has."""
    do_overlap = max(ours["low"], theirs["low"]) <= min(ours["high"], theirs["high"])
    return ours["word"] == theirs["word"] or (do_overlap and "inconclusive" in (ours["word"], theirs["word"]))


def study_pair(number: int, name: str, seed: int) -> dict[str, Any]:
    """Measure a pair of functions in both ways."""
    old, new = (f"user_pairs:{side}_{number}" for side in ("old", "new"))
    found = argo_bench.compare(old, new, check=None, budget_s=60, seed=seed)
    ratios = time_plainly(number, "wait" in name, random.Random(seed))
    ours = found.speedup
    return describe(name, (ours.low, ours.point, ours.high), ratios, found.judgement.verdict)


def time_arm(name: str, variant: str, seed: int) -> list[float]:
    """Return ln(candidate / baseline) of every pair of processes of an arm that was exported as scripts."""
    with tempfile.TemporaryDirectory() as folder:
        export(subject_of([name], None, installed_sample, seed), variant, seed, Path(folder))
        return time_exported(Path(folder), random.Random(seed))


def find_speedups(run: Path) -> dict[str, tuple[float, float, float]]:
    """Return what a stored run found of every arm that is exported, with the ends of its interval, by their name.

    It is the comparison that is exported, by wall time, which is the clock of pyperf.
    """
    results = {each.comparison: each for each in load(run).all(Result)}
    found = {}
    for name, variant in ARMS:
        subject = subject_of([name], None, installed_sample, 0)
        comparison = subject.declaration().headline_comparison(find_claim_about_time(subject), variant)
        if comparison in results:
            wall = results[comparison].wall
            low, point, high = (math.exp(-each) for each in (wall.high, wall.theta, wall.low))
            found[f"{name} {variant}"] = (low, point, high)
    return found


def describe(
    name: str, speedup: tuple[float, float, float], ratios: Sequence[float], verdict: str = ""
) -> dict[str, Any]:
    low, point, high = (-math.log(each) for each in reversed(speedup))
    ours = {"word": verdict or word_of(low, high, point), "low": low, "middle": point, "high": high}
    bounds = bound(ratios)
    theirs = {"word": word_of(*bounds, median(ratios)), "low": bounds[0], "middle": median(ratios), "high": bounds[1]}
    return {"pair": name, "ours": ours, "theirs": theirs, "agree": do_agree(ours, theirs), "ratios": list(ratios)}


def report(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield f"{sum(each['agree'] for each in found)} of {len(found)} words agree"
    for each in found:
        ours, theirs = (f"{side['word']} {_show(side)}" for side in (each["ours"], each["theirs"]))
        yield f"{'' if each['agree'] else 'NOT '}{each['pair']}: {ours}; plainly {theirs}"


def _show(side: Mapping[str, Any]) -> str:
    return "{:.4g}x [{:.4g}, {:.4g}]".format(*(math.exp(-side[name]) for name in ("middle", "high", "low")))


@click.command(help=__doc__)
@click.option("--out", type=click.Path(path_type=Path), default=RESULT, help="The file of findings, a line each.")
@click.option("--run", type=click.Path(path_type=Path), default=RESULT.parent, help="The run with our findings.")
@click.option("--report", "only_report", is_flag=True, help="Measure nothing, and show what the file has.")
def main(out: Path, run: Path, only_report: bool) -> None:
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH"))))
    lines = out.read_text(encoding="utf-8").splitlines() if out.exists() else []
    known = {each["pair"]: each for each in map(json.loads, lines)}
    speedups = find_speedups(run)
    for name in known.keys() & speedups.keys():  # the run may be later than the line
        known[name] = describe(name, speedups[name], known[name]["ratios"])
    for found in () if only_report else _measure_all(speedups, known.keys()):
        known[found["pair"]] = found
        _write(out, known)
        click.echo(list(report([found]))[1])
    _write(out, known)
    click.echo("\n".join(report([*known.values()])))


def _write(out: Path, known: Mapping[str, Mapping[str, Any]]) -> None:
    out.write_text("".join(f"{json.dumps(each)}\n" for each in known.values()), encoding="utf-8")


def _measure_all(speedups: Mapping[str, tuple[float, float, float]], done: Collection[str]) -> Iterator[dict[str, Any]]:
    for number, name in enumerate(user_pairs.PAIRS):
        if name not in done:
            yield study_pair(number, name, seed=number + 1)
    for number, arm in enumerate(ARMS):
        name = " ".join(arm)
        if name in speedups and name not in done:
            yield describe(name, speedups[name], time_arm(*arm, number + 1))


if __name__ == "__main__":
    main()
