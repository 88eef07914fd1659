"""Shows what changed between runs: ``argo-bench report`` with two runs or more."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from argo_bench.cli.records import GATE
from argo_bench.cli.shell import make_console, print_json, say
from argo_bench.errors import UserError
from argo_bench.extras import find_missing

if TYPE_CHECKING:
    from argo_bench.report import Report
    from argo_bench.report.tables import Table

FORMS = ("table", "markdown", "json", "html")
"""Several runs are shown in these forms."""


def show_runs(runs: Sequence[Path], form: str, *, out: Path | None, opens: bool, **alone: Path | None) -> None:
    """Show what changed from the last but one run to the last, and from three runs on the trend over all.

    The page of the last run, which says the same, is written into ``out``, or without one where ``place_files`` says.
    ``alone`` are options that are for one run alone. Raises UserError for one of these, for a form that is for one run
    alone, and for a gate.
    """
    from argo_bench.opening import open_report
    from argo_bench.report import PAGE
    from argo_bench.shipped import place_files

    if asked := [f"--{name}" for name, value in alone.items() if value is not None]:
        raise UserError(f"{asked[0]} is for one run, and {len(runs)} were given: leave it out, or name one run")
    if form not in FORMS:
        raise UserError(f"--format {form} is for one run: expected one of {', '.join(FORMS)} for {len(runs)} runs")
    *earlier, newest = [open_report(each) for each in runs]
    for path, report in zip(runs, [*earlier, newest], strict=True):
        if report.recorded.run.profile == GATE:
            raise UserError(f"{path} is a gate, which compares two commits already: expected the folders of runs")
    directory = out or place_files(newest.directory)
    if form == "json":
        _print_as_json(earlier, newest)
    elif form == "markdown":
        _print_as_markdown(earlier, newest)
    elif form == "table":
        _print_on_terminal(earlier, newest)
    if form == "table" and (missing := find_missing("report")) is not None:
        say(missing.describe(PAGE), err=True)
    elif form in ("table", "html") or opens:
        page = newest.save_page(directory, earlier)
        say(page if form == "html" else f"report: {page}", err=form != "html")
        if opens:
            import webbrowser

            webbrowser.open(page.resolve().as_uri())


def _print_as_json(earlier: Sequence[Report], newest: Report) -> None:
    from argo_bench.report.changes import summarize_changes

    print_json(newest.to_dict() | {"compared": summarize_changes(earlier[-1].recorded, newest.recorded)})


def _print_as_markdown(earlier: Sequence[Report], newest: Report) -> None:
    from argo_bench.report.tables import escape, markdown_table

    said, remarks, tables = _compare(earlier, newest)
    parts = [f"**{escape(said)}**", *(f"- {escape(each)}" for each in remarks), *map(markdown_table, tables)]
    say("\n\n".join(parts))


def _print_on_terminal(earlier: Sequence[Report], newest: Report) -> None:
    from rich.text import Text

    from argo_bench.report.tables import terminal_table

    said, remarks, tables = _compare(earlier, newest)
    console = make_console()
    console.print(Text(said, style="bold"))
    for line in remarks:
        console.print(Text(line))
    for table in tables:
        console.print()
        console.print(terminal_table(table))
    console.print(Text(said, style="bold"))


def _compare(earlier: Sequence[Report], newest: Report) -> tuple[str, list[str], list[Table]]:
    """Return what changed in a sentence, what has to be known of the comparison, and the tables that have rows."""
    from argo_bench.report.changes import describe_changes, list_remarks, tabulate_changes
    from argo_bench.report.trend import tabulate_trend

    before, after = earlier[-1].recorded, newest.recorded
    tables = [tabulate_changes(before, after)]
    if len(earlier) > 1:
        tables.append(tabulate_trend([*(each.recorded for each in earlier), after]))
    return f"{describe_changes(before, after)}.", list_remarks(before, after), [each for each in tables if each.rows]
