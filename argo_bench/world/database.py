"""The SQLite table that signals are stored in, its indexes, and the connection that a world opens by default."""

from __future__ import annotations

import sqlite3
from pathlib import Path

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

SCHEMA = """
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
CREATE INDEX IF NOT EXISTS by_symbol ON signals (symbol);
CREATE INDEX IF NOT EXISTS by_timestamp ON signals (timestamp);
CREATE INDEX IF NOT EXISTS by_outcome ON signals (outcome);
"""

INSERT = f"INSERT INTO signals ({', '.join(COLUMNS)}) VALUES ({', '.join(':' + name for name in COLUMNS)})"


def open_database(path: Path) -> sqlite3.Connection:
    """A connection at SQLite's defaults (rollback journal, synchronous FULL) to a file that has the table."""
    # One thread at a time uses it; a notebook may run the loop in another thread than the one that opened it.
    connection = sqlite3.connect(path, check_same_thread=False)
    connection.executescript(SCHEMA)
    return connection
