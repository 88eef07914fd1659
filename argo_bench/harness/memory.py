"""Measures the memory of an arm, one fresh process per reading: peak RSS, what allocators report, and cross-checks.

Memory is never read while timing. Readings of the kernel's counters are no finer than RESOLUTION. Where methods
disagree about a saving, ``find_disagreement`` says so.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any, Self, TypeVar

import msgspec

from argo_bench.errors import UserError
from argo_bench.extras import Requirement
from argo_bench.harness.claims.metrics import Method
from argo_bench.harness.functions import search_path
from argo_bench.harness.machine.environment import THREAD_CAPS, worker_cpu
from argo_bench.harness.record.records import Reading
from argo_bench.harness.workers.memory import RESOLUTION
from argo_bench.harness.workers.messages import Arm, Ended, Raised
from argo_bench.harness.workers.processes import ArmFailed, job_command
from argo_bench.parent import start

__all__ = ["Method", "Reading", "find_disagreement", "take_reading", "take_readings"]

FORKED: tuple[Method, ...] = ("peak_rss", "traced")
"""The readings of these methods may be taken in copies of one process; the other methods load modules of their own."""
METHOD_DEPENDENT = 0.15
"""Savings further apart than this, as shares of the reference, are not one finding."""
Answer = TypeVar("Answer")

JEMALLOC = "dirty_decay_ms:0,muzzy_decay_ms:0"
ALLOCATORS = {
    "MALLOC_MMAP_THRESHOLD_": "65536",
    "MALLOC_TRIM_THRESHOLD_": "65536",
    "MALLOC_ARENA_MAX": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_CONF": JEMALLOC,
    "_RJEM_MALLOC_CONF": JEMALLOC,
    "MIMALLOC_PURGE_DELAY": "0",
}
"""The child runs under these settings, so that freed memory goes back to the system at once: of the C library, Arrow,
jemalloc (which polars has under a name of its own) and mimalloc. Otherwise the measured pass would reuse it, and the
reading would not see that."""
NEEDS: dict[Method, Requirement] = {
    "memory_profiler": Requirement("memory_profiler", "memory"),
    "allocations": Requirement("memray", "memory"),
}


def find_available(methods: Sequence[Method]) -> list[Method]:
    """Return the methods whose packages are installed."""
    return [method for method in methods if method not in NEEDS or NEEDS[method].is_met]


class Request(msgspec.Struct, frozen=True):
    """Asks for one reading of one arm. ``processor`` is the one to stay on; None leaves the choice to the system."""

    arm: Arm
    method: Method
    processor: int | None = None


def take_reading(
    arm: Arm,
    method: Method,
    *,
    hash_seed: int = 0,
    numba_cache: Path | None = None,
    processor: int | None = None,
) -> Reading:
    """Take one reading by one method, in a fresh process on one processor: the workers', unless another is named.

    Raises UserError where the method's package is not installed, ArmFailed where the arm raises or its process dies.
    """
    check_installed(method)
    request = Request(arm, method, worker_cpu() if processor is None else processor)
    return ask_fresh_process(job_command("memory"), request, Reading, hash_seed, numba_cache)


def check_installed(method: Method) -> None:
    """Raise UserError, with the command that installs it, where the method's package is missing."""
    if (need := NEEDS.get(method)) is not None and not need.is_met:
        raise UserError(f"the method {method} needs {need.module}, which is not installed: {need.install_line}")


def ask_fresh_process(
    command: Sequence[str], request: Any, expected: type[Answer], hash_seed: int, numba_cache: Path | None
) -> Answer:
    """Start a command, send it one request, and return its answer. Raises ArmFailed as ``take_reading`` does."""
    with _start_process(command, hash_seed, numba_cache) as child:
        try:
            written, _ = child.communicate(msgspec.json.encode(request))
        except BaseException:
            child.kill()
            raise
    if child.returncode or not written:
        raise ArmFailed(_describe_end(child.returncode))
    answer: Answer | Raised = msgspec.json.decode(written, type=expected | Raised)
    if isinstance(answer, Raised):
        raise ArmFailed(answer.error, answer.details)
    return answer


class Forks:
    """Keeps a process that has imported some modules, and answers each request in a copy of it, which starts at once.

    It is a context manager. Memory that was resident before the request is no part of a reading: readings in copies
    equal those in new processes, within the counter's resolution. Where processes cannot be copied, every reading
    starts a new one.
    """

    def __init__(self, hash_seed: int, numba_cache: Path, modules: Sequence[str] = ()) -> None:
        self._begun_with = hash_seed, numba_cache
        command = job_command("memory", "each", os.pathsep.join(search_path()), *modules)
        self._process = _start_process(command, hash_seed, numba_cache) if sys.platform == "linux" else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """End the process and all that the arms have started: it leads a session."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            with self._process:
                pass

    def ask(self, request: Request) -> Reading:
        """Take one reading. Raises ArmFailed where the arm raises or its process dies."""
        if self._process is None:
            return ask_fresh_process(job_command("memory"), request, Reading, *self._begun_with)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(msgspec.json.encode(request) + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise ArmFailed(_describe_end(self._process.wait())) from None
        if not (line := self._process.stdout.readline()):
            raise ArmFailed(_describe_end(self._process.wait()))
        answer = msgspec.json.decode(line, type=Reading | Raised | Ended)
        if isinstance(answer, Reading):
            return answer
        if isinstance(answer, Raised):
            raise ArmFailed(answer.error, answer.details)
        raise ArmFailed(_describe_end(answer.code))


def _start_process(command: Sequence[str], hash_seed: int, numba_cache: Path | None) -> subprocess.Popen[bytes]:
    environment = os.environ | THREAD_CAPS | ALLOCATORS | {"PYTHONHASHSEED": str(hash_seed)}
    if numba_cache is not None:
        environment["NUMBA_CACHE_DIR"] = str(numba_cache)
    return start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)


def _describe_end(code: int) -> str:
    return f"its process ended with {'signal' if code < 0 else 'exit status'} {abs(code)}"


def take_readings(
    arm: Arm,
    methods: Sequence[Method],
    hash_seed: int,
    numba_cache: Path,
    processor: int | None = None,
    forks: Forks | None = None,
) -> list[Reading]:
    """Take a reading by each method under one hash seed, in their order.

    Where ``forks`` is given, it takes the readings of the FORKED methods.
    """

    def once(method: Method) -> Reading:
        if forks is not None and method in FORKED:
            return forks.ask(Request(arm, method, worker_cpu() if processor is None else processor))
        return take_reading(arm, method, hash_seed=hash_seed, numba_cache=numba_cache, processor=processor)

    return [msgspec.structs.replace(once(method), hash_seed=hash_seed) for method in methods]


def find_disagreement(reference: Sequence[Reading], candidate: Sequence[Reading]) -> str | None:
    """Name the two methods whose savings of peak memory lie more than 15 percentage points apart, or return None.

    A method that sees no more than RESOLUTION in the reference is left out: polling misses what is short.
    """
    methods = dict.fromkeys(each.method for each in reference)
    savings = {
        method: saved for method in methods if (saved := _compute_saving(method, reference, candidate)) is not None
    }
    if not savings:
        return None
    most, least = max(savings, key=savings.__getitem__), min(savings, key=savings.__getitem__)
    if savings[most] - savings[least] <= METHOD_DEPENDENT:
        return None
    return f"method-dependent: {savings[most]:+.0%} saved by {most}, {savings[least]:+.0%} by {least}"


def _compute_saving(method: Method, reference: Sequence[Reading], candidate: Sequence[Reading]) -> float | None:
    before, after = (
        [each.peak_bytes for each in readings if each.method == method and each.peak_bytes is not None]
        for readings in (reference, candidate)
    )
    if not before or not after or (baseline := median(before)) <= RESOLUTION:
        return None
    return 1 - median(after) / baseline
