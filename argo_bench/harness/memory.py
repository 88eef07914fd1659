"""The memory of an arm, one fresh process per reading: peak RSS, what allocators say, and cross-checks.

Memory is never read while timing. Readings of the kernel's counters are as fine as RESOLUTION; a saving that depends
on the method is reported as such.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Self, TypeVar

import msgspec

from argo_bench.errors import UserError
from argo_bench.extras import Requirement
from argo_bench.harness.functions import search_path
from argo_bench.harness.machine.environment import THREAD_CAPS, worker_cpu
from argo_bench.harness.record.records import Method, Reading
from argo_bench.harness.workers.memory import RESOLUTION
from argo_bench.harness.workers.messages import Arm, Ended, Raised
from argo_bench.harness.workers.processes import ArmFailed, job_of
from argo_bench.parent import start

__all__ = ["Method", "Reading", "disagreement", "measure", "memory_of", "peak_rss_runs"]

FORKED: tuple[Method, ...] = ("peak_rss", "traced")
"""Methods whose readings may be taken in copies of one process; the others bring more with them."""
REPEATABLE = 0.02
FEWEST_RUNS, MOST_RUNS = 2, 6
METHOD_DEPENDENT = 0.15
"""Savings further apart than this, as shares of the reference, are not one finding."""
Answer = TypeVar("Answer")

ALLOCATORS = {
    "MALLOC_MMAP_THRESHOLD_": "65536",
    "MALLOC_TRIM_THRESHOLD_": "65536",
    "MALLOC_ARENA_MAX": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}
"""What the child runs under, so that freed memory goes back at once and does not serve the pass unseen."""
NEEDS: dict[Method, Requirement] = {
    "memory_profiler": Requirement("memory_profiler", "memory"),
    "allocations": Requirement("memray", "memory"),
}


def available(methods: Sequence[Method]) -> list[Method]:
    """Those of the methods whose packages are installed."""
    return [method for method in methods if method not in NEEDS or NEEDS[method].is_met]


class Request(msgspec.Struct, frozen=True):
    """``processor`` is the one to stay on, if any."""

    arm: Arm
    method: Method
    processor: int | None = None


def measure(
    arm: Arm,
    method: Method,
    *,
    hash_seed: int = 0,
    numba_cache: Path | None = None,
    processor: int | None = None,
) -> Reading:
    """One reading by one method, in a fresh process on one processor, the workers' unless another is named.

    Raises UserError where the method's package is not installed, ArmFailed where the arm raises or its process dies.
    """
    check_installed(method)
    request = Request(arm, method, worker_cpu() if processor is None else processor)
    return ask(job_of("memory"), request, Reading, hash_seed, numba_cache)


def check_installed(method: Method) -> None:
    """Raises UserError, with the line that installs it, where the method's package is missing."""
    if (need := NEEDS.get(method)) is not None and not need.is_met:
        raise UserError(f"the method {method} needs {need.module}, which is not installed: {need.install_line}")


def ask(
    command: Sequence[str], request: Any, expected: type[Answer], hash_seed: int, numba_cache: Path | None
) -> Answer:
    """What a command that serves requests answers from a fresh process. Raises ArmFailed as ``measure`` does."""
    with _started(command, hash_seed, numba_cache) as child:
        try:
            written, _ = child.communicate(msgspec.json.encode(request))
        except BaseException:
            child.kill()
            raise
    if child.returncode or not written:
        raise ArmFailed(_ended(child.returncode))
    answer: Answer | Raised = msgspec.json.decode(written, type=expected | Raised)
    if isinstance(answer, Raised):
        raise ArmFailed(answer.error, answer.details)
    return answer


class Forks:
    """A process that has imported some modules and answers requests in copies of itself, which begin at once.

    A context manager. What is resident already is no part of a reading: those in copies are the same as those in new
    processes, within the counter's resolution. Where processes cannot be copied, every reading begins one.
    """

    def __init__(self, hash_seed: int, numba_cache: Path, modules: Sequence[str] = ()) -> None:
        self._begun_with = hash_seed, numba_cache
        command = job_of("memory", "each", os.pathsep.join(search_path()), *modules)
        self._process = _started(command, hash_seed, numba_cache) if sys.platform == "linux" else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._process is not None:
            self._process.kill()
            with self._process:
                pass

    def ask(self, request: Request) -> Reading:
        """Raises ArmFailed where the arm raises or its process dies."""
        if self._process is None:
            return ask(job_of("memory"), request, Reading, *self._begun_with)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(msgspec.json.encode(request) + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise ArmFailed(_ended(self._process.wait())) from None
        if not (line := self._process.stdout.readline()):
            raise ArmFailed(_ended(self._process.wait()))
        answer = msgspec.json.decode(line, type=Reading | Raised | Ended)
        if isinstance(answer, Reading):
            return answer
        if isinstance(answer, Raised):
            raise ArmFailed(answer.error, answer.details)
        raise ArmFailed(_ended(answer.code))


def _started(command: Sequence[str], hash_seed: int, numba_cache: Path | None) -> subprocess.Popen[bytes]:
    environment = os.environ | THREAD_CAPS | ALLOCATORS | {"PYTHONHASHSEED": str(hash_seed)}
    if numba_cache is not None:
        environment["NUMBA_CACHE_DIR"] = str(numba_cache)
    return start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)


def _ended(code: int) -> str:
    return f"its process ended with {'signal' if code < 0 else 'exit status'} {abs(code)}"


def memory_of(
    arm: Arm,
    methods: Sequence[Method],
    hash_seed: int,
    numba_cache: Path,
    processor: int | None = None,
    forks: Forks | None = None,
) -> list[Reading]:
    """The readings by several methods in their order, of peak RSS as many as ``peak_rss_runs`` takes; those FORKED by
    ``forks``, where there are any."""

    def once(method: Method) -> Reading:
        if forks is not None and method in FORKED:
            return forks.ask(Request(arm, method, worker_cpu() if processor is None else processor))
        return measure(arm, method, hash_seed=hash_seed, numba_cache=numba_cache, processor=processor)

    found: list[Reading] = []
    for method in methods:
        found += peak_rss_runs(partial(once, method)) if method == "peak_rss" else [once(method)]
    return found


def peak_rss_runs(once: Callable[[], Reading]) -> list[Reading]:
    """Two readings of peak RSS, or six where the two differ by more than 2 % and RESOLUTION."""
    runs = [once() for _ in range(FEWEST_RUNS)]
    while len(runs) < MOST_RUNS and not is_repeatable(runs):
        runs.append(once())
    return runs


def is_repeatable(runs: Sequence[Reading]) -> bool:
    peaks = [each.peak_bytes for each in runs if each.peak_bytes is not None]
    return max(peaks) - min(peaks) <= max(REPEATABLE * max(peaks), RESOLUTION)


def disagreement(reference: Sequence[Reading], candidate: Sequence[Reading]) -> str | None:
    """Which two methods see savings of peak memory more than 15 points apart, or None.

    A method that sees no more than RESOLUTION in the reference has nothing to say: polling misses what is short.
    """
    methods = dict.fromkeys(each.method for each in reference)
    savings = {method: saved for method in methods if (saved := _saving(method, reference, candidate)) is not None}
    if not savings:
        return None
    most, least = max(savings, key=savings.__getitem__), min(savings, key=savings.__getitem__)
    if savings[most] - savings[least] <= METHOD_DEPENDENT:
        return None
    return f"method-dependent: {savings[most]:+.0%} saved by {most}, {savings[least]:+.0%} by {least}"


def _saving(method: Method, reference: Sequence[Reading], candidate: Sequence[Reading]) -> float | None:
    before, after = (
        [each.peak_bytes for each in readings if each.method == method and each.peak_bytes is not None]
        for readings in (reference, candidate)
    )
    if not before or not after or (baseline := median(before)) <= RESOLUTION:
        return None
    return 1 - median(after) / baseline
