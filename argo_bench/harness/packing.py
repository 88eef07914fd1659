"""Packs a user's functions, with all that they use, so that another process has them with the same meaning.

Functions and classes of the main program, of notebooks, and of modules that another process does not find, are copied;
others are imported there by their names. Objects arrive as they are now. What cannot be so in a process of its own is
made new there: a lock that nobody holds, and the cache of ``functools.lru_cache``, which arrives empty. What cannot be
copied is named.
"""

from __future__ import annotations

import functools
import io
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pickle import PicklingError
from types import FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any

import cloudpickle

from argo_bench.errors import UserError
from argo_bench.harness.functions import find_importable_name, is_found_elsewhere
from argo_bench.harness.labels import label, shorten_name
from argo_bench.harness.workers.kept import list_code_names

Cached = functools._lru_cache_wrapper
LOCKS: Mapping[type, Callable[[], Any]] = {type(make()): make for make in (threading.Lock, threading.RLock)}
STREAMS = ("stdin", "stdout", "stderr")
DEEPEST, MOST_PARTS = 12, 200
"""What cannot be copied is looked for so deep, and among so many parts of each thing."""


def pack_functions(roles: Mapping[str, Callable[..., Any]]) -> bytes:
    """Return functions by their roles, and those of the main program by their names there, as a pickle.

    Raises UserError, naming what cannot be copied.
    """
    content = io.BytesIO()
    try:
        with Packer(content) as packer:
            packer.dump((dict(roles), packer.main))
    except Exception as error:  # noqa: BLE001 - what a function uses may refuse in any way
        raise UserError(_explain(roles, error)) from None
    return content.getvalue()


class Packer(cloudpickle.Pickler):  # type: ignore[misc]
    """Pickles as cloudpickle does, which copies more. It is a context manager, and used once.

    ``main`` collects the functions and classes of the main program under the names that they have there. Workers put
    them into theirs, so that they can be found by name from then on, as instances of a class are when they are pickled.
    """

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.main: dict[str, Any] = {}
        self._found: dict[str, bool] = {}
        self._copied = [sys.modules[__name__]]  # for the functions that rebuild things

    def __enter__(self) -> Packer:
        for module in self._copied:
            cloudpickle.register_pickle_by_value(module)
        return self

    def __exit__(self, *exception: object) -> None:
        for module in self._copied:
            cloudpickle.unregister_pickle_by_value(module)

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, FunctionType | type | ModuleType | Cached):
            self._note_home(value)
        reduced = reduce_in_our_way(value)
        return super().reducer_override(value) if reduced is None else reduced

    def _note_home(self, value: Any) -> None:
        """Note what is of the main program, and have a module copied that another process does not find."""
        name = value.__name__ if isinstance(value, ModuleType) else value.__module__
        if not isinstance(name, str) or (module := sys.modules.get(name)) is None:
            return
        if name == "__main__":
            if vars(module).get(known := getattr(value, "__qualname__", "")) is value:
                self.main[known] = value
        elif name not in self._found:
            self._found[name] = is_found_elsewhere(name)
            if not self._found[name] and name not in cloudpickle.list_registry_pickle_by_value():
                cloudpickle.register_pickle_by_value(module)
                self._copied.append(module)


# What is copied in a way of its own


def reduce_in_our_way(value: Any) -> Any:
    """Return how a thing is pickled that cloudpickle would refuse or make another thing of; None for all others.

    Raises PicklingError for what would be another thing in another process.
    """
    if isinstance(value, Cached):
        return None if find_importable_name(value) else _reduce_cache(value)
    if isinstance(value, FunctionType):
        registry = getattr(value, "registry", None)
        if isinstance(registry, MappingProxyType) and not find_importable_name(value):
            return rebuild_dispatch, (dict(registry),)
        return None
    if type(value) in LOCKS:
        if not repr(value).startswith("<unlocked"):
            raise PicklingError("a lock that is held")
        return LOCKS[type(value)], ()
    if isinstance(value, memoryview):  # of which cloudpickle would make bytes
        return _reduce_view(value)
    for name in STREAMS:
        if value is getattr(sys, name):
            return getattr, (sys, name)
    if isinstance(value, io.TextIOWrapper):  # of which cloudpickle would make a text in memory
        raise PicklingError("an open file")
    return _reduce_identity(value) if _has_only_identity(value) else None


def _reduce_view(value: memoryview) -> Any:
    if value.ndim != 1 or value.format != "B" or not value.contiguous:
        raise PicklingError("a memoryview of more than bytes")
    return memoryview, (bytes(value) if value.readonly else bytearray(value),)


def _reduce_cache(value: Any) -> Any:
    parameters = value.cache_parameters()
    kept = {name: each for name, each in vars(value).items() if name not in ("cache_parameters", "__wrapped__")}
    return rebuild_cache, (value.__wrapped__, parameters["maxsize"], parameters["typed"]), kept


def rebuild_cache(function: Callable[..., Any], most: int | None, is_typed: bool) -> Callable[..., Any]:
    """Make an empty cache, in the other process, to which this function is copied itself."""
    return functools.lru_cache(most, is_typed)(function)


def rebuild_dispatch(implementations: dict[type, Callable[..., Any]]) -> Callable[..., Any]:
    """Make a function of functools.singledispatch, in the other process, to which this function is copied itself."""
    generic = functools.singledispatch(implementations[object])
    for kind, function in implementations.items():
        generic.register(kind, function)
    return generic


def _has_only_identity(value: Any) -> bool:
    """Say whether a thing is nothing but itself, as MISSING = object() is: a copy would be another one."""
    kind = type(value)
    is_plain = all(getattr(kind, name) is getattr(object, name) for name in ("__reduce_ex__", "__reduce__"))
    if not is_plain or kind.__module__ == "__main__" or hasattr(kind, "__slots__") or isinstance(value, type):
        return False
    return not getattr(value, "__dict__", None) and kind.__basicsize__ <= object.__basicsize__ + 16


def _reduce_identity(value: Any) -> Any:
    """Return the name of a thing in a module that another process finds, None where it has none."""
    for module_name, module in list(sys.modules.items()):
        if module_name != "__main__" and isinstance(module, ModuleType):
            for name, each in list(vars(module).items()):
                if each is value and is_found_elsewhere(module_name):
                    return getattr, (module, name)
    return None


# What cannot be copied


def _explain(roles: Mapping[str, Callable[..., Any]], error: Exception) -> str:
    """Say which function uses what cannot be copied, and how it gets there."""
    for role, function in roles.items():
        if not _is_copyable(function):
            used, value = _find_obstacle(function)
            name = shorten_name(label(function))
            what = f"uses {used}, {_describe(value)}" if used else f"is {_describe(value)}"
            way_out = "make it in setup" if role != "setup" else "make it within the setup"
            return f"{name} cannot be copied to another process, since it {what}: {way_out}, or within the function"
    return f"the functions cannot be copied to another process ({error}): make what they need in setup"


def _is_copyable(value: Any) -> bool:
    try:
        with Packer(io.BytesIO()) as packer:
            packer.dump(value)
    except Exception:  # noqa: BLE001 - it may refuse in any way
        return False
    return True


def _find_obstacle(value: Any) -> tuple[str, Any]:
    """Return the innermost part of a thing that cannot be copied, with the way to it; no way where that is itself."""
    way, seen = "", {id(value)}
    for _ in range(DEEPEST):
        parts = ((name, part) for name, part in _list_parts(value) if id(part) not in seen)
        found = next((each for each in parts if not _is_copyable(each[1])), None)
        if found is None:
            break
        name, value = found
        seen.add(id(value))
        way = name if not name.startswith((".", "[")) else f"{way}{name}" if way else name.lstrip(".")
    return way, value


def _list_parts(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a thing consists of: a name alone is one that code uses, ``.name`` an attribute, ``[0]`` an item."""
    if isinstance(value, MethodType):
        yield from ((type(value.__self__).__name__, value.__self__), (value.__name__, value.__func__))
    elif isinstance(value, functools.partial):
        yield from ((shorten_name(label(value)), each) for each in (value.func, *value.args, *value.keywords.values()))
    elif isinstance(value, FunctionType):
        yield from _list_used(value)
    elif isinstance(value, Mapping):
        yield from ((f"[{key!r}]", each) for key, each in list(value.items())[:MOST_PARTS])
    elif isinstance(value, list | tuple | set | frozenset | Cached):
        items = [value.__wrapped__] if isinstance(value, Cached) else list(value)[:MOST_PARTS]
        yield from ((f"[{number}]", each) for number, each in enumerate(items))
    if not isinstance(value, FunctionType | ModuleType):
        yield from ((f".{name}", each) for name, each in list(getattr(value, "__dict__", {}).items())[:MOST_PARTS])
        yield from ((type(value).__name__, type(value)) for _ in range(type(value).__module__ == "__main__"))


def _list_used(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Yield what the code of a function uses: variables of its module, what it closes over, defaults, attributes."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # an empty cell
            continue
    names = sorted({*list_code_names(function.__code__)} & function.__globals__.keys())
    yield from ((name, function.__globals__[name]) for name in names)
    yield from (("a default", each) for each in function.__defaults__ or ())
    yield from (function.__kwdefaults__ or {}).items()
    yield from vars(function).items()


def _describe(value: Any) -> str:
    """Say what a thing is, for a sentence."""
    if type(value) in LOCKS:
        return "a lock that is held"
    if isinstance(value, io.IOBase):
        return f"an open file ({getattr(value, 'name', '')})"
    kind = type(value)
    name = kind.__qualname__
    if kind.__module__ not in ("builtins", "__main__"):
        name = f"{kind.__module__}.{name}"
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
