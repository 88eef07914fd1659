"""Tells the runs that measure on one machine of each other, since they share its processors."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from argo_bench.harness.holding import Hold, Holder, Taken, find_holder
from argo_bench.harness.machine.environment import user_folder
from argo_bench.temporary import number_machine


def find_folder() -> Path:
    """Return the folder in which the runs of a user say that they measure on this machine."""
    return user_folder() / "measuring" / number_machine()


@contextmanager
def measuring(what: str) -> Iterator[None]:
    """Say to other runs on this machine that this process measures; a machine that cannot keep that is no hindrance."""
    hold = None
    with suppress(OSError, Taken):
        find_folder().mkdir(parents=True, exist_ok=True)
        hold = Hold.take(find_folder() / str(os.getpid()), what)
    try:
        yield
    finally:
        if hold is not None:
            hold.release()


def find_other_runs() -> list[Holder]:
    """Return the runs of other processes that measure on this machine now, and forget those that were killed."""
    found = []
    for file in sorted(find_folder().glob("*")):
        if file.name == str(os.getpid()):
            continue
        if (holder := find_holder(file)) is not None:
            found.append(holder)
        else:
            with suppress(OSError):
                file.unlink()
    return found
