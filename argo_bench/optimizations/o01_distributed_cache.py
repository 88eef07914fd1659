"""O01 - distributed cache.

Claim        10-100x faster cache access, hit rate 40 % -> 70 %+ (FIVE, the earlier document on optimizations 1-5). It
             has no copy here: its rules are those that the study's own specification restates.
Baseline     Nothing is kept: every process asks the providers for itself and counts every vote.
Prescribed   JSON texts in Redis for 60 s through an async client; a dict in its place where Redis does not answer at
             the start. The document's keys are `consensus:{symbol}:{key}`. Our consensus stage knows no symbol and our
             costly stage is another one, so what is fetched is kept under `market:{symbol}:{minute}` and a consensus
             under `consensus:{digest of signals and regime}`. What is wrong stays: the choice is made once, so where
             Redis is late at the start nothing is ever shared, and where it dies later every call raises; entries of
             the dict never expire; a consensus of None, JSON's null, is taken for absent; the look-up of a consensus
             costs more than its count. No version and no weights are in a key, so after an update the entries of the
             old code are served. A minute's market is served for that minute, whatever prices do. Bars written as
             text lose nothing, as Python writes floats, and take many times the time that their bytes take.
Engineered   shared.py: what is fetched is shared by the processes of one cycle, as sealed bytes with a version under a
             key that holds the cycle, in front of it one entry per symbol in the process, whose cycle is checked, and
             one fetch for all who ask together. While Redis is down everything is fetched, and Redis is
             tried once a second until it is back. The consensus is left alone: it is counted in less than a round trip.
             A process alone that walks its symbols finds nothing, since it asks for each once a cycle: what is saved is
             others' work. Callers who accept older data say how old, and then one entry per symbol serves them all.
             Processes that ask at the very same moment all fetch: a lock across processes would make each wait for one
             that may have died.
Simple       a dict in the process, a minute for every symbol.
May change   nothing: the same cycle is the same market. In "fetch, services that share" callers accept a minute.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

import msgspec
import numpy as np

from argo_bench.harness.claims.claim import Claim
from argo_bench.harness.claims.sentence import publish_claim
from argo_bench.optimizations._services import ACCEPTED_S, in_services, measure_ages
from argo_bench.optimizations.o03_adaptive_ttl import damage as age_of_data
from argo_bench.optimizations.optimization import SIMPLE, Optimization, Workload, keep_baseline
from argo_bench.pipeline.model import (
    Bars,
    Consensus,
    Fetched,
    Opinions,
    Regime,
    Signals,
    Stage,
    StoreError,
    World,
)
from argo_bench.pipeline.record import Pipeline, settle
from argo_bench.pipeline.shared import SharedFetch

TTL_S = 60.0
MINUTE_S = 60


class JSONStore:
    """Implements the document's store: JSON texts in Redis, or in a dict if Redis does not answer at the first use."""

    def __init__(self) -> None:
        self._fallback: dict[str, bytes] | None = None
        self._is_chosen = False

    async def get(self, world: World, key: str) -> Any:
        await self._choose(world)
        text = await world.redis.get(key) if self._fallback is None else self._fallback.get(key)
        return None if text is None else json.loads(text)

    async def set(self, world: World, key: str, value: Any) -> None:
        await self._choose(world)
        text = json.dumps(value).encode()
        if self._fallback is None:
            await world.redis.set(key, text, TTL_S)
        else:
            self._fallback[key] = text

    async def _choose(self, world: World) -> None:
        if self._is_chosen:
            return
        try:
            await world.redis.get("ping")
        except StoreError:
            self._fallback = {}
        self._is_chosen = True


class StoredFetch:
    """Wraps a fetch stage and keeps the market of a minute in the document's store."""

    def __init__(self, fetch: Stage, store: JSONStore) -> None:
        self.__wrapped__ = fetch
        self.hits = 0
        self.misses = 0
        self._store = store

    async def __call__(self, world: World, symbol: str) -> Fetched:
        key = minute_key(world, symbol)
        cached = await self._store.get(world, key)
        if cached:
            self.hits += 1
            return from_json(cached)
        self.misses += 1
        fetched: Fetched = await settle(self.__wrapped__(world, symbol))
        await self._store.set(world, key, to_json(fetched))
        return fetched


class StoredConsensus:
    """Wraps a consensus stage and keeps its votes in the document's store."""

    def __init__(self, consensus: Stage, store: JSONStore) -> None:
        self.__wrapped__ = consensus
        self.hits = 0
        self.misses = 0
        self._store = store

    async def __call__(self, world: World, signals: Signals, regime: Regime) -> Consensus | None:
        text = json.dumps({"signals": signals, "regime": regime}, sort_keys=True)
        key = f"consensus:{hashlib.md5(text.encode()).hexdigest()}"
        cached = await self._store.get(world, key)
        if cached:
            self.hits += 1
            return Consensus(**cached)
        self.misses += 1
        found: Consensus | None = await settle(self.__wrapped__(world, signals, regime))
        value = None if found is None else {"direction": found.direction, "confidence": found.confidence}
        await self._store.set(world, key, value)
        return found


class LocalDict:
    """Keeps a symbol's market for a minute in a dict of the process: a shared store is to be compared with this."""

    def __init__(self, fetch: Stage) -> None:
        self.__wrapped__ = fetch
        self.hits = 0
        self.misses = 0
        self._fetched: dict[str, tuple[float, Fetched]] = {}

    async def __call__(self, world: World, symbol: str) -> Fetched:
        asked_at, fetched = self._fetched.get(symbol, (-math.inf, None))
        if fetched is not None and world.now() < asked_at + TTL_S:
            self.hits += 1
            return fetched
        self.misses += 1
        asked_at = world.now()
        found: Fetched = await settle(self.__wrapped__(world, symbol))
        self._fetched[symbol] = asked_at, found
        return found


def minute_key(world: World, symbol: str) -> str:
    return f"market:{symbol}:{int(world.now() // MINUTE_S)}"


def to_json(fetched: Fetched) -> dict[str, Any]:
    """Return what was fetched as lists, numbers and texts; timestamps are microseconds since the epoch."""
    bars, opinions = fetched.bars, fetched.opinions
    return {
        "symbol": bars.symbol,
        "timestamps": bars.timestamps.astype(np.int64).tolist(),
        "values": bars.values.tolist(),
        "technical": dict(opinions.technical),
        "x_sentiment": opinions.x_sentiment,
        "sonar": opinions.sonar,
    }


def from_json(value: dict[str, Any]) -> Fetched:
    stamps = np.array(value["timestamps"], np.int64).astype("datetime64[us]")
    bars = Bars(value["symbol"], stamps, np.array(value["values"]))
    return Fetched(bars, Opinions(value["technical"], value["x_sentiment"], value["sonar"]))


def prescribed(pipeline: Pipeline) -> Pipeline:
    store = JSONStore()
    return pipeline.replace(
        fetch=StoredFetch(pipeline.fetch, store), consensus=StoredConsensus(pipeline.consensus, store)
    )


def engineered(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(fetch=SharedFetch(pipeline.fetch))


def from_redis_alone(pipeline: Pipeline) -> Pipeline:
    """Edit the pipeline as ``engineered`` does, but keep nothing in
    the process: entries are met as another process meets them."""
    return pipeline.replace(fetch=SharedFetch(pipeline.fetch, keeps_locally=False))


def accepting_a_minute(pipeline: Pipeline) -> Pipeline:
    """Edit the pipeline as ``engineered`` does, for callers who accept a market that is a minute old."""
    return pipeline.replace(fetch=SharedFetch(pipeline.fetch, accepts_s=ACCEPTED_S))


def local_dict(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(fetch=LocalDict(pipeline.fetch))


FIVE = "an earlier document on optimizations 1-5 (FIVE)"
LOCAL = "local dict"
REDIS_ALONE = "engineered, Redis alone"
OWN_CYCLE = "engineered, own cycle alone"
SCALE = 0.05
"""What the latencies of the providers are multiplied by where a fetch on sockets is timed."""
FILLED = Workload(
    name=f"fetch, filled by another worker, latencies x {SCALE:g}",
    stage="fetch",
    inputs="fresh",
    description="what was fetched is in Redis already, and this process begins: asked for anew it takes six requests "
    "at a twentieth of the providers' latencies, so that a cache has a twentieth of the time to save",
    scales=(4, 1),
    unit="symbols",
    servers=frozenset({"providers", "redis"}),
    latency_scale=SCALE,
)
HELD = Workload(
    name=f"fetch, held by this process, latencies x {SCALE:g}",
    stage="fetch",
    inputs="hit",
    description="the same again and again in one process: a dict and the engineered variant find it there, the "
    "prescribed variant in Redis",
    scales=(4, 1),
    unit="symbols",
    arms={LOCAL: local_dict, REDIS_ALONE: from_redis_alone},
    servers=frozenset({"providers", "redis"}),
    latency_scale=SCALE,
)
VOTES = Workload(
    name="consensus, through Redis",
    stage="consensus",
    inputs="hit",
    description="the same votes again and again: read from Redis, or counted",
    scales=(6, 3, 12),
    unit="symbols",
    servers=frozenset({"redis"}),
)
ALONE = Workload(
    name="fetch, one process alone",
    stage="fetch",
    inputs="trace",
    description="every symbol every 5 s for so many cycles, cold at the start, counted for one process",
    scales=(120, 360),
    unit="cycles",
    arms={LOCAL: local_dict},
    timed=False,
    damage=age_of_data,
)


def share_among(count: int, words: str) -> Workload:
    """Return the workload in which so many services share a store."""
    return Workload(
        name=f"fetch, {words} services that share",
        stage="fetch",
        inputs="trace",
        description=f"an hour of {words} services that ask for twelve symbols now and then, popular ones more often; "
        "one of them is restarted every five minutes; callers accept a minute, and a dict of a service's own (simple) "
        "finds the published 40 %",
        scales=(720, 360),
        unit="cycles",
        symbols=12,
        arms={
            "baseline": in_services(keep_baseline, count),
            "prescribed": in_services(prescribed, count),
            "engineered": in_services(accepting_a_minute, count),
            SIMPLE: in_services(local_dict, count),
            OWN_CYCLE: in_services(engineered, count),
        },
        timed=False,
        damage=measure_ages,
        frontier=("data age p99 s", "hit_rate"),
    )


FOUR, TWO = share_among(4, "four"), share_among(2, "two")
HITS = Claim(
    id="O01.hits",
    text="hit rate 40 % -> 70 %+",
    source=FIVE,
    kind="level",
    low=0.70,
    high=1.0,
    metric="hit_rate",
    workload=FOUR.name,
    reading="what four services with uneven symbols and restarts find, where a dict of each service's own finds 40 % "
    "(since 2026-11-29; before that what a process alone finds, which is nothing by construction); the services take "
    "data up to a minute old, which engineered leaves to its callers to say",
    headline=True,
)

OPTIMIZATION = Optimization(
    id="O01",
    name="distributed cache",
    layer="wrap",
    prescribed=prescribed,
    engineered=engineered,
    simple=local_dict,
    claims=(
        publish_claim(
            id="O01.access",
            text="10-100x faster cache access",
            source=FIVE,
            metric="wall",
            workload=FILLED.name,
            reading=f"reading from a real Redis what another worker fetched, against fetching it at latencies x "
            f"{SCALE:g}; the ratio grows with that scale, and is about {1 / SCALE:.0f} times as large at the full ones",
            headline=True,
        ),
        publish_claim(
            id="O01.access.local",
            text="10-100x faster cache access",
            source=FIVE,
            metric="wall",
            workload=HELD.name,
            reference=LOCAL,
            reading="the same sentence against a dict in the process, which is what a cache replaces",
        ),
        publish_claim(
            id="O01.access.consensus",
            text="10-100x faster cache access",
            source=FIVE,
            metric="wall",
            workload=VOTES.name,
            reading="the same sentence for the document's own keys: a consensus from Redis against counting the votes",
        ),
        HITS,
        msgspec.structs.replace(
            HITS,
            id="O01.hits.two",
            workload=TWO.name,
            reading="the same with two services instead of four",
            headline=False,
        ),
        msgspec.structs.replace(
            HITS,
            id="O01.hits-old",
            workload=ALONE.name,
            reading="what a process alone finds on a live trace, the reading until 2026-11-29: a key that holds the "
            "cycle is asked for once, so that engineered finds nothing by construction",
            headline=False,
        ),
    ),
    workloads=(FILLED, HELD, VOTES, FOUR, TWO, ALONE),
)
