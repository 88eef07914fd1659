"""O06 - consensus cache.

Claim        "50-70% reduction in consensus calculation time (cache hits)" (additional_optimizations.txt,
             Optimization 6); later documents restate it as 21,492x, 6,024x and 0.1 ms -> 0.000005 ms.
Baseline     baseline/consensus.py, a weighted sum over four sources, counted for every symbol and cycle.
Prescribed   A dict keyed by the MD5 of the sorted JSON of the inputs, TTL 60 s. Making the key costs more than the sum
             that it saves; "no consensus" is never cached, so it is always counted anew; every store sweeps the whole
             cache (the document calls a clean-up that it does not show: this is the smallest one that works); the
             weights are not in the key; and the stored object itself is handed out, so that a caller who changes a
             mutable result changes the cache (our Consensus is immutable; the document's is a dict).
Engineered   optimized/consensus.py: a Memo keyed by the small tuple of what the vote reads, joblib.Memory behind it,
             immutable values, weights in the key.
Simple       No cache at all: the same vote as straight-line code, with two numbers for the two sides and the weights
             in a row, where the baseline fills a dict and looks each weight up twice.
May change   nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable
from inspect import isawaitable
from typing import Any

import joblib

from argo_bench.harness.claims.claim import Claim
from argo_bench.harness.claims.sentence import publish_claim
from argo_bench.optimizations.optimization import Optimization, Workload
from argo_bench.pipeline.baseline.consensus import ACCEPTED, WEIGHTS
from argo_bench.pipeline.model import SOURCES, Consensus, Regime, Signals, Stage, World
from argo_bench.pipeline.optimized.consensus import remember
from argo_bench.pipeline.record import Pipeline

TTL_S = 60.0
WEIGHTS_IN_A_ROW = {
    regime: tuple((source, weights[source]) for source in SOURCES) for regime, weights in WEIGHTS.items()
}


class TextKeyedCache:
    """Implements the document's cache around a consensus stage; for
    a stage that is awaited, the vote is stored when it is there."""

    def __init__(self, consensus: Stage) -> None:
        self.__wrapped__ = consensus
        self.hits = 0
        self.misses = 0
        self._stored: dict[str, tuple[Any, float]] = {}

    def __call__(self, world: World, signals: Signals, regime: Regime) -> Any:
        key = self._key(signals, regime)
        if key in self._stored:
            consensus, stored_at = self._stored[key]
            if world.now() - stored_at < TTL_S:
                self.hits += 1
                return consensus
        self.misses += 1
        consensus = self.__wrapped__(world, signals, regime)
        return (
            self._await_and_keep(world, key, consensus) if isawaitable(consensus) else self._keep(world, key, consensus)
        )

    async def _await_and_keep(self, world: World, key: str, consensus: Awaitable[Any]) -> Any:
        return self._keep(world, key, await consensus)

    def _keep(self, world: World, key: str, consensus: Any) -> Any:
        if consensus:
            self._stored[key] = (consensus, world.now())
            self._sweep(world)
        return consensus

    def _key(self, signals: Signals, regime: Regime) -> str:
        text = json.dumps(signals, sort_keys=True)
        return hashlib.md5(f"{text}:{regime}".encode()).hexdigest()

    def _sweep(self, world: World) -> None:
        now = world.now()
        for key in [key for key, (_, stored_at) in self._stored.items() if now - stored_at >= TTL_S]:
            del self._stored[key]


class DiskOnly:
    """Wraps the vote in joblib.Memory keyed by its arguments, with nothing in front, as a first try would be."""

    def __init__(self, consensus: Stage) -> None:
        self.__wrapped__ = consensus
        self._call: Any = None

    def __call__(self, world: World, signals: Signals, regime: Regime) -> Consensus | None:
        if self._call is None:
            memory = joblib.Memory(world.directory / "joblib", verbose=0)
            self._call = memory.cache(_on_disk, ignore=["consensus", "world"])
        result: Consensus | None = self._call(self.__wrapped__, world, signals, regime)
        return result


def _on_disk(consensus: Stage, world: World, signals: Signals, regime: Regime) -> Any:
    return consensus(world, signals, regime)


def count_in_a_row(world: World, signals: Signals, regime: Regime) -> Consensus | None:
    """Count the baseline's vote, in the same order of sources, as straight-line code that keeps nothing."""
    long = short = present = 0.0
    for source, weight in WEIGHTS_IN_A_ROW[regime]:
        signal = signals.get(source)
        if signal is None:
            continue
        direction = signal.direction
        if direction == "LONG":
            long += signal.confidence * weight
        elif direction == "SHORT":
            short += signal.confidence * weight
        else:
            continue
        present += weight
    if long == short:
        return None
    confidence = (long if long > short else short) / present
    return Consensus("LONG" if long > short else "SHORT", confidence) if confidence >= ACCEPTED else None


def prescribed(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(consensus=TextKeyedCache(pipeline.consensus))


def engineered(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(consensus=remember(pipeline.consensus))


def simple(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(consensus=count_in_a_row)


def joblib_alone(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(consensus=DiskOnly(pipeline.consensus))


SEED = "additional_optimizations.txt, Optimization 6"
HIT = Workload(
    name="consensus, hit",
    stage="consensus",
    inputs="hit",
    description="the votes of every symbol of one cycle, again and again: every call finds its result cached",
    scales=(6, 30, 120),
    unit="symbols",
    arms={"joblib.Memory alone": joblib_alone},
)
TRACE = Workload(
    name="consensus, live trace",
    stage="consensus",
    inputs="trace",
    description="the votes of consecutive 5 s cycles of a live market, cold at the start: what you get",
    scales=(6, 30, 120),
    unit="symbols",
)

OPTIMIZATION = Optimization(
    id="O06",
    name="consensus cache",
    layer="wrap",
    prescribed=prescribed,
    engineered=engineered,
    simple=simple,
    claims=(
        publish_claim(
            id="O06.time",
            text="50-70% reduction in consensus calculation time (cache hits)",
            source=f"{SEED}, Expected Impact",
            workload=HIT.name,
            reading="time of the consensus stage when every call is a cache hit, against counting the vote",
            headline=True,
        ),
        publish_claim(
            id="O06.redundant",
            text="Eliminates redundant calculations for unchanged signals",
            source=f"{SEED}, Expected Impact",
            workload=TRACE.name,
            reading="the consensus stage is faster on a live trace, hits and misses as they come",
        ),
        publish_claim(
            id="O06.response",
            text="Faster response when signals haven't changed",
            source=f"{SEED}, Expected Impact",
            metric="wall",
            workload=HIT.name,
            reading="the consensus stage answers sooner where every call hits",
        ),
        publish_claim(
            id="O06.6024x",
            text="6,024x",
            source="a later status document (STATUS)",
            workload=HIT.name,
            reading="a cache hit is at least 6,024 times faster than counting the vote",
        ),
        Claim(
            id="O06.21492x",
            text="21,492x; 0.1 ms -> 0.000005 ms",
            source="a later status document (ALL)",
            kind="at_least",
            low=21_492,
            workload=HIT.name,
            reading="a cache hit is at least 21,492 times faster than counting the vote",
        ),
    ),
    workloads=(HIT, TRACE),
)
