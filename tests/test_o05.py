"""Does O05 keep every row that it acknowledged, and do its readers see what is stored?"""

import os
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argo_bench.optimizations import build
from argo_bench.optimizations.o05_database_batching import (
    OPTIMIZATION,
    QUERIES,
    UNCHANGED,
    WRITES,
    behind_s,
    damage,
    simple,
    with_nothing_kept,
)
from argo_bench.pipeline import baseline
from argo_bench.pipeline.baseline.read import LATEST, LATEST_OF_SYMBOL, WIN_RATE
from argo_bench.pipeline.baseline.store import row
from argo_bench.pipeline.baseline.validate import DUPLICATE
from argo_bench.pipeline.model import Readings
from argo_bench.pipeline.optimized import read as optimized_read
from argo_bench.pipeline.world import SimulatedWorld
from argo_bench.pipeline.world.database import FILE_NAME, Settings, open_database
from argo_bench.study.counts import count_cache_hits, count_crossings, replay
from argo_bench.study.recording import record
from argo_bench.study.replay import NoMarket
from argo_bench.study.trials import Setting
from argo_bench.study.trials.o05_crash import ARMS, TRIALS, in_processes, signal_of, signals_of, write

P = baseline.PIPELINE
QUESTIONS = ((LATEST, ()), (LATEST_OF_SYMBOL, ("AAPL",)), (WIN_RATE, ()), (DUPLICATE, ("id",)))


@pytest.fixture
def world(tmp_path):
    with SimulatedWorld(NoMarket(), directory=tmp_path) as world:
        world.begin(0)
        yield world


def prescribed():
    return OPTIMIZATION.prescribed(P)


def engineered():
    return OPTIMIZATION.engineered(P)


def stored(world):
    return [each for (each,) in world.query("SELECT signal_id FROM signals ORDER BY id")]


def ids(signals):
    return [each.decision.signal_id for each in signals]


def later(world, seconds):
    world.block(seconds)


def plans(world):
    return [[row[3] for row in world.query(f"EXPLAIN QUERY PLAN {sql}", parameters)] for sql, parameters in QUESTIONS]


# Prescribed, defects included


def test_o05_prescribed_writes_fifty_rows_in_one_commit(world):
    pipeline, signals = prescribed(), [signal_of(k, "AAPL") for k in range(60)]
    pipeline.store(world, signals[:49])
    assert stored(world) == []
    pipeline.store(world, signals[49:])
    assert stored(world) == ids(signals[:50])
    assert world.ledger.commits == 1


def test_o05_prescribed_looks_at_the_age_of_its_queue_only_when_another_row_comes(world):
    pipeline = prescribed()
    pipeline.store(world, signals_of(0, 1))
    for _ in range(20):
        later(world, 30)
        pipeline.store(world, [])
        assert pipeline.read(world, ["AAPL"]).latest == []
    pipeline.store(world, signals_of(1, 2))
    # The second of the two waits again.
    assert stored(world) == ids([*signals_of(0, 1), *signals_of(1, 1)])


def test_o05_prescribed_drops_what_is_queued_when_the_service_ends(tmp_path):
    with SimulatedWorld(NoMarket(), directory=tmp_path) as world:
        world.begin(0)
        prescribed().store(world, signals_of(0, 7))
    with SimulatedWorld(NoMarket(), directory=tmp_path) as world:
        assert stored(world) == []


def test_o05_prescribed_lets_a_duplicate_of_a_queued_row_pass_and_loses_the_batch_by_it(world):
    pipeline = prescribed()
    first, second, third = signals_of(0, 3)
    pipeline.store(world, [first, second])
    assert world.query(DUPLICATE, (first.decision.signal_id,)) == []
    later(world, 5)
    with pytest.raises(sqlite3.IntegrityError):
        pipeline.store(world, [first, third])
    later(world, 5)
    pipeline.store(world, signals_of(1, 1))
    assert stored(world) == ids(signals_of(1, 1))


def test_o05_prescribed_readers_miss_for_thirty_seconds_what_is_stored(world):
    pipeline = prescribed()
    assert pipeline.read(world, ["AAPL"]) == Readings([], [], None)
    pipeline.store(world, signals_of(0, 1))
    later(world, 5)
    pipeline.store(world, signals_of(1, 1))
    assert len(stored(world)) == 2
    later(world, 24.9)
    assert pipeline.read(world, ["AAPL"]).latest == []
    later(world, 0.1)
    assert len(pipeline.read(world, ["AAPL"]).latest) == 2


def test_o05_prescribed_keeps_answers_by_sql_text_and_parameters(world):
    pipeline = prescribed()
    for symbols in (["AAPL"], ["NVDA"], ["AAPL"]):
        pipeline.read(world, symbols)
    assert world.ledger.queries == 4
    assert (pipeline.read.__self__.hits, pipeline.read.__self__.misses) == (5, 4)


def test_o05_prescribed_hands_out_the_kept_list_itself(world):
    pipeline = prescribed()
    pipeline.read(world, ["AAPL"]).latest.append("a reader's own")
    assert pipeline.read(world, ["AAPL"]).latest == ["a reader's own"]


def test_o05_prescribed_never_forgets_an_expired_answer(world):
    pipeline = prescribed()
    for number in range(200):
        pipeline.read(world, [f"S{number}"])
        later(world, 60)
    assert len(pipeline.read.__self__._answers) == 202


def test_o05_prescribed_settings_but_the_journal_mode_are_lost_on_the_connection_that_writes(world):
    names = ("cache_size", "temp_store")
    before = [world.query(f"PRAGMA {name}") for name in names]
    prescribed().store(world, signals_of(0, 1))
    assert world.database_settings == Settings("wal", "FULL", 4096)
    assert [world.query(f"PRAGMA {name}") for name in names] == before


def test_o05_prescribed_has_an_index_that_serves_no_query_and_writes_three_more_with_every_row(world):
    prescribed().store(world, signals_of(0, 1))
    names = {name for (name,) in world.query("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")}
    plain = {"by_symbol", "by_timestamp", "by_outcome"}
    added = {"by_symbol_timestamp", "by_outcome_timestamp", "by_symbol_outcome"}
    assert names == plain | added
    used = " ".join(step for plan in plans(world) for step in plan)
    assert {name for name in names if f"INDEX {name} " in f"{used} "} == added - {"by_symbol_outcome"} | {
        "by_timestamp"
    }


# Engineered


def test_o05_engineered_plans_use_the_composite_index_and_sort_nothing(world):
    engineered().store(world, signals_of(0, 1))
    assert plans(world) == [
        ["SCAN signals USING INDEX by_timestamp"],
        ["SEARCH signals USING INDEX by_symbol_and_timestamp (symbol=?)"],
        ["SEARCH signals USING COVERING INDEX by_known_outcome (outcome>?)"],
        ["SEARCH signals USING COVERING INDEX sqlite_autoindex_signals_1 (signal_id=?)"],
    ]


def test_the_baseline_sorts_all_signals_of_a_symbol(world):
    assert plans(world)[1] == [
        "SEARCH signals USING INDEX by_symbol (symbol=?)",
        "USE TEMP B-TREE FOR ORDER BY",
    ]


def test_o05_engineered_has_fewer_indexes_to_write_than_the_baseline_and_keeps_them_over_a_restart(tmp_path):
    expected = {"by_timestamp", "by_symbol_and_timestamp", "by_known_outcome"}
    for number in range(2):
        with SimulatedWorld(NoMarket(), directory=tmp_path) as world:
            world.begin(number)
            engineered().store(world, signals_of(number, 1))
        with closing(open_database(tmp_path / FILE_NAME)) as connection:
            found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
            assert {name for (name,) in found} == expected


@pytest.mark.parametrize(
    ("arm", "journal_mode", "synchronous"),
    [
        ("baseline", "delete", "FULL"),
        ("engineered", "wal", "FULL"),
        ("WAL, synchronous NORMAL", "wal", "NORMAL"),
        ("rollback journal", "delete", "FULL"),
    ],
)
def test_the_settings_of_an_arm_are_in_force_on_the_connection_that_writes(world, arm, journal_mode, synchronous):
    pipeline = ARMS[arm](P)
    pipeline.store(world, signals_of(0, 2))
    assert world.database_settings == Settings(journal_mode, synchronous, 4096)
    pipeline.read(world, ["AAPL"])
    assert world.database_settings == Settings(journal_mode, synchronous, 4096)


def test_o05_engineered_settings_are_made_once_and_again_for_another_world(tmp_path):
    pipeline = engineered()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        with SimulatedWorld(NoMarket(), directory=tmp_path / name) as world:
            world.begin(0)
            pipeline.store(world, signals_of(0, 1))
            once = world.ledger.sql_statements
            pipeline.store(world, signals_of(1, 1))
            assert world.ledger.sql_statements == once + 1
            assert world.database_settings.journal_mode == "wal"


def test_o05_engineered_commits_a_cycle_once_and_nothing_without_signals(world):
    pipeline = engineered()
    pipeline.store(world, signals_of(0, 12))
    pipeline.store(world, [])
    assert (world.ledger.commits, world.ledger.rows) == (1, 12)
    with closing(world.connect_database()) as another:
        assert another.execute("SELECT count(*) FROM signals").fetchone() == (12,)


def test_o05_engineered_raises_where_a_row_violates_a_constraint_and_keeps_none_of_the_cycle(world):
    pipeline = engineered()
    first, second, third = signals_of(0, 3)
    pipeline.store(world, [first])
    before = pipeline.read(world, ["AAPL"])
    with pytest.raises(sqlite3.IntegrityError):
        pipeline.store(world, [second, first, third])
    assert stored(world) == ids([first])
    assert pipeline.read(world, ["AAPL"]) == before
    pipeline.store(world, [second, third])
    assert stored(world) == ids([first, second, third])


def test_o05_engineered_asks_once_and_puts_what_is_stored_into_its_answers(world):
    pipeline = engineered()

    def queries_of_reading(symbol):
        before = world.ledger.queries
        pipeline.read(world, [symbol])
        return world.ledger.queries - before

    assert queries_of_reading("AAPL") == 3
    assert queries_of_reading("AAPL") == 0
    assert queries_of_reading("NVDA") == 1
    pipeline.store(world, [signal_of(0, "NVDA"), signal_of(0, "TSLA")])
    assert queries_of_reading("AAPL") == 0
    assert queries_of_reading("NVDA") == 0
    assert queries_of_reading("TSLA") == 1
    assert [each[2] for each in pipeline.read(world, ["NVDA"]).latest] == ["TSLA", "NVDA"]
    assert (pipeline.read.hits, pipeline.read.misses) == (16, 5)


def test_asking_for_the_version_is_a_statement_and_a_check_and_no_query(world):
    pipeline = engineered()
    pipeline.read(world, ["AAPL"])
    before = world.ledger.sql_statements, world.ledger.version_checks, world.ledger.queries
    pipeline.read(world, ["AAPL"])
    after = world.ledger.sql_statements, world.ledger.version_checks, world.ledger.queries
    assert [right - left for left, right in zip(before, after, strict=True)] == [1, 1, 0]
    counted = count_crossings(world.ledger)
    assert counted["queries_and_checks"] - counted["queries"] == 2


def test_the_version_changes_with_the_commits_of_others_alone(world):
    version = world.database_version()
    world.insert_many([row(world, each) for each in signals_of(0, 2)])
    assert world.database_version() == version
    with closing(world.connect_database()) as another, another:
        another.execute("DELETE FROM signals WHERE symbol = 'NVDA'")
    assert world.database_version() != version


def test_rows_that_are_put_into_answers_are_those_that_the_database_has(world):
    pipeline = engineered()
    pipeline.read(world, ["AAPL"])
    for number in range(3):
        pipeline.store(world, signals_of(number, 7))
    readings = pipeline.read(world, ["AAPL"])
    assert list(readings.latest) == world.query(LATEST)
    assert list(readings.latest_of_symbol) == world.query(LATEST_OF_SYMBOL, ("AAPL",))
    assert repr(list(readings.latest)) == repr(world.query(LATEST))


def test_what_one_world_stores_is_not_put_into_the_answers_of_another(tmp_path):
    pipeline = engineered()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    with (
        SimulatedWorld(NoMarket(), directory=tmp_path / "a") as one,
        SimulatedWorld(NoMarket(), directory=tmp_path / "b") as other,
    ):
        one.begin(0)
        other.begin(0)
        pipeline.read(one, ["AAPL"])
        pipeline.store(other, signals_of(0, 2))
        assert pipeline.read(one, ["AAPL"]) == Readings((), (), None)


def test_simple_has_the_log_and_a_transaction_a_cycle_and_asks_as_the_baseline_does(world):
    pipeline = simple(P)
    pipeline.store(world, signals_of(0, 12))
    pipeline.store(world, [])
    assert world.database_settings == Settings("wal", "FULL", 4096)
    assert (world.ledger.commits, world.ledger.rows) == (1, 12)
    pipeline.read(world, ["AAPL"])
    assert world.ledger.queries == 3


def test_o05_engineered_sees_what_another_connection_commits(world):
    pipeline = engineered()
    pipeline.store(world, signals_of(0, 2))
    assert pipeline.read(world, ["AAPL"]).win_rate is None
    with closing(world.connect_database()) as another, another:
        another.execute("UPDATE signals SET outcome = 'win' WHERE symbol = 'AAPL'")
        another.execute("DELETE FROM signals WHERE symbol = 'NVDA'")
    readings = pipeline.read(world, ["AAPL"])
    assert readings.win_rate == 1.0
    assert [each[2] for each in readings.latest] == ["AAPL"]


def test_o05_engineered_answers_are_those_of_the_world_that_is_asked(tmp_path):
    pipeline, found = engineered(), []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        with SimulatedWorld(NoMarket(), directory=tmp_path / name) as world:
            world.begin(0)
            if name == "a":
                pipeline.store(world, signals_of(0, 3))
            found.append(len(pipeline.read(world, ["AAPL"]).latest))
    assert found == [3, 0]


def test_o05_engineered_answers_cannot_be_changed_by_who_reads_them(world):
    pipeline = engineered()
    pipeline.store(world, signals_of(0, 2))
    readings = pipeline.read(world, ["AAPL"])
    assert (type(readings.latest), type(readings.latest_of_symbol)) == (tuple, tuple)


def test_o05_engineered_keeps_no_more_than_so_many_answers_and_gives_up_the_oldest(world, monkeypatch):
    monkeypatch.setattr(optimized_read, "MAXIMUM_ANSWERS", 5)
    pipeline = engineered()
    for number in range(20):
        pipeline.read(world, [f"S{number}"])
    assert len(pipeline.read._answers) == 5
    assert (LATEST_OF_SYMBOL, "S19") in pipeline.read._answers
    assert (LATEST_OF_SYMBOL, "S0") not in pipeline.read._answers


SYMBOLS = ["AAPL", "NVDA", "TSLA"]
CYCLES = st.lists(st.lists(st.sampled_from(SYMBOLS), unique=True), max_size=12)
SETTLED = st.dictionaries(st.integers(0, 11), st.sampled_from(["win", "loss"]), max_size=4)


@settings(max_examples=40, deadline=None)
@given(cycles=CYCLES, settled=SETTLED, arm=st.sampled_from(["engineered", *WRITES.arms]))
def test_readings_are_the_baselines_after_every_cycle_of_any_stream(tmp_path_factory, cycles, settled, arm):
    """``settled``: the outcome that another connection gives to all signals so far, by the cycle."""

    def readings(pipeline):
        directory = tmp_path_factory.mktemp("world")
        with SimulatedWorld(NoMarket(), directory=directory, durable=False) as world:
            for number, symbols in enumerate(cycles):
                world.begin(number)
                pipeline.store(world, [signal_of(number, symbol) for symbol in symbols])
                if number in settled:
                    with closing(world.connect_database()) as another, another:
                        another.execute("UPDATE signals SET outcome = ? WHERE outcome IS NULL", (settled[number],))
                found = pipeline.read(world, SYMBOLS)
                yield list(found.latest), list(found.latest_of_symbol), found.win_rate

    assert list(readings(ARMS[arm](P))) == list(readings(P))


def test_with_nothing_kept_every_reading_asks_all_three_queries(world):
    for edit in (OPTIMIZATION.prescribed, OPTIMIZATION.engineered):
        pipeline = with_nothing_kept(edit)(P)
        before = world.ledger.queries
        for _ in range(4):
            pipeline.read(world, ["AAPL"])
        assert world.ledger.queries - before == 4 * 3


def test_o05_state_belongs_to_the_built_pipeline(world):
    for variant in ("prescribed", "engineered"):
        pipelines = [build({"O05": variant}) for _ in range(2)]
        assert pipelines[0].store != pipelines[1].store
        assert pipelines[0].read != pipelines[1].read


# Counted


@pytest.fixture(scope="module")
def counted(small_universe):
    found = {}
    for workload in (QUERIES, UNCHANGED):
        recording = record(workload, small_universe, 24, seed=1)
        edits = OPTIMIZATION.edits(workload)
        expected = replay(workload, edits["baseline"], recording)
        for arm, edit in edits.items():
            got = replay(workload, edit, recording)
            found[workload.name, arm] = damage(expected, got), got.world.ledger, count_cache_hits(got.pipeline)
    return found


def test_the_baseline_asks_three_queries_a_cycle_and_one_a_signal(counted):
    lost, ledger, _ = counted[QUERIES.name, "baseline"]
    assert ledger.queries == 24 * 3 + lost["rows acknowledged"]
    assert ledger.commits == lost["rows acknowledged"] > 24


def test_over_whole_cycles_engineered_drops_nothing_and_is_never_behind(counted):
    lost, ledger, caching = counted[QUERIES.name, "engineered"]
    assert {
        lost[name] for name in ("rows dropped", "stale readings", "duplicates missed", "readers behind, max s")
    } == {0}
    assert ledger.commits <= 24
    assert ledger.queries == caching["misses"] + lost["rows acknowledged"]
    assert caching["misses"] == 2 + 6
    assert ledger.version_checks == 24


def test_over_whole_cycles_prescribed_drops_rows_and_its_readers_are_behind(counted):
    lost, _, _ = counted[QUERIES.name, "prescribed"]
    assert lost["rows dropped"] > 0
    assert lost["stale readings"] > 0
    assert 5 <= lost["readers behind, max s"] <= 30


def test_where_signals_are_served_again_prescribed_takes_duplicates_for_new_ones(counted):
    assert counted[UNCHANGED.name, "prescribed"][0]["duplicates missed"] > 0
    assert counted[UNCHANGED.name, "engineered"][0]["duplicates missed"] == 0
    assert counted[UNCHANGED.name, "baseline"][0]["rows dropped"] == 0


def test_readers_that_see_nothing_are_behind_by_what_the_latest_ten_span():
    rows = [(1, "id", *[0] * 10, timestamp) for timestamp in (40.0, 35.0, 20.0)]
    assert behind_s(Readings(rows, [], None), Readings([], [], None)) == 20.0
    assert behind_s(Readings(rows, [], None), Readings(rows[1:], [], None)) == 5.0
    assert behind_s(Readings([], [], None), Readings([], [], None)) == 0.0


# On disk


def test_acknowledged_rows_survive_kill_minus_nine(tmp_path, small_universe):
    setting = Setting(5, tmp_path, None, None, small_universe, full=False)
    arms = {name: ARMS[name] for name in ("baseline", "engineered")}
    found = list(in_processes("kill", setting, 3, arms))
    assert [each.arm for each in found] == ["baseline", "baseline", "engineered", "engineered"]
    for each in found:
        assert each.values["kills"] == 3
        assert each.values["rows acknowledged"] > 0
        assert {each.values[name] for name in ("rows lost", "runs with loss", "duplicate rows", "corrupt files")} == {0}
    assert found[2].condition.startswith(
        "killed while storing, journal mode wal, synchronous FULL, pages of 4096 bytes"
    )
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
def test_a_row_costs_the_disk_less_in_one_transaction_and_with_fewer_indexes(tmp_path):
    values = {}
    for arm in ("baseline", "prescribed", "engineered"):
        (tmp_path / arm).mkdir()
        ((_, values[arm]),) = write(ARMS[arm], tmp_path / arm, 1_000, 1)
    assert [values[arm]["commits per row"] for arm in values] == [1.0, 0.125, 0.125]
    assert [values[arm]["rows dropped at the end"] for arm in values] == [0, 7, 0]
    assert values["engineered"]["file growth per row, bytes"] <= values["baseline"]["file growth per row, bytes"]
    assert values["prescribed"]["file growth per row, bytes"] > values["baseline"]["file growth per row, bytes"]
    if "written per row, bytes" in values["baseline"]:
        written = [values[arm]["written per row, bytes"] for arm in values]
        assert written[0] > written[1] > written[2]


def test_the_million_rows_are_for_studies():
    assert [(trial.name, trial.study) for trial in TRIALS] == [
        ("kill -9", False),
        ("a row on disk", False),
        ("a million rows", True),
    ]
