"""Defines the program argo-bench, which writes results to stdout, and progress and errors to stderr.

Exit codes: 0 fine, 1 a gate that failed or a record that does not verify, 2 a mistake in the call or its data, 3
outputs that differ where they must not, 4 a machine that is not fit (with --strict-env) or a gate whose base and head
cannot run here, 130 interrupted with partial results saved, 141 an output that was closed by its reader.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from argo_bench.cli.ci import ci
from argo_bench.cli.claims import claims
from argo_bench.cli.init import init
from argo_bench.cli.merge import merge
from argo_bench.cli.notebooks import lab, notebook
from argo_bench.cli.records import find_disagreements
from argo_bench.cli.reference import reference
from argo_bench.cli.report import report
from argo_bench.cli.run import check, compare, run
from argo_bench.cli.shell import (
    CUT_OFF,
    GATE_FAILED,
    INTERRUPTED,
    MISUSED,
    StoredRun,
    complete_ids,
    make_console,
    prepare_streams,
    print_json,
    say,
    show_progress,
    takes_reading,
    takes_seed,
    warn,
)
from argo_bench.cli.sweep import sweep
from argo_bench.errors import UserError
from argo_bench.extras import explain_missing


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


for each in (check, ci, claims, compare, init, lab, merge, notebook, reference, report, run, sweep):
    cli.add_command(each)


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
