"""Defines a table of a report, and renders it for a terminal, as Markdown and as HTML."""

from __future__ import annotations

import html as markup
import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import rich.box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table as RichTable
from rich.text import Text

from argo_bench.controls import spell_controls
from argo_bench.harness.claims.verdict import State, Word
from argo_bench.report.marks import MARKS, make_legible


@dataclass(frozen=True, slots=True)
class Column:
    """Names a column; ``width`` caps it in a terminal of 80 columns; columns without a cap take what is left."""

    name: str
    width: int | None


@dataclass(frozen=True, slots=True)
class Row:
    """Holds cells of one or more lines each; ``word`` is the verdict that colours the cell of the column VERDICT."""

    cells: tuple[str, ...]
    word: Word | State | None = None
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    title: str
    note: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    def __str__(self) -> str:
        return f"{self.title}: {len(self.rows)} rows"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": html_table(self), "text/markdown": markdown_table(self), "text/plain": str(self)}

    def is_marked(self, position: int) -> bool:
        """Say whether a cell of a strong row is to catch the eye: the first one and the verdict are."""
        return position == 0 or self.columns[position].name == VERDICT


OUTPUT, VERDICT = "output", "verdict"
"""Columns with these names are shown in a way of their own."""
BESIDE_PARENTHESES = re.compile(r"; (?![^(]*\))")
"""What is said of signals begins here, which is never within parentheses."""
GAP = 2
"""Columns stand so many characters apart."""
MOST_TRIED = 500
"""Of a table with more ways to make columns wider none is tried; those without a cap get all the room."""
NARROW, LONGEST_OUTPUT = 80, 24
"""What is said of outputs in more characters is shortened where a column has no room; the remarks have the whole."""


def join_lines(*several: str) -> str:
    """Join the lines that are not empty to one cell."""
    return "\n".join(line for line in several if line)


@dataclass(frozen=True, slots=True)
class TerminalTable:
    """Renders itself for a rich console of 80 columns or more, and shows more where the console is wider."""

    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table, widths = self.table, _choose_widths(self.table, options.max_width)
        drawn = RichTable(
            title=Text(table.title, style="bold"),
            caption=Text(table.note, style="dim"),
            title_justify="left",
            caption_justify="left",
            box=rich.box.SIMPLE_HEAD,
            show_edge=False,
            pad_edge=False,
            padding=(0, 1, 0, 0),
            header_style="",
        )
        for column, width in zip(table.columns, widths, strict=True):
            drawn.add_column(column.name, width=None if column.width is None else width, overflow="fold")
        for row in table.rows:
            drawn.add_row(*_make_terminal_cells(table, row, widths))
        yield drawn


def terminal_table(table: Table) -> TerminalTable:
    """Return a table for a rich console of 80 columns or more, in which every number stays on one line."""
    return TerminalTable(table)


def _measure(table: Table, position: int) -> int:
    """Return how many characters the longest line of a column has, its heading included."""
    column = table.columns[position]
    cells = (row.cells[position] for row in table.rows)
    lines = (line for cell in cells for line in (_part_output(cell) if column.name == OUTPUT else cell).split("\n"))
    return max([len(column.name), *map(len, lines)])


def _choose_widths(table: Table, whole: int) -> list[int]:
    """Return how wide each column is, where so many characters are there: so that the table has the fewest lines.

    A column with a cap has this width or, beyond 80 characters, what its longest line needs; others share what is left.
    """
    lengths = [_measure(table, position) for position in range(len(table.columns))]
    caps = [column.width for column in table.columns]
    free = caps.count(None)
    narrow = [None if cap is None else min(length, cap) for length, cap in zip(lengths, caps, strict=True)]

    def share(widths: Sequence[int | None], among: int) -> list[int]:
        left = among - GAP * (len(caps) - 1) - sum(each or 0 for each in widths)
        return [max(left, 0) // free if each is None else each for each in widths]

    least = share(narrow, NARROW)
    if whole <= NARROW:
        return least
    wider = [
        (None,) if cap is None else tuple({min(length, cap), length}) for length, cap in zip(lengths, caps, strict=True)
    ]
    if math.prod(map(len, wider)) > MOST_TRIED:
        return share(narrow, whole)
    heights: dict[tuple[int, int], list[int]] = {}

    def count_lines(widths: Sequence[int]) -> int:
        for each in enumerate(widths):
            if each not in heights:
                heights[each] = [_count_lines(table, row, *each) for row in table.rows]
        return sum(map(max, zip(*(heights[each] for each in enumerate(widths)), strict=True)))

    tried = [widths for each in itertools.product(*wider) if (widths := share(each, whole))]
    fitting = [each for each in tried if sum(each) + GAP * (len(caps) - 1) <= whole and _is_wider(each, least, caps)]
    return min(fitting, key=lambda each: (count_lines(each), sum(each)), default=least)


def _is_wider(widths: Sequence[int], least: Sequence[int], caps: Sequence[int | None]) -> bool:
    """Say whether no column without a cap has less than in 80 characters."""
    return all(width >= before for width, before, cap in zip(widths, least, caps, strict=True) if cap is None)


def _count_lines(table: Table, row: Row, position: int, width: int) -> int:
    """Return about how many lines a cell takes in a column of a width."""
    shown = _fit_cell(table.columns[position], row.cells[position], width)
    return sum(max(1, math.ceil(len(line) / max(width, 1))) for line in shown.split("\n"))


def _fit_cell(column: Column, cell: str, width: int) -> str:
    """Return what is shown of a cell in a column of a width."""
    shown = _part_output(cell, max(LONGEST_OUTPUT, width)) if column.name == OUTPUT else cell
    return _fit(shown, None if column.width is None else width)


def _make_terminal_cells(table: Table, row: Row, widths: Sequence[int]) -> Iterator[Text]:
    for position, (column, cell, width) in enumerate(zip(table.columns, row.cells, widths, strict=True)):
        first, *lines = _fit_cell(column, cell, width).split("\n")
        colour = MARKS[row.word].terminal if row.word is not None and column.name == VERDICT else ""
        weight = "bold" if row.strong and table.is_marked(position) else ""
        yield Text.assemble((first, f"{weight} {colour}".strip()), *((f"\n{line}", "dim") for line in lines))


def _fit(cell: str, width: int | None) -> str:
    """Break the lines of a cell that are too long before a parenthesis or after a comma, never inside a number."""
    return "\n".join(
        line if width is None or len(line) <= width else line.replace(" (", "\n(").replace(", ", ",\n")
        for line in cell.split("\n")
    )


def _part_output(output: str, longest: int | None = None) -> str:
    """Put what is said of the signals on a line of its own, and shorten what is said before it if it is too long."""
    first, *lines = output.split("\n")
    said, *damage = BESIDE_PARENTHESES.split(first)
    short = said if longest is None or len(said) <= longest else said.split(":")[0].split(" (")[0]
    return join_lines(short, *damage, *lines)


def markdown_table(table: Table) -> str:
    """Render the title with its note, and the table as GitHub shows it, without any style."""
    header = [column.name for column in table.columns]
    body = [
        [_markdown_cell(cell, row.strong and table.is_marked(position)) for position, cell in enumerate(row.cells)]
        for row in table.rows
    ]
    drawn = [f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *body)]
    return "\n\n".join([spell_controls(f"**{table.title}.** {table.note}".rstrip()), "\n".join(drawn)])


def _markdown_cell(cell: str, strong: bool) -> str:
    first, *further = [escape(line) for line in cell.split("\n")]
    return "<br>".join([f"**{first}**" if first and strong else first, *further])


def escape(text: str) -> str:
    """Escape a text so that Markdown shows it as it is."""
    escaped = markup.escape(spell_controls(text), quote=False)
    return "".join(f"\\{each}" if each in "\\`*_[]|~" else each for each in escaped).replace("\n", " ")


def escape_html(text: str) -> str:
    """Escape a text so that HTML shows it as it is."""
    return markup.escape(spell_controls(text))


CELL = (
    "text-align:left;vertical-align:top;padding:4px 14px 4px 0;border-bottom:1px solid var(--jp-border-color2,#d0d7de)"
)
MUTED = "color:var(--jp-ui-font-color2,#57606a)"


LONGEST_UNBROKEN = 48
"""In HTML a cell of up to this many characters keeps its lines whole: numbers and intervals do, sentences break."""


def html_table(table: Table) -> str:
    """Render a table as HTML in the colours of a notebook's theme."""
    head = "".join(f'<th scope="col" style="{CELL}">{escape_html(column.name)}</th>' for column in table.columns)
    body = "".join(f"<tr>{''.join(_html_cells(table, row))}</tr>" for row in table.rows)
    caption = f'<strong>{escape_html(table.title)}.</strong> <span style="{MUTED}">{escape_html(table.note)}</span>'
    return (
        f'<table style="border-collapse:collapse;margin:0 0 1em 0">'
        f'<caption style="text-align:left;padding:4px 0">{caption}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _html_cells(table: Table, row: Row) -> Iterator[str]:
    for position, cell in enumerate(row.cells):
        first, *further = map(escape_html, cell.split("\n"))
        if row.strong and position == 0:
            first = f"<strong>{first}</strong>"
        if row.word is not None and table.columns[position].name == VERDICT:
            colour = make_legible(MARKS[row.word].hue, "#ffffff")
            first = (
                f'<span style="background:{colour};color:#ffffff;padding:1px 6px;border-radius:3px;'
                f'white-space:nowrap;font-weight:{600 if row.strong else 400}">{first}</span>'
            )
        rest = "".join(f'<br><span style="{MUTED}">{line}</span>' for line in further)
        wrap = "" if len(cell) > LONGEST_UNBROKEN else ";white-space:nowrap"
        yield f'<td style="{CELL}{wrap}">{first}{rest}</td>'
