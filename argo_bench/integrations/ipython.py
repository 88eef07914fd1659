"""Provides the magics of ``%load_ext argo_bench``: %argo_env, %argo_run and %%argo_compare.

They return objects that show themselves. A mistake is reported in one sentence; progress is one line that is rewritten.
"""

from __future__ import annotations

import ast
import shlex
import time
from collections.abc import Callable, Iterator
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
from argo_bench.errors import UserError
from argo_bench.extras import check_extra, find_missing
from argo_bench.harness.claims.metrics import MEASURED
from argo_bench.harness.compare import BUDGET_S
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
    @argument("--quick", action="store_true", help="headline claims alone")
    @argument("--budget", type=seconds, help="time to aim at: 90s, 5m, 1h")
    @argument("--data", help="a file or folder of bars; the installed sample by default")
    @argument("--symbols", type=int, help="symbols of the universe")
    @argument("--seed", type=int, default=1)
    @argument("--trace", choices=get_args(Trace), help="another market under every trace")
    @argument("--skip-unchanged", action="store_true", help="serve last signals while a price hardly moved")
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
    @argument("--quick", action="store_true", help="four to ten replicates")
    @argument("--budget", type=seconds, default=BUDGET_S, help="time for the whole: 90s, 5m")
    @argument("--seed", type=int, default=1)
    @argument("--out", help="folder of the record; a temporary one by default")
    @cell_magic
    def argo_compare(self, line: str, cell: str) -> Compared:
        """How much faster the block after ``#: candidate`` is than the one after ``#: baseline``.

        What stands before the first marker runs once, as in any cell. Each block ends with an expression, whose values
        must agree. A block is timed as the body of a function: what it assigns is its own.
        """
        given = parse_arguments(self.argo_compare, line)
        with report_mistakes():
            blocks = split_cell(cell)
            exec(compile(self._transform_cell(blocks.setup), "<setup>", "exec"), self.shell.user_ns)
            sources = {"baseline": blocks.baseline, "candidate": blocks.candidate}
            functions = [
                compile_function(name, self._transform_cell(code), self.shell.user_ns) for name, code in sources.items()
            ]
            with self._show_progress() as on_progress:
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
        self._text = text

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

    Raises UserError where the block does not end with an expression, SyntaxError where it is no Python.
    """
    block = ast.parse(code, f"<{name}>")
    if not block.body or not isinstance(last := block.body[-1], ast.Expr):
        raise UserError(f"the {name} block must end with an expression: its value is what has to agree")
    block.body[-1] = ast.copy_location(ast.Return(last.value), last)
    kind = "async def" if awaits(code, name) else "def"
    defined = ast.parse(f"{kind} {name}():\n    pass", f"<{name}>")
    function = defined.body[0]
    assert isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
    function.body = block.body
    made: dict[str, Any] = {}
    exec(compile(ast.fix_missing_locations(defined), f"<{name}>", "exec"), namespace, made)
    found: FunctionType = made[name]
    return found


def awaits(code: str, name: str) -> bool:
    """Say whether code awaits something outside its own functions."""
    compiled: CodeType = compile(code, f"<{name}>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    return bool(compiled.co_flags & CO_COROUTINE)


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
