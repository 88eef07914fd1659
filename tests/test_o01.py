"""Is what processes share ever wrong, and does anybody notice when the store is gone?"""

import asyncio
import dataclasses
import json
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_bench.optimizations import build
from argo_bench.optimizations._services import MOST_ASKED
from argo_bench.optimizations.o01_distributed_cache import (
    ALONE,
    FOUR,
    LOCAL,
    OPTIMIZATION,
    OWN_CYCLE,
    TWO,
    from_json,
    to_json,
)
from argo_bench.pipeline import baseline
from argo_bench.pipeline.model import Bars, Consensus, Fetched, Opinions, ProviderError, Signal, StoreError
from argo_bench.pipeline.record import settle
from argo_bench.pipeline.shared import (
    JITTER,
    RETRY_S,
    SCHEMA,
    TTL_S,
    Circuit,
    SharedFetch,
    decode_fetched,
    encode_fetched,
    seal,
    unseal,
)
from argo_bench.pipeline.world import redis as store
from argo_bench.pipeline.world.base import CYCLE_S, EPOCH_S
from argo_bench.pipeline.world.content import uniform
from argo_bench.pipeline.world.redis import URL, RedisClient, Server, find
from argo_bench.study.checking.check import check_on_markets
from argo_bench.study.checking.differences import Differences, note_differences
from argo_bench.study.checking.trace import Oracle
from argo_bench.study.counts import replay
from argo_bench.study.hits import count_cache_hits
from argo_bench.study.recording import record

P = baseline.PIPELINE
VOTES = {"massive": Signal("LONG", 80.0), "sonar": Signal("LONG", 80.0)}


class FakeStore:
    """A store that the test switches off, slows down, and looks into."""

    def __init__(self):
        self.values = {}
        self.lives = {}
        self.commands = []
        self.is_down = False

    def get(self, key):
        return Answer(self, "get", lambda: self.values.get(key))

    def set(self, key, value, ttl_s):
        return Answer(self, "set", lambda: self.put(key, value, ttl_s))

    def put(self, key, value, ttl_s):
        self.values[key] = value
        self.lives[key] = ttl_s


class Answer:
    def __init__(self, store, name, answer):
        self.store, self.name, self.answer = store, name, answer

    def __await__(self):
        self.store.commands.append(self.name)
        yield from asyncio.sleep(0).__await__()
        if self.store.is_down:
            raise StoreError("the shared store did not answer")
        return self.answer()


class FakeWorld:
    """A process: a clock that the test moves, and the store that it shares with others."""

    def __init__(self, store):
        self.redis = store
        self.cycle = 0
        self.later = 0.0

    def now(self):
        return self.nominal_time() + self.later

    def nominal_time(self):
        return EPOCH_S + CYCLE_S * self.cycle


def market(symbol, cycle):
    """What the providers say about a symbol in a cycle."""
    values = np.random.default_rng([len(symbol), ord(symbol[0]), cycle]).normal(100, 1, (5, 40))
    stamps = np.datetime64("2025-01-01", "us") + np.arange(40).astype("timedelta64[D]")
    technical = {"rsi": values[0, 0], "sma": 0.1 + cycle, "quote": float("nan") if cycle == 7 else -0.0}
    return Fetched(Bars(symbol, stamps, values), Opinions(technical, f"direction=LONG confidence={cycle}", "?"))


class Fetching:
    """A fetch stage that counts what it is asked."""

    def __init__(self):
        self.calls = []
        self.error = None

    async def __call__(self, world, symbol):
        self.calls.append((symbol, world.cycle))
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return market(symbol, world.cycle)


def same(expected, got):
    """Equal to the last bit."""
    found = Differences()
    note_differences(dataclasses.replace(expected, bars=None), dataclasses.replace(got, bars=None), found)
    a, b = expected.bars, got.bars
    arrays = [(a.values, b.values), (a.timestamps, b.timestamps)]
    return (
        not found.counts
        and a.symbol == b.symbol
        and all((x.dtype, x.shape, x.tobytes()) == (y.dtype, y.shape, y.tobytes()) for x, y in arrays)
    )


def told(stage, world, *arguments):
    async def settled():
        return await settle(stage(world, *arguments))

    return asyncio.run(settled())


def process(variant, store=None):
    """A pipeline on new state, its world, and the fetch stage behind it."""
    fetching = Fetching()
    pipeline = getattr(OPTIMIZATION, variant)(P.replace(fetch=fetching))
    return pipeline, FakeWorld(FakeStore() if store is None else store), fetching


# As prescribed


def test_o01_prescribed_keeps_json_under_the_documents_keys_for_a_minute():
    pipeline, world, _ = process("prescribed")
    told(pipeline.fetch, world, "AAA")
    told(pipeline.consensus, world, VOTES, "TRENDING")
    fetched, consensus = world.redis.values
    assert fetched == f"market:AAA:{int(EPOCH_S // 60)}"
    assert re.fullmatch("consensus:[0-9a-f]{32}", consensus)
    assert json.loads(world.redis.values[fetched])["symbol"] == "AAA"
    assert json.loads(world.redis.values[consensus]) == {"direction": "LONG", "confidence": 80.0}
    assert set(world.redis.lives.values()) == {60.0}


def test_o01_prescribed_text_loses_nothing():
    assert same(market("AAA", 3), from_json(json.loads(json.dumps(to_json(market("AAA", 3))))))


def test_o01_prescribed_serves_the_market_of_a_minute_whatever_it_does():
    pipeline, world, fetching = process("prescribed")
    for world.cycle in range(24):
        got = told(pipeline.fetch, world, "AAA")
        assert same(market("AAA", 12 * (world.cycle // 12)), got)
    assert fetching.calls == [("AAA", 0), ("AAA", 12)]
    assert (pipeline.fetch.hits, pipeline.fetch.misses) == (22, 2)


def test_o01_prescribed_shares_nothing_ever_where_redis_is_late_at_the_start():
    pipeline, world, _ = process("prescribed")
    world.redis.is_down = True
    told(pipeline.fetch, world, "AAA")
    world.redis.is_down = False
    told(pipeline.fetch, world, "BBB")
    assert world.redis.values == {}
    assert world.redis.commands == ["get"]


def test_o01_prescribed_entries_of_the_fallback_never_expire():
    pipeline, world, _ = process("prescribed")
    world.redis.is_down = True
    told(pipeline.consensus, world, VOTES, "TRENDING")
    world.later = 365 * 86_400.0
    told(pipeline.consensus, world, VOTES, "TRENDING")
    assert pipeline.consensus.hits == 1


def test_o01_prescribed_raises_when_redis_dies_later():
    pipeline, world, _ = process("prescribed")
    told(pipeline.fetch, world, "AAA")
    world.redis.is_down = True
    with pytest.raises(StoreError):
        told(pipeline.fetch, world, "AAA")


def test_o01_prescribed_takes_no_consensus_for_absent():
    pipeline, world, _ = process("prescribed")
    for _ in range(3):
        assert told(pipeline.consensus, world, {}, "TRENDING") is None
    assert (pipeline.consensus.hits, pipeline.consensus.misses) == (0, 3)
    assert list(world.redis.values.values()) == [b"null"]


def test_o01_prescribed_serves_votes_counted_with_the_weights_of_before(monkeypatch):
    votes = {"massive": Signal("LONG", 95.0), "sonar": Signal("SHORT", 95.0)}
    pipeline, world, _ = process("prescribed")
    before = told(pipeline.consensus, world, votes, "TRENDING")
    monkeypatch.setattr(
        sys.modules["argo_bench.pipeline.baseline.consensus"], "WEIGHTS", {"TRENDING": {"massive": 0.1, "sonar": 0.9}}
    )
    updated, _, _ = process("prescribed")
    assert told(updated.consensus, world, votes, "TRENDING") == before == Consensus("LONG", before.confidence)
    assert P.consensus(world, votes, "TRENDING").direction == "SHORT"


# As engineered


def test_o01_engineered_keeps_sealed_bytes_under_a_key_with_the_schema_for_up_to_a_minute():
    pipeline, world, _ = process("engineered")
    told(pipeline.fetch, world, "AAA")
    ((key, value),) = world.redis.values.items()
    assert re.fullmatch(f"argo:{SCHEMA}:fetched:AAA:[0-9a-f]{{32}}", key)
    assert value[0] == SCHEMA
    assert market("AAA", 0).bars.values.tobytes() in value
    with pytest.raises(pickle.UnpicklingError):
        pickle.loads(value)
    assert TTL_S * (1 - JITTER) <= world.redis.lives[key] <= TTL_S


def test_o01_engineered_lives_are_spread():
    pipeline, world, _ = process("engineered")
    for number in range(40):
        told(pipeline.fetch, world, f"S{number}")
    lives = sorted(world.redis.lives.values())
    assert lives[-1] - lives[0] > TTL_S * JITTER / 2


def test_o01_engineered_shares_a_cycle_and_no_other():
    first, world, fetching = process("engineered")
    second, other, others = process("engineered", world.redis)
    for cycle in range(9):
        world.cycle = other.cycle = cycle
        for symbol in ("AAA", "BBB"):
            assert same(market(symbol, cycle), told(first.fetch, world, symbol))
            assert same(market(symbol, cycle), told(second.fetch, other, symbol))
    assert len(fetching.calls) == 18
    assert others.calls == []
    assert (first.fetch.hits, first.fetch.misses) == (0, 18)
    assert (second.fetch.hits, second.fetch.found, second.fetch.misses) == (18, 18, 0)


def test_o01_engineered_keeps_one_entry_per_symbol_in_the_process():
    pipeline, world, _ = process("engineered")
    for cycle in range(50):
        world.cycle = cycle
        for symbol in ("AAA", "BBB"):
            told(pipeline.fetch, world, symbol)
    assert set(pipeline.fetch._local._held) == {"AAA", "BBB"}
    assert len(pipeline.fetch._local._flights._entries) == 0


def accepting(store=None, accepts_s=60.0):
    fetching = Fetching()
    fetch = SharedFetch(fetching, accepts_s=accepts_s)
    return fetch, FakeWorld(FakeStore() if store is None else store), fetching


def test_o01_engineered_serves_callers_who_accept_a_minute_for_a_minute_from_when_it_was_asked_for():
    first, world, fetching = accepting()
    second, other, others = accepting(world.redis)
    for cycle in range(24):
        world.cycle = cycle
        asked = cycle // 12 * 12
        assert same(market("AAA", asked), told(first, world, "AAA"))
        other.cycle = cycle
        assert same(market("AAA", asked), told(second, other, "AAA"))
    assert [cycle for _, cycle in fetching.calls] == [0, 12]
    assert others.calls == []
    assert second.found == 2
    assert len(world.redis.values) == 1


def test_o01_engineered_finds_what_the_process_has_without_a_round_trip():
    pipeline, world, fetching = process("engineered")
    for _ in range(3):
        told(pipeline.fetch, world, "AAA")
    assert world.redis.commands == ["get", "set"]
    assert len(fetching.calls) == 1
    assert (pipeline.fetch.hits, pipeline.fetch.misses) == (2, 1)


def test_o01_engineered_hands_out_nothing_that_another_caller_could_change():
    pipeline, world, _ = process("engineered")
    for _ in range(2):
        got = told(pipeline.fetch, world, "AAA")
        assert same(market("AAA", 0), got)
        got.opinions.technical["quote"] = 1.0
        with pytest.raises(ValueError, match="read-only"):
            got.bars.values[0, 0] = 1.0


def test_o01_engineered_fetches_once_for_all_that_ask_together():
    pipeline, world, fetching = process("engineered")

    async def together():
        return await asyncio.gather(*(pipeline.fetch(world, symbol) for symbol in ("AAA", "BBB") * 5))

    for symbol, got in zip(("AAA", "BBB") * 5, asyncio.run(together()), strict=True):
        assert same(market(symbol, 0), got)
    assert sorted(fetching.calls) == [("AAA", 0), ("BBB", 0)]
    assert (pipeline.fetch.hits, pipeline.fetch.misses) == (8, 2)


def test_o01_engineered_leaves_nobody_waiting_when_the_first_to_ask_is_cancelled():
    pipeline, world, _ = process("engineered")

    async def cancelled():
        first = asyncio.ensure_future(pipeline.fetch(world, "AAA"))
        second = asyncio.ensure_future(pipeline.fetch(world, "AAA"))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert same(market("AAA", 0), asyncio.run(cancelled()))


def test_o01_engineered_keeps_no_failure_of_a_provider():
    pipeline, world, fetching = process("engineered")
    fetching.error = ProviderError("503")
    with pytest.raises(ProviderError):
        told(pipeline.fetch, world, "AAA")
    fetching.error = None
    assert same(market("AAA", 0), told(pipeline.fetch, world, "AAA"))


def damaged(stored):
    """Every way in which an entry may be spoiled, more or less."""
    for place in {*range(60), len(stored) // 2, len(stored) - 1}:
        yield stored[:place] + bytes([stored[place] ^ 1]) + stored[place + 1 :]
    for length in (0, 1, 16, 17, len(stored) - 1):
        yield stored[:length]
    yield stored + b"\0"
    yield bytes([SCHEMA + 1]) + stored[1:]
    yield b'{"symbol": "AAA"}'
    yield pickle.dumps(market("AAA", 0))


def test_o01_engineered_takes_corrupt_and_foreign_entries_for_misses():
    pipeline, world, _ = process("engineered")
    told(pipeline.fetch, world, "AAA")
    ((key, stored),) = world.redis.values.items()
    for number, spoiled in enumerate(damaged(stored)):
        reader, other, fetching = process("engineered", world.redis)
        world.redis.values[key] = spoiled
        assert same(market("AAA", 0), told(reader.fetch, other, "AAA")), number
        assert (reader.fetch.unusable, len(fetching.calls)) == (1, 1), number
        assert world.redis.values[key] == stored


def test_o01_engineered_does_not_serve_an_entry_in_anothers_place():
    pipeline, world, _ = process("engineered")
    for symbol in ("AAA", "BBB"):
        told(pipeline.fetch, world, symbol)
    (key, mine), (other, theirs) = world.redis.values.items()
    assert unseal(key, mine) is not None
    assert unseal(key, theirs) is unseal(other, mine) is None


@given(st.binary(max_size=64), st.text(max_size=20))
def test_o01_a_seal_is_that_of_its_bytes_and_its_key(body, key):
    assert unseal(key, seal(key, body)) == body
    assert unseal(key + "x", seal(key, body)) is None
    assert unseal(key, body) is None


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_o01_bytes_lose_nothing(dtype):
    fetched = market("FFF-USD", 7)
    fetched = dataclasses.replace(
        fetched, bars=dataclasses.replace(fetched.bars, values=fetched.bars.values.astype(dtype))
    )
    assert same(fetched, decode_fetched(encode_fetched(fetched)))


def test_o01_engineered_answers_while_the_store_is_down_and_asks_it_once_a_second():
    pipeline, world, fetching = process("engineered")
    world.redis.is_down = True
    for number in range(10):
        world.later = RETRY_S * number / 4
        assert same(market(f"S{number}", 0), told(pipeline.fetch, world, f"S{number}"))
    assert world.redis.commands == ["get"] * 3  # at 0, 1 and 2 s
    assert pipeline.fetch.failures == 3
    assert len(fetching.calls) == 10


def test_o01_engineered_comes_back_with_the_store():
    pipeline, world, _ = process("engineered")
    world.redis.is_down = True
    told(pipeline.fetch, world, "AAA")
    world.redis.is_down = False
    world.cycle = 1
    told(pipeline.fetch, world, "AAA")
    reader, other, fetching = process("engineered", world.redis)
    other.cycle = 1
    assert same(market("AAA", 1), told(reader.fetch, other, "AAA"))
    assert fetching.calls == []


def test_o01_engineered_answers_when_the_store_dies_between_reading_and_writing():
    pipeline, world, fetching = process("engineered")
    original = fetching.__class__.__call__

    class Dying(Fetching):
        async def __call__(self, world, symbol):
            world.redis.is_down = True
            return await original(self, world, symbol)

    pipeline = OPTIMIZATION.engineered(P.replace(fetch=Dying()))
    assert same(market("AAA", 0), told(pipeline.fetch, world, "AAA"))
    assert world.redis.commands == ["get", "set"]
    assert pipeline.fetch.failures == 1


def test_o01_one_call_tries_a_store_that_was_down_for_all():
    circuit = Circuit()
    assert circuit.is_closed(0.0)
    circuit.open(0.0)
    assert [circuit.is_closed(now) for now in (0.0, 0.9, 1.0, 1.0, 1.9, 2.0)] == [
        False,
        False,
        True,
        False,
        False,
        True,
    ]
    circuit.close()
    assert circuit.is_closed(2.0)
    assert circuit.is_closed(2.0)


# On a real server


@pytest.fixture
def server(monkeypatch):
    pytest.importorskip("redis", reason=f"the Redis client is not installed: {store.INSTALL}")
    monkeypatch.delenv(URL, raising=False)
    if find() is None:
        pytest.skip(f"no Redis or Valkey server was found: {store.INSTALL}")
    with Server() as server:
        yield server


@pytest.mark.parametrize(
    ("kind", "variant"),
    [
        ("unix_url", "prescribed"),
        ("url", "engineered"),
        pytest.param("url", "prescribed", marks=pytest.mark.slow),
        pytest.param("unix_url", "engineered", marks=pytest.mark.slow),
    ],
)
def test_o01_two_processes_share_what_one_of_them_fetched(variant, kind, server):
    url = getattr(server, kind)
    code = f"from tests.test_o01 import fill; fill({variant!r}, {url!r})"
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1], check=True, timeout=60)

    async def read():
        client = RedisClient(url, "shared")
        pipeline, world, fetching = process(variant, client)
        got = [await pipeline.fetch(world, symbol) for symbol in ("AAA", "BBB")]
        await client.close()
        return got, fetching.calls

    got, calls = asyncio.run(read())
    assert calls == []
    assert all(same(market(symbol, 0), each) for symbol, each in zip(("AAA", "BBB"), got, strict=True))


def fill(variant, url):
    """What the other process does."""

    async def filled():
        client = RedisClient(url, "shared")
        pipeline, world, fetching = process(variant, client)
        for symbol in ("AAA", "BBB"):
            await pipeline.fetch(world, symbol)
        await client.close()
        assert len(fetching.calls) == 2

    asyncio.run(filled())


def test_o01_engineered_outlives_kills_of_the_server_and_prescribed_does_not(server):
    async def lived_through(variant):
        client = RedisClient(server.url, variant)
        pairs = [process(variant, client)[:2] for _ in range(2)]
        errors = hits = 0
        for cycle in range(0, 60, 12):
            for pipeline, world in pairs:
                world.cycle = cycle
                before = pipeline.fetch.hits
                try:
                    assert same(market("AAA", cycle), await pipeline.fetch(world, "AAA"))
                except StoreError:
                    errors += 1
                hits += pipeline.fetch.hits - before
            if cycle == 12:
                server.kill()
            if cycle == 36:
                server.restart()
        await client.close()
        return errors, hits

    assert asyncio.run(lived_through("engineered")) == (0, 3)
    assert asyncio.run(lived_through("prescribed")) == (4, 3)


# On a market


@pytest.fixture(scope="module")
def alone(small_universe):
    recording = record(ALONE, small_universe, 36, 3)
    return {name: replay(ALONE, edit, recording) for name, edit in OPTIMIZATION.edits(ALONE).items()}


def test_o01_alone_a_minutes_market_is_found_in_a_dict_as_often_as_in_redis_and_a_cycles_never(alone):
    rates = {name: count_cache_hits(each.pipeline).get("hit_rate") for name, each in alone.items()}
    minute = 11 / 12
    assert rates == {"baseline": None, "prescribed": minute, LOCAL: minute, "simple": minute, "engineered": 0.0}


def test_o01_alone_only_a_minutes_market_is_old(alone):
    ages = {name: ALONE.damage(alone["baseline"], each)["data age max s"] for name, each in alone.items()}
    assert ages["engineered"] == ages["baseline"] == 0
    assert 0 < ages["prescribed"] <= 55


@pytest.mark.parametrize("workload", [FOUR, TWO], ids=["four", "two"])
def test_o01_services_find_more_in_one_store_than_in_dicts_of_their_own(small_universe, workload):
    recording = record(workload, small_universe, 180, 3)
    edits = workload.arms
    replays = {name: replay(workload, edit, recording) for name, edit in edits.items()}
    rates = {name: count_cache_hits(each.pipeline)["hit_rate"] for name, each in replays.items()}
    ages = {name: workload.damage(replays["baseline"], each) for name, each in replays.items()}
    assert rates["baseline"] == 0
    assert 0 < rates[OWN_CYCLE] < rates["simple"] < rates["engineered"] < 0.9
    assert len({each["asked by the services"] for each in ages.values()}) == 1
    assert ages["baseline"]["data age max s"] == ages[OWN_CYCLE]["data age max s"] == 0
    for name in ("prescribed", "engineered", "simple"):
        assert 0 < ages[name]["data age max s"] < 60
    for name, each in replays.items():
        asked = ages[name]["asked by the services"]
        assert each.world.ledger.requests.total() == 6 * round(asked * (1 - rates[name]))


def test_o01_a_restarted_service_loses_what_it_held_and_the_store_does_not(small_universe):
    recording = record(FOUR, small_universe, 61, 3)
    lost = {}
    for name in ("simple", "engineered"):
        found = replay(FOUR, FOUR.arms[name], recording).pipeline.fetch
        (retired,) = found._retired
        lost[name] = retired is not found._fetches[0]
        assert found.hits + found.misses == found._asked
    assert lost == {"simple": True, "engineered": True}


def test_o01_a_dict_of_its_own_finds_the_published_two_in_five():
    """The rate of asking is set by the published figure: the mean over seeds of what one dict of a minute finds."""
    rates = []
    for seed in range(12):
        asked = hits = 0
        for rank in range(1, 13):
            held_until = -1
            for cycle in range(720):
                if uniform(seed, "asks", 0, f"S{rank}", cycle) < MOST_ASKED / rank:
                    asked += 1
                    hits += cycle < held_until
                    held_until = held_until if cycle < held_until else cycle + 12
        rates.append(hits / asked)
    assert sum(rates) / len(rates) == pytest.approx(0.40, abs=0.02)


def test_o01_engineered_changes_nothing(small_universe):
    oracle = Oracle.run(small_universe, 2, 40)
    assert oracle.acceptance.accepted > 0
    assert check_on_markets(OPTIMIZATION, "engineered", [oracle]).counts == {}


def test_o01_builds_with_what_answers_otherwise(small_universe):
    for variant in ("prescribed", "engineered"):
        pipeline = build({"O01": variant, "O03": "engineered", "O06": "engineered", "O12": "prescribed"})
        assert pipeline.fetch.__wrapped__ is P.fetch
    assert isinstance(build({"O01": "engineered"}).fetch, SharedFetch)
