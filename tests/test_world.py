"""Does the simulated world keep time, answers and counts exactly?"""

import asyncio
import math
import time
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argo_bench.pipeline import baseline
from argo_bench.pipeline.baseline.reason import prompt
from argo_bench.pipeline.market import Tape
from argo_bench.pipeline.model import ProviderError, Request, Usage
from argo_bench.pipeline.optimized.indicators import indicators as fast_oracle
from argo_bench.pipeline.record import cycle
from argo_bench.pipeline.world import SimulatedWorld, Simulation
from argo_bench.pipeline.world.base import OPINION
from argo_bench.pipeline.world.clock import NS, Clock, SimulatedLoop
from argo_bench.pipeline.world.content import (
    LATENCIES,
    MODELS,
    PRICES,
    chat_request,
    dollars,
    explanation,
    latency_s,
    tokens,
    uniform,
)
from argo_bench.pipeline.world.simulated import HANDSHAKE_S

FAST = baseline.PIPELINE.replace(indicators=fast_oracle)


class Busy:
    """A counter of busy time that moves only when it is told to."""

    def __init__(self) -> None:
        self.ns = 1_000

    def __call__(self) -> int:
        return self.ns


def driven(clock, work):
    loop = SimulatedLoop(clock)
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


def test_a_full_baseline_cycle_takes_exactly_the_sum_of_its_latencies(small_universe):
    tape = Tape(small_universe.frames, seed=3)
    with SimulatedWorld(tape, Simulation(busy_ns=Busy()), seed=3) as world:
        done = world.run(cycle(baseline.PIPELINE, world, tape.symbols, 0))
        taken, connections = world.clock_ns() - 1_000, world.ledger.connections

    def latency(provider, symbol, what):
        return round(latency_s(3, 0, Request(provider, symbol, what)) * NS)

    expected = connections * round(HANDSHAKE_S * NS)
    for symbol in tape.symbols:
        expected += latency("massive", symbol, "bars")
        expected += sum(latency("alpha_vantage", symbol, what) for what in ("rsi", "sma", "quote"))
        expected += latency("x_sentiment", symbol, "opinion") + latency("sonar", symbol, "opinion")
    for decision in done.decided:
        expected += latency("explanation", decision.symbol, "explanation")
        expected += latency("alpha_vantage", decision.symbol, "quote")
    assert len(done.decided) > 0
    assert taken == expected


def test_a_cycle_reports_tens_of_seconds_and_never_sleeps(small_universe, monkeypatch):
    def asleep(seconds):
        raise AssertionError(f"really slept for {seconds} s")

    monkeypatch.setattr(time, "sleep", asleep)
    tape = Tape(small_universe.frames, seed=3)
    with SimulatedWorld(tape, Simulation(busy_ns=Busy()), seed=3) as world:
        began_ns = world.clock_ns()
        world.run(cycle(FAST, world, tape.symbols, 0))
        assert world.clock_ns() - began_ns > 20 * NS


def test_waits_of_concurrent_tasks_overlap_as_on_a_wall_clock():
    busy = Busy()
    clock = Clock(busy)

    async def waits(seconds, busy_s):
        busy.ns += round(busy_s * NS)
        await asyncio.sleep(seconds)

    async def both():
        await asyncio.gather(waits(2.0, 0.0), waits(1.6, 0.5))

    start = clock.hybrid_ns()
    driven(clock, both())
    # The second task starts its wait half a second late on a wall clock: 0.5 + 1.6 = 2.1 s in all.
    assert clock.hybrid_ns() - start == 2_100_000_000
    # On the virtual clock CPU costs nothing.
    assert clock.virtual_ns == 2_000_000_000


def test_a_blocking_wait_lets_no_other_task_run():
    clock = Clock(Busy())
    order = []

    async def sleeper():
        await asyncio.sleep(1.0)
        order.append(("woke", clock.virtual_ns))

    async def blocker():
        await asyncio.sleep(0.5)
        clock.block(3 * NS)
        order.append(("unblocked", clock.virtual_ns))

    async def both():
        await asyncio.gather(sleeper(), blocker())

    driven(clock, both())
    assert order == [("unblocked", 3_500_000_000), ("woke", 3_500_000_000)]


@given(st.lists(st.floats(0.001, 30), min_size=1, max_size=8))
@settings(max_examples=50, deadline=None)
def test_gathered_waits_last_as_long_as_the_longest(waits):
    clock = Clock(Busy())

    async def gathered():
        await asyncio.gather(*(asyncio.sleep(wait) for wait in waits))

    start = clock.hybrid_ns()
    driven(clock, gathered())
    assert abs(clock.virtual_ns - max(waits) * NS) <= 1
    assert abs(clock.hybrid_ns() - start - max(waits) * NS) <= 1


def test_the_hybrid_clock_stands_still_while_it_is_stopped():
    busy = Busy()
    clock = Clock(busy)
    before = clock.hybrid_ns()
    clock.stop()
    busy.ns += 5 * NS
    assert clock.hybrid_ns() == before
    clock.go()
    busy.ns += 7
    assert clock.hybrid_ns() == before + 7


def test_waiting_for_what_no_timer_brings_is_an_error_and_not_a_hang():
    async def forever():
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="no timer will bring"):
        driven(Clock(Busy()), forever())


@pytest.mark.parametrize("refused", ["run_in_executor", "create_connection", "sock_connect", "subprocess_exec"])
def test_the_simulated_loop_refuses_what_belongs_to_the_loopback_world(refused):
    loop = SimulatedLoop(Clock(Busy()))
    with pytest.raises(RuntimeError, match="loopback world"):
        getattr(loop, refused)(None, None)
    loop.close()


def test_the_loop_also_runs_inside_a_running_loop(small_universe):
    async def inside_jupyter():
        with SimulatedWorld(Tape(small_universe.frames, seed=1), latency_scale=0) as world:
            return world.run(cycle(FAST, world, small_universe.symbols, 0))

    assert len(asyncio.run(inside_jupyter()).readings.latest) >= 0


def test_content_does_not_depend_on_the_order_of_calls(small_universe):
    tape = Tape(small_universe.frames, seed=5)
    with SimulatedWorld(tape, seed=5, latency_scale=0) as world:
        forward = world.run(cycle(FAST, world, tape.symbols, 0))
    with SimulatedWorld(tape, seed=5, latency_scale=0) as world:
        backward = world.run(cycle(FAST, world, tape.symbols[::-1], 0))
    assert {d.symbol: d for d in forward.decided} == {d.symbol: d for d in backward.decided}


def test_two_runs_with_one_seed_are_equal_and_another_seed_differs(small_universe):
    def decided(seed):
        tape = Tape(small_universe.frames, seed=seed)
        with SimulatedWorld(tape, seed=seed) as world:
            return [world.run(cycle(FAST, world, tape.symbols, k)).decided for k in range(3)]

    assert decided(1) == decided(1)
    assert decided(1) != decided(2)


def test_latencies_have_the_documented_median_and_99th_percentile():
    draws = sorted(latency_s(1, k, Request("sonar", "AAA", "opinion")) for k in range(20_000))
    assert math.isclose(draws[10_000], LATENCIES["sonar"].median_s, rel_tol=0.03)
    assert math.isclose(draws[19_800], LATENCIES["sonar"].p99_s, rel_tol=0.06)


def test_uniform_draws_are_uniform():
    draws = sorted(uniform("test", k) for k in range(10_000))
    distance = max(abs(draw - (k + 0.5) / 10_000) for k, draw in enumerate(draws))
    assert distance < 1.63 / math.sqrt(10_000)  # Kolmogorov-Smirnov at 1 %


def test_the_ledger_counts_every_request_connection_and_statement(small_universe):
    tape = Tape(small_universe.frames, seed=3)
    fetched = {}

    def fetch(world, symbol):
        found = baseline.PIPELINE.fetch(world, symbol)
        fetched[symbol] = found.opinions
        return found

    with SimulatedWorld(tape, seed=3) as world:
        done = world.run(cycle(FAST.replace(fetch=fetch), world, tape.symbols, 0))
        ledger = world.ledger
    decided = len(done.decided)
    assert ledger.requests == {
        "massive": 6,
        "alpha_vantage": 18 + decided,
        "x_sentiment": 6,
        "sonar": 6,
        "explanation": decided,
    }
    assert ledger.connections == ledger.requests.total()
    # One duplicate look-up and one INSERT for each decision, three readers' queries.
    assert ledger.sql_statements == decided + len(done.stored) + 3
    opinions = 0.0
    for symbol in tape.symbols:
        asked = tokens(OPINION.format(symbol=symbol))
        replies = [tokens(getattr(fetched[symbol], model)) for model in ("x_sentiment", "sonar")]
        opinions += ((asked + tokens(MODELS["x_sentiment"].system)) * 2 + replies[0] * 10) / 1e6
        opinions += ((asked + tokens(MODELS["sonar"].system)) * 1 + replies[1] * 1) / 1e6 + 0.005
    assert math.isclose(ledger.dollars, opinions + sum(dollars_of(each) for each in done.decided))


def dollars_of(decision):
    sent = tokens(MODELS["explanation"].system) + tokens(prompt(decision))
    return (sent * 3 + tokens(decision.reasoning) * 15) / 1e6


class Travelling:
    """A transport that keeps what travels in both directions."""

    def __init__(self):
        self.requests, self.replies = [], []

    def __call__(self, world, request):
        pending = world.exchange(request)
        self.requests.append(request)
        self.replies.append(pending.result())
        return pending


def test_a_model_is_asked_by_a_chat_request_and_answers_with_a_completion_while_the_stage_gets_its_text(small_universe):
    travelling = Travelling()
    with SimulatedWorld(Tape(small_universe.frames, seed=3), seed=3, latency_scale=0) as world:
        world.begin(0)
        world.transport = travelling
        text = world.ask("AAA", prompt(a_draft())).result()
        opinion = world.opinion("sonar", "AAA", "opinion").result()
    sent = chat_request(travelling.requests[0])
    assert (sent.model, sent.max_tokens, sent.temperature) == ("explanation", 200, 0.2)
    assert [message.role for message in sent.messages] == ["system", "user"]
    assert sent.messages[1].content == prompt(a_draft())
    completion = travelling.replies[0]
    assert completion.model == "explanation"
    assert completion.choices[0] == (("assistant", text), "stop")
    assert completion.usage == (
        tokens(sent.messages[0].content) + tokens(sent.messages[1].content),
        tokens(text),
        completion.usage.prompt_tokens + tokens(text),
    )
    assert completion.usage.completion_tokens <= sent.max_tokens
    assert travelling.replies[1].choices[0].message.content == opinion
    assert travelling.replies[1].id != completion.id


def test_the_explanation_depends_on_nothing_but_seed_cycle_symbol_and_prompt():
    request = Request("explanation", "AAA", "explanation", prompt(a_draft()))
    texts = {
        explanation(3, 5, each.symbol, each.prompt)
        for each in (request, replace(request, attempt=1), replace(request, system="Another", max_tokens=50))
    }
    assert len(texts) == 1
    assert len({explanation(3, cycle, "AAA", request.prompt) for cycle in range(40)}) > 1


def test_every_model_that_is_asked_has_a_price_with_a_source_and_a_date():
    assert {model.name for model in MODELS.values()} == PRICES.keys()
    for price in PRICES.values():
        assert date.fromisoformat(price.as_of).year in (2024, 2025)
        assert price.source != ""
    assert math.isclose(dollars("sonar", Usage(1_000_000, 1_000_000, 2_000_000)), 2.005)


def test_answers_computed_on_demand_are_those_prepared_ahead(small_universe):
    def run(prepare_ahead):
        tape = Tape(small_universe.frames, seed=3)
        with SimulatedWorld(tape, Simulation(prepare_ahead=prepare_ahead), seed=3, latency_scale=0) as world:
            cycles = [world.run(cycle(FAST, world, tape.symbols, k)) for k in range(4)]
            return [each.decided for each in cycles], world.ledger

    assert run(prepare_ahead=False) == run(prepare_ahead=True)


def test_on_demand_a_symbol_that_nobody_asks_for_costs_the_market_nothing(small_universe):
    class Asked(Tape):
        def bars(self, symbol, cycle):
            asked.append(symbol)
            return super().bars(symbol, cycle)

    asked = []
    tape = Asked(small_universe.frames, seed=3)
    with SimulatedWorld(tape, Simulation(prepare_ahead=False), latency_scale=0) as world:
        world.transport = baseline.PIPELINE.transport
        world.begin(0)
        baseline.PIPELINE.fetch(world, "BBB")
        assert asked == ["BBB"]


def test_a_failing_primary_falls_back_and_a_failing_model_gives_a_template_marked_as_one(small_universe):
    tape = Tape(small_universe.frames, seed=3)
    with SimulatedWorld(tape, Simulation(error_rate=0.15), seed=3, latency_scale=0) as world:
        world.begin(0)
        world.transport = baseline.PIPELINE.transport
        authors, fallbacks = set(), 0
        for k in range(40):
            world.begin(k)
            try:
                fetched = baseline.PIPELINE.fetch(world, "AAA")
            except ProviderError:
                continue
            fallbacks = world.ledger.requests["alpaca"]
            assert len(fetched.bars) >= 260
            draft = a_draft()
            reasoning = baseline.PIPELINE.reason(world, draft)
            authors.add(reasoning.author)
    assert fallbacks > 0
    assert authors == {"model", "template"}


def a_draft():
    from argo_bench.pipeline.model import Decision

    return Decision(
        "id", "AAA", "LONG", 10.0, 9.7, 10.5, 80.0, "TRENDING", "weighted_consensus", (("massive", "LONG"),), 0.0, 10.0
    )


def test_a_cycle_starts_when_it_is_due_or_when_the_last_one_ends(small_universe):
    tape = Tape(small_universe.frames, seed=3)
    with SimulatedWorld(tape, Simulation(busy_ns=Busy()), seed=3) as world:
        world.run(cycle(FAST, world, tape.symbols, 0))
        ended = world.now()
        world.begin(1)
        assert world.now() == ended  # six symbols one after another take longer than 5 s
        assert world.overruns == 1
        world.begin(1000)
        assert world.now() == world.nominal_time()
        assert world.overruns == 1


def test_a_handshake_is_charged_for_every_new_connection(small_universe):
    tape = Tape(small_universe.frames, seed=3)
    taken = []
    for handshake_s in (0.0, 0.05):
        with SimulatedWorld(tape, Simulation(busy_ns=Busy(), handshake_s=handshake_s), seed=3) as world:
            world.run(cycle(FAST, world, tape.symbols, 0))
            taken.append(world.clock_ns())
            connections = world.ledger.connections
    assert taken[1] - taken[0] == connections * 50_000_000
