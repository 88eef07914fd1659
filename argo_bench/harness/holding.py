"""Holds a file for one process at a time, by a lock of the operating system, which ends with the process.

What is in the file says who holds it. A file that nobody holds any more means nothing, and is taken over.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Self

import msgspec

if sys.platform == "win32":
    import msvcrt

    FAR = 1 << 30
    """Locks of Windows keep others from reading the bytes that are locked: these are none that anybody reads."""

    def _try_lock(file: IO[bytes]) -> None:
        file.seek(FAR)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _try_lock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


ATTEMPTS = 5
PAUSE_S = 0.05
"""Whoever asks who holds a file holds it for a moment, and is waited for."""
TAKEN = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


class Holder(msgspec.Struct, frozen=True):
    """Names the process that holds a file, since when, and what it does; ``since`` is a local time."""

    pid: int
    since: str
    doing: str

    def __str__(self) -> str:
        who = "this process" if self.pid == os.getpid() else f"process {self.pid}" if self.pid else "another process"
        return ", ".join(each for each in (who, self.since and f"since {self.since}", self.doing) if each)


UNKNOWN = Holder(0, "", "")


class Taken(Exception):
    """Says that another process holds a file, or this one already."""

    def __init__(self, holder: Holder) -> None:
        super().__init__(str(holder))
        self.holder = holder


class Hold:
    """Keeps a file from others, from ``take`` to ``release`` or to the end of this process."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self._path = path
        self._file = file

    @classmethod
    def take(cls, path: Path, doing: str) -> Self:
        """Take a file, which is made for it. Raises Taken where it is held, and OSError where it cannot be made."""
        holder: Holder | None = UNKNOWN
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(PAUSE_S)
            file = path.open("ab+", buffering=0)
            if not _lock(file):
                holder = _read(file)
                file.close()
            elif _is_same(path, file):
                found = Holder(os.getpid(), f"{datetime.now():%Y-%m-%d %H:%M:%S}", doing)
                with suppress(OSError):  # a full disk: it is held all the same
                    file.truncate(0)
                    file.write(msgspec.json.encode(found))
                return cls(path, file)
            else:
                file.close()  # whoever held it has removed it meanwhile
        raise Taken(holder or UNKNOWN)

    def release(self) -> None:
        """Remove the file and let it go."""
        if sys.platform == "win32":
            self._file.close()  # an open file cannot be removed there
        with suppress(OSError):
            self._path.unlink()
        self._file.close()


def find_holder(path: Path) -> Holder | None:
    """Return who holds a file; None where nobody does."""
    try:
        with path.open("rb+", buffering=0) as file:
            return None if _lock(file) else _read(file)
    except OSError:
        return None


def _lock(file: IO[bytes]) -> bool:
    """Lock a file and say whether that was possible; where a file system has no locks, it is."""
    try:
        _try_lock(file)
    except OSError as error:
        return error.errno not in TAKEN
    return True


def _is_same(path: Path, file: IO[bytes]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except OSError:
        return False


def _read(file: IO[bytes]) -> Holder:
    try:
        file.seek(0)
        return msgspec.json.decode(file.read(), type=Holder)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return UNKNOWN
