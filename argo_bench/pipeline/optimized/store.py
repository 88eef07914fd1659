"""Signals are stored in SQLite here, those of a cycle in one transaction, on a connection with a write-ahead log.

``LateTexts`` brings explanations that come after their decisions into the decisions' rows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Literal

from argo_bench.pipeline.baseline.store import row
from argo_bench.pipeline.model import Decision, Encoded, Stage, World
from argo_bench.pipeline.record import settle
from argo_bench.pipeline.world.database import as_read

JournalMode = Literal["WAL", "DELETE"]
Synchronous = Literal["FULL", "NORMAL"]
INDEXES = (
    "CREATE INDEX IF NOT EXISTS by_symbol_and_timestamp ON signals (symbol, timestamp)",
    "CREATE INDEX IF NOT EXISTS by_known_outcome ON signals (outcome) WHERE outcome IS NOT NULL",
    "DROP INDEX IF EXISTS by_symbol",
    "DROP INDEX IF EXISTS by_outcome",
)
"""The statements that exchange the indexes.

The composite index finds the latest of a symbol without sorting, and whatever the index on the symbol alone found. A
new signal has no outcome yet, so it costs the partial index nothing. The index on the timestamp stays, since it serves
the latest of all.
"""


class Tuned:
    """Tunes a world's database before its first use: journal mode, synchronous level, indexes.

    The synchronous level belongs to a connection and not to the file, so it is set on the world's own connection, the
    one that writes. FULL loses no acknowledged row when the power fails; NORMAL with a write-ahead log loses those of
    the last commits. Neither loses one when the process is killed.
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
    """Stores signals, returns when all their rows are committed, and passes the rows, as readers see them, to ``tell``.

    There is no queue: a commit for a cycle's rows is one for all of them already, and a row that waited for the next
    cycle's would be acknowledged late or be lost. Raises sqlite3.IntegrityError where a row violates a constraint; then
    no row of the call is kept.
    """

    def __init__(self, tune: Callable[[World], None], tell: Callable[[World, Sequence[tuple[Any, ...]]], None]) -> None:
        self._tune = tune
        self._tell = tell

    def __call__(self, world: World, signals: Sequence[Encoded]) -> None:
        self._tune(world)
        if signals:
            rows = self._make_rows(world, signals)
            numbers = world.insert_numbered(rows)
            self._tell(world, list(map(as_read, numbers, rows)))

    def _make_rows(self, world: World, signals: Sequence[Encoded]) -> list[dict[str, Any]]:
        return [row(world, signal) for signal in signals]


class LateTexts:
    """Wraps a store stage so that a text which comes after its decision gets into the row of its signal.

    A text that comes before the row is stored is stored with it; one that comes later replaces the template in the row.
    Only the row is changed: what was published went out with the template, and the digest does not cover explanations.
    The text of a decision that was rejected is dropped.
    """

    def __init__(self, store: Stage) -> None:
        self.__wrapped__ = store
        self._texts: dict[str, str | None] = {}
        self._stored: set[str] = set()

    def expect(self, decision: Decision) -> None:
        """Note that a decision was given a template, and that its text is to come."""
        self._texts[decision.signal_id] = None

    def take(self, world: World, decision: Decision, text: str) -> None:
        """Take the text of a decision that was expected, and write it into its row where that is stored already."""
        if decision.signal_id in self._stored:
            self._stored.remove(decision.signal_id)
            world.rewrite({decision.signal_id: text})
        elif decision.signal_id in self._texts:
            self._texts[decision.signal_id] = text

    async def __call__(self, world: World, signals: Sequence[Encoded]) -> None:
        due = dict(self._texts)
        names = [each.decision.signal_id for each in signals if each.decision.signal_id in due]
        try:
            await settle(
                self.__wrapped__(world, [_with_text(each, due.get(each.decision.signal_id)) for each in signals])
            )
        finally:
            came_meanwhile = {name: text for name in names if not due[name] and (text := self._texts[name])}
            self._stored |= {name for name in names if not self._texts[name]}
            for name in due:
                del self._texts[name]
            if came_meanwhile:
                world.rewrite(came_meanwhile)


def _with_text(signal: Encoded, text: str | None) -> Encoded:
    if text is None:
        return signal
    decision = dataclasses.replace(signal.decision, reasoning=text, reasoning_author="model")
    return dataclasses.replace(signal, decision=decision)
