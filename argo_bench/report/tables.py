"""The tables of a report: their rows are made once and rendered for a terminal, as Markdown and as HTML.

Order: the headline verdicts, further readings, what was measured beside them, first calls, and remarks.
"""

from __future__ import annotations

import html as markup
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import msgspec
import rich.box
from rich.console import Group
from rich.table import Table as RichTable
from rich.text import Text

from argo_bench.harness.benchmark import Benchmark
from argo_bench.harness.memory import disagreement
from argo_bench.harness.memory_pass import RESOLUTION, Method
from argo_bench.harness.results import (
    Acceptance,
    Cold,
    Comparison,
    Declared,
    Failure,
    Fidelity,
    Judgement,
    Memory,
    Recorded,
    Result,
    Samples,
    Spot,
)
from argo_bench.harness.verdict import Word
from argo_bench.report import finding
from argo_bench.report.marks import MARKS, labelled, legible


@dataclass(frozen=True, slots=True)
class Column:
    """``width`` caps the column in a terminal; the one without a cap takes what is left of the line."""

    name: str
    width: int | None


@dataclass(frozen=True, slots=True)
class Row:
    """Cells of one or more lines each; the last cell is coloured by ``word``."""

    cells: tuple[str, ...]
    word: Word | None = None
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    title: str
    note: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


VERDICT_COLUMNS = (
    Column("claim", 16),
    Column("claimed", 12),
    Column("speed-up", 20),
    Column("output", None),
    Column("verdict", 15),
)
SLOW_FIRST_CALL_NS = 50_000_000
"""First calls from here on are worth a line in a terminal."""
LONGEST_OUTPUT = 24
"""Characters of the output column that a terminal shows; the remarks have the whole."""


def tables(recorded: Recorded, *, brief: bool = False) -> list[Table]:
    """Every table that has rows; brief: without fast first calls, and without times that strips have verdicts of."""
    judgements = recorded.all(Judgement)
    found = [
        verdicts(recorded, "Verdicts", [each for each in judgements if each.headline]),
        verdicts(recorded, "Further readings", [each for each in judgements if not each.headline]),
        strips(recorded),
        memory(recorded),
        beside(recorded, brief=brief),
        first_calls(recorded, SLOW_FIRST_CALL_NS if brief else 0),
    ]
    return [table for table in found if table.rows]


def verdicts(recorded: Recorded, title: str, judgements: Sequence[Judgement]) -> Table:
    rows = tuple(
        Row(
            (
                f"{each.claim}\n{finding.arm_and_reference(each.comparison)}",
                _lines(
                    finding.claimed(each.kind, each.low, each.high),
                    finding.claimed_as_factor(each.kind, each.low, each.high),
                ),
                _measured(recorded, each),
                each.output,
                labelled(each.verdict),
            ),
            each.verdict,
            each.headline,
        )
        for each in judgements
    )
    return Table(title, _note(judgements), VERDICT_COLUMNS, rows)


def _measured(recorded: Recorded, judgement: Judgement) -> str:
    if judgement.speedup is None:
        return finding.measured(judgement)
    bounds = finding.interval(judgement.interval, finding.replicates(recorded, judgement))
    return _lines(finding.measured(judgement), bounds, finding.other_clock(recorded, judgement))


def _note(judgements: Sequence[Judgement]) -> str:
    levels = sorted({each.level for each in judgements if each.level is not None})
    clocks = sorted({"CPU" if each.metric == "cpu" else "wall" for each in judgements})
    shown = " or ".join(f"{100 * level:.4g} %" for level in levels)
    intervals = f", with {shown} intervals over n processes" if shown else ""
    return f"Speed-up in {' or '.join(clocks)} time{intervals}."


def strips(recorded: Recorded) -> Table:
    """Each claim's verdicts over the scales and on the first call of a process, and after how many calls it pays."""
    rows = tuple(
        Row(
            (
                f"{each.claim}\n{finding.arm_and_reference(each.comparison)}",
                "\n".join(f"{spot.scale:,}: {_spot(spot)}" for spot in each.strip),
                "-" if each.cold is None else _spot(each.cold),
                finding.break_even(each),
            )
        )
        for each in recorded.all(Judgement)
        if len(each.strip) > 1 or each.cold is not None
    )
    unit = " or ".join(sorted({each.comparison.unit for each in recorded.all(Judgement) if each.strip}))
    columns = (
        Column("claim", 14),
        Column(f"at {unit}", None),
        Column("first call", 22),
        Column("breaks even", 14),
    )
    note = (
        "Verdicts at every scale and on the first call of a process (compiled code on disk), each by its own 95 % "
        "interval; calls after which a slower first call is made up for."
    )
    return Table("Over scales, and cold", note, columns, rows)


def _spot(spot: Spot) -> str:
    return f"{finding.factor(spot.speedup)} {labelled(spot.verdict)}"


def memory(recorded: Recorded) -> Table:
    """What a pass of every arm takes beyond what was there before, by each method that was used."""
    weighed = recorded.all(Memory)
    baselines = {(each.optimization, each.workload): each for each in weighed if each.arm == "baseline"}
    used = [name for name in MEMORY_COLUMNS if any(MEMORY_COLUMNS[name](each) is not None for each in weighed)]
    rows = []
    for each in weighed:
        baseline = baselines.get((each.optimization, each.workload))
        rows.append(Row((f"{each.optimization} {each.arm}", *(_figure(each, baseline, name) for name in used))))
    columns = (Column("arm", None), *(Column(name, 14) for name in used))
    note = (
        "Of one pass at the headline scale, beyond what was there before, and the ratio to the baseline. Peak RSS is "
        "the kernel's high-water mark, traced is tracemalloc and Arrow's pool; memory_profiler polls, as a cross-check."
    )
    return Table("Memory", note, columns, tuple(rows))


def _peak(method: Method) -> Callable[[Memory], float | None]:
    return lambda memory: _median(each.peak_bytes for each in memory.readings if each.method == method)


MEMORY_COLUMNS: Mapping[str, Callable[[Memory], float | None]] = {
    "peak RSS": _peak("peak_rss"),
    "traced peak": _peak("traced"),
    "live after": lambda memory: _median(each.live_bytes for each in memory.readings if each.method == "traced"),
    "allocations": lambda memory: _median(each.allocations for each in memory.readings),
    "polled": _peak("memory_profiler"),
}


def _median(values: Iterable[int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _figure(memory: Memory, baseline: Memory | None, column: str) -> str:
    value = MEMORY_COLUMNS[column](memory)
    if value is None:
        return "-"
    if column == "peak RSS" and value <= RESOLUTION:
        return f"< {finding.size(RESOLUTION)}"
    shown = f"{value:,.0f}" if column == "allocations" else finding.size(value)
    reference = None if baseline is None or baseline is memory else MEMORY_COLUMNS[column](baseline)
    return shown if not reference else f"{shown}\n{value / reference:.3g} of it"


def beside(recorded: Recorded, *, brief: bool = False) -> Table:
    """Results that no headline verdict rests on: other arms and, unless ``brief``, the variants at other scales."""
    judged = {each.comparison for each in recorded.all(Judgement)}
    elsewhere = {
        msgspec.structs.replace(each.comparison, scale=spot.scale)
        for each in recorded.all(Judgement)
        for spot in each.strip
    }
    told = judged | elsewhere if brief else judged
    rows = tuple(
        Row(
            (
                f"{each.comparison.optimization} {finding.arm_and_reference(each.comparison)}",
                f"{each.comparison.workload} at {each.comparison.place}",
                f"{finding.speedup(each.cpu.speedup)}\n"
                + finding.interval(each.cpu.speedup_interval, each.cpu.replicates),
                f"{finding.duration(each.candidate_ns)}\nfrom {finding.duration(each.reference_ns)}",
            )
        )
        for each in sorted(recorded.all(Result), key=lambda each: each.comparison)
        if each.comparison not in told
    )
    columns = (Column("arm", 20), Column("workload", None), Column("speed-up", 20), Column("time per call", 14))
    return Table("Measured beside them", "Speed-up in CPU time; no claim rests on these.", columns, rows)


def first_calls(recorded: Recorded, shortest_ns: int = 0) -> Table:
    """What an arm's first call took in a fresh process, at the first scale at which it was made."""
    compiled: dict[tuple[str, str, str], Cold] = {}
    for each in recorded.all(Cold):
        if each.compiled:
            compiled.setdefault((each.optimization, each.workload, each.arm), each)
    rows = tuple(
        Row(
            (
                f"{cold.optimization} {cold.arm}",
                f"{cold.workload} at {cold.scale} {cold.unit}",
                finding.duration(cold.first_call_ns),
                _or_dash(_first_call_from_disk(recorded, cold)),
                _or_dash(_later_call(recorded, cold)),
            )
        )
        for cold in compiled.values()
        if cold.first_call_ns >= shortest_ns
    )
    columns = (
        Column("arm", 20),
        Column("workload", None),
        Column("empty cache", 11),
        Column("disk cache", 10),
        Column("later call", 10),
    )
    note = "The first call of a process with an empty and with a filled cache of compiled code, and a later call."
    if shortest_ns:
        note += f" Only first calls from {finding.duration(shortest_ns)} up; the saved report has all."
    return Table("First calls", note, columns, rows)


def _first_call_from_disk(recorded: Recorded, cold: Cold) -> float | None:
    times: list[int | None] = [
        each.first_call_ns
        for each in recorded.all(Cold)
        if not each.compiled and _place(each) == _place(cold) and each.arm == cold.arm
    ]
    for samples in recorded.all(Samples):
        if _place(samples.comparison) == _place(cold):
            times += [samples.reference_first_call_ns] * (samples.comparison.reference == cold.arm)
            times += [samples.candidate_first_call_ns] * (samples.comparison.candidate == cold.arm)
    taken = [time for time in times if time is not None]
    return median(taken) if taken else None


def _later_call(recorded: Recorded, cold: Cold) -> float | None:
    for each in recorded.all(Result):
        if _place(each.comparison) == _place(cold):
            if each.comparison.candidate == cold.arm:
                return each.candidate_ns
            if each.comparison.reference == cold.arm:
                return each.reference_ns
    return None


def _place(of: Comparison | Cold) -> tuple[str, str, int]:
    return of.optimization, of.workload, of.scale


def _or_dash(nanoseconds: float | None) -> str:
    return "-" if nanoseconds is None else finding.duration(nanoseconds)


def in_words(recorded: Recorded) -> list[Table]:
    """Each claim as it was published, and what was seen in full sentences; a terminal has no room for it."""
    seen: dict[tuple[str, str], list[str]] = {}
    for each in recorded.all(Judgement):
        seen.setdefault((each.claim, each.text), []).append(each.sentence)
    rows = tuple(Row((claim, text, "\n".join(sentences))) for (claim, text), sentences in seen.items())
    columns = (Column("claim", 14), Column("as published", None), Column("seen", None))
    return [Table("In words", "", columns, rows)] if rows else []


NOTES = ("puts off", "unstable", "drift", "position", "autocorrelation")
"""Flags that are said in a remark; the others stand in the rows themselves."""


def remarks(recorded: Recorded) -> list[str]:
    """Acceptance, outputs that differ, and arms that could not be measured, a sentence each."""
    lines = [
        f"The consensus accepted {each.accepted:,} of {each.symbol_cycles:,} symbol-cycles ({100 * each.rate:.3g} %)."
        for each in recorded.all(Acceptance)
        if each.symbol_cycles
    ]
    lines += [
        f"{each.optimization} {each.arm}, {each.workload or 'decisions of the pipeline'}: {each.output}."
        for each in recorded.all(Fidelity)
        if not each.faithful
    ]
    lines += [f"{each.optimization} {each.arm}: {each.kind}, {each.reason}." for each in recorded.all(Failure)]
    lines += [
        f"{each.claim} {each.arm} is inconclusive; it would take {each.needs}."
        for each in recorded.all(Judgement)
        if each.needs is not None
    ]
    noted = (
        f"{each.optimization} {each.arm}, {each.comparison.workload}: {flag}."
        for each in recorded.all(Judgement)
        for flag in each.flags
        if flag.startswith(NOTES)
    )
    lines += dict.fromkeys(noted)  # several claims may rest on one comparison
    lines += _method_dependent(recorded)
    lines += _declared(recorded)
    lines += [finding.calibrated(recorded)] if recorded.all(Judgement) else []
    return lines


def _declared(recorded: Recorded) -> Iterator[str]:
    """How the claims of a user's functions were read, and what it costs that some are local."""
    for each in recorded.all(Declared):
        if each.claim is not None:
            yield f'{each.name}: "{each.claim}" was read as: {Benchmark.of(each).claims[0].reading}.'
        if each.isolation == "shared":
            yield (
                f"{each.name}: local functions, copied to one process for both; heap, garbage collector and what they "
                "close over are common to them. Functions of a module get a process each."
            )


def _method_dependent(recorded: Recorded) -> Iterator[str]:
    """Savings of memory that two methods do not agree on."""
    weighed = recorded.all(Memory)
    for reference in (each for each in weighed if each.arm == "baseline"):
        for each in weighed:
            same = (each.optimization, each.workload) == (reference.optimization, reference.workload)
            if same and each is not reference and (flag := disagreement(reference.readings, each.readings)) is not None:
                yield f"{each.optimization} {each.arm}, memory: {flag}."


def _lines(*lines: str) -> str:
    return "\n".join(line for line in lines if line)


def terminal(recorded: Recorded) -> Group:
    """For a rich console: every number stays on one line in 80 columns."""
    parts: list[Any] = [
        Text(f"{finding.finding(recorded)}.", style="bold"),
        Text(f"{finding.setting(recorded)}\n", style="dim"),
    ]
    for table in tables(recorded, brief=True):
        parts += [terminal_table(table), Text()]
    listed = RichTable.grid(padding=(0, 1))
    for line in remarks(recorded):
        listed.add_row("*", Text(line, overflow="fold"))
    return Group(*parts, listed)


def terminal_table(table: Table) -> RichTable:
    """A table for a rich console of 80 columns or more."""
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
    for position, column in enumerate(table.columns):
        longest = max(len(line) for row in table.rows for line in row.cells[position].split("\n"))
        width = None if column.width is None else min(max(longest, len(column.name)), column.width)
        drawn.add_column(column.name, width=width, overflow="fold")
    for row in table.rows:
        drawn.add_row(*_terminal_cells(table, row))
    return drawn


def _terminal_cells(table: Table, row: Row) -> Iterator[Text]:
    for column, cell in zip(table.columns, row.cells, strict=True):
        first, *further = _fitted(_brief(cell) if column.name == "output" else cell, column.width).split("\n")
        colour = MARKS[row.word].terminal if row.word is not None and column is table.columns[-1] else ""
        weight = "bold" if row.strong and column in (table.columns[0], table.columns[-1]) else ""
        yield Text.assemble((first, f"{weight} {colour}".strip()), *((f"\n{line}", "dim") for line in further))


def _fitted(cell: str, width: int | None) -> str:
    """The cell with lines that are too long broken before a parenthesis or after a comma, never inside a number."""
    lines = cell.split("\n")
    return "\n".join(
        line if width is None or len(line) <= width else line.replace(" (", "\n(").replace(", ", ",\n")
        for line in lines
    )


def _brief(output: str) -> str:
    return output if len(output) <= LONGEST_OUTPUT else output.split(":")[0].split(" (")[0]


def markdown(recorded: Recorded) -> str:
    """The tables and remarks as GitHub shows them, without any style."""
    parts = []
    for table in [*tables(recorded), *in_words(recorded)]:
        header = [column.name for column in table.columns]
        body = [[_markdown_cell(row, cell) for cell in row.cells] for row in table.rows]
        lines = [f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *body)]
        parts += [f"**{table.title}.** {table.note}".rstrip(), "\n".join(lines)]
    if lines := [f"- {plain(line)}" for line in remarks(recorded)]:
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _markdown_cell(row: Row, cell: str) -> str:
    lines = [plain(line) for line in cell.split("\n")]
    if row.strong and cell in (row.cells[0], row.cells[-1]):
        lines[0] = f"**{lines[0]}**"
    return "<br>".join(lines)


def plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    escaped = markup.escape(text, quote=False)
    return "".join(f"\\{each}" if each in "\\`*_[]|~" else each for each in escaped).replace("\n", " ")


FRAME = (
    "font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:var(--jp-ui-font-size1,13px);"
    "color:var(--jp-ui-font-color1,#1b1f24);background:var(--jp-layout-color1,#ffffff)"
)
CELL = (
    "text-align:left;vertical-align:top;padding:4px 14px 4px 0;border-bottom:1px solid var(--jp-border-color2,#d0d7de)"
)
MUTED = "color:var(--jp-ui-font-color2,#57606a)"


def html(recorded: Recorded) -> str:
    """Self-contained, in the colours of the notebook's theme."""
    parts = [f'<div style="{FRAME}"><p><strong>{markup.escape(finding.finding(recorded))}.</strong></p>']
    for table in [*tables(recorded), *in_words(recorded)]:
        head = "".join(f'<th scope="col" style="{CELL}">{markup.escape(column.name)}</th>' for column in table.columns)
        body = "".join(f"<tr>{''.join(_html_cells(row))}</tr>" for row in table.rows)
        caption = (
            f'<strong>{markup.escape(table.title)}.</strong> <span style="{MUTED}">{markup.escape(table.note)}</span>'
        )
        parts.append(
            f'<table style="border-collapse:collapse;margin:0 0 1em 0">'
            f'<caption style="text-align:left;padding:4px 0">{caption}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )
    items = "".join(f"<li>{markup.escape(line)}</li>" for line in remarks(recorded))
    return "".join(parts) + (f"<ul>{items}</ul>" if items else "") + "</div>"


LONGEST_UNBROKEN = 48
"""Characters up to which a cell of the page keeps its lines whole: numbers and intervals do, sentences break."""


def _html_cells(row: Row) -> Iterator[str]:
    last = len(row.cells) - 1
    for position, cell in enumerate(row.cells):
        first, *further = map(markup.escape, cell.split("\n"))
        if row.strong and position == 0:
            first = f"<strong>{first}</strong>"
        if row.word is not None and position == last:
            colour = legible(MARKS[row.word].hue, "#ffffff")
            first = (
                f'<span style="background:{colour};color:#ffffff;padding:1px 6px;border-radius:3px;'
                f'white-space:nowrap;font-weight:{600 if row.strong else 400}">{first}</span>'
            )
        rest = "".join(f'<br><span style="{MUTED}">{line}</span>' for line in further)
        wrap = "" if len(cell) > LONGEST_UNBROKEN else ";white-space:nowrap"
        yield f'<td style="{CELL}{wrap}">{first}{rest}</td>'
