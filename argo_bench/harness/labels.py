"""Names a user's functions in sentences, tables and records, and tells two of one name apart."""

from __future__ import annotations

import functools
import inspect
import reprlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType, MethodType
from typing import Any

Named = Callable[..., Any] | str
PLAIN = (bool, int, float, complex, str, bytes, type(None))
LONGEST = 60
"""The arguments of a partial, and what an object says of itself, are left out where they take more characters."""


def label(function: Named) -> str:
    """Return the name of a function for a sentence or a record.

    A partial is named with what it wraps, a lambda by its place, and an object by what it says of itself.
    """
    if isinstance(function, str):
        return function
    if isinstance(function, functools.partial):
        return _label_partial(function)
    names = (getattr(function, each, None) for each in ("__qualname__", "__name__"))
    name = next((each for each in names if isinstance(each, str)), None)
    if name is None:
        return _label_object(function)
    place = find_place(function) if name.endswith("<lambda>") else None
    return name if place is None else f"lambda ({place})"


def shorten_name(name: str) -> str:
    """Return the last part of a function's name: ``parse`` of ``mypackage.fast:parse``; one with arguments stays so."""
    return name if name.endswith(")") else name.rpartition(":")[2].rpartition(">.")[2]


def label_both(baseline: Named, candidate: Named) -> tuple[str, str]:
    """Return the names of two functions; two of one name are told apart by module, else by place, else by their roles.

    One function that stands in both roles has one name.
    """
    names = label(baseline), label(candidate)
    short = shorten_name(names[0])
    if short != shorten_name(names[1]) or _is_same(baseline, candidate):
        return names
    for tell in (_label_with_module, _label_with_place):
        told = tell(baseline), tell(candidate)
        if told[0] != told[1]:
            return told
    return f"{short} (baseline)", f"{short} (candidate)"


def find_place(function: Callable[..., Any]) -> str | None:
    """Return where a function was written, as in ``In[3], line 2``; None for one that Python code did not define."""
    try:
        code = getattr(inspect.unwrap(function), "__code__", None)
    except ValueError:  # it wraps itself
        return None
    return f"{_name_file(code.co_filename)}, line {code.co_firstlineno}" if isinstance(code, CodeType) else None


def _name_file(name: str) -> str:
    """Return the name of a source file, or ``In[3]`` for the third cell of a notebook."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    cell = None if shell is None else shell.compile.format_code_name(name)
    return Path(name).name if cell is None else str(cell[1])


def _label_partial(function: functools.partial[Any]) -> str:
    arguments = [_show(each) for each in function.args]
    arguments += [f"{name}={_show(each)}" for name, each in function.keywords.items()]
    inner = shorten_name(label(function.func))
    shown = ", ".join([inner, *arguments])
    return f"partial({shown if len(shown) <= LONGEST else f'{inner}, ...'})"


def _show(value: object) -> str:
    if isinstance(value, PLAIN):
        return reprlib.repr(value)
    return shorten_name(label(value)) if callable(value) else type(value).__name__


def _label_object(value: object) -> str:
    """Return what an object says of itself where that is short and its own words, else the name of its class."""
    name = type(value).__name__
    if type(value).__repr__ is object.__repr__:
        return name
    try:
        shown = repr(value)
    except Exception:  # noqa: BLE001 - a user's own code may raise anything
        return name
    return shown if len(shown) <= LONGEST and shown.endswith(")") and shown.isprintable() else name


def _is_same(one: Named, other: Named) -> bool:
    return one is other or (isinstance(one, str | MethodType) and isinstance(other, str | MethodType) and one == other)


def _label_with_module(function: Named) -> str:
    """Return a name with its module, ``mypackage.fast.parse``, or with its file, ``parse (fast.py)``."""
    short = shorten_name(label(function))
    module = function.rpartition(":")[0] if isinstance(function, str) else getattr(function, "__module__", None)
    if not isinstance(module, str) or module in ("", "__main__") or short.endswith(")"):
        return short
    return f"{short} ({module})" if module.endswith(".py") else f"{module}.{short}"


def _label_with_place(function: Named) -> str:
    short = shorten_name(label(function))
    place = None if isinstance(function, str) else find_place(function)
    return short if place is None or short.endswith(f"({place})") else f"{short} ({place})"
