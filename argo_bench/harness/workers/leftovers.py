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
WINDOWS, WINDOW_S = 20, 0.05
"""After the calls the process should idle for one of these windows, of so many seconds. The threads of numerical
libraries wait for their next call by computing, for up to a fifth of a second."""
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
    for _ in range(WINDOWS):
        computed = time.process_time_ns()
        time.sleep(WINDOW_S)
        if time.process_time_ns() - computed <= IDLE_NS:
            return None
    return f"goes on computing for {WINDOWS * WINDOW_S:g} s after its call, or longer"


def _list_threads() -> set[threading.Thread]:
    return {each for each in threading.enumerate() if not each.daemon}
