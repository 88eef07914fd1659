"""Is the database what its records say: its rows, its settings, its disk, and what is left when the disk is full?"""

import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from argo_bench.harness.machine.environment import find_file_system, is_disk
from argo_bench.pipeline.world import SimulatedWorld
from argo_bench.pipeline.world.base import EPOCH_S
from argo_bench.pipeline.world.database import (
    COLUMNS,
    FILE_NAME,
    SYMBOLS,
    Settings,
    copy_into,
    open_database,
    preload_database,
    read_settings,
)
from argo_bench.study.replay import NoMarket

PLAIN = {"by_symbol", "by_timestamp", "by_outcome"}


def asked(path, sql):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def indexes(path):
    return {name for (name,) in asked(path, "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")}


def test_a_preloaded_database_has_the_table_its_indexes_and_so_many_rows(tmp_path):
    path = preload_database(tmp_path / "rows.sqlite", 1_000, seed=3)
    assert asked(path, "PRAGMA integrity_check") == [("ok",)]
    assert asked(path, "SELECT count(*), count(DISTINCT signal_id) FROM signals") == [(1_000, 1_000)]
    assert indexes(path) == PLAIN
    with closing(open_database(tmp_path / "new.sqlite")):
        pass
    definitions = "SELECT type, name, sql FROM sqlite_master ORDER BY name"
    assert asked(path, definitions) == asked(tmp_path / "new.sqlite", definitions)


def test_preloaded_rows_are_older_than_the_world_and_the_older_ones_have_an_outcome(tmp_path):
    path = preload_database(tmp_path / "rows.sqlite", 1_000)
    rows = asked(path, "SELECT id, timestamp, outcome, symbol FROM signals ORDER BY id")
    assert [each[1] for each in rows] == sorted(each[1] for each in rows)
    assert rows[-1][1] == EPOCH_S - 5
    assert [each[2] is None for each in rows] == [number >= 900 for number in range(1_000)]
    assert {each[2] for each in rows} == {"win", "loss", None}
    assert {each[3] for each in rows} == set(SYMBOLS)


def test_preloaded_rows_depend_on_the_seed_alone(tmp_path):
    def rows(name, seed):
        return asked(preload_database(tmp_path / name, 50, seed), "SELECT * FROM signals")

    assert rows("a", 1) == rows("b", 1)
    assert rows("c", 2) != rows("a", 1)


def test_a_preloaded_database_may_be_empty_and_may_be_about_other_symbols(tmp_path):
    assert asked(preload_database(tmp_path / "none", 0), "SELECT count(*) FROM signals") == [(0,)]
    assert set(asked(preload_database(tmp_path / "own", 20, symbols=["X"]), "SELECT symbol FROM signals")) == {("X",)}


def test_a_preloaded_database_that_is_there_is_not_made_again(tmp_path):
    path = preload_database(tmp_path / "rows.sqlite", 10)
    before = path.stat().st_ino
    assert preload_database(path, 10) == path
    assert path.stat().st_ino == before


def ask_for(path):
    return asked(preload_database(Path(path), 3_000), "SELECT count(*) FROM signals")


def test_processes_that_ask_for_the_same_database_at_once_all_find_it_whole(tmp_path):
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        counts = list(pool.map(ask_for, [str(tmp_path / "rows.sqlite")] * 6))
    assert counts == [[(3_000,)]] * 6
    assert os.listdir(tmp_path) == ["rows.sqlite"]


def test_what_could_not_be_made_leaves_nothing_behind(tmp_path):
    with pytest.raises(ZeroDivisionError):
        preload_database(tmp_path / "rows.sqlite", 10, symbols=Raising())
    assert os.listdir(tmp_path) == []


class Raising:
    def __iter__(self):
        return iter(("A",))

    def __len__(self):
        return 1 // 0


def test_a_world_takes_a_copy_and_leaves_the_original_as_it_was(tmp_path):
    path = preload_database(tmp_path / "rows.sqlite", 10)
    before = path.read_bytes()
    (tmp_path / "world").mkdir()
    copy_into(tmp_path / "world", path)
    with SimulatedWorld(NoMarket(), directory=tmp_path / "world") as world:
        world.insert(a_row("one more"))
        assert world.query("SELECT count(*) FROM signals") == [(11,)]
    assert path.read_bytes() == before


def a_row(signal_id):
    values = dict.fromkeys(COLUMNS, 1.0)
    return {**values, "signal_id": signal_id, "direction": "LONG", "outcome": None}


def test_a_new_database_is_at_sqlites_defaults(tmp_path):
    with closing(open_database(tmp_path / FILE_NAME)) as connection:
        assert read_settings(connection) == Settings("delete", "FULL", 4096)
        assert str(read_settings(connection)) == "journal mode delete, synchronous FULL, pages of 4096 bytes"


def test_settings_are_those_of_the_connection_and_the_journal_mode_that_of_the_file(tmp_path):
    with closing(open_database(tmp_path / FILE_NAME)) as first, closing(open_database(tmp_path / FILE_NAME)) as second:
        first.execute("PRAGMA journal_mode = WAL")
        first.execute("PRAGMA synchronous = NORMAL")
        assert read_settings(first) == Settings("wal", "NORMAL", 4096)
        assert read_settings(second) == Settings("wal", "FULL", 4096)


def test_an_index_that_was_dropped_does_not_come_back_with_the_next_opening(tmp_path):
    with closing(open_database(tmp_path / FILE_NAME)) as connection:
        connection.execute("DROP INDEX by_symbol")
    with closing(open_database(tmp_path / FILE_NAME)):
        assert indexes(tmp_path / FILE_NAME) == PLAIN - {"by_symbol"}


def test_a_world_that_need_not_be_durable_never_waits_for_the_disk(tmp_path):
    with SimulatedWorld(NoMarket(), directory=tmp_path, durable=False) as world:
        assert world.database_settings.synchronous == "OFF"
        world.execute("PRAGMA synchronous = FULL")
        assert world.database_settings.synchronous == "OFF"
        with closing(world.connect_database()) as connection:
            assert read_settings(connection).synchronous == "OFF"


def test_the_ledger_counts_the_rows_that_were_committed_and_not_those_that_were_refused(tmp_path):
    with SimulatedWorld(NoMarket(), directory=tmp_path) as world:
        world.insert_many([a_row("a"), a_row("b")])
        with pytest.raises(sqlite3.IntegrityError):
            world.insert_many([a_row("c"), a_row("a")])
        assert (world.ledger.rows, world.ledger.commits, world.ledger.sql_statements) == (2, 2, 4)
        assert world.query("SELECT signal_id FROM signals") == [("a",), ("b",)]


def mounted(*mounts):
    return lambda all: [SimpleNamespace(mountpoint=place, fstype=kind) for place, kind in mounts]


def test_the_file_system_is_that_of_the_longest_mount_point(tmp_path, monkeypatch):
    inner = tmp_path / "memory"
    inner.mkdir()
    monkeypatch.setattr(psutil, "disk_partitions", mounted(("/", "ext4"), (str(inner), "tmpfs"), ("/proc", "proc")))
    assert (find_file_system(tmp_path), is_disk(tmp_path)) == ("ext4", True)
    assert (find_file_system(inner / "deeper" / "file"), is_disk(inner / "deeper")) == ("tmpfs", False)
    assert find_file_system(tmp_path / "memory beside") == "ext4"


def test_a_mount_on_top_of_another_hides_it(tmp_path, monkeypatch):
    monkeypatch.setattr(psutil, "disk_partitions", mounted(("/", "ext4"), ("/", "overlay")))
    assert find_file_system(tmp_path) == "overlay"


def test_a_path_that_no_mount_point_holds_is_on_an_unknown_file_system(tmp_path, monkeypatch):
    monkeypatch.setattr(psutil, "disk_partitions", mounted())
    assert find_file_system(tmp_path) == "unknown"


LIMITED = """
import resource, signal, sqlite3, sys
from pathlib import Path
from argo_bench.pipeline import baseline
from argo_bench.study.trials.o05_crash import ARMS, signals_of
from argo_bench.study.replay import NoMarket
from argo_bench.pipeline.world import SimulatedWorld

arm, directory = sys.argv[1:]
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
pipeline = ARMS[arm](baseline.PIPELINE)
with SimulatedWorld(NoMarket(), directory=Path(directory)) as world:
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, resource.RLIM_INFINITY))
    for cycle in range(1_000):
        world.begin(cycle)
        signals = signals_of(cycle, 40)
        try:
            pipeline.store(world, signals)
        except sqlite3.OperationalError as error:
            print(error, file=sys.stderr)
            break
        print(*(each.decision.signal_id for each in signals), sep="\\n", flush=True)
    # The connection closes without the limit, as it would after the disk was made room on.
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no file-size limits")
@pytest.mark.parametrize(
    "arm", ["engineered", *(pytest.param(each, marks=pytest.mark.slow) for each in ("baseline", "rollback journal"))]
)
def test_a_file_size_limit_in_the_middle_of_a_batch_costs_no_acknowledged_row_and_is_one_clear_sentence(tmp_path, arm):
    command = [sys.executable, "-c", LIMITED, arm, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=True)
    acknowledged = done.stdout.split()
    assert len(acknowledged) >= 40
    path = tmp_path / FILE_NAME
    assert asked(path, "PRAGMA integrity_check") == [("ok",)]
    stored = [each for (each,) in asked(path, "SELECT signal_id FROM signals ORDER BY id")]
    assert stored[: len(acknowledged)] == acknowledged
    in_one = 1 if arm == "baseline" else 40
    if in_one == 40:
        assert stored == acknowledged
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith(f"{path}: expected room for {in_one} rows, got 'd")
    assert sentence.endswith(
        "none of them is stored: free space on the disk or raise the limit on the size of files, and store them again"
    )
