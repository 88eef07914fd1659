"""The simulated world has no sockets and is deterministic and seeded, and its latencies cost no real time.

Providers answer from ``content``; the database is a real SQLite file. What the other side of a request computes is
prepared in ``begin``, outside the pipeline's time, or on demand where nothing is timed. New connections are counted. A
handshake and a look-up in the shared store cost constant times that were measured on sockets.

Between two cycles the service idles, and what was started in the background goes on until the next cycle is due. Its
requests and its CPU time are counted; its waiting is nobody's, since both clocks pass over it outside of the cycles.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argo_bench.pipeline.model import Pending, Pool, ProviderError, Redis, Request
from argo_bench.pipeline.world import content
from argo_bench.pipeline.world.base import CYCLE_S, EPOCH_S, BaseWorld, Market
from argo_bench.pipeline.world.clock import NS, Clock, SimulatedLoop, nanoseconds

HANDSHAKE_S = 0.0433
"""The time that a new connection costs beyond its request: TCP and TLS at a round trip of 20 ms.

It is the median of O14's trial ("1 in flight, TLS, RTT 20 ms", no session against a warm one) in
results/reference/sockets.
"""

ROUND_TRIP_S = 0.00015
"""The time that a look-up in the shared store costs.

It is the median read of fetched bars from Redis on the same machine, of O01's trial ("2 workers, TCP") in
results/reference/sockets.
"""


DRAINED_WITHIN_S = 600.0
"""How long a world that is drained waits for background work, in seconds of the virtual clock; what takes longer is
taken for something that never ends, and dropped."""

STORE_CACHE_KB = 64
"""How much of the modelled shared store SQLite may hold in this process's memory."""
SETS_BETWEEN_REMOVALS = 256
"""After so many values are stored, those that have expired are removed, as the real store does by itself."""


class SimulatedPending:
    """Stands for a request of the simulated world that is sent already: its ``answer`` (which may be an error to raise)
    and its latency are settled. ``provider`` is empty for a command to the shared store."""

    __slots__ = ("_latency_ns", "_provider", "_sent_in", "_world", "answer")

    def __init__(self, world: SimulatedWorld, answer: Any, latency_ns: int, provider: str = "") -> None:
        self._world = world
        self.answer = answer
        self._latency_ns = latency_ns
        self._provider = provider
        self._sent_in = world.period

    def result(self) -> Any:
        self._world.clock.block(self._latency_ns)
        return self._unpack()

    def __await__(self) -> Generator[Any, None, Any]:
        yield from asyncio.sleep(self._latency_ns / NS).__await__()
        return self._unpack()

    def _unpack(self) -> Any:
        if self._provider and (self._world.period != self._sent_in or self._world.is_idle):
            self._world.ledger.background[self._provider] += 1
        if isinstance(self.answer, ProviderError):
            raise self.answer
        return self.answer


@dataclass(frozen=True, slots=True)
class Simulation:
    """Says how the outside is simulated.

    ``busy_ns`` counts real time and ``cpu_ns`` the process's CPU time; tests inject their own. ``error_rate`` is the
    share of requests that fail, and ``handshake_s`` is what a new connection costs. Without ``prepare_ahead`` a
    symbol's answers are computed when it is first asked for in a cycle: the answers are the same, and studies that
    count and do not time have less work. ``opinion_minutes`` is the time constant of the models' opinions
    (``content``); they are drawn anew every cycle where it is 0.
    """

    busy_ns: Callable[[], int] = time.perf_counter_ns
    cpu_ns: Callable[[], int] = time.process_time_ns
    error_rate: float = 0.0
    handshake_s: float = HANDSHAKE_S
    prepare_ahead: bool = True
    opinion_minutes: float = 0.0


class SimulatedWorld(BaseWorld):
    """Holds the providers, the database and the clocks of one run.

    Use it as a context manager; ``run`` drives a coroutine. ``latency_scale`` multiplies every latency, those of
    handshakes and of the shared store too. ``background_cpu_ns`` is the CPU time that background work has taken between
    cycles, and ``period`` numbers the cycles and the idle times between them. For studies that count and do not time,
    the database need not be ``durable`` (it then runs with synchronous OFF).
    """

    _loop: SimulatedLoop

    def __init__(
        self,
        market: Market,
        simulation: Simulation = Simulation(),
        *,
        seed: int = 0,
        directory: Path | None = None,
        latency_scale: float = 1.0,
        durable: bool = True,
    ) -> None:
        super().__init__(market, seed=seed, directory=directory, durable=durable)
        self.clock = Clock(simulation.busy_ns)
        self.overruns = 0
        self.period = 0
        self.is_idle = False
        self._cpu_ns = simulation.cpu_ns
        self._opinion_minutes = simulation.opinion_minutes
        self._latency_scale = latency_scale
        self._error_rate = simulation.error_rate
        self._handshake_ns = nanoseconds(simulation.handshake_s * latency_scale)
        self.round_trip_ns = nanoseconds(ROUND_TRIP_S * latency_scale)
        self._prepare_ahead = simulation.prepare_ahead
        self._loop = SimulatedLoop(self.clock)
        self._answers: dict[tuple[str, str, str], Any] = {}
        self._unpaid_ns = 0
        self._redis = ModelledRedis(self)

    def discard(self) -> None:
        super().discard()
        self._redis.close()

    # The clocks

    def now(self) -> float:
        return EPOCH_S + self.clock.virtual_ns / NS

    def clock_ns(self) -> int:
        return self.clock.hybrid_ns()

    def block(self, seconds: float) -> None:
        self.clock.block(nanoseconds(seconds))

    def begin(self, cycle: int) -> None:
        """Start a cycle at max(5 s x cycle, now), and with
        ``prepare_ahead`` prepare what the providers will answer in it."""
        if cycle == self.cycle:
            return
        self.clock.stop()
        due_ns = CYCLE_S * NS * cycle
        self.overruns += self.clock.virtual_ns > due_ns
        self.clock.jump_to(due_ns)
        self.cycle = cycle
        self.period += 1
        self._answers = {}
        if self._prepare_ahead:
            for symbol in self.market.symbols:
                self._prepare(symbol)
        self.clock.go()

    # Between cycles

    @property
    def has_background(self) -> bool:
        return self._loop.has_work

    async def idle(self, cycle: int) -> None:
        await self.idle_until(CYCLE_S * NS * cycle)

    async def idle_until(self, virtual_ns: int) -> None:
        """Wait until a time of the virtual clock while background work runs.

        Whatever is not done by then goes on from there. The hybrid clock passes by the same time, so that a wait which
        began before ends on both clocks at the same place in the cycle.
        """
        if virtual_ns > self.clock.virtual_ns and self.has_background:
            with self._idling():
                await asyncio.sleep((virtual_ns - self.clock.virtual_ns) / NS)

    async def wind_down(self) -> float:
        """Close the resources and wait for what is still under way; return the seconds of the virtual clock it took."""
        began_ns = self.clock.virtual_ns
        with self._idling():
            await self.resources.aclose()
            if rest := asyncio.all_tasks() - {asyncio.current_task()}:
                await asyncio.wait(rest, timeout=DRAINED_WITHIN_S)
        return (self.clock.virtual_ns - began_ns) / NS

    @contextmanager
    def _idling(self) -> Iterator[None]:
        cpu_ns = self._cpu_ns()
        self.period += 1
        self.is_idle = True
        try:
            yield
        finally:
            self.is_idle = False
            self.period += 1
            self.background_cpu_ns += self._cpu_ns() - cpu_ns

    def _prepare(self, symbol: str) -> None:
        bars = self.market.bars(symbol, self.cycle)
        self._answers |= content.answers(self.seed, self.cycle, symbol, bars, self._opinion_minutes)

    # Requests

    def connect(self, provider: str) -> None:
        """Open a connection; the next request pays for its handshake."""
        self.ledger.connections += 1
        self._unpaid_ns += self._handshake_ns

    def exchange(self, request: Request) -> SimulatedPending:
        """Send the request and return it as pending: answer and latency are settled, the wait is left to the caller."""
        latency_ns, self._unpaid_ns = self._latency_ns(request) + self._unpaid_ns, 0
        self.ledger.requests[request.provider] += 1
        if self._error_rate and self._fails(request):
            self.ledger.failures[request.provider] += 1
            error = ProviderError(f"{request.provider} answered 503")
            return SimulatedPending(self, error, latency_ns, request.provider)
        answer = self._answer(request)
        if request.prompt:
            answer = content.completion(self.seed, self.cycle, request, answer)
            self._bill(answer)
        return SimulatedPending(self, answer, latency_ns, request.provider)

    def _fails(self, request: Request) -> bool:
        key = (self.seed, "error", request.provider, request.symbol, request.what, self.cycle, request.attempt)
        return content.uniform(*key) < self._error_rate

    def _latency_ns(self, request: Request) -> int:
        if not self._latency_scale:
            return 0
        return nanoseconds(content.latency_s(self.seed, self.cycle, request) * self._latency_scale)

    def _answer(self, request: Request) -> Any:
        if request.what == "explanation":
            return content.explanation(self.seed, self.cycle, request.symbol, request.prompt)
        key = request.provider, request.symbol, request.what
        if key not in self._answers:
            self._prepare(request.symbol)
        return self._answers[key]

    def session(self, pool: Pool) -> Callable[[Request], Pending[Any]]:
        """Return a client that opens connections as its pool says; what it saves are handshakes."""
        return ModelledPool(self, pool)

    @property
    def redis(self) -> Redis:
        return self._redis


class ModelledPool:
    """Models the connections of a client in a world without sockets.

    A connection is opened where none is idle, and one that is given back to a full pool is closed. A client that must
    not open one more waits for one, where it can wait.
    """

    def __init__(self, world: SimulatedWorld, pool: Pool) -> None:
        self._world = world
        self._pool = pool
        self._idle: Counter[str] = Counter()
        self._gates: dict[str, asyncio.Semaphore] = {}

    def __call__(self, request: Request) -> PooledPending:
        return PooledPending(self, self._world, request)

    def take(self, host: str) -> None:
        if self._idle[host]:
            self._idle[host] -= 1
        else:
            self._world.connect(host)

    def give_back(self, host: str) -> None:
        self._idle[host] = min(self._idle[host] + 1, self._pool.size)

    def gate(self, host: str) -> asyncio.Semaphore | None:
        """Return the semaphore that a request acquires before it is sent, or None where the pool does not block."""
        if not self._pool.block:
            return None
        return self._gates.setdefault(host, asyncio.Semaphore(self._pool.size))


class PooledPending:
    """Stands for a request that is sent through a modelled pool when it is waited for."""

    __slots__ = ("_pool", "_request", "_world")

    def __init__(self, pool: ModelledPool, world: SimulatedWorld, request: Request) -> None:
        self._pool = pool
        self._world = world
        self._request = request

    def result(self) -> Any:
        host = self._request.provider
        self._pool.take(host)
        try:
            return self._world.exchange(self._request).result()
        finally:
            self._pool.give_back(host)

    def __await__(self) -> Generator[Any, None, Any]:
        gate = self._pool.gate(self._request.provider)
        return (self._send() if gate is None else self._send_through_gate(gate)).__await__()

    async def _send_through_gate(self, gate: asyncio.Semaphore) -> Any:
        async with gate:
            return await self._send()

    async def _send(self) -> Any:
        host = self._request.provider
        self._pool.take(host)
        try:
            return await self._world.exchange(self._request)
        finally:
            self._pool.give_back(host)


class ModelledRedis:
    """Models the shared store in a world without sockets: it keeps values by key until they expire, at a round trip a
    command.

    Keys and values are on disk, in a database that SQLite removes by itself: a store's memory is not the memory of the
    processes that ask it. Moving the bytes is part of the round trip, so that the hybrid clock stands still meanwhile.
    """

    def __init__(self, world: SimulatedWorld) -> None:
        self._world = world
        self._sets = 0
        self._opened: sqlite3.Connection | None = None

    def get(self, key: str) -> SimulatedPending:
        rows = self._run("SELECT value FROM kept WHERE key = ? AND expires > ?", key, self._world.now())
        return SimulatedPending(self._world, rows[0][0] if rows else None, self._world.round_trip_ns)

    def set(self, key: str, value: bytes, ttl_s: float) -> SimulatedPending:
        now = self._world.now()
        self._run("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", key, now + ttl_s, value)
        self._sets += 1
        if self._sets % SETS_BETWEEN_REMOVALS == 0:
            self._run("DELETE FROM kept WHERE expires <= ?", now)
        return SimulatedPending(self._world, None, self._world.round_trip_ns)

    def keys(self) -> list[str]:
        """Return the keys of all values, of those that have expired too until they are removed."""
        return [key for (key,) in self._run("SELECT key FROM kept")]

    def damage(self) -> None:
        """Cut off the second half of every value."""
        self._run("UPDATE kept SET value = substr(value, 1, length(value) / 2)")

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _run(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        self._world.clock.stop()
        try:
            return self._connection.execute(statement, values).fetchall()
        finally:
            self._world.clock.go()

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._opened is None:
            # The empty name is that of a database which is on disk and has no name there.
            self._opened = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            for pragma in (f"cache_size = -{STORE_CACHE_KB}", "journal_mode = OFF", "synchronous = OFF"):
                self._opened.execute(f"PRAGMA {pragma}").close()
            self._opened.execute("CREATE TABLE kept (key TEXT PRIMARY KEY, expires REAL, value BLOB)").close()
        return self._opened
