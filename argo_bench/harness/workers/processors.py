"""Lets this process use every processor again that it had when it began, before it was pinned to one.

It uses the standard library alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

AT_FIRST = frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else frozenset()
"""The processors that the process might use when this module was loaded."""


def spread() -> None:
    """Use all of them from now on."""
    if AT_FIRST:
        os.sched_setaffinity(0, AT_FIRST)


@contextmanager
def on_all_processors() -> Iterator[bool]:
    """Use all of them within the block; yield False where these are not more than before."""
    now = os.sched_getaffinity(0) if AT_FIRST else set()
    try:
        spread()
        yield len(AT_FIRST) > len(now)
    finally:
        if now:
            os.sched_setaffinity(0, now)
