"""Does the prescribed frame cost and round as its docstring says, and is the engineered one the same, uncopied?"""

import dataclasses
import gc
import tracemalloc
import weakref

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_bench.optimizations import build, catalogue
from argo_bench.optimizations import o09_memory_efficient_frames as o09
from argo_bench.pipeline import baseline
from argo_bench.pipeline.baseline.signals import trend
from argo_bench.pipeline.market import Tape, Universe, generate
from argo_bench.pipeline.model import Bars
from argo_bench.pipeline.optimized.frame import frame as view_of
from argo_bench.pipeline.optimized.indicators import block
from argo_bench.pipeline.optimized.indicators import indicators as kernel
from argo_bench.pipeline.record import cycle, find_changed_parts, quote_digits
from argo_bench.pipeline.world import SimulatedWorld
from argo_bench.study.counts import replay
from argo_bench.study.recording import record

P = baseline.PIPELINE
FAST = P.replace(indicators=kernel)
PRESCRIBED, ENGINEERED, FLOAT32 = o09.prescribed(P), o09.engineered(P), o09.float32_at_the_source(P)


def bars(count=300, close=100.0, volume=1e6):
    rising = close + np.arange(count) / 100
    values = np.array([rising, rising + 0.5, rising - 0.5, rising, np.full(count, volume)])
    return Bars("AAA", np.datetime64("2025-01-01", "us") + np.arange(count) * np.timedelta64(1, "D"), values)


def universe_of(symbols, count=420, seed=0, **levels):
    frames = generate(symbols, count, seed=seed, levels=levels).frames
    return Universe(frames, dict.fromkeys(frames, "generated"), "generated")


def traced_peak(call, *arguments):
    """Bytes allocated at most during a call, after a first one."""
    call(*arguments)
    tracemalloc.start()
    try:
        kept = call(*arguments)
        return tracemalloc.get_traced_memory()[1], kept
    finally:
        tracemalloc.stop()


def test_both_variants_change_the_frame_and_the_prescribed_one_the_end_of_a_cycle():
    assert set(find_changed_parts(P, PRESCRIBED)) == {"frame", "read"}
    assert set(find_changed_parts(P, ENGINEERED)) == {"frame"}
    assert PRESCRIBED.frame(None, bars()).dtypes.tolist() == [np.dtype("f4")] * 4 + [np.dtype("i4")]
    assert np.shares_memory(ENGINEERED.frame(None, one := bars())["close"].to_numpy(), one.values)


# Prescribed


def test_the_prescribed_copy_raises_the_peak_of_making_a_frame_by_three_quarters_or_more():
    before, _ = traced_peak(P.frame, None, bars(20_000))
    after, _ = traced_peak(PRESCRIBED.frame, None, bars(20_000))
    assert after > 1.75 * before


def test_the_float64_frame_is_still_held_while_the_prescribed_one_is_filled(monkeypatch):
    frames, alive = [], []

    def frame(world, bars):
        made = P.frame(world, bars)
        frames.append(weakref.ref(made))
        return made

    real = pd.to_numeric
    monkeypatch.setattr(pd, "to_numeric", lambda *a, **k: alive.append(frames[0]() is not None) or real(*a, **k))
    o09.CastFrame(frame)(None, bars())
    assert alive == [True]
    assert frames[0]() is None


@pytest.mark.parametrize(
    ("volume", "dtype"), [(100.0, "i1"), (2.0**31 - 1, "i4"), (2.0**31, "i8"), (3e10, "i8"), (1.5, "f8")]
)
def test_a_prescribed_volume_above_two_billion_or_in_fractions_stays_64_bit(volume, dtype):
    assert PRESCRIBED.frame(None, bars(volume=volume))["volume"].dtype == np.dtype(dtype)


def test_whoever_reads_the_prescribed_frame_as_one_block_copies_it():
    for pipeline, is_view in ((P, True), (ENGINEERED, True), (FLOAT32, True), (PRESCRIBED, False)):
        frame = pipeline.frame(None, bars())
        assert np.shares_memory(block(frame), frame["close"].to_numpy()) is is_view


def test_the_prescribed_cast_hands_back_no_frame_and_an_empty_one_as_they_are():
    empty = P.frame(None, bars(0))
    assert o09.optimize_dataframe_memory(None) is None
    assert o09.optimize_dataframe_memory(empty) is empty


@pytest.mark.parametrize(
    ("selection", "collections"),
    [
        ({"O09": "prescribed"}, 3),
        ({"O09": "prescribed", "O10": "prescribed"}, 3),
        ({"O09": "prescribed", "O10": "engineered"}, 3),
        ({"O09": "engineered"}, 0),
        ({}, 0),
    ],
)
def test_the_prescribed_variant_collects_garbage_once_a_cycle_whatever_walks_the_symbols(
    selection, collections, small_universe, monkeypatch
):
    calls = []
    monkeypatch.setattr(gc, "collect", lambda *arguments: calls.append(arguments))
    pipeline = build(selection)
    with SimulatedWorld(Tape(small_universe.frames, seed=1), latency_scale=0) as world:
        for number in range(3):
            world.run(cycle(pipeline, world, small_universe.symbols, number))
        assert len(calls) == collections


def test_a_frame_that_the_stages_have_read_needs_no_collector():
    gc.collect()
    gc.disable()
    try:
        for pipeline in (P, ENGINEERED):
            frame = pipeline.frame(None, bars())
            pipeline.indicators(None, frame)
            pipeline.regime(None, frame)
            gone = weakref.ref(frame)
            del frame
            assert gone() is None
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("price", "read"), [(131_072.01, 131_072.02), (131_071.99, 131_071.99), (60_000.37, 60_000.37)]
)
def test_the_prescribed_entry_is_off_from_131_072_up(price, read):
    one = bars()
    one.values[3, -1] = price
    close = PRESCRIBED.indicators(None, PRESCRIBED.frame(None, one)).close
    assert round(close, 2) == read


def damages(market, count):
    """What every arm does to the signals of 64 days, by arm."""
    workload = o09.SIGNALS
    recording = record(workload, market, count, seed=1)
    expected = replay(workload, lambda pipeline: pipeline, recording)
    edits = catalogue()["O09"].edits(workload)
    return {name: o09.signal_damage(expected, replay(workload, edit, recording)) for name, edit in edits.items()}


def harmed(damage):
    return {name for name, value in damage.items() if value and name != "signals"}


@pytest.mark.slow
def test_stop_and_target_of_the_prescribed_variant_are_a_cent_off_at_prices_of_bitcoin():
    lost = damages(universe_of(["A-USD"], **{"A-USD": 60_000.0}), 1)
    assert lost["baseline"]["signals"] >= 10
    assert harmed(lost["prescribed"]) == {"prices off"}
    assert harmed(lost["baseline"]) == harmed(lost["engineered"]) == harmed(lost["float32 at the source"]) == set()
    assert len({tuple(each) for each in lost.values()}) == 1


def tied():
    """Bars in cents, at 1.66, where a rise of the high equals a fall of the low but for the rounding of float64."""
    return Tape(universe_of(["G26"], seed=9).frames, seed=3, cycles_per_bar=1).bars("G26", 8)


def test_float32_moves_adx_by_points_where_up_and_down_tie_and_the_vote_with_it():
    expected = FAST.indicators(None, P.frame(None, tied()))
    for pipeline in (PRESCRIBED, FLOAT32):
        got = FAST.indicators(None, pipeline.frame(None, tied()))
        assert expected.adx14 > 25 > 23 > got.adx14
        assert (trend(expected).confidence, trend(got).confidence) == (75.0, 60.0)
    assert FAST.indicators(None, ENGINEERED.frame(None, tied())) == expected


# Engineered


@pytest.mark.parametrize("count", [0, 1, 300])
def test_the_engineered_frame_equals_the_baselines(count):
    pd.testing.assert_frame_equal(ENGINEERED.frame(None, bars(count)), P.frame(None, bars(count)))


def test_stages_answer_the_same_on_the_engineered_frame_and_refuse_the_same():
    one = bars()
    for stage in (P.indicators, P.regime):
        assert stage(None, ENGINEERED.frame(None, one)) == stage(None, P.frame(None, one))
    with pytest.raises(ValueError, match="expected at least one bar"):
        P.indicators(None, ENGINEERED.frame(None, bars(0)))


def test_the_engineered_frame_allocates_its_timestamps_and_no_more():
    count = 20_000
    one = bars(count)
    peak, frame = traced_peak(ENGINEERED.frame, None, one)
    assert peak < 8 * count + 10_000
    assert o09.bytes_of(frame) == 48 * count


def test_nobody_can_write_into_the_bars_through_the_engineered_frame():
    one = bars()
    before = one.values.copy()
    frame = ENGINEERED.frame(None, one)
    with pytest.raises(ValueError, match="read-only"):
        frame.iloc[0, 3] = 7.0
    frame["close"] = 7.0
    frame["sma_20"] = frame["open"].rolling(20).mean()
    assert (one.values == before).all()
    assert one.values.flags.writeable


@pytest.mark.slow
def test_the_engineered_variant_keeps_every_signal_of_low_prices_in_cents_and_float32_does_not():
    lost = damages(universe_of(["G26", "G146"], seed=9), 2)
    assert harmed(lost["engineered"]) == set()
    for arm in ("prescribed", "float32 at the source"):
        assert {"signals missed", "confidences off"} & harmed(lost[arm])


# The arm


def test_float32_at_the_source_is_one_block_of_half_the_size():
    one = bars()
    frame = FLOAT32.frame(None, one)
    rows = block(frame)
    assert (rows.dtype, rows.shape, rows.flags.c_contiguous) == (np.float32, (5, 300), True)
    assert np.shares_memory(rows, frame["volume"].to_numpy())
    assert not np.shares_memory(rows, one.values)
    assert (o09.bytes_of(frame), o09.bytes_of(P.frame(None, one))) == (28 * 300, 48 * 300)


@given(st.integers(1, 13_107_199))
def test_every_quote_below_131_072_comes_back_from_float32(cents):
    price = round(cents / 100, 2) if cents >= 100 else round(cents / 10_000, 4)
    rounded = float(np.float32(price))
    assert round(rounded, quote_digits(rounded)) == price


def test_the_close_of_the_float32_arm_is_the_quoted_one_and_a_price_that_would_lose_cents_stays_float64():
    for close, dtype in ((60_000.37, np.float32), (700_000.01, np.float64)):
        one = bars()
        one.values[3, -1] = close
        frame = FLOAT32.frame(None, one)
        assert frame["close"].dtype == dtype
        assert FLOAT32.indicators(None, frame).close == close


# What is counted


def test_the_published_48_percent_is_one_cast_of_100_rows_without_timestamps(small_universe):
    recording = record(o09.AS_PUBLISHED, small_universe, 100, seed=1)
    expected = replay(o09.AS_PUBLISHED, lambda pipeline: pipeline, recording)
    sizes = {
        name: o09.damage_as_published(expected, replay(o09.AS_PUBLISHED, edit, recording))["frame_bytes"]
        for name, edit in catalogue()["O09"].edits(o09.AS_PUBLISHED).items()
    }
    assert sizes == {
        "baseline": 4132,
        "prescribed": 2132,
        "engineered": 4132,
        "simple": 2132,
        "float32 at the source": 2132,
    }
    assert round(1 - 2132 / 4132, 3) == 0.484


def test_errors_of_the_indicators_are_counted_by_group(small_universe):
    recording = record(o09.FRAMES, small_universe, 300, seed=1)
    expected = replay(o09.FRAMES, lambda pipeline: pipeline, recording)
    found = {
        name: o09.frame_damage(expected, replay(o09.FRAMES, edit, recording))
        for name, edit in catalogue()["O09"].edits(o09.FRAMES).items()
    }
    for exact in ("baseline", "engineered"):
        assert {value for key, value in found[exact].items() if key != "frame_bytes"} == {0}
        assert found[exact]["frame_bytes"] == found["baseline"]["frame_bytes"]
    assert 0.5 < found["prescribed"]["frame_bytes"] / found["baseline"]["frame_bytes"] < 0.7
    assert 0 < found["prescribed"]["largest error of averages and bands, of the close"] < 1e-7
    assert found["prescribed"]["largest error of volume, of the value"] == 0
    assert 0 < found["float32 at the source"]["largest error of volume, of the value"] < 2e-7


def test_an_error_is_taken_in_the_unit_of_its_group():
    one = kernel(None, view_of(None, bars()))
    off = dataclasses.replace(
        one, sma20=one.sma20 + one.close, rsi14=one.rsi14 - 2, volume_sma20=one.volume_sma20 * 1.5
    )
    assert [round(o09.error(one, off, what), 12) for what in o09.ERRORS] == [1.0, 0.0, 2.0, 0.5, 0.0]


def test_a_universe_of_frames_is_counted_with_the_arrays_that_its_frames_are_views_of():
    held = {name: edit(P).frame(None, one := bars(2000)) for name, edit in o09.UNIVERSE.arms.items()}
    assert not np.shares_memory(held["engineered"]["close"].to_numpy(), one.values)
    bytes_held = {}
    for name, edit in o09.UNIVERSE.arms.items():
        make = edit(P).frame
        make(None, one)
        gc.collect()
        tracemalloc.start()
        kept = make(None, one)
        gc.collect()
        bytes_held[name] = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        del kept
    assert bytes_held["simple"] < bytes_held["prescribed"] < 0.75 * bytes_held["baseline"]
    assert bytes_held["engineered"] == pytest.approx(bytes_held["baseline"], rel=0.05)


def test_without_the_lists_all_arms_compute_the_indicators_of_the_kernel():
    for name, edit in o09.WITHOUT_LISTS.arms.items():
        pipeline = edit(P)
        found = pipeline.indicators(None, pipeline.frame(None, bars()))
        assert found.close == pytest.approx(kernel(None, P.frame(None, bars())).close, rel=1e-6), name


def test_the_simple_cast_is_float32_throughout():
    assert set(o09.simple(P).frame(None, bars()).dtypes) == {np.dtype("f4")}
