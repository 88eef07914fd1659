"""What does the harness itself cost inside the timed region, beside timeit, on a function that does nothing?

    python tests/benchmarks/study_harness_cost.py [--processes N] [--rounds N] [--json FILE]

Every process times the same empty function by the harness's body for a user's function and by timeit, in samples of
10 ms with the same number of calls, once each a round and in random order; and samples of no calls at all, which show
what a sample costs whatever is in it. A process gives one value, the median of its rounds; intervals are Student's t
over the processes, 95 %.
"""

from __future__ import annotations

import json
import os
import platform
import random
import statistics
import subprocess
import sys
import time
import timeit
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click

from argo_bench.harness.statistics.estimate import Estimate, estimate
from argo_bench.harness.workers.timing import FunctionBody

SAMPLE_NS = 10_000_000
GOAL = 0.001
"""Of a sample's time, at most so much may be the harness's fixed cost."""
SEED = 10

Medians = Mapping[str, float]


def nothing() -> None:
    pass


def medians(rounds: int, seed: int) -> Medians:
    """What this process sees: nanoseconds per call by either loop, their difference, and nanoseconds per sample."""
    body = FunctionBody(nothing)
    timer = timeit.Timer("nothing()", globals={"nothing": nothing}, timer=time.perf_counter_ns)
    body.warm_up()
    calls = calls_of_a_sample(timer)
    prepared = body.prepare_calls()
    loops: dict[str, Callable[[], float]] = {
        "harness": lambda: body.sample(calls).wall_ns / calls,
        "timeit": lambda: timer.timeit(calls) / calls,
    }
    rng = random.Random(seed)
    seen: dict[str, list[float]] = {name: [] for name in (*loops, "difference", "wall", "cpu", "timeit, fixed")}
    for _ in range(rounds):
        for name in rng.sample(list(loops), len(loops)):
            seen[name].append(loops[name]())
        seen["difference"].append(seen["harness"][-1] - seen["timeit"][-1])
        empty = body.time_calls(prepared, 0)
        seen["wall"].append(empty.wall_ns)
        seen["cpu"].append(empty.cpu_ns)
        seen["timeit, fixed"].append(timer.timeit(0))
    body.close()
    return {"calls": calls} | {name: statistics.median(values) for name, values in seen.items()}


def calls_of_a_sample(timer: timeit.Timer) -> int:
    trial = 100_000
    return round(SAMPLE_NS * trial / min(timer.repeat(5, trial)))


def measure(processes: int, rounds: int) -> list[Medians]:
    """One process after the other, each with a hash seed of its own."""
    found = []
    for number in range(processes):
        command = [sys.executable, __file__, "--inside", str(number), "--rounds", str(rounds)]
        environment = os.environ | {"PYTHONHASHSEED": str(SEED + number)}
        found.append(json.loads(subprocess.run(command, env=environment, check=True, capture_output=True).stdout))
    return found


def pin() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def over(found: Sequence[Medians], name: str) -> Estimate:
    return estimate([each[name] for each in found], 0.95)


def spread(interval: Estimate, decimals: int) -> str:
    if interval.low is None or interval.high is None:
        return f"{interval.theta:,.{decimals}f} (one process: no interval)"
    return f"{interval.theta:,.{decimals}f} ({interval.low:,.{decimals}f} .. {interval.high:,.{decimals}f})"


def show(found: Sequence[Medians], rounds: int) -> None:
    calls = statistics.fmean(each["calls"] for each in found)
    python = f"{platform.python_implementation()} {platform.python_version()}"
    click.echo(f"{python}, {len(found)} processes of {rounds} rounds, {calls:,.0f} calls in a sample of 10 ms\n")
    click.echo(f"{'An empty function':30}{'ns per call':>26}{'share of a 1 us call':>24}")
    for name in ("timeit", "harness", "difference"):
        interval = over(found, name)
        share = f"{interval.theta / 1000:.3%}" if name == "difference" else ""
        click.echo(f"{name:30}{spread(interval, 3):>26}{share:>24}")
    click.echo(f"\n{'A sample of no calls':30}{'ns per sample':>26}{'share of 10 ms':>24}")
    rows = {"wall": "harness, wall clock", "cpu": "harness, CPU clock", "timeit, fixed": "timeit, wall clock"}
    for name, title in rows.items():
        interval = over(found, name)
        click.echo(f"{title:30}{spread(interval, 0):>26}{interval.theta / SAMPLE_NS:>24.4%}")
    for name, clock in (("wall", "wall"), ("cpu", "CPU")):
        share = (over(found, name).high or max(each[name] for each in found)) / SAMPLE_NS
        word = "holds" if share < GOAL else "FAILS"
        click.echo(f"{word}: fixed cost below {GOAL:.1%} of a sample, {clock} clock: {share:.4%} at most")


@click.command()
@click.option("--processes", type=click.IntRange(min=1), default=12, show_default=True)
@click.option("--rounds", type=click.IntRange(min=1), default=200, show_default=True)
@click.option("--json", "path", type=click.Path(path_type=Path), help="Write the median of every process to this file.")
@click.option("--inside", type=int, hidden=True, help="Be one of the processes.")
def main(processes: int, rounds: int, path: Path | None, inside: int | None) -> None:
    if inside is not None:
        pin()
        click.echo(json.dumps(medians(rounds, SEED + inside)))
        return
    found = measure(processes, rounds)
    show(found, rounds)
    if path:
        path.write_text(json.dumps({"rounds": rounds, "unit": "ns", "processes": found}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
