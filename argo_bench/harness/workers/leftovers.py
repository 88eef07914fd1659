"""Finds a function that leaves work behind: tasks, threads, processes or computing that go on when its call returns.

What is left behind is not in the time of the call. Things that a first call makes and later ones use, such as the
threads of an executor or the task of an open connection, are no such work: later calls add none, and they idle. This
file uses the standard library alone, and relative imports.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
import threading
import time
from pathlib import Path
from time import process_time_ns, sleep
from typing import Any, NamedTuple

from .causes import Suspicion
from .timing import FunctionBody

WINDOWS, WINDOW_S = 20, 0.05
"""After the calls the process should idle for one of these windows, of so many seconds. The threads of numerical
libraries wait for their next call by computing, for up to a fifth of a second."""
IDLE_NS = 10_000_000
"""A process that idles computes no longer than this in the window."""
GRACE_S = 0.1
"""What ends by itself so soon after a call was only being tidied up."""
NOTABLE = 0.25
"""Threads that compute for this share of a call's time after it returned do some of its work then."""
PR_SET_CHILD_SUBREAPER = 36
TICK_NS = 10**9 // os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 10_000_000


class Begun(NamedTuple):
    """Holds what exists beside the main thread at one moment."""

    tasks: frozenset[asyncio.Task[Any]]
    threads: frozenset[threading.Thread]
    children: frozenset[int]

    @classmethod
    def now(cls, body: FunctionBody) -> Begun:
        return cls(body.tasks, frozenset(threading.enumerate()), list_children())


class Leftovers:
    """Collects what calls leave behind, call by call."""

    def __init__(self, body: FunctionBody) -> None:
        self._body = body
        self._left: list[set[str]] = []
        self._before = Begun.now(body)
        self._used_ns = 0

    def begin_call(self) -> None:
        self._before = Begun.now(self._body)
        self._used_ns = process_time_ns()

    def end_call(self) -> None:
        """Note what the call that has just returned has left; what is nearly over is waited for a moment."""
        now = Begun.now(self._body)
        self._used_ns = process_time_ns() - self._used_ns
        threads, children = now.threads - self._before.threads, now.children - self._before.children
        until = time.monotonic() + GRACE_S
        for each in threads:
            each.join(max(0.0, until - time.monotonic()))
        while children & list_children() and time.monotonic() < until:
            sleep(GRACE_S / 20)
        left = set()
        if now.tasks - self._before.tasks:
            left.add("task")
        if any(each.is_alive() for each in threads):
            left.add("thread")
        if children & list_children():
            left.add("child process")
        self._left.append(left)

    def describe(self) -> Suspicion | None:
        """Say what all calls but the first left behind; None where they leave nothing."""
        every = set.intersection(*self._left[1:]) if len(self._left) > 1 else set()
        if "task" in every:
            return Suspicion("leaves a task", "leaves a task running after every call")
        if "thread" in every:
            return Suspicion("leaves a thread", "leaves a thread running after every call")
        if "child process" in every:
            return Suspicion("leaves a child process", "leaves a child process behind after every call")
        return self._describe_computing()

    def _describe_computing(self) -> Suspicion | None:
        """Find computing that goes on: for long in any thread, or for some of a call's time in those of Python.

        The threads of numerical libraries, which wait for their next call by computing, are not Python's.
        """
        if count_threads() == 1:
            return None
        began_ns = read_threads_ns()
        for _ in range(WINDOWS):
            computed = process_time_ns()
            sleep(WINDOW_S)
            if process_time_ns() - computed <= IDLE_NS:
                break
        else:
            seen = f"goes on computing for {WINDOWS * WINDOW_S:g} s after its call, or longer"
            return Suspicion("goes on computing", seen)
        went_on_ns = read_threads_ns() - began_ns
        if went_on_ns > max(IDLE_NS, NOTABLE * self._used_ns):
            return Suspicion("goes on computing", f"goes on computing for {went_on_ns / 1e9:.2g} s after its call")
        return None


def read_threads_ns() -> int:
    """Return the CPU time of Python's threads beside this one; 0 where the system does not tell."""
    tasks = [each.native_id for each in threading.enumerate() if each is not threading.current_thread()]
    found = 0
    for task in tasks:
        try:
            fields = Path(f"/proc/self/task/{task}/stat").read_text(errors="replace").rpartition(")")[2].split()
        except OSError:  # it has ended, or there is no such file
            continue
        found += (int(fields[11]) + int(fields[12])) * TICK_NS
    return found


def count_threads() -> int:
    """Return the number of this process's threads, those of libraries included."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return threading.active_count()


def list_children() -> frozenset[int]:
    """Return the child processes, those that have ended and were not waited for included; empty where unknown."""
    if not hasattr(os, "waitid"):
        return frozenset()
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return frozenset()
    return frozenset(int(file.parent.name) for file in Path("/proc").glob("[0-9]*/stat") if _is_own_child(file))


def _is_own_child(file: Path) -> bool:
    """Say whether a process is a child of this one; its name, in parentheses, may have any characters."""
    try:
        return int(file.read_text(errors="replace").rpartition(")")[2].split()[1]) == os.getpid()
    except (OSError, ValueError, IndexError):  # it may end meanwhile
        return False


def adopt_orphans() -> None:
    """Become the parent of processes whose own parent ends, so that they are seen. Linux alone can do it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
