"""Do prescribed variants keep their defects, and engineered ones their outputs?"""

import dataclasses
import json

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_bench.optimizations import build, catalogue
from argo_bench.optimizations.o06_consensus_cache import TextKeyedCache, count_in_a_row
from argo_bench.optimizations.o08_vectorized_indicators import (
    BY_ROWS,
    BY_SCALARS,
    BY_SLICES,
    FIVE,
    PANDAS_LOOPS,
    rolling_five,
)
from argo_bench.optimizations.o11_json_cache import MAXIMUM_ENTRIES, CachedEncode, JSONCache
from argo_bench.pipeline import baseline
from argo_bench.pipeline.baseline.consensus import WEIGHTS
from argo_bench.pipeline.market import generate
from argo_bench.pipeline.model import SOURCES, Consensus, Signal
from argo_bench.study.checking.check import check_on_markets
from argo_bench.study.checking.trace import Oracle
from argo_bench.study.recording import record
from tests.test_stages import decision

VOTES = {"massive": Signal("LONG", 80.0), "sonar": Signal("LONG", 80.0)}
IDS = list(catalogue())


class Clock:
    def __init__(self):
        self.time = 0.0

    def now(self):
        return self.time


class Counting:
    """A stage that counts its calls and gives back what it is told."""

    def __init__(self, value):
        self.value = value
        self.calls = 0

    def __call__(self, world, *arguments):
        self.calls += 1
        return self.value


def test_o06_prescribed_finds_equal_votes_for_60_seconds():
    stage, clock = Counting(Consensus("LONG", 80.0)), Clock()
    cache = TextKeyedCache(stage)
    cache(clock, VOTES, "TRENDING")
    clock.time = 59.9
    cache(clock, dict(reversed(VOTES.items())), "TRENDING")
    assert stage.calls == 1
    clock.time = 60.0
    cache(clock, VOTES, "TRENDING")
    assert stage.calls == 2


def test_o06_prescribed_counts_what_it_finds():
    cache = TextKeyedCache(Counting(Consensus("LONG", 80.0)))
    for _ in range(3):
        cache(Clock(), VOTES, "TRENDING")
    assert (cache.hits, cache.misses) == (2, 1)


def test_o06_prescribed_never_remembers_that_there_was_no_consensus():
    stage, clock = Counting(None), Clock()
    cache = TextKeyedCache(stage)
    cache(clock, VOTES, "TRENDING")
    cache(clock, VOTES, "TRENDING")
    assert stage.calls == 2


def test_o06_prescribed_hands_out_the_stored_object_itself():
    cache, clock = TextKeyedCache(Counting({"direction": "LONG"})), Clock()
    cache(clock, VOTES, "TRENDING")["direction"] = "SHORT"
    assert cache(clock, VOTES, "TRENDING") == {"direction": "SHORT"}


def test_o06_engineered_remembers_that_there_was_no_consensus(tmp_path):
    pipeline = build({"O06": "engineered"})
    from tests.test_memo import FakeWorld

    world = FakeWorld(tmp_path)
    for _ in range(3):
        assert pipeline.consensus(world, {}, "TRENDING") is None
    assert (pipeline.consensus.hits, pipeline.consensus.misses) == (2, 1)


@given(
    st.dictionaries(
        st.sampled_from(SOURCES),
        st.builds(Signal, st.sampled_from(["LONG", "SHORT", "NEUTRAL"]), st.integers(0, 1000).map(lambda n: n / 10)),
    ),
    st.sampled_from(sorted(WEIGHTS)),
)
def test_o06_simple_counts_the_very_vote_of_the_baseline(signals, regime):
    assert count_in_a_row(None, signals, regime) == baseline.PIPELINE.consensus(None, signals, regime)


def short_frame(bars):
    close = np.arange(1.0, bars + 1)
    columns = dict.fromkeys(("open", "high", "low", "close"), close) | {"volume": np.full(bars, 7.0)}
    return pd.DataFrame(columns, index=pd.date_range("2025-01-01", periods=bars, tz="UTC"))


def test_o08_prescribed_invents_an_average_of_50_bars_on_ten():
    frame = short_frame(10)
    assert rolling_five(None, frame.copy())["sma50"] == 5.5
    assert np.isnan(baseline.PIPELINE.indicators(None, frame).sma50)


def test_o08_prescribed_leaves_five_columns_in_the_callers_frame():
    frame = short_frame(60)
    rolling_five(None, frame)
    assert list(frame.columns[5:]) == ["sma_20", "sma_50", "volume_sma", "volume_ratio", "price_change"]


@pytest.mark.parametrize("bars", [1, 10, 20, 49, 50, 300])
@pytest.mark.parametrize("name", ["baseline", "simple", BY_ROWS, BY_SLICES, BY_SCALARS])
def test_o08_every_loop_computes_the_five_of_the_list_loop(name, bars):
    frame = generate(["AAA"], 300, seed=bars).frames["AAA"].tail(bars).copy()
    expected = FIVE.arms["baseline"](baseline.PIPELINE).indicators(None, frame)
    found = PANDAS_LOOPS.arms[name](baseline.PIPELINE).indicators(None, frame)
    assert found == pytest.approx(expected, rel=1e-9, nan_ok=True)
    assert list(frame.columns) == ["open", "high", "low", "close", "volume"]


def test_o08_a_loop_without_volume_has_no_volume_ratio():
    frame = short_frame(30).assign(volume=0.0)
    for name in ("baseline", "simple", BY_ROWS, BY_SLICES, BY_SCALARS):
        assert np.isnan(PANDAS_LOOPS.arms[name](baseline.PIPELINE).indicators(None, frame)["volume_ratio"])


def test_o08_scales_beyond_the_data_are_recorded_on_generated_bars(small_universe):
    [frame] = record(FIVE, small_universe, 2_000, 1).groups[0].calls[0]
    assert len(frame) == 2_000
    [frame] = record(FIVE, small_universe, 300, 1).groups[0].calls[0]
    assert frame["close"].iloc[0] == small_universe.frames["AAA"]["close"].iloc[0]


def test_o08_the_readings_by_pandas_loops_have_the_headlines_words_and_another_reference():
    claims = {each.id: each for each in catalogue()["O08"].claims}
    loops = [claims[f"O08.time-{word}"] for word in ("rows", "slices", "scalars")]
    assert {each.text for each in loops} == {claims["O08.time"].text}
    assert [each.reference for each in loops] == [BY_ROWS, BY_SLICES, BY_SCALARS]


def test_o11_prescribed_serializes_twice_on_a_miss_and_once_on_a_hit(monkeypatch):
    calls = []
    real = json.dumps
    monkeypatch.setattr(json, "dumps", lambda *a, **k: calls.append(1) or real(*a, **k))
    cache = JSONCache()
    cache.serialize({"a": 1})
    assert len(calls) == 2
    cache.serialize({"a": 1})
    assert len(calls) == 3


def test_o11_prescribed_sorts_the_keys_of_log_line_and_post():
    encoded = CachedEncode()(None, [decision()])[0]
    plain = baseline.PIPELINE.encode(None, [decision()])[0]
    assert list(json.loads(encoded.body)) == sorted(json.loads(plain.body))
    assert list(json.loads(plain.body)) != sorted(json.loads(plain.body))
    assert encoded.sha256 == plain.sha256


def test_o11_prescribed_counts_what_it_finds():
    stage = CachedEncode()
    stage(None, [decision()])
    assert (stage.hits, stage.misses) == (1, 2)
    stage(None, [decision()])
    assert (stage.hits, stage.misses) == (4, 2)


def test_o11_prescribed_evicts_in_the_order_of_insertion():
    cache = JSONCache()
    for number in range(MAXIMUM_ENTRIES):
        cache.serialize(number)
    cache.serialize(0)  # used just now, yet the oldest
    cache.serialize("one more")
    assert len(cache._texts) == MAXIMUM_ENTRIES
    assert "0" not in cache._texts.values()


def test_o11_simple_hands_one_text_to_log_line_and_post():
    decisions = [decision(), decision(symbol="BBB")]
    found = catalogue()["O11"].simple(baseline.PIPELINE).encode(None, decisions)
    assert found == baseline.PIPELINE.encode(None, decisions)
    assert all(each.log_line is each.body for each in found)


@pytest.mark.parametrize("bars", [10, 199, 200, 300])
def test_o07_simple_detects_the_regime_of_the_baseline(bars):
    simple = catalogue()["O07"].simple(baseline.PIPELINE)
    for seed in range(40):
        rng = np.random.default_rng(seed)
        walk = np.exp(np.cumsum(rng.normal(0, rng.choice([0.001, 0.02], bars))))
        frame = pd.DataFrame({"close": walk, "volume": 1.0})
        assert simple.regime(None, frame) == baseline.PIPELINE.regime(None, frame)


@pytest.fixture(scope="module")
def real_oracle(real_universe):
    return Oracle.run(real_universe, 1, 60)


@pytest.mark.parametrize("identifier", IDS)
def test_engineered_variants_are_faithful_on_the_real_symbols(identifier, real_oracle):
    assert check_on_markets(catalogue()[identifier], "engineered", [real_oracle]).counts == {}


def test_the_workload_accepts_about_as_many_symbol_cycles_as_it_is_meant_to(real_universe):
    from argo_bench.pipeline.market import Tape
    from argo_bench.pipeline.optimized.indicators import indicators
    from argo_bench.pipeline.record import cycle
    from argo_bench.pipeline.world import SimulatedWorld

    pipeline = baseline.PIPELINE.replace(
        indicators=indicators, store=lambda world, rows: None, read=lambda world, symbols: None
    )
    tape = Tape(real_universe.frames, seed=1, cycles_per_bar=1)
    days = range(0, 2_600, 20)
    with SimulatedWorld(tape, seed=1, latency_scale=0) as world:
        decided = sum(len(world.run(cycle(pipeline, world, tape.symbols, day)).decided) for day in days)
    assert 0.22 < decided / (len(days) * len(tape.symbols)) < 0.34


def test_no_variant_changes_nothing():
    """The checks on markets could be passed by an edit that does nothing: the parts do change."""
    for optimization in catalogue().values():
        for variant in (optimization.prescribed, optimization.engineered):
            assert variant(baseline.PIPELINE) != baseline.PIPELINE


@pytest.mark.parametrize("metric", [None, "", "joules"])
def test_a_claim_on_an_optimization_needs_a_metric_that_is_measured_or_counted(metric):
    claim = msgspec.structs.replace(catalogue()["O06"].claims[0], metric=metric)
    with pytest.raises(ValueError, match=r"O06\.time: a claim needs a metric, one of cpu, wall, peak_rss"):
        dataclasses.replace(catalogue()["O06"], claims=(claim,))
