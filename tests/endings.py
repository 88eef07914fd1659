"""Waits for what should end, and fails where it does not, rather than waiting for ever."""

from __future__ import annotations

import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from argo_bench.harness.workers.children import read_status

PATIENCE_S = 60.0


def begin(action: Callable[[], object]) -> Callable[[], Any]:
    """Begin an action in a thread; return a function that returns what it comes to, which may be an error."""
    results: SimpleQueue[object] = SimpleQueue()

    def run() -> None:
        try:
            results.put(action())
        except Exception as error:  # noqa: BLE001 - it is the result
            results.put(error)

    Thread(target=run, daemon=True).start()

    def finish() -> Any:
        try:
            return results.get(timeout=PATIENCE_S)
        except Empty:
            raise AssertionError(f"it has not ended in {PATIENCE_S:g} s") from None

    return finish


def finish(action: Callable[[], object]) -> Any:
    """Return what an action comes to, which may be an error."""
    return begin(action)()


def await_true(condition: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, f"it has not come true in {PATIENCE_S:g} s"
        time.sleep(0.01)


def await_end(process: int) -> None:
    await_true(lambda: not read_status(process))
