"""Frames that are too many for memory are read from a file, and are those that were read at first."""

from __future__ import annotations

import gc
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from argo_bench.errors import UserError
from argo_bench.optimizations.optimization import Workload
from argo_bench.pipeline.market import Tape, Universe, generate, read_universe
from argo_bench.pipeline.market import spool as spool_module
from argo_bench.pipeline.market.spool import BYTES_PER_BAR, Gathering, Spool, SpooledFrames
from argo_bench.pipeline.memo import content_key
from argo_bench.study import recording
from argo_bench.study.recording import MANY, describe_drawn, draw_day, draw_few, first_days, live_tape, record
from argo_bench.study.supply import digest_of
from argo_bench.temporary import remove_leftovers

BARS = 320
SYMBOLS = ["AAA", "BBB", "CCC", "DDD"]


@pytest.fixture
def frames() -> Mapping[str, pd.DataFrame]:
    return generate(SYMBOLS, BARS, seed=3).frames


@pytest.fixture
def spooled(frames: Mapping[str, pd.DataFrame]) -> Universe:
    return make_universe(gather(frames, held_bars=0))


def gather(frames: Mapping[str, pd.DataFrame], held_bars: int) -> Mapping[str, pd.DataFrame]:
    gathering = Gathering(held_bars * BYTES_PER_BAR)
    for symbol, frame in frames.items():
        gathering.add(symbol, frame)
    return gathering.frames()


def make_universe(frames: Mapping[str, pd.DataFrame]) -> Universe:
    return Universe(frames, dict.fromkeys(frames, "generated"), "a test")


@pytest.mark.parametrize(("held_bars", "is_spooled"), [(0, True), (2 * BARS, True), (4 * BARS, False)])
def test_frames_are_the_same_in_memory_and_in_the_file(
    frames: Mapping[str, pd.DataFrame], held_bars: int, is_spooled: bool
) -> None:
    found = gather(frames, held_bars)
    assert isinstance(found, SpooledFrames) == is_spooled
    assert list(found) == SYMBOLS
    for symbol in SYMBOLS:
        assert_frame_equal(found[symbol], frames[symbol], check_freq=False)


@pytest.mark.parametrize("rows", [slice(-7, None), slice(None, -5), slice(300), slice(None)])
def test_a_cut_of_a_cut_has_the_same_rows(frames: Mapping[str, pd.DataFrame], spooled: Universe, rows: slice) -> None:
    held = make_universe(frames).cut(slice(10, None)).cut(rows)
    cut = spooled.cut(slice(10, None)).cut(rows)
    assert cut.count_bars() == held.count_bars()
    for symbol in SYMBOLS:
        assert_frame_equal(cut.frames[symbol], held.frames[symbol], check_freq=False)


def test_a_universe_is_edited_as_one_in_memory_is(frames: Mapping[str, pd.DataFrame], spooled: Universe) -> None:
    held = make_universe(frames)
    for edit in (
        lambda universe: universe.take(2),
        lambda universe: universe.take(6, seed=5, bars=BARS),
        lambda universe: universe.take_newest(300),
        lambda universe: universe.take(6, bars=BARS).take_newest(300).select(["SYN002", "AAA"]),
        lambda universe: draw_day(universe, 300, seed=4),
    ):
        expected, found = edit(held), edit(spooled)
        assert (found.symbols, found.origin) == (expected.symbols, expected.origin)
        assert digest_of(found) == digest_of(expected)


def test_the_digest_is_that_of_all_frames_at_once(frames: Mapping[str, pd.DataFrame], spooled: Universe) -> None:
    assert digest_of(spooled) == content_key(*frames, *frames.values()).hex()


def test_another_process_reads_the_same_and_leaves_the_file(
    frames: Mapping[str, pd.DataFrame], spooled: Universe
) -> None:
    copy = pickle.loads(pickle.dumps(spooled))
    assert_frame_equal(copy.frames["BBB"], frames["BBB"], check_freq=False)
    del copy
    gc.collect()
    assert_frame_equal(spooled.frames["BBB"], frames["BBB"], check_freq=False)


def test_the_file_ends_with_the_universe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    found = gather(generate(["AAA"], BARS, seed=1).frames, held_bars=0)
    cut = make_universe(found).take_newest(300)
    assert len(list(tmp_path.iterdir())) == 1
    del found
    gc.collect()
    assert len(cut.frames["AAA"]) == 300
    del cut
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_the_file_of_a_process_that_was_killed_is_removed_by_a_later_one(tmp_path: Path) -> None:
    code = (
        "import os\nfrom argo_bench.pipeline.market import generate\n"
        "from argo_bench.pipeline.market.spool import Gathering\n"
        "gathering = Gathering(0)\ngathering.add('AAA', generate(['AAA'], 320, seed=1).frames['AAA'])\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code], env=os.environ | {"TMPDIR": str(tmp_path)}, check=False)
    assert [each.stat().st_size for each in tmp_path.glob("*/bars")] == [BARS * BYTES_PER_BAR]
    assert len(remove_leftovers(tmp_path)) == 1
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_gone_is_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    found = gather(generate(["AAA"], BARS, seed=1).frames, held_bars=0)
    shutil.rmtree(next(tmp_path.iterdir()))
    with pytest.raises(UserError, match="TMPDIR"):
        found["AAA"]


def test_a_full_disk_is_a_sentence() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no device here that is always full")
    with pytest.raises(UserError, match="No space left on device; make room there, or name another directory"):
        Spool(Path("/dev/full")).append(generate(["AAA"], BARS, seed=1).frames["AAA"])


def test_a_folder_that_is_too_large_is_read_into_a_file(
    frames: Mapping[str, pd.DataFrame], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for symbol, frame in frames.items():
        frame.to_parquet(tmp_path / f"{symbol}.parquet")
    held = read_universe(tmp_path)
    monkeypatch.setattr(spool_module, "HELD_BYTES", 0)
    spooled = read_universe(tmp_path)
    assert isinstance(spooled.frames, SpooledFrames)
    assert not isinstance(held.frames, SpooledFrames)
    assert digest_of(spooled) == digest_of(held)
    assert spooled.describe_choices() == held.describe_choices()


@pytest.mark.parametrize("kind", ["first", "live"])
def test_a_tape_replays_the_same_market(frames: Mapping[str, pd.DataFrame], spooled: Universe, kind: str) -> None:
    def make_tape(universe: Universe) -> Tape:
        if kind == "live":
            return live_tape(universe, 7, 300, days=2)
        return first_days(universe, 7, 300, cycles=30, rate=0.5, cycles_per_bar=3)

    held, read = make_tape(make_universe(frames)), make_tape(spooled)
    assert read.last_cycle == held.last_cycle
    for cycle in (0, 4, 29):
        for symbol in SYMBOLS:
            assert (read.bars(symbol, cycle).values == held.bars(symbol, cycle).values).all()
            assert (read.bars(symbol, cycle).timestamps == held.bars(symbol, cycle).timestamps).all()


def test_the_first_days_are_those_of_the_whole_history(frames: Mapping[str, pd.DataFrame]) -> None:
    cut = first_days(make_universe(frames), 7, 300, cycles=64)
    whole = Tape(frames, seed=7, start=300, cycles_per_bar=cut.cycles_per_bar)
    assert cut.last_cycle >= 63
    for cycle in (0, 30, 63):
        assert (cut.bars("CCC", cycle).values == whole.bars("CCC", cycle).values).all()


def test_few_symbols_of_a_large_universe_are_drawn_and_said() -> None:
    frame = generate(["AAA"], BARS, seed=1).frames["AAA"]
    large = make_universe({f"S{number:04}": frame for number in range(MANY + 1)})
    small = large.take(MANY)
    assert draw_few(small, seed=1) is small
    assert describe_drawn(small) == []
    drawn = draw_few(large, seed=1)
    assert len(drawn.symbols) == MANY
    assert set(drawn.symbols) < set(large.symbols)
    assert drawn.symbols == draw_few(large, seed=1).symbols != draw_few(large, seed=2).symbols
    assert describe_drawn(large) == [
        "decisions of whole walks are compared on 256 of the 257 symbols; each seed draws others"
    ]


def test_a_run_says_where_its_inputs_leave_out_days(
    frames: Mapping[str, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    few = make_universe(frames)
    assert describe_drawn(few) == []
    monkeypatch.setattr(recording, "MOST_BARS", 2_000)
    assert describe_drawn(few) == ["inputs of a workload have 2,000 bars at most: days are left out, and then symbols"]


@pytest.mark.parametrize(("bars", "days", "symbols"), [(10**9, 8, 4), (2 * 300 * 4, 2, 4), (2 * 300, 1, 2)])
def test_recorded_inputs_leave_out_days_and_then_symbols(
    frames: Mapping[str, pd.DataFrame], monkeypatch: pytest.MonkeyPatch, bars: int, days: int, symbols: int
) -> None:
    monkeypatch.setattr(recording, "MOST_BARS", bars)
    workload = Workload("w", "indicators", "fresh", "a test", (300,), "bars")
    groups = record(workload, make_universe(frames), 300, seed=1).groups
    assert [len(group.calls) for group in groups] == [symbols] * days
