"""What do connections cost under load, arm by arm? Requests per second, latencies and what the providers saw answer
that."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import NamedTuple

import numpy as np

from argo_bench.errors import UserError
from argo_bench.harness.subject import Observation
from argo_bench.optimizations.o14_connection_pools import LOADED, SMALL_POOLS, engineered, prescribed, session
from argo_bench.optimizations.optimization import keep_baseline
from argo_bench.pipeline import baseline
from argo_bench.pipeline.model import ProviderError, Request
from argo_bench.pipeline.record import Edit
from argo_bench.pipeline.world.clock import NS
from argo_bench.pipeline.world.loopback import Behaviour, Endpoints, LoopbackWorld, ProviderLedger
from argo_bench.study.recording import burst_of, workload_tape
from argo_bench.study.trials import Setting, Trial

ARMS: Mapping[str, Edit] = {
    "no session": keep_baseline,
    "session at its defaults": session(),
    SMALL_POOLS: session(10, 20),
    "prescribed, 20/50": prescribed,
    "20/50 that block": session(20, 50, pool_block=True),
    "engineered, aiohttp": engineered,
}
ROUND_S = 0.3
IDLE_CLOSE_S = 0.05
CROSSING_S = 0.0005
"""The time by which a request may come before or after its connection is closed."""


class Condition(NamedTuple):
    in_flight: int
    tls: bool
    rtt_s: float

    def __str__(self) -> str:
        return f"{self.in_flight} in flight, {'TLS' if self.tls else 'TCP'}, RTT {1000 * self.rtt_s:.0f} ms"


HEADLINE = Condition(32, True, 0.02)
GRID = tuple(itertools.starmap(Condition, itertools.product((1, 8, 32, 64), (False, True), (0.0, 0.005, 0.02))))


def observe_load(setting: Setting) -> Iterator[Observation]:
    """Observe every arm under load, round by round in random order, on connections that are warm."""
    for condition in GRID if setting.full else (HEADLINE,):
        yield from observe_condition(setting, condition, rounds=5 if setting.full else 3, seconds=ROUND_S)


def observe_condition(setting: Setting, condition: Condition, rounds: int, seconds: float) -> Iterator[Observation]:
    rng = random.Random(f"{setting.seed}|{condition}")
    with ExitStack() as stack:
        worlds = {arm: stack.enter_context(world_of(setting, arm, condition)) for arm in ARMS}
        for world in worlds.values():
            world.run(under_load(world, condition.in_flight, seconds))
        for _ in range(rounds):
            for arm in rng.sample(list(worlds), len(worlds)):
                yield Observation(arm, str(condition), round_of(worlds[arm], condition.in_flight, seconds))


def world_of(setting: Setting, arm: str, condition: Condition, idle_close_s: float = 75.0) -> LoopbackWorld:
    """Return the world of an arm with its transport in place and its providers ready.

    They have no latency of their own.
    """
    if setting.address is None:
        raise UserError("connection pools are tried on the providers' sockets, and the providers are not running")
    world = LoopbackWorld(
        workload_tape(LOADED, setting.universe, condition.in_flight, setting.seed),
        Endpoints(setting.address, tls=condition.tls),
        Behaviour(0.0, condition.rtt_s, idle_close_s),
        seed=setting.seed,
    )
    world.transport = ARMS[arm](baseline.PIPELINE).transport
    world.begin(0)
    world.ready()
    return world


def round_of(world: LoopbackWorld, in_flight: int, seconds: float) -> dict[str, float]:
    """Return one round's figures, and how far it moved the providers' ledger.

    Raises ProviderError where nothing answered.
    """
    before = world.providers
    began = world.clock_ns()
    taken_ms, failed = world.run(under_load(world, in_flight, seconds))
    took_s = (world.clock_ns() - began) / NS
    if not taken_ms:
        raise ProviderError(f"none of {failed} requests was answered within {took_s:.3g} s")
    return {
        "requests/s": len(taken_ms) / took_s,
        "p50 ms": float(np.percentile(taken_ms, 50)),
        "p95 ms": float(np.percentile(taken_ms, 95)),
        "requests": float(len(taken_ms)),
        "requests failed": float(failed),
        **count_connections(before, world.providers),
    }


def count_connections(before: ProviderLedger, after: ProviderLedger) -> dict[str, float]:
    return {
        "connections": float(after.connections - before.connections),
        "handshakes": float(after.handshakes - before.handshakes),
        "discards": float(after.discarded - before.discarded),
    }


async def under_load(world: LoopbackWorld, in_flight: int, seconds: float) -> tuple[list[float], int]:
    """Keep ``in_flight`` requests under way for some seconds.

    Returns the milliseconds that each answered request took, and how many requests failed.
    """
    requests = itertools.cycle(burst_of(world.market.symbols, in_flight))
    ends_at = world.clock_ns() + seconds * NS
    taken_ms: list[float] = []
    failed = 0

    async def client() -> None:
        nonlocal failed
        while not (taken_ms or failed) or world.clock_ns() < ends_at:
            began = world.clock_ns()
            try:
                await world.transport(world, next(requests))
            except ProviderError:
                failed += 1
            else:
                taken_ms.append((world.clock_ns() - began) / 1e6)

    await asyncio.gather(*(client() for _ in range(in_flight)))
    return taken_ms, failed


def observe_idle(setting: Setting) -> Iterator[Observation]:
    """Observe requests on connections that the providers close at about the moment when they are used again."""
    yield from observe_idle_closes(setting, waves=200 if setting.full else 40)


def observe_idle_closes(setting: Setting, waves: int) -> Iterator[Observation]:
    condition = Condition(8, False, 0.0)
    for arm in ARMS:
        rng = random.Random(setting.seed)
        with world_of(setting, arm, condition, IDLE_CLOSE_S) as world:
            failed = world.run(in_waves(world, burst_of(world.market.symbols, 0)[: condition.in_flight], waves, rng))
            seen = world.providers
        values = {
            "requests": float(waves * condition.in_flight),
            "requests failed": float(failed),
            "idle closed": float(seen.idle_closed),
            "connections": float(seen.connections),
        }
        yield Observation(arm, f"8 in flight, TCP, closed after {1000 * IDLE_CLOSE_S:.0f} ms without a request", values)


async def in_waves(world: LoopbackWorld, requests: Sequence[Request], waves: int, rng: random.Random) -> int:
    """Count how many requests fail that are sent together, again
    and again, after about the time that connections live."""
    failed = 0
    for _ in range(waves):
        answers = await asyncio.gather(
            *(world.transport(world, request) for request in requests), return_exceptions=True
        )
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, ProviderError):
                raise answer
            failed += isinstance(answer, ProviderError)
        await asyncio.sleep(IDLE_CLOSE_S + rng.uniform(-CROSSING_S, CROSSING_S))
    return failed


TRIALS = (
    Trial(
        "O14",
        "connections under load",
        "small requests to one provider, so many under way for 0.3 s a round; pools are warm, the provider answers at "
        "once; discards are connections that the client closed though they could have carried more",
        observe_load,
        servers=frozenset({"providers"}),
        reference=SMALL_POOLS,
        compared=("requests/s", "p50 ms", "p95 ms"),
    ),
    Trial(
        "O14",
        "connections closed while idle",
        "requests that are sent as the provider closes their connections: those that fail",
        observe_idle,
        servers=frozenset({"providers"}),
        reference=SMALL_POOLS,
    ),
)
