"""Finds a user's callable by its name in this process, as the workers find it in theirs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import psutil

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
    """Say whether another process that imports a module by its name gets what this process has under it.

    The main program is another one there, a module that code has made is nowhere, a file may hide behind another one of
    its name, and one that was edited after it was imported is another one there. A module that is not loaded counts as
    found.
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
    if not file.endswith(".py"):
        return True
    return (not rest or _is_found(name, list(getattr(parent, "__path__", ())))) and not _is_edited(name, file)


def _is_found(name: str, path: Sequence[str]) -> bool:
    module = sys.modules.get(name)
    if module is None:
        return True
    found = _find_spec(name, path)
    file = getattr(module, "__file__", None)
    if found is None:
        return False
    return file is None or not found.has_location or os.path.realpath(file) == os.path.realpath(found.origin or "")


def _is_edited(name: str, file: str) -> bool:
    """Say whether the file of a module has other code than its functions have here."""
    try:
        stat = os.stat(file)
    except OSError:  # it is gone
        return True
    module = sys.modules[name]
    if stat.st_mtime < psutil.Process().create_time() or type(module.__loader__) is not SourceFileLoader:
        return False
    known = _compile_file(file, stat.st_mtime_ns)
    return known is None or any(known.get(each.co_qualname) != each for each in _list_codes(module))


@cache
def _compile_file(file: str, _changed_ns: int) -> dict[str, CodeType] | None:
    """Return the code of the functions in a file by their names; None for a file that is no Python."""
    try:
        codes = [compile(Path(file).read_bytes(), file, "exec", dont_inherit=True)]
    except (OSError, SyntaxError, ValueError):
        return None
    for code in codes:  # which grows
        codes += [each for each in code.co_consts if isinstance(each, CodeType)]
    return {code.co_qualname: code for code in codes}


def _list_codes(module: ModuleType) -> Iterator[CodeType]:
    """Yield the code of the functions that a module defines, and of the methods of its classes."""
    holders = [module, *(each for each in vars(module).values() if isinstance(each, type))]
    for value in [each for holder in holders for each in vars(holder).values()]:
        if isinstance(value, FunctionType) and value.__code__.co_filename == module.__file__:
            yield value.__code__


def _find_spec(name: str, path: Sequence[str]) -> ModuleSpec | None:
    """Return what another process finds under a name: on its path, else by the finders that installations bring."""
    if (found := PathFinder.find_spec(name, path)) is not None:
        return found
    for finder in sys.meta_path:
        with suppress(Exception):  # finders are anybody's code
            if finder is not PathFinder and (found := finder.find_spec(name, None)) is not None:
                return found
    return None
