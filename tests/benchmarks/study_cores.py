"""How much sooner are the parts of a run that nothing times done on all processors than on one?

    python tests/benchmarks/study_cores.py [ID ...] [--rounds 3]

Comparisons of outputs and exact counts of a default run, in a process that may use one processor and in one that may
use all, in turns. Both must find the same lines; the ratio of their times is printed with the range over the rounds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import click
import msgspec

from argo_bench.harness.passes.checks import check_outputs, settle_subjects
from argo_bench.harness.passes.counts import take_counts
from argo_bench.harness.record.records import Asked, Counts, Fidelity
from argo_bench.harness.record.store import Writer, encode
from argo_bench.harness.side_by_side import count_processors, list_processors
from argo_bench.harness.state import RunState
from argo_bench.study.job import job_of


def take_parts(ids: list[str], processors: int) -> None:
    """Do the parts on so many processors, and print their seconds and a digest of their lines as JSON."""
    import xxhash

    os.sched_setaffinity(0, list_processors()[:processors])
    job = job_of(Asked(ids, None, "default", None, 1, None, False, False, False, None))
    with tempfile.TemporaryDirectory() as folder:
        writer = Writer(Path(folder))
        state = RunState.begin(job, writer, lambda progress: None, None)
        with state.supply.open(set()) as around:
            state.comparisons = [*filter(state.is_at_headline_scale, state.comparisons)]
            state.feed(around, 0, state.comparisons)
            settle_subjects(state, around)
            began = time.monotonic()
            check_outputs(state, around)
            checked = time.monotonic()
            take_counts(state, around)
            ended = time.monotonic()
        writer.close()
    lines = sorted(encode(each) for each in [*state.fidelities, *state.counts] if isinstance(each, Fidelity | Counts))
    digest = xxhash.xxh3_64_hexdigest(b"\n".join(lines))
    found = {"checks_s": checked - began, "counts_s": ended - checked, "lines": len(lines), "digest": digest}
    click.echo(json.dumps(found))


def ask(ids: tuple[str, ...], processors: int) -> dict[str, object]:
    command = [sys.executable, __file__, *ids, "--processors", str(processors)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, object] = msgspec.json.decode(done.stdout.splitlines()[-1])
    return found


@click.command()
@click.argument("ids", nargs=-1)
@click.option("--rounds", default=3, show_default=True)
@click.option("--processors", default=0, help="Do the parts in this process, on so many processors.")
def main(ids: tuple[str, ...], rounds: int, processors: int) -> None:
    if processors:
        take_parts([*ids], processors)
        return
    of = count_processors()
    ratios: dict[str, list[float]] = {"checks_s": [], "counts_s": [], "both": []}
    for number in range(rounds):
        order = (1, of) if number % 2 == 0 else (of, 1)
        found = {each: ask(ids, each) for each in order}
        assert found[1]["digest"] == found[of]["digest"], "one and all processors found different lines"
        for name in ("checks_s", "counts_s"):
            ratios[name].append(float(found[1][name]) / float(found[of][name]))  # type: ignore[arg-type]
        sums = {each: float(one["checks_s"]) + float(one["counts_s"]) for each, one in found.items()}  # type: ignore[arg-type]
        ratios["both"].append(sums[1] / sums[of])
        click.echo(f"round {number}: {json.dumps(found)}", err=True)
    for name, taken in ratios.items():
        click.echo(f"{name}: {median(taken):.2f}x on {of} processors [{min(taken):.2f}, {max(taken):.2f}]")


if __name__ == "__main__":
    main()
