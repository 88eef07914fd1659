"""The machine and the versions that a run was measured on, as recorded facts."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from pathlib import Path

import psutil

PACKAGES = ("argo-bench", "pandas", "numpy", "numba", "joblib", "msgspec", "orjson", "TA-Lib", "polars", "xxhash")
THREAD_CAPS = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "POLARS_MAX_THREADS"), "1"
)
"""What workers run under; set before numpy is imported."""


def facts() -> dict[str, object]:
    """Processor, cores, memory, kernel, load, versions and thread caps; what cannot be read is left out."""
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "load_average": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        "clock_source": _read("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        "worker_cpu": worker_cpu(),
        "thread_caps": THREAD_CAPS,
        "versions": {name: version for name in PACKAGES if (version := _version(name)) is not None},
    }


def worker_cpu() -> int | None:
    """The processor that workers are pinned to: the last one allowed, so that the orchestrator keeps the first."""
    if sys.platform != "linux":
        return None
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[-1] if len(allowed) > 1 else None


def _processor() -> str:
    for line in (_read("/proc/cpuinfo") or "").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
