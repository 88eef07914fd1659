"""O07 - regime cache.

Claim        "60-80% reduction in regime detection time" (additional_optimizations.txt, Optimization 7); a later
             document restates it as 8.34x.
Baseline     baseline/regime.py: three means and two deviations by pandas, for every symbol and cycle.
Prescribed   The regime stored for 300 s under the MD5 of ``df.tail(200).to_string()``. As printed it stores only where
             a Redis client is at hand, so without one it makes both keys, stores nothing and detects every time: the
             arm "as printed"; with one it is the arm "as printed, on Redis". The charitable repair, measured as
             prescribed, is a dict in the place of the client.
             The text of 200 rows costs many times the detection that it saves, and a miss writes it twice. It holds
             six decimals, so unlike frames share a key: a coin at 0.000012 dollars may move by 8 % unseen and is
             served the regime of before. It depends on pandas' display options, which any notebook may set. It holds
             the open, high, low and volume, which the regime does not read, so that a tick of the volume is a miss.
             Frames below 200 rows are never cached.
Engineered   optimized/regime.py: one kernel over the last 200 closes, and around it a Memo keyed by the bytes that the
             kernel reads, with joblib.Memory for restarts. The arm "recompute" is the kernel alone.
Simple       No cache and no kernel: the rule by plain numpy on the last 200 closes, without a copy of the frame.
May change   nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import cast

import pandas as pd

from argo_bench.harness.claims.sentence import publish_claim
from argo_bench.optimizations.optimization import CYCLE, Optimization, Replay, Workload
from argo_bench.pipeline.baseline.regime import MINIMUM_BARS, VOLATILE_RATIO
from argo_bench.pipeline.model import Regime, Stage, World
from argo_bench.pipeline.optimized.regime import Detector, remember
from argo_bench.pipeline.record import Pipeline

WINDOW = 200
TTL_S = 300.0


class Store:
    """Implements in a dict what the document asks of its Redis
    client: a text by key, gone when its seconds are over."""

    def __init__(self) -> None:
        self._texts: dict[str, tuple[Regime, float]] = {}

    def get(self, world: World, key: str) -> Regime | None:
        self._expire(world)
        text, _ = self._texts.get(key, (None, 0.0))
        return text

    def set(self, world: World, key: str, text: Regime, ttl: float) -> None:
        self._texts[key] = text, world.now() + ttl

    def _expire(self, world: World) -> None:
        """Delete expired texts, the oldest first, as all live equally long."""
        while self._texts and next(iter(self._texts.values()))[1] <= world.now():
            del self._texts[next(iter(self._texts))]


class Forgetful(Store):
    """Never finds anything, so that every call is a first one."""

    def get(self, world: World, key: str) -> Regime | None:
        super().get(world, key)
        return None


class RedisStore(Store):
    """Asks the document's Redis client itself, and blocks meanwhile."""

    def get(self, world: World, key: str) -> Regime | None:
        text = world.redis.get(key).result()
        return None if text is None else cast(Regime, text.decode())

    def set(self, world: World, key: str, text: Regime, ttl: float) -> None:
        world.redis.set(key, text.encode(), ttl).result()


class TextKeyedRegime:
    """Implements the document's cache around a regime stage; without a store it has nowhere to put a regime."""

    def __init__(self, regime: Stage, store: Store | None) -> None:
        self.__wrapped__ = regime
        self.hits = 0
        self.misses = 0
        self._store = store

    def __call__(self, world: World, frame: pd.DataFrame) -> Regime:
        cached = self._get_cached(world, frame)
        if cached:
            self.hits += 1
            return cached
        self.misses += 1
        regime: Regime = self.__wrapped__(world, frame)
        self._cache(world, frame, regime)
        return regime

    def _get_cached(self, world: World, frame: pd.DataFrame) -> Regime | None:
        if len(frame) < WINDOW:
            return None
        key = text_key(frame)
        return self._store.get(world, key) if self._store is not None else None

    def _cache(self, world: World, frame: pd.DataFrame, regime: Regime) -> None:
        if len(frame) < WINDOW:
            return
        key = text_key(frame)
        if self._store is not None:
            self._store.set(world, key, regime, TTL_S)


def text_key(frame: pd.DataFrame) -> str:
    """Return the document's key: the MD5 of the last 200 rows as pandas prints them."""
    return "regime:" + hashlib.md5(frame.tail(WINDOW).to_string().encode()).hexdigest()


def detect_by_numpy(world: World, frame: pd.DataFrame) -> Regime:
    """Detect the baseline's regime from the last closes, by plain numpy."""
    if len(frame) < MINIMUM_BARS:
        return "UNKNOWN"
    close = frame["close"].to_numpy()[-MINIMUM_BARS:]
    returns = close[-50:] / close[-51:-1] - 1
    if returns[-20:].std(ddof=1) > VOLATILE_RATIO * returns.std(ddof=1):
        return "VOLATILE"
    s20, s50, s200 = close[-20:].mean(), close[-50:].mean(), close.mean()
    return "TRENDING" if s20 > s50 > s200 or s20 < s50 < s200 else "CONSOLIDATION"


def prescribed(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(regime=TextKeyedRegime(pipeline.regime, Store()))


def engineered(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(regime=remember(pipeline.regime))


def simple(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(regime=detect_by_numpy)


def as_printed(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(regime=TextKeyedRegime(pipeline.regime, None))


def as_printed_on_redis(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(regime=TextKeyedRegime(pipeline.regime, RedisStore()))


def first_call(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(regime=TextKeyedRegime(pipeline.regime, Forgetful()))


def recompute(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(regime=Detector(pipeline.regime))


def wrong_regimes(expected: Replay, got: Replay) -> Mapping[str, float]:
    """Count the calls that were handed another regime than their frame has."""
    pairs = zip(expected.calls, got.calls, strict=True)
    return {"calls": len(got.calls), "wrong regimes": sum(right.result != given.result for right, given in pairs)}


SEED = "additional_optimizations.txt, Optimization 7"
FIRST_CALL = "first call"
TRACE = Workload(
    name="regime, live trace",
    stage="regime",
    inputs="trace",
    description="the frames of consecutive 5 s cycles of a live market, cold at the start: what you get",
    scales=(300, 1000, 2000),
    unit="bars",
    damage=wrong_regimes,
)
HIT = Workload(
    name="regime, hit",
    stage="regime",
    inputs="hit",
    description="the same frames again and again: every call finds its regime cached",
    scales=(300, 1000, 2000),
    unit="bars",
    arms={FIRST_CALL: first_call},
)
MISS = Workload(
    name="regime, miss",
    stage="regime",
    inputs="miss",
    description="frames that were never seen before: every call makes its key and detects as well",
    scales=(300, 1000, 2000),
    unit="bars",
)
ON_REDIS = Workload(
    name="regime, hit, on Redis",
    stage="regime",
    inputs="hit",
    description="the same frames again and again, beside a Redis that has the regimes as texts",
    scales=(300,),
    unit="bars",
    arms={"as printed, on Redis": as_printed_on_redis},
    servers=frozenset({"redis"}),
)
TICKING = Workload(
    name="regime, change rate",
    stage="regime",
    inputs="trace",
    description="the frames of consecutive cycles in which every symbol ticks in this share of the steps",
    scales=(20, 0, 50, 100),
    unit="% ticking",
    damage=wrong_regimes,
)
WHOLE = Workload(
    name="cycle, with regimes cached",
    stage=CYCLE,
    inputs="trace",
    description="whole cycles of a live market with all latencies; a first one, which fills the caches, is not timed",
    scales=(6, 3, 12),
    unit="symbols",
    cycles=9,
)

OPTIMIZATION = Optimization(
    id="O07",
    name="regime cache",
    layer="wrap",
    prescribed=prescribed,
    engineered=engineered,
    simple=simple,
    arms={"as printed": as_printed, "recompute": recompute},
    claims=(
        publish_claim(
            id="O07.time",
            text="60-80% reduction in regime detection time",
            source=f"{SEED}, Expected Impact",
            workload=TRACE.name,
            reading="time of the regime stage on a live trace, hits and misses as they come: the document does not "
            "restrict the figure to cache hits, as it does elsewhere",
            headline=True,
            curve=TICKING.name,
        ),
        publish_claim(
            id="O07.hit",
            text="60-80% reduction in regime detection time",
            source=f"{SEED}, Expected Impact",
            workload=HIT.name,
            reading="the same sentence for cache hits alone, the kindest reading",
        ),
        publish_claim(
            id="O07.miss",
            text="60-80% reduction in regime detection time",
            source=f"{SEED}, Expected Impact",
            workload=MISS.name,
            reading="the same sentence for frames that were never seen, the harshest reading",
        ),
        publish_claim(
            id="O07.redundant",
            text="Eliminates redundant technical analysis calculations",
            source=f"{SEED}, Expected Impact",
            workload=TICKING.name,
            reading="the regime stage is faster where four of five frames are those of the cycle before",
        ),
        publish_claim(
            id="O07.cycle",
            text="Faster signal generation cycles",
            source=f"{SEED}, Expected Impact",
            workload=WHOLE.name,
            reading="whole cycles take less time, the providers' latencies included",
            metric="wall",
        ),
        publish_claim(
            id="O07.8x",
            text="8.34x",
            source="a later status document (STATUS)",
            workload=HIT.name,
            reading="a cache hit is at least 8.34 times faster than the first call with the same frame, which detects "
            "and makes the key twice: how the published figure came about",
            reference=FIRST_CALL,
        ),
        publish_claim(
            id="O07.8x_baseline",
            text="8.34x",
            source="a later status document (STATUS)",
            workload=HIT.name,
            reading="a cache hit is at least 8.34 times faster than detecting without a cache",
        ),
    ),
    workloads=(TRACE, HIT, MISS, ON_REDIS, TICKING, WHOLE),
)
