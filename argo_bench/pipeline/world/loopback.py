"""The loopback world runs the pipeline against real sockets and a real clock; the client's side of it is here.

The providers are one process (``providers.py``) that listens on the loopback interface, every provider on an address of
its own, so that clients see as many hosts as there are providers. Answers and latencies are those of the simulated
world; connections, threads, event loops and TLS are real. The libraries that requests travel with are used in
``clients.py``, which is imported when the first of them is needed.
"""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import os
import pickle
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from argo_bench.errors import UserError
from argo_bench.pipeline.model import Completion, Pending, Pool, ProviderError, Redis, Request
from argo_bench.pipeline.world import content
from argo_bench.pipeline.world.base import CYCLE_S, EPOCH_S, BaseWorld, Market
from argo_bench.pipeline.world.clock import NS

if TYPE_CHECKING:
    from argo_bench.pipeline.world.clients import AiohttpClient, RequestsClient
    from argo_bench.pipeline.world.redis import RedisClient

HOSTS: Mapping[str, str] = {provider: f"127.0.0.{number}" for number, provider in enumerate(content.LATENCIES, 1)}
"""The address that each provider listens on. All of 127.0.0.0/8 is the loopback interface."""

TOKEN_FILE, TOKEN_HEADER = "token", "X-Token"
CONCURRENCY = 128
"""The number of threads that a blocking client's awaited requests may use. They are started as they are needed."""


@dataclass(frozen=True, slots=True)
class Address:
    """Says where the providers listen.

    The ports are for requests in the clear, for requests over TLS, and for the harness; ``ca`` is the path of the
    certificate by which clients verify the providers. The file with the token that the control port asks for lies
    beside it.
    """

    http: int
    https: int
    control: int
    ca: str

    def to_json(self) -> str:
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Address:
        return msgspec.json.decode(text, type=cls)


@dataclass(frozen=True, slots=True)
class Faults:
    """Holds the shares of a provider's requests that fail: answered
    503, answered 429 with ``Retry-After``, never answered.

    Which requests these are depends on the request alone.
    """

    unavailable: float = 0.0
    throttled: float = 0.0
    hanging: float = 0.0
    retry_after_s: int = 1


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the providers behave: ``latency_scale`` multiplies their latencies, ``rtt_s`` is the round trip that they add
    to each request and to each step of a connection's opening, ``faults`` are by provider, and a connection without a
    request for ``idle_close_s`` is closed by them. ``opinion_minutes`` is the time constant of opinions."""

    latency_scale: float = 1.0
    rtt_s: float = 0.0
    idle_close_s: float = 75.0
    faults: dict[str, Faults] = field(default_factory=dict)
    opinion_minutes: float = 0.0


@dataclass(frozen=True, slots=True)
class Conditions:
    """Describes how the providers behave towards one world;
    ``market`` is the digest of the market that they answer from."""

    market: str
    seed: int
    behaviour: Behaviour


@dataclass(slots=True)
class ProviderLedger:
    """Counts exactly what the providers saw of one world.

    ``connections`` are those that carried a request, ``handshakes`` those of them with TLS. ``requests`` and ``failed``
    (503 and 429) are by provider, ``hanging`` is the number of requests that are never answered. ``cancelled`` counts
    requests whose client was gone before the answer was written, and which were served all the same. ``discarded``
    counts the connections that the client closed while no request was under way, though they could have carried more,
    and ``idle_closed`` those that the providers closed. A session's own end counts in neither.
    """

    connections: int = 0
    handshakes: int = 0
    requests: dict[str, int] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    hanging: int = 0
    cancelled: int = 0
    discarded: int = 0
    idle_closed: int = 0


LIVE = "ARGO_BENCH_LIVE"
"""The environment variable that has a real model explain."""


@dataclass(frozen=True, slots=True)
class LiveModel:
    """Names a real explanation model behind an OpenAI-compatible endpoint. The key is shown nowhere."""

    base_url: str
    model: str
    key: str = field(repr=False)

    @classmethod
    def from_environment(cls) -> LiveModel | None:
        """Return the model that the environment names, or None unless ARGO_BENCH_LIVE is set.

        Raises UserError where OPENAI_API_KEY or ARGO_BENCH_LIVE_MODEL is missing.
        """
        if not os.environ.get(LIVE):
            return None
        key, model = (os.environ.get(name, "").strip() for name in ("OPENAI_API_KEY", "ARGO_BENCH_LIVE_MODEL"))
        if not key or not all("!" <= each <= "~" for each in key):
            found = "characters that no key has" if key else "nothing"
            raise UserError(
                f"OPENAI_API_KEY: expected the key of the live model's service, found {found}; set it, or unset "
                "ARGO_BENCH_LIVE to have the explanations simulated."
            )
        if not model:
            raise UserError(
                "ARGO_BENCH_LIVE_MODEL: expected the name of the live model, found nothing; set it, or unset "
                "ARGO_BENCH_LIVE to have the explanations simulated."
            )
        base_url = os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
        return cls(base_url.rstrip("/"), model, key)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Who answers a world: the providers, over ``tls`` or in the clear, the shared store behind ``redis_url`` with the
    keys of a ``namespace``, and ``live`` in place of the explanation model. None for one that there is not."""

    address: Address | None = None
    tls: bool = False
    redis_url: str | None = None
    namespace: str = ""
    live: LiveModel | None = None


class RunningClock:
    """Keeps the virtual clock of a world in real time: it runs by
    itself and can jump ahead over what nobody needs to wait for.

    It stands still until ``go``.
    """

    __slots__ = ("_reached_ns", "_since_ns")

    def __init__(self) -> None:
        self._reached_ns = 0
        self._since_ns: int | None = None

    @property
    def virtual_ns(self) -> int:
        return self._reached_ns + (0 if self._since_ns is None else time.perf_counter_ns() - self._since_ns)

    def jump_to(self, virtual_ns: int) -> None:
        """Set the clock to a time at once, unless that time has passed already."""
        self._reached_ns += max(0, virtual_ns - self.virtual_ns)

    def stop(self) -> None:
        self._reached_ns, self._since_ns = self.virtual_ns, None

    def go(self) -> None:
        if self._since_ns is None:
            self._since_ns = time.perf_counter_ns()


class Control:
    """Talks to the providers' control port, where conditions
    are set and counts are read outside of what is measured."""

    def __init__(self, address: Address) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", address.control, timeout=60)
        self._token = Path(address.ca).with_name(TOKEN_FILE)

    def conditions(self, conditions: Conditions, market: bytes) -> str:
        """Set the conditions and return the id under which the providers answer by them.

        The market is sent only where the providers do not know it yet.
        """
        if self._ask("GET", f"/markets/{conditions.market}") == b"unknown":
            self._ask("POST", f"/markets/{conditions.market}", market)
        return self._ask("POST", "/conditions", msgspec.json.encode(conditions)).decode()

    def prepare(self, identity: str, cycle: int) -> None:
        """Have a cycle's answers computed and encoded ahead. Raises UserError where the market has none."""
        self._ask("POST", f"/prepare/{identity}/{cycle}")

    def ledger(self, identity: str) -> ProviderLedger:
        return msgspec.json.decode(self._ask("GET", f"/ledger/{identity}"), type=ProviderLedger)

    def end(self, identity: str) -> None:
        """Forget the conditions and close the connections that they were for."""
        self._ask("DELETE", f"/conditions/{identity}")

    def close(self) -> None:
        self._connection.close()

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        try:
            self._connection.request(method, path, body, {TOKEN_HEADER: self._token.read_text()})
            response = self._connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise ProviderError(f"the providers' control port does not answer ({type(error).__name__})") from error
        if response.status == 422:
            raise UserError(answer.decode())
        if response.status != 200:
            raise ProviderError(f"the providers' control port answered {response.status} to {method} {path}")
        return answer


class LoopbackPending:
    """Stands for a request of the loopback world, which is sent only when it is waited for."""

    __slots__ = ("_client", "_request")

    def __init__(self, client: RequestsClient | AiohttpClient, request: Request) -> None:
        self._client = client
        self._request = request

    def result(self) -> Any:
        return self._client.send(self._request)

    def __await__(self) -> Any:
        return self._client.send_async(self._request).__await__()


class LoopbackWorld(BaseWorld):
    """Runs a pipeline against providers behind sockets, a shared store behind another socket, and a real clock.

    Without ``address`` there are no providers, without ``redis_url`` no store. ``latency_scale`` multiplies the
    providers' latencies, ``rtt_s`` is the round trip that they add to each request and to each step of a connection's
    opening, ``faults`` are given by provider, and the providers close a connection that has had no request for
    ``idle_close_s``. A request without an answer for ``timeout_s`` fails. ``live`` answers in place of the explanation
    model.

    The ledger counts as in the simulated world, except that it bills a completion when the completion has arrived.
    """

    def __init__(
        self,
        market: Market,
        endpoints: Endpoints,
        behaviour: Behaviour = Behaviour(),
        *,
        seed: int = 0,
        directory: Path | None = None,
        timeout_s: float = 30.0,
    ) -> None:
        super().__init__(market, seed=seed, directory=directory, durable=True)
        address = endpoints.address
        self.clock = RunningClock()
        self.overruns = 0
        self.timeout_s = timeout_s
        self.live = endpoints.live
        self.ca = address.ca if address and endpoints.tls else None
        self._endpoints = endpoints
        self._behaviour = behaviour
        self._control = Control(address) if address else None
        self._identity = ""
        self._clients: list[RequestsClient | AiohttpClient] = []
        self._single: RequestsClient | None = None
        self._redis: RedisClient | None = None
        self._executor: ThreadPoolExecutor | None = None
        self._counting = threading.Lock()
        self._loop = asyncio.new_event_loop()

    def discard(self) -> None:
        """Close everything: the providers end what is under way, then threads, sessions and sockets are closed."""
        if self._control is not None:
            self._end_conditions(self._control)
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
        for client in self._clients:
            client.close()
        if self._redis is not None:
            self.run(self._redis.close())
        super().discard()

    def _end_conditions(self, control: Control) -> None:
        try:
            if self._identity:
                control.end(self._identity)
        except ProviderError:
            pass  # The providers are gone, and so is their side of every connection.
        finally:
            control.close()

    # The clocks

    def now(self) -> float:
        return EPOCH_S + self.clock.virtual_ns / NS

    def clock_ns(self) -> int:
        return time.perf_counter_ns()

    def block(self, seconds: float) -> None:
        time.sleep(seconds)

    def begin(self, cycle: int) -> None:
        """Start a cycle at max(5 s x cycle, now), with the providers' answers prepared.

        Preparing takes no virtual time.
        """
        if cycle == self.cycle:
            return
        self.clock.stop()
        due_ns = CYCLE_S * NS * cycle
        self.overruns += self.clock.virtual_ns > due_ns
        self.clock.jump_to(due_ns)
        self.cycle = cycle
        self._prepare()
        self.clock.go()

    def ready(self) -> None:
        """Do ahead what would otherwise be done at the first request.

        This uploads the market, prepares the current cycle's answers, loads the libraries, and opens sessions and both
        connections to the store. Raises StoreError where the store does not answer.
        """
        self._prepare()
        if self._control is not None:
            self._without_session()
        for client in self._clients:
            client.ready()
        if self._endpoints.redis_url is not None:
            self.run(self._store.ready())

    def _prepare(self) -> None:
        if self._control is None:
            return
        identity = self._conditions()
        if self.cycle >= 0 and self.market.symbols:
            self._control.prepare(identity, self.cycle)

    def _conditions(self) -> str:
        if self._control is None:
            raise RuntimeError("this world has no providers; build it with the address of the providers' process")
        if not self._identity:
            market = pickle.dumps(self.market if self.market.symbols else None)
            digest = hashlib.blake2b(market, digest_size=16).hexdigest()
            conditions = Conditions(digest, self.seed, self._behaviour)
            self._identity = self._control.conditions(conditions, market)
        return self._identity

    @property
    def providers(self) -> ProviderLedger:
        """The counts of what the providers have seen of this world until now."""
        identity = self._conditions()
        assert self._control is not None
        return self._control.ledger(identity)

    # Requests

    def connect(self, provider: str) -> None:
        """Count a connection; the request that it is for opens it."""
        with self._counting:
            self.ledger.connections += 1

    def exchange(self, request: Request) -> LoopbackPending:
        """Return the request as one that travels on a new connection, which is closed afterwards.

        It is sent by ``requests`` without a session, as in the documents. An awaited request runs in a thread.
        """
        return LoopbackPending(self._without_session(), request)

    def session(self, pool: Pool) -> Callable[[Request], Pending[Any]]:
        """Return a client that keeps connections as its pool says.

        ``aiohttp`` always waits for one of ``size`` connections per host; it has no way to open one more and throw it
        away.
        """
        from argo_bench.pipeline.world.clients import AiohttpClient, RequestsClient

        client = AiohttpClient(self, pool) if pool.client == "aiohttp" else RequestsClient(self, pool)
        self._clients.append(client)

        def send(request: Request) -> LoopbackPending:
            return self.exchange(request) if self.is_live(request) else LoopbackPending(client, request)

        return send

    @property
    def redis(self) -> Redis:
        return self._store

    @property
    def _store(self) -> RedisClient:
        if self._redis is None:
            endpoints = self._endpoints
            if endpoints.redis_url is None:
                raise RuntimeError("this world has no shared store; build it with the URL of a Redis or Valkey server")
            from argo_bench.pipeline.world.redis import RedisClient

            self._redis = RedisClient(endpoints.redis_url, endpoints.namespace)
        return self._redis

    @property
    def executor(self) -> ThreadPoolExecutor:
        if self._executor is None:
            self._executor = ThreadPoolExecutor(CONCURRENCY, thread_name_prefix="argo-loopback")
        return self._executor

    @property
    def is_running(self) -> bool:
        return self._loop.is_running()

    def _without_session(self) -> RequestsClient:
        if self._single is None:
            from argo_bench.pipeline.world.clients import RequestsClient

            self._single = RequestsClient(self, None)
        return self._single

    # What clients ask of their world

    def is_live(self, request: Request) -> bool:
        return self.live is not None and request.provider == "explanation"

    def url(self, request: Request) -> str:
        """Return the URL of a request; its path says which request it is."""
        names = self._conditions(), self.cycle, request.provider, request.symbol, request.what, request.attempt
        path = "/".join(quote(str(each), safe="") for each in names)
        address = self._endpoints.address
        assert address is not None
        scheme, port = ("https", address.https) if self.ca else ("http", address.http)
        ending = "/v1/chat/completions" if request.prompt else ""
        return f"{scheme}://{HOSTS[request.provider]}:{port}/{path}{ending}"

    def count_sending(self, request: Request) -> None:
        """Count a request that is about to be sent."""
        with self._counting:
            self.ledger.requests[request.provider] += 1

    def count_failure(self, request: Request, why: str) -> ProviderError:
        """Count a failed request, and return the error to raise for it."""
        with self._counting:
            self.ledger.failures[request.provider] += 1
        return ProviderError(f"{request.provider} {why}")

    def count_completion(self, completion: Completion) -> None:
        with self._counting:
            self._bill(completion)

    def _bill(self, completion: Completion) -> None:
        if self.live is None:
            super()._bill(completion)
        else:  # A live model's price is not known here, but its tokens are.
            self.ledger.input_tokens += completion.usage.prompt_tokens
            self.ledger.output_tokens += completion.usage.completion_tokens
