"""Renders the sections of a report as text: for a terminal, as Markdown, and as HTML in the colours of a notebook."""

from __future__ import annotations

from typing import Any

from rich.console import Group
from rich.table import Table as RichTable
from rich.text import Text

from argo_bench.harness.record.records import Judgement
from argo_bench.harness.record.store import Recorded
from argo_bench.report import finding
from argo_bench.report.remarks import list_not_measured, list_remarks
from argo_bench.report.sections import Outline, Place
from argo_bench.report.tables import Table, escape, escape_html, html_table, markdown_table, terminal_table
from argo_bench.report.title import write_aside, write_title

MANY = 5
"""From this number of optimizations on, a terminal shows what was judged, and leaves all else to the page."""
FRAME = (
    "font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:var(--jp-ui-font-size1,13px);"
    "color:var(--jp-ui-font-color1,#1b1f24);background:var(--jp-layout-color1,#ffffff)"
)


def tabulate(recorded: Recorded, outline: Outline, place: Place, *, brief: bool = False) -> list[Table]:
    """Return the tables that are shown in a place, in order."""
    return [table for section in outline.at(place) for table in section.tabulate(recorded, brief=brief)]


def all_remarks(recorded: Recorded, outline: Outline) -> list[str]:
    """Return the sentences below the tables: first those of the kind of record, then those of any record."""
    return [*outline.remarks(recorded), *list_remarks(recorded)]


def is_long(recorded: Recorded) -> bool:
    """Say whether the tables of a record are too long for a terminal; those of one optimization never are."""
    judged = {each.optimization for each in recorded.all(Judgement)}
    return len(recorded.run.optimizations) >= MANY and len(judged) != 1


def terminal(recorded: Recorded, outline: Outline) -> Group:
    """Return the brief report for a rich console of 80 columns or more; of a long run return only a summary."""
    setting = [finding.describe_setting(recorded), *finding.describe_choices(recorded)]
    parts: list[Any] = [
        Text(f"{write_title(recorded)}.", style="bold"),
        *(Text(f"{aside}.") for aside in _list_asides(recorded)),
        Text("\n".join(setting) + "\n", style="dim"),
    ]
    is_summary = is_long(recorded)
    for table in tabulate(recorded, outline, "summary" if is_summary else "terminal", brief=True):
        parts += [terminal_table(table), Text()]
    listed = RichTable.grid(padding=(0, 1))
    for line in list_not_measured(recorded) if is_summary else all_remarks(recorded, outline):
        listed.add_row("*", Text(line, overflow="fold"))
    if is_summary:
        more = f"Scales, samples, counts, memory and remarks: argo-bench report {recorded.directory} --open"
        return Group(*parts, listed, Text(more, style="dim"))
    return Group(*parts, listed)


def markdown(recorded: Recorded, outline: Outline) -> str:
    """Render what the title leaves out, tables and remarks as GitHub shows them."""
    parts = [f"{escape(aside)}." for aside in _list_asides(recorded)]
    parts += [markdown_table(table) for table in tabulate(recorded, outline, "text")]
    if listed := [f"- {escape(line)}" for line in all_remarks(recorded, outline)]:
        parts.append("\n".join(listed))
    return "\n\n".join(parts) + "\n"


def html(recorded: Recorded, outline: Outline) -> str:
    """Render the report as HTML that needs nothing else, in the colours of the notebook's theme.

    Of a long run it is a summary, as in a terminal: a notebook would keep a megabyte of tables.
    """
    is_summary = is_long(recorded)
    title = f'<div style="{FRAME}"><p><strong>{escape_html(write_title(recorded))}.</strong></p>'
    title += "".join(f"<p>{escape_html(aside)}.</p>" for aside in _list_asides(recorded))
    drawn = "".join(html_table(table) for table in tabulate(recorded, outline, "summary" if is_summary else "text"))
    lines = list_not_measured(recorded) if is_summary else all_remarks(recorded, outline)
    items = "".join(f"<li>{escape_html(line)}</li>" for line in lines)
    return title + drawn + (f"<ul>{items}</ul>" if items else "") + "</div>"


def _list_asides(recorded: Recorded) -> list[str]:
    """Return the sentence on what the title leaves out, or nothing where it leaves nothing out."""
    return [each for each in [write_aside(recorded)] if each]
