"""Defines the program argo-bench, which writes results to stdout, and progress and errors to stderr.

Exit codes: 0 fine, 1 a gate that failed or a record that does not verify, 2 a mistake in the call or its data, 3
outputs that differ where they must not, 4 a machine that is not fit (with --strict-env) or a gate whose base and head
cannot run here, 130 interrupted with partial results saved, 141 an output that was closed by its reader.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from argo_bench.cli.ci import ci, show_and_save_gate
from argo_bench.cli.claims import claims
from argo_bench.cli.notebooks import lab, notebook
from argo_bench.cli.records import GATE, blaming, find_disagreements
from argo_bench.cli.reference import reference
from argo_bench.cli.runs import show_runs
from argo_bench.cli.shell import (
    CUT_OFF,
    ENVIRONMENT_UNFIT,
    GATE_FAILED,
    INTERRUPTED,
    MISUSED,
    OUTPUTS_DIFFER,
    Duration,
    Latencies,
    StoredRun,
    complete_ids,
    make_console,
    prepare_streams,
    print_json,
    print_json_text,
    say,
    show_progress,
    takes_profile,
    takes_reading,
    takes_seed,
    warn,
)
from argo_bench.errors import UserError
from argo_bench.extras import explain_missing, find_missing
from argo_bench.harness.claims.metrics import MEASURED
from argo_bench.integrations.outputs import FORMATS
from argo_bench.optimizations.optimization import Trace

if TYPE_CHECKING:
    from argo_bench.harness.machine.fitness import FitnessCheck
    from argo_bench.harness.record.store import Recorded
    from argo_bench.harness.subject import Job
    from argo_bench.report import Report


def read_settings() -> dict[str, Any]:
    """Return the table [tool.argo_bench] of this folder's pyproject.toml, without its sub-tables; empty without one."""
    path = Path("pyproject.toml")
    if not path.is_file():
        return {}
    from argo_bench.loading import settings_of

    return {key: value for key, value in settings_of(path).items() if not isinstance(value, dict)}


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(package_name="argo-bench")
@click.pass_context
def cli(context: click.Context) -> None:
    """Find out whether "50-70 % faster" is true: of fifteen published optimizations, and of functions of your own.

    Each of the fifteen is measured twice: as prescribed by its document, mistakes included, and as engineered, the best
    version that we could build. Begin with `argo-bench list`, then `argo-bench run O08 --quick`. For two functions of
    yours it is `argo-bench compare`, for two commits `argo-bench ci`.

    Words are explained in docs/glossary.md; docs/install.md says how Tab completes commands in your shell.
    """
    context.default_map = {"run": read_settings(), "compare": read_settings()}


cli.add_command(ci)
cli.add_command(claims)
cli.add_command(lab)
cli.add_command(notebook)
cli.add_command(reference)


@cli.command("list", short_help="List the optimizations, and what was claimed of each.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def list_command(as_json: bool) -> None:
    """List the fifteen optimizations, what was claimed of each, and on which inputs that is judged."""
    from argo_bench.optimizations import subjects

    if as_json:
        print_json([describe_optimization(optimization) for optimization in subjects().values()])
        return
    from argo_bench.study.report.explain import tabulate_optimizations

    make_console().print(tabulate_optimizations(list(subjects().values())))


@cli.command(short_help="Measure optimizations and judge what was claimed of them.")
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
@click.option("--live", is_flag=True, help="Ask a real language model for explanations; this costs real money.")
@click.option(
    "--budget",
    type=Duration(),
    envvar="ARGO_BENCH_BUDGET",
    help="Time to aim at (90s, 5m, 1h); each claim is measured, if only briefly. [default: 180s for quick, else 40m]",
)
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    help="Go on with the interrupted run in this folder, with the settings that it began with.",
)
@click.option(
    "--out", envvar="ARGO_BENCH_OUT", help="Folder for the record and the report. [default: results/<time>-<profile>]"
)
@click.option("--strict-env", is_flag=True, help="Refuse to measure on a machine that is not fit (exit code 4).")
@click.option("--json", "as_json", is_flag=True, help="Print the verdicts as JSON.")
def run(
    ids: tuple[str, ...],
    budget: float | None,
    resume: Path | None,
    out: str | None,
    strict_env: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Measure optimizations, compare what they compute, and judge what was claimed. Without arguments: all of them.

    ID names an optimization, as in O08. FILE.py is a file of yours that defines optimizations or benchmarks. NAME is a
    benchmark in the table [tool.argo_bench.benchmarks] of your pyproject.toml.

    Every sample is written to <out>/run.jsonl at once, so that Ctrl-C loses nothing.

    --live takes the address from OPENAI_BASE_URL, the key from OPENAI_API_KEY and the name of the model from
    ARGO_BENCH_LIVE_MODEL.
    """
    from argo_bench.harness.record.records import Asked
    from argo_bench.harness.record.store import reopen
    from argo_bench.study.job import job_again, job_of

    if resume is not None:
        if ids or out:
            raise UserError("--resume takes settings and folder from the run: expected no ids and no --out with it")
        before = reopen(resume)
        job = job_again(before)
        if budget is not None:
            job = dataclasses.replace(job, profile=dataclasses.replace(job.profile, budget_s=budget))
        measure_and_report(job, str(resume), strict_env, as_json, before)
        return
    measure_and_report(job_of(Asked([*ids], budget_s=budget, **options)), out, strict_env, as_json)


@cli.command(short_help="Compare outputs without timing anything.")
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


@cli.command(short_help="Compare two functions of yours: which is faster?")
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
    seed: int,
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

    benchmarks = choose_benchmarks(functions, options)
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


@cli.command(short_help="Show an optimization: its claims, how they are judged, its code.")
@click.argument("id", required=False, shell_complete=complete_ids)
@click.option("--stage", help="Show a part of the pipeline instead of an optimization: regime, consensus, encode ...")
@click.option("--memory", is_flag=True, help="Show what each line of code adds to the memory, by memory_profiler.")
def explain(id: str | None, stage: str | None, memory: bool) -> None:
    """Show what was claimed of an optimization, how it is judged, and its code in all versions."""
    from argo_bench.study.report.explain import explain_optimization, explain_stage

    if (id is None) == (stage is None):
        raise UserError("explain takes one optimization or one --stage, as in: argo-bench explain O11")
    if stage is not None:
        if memory:
            raise UserError(f"--memory takes an optimization, got --stage {stage!r}: argo-bench explain O11 --memory")
        make_console().print(explain_stage(stage))
    elif id is not None:
        from argo_bench.optimizations import lookup

        optimization = lookup([id])[0]
        if memory:
            from argo_bench.study.report.line_memory import show_line_memory

            make_console().print(show_line_memory(optimization))
            return
        make_console().print(explain_optimization(optimization))


@cli.command(short_help="Show a stored run, and write its report.")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=StoredRun())
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "markdown", "json", "html", "notebook", *FORMATS]),
    default="table",
    show_default=True,
    help="table: on the terminal, and all files into the folder. html, notebook: report.html or report.ipynb alone. "
    "The others are printed, for tools that read them.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder for the files of the report. [default: the run's; ./argo-reference for an installed `reference`]",
)
@click.option("--open", "opens", is_flag=True, help="Write report.html and open it in the browser.")
@click.option(
    "--peers",
    type=click.Path(path_type=Path),
    help="Also show what other tools measured: a folder of scripts that `export` wrote.",
)
@click.option("--readme", type=click.Path(path_type=Path), help="Only write the table of verdicts into this README.")
@click.option("--csv", type=click.Path(path_type=Path), help="Only write a CSV file with a row for every verdict.")
@click.option("--parquet", type=click.Path(path_type=Path), help="Only write the same rows as a Parquet file.")
def report(
    runs: tuple[Path, ...], as_json: bool, csv: Path | None, parquet: Path | None, form: str, **options: Any
) -> None:
    """Show the verdicts of a stored RUN, and write its report: report.html, report.md and figures.

    RUN is the folder of a run, its run.jsonl, or `reference`: the run that comes with argo-bench. With several of them,
    the oldest first, it shows what changed from the last but one to the last, and from three on the trend.
    """
    from argo_bench.harness.record.store import load

    if len(runs) > 1:
        show_runs(runs, "json" if as_json else form, csv=csv, parquet=parquet, **options)
        return
    run = runs[0]
    recorded = load(run)
    with blaming(recorded):
        if csv is None and parquet is None:
            show_report(run, "json" if as_json else form, **options)
        else:
            export_tables(recorded, csv, parquet)


def export_tables(recorded: Recorded, csv: Path | None, parquet: Path | None) -> None:
    """Write the verdicts of a run for other tools. Raises UserError for a gate, which has outcomes instead."""
    from argo_bench.report.frame import export_verdicts

    if recorded.run.profile == GATE:
        raise UserError(f"{recorded.directory} is a gate, whose outcomes are no verdicts: take report --json instead")
    if csv is not None:
        export_verdicts(recorded, csv, "csv")
        say(f"verdicts: {csv}", err=True)
    if parquet is not None:
        export_verdicts(recorded, parquet, "parquet")
        say(f"verdicts: {parquet}", err=True)


def show_report(
    run: Path, form: str, *, out: Path | None, opens: bool, peers: Path | None, readme: Path | None
) -> None:
    """Show a stored run or gate in one of the forms of ``report``, and write the files that belong to the form.

    They are written into ``out``, or without one where ``place_files`` says.
    """
    from argo_bench.harness.record.store import load
    from argo_bench.opening import open_report
    from argo_bench.report import PAGE
    from argo_bench.shipped import place_files

    if load(run).run.profile == GATE:
        sys.exit(show_and_save_gate(run, form == "json", out=out))
    opened = open_report(run)
    directory = out or place_files(opened.directory)
    if readme is not None:
        from argo_bench.study.report.readme import write_table

        write_table(readme, opened.recorded)
        return
    if form == "notebook":
        from argo_bench.integrations.notebooks import execute_notebook

        say(execute_notebook(opened, directory))
    elif form == "markdown":
        say(opened._repr_markdown_())
    elif form in FORMATS:
        from argo_bench.integrations.outputs.rendering import make_outcomes, render_first
        from argo_bench.integrations.outputs.results import Results

        recorded = opened.recorded
        rendered = render_first(form, Results(opened.finding, make_outcomes(recorded), recorded.run))
        (say if form in ("github", "junit") else print_json_text)(rendered)
    elif form != "html":
        show(opened, form == "json") if peers is None else show_beside(opened, peers, form == "json")
    if form == "table":
        save(opened, directory)
        say_again(opened, as_json=False)
    elif form == "html" or opens:
        opened.save_page(directory)
    if form == "html":
        say(directory / PAGE)
    if opens:
        import webbrowser

        webbrowser.open((directory / PAGE).resolve().as_uri())


@cli.command(short_help="Write scripts with which pyperf and hyperfine measure the same.")
@click.argument("targets", nargs=-1, required=True)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the scripts.")
@click.option(
    "--arm",
    type=click.Choice(["engineered", "prescribed"]),
    default="engineered",
    show_default=True,
    help="Which version of the optimization is compared with the baseline.",
)
@click.option("--setup", help="module:name of a function that returns the arguments of two functions.")
@click.option("--data", envvar="ARGO_BENCH_DATA", help="Your daily prices, as for run.")
@takes_reading
@click.option(
    "--symbols", type=click.IntRange(min=1), envvar="ARGO_BENCH_SYMBOLS", help="Number of symbols, as for run."
)
@takes_seed
def export(targets: tuple[str, ...], out: Path, arm: str, setup: str | None, seed: int, **market: Any) -> None:
    """Write scripts with which pyperf and hyperfine measure the same, and print the commands that run them.

    TARGETS is an optimization (what its main claim is judged on), a benchmark of your pyproject.toml, or two functions,
    the old and the new one, as module:name. `argo-bench report RUN --peers OUT` then shows their figures beside ours.
    """
    from argo_bench.integrations import export as scripts
    from argo_bench.study.job import universe_of

    subject = scripts.subject_of(targets, setup, lambda: universe_of(**market, seed=seed), seed)
    exported = scripts.export(subject, arm, seed, out)
    say("\n".join(scripts.list_commands(exported, out)))


@cli.command(short_help="Say whether this machine is fit for measuring.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def env(as_json: bool) -> None:
    """Say whether this machine is fit for measuring, and what would make it so."""
    from argo_bench.harness.machine import environment
    from argo_bench.harness.machine.fitness import check_fitness

    found = check_fitness()
    if as_json:
        print_json({"findings": found, "facts": environment.read_facts()})
        return
    from argo_bench.report.machine import Machine

    make_console().print(Machine(tuple(found), environment.read_facts()))


@cli.command(short_help="Find out how often argo-bench errs on this machine.")
@click.option(
    "--quick", is_flag=True, help="Only compare identical code, and 3 % more work, in one function: four minutes."
)
@click.option("--minutes", type=click.FloatRange(min=0), default=150.0, show_default=True, help="Stop after this time.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder of the samples. [default: in your cache, by machine]"
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def calibrate(quick: bool, minutes: float, out: Path | None, as_json: bool) -> None:
    """Find out how often argo-bench itself errs on this machine, by comparing functions whose difference is known.

    It says how often identical code was called different, how often 3 % more work was found, and how often intervals
    contained the true value. All of it takes about two hours; after an interrupt the same command goes on. Reports on
    runs of this machine show the result.
    """
    from argo_bench.harness.calibration import bank, standing
    from argo_bench.harness.calibration.rates import store_summary
    from argo_bench.harness.machine.fitness import describe_busy, glance_at_load

    directory = out or standing.home()
    warn(describe_busy(glance_at_load()))
    plan, budget_s = (bank.QUICK, bank.QUICK_BUDGET_S) if quick else (bank.FULL, 60 * minutes)
    interrupted = False
    try:
        with show_progress() as on_progress:
            bank.fill(directory, plan, budget_s, on_progress)
    except KeyboardInterrupt:
        interrupted = True
    try:
        found = store_summary(directory)
    except ValueError as error:
        say(f"{error}; {directory} keeps what was recorded, and the same command goes on from there", err=True)
        sys.exit(INTERRUPTED)
    if as_json:
        print_json(found)
    else:
        from argo_bench.report.calibration import make_card

        make_console().print(make_card(found))
    say(f"bank: {directory}", err=True)
    if interrupted:
        sys.exit(INTERRUPTED)


@cli.command(short_help="Compute every verdict of a stored run anew.")
@click.argument("run", type=StoredRun())
@click.option("--json", "as_json", is_flag=True, help="Print the disagreements as JSON.")
def verify(run: Path, as_json: bool) -> None:
    """Compute every estimate, interval and verdict of RUN anew from its raw samples.

    RUN is the folder of a run, its run.jsonl, or `reference`: the run that comes with argo-bench.

    Exit code 1: what the record says does not follow from its samples. Each line that disagrees is named.
    """
    from argo_bench.harness.record.store import load

    recorded = load(run)
    found = find_disagreements(recorded)
    if as_json:
        print_json([{"line": each.line, "what": each.what} for each in found])
    elif found:
        say("\n".join(map(str, found)))
    else:
        say(f"{run}: all {len(recorded.records)} lines agree with the samples")
    if found:
        sys.exit(GATE_FAILED)


def show(report: Report, as_json: bool) -> None:
    if as_json:
        print_json(report.to_dict())
    else:
        make_console().print(report.terminal())


def say_again(report: Report, as_json: bool) -> None:
    """Repeat the finding below everything else: what stood at the top of a long report has left the terminal."""
    if not as_json:
        make_console().print(str(report), style="bold", markup=False)


def save(report: Report, directory: Path) -> None:
    """Write the report's files into a folder, and say where they are, or which extra they need."""
    from argo_bench.report import PAGE

    if (missing := find_missing("report")) is not None:
        say(f"record: {directory}; {missing.describe(PAGE)}", err=True)
        return
    report.save(directory)
    say(f"report: {directory / PAGE}, with record and figures beside it", err=True)


def show_beside(report: Report, folder: Path, as_json: bool) -> None:
    """Show the report, and what other tools say of one of its comparisons.

    Raises UserError and shows nothing where their figures cannot be read.
    """
    from argo_bench.integrations.peers import compare_with_peers, read_peers
    from argo_bench.report.tables import terminal_table

    table = compare_with_peers(report.recorded, folder)
    if as_json:
        print_json(report.to_dict() | {"peers": read_peers(folder)})
    else:
        show(report, as_json)
        make_console().print(terminal_table(table))


def describe_optimization(optimization: Any) -> dict[str, Any]:
    return {
        "id": optimization.id,
        "name": optimization.name,
        "claims": [
            {"id": claim.id, "text": claim.text, "reading": claim.reading, "workload": claim.workload}
            for claim in optimization.claims
        ],
        "workloads": {workload.name: workload.description for workload in optimization.workloads},
    }


def main() -> None:
    """Run the program; it answers a mistake of the user's with one sentence and exit code 2, never with a traceback."""
    prepare_streams()
    try:
        code = _run()
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        code = CUT_OFF
    except OSError as error:
        if isinstance(error, ConnectionError | TimeoutError):
            raise  # no file, and nothing that the user can mend
        name = "" if error.filename is None else f" ({error.filename})"
        say(f"argo-bench: {error.strerror or error}{name}: expected files and an output that can be written", err=True)
        code = MISUSED
    if code in (CUT_OFF, MISUSED) and sys.stdout is not None:
        _discard_output()
    sys.exit(code)


def _discard_output() -> None:
    """Let nothing that stdout did not take be written when the interpreter ends, which would raise once more."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run() -> int | str | None:
    output = sys.stdout
    try:
        cli.main(standalone_mode=False)
    except SystemExit as end:
        return end.code if sys.stdout is output else CUT_OFF  # click exchanges a stream that was closed
    except UserError as error:
        say(f"argo-bench: {error}", err=True)
        return MISUSED
    except ModuleNotFoundError as error:
        if (sentence := explain_missing(error, "this command")) is None:
            raise
        say(f"argo-bench: {sentence}", err=True)
        return MISUSED
    except click.ClickException as error:
        error.show()
        return MISUSED
    except (click.Abort, KeyboardInterrupt):
        say("interrupted", err=True)
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    main()
