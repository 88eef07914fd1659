"""Signals into SQLite, those of a cycle in one transaction, on a connection with a write-ahead log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from argo_bench.pipeline.baseline.store import row
from argo_bench.pipeline.model import Encoded, World

JournalMode = Literal["WAL", "DELETE"]
Synchronous = Literal["FULL", "NORMAL"]
INDEXES = (
    "CREATE INDEX IF NOT EXISTS by_symbol_and_timestamp ON signals (symbol, timestamp)",
    "CREATE INDEX IF NOT EXISTS by_known_outcome ON signals (outcome) WHERE outcome IS NOT NULL",
    "DROP INDEX IF EXISTS by_symbol",
    "DROP INDEX IF EXISTS by_outcome",
)
"""The composite index finds the latest of a symbol without sorting, and whatever the one on the symbol alone found. A
new signal has no outcome yet: it costs the partial index nothing. The index on the timestamp stays, it serves the
latest of all."""


class Tuned:
    """A world's database as it is to be, made so before its first use: journal mode, synchronous level, indexes.

    Everything but the journal mode belongs to a connection and not to the file, hence the world's own one, that which
    writes. FULL loses no acknowledged row to a power failure; NORMAL, in a write-ahead log, those of the last commits.
    Neither loses one to a killed process.
    """

    def __init__(self, journal_mode: JournalMode = "WAL", synchronous: Synchronous = "FULL") -> None:
        self._statements = (f"PRAGMA journal_mode = {journal_mode}", f"PRAGMA synchronous = {synchronous}", *INDEXES)
        self._world: World | None = None

    def __call__(self, world: World) -> None:
        if world is not self._world:
            for statement in self._statements:
                world.execute(statement)
            self._world = world


class InOneTransaction:
    """A store stage that returns when all its rows are committed, and then tells of them.

    There is no queue: a commit for a cycle's rows is one for all of them already, and a row that waited for the next
    cycle's would be acknowledged late or be lost. Raises sqlite3.IntegrityError where a row violates a constraint; then
    no row of the call is kept.
    """

    def __init__(self, tune: Callable[[World], None], tell: Callable[[Sequence[Encoded]], None]) -> None:
        self._tune = tune
        self._tell = tell

    def __call__(self, world: World, signals: Sequence[Encoded]) -> None:
        self._tune(world)
        if signals:
            world.insert_many([row(world, signal) for signal in signals])
            self._tell(signals)
