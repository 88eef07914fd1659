"""Takes one reading of one arm's memory in this process, which is fresh.

The request (an arm, a method and a processor to stay on) comes as JSON on stdin and the answer goes out where stdout
was; what the arm prints goes to stderr. Only the standard library is imported, and what the arm and the method need,
since every import would be part of what is resident before the pass. With ``each``, a path and modules as arguments it
answers one request per line, each in a copy of a process that has imported these modules.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import mmap
import os
import re
import sys
import tempfile
import threading
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...parent import die_with_parent
from .bodies import Body, body_of, describe_error, extend_path
from .children import Children, Peaks
from .timing import FunctionBody

Reading = dict[str, Any]
"""Holds what one method saw of one pass of an arm, with the fields of ``records.Reading``."""

POLLED_S = 0.001
PROFILER_POLLED_S = 0.1
RESOLUTION = max(64, 2 * (os.cpu_count() or 1)) * mmap.PAGESIZE
"""A smaller difference in bytes of resident memory means nothing: each processor counts this many pages by itself
before the kernel adds them to the sum that it shows."""
COUNTED_AT_ONCE = 8 * RESOLUTION
"""A change of this many bytes in one step is always added to the kernel's sum at once."""
PR_SET_THP_DISABLE = 41


def make_reading(
    method: str, how: str, exact: bool, peak_bytes: int, live_bytes: int | None = None, **more: int | None
) -> Reading:
    return {
        "type": "reading",
        "method": method,
        "how": how,
        "exact": exact,
        "peak_bytes": peak_bytes,
        "live_bytes": live_bytes,
        "resolution_bytes": 1 if method in ("traced", "allocations") else RESOLUTION,
        **more,
    }


class Ready:
    """Holds an arm after its first call, with the inputs of one pass at hand and no garbage left over.

    ``kept_bytes`` is what the first call of a user's function left behind: what is still allocated where it is
    ``traced``, or else what is still resident, in child processes too. It is 0 where it is not notable, and None where
    it cannot be told from modules that the call ``imported`` or from what numba ``compiled``.
    """

    def __init__(self, body: Body, *, traced: bool = False) -> None:
        body.keep(min(body.calls, body.few))
        self.body = body
        self.run: Callable[[], object]
        self.children = Children() if isinstance(body, FunctionBody) else None
        self.imported: list[str] = []
        self.kept_bytes: int | None = None
        if isinstance(body, FunctionBody):
            self.run = self._call_first(body, TracedGrowth() if traced else ResidentGrowth())
        else:
            body.first_call()
            self.run = partial(body.time_calls, body.prepare_calls(), 1)
        gc.collect()
        self._filled = fill_free_blocks()
        give_back()

    def _call_first(self, body: FunctionBody, growth: ResidentGrowth | TracedGrowth) -> Callable[[], object]:
        """Make the first call of a user's function, see what it keeps, and return the pass."""
        assert self.children is not None
        modules, compiled = set(sys.modules), count_compiled()
        body.first_call()
        run = partial(body.time_calls, body.prepare_calls(), 1)
        gc.collect()
        kept = growth.read() + self.children.read_kept()
        self.imported = sorted(sys.modules.keys() - modules)
        if not self.imported and count_compiled() == compiled:
            self.kept_bytes = kept if kept >= growth.notable else 0
        return run


def count_compiled() -> int:
    """Count the signatures that numba has compiled in this process."""
    if (dispatcher := sys.modules.get("numba.core.dispatcher")) is None:
        return 0
    # The type is asked, since isinstance would ask a dead weak proxy for its class, which raises.
    found = [each for each in gc.get_objects() if issubclass(type(each), dispatcher.Dispatcher)]
    return sum(len(each.signatures) for each in found)


def give_back() -> None:
    """Have allocators give back to the system what they hold in reserve."""
    if (pyarrow := sys.modules.get("pyarrow")) is not None:
        pyarrow.default_memory_pool().release_unused()
    if (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(0)


class ResidentGrowth:
    """Measures by how much the memory that this process holds grows, apart from files and from Python's reserve.

    Less than ``notable`` bytes are no data: libraries set up pools and tables of their own in their first call.
    """

    notable = 2 << 20

    def __init__(self) -> None:
        gc.collect()
        self._before = self._read_now()

    def _read_now(self) -> int:
        give_back()
        try:
            held = read_kibibytes("/proc/self/smaps_rollup", b"\nAnonymous:")
        except (OSError, ValueError):  # there is no such thing elsewhere
            return 0
        return held - sum(size * free for size, free in count_free_blocks().items())

    def read(self) -> int:
        return self._read_now() - self._before


class TracedGrowth:
    """Measures by how much what Python and Arrow have allocated grows; it is traced until that is read.

    Less than ``notable`` bytes are no data: the interpreter keeps small caches of its own.
    """

    notable = 1 << 16

    def __init__(self) -> None:
        self._arrow = ArrowPool()
        tracemalloc.start()

    def read(self) -> int:
        held = tracemalloc.get_traced_memory()[0] + self._arrow.live
        tracemalloc.stop()
        return held


def fill_free_blocks() -> list[object]:
    """Put an object into every free block that Python's allocator holds in reserve, and return these objects.

    The reserve is resident already: a pass that was served from it would seem to need less memory than it does.
    """
    return [make_block(size, number) for size, free in count_free_blocks().items() for number in range(free)]


def count_free_blocks() -> dict[int, int]:
    """Count the free blocks of Python's allocator by their size in bytes; unused pools count as blocks of the largest.

    Empty where Python does not tell.
    """
    with tempfile.TemporaryFile() as shown, stderr_to(shown.fileno()):
        getattr(sys, "_debugmallocstats", int)()
        shown.seek(0)
        text = shown.read().decode()
    sizes = {int(size): int(free) for size, free in re.findall(r"^ +\d+ +(\d+) +\d+ +\d+ +(\d+)$", text, re.MULTILINE)}
    if sizes and (pools := re.search(r"(\d+) unused pools \* (\d+) bytes", text)):
        largest = max(sizes)
        sizes[largest] += int(pools[1]) * (int(pools[2]) // largest)
    return sizes


def make_block(size: int, number: int) -> object:
    """Make an object that takes a block of ``size`` bytes; a bytes object has 33 of its own."""
    return object() if size <= 16 else 1_000_000 + number if size <= 32 else bytes(size - 33)


@contextmanager
def stderr_to(descriptor: int) -> Iterator[None]:
    kept = os.dup(2)
    os.dup2(descriptor, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


# Resident memory


def read_peak_rss(ready: Ready) -> Reading:
    """Read the kernel's own high-water mark, which is reset just before the pass.

    Where it cannot be reset, the mark of the whole child is read.
    """
    if not can_reset_high_water():
        return read_peak_of_the_whole_child(ready)
    settle_counters()
    reset_high_water()
    before = read_resident()
    ready.run()
    return make_reading("peak_rss", "VmHWM reset", True, max(0, read_high_water() - before), baseline_bytes=before)


def can_reset_high_water() -> bool:
    """Say whether the system lets us reset the mark, and does it: some sandboxes accept the write and do nothing."""
    try:
        reset_high_water()
        return read_high_water() - read_resident() < COUNTED_AT_ONCE
    except (OSError, ValueError):
        return False


def read_peak_of_the_whole_child(ready: Ready) -> Reading:
    """Return the most that this process ever had, less what it had before the pass: start and first call are included.

    It is VmHWM, where there is one, since ``ru_maxrss`` begins with what the parent had.
    """
    before = read_psutil_rss()
    ready.run()
    try:
        peak, how = read_high_water(), "VmHWM of the whole child"
    except (OSError, ValueError):
        peak, how = read_most_resident(), "getrusage of the whole child"
    return make_reading("peak_rss", how, False, max(0, peak - before), baseline_bytes=before)


def reset_high_water() -> None:
    """Set VmHWM to what is resident now. Raises OSError where the system has no such thing or forbids it."""
    descriptor = os.open("/proc/self/clear_refs", os.O_WRONLY)
    try:
        os.write(descriptor, b"5")
    finally:
        os.close(descriptor)


def read_high_water() -> int:
    return read_kibibytes("/proc/self/status", b"VmHWM:")


def read_resident() -> int:
    """Return the resident bytes from the page tables: VmRSS of ``status`` may be a few pages per processor behind."""
    return read_kibibytes("/proc/self/smaps_rollup", b"\nRss:")


def read_kibibytes(path: str, field: bytes) -> int:
    """Read a field of a file under /proc, in bytes.

    Raises OSError without such a file, ValueError without the field.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        text = os.read(descriptor, 1 << 14)
    finally:
        os.close(descriptor)
    start = text.index(field) + len(field)
    return int(text[start : text.index(b"kB", start)]) * 1024


def settle_counters() -> None:
    """Make the kernel add up what it counted on every processor alone, of file pages and of others.

    VmHWM is taken from sums to which a processor adds its own count in steps of many pages. A change larger than a step
    is added at once, with all that was waiting on that processor.
    """
    maps = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    files = {line.split(maxsplit=5)[-1] for line in maps if "/" in line}
    largest = max([sys.executable, *filter(os.path.isfile, files)], key=os.path.getsize)
    size = min(COUNTED_AT_ONCE, os.path.getsize(largest))
    stay = os.sched_getaffinity(0)
    with open(largest, "rb") as file:
        for processor in range(os.cpu_count() or 1):
            with suppress(OSError):
                os.sched_setaffinity(0, {processor})
                with mmap.mmap(file.fileno(), size, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ) as pages:
                    pages[:: mmap.PAGESIZE]
                with mmap.mmap(-1, COUNTED_AT_ONCE, flags=mmap.MAP_PRIVATE) as pages:
                    pages[:: mmap.PAGESIZE] = bytes(COUNTED_AT_ONCE // mmap.PAGESIZE)
    os.sched_setaffinity(0, stay)


def read_ru_maxrss(ready: Ready) -> Reading:
    """Read what getrusage has seen at the end: the most of this process, or of its parent, from which it began."""
    before = read_psutil_rss()
    ready.run()
    how = "getrusage of the whole child"
    return make_reading("ru_maxrss", how, False, max(0, read_most_resident() - before), baseline_bytes=before)


def read_most_resident() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def poll_rss(ready: Ready) -> Reading:
    """Let a thread look every millisecond, when it is scheduled: what comes and goes between two looks is missed."""
    seen: list[int] = []
    done = threading.Event()

    def poll() -> None:
        while not done.wait(POLLED_S):
            seen.append(read_psutil_rss())

    poller = threading.Thread(target=poll)
    poller.start()
    before = read_psutil_rss()
    try:
        ready.run()
    finally:
        done.set()
        poller.join()
    peak = max([before, *seen]) - before
    return make_reading("polled_rss", "psutil polled every 1 ms", False, peak, baseline_bytes=before)


def run_memory_profiler(ready: Ready) -> Reading:
    """Call memory_usage at its defaults: it polls at 100 ms, and again at shorter steps where it saw too little."""
    from memory_profiler import memory_usage

    before = read_psutil_rss()
    peak = int(memory_usage((ready.run, (), {}), interval=PROFILER_POLLED_S, max_usage=True) * 1024**2)
    how = "memory_usage polled every 100 ms, faster where the pass is short"
    return make_reading("memory_profiler", how, False, max(0, peak - before), baseline_bytes=before)


def read_psutil_rss() -> int:
    import psutil

    return int(psutil.Process().memory_info().rss)


# What allocators say


class ArrowPool:
    """Measures what Arrow's default pool holds beyond what it held before, and its peak; 0 where Arrow is not loaded.

    The peak of a pool cannot be reset. A buffer that nobody touches lifts what is allocated up to the old peak, so that
    whatever is allocated on top moves the peak.
    """

    def __init__(self) -> None:
        self._pool: Any = None
        if (pyarrow := sys.modules.get("pyarrow")) is not None:
            self._pool = pyarrow.default_memory_pool()
            self._lift = pyarrow.allocate_buffer(self._pool.max_memory() - self._pool.bytes_allocated())
            self._before = self._pool.bytes_allocated()

    @property
    def peak(self) -> int:
        return int(self._pool.max_memory() - self._before) if self._pool else 0

    @property
    def live(self) -> int:
        return int(self._pool.bytes_allocated() - self._before) if self._pool else 0


def trace_allocations(ready: Ready) -> Reading:
    """Read tracemalloc, which sees Python, numpy and numba, and add Arrow's pool.

    The peak is the sum of both peaks, as if they came at the same moment.
    """
    arrow = ArrowPool()
    tracemalloc.start()
    ready.run()
    peak = tracemalloc.get_traced_memory()[1] + arrow.peak
    gc.collect()
    kept = tracemalloc.get_traced_memory()[0] + arrow.live
    tracemalloc.stop()
    live = kept if ready.body.is_stored else measure_held_bytes(ready.body)
    return make_reading("traced", "tracemalloc and Arrow's pool", True, peak, max(0, live))


def measure_held_bytes(body: Body) -> int:
    """Return the bytes that the results of a pass hold, with what the arm keeps for them."""
    live = measure_bytes_after_pass(body)
    body.keep(0)
    return live if body.calls else live - measure_bytes_after_pass(body)


def measure_bytes_after_pass(body: Body) -> int:
    """Return the bytes that the results of a pass and the arm's new state hold.

    For a pass without calls these are the bytes of the state alone.
    """
    arrow = ArrowPool()
    tracemalloc.start()
    held = body.collect_results()
    gc.collect()
    live = tracemalloc.get_traced_memory()[0] + arrow.live
    tracemalloc.stop()
    del held
    return live


def count_allocations(ready: Ready) -> Reading:
    """Count every request to an allocator, Python's own included, beyond those of a pass over an empty function."""
    empty = FunctionBody(lambda: None)
    nothing = partial(empty.time_calls, empty.prepare_calls(), 1)
    count_requests(nothing)  # the first run includes what memray itself allocates once
    around, _ = count_requests(nothing)
    count, peak = count_requests(ready.run)
    return make_reading("allocations", "memray", True, peak, allocations=count - around)


def count_requests(run: Callable[[], object]) -> tuple[int, int]:
    """Count the requests for memory, and return them with the peak of what was held, in bytes."""
    import memray

    freed = (memray.AllocatorType.FREE, memray.AllocatorType.PYMALLOC_FREE, memray.AllocatorType.MUNMAP)
    with tempfile.TemporaryDirectory(prefix="argo-memray-") as folder:
        file = Path(folder) / "allocations.bin"
        with memray.Tracker(file, trace_python_allocators=True):
            run()
        recorded = memray.FileReader(file)
        # The total in the metadata also counts what was freed.
        count = sum(each.allocator not in freed for each in recorded.get_allocation_records())
        peak = recorded.metadata.peak_memory
        recorded.close()
    return count, peak


METHODS: dict[str, Callable[[Ready], Reading]] = {
    "peak_rss": read_peak_rss,
    "traced": trace_allocations,
    "polled_rss": poll_rss,
    "memory_profiler": run_memory_profiler,
    "ru_maxrss": read_ru_maxrss,
    "allocations": count_allocations,
}


def take_reading(request: Mapping[str, Any]) -> Reading:
    """Take one reading. ``imports`` are modules that a first call was found to import; they are loaded before it."""
    if request["processor"] is not None:
        os.sched_setaffinity(0, {request["processor"]})
    use_small_pages()
    method = request["method"]
    with closing(body_of(request["arm"])) as body:
        for module in request.get("imports", ()):
            with suppress(Exception):  # a part of another module, which comes with it
                importlib.import_module(module)
        ready = Ready(body, traced=method == "traced")
        if ready.children is None or method not in JUDGED:
            return METHODS[method](ready)
        ready.children.begin_pass()
        reading = METHODS[method](ready)
        peaks = ready.children.end_pass()
        return add_up(reading, ready, peaks)


JUDGED = ("peak_rss", "traced")
"""Claims about a user's functions are judged by these methods; the cross-checks may start processes themselves."""


def add_up(reading: Reading, ready: Ready, peaks: Peaks | None) -> Reading:
    """Add to a reading what the first call keeps and what child processes came to, as if all came at one moment.

    Raises UserError for children where the method does not see them.
    """
    if peaks is not None and reading["method"] != "peak_rss":
        raise UserError('it allocates in a child process, which this method does not see: measure metric="peak_rss"')
    kept, live = ready.kept_bytes or 0, reading["live_bytes"]
    found = {
        **reading,
        "peak_bytes": reading["peak_bytes"] + kept,
        "live_bytes": None if live is None else live + kept,
        "kept_bytes": ready.kept_bytes,
        "imported": ready.imported,
    }
    if peaks is None:
        return found
    return found | {
        "how": f"{reading['how']}, with children {peaks.how}",
        "exact": False,
        "peak_bytes": found["peak_bytes"] + peaks.peak_bytes,
        "children": peaks.children,
        "children_bytes": peaks.peak_bytes,
    }


def use_small_pages() -> None:
    """Turn huge pages off: with them one touched byte would count as 2 MiB on some machines and as 4 KiB on others."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)


def serve(answer: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
    """Answer the one request on stdin, or say what was raised; stdout is stderr from here on."""
    out = os.dup(1)
    os.dup2(2, 1)
    reply = answer_request(sys.stdin.buffer.read(), answer)
    with os.fdopen(out, "wb") as stdout:
        stdout.write(reply)


def answer_request(asked: bytes, answer: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> bytes:
    try:
        return json.dumps(answer(json.loads(asked))).encode()
    except Exception as error:  # noqa: BLE001 - an arm may raise anything; the orchestrator records it
        return json.dumps(describe_error(error)).encode()


def serve_each() -> None:
    """Answer the requests on stdin, a line each, in copies of this process one after the other.

    Where a first call imports modules, the request is answered anew by a copy that has them before it, and so are
    further requests for the arm: what the call keeps can then be told from them.
    """
    imports: dict[str, list[str]] = {}
    with os.fdopen(os.dup(1), "wb") as stdout:
        os.dup2(2, 1)
        for line in sys.stdin.buffer:
            request = json.loads(line)
            arm = json.dumps(request["arm"])
            answer = answer_in_copy({**request, "imports": imports.get(arm, [])}, stdout.fileno())
            if arm not in imports and (imported := answer.get("imported")):
                imports[arm] = imported
                answer = answer_in_copy({**request, "imports": imported}, stdout.fileno())
            stdout.write(json.dumps(answer).encode() + b"\n")
            stdout.flush()


def answer_in_copy(request: Mapping[str, Any], stdout: int) -> dict[str, Any]:
    """Answer a request in a copy of this process, and wait for the copy alone.

    Processes that the arm has started may outlive it with all that it had open: there is no pipe that they could keep
    from ending, and ``stdout``, where the answers go, is stderr for them.
    """
    with os.fdopen(os.memfd_create("answer"), "r+b", buffering=0) as answer:
        if (child := os.fork()) == 0:
            die_with_parent()
            os.dup2(2, stdout, inheritable=False)
            answer.write(answer_request(json.dumps(request).encode(), take_reading))
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        answer.seek(0)
        written = answer.read()
    found: dict[str, Any] = {"type": "Ended", "code": code} if code or not written else json.loads(written)
    return found


def main(*arguments: str) -> None:
    """Take one reading; with ``each``, a path and modules as arguments, one reading per line of stdin."""
    match arguments:
        case ["each", path, *modules]:
            extend_path(path.split(os.pathsep))
            for module in modules:  # the copies then have what the arms need
                importlib.import_module(module)
            serve_each()
        case _:
            serve(take_reading)
