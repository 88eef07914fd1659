"""Finds a function that leaves work behind: tasks, threads or computing that go on when its call has returned.

What is left behind is not in the time of the call. Things that a first call makes and later ones use, such as the
threads of an executor or the task of an open connection, are no such work: later calls add none, and they idle. This
file uses the standard library alone, and relative imports.
"""

from __future__ import annotations

import threading
import time

from .timing import FunctionBody

CALLS = 3
WINDOW_S = 0.05
"""After the calls the process should idle for these seconds."""
IDLE_NS = 10_000_000
"""A process that idles computes no longer than this in the window."""


def describe_work_left(body: FunctionBody) -> str | None:
    """Say what calls of a warm function leave behind; None where they leave nothing."""
    if all(body.count_tasks_left() for _ in range(CALLS)):
        return "leaves a task running after every call"
    new_threads = []
    for _ in range(CALLS):
        threads = _list_threads()
        body.first_call()
        new_threads.append(_list_threads() - threads)
    if all(new_threads):
        return "leaves a thread running after every call"
    computed = time.process_time_ns()
    time.sleep(WINDOW_S)
    computed = time.process_time_ns() - computed
    if computed <= IDLE_NS:
        return None
    return f"goes on computing after its call ({computed / 1e6:.0f} ms in {1000 * WINDOW_S:.0f})"


def _list_threads() -> set[threading.Thread]:
    return {each for each in threading.enumerate() if not each.daemon}
