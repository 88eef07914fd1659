"""Finds a user's callable by its name in this process, as the workers find it in theirs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from argo_bench.harness.workers import timing
from argo_bench.harness.workers.bodies import extend_path
from argo_bench.loading import load_module


def resolve_function(target: str, path: Sequence[str] = ()) -> Callable[..., Any]:
    """Return the callable that ``module:name`` or ``file.py:name`` names. Raises UserError where there is none."""
    extend_path(path)
    return timing.resolve(target, load_module)


def search_path() -> list[str]:
    """Return the folders where this process finds modules, the current one first, to hand on to another process."""
    return list(
        dict.fromkeys(os.path.abspath(entry) for entry in ["", *sys.path] if entry == "" or os.path.isdir(entry))
    )
