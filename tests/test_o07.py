"""O07: is the prescribed regime cache as broken as the document's, and is the engineered detector the baseline's?"""

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from argo_bench.optimizations import build
from argo_bench.optimizations import o07_regime_cache as o07
from argo_bench.optimizations.optimization import Call, Replay
from argo_bench.pipeline import baseline
from argo_bench.pipeline.kernels import CONSOLIDATION, IN_DOUBT, TRENDING, VOLATILE, latest_regime
from argo_bench.pipeline.market import Tape, generate
from argo_bench.pipeline.memo import Memo
from argo_bench.pipeline.model import COLUMNS
from argo_bench.pipeline.optimized.regime import NAMES, Detector, closes, make_key
from argo_bench.pipeline.world import SimulatedWorld
from argo_bench.study.replay import NoMarket
from tests.test_memo import FakeWorld

REGIME = baseline.PIPELINE.regime
RAMP = np.linspace(100, 200, 250)


class Counting:
    """The baseline's detector, with its calls counted."""

    def __init__(self):
        self.calls = 0

    def __call__(self, world, frame):
        self.calls += 1
        return REGIME(world, frame)


def unasked(world, frame):
    raise AssertionError("the stage behind was asked")


def frame_of(close, dtype=np.float64):
    close = np.asarray(close, dtype)
    columns = dict.fromkeys(("open", "high", "low", "close"), close) | {"volume": np.full(len(close), 7.0)}
    index = pd.date_range("2024-01-01", periods=len(close), tz="UTC", name="timestamp").as_unit("us")
    return pd.DataFrame(columns, index=index)


@pytest.fixture
def world(tmp_path):
    return FakeWorld(tmp_path)


def edited(edit):
    stage = Counting()
    return edit(baseline.PIPELINE.replace(regime=stage)).regime, stage


# Prescribed


def test_o07_prescribed_serves_a_regime_for_300_seconds(world):
    cache, stage = edited(o07.prescribed)
    frame = frame_of(RAMP)
    assert cache(world, frame) == cache(world, frame.copy()) == "TRENDING"
    world.time = 299.9
    cache(world, frame)
    assert (stage.calls, cache.hits, cache.misses) == (1, 2, 1)
    world.time = 300.0
    cache(world, frame)
    assert (stage.calls, cache.hits, cache.misses) == (2, 2, 2)


def test_o07_prescribed_holds_nothing_longer_than_its_store_would(world):
    cache, _ = edited(o07.prescribed)
    for number in range(10):
        world.time = 60.0 * number
        cache(world, frame_of(RAMP + number))
    assert len(cache._store._texts) == 5


def test_o07_prescribed_never_caches_a_frame_below_200_rows(world):
    cache, stage = edited(o07.prescribed)
    for _ in range(3):
        assert cache(world, frame_of(RAMP[:199])) == "UNKNOWN"
    assert (stage.calls, cache.hits, cache.misses) == (3, 0, 3)


@pytest.fixture
def keys(monkeypatch):
    """The texts' keys as they are made."""
    made = []
    key = o07.text_key
    monkeypatch.setattr(o07, "text_key", lambda frame: made.append(key(frame)) or made[-1])
    return made


def test_o07_prescribed_makes_its_key_twice_on_a_miss_and_once_on_a_hit(world, keys):
    cache, _ = edited(o07.prescribed)
    cache(world, frame_of(RAMP))
    assert len(keys) == 2
    cache(world, frame_of(RAMP))
    assert len(keys) == 3


def test_o07_as_printed_makes_both_keys_and_stores_nothing(world, keys):
    cache, stage = edited(o07.as_printed)
    for _ in range(3):
        assert cache(world, frame_of(RAMP)) == "TRENDING"
    assert (stage.calls, cache.hits, cache.misses, len(keys)) == (3, 0, 3, 6)


def test_o07_as_printed_on_redis_stores_texts_that_another_process_finds_for_300_seconds():
    with SimulatedWorld(NoMarket()) as world:
        (first, stage), (second, other) = (edited(o07.as_printed_on_redis) for _ in range(2))
        for cache in (first, second):
            assert cache(world, frame_of(RAMP)) == "TRENDING"
        assert world.redis.get(o07.text_key(frame_of(RAMP))).result() == b"TRENDING"
        assert (stage.calls, other.calls, second.hits) == (1, 0, 1)
        world.begin(61)
        second(world, frame_of(RAMP))
        assert other.calls == 1


def test_o07_every_call_of_the_arm_first_call_is_one(world, keys):
    cache, stage = edited(o07.first_call)
    for _ in range(3):
        cache(world, frame_of(RAMP))
    assert (stage.calls, cache.hits, cache.misses, len(keys)) == (3, 0, 3, 6)
    assert len(cache._store._texts) == 1


def unseen_move(frame, low=1.2e-5, high=1.249e-5):
    """The last 200 bars at the price of a coin, before and after a move that six decimals do not show."""
    before = frame.iloc[-200:].copy()
    before[["open", "high", "low", "close"]] *= low / before["close"].iloc[-1]
    before.iloc[-1, :4] = low
    after = before.copy()
    after.iloc[-1, :4] = low, high, low, high
    return before, after


def assert_the_second_is_served_the_regime_of_the_first(world, first, second):
    cache, _ = edited(o07.prescribed)
    assert not first.equals(second)
    assert o07.text_key(first) == o07.text_key(second)
    assert REGIME(world, first) != REGIME(world, second)
    assert cache(world, first) == cache(world, second) == REGIME(world, first)
    assert cache.hits == 1
    engineered, _ = edited(o07.engineered)
    assert engineered(world, first) == REGIME(world, first)
    assert engineered(world, second) == REGIME(world, second)


def test_o07_prescribed_serves_a_coin_the_regime_from_before_a_move_of_four_percent(world):
    quiet = np.linspace(1.16e-5, 1.2e-5, 200) * (1 + 1e-3 * np.sin(np.arange(200)))
    before, after = unseen_move(frame_of(quiet))
    assert (REGIME(world, before), REGIME(world, after)) == ("TRENDING", "VOLATILE")
    assert_the_second_is_served_the_regime_of_the_first(world, before, after)


def test_o07_prescribed_serves_wrong_regimes_on_real_bars_at_the_price_of_a_coin(world, real_universe):
    flipped = 0
    for frame in real_universe.frames.values():
        for end in range(300, len(frame), 40):
            before, after = unseen_move(frame.iloc[:end])
            if REGIME(world, before) != REGIME(world, after):
                flipped += 1
                assert_the_second_is_served_the_regime_of_the_first(world, before, after)
    assert flipped > 10


def test_o07_prescribed_tells_one_frame_from_another_by_the_display_options_of_the_process(world):
    rising = frame_of(np.concatenate([np.full(180, 100.2), 100.2 + 0.01 * np.arange(20)]))
    falling = frame_of(np.concatenate([100.2 - 0.01 * np.sin(np.arange(180)), np.full(20, 100.2)]))
    assert o07.text_key(rising) != o07.text_key(falling)
    with pd.option_context("display.float_format", "{:.0f}".format):
        assert_the_second_is_served_the_regime_of_the_first(world, rising, falling)


def test_o07_prescribed_detects_anew_when_only_the_volume_has_ticked(world):
    frame = frame_of(RAMP)
    ticked = frame.assign(volume=frame["volume"] + np.eye(1, len(frame), len(frame) - 1)[0])
    cache, stage = edited(o07.prescribed)
    cache(world, frame)
    cache(world, ticked)
    assert stage.calls == 2

    cache, _ = edited(o07.engineered)
    cache(world, frame)
    cache(world, ticked)
    assert (cache.hits, cache.misses) == (1, 1)


# The detector


def detected(frame):
    """By the kernel where it is sure, and by the baseline's stage where it is not."""
    return Detector(REGIME)(None, frame)


def windows(frame, step):
    return (frame.iloc[max(0, end - 260) : end] for end in range(198, len(frame) + 1, step))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_o07_the_detector_decides_as_the_baseline_on_generated_markets(dtype):
    found = set()
    for seed in range(3):
        for frame in generate(["A", "B", "C-USD"], 900, seed=seed).frames.values():
            for window in windows(frame.astype(dtype), 3):
                expected = REGIME(None, window.astype(np.float64))
                assert detected(window) == expected
                found.add(expected)
    assert found == {"TRENDING", "CONSOLIDATION", "VOLATILE", "UNKNOWN"}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_o07_the_detector_decides_as_the_baseline_on_the_real_symbols(dtype, real_universe):
    for frame in real_universe.frames.values():
        for window in windows(frame.astype(dtype), 5):
            assert detected(window) == REGIME(None, window.astype(np.float64))


def test_o07_the_detector_decides_as_the_baseline_on_a_live_market(real_universe):
    tape = Tape(real_universe.frames, seed=3, start=300, cycles_per_bar=40)
    pipeline = build({"O07": "engineered"})
    with SimulatedWorld(tape, seed=3, latency_scale=0) as world:
        for number in range(120):
            for symbol in tape.symbols:
                frame = baseline.PIPELINE.frame(world, tape.bars(symbol, number))
                assert pipeline.regime(world, frame) == REGIME(world, frame)
    assert pipeline.regime.hits + pipeline.regime.misses == 120 * len(tape.symbols)


def test_o07_the_kernel_is_sure_wherever_rounding_does_not_decide(real_universe):
    for frame in real_universe.frames.values():
        for window in windows(frame.iloc[2:], 7):
            assert Detector(unasked)(None, window) == REGIME(None, window)


def test_o07_a_regime_needs_200_bars():
    assert [Detector(unasked)(None, frame_of(RAMP[:bars])) for bars in (0, 1, 199)] == ["UNKNOWN"] * 3
    assert Detector(unasked)(None, frame_of(RAMP[:200])) == "TRENDING"


@pytest.mark.parametrize("price", [0.0001, 0.1, 1 / 3, 0.7, 1.1, 19.99, 100.1, 123456.7, 1e-5])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_o07_a_flat_market_is_what_the_order_of_the_baselines_sums_makes_of_it(price, dtype):
    frame = frame_of(np.full(230, price), dtype)
    assert detected(frame) == REGIME(None, frame.astype(np.float64))
    assert latest_regime(closes(frame), 1.25) == IN_DOUBT


def test_o07_the_baseline_calls_some_flat_markets_a_trend_and_so_does_the_detector():
    flat = frame_of(np.full(200, 1.1))
    assert REGIME(None, flat) == detected(flat) == "TRENDING"


def test_o07_the_stage_behind_is_asked_where_the_order_of_a_sum_would_decide():
    asked = []
    detector = Detector(lambda world, frame: asked.append(frame) or "CONSOLIDATION")
    frame = frame_of(np.full(200, 0.1), np.float32)
    assert detector(None, frame) == "CONSOLIDATION"
    assert asked[0]["close"].dtype == np.float64
    assert asked[0]["close"].tolist() == frame["close"].tolist()


def test_o07_an_exact_tie_of_two_averages_is_in_doubt_and_a_cent_beside_it_is_not():
    close = np.concatenate([np.full(150, 90.0), np.tile([100.0, 101.0], 25)]) + 0.1
    tie = frame_of(close)
    assert latest_regime(closes(tie), 1.25) == IN_DOUBT
    assert detected(tie) == REGIME(None, tie)
    for cent in (-0.01, 0.01):
        close[-1] += cent
        assert Detector(unasked)(None, frame_of(close)) == REGIME(None, frame_of(close))
        close[-1] -= cent


CENTS = st.lists(st.integers(0, 3), min_size=200, max_size=205)


@given(CENTS, st.sampled_from([0.01, 1.0, 99.99, 65_000.0]), st.sampled_from([np.float64, np.float32]))
@example([0] * 200, 99.99, np.float64)
@example([0] * 180 + [1] * 20, 0.01, np.float64)
@example([1] * 150 + [0] * 50, 99.99, np.float32)
@example([0, 1] * 100, 1.0, np.float64)
def test_o07_the_detector_decides_as_the_baseline_where_prices_stand_almost_still(cents, level, dtype):
    frame = frame_of(level + 0.01 * np.array(cents), dtype)
    assert detected(frame) == REGIME(None, frame.astype(np.float64))


@given(st.integers(0, 2**32), st.sampled_from([1e-9, 1e-4, 1.0, 1e9]), st.integers(1, 25))
def test_o07_the_detector_decides_as_the_baseline_after_halts(seed, level, halt):
    rng = np.random.default_rng(seed)
    close = level * np.exp(np.cumsum(rng.normal(0, 0.02, 230)))
    start = int(rng.integers(150, 230 - halt))
    close[start : start + halt] = close[start]
    assert detected(frame_of(close)) == REGIME(None, frame_of(close))


def test_o07_steady_growth_has_no_deviation_but_rounding_and_the_baseline_decides():
    frame = frame_of(100 * 1.01 ** np.arange(220))
    assert latest_regime(closes(frame), 1.25) == IN_DOUBT
    assert detected(frame) == REGIME(None, frame)


@pytest.mark.parametrize("place", [-1, -15, -40, -150])
@pytest.mark.parametrize("number", [np.nan, np.inf, 0.0])
def test_o07_closes_that_are_no_prices_are_left_to_the_baseline(number, place):
    close = RAMP.copy()
    close[place] = number
    frame = frame_of(close)
    with np.errstate(invalid="ignore"):
        assert detected(frame) == REGIME(None, frame)


def test_o07_float32_closes_are_summed_in_float64():
    """Averages at 16 million differ by less than float32 can hold, and the detector sees it."""
    steps = np.concatenate([np.zeros(150), np.ones(30), np.full(20, 2.0)]) + np.tile([0.0, 1.0], 100)
    frame = frame_of(16_000_000 + steps, np.float32)
    close = frame["close"]
    assert close.tail(50).to_numpy().mean(dtype=np.float64) != np.float32(close.tail(50).to_numpy().mean())
    assert detected(frame) == REGIME(None, frame.astype(np.float64)) == "TRENDING"


def test_o07_the_codes_of_the_kernel_are_named():
    assert {NAMES[code] for code in (TRENDING, CONSOLIDATION, VOLATILE)} == {"TRENDING", "CONSOLIDATION", "VOLATILE"}
    assert IN_DOUBT not in NAMES


def test_o07_the_detector_finds_the_closes_in_any_layout():
    frame = generate(["A"], 400, seed=5).frames["A"]
    expected = frame["close"].to_numpy()[-200:].tolist()
    mixed = frame.astype(dict.fromkeys(("open", "high"), np.float32))
    grown = frame.assign(sma_20=1.0, note="text")
    for layout in (frame, frame[list(reversed(COLUMNS))], mixed, grown, frame.copy()):
        assert closes(layout).tolist() == expected
        assert not closes(layout).flags.writeable


def test_o07_the_detector_never_writes_to_its_frame():
    frame = frame_of(RAMP)
    before = frame.copy()
    detected(frame)
    detected(frame_of(np.full(200, 0.1)))
    pd.testing.assert_frame_equal(frame, before)
    frame.iloc[-1, 3] = 1.0  # reading has not locked the caller's frame
    assert frame["close"].iloc[-1] == 1.0


# Engineered


def test_o07_engineered_remembers_what_it_detected_and_recompute_does_not(world):
    engineered, stage = edited(o07.engineered)
    recompute, _ = edited(o07.recompute)
    frame = frame_of(RAMP)
    for _ in range(3):
        assert engineered(world, frame) == recompute(world, frame) == "TRENDING"
    assert (engineered.hits, engineered.misses, stage.calls) == (2, 1, 0)
    assert isinstance(engineered, Memo)
    assert type(recompute) is Detector


def test_o07_engineered_keys_by_the_last_200_closes_and_nothing_else():
    frame = frame_of(RAMP)
    key = make_key(frame)
    older = frame.copy()
    older.iloc[0, 3] = 1.0
    others = frame.assign(open=1.0, high=2.0, low=3.0, volume=4.0)
    assert make_key(older) == make_key(others) == make_key(frame.iloc[-200:]) == key
    later = frame.copy()
    later.iloc[-200, 3] = np.nextafter(later.iloc[-200, 3], 0)
    assert make_key(later) != key
    assert make_key(frame.iloc[-199:]) != key


def test_o07_engineered_finds_its_regimes_again_after_a_restart(tmp_path):
    for hits, misses in ((0, 1), (1, 0)):
        world = FakeWorld(tmp_path)
        engineered, _ = edited(o07.engineered)
        assert engineered(world, frame_of(RAMP)) == "TRENDING"
        assert (engineered.hits, engineered.misses) == (hits, misses)
        world.resources.close()


def test_o07_engineered_leaves_ties_to_whatever_stage_it_finds(world):
    pipeline = o07.engineered(baseline.PIPELINE.replace(regime=lambda world, frame: "VOLATILE"))
    assert pipeline.regime(world, frame_of(np.full(200, 0.1))) == "VOLATILE"


# Claims


def test_o07_wrong_regimes_are_counted_call_by_call():
    def replay(*regimes):
        calls = [Call(0.0, 0.0, number, (), regime) for number, regime in enumerate(regimes)]
        return Replay(calls, baseline.PIPELINE, None)

    expected = replay("TRENDING", "VOLATILE", "UNKNOWN")
    assert o07.wrong_regimes(expected, expected) == {"calls": 3, "wrong regimes": 0}
    got = replay("TRENDING", "TRENDING", "VOLATILE")
    assert o07.wrong_regimes(expected, got) == {"calls": 3, "wrong regimes": 2}


def test_o07_the_published_factor_is_judged_against_the_first_call_and_against_the_baseline():
    claims = {claim.id: claim for claim in o07.OPTIMIZATION.claims}
    assert claims["O07.8x"].reference in o07.HIT.arms
    assert claims["O07.8x_baseline"].reference == "baseline"
    assert [claim.id for claim in claims.values() if claim.headline] == ["O07.time"]
