"""Counts what one warm call takes, exactly: bytes, allocations, bytecode instructions, and a benchmark's own counts.

As a job of its own it only makes calls, whose machine instructions Callgrind counts. It uses the standard library
alone.
"""

from __future__ import annotations

import gc
import json
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from ...errors import UserError
from .bodies import Arm, Body, body_of, find_function
from .instrumentation import Callgrind

LONGEST_TRACED_S = 0.5
"""A call that takes more CPU time is not traced: counting its bytecode instructions takes some 50 times as long."""
WARM_CALLS = 3
"""After this many calls Python's interpreter has specialized what it will in short calls, and caches are filled."""


def take_counts(arm: Arm, counts: str) -> dict[str, Any]:
    """Count bytes, allocations and bytecode instructions of one warm call, and call the benchmark's own counter.

    Of a body that only counts, return its own counts alone, and of one whose calls are made ``inside`` of something,
    such as a test, count there; one that can be called once alone has no warm call.
    """
    body = body_of(arm)
    if (take_own := getattr(body, "take_own_counts", None)) is not None:
        with closing(body):
            return {"counts": take_own(), "by_function": {}}
    if (inside := getattr(body, "inside", None)) is not None:
        with closing(body):
            counted: dict[str, Any] = inside(lambda own: _take_counts(own, counts))
            return counted
    return _take_counts(body, counts)


def _take_counts(body: Body, counts: str) -> dict[str, Any]:
    if getattr(body, "is_once", False):
        return {"counts": {}, "by_function": {}}
    for _ in range(WARM_CALLS):
        started = time.process_time()
        body.first_call()
        seconds = time.process_time() - started
    counted: dict[str, float] = {"peak bytes": measure_peak_bytes(body)}
    if (allocations := _count_allocations(body)) is not None:
        counted["allocations"] = allocations
    by_function: Counter[CodeType] = Counter()
    if seconds < LONGEST_TRACED_S:
        prepared = body.prepare_calls()
        with _without_collection(), count_instructions_into(by_function):
            body.time_calls(prepared, 1)
        counted["bytecode instructions"] = sum(by_function.values())
    if counts:
        counted |= _call_counter(counts)
    named: Counter[str] = Counter()
    for code, number in by_function.items():
        named[f"{Path(code.co_filename).name}:{code.co_qualname}"] += number
    return {"counts": counted, "by_function": dict(named)}


def _call_counter(target: str) -> dict[str, float]:
    own = find_function(target)()
    if not isinstance(own, Mapping) or not all(isinstance(each, int | float) for each in own.values()):
        raise UserError(f"{target} counts: expected a dict of numbers by name, got {own!r}")
    return {str(name): value for name, value in own.items()}


@contextmanager
def _without_collection() -> Iterator[None]:
    """Collect no garbage within the block: when a collection comes depends on everything before."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def measure_peak_bytes(body: Body) -> int:
    """Return the bytes that are allocated at most at a time during one call, as tracemalloc sees them."""
    prepared = body.prepare_calls()
    with _without_collection():
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            body.time_calls(prepared, 1)
            return tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()


def _count_allocations(body: Body) -> int | None:
    """Count the calls of the allocators by memray; None where the interpreter does not have it."""
    try:
        import memray
    except ImportError:
        return None
    import tempfile

    prepared = body.prepare_calls()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "allocations"
        with _without_collection(), memray.Tracker(file, trace_python_allocators=True):
            body.time_calls(prepared, 1)
        return int(memray.FileReader(file).metadata.total_allocations)


@contextmanager
def count_instructions_into(counts: Counter[CodeType]) -> Iterator[None]:
    """Count every bytecode instruction that this thread executes within the block, by code object."""
    if sys.version_info >= (3, 12):
        monitoring = sys.monitoring
        tool, event = monitoring.PROFILER_ID, monitoring.events.INSTRUCTION

        def count(code: CodeType, offset: int) -> None:
            counts[code] += 1

        monitoring.use_tool_id(tool, "argo-bench")
        monitoring.register_callback(tool, event, count)
        monitoring.set_events(tool, event)
        try:
            yield
        finally:
            monitoring.set_events(tool, 0)
            monitoring.register_callback(tool, event, None)
            monitoring.free_tool_id(tool)
    else:

        def trace(frame: FrameType, event: str, argument: object) -> Callable[..., Any]:
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            counts[frame.f_code] += event == "opcode"
            return trace

        sys.settrace(trace)
        try:
            yield
        finally:
            sys.settrace(None)


def main(arm: str, times: str) -> None:
    """Make ``times`` calls after the warm ones, and then twice as many, each counted by Callgrind, and nothing else."""
    callgrind = Callgrind()
    body = body_of(json.loads(arm))
    for _ in range(WARM_CALLS):
        body.first_call()
    for calls in (int(times), 2 * int(times)):
        with _without_collection(), callgrind.counting():
            body.sample(calls)
