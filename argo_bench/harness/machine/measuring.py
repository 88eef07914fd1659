"""Tells the runs that measure on one machine of each other, since they share its processors."""

from __future__ import annotations

import getpass
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from argo_bench.harness.holding import Hold, Holder, Taken, find_holder

SUFFIX = ".measuring"


def find_folder() -> Path:
    """Return the folder in which the runs of a user say that they measure: on this machine, and in nobody's results."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return Path(tempfile.gettempdir()) / f"argo-bench-{user}"


@contextmanager
def measuring(what: str) -> Iterator[None]:
    """Say to other runs on this machine that this process measures; a machine that cannot keep that is no hindrance."""
    hold = None
    with suppress(OSError, Taken):
        find_folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        hold = Hold.take(find_folder() / f"{os.getpid()}{SUFFIX}", what)
    try:
        yield
    finally:
        if hold is not None:
            hold.release()


def find_other_runs() -> list[Holder]:
    """Return the runs of other processes that measure on this machine now."""
    own = find_folder() / f"{os.getpid()}{SUFFIX}"
    files = sorted(each for each in find_folder().glob(f"*{SUFFIX}") if each != own)
    return [holder for each in files if (holder := find_holder(each)) is not None]
