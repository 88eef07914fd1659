"""Defines the commands that measure or check: ``argo-bench run``, ``check`` and ``compare``."""

from __future__ import annotations

import dataclasses
import signal
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from argo_bench.cli.cluster import Spread, takes_cluster
from argo_bench.cli.report import save, say_again, show
from argo_bench.cli.shell import (
    ENVIRONMENT_UNFIT,
    INTERRUPTED,
    OUTPUTS_DIFFER,
    Duration,
    Latencies,
    Sizes,
    complete_ids,
    make_console,
    print_json,
    say,
    show_progress,
    takes_profile,
    takes_reading,
    takes_seed,
    warn,
)
from argo_bench.errors import UserError
from argo_bench.harness.claims.metrics import MEASURED
from argo_bench.optimizations.optimization import Trace

if TYPE_CHECKING:
    from argo_bench.harness.machine.fitness import FitnessCheck
    from argo_bench.harness.record.store import Recorded
    from argo_bench.harness.subject import Job


@click.command(short_help="Measure optimizations and judge what was claimed of them.")
@click.argument("ids", nargs=-1, metavar="[ID|FILE.py|NAME]...", shell_complete=complete_ids)
@click.option(
    "--data", envvar="ARGO_BENCH_DATA", help="Your daily prices (bars): a CSV or Parquet file, or a folder of them."
)
@takes_reading
@takes_profile
@click.option(
    "--symbols",
    type=click.IntRange(min=1),
    envvar="ARGO_BENCH_SYMBOLS",
    help="Number of symbols to trade; generated ones are added where the data has fewer. [default: all there are]",
)
@takes_seed
@click.option(
    "--trace",
    type=click.Choice(get_args(Trace)),
    envvar="ARGO_BENCH_TRACE",
    help="How often simulated prices change. live: as each symbol's volatility says; calm: in 20 % of the steps; "
    "open: in each step; frozen: never.",
)
@click.option(
    "--skip-unchanged",
    is_flag=True,
    envvar="ARGO_BENCH_SKIP_UNCHANGED",
    help="Reuse a symbol's last signal as long as its price has moved by less than 0.5 %.",
)
@click.option(
    "--latencies",
    type=Latencies(),
    metavar="FILE",
    envvar="ARGO_BENCH_LATENCIES",
    help="Response times of your providers (median_ms, p99_ms) and prices of your models, as TOML or JSON.",
)
@click.option("--study", is_flag=True, help="Make the trials on real local servers in their long form: minutes more.")
@click.option(
    "--live",
    is_flag=True,
    help="Ask a real language model, for real money: OPENAI_BASE_URL, OPENAI_API_KEY, ARGO_BENCH_LIVE_MODEL.",
)
@click.option(
    "--budget",
    type=Duration(),
    envvar="ARGO_BENCH_BUDGET",
    help="Time to aim at (90s, 5m, 1h); each claim is measured, if only briefly. [default: 180s for quick, else 40m]",
)
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    help="Go on with the run in this folder, with its settings: what was interrupted, or left out as time was short.",
)
@click.option("--shard", metavar="K/N", help="Measure part K of N, here or elsewhere; `merge` makes one run of all.")
@takes_cluster
@click.option(
    "--out", envvar="ARGO_BENCH_OUT", help="Folder for the record and the report. [default: results/<time>-<profile>]"
)
@click.option("--strict-env", is_flag=True, help="Refuse to measure on a machine that is not fit (exit code 4).")
@click.option("--json", "as_json", is_flag=True, help="Print the verdicts as JSON.")
def run(
    ids: tuple[str, ...],
    resume: Path | None,
    out: str | None,
    strict_env: bool,
    as_json: bool,
    spread: Spread,
    **options: Any,
) -> None:
    """Measure optimizations, compare what they compute, and judge what was claimed. Without arguments: all of them.

    ID names an optimization, as in O08. FILE.py is a file of yours that defines optimizations or benchmarks. NAME is a
    benchmark in the table [tool.argo_bench.benchmarks] of your pyproject.toml.

    Every sample is written to <out>/run.jsonl at once, so that Ctrl-C loses nothing.
    """
    from argo_bench.harness.record.records import Asked
    from argo_bench.harness.record.store import reopen
    from argo_bench.study.job import job_again, job_of

    budget = options.pop("budget")
    if resume is not None:
        if ids or out or options["shard"]:
            raise UserError("--resume takes all from the run: expected no ids, no --out and no --shard with it")
        before = reopen(resume)
        job = job_again(before)
        if budget is not None:
            job = dataclasses.replace(job, profile=dataclasses.replace(job.profile, budget_s=budget))
        measure_and_report(spread(job), str(resume), strict_env, as_json, before)
        return
    given = {name: value for name, value in options.items() if name != "shard" or value}
    measure_and_report(spread(job_of(Asked([*ids], budget_s=budget, **given))), out, strict_env, as_json)


@click.command(short_help="Compare outputs without timing anything.")
@click.argument("ids", nargs=-1, metavar="[ID|FILE.py|NAME]...", shell_complete=complete_ids)
@click.option("--data", envvar="ARGO_BENCH_DATA", help="Your daily prices, as for run.")
@takes_reading
@takes_profile
@click.option(
    "--symbols", type=click.IntRange(min=1), envvar="ARGO_BENCH_SYMBOLS", help="Number of symbols, as for run."
)
@takes_seed
@click.option("--out", type=click.Path(path_type=Path), help="Folder that keeps the record. [default: none is kept]")
@click.option("--json", "as_json", is_flag=True, help="Print what was compared as JSON.")
def check(ids: tuple[str, ...], out: Path | None, as_json: bool, **options: Any) -> None:
    """Compare what optimizations compute with the baseline, as `run` does, but without timing anything.

    It says what was compared, what differs, and which trading signals are lost. Exit code 3: the output of an
    engineered version, or of a new function of yours, differs or could not be computed.
    """
    import tempfile

    from argo_bench.harness.record.records import Asked
    from argo_bench.harness.record.store import load
    from argo_bench.harness.run import make_run_id
    from argo_bench.report.outputs import describe_checks, list_broken, tabulate_checks
    from argo_bench.report.tables import terminal_table
    from argo_bench.study.job import job_of
    from argo_bench.temporary import owned_prefix

    asked = Asked([*ids], trace=None, skip_unchanged=False, study=False, live=False, budget_s=None, **options)
    job = dataclasses.replace(job_of(asked), only_checks=True)
    name = make_run_id(job.profile, datetime.now())
    with tempfile.TemporaryDirectory(prefix=owned_prefix("check")) as kept:
        directory = Path(kept) / "check" if out is None else out
        interrupted = measure_with_progress(job, directory, name, [], None)
        recorded = load(directory)
    if as_json:
        print_json(describe_checks(recorded))
    else:
        table = tabulate_checks(recorded)
        say(table.note)  # it stands below the table too
        make_console().print(terminal_table(table))
    if interrupted:
        sys.exit(INTERRUPTED)
    if list_broken(recorded):
        sys.exit(OUTPUTS_DIFFER)


@click.command(short_help="Compare two functions of yours: which is faster?")
@click.argument("functions", nargs=-1, metavar="[OLD NEW | NAME...]")
@click.option("--setup", help="module:name of a function that returns the argument for both, or a tuple of arguments.")
@click.option(
    "--check",
    default="allclose",
    show_default=True,
    help="How results must agree: allclose (up to rounding), equal, none, or module:name of a function of yours.",
)
@click.option(
    "--metric",
    type=click.Choice(MEASURED),
    help="CPU time, wall time, or memory: resident at most, allocated in Python at most, or held after the call. "
    "[default: cpu, or wall where a function waits]",
)
@click.option("--claim", help="A claim to judge, as in '50-70% reduction'.")
@click.option(
    "--sizes",
    type=Sizes(),
    metavar="N,N,...",
    help="Sizes of the input, as in 1e2,1e3,1e4; the setup is called with each. It then says how time grows with them.",
)
@click.option("--fresh", is_flag=True, help="Call the setup before every call, for functions that change their input.")
@takes_profile
@click.option(
    "--budget",
    type=Duration(),
    help="Time for everything (90s, 5m, 1h). [default: 180s for quick, else 40m]",
)
@takes_seed
@click.option("--out", help="Folder for the record and the report. [default: results/<time>-<profile>]")
@click.option("--strict-env", is_flag=True, help="Refuse to measure on a machine that is not fit (exit code 4).")
@click.option("--json", "as_json", is_flag=True, help="Print the verdicts as JSON.")
def compare(
    functions: tuple[str, ...],
    profile: str,
    budget: float | None,
    out: str | None,
    strict_env: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Compare two functions of yours: is NEW faster than OLD, and by how much?

    Each is written as module:name or file.py:name. Both must return the same. NAME is a benchmark in the table
    [tool.argo_bench.benchmarks] of your pyproject.toml; without any argument all of them are compared.
    """
    from argo_bench.harness.plan import PROFILES
    from argo_bench.harness.subject import Job
    from argo_bench.harness.surroundings import NoSupply
    from argo_bench.harness.table import choose_benchmarks

    seed, sizes = options.pop("seed"), options.pop("sizes")
    benchmarks = choose_benchmarks(functions, options)
    if sizes is not None:
        benchmarks = [one for each in benchmarks for one in each.at_sizes(sizes)]
    for each in benchmarks:
        if each.claim is not None:
            say(f'{each.name}: "{each.claim}": {each.claims[0].reading}', err=True)
    chosen = PROFILES[profile]
    if budget is not None:
        chosen = dataclasses.replace(chosen, budget_s=budget)
    measure_and_report(Job(benchmarks, chosen, seed, NoSupply()), out, strict_env, as_json)


def measure_and_report(
    job: Job, out: str | None, strict_env: bool, as_json: bool, before: Recorded | None = None
) -> None:
    """Measure, save and show, and exit with the outcome's code if it is not 0; ``before`` is the run to resume."""
    from argo_bench.harness.benchmark import Benchmark
    from argo_bench.harness.machine.fitness import check_fitness, describe_busy
    from argo_bench.harness.run import make_run_id

    found = [each.check_functions() if isinstance(each, Benchmark) else each for each in job.subjects]
    machine = check_fitness()
    if strict_env and (unfit := [each for each in machine if each.verdict == "unfit"]):
        for finding in unfit:
            say(f"argo-bench: {finding.subject} is not fit: {finding.found}; {finding.advice}", err=True)
        sys.exit(ENVIRONMENT_UNFIT)
    warn(describe_busy(machine))
    name = make_run_id(job.profile, datetime.now())
    directory = Path(out) if out else Path("results") / name
    interrupted = measure_with_progress(dataclasses.replace(job, subjects=found), directory, name, machine, before)

    from argo_bench.harness.plan import GRACE
    from argo_bench.harness.record.records import End
    from argo_bench.harness.record.store import FILE_NAME
    from argo_bench.opening import open_report

    if interrupted and not (directory / FILE_NAME).exists():
        say("interrupted before anything was measured", err=True)
        sys.exit(INTERRUPTED)
    report = open_report(directory)
    show(report, as_json)
    save(report, directory)
    say_again(report, as_json)
    end = report.recorded.all(End)[-1]
    warn(end.busy)
    is_bounded = all(each.functions for each in report.recorded.declarations)
    if end.seconds > GRACE * job.profile.budget_s and not is_bounded:
        warn(
            f"this took {end.seconds:.0f} s instead of {job.profile.budget_s:g} s: every claim gets the "
            f"{job.profile.looks[0]} replicates of the first look"
        )
    if interrupted:
        say("interrupted: the verdicts above rest on what was measured until then", err=True)
        say(f"go on with: argo-bench run --resume {directory}", err=True)
        sys.exit(INTERRUPTED)
    if any(each.verdict == "void" for each in report.judgements):
        sys.exit(OUTPUTS_DIFFER)


def measure_with_progress(
    job: Job, directory: Path, name: str, machine: list[FitnessCheck], before: Recorded | None
) -> bool:
    """Run the experiment with its progress on stderr, and say whether it was interrupted."""
    from argo_bench.harness.run import measure as measure_job

    header = job.supply.header()
    if origin := header.get("symbols"):
        shown = [symbol if of == "real" else f"{symbol} (generated)" for symbol, of in origin.items()]
        more = f" and {len(shown) - 8} more" if len(shown) > 8 else ""
        say(f"{len(shown)} symbols from {header['source']}: {', '.join(shown[:8])}{more}", err=True)
    for sentence in header.get("choices", []):
        say(f"  {sentence}", err=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends a run as Ctrl-C does
    with show_progress() as on_progress:
        return measure_job(job, directory, name, on_progress, machine, before)
