"""What does a look-up cost? One kibibyte is read here from a dict, joblib.Memory, SQLite and Redis.

Each pair is a benchmark of two functions. ``argo-bench run argo_bench/study/lookups.py --out DIRECTORY`` measures them,
and ``Report.pays`` draws from which hit rate on a cache with such a look-up pays. Every store is filled before, and is
as near as it can be: an open connection, a server on this machine.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import joblib
import redis

from argo_bench.harness.benchmark import Benchmark
from argo_bench.pipeline.world.redis import Server
from argo_bench.temporary import owned_prefix

KEY = "regime:AAPL:4680"
VALUE = bytes(range(256)) * 4


@dataclass(slots=True)
class Stores:
    """Holds all four stores, filled. ``held`` keeps the server and the directory for as long as the process lives."""

    held: ExitStack
    kept: dict[str, bytes]
    remembered: Callable[[str], Any]
    database: sqlite3.Connection
    client: Any


def value_of(key: str) -> bytes:
    """Return the value that joblib remembers."""
    return VALUE


def stores() -> Stores:
    """Open and fill all four stores. Raises UserError where there is no server for Redis."""
    held = ExitStack()
    directory = held.enter_context(tempfile.TemporaryDirectory(prefix=owned_prefix("lookups")))
    remembered = joblib.Memory(directory, verbose=0).cache(value_of)
    remembered(KEY)
    database = sqlite3.connect(f"{directory}/kept.sqlite")
    held.callback(database.close)
    database.execute("CREATE TABLE kept (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID")
    database.execute("INSERT INTO kept VALUES (?, ?)", (KEY, VALUE))
    database.commit()
    client = redis.Redis.from_url(held.enter_context(Server()).url)
    held.callback(client.close)
    client.set(KEY, VALUE)
    return Stores(held, {KEY: VALUE}, remembered, database, client)


def from_dict(stores: Stores) -> bytes:
    return stores.kept[KEY]


def from_joblib(stores: Stores) -> Any:
    return stores.remembered(KEY)


def from_sqlite(stores: Stores) -> Any:
    return stores.database.execute("SELECT value FROM kept WHERE key = ?", (KEY,)).fetchone()[0]


def from_redis(stores: Stores) -> Any:
    return stores.client.get(KEY)


BENCHMARKS = [
    Benchmark(name, from_dict, function, stores, "equal", "wall")
    for name, function in (("joblib.Memory", from_joblib), ("SQLite", from_sqlite), ("Redis", from_redis))
]
