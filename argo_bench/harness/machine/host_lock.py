"""Lets one process at a time measure on a host, whichever worker of a cluster asks for it."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform != "win32":
    import fcntl

NAME = "argo-bench-host.lock"


def find_lock() -> Path:
    """Return the file that all processes of a host lock, of whichever user they are."""
    common = Path("/tmp")
    return (common if common.is_dir() else Path(tempfile.gettempdir())) / NAME


@contextmanager
def hold_host() -> Iterator[None]:
    """Wait until no other process measures on this host, and keep others waiting within the block.

    The lock is one of the operating system, which ends with this process. Windows has no such lock: there nobody waits.
    """
    if sys.platform == "win32":
        yield
        return
    descriptor = _open(find_lock())
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _open(file: Path) -> int:
    """Open a file to be locked, which another user may have made: then it can be read, and that is enough."""
    try:
        return os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return os.open(file, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
