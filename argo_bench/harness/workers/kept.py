"""Finds where a function keeps the very result that it hands out: in a variable of its module, a closure or a cache.

It uses the standard library alone, and relative imports.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from numbers import Number
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

from ...errors import UserError
from .agreement import first_difference

MOST_ITEMS = 10_000
"""No more items of a collection are looked through."""
SMALL_INT, SHORT_TEXT = 1000, 20
"""Python may keep small numbers and short texts itself."""


class Place(NamedTuple):
    """Names where a result stands, with what stands there: the result itself, its equal, or a cache's calls."""

    name: str
    value: Any

    def is_still(self, other: Place | None) -> bool:
        """Say whether the same stands there after one more call: a function that computes again puts another there."""
        if other is None or self.name != other.name:
            return False
        return other.value.is_after(self.value) if isinstance(other.value, Calls) else self.value is other.value


class Before(NamedTuple):
    """Holds what a function could reach before its first call: the identities of it all, and what its cache missed."""

    identities: frozenset[int]
    misses: int | None

    def has(self, kept: Place) -> bool:
        """Say whether what is kept stood there already, so that no call of the function has made it."""
        if isinstance(kept.value, Calls):
            return kept.value.misses == self.misses
        return id(kept.value) in self.identities


class Calls(NamedTuple):
    """Counts the calls that a cache has answered, and those for which it had nothing."""

    hits: int
    misses: int

    def is_after(self, earlier: Calls) -> bool:
        """Say whether the cache has answered since then; one that setup empties before every call never does."""
        return self.hits > earlier.hits and self.misses == earlier.misses


def find_kept(function: Callable[..., Any], result: Any) -> Place | None:
    """Return where a function holds a result that it has returned; None where it is nowhere to be found.

    A collection counts that equals the result, and any value or item of a collection that is the result itself.
    """
    if (read := getattr(function, "cache_info", None)) is not None:
        return Place("a cache around it", Calls(*read()[:2]))
    if _may_be_shared(result):
        return None
    for name, value in _list_values(function):
        if value is result or _equals(value, result):
            return Place(name, value)
        if any(each is result for each in _list_items(value)):
            return Place(name, result)
    return None


def look_before(function: Callable[..., Any]) -> Before:
    """Return what a function can reach now; it is called before the function is."""
    values = [value for _, value in _list_values(function)]
    reached = itertools.chain(values, *map(_list_items, values))
    read = getattr(function, "cache_info", None)
    return Before(frozenset(map(id, reached)), None if read is None else read().misses)


def list_names(function: Callable[..., Any]) -> list[str]:
    """Return the names of what a function can reach."""
    return sorted({name for name, _ in _list_values(function)})


def _may_be_shared(result: Any) -> bool:
    """Say whether Python, or whoever defines it, keeps one object for all that are equal to it."""
    match result:
        case None | bool() | Enum() | type() | ModuleType() | FunctionType():
            return True
        case int():
            return abs(result) < SMALL_INT
        case str() | bytes():
            return len(result) < SHORT_TEXT
        case tuple() | frozenset():
            return not result
    return result is NotImplemented or result is Ellipsis


def _list_values(function: Callable[..., Any]) -> Iterator[tuple[str, Any]]:
    """Yield what a function can reach, each with its name: variables, what it closes over, defaults, attributes."""
    function = getattr(function, "func", function)  # of functools.partial
    inner = getattr(function, "__func__", function)
    if not isinstance(inner, FunctionType):
        inner = vars(type(inner)).get("__call__", inner)
    holder = getattr(function, "__self__", function)
    yield from vars(holder).items() if hasattr(holder, "__dict__") and not isinstance(holder, ModuleType) else ()
    if not isinstance(inner, FunctionType):
        return
    for name, cell in zip(inner.__code__.co_freevars, inner.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # an empty cell
            continue
    yield from ((f"a default of {inner.__name__}", each) for each in inner.__defaults__ or ())
    yield from (inner.__kwdefaults__ or {}).items()
    names = set(list_code_names(inner.__code__))
    for name in sorted(names & inner.__globals__.keys()):
        value = inner.__globals__[name]
        yield name, value
        if isinstance(value, ModuleType | type):
            yield from ((f"{name}.{each}", vars(value)[each]) for each in names if each in vars(value))
        if isinstance(value, FunctionType):
            yield from ((f"{name}.{each}", kept) for each, kept in vars(value).items() if each != "__wrapped__")


def list_code_names(code: CodeType) -> Iterator[str]:
    """Yield the names that code reads from its module, and those of attributes."""
    yield from code.co_names
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from list_code_names(each)


def _equals(value: Any, result: Any) -> bool:
    """Say whether a collection agrees with a result; a number or a text may be equal by chance, as a size is."""
    if type(value) is not type(result) or isinstance(value, Number | str | bytes):
        return False
    try:
        return first_difference(result, value, "equal") is None
    except (UserError, Exception):  # noqa: BLE001 - values of all kinds may refuse to be compared in any way
        return False


def _list_items(value: Any) -> Iterator[Any]:
    """Yield the items of a collection, and the attributes of an object."""
    if isinstance(value, Mapping):
        items: Any = value.values()
    elif isinstance(value, list | tuple | set | frozenset):
        items = value
    elif _is_plain_object(value):
        items = vars(value).values()
    else:
        return
    try:
        yield from itertools.islice(items, MOST_ITEMS)
    except RuntimeError:  # it grows meanwhile
        return


def _is_plain_object(value: Any) -> bool:
    if isinstance(value, ModuleType | type | FunctionType) or not hasattr(value, "__dict__"):
        return False
    return type(value).__module__.partition(".")[0] not in sys.stdlib_module_names
