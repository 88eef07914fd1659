"""Is the beat of five seconds held for 10,000 symbols, with every accepted row stored at WAL FULL?

    python tests/benchmarks/study_beat.py [--symbols 10000] [--cycles 60] [--share pushed] [--out FILE]

One process pinned to one CPU runs the engineered set, each cycle when it is due, by the real clock. A cycle is late
where it ends after the next one is due. What the world computes to answer, or to push its answers, is not the
pipeline's work: it is done before a cycle is due, or timed apart and taken off.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.study_indicators import settle_process
from tests.benchmarks.study_trials import read_lines
from tests.benchmarks.study_universe import SHARES, STAGES, WARM_UP, Arm, make_market, make_pipelines

RECORD = Path(__file__).parents[2] / "results" / "reference" / "beat.jsonl"
BEAT_S = 5.0


def run_beats(share: str, symbols: int, cycles: int) -> list[dict[str, Any]]:
    """Run cycles as they become due, and return a line for each."""
    market = make_market(symbols, share)
    arm = Arm(market, make_pipelines(share, symbols)[STAGES], is_pushed=share == "pushed")
    for number in range(WARM_UP):
        arm.run(number)
    gc.collect()
    gc.freeze()
    lines = []
    due = time.monotonic() + BEAT_S
    for number in range(WARM_UP, WARM_UP + cycles):
        arm.prepare(number)
        due = max(due, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))
        ran = arm.run_prepared(number)
        lines.append(
            {
                "share": share,
                "symbols": symbols,
                "cycle": number,
                "cpu_s": ran.cpu_ns / 1e9,
                "wall_s": ran.wall_ns / 1e9,
                "stored": len(ran.cycle.stored),
            }
        )
        due += BEAT_S
    arm.world.discard()
    return lines


def describe(lines: Sequence[Mapping[str, Any]]) -> str:
    """Say how many cycles were late, and what share of a core they took."""
    late = sum(line["wall_s"] > BEAT_S for line in lines)
    cpu_s = [line["cpu_s"] for line in lines]
    share, longest_s = sum(cpu_s) / len(lines) / BEAT_S, max(line["wall_s"] for line in lines)
    return (
        f"{lines[0]['share']}, {lines[0]['symbols']:,} symbols: {late} of {len(lines)} cycles late, "
        f"{longest_s:.2f} s of {BEAT_S:g} at the most; CPU {median(cpu_s):.2f} s in the median, {max(cpu_s):.2f} s at "
        f"the most, {share:.0%} of a core; {sum(line['stored'] for line in lines):,} rows stored"
    )


@click.command()
@click.option("--symbols", default=10_000, show_default=True)
@click.option("--cycles", default=60, show_default=True)
@click.option("--share", type=click.Choice(SHARES), multiple=True, default=("pushed", "live"), show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=RECORD, help="The record, a line a cycle.")
@click.option("--report", is_flag=True, help="Only say what is recorded.")
def main(symbols: int, cycles: int, share: Sequence[str], out: Path, report: bool) -> None:
    """Run the beats and say how many were late."""
    if not report:
        click.echo(f"{settle_process()}, real clock")
        lines = [line for each in share for line in run_beats(each, symbols, cycles)]
        out.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    recorded = read_lines(out)
    for each in dict.fromkeys(line["share"] for line in recorded):
        click.echo(describe([line for line in recorded if line["share"] == each]))


if __name__ == "__main__":
    main()
