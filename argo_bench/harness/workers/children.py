"""Measures what the child processes of a call take at their peaks, by looking at them from a process beside it.

As with every worker only the standard library is used. The kernel keeps a high-water mark of every process, but forgets
it when the process ends; so a watcher reads the marks every millisecond, and what a child adds after the last look is
missed. Counted is the largest sum of the marks of children that were there at the same time. Children that are copies
of their parent share its pages until one of them writes to them; these are not counted again.
"""

from __future__ import annotations

import json
import os
import select
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import UserError
from .leftovers import list_children

LOOK_S = 0.001
NOTABLE = 1 << 20
"""Marks of two processes that differ by less are the same: each may be some pages per processor behind."""
COPYING = frozenset({"os.fork", "os.forkpty"})
STARTING = frozenset({"subprocess.Popen", "os.posix_spawn", "os.spawn", "os.system"})
"""Python tells its audit hooks of these; a child of the first kind begins with the memory of its parent."""


class Peaks(NamedTuple):
    """Holds how many child processes a pass had at once, the sum of their peaks in bytes, and how these were read."""

    children: int
    peak_bytes: int
    how: str


class Children:
    """Notices the child processes that this one begins from now on, and has them watched while a pass runs."""

    def __init__(self) -> None:
        self.begun = self.copied = 0
        self._is_hearing = True
        self._popened: object = None
        self._watcher: Watcher | None = None
        self._known: frozenset[int] = frozenset()
        self._before: dict[str, int] = {}
        self._there = list_children()
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Count a child; a Popen that uses ``posix_spawn`` tells of both, and with the same list of arguments."""
        if event == "subprocess.Popen":
            self._popened = arguments[1]
        is_told = event == "os.posix_spawn" and arguments[1] is self._popened
        if self._is_hearing and not is_told:
            self.copied += event in COPYING
            self.begun += event in COPYING or event in STARTING

    def read_kept(self) -> int:
        """Return the bytes that child processes hold alone which have begun since this was made, and go on."""
        begun = list_children() - self._there if self.begun else ()
        return sum(_read_private(child) for child in begun)

    def begin_pass(self) -> None:
        """Begin to watch, where the calls so far had children; the others get no second process beside them."""
        self._known = list_children()
        self._before = read_status(os.getpid())
        if (self.begun or self._known) and sys.platform == "linux":
            self._is_hearing = False
            self._watcher = Watcher()
            self._is_hearing = True
        self.begun = self.copied = 0

    def end_pass(self) -> Peaks | None:
        """Return what the children of the pass came to; None where there were none.

        Raises UserError for a child that goes on, whose memory is not over, and for several that nobody watched.
        What was watched and not seen was there for less than a look: ``getrusage`` tells of the largest.
        """
        left = list_children() - self._known
        seen = [] if self._watcher is None else self._watcher.end()
        if not (self.begun or left or seen):
            return None
        if left or (self.begun > 1 and self._watcher is None):
            raise UserError(
                f"it holds memory in {max(self.begun, len(left))} child processes, or in one that goes on, which "
                "cannot be added up: have it wait for them, or measure the function that they call"
            )
        seen = seen or [(0, self._before.get("RssAnon", 0) if self.copied else 0)]
        peaks = _add_peaks(seen, self._before.get("VmHWM", 0))
        how = "by getrusage" if self._watcher is None else f"seen every {LOOK_S * 1000:g} ms"
        return Peaks(len(seen), peaks, how)


def _add_peaks(seen: list[tuple[int, int]], had: int) -> int:
    """Add up the peaks of children, each given with the part of it that was its parent's.

    What the kernel says of the largest child that has ended misses nothing. It counts where it is more than this
    process ever ``had``: a child that runs another program is said to have had what its parent had.
    """
    peaks = sorted((max(0, peak - shared), shared) for peak, shared in seen)
    largest, shared = peaks.pop()
    most = _read_most_resident_of_children()
    if most > max(had, read_status(os.getpid()).get("VmHWM", 0)) + NOTABLE:
        largest = max(largest, most - shared)
    return sum(own for own, _ in peaks) + largest


def _read_most_resident_of_children() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


class Watcher:
    """Runs the watching process; it is no child of this one, so that a pass that waits for any child misses it."""

    def __init__(self) -> None:
        asks, self._asking = os.pipe()
        self._told, tells = os.pipe()
        actions = [(os.POSIX_SPAWN_DUP2, asks, 0), (os.POSIX_SPAWN_DUP2, tells, 1)]
        main = str(Path(__file__).with_name("__main__.py"))
        command = [sys.executable, "-S", "-P", main, "children", str(os.getpid())]
        starter = os.posix_spawn(sys.executable, command, os.environ, file_actions=actions)
        os.close(asks)
        os.close(tells)
        os.waitpid(starter, 0)
        self._read_line()

    def _read_line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n") and (more := os.read(self._told, 1 << 16)):
            line += more
        return line

    def end(self) -> list[tuple[int, int]]:
        """End the watching and return, for every child seen, its peak and what of that was its parent's."""
        with suppress(BrokenPipeError):
            os.write(self._asking, b"\n")
        line = self._read_line()
        os.close(self._asking)
        os.close(self._told)
        return [(peak, shared) for peak, shared in json.loads(line or b"[]")]


# In the watching process


class Sight(NamedTuple):
    """Holds the mark of one process at a look, and what of it is its parent's, or was there before."""

    peak: int
    shared: int


class Marks:
    """Reads the marks of all processes below one, look by look, and keeps the largest sum that there was at a look."""

    def __init__(self, parent: int) -> None:
        self._parent = parent
        self._shared: dict[tuple[int, bytes], int] = {}
        self.largest: list[Sight] = []
        for child in list_below(parent):
            with suppress(OSError):
                Path(f"/proc/{child}/clear_refs").write_text("5", encoding="ascii")
                self._shared[child, _read_command(child)] = read_status(child).get("VmHWM", 0)
        self._before = frozenset(self._shared)

    def look(self) -> None:
        found = []
        for child in list_below(self._parent):
            with suppress(OSError, ValueError, IndexError):  # it may end at any moment
                sight = self._look_at(child)
                found += [sight] if sight is not None and sight.peak > sight.shared else []
        if _sum_own(found) > _sum_own(self.largest):
            self.largest = found

    def _look_at(self, child: int) -> Sight | None:
        parent = int(Path(f"/proc/{child}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])
        command, own, its = _read_command(child), read_status(child), read_status(parent)
        if "VmHWM" not in own or own["VmHWM"] == its.get("VmHWM"):
            return None  # it has ended, or has its parent's very memory until it runs a program of its own
        place, is_copy = (child, command), command == _read_command(parent)
        shared = self._shared.setdefault(place, its.get("RssAnon", 0) if is_copy else 0)
        if is_copy and place not in self._before:
            shared += min(own["RssFile"], its.get("RssFile", 0))
        return Sight(own["VmHWM"], shared)


def _sum_own(sights: list[Sight]) -> int:
    return sum(each.peak - each.shared for each in sights)


def list_below(parent: int) -> Iterator[int]:
    """Yield the processes below one, children before their own children."""
    for task in _list_tasks(parent):
        try:
            children = Path(f"/proc/{parent}/task/{task}/children").read_text(encoding="ascii").split()
        except OSError:
            continue
        for child in map(int, children):
            yield child
            yield from list_below(child)


def _list_tasks(process: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{process}/task")
    except OSError:
        return []


def _read_command(process: int) -> bytes:
    return Path(f"/proc/{process}/cmdline").read_bytes()


def read_status(process: int) -> dict[str, int]:
    """Return the fields of a process's status that are in kB, as bytes; empty where it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(errors="replace").splitlines()
    except OSError:
        return {}
    fields = (line.split() for line in lines if line.endswith(" kB"))
    return {name.rstrip(":"): 1024 * int(value) for name, value, _ in fields}


def _read_private(process: int) -> int:
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0
    return 1024 * int(text.partition("Private_Dirty:")[2].split()[0])


def main(parent: str) -> None:
    """Watch the processes below ``parent`` until a line or an end comes on stdin, then write their peaks as JSON.

    It ends with ``parent`` too, whose children may keep the other end of stdin open.
    """
    if os.fork():
        os._exit(0)
    with suppress(OSError):
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
    marks = Marks(int(parent))
    os.write(1, b"ready\n")
    while read_status(int(parent)) and not select.select([0], [], [], LOOK_S)[0]:
        marks.look()
    marks.look()
    with suppress(BrokenPipeError):
        os.write(1, json.dumps(marks.largest).encode() + b"\n")
