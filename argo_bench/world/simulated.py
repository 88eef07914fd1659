"""The simulated world: no sockets, deterministic and seeded, with latencies that cost no real time.

Providers answer from ``content``; the database is a real SQLite file. What the other side of a request computes is
prepared in ``begin``, outside the pipeline's time, or on demand where nothing is timed. New connections are counted;
what a handshake costs is a constant that is charged per connection (zero until it has been measured on sockets).
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

from argo_bench.model import Bars, Completion, Ledger, Pending, Provider, ProviderError, Request, World
from argo_bench.world import content
from argo_bench.world.clock import NS, Clock, SimulatedLoop, nanoseconds
from argo_bench.world.database import INSERT, open_database

EPOCH_S = 1_736_951_400.0
"""The virtual clock's start: 2025-01-15 14:30 UTC, the opening of the day that the documents carry."""

CYCLE_S = 5
OPINION = "Sentiment of {symbol}? Answer as direction=LONG|SHORT confidence=0..100"
"""The prompt that both opinion models are asked with."""

Value = TypeVar("Value")


class Market(Protocol):
    """Where bars come from: a ``market.Tape``, or anything of its shape."""

    @property
    def symbols(self) -> Sequence[str]: ...
    def bars(self, symbol: str, cycle: int) -> Bars: ...


class SimulatedPending:
    """A request of the simulated world, already sent: its answer and its latency are settled."""

    __slots__ = ("_answer", "_latency_ns", "_world")

    def __init__(self, world: SimulatedWorld, answer: Any, latency_ns: int) -> None:
        self._world = world
        self._answer = answer
        self._latency_ns = latency_ns

    def result(self) -> Any:
        self._world.clock.block(self._latency_ns)
        return self._unpacked()

    def __await__(self) -> Generator[Any, None, Any]:
        yield from asyncio.sleep(self._latency_ns / NS).__await__()
        return self._unpacked()

    def _unpacked(self) -> Any:
        if isinstance(self._answer, ProviderError):
            raise self._answer
        return self._answer


class Text:
    """The text of a completion under way."""

    __slots__ = ("_pending",)

    def __init__(self, pending: Pending[Completion]) -> None:
        self._pending = pending

    def result(self) -> str:
        return self._pending.result().choices[0].message.content

    def __await__(self) -> Generator[Any, None, str]:
        completion: Completion = yield from self._pending.__await__()
        return completion.choices[0].message.content


class SimulatedWorld:
    """Providers, database and clocks of one run. Use it as a context manager; ``run`` drives a coroutine.

    ``busy_ns`` is the counter of real time (injected by tests); ``latency_scale`` multiplies every latency;
    ``error_rate`` is the share of requests that fail; ``handshake_s`` is charged for every new connection. Without
    ``prepare_ahead`` a symbol's answers are computed when it is first asked for in a cycle: the same answers, and less
    work for studies that count and do not time. For these the database need not be ``durable`` (synchronous OFF).
    """

    def __init__(
        self,
        market: Market,
        *,
        seed: int = 0,
        directory: Path | None = None,
        busy_ns: Callable[[], int] = time.perf_counter_ns,
        latency_scale: float = 1.0,
        error_rate: float = 0.0,
        handshake_s: float = 0.0,
        prepare_ahead: bool = True,
        durable: bool = True,
    ) -> None:
        self.market = market
        self.seed = seed
        self._is_durable = durable
        self.clock = Clock(busy_ns)
        self.ledger = Ledger()
        self.resources = AsyncExitStack()
        self.transport: Callable[[World, Request], Pending[Any]] = _unset_transport
        self.cycle = -1
        self.overruns = 0
        self._latency_scale = latency_scale
        self._error_rate = error_rate
        self._handshake_ns = nanoseconds(handshake_s)
        self._prepare_ahead = prepare_ahead
        self._temporary = None if directory else tempfile.TemporaryDirectory(prefix="argo-world-")
        self.directory = directory or Path(self._temporary.name)  # type: ignore[union-attr]
        self._connection: sqlite3.Connection | None = None
        self._loop = SimulatedLoop(self.clock)
        self._answers: dict[tuple[str, str, str], Any] = {}
        self._unpaid_ns = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.run(self.resources.aclose())
        self.discard()

    def discard(self) -> None:
        """Let go of everything without draining the resources: what was put off is dropped."""
        self.resources = AsyncExitStack()
        if tasks := asyncio.all_tasks(self._loop):
            for task in tasks:
                task.cancel()
            self.run(asyncio.sleep(0))
        self._loop.close()
        if self._connection is not None:
            self._connection.close()
        if self._temporary is not None:
            self._temporary.cleanup()

    def run(self, work: Coroutine[Any, Any, Value]) -> Value:
        """The coroutine's result, driven on the simulated loop, also from inside a running loop (Jupyter)."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self._loop.run_until_complete(work)
        return _in_thread(lambda: self._loop.run_until_complete(work))

    # The clocks

    def now(self) -> float:
        return EPOCH_S + self.clock.virtual_ns / NS

    def nominal_time(self) -> float:
        """When the current cycle was due, in seconds since the epoch."""
        return EPOCH_S + CYCLE_S * self.cycle

    def clock_ns(self) -> int:
        return self.clock.hybrid_ns()

    def block(self, seconds: float) -> None:
        self.clock.block(nanoseconds(seconds))

    def begin(self, cycle: int) -> None:
        """Start a cycle at max(5 s x cycle, now), and prepare what the providers will answer in it if that is due."""
        if cycle == self.cycle:
            return
        self.clock.stop()
        due_ns = CYCLE_S * NS * cycle
        self.overruns += self.clock.virtual_ns > due_ns
        self.clock.jump_to(due_ns)
        self.cycle = cycle
        self._answers = {}
        if self._prepare_ahead:
            for symbol in self.market.symbols:
                self._prepare(symbol)
        self.clock.go()

    def _prepare(self, symbol: str) -> None:
        bars = self.market.bars(symbol, self.cycle)
        trend = content.trend(bars)
        self._answers["massive", symbol, "bars"] = self._answers["alpaca", symbol, "bars"] = bars
        for what, value in content.technical(bars).items():
            self._answers["alpha_vantage", symbol, what] = value
        for model in ("x_sentiment", "sonar"):
            self._answers[model, symbol, "opinion"] = content.opinion(self.seed, self.cycle, model, symbol, trend)

    # Requests

    def bars(self, provider: Provider, symbol: str) -> Pending[Bars]:
        return self.transport(self, Request(provider, symbol, "bars"))

    def opinion(self, provider: Provider, symbol: str, what: str) -> Pending[Any]:
        """A technical figure (``rsi``, ``sma``, ``quote``) or a model's one-line reply (``opinion``)."""
        if what == "opinion":
            return self._asked(provider, symbol, what, OPINION.format(symbol=symbol))
        return self.transport(self, Request(provider, symbol, what))

    def ask(self, symbol: str, prompt: str) -> Pending[str]:
        """The explanation model's answer."""
        return self._asked("explanation", symbol, "explanation", prompt)

    def _asked(self, provider: Provider, symbol: str, what: str, prompt: str) -> Text:
        model = content.MODELS[provider]
        request = Request(
            provider, symbol, what, prompt, 0, model.system, model.name, model.max_tokens, model.temperature
        )
        return Text(self.transport(self, request))

    def connect(self, provider: str) -> None:
        """Open a connection; the next request pays for its handshake."""
        self.ledger.connections += 1
        self._unpaid_ns += self._handshake_ns

    def exchange(self, request: Request) -> SimulatedPending:
        """The request as it will travel: answer and latency are settled, the wait is the caller's."""
        latency_ns, self._unpaid_ns = self._latency_ns(request) + self._unpaid_ns, 0
        self.ledger.requests[request.provider] += 1
        if self._error_rate and self._fails(request):
            self.ledger.failures[request.provider] += 1
            return SimulatedPending(self, ProviderError(f"{request.provider} answered 503"), latency_ns)
        answer = self._answer(request)
        if request.prompt:
            answer = content.completion(self.seed, self.cycle, request, answer)
            self._bill(answer)
        return SimulatedPending(self, answer, latency_ns)

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

    def _bill(self, completion: Completion) -> None:
        self.ledger.input_tokens += completion.usage.prompt_tokens
        self.ledger.output_tokens += completion.usage.completion_tokens
        self.ledger.dollars += content.dollars(completion.model, completion.usage)

    # The database and the sinks

    @property
    def _database(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = open_database(self.directory / "signals.sqlite")
            if not self._is_durable:
                self._connection.execute("PRAGMA synchronous = OFF")
        return self._connection

    def insert(self, row: Mapping[str, Any]) -> None:
        """One INSERT and its commit."""
        self.ledger.sql_statements += 1
        with self._database:
            self._database.execute(INSERT, row)

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        self.ledger.sql_statements += 1
        return self._database.execute(sql, parameters).fetchall()

    def publish(self, log_line: str | bytes, body: str | bytes) -> None:
        """The log line and the outbound POST leave the process; nothing here waits for them."""
        self.ledger.bytes_out += len(log_line) + len(body)


def _unset_transport(world: World, request: Request) -> Pending[Any]:
    raise RuntimeError("this world has no transport yet; run a pipeline's cycle, or set world.transport")


def _in_thread(call: Callable[[], Value]) -> Value:
    outcome: list[Value] = []
    failure: list[BaseException] = []

    def target() -> None:
        try:
            outcome.append(call())
        except BaseException as error:  # noqa: BLE001 - carried to the calling thread and raised there
            failure.append(error)

    thread = threading.Thread(target=target, name="argo-world")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]
