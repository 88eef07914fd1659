"""argo-bench: list, run, explain, report and verify. Results on stdout, progress and errors on stderr.

Exit codes: 0 fine, 1 a record that does not verify, 2 a mistake in the call or its data, 3 an engineered variant
computes something else, 4 a machine that is not fit (only with --strict-env), 130 interrupted with partial results
saved.
"""

from __future__ import annotations

import sys
import tomllib
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from argo_bench.model import UserError

if TYPE_CHECKING:
    from argo_bench.harness.experiment import Profile
    from argo_bench.harness.fitness import Finding
    from argo_bench.market import Universe
    from argo_bench.report import Report

GATE_FAILED = 1
OUTPUTS_DIFFER = 3
MACHINE_UNFIT = 4
INTERRUPTED = 130


def settings() -> dict[str, Any]:
    """The table [tool.argo_bench] of the pyproject.toml in this folder, if there is one."""
    path = Path("pyproject.toml")
    if not path.is_file():
        return {}
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}).get("argo_bench", {})
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"pyproject.toml is not valid TOML ({error}): mend it or run from another folder") from None
    return {key: value for key, value in table.items() if not isinstance(value, dict)}


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80})
@click.version_option(package_name="argo-bench")
@click.pass_context
def cli(context: click.Context) -> None:
    """Measure fifteen published optimizations of a trading-signal pipeline and say which of the claims hold.

    Each is measured as prescribed, defects included, and as engineered. Begin with `argo-bench list`, then
    `argo-bench run --profile quick`.
    """
    context.default_map = {"run": settings()}


@cli.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def list_command(as_json: bool) -> None:
    """The optimizations, their claims and what they are judged on."""
    from argo_bench.optimizations import catalogue

    if as_json:
        print_json([described(optimization) for optimization in catalogue().values()])
        return
    from argo_bench.report.explain import listing

    console().print(listing(list(catalogue().values())))


@cli.command()
@click.argument("ids", nargs=-1)
@click.option("--data", envvar="ARGO_BENCH_DATA", help="Your bars: a CSV or Parquet file, or a folder of them.")
@click.option(
    "--profile",
    type=click.Choice(["quick", "default"]),
    default="default",
    show_default=True,
    envvar="ARGO_BENCH_PROFILE",
    help="quick: one process, headline scale; default: twins, every scale.",
)
@click.option(
    "--symbols",
    type=click.IntRange(min=1),
    envvar="ARGO_BENCH_SYMBOLS",
    help="Symbols of the universe; generated ones fill up what the data lacks. [default: all there are]",
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, envvar="ARGO_BENCH_SEED")
@click.option("--out", envvar="ARGO_BENCH_OUT", help="Folder of the run. [default: results/<time>-<profile>]")
@click.option("--strict-env", is_flag=True, help="Refuse to measure on a machine that is not fit (exit code 4).")
@click.option("--json", "as_json", is_flag=True, help="Print the verdicts as JSON.")
def run(
    ids: tuple[str, ...],
    data: str | None,
    profile: str,
    symbols: int | None,
    seed: int,
    out: str | None,
    strict_env: bool,
    as_json: bool,
) -> None:
    """Measure optimizations (all of them without IDS), check their outputs and judge their claims.

    Everything is recorded in <out>/run.jsonl the moment it exists; Ctrl-C keeps what was measured.
    """
    from argo_bench.harness.experiment import PROFILES, run_id
    from argo_bench.harness.fitness import findings
    from argo_bench.optimizations import lookup

    optimizations = lookup(ids)
    chosen = PROFILES[profile]  # type: ignore[index]
    universe = universe_of(data, symbols, seed)
    machine = findings()
    if strict_env and (unfit := [each for each in machine if each.verdict == "unfit"]):
        for each in unfit:
            click.echo(f"argo-bench: {each.subject} is not fit: {each.found}; {each.advice}", err=True)
        sys.exit(MACHINE_UNFIT)
    name = run_id(chosen, datetime.now())
    directory = Path(out) if out else Path("results") / name
    interrupted = measure(optimizations, universe, chosen, seed, directory, name, machine)

    from argo_bench.report import open_report

    report = open_report(directory)
    report.save(directory)
    show(report, as_json)
    click.echo(f"record: {directory / 'run.jsonl'}   figure: {directory / 'forest.svg'}", err=True)
    if interrupted:
        click.echo("interrupted: the verdicts above rest on what was measured until then", err=True)
        sys.exit(INTERRUPTED)
    if any(each.verdict == "void" for each in report.judgements):
        sys.exit(OUTPUTS_DIFFER)


def universe_of(data: str | None, symbols: int | None, seed: int) -> Universe:
    """The user's bars, or the installed sample, in the number of symbols asked for."""
    from argo_bench.market import installed_sample, read_universe

    universe = read_universe(data) if data else installed_sample()
    return universe.take(symbols, seed) if symbols else universe


def measure(
    optimizations: list[Any],
    universe: Universe,
    profile: Profile,
    seed: int,
    directory: Path,
    name: str,
    machine: list[Finding],
) -> bool:
    """Run the experiment with its progress on stderr; whether it was interrupted."""
    from argo_bench.harness.experiment import Experiment
    from argo_bench.harness.results import Writer

    writer = Writer(directory)
    symbols = ", ".join(
        symbol if universe.origin[symbol] == "real" else f"{symbol} (generated)" for symbol in universe.symbols[:8]
    )
    more = f" and {len(universe.symbols) - 8} more" if len(universe.symbols) > 8 else ""
    click.echo(f"{len(universe.symbols)} symbols from {universe.source}: {symbols}{more}", err=True)
    try:
        with shown_progress() as on_progress:
            Experiment(optimizations, universe, profile, seed, writer, name, on_progress, machine).run()
    except KeyboardInterrupt:
        return True
    finally:
        writer.close()
    return False


def shown_progress() -> Any:
    """A context manager that yields a callback: a live bar on a terminal, a line every ten seconds elsewhere."""
    from argo_bench.report.progress import progress_bar, progress_lines

    return progress_bar() if sys.stderr.isatty() else progress_lines()


@cli.command()
@click.argument("id", required=False)
@click.option("--stage", help="A part of the pipeline instead of an optimization: regime, consensus, encode ...")
def explain(id: str | None, stage: str | None) -> None:
    """A claim, its reading and workload, and the source of baseline, prescribed and engineered side by side."""
    from argo_bench.report.explain import explain_optimization, explain_stage

    if (id is None) == (stage is None):
        raise UserError("explain takes one optimization or one --stage, as in: argo-bench explain O11")
    if stage is not None:
        console().print(explain_stage(stage))
    elif id is not None:
        from argo_bench.optimizations import lookup

        console().print(explain_optimization(lookup([id])[0]))


@cli.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the verdicts as JSON.")
def report(run: Path, as_json: bool) -> None:
    """The verdicts of a stored RUN (its folder or run.jsonl) and its forest plot as SVG and PNG."""
    from argo_bench.report import open_report

    opened = open_report(run)
    opened.save(opened.directory)
    show(opened, as_json)
    click.echo(f"figure: {opened.directory / 'forest.svg'} and forest.png", err=True)


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def env(as_json: bool) -> None:
    """Whether this machine is fit for measuring, in plain words, and what would help."""
    from argo_bench.harness import environment
    from argo_bench.harness.fitness import findings

    found = findings()
    if as_json:
        print_json({"findings": found, "facts": environment.facts()})
        return
    from argo_bench.report.machine import machine_card

    console().print(machine_card(found, environment.facts()))


@cli.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the disagreements as JSON.")
def verify(run: Path, as_json: bool) -> None:
    """Recompute every estimate, interval and verdict of RUN from its raw samples; exit code 1 where one disagrees."""
    from argo_bench.harness.results import load
    from argo_bench.harness.verify import verify as disagreements

    recorded = load(run)
    found = disagreements(recorded)
    if as_json:
        print_json([{"line": each.line, "what": each.what} for each in found])
    elif found:
        click.echo("\n".join(map(str, found)))
    else:
        click.echo(f"{run}: all {len(recorded.records)} lines agree with the samples")
    if found:
        sys.exit(GATE_FAILED)


def show(report: Report, as_json: bool) -> None:
    if as_json:
        print_json(report.to_dict())
    else:
        console().print(report.terminal())


def described(optimization: Any) -> dict[str, Any]:
    return {
        "id": optimization.id,
        "name": optimization.name,
        "claims": [
            {"id": claim.id, "text": claim.text, "reading": claim.reading, "workload": claim.workload}
            for claim in optimization.claims
        ],
        "workloads": {workload.name: workload.description for workload in optimization.workloads},
    }


def console() -> Any:
    """A console for stdout: the terminal's width, 80 columns elsewhere; rich honours NO_COLOR itself."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 80, highlight=False)


def print_json(value: Any) -> None:
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))


def main() -> None:
    """The program: a mistake of the user's is one sentence and exit code 2, never a traceback."""
    try:
        cli.main(standalone_mode=False)
    except UserError as error:
        click.echo(f"argo-bench: {error}", err=True)
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()


if __name__ == "__main__":
    main()
