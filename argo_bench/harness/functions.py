"""Finds a user's callable by its name in this process, as the workers find it in theirs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any

from argo_bench.errors import UserError
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


def find_importable_name(function: Callable[..., Any] | str) -> str | None:
    """Return the ``module:name`` under which another process finds a function, or None where there is no such name."""
    if isinstance(function, str):
        return function
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    if not isinstance(module, str) or "<" in name or not is_found_elsewhere(module):
        return None
    target = f"{module}:{name}"
    try:
        return target if resolve_function(target) is function else None
    except UserError:
        return None


def is_found_elsewhere(name: str) -> bool:
    """Say whether another process that imports a module by its name gets the file that this process has under it.

    The main program is another one there, a module that code has made is nowhere, and a file may hide behind another
    one of its name. A module that is not loaded counts as found.
    """
    if name == "__main__":
        return False
    package, _, rest = name.partition(".")
    if package in sys.stdlib_module_names:
        return True
    if not _is_found(package, search_path()):
        return False
    parent = sys.modules.get(name.rpartition(".")[0])
    file = str(getattr(sys.modules.get(name), "__file__", None) or "")
    return not rest or not file.endswith(".py") or _is_found(name, list(getattr(parent, "__path__", ())))


def _is_found(name: str, path: Sequence[str]) -> bool:
    module = sys.modules.get(name)
    if module is None:
        return True
    found = _find_spec(name, path)
    file = getattr(module, "__file__", None)
    if found is None:
        return False
    return file is None or not found.has_location or os.path.realpath(file) == os.path.realpath(found.origin or "")


def _find_spec(name: str, path: Sequence[str]) -> ModuleSpec | None:
    """Return what another process finds under a name: on its path, else by the finders that installations bring."""
    if (found := PathFinder.find_spec(name, path)) is not None:
        return found
    for finder in sys.meta_path:
        with suppress(Exception):  # finders are anybody's code
            if finder is not PathFinder and (found := finder.find_spec(name, None)) is not None:
                return found
    return None
