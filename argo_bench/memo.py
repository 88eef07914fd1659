"""Memo: a stage that remembers, with a dictionary in front of joblib.Memory and a time to live on the world's clock.

The in-process layer answers within a process. The disk layer is for restarts: it is read only where an earlier
process left entries, and written when the world closes, so that a miss costs the key and the computation, not a file.
A full dictionary gives up its oldest entry: looking up an LRU (cachetools) takes longer than the cheapest memoized
stage takes to compute.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas as pd
import xxhash

from argo_bench.model import Stage, World


class Entry(NamedTuple):
    stored_at: float
    value: Any


class Memo:
    """``function``, a stage, with its results kept per key.

    ``key`` maps the stage's arguments (without the World) to something hashable that holds all that the function
    reads; by default their content. ``ttl_s`` is counted on ``world.now()``; without it an entry never expires.
    ``disk`` adds joblib.Memory under ``world.directory``; ``schema`` is part of its keys and changes with the meaning
    of a value. Values must be immutable: they are handed out as they are. ``hits`` and ``misses`` are counted.
    """

    def __init__(
        self,
        function: Stage,
        key: Callable[..., Hashable] | None = None,
        *,
        ttl_s: float | None = None,
        maxsize: int = 4096,
        disk: bool = False,
        schema: str = "",
    ) -> None:
        self.__wrapped__ = function
        self.key = key if key is not None else content_key
        self.hits = 0
        self.misses = 0
        self._ttl_s = ttl_s
        self._entries: dict[Hashable, Entry] = {}
        self._maxsize = maxsize
        self._uses_disk = disk
        self._schema = f"{getattr(function, '__qualname__', type(function).__qualname__)}:{schema}"
        self._shelf: Shelf | None = None

    def __call__(self, world: World, *arguments: Any) -> Any:
        key = self.key(*arguments)
        entry = self._entries.get(key)
        if entry is not None and self._is_fresh(world, entry):
            self.hits += 1
            return entry.value
        return self._recalled_or_computed(world, key, arguments)

    def _is_fresh(self, world: World, entry: Entry) -> bool:
        return self._ttl_s is None or world.now() - entry.stored_at < self._ttl_s

    def _recalled_or_computed(self, world: World, key: Hashable, arguments: tuple[Any, ...]) -> Any:
        shelf = self._shelf_of(world)
        entry = shelf.get(key) if shelf is not None else None
        if entry is not None and self._is_fresh(world, entry):
            self.hits += 1
        else:
            self.misses += 1
            entry = Entry(world.now(), self.__wrapped__(world, *arguments))
            if shelf is not None:
                shelf.put(key, entry)
        if len(self._entries) >= self._maxsize:
            del self._entries[next(iter(self._entries))]
        self._entries[key] = entry
        return entry.value

    def _shelf_of(self, world: World) -> Shelf | None:
        if self._uses_disk and self._shelf is None:
            self._shelf = Shelf(world.directory / "memo", self._schema)
            world.resources.callback(self._shelf.flush)
        return self._shelf


class Shelf:
    """joblib.Memory with keys of our own: entries of earlier processes are read, new ones written by ``flush``."""

    def __init__(self, directory: Path, schema: str) -> None:
        self._directory = directory
        self._schema = schema
        self._pending: dict[Hashable, Entry] = {}
        self._remembered = self._opened() if directory.exists() else None

    def get(self, key: Hashable) -> Entry | None:
        if self._remembered is None:
            return None
        digest = self._digest(key)
        if not self._remembered.check_call_in_cache(digest, None):
            return None
        entry: Entry = self._remembered(digest, None)
        return entry

    def put(self, key: Hashable, entry: Entry) -> None:
        self._pending[key] = entry

    def flush(self) -> None:
        remembered = self._remembered or self._opened()
        for key, entry in self._pending.items():
            remembered(self._digest(key), lambda entry=entry: entry)
        self._pending.clear()

    def _opened(self) -> Any:
        return joblib.Memory(self._directory, verbose=0).cache(_remember, ignore=["make"])

    def _digest(self, key: Hashable) -> str:
        return content_key(self._schema, key).hex()


def _remember(digest: str, make: Callable[[], Entry]) -> Entry:
    return make()


def content_key(*values: Any) -> bytes:
    """16 bytes (XXH3-128) that depend on the content alone: equal frames have equal keys whatever their memory layout.

    Takes numbers, texts, None, tuples and mappings of them, numpy arrays, and frames (values, dtypes, column names and
    the index with its unit). Raises TypeError for anything else.
    """
    digest = xxhash.xxh3_128()
    for value in values:
        _update(digest, value)
    return digest.digest()


def _update(digest: xxhash.xxh3_128, value: Any) -> None:
    match value:
        case None | bool() | int() | float() | str() | bytes():
            digest.update(f"{type(value).__name__}:{value!r};".encode())
        case tuple() | list():
            digest.update(f"{len(value)}(".encode())
            for item in value:
                _update(digest, item)
        case dict():
            _update(digest, tuple(value.items()))
        case np.ndarray() if not value.dtype.hasobject:
            digest.update(f"{value.dtype.str}{value.shape};".encode())
            digest.update(np.ascontiguousarray(value).view(np.uint8).data)
        case pd.DataFrame():
            _update(digest, _indices(value.index))
            for name in value.columns:
                _update(digest, name)
                _update(digest, value[name].to_numpy())
        case _:
            raise TypeError(f"expected numbers, texts, tuples, dicts, arrays or frames in a key, got {type(value)!r}")


def _indices(index: pd.Index) -> Any:
    """The index as an array that carries its unit; pandas would give objects for one with a time zone."""
    return index.tz_convert(None).to_numpy() if isinstance(index, pd.DatetimeIndex) and index.tz else index.to_numpy()
