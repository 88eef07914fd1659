"""Records the machine and the versions that a run was measured on."""

from __future__ import annotations

import os
import platform
import sys
import time
from functools import cache
from importlib import metadata
from pathlib import Path

import platformdirs
import psutil
import xxhash

PACKAGES = ("argo-bench", "pandas", "numpy", "numba", "joblib", "msgspec", "orjson", "TA-Lib", "polars", "xxhash")
THREAD_CAPS = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "POLARS_MAX_THREADS"), "1"
)
"""Workers run with these variables, which must be set before numpy is imported."""


def read_facts() -> dict[str, object]:
    """Return processor, cores, memory, kernel, load, versions and thread caps; None where something cannot be read."""
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.release()}",
        "processor": _read_processor(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "governor": read_text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "load_average": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        "clock_source": read_text("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        "worker_cpu": worker_cpu(),
        "thread_caps": THREAD_CAPS,
        "source": digest_source(),
        "versions": {name: version for name in PACKAGES if (version := _find_version(name)) is not None},
    }


@cache
def digest_source() -> str:
    """Return a digest of the package's own source: two commits of one version measure different things."""
    folder = Path(__file__).parents[2]
    digest = xxhash.xxh3_64()
    for file in sorted(folder.rglob("*.py")):
        digest.update(f"{file.relative_to(folder).as_posix()}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def user_folder() -> Path:
    """Return the folder of what is kept between runs: ARGO_BENCH_HOME, or the user's data folder."""
    return Path(os.environ.get("ARGO_BENCH_HOME") or platformdirs.user_data_path("argo-bench"))


def worker_cpu() -> int | None:
    """Return the processor that workers are pinned to, the last one allowed: the orchestrator keeps the first."""
    if sys.platform != "linux":
        return None
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[-1] if len(allowed) > 1 else None


def _read_processor() -> str:
    for line in (read_text("/proc/cpuinfo") or "").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def read_text(path: str | Path) -> str | None:
    """Return the text of a file of the system, or None where it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return None


def _find_version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


STOLEN_TICKS = 2
STOLEN_SHARE = 0.05
CLOCK_JUMP_S = 0.1
TICK_S = 1 / os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 0.01


class Watch:
    """Looks at a span of time from outside: was the processor stolen, did the clock jump, did the machine sleep?"""

    def __init__(self, processor: int | None = None) -> None:
        self._processor = worker_cpu() if processor is None else processor
        self._stolen = read_stolen_ticks(self._processor)
        self._monotonic, self._wall, self._boot = time.monotonic(), time.time(), _read_boot_time()

    def outside_cause(self) -> str | None:
        """Return why what was measured since the start does not count, or None."""
        elapsed = time.monotonic() - self._monotonic
        if (slept := _read_boot_time() - self._boot - elapsed) > CLOCK_JUMP_S:
            return f"the machine slept for {slept:.1f} s"
        if abs(jump := time.time() - self._wall - elapsed) > CLOCK_JUMP_S:
            return f"the clock jumped by {jump:.1f} s"
        stolen = read_stolen_ticks(self._processor) - self._stolen
        if stolen >= STOLEN_TICKS and stolen * TICK_S > STOLEN_SHARE * elapsed:
            return f"{stolen * TICK_S:.2f} s of {elapsed:.2f} s were stolen by other machines"
        return None


def read_stolen_ticks(processor: int | None) -> int:
    """Return the ticks since boot that the hypervisor gave to other machines; 0 where unknown.

    They are those of one processor, or of all for None.
    """
    name = "cpu" if processor is None else f"cpu{processor}"
    for line in (read_text("/proc/stat") or "").splitlines():
        fields = line.split()
        if fields and fields[0] == name:
            return int(fields[8]) if len(fields) > 8 else 0
    return 0


def _read_boot_time() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


IN_MEMORY = {"tmpfs", "ramfs", "devtmpfs"}


def find_file_system(path: Path) -> str:
    """Return the type of the file system that holds a path (``ext4``, ``tmpfs``), or ``unknown``."""
    place = path.resolve()
    mounts = {Path(each.mountpoint): each.fstype for each in psutil.disk_partitions(all=True)}
    return next((mounts[each] for each in (place, *place.parents) if each in mounts), "unknown")


def is_disk(path: Path) -> bool:
    """Say whether what is written there leaves the memory: a tmpfs is not a disk, and says nothing about durability."""
    return find_file_system(path) not in IN_MEMORY
