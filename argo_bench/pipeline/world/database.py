"""Signals are stored in the SQLite table of this module: it is opened, filled ahead of a study, and described here."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argo_bench.pipeline.model import Readings

FILE_NAME = "signals.sqlite"
COLUMNS = (
    "signal_id",
    "symbol",
    "direction",
    "entry",
    "stop",
    "target",
    "confidence",
    "regime",
    "strategy",
    "source_count",
    "reasoning",
    "timestamp",
    "sha256",
    "outcome",
    "created_at",
)

TABLE = """
CREATE TABLE IF NOT EXISTS signals (
    id INTEGER PRIMARY KEY,
    signal_id TEXT NOT NULL UNIQUE,
    symbol TEXT NOT NULL,
    direction TEXT NOT NULL CHECK (direction IN ('LONG', 'SHORT')),
    entry REAL NOT NULL,
    stop REAL NOT NULL,
    target REAL NOT NULL,
    confidence REAL NOT NULL,
    regime TEXT NOT NULL,
    strategy TEXT NOT NULL,
    source_count INTEGER NOT NULL,
    reasoning TEXT NOT NULL,
    timestamp REAL NOT NULL,
    sha256 TEXT NOT NULL,
    outcome TEXT,
    created_at REAL NOT NULL
);
"""
INDEXES = """
CREATE INDEX IF NOT EXISTS by_symbol ON signals (symbol);
CREATE INDEX IF NOT EXISTS by_timestamp ON signals (timestamp);
CREATE INDEX IF NOT EXISTS by_outcome ON signals (outcome);
"""
SIGNAL_ID, SYMBOL, REASONING, TIMESTAMP = (
    1 + COLUMNS.index(name) for name in ("signal_id", "symbol", "reasoning", "timestamp")
)
"""The positions that these columns have in a row of ``SELECT *``, which begins with the row's number."""
REALS = frozenset(("entry", "stop", "target", "confidence", "timestamp", "created_at"))
"""The columns that SQLite reads as floats, whatever number was stored."""

# One transaction makes it all, so that a process that is killed meanwhile leaves no table without its indexes.
SCHEMA = f"BEGIN IMMEDIATE; {TABLE} {INDEXES} COMMIT;"

INSERT = f"INSERT INTO signals ({', '.join(COLUMNS)}) VALUES ({', '.join(':' + name for name in COLUMNS)})"
REWRITE = "UPDATE signals SET reasoning = ? WHERE signal_id = ?"
INSERT_IN_ORDER = f"INSERT INTO signals ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"

SYNCHRONOUS = ("OFF", "NORMAL", "FULL", "EXTRA")
"""SQLite's synchronous levels: each stands at its number."""


SYMBOLS = (
    *("AAPL", "NVDA", "TSLA", "MSFT", "BTC-USD", "ETH-USD", "GOOG", "IBM", "GENA-USD", "GENB-USD"),
    *(f"SYN{number:03d}" for number in range(1, 31)),
)
"""The symbols that a database is filled with: the usual ones,
those of the installed sample, the first generated ones."""

ROWS_PER_CYCLE = 8
SETTLED = 0.9
"""The share of all rows, from the oldest on, that have an outcome."""


def open_database(path: Path) -> sqlite3.Connection:
    """Open a connection at SQLite's defaults (rollback journal,
    synchronous FULL) to a file, and make the table if it lacks it.

    Only a new file gets the indexes: those that an optimization has dropped do not come back with every opening.
    """
    # One thread at a time uses the connection; in a notebook that may be another thread than the one that opened it.
    connection = sqlite3.connect(path, check_same_thread=False)
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'signals'").fetchone():
        connection.executescript(SCHEMA)
    return connection


@dataclass(frozen=True, slots=True)
class Settings:
    """Holds what a connection's durability and speed depend on, as it is in force there. ``page_size`` is in bytes."""

    journal_mode: str
    synchronous: str
    page_size: int

    def __str__(self) -> str:
        return f"journal mode {self.journal_mode}, synchronous {self.synchronous}, pages of {self.page_size} bytes"


def read_settings(connection: sqlite3.Connection) -> Settings:
    """Ask SQLite for the settings that are in force on a connection."""
    # A connection notices only at its next read of the file that another one has switched the file's journal mode.
    connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    journal_mode, synchronous, page_size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous", "page_size")
    )
    return Settings(journal_mode, SYNCHRONOUS[synchronous], page_size)


def preload_database(path: Path, rows: int, seed: int = 0, symbols: Sequence[str] = SYMBOLS) -> Path:
    """Return ``path`` after making sure that it is a database;
    where it does not exist, make one of ``rows`` plausible rows.

    The rows end a cycle before the world's epoch, and the older ones have an outcome. Several processes may ask for the
    same file at once: it appears under its name only when it is complete and on the disk.
    """
    if path.exists():
        return path
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with closing(sqlite3.connect(unfinished)) as connection:
            connection.execute("PRAGMA journal_mode = OFF")
            connection.execute("PRAGMA synchronous = OFF")
            # The unique index grows in random order, so 256 MiB of cache keep its pages in memory meanwhile.
            connection.execute("PRAGMA cache_size = -262144")
            connection.executescript(TABLE)
            with connection:
                connection.executemany(INSERT_IN_ORDER, make_rows(rows, seed, symbols))
            connection.executescript(INDEXES)
        flush(unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def make_rows(rows: int, seed: int, symbols: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Generate rows as a service would have stored them, oldest first, in the order of COLUMNS."""
    from argo_bench.pipeline.world.base import CYCLE_S, EPOCH_S  # imported here because it imports this module

    generator = random.Random(seed)
    draw, bits = generator.random, generator.getrandbits
    levels = {symbol: 10 * 50 ** draw() for symbol in symbols}
    for number in range(rows):
        symbol = symbols[int(draw() * len(symbols))]
        direction, sign = ("LONG", 1) if draw() < 0.6 else ("SHORT", -1)
        entry = round(levels[symbol] * (0.95 + 0.1 * draw()), 2)
        stop, target = round(entry * (1 - 0.03 * sign), 2), round(entry * (1 + 0.05 * sign), 2)
        confidence = round(75 + 15 * draw(), 2)
        regime = ("TRENDING", "CONSOLIDATION", "VOLATILE")[int(3 * draw())]
        reasoning = (
            f"{direction} {symbol} at {entry} with {confidence} % confidence in a {regime} market: trend and momentum "
            f"agree, the stop at {stop} and the target at {target} leave room for the day's range."
        )
        timestamp = EPOCH_S - CYCLE_S * (1 + (rows - 1 - number) // ROWS_PER_CYCLE)
        outcome = None if number >= SETTLED * rows else "win" if draw() < 0.55 else "loss"
        yield (
            f"{bits(128):032x}",
            symbol,
            direction,
            entry,
            stop,
            target,
            confidence,
            regime,
            "weighted_consensus",
            4,
            reasoning,
            timestamp,
            f"{bits(256):064x}",
            outcome,
            timestamp + 1,
        )


def as_read(number: int, row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return a row that was stored under a number as ``SELECT *`` returns it."""
    return number, *(float(row[name]) if name in REALS else row[name] for name in COLUMNS)


def summarize_readings(readings: Readings) -> tuple[list[str], list[str], float | None]:
    """Return what readers were told: the ids of the latest
    signals, those of the latest of a symbol, and the win rate."""
    latest, of_symbol = ([row[SIGNAL_ID] for row in rows] for rows in (readings.latest, readings.latest_of_symbol))
    return latest, of_symbol, readings.win_rate


def copy_into(directory: Path, source: Path) -> None:
    """Copy a database into a world's directory and flush the copy to the disk.

    Nothing is then left to be written while a study takes times.
    """
    target = directory / FILE_NAME
    shutil.copyfile(source, target)
    flush(target)


def flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
