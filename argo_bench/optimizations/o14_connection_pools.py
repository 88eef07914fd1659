"""O14 - connection pools.

Claim        "Better concurrency under load" (additional_optimizations.txt, Optimization 14); 2.5 times more connections
             (ALL); 50-150 ms -> 5-10 ms per call (an older guide). "Adaptive sizing" is promised without any code:
             there is nothing to measure.
Baseline     baseline/transport.py: a new connection for every request. The document starts from a session with pools of
             10 and 20: that arm is the reference, so that keep-alive, which sessions bring, is not credited to sizes.
Prescribed   ``requests.Session`` with ``HTTPAdapter(pool_connections=20, pool_maxsize=50, pool_block=False)``. What it
             does is not what its comments say ("increased from", "don't block, raise exception instead"):
             - ``pool_connections`` counts hosts for which a pool is kept, not connections. There are six providers.
             - ``pool_maxsize`` bounds what is kept, not what is opened: without ``pool_block`` nothing is raised; the
               51st request under way opens one connection more, with all its round trips, which is thrown away after.
             - It blocks. A request that is awaited occupies a thread, and whoever is cancelled leaves it running.
             - A connection that the provider closes at the very moment when it is used again fails its request.
Engineered   optimized/transport.py: one aiohttp client for the process on the pipeline's own loop, connections kept, as
             many to a provider as it may be asked at once; further requests wait for one. It serves stages that await:
             a blocking one (fetch, reason and validate of the baseline) cannot use a client of the loop it blocks.
Simple       aiohttp's client with the limits that it comes with: 100 connections, whichever the host.
May change   nothing.

This is the innermost layer: what answers without sending (O03, O04) wraps it.
"""

from __future__ import annotations

from dataclasses import replace

from argo_bench.harness.claims.claim import Claim
from argo_bench.harness.claims.sentence import publish_claim
from argo_bench.optimizations.optimization import Optimization, Workload
from argo_bench.pipeline.model import Pool
from argo_bench.pipeline.optimized.transport import Pooled, one_client
from argo_bench.pipeline.record import Edit, Pipeline

AIOHTTP_LIMIT = 100
"""The connections of an aiohttp client with default arguments (``limit`` of its ``TCPConnector``)."""


class Adapter(Pooled):
    """Sends requests by a ``requests.Session`` on which ``HTTPAdapter`` is mounted with these arguments."""

    def __init__(self, pool_connections: int = 10, pool_maxsize: int = 10, *, pool_block: bool = False) -> None:
        super().__init__(Pool("requests", pool_connections, pool_maxsize, pool_block))


def prescribed(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=Adapter(pool_connections=20, pool_maxsize=50, pool_block=False))


def engineered(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=one_client())


def session(pool_connections: int = 10, pool_maxsize: int = 10, *, pool_block: bool = False) -> Edit:
    """Return the edit with a session of these sizes; by default those that a session comes with."""
    return lambda pipeline: pipeline.replace(transport=Adapter(pool_connections, pool_maxsize, pool_block=pool_block))


def simple(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=Pooled(Pool("aiohttp", hosts=1, size=AIOHTTP_LIMIT, block=True)))


SEED = "additional_optimizations.txt, Optimization 14"
ALL = "the table of all fifteen optimizations (ALL)"
SMALL_POOLS = "pools of 10/20"
LOADED = Workload(
    name="transport, in flight",
    stage="transport",
    inputs="hit",
    description="bursts of small requests to one provider over TLS, 20 ms away, so many of them under way at any time; "
    "the provider answers at once and pools stay warm, so that connections are all that is compared",
    scales=(32, 64, 1),
    unit="in flight",
    arms={
        "session at its defaults": session(),
        "pools of 20/50 that block": session(20, 50, pool_block=True),
    },
    latency_scale=0.0,
    servers=frozenset({"providers"}),
    tls=True,
    rtt_s=0.02,
)
CROWDED = replace(LOADED, name="transport, 64 in flight", scales=(64,), arms={})
OWN = replace(
    LOADED,
    name="transport, the pipeline's own load",
    description="the same with what six symbols side by side have under way at one provider: 18 requests where all "
    "three of a symbol's go at once, 6 where they follow each other; pools of 20 overflow nowhere",
    scales=(18, 6),
    arms={},
)
ALONE = replace(LOADED, name="transport, one at a time", scales=(1,), arms={})
ANSWERING = replace(
    LOADED,
    name="transport, with the provider's own latency",
    description="the same with the time that the provider takes to answer, 180 ms in the median",
    scales=(32,),
    arms={},
    latency_scale=1.0,
)

OPTIMIZATION = Optimization(
    id="O14",
    name="connection pools",
    layer="transport",
    prescribed=prescribed,
    engineered=engineered,
    simple=simple,
    arms={SMALL_POOLS: session(10, 20)},
    claims=(
        publish_claim(
            id="O14.concurrency",
            text="Better concurrency under load",
            source=f"{SEED}, Expected Impact",
            metric="wall",
            workload=LOADED.name,
            reference=SMALL_POOLS,
            reading="a burst with 32 requests in flight takes less time than with the pools that the document "
            "starts from",
            headline=True,
        ),
        publish_claim(
            id="O14.concurrency-own",
            text="Better concurrency under load",
            source=f"{SEED}, Expected Impact",
            metric="wall",
            workload=OWN.name,
            reference=SMALL_POOLS,
            reading="the same at the pipeline's own load (since 2026-11-29): 18 in flight, for which pools of 20 do",
        ),
        publish_claim(
            id="O14.concurrency-unpooled",
            text="Better concurrency under load",
            source=f"{SEED}, Expected Impact",
            metric="wall",
            workload=LOADED.name,
            reading="the same against no session at all, which credits keep-alive to the pools",
        ),
        Claim(
            id="O14.connections",
            text="2.5x more connections",
            source=ALL,
            kind="at_least",
            low=2.5,
            metric="wall",
            workload=CROWDED.name,
            reference=SMALL_POOLS,
            reading="connections that are kept (50 for 20) are no use in themselves: so many times the requests per "
            "second with 64 in flight",
        ),
        Claim(
            id="O14.per-call",
            text="50-150 ms -> 5-10 ms per call",
            source="an older guide to the pipeline",
            kind="speedup",
            low=50 / 10,
            high=150 / 5,
            metric="wall",
            workload=ALONE.name,
            reading="5 to 30 times less time per call, one after another, against no session at all",
        ),
        publish_claim(
            id="O14.overhead",
            text="Reduced connection overhead",
            source=f"{SEED}, Expected Impact",
            metric="cpu",
            workload=LOADED.name,
            reference=SMALL_POOLS,
            reading="less CPU time of this process per request: connections opened, handshakes made",
        ),
        publish_claim(
            id="O14.calls",
            text="Faster API calls (reused connections)",
            source=f"{SEED}, Expected Impact",
            metric="wall",
            workload=ANSWERING.name,
            reference=SMALL_POOLS,
            reading="a burst with 32 requests in flight takes less time where the provider takes its own to answer",
        ),
    ),
    workloads=(LOADED, OWN, CROWDED, ALONE, ANSWERING),
)
