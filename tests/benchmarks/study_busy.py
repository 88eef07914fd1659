"""Does a run beside busy processors contradict the same run on a quiet machine, and say why it leaves more open?

    python tests/benchmarks/study_busy.py [ID ...] [--budget 4m] [--out FILE]

The quick run is made twice with one seed, the second time beside an endless loop for every processor. What is written
says how many verdicts agree, every contradiction with its cause, and what the busy run says about the machine.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import click

from argo_bench.harness.calibration.bank import keep_busy
from argo_bench.harness.record.records import End, Judgement
from argo_bench.harness.record.store import Recorded, load
from argo_bench.harness.side_by_side import count_processors
from argo_bench.report.two_runs import OPEN, write_agreement

RESULT = Path(__file__).parents[2] / "results" / "reference" / "busy.md"


def measure(ids: tuple[str, ...], budget: str, busy: int, folder: Path) -> Recorded:
    """Make a quick run beside ``busy`` endless loops, in a process of its own."""
    options = ["--profile", "quick", "--budget", budget, "--seed", "1", "--out", str(folder)]
    with keep_busy(busy):
        subprocess.run([sys.executable, "-m", "argo_bench.cli", "run", *ids, *options], check=False)
    return load(folder)


def describe(recorded: Recorded, beside: str) -> str:
    """Say how many headline verdicts a run decided, in which time, and what it says about the machine."""
    judged = [each for each in recorded.all(Judgement) if each.headline]
    decided = sum(each.verdict not in OPEN for each in judged)
    end = recorded.all(End)[-1]
    said = f'; it says: "{end.busy}"' if end.busy else "; it says nothing about the machine"
    return f"- {beside}: {decided} of {len(judged)} headline verdicts decided, in {end.seconds:.0f} s{said}."


@click.command(help=__doc__)
@click.argument("ids", nargs=-1)
@click.option("--budget", default="4m", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=RESULT, show_default=False)
def main(ids: tuple[str, ...], budget: str, out: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        quiet = measure(ids, budget, 0, Path(folder) / "quiet")
        busy = measure(ids, budget, count_processors(), Path(folder) / "busy")
    beside = f"beside {count_processors()} endless loops on {count_processors()} processors"
    heading, *compared = write_agreement(quiet, busy).split("\n\n")
    parts = [
        f"{heading}, the second beside busy processors",
        describe(quiet, "quiet"),
        describe(busy, beside),
        *compared,
    ]
    out.write_text("\n\n".join(parts), encoding="utf-8")
    click.echo(out.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
