"""Reads the settings of a process that a function may leave changed, so that its calls or the clocks run otherwise.

It uses the standard library alone. numpy's settings are read where numpy is loaded.
"""

from __future__ import annotations

import builtins
import gc
import os
import random
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from .causes import Suspicion

Settings = Mapping[str, Any]
"""Holds values by what a function did that left another value."""

CLOCKS = tuple(
    name
    for kind in ("perf_counter", "process_time", "thread_time", "monotonic", "time")
    for name in (kind, f"{kind}_ns")
    if hasattr(time, name)
)
PATCHED_BY_TOOLS = frozenset({"__import__", "print", "input", "_", "display", "open"})
"""Tools that show output or load modules later put functions of their own in the places of these."""
NUMPY_ERRORS = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
"""numpy begins with these."""


def read_settings() -> Settings:
    """Return the settings of this process as they are."""
    found: dict[str, Any] = {f"replaces time.{name}": getattr(time, name) for name in CLOCKS}
    found["leaves garbage collection " + ("off", "on")[gc.isenabled()]] = True
    found["leaves other thresholds of garbage collection"] = gc.get_threshold()
    found["leaves objects frozen, which garbage collection then passes over"] = gc.get_freeze_count() > 0
    found["leaves another switch interval of threads"] = sys.getswitchinterval()
    for what, read in SYSTEM.items():
        try:
            found[what] = read()
        except (AttributeError, OSError):
            continue
    found |= {
        f"replaces the builtin {name}": each
        for name, each in vars(builtins).items()
        if callable(each) and name not in PATCHED_BY_TOOLS
    }
    numpy = sys.modules.get("numpy")
    found["leaves another handling of numerical errors (numpy.seterr)"] = (
        NUMPY_ERRORS if numpy is None else numpy.geterr()
    )
    decimal = sys.modules.get("decimal")
    found["leaves another precision of decimal numbers"] = 28 if decimal is None else decimal.getcontext().prec
    return found


SYSTEM: Mapping[str, Callable[[], Any]] = {
    "leaves its process on other processors": lambda: os.sched_getaffinity(0),
    "leaves its process with another priority": lambda: (
        os.getpriority(os.PRIO_PROCESS, 0),
        os.sched_getscheduler(0),
    ),
}
"""Not every system has these."""


def describe_changes(before: Settings, after: Settings) -> list[Suspicion]:
    """Say what is not as it was, a suspicion for each setting."""
    return [
        Suspicion("replaces a clock" if what.startswith("replaces time.") else "changes a setting", what)
        for what, value in after.items()
        if (what not in before and value is True) or (what in before and before[what] != value)
    ]


def read_generators() -> tuple[Any, ...]:
    """Return the states of the global generators of random numbers."""
    numpy = sys.modules.get("numpy.random")
    state = None if numpy is None else numpy.get_state()
    return random.getstate(), None if state is None else (state[1].tobytes(), *state[2:])


def describe_seeding(before: tuple[Any, ...], after: tuple[Any, ...], again: tuple[Any, ...]) -> list[Suspicion]:
    """Say that calls leave a global generator in one state, whatever it was in before."""
    is_set = any(first != second == third for first, second, third in zip(before, after, again, strict=True))
    return [Suspicion("changes a setting", "sets the seed of a global generator of random numbers")] if is_set else []
