"""Memo is a stage that remembers: a dictionary in front of joblib.Memory, with a time to live on the world's clock.

The in-process layer answers within a process. The disk layer is for restarts: it is read only where an earlier process
left entries, and written when the world closes, so that a miss costs the key and the computation, not a file. A full
dictionary gives up its oldest entry, since looking up an LRU cache (cachetools) takes longer than the cheapest memoized
stage takes to compute.

A hit takes no lock. A miss joins the flight of its key: one computation that every concurrent caller waits for.
"""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import pickle
import threading
from collections.abc import Callable, Generator, Hashable, Iterable
from pathlib import Path
from typing import Any, NamedTuple, Self

import joblib
import numpy as np
import pandas as pd
import xxhash

from argo_bench.pipeline.model import Stage, World
from argo_bench.pipeline.record import settle


class Entry(NamedTuple):
    """Holds what is handed out for a key, and when its computation began."""

    stored_at: float
    value: Any


class Memo:
    """Wraps ``function``, a stage, and keeps its results per key.

    ``key`` maps the stage's arguments (without the World) to something hashable that holds all that the function reads;
    by default their content. ``ttl_s`` is counted on ``world.now()`` from the start of the computation; without it an
    entry never expires. At most ``maxsize`` entries are held at any time, and as many wait to be written. ``disk`` adds
    joblib.Memory under ``world.directory``; ``schema`` is part of its keys and changes with the meaning of a value.
    ``keep`` says whether a value is kept; one that is not still answers everybody who waits for it.

    One computation per key is under way at a time: in the whole process where the stage is plain, per event loop where
    it returns an awaitable, and then Memo returns awaitables too. A failure is raised to all who wait and is not kept.
    When the leader (the caller that computes) is cancelled, one of the others takes over. A stage may not ask its own
    Memo for the key that it computes.

    Values are handed out as they are, so a mutable one is refused with TypeError. ``hits`` counts the answers that were
    found or waited for, ``misses`` those that were computed, ``corrupt_entries`` the entries on disk that were unusable
    and computed anew. Misses are exact. Hits are counted without a lock: exactly where threads share an interpreter
    lock, since none is switched within ``+=``; without that lock (free-threaded Python) some may go uncounted.
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
        keep: Callable[[Any], bool] | None = None,
    ) -> None:
        if maxsize < 1:
            raise ValueError(f"a Memo holds at least one entry, got maxsize {maxsize!r}; leave the Memo out instead")
        self.__wrapped__ = function
        self.key = key if key is not None else content_key
        self.hits = 0
        self.misses = 0
        self._ttl_s = ttl_s
        self._entries: dict[Hashable, Entry] = {}
        self._maxsize = maxsize
        self._uses_disk = disk
        self._name = getattr(function, "__qualname__", type(function).__qualname__)
        self._schema = f"{self._name}:{schema}"
        self._keep = keep
        self._shelf: Shelf | None = None
        self._flights: dict[Hashable, Flight] = {}
        self._lock = threading.Lock()
        self._is_async = False

    def __call__(self, world: World, *arguments: Any) -> Any:
        key = self.key(*arguments)
        entry = self._entries.get(key)
        if entry is not None and (self._ttl_s is None or world.now() - entry.stored_at < self._ttl_s):
            self.hits += 1
            return entry.value
        return (self._answer_async if self._is_async else self._answer)(world, key, arguments)

    def at_hand(self, world: World, *arguments: Any) -> Settled | None:
        """Return what this process remembers, as a hit, or None where it would have to be computed or read."""
        entry = self._entries.get(self.key(*arguments))
        if entry is None or not self._is_fresh(world, entry):
            return None
        self.hits += 1
        return entry.value if isinstance(entry.value, Settled) else Settled(entry.value)

    @property
    def corrupt_entries(self) -> int:
        return self._shelf.corrupted if self._shelf is not None else 0

    def _answer(self, world: World, key: Hashable, arguments: tuple[Any, ...]) -> Any:
        own = Flight(self._flights, (None, key), threading.Lock())
        own.latch.acquire()
        while own.entry is None and (other := self._join_flight(world, key, own)) is not None:
            with other.latch:
                own.entry = other.get_entry()
        if own.entry is not None:
            self.hits += 1
            return own.entry.value
        with own:
            own.entry = self._recall(world, key)
            if own.entry is None:
                began = world.now()
                value = self.__wrapped__(world, *arguments)
                if hasattr(value, "__await__"):
                    self._is_async = True
                    return self._answer_async(world, key, arguments, value)
                own.entry = self._keep_computed(key, value, Entry(began, value))
            return own.entry.value

    async def _answer_async(self, world: World, key: Hashable, arguments: tuple[Any, ...], begun: Any = None) -> Any:
        """Answer as ``_answer`` does, for a stage that is awaited.

        ``begun`` is the awaitable by which the stage was found out to be one. The flight starts when this coroutine is
        awaited, so that nobody waits for a coroutine that was made and dropped.
        """
        own = Flight(self._flights, (asyncio.get_running_loop(), key), asyncio.Lock())
        await own.latch.acquire()
        try:
            while own.entry is None and (other := self._join_flight(world, key, own)) is not None:
                async with other.latch:
                    own.entry = other.get_entry()
            if own.entry is not None:
                self.hits += 1
                return await settle(own.entry.value)
            with own:
                own.entry = self._recall(world, key) if begun is None else None
                if own.entry is None:
                    began = world.now()
                    value = await settle(self.__wrapped__(world, *arguments) if begun is None else begun)
                    own.entry = self._keep_computed(key, value, Entry(began, Settled(value)))
                return await settle(own.entry.value)
        finally:
            if inspect.iscoroutine(begun):
                begun.close()  # where another caller led, it never ran; where it ran, this does nothing

    def _join_flight(self, world: World, key: Hashable, own: Flight) -> Flight | None:
        """Return the flight of another caller to wait for.

        It is None where ``own`` now leads, or carries the entry that landed meanwhile.
        """
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and self._is_fresh(world, entry):
                own.entry = entry
                return None
            flight = self._flights.setdefault(own.place, own)
            return None if flight is own else flight

    def _is_fresh(self, world: World, entry: Entry) -> bool:
        return self._ttl_s is None or world.now() - entry.stored_at < self._ttl_s

    def _recall(self, world: World, key: Hashable) -> Entry | None:
        """Return the entry that an earlier process left on disk, or None."""
        if not self._uses_disk:
            return None
        with self._lock:
            if self._shelf is None:
                self._shelf = Shelf(world.directory / "memo", self._schema)
                world.resources.callback(self._shelf.flush)
        entry = self._shelf.get(key)
        if entry is None or not self._is_fresh(world, entry):
            return None
        self.hits += 1
        with self._lock:
            put(self._entries, key, entry, self._maxsize)
        return entry

    def _keep_computed(self, key: Hashable, value: Any, entry: Entry) -> Entry:
        if (mutable := mutable_part(value)) is not None:
            raise TypeError(
                "expected an immutable value to remember, since every caller is handed the same one, "
                f"got {mutable.__qualname__!r} from {self._name!r}; "
                "return numbers, texts, tuples, frozensets or frozen dataclasses of them"
            )
        is_kept = self._keep is None or self._keep(value)
        with self._lock:
            self.misses += 1
            if is_kept:
                put(self._entries, key, entry, self._maxsize)
                if self._shelf is not None:
                    put(self._shelf.pending, key, entry, self._maxsize)
        return entry


def put(entries: dict[Hashable, Entry], key: Hashable, entry: Entry, maxsize: int) -> None:
    """Put the entry in as the youngest, and drop the oldest where there is no room."""
    if entries.pop(key, None) is None and len(entries) >= maxsize:
        del entries[next(iter(entries))]
    entries[key] = entry


@dataclasses.dataclass(frozen=True, slots=True)
class Settled:
    """Holds a value for callers who await it: any number of them, on any event loop."""

    value: Any

    def __await__(self) -> Generator[None, None, Any]:
        yield from ()
        return self.value


class Flight:
    """Stands for one computation under way. Its latch, a lock that the leader holds, opens when it has landed."""

    __slots__ = ("_failure", "_flights", "entry", "latch", "place")

    def __init__(self, flights: dict[Hashable, Flight], place: Hashable, latch: Any) -> None:
        self._flights = flights
        self._failure: BaseException | None = None
        self.place = place
        self.latch = latch
        self.entry: Entry | None = None

    def get_entry(self) -> Entry | None:
        """Return the entry that the flight brought, None where its leader was cancelled.

        Raises what the computation raised.
        """
        if self._failure is not None:
            raise self._failure
        return self.entry

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, failure: BaseException | None, traceback: object) -> None:
        # A cancellation, an interrupt or a close concerns the leader alone, a failure of the computation everybody.
        self._failure = failure if isinstance(failure, Exception) else None
        del self._flights[self.place]
        self.latch.release()


SEAL = 16
"""The number of bytes that an XXH3-128 takes."""

PLAIN = (int, float, str, bytes, type(None))


def mutable_part(value: Any) -> type | None:
    """Return the type of the first part of a value that a caller could change, or None."""
    if isinstance(value, PLAIN):
        return None
    if isinstance(value, tuple | frozenset):
        parts: Any = value
    elif (parameters := vars(type(value)).get("__dataclass_params__")) is not None and parameters.frozen:
        parts = [getattr(value, field.name) for field in dataclasses.fields(value)]
    else:
        return type(value)
    return next(filter(None, map(mutable_part, parts)), None)


class Shelf:
    """Keeps entries in joblib.Memory under our own keys: those
    of earlier processes are read, ``flush`` writes new ones.

    An entry is stored under a seal over its key and its bytes. An entry that was truncated, overwritten or put in
    another's place is not served, and is not unpickled.
    """

    def __init__(self, directory: Path, schema: str) -> None:
        self.pending: dict[Hashable, Entry] = {}
        self.corrupted = 0
        self._directory = directory
        self._schema = schema
        self._remembered = self._open_cache() if directory.exists() else None

    def get(self, key: Hashable) -> Entry | None:
        if self._remembered is None:
            return None
        digest = self._digest(key)
        try:
            if not self._remembered.check_call_in_cache(digest, None):
                return None
            return unseal(digest, self._remembered.call_and_shelve(digest, None).get())
        except Exception:  # noqa: BLE001 - reading a file that may hold anything may raise anything
            self.corrupted += 1
            return None

    def flush(self) -> None:
        remembered = self._remembered or self._open_cache()
        pending, self.pending = self.pending, {}
        for key, entry in pending.items():
            digest = self._digest(key)
            # ``call`` overwrites; calling ``remembered`` itself would find the earlier entry, expired or corrupted.
            remembered.call(digest, lambda digest=digest, entry=entry: seal(digest, entry))

    def _open_cache(self) -> Any:
        remembered = joblib.Memory(self._directory, verbose=0).cache(_remember, ignore=["make"])
        # The first question of a process is always answered "no" where joblib has no note of the function's code, and
        # makes joblib write it: this one is asked for that effect.
        remembered.check_call_in_cache("", None)
        return remembered

    def _digest(self, key: Hashable) -> str:
        return content_key(self._schema, key).hex()


def _remember(digest: str, make: Callable[[], bytes]) -> bytes:
    return make()


def seal(digest: str, entry: Entry) -> bytes:
    payload = pickle.dumps(tuple(entry))
    return xxhash.xxh3_128_digest(digest.encode() + payload) + payload


def unseal(digest: str, stored: bytes) -> Entry:
    """Return the entry.

    Raises ValueError for anything that is not a whole entry of this key, and what unpickling raises.
    """
    seal, payload = stored[:SEAL], stored[SEAL:]
    if seal != xxhash.xxh3_128_digest(digest.encode() + payload):
        raise ValueError(f"expected the entry {digest}, got {len(stored)} bytes of something else")
    return Entry(*pickle.loads(payload))


def content_key(*values: Any) -> bytes:
    """Return 16 bytes (XXH3-128) that depend on the content alone:
    equal frames have equal keys whatever their memory layout.

    Takes numbers, texts, None, tuples and mappings of them, numpy arrays, and frames (values, dtypes, column names and
    the index with its unit). Raises TypeError for anything else.
    """
    return digest_all(values)


def digest_all(values: Iterable[Any]) -> bytes:
    """Return the ``content_key`` of values, of which each is let go before the next is taken."""
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
    """Return the index as an array that carries its unit. For an index with a time zone pandas would give objects."""
    return index.tz_convert(None).to_numpy() if isinstance(index, pd.DatetimeIndex) and index.tz else index.to_numpy()
