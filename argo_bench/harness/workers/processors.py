"""Lets this process use every processor that it had when it began, and says whether a call uses several at once.

It uses the standard library alone, and relative imports.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from .timing import Timing

AT_FIRST = frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else frozenset()
"""The processors that the process might use when this module was loaded, before it was pinned to one."""
MOST_TRIES, TRIED_S = 10, 0.3
"""A call is tried so many times, for so long at the most: a busy machine leaves two processors to it now and then."""
SEVERAL = 1.25
"""A call that computes for so many times the time that passes uses several processors; threads that hand Python's lock
to each other compute at once for less."""


def spread() -> None:
    """Use all processors from now on."""
    if AT_FIRST:
        os.sched_setaffinity(0, AT_FIRST)


@contextmanager
def on_all_processors() -> Iterator[None]:
    """Use all processors within the block."""
    now = os.sched_getaffinity(0) if AT_FIRST else set()
    try:
        spread()
        yield
    finally:
        if now:
            os.sched_setaffinity(0, now)


def uses_several(time_call: Callable[[], Timing]) -> bool:
    """Say whether threads or child processes of a call compute at once where they may."""
    if len(AT_FIRST) < 2:
        return False
    began = monotonic()
    with on_all_processors():
        for _ in range(MOST_TRIES):
            timing = time_call()
            if timing.cpu_ns > SEVERAL * timing.wall_ns:
                return True
            if monotonic() - began > TRIED_S:
                break
    return False
