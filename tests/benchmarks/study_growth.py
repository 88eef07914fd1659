"""How much memory does the engineered set take for a symbol more, and does it grow from cycle to cycle?

    python tests/benchmarks/study_growth.py [--cycles 5760] [--out FILE] [--report]

Every number is from a fresh process. *A symbol more*: the peak of the process in its third cycle, less what it held
before its first one with the market's arrays in memory; for the engineered set, for the baseline's stages with 100
symbols under way at once, and for the baseline. *From cycle to cycle*: what the process holds after each 480 of 5,760
cycles of 120 symbols, on the simulated clock: eight hours at a beat of five seconds, on two trading days.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.study_trials import read_lines
from tests.benchmarks.study_universe import STAGES, Arm, make_market, make_pipelines

RECORD = Path(__file__).parents[2] / "results" / "reference" / "growth.jsonl"
SYMBOLS = (100, 300, 1_000, 3_000, 10_000)
AT_ONCE, ONE_BY_ONE = "baseline, 100 at once", "baseline"
ARMS = (STAGES, AT_ONCE, ONE_BY_ONE)
MOST_SYMBOLS = {ONE_BY_ONE: 1_000, AT_ONCE: 3_000}
"""The baseline takes 4 ms for each symbol and cycle, and more of them tell no more."""
WARM_UP = 6
"""So many symbols are walked so often before, so that what is imported and compiled is no symbol's memory."""
CYCLES, DAYS, GROWTH_SYMBOLS, EVERY = 5_760, 2, 120, 480
FLAT = 0.02


def choose_pipeline(arm: str, symbols: int) -> Any:
    from argo_bench.optimizations.o10_batches_early_exit import simple
    from argo_bench.pipeline import baseline

    if arm == STAGES:
        return make_pipelines("live", symbols)[STAGES]
    return simple(baseline.PIPELINE) if arm == AT_ONCE else baseline.PIPELINE


def read_status(name: str) -> int:
    """Return a figure of /proc/self/status in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def measure_peak(arm: str, symbols: int) -> dict[str, Any]:
    """Return the bytes that an arm adds, at the peak of its third cycle, to a process that has the market's arrays."""
    few = Arm(make_market(WARM_UP, "live"), choose_pipeline(arm, WARM_UP), is_pushed=False)
    for number in range(WARM_UP):
        few.run(number)
    few.world.discard()
    run = Arm(make_market(symbols, "live"), choose_pipeline(arm, symbols), is_pushed=False)
    for symbol in run.world.market.symbols:
        run.world.market.bars(symbol, 0)
    gc.collect()
    before = read_status("VmRSS")
    for number in range(2):
        run.run(number)
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # VmHWM begins anew (proc(5))
    run.run(2)
    peak = read_status("VmHWM")
    run.world.discard()
    return {"arm": arm, "symbols": symbols, "bytes": peak - before}


def measure_growth(cycles: int) -> dict[str, Any]:
    """Return the bytes that the process holds in the course of many cycles."""
    from argo_bench.pipeline.world import SimulatedWorld

    arm = Arm(
        make_market(GROWTH_SYMBOLS, "live", cycles // DAYS), choose_pipeline(STAGES, GROWTH_SYMBOLS), is_pushed=False
    )
    world: SimulatedWorld = arm.world
    held = []
    for number in range(cycles):
        arm.run(number)
        if (number + 1) % EVERY == 0:
            gc.collect()
            held.append(read_status("VmRSS"))
    world.discard()
    return {"cycles": cycles, "every": EVERY, "symbols": GROWTH_SYMBOLS, "held": held}


def fit_slope(points: Sequence[tuple[int, int]]) -> float:
    """Return the bytes that a symbol adds, by the smallest and the largest universe."""
    (first, low), *_, (last, high) = sorted(points)
    return (high - low) / (last - first)


def make_table(lines: Sequence[Mapping[str, Any]]) -> str:
    rows = ["| symbols | " + " | ".join(ARMS) + " |", "| --- " * (1 + len(ARMS)) + "|"]
    peaks = {(line["arm"], line["symbols"]): line["bytes"] for line in lines if "arm" in line}
    for symbols in SYMBOLS:
        cells = (f"{peaks[arm, symbols] / 2**20:.1f} MiB" if (arm, symbols) in peaks else "-" for arm in ARMS)
        rows.append(f"| {symbols:,} | {' | '.join(cells)} |")
    slopes = {arm: fit_slope([(n, size) for (name, n), size in peaks.items() if name == arm]) for arm in ARMS}
    rows.append(f"| a symbol more | {' | '.join(f'{slope / 1024:.1f} KiB' for slope in slopes.values())} |")
    rows += [describe_growth(line) for line in lines if "held" in line]
    return "\n".join(rows)


def describe_growth(line: Mapping[str, Any]) -> str:
    first, last = line["held"][0], line["held"][-1]
    return (
        f"\nAfter {line['every']:,} cycles of {line['symbols']} symbols the process holds {first / 2**20:.1f} MiB, "
        f"after {line['cycles']:,} {last / 2**20:.1f} MiB: {last / first - 1:+.1%}; flat is within {FLAT:.0%}."
    )


@click.command()
@click.option("--cycles", default=CYCLES, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=RECORD, help="The record.")
@click.option("--report", is_flag=True, help="Only print what is recorded.")
@click.option("--one", type=(str, int), help="Measure one arm for so many symbols in this process.")
@click.option("--growth", is_flag=True, help="Measure the growth in this process.")
def main(cycles: int, out: Path, report: bool, one: tuple[str, int] | None, growth: bool) -> None:
    """Measure everything, each in a process of its own, and print the table."""
    if one is not None or growth:
        click.echo(json.dumps(measure_growth(cycles) if one is None else measure_peak(*one)))
        return
    if not report:
        asked = [["--one", arm, str(n)] for arm in ARMS for n in SYMBOLS if n <= MOST_SYMBOLS.get(arm, n)]
        asked.append(["--growth", "--cycles", str(cycles)])
        with out.open("w", encoding="utf-8") as file:
            for options in asked:
                done = subprocess.run([sys.executable, __file__, *options], check=True, capture_output=True, text=True)
                file.write(done.stdout.splitlines()[-1] + "\n")
                file.flush()
    click.echo(make_table(read_lines(out)))


if __name__ == "__main__":
    main()
