"""Does the interval of a local slope contain the slope of what is counted?

    python tests/benchmarks/study_slopes.py [--rounds 12] [--minutes M] [--report] [--out FILE]

Five functions of known growth are measured at three sizes by ``compare --sizes``, in rounds with other seeds. The slope
of the bytecode instructions that they execute, which are counted exactly, is held against the interval of the slope of
the time. A round is appended to the file when it is there, and a later call goes on where this one stops.
"""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from types import CodeType
from typing import Any

import click

from argo_bench.harness.benchmark import Benchmark
from argo_bench.harness.compare import measure_benchmarks
from argo_bench.harness.judging.slopes import compute_slope, find_steps
from argo_bench.harness.plan import QUICK
from argo_bench.harness.workers.counts import count_instructions_into

RECORD = Path(__file__).parents[2] / "results" / "reference" / "slopes.jsonl"
SIZES = (16, 64, 256)
PROFILE = replace(QUICK, budget_s=150.0)
STEP = 400
"""A step adds so many numbers, so that nearly all instructions are of one kind. A call takes longer than an addition:
with steps of 40 the slope of the time differed from that of the instructions by up to 0.03."""


def step() -> int:
    found = 0
    for each in range(STEP):
        found += each
    return found


def walk(size: int) -> int:
    return sum(step() for _ in range(size))


def halve(size: int) -> int:
    """Do a step for every halving of every number up to the size: n log n."""
    return sum(step() for number in range(1, size + 1) for _ in range(number.bit_length()))


def walk_roots(size: int) -> int:
    return sum(step() for _ in range(size) for _ in range(math.isqrt(size)))


def pair(size: int) -> int:
    return sum(step() for first in range(size // 2) for _ in range(first))


def look_up(size: int) -> int:
    """Do thirty steps for every bit of the size: log n."""
    return sum(step() for _ in range(size.bit_length()) for _ in range(30))


FUNCTIONS: tuple[Callable[[int], int], ...] = (walk, halve, walk_roots, pair, look_up)


@cache
def count_instructions(function: Callable[[int], int], size: int) -> int:
    counts: Counter[CodeType] = Counter()
    with count_instructions_into(counts):
        function(size)
    return counts.total()


def measure_round(function: Callable[[int], int], seed: int) -> list[dict[str, Any]]:
    """Measure a function against itself at all sizes, and return the slopes of its time beside those of its
    instructions."""
    benchmark = Benchmark(function.__name__, function, function, setup=int, check="equal", metric="cpu")
    recorded = measure_benchmarks(benchmark.at_sizes(SIZES), PROFILE, seed, None, lambda progress: None)
    count = partial(count_instructions, function)
    return [
        {
            "function": each.function,
            "seed": seed,
            "low": each.low,
            "high": each.high,
            "counted": compute_slope(count(each.low), count(each.high), each.low, each.high),
            "slope": each.slope.theta,
            "interval": [each.slope.low, each.slope.high],
        }
        for each in find_steps(recorded)[: len(SIZES) - 1]
    ]


def make_table(lines: Sequence[dict[str, Any]]) -> str:
    rows = ["| function | intervals | that contain the counted slope | widest |", "| --- " * 4 + "|"]
    for name in dict.fromkeys(each["function"] for each in lines):
        own = [each for each in lines if each["function"] == name]
        widths = [each["interval"][1] - each["interval"][0] for each in own]
        rows.append(f"| {name} | {len(own)} | {sum(map(contains, own))} | {max(widths):.3f} |")
    return "\n".join([*rows, "", f"{sum(map(contains, lines))} of {len(lines)} intervals contain the counted slope."])


def contains(line: dict[str, Any]) -> bool:
    low, high = line["interval"]
    return bool(low <= line["counted"] <= high)


def read_lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


@click.command()
@click.option("--rounds", default=12, show_default=True)
@click.option("--minutes", default=60.0, show_default=True, help="Begin no measurement later than this.")
@click.option("--report", is_flag=True, help="Only print what is recorded.")
@click.option("--out", type=click.Path(path_type=Path), default=RECORD)
def main(rounds: int, minutes: float, report: bool, out: Path) -> None:
    """Measure what the record lacks, then print how many intervals contain the counted slope."""
    until = time.monotonic() + 60 * minutes
    known = {(each["function"], each["seed"]) for each in read_lines(out)}
    for seed in range(1, rounds + 1):
        for function in FUNCTIONS:
            if report or (function.__name__, seed) in known or time.monotonic() > until:
                continue
            with out.open("a", encoding="utf-8") as file:
                file.writelines(f"{json.dumps(each)}\n" for each in measure_round(function, seed))
    click.echo(make_table(read_lines(out)))


if __name__ == "__main__":
    main()
