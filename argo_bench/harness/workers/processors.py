"""Lets this process use every processor that it had when it began, for functions that start threads or processes.

It uses the standard library alone, and relative imports.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

AT_FIRST = frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else frozenset()
"""The processors that the process might use when this module was loaded, before it was pinned to one."""


@contextmanager
def use_processors(*, of_all: bool) -> Iterator[None]:
    """Use all processors within the block, where that is asked for, and those of before after it."""
    if not (of_all and AT_FIRST):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, AT_FIRST)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
