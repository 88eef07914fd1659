"""Shows a claim, its reading and workload, and the code behind it: baseline, prescribed and engineered, as they run.

The code is taken from the functions that the edits exchange, so it cannot differ from what is measured.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.padding import Padding
from rich.rule import Rule
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from argo_bench.errors import UserError
from argo_bench.harness.claims.claim import Claim
from argo_bench.optimizations import catalogue
from argo_bench.optimizations.optimization import SIMPLE, VARIANTS, Optimization, Workload
from argo_bench.pipeline import baseline
from argo_bench.pipeline.memo import Memo
from argo_bench.pipeline.model import Stage
from argo_bench.pipeline.record import PARTS, find_changed_parts
from argo_bench.report import finding

NARROWEST, GAP = 48, 2
"""Sources stand beside each other, with a gap, as long as each of them has this number of columns."""

KERNELS = "argo_bench.pipeline.kernels"

Edited = Mapping[str, tuple[Stage, Stage]]
"""The keys are the parts that a variant exchanges, by name; the values are each part before and after."""


@dataclass(frozen=True, slots=True)
class Source:
    """Holds a piece of source code, the module it is from, and its first line there."""

    title: str
    module: str
    first_line: int
    code: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text.assemble((self.title, "bold"), f"  {format_place(self.module, self.first_line)}")
        yield Syntax(_fold(self.code, options.max_width), "python", theme="ansi_dark", background_color="default")
        yield Text()


@dataclass(frozen=True, slots=True)
class Sources:
    """Holds pieces of source: as many as the console has room for stand beside each other, the others below them."""

    sources: Sequence[Source]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        room = max(1, (options.max_width + GAP) // (NARROWEST + GAP))
        for first in range(0, len(self.sources), room):
            beside = self.sources[first : first + room]
            if len(beside) == 1:
                yield beside[0]
                continue
            grid = Table.grid(padding=(0, GAP, 0, 0), pad_edge=False, expand=True)
            for _ in beside:
                grid.add_column(ratio=1)
            grid.add_row(*beside)
            yield grid


def explain_optimization(optimization: Optimization) -> Group:
    """Show what was claimed, how it is read and judged, what may change, and the source of the three versions."""
    parts: list[Any] = [Rule(f"{optimization.id} - {optimization.name}", align="left")]
    parts += [_show_claim(claim) for claim in optimization.claims]
    parts += [_show_workload(workload) for workload in optimization.workloads]
    parts += [Text(f"Output allowed to change: {optimization.may_change}."), Text()]
    for part, sources in find_exchanged(optimization).items():
        parts += [Rule(f"{part} stage", align="left"), Sources(sources)]
    return Group(*parts)


def find_exchanged(optimization: Optimization) -> Mapping[str, Sequence[Source]]:
    """Return the sources of every part that a variant or the simple way exchanges, by its name.

    The baseline's comes first, the simple way's last.
    """
    arms = VARIANTS if optimization.simple is None else (*VARIANTS, SIMPLE)
    edited: dict[str, Edited] = {
        arm: find_changed_parts(baseline.PIPELINE, getattr(optimization, arm)(baseline.PIPELINE)) for arm in arms
    }
    return {part: _sources(part, edited) for part in PARTS if any(part in pairs for pairs in edited.values())}


def _show_claim(claim: Claim) -> Group:
    span = finding.format_claimed(claim.kind, claim.low, claim.high)
    as_factor = finding.format_claimed_as_factor(claim.kind, claim.low, claim.high)
    references = dict.fromkeys(map(claim.against, VARIANTS))
    judged = f"{finding.noun_of(claim.metric)}, compared with {' or '.join(references)}"
    return Group(
        Text.assemble((claim.id, "bold"), f'{" (main claim)" if claim.headline else ""}  "{claim.text}"'),
        _indent(f"Published in: {claim.source}"),
        _indent(f"Claimed: {span}{as_factor and f', which is {as_factor}'}"),
        _indent(f"Understood as: {claim.reading}"),
        _indent(f"Judged on the workload: {claim.workload}; by {judged}"),
        *([_indent(f"What bounds any version: {claim.bound}")] if claim.bound else []),
        Text(),
    )


def _show_workload(workload: Workload) -> Group:
    scales = ", ".join(f"{scale:,}" for scale in workload.scales)
    return Group(
        Text.assemble("Workload ", (workload.name, "bold"), f" ({workload.stage} stage)"),
        _indent(f"{workload.description}; with {scales} {workload.unit}"),
        Text(),
    )


def _indent(words: str) -> Padding:
    return Padding(Text(words), (0, 0, 0, 2))


def _sources(part: str, edited: Mapping[str, Edited]) -> list[Source]:
    found = [source_of("baseline", part, getattr(baseline.PIPELINE, part))]
    return found + [source_of(v, part, pairs[part][1]) for v, pairs in edited.items() if part in pairs]


def source_of(title: str, part: str, stage: Stage) -> Source:
    """Return the code of a stage: the classes of its wrappers, the function under them, and what these call.

    Of what they call, only code of their own module and of the kernels is shown. A Memo is shown by the whole module
    that sets it up.
    """
    if isinstance(stage, Memo):
        return _module_source(title, f"argo_bench.pipeline.optimized.{part}")
    first, *called = dict.fromkeys(each for layer in _layers(part, stage) for each in find_called(layer))
    own = str(first.__module__)
    lines, number = _read_lines(first)
    code = ["".join(lines)]
    for each in called:
        lines, start = _read_lines(each)
        where = "" if each.__module__ == own else f"# {format_place(each.__module__, start)}\n"
        code.append(where + "".join(lines))
    return Source(title, own, number, "\n\n".join(code))


@functools.cache
def _read_lines(target: Any) -> tuple[list[str], int]:
    """Return the lines of a function or class and the number of the first; a page asks for those of each many times."""
    return inspect.getsourcelines(target)


def _layers(part: str, stage: Stage) -> Iterator[Any]:
    """Yield the functions and the classes of the wrappers that a stage consists of, from the outside in.

    The baseline's own function under a wrapper is left out.
    """
    yield _code_of(stage)
    while (inner := getattr(stage, "__wrapped__", None)) is not None and inner is not getattr(baseline.PIPELINE, part):
        yield _code_of(inner)
        stage = inner


def _code_of(stage: Any) -> Any:
    """Return the function that a stage is; else the class of the object that is called, or whose method is called."""
    function = python_function(stage)
    return function if inspect.isfunction(function) else type(getattr(function, "__self__", function))


def find_called(target: Any) -> list[Any]:
    """Return the target, and the functions and classes that it leads to, in the order in which they are met.

    Only those of the target's module and of the kernels count.
    """
    found = [target]
    for each in found:
        names = vars(sys.modules[each.__module__])
        for name in _names_in(each):
            other = python_function(names.get(name))
            is_code = inspect.isfunction(other) or inspect.isclass(other)
            if is_code and other.__module__ in (target.__module__, KERNELS) and other not in found:
                found.append(other)
    return found


def python_function(value: Any) -> Any:
    """Return the Python function under one that numba compiled; return any other value as it is."""
    return getattr(value, "py_func", value)


def _names_in(target: Any) -> Iterator[str]:
    codes = [each.__code__ for each in vars(target).values() if inspect.isfunction(each)]
    codes = codes if inspect.isclass(target) else [target.__code__]
    for code in codes:
        yield from code.co_names
        codes += [each for each in code.co_consts if inspect.iscode(each)]


def _module_source(title: str, module: str) -> Source:
    return Source(title, module, 1, inspect.getsource(importlib.import_module(module)))


def format_place(module: str, line: int) -> str:
    return f"{module.replace('.', '/')}.py, line {line}"


def _fold(code: str, width: int) -> str:
    """Continue lines that are too long below, further in, so that the shape of the code stays visible."""
    folded = []
    for line in code.rstrip().split("\n"):
        inner = " " * min(len(line) - len(line.lstrip()) + 8, width // 2)
        folded += textwrap.wrap(line, width, subsequent_indent=inner, break_on_hyphens=False) or [""]
    return "\n".join(folded)


def explain_stage(name: str) -> Group:
    """Show a part of the pipeline: its baseline and its optimized file, and the optimizations that touch it.

    Raises UserError with the closest name for a part that does not exist.
    """
    part = name.strip().lower()
    if part not in PARTS:
        close = difflib.get_close_matches(part, PARTS, 1, 0.4)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise UserError(f"unknown stage {name!r}: expected one of {', '.join(PARTS)}{hint}")
    files = [_module_source(folder, f"argo_bench.pipeline.{folder}.{part}") for folder in ("baseline", "optimized")]
    lines = [f"  {each.id} {each.name}: {', '.join(by)}" for each in catalogue().values() if (by := _edits(each, part))]
    touched = "Optimizations that change it:" if lines else "No optimization changes it."
    return Group(Rule(f"{part} stage", align="left"), Text("\n".join([touched, *lines, ""])), Sources(files))


def _edits(optimization: Optimization, part: str) -> list[str]:
    """Return the variants that exchange or wrap a part."""
    return [
        v
        for v in VARIANTS
        if part in find_changed_parts(baseline.PIPELINE, getattr(optimization, v)(baseline.PIPELINE))
    ]


def tabulate_optimizations(optimizations: Sequence[Optimization]) -> Table:
    """Tabulate the optimizations with their headline claims, and by what and on which workload they are judged."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("id", "name", "claimed", "judged by", "on"):
        table.add_column(column, overflow="fold")
    for optimization in optimizations:
        headline = [claim for claim in optimization.claims if claim.headline]
        for position, claim in enumerate(headline or optimization.claims[:1]):
            first = (optimization.id, optimization.name) if position == 0 else ("", "")
            table.add_row(*first, f'"{claim.text}"', finding.noun_of(claim.metric), claim.workload)
    return table
