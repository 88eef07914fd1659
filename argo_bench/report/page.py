"""The whole report as one page: in a terminal, as Markdown and as HTML.

Order: the headline verdicts, what to do, further readings, combined claims, where those that do not hold would, scales
and change rates, what is done to the output, caches, trials, memory, what was measured beside them, first calls, and
remarks.
"""

from __future__ import annotations

import html as markup
from typing import Any

from rich.console import Group
from rich.table import Table as RichTable
from rich.text import Text

from argo_bench.harness.record.records import Judgement
from argo_bench.harness.record.store import Recorded
from argo_bench.report import finding
from argo_bench.report.advice import what_to_do
from argo_bench.report.combined import combined
from argo_bench.report.counted import caches, done_to_the_output
from argo_bench.report.measured import beside, first_calls, memory
from argo_bench.report.remarks import not_measured, remarks
from argo_bench.report.tables import Column, Row, Table, html_table, markdown_table, plain, terminal_table
from argo_bench.report.tried import tried
from argo_bench.report.verdicts import holds_when, over_the_change_rate, strips, verdicts

MANY = 5
"""Optimizations from which on a terminal shows what was judged, and leaves all else to the page."""
SLOW_FIRST_CALL_NS = 50_000_000
"""First calls from here on are worth a line in a terminal."""


def tables(recorded: Recorded, *, brief: bool = False) -> list[Table]:
    """Every table that has rows.

    ``brief``, for a terminal: without fast first calls, times that strips have verdicts of, names beside the claims'
    ids, and counts of arms and workloads that no verdict speaks of; of MANY optimizations the headline verdicts alone,
    what to do, and the combined claims.
    """
    judgements = recorded.all(Judgement)
    judged = [
        verdicts(recorded, "Verdicts", [each for each in judgements if each.headline], brief=brief),
        what_to_do(recorded, brief=brief),
    ]
    if brief and is_long(recorded):
        return [table for table in [*judged, combined(recorded)] if table.rows]
    found = [
        *judged,
        verdicts(recorded, "Further readings", [each for each in judgements if not each.headline], brief=brief),
        combined(recorded),
        holds_when(recorded),
        strips(recorded),
        over_the_change_rate(recorded),
        done_to_the_output(recorded, brief=brief),
        caches(recorded),
        *tried(recorded, brief=brief),
        memory(recorded),
        beside(recorded, brief=brief),
        first_calls(recorded, SLOW_FIRST_CALL_NS if brief else 0),
    ]
    return [table for table in found if table.rows]


def is_long(recorded: Recorded) -> bool:
    """Whether its tables are too long for a terminal."""
    return len(recorded.run.optimizations) >= MANY


def in_words(recorded: Recorded) -> list[Table]:
    """Each claim as it was published, and what was seen in full sentences; a terminal has no room for it."""
    seen: dict[tuple[str, str], list[str]] = {}
    for each in recorded.all(Judgement):
        seen.setdefault((each.claim, each.text), []).append(each.sentence)
    rows = tuple(Row((claim, text, "\n".join(sentences))) for (claim, text), sentences in seen.items())
    columns = (Column("claim", 14), Column("as published", None), Column("seen", None))
    return [Table("In words", "", columns, rows)] if rows else []


def terminal(recorded: Recorded) -> Group:
    """For a rich console of 80 columns or more."""
    parts: list[Any] = [
        Text(f"{finding.finding(recorded)}.", style="bold"),
        Text(f"{finding.setting(recorded)}\n", style="dim"),
    ]
    for table in tables(recorded, brief=True):
        parts += [terminal_table(table), Text()]
    listed = RichTable.grid(padding=(0, 1))
    for line in not_measured(recorded) if is_long(recorded) else remarks(recorded):
        listed.add_row("*", Text(line, overflow="fold"))
    if is_long(recorded):
        more = f"Scales, samples, counts, memory and remarks: argo-bench report {recorded.directory} --open"
        return Group(*parts, listed, Text(more, style="dim"))
    return Group(*parts, listed)


def markdown(recorded: Recorded) -> str:
    """The tables and remarks as GitHub shows them."""
    parts = [markdown_table(table) for table in [*tables(recorded), *in_words(recorded)]]
    if listed := [f"- {plain(line)}" for line in remarks(recorded)]:
        parts.append("\n".join(listed))
    return "\n\n".join(parts) + "\n"


FRAME = (
    "font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:var(--jp-ui-font-size1,13px);"
    "color:var(--jp-ui-font-color1,#1b1f24);background:var(--jp-layout-color1,#ffffff)"
)


def html(recorded: Recorded) -> str:
    """Self-contained, in the colours of the notebook's theme."""
    title = f'<div style="{FRAME}"><p><strong>{markup.escape(finding.finding(recorded))}.</strong></p>'
    drawn = "".join(html_table(table) for table in [*tables(recorded), *in_words(recorded)])
    items = "".join(f"<li>{markup.escape(line)}</li>" for line in remarks(recorded))
    return title + drawn + (f"<ul>{items}</ul>" if items else "") + "</div>"
