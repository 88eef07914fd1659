"""Provides the magics of ``%load_ext argo_bench``: %argo_env, %argo_run and %%argo_compare.

They return objects that show themselves. A mistake is reported in one sentence; progress is one line that is rewritten.
"""

from __future__ import annotations

import ast
import builtins
import shlex
import symtable
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from inspect import CO_COROUTINE
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NamedTuple, get_args

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments
from IPython.display import display

from argo_bench.comparison import Compared, compare
from argo_bench.controls import spell_controls
from argo_bench.errors import UserError
from argo_bench.extras import check_extra, find_missing
from argo_bench.harness.claims.metrics import MEASURED
from argo_bench.harness.compare import BUDGET_S, Interrupted
from argo_bench.harness.durations import seconds
from argo_bench.harness.machine import environment
from argo_bench.harness.machine.fitness import check_fitness
from argo_bench.harness.progress import Progress
from argo_bench.harness.record.records import Asked
from argo_bench.harness.run import make_run_id, measure
from argo_bench.opening import open_report
from argo_bench.optimizations.optimization import Trace
from argo_bench.report import Report
from argo_bench.report.machine import Machine
from argo_bench.report.progress import estimate_remaining, format_clock, progress_lines

UPDATED_EVERY_S = 0.5
MARKERS = ("#: baseline", "#: candidate")


@magics_class
class ArgoMagics(Magics):
    shell: InteractiveShell

    @line_magic
    def argo_env(self, line: str) -> Machine:
        """Whether this machine is fit for measuring, in plain words, and what would help."""
        return Machine(tuple(check_fitness()), environment.read_facts())

    @magic_arguments()
    @argument("ids", nargs="*", help="optimizations, such as O08; without any all of them")
    @argument("--quick", action="store_true", help="the main claims alone, in less time")
    @argument("--budget", type=seconds, help="time to aim at: 90s, 5m, 1h")
    @argument("--data", help="a file or folder of daily prices (bars); by default those that come with it")
    @argument("--symbols", type=int, help="number of symbols to trade")
    @argument("--seed", type=int, default=1)
    @argument("--trace", choices=get_args(Trace), help="how often prices change in the simulated market")
    @argument("--skip-unchanged", action="store_true", help="reuse the last signal while a price has hardly moved")
    @argument("--out", help="folder of the run; results/<time>-<profile> by default")
    @line_magic
    def argo_run(self, line: str) -> Report:
        """Measure optimizations, check their outputs and judge their claims, as ``argo-bench run`` does."""
        given = parse_arguments(self.argo_run, line)
        profile = "quick" if given.quick else "default"
        asked = Asked(
            given.ids, given.data, profile, given.symbols, given.seed, given.trace, given.skip_unchanged, False, False,
            given.budget,
        )  # fmt: skip
        with report_mistakes():
            check_extra("study", "%argo_run")
            from argo_bench.study.job import job_of

            job = job_of(asked)
            name = make_run_id(job.profile, datetime.now())
            directory = Path(given.out) if given.out else Path("results") / name
            with self._show_progress() as on_progress:
                interrupted = measure(job, directory, name, on_progress, check_fitness())
            report = open_report(directory)
            if find_missing("report") is None:
                report.save(directory)
        if interrupted:
            display(Line(f"interrupted: the verdicts rest on what was measured until then; the record is {directory}"))
        return report

    @magic_arguments()
    @argument("--claim", help="the published sentence to judge, as in '50-70%% reduction'")
    @argument("--check", default="allclose", choices=("allclose", "equal", "none"), help="how the values must agree")
    @argument("--metric", choices=MEASURED)
    @argument("--quick", action="store_true", help="four to ten replicates instead of six to 24")
    @argument("--budget", type=seconds, default=BUDGET_S, help="time for the whole: 90s, 5m")
    @argument("--seed", type=int, default=1)
    @argument("--out", help="folder of the record; one of the user's cache by default")
    @cell_magic
    def argo_compare(self, line: str, cell: str) -> Compared:
        """How much faster the block after ``#: candidate`` is than the one after ``#: baseline``.

        What stands before the first marker runs once, as in any cell. Each block ends with an expression, whose values
        must agree. A block is timed as the body of a function, in a process of its own: what it assigns is its own, as
        with %%timeit, and the notebook's variables stay as they are. After an interrupt the value is what was measured.
        """
        given = parse_arguments(self.argo_compare, line)
        with report_mistakes():
            functions = self._define_blocks(split_cell(cell))
            with self._show_progress() as on_progress:
                try:
                    return compare(
                        *functions,
                        check=None if given.check == "none" else given.check,
                        metric=given.metric,
                        claim=given.claim,
                        quick=given.quick,
                        budget_s=given.budget,
                        seed=given.seed,
                        out=given.out,
                        on_progress=on_progress,
                    )
                except Interrupted as stopped:
                    display(Line(f"interrupted: {stopped}"))
                    found: Compared = stopped.found  # type: ignore[assignment]
                    return found

    def _define_blocks(self, blocks: Blocks) -> list[FunctionType]:
        """Run what stands before the first block, and make a function of each block.

        What a reader of the cell may expect otherwise of its names is shown. Raises UserError as ``compile_function``
        and ``compare_names`` do.
        """
        setup = self._transform_cell(blocks.setup)
        if awaits(setup, "setup"):
            raise UserError("what stands before the first marker awaits something: run it in a cell of its own")
        exec(compile(setup, "<setup>", "exec"), self.shell.user_ns)
        codes = {name: self._transform_cell(getattr(blocks, name)) for name in ("baseline", "candidate")}
        functions = [compile_function(name, code, self.shell.user_ns) for name, code in codes.items()]
        for remark in compare_names({name: read_names(name, code) for name, code in codes.items()}, self.shell.user_ns):
            display(Line(remark))
        return functions

    def _transform_cell(self, code: str) -> str:
        return str(self.shell.transform_cell(code))

    @contextmanager
    def _show_progress(self) -> Iterator[Callable[[Progress], None]]:
        """Show progress in a notebook as one line that is rewritten, in a terminal as a line now and then."""
        if not hasattr(self.shell, "kernel"):
            with progress_lines() as show:
                yield show
            return
        handle = display(Line("starting"), display_id=True)
        began = last = time.monotonic()

        def update(state: Progress) -> None:
            nonlocal last
            if (now := time.monotonic()) - last >= UPDATED_EVERY_S:
                last = now
                share = state.spent_s / (state.spent_s + state.left_s)
                parts = (f"{share:.0%}", format_clock(estimate_remaining(state)), state.doing, state.seen)
                handle.update(Line(" · ".join(part for part in parts if part)))

        try:
            yield update
        finally:
            handle.update(Line(f"measured for {time.monotonic() - began:.0f} s"))


class Line:
    """Shows itself as a line of text, whatever the text holds."""

    def __init__(self, text: str) -> None:
        self._text = spell_controls(text)

    def __repr__(self) -> str:
        return self._text


class Blocks(NamedTuple):
    setup: str
    baseline: str
    candidate: str


def split_cell(cell: str) -> Blocks:
    """Split a cell into its parts. Raises UserError unless both markers stand there once, each on a line of its own."""
    lines = cell.splitlines()
    places = [[number for number, line in enumerate(lines) if line.strip() == marker] for marker in MARKERS]
    if any(len(each) != 1 for each in places) or places[0] > places[1]:
        found = ", ".join(f"{len(each)} of {marker!r}" for each, marker in zip(places, MARKERS, strict=True))
        raise UserError(f"expected a line {MARKERS[0]!r} and after it a line {MARKERS[1]!r}, got {found}")
    first, second = places[0][0], places[1][0]
    return Blocks(*("\n".join(part) for part in (lines[:first], lines[first + 1 : second], lines[second + 1 :])))


def compile_function(name: str, code: str, namespace: dict[str, Any]) -> FunctionType:
    """Make a function of a block that returns the value of its last expression; it is async where the block awaits.

    Raises UserError where the block does not end with an expression, is no Python, or could not run as a function.
    """
    defined, made = _define(name, code), dict[str, Any]()
    _check_names(name, defined, read_names(name, code))
    with _blaming(name):
        exec(compile(defined, f"<{name}>", "exec"), namespace, made)
    found: FunctionType = made[name]
    return found


def _define(name: str, code: str) -> ast.Module:
    """Return the definition of a block's function."""
    with _blaming(name):
        block = ast.parse(code, f"<{name}>")
    if not block.body or not isinstance(last := block.body[-1], ast.Expr):
        raise UserError(f"the {name} block must end with an expression: its value is what has to agree")
    block.body[-1] = ast.copy_location(ast.Return(last.value), last)
    defined = ast.parse(f"{'async def' if awaits(code, name) else 'def'} {name}():\n    pass", f"<{name}>")
    function = defined.body[0]
    assert isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
    function.body = block.body
    return ast.fix_missing_locations(defined)


def awaits(code: str, name: str) -> bool:
    """Say whether code awaits something outside its own functions. Raises UserError where it is no Python."""
    with _blaming(name):
        compiled: CodeType = compile(code, f"<{name}>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    return bool(compiled.co_flags & CO_COROUTINE)


@contextmanager
def _blaming(name: str) -> Iterator[None]:
    """Say of which part of the cell it is that Python does not understand it."""
    try:
        yield
    except SyntaxError as error:
        raise UserError(f"the {name} block cannot be compiled: {error.msg}, in its line {error.lineno}") from None


class Names(NamedTuple):
    """Holds the names that a block assigns as its own, those that it reads of the notebook, and those it would set."""

    assigned: frozenset[str]
    read: frozenset[str]
    set_outside: frozenset[str]


def read_names(name: str, code: str) -> Names:
    """Return the names of a block. Raises UserError as ``compile_function`` does for what is no Python."""
    with _blaming(name):
        function = symtable.symtable(ast.unparse(_define(name, code)), f"<{name}>", "exec").get_children()[0]
    own = function.get_symbols()
    every = [*_list_symbols(function)]
    return Names(
        frozenset(each.get_name() for each in own if each.is_local() and not each.is_imported()),
        frozenset(each.get_name() for each in every if each.is_global() and each.is_referenced()),
        frozenset(each.get_name() for each in every if each.is_declared_global() and each.is_assigned()),
    )


def _list_symbols(table: symtable.SymbolTable) -> Iterator[symtable.Symbol]:
    yield from table.get_symbols()
    for inner in table.get_children():
        yield from _list_symbols(inner)


def _check_names(name: str, defined: ast.Module, names: Names) -> None:
    """Raise UserError for a block that sets a variable of the notebook, or reads a name of its own too early."""
    if names.set_outside:
        listed = ", ".join(sorted(names.set_outside))
        raise UserError(
            f"the {name} block says global {listed}: it runs in another process, so that the notebook would not get "
            "the value; assign it before the first marker"
        )
    function = defined.body[0]
    assert isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
    if early := sorted(_find_early_reads(function.body) & names.assigned):
        raise UserError(
            f"the {name} block reads {early[0]} before it assigns it, and what a block assigns is its own: give what "
            "it assigns another name"
        )


def _find_early_reads(body: Sequence[ast.stmt]) -> set[str]:
    """Return the names that a block reads before any statement may have assigned them.

    Only plain statements are looked into; one with statements, a lambda or ``:=`` in it may run in another order.
    """
    assigned, early = set[str](), set[str]()
    for statement in body:
        nodes = [*ast.walk(statement)]
        names = [node for node in nodes if isinstance(node, ast.Name)]
        stored = {node.id for node in names if isinstance(node.ctx, ast.Store)}
        has_order = any(isinstance(node, ast.stmt | ast.Lambda | ast.NamedExpr) for node in nodes[1:])
        if not has_order:
            read = {node.id for node in names if not isinstance(node.ctx, ast.Store)} - _list_inner(nodes)
            early |= (read | stored if isinstance(statement, ast.AugAssign) else read) - assigned
        assigned |= stored | _list_defined(nodes)
    return early


def _list_inner(nodes: Sequence[ast.AST]) -> set[str]:
    """Return the names that comprehensions have for themselves."""
    targets = [each for node in nodes if isinstance(node, ast.comprehension) for each in ast.walk(node.target)]
    return {each.id for each in targets if isinstance(each, ast.Name)}


def _list_defined(nodes: Sequence[ast.AST]) -> set[str]:
    """Return the names that definitions, imports, handlers and patterns may assign."""
    found = (getattr(node, field, None) for node in nodes for field in ("name", "asname", "rest"))
    return {str(each).partition(".")[0] for each in found if each}


def compare_names(blocks: Mapping[str, Names], notebook: Mapping[str, Any]) -> list[str]:
    """Return what has to be said of names that mean another thing in a block than in a cell of its own.

    Raises UserError for a block that reads what the other one alone assigns.
    """
    remarks = []
    for name, other in (("baseline", "candidate"), ("candidate", "baseline")):
        for each in sorted(blocks[name].read & blocks[other].assigned):
            said = f"the {name} block reads {each}, which the {other} block assigns"
            if each not in notebook and not hasattr(builtins, each):
                raise UserError(f"{said}: each runs by itself; assign it before the first marker, or in both blocks")
            remarks.append(f"{said}: it has the value of before the cell's blocks, since each runs by itself")
    if kept := sorted((blocks["baseline"].assigned | blocks["candidate"].assigned) & notebook.keys()):
        remarks.append(f"the notebook's {', '.join(kept)} stays as it is: what a block assigns is its own")
    return remarks


def parse_arguments(magic: Any, line: str) -> Any:
    """Parse a magic's arguments; quoted ones lose their quotes. Raises UsageError for those that it does not know."""
    try:
        return magic.parser.parse_args(shlex.split(line))
    except ValueError as error:
        raise UsageError(f"{line}: {error}") from None


@contextmanager
def report_mistakes() -> Iterator[None]:
    """Show a user's mistake as IPython shows one: a sentence, without a traceback."""
    try:
        yield
    except UserError as error:
        raise UsageError(str(error)) from None


def register_magics(shell: InteractiveShell) -> None:
    shell.register_magics(ArgoMagics)
