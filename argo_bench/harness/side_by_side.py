"""Does work without a clock on all processors at once: checks in worker processes, and readings of memory in theirs."""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

from argo_bench.harness.workers.messages import Message, Returned
from argo_bench.harness.workers.processes import ArmFailed, OutOfTime, WorkerProcess

Key = TypeVar("Key")
Value = TypeVar("Value")


def list_processors() -> list[int]:
    """Return the processors that this process may use; empty where the system does not tell."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def count_processors() -> int:
    return len(list_processors()) or os.cpu_count() or 1


def ask_side_by_side(
    questions: Mapping[Key, Message], hash_seed: int, numba_cache: Path
) -> Iterator[tuple[Key, Returned | ArmFailed]]:
    """Yield the answer to every question with its key, as it comes, or the failure where an arm raised.

    A worker that has died is replaced, so that one arm's crash does not end another's call.
    """
    with ExitStack() as stack:
        idle: queue.SimpleQueue[WorkerProcess] = queue.SimpleQueue()

        def start_worker() -> WorkerProcess:
            worker = WorkerProcess(hash_seed, numba_cache, processor=None)
            stack.callback(worker.close)
            return worker

        for _ in range(min(count_processors(), len(questions))):
            idle.put(start_worker())

        def ask(message: Message) -> Returned | ArmFailed:
            worker = idle.get()
            try:
                if not worker.is_alive:
                    worker = start_worker()
                return worker.ask(message, Returned)
            except ArmFailed as error:
                return error
            finally:
                idle.put(worker)

        yield from run_side_by_side({key: _bind(ask, message) for key, message in questions.items()})


def _bind(call: Callable[[Message], Value], message: Message) -> Callable[[], Value]:
    return lambda: call(message)


def run_side_by_side(
    calls: Mapping[Key, Callable[[], Value]], until: float | None = None
) -> Iterator[tuple[Key, Value]]:
    """Yield what the calls return with their keys, as it comes; as many run at once as there are processors.

    Calls that have not begun when the caller ends early are dropped. Raises OutOfTime where they have not all returned
    at ``until``, a moment of the monotonic clock.
    """
    threads = ThreadPoolExecutor(count_processors())
    running: dict[Future[Value], Key] = {threads.submit(call): key for key, call in calls.items()}
    try:
        for done in as_completed(running, None if until is None else max(0.0, until - time.monotonic())):
            yield running[done], done.result()
    except TimeoutError:
        raise OutOfTime from None
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
