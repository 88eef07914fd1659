"""Does the walk that takes symbols through each stage together decide, write and send what the walk by tasks does?"""

import asyncio
from dataclasses import asdict, replace

import numpy as np
import pytest

from argo_bench.optimizations import build
from argo_bench.optimizations.o10_batches_early_exit import engineered
from argo_bench.optimizations.together import ALL_IDS
from argo_bench.pipeline import baseline
from argo_bench.pipeline.arrays import (
    ConsensusColumn,
    Frames,
    IndicatorTable,
    RegimeColumn,
    SignalTable,
)
from argo_bench.pipeline.baseline.store import row
from argo_bench.pipeline.kernels import digest_bars
from argo_bench.pipeline.many import run_stage
from argo_bench.pipeline.market import Tape
from argo_bench.pipeline.model import (
    SOURCES,
    Consensus,
    Encoded,
    Fetched,
    Opinions,
    ProviderError,
    Reasoning,
    Signal,
)
from argo_bench.pipeline.optimized.consensus import consensus_of_many
from argo_bench.pipeline.optimized.fetch import list_requests
from argo_bench.pipeline.optimized.frame import frame, frames_of_many
from argo_bench.pipeline.optimized.indicators import DRIFT, Incremental, indicators, indicators_of_many
from argo_bench.pipeline.optimized.regime import Detector
from argo_bench.pipeline.optimized.schedule import AT_ONCE, SideBySide, StageByStage, with_reasoning
from argo_bench.pipeline.optimized.signals import signals_of_many
from argo_bench.pipeline.optimized.validate import validate, validate_at_hand
from argo_bench.pipeline.record import cycle, list_sources
from argo_bench.pipeline.world import SimulatedWorld, Simulation
from tests.benchmarks import study_universe
from tests.test_o10 import TWELVE, Ledgered, Market, Refused
from tests.test_stages import decision

P = baseline.PIPELINE
LEFT_OUT = (None, *ALL_IDS)
SCHEDULED = (None, "O02", "O03", "O12", "O15")
"""Without one of these other answers are at hand when a symbol begins, is explained or is validated."""
CREATED_AT = -1
"""The place of the time at which a row was made."""


def run(pipeline, universe, cycles, latency_scale):
    """Run whole cycles; return them, all rows, and the ledger."""
    simulation = Simulation(busy_ns=lambda: 0, opinion_minutes=1.0)
    tape = Tape(universe.frames, seed=3, change_rate=0.5)
    with SimulatedWorld(tape, simulation, seed=3, latency_scale=latency_scale, durable=False) as world:
        ran = [world.run(cycle(pipeline, world, universe.symbols, number)) for number in range(cycles)]
        world.run(world.wind_down())
        return ran, world.query("SELECT * FROM signals ORDER BY id"), world.ledger


def run_both(left_out, universe, cycles, latency_scale):
    members = {identifier: "engineered" for identifier in ALL_IDS if identifier != left_out}
    return [
        run(edit(build(members)), universe, cycles, latency_scale) for edit in (one_task_a_symbol, walked_as_arrays)
    ]


def one_task_a_symbol(pipeline):
    waiting = validate if pipeline.validate is validate_at_hand else pipeline.validate
    return pipeline.replace(schedule=SideBySide(), validate=waiting)


def walked_as_arrays(pipeline):
    """The set as it is; without O10 or O02 it has no such schedule, and gets it."""
    return pipeline if isinstance(pipeline.schedule, StageByStage) else engineered(pipeline)


def assert_same_without_latency(left_out, universe, cycles):
    (expected, rows, ledger), (got, got_rows, got_ledger) = run_both(left_out, universe, cycles, 0.0)
    assert rows
    assert got == expected
    assert got_rows == rows
    apart = {"dollars": ledger.dollars, "connections": ledger.connections}
    assert asdict(replace(got_ledger, **apart)) == asdict(ledger)
    assert got_ledger.dollars == pytest.approx(ledger.dollars, rel=1e-12)  # they are summed in another order
    # Which connection is free for a request depends on the order of tasks within the same moment.
    assert 0.9 * ledger.connections <= got_ledger.connections <= ledger.connections


@pytest.mark.parametrize("left_out", LEFT_OUT)
def test_without_latency_everything_is_the_same(left_out, small_universe):
    assert_same_without_latency(left_out, small_universe, 6)


@pytest.fixture(scope="module")
def hundred(small_universe):
    return small_universe.take(AT_ONCE + 20, bars=310)


@pytest.mark.slow
@pytest.mark.parametrize("left_out", LEFT_OUT)
def test_without_latency_everything_is_the_same_for_more_symbols_than_are_under_way_at_once(left_out, hundred):
    assert_same_without_latency(left_out, hundred, 2)


@pytest.mark.slow
@pytest.mark.parametrize("left_out", SCHEDULED)
def test_without_latency_everything_is_the_same_for_a_thousand_symbols(left_out, small_universe):
    assert_same_without_latency(left_out, small_universe.take(1000, bars=310), 4)


def assert_same_with_latency(left_out, universe, cycles):
    """What is at hand waits for no look-up in the shared store, and teaches the hedged fetch no latency of 0 s.

    So rows may be made some milliseconds sooner, and bars and quotes be asked for less often; all else is the same.
    """
    (expected, rows, ledger), (got, got_rows, got_ledger) = run_both(left_out, universe, cycles, 1.0)
    assert any(each.decided for each in expected)
    # Without O02 a thousand symbols take more than ten minutes: all that is decided is stale, and rejected.
    assert rows or {each.rule for ran in expected for each in ran.rejected} == {"stale"}
    for part in ("decided", "rejected"):
        assert [getattr(each, part) for each in got] == [getattr(each, part) for each in expected]
    assert [row[:CREATED_AT] for row in got_rows] == [row[:CREATED_AT] for row in rows]
    sent, got_sent = ledger.requests, got_ledger.requests
    if {"O02", "O03"} & {left_out}:
        assert got_sent == sent
    assert got_sent["alpha_vantage"] <= sent["alpha_vantage"]
    for provider in ("x_sentiment", "sonar", "explanation"):
        assert got_sent[provider] == sent[provider]
    assert got_sent["massive"] + got_sent["alpaca"] <= sent["massive"] + sent["alpaca"]


@pytest.mark.parametrize("left_out", LEFT_OUT)
def test_with_latency_the_same_is_decided_written_and_sent(left_out, small_universe):
    assert_same_with_latency(left_out, small_universe, 6)


@pytest.mark.slow
@pytest.mark.parametrize("left_out", SCHEDULED)
def test_with_latency_the_same_is_decided_written_and_sent_for_more_symbols_than_at_once(left_out, hundred):
    assert_same_with_latency(left_out, hundred, 2)


@pytest.mark.slow
@pytest.mark.parametrize("left_out", SCHEDULED)
def test_with_latency_the_same_is_decided_written_and_sent_for_a_thousand_symbols(left_out, small_universe):
    assert_same_with_latency(left_out, small_universe.take(1000, bars=310), 3)


def test_its_requests_are_those_that_a_world_sends(small_universe):
    sent = []
    with SimulatedWorld(Tape(small_universe.frames, seed=1), seed=1, latency_scale=0) as world:
        pipeline = build({"O02": "engineered"})

        def transport(world, request):
            sent.append(request)
            return P.transport(world, request)

        world.transport = transport
        world.begin(0)
        world.run(pipeline.fetch(world, "AAA"))
    assert set(sent) == set(list_requests("AAA"))


# The schedule


class AtHand(Market):
    """A market in which the data of the symbols of ``known`` are at hand."""

    def __init__(self, known, **more):
        super().__init__(**more)
        self.known = known
        self.pipeline = P.replace(fetch=self)

    async def __call__(self, world, symbol):
        return await self.fetch(world, symbol)

    def at_hand(self, world, symbol):
        return self.known.get(symbol)


async def test_it_keeps_the_order_of_the_universe_whoever_ends_first():
    market = Market(TWELVE, takes_s={"S0": 0.02})
    assert await market.walk(StageByStage(), TWELVE) == TWELVE
    assert market.ended[-1] == "S0"
    assert await Market().walk(StageByStage(), []) == []


async def test_it_bounds_what_is_under_way():
    market = Market(TWELVE)
    await market.walk(StageByStage(at_once=5), TWELVE)
    assert market.most_under_way == 5


async def test_failures_that_are_quicker_than_answers_are_no_outage():
    forty = [f"F{number}" for number in range(6)] + [f"S{number}" for number in range(34)]
    fails = {symbol: ProviderError("503") for symbol in forty[:6]}
    market = Market(forty, fails=fails, takes_s=dict.fromkeys(forty[6:], 0.01))
    assert await market.walk(StageByStage(at_once=20), forty) == forty[6:]


async def test_a_walk_in_which_every_symbol_fails_raises_the_first_failure():
    market = Market(fails={symbol: ProviderError(f"{symbol} is down") for symbol in TWELVE})
    with pytest.raises(ProviderError, match="S0 is down"):
        await market.walk(StageByStage(), TWELVE)


async def test_a_bug_is_raised_when_all_have_ended_and_nothing_is_left_running():
    market = Market(TWELVE, fails={"S1": KeyError("a bug")}, takes_s={"S5": 0.01})
    with pytest.raises(KeyError, match="a bug"):
        await market.walk(StageByStage(), TWELVE)
    assert sorted(market.ended) == sorted(TWELVE)


async def test_whoever_gives_up_the_walk_ends_what_is_under_way():
    market = Market(TWELVE, takes_s=dict.fromkeys(TWELVE, 60))
    walking = asyncio.ensure_future(market.walk(StageByStage(), TWELVE))
    await asyncio.sleep(0.01)
    assert market.under_way == len(TWELVE)
    walking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await walking
    assert market.under_way == 0


def fetched_from(universe, symbol, cycle=0):
    bars = Tape(universe.frames, seed=1).bars(symbol, cycle)
    says = "direction=LONG confidence=75"
    return Fetched(bars, Opinions({"rsi": 50.0, "sma": 1.0, "quote": float(bars.values[3, -1])}, says, says))


def test_a_symbol_whose_bars_are_bad_is_the_only_one_that_fails(small_universe):
    universe = small_universe.take(30, bars=310)
    known = {symbol: fetched_from(universe, symbol) for symbol in universe.symbols}
    known["BBB"].bars.values[3, 7] = np.nan
    with SimulatedWorld(Tape(universe.frames, seed=1), seed=1, latency_scale=0) as world:
        world.transport = P.transport
        world.begin(0)
        pipeline = P.replace(fetch=AtHand(known), indicators=indicators, frame=frame)
        with pytest.raises(ValueError, match="bar 7"):
            world.run(StageByStage()(world, pipeline, universe.symbols))
        asked = world.ledger.requests["explanation"]
        del known["BBB"]
        found = world.run(StageByStage()(world, pipeline, list(known)))
    assert asked == len(found) > 0


# The arrays


@pytest.fixture
def world():
    return Ledgered()


def test_each_stage_says_of_many_symbols_what_it_says_of_one(small_universe, world):
    """Histories are of several lengths, also below 200 bars, and in both widths of floats."""
    fetched = [fetched_from(small_universe, symbol).bars for symbol in small_universe.symbols]
    bars = [
        each.__class__(each.symbol, each.timestamps[:n], np.ascontiguousarray(each.values[:, :n]))
        for each in fetched
        for n in (1, 40, 199, 200, 300)
    ]
    bars += [each.__class__(each.symbol, each.timestamps, each.values.astype(np.float32)) for each in fetched]
    replies = [
        "direction=SHORT confidence=75",
        "direction=LONG confidence=75",
        "nothing",
        "direction=NEUTRAL confidence=9",
    ]
    opinions = [Opinions({}, replies[row % 4], replies[row % 3]) for row in range(len(bars))]
    detector = Detector(P.regime)
    frames = frames_of_many(world, bars)
    one_frame = [frame(world, each) for each in bars]
    found = indicators_of_many(world, frames)
    one_found = [indicators(world, each) for each in one_frame]
    regimes = detector.many(world, frames)
    one_regime = [detector(world, each) for each in one_frame]
    votes = signals_of_many(world, found, opinions)
    failures, world.ledger.failures = world.ledger.failures, type(world.ledger.failures)()
    one_votes = [P.signals(world, *each) for each in zip(one_found, opinions, strict=True)]
    agreed = consensus_of_many(world, votes, regimes)
    one_agreed = [P.consensus(world, *each) for each in zip(one_votes, one_regime, strict=True)]
    assert repr(list(found)) == repr(one_found)  # NaN is not equal to itself
    assert list(regimes) == one_regime
    assert [list(each.items()) for each in votes] == [list(each.items()) for each in one_votes]
    assert failures == world.ledger.failures
    assert list(agreed) == one_agreed
    assert len({each is None for each in one_agreed}) == 2
    assert len(set(one_regime)) > 2
    for here, there in zip(frames, one_frame, strict=True):
        assert here.equals(there)


async def test_a_stage_may_have_some_answers_at_once_and_others_later():
    async def wait(row):
        return row

    def stage(world, row):
        return wait(row) if row % 2 else row

    assert await run_stage(stage, list, None, range(4)) == [0, 1, 2, 3]


def test_rows_that_were_packed_come_out_as_they_went_in(small_universe, world):
    bars = [fetched_from(small_universe, symbol).bars for symbol in small_universe.symbols]
    frames = [frame(world, each) for each in bars]
    found = [indicators(world, each) for each in frames]
    assert list(IndicatorTable.pack(found)) == found
    regimes = ["UNKNOWN", "VOLATILE", "TRENDING", "CONSOLIDATION"]
    assert list(RegimeColumn.pack(regimes)) == regimes
    votes = [{}, {"sonar": Signal("SHORT", 75.0)}, {source: Signal("NEUTRAL", 60.0) for source in SOURCES}]
    assert list(SignalTable.pack(votes)) == votes
    agreed = [None, Consensus("LONG", 80.0), Consensus("SHORT", 75.5)]
    assert list(ConsensusColumn.pack(agreed)) == agreed
    rows = ConsensusColumn.pack(agreed).find_accepted()
    assert rows.tolist() == [1, 2]
    assert ConsensusColumn.pack(agreed).take(rows) == agreed[1:]
    assert RegimeColumn.pack(regimes).take(rows) == regimes[1:3]
    assert SignalTable.pack(votes).list_sources(rows) == [list_sources(each) for each in votes[1:]]
    assert Frames([each.values for each in bars], frames.__getitem__)[1:3] == frames[1:3]


# Histories


def drop_bars(bars, *, last):
    return bars.__class__(bars.symbol, bars.timestamps[:-last], np.ascontiguousarray(bars.values[:, :-last]))


def change(bars, *, row, bar, by=1.01):
    values = bars.values.copy()
    values[row, bar] *= by
    return bars.__class__(bars.symbol, bars.timestamps, values)


def test_many_histories_are_continued_as_a_full_pass_computes_them(small_universe, world):
    """In each step a history ticks, gains bars, is revised, shortened or left out, in another order."""
    whole = [fetched_from(small_universe, symbol).bars for symbol in small_universe.symbols]
    a, b, c, d, e, f = [drop_bars(bars, last=30) for bars in whole]
    short = [drop_bars(whole[0], last=298), drop_bars(whole[1], last=299)]
    steps = [
        ([a, b, c, d, e, f], 0),
        ([change(each, row=3, bar=-1) for each in (f, e, d, c, b, a)], 6),
        ([drop_bars(whole[0], last=29), drop_bars(whole[1], last=20), c], 3),
        ([whole[0], change(whole[1], row=2, bar=100), drop_bars(c, last=1), d], 2),
        ([whole[1], drop_bars(whole[2], last=3), whole[3], e, f], 4),
        ([short[0], whole[4], whole[4], short[1]], 2),
        ([short[0], whole[0]], 2),
    ]
    stage = Incremental(indicators)
    for bars, continued in steps:
        before = stage.hits, stage.misses
        frames = frames_of_many(world, bars)
        got = stage.many(world, frames).values
        np.testing.assert_allclose(got, indicators_of_many(world, frames).values, rtol=DRIFT, atol=DRIFT)
        assert (stage.hits - before[0], stage.misses - before[1]) == (continued, len(bars) - continued)


def test_a_history_with_a_bad_bar_is_forgotten_and_begins_anew(small_universe, world):
    good = [fetched_from(small_universe, symbol).bars for symbol in small_universe.symbols]
    stage = Incremental(indicators)
    stage.many(world, frames_of_many(world, good))
    for bad in (change(good[2], row=1, bar=-1, by=np.nan), change(good[2], row=4, bar=5, by=np.inf)):
        with pytest.raises(ValueError, match="expected numbers"):
            stage.many(world, frames_of_many(world, [good[1], bad]))
        misses = stage.misses
        got = stage.many(world, frames_of_many(world, good[:3])).values
        assert stage.misses == misses + 1
        full = indicators_of_many(world, frames_of_many(world, good[:3])).values
        np.testing.assert_allclose(got, full, rtol=DRIFT, atol=DRIFT)


def test_every_single_value_that_differs_changes_the_digest_and_digests_of_successive_bars_add_up():
    rng = np.random.default_rng(0)
    block = rng.normal(100, 1, (5, 40))
    whole = digest_bars(block, 0, 40)
    for cut in (0, 1, 17, 40):
        parts = digest_bars(block, 0, cut), digest_bars(block, cut, 40)
        assert tuple(sum(each) % 2**64 for each in zip(*parts, strict=True)) == whole
    for place in np.ndindex(block.shape):
        revised = block.copy()
        revised[place] = np.nextafter(block[place], np.inf)
        assert digest_bars(revised, 0, 40) != whole
    for one, other in (((0, 1), (0, 2)), ((1, 3), (4, 3)), ((2, 0), (3, 39))):
        swapped = block.copy()
        swapped[one], swapped[other] = block[other], block[one]
        assert digest_bars(swapped, 0, 40)[0] == whole[0]
        assert digest_bars(swapped, 0, 40)[1] != whole[1]


def test_no_more_histories_are_known_than_the_maximum(small_universe, world):
    bars = [fetched_from(small_universe, symbol).bars for symbol in small_universe.symbols]
    stage = Incremental(indicators, maximum=4)
    for batch, hits in ((bars[:4], 0), (bars[:4], 4), (bars[4:], 4), (bars[:2], 4), (bars[4:], 6)):
        stage.many(world, frames_of_many(world, batch))
        assert stage.hits == hits


def test_histories_of_many_belong_to_the_kernel_alone():
    assert Incremental(P.indicators).many is None


# The validation


def test_a_quote_that_is_at_hand_is_not_waited_for_and_every_other_rule_is_kept(small_universe):
    """One decision is a duplicate, one is stale, one has no quote at all, one has one at hand, one has to ask."""

    class Quotes:
        """A transport that has the quote of AAA at hand and fails for CCC."""

        def __init__(self):
            self.sent = []

        def at_hand(self, world, requests, make):
            assert [each.what for each in requests] == ["quote"]
            return make(1.0) if requests[0].symbol == "AAA" else None

        def __call__(self, world, request):
            self.sent.append(request.symbol)
            pending = P.transport(world, request)
            return Refused(pending) if request.symbol == "CCC" else pending

    with SimulatedWorld(Tape(small_universe.frames, seed=1), seed=1, latency_scale=0) as world:
        world.transport = Quotes()
        world.begin(0)
        now = world.now()
        decisions = [
            decision(signal_id=symbol, symbol=symbol, timestamp=now - 1000 * (symbol == "BBB"))
            for symbol in ("AAA", "BBB", "CCC", "DDD", "EEE")
        ]
        world.insert(row(world, Encoded(decisions[4], "", "", "")))
        got = world.run(validate_at_hand(world, decisions))
        assert world.transport.sent == ["CCC", "DDD"]
        world.transport.sent.clear()
        expected = world.run(validate(world, decisions))
        assert world.transport.sent == ["AAA", "CCC", "DDD"]
    assert got == expected
    assert [each.symbol for each in got.kept] == ["AAA", "DDD"]
    assert {each.decision.symbol: each.rule for each in got.rejected} == {
        "BBB": "stale",
        "CCC": "no reference price",
        "EEE": "duplicate",
    }


def test_a_draft_gets_its_explanation_and_keeps_all_else():
    draft, reasoning = decision(), Reasoning("since it rises", "template")
    assert with_reasoning(draft, reasoning) == replace(draft, reasoning="since it rises", reasoning_author="template")


# The study


@pytest.mark.parametrize("share", study_universe.SHARES)
def test_the_arms_of_the_study_do_the_same_work_and_their_floors_are_found(share):
    symbols, numbers = 24, range(2)
    market = study_universe.make_market(symbols, share)
    ran = {}
    for name, pipeline in study_universe.make_pipelines(share, symbols).items():
        arm = study_universe.Arm(market, pipeline, is_pushed=share == "pushed")
        ran[name] = [arm.run(number) for number in numbers]
        arm.world.discard()
    side, stages = ran[study_universe.SIDE], ran[study_universe.STAGES]
    assert [each.cycle for each in stages] == [each.cycle for each in side]
    assert [each.requests for each in stages] == [each.requests for each in side]
    assert all(each.cycle.stored for each in stages)
    if share == "pushed":
        loop = ran[study_universe.LOOP]
        assert [len(each.cycle.stored) for each in loop] == [len(each.cycle.stored) for each in stages]
        decided = len(stages[1].cycle.decided)
        assert stages[1].requests["alpha_vantage"] == 3 * symbols + decided
    floors = study_universe.Floors(market)
    assert len(floors.measure(1, stages[1])) == 7
    assert floors.world.ledger.rows == len(stages[1].cycle.stored)
    floors.world.discard()
