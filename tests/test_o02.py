"""Does O02 leave nobody waiting, and take the first success?"""

import asyncio
import dataclasses
import random
from collections import Counter

import pytest

from argo_bench.optimizations import build
from argo_bench.optimizations.o02_parallel_fetch import (
    ALONE,
    BOUND,
    OPTIMIZATION,
    REFUSED,
    TOGETHER,
    RequestCoalescer,
    damage,
    race,
)
from argo_bench.pipeline import baseline
from argo_bench.pipeline.market import Tape
from argo_bench.pipeline.model import Fetched, ProviderError, Request
from argo_bench.pipeline.optimized.fetch import FIRST_PATIENCE_S, LIMITS_S, Hedged, SingleFlight
from argo_bench.pipeline.optimized.reason import reason as awaiting_reason
from argo_bench.pipeline.optimized.schedule import StageByStage
from argo_bench.pipeline.record import cycle, find_changed_parts, settle
from argo_bench.pipeline.world import SimulatedWorld, Simulation, content
from argo_bench.pipeline.world.clock import NS
from argo_bench.pipeline.world.loopback import Behaviour, Endpoints, Faults, LoopbackWorld
from argo_bench.pipeline.world.providers import start_providers
from argo_bench.study.checking.check import check_on_markets
from argo_bench.study.checking.trace import Oracle
from argo_bench.study.counts import count_crossings, count_redundant, replay
from argo_bench.study.recording import record
from argo_bench.study.redundancy import NotingWorld

P = baseline.PIPELINE
NEVER = 1e6


class Said:
    """A transport of which the test says how long a provider takes and whether it fails.

    ``fails`` tells it of a request's provider, what is asked and its number; ``log`` has what was sent and what ended.
    """

    def __init__(self, takes_s=None, fails=lambda provider, what, number: False):
        self.takes_s = takes_s or {}
        self.fails = fails
        self.log = []
        self.sent = Counter()
        self.under_way = 0

    def __call__(self, world, request):
        self.sent[request.provider] += 1
        fails = self.fails(request.provider, request.what, self.sent[request.provider])
        return Answer(self, request.provider, self.takes_s.get(request.provider, 0.1), fails, world.exchange(request))


class Answer:
    def __init__(self, transport, provider, takes_s, fails, pending):
        self.transport, self.provider, self.takes_s, self.fails = transport, provider, takes_s, fails
        self.answer = pending.answer

    def __await__(self):
        self.transport.under_way += 1
        try:
            yield from asyncio.sleep(self.takes_s).__await__()
            if self.fails:
                raise ProviderError(f"{self.provider} answered 503")
            self.transport.log.append(self.provider)
            return self.answer
        finally:
            self.transport.under_way -= 1


@pytest.fixture
def tape(small_universe):
    return Tape(small_universe.frames, seed=1)


@pytest.fixture
def world(tape):
    with SimulatedWorld(tape, Simulation(busy_ns=lambda: 0), latency_scale=0.0) as world:
        world.begin(0)
        yield world


def told(world, transport, work):
    """What comes of some work where the transport is as told, the seconds that it took, and that it left nothing."""
    world.transport = transport
    began = world.clock.virtual_ns

    async def alone():
        result = await work
        left = asyncio.all_tasks() - {asyncio.current_task()}
        return result, left

    result, left = world.run(alone())
    return result, (world.clock.virtual_ns - began) / NS, left


def engineered():
    return OPTIMIZATION.engineered(P).fetch


def prescribed():
    return OPTIMIZATION.prescribed(P).fetch


def is_primary(provider, what, number):
    return provider == "massive"


def is_market(provider, what, number):
    return what == "bars"


# As prescribed


def test_o02_prescribed_bills_both_market_providers_and_takes_the_quicker_one(world):
    transport = Said({"massive": 0.2, "alpaca": 0.1})
    bars, took_s, _ = told(world, transport, race(world, "AAA"))
    assert (len(bars), took_s) == (300, 0.1)
    assert transport.sent == {"massive": 1, "alpaca": 1}
    assert transport.log == ["alpaca"]


def test_o02_prescribed_takes_the_first_failure_where_the_other_provider_would_have_answered(world):
    with pytest.raises(ProviderError, match="massive answered 503"):
        told(world, Said({"massive": 0.1, "alpaca": 0.2}, is_primary), race(world, "AAA"))


def test_o02_prescribed_gives_the_race_up_after_two_seconds(world):
    with pytest.raises(ProviderError, match="expected bars of AAA within 2 s"):
        told(world, Said({"massive": NEVER, "alpaca": NEVER}), race(world, "AAA"))
    assert world.clock.virtual_ns == 2 * NS


async def a_minute_of(*callers, cancelled_s=()):
    """The outcomes of callers after a minute: what they got, or that they still wait. ``cancelled_s``: which of them
    are cancelled, and when."""
    tasks = [asyncio.ensure_future(each) for each in callers]
    for place, seconds in dict(cancelled_s).items():
        asyncio.get_running_loop().call_later(seconds, tasks[place].cancel)
    await asyncio.wait(tasks, timeout=60)
    outcomes = [outcome_of(task) for task in tasks]
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    return outcomes


def outcome_of(task):
    if not task.done():
        return "hangs"
    if task.cancelled():
        return "cancelled"
    return type(task.exception() or task.result())


def test_o02_prescribed_leaves_all_who_wait_hanging_when_their_leader_fails(world):
    stage = prescribed()
    outcomes, *_ = told(world, Said(fails=is_market), a_minute_of(*(stage(world, "AAA") for _ in range(3))))
    assert outcomes == [ProviderError, "hangs", "hangs"]


def test_o02_prescribed_hangs_for_the_rest_of_the_minute_after_a_failure(world):
    stage = prescribed()
    with pytest.raises(ProviderError):
        told(world, Said(fails=is_market), stage(world, "AAA"))
    assert told(world, Said(), a_minute_of(stage(world, "AAA")))[0] == ["hangs"]
    assert told(world, Said(), a_minute_of(stage(world, "AAA")))[0] == [Fetched]


def test_o02_prescribed_leaves_all_who_wait_hanging_when_their_leader_is_cancelled(world):
    stage = prescribed()
    callers = stage(world, "AAA"), stage(world, "AAA")
    assert told(world, Said(), a_minute_of(*callers, cancelled_s={0: 0.05}))[0] == ["cancelled", "hangs"]


def test_o02_prescribed_breaks_the_leader_and_the_others_when_one_who_waits_is_cancelled(world):
    stage = prescribed()
    callers = a_minute_of(*(stage(world, "AAA") for _ in range(3)), cancelled_s={1: 0.05})
    assert told(world, Said(), callers)[0] == [asyncio.InvalidStateError, "cancelled", "cancelled"]


def test_o02_prescribed_leaves_the_other_sources_running_when_one_fails(world):
    transport = Said({"sonar": 0.5}, is_primary)
    world.transport = transport

    async def failed():
        with pytest.raises(ProviderError):
            await prescribed()(world, "AAA")
        return transport.under_way

    assert world.run(failed()) > 0


# As engineered


def test_o02_engineered_waits_no_longer_than_its_slowest_source(world):
    transport = Said({"massive": 0.2, "alpha_vantage": 0.3, "x_sentiment": 0.4, "sonar": 0.5})
    fetched, took_s, left = told(world, transport, engineered()(world, "AAA"))
    assert (took_s, left) == (0.5, set())
    assert list(fetched.opinions.technical) == ["rsi", "sma", "quote"]
    assert transport.sent == {"massive": 1, "alpha_vantage": 3, "x_sentiment": 1, "sonar": 1}


def test_o02_engineered_asks_the_other_provider_at_once_when_the_primary_fails(world):
    transport = Said({"massive": 0.1, "alpaca": 0.15}, is_primary)
    bars, took_s, left = told(world, transport, Hedged()(world, "AAA"))
    assert (len(bars), took_s, left) == (300, 0.25, set())


def test_o02_engineered_asks_the_other_provider_when_the_primary_is_late_and_cancels_the_slower_one(world):
    transport = Said({"massive": 9.0, "alpaca": 0.1})
    bars, took_s, left = told(world, transport, Hedged()(world, "AAA"))
    assert (len(bars), took_s, left) == (300, FIRST_PATIENCE_S + 0.1, set())
    assert transport.under_way == 0
    transport = Said({"massive": 0.5, "alpaca": 9.0})
    assert told(world, transport, Hedged()(world, "AAA"))[1] == 0.5
    assert transport.log == ["massive"]


def test_o02_engineered_takes_the_first_success_when_the_other_provider_fails_first(world):
    transport = Said({"massive": 0.6, "alpaca": 0.1}, lambda provider, what, number: provider == "alpaca")
    bars, took_s, _ = told(world, transport, Hedged()(world, "AAA"))
    assert (len(bars), took_s) == (300, 0.6)


def test_o02_engineered_learns_how_late_is_late(world):
    hedged, transport = Hedged(), Said({"massive": 0.01, "alpaca": 0.02})
    for _ in range(20):
        told(world, transport, hedged(world, "AAA"))
    assert hedged.patience_s == pytest.approx(0.01)
    assert transport.sent["alpaca"] == 0
    transport.takes_s["massive"] = 9.0
    assert told(world, transport, hedged(world, "AAA"))[1] == pytest.approx(0.03)


def test_o02_engineered_hedges_one_request_in_twenty(tape):
    with SimulatedWorld(tape, Simulation(busy_ns=lambda: 0, prepare_ahead=False)) as world:
        world.transport, hedged = P.transport, Hedged()
        for number in range(300):
            world.begin(number)
            world.run(hedged(world, "AAA"))
    assert world.ledger.requests["massive"] == 300
    assert 6 < world.ledger.requests["alpaca"] < 30


def test_o02_engineered_raises_as_soon_as_a_source_without_a_fallback_fails(world):
    transport = Said({"sonar": 5.0}, lambda provider, what, number: provider == "alpha_vantage")
    with pytest.raises(ProviderError, match="alpha_vantage answered 503"):
        told(world, transport, engineered()(world, "AAA"))
    assert (world.clock.virtual_ns, transport.under_way) == (0.1 * NS, 0)


@pytest.mark.parametrize("provider", ["alpha_vantage", "x_sentiment", "sonar"])
def test_o02_engineered_gives_up_a_provider_that_hangs(world, provider):
    with pytest.raises(ProviderError, match=f"{provider}: expected an answer within"):
        told(world, Said({provider: NEVER}), engineered()(world, "AAA"))
    assert world.clock.virtual_ns == LIMITS_S[provider] * NS


def test_o02_engineered_raises_what_is_no_failure_of_a_provider(world):
    def broken(world, request):
        if request.provider == "sonar":
            raise KeyError("a bug")
        return Said()(world, request)

    with pytest.raises(KeyError, match="a bug"):
        told(world, broken, engineered()(world, "AAA"))


def test_o02_engineered_fetches_once_for_all_who_ask_together_and_again_for_who_asks_later(world):
    stage, transport = engineered(), Said()
    outcomes, _, left = told(world, transport, a_minute_of(*(stage(world, "AAA") for _ in range(5))))
    assert (outcomes, left, transport.sent["sonar"]) == ([Fetched] * 5, set(), 1)
    told(world, transport, stage(world, "AAA"))
    assert transport.sent["sonar"] == 2


def test_o02_engineered_flight_survives_its_leader_and_ends_with_its_last_passenger(world):
    stage, transport = engineered(), Said()
    callers = a_minute_of(stage(world, "AAA"), stage(world, "AAA"), cancelled_s={0: 0.05})
    assert told(world, transport, callers)[0] == ["cancelled", Fetched]
    assert transport.sent["sonar"] == 1
    callers = a_minute_of(stage(world, "AAA"), stage(world, "AAA"), cancelled_s={0: 0.05, 1: 0.06})
    outcomes, took_s, left = told(world, transport, callers)
    assert (outcomes, left, transport.under_way) == (["cancelled"] * 2, set(), 0)
    assert took_s == pytest.approx(0.06)


def test_o02_engineered_failure_reaches_all_who_wait_and_nobody_later(world):
    stage = engineered()
    outcomes, *_ = told(world, Said(fails=is_market), a_minute_of(*(stage(world, "AAA") for _ in range(3))))
    assert outcomes == [ProviderError] * 3
    assert isinstance(told(world, Said(), stage(world, "AAA"))[0], Fetched)


def storm(world, stage, number):
    """Four callers of one symbol, cancelled at random or not at all, where one request for bars in four fails.

    How many tasks that leaves, the outcomes of those that were not cancelled, and whether the bars could be had.
    """
    rng = random.Random(number)
    failing = {provider for provider in ("massive", "alpaca") if rng.random() < 0.25}
    takes_s = {provider: rng.uniform(0.05, 0.8) for provider in ("massive", "alpaca", "alpha_vantage", "sonar")}
    transport = Said(takes_s, lambda provider, what, _: provider in failing)
    cancelled_s = {place: rng.uniform(0, 0.8) for place in range(4) if rng.random() < 0.5}
    callers = a_minute_of(*(stage(world, "AAA") for _ in range(4)), cancelled_s=cancelled_s)
    outcomes, _, left = told(world, transport, callers)
    return len(left), [outcome for place, outcome in enumerate(outcomes) if place not in cancelled_s], len(failing) < 2


def storms(tape, make):
    """How the callers of a thousand storms ended that nobody had cancelled, by whether bars could be had, and the tasks
    that were left."""
    ended = Counter()
    with SimulatedWorld(tape, Simulation(busy_ns=lambda: 0, prepare_ahead=False), latency_scale=0.0) as world:
        for number in range(1000):
            world.begin(24 * number)  # two minutes apart: the prescribed key is another one
            left, outcomes, could_be_had = storm(world, make(), number)
            ended["left"] += left
            ended.update((outcome, could_be_had) for outcome in outcomes)
    return ended


def test_o02_engineered_leaves_nobody_hanging_over_a_thousand_cancellations_and_takes_the_first_success(tape):
    ended = storms(tape, engineered)
    assert ended.pop("left") == 0
    assert set(ended) == {(Fetched, True), (ProviderError, False)}
    assert ended.total() > 1900


def test_o02_prescribed_leaves_callers_hanging_in_the_same_thousand_storms(tape):
    ended = storms(tape, prescribed)
    assert ended["hangs", True] + ended["hangs", False] > 200
    assert ended[ProviderError, True] > 50
    assert ended[asyncio.InvalidStateError, True] > 200
    assert ended["cancelled", True] > 500
    assert ended["left"] > 200


# On sockets


@pytest.fixture(scope="module")
def address():
    with start_providers() as address:
        yield address


def on_sockets(address, tape, selection, **faults):
    """What a selection fetches, and whether a task is left."""
    pipeline = build(selection)
    behaviour = Behaviour(latency_scale=0.0, faults=faults)
    with LoopbackWorld(tape, Endpoints(address), behaviour, seed=1) as world:
        world.begin(0)
        world.transport = pipeline.transport
        fetched, _, left = told(world, pipeline.transport, settle(pipeline.fetch(world, "AAA")))
    return fetched, left


@pytest.mark.parametrize("transport", [{}, {"O14": "prescribed"}, {"O14": "engineered"}], ids=str)
@pytest.mark.parametrize("variant", ["prescribed", "engineered"])
def test_o02_fetches_the_same_on_sockets(variant, transport, address, tape):
    expected, _ = on_sockets(address, tape, {})
    got, _ = on_sockets(address, tape, {"O02": variant, **transport})
    assert got.opinions == expected.opinions
    assert got.bars.values.tolist() == expected.bars.values.tolist()


@pytest.mark.parametrize("transport", [{}, {"O14": "engineered"}], ids=str)
def test_o02_engineered_overtakes_a_provider_that_hangs_on_sockets(transport, address, tape):
    selection = {"O02": "engineered", **transport}
    fetched, left = on_sockets(address, tape, selection, massive=Faults(hanging=1.0))
    assert len(fetched.bars) == 300
    assert left == set()


# On a market


def replayed(workload, universe, scale):
    recording = record(workload, universe, scale, 3)
    return {name: replay(workload, edit, recording) for name, edit in OPTIMIZATION.edits(workload).items()}


def requests(workload, universe, scale):
    """Requests of each arm, and how many of them were redundant."""
    return {
        name: (count_crossings(each.world.ledger)["requests"], count_redundant(each.world)["redundant_requests"])
        for name, each in replayed(workload, universe, scale).items()
    }


def test_o02_two_who_ask_together_are_asked_for_once_and_the_race_bills_one_more(small_universe):
    asked = requests(TOGETHER, small_universe, 60)
    needs = 60 * 6 * 6
    assert asked["baseline"] == asked["simple"] == (2 * needs, needs)
    assert asked["prescribed"] == (60 * 6 * 7, 60 * 6)
    total, redundant = asked["engineered"]
    assert needs <= total < 60 * 6 * 6.15
    assert redundant == total - needs


def test_o02_one_who_asks_alone_pays_for_the_race(small_universe):
    asked = requests(ALONE, small_universe, 10)
    needs = 10 * 6 * 6
    assert asked == {
        "baseline": (needs, 0),
        "prescribed": (10 * 6 * 7, 10 * 6),
        "engineered": (needs, 0),
        "simple": (needs, 0),
    }


def test_a_refused_request_and_another_cycle_make_nothing_redundant(tape):
    ask = Request("massive", tape.symbols[0], "bars")
    with NotingWorld(tape, seed=1, latency_scale=0.0) as world:
        world.begin(0)
        world.exchange(ask)
        world.begin(1)
        world.exchange(ask)
        assert world.redundant_requests == 0
        world.exchange(dataclasses.replace(ask, provider="alpaca"))
        assert world.redundant_requests == 1
        world.exchange(dataclasses.replace(ask, symbol=tape.symbols[1]))
        assert world.redundant_requests == 1
    with NotingWorld(tape, Simulation(error_rate=1.0), seed=1, latency_scale=0.0) as world:
        world.begin(0)
        for attempt in range(2):
            world.exchange(dataclasses.replace(ask, attempt=attempt))
        assert world.redundant_requests == 0


def waited_s(edit, tape, symbol, number):
    pipeline = edit(P)
    with SimulatedWorld(tape, Simulation(busy_ns=lambda: 0), seed=number) as world:
        world.transport = pipeline.transport
        world.begin(0)
        began = world.clock.virtual_ns
        world.run(settle_coroutine(pipeline.fetch(world, symbol)))
        return (world.clock.virtual_ns - began) / NS


async def settle_coroutine(value):
    return await settle(value)


def test_o02_no_order_of_asking_saves_more_than_the_slowest_request_leaves(tape):
    edits = {"baseline": lambda pipeline: pipeline} | {
        name: getattr(OPTIMIZATION, name) for name in ("simple", "engineered")
    }
    took = {
        name: [waited_s(edit, tape, symbol, number) for number in range(100) for symbol in tape.symbols]
        for name, edit in edits.items()
    }
    for best, engineered in zip(took["simple"], took["engineered"], strict=True):
        assert engineered == pytest.approx(best)
    saved = 1 - sum(took["simple"]) / sum(took["baseline"])
    assert saved == pytest.approx(BOUND, abs=0.02)


def test_o02_where_bars_are_refused_only_the_prescribed_race_loses_signals(small_universe):
    replays = replayed(REFUSED, small_universe, 48)
    found = {name: damage(replays["baseline"], each) for name, each in replays.items()}
    assert len({tuple(counts) for counts in found.values()}) == 1
    assert found["simple"]["signals missed"] == found["simple"]["left hanging"] == 0
    assert found["simple"]["requests still running after their fetch"] > 0  # a gather that fails does not end the rest
    for whole in ("baseline", "engineered"):
        assert found[whole]["failed though the other provider answered"] == found[whole]["left hanging"] == 0
        assert found[whole]["signals missed"] == found[whole]["requests still running after their fetch"] == 0
    assert found["prescribed"]["failed though the other provider answered"] > 0
    assert found["prescribed"]["left hanging"] > 0
    assert found["prescribed"]["requests still running after their fetch"] > 0
    assert found["prescribed"]["signals missed"] > 0
    assert found["prescribed"]["extra billed calls"] > 10 * found["engineered"]["extra billed calls"] > 0
    assert found["baseline"]["answers of the fallback %"] < found["engineered"]["answers of the fallback %"] < 20
    assert 40 < found["prescribed"]["answers of the fallback %"] < 60


@pytest.mark.parametrize("variant", ["prescribed", "engineered"])
def test_o02_decides_as_the_baseline_does_where_nothing_fails(variant, small_universe):
    oracle = Oracle.run(small_universe, 2, 30)
    assert oracle.acceptance.accepted > 0
    assert check_on_markets(OPTIMIZATION, variant, [oracle]).output == "same"


def test_requests_that_an_engineered_variant_sends_besides_are_seen(small_universe):
    oracle = Oracle.run(small_universe, 2, 6)
    racing = dataclasses.replace(OPTIMIZATION, engineered=OPTIMIZATION.prescribed)
    assert check_on_markets(racing, "engineered", [oracle]).counts == {"more requests to alpaca": 1}


def test_o02_walks_symbols_side_by_side(tape):
    cycles_s = {}
    for name, edit in OPTIMIZATION.edits(ALONE).items():
        with SimulatedWorld(tape, Simulation(busy_ns=lambda: 0)) as world:
            world.run(cycle(edit(P), world, tape.symbols, 0))
            cycles_s[name] = world.clock.virtual_ns / NS
    assert cycles_s["engineered"] < cycles_s["baseline"] / 3
    assert cycles_s["prescribed"] < cycles_s["baseline"] / 3


def test_o02_makes_the_explanation_wait_without_blocking_and_leaves_anothers_reason_alone():
    for edit in (OPTIMIZATION.prescribed, OPTIMIZATION.engineered):
        assert set(find_changed_parts(P, edit(P))) == {"fetch", "reason", "schedule"}
        assert edit(P).reason is awaiting_reason
        other = P.replace(reason=lambda world, decision: None)
        assert edit(other).reason is other.reason


def test_o02_state_belongs_to_the_built_pipeline_and_o10_walks_in_its_place():
    first, second = (build({"O02": "engineered"}) for _ in range(2))
    assert isinstance(first.fetch, SingleFlight)
    assert first.fetch is not second.fetch
    both = build({"O02": "prescribed", "O10": "engineered"})
    assert isinstance(both.fetch, RequestCoalescer)
    assert isinstance(both.schedule, StageByStage)


def test_o02_limits_are_beyond_what_a_provider_takes():
    for provider, limit_s in LIMITS_S.items():
        assert limit_s > content.LATENCIES[provider].quantile(1 - 1e-7)
