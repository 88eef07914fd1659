"""Names temporary folders after their owner, and removes those whose owner was killed.

A process that is killed removes nothing. The name of a folder tells its owner: a number of the machine, which
containers have of their own, and the process id. Whoever starts later removes the folders of owners that are dead.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

OWNED = re.compile(r"argo-[a-z-]+-(?P<machine>[0-9a-f]{8})-(?P<process>\d+)-\w+")


def owned_prefix(kind: str) -> str:
    """Return the start of a temporary folder's name, as in ``argo-world-1f0c93aa-4711-``."""
    return f"argo-{kind}-{number_machine()}-{os.getpid()}-"


def number_machine() -> str:
    """Return a number of the space in which process ids are unique: this machine, or this container."""
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    return f"{zlib.crc32(f'{platform.node()} {space}'.encode()):08x}"


def remove_leftovers(folder: Path | None = None) -> list[Path]:
    """Remove this user's temporary folders whose owner was a process of this machine that is dead; return them."""
    abandoned = [*list_abandoned(Path(tempfile.gettempdir()) if folder is None else folder)]
    for each in abandoned:
        shutil.rmtree(each, ignore_errors=True)
    return abandoned


def list_abandoned(folder: Path) -> Iterator[Path]:
    machine, user = number_machine(), getattr(os, "getuid", lambda: None)()
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = OWNED.fullmatch(entry.name)
            if found is None or found["machine"] != machine or not entry.is_dir(follow_symlinks=False):
                continue
            if user in (None, entry.stat(follow_symlinks=False).st_uid) and not is_running(int(found["process"])):
                yield Path(entry.path)


def is_running(process: int) -> bool:
    """Say whether there is a process of this number; a number that was given again counts."""
    import psutil

    return bool(psutil.pid_exists(process))
