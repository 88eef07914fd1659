"""Defines ``argo-bench report``, and shows and saves a report for the other commands."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from argo_bench.cli.ci import show_and_save_gate
from argo_bench.cli.records import GATE, blaming
from argo_bench.cli.runs import show_runs
from argo_bench.cli.shell import StoredRun, make_console, print_json, print_json_text, say
from argo_bench.errors import UserError
from argo_bench.extras import find_missing
from argo_bench.integrations.outputs import FORMATS

if TYPE_CHECKING:
    from argo_bench.harness.record.store import Recorded
    from argo_bench.report import Report


@click.command(short_help="Show a stored run, and write its report.")
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
