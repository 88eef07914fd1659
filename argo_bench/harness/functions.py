"""A user's callable found by its name in this process, as workers find it in theirs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from argo_bench.harness.workers import timing
from argo_bench.harness.workers.bodies import extend
from argo_bench.loading import module_from


def resolved(target: str, path: Sequence[str] = ()) -> Callable[..., Any]:
    """The callable that ``module:name`` or ``file.py:name`` stands for. Raises UserError where there is none."""
    extend(path)
    return timing.resolved(target, module_from)


def search_path() -> list[str]:
    """Where this process finds modules, for another one: the current folder first."""
    return list(
        dict.fromkeys(os.path.abspath(entry) for entry in ["", *sys.path] if entry == "" or os.path.isdir(entry))
    )
