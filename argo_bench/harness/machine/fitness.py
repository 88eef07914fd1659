"""Says whether this machine is fit for measuring, in plain words and with advice: what ``argo-bench env`` prints.

Nothing here stops a run unless ``--strict-env`` is asked for; what is found is recorded with every run.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import psutil

from argo_bench.harness.machine.environment import TICK_S, read_stolen_ticks, read_text, worker_cpu
from argo_bench.harness.machine.measuring import find_other_runs

WATCHED_S = 1.0
GLANCE_S = 0.2
"""A comparison looks so long at what others do before it begins."""
NOTABLE_STEAL = 0.02
BUSY = 0.25
NOT_BUSY = ("idle", "iowait", "guest", "guest_nice")
"""These times of all processors are none in which they are busy, or are in those of users already."""
SLOW_CLOCKS = ("hpet", "acpi_pm", "jiffies")
SLOWEST_TIMER_NS = 1_000
LEAST_MEMORY = 2 * 1024**3
CPU_ROOT = Path("/sys/devices/system/cpu")
CGROUP = Path("/sys/fs/cgroup")


class FitnessCheck(msgspec.Struct, frozen=True):
    """States one fact about the machine; ``advice`` is empty where it is fit."""

    subject: str
    found: str
    verdict: Literal["fit", "unfit"]
    advice: str = ""


class Load(NamedTuple):
    """Says what others take of this machine, as shares: of all processors, and of the worker's by other machines.

    ``stolen`` is None where the system does not tell.
    """

    others: float
    stolen: float | None


class LoadWatch:
    """Watches what others do on this machine, from its making on; what this process and its children do is no part."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._busy_s, self._own_s = read_busy_s(), read_own_s()
        self._stolen = self._read_stolen_s()

    def so_far(self) -> Load:
        elapsed_s = max(TICK_S, time.monotonic() - self._began)
        others_s = read_busy_s() - self._busy_s - (read_own_s() - self._own_s)
        others = min(1.0, max(0.0, others_s / elapsed_s / (psutil.cpu_count() or 1)))
        if sys.platform != "linux":
            return Load(others, None)
        return Load(others, (self._read_stolen_s() - self._stolen) / elapsed_s)

    def _read_stolen_s(self) -> float:
        """Return the seconds stolen from the workers' processor, or from each on average where they have none."""
        processor = worker_cpu()
        return read_stolen_ticks(processor) * TICK_S / (1 if processor is not None else psutil.cpu_count() or 1)


def read_busy_s() -> float:
    """Return the seconds that all processors have been busy, together."""
    times = psutil.cpu_times()._asdict()
    return math.fsum(seconds for name, seconds in times.items() if name not in NOT_BUSY)


def read_own_s() -> float:
    """Return the seconds that this process and its children, those that have ended included, have computed."""
    found = [*os.times()[:4]]  # psutil does not know those of ended children everywhere
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            found += child.cpu_times()[:4]
    return math.fsum(found)


def check_load(load: Load) -> list[FitnessCheck]:
    """Check what others take of this machine, and whether other runs measure on it now."""
    return [*_check_steal(load.stolen), *_check_load(load.others), *_check_runs()]


def glance_at_load() -> list[FitnessCheck]:
    """Watch the machine for a moment, before anything is measured."""
    watch = LoadWatch()
    time.sleep(GLANCE_S)
    return check_load(watch.so_far())


def describe_busy(checks: Sequence[FitnessCheck]) -> str:
    """Say in one line that the machine is busy with what is not ours; the line is empty where it is not."""
    found = [each for each in checks if each.subject in ("steal", "load", "runs") and each.verdict == "unfit"]
    if not found:
        return ""
    return f"busy machine: {', '.join(each.found for each in found)}; {found[-1].advice}"


def check_fitness(watched_s: float = WATCHED_S) -> list[FitnessCheck]:
    """Make every check, in the order in which they matter; this watches the machine for a second."""
    watch = LoadWatch()
    time.sleep(watched_s)
    load = watch.so_far()
    checks: Sequence[Callable[[], Iterator[FitnessCheck]]] = (
        _check_cores,
        lambda: iter(check_load(load)),
        _check_governor,
        _check_timer,
        _check_limits,
        _check_memory,
        _check_power,
    )
    return [finding for check in checks for finding in check()]


def _fit(subject: str, found: str) -> FitnessCheck:
    return FitnessCheck(subject, found, "fit")


def _unfit(subject: str, found: str, advice: str) -> FitnessCheck:
    return FitnessCheck(subject, found, "unfit", advice)


def _check_cores() -> Iterator[FitnessCheck]:
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if count > 1:
        yield _fit("processors", f"{count}: the workers get one of their own")
    else:
        yield _unfit("processors", "1", "workers and orchestrator share it; expect wider intervals, or use two cores")


def _check_steal(share: float | None) -> Iterator[FitnessCheck]:
    if share is None:
        return
    words = f"{share:.1%} of the worker's processor taken by other machines"
    if share <= NOTABLE_STEAL:
        yield _fit("steal", words)
    else:
        yield _unfit("steal", words, "the host is busy: trust CPU time over wall time, or come back later")


def _check_load(share: float) -> Iterator[FitnessCheck]:
    words = f"{share:.0%} of all processors busy with something else"
    if share <= BUSY:
        yield _fit("load", words)
    else:
        yield _unfit("load", words, "close what is running beside the benchmark")


def _check_runs() -> Iterator[FitnessCheck]:
    if others := find_other_runs():
        words = f"another run measures here ({'; '.join(map(str, others))})"
        yield _unfit("runs", words, "both share the processors: let one end before the other begins")


def _check_governor() -> Iterator[FitnessCheck]:
    governor = read_text(CPU_ROOT / "cpu0/cpufreq/scaling_governor")
    if governor in (None, "performance"):
        yield _fit("frequency governor", governor or "not visible (usual in a virtual machine)")
    else:
        yield _unfit("frequency governor", str(governor), "sudo cpupower frequency-set -g performance")


def _check_timer() -> Iterator[FitnessCheck]:
    source = read_text(Path("/sys/devices/system/clocksource/clocksource0/current_clocksource"))
    cost = min(_measure_timer_cost_ns() for _ in range(5))
    words = f"{source or 'clock source not visible'}, {cost:.0f} ns a reading"
    if source in SLOW_CLOCKS or cost > SLOWEST_TIMER_NS:
        yield _unfit("timer", words, "boot with clocksource=tsc if the machine has a stable one")
    else:
        yield _fit("timer", words)


def _measure_timer_cost_ns(readings: int = 1_000) -> float:
    started = time.perf_counter_ns()
    for _ in range(readings):
        time.perf_counter_ns()
    return (time.perf_counter_ns() - started) / readings


def _check_limits() -> Iterator[FitnessCheck]:
    quota = (read_text(CGROUP / "cpu.max") or "max").split()
    if quota[0] == "max":
        yield _fit("cgroup", "no processor quota")
    else:
        share = int(quota[0]) / int(quota[1])
        words = f"a quota of {share:.2g} processors"
        if share >= 2:
            yield _fit("cgroup", words)
        else:
            yield _unfit("cgroup", words, "throttling looks like noise: raise the container's CPU limit to 2 or more")


def _check_memory() -> Iterator[FitnessCheck]:
    available = psutil.virtual_memory().available
    words = f"{available / 1024**3:.1f} GiB available"
    if available >= LEAST_MEMORY:
        yield _fit("memory", words)
    else:
        yield _unfit("memory", words, "free some memory: swapping is not what is to be measured")


def _check_power() -> Iterator[FitnessCheck]:
    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    if battery is not None and not battery.power_plugged:
        yield _unfit("power", "on battery", "plug it in: clocks change on battery")
