"""Do the baseline's stages do what the workload's description says, on cases worked by hand?"""

import dataclasses
import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_bench.pipeline import baseline
from argo_bench.pipeline.baseline.consensus import WEIGHTS
from argo_bench.pipeline.baseline.encode import digest
from argo_bench.pipeline.baseline.signals import momentum, parse_reply, trend
from argo_bench.pipeline.market import Tape
from argo_bench.pipeline.model import Consensus, Decision, Encoded, Indicators, Opinions, ProviderError, Signal
from argo_bench.pipeline.optimized.encode import canonical
from argo_bench.pipeline.optimized.encode import encode as encode_once
from argo_bench.pipeline.record import Evidence, draft_decision
from argo_bench.pipeline.world import SimulatedWorld

P = baseline.PIPELINE
NAN = math.nan


def indicators(**values):
    blank = {field.name: 1.0 for field in dataclasses.fields(Indicators)}
    return Indicators(**{**blank, **values})


def decision(**values):
    fields = {
        "signal_id": "abc",
        "symbol": "AAA",
        "direction": "LONG",
        "entry": 100.0,
        "stop": 97.0,
        "target": 105.0,
        "confidence": 80.0,
        "regime": "TRENDING",
        "strategy": "weighted_consensus",
        "sources": (("massive", "LONG"),),
        "timestamp": 1_736_951_400.0,
        "reference": 100.0,
        "reasoning": "because",
        "reasoning_author": "model",
    }
    return Decision(**{**fields, **values})


@pytest.fixture
def world(small_universe):
    with SimulatedWorld(Tape(small_universe.frames, seed=1), seed=1, latency_scale=0) as world:
        world.transport = P.transport
        world.begin(0)
        yield world


@pytest.mark.parametrize(
    ("values", "signal"),
    [
        ({"close": 3, "sma20": 2, "sma50": 1, "volume_ratio": 1.0, "adx14": 10}, Signal("LONG", 60)),
        ({"close": 3, "sma20": 2, "sma50": 1, "volume_ratio": 1.3, "adx14": 10}, Signal("LONG", 75)),
        ({"close": 3, "sma20": 2, "sma50": 1, "volume_ratio": 1.3, "adx14": 26}, Signal("LONG", 90)),
        ({"close": 1, "sma20": 2, "sma50": 3, "volume_ratio": NAN, "adx14": NAN}, Signal("SHORT", 60)),
        ({"close": 2, "sma20": 2, "sma50": 1, "volume_ratio": 1.2, "adx14": 25}, Signal("NEUTRAL", 60)),
    ],
)
def test_the_trend_rule(values, signal):
    assert trend(indicators(**values)) == signal


@pytest.mark.parametrize(
    ("values", "signal"),
    [
        ({"macd": 1.1, "macd_signal": 1, "rsi14": 62}, Signal("LONG", 72)),
        ({"macd": 0.9, "macd_signal": 1, "rsi14": 10}, Signal("SHORT", 90)),
        ({"macd": 1.1, "macd_signal": 1, "rsi14": 40}, Signal("NEUTRAL", 70)),
        ({"macd": NAN, "macd_signal": NAN, "rsi14": 60}, Signal("NEUTRAL", 70)),
    ],
)
def test_the_momentum_rule(values, signal):
    assert momentum(indicators(**values)) == signal


def test_a_reply_that_cannot_be_parsed_is_no_signal_and_is_counted(world):
    opinions = Opinions({"quote": 1.0}, "I would buy", "direction=SHORT confidence=75")
    found = P.signals(world, indicators(), opinions)
    assert list(found) == ["massive", "alpha_vantage", "sonar"]
    assert world.ledger.failures["x_sentiment reply"] == 1


@pytest.mark.parametrize("text", ["direction=LONG", "direction=UP confidence=3", "direction=LONG confidence=75 ", ""])
def test_only_the_fixed_format_is_a_reply(text):
    assert parse_reply(text) is None


CONSENSUS = [
    # LONG: (80 x .5 + 70 x .25 + 75 x .15) / .9 = 76.39; sonar is against.
    (
        {"massive": ("LONG", 80), "alpha_vantage": ("LONG", 70), "x_sentiment": ("LONG", 75), "sonar": ("SHORT", 75)},
        "TRENDING",
        None,
    ),
    # All agree at 75: 75 in every regime.
    (
        {"massive": ("LONG", 75), "alpha_vantage": ("LONG", 75), "x_sentiment": ("LONG", 75), "sonar": ("LONG", 75)},
        "CONSOLIDATION",
        ("LONG", 75.0),
    ),
    # NEUTRAL votes count towards neither side nor towards the weight: 90 x .25 / .25.
    ({"massive": ("NEUTRAL", 90), "alpha_vantage": ("SHORT", 90)}, "VOLATILE", ("SHORT", 90.0)),
    # Opposite votes of equal weight: no consensus.
    ({"x_sentiment": ("LONG", 75), "alpha_vantage": ("SHORT", 60)}, "VOLATILE", None),
    # No directional source at all.
    ({"massive": ("NEUTRAL", 90)}, "UNKNOWN", None),
    ({}, "TRENDING", None),
]


@pytest.mark.parametrize(("votes", "regime", "expected"), CONSENSUS)
def test_the_weighted_vote(world, votes, regime, expected):
    signals = {source: Signal(*vote) for source, vote in votes.items()}
    found = P.consensus(world, signals, regime)
    assert (found and (found.direction, pytest.approx(found.confidence))) == expected


def test_dissent_costs_confidence(world):
    signals = {"massive": Signal("LONG", 100.0), "sonar": Signal("SHORT", 75.0)}
    weights = WEIGHTS["TRENDING"]
    expected = 100 * weights["massive"] / (weights["massive"] + weights["sonar"])
    assert P.consensus(world, signals, "TRENDING") == Consensus("LONG", expected)


def frame_of(close):
    close = np.asarray(close, float)
    columns = dict.fromkeys(("open", "high", "low", "close"), close) | {"volume": np.ones(len(close))}
    return pd.DataFrame(columns, index=pd.date_range("2024-01-01", periods=len(close), tz="UTC"))


RAMP = np.linspace(100, 200, 250)


@pytest.mark.parametrize(
    ("close", "regime"),
    [
        (RAMP[:199], "UNKNOWN"),
        (RAMP, "TRENDING"),
        (RAMP[::-1], "TRENDING"),
        (100 + np.sin(np.arange(250)), "CONSOLIDATION"),
        (np.concatenate([100 + np.sin(np.arange(230)), 100 * 1.1 ** np.tile([1, -1], 10)]), "VOLATILE"),
    ],
    ids=["too short", "rising", "falling", "flat", "wild at the end"],
)
def test_the_regime(world, close, regime):
    assert P.regime(world, frame_of(close)) == regime


def test_a_stage_never_writes_to_its_frame(world, small_universe):
    frame = P.frame(world, world.bars("massive", "AAA").result())
    before = frame.copy()
    P.indicators(world, frame)
    P.regime(world, frame)
    pd.testing.assert_frame_equal(frame, before)


def test_a_draft_has_stop_and_target_on_the_right_sides(world):
    evidence = Evidence("AAA", 10.0, 10.0, "TRENDING", ())
    long = draft_decision(world, evidence, Consensus("LONG", 80.123))
    short = draft_decision(world, evidence, Consensus("SHORT", 80.0))
    assert (long.entry, long.stop, long.target, long.confidence) == (10.0, 9.7, 10.5, 80.12)
    assert (short.entry, short.stop, short.target) == (10.0, 10.3, 9.5)
    assert long.signal_id == short.signal_id  # one symbol, one cycle, one strategy: one signal
    assert len(long.signal_id) == 32


REJECTED = [
    ({"reasoning": ""}, "incomplete"),
    ({"entry": NAN}, "incomplete"),
    ({"timestamp": 1_736_951_400.0 - 601}, "stale"),
    ({"entry": 106.0}, "entry off the reference price"),
    ({"confidence": 59.9}, "confidence out of range"),
    ({"confidence": 100.1}, "confidence out of range"),
]


@pytest.mark.parametrize(("values", "rule"), REJECTED)
def test_the_first_broken_rule_rejects(world, values, rule):
    validated = P.validate(world, [decision(**values), decision()])
    assert [each.rule for each in validated.rejected] == [rule]
    assert validated.kept == (decision(),)


def test_a_signal_that_is_stored_already_is_a_duplicate(world):
    P.store(world, P.encode(world, [decision()]))
    assert [each.rule for each in P.validate(world, [decision()]).rejected] == ["duplicate"]


def test_without_a_reference_price_a_signal_is_rejected(world):
    def unavailable(world, request):
        raise ProviderError("no quote")

    world.transport = unavailable
    assert [each.rule for each in P.validate(world, [decision()]).rejected] == ["no reference price"]


def test_rows_are_stored_as_they_are_and_a_violated_constraint_is_an_error(world):
    import sqlite3

    encoded = P.encode(world, [decision()])
    P.store(world, encoded)
    stored = world.query("SELECT symbol, direction, entry, sha256, source_count FROM signals")
    assert stored == [("AAA", "LONG", 100.0, encoded[0].sha256, 1)]
    with pytest.raises(sqlite3.IntegrityError):
        P.store(world, encoded)


def test_readers_see_the_latest_signals_first_and_the_win_rate(world):
    decisions = [decision(signal_id=str(k), timestamp=float(k)) for k in range(12)]
    P.store(world, P.encode(world, decisions))
    world.query("UPDATE signals SET outcome = CASE WHEN id % 4 THEN 'win' ELSE 'loss' END")
    readings = P.read(world, ["AAA"])
    assert [row[1] for row in readings.latest] == [str(k) for k in range(11, 1, -1)]
    assert len(readings.latest_of_symbol) == 10
    assert readings.win_rate == 0.75


def test_the_sinks_carry_all_fields_and_the_digest_the_signed_ones(world):
    import hashlib

    encoded = P.encode(world, [decision()])[0]
    assert set(json.loads(encoded.log_line)) == {field.name for field in dataclasses.fields(Decision)}
    assert json.loads(encoded.body) == json.loads(encoded.log_line)
    text = (
        '{"confidence":80.0,"direction":"LONG","entry":100.0,"regime":"TRENDING","signal_id":"abc","stop":97.0,'
        '"symbol":"AAA","target":105.0,"timestamp":1736951400.0}'
    )
    assert encoded.sha256 == hashlib.sha256(text.encode()).hexdigest()


prices = st.floats(1e-4, 1e9)


@given(prices, prices, prices, st.floats(60, 100), st.text(max_size=10))
def test_the_engineered_encoding_is_the_same_json_and_the_same_digest(entry, stop, target, confidence, symbol):
    each = decision(entry=entry, stop=stop, target=target, confidence=confidence, symbol=symbol)
    baselines, ours = P.encode(None, [each])[0], encode_once(None, [each])[0]
    assert json.loads(ours.body) == json.loads(baselines.body)
    assert list(json.loads(ours.body)) == list(json.loads(baselines.body))
    assert ours.sha256 == digest(each)
    assert json.loads(canonical(each))["entry"] == entry
    assert isinstance(ours, Encoded)
