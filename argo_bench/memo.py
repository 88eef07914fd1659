"""Memo: a stage that remembers, with a dictionary in front of joblib.Memory and a time to live on the world's clock.

The in-process layer answers within a process. The disk layer is for restarts: it is read only where an earlier
process left entries, and written when the world closes, so that a miss costs the key and the computation, not a file.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas as pd
import xxhash
from cachetools import LRUCache

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

    __slots__ = ("__wrapped__", "_disk", "_entries", "_name", "_schema", "_shelf", "_ttl_s", "hits", "key", "misses")

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
        self._entries: LRUCache[Hashable, Entry] = LRUCache(maxsize)
        self._disk = disk
        self._schema = schema
        self._name = getattr(function, "__qualname__", type(function).__qualname__)
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
        entry = shelf.get(self._digest(key)) if shelf is not None and shelf.populated else None
        if entry is not None and self._is_fresh(world, entry):
            self.hits += 1
        else:
            self.misses += 1
            entry = Entry(world.now(), self.__wrapped__(world, *arguments))
            if shelf is not None:
                shelf.put(self._digest(key), entry)
        self._entries[key] = entry
        return entry.value

    def _digest(self, key: Hashable) -> str:
        return content_key(self._name, self._schema, key).hex()

    def _shelf_of(self, world: World) -> Shelf | None:
        if self._disk and self._shelf is None:
            self._shelf = Shelf(world.directory / "memo")
            world.resources.callback(self._shelf.flush)
        return self._shelf


class Shelf:
    """joblib.Memory with keys of our own: entries of earlier processes are read, new ones written by ``flush``."""

    def __init__(self, directory: Path) -> None:
        self.populated = directory.exists() and any(directory.rglob("output.pkl"))
        self._remembered = joblib.Memory(directory, verbose=0).cache(_remember, ignore=["make"])
        self._pending: dict[str, Entry] = {}

    def get(self, digest: str) -> Entry | None:
        if not self._remembered.check_call_in_cache(digest, None):
            return None
        entry: Entry = self._remembered(digest, None)
        return entry

    def put(self, digest: str, entry: Entry) -> None:
        self._pending[digest] = entry

    def flush(self) -> None:
        for digest, entry in self._pending.items():
            self._remembered(digest, lambda entry=entry: entry)
        self._pending.clear()


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
        case np.ndarray():
            digest.update(f"{value.dtype.str}{value.shape};".encode())
            digest.update(np.ascontiguousarray(value).view(np.uint8).data)
        case pd.DataFrame():
            _update(digest, value.index.to_numpy())
            for name in value.columns:
                _update(digest, name)
                _update(digest, value[name].to_numpy())
        case _:
            raise TypeError(f"expected numbers, texts, tuples, dicts, arrays or frames in a key, got {type(value)!r}")
