"""Shows what each line of a stage added to the resident memory in one call, by memory_profiler, arm by arm.

Run as a program, this module measures one arm in a process of its own, since memory_profiler runs the functions line by
line. ``show_line_memory`` starts it for each arm and shows the answers.
"""

from __future__ import annotations

import inspect
import json
import os
import pickle
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from types import FunctionType
from typing import Any

import msgspec
from rich.console import Group
from rich.rule import Rule
from rich.text import Text

from argo_bench.harness.machine.environment import worker_cpu
from argo_bench.harness.memory import ask_fresh_process, check_installed
from argo_bench.harness.surroundings import scratch_directory
from argo_bench.harness.workers.memory import Ready, serve, use_small_pages
from argo_bench.harness.workers.messages import Arm
from argo_bench.harness.workers.processes import ArmFailed
from argo_bench.optimizations.optimization import VARIANTS, Optimization
from argo_bench.pipeline import baseline
from argo_bench.pipeline.model import Stage
from argo_bench.study.report.explain import find_called, format_place, python_function

NOTE = (
    "Increments are changes of the resident memory between two looks of memory_profiler: whole pages of 4 KiB, so that "
    "small allocations show as zero or on a later line, and memory_profiler's own records (a few KiB) are among them. "
    "A line that calls a function includes what happened there. For figures that are exact measure peak RSS."
)


class LineRequest(msgspec.Struct, frozen=True):
    arm: Arm
    processor: int | None


class Line(msgspec.Struct, frozen=True):
    """Holds a line that ran: how often, and by how much the memory was larger after it, summed over all times."""

    number: int
    code: str
    times: int
    increment_bytes: int


class Profiled(msgspec.Struct, frozen=True):
    """Holds the lines of one Python function, without its head."""

    name: str
    module: str
    first_line: int
    lines: list[Line]


class Lines(msgspec.Struct, frozen=True, tag=True):
    """Holds the functions of an arm that ran, and the names of those that numba compiles, whose lines are hidden."""

    functions: list[Profiled]
    compiled: list[str]


def show_line_memory(optimization: Optimization) -> Group:
    """Show the headline workload's stage, line by line, in the baseline and both variants, at its largest scale.

    Raises UserError where memory_profiler is not installed.
    """
    from argo_bench.pipeline.market import installed_sample
    from argo_bench.study.recording import find_shortage, record
    from argo_bench.study.subject import stage_arm

    check_installed("memory_profiler")
    claim = next((each for each in optimization.claims if each.headline), optimization.claims[0])
    workload, universe = optimization.workload(claim.workload), installed_sample()
    scale = max(each for each in workload.scales if find_shortage(workload, each, universe) is None)
    title = f"{optimization.id} - {optimization.name}: memory, line by line"
    once = "one cycle" if workload.inputs == "trace" else "one call"
    what = f"The {workload.stage} stage, {once} of the workload {workload.name!r} at {scale:,} {workload.unit}."
    parts: list[Any] = [Rule(title, align="left"), Text(f"{what} {NOTE}"), Text()]
    with scratch_directory() as around:
        scratch = around.scratch
        inputs = scratch / "inputs.pickle"
        inputs.write_bytes(pickle.dumps(record(workload, universe, scale, seed=1)))
        for name in ("baseline", *VARIANTS):
            arm = stage_arm(optimization.id, (workload.name, scale), name, inputs)
            parts += [Rule(name, align="left"), *_show_arm(arm, scratch / "numba")]
    return Group(*parts)


def _show_arm(arm: Arm, numba_cache: Path) -> Iterator[Any]:
    try:
        request = LineRequest(arm, worker_cpu())
        command = [sys.executable, "-m", "argo_bench.study.report.line_memory"]
        lines = ask_fresh_process(command, request, Lines, hash_seed=0, numba_cache=numba_cache)
    except ArmFailed as error:
        yield Text(f"failed: {error}")
        return
    yield from map(render, lines.functions)
    if lines.compiled:
        yield Text(f"Compiled by numba, within the line that calls it: {', '.join(lines.compiled)}.")
        yield Text()


def render(function: Profiled) -> Group:
    """Show the function's lines with their increments, each on one line of the terminal."""
    shared = min(len(line.code) - len(line.code.lstrip()) for line in function.lines)
    rows = [Text(f"{'line':>6}{'times':>9}{'KiB':>9}", style="dim")]
    for line in function.lines:
        grew = f"{line.increment_bytes / 1024:+,.0f}" if line.increment_bytes else "0"
        figures = f"{line.number:>6}{line.times:>9,}", (f"{grew:>9}", "bold" if line.increment_bytes else "dim")
        rows.append(Text.assemble(*figures, f"  {line.code[shared:]}", no_wrap=True, overflow="ellipsis"))
    head = Text.assemble((function.name, "bold"), f"  {format_place(function.module, function.first_line)}")
    return Group(head, *rows, Text())


def measure_lines(request: LineRequest) -> Lines:
    """Run the stage's first call once more under memory_profiler, in this process."""
    from memory_profiler import LineProfiler

    from argo_bench.study.recording import load_inputs
    from argo_bench.study.replay import StageBody, workload_and_edit

    if request.processor is not None:
        os.sched_setaffinity(0, {request.processor})
    use_small_pages()
    arguments = json.loads(request.arm.arguments)
    inputs = arguments.pop("inputs")
    workload, edit = workload_and_edit(**arguments)
    functions = find_functions(getattr(edit(baseline.PIPELINE), workload.stage))
    # Each function has a profiler of its own: a shared one takes another function's last line for the line before.
    profilers = {function: LineProfiler() for function in functions if not is_compiled(function)}
    with closing(StageBody(workload, edit, load_inputs(inputs))) as body:
        body.keep(1)
        ready = Ready(body)
        with ExitStack() as enabled:
            for function, profiler in profilers.items():
                profiler.add_function(function)
                enabled.enter_context(profiler)
            ready.run()
    ran = [_collect_lines(function, each.code_map[function.__code__]) for function, each in profilers.items()]
    return Lines([each for each in ran if each.lines], [each.__name__ for each in functions if is_compiled(each)])


def find_functions(stage: Stage) -> list[FunctionType]:
    """Return the Python functions that a stage leads to: its own or its class's, and those that it wraps or holds."""
    target = python_function(stage)
    if inspect.isfunction(target):
        found = find_called(target)
    else:
        found = find_called(type(target))
        for held in vars(target).values() if hasattr(target, "__dict__") else ():
            if inspect.isfunction(python_function(held)) or hasattr(held, "__wrapped__"):
                found += find_functions(held)
    methods = [method for each in found for method in (vars(each).values() if inspect.isclass(each) else (each,))]
    functions = [each for each in methods if inspect.isfunction(each)]
    # Methods that NamedTuple or dataclass generate are not in the file of their class, and have no lines to show.
    return list(dict.fromkeys(each for each in functions if each.__code__.co_filename == inspect.getsourcefile(each)))


def is_compiled(function: FunctionType) -> bool:
    """Say whether numba compiles the function, so that its name stands for what numba made of it."""
    return hasattr(vars(sys.modules[function.__module__]).get(function.__name__), "py_func")


def _collect_lines(function: FunctionType, seen: dict[int, tuple[float, float, int]]) -> Profiled:
    """Collect the lines of a function, without its head: of that, memory_profiler says what was resident before."""
    source, first = inspect.getsourcelines(function)
    head = function.__code__.co_firstlineno
    lines = [
        Line(number, source[number - first].rstrip(), times, round(increment * 1024**2))
        for number, (increment, _, times) in sorted(seen.items())
        if number != head
    ]
    return Profiled(function.__qualname__, function.__module__, first, lines)


if __name__ == "__main__":
    serve(lambda request: msgspec.to_builtins(measure_lines(msgspec.convert(request, LineRequest))))
