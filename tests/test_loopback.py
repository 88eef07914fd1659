"""Does the loopback world answer as the simulated one does, over real sockets, and count exactly?"""

import asyncio
import logging
import threading
import time
import traceback
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from argo_bench.errors import UserError
from argo_bench.optimizations.optimization import Workload, keep_baseline
from argo_bench.pipeline import baseline
from argo_bench.pipeline.market import Tape
from argo_bench.pipeline.model import Bars, Pool, ProviderError, Request
from argo_bench.pipeline.optimized.indicators import indicators as fast
from argo_bench.pipeline.record import cycle
from argo_bench.pipeline.world import SimulatedWorld, content
from argo_bench.pipeline.world.base import CYCLE_S, EPOCH_S
from argo_bench.pipeline.world.clock import NS
from argo_bench.pipeline.world.loopback import Behaviour, Endpoints, Faults, LiveModel, LoopbackWorld
from argo_bench.pipeline.world.providers import start_providers
from argo_bench.study.recording import record
from argo_bench.study.replay import StageBody
from argo_bench.study.servers import PROVIDERS

DEADLINE_S = 20
BARS = Request("alpaca", "AAA", "bars")
QUOTE = Request("alpha_vantage", "AAA", "quote")
PROMPT = "symbol: AAA\ndirection: LONG\nentry: 1\nstop: 2\ntarget: 3\nconfidence: 4\nregime: VOLATILE"
KEY = "sk-planted-0123456789"


@pytest.fixture(scope="module")
def address():
    with start_providers() as found:
        yield found


@pytest.fixture
def tape(small_universe):
    return Tape(small_universe.frames, seed=3)


@pytest.fixture
def world_of(address, tape):
    """Builds worlds in their first cycle, without latencies."""

    def build(*, tls=False, timeout_s=20.0, **behaviour):
        behaves = Behaviour(**{"latency_scale": 0.0} | behaviour)
        world = LoopbackWorld(tape, Endpoints(address, tls), behaves, seed=3, timeout_s=timeout_s)
        world.begin(0)
        return world

    return build


async def answer(pending):
    return await pending


def together(world, send, requests):
    """The answers to requests that are in flight at once."""

    async def all_of_them():
        return await asyncio.gather(*(answer(send(each)) for each in requests))

    return world.run(all_of_them())


def numbered(n):
    return [Request("alpha_vantage", "AAA", "quote", attempt=number) for number in range(n)]


def until(holds):
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.001)


def comparable(value):
    if isinstance(value, Bars):
        return value.symbol, str(value.timestamps.dtype), value.timestamps.tobytes(), value.values.tobytes()
    return value


def asked_of_everybody(world, symbol):
    def transport(world, request):
        world.connect(request.provider)
        return world.exchange(request)

    world.transport = transport
    found = [world.bars(provider, symbol) for provider in ("massive", "alpaca")]
    found += [world.opinion("alpha_vantage", symbol, what) for what in ("rsi", "sma", "quote")]
    found += [world.opinion(provider, symbol, "opinion") for provider in ("x_sentiment", "sonar")]
    return [*found, world.ask(symbol, PROMPT)]


# Answers


@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
def test_every_provider_answers_as_in_the_simulated_world(world_of, tape, tls):
    with world_of(tls=tls) as loopback, SimulatedWorld(tape, seed=3) as simulated:
        for number in (0, 7):
            loopback.begin(number)
            simulated.begin(number)
            for symbol in ("AAA", "FFF-USD"):
                got = [comparable(each.result()) for each in asked_of_everybody(loopback, symbol)]
                expected = [comparable(each.result()) for each in asked_of_everybody(simulated, symbol)]
                assert got == expected
        assert loopback.ledger == simulated.ledger


def test_awaited_answers_are_the_same(world_of):
    with world_of() as world:
        blocking = [comparable(each.result()) for each in asked_of_everybody(world, "AAA")]
        awaited = [comparable(world.run(answer(each))) for each in asked_of_everybody(world, "AAA")]
        assert awaited == blocking


def test_a_baseline_cycle_decides_as_in_the_simulated_world(world_of, tape):
    pipeline = baseline.PIPELINE.replace(indicators=fast)
    with world_of() as loopback, SimulatedWorld(tape, seed=3) as simulated:
        got = loopback.run(cycle(pipeline, loopback, tape.symbols, 0))
        expected = simulated.run(cycle(pipeline, simulated, tape.symbols, 0))
        assert len(expected.decided) > 0
        assert (got.decided, got.rejected, got.stored) == (expected.decided, expected.rejected, expected.stored)
        assert loopback.ledger == simulated.ledger


def test_a_symbol_that_the_market_has_not_is_an_error_of_the_provider(world_of):
    with world_of() as world:
        with pytest.raises(ProviderError, match="alpaca answered 404"):
            world.exchange(Request("alpaca", "BTC/USD", "bars")).result()
        assert world.ledger.failures == {"alpaca": 1}


# Connections


@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
def test_without_a_session_every_request_has_a_connection_of_its_own(world_of, tls):
    with world_of(tls=tls) as world:
        for request in numbered(5):
            world.connect(request.provider)
            world.exchange(request).result()
        seen = world.providers
        assert (seen.connections, seen.handshakes, seen.discarded) == (5, 5 * tls, 5)
        assert seen.requests == {"alpha_vantage": 5}
        assert world.ledger.connections == 5


@pytest.mark.parametrize("client", ["requests", "aiohttp"])
@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
def test_a_session_keeps_a_connection_per_host(world_of, client, tls):
    with world_of(tls=tls) as world:
        send = world.session(Pool(client))
        for request in (*numbered(4), BARS, BARS):
            send(request).result()
        seen = world.providers
        assert (seen.connections, seen.handshakes, seen.discarded) == (2, 2 * tls, 0)
        assert seen.requests == {"alpha_vantage": 4, "alpaca": 2}
        assert world.ledger.connections == 2
        assert world.ledger.requests == {"alpha_vantage": 4, "alpaca": 2}


def test_a_session_that_keeps_pools_for_fewer_hosts_opens_connections_anew(world_of):
    with world_of() as world:
        send = world.session(Pool("requests", hosts=1))
        for request in (QUOTE, BARS, QUOTE, BARS):
            send(request).result()
        assert world.providers.connections == 4


def test_a_pool_that_does_not_block_opens_more_connections_and_throws_them_away(world_of):
    # Every request waits, so that all eight are under way before the first one is answered.
    with world_of(rtt_s=0.2) as world:
        together(world, world.session(Pool("requests", size=3)), numbered(8))
        seen = world.providers
        assert (seen.connections, seen.discarded) == (8, 5)
        assert world.ledger.connections == 8


@pytest.mark.parametrize("client", ["requests", "aiohttp"])
def test_a_pool_that_blocks_opens_no_more_connections_than_it_keeps(world_of, client):
    with world_of(rtt_s=0.01) as world:
        together(world, world.session(Pool(client, size=3, block=True)), numbered(8))
        seen = world.providers
        assert (seen.connections, seen.discarded) == (3, 0)
        assert seen.requests == {"alpha_vantage": 8}


@pytest.mark.parametrize("client", ["requests", "aiohttp"])
def test_a_pool_of_no_size_keeps_no_connection(world_of, client):
    with world_of() as world:
        send = world.session(Pool(client, size=0))
        for request in numbered(3):
            world.run(answer(send(request)))
        assert world.providers.connections == 3
        assert world.ledger.connections == 3


@pytest.mark.parametrize("client", ["requests", "aiohttp"])
def test_a_connection_that_the_provider_closed_is_opened_anew(world_of, client):
    with world_of(idle_close_s=0.02) as world:
        send = world.session(Pool(client))
        first = send(QUOTE).result()
        until(lambda: world.providers.idle_closed == 1)
        assert send(QUOTE).result() == first
        assert world.providers.connections == 2
        assert world.ledger.connections == 2


def test_sixty_four_blocking_requests_are_in_flight_at_once(world_of):
    world = world_of(faults={"alpha_vantage": Faults(hanging=1.0)})

    async def in_flight():
        tasks = [asyncio.create_task(answer(world.exchange(each))) for each in numbered(64)]
        while world.providers.hanging < 64:
            await asyncio.sleep(0)
        return tasks

    with world:
        assert len(world.run(in_flight())) == 64


def test_a_blocking_result_within_the_running_loop_of_aiohttp_says_to_await_it(world_of):
    async def blocks(send):
        send(QUOTE).result()

    with world_of() as world, pytest.raises(RuntimeError, match="await it"):
        world.run(blocks(world.session(Pool("aiohttp"))))


# Faults


def test_a_provider_that_hangs_is_an_error_after_the_timeout(world_of):
    with world_of(faults={"alpha_vantage": Faults(hanging=1.0)}, timeout_s=0.2) as world:
        for send in (world.exchange, world.session(Pool("requests")), world.session(Pool("aiohttp"))):
            with pytest.raises(ProviderError, match=r"^alpha_vantage did not answer within 0\.2 s$"):
                send(QUOTE).result()
        assert world.providers.hanging == 3
        assert world.providers.cancelled == 0
        assert world.ledger.failures == {"alpha_vantage": 3}


def test_faults_do_not_depend_on_the_order_of_the_requests(world_of):
    def failures(requests):
        found = set()
        with world_of(faults={"alpha_vantage": Faults(unavailable=0.3, throttled=0.2)}) as world:
            for request in requests:
                try:
                    world.exchange(request).result()
                except ProviderError as error:
                    found.add((request.attempt, str(error)))
            assert sum(world.providers.failed.values()) == len(found)
        return found

    forwards, backwards = failures(numbered(30)), failures(reversed(numbered(30)))
    assert forwards == backwards
    assert {text for _, text in forwards} == {"alpha_vantage answered 503", "alpha_vantage answered 429"}


def throttled_once():
    """A request that is throttled at its first attempt and not at the second, where half of them are."""

    def draw(attempt):
        return content.uniform(3, "throttled", "alpha_vantage", "AAA", "quote", 0, attempt)

    return next(each for each in numbered(100) if draw(each.attempt) < 0.5 <= draw(each.attempt + 1))


@pytest.mark.parametrize("client", ["requests", "aiohttp"])
def test_a_session_comes_back_when_it_is_told_to(world_of, client):
    with world_of(faults={"alpha_vantage": Faults(throttled=0.5, retry_after_s=0)}) as world:
        send = world.session(Pool(client))
        assert send(throttled_once()).result() == world.market.bars("AAA", 0).values[3, -1]
        assert world.providers.failed == {"alpha_vantage": 1}
        assert world.providers.requests == {"alpha_vantage": 2}
        assert world.ledger.requests == {"alpha_vantage": 1}
        assert world.ledger.failures == {}


@pytest.mark.parametrize("client", ["requests", "aiohttp"])
def test_a_session_gives_up_after_three_more_attempts(world_of, client):
    with world_of(faults={"alpha_vantage": Faults(throttled=1.0, retry_after_s=0)}) as world:
        with pytest.raises(ProviderError, match="429"):
            world.session(Pool(client))(QUOTE).result()
        assert world.providers.failed == {"alpha_vantage": 4}
        assert world.ledger.failures == {"alpha_vantage": 1}


def test_a_request_that_is_cancelled_is_served_all_the_same(world_of):
    with world_of(latency_scale=100.0) as world:
        send = world.session(Pool("aiohttp"))

        async def cancelled():
            task = asyncio.create_task(answer(send(QUOTE)))
            while not world.providers.requests:
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            while not world.providers.cancelled:
                await asyncio.sleep(0)

        world.run(cancelled())
        assert world.providers.requests == {"alpha_vantage": 1}
        assert (world.providers.cancelled, world.providers.discarded) == (1, 0)


@pytest.mark.parametrize("client", ["requests", "aiohttp"])
def test_providers_that_are_gone_are_an_error_of_the_provider(tape, client):
    with start_providers() as address:
        world = LoopbackWorld(tape, Endpoints(address))
        world.begin(0)
        send = world.session(Pool(client))
        send(QUOTE).result()
    with world:
        for sender in (send, world.exchange):
            with pytest.raises(ProviderError, match="alpha_vantage could not be reached"):
                sender(QUOTE).result()
        with pytest.raises(ProviderError, match="the providers' control port does not answer"):
            world.begin(1)


# The world itself


def test_the_clock_stands_at_the_cycle_that_began_and_runs_on_from_there(world_of):
    with world_of() as world:
        world.begin(4)
        assert world.now() >= EPOCH_S + 4 * CYCLE_S
        world.clock.jump_to(100 * NS)
        assert world.now() >= EPOCH_S + 100
        world.clock.jump_to(50 * NS)
        assert world.now() >= EPOCH_S + 100
        assert world.overruns == 0
        world.begin(5)
        assert world.overruns == 1


def test_a_world_without_servers_says_so(tape):
    with LoopbackWorld(tape, Endpoints()) as world:
        world.begin(0)
        with pytest.raises(RuntimeError, match="no providers"):
            world.exchange(QUOTE).result()
        with pytest.raises(RuntimeError, match="no shared store"):
            _ = world.redis


def test_a_world_that_is_ready_has_sent_nothing_yet(world_of):
    with world_of() as world:
        world.session(Pool("aiohttp"))
        world.ready()
        assert world.providers.requests == {}


# The live model


class Unauthorized(BaseHTTPRequestHandler):
    """Refuses, and says the key aloud wherever it can."""

    def do_POST(self):
        key = self.headers["Authorization"]
        self.send_response(401, f"not {key}")
        self.send_header("X-Key", key)
        self.end_headers()
        self.wfile.write(key.encode())

    def log_message(self, *arguments):
        pass


@pytest.fixture
def unauthorized():
    server = HTTPServer(("127.0.0.1", 0), Unauthorized)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def closed():
    server = HTTPServer(("127.0.0.1", 0), Unauthorized)
    server.server_close()
    return f"http://127.0.0.1:{server.server_port}/v1"


def live_from(monkeypatch, base_url):
    for name, value in {
        "ARGO_BENCH_LIVE": "1",
        "OPENAI_BASE_URL": base_url,
        "OPENAI_API_KEY": KEY,
        "ARGO_BENCH_LIVE_MODEL": "a-real-model",
    }.items():
        monkeypatch.setenv(name, value)
    live = LiveModel.from_environment()
    assert live == LiveModel(base_url, "a-real-model", KEY)
    return live


def base_url_of(world):
    """The provider's own address as that of a live model."""
    return world.url(Request("explanation", "AAA", "explanation", PROMPT)).removesuffix("/chat/completions")


def explain(world, send):
    def transport(world, request):
        return send(request)

    world.transport = transport
    return world.ask("AAA", PROMPT)


def test_explanations_come_from_the_live_model(world_of, tape, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    with world_of() as served:
        live = live_from(monkeypatch, base_url_of(served))
        with LoopbackWorld(tape, Endpoints(live=live)) as world:
            sends = world.exchange, world.session(Pool("requests")), world.session(Pool("aiohttp"))
            texts = [world.run(answer(explain(world, send))) for send in sends]
            assert texts == 3 * [content.explanation(3, 0, "AAA", PROMPT)]
            assert served.providers.requests == {"explanation": 3}
            assert world.ledger.output_tokens == 3 * content.tokens(texts[0])
            assert world.ledger.dollars == 0.0
            assert KEY not in repr((live, vars(world)))
    assert KEY not in caplog.text


def test_a_workload_on_sockets_is_explained_by_the_live_model(world_of, address, small_universe, monkeypatch):
    workload = Workload("explained", "reason", "miss", "", (6,), "symbols", servers=frozenset({"providers"}))
    recording = record(replace(workload, servers=frozenset()), small_universe, 6, 3)
    monkeypatch.setenv(PROVIDERS, address.to_json())
    with world_of() as served:
        live_from(monkeypatch, base_url_of(served))
        body = StageBody(workload, keep_baseline, recording)
        reasoning = body.first_call()
        body.close()
        assert served.providers.requests == {"explanation": 1}
    assert (reasoning.author, recording.groups[0].calls[0][0].symbol in reasoning.text) == ("model", True)


@pytest.mark.parametrize("endpoint", ["unauthorized", "closed"])
def test_the_live_models_key_appears_nowhere_when_it_fails(request, tape, monkeypatch, caplog, endpoint):
    caplog.set_level(logging.DEBUG)
    live = live_from(monkeypatch, request.getfixturevalue(endpoint))
    expected = "explanation answered 401" if endpoint == "unauthorized" else "explanation could not be reached"
    with LoopbackWorld(tape, Endpoints(live=live)) as world:
        for send in (world.exchange, world.session(Pool("requests")), world.session(Pool("aiohttp"))):
            try:
                explain(world, send).result()
            except ProviderError as error:
                failure, shown = error, traceback.format_exc()
            assert str(failure).startswith(expected)
            assert failure.__context__ is None
            detailed = "".join(traceback.TracebackException.from_exception(failure, capture_locals=True).format())
            for text in (repr(failure), shown, detailed, repr(live), repr(vars(world)), caplog.text):
                assert KEY not in text


def test_without_the_switch_there_is_no_live_model(monkeypatch):
    monkeypatch.delenv("ARGO_BENCH_LIVE", raising=False)
    assert LiveModel.from_environment() is None


@pytest.mark.parametrize("missing", ["OPENAI_API_KEY", "ARGO_BENCH_LIVE_MODEL"])
def test_a_live_model_without_key_or_name_is_the_users_mistake(monkeypatch, missing):
    live_from(monkeypatch, "http://127.0.0.1/v1")
    monkeypatch.delenv(missing)
    with pytest.raises(UserError, match=f"{missing}: .*; set it, or unset ARGO_BENCH_LIVE"):
        LiveModel.from_environment()


def test_a_key_that_cannot_be_sent_is_not_shown(monkeypatch):
    live_from(monkeypatch, "http://127.0.0.1/v1")
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\nX: y")
    with pytest.raises(UserError, match="characters that no key has") as raised:
        LiveModel.from_environment()
    assert KEY not in str(raised.value)
