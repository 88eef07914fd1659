"""Decides whether calls wait for something, so that their wall time counts, or compute, so that their CPU time does.

A call waits in the time in which it might have computed and did not: its wall time without its CPU time, without the
time in which it stood ready and another process had the processor (the run delay), and without what other machines took
(steal). On a busy machine the first difference alone takes a sum for a wait. This file uses the standard library alone,
and relative imports.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from .timing import Timing

if sys.platform != "win32":
    import resource

Means = Literal["run delay", "context switches", "largest CPU share", "nothing"]
"""What told whether calls wait: the scheduler's run delay, the switches of context that calls asked for, the call that
computed for the largest share of its time, or nothing, where too few calls were made; then wall time counts."""
NOTABLE = 0.1
"""Calls wait where they do for more than this share of their time. Sums beside two busy processes come to 0.02 at the
most, sleeps to 0.9 and more; between them the choice of the clock changes a ratio by no more than this share."""
ENOUGH = 5
"""Of so many calls one was left alone, most likely, even where the machine is busy: its CPU share is the calls' own."""
BRIEF_NS = 1_000_000
"""Calls that take less than this together are too brief for a run delay, and for the ticks in which steal is told."""
TASKS = Path("/proc/self/task")
STAT = Path("/proc/stat")
STEAL = 8
"""The place of the stolen ticks in a line of /proc/stat."""


class Kept(NamedTuple):
    """Holds what has kept this process from computing so far; None where the system does not tell.

    ``delay_ns`` is the run delay of the threads that there are: of those that have ended it is lost, which makes calls
    that start threads wait. ``switches`` are the switches of context that the process asked for.
    """

    delay_ns: int | None
    steal_ns: int
    switches: int | None

    @classmethod
    def so_far(cls) -> Kept:
        return cls(read_delay_ns(), read_steal_ns(), read_switches())


class Call(NamedTuple):
    """Holds what both clocks say of a call, and what kept it from computing."""

    timing: Timing
    delay_ns: int | None
    steal_ns: int
    switches: int | None

    @property
    def undelayed_ns(self) -> int:
        """Return the wall time without that in which the call stood ready and did not run, as far as it is told."""
        return max(self.timing.cpu_ns, self.timing.wall_ns - (self.delay_ns or 0) - self.steal_ns)


class Decision(NamedTuple):
    """Says whether calls wait, and what told."""

    waits: bool
    told_by: Means


def account(before: Kept, timing: Timing) -> Call:
    """Return the times of the call that has just ended, with what has kept it from computing since ``before``."""
    now = Kept.so_far()
    return Call(
        timing,
        _subtract(now.delay_ns, before.delay_ns),
        max(0, now.steal_ns - before.steal_ns),
        _subtract(now.switches, before.switches),
    )


def _subtract(now: int | None, before: int | None) -> int | None:
    return None if now is None or before is None else max(0, now - before)  # a thread may have ended with its delay


def decide(calls: Sequence[Call]) -> Decision:
    """Decide by the best means that there is; ``calls`` are later ones, since first calls load and compile."""
    wall_ns = sum(each.timing.wall_ns for each in calls)
    delays = [each.delay_ns for each in calls if each.delay_ns is not None]
    if calls and len(delays) == len(calls) and wall_ns >= BRIEF_NS:
        computed_ns = sum(each.timing.cpu_ns + each.steal_ns for each in calls)
        return Decision(wall_ns - computed_ns - sum(delays) > NOTABLE * wall_ns, "run delay")
    switches = [each.switches for each in calls if each.switches is not None]
    if len(switches) == len(calls) > 1 and (all(switches) or not any(switches)):
        return Decision(all(switches) and _find_largest_share(calls) < 1 - NOTABLE, "context switches")
    if len(calls) >= ENOUGH:
        return Decision(_find_largest_share(calls) < 1 - NOTABLE, "largest CPU share")
    return Decision(True, "nothing")


def _find_largest_share(calls: Sequence[Call]) -> float:
    return max(each.timing.cpu_ns / max(1, each.timing.wall_ns) for each in calls)


def is_delay_known() -> bool:
    """Say whether the system tells the run delay, so that one call is enough."""
    return read_delay_ns() is not None


def read_delay_ns() -> int | None:
    """Return the time in which this process's threads stood ready and did not run; None where the system does not tell.

    The process's own file has its main thread alone. CPU time is not read here: a running thread's entry is as old as
    the last tick, the clock of the process is not.
    """
    ran_ns = delay_ns = 0
    for file in TASKS.glob("*/schedstat"):
        try:
            ran, delay, _ = map(int, file.read_text(encoding="ascii").split())
        except (OSError, ValueError):  # the thread has ended
            continue
        ran_ns, delay_ns = ran_ns + ran, delay_ns + delay
    return delay_ns if ran_ns else None  # a kernel that does not account has zeros for all


def read_steal_ns() -> int:
    """Return the time that other machines took from the processors of this process, on average over them."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    names = {f"cpu{processor}" for processor in allowed}
    try:
        lines = [line.split() for line in STAT.read_text(encoding="ascii").splitlines()]
    except OSError:
        return 0
    ticks = [int(fields[STEAL]) for fields in lines if fields and fields[0] in names and len(fields) > STEAL]
    return sum(ticks) * 10**9 // os.sysconf("SC_CLK_TCK") // len(ticks) if ticks else 0


def read_switches() -> int | None:
    """Return how often this process has given its processor away, as a sleep or a read does."""
    if sys.platform == "win32":
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
