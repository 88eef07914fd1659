"""What does the prescribed early exit lose, and does the engineered walk lose nothing?"""

import asyncio
import logging

import pytest

from argo_bench.optimizations import build, catalogue
from argo_bench.optimizations import o10_batches_early_exit as o10
from argo_bench.optimizations.o02_parallel_fetch import all_at_once
from argo_bench.optimizations.o10_batches_early_exit import awaiting_fetch
from argo_bench.pipeline import baseline
from argo_bench.pipeline.market import Tape
from argo_bench.pipeline.model import Ledger, ProviderError, Served
from argo_bench.pipeline.optimized.indicators import indicators as kernel
from argo_bench.pipeline.optimized.reason import reason as awaiting_reason
from argo_bench.pipeline.optimized.schedule import OUTAGE, SideBySide, StageByStage
from argo_bench.pipeline.record import cycle, find_changed_parts
from argo_bench.pipeline.world import SimulatedWorld, Simulation
from argo_bench.pipeline.world.clock import NS
from argo_bench.study.checking.check import check_workload
from argo_bench.study.counts import replay
from argo_bench.study.recording import record
from tests.test_stages import decision

P = baseline.PIPELINE
FAST = P.replace(indicators=kernel)
TWELVE = [f"S{number}" for number in range(12)]


class Ledgered:
    """A world that only keeps its ledger."""

    def __init__(self):
        self.ledger = Ledger()


class Market:
    """A pipeline whose fetch says at once what becomes of a symbol: a signal for those in ``good``, none for others.

    ``fails`` maps symbols to what is raised for them, ``takes_s`` to the seconds that they take.
    """

    def __init__(self, good=(), fails=None, takes_s=None):
        self.good = set(good)
        self.fails = dict(fails or {})
        self.takes_s = takes_s or {}
        self.begun = []
        self.ended = []
        self.under_way = 0
        self.most_under_way = 0
        self.pipeline = P.replace(fetch=self.fetch)

    async def fetch(self, world, symbol):
        self.begun.append(symbol)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await asyncio.sleep(self.takes_s.get(symbol, 0))
            if symbol in self.fails:
                raise self.fails[symbol]
            return Served(decision(symbol=symbol) if symbol in self.good else None)
        finally:
            self.under_way -= 1
            self.ended.append(symbol)

    async def walk(self, schedule, symbols, world=None):
        return [each.symbol for each in await schedule(world or Ledgered(), self.pipeline, symbols)]


# Prescribed


@pytest.mark.parametrize(("good", "walked"), [(0, 6), (1, 6), (2, 12), (6, 12)])
async def test_the_prescribed_walk_ends_after_a_batch_with_fewer_than_two_signals(good, walked):
    market = Market(TWELVE[:good] + TWELVE[6:])
    found = await market.walk(o10.Batches(), TWELVE)
    assert market.begun == TWELVE[:walked]
    assert found == TWELVE[:good] + TWELVE[6:walked]


async def test_at_six_symbols_there_is_one_batch_and_nothing_to_save():
    market = Market()
    await market.walk(o10.Batches(), TWELVE[:6])
    assert market.begun == TWELVE[:6]


async def test_a_symbol_without_a_signal_counts_as_failed():
    market, batches = Market(TWELVE[:3]), o10.Batches()
    await market.walk(batches, TWELVE[:6])
    assert (batches.attempts["S5"], batches.successes["S5"]) == (1, 0)
    assert (batches.attempts["S0"], batches.successes["S0"]) == (1, 1)


async def test_symbols_at_the_end_of_the_list_starve_however_good_they_are():
    market, batches = Market(TWELVE[6:]), o10.Batches()
    for _ in range(20):
        assert await market.walk(batches, TWELVE) == []
    assert [symbol for symbol in TWELVE if not batches.attempts[symbol]] == TWELVE[6:]


async def test_ranked_at_a_half_untried_symbols_are_reached():
    market, batches = Market(TWELVE[6:]), o10.Batches(untried=0.5)
    assert await market.walk(batches, TWELVE) == []
    assert await market.walk(batches, TWELVE) == TWELVE[6:]


async def test_a_symbol_that_succeeded_once_goes_before_one_never_tried_and_signals_come_in_that_order():
    market, batches = Market(TWELVE[3:6]), o10.Batches()
    await market.walk(batches, TWELVE[3:9])
    market.begun.clear()
    market.good.add("S0")
    assert await market.walk(batches, TWELVE) == ["S3", "S4", "S5", "S0"]
    assert market.begun == [*TWELVE[3:6], *TWELVE[:3], *TWELVE[6:]]


def test_one_slow_symbol_holds_up_a_prescribed_batch_and_no_engineered_slot(small_universe):
    began_s = {}
    for name, schedule in (("prescribed", o10.Batches()), ("engineered", SideBySide(at_once=6))):
        market = Market(TWELVE, takes_s={symbol: 10 if symbol == "S0" else 1 for symbol in TWELVE})
        with SimulatedWorld(Tape(small_universe.frames, seed=1), Simulation(busy_ns=lambda: 0)) as world:
            inner = market.pipeline.fetch

            async def fetch(world, symbol, inner=inner, name=name):
                began_s[name, symbol] = world.clock.virtual_ns / NS
                return await inner(world, symbol)

            world.run(schedule(world, market.pipeline.replace(fetch=fetch), TWELVE))
    assert began_s["prescribed", "S6"] == 10
    assert began_s["engineered", "S6"] == 1


async def test_the_prescribed_walk_turns_an_error_into_a_log_line(caplog):
    market, batches = Market(TWELVE, fails={"S1": RuntimeError("a bug")}), o10.Batches()
    with caplog.at_level(logging.ERROR, o10.logger.name):
        assert await market.walk(batches, TWELVE[:6]) == ["S0", "S2", "S3", "S4", "S5"]
    assert caplog.messages == ["Error processing S1: a bug"]
    assert batches.attempts["S1"] == 0


async def test_the_prescribed_walk_hands_out_a_cancelled_symbol_as_a_signal():
    market, batches = Market(fails={"S1": asyncio.CancelledError()}), o10.Batches()
    found = await batches(Ledgered(), market.pipeline, TWELVE[:6])
    assert [type(each) for each in found] == [asyncio.CancelledError]
    assert batches.successes["S1"] == 1


async def test_the_prescribed_walk_of_no_symbols_raises():
    with pytest.raises(ValueError, match="must not be zero"):
        await Market().walk(o10.Batches(), [])
    assert await Market().walk(SideBySide(), []) == []


# Engineered


@pytest.mark.parametrize("count", [6, 30, pytest.param(120, marks=pytest.mark.slow)])
def test_the_engineered_walk_finds_every_signal_of_the_baseline_in_the_same_order(count, small_universe):
    universe = small_universe.take(count, 3)
    found = {}
    for name, pipeline in (("baseline", FAST), ("engineered", o10.engineered(FAST))):
        with SimulatedWorld(Tape(universe.frames, seed=3), seed=3) as world:
            cycles = [world.run(cycle(pipeline, world, universe.symbols, number)) for number in range(3)]
        found[name] = [each.decided for each in cycles]
    assert sum(map(len, found["baseline"])) > count / 3
    assert found["engineered"] == found["baseline"]


async def test_the_engineered_walk_keeps_the_order_of_the_universe_whoever_ends_first():
    market = Market(TWELVE, takes_s={"S0": 0.02})
    assert await market.walk(SideBySide(), TWELVE) == TWELVE
    assert market.ended[-1] == "S0"


async def test_the_engineered_walk_bounds_what_is_under_way():
    market = Market(TWELVE)
    await market.walk(SideBySide(at_once=5), TWELVE)
    assert market.most_under_way == 5
    market = Market(TWELVE)
    await market.walk(all_at_once, TWELVE)
    assert market.most_under_way == 12


async def test_no_signal_at_all_ends_no_engineered_walk():
    market = Market()
    assert await market.walk(SideBySide(at_once=1), TWELVE) == []
    assert market.begun == TWELVE


@pytest.mark.parametrize("schedule", [SideBySide, StageByStage])
async def test_a_failing_provider_costs_its_symbol_alone_and_is_counted(schedule):
    market, world = Market(TWELVE, fails={"S1": ProviderError("503"), "S2": ProviderError("503")}), Ledgered()
    assert await market.walk(schedule(), TWELVE, world) == ["S0", *TWELVE[3:]]
    assert world.ledger.failures["schedule"] == 2


@pytest.mark.parametrize("schedule", [SideBySide, StageByStage])
async def test_an_outage_ends_the_walk_and_those_left_out_come_first_in_the_next_cycle(schedule):
    down = {symbol: ProviderError("503") for symbol in TWELVE[1:9]}
    market, walk, world = Market(TWELVE, fails=down), schedule(at_once=1), Ledgered()
    assert await market.walk(walk, TWELVE, world) == ["S0"]
    assert market.begun == TWELVE[: 1 + OUTAGE]
    assert world.ledger.failures["schedule"] == 11
    market.begun.clear()
    assert await market.walk(walk, TWELVE) == ["S0", *TWELVE[9:]]
    assert market.begun[:5] == TWELVE[7:]


async def test_no_symbol_starves_while_half_of_the_universe_is_down():
    market, walk = Market(TWELVE, fails={symbol: ProviderError("503") for symbol in TWELVE[:8]}), SideBySide(at_once=1)
    found = set()
    for _ in range(3):
        try:
            found.update(await market.walk(walk, TWELVE))
        except ProviderError:
            continue
    assert found == set(TWELVE[8:])


async def test_failures_that_are_quicker_than_answers_are_no_outage():
    slow = dict.fromkeys(TWELVE, 0.01)
    forty = [f"F{number}" for number in range(6)] + [f"S{number}" for number in range(34)]
    fails = {symbol: ProviderError("503") for symbol in forty[:6]}
    market = Market(forty, fails=fails, takes_s=slow)
    assert await market.walk(SideBySide(at_once=20), forty) == forty[6:]


async def test_a_walk_in_which_every_symbol_fails_raises_as_the_baseline_does():
    market = Market(fails={symbol: ProviderError(f"{symbol} is down") for symbol in TWELVE})
    with pytest.raises(ProviderError, match="S0 is down"):
        await market.walk(SideBySide(), TWELVE)
    with pytest.raises(ProviderError, match="S0 is down"):
        await market.walk(P.schedule, TWELVE)


async def test_a_bug_is_raised_and_nothing_is_left_running():
    market = Market(TWELVE, fails={"S1": KeyError("a bug")}, takes_s={"S5": 0.01})
    with pytest.raises(KeyError, match="a bug"):
        await market.walk(SideBySide(), TWELVE)
    assert sorted(market.ended) == sorted(TWELVE)


# Both


def test_every_arm_awaits_what_the_baseline_blocks_on_and_leaves_other_stages_alone():
    for edit in (o10.prescribed, o10.engineered):
        assert set(find_changed_parts(P, edit(P))) == {"fetch", "reason", "schedule"}
        assert (edit(P).fetch, edit(P).reason) == (awaiting_fetch, awaiting_reason)
        other = P.replace(fetch=lambda world, symbol: None, reason=lambda world, decision: None)
        assert (edit(other).fetch, edit(other).reason) == (other.fetch, other.reason)


def test_state_belongs_to_the_built_pipeline():
    for variant in ("prescribed", "engineered"):
        assert build({"O10": variant}).schedule is not build({"O10": variant}).schedule


def test_the_awaited_fetch_is_the_same_fetch(small_universe):
    found = {}
    for name, fetch in (("baseline", P.fetch), ("awaiting", awaiting_fetch)):
        with SimulatedWorld(Tape(small_universe.frames, seed=1), Simulation(busy_ns=lambda: 0), seed=1) as world:
            world.transport = P.transport
            world.begin(0)
            done = fetch(world, "AAA")
            fetched = world.run(done) if asyncio.iscoroutine(done) else done
            found[name] = fetched.opinions, fetched.bars.values.tolist(), world.clock.virtual_ns, world.ledger
    assert found["awaiting"] == found["baseline"]


def test_the_awaited_fetch_falls_back_as_the_baseline_does(small_universe):
    with SimulatedWorld(Tape(small_universe.frames, seed=1), seed=1) as world:
        sent = []

        def transport(world, request):
            sent.append(request.provider)
            pending = P.transport(world, request)
            return Refused(pending) if request.provider == "massive" else pending

        world.transport = transport
        world.begin(0)
        assert len(world.run(awaiting_fetch(world, "AAA")).bars) == 300
    assert sent[:2] == ["massive", "alpaca"]


class Refused:
    def __init__(self, pending):
        self._pending = pending

    def __await__(self):
        yield from self._pending.__await__()
        raise ProviderError("503")


@pytest.mark.slow
def test_a_trace_says_what_each_arm_loses(small_universe):
    recording = record(o10.SIGNALS, small_universe, 30, seed=2)
    expected = replay(o10.SIGNALS, lambda pipeline: pipeline, recording)
    lost = {
        name: o10.damage(expected, replay(o10.SIGNALS, edit, recording))
        for name, edit in catalogue()["O10"].edits(o10.SIGNALS).items()
    }
    assert len({tuple(each) for each in lost.values()}) == 1
    for whole in ("baseline", "engineered", "simple", o10.PARALLEL):
        assert (lost[whole]["recall"], lost[whole]["signals missed"], lost[whole]["starved symbols"]) == (1.0, 0, 0)
    for partly in ("prescribed", "prescribed, untried at 50 %"):
        found, missed = lost[partly]["signals"], lost[partly]["signals missed"]
        assert found + missed == lost["baseline"]["signals"]
        assert missed > 0
        assert lost[partly]["recall"] == found / (found + missed)
    assert lost["prescribed"]["starved symbols"] > 0
    assert lost["engineered"]["cycle s"] == lost[o10.PARALLEL]["cycle s"] < lost["baseline"]["cycle s"] / 5
    assert lost["baseline"]["signals rejected as stale"] > 0 == lost["engineered"]["signals rejected as stale"]


def test_in_an_outage_engineered_sends_fewer_requests_and_loses_no_signal_of_other_cycles(small_universe):
    recording = record(o10.OUTAGE, small_universe, 120, seed=2)
    replays = {name: replay(o10.OUTAGE, edit, recording) for name, edit in catalogue()["O10"].edits(o10.OUTAGE).items()}
    sent = {name: each.world.ledger.requests.total() for name, each in replays.items()}
    found = {name: o10.outage_damage(each, each)["signals outside the outage"] for name, each in replays.items()}
    assert found["engineered"] == found["simple"] == found[o10.PARALLEL] == found["baseline"] > found["prescribed"] > 0
    assert sent["engineered"] < sent[o10.PARALLEL]
    assert sent["engineered"] < sent["simple"]
    for each in replays.values():
        assert all(not call.result.decided for call in each.calls if call.cycle in o10.DOWN)


def test_the_output_of_whole_cycles_counts_the_signals_that_prescribed_loses(small_universe):
    recording = record(o10.TIMED, small_universe, 30, seed=2)
    edits = catalogue()["O10"].edits(o10.TIMED)
    lines = {
        name: check_workload(catalogue()["O10"], o10.TIMED, recording, edits["baseline"], edits[name], name)
        for name in ("prescribed", "engineered")
    }
    assert lines["prescribed"].damage["missed"] > 0
    assert "signals missed" in lines["prescribed"].output
    assert (lines["engineered"].output, lines["engineered"].damage["missed"]) == ("same", 0)


async def test_the_simple_walk_has_so_many_under_way_and_loses_the_cycle_to_one_failure():
    market = Market(TWELVE, takes_s=dict.fromkeys(TWELVE, 0.001))
    assert await market.walk(o10.gather_bounded(at_once=5), TWELVE) == TWELVE
    assert market.most_under_way == 5
    market.fails["S3"] = ProviderError("S3 is down")
    with pytest.raises(ProviderError, match="S3 is down"):
        await market.walk(o10.gather_bounded(), TWELVE)
