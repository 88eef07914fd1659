"""O05 - database batching.

Claim        database writes -50-70 %, queries -80-90 %, 50-100 ms -> 5-15 ms (FIVE, the earlier document on
             optimizations 1-5). It has no copy here: its rules are those that the study's own specification restates.
Baseline     baseline/store.py and read.py: an INSERT and a commit for each signal, on a connection at SQLite's defaults
             (rollback journal, synchronous FULL) and three plain indexes; each reading asks all of its queries.
Prescribed   A queue of rows that is written in one ``executemany`` when it holds 50 or 5 s have passed; answers kept
             for 30 s by SQL text and parameters; PRAGMAs; indexes on pairs of columns. Wrong, and how it shows:
             - Age is looked at only when another row comes: in a quiet market a row waits for as long as that takes.
             - A stage that has only queued a row acknowledges it. Nothing drains the queue at shutdown, so the rows in
               it are dropped; ``kill -9`` loses them alike.
             - The duplicate look-up does not see queued rows. A duplicate passes it, and the constraint fails for the
               whole batch, whose rows are lost with it, and those of the call that were not queued yet. (The queue is
               emptied before it is written: otherwise that batch would fail again with every row to come.)
             - An insert does not make kept answers out of date: readers may miss what is stored for 30 s. Nothing
               forgets an expired answer, and the kept list itself is handed out: who changes it changes the cache.
             - The PRAGMAs are given to a connection that is closed at once. The journal mode belongs to the file and
               stays; synchronous, cache_size and temp_store belong to that connection and are gone, so that the one
               that writes still runs at FULL.
             - Three further indexes are written with every row. The planner uses the first for the latest of a symbol
               and the second where the plain one on the outcome did as well; the third serves no query.
Engineered   optimized/store.py and read.py: a transaction for each cycle, acknowledged after its commit, so that there
             is nothing to drain or to lose and no lag; write-ahead log at synchronous FULL, which is as durable as the
             baseline (the arm "WAL, synchronous NORMAL" may lose the last commits when the power fails, not when the
             process is killed); one composite index, the two that it and a partial one replace dropped; answers kept,
             and rows that are stored put into them, until another connection commits. SQLite is asked for its version
             before each reading, which reads no row. The arm "rollback journal" is the same without the log.
Simple       The write-ahead log and one transaction a cycle; indexes and readings as they are.
May change   nothing. Where a row violates a constraint, the baseline keeps the rows before it, engineered none of the
             cycle's.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from statistics import fmean
from typing import Any

from argo_bench.harness.claims.sentence import publish_claim
from argo_bench.optimizations.optimization import CYCLE, SIMPLE, Optimization, Replay, Workload
from argo_bench.pipeline.baseline.read import LATEST, LATEST_OF_SYMBOL, WIN_RATE
from argo_bench.pipeline.baseline.store import row
from argo_bench.pipeline.model import Encoded, Readings, Stage, World
from argo_bench.pipeline.optimized.read import Answers
from argo_bench.pipeline.optimized.store import InOneTransaction, JournalMode, Synchronous, Tuned
from argo_bench.pipeline.record import Edit, Pipeline, settle
from argo_bench.pipeline.world.database import TIMESTAMP, summarize_readings

BATCH = 50
LONGEST_WAIT_S = 5.0
TTL_S = 30.0
PRAGMAS = ("journal_mode = WAL", "synchronous = NORMAL", "cache_size = 10000", "temp_store = MEMORY")
INDEXED = ("symbol, timestamp", "outcome, timestamp", "symbol, outcome")


class BatchedDatabase:
    """Implements the document's queue of rows and its cache of answers."""

    def __init__(self) -> None:
        self.hits = 0
        self.misses = 0
        self._queue: list[dict[str, Any]] = []
        self._flushed_at: float | None = None
        self._answers: dict[tuple[str, tuple[str, ...]], tuple[list[Any], float]] = {}
        self._world: World | None = None

    def store(self, world: World, signals: Sequence[Encoded]) -> None:
        self._optimize(world)
        if self._flushed_at is None:
            self._flushed_at = world.now()
        for signal in signals:
            self._queue.append(row(world, signal))
            if len(self._queue) >= BATCH or world.now() - self._flushed_at >= LONGEST_WAIT_S:
                self._flush(world)

    def _flush(self, world: World) -> None:
        batch, self._queue = self._queue, []
        self._flushed_at = world.now()
        world.insert_many(batch)

    def read(self, world: World, symbols: Sequence[str]) -> Readings:
        self._optimize(world)
        return Readings(
            latest=self._query(world, LATEST),
            latest_of_symbol=self._query(world, LATEST_OF_SYMBOL, symbols[world.cycle % len(symbols)]),
            win_rate=self._query(world, WIN_RATE)[0][0],
        )

    def _query(self, world: World, sql: str, *parameters: str) -> list[Any]:
        key = sql, parameters
        if key in self._answers:
            answer, stored_at = self._answers[key]
            if world.now() - stored_at < TTL_S:
                self.hits += 1
                return answer
        self.misses += 1
        answer = world.query(sql, parameters)
        self._answers[key] = answer, world.now()
        return answer

    def _optimize(self, world: World) -> None:
        if world is self._world:
            return
        with closing(world.connect_database()) as connection:
            for pragma in PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
            for columns in INDEXED:
                connection.execute(f"CREATE INDEX IF NOT EXISTS by_{columns.replace(', ', '_')} ON signals ({columns})")
        self._world = world

    def forget(self) -> None:
        """Forget every answer, so that it is asked for anew. This is not from the document."""
        self._answers.clear()


def prescribed(pipeline: Pipeline) -> Pipeline:
    batched = BatchedDatabase()
    return pipeline.replace(store=batched.store, read=batched.read)


def in_one_transaction(journal_mode: JournalMode, synchronous: Synchronous) -> Edit:
    """Return the edit with one transaction for each cycle and
    kept answers, at this journal mode and synchronous level."""

    def edit_pipeline(pipeline: Pipeline) -> Pipeline:
        tuned = Tuned(journal_mode, synchronous)
        answers = Answers(tuned)
        return pipeline.replace(store=InOneTransaction(tuned, answers.add), read=answers)

    return edit_pipeline


engineered = in_one_transaction("WAL", "FULL")


def simple(pipeline: Pipeline) -> Pipeline:
    """Edit the pipeline as one would first: switch the write-ahead log on, and commit once a cycle."""
    logged: set[World] = set()

    def store(world: World, signals: Sequence[Encoded]) -> None:
        if world not in logged:
            world.execute("PRAGMA journal_mode = WAL")
            logged.add(world)
        if signals:
            world.insert_many([row(world, signal) for signal in signals])

    return pipeline.replace(store=store)


def with_nothing_kept(edit: Edit) -> Edit:
    """Return the edit whose readers find no answer kept: it shows what a query costs where it must be asked."""

    def edit_pipeline(pipeline: Pipeline) -> Pipeline:
        pipeline = edit(pipeline)
        stage: Any = pipeline.read
        cache: Answers | BatchedDatabase = getattr(stage, "__self__", stage)

        def read(world: World, symbols: Sequence[str]) -> Readings:
            cache.forget()
            readings: Readings = stage(world, symbols)
            return readings

        return pipeline.replace(read=read)

    return edit_pipeline


def surviving(edit: Edit) -> Edit:
    """Return the edit in a service whose loop logs a violated constraint and goes on with the next cycle."""

    def edit_pipeline(pipeline: Pipeline) -> Pipeline:
        pipeline = edit(pipeline)
        return pipeline.replace(store=tolerant(pipeline.store))

    return edit_pipeline


def tolerant(stage: Stage) -> Stage:
    async def store(world: World, signals: Sequence[Encoded]) -> None:
        try:
            await settle(stage(world, signals))
        except sqlite3.IntegrityError:
            return

    return store


def damage(expected: Replay, got: Replay) -> Mapping[str, float]:
    """Count rows that were acknowledged and are not in the database, and what readers did not see in time."""
    acknowledged = {each.decision.signal_id for call in got.calls for each in call.result.stored}
    pairs = [
        (left.result.readings, right.result.readings) for left, right in zip(expected.calls, got.calls, strict=True)
    ]
    behind = [behind_s(left, right) for left, right in pairs]
    wanted, found = (
        sum(each.rule == "duplicate" for call in replay.calls for each in call.result.rejected)
        for replay in (expected, got)
    )
    return {
        "rows acknowledged": len(acknowledged),
        "rows dropped": len(acknowledged) - got.world.ledger.rows,
        "commits": got.world.ledger.commits,
        "duplicates missed": wanted - found,
        "stale readings": sum(summarize_readings(left) != summarize_readings(right) for left, right in pairs),
        "readers behind, mean s": fmean(behind),
        "readers behind, max s": max(behind),
    }


def behind_s(expected: Readings, got: Readings) -> float:
    """Return by how many seconds the newest signal that readers see is older than the one that they should see."""
    if not expected.latest:
        return 0.0
    oldest = expected.latest[-1][TIMESTAMP]
    newest = got.latest[0][TIMESTAMP] if got.latest else oldest
    behind: float = expected.latest[0][TIMESTAMP] - newest
    return behind


FIVE = "an earlier document on optimizations 1-5 (FIVE)"
WRITES = Workload(
    name="store, rows in the database",
    stage="store",
    inputs="trace",
    description="the signals of twelve consecutive 5 s cycles of a live market of 30 symbols into a file on disk that "
    "holds so many rows; a first cycle, in which an arm makes its indexes, is not timed",
    scales=(10_000, 0, 200_000),
    unit="rows",
    arms={
        "WAL, synchronous NORMAL": in_one_transaction("WAL", "NORMAL"),
        "rollback journal": in_one_transaction("DELETE", "FULL"),
    },
    symbols=30,
    cycles=13,
)
ASKED = Workload(
    name="read, nothing kept",
    stage="read",
    inputs="miss",
    description="the readers' three queries on so many rows, none of whose answers is kept; a first reading, in which "
    "an arm makes its indexes, is not timed",
    scales=(10_000, 0, 200_000),
    unit="rows",
    arms={"prescribed": with_nothing_kept(prescribed), "engineered": with_nothing_kept(engineered)},
)
KEPT = Workload(
    name="read, nothing stored in between",
    stage="read",
    inputs="hit",
    description="the same again and again while no signal is stored: kept answers are found",
    scales=(10_000, 0, 200_000),
    unit="rows",
)
QUERIES = Workload(
    name="cycles, queries",
    stage=CYCLE,
    inputs="trace",
    description="whole cycles of a live market, every 5 s as the answers arrive at once; the queries of readers and "
    "the duplicate look-ups are counted, and what becomes of the rows",
    scales=(120, 360, 24),
    unit="cycles",
    timed=False,
    latency_scale=0.0,
    damage=damage,
    frontier=("stale readings", "queries"),
)
UNCHANGED = Workload(
    name="cycles, unchanged prices served",
    stage=CYCLE,
    inputs="trace",
    description="the same where a symbol's last signal is served while its price moved by less than 0.5 %: it is a "
    "duplicate, and the service goes on where one violates the constraint",
    scales=(120, 360, 24),
    unit="cycles",
    arms={
        "baseline": surviving(lambda pipeline: pipeline),
        "prescribed": surviving(prescribed),
        "engineered": surviving(engineered),
        SIMPLE: surviving(simple),
    },
    skip_unchanged=True,
    timed=False,
    latency_scale=0.0,
    damage=damage,
)

OPTIMIZATION = Optimization(
    id="O05",
    name="database batching",
    layer="replace",
    prescribed=prescribed,
    engineered=engineered,
    simple=simple,
    claims=(
        publish_claim(
            id="O05.writes",
            text="database writes -50-70 %",
            source=FIVE,
            metric="wall",
            workload=WRITES.name,
            reading="time of the store stage on a file on disk with 10,000 rows (baseline: rollback journal and "
            "synchronous FULL; prescribed: WAL, FULL, its NORMAL went to another connection; engineered: WAL, FULL); "
            "rows left in a queue at the end are not written, and not timed",
            headline=True,
        ),
        publish_claim(
            id="O05.queries",
            text="queries -80-90 %",
            source=FIVE,
            metric="queries",
            workload=QUERIES.name,
            reading="all queries of 120 cycles: three of readers for each, and a duplicate look-up for each signal; "
            "since 2026-11-29 asking SQLite for its version, which reads no row, is a check and no query; before, it "
            "counted as one",
            headline=True,
        ),
        publish_claim(
            id="O05.queries-and-checks",
            text="queries -80-90 %",
            source=FIVE,
            metric="queries_and_checks",
            workload=QUERIES.name,
            reading="the same by the reading before 2026-11-29, in which a check of SQLite's version counts as a query",
        ),
        publish_claim(
            id="O05.queries-unchanged",
            text="queries -80-90 %",
            source=FIVE,
            metric="queries",
            workload=UNCHANGED.name,
            reading="the queries where the signals of unchanged prices are served, so that little is stored",
        ),
        publish_claim(
            id="O05.query-time",
            text="50-100 ms -> 5-15 ms",
            source=FIVE,
            metric="wall",
            workload=ASKED.name,
            reading="the pair as a range of ratios, 50/15 to 100/5, of the time of the readers' queries on 10,000 rows "
            "when they are asked of the database",
        ),
        publish_claim(
            id="O05.query-time-kept",
            text="50-100 ms -> 5-15 ms",
            source=FIVE,
            metric="wall",
            workload=KEPT.name,
            reading="the same while nothing is stored, so that kept answers are found",
        ),
    ),
    workloads=(WRITES, ASKED, KEPT, QUERIES, UNCHANGED),
)
