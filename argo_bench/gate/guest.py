"""A worker for the interpreter of a checkout, which need not have argo-bench: it calls and counts what it is told to.

Started as ``python -P guest.py FD PROCESSOR PARENT`` it answers the messages of ``harness.messages`` as JSON over a
socket; as ``python -P guest.py ARM CALLS`` it calls the function of an arm so often, for an instruction counter. The
standard library alone.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import json
import os
import pickle
import sys
import time
import traceback
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import TYPE_CHECKING, Any

LONGEST_TRACED_S = 0.5
"""Of a call whose bytecode instructions are counted, which takes some 50 times as long."""
WARM_CALLS = 3
"""After which Python's interpreter has specialized what it will in short calls, and caches are filled."""


def module_of(name: str, file: Path, *, beside: bool) -> ModuleType:
    """The module in a file. ``beside``: modules in its folder are found too, after all others."""
    if beside and str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))
    specification = importlib.util.spec_from_file_location(name, file)
    if specification is None or specification.loader is None or not file.is_file():
        raise ImportError(f"no file at {file}")
    module = sys.modules[name] = importlib.util.module_from_spec(specification)
    try:
        specification.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


if TYPE_CHECKING:
    from argo_bench import errors
    from argo_bench.harness.workers import timing as calls
else:
    # The package beside this file under a name of its own: the interpreter may have another one, or none.
    sys.modules["_argo_bench"] = ModuleType("_argo_bench")
    sys.modules["_argo_bench"].__path__ = [str(Path(__file__).parents[1])]
    calls = importlib.import_module("_argo_bench.harness.workers.timing")
    errors = importlib.import_module("_argo_bench.errors")

Message = Mapping[str, Any]
Reply = dict[str, Any]


def benchmark_file(file: Path) -> ModuleType:
    """A file with benchmarks, of which the head's stands for both sides: what it imports is the side's own."""
    for name in (file.stem, f"argo_bench_{file.stem}"):
        known = sys.modules.get(name)
        if known is None:
            return module_of(name, file, beside=True)
        if getattr(known, "__file__", None) == str(file):
            return known
    raise ImportError(f"{file} has the name of other modules: rename it")


def body_of(arm: Message) -> calls.FunctionBody:
    function = calls.resolved(arm["function"], benchmark_file, arm.get("path", ()))
    setup = calls.resolved(arm["setup"], benchmark_file) if arm.get("setup") else None
    return calls.FunctionBody(function, setup, arm.get("fresh", False))


class Guest:
    """The process's state: bodies by arm."""

    def __init__(self) -> None:
        self._bodies: dict[str, calls.FunctionBody] = {}

    def answer(self, message: Message) -> Reply:
        match message["type"]:
            case "Prepare":
                return self._prepare(message["arm"], message.get("is_known", False))
            case "WarmUp":
                body = self._body(message["arm"])
                return {"type": "Ready", "passes": body.warm_up(message["least_ns"]), "calls": body.calls}
            case "Sample":
                wall_ns, cpu_ns = self._body(message["arm"]).sample(message["passes"])
                return {"type": "Taken", "wall_ns": wall_ns, "cpu_ns": cpu_ns}
            case "Drain":
                return {"type": "Drained", "ns_per_call": None}
            case "Collect":
                gc.collect()
                return {"type": "Done"}
            case "Describe":
                return described(message["arm"], Path(message["results"]))
            case "Count":
                return counted(message["arm"], message.get("counts", ""))
            case other:
                raise TypeError(f"a guest has no answer to {other}")

    def _prepare(self, arm: Message, is_known: bool) -> Reply:
        body = self._bodies[json.dumps(arm)] = body_of(arm)
        taken = [_wall_ns(body) for _ in range(1 if is_known else 2)]
        call_ns = None if is_known else taken[1]
        return {"type": "Prepared", "first_call_ns": taken[0], "call_ns": call_ns, "calls": body.calls}

    def _body(self, arm: Message) -> calls.FunctionBody:
        return self._bodies[json.dumps(arm)]


def _wall_ns(body: calls.FunctionBody) -> int:
    started = time.perf_counter_ns()
    body.first_call()
    return time.perf_counter_ns() - started


def described(arm: Message, results: Path) -> Reply:
    """What two calls return, in a file, and what was imported for them."""
    body = body_of(arm)
    first = body.first_call()
    timing = body.timed(body.prepared(), 1)
    second = body.first_call()
    unpicklable = None
    try:
        results.write_bytes(pickle.dumps([first, second]))
    except Exception as error:  # noqa: BLE001 - what cannot be pickled refuses in any way
        unpicklable = f"{type(error).__name__}: {error}"
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    return {
        "type": "Described",
        "files": sorted(str(file) for file in files if file),
        "waits": calls.waits(timing),
        "unpicklable": unpicklable,
    }


def counted(arm: Message, counts: str) -> Reply:
    """Bytes, allocations and bytecode instructions of one warm call, and what the benchmark's own counter says."""
    body = body_of(arm)
    for _ in range(WARM_CALLS):
        started = time.perf_counter()
        body.first_call()
        seconds = time.perf_counter() - started
    found: dict[str, float] = {"peak bytes": _peak_bytes(body)}
    if (allocations := _allocations(body)) is not None:
        found["allocations"] = allocations
    by_function: Counter[CodeType] = Counter()
    if seconds < LONGEST_TRACED_S:
        prepared = body.prepared()
        with _uncollected(), instructions_into(by_function):
            body.timed(prepared, 1)
        found["bytecode instructions"] = sum(by_function.values())
    if counts:
        found |= _own_counts(counts)
    named: Counter[str] = Counter()
    for code, number in by_function.items():
        named[f"{Path(code.co_filename).name}:{code.co_qualname}"] += number
    return {"type": "Counted", "counts": found, "by_function": dict(named)}


def _own_counts(target: str) -> dict[str, float]:
    own = calls.resolved(target, benchmark_file)()
    if not isinstance(own, Mapping) or not all(isinstance(each, int | float) for each in own.values()):
        raise errors.UserError(f"{target} counts: expected a dict of numbers by name, got {own!r}")
    return {str(name): value for name, value in own.items()}


@contextmanager
def _uncollected() -> Iterator[None]:
    """No collection of garbage within: when one comes depends on everything before."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _peak_bytes(body: calls.FunctionBody) -> int:
    prepared = body.prepared()
    with _uncollected():
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            body.timed(prepared, 1)
            return tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()


def _allocations(body: calls.FunctionBody) -> int | None:
    """Calls of the allocators, by memray; None where the interpreter does not have it."""
    try:
        import memray
    except ImportError:
        return None
    import tempfile

    prepared = body.prepared()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "allocations"
        with _uncollected(), memray.Tracker(file, trace_python_allocators=True):
            body.timed(prepared, 1)
        return int(memray.FileReader(file).metadata.total_allocations)


@contextmanager
def instructions_into(counts: Counter[CodeType]) -> Iterator[None]:
    """Every bytecode instruction that this thread executes within, by code object."""
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


def serve(connection: Connection) -> None:
    """Answer messages until the other end closes."""
    guest = Guest()
    while True:
        try:
            message = json.loads(connection.recv_bytes())
        except (EOFError, OSError):
            return
        try:
            reply = guest.answer(message)
        except errors.UserError as error:
            reply = {"type": "Raised", "error": str(error), "details": "", "is_missing": True}
        except Exception as error:  # noqa: BLE001 - a user's function may raise anything; the orchestrator records it
            error_line = f"{type(error).__name__}: {error}"
            reply = {"type": "Raised", "error": error_line, "details": traceback.format_exc(), "is_missing": False}
        connection.send_bytes(json.dumps(reply).encode())


def call(arm: Message, times: int) -> None:
    """Nothing but so many calls, after the first ones, with the garbage left where it is."""
    body = body_of(arm)
    for _ in range(WARM_CALLS):
        body.first_call()
    with _uncollected():
        body.sample(times)


def main() -> None:
    match sys.argv[1:]:
        case [arm, times]:
            call(json.loads(arm), int(times))
        case [descriptor, processor, _]:
            if int(processor) >= 0:
                os.sched_setaffinity(0, {int(processor)})
            serve(Connection(int(descriptor)))


if __name__ == "__main__":
    main()
