"""Does O13 skip what its document skips, and does its engineered variant compute what a full pass computes?"""

import dataclasses
import math

import numpy as np
import pytest
from numba import njit

from argo_bench.optimizations import _indicator_libraries as libraries
from argo_bench.optimizations import build
from argo_bench.optimizations.o13_incremental_updates import (
    LIVE,
    OPTIMIZATION,
    SHORT,
    TTL_S,
    as_printed,
    as_printed_on_redis,
    damage_to_decisions,
    damage_to_indicators,
    drift,
    engineered,
    prescribed,
    simple,
)
from argo_bench.optimizations.optimization import Call, Replay
from argo_bench.pipeline import baseline, kernels
from argo_bench.pipeline.market import Tape
from argo_bench.pipeline.model import COLUMNS
from argo_bench.pipeline.optimized.indicators import DRIFT, Incremental, block
from argo_bench.pipeline.optimized.indicators import indicators as kernel
from argo_bench.pipeline.record import cycle, find_changed_parts
from argo_bench.pipeline.world import SimulatedWorld
from argo_bench.study.checking.check import check_on_markets
from argo_bench.study.checking.trace import Oracle
from argo_bench.study.replay import NoMarket
from tests.test_indicators import KINDS, framed, from_closes, market

ARMS = {"prescribed": prescribed, "engineered": engineered, "as printed": as_printed, "simple": simple}


class Clock:
    def __init__(self):
        self.time = 1_000.0

    def now(self):
        return self.time


class Watched:
    """The kernel as a stage that counts its calls."""

    def __init__(self):
        self.calls = 0

    def __call__(self, world, frame):
        self.calls += 1
        return kernel(world, frame)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def full():
    return Watched()


def built(edit, full):
    return edit(baseline.PIPELINE.replace(indicators=full)).indicators


def with_live(frame, **values):
    """A copy of a frame whose last bar has other values."""
    other = frame.copy()
    for name, value in values.items():
        other.iloc[-1, COLUMNS.index(name)] = value
    return other


def furthest(got, expected):
    return drift(dataclasses.astuple(expected), dataclasses.astuple(got))


@pytest.mark.parametrize("name", ARMS)
def test_o13_changes_the_indicators_and_nothing_else(name):
    assert set(find_changed_parts(baseline.PIPELINE, ARMS[name](baseline.PIPELINE))) == {"indicators"}


# Prescribed


def test_o13_prescribed_computes_once_while_the_price_stands_still(clock, full):
    stage, frame = built(prescribed, full), market("cents", 260, 1)
    first = stage(clock, frame)
    assert stage(clock, frame.copy()) is first
    assert (full.calls, stage.hits, stage.misses) == (1, 1, 1)


def test_o13_prescribed_keeps_symbols_apart(clock, full):
    stage, frame = built(prescribed, full), market("cents", 260, 1)
    other = with_live(market("cents", 260, 2), close=frame["close"].iloc[-1])
    stage(clock, frame)
    assert stage(clock, other) == kernel(None, other)
    assert stage.hits == 0


@pytest.mark.parametrize(("name", "field"), [("volume", "volume_ratio"), ("high", "atr14"), ("low", "minus_di14")])
def test_o13_prescribed_misses_a_change_of_anything_but_the_close(name, field, clock, full):
    stage, frame = built(prescribed, full), market("cents", 260, 1)
    stage(clock, frame)
    moved = with_live(frame, **{name: frame[name].iloc[-1] * (0.8 if name == "low" else 1.2)})
    served = stage(clock, moved)
    assert getattr(served, field) == getattr(kernel(None, frame), field)
    assert getattr(served, field) != getattr(kernel(None, moved), field)


def test_o13_prescribed_misses_a_new_day_that_stands_where_the_last_one_closed(clock, full):
    stage, frame = built(prescribed, full), market("cents", 260, 1)
    frame = with_live(frame, close=frame["close"].iloc[-2])
    yesterday = stage(clock, frame.iloc[:-1])
    assert stage(clock, frame) is yesterday
    assert yesterday.sma20 != kernel(None, frame).sma20


def test_o13_prescribed_misses_a_revised_bar(clock, full):
    stage, frame = built(prescribed, full), market("cents", 260, 1)
    first = stage(clock, frame)
    frame.iloc[-2, COLUMNS.index("close")] *= 1.1
    assert stage(clock, frame) is first
    assert first.change_1 != kernel(None, frame).change_1


def test_o13_prescribed_takes_a_cent_for_a_significant_change(clock, full):
    stage, frame = built(prescribed, full), market("cents", 260, 1)
    stage(clock, frame)
    stage(clock, with_live(frame, close=frame["close"].iloc[-1] + 0.01))
    assert full.calls == 2


def test_o13_prescribed_remembers_a_price_for_300_seconds_from_its_last_change(clock, full):
    stage, frame = built(prescribed, full), market("cents", 260, 1)
    stage(clock, frame)
    clock.time += TTL_S - 0.1
    stage(clock, frame)
    assert full.calls == 1
    clock.time += 0.1  # an equal price seen in between has not renewed it
    stage(clock, frame)
    assert full.calls == 2


def test_o13_prescribed_serves_an_older_price_after_a_failure(clock, full):
    stage, frame = built(prescribed, full), market("cents", 260, 1)
    older = stage(clock, frame)
    moved = with_live(frame, close=frame["close"].iloc[-1] + 1)
    with pytest.raises(ValueError, match="column 'volume'"):
        stage(clock, with_live(moved, volume=math.nan))
    assert stage(clock, moved) is older
    assert older.close != moved["close"].iloc[-1]


def test_o13_as_printed_computes_everything_in_spite_of_its_check(clock, full):
    stage, frame = built(as_printed, full), market("cents", 260, 1)
    for _ in range(3):
        stage(clock, frame)
    assert (full.calls, stage.hits, stage.misses) == (3, 0, 3)


def test_o13_as_printed_computes_everything_on_redis_too_although_the_price_is_found_there(full):
    stage, frame = built(as_printed_on_redis, full), market("cents", 260, 1)
    with SimulatedWorld(NoMarket()) as world:
        for _ in range(3):
            stage(world, frame)
        key = f"component:{block(frame)[:, :1].tobytes().hex()}:price"
        assert float(world.redis.get(key).result()) == frame["close"].iloc[-1]
    assert (full.calls, stage.hits, stage.misses) == (3, 0, 3)


# Engineered


def test_o13_engineered_computes_a_history_in_full_once_whatever_its_live_bar_does(full):
    stage, frame = built(engineered, full), market("cents", 260, 1)
    close = frame["close"].iloc[-1]
    for k in range(20):
        moved = with_live(frame, close=close + k / 100, high=close + 1, volume=1000 + k)
        assert furthest(stage(None, moved), kernel(None, moved)) <= DRIFT
    assert (full.calls, stage.hits, stage.misses) == (1, 19, 1)


def test_o13_engineered_computes_in_full_by_the_stage_that_it_finds():
    stage = built(engineered, lambda world, frame: "what the stage found says")
    assert stage(None, market("cents", 260, 1)) == "what the stage found says"


def test_o13_engineered_hands_out_the_same_value_while_nothing_moves(full):
    stage, frame = built(engineered, full), market("cents", 260, 1)
    served = [stage(None, frame.copy()) for _ in range(3)]
    assert served[1] is served[2]


@pytest.mark.parametrize("appended", [1, 2, 7])
def test_o13_engineered_closes_the_live_bar_with_its_final_values(appended, full):
    stage, frame = built(engineered, full), market("stock", 260, 1)
    before = frame.iloc[: 260 - appended]
    stage(None, with_live(before, close=before["close"].iloc[-1] * 0.97, volume=5))
    assert furthest(stage(None, frame), kernel(None, frame)) <= DRIFT
    assert furthest(stage(None, frame), kernel(None, frame)) <= DRIFT
    assert full.calls == 1


REVISIONS = {
    "a revised close": lambda frame: frame.assign(close=frame["close"].where(np.arange(260) != 258, 1.0)),
    "a revised volume long ago": lambda frame: frame.assign(volume=frame["volume"].where(np.arange(260) != 3, 1.0)),
    "a missing bar": lambda frame: frame.drop(frame.index[100]),
    "an inserted bar": lambda frame: framed(np.insert(frame.to_numpy().T, 100, 50.0, axis=1)),
    "the last bar taken back": lambda frame: frame.iloc[:-1],
    "a shorter history": lambda frame: frame.iloc[:210],
    "another beginning": lambda frame: frame.iloc[1:],
    "float32": lambda frame: frame.astype(np.float32),
}


@pytest.mark.parametrize("revision", REVISIONS)
def test_o13_engineered_computes_in_full_where_the_closed_bars_are_others(revision, full):
    stage, frame = built(engineered, full), market("stock", 260, 1)
    stage(None, frame)
    other = REVISIONS[revision](frame)
    assert stage(None, other) == kernel(None, other)
    assert full.calls == 2
    longer = with_live(other, close=77.0)
    assert furthest(stage(None, longer), kernel(None, longer)) <= DRIFT
    assert full.calls == 2


@pytest.mark.parametrize("kind", KINDS)
def test_o13_engineered_follows_a_history_from_its_first_bar(kind, full):
    stage, frame = built(engineered, full), market(kind, 320, 5)
    for bars in range(1, 321):
        assert furthest(stage(None, frame.iloc[:bars]), kernel(None, frame.iloc[:bars])) <= DRIFT
    assert full.calls == 2  # of one bar nothing is kept


def test_o13_engineered_refuses_what_the_stage_refuses_and_recovers(full):
    stage, frame = built(engineered, full), market("stock", 260, 1)
    stage(None, frame.iloc[:258])
    for bar, bad in ((257, math.nan), (258, math.inf), (259, math.nan)):
        spoilt = frame.copy()
        spoilt.iloc[bar, COLUMNS.index("low")] = bad
        with pytest.raises(ValueError, match=f"column 'low'.* at bar {bar}"):
            stage(None, spoilt)
        assert furthest(stage(None, frame), kernel(None, frame)) <= DRIFT
    with pytest.raises(ValueError, match="at least one bar"):
        stage(None, frame.iloc[:0])


def test_o13_engineered_notices_what_a_caller_wrote_into_his_frame(full):
    stage, frame = built(engineered, full), market("stock", 260, 1)
    stage(None, frame)
    frame.iloc[250, COLUMNS.index("close")] += 1
    assert stage(None, frame) == kernel(None, frame)


def test_o13_engineered_confuses_no_histories_that_begin_with_the_same_bar(full):
    stage = built(engineered, full)
    frames = [from_closes(np.concatenate(([100.0], 100 + step * np.arange(250)))) for step in (0.1, 0.2)]
    for frame in frames * 3:
        assert stage(None, frame) == kernel(None, frame)
    assert full.calls == 6


def test_o13_engineered_keeps_no_more_histories_than_it_may_and_those_used_last():
    stage = Incremental(kernel, maximum=2)
    first, second, third = (market("stock", 260, seed) for seed in range(3))
    for frame in (first, second, first, third, first):
        stage(None, frame)
    assert (stage.hits, stage.misses) == (2, 3)
    stage(None, second)
    assert stage.misses == 4


def test_o13_engineered_equals_talib_after_a_hundred_days_of_ticks(full):
    pytest.importorskip("talib")
    for kind in KINDS:
        stage, frame = built(engineered, full), market(kind, 360, 9)
        for bars in range(260, 361):
            for ticked in (0.99, 1.01, 1.0):
                live = with_live(frame.iloc[:bars], close=frame["close"].iloc[bars - 1] * ticked)
                got = stage(None, live)
        expected = libraries.talib_columns(None, live)
        assert furthest(got, expected) <= 1e-9 * max(1.0, expected.close)


def random_market(bars, seed):
    """A block of bars with crashes, splits and halts in which nothing moves and nothing is traded."""
    rng = np.random.default_rng(seed)
    moving = np.repeat(rng.random(bars // 50 + 1) > 0.1, 50)[:bars]
    jump = rng.normal(0, 1.0, bars) * (rng.random(bars) < 0.001)
    steps = rng.normal(0, 0.02, bars) * moving + jump
    level = np.empty(bars)
    price = 0.0
    for bar, step in enumerate(steps.tolist()):
        level[bar] = price = 0.999 * price + step if moving[bar] else price
    close = 100 * np.exp(level)
    opened = np.concatenate(([100.0], close[:-1]))
    high = np.maximum(opened, close) * np.where(moving, 1 + rng.exponential(0.005, bars), 1.0)
    low = np.minimum(opened, close) * np.where(moving, 1 - rng.exponential(0.005, bars).clip(0, 0.5), 1.0)
    volume = np.where(moving, rng.lognormal(15, 2, bars), 0.0)
    return np.round([opened, high, low, close, volume], 2)


@njit
def continued_for(bars, revised, factors, window, checked):
    """The kernel of the engineered variant over a market, bar after bar, each live bar revised before it closes.

    It is handed the last ``window`` bars, whose recursions come from the sums alone. Returns the numbers of updates and
    the largest difference from full passes over everything, at every ``checked``-th bar, per indicator.
    """
    start = window
    sums = kernels.sum_closed_bars(bars[:, : start + 1].copy())
    updates, next_factor = 0, 0
    drifts = np.zeros(len(kernels.FIELDS))
    for bar in range(start, bars.shape[1]):
        # One closed bar more than the sums were taken over, but for the first time.
        first = max(bar - 1, start)
        block = bars[:, first - window : bar + 1].copy()
        closed = block[:, :window].copy()
        final = block[:, -1].copy()
        for _ in range(revised[bar]):
            factor = factors[next_factor % factors.size]
            next_factor += 1
            block[1:4, -1] = final[1] * max(factor, 1.0), final[2] * min(factor, 1.0), final[3] * factor
            block[4, -1] = final[4] * (factor - 0.5)
            got = kernels.continue_indicators(block, closed, sums)
            updates += 1
            # The sums have been taken over the bar that closed: from here on it is the last of the closed ones.
            if block.shape[1] > window + 1:
                block = block[:, 1:].copy()
                closed = block[:, :window].copy()
        block[:, -1] = final
        got = kernels.continue_indicators(block, closed, sums)
        updates += 1
        if bar % checked == 0:
            expected = kernels.latest_indicators(bars[:, : bar + 1].copy())
            for number in range(drifts.size):
                if np.isnan(expected[number]) and np.isnan(got[number]):
                    continue
                apart = abs(got[number] - expected[number]) / max(1.0, abs(expected[number]))
                drifts[number] = max(drifts[number], np.inf if np.isnan(apart) else apart)
    return updates, drifts


@pytest.mark.parametrize("least", [10_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_o13_engineered_equals_a_full_recompute_after_very_many_revised_and_appended_bars(least):
    rng = np.random.default_rng(13)
    bars = random_market(least // 4 + 400, 13)
    assert bars[:4].min() > 0
    revised = rng.integers(0, 7, bars.shape[1])
    updates, drifts = continued_for(bars, revised, rng.uniform(0.9, 1.1, 1009), 201, 499)
    assert updates >= least
    assert dict(zip(kernels.FIELDS, drifts > DRIFT, strict=True)) == dict.fromkeys(kernels.FIELDS, False)


def test_a_sum_that_was_carried_wrongly_would_be_found():
    bars = random_market(2_000, 13)
    block, closed = bars[:, :1_001].copy(), bars[:, :1_000].copy()
    sums = kernels.sum_closed_bars(block)
    expected = kernels.latest_indicators(block)
    for number in range(kernels.SUMS):
        wrong = sums.copy()
        wrong[number] *= 1 + 1e-9
        got = kernels.continue_indicators(block, closed, wrong)
        assert drift(expected, got) > DRIFT


def test_o13_engineered_equals_a_full_recompute_through_random_cycles_of_many_symbols():
    rng = np.random.default_rng(7)
    stage = Incremental(kernel)
    frames = [market(KINDS[k % len(KINDS)], 420, k) for k in range(8)]
    bars = [60] * len(frames)
    for _ in range(3_000):
        k = int(rng.integers(len(frames)))
        bars[k] = min(bars[k] + int(rng.choice([0, 0, 0, 1, 3])), 420)
        frame = frames[k].iloc[: bars[k]]
        what = rng.random()
        if what < 0.6:
            frame = with_live(frame, close=frame["close"].iloc[-1] * rng.uniform(0.95, 1.05), volume=rng.uniform(0, 9))
        elif what < 0.65:
            frame = frame.copy()
            frame.iloc[int(rng.integers(1, bars[k] - 1)), int(rng.integers(5))] *= 1.01
        assert furthest(stage(None, frame), kernel(None, frame)) <= DRIFT
    assert stage.hits > 2_000


# What is counted


def replayed(selection, universe, cycles, rate):
    pipeline = build(selection)
    tape = Tape(universe.frames, seed=3, change_rate=rate)
    with SimulatedWorld(tape, seed=3, latency_scale=0) as world:
        calls = [
            Call(5.0 * number, 5.0 * number, number, (), world.run(cycle(pipeline, world, tape.symbols, number)))
            for number in range(cycles)
        ]
    return Replay(calls, pipeline, world)


@pytest.mark.slow
def test_o13_counts_what_its_variants_do_to_the_decisions(small_universe):
    expected = replayed({"O08": "engineered"}, small_universe, 80, 0.5)
    got = {v: replayed({"O08": "engineered", "O13": v}, small_universe, 80, 0.5) for v in ("prescribed", "engineered")}
    counts = {variant: damage_to_decisions(expected, replay) for variant, replay in got.items()}
    signals = damage_to_decisions(expected, expected)["signals"]
    assert signals > 0
    assert counts["engineered"] == {
        "signals": signals,
        "updates": signals,
        "missed updates": 0,
        "flipped signals": 0,
        "largest drift": 0.0,
    }
    assert counts["engineered"].keys() == counts["prescribed"].keys()
    assert got["prescribed"].pipeline.indicators.hits > 100
    assert got["engineered"].pipeline.indicators.misses == len(small_universe.symbols)


def test_o13_counts_indicators_that_were_not_updated(clock, full):
    frame = market("cents", 260, 1)
    frames = [frame, with_live(frame, volume=1.0), with_live(frame, close=1.0)]

    def replay(stage):
        return Replay([Call(0.0, 0.0, k, (each,), stage(clock, each)) for k, each in enumerate(frames)], None, None)

    expected = replay(kernel)
    missed = damage_to_indicators(expected, replay(built(prescribed, full)))
    assert (missed["updates"], missed["missed updates"]) == (3, 1)
    assert (missed["missed updates of a volume"], missed["missed updates of a high or low"]) == (1, 0)
    assert missed["missed updates of a close"] == 0
    for edit in (engineered, simple):
        assert damage_to_indicators(expected, replay(built(edit, full)))["missed updates"] == 0


def test_o13_simple_computes_anew_where_any_value_of_the_last_bar_changed(clock, full):
    stage, frame = built(simple, full), market("cents", 260, 1)
    for changed in (frame, frame, *(with_live(frame, **{name: 7.0}) for name in ("high", "low", "volume", "close"))):
        assert stage(clock, changed) == kernel(None, changed)
    longer = market("cents", 261, 1)
    assert stage(clock, longer) == kernel(None, longer)
    assert (stage.hits, stage.misses) == (1, 6)


def test_o13_is_timed_on_forty_eight_cycles_and_the_old_reading_on_five():
    assert {each.name: each.cycles for each in (LIVE, SHORT)} == {LIVE.name: 1 + 48, SHORT.name: 1 + 5}
    assert [each.workload for each in OPTIMIZATION.claims if each.headline] == [LIVE.name]


def test_o13_its_output_says_how_many_updates_were_missed(small_universe):
    oracle = Oracle.run(small_universe, 2, 20, "live")
    lines = {variant: check_on_markets(OPTIMIZATION, variant, [oracle]) for variant in ("prescribed", "engineered")}
    damage = lines["prescribed"].damage
    assert 0 < damage["updates missed"] < damage["updates"] == 30 * len(small_universe.symbols)
    assert f"{damage['updates missed']:.0f} of {damage['updates']:.0f} updates missed" in lines["prescribed"].output
    assert lines["engineered"].damage["updates missed"] == 0
    assert "updates" not in lines["engineered"].output


def test_o13_counts_a_number_that_is_missing_as_infinitely_far_away():
    assert drift((1.0, math.nan), (1.0, math.nan)) == 0.0
    assert drift((1.0, 2.0), (1.0, math.nan)) == math.inf


def test_o13_claims_are_judged_on_workloads_with_three_scales_and_curves_over_the_change_rate():
    for claim in OPTIMIZATION.claims:
        assert len(OPTIMIZATION.workload(claim.workload).scales) >= 3
        assert not claim.curve or OPTIMIZATION.workload(claim.curve).unit == "% ticking"
