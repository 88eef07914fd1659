"""Defines ``argo-bench sweep``: the same optimizations at every point of a grid, as curves."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from argo_bench.cli.run import measure_with_progress
from argo_bench.cli.shell import (
    INTERRUPTED,
    Factor,
    List,
    Seed,
    complete_ids,
    make_console,
    print_json,
    say,
    takes_profile,
    takes_reading,
)
from argo_bench.errors import UserError
from argo_bench.optimizations.optimization import Trace

if TYPE_CHECKING:
    from argo_bench.harness.record.store import Recorded
    from argo_bench.study.sweep import Point


COUNT = click.IntRange(min=1)


@click.command(short_help="Measure optimizations over a grid of sizes, rates, latencies and seeds.")
@click.argument("ids", nargs=-1, metavar="[ID|FILE.py]...", shell_complete=complete_ids)
@click.option("--symbols", type=List(COUNT), metavar="N,N,...", help="Numbers of symbols; generated ones fill them up.")
@click.option(
    "--bars", type=List(COUNT), metavar="N,N,...", help="Numbers of newest bars that are taken of each symbol."
)
@click.option(
    "--trace", type=List(click.Choice(get_args(Trace))), metavar="NAME,...", help="How often prices change, as for run."
)
@click.option(
    "--latency", type=List(Factor()), metavar="X,X,...", help="Factors on all response times: 0.1 is ten times faster."
)
@click.option("--seed", type=List(Seed()), default="1", show_default=True, metavar="N,N,...", help="Seeds.")
@click.option("--data", help="Your daily prices, as for run.")
@takes_reading
@takes_profile
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Folder of the sweep; a part of it goes on."
)
@click.option("--yes", is_flag=True, help="Do not ask whether the time that it will take is fine.")
@click.option("--json", "as_json", is_flag=True, help="Print the verdicts of all points as JSON.")
def sweep(ids: tuple[str, ...], out: Path, yes: bool, as_json: bool, **options: Any) -> None:
    """Measure optimizations at every point of a grid, and draw what was claimed of them as curves.

    Each point is a run in a folder of its own below --out: what is measured already is not measured again.

    For two functions of yours it is `argo-bench compare --sizes`.
    """
    from argo_bench.harness.record.records import Asked
    from argo_bench.study.sweep import DIMENSIONS, find_measured, span_grid

    varied = {name: options.pop(name) or [] for name in DIMENSIONS}
    asked = Asked([*ids], trace=None, symbols=None, seed=1, skip_unchanged=False, study=False, live=False,
                  budget_s=None, **options)  # fmt: skip
    points = span_grid(asked, varied)
    missing = [each for each in points if find_measured(each, out / each.name) is None]
    if missing and not _is_agreed(missing, len(points), yes):
        sys.exit(1)
    for number, each in enumerate(missing, 1):
        say(f"point {number} of {len(missing)}: {each.name}", err=True)
        if _measure(each, out / each.name):
            say(f"interrupted: the same command goes on with {out}", err=True)
            sys.exit(INTERRUPTED)
    measured = [(each, found) for each in points if (found := find_measured(each, out / each.name)) is not None]
    _show(measured, out, as_json)


def _is_agreed(missing: list[Point], of: int, yes: bool) -> bool:
    """Say what the points are expected to take, and ask whether that is fine, where there is somebody to ask."""
    from argo_bench.harness.run import expect_seconds
    from argo_bench.study.job import job_of

    minutes = max(1, round(sum(expect_seconds(job_of(each.asked)) for each in missing) / 60))
    say(
        f"{len(missing)} of {of} points are to be measured. On six symbols that would take {minutes} min; "
        "hundreds of symbols, or bars that are read from disk, take several times as long",
        err=True,
    )
    return yes or not sys.stdin.isatty() or click.confirm("go on?", default=True, err=True)


def _measure(point: Point, folder: Path) -> bool:
    """Measure a point, or go on with it, and say whether Ctrl-C ended that."""
    from argo_bench.harness.record.store import FILE_NAME, reopen
    from argo_bench.harness.run import make_run_id
    from argo_bench.study.job import job_again, job_of

    before = reopen(folder) if (folder / FILE_NAME).exists() else None
    job = job_of(point.asked) if before is None else job_again(before)
    if any(each.declaration().functions for each in job.subjects):
        raise UserError("a sweep measures optimizations; for functions of yours: argo-bench compare --sizes")
    return measure_with_progress(job, folder, make_run_id(job.profile, datetime.now()), [], before)


def _show(measured: list[tuple[Point, Recorded]], out: Path, as_json: bool) -> None:
    """Show the table or JSON, and draw the curves over the first dimension that varies."""
    from argo_bench.extras import find_missing
    from argo_bench.report.sweep_table import describe_sweep, find_all, tabulate_sweep
    from argo_bench.report.tables import terminal_table

    found = find_all([(point.values, recorded) for point, recorded in measured])
    if as_json:
        print_json(describe_sweep(found))
    else:
        make_console().print(terminal_table(tabulate_sweep(found)))
    over = next(iter(found[0].values))
    if (missing := find_missing("report")) is not None:
        say(missing.describe("the picture of a sweep"), err=True)
        return
    from argo_bench.report.sweep_figure import draw_sweep

    draw_sweep(found, over, "light").save(out / "sweep.svg")
    draw_sweep(found, over, "dark").save(out / "sweep-dark.svg")
    say(f"curves over {over}: {out / 'sweep.svg'}", err=True)
