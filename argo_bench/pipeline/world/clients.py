"""Requests of the loopback world travel with the clients defined here, built on ``requests`` and on ``aiohttp``.

Every failure becomes a ProviderError of one sentence. It is raised where neither the library's own exception nor the
response is in scope, since both hold the request's headers, and a live model's key is among these.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Retry
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from argo_bench.pipeline.model import Completion, Pool, ProviderError, Request
from argo_bench.pipeline.world import wire

if TYPE_CHECKING:
    from argo_bench.pipeline.world.loopback import LiveModel, LoopbackWorld

RETRIES = 3
"""The number of times that a client asks again when a provider names a time to do so (Retry-After with 429 or 503)."""

JSON = {"Content-Type": "application/json"}
NO_PROXY = {"http": "", "https": ""}
"""Switches off any proxy that the environment names: it is for the outside, not for the loopback interface."""


class RequestsClient:
    """Sends requests by ``requests``, which blocks.

    With a pool it uses a session that keeps connections as the pool says; without one it opens a new connection each
    time. An awaited request runs in a thread of its world's executor, where it cannot be cancelled once it is under
    way.
    """

    def __init__(self, world: LoopbackWorld, pool: Pool | None) -> None:
        self._world = world
        self._is_counting = pool is not None and not pool.size  # Without a pool the transport counts, by ``connect``.
        self._session = None
        if pool is not None and pool.size:
            retry = Retry(RETRIES, connect=0, read=False, redirect=0, other=0, allowed_methods=None)
            adapter = HTTPAdapter(pool.hosts, pool.size, max_retries=retry, pool_block=pool.block)
            adapter.poolmanager.pool_classes_by_scheme = counting_pools(lambda: world.connect(""))
            self._session = requests.Session()
            self._session.mount("http://", adapter)
            self._session.mount("https://", adapter)

    def ready(self) -> None:
        """Do nothing: a session opens its connections when it needs them."""

    def close(self) -> None:
        if self._session is not None:
            self._session.close()

    def send(self, request: Request) -> Any:
        return unwrap_answer(self._answer(request))

    def _answer(self, request: Request) -> Any:
        world = self._world
        world.count_sending(request)
        if self._is_counting:
            world.connect(request.provider)
        status, body, why = 0, b"", ""
        try:
            response = self._response(request)
            status, body = response.status_code, response.content
        except (requests.RequestException, HTTPError) as error:
            why = describe_failure(error, world.timeout_s)
        return settle_answer(world, request, status, body, why)

    async def send_async(self, request: Request) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._world.executor, self.send, request)

    def _response(self, request: Request) -> requests.Response:
        world = self._world
        if world.live is not None and world.is_live(request):
            return requests.post(
                f"{world.live.base_url}/chat/completions",
                data=wire.chat_body(replace(request, model=world.live.model)),
                headers=JSON,
                auth=Bearer(world.live),
                timeout=world.timeout_s,
                allow_redirects=False,
            )
        return (self._session or requests).request(
            "POST" if request.prompt else "GET",
            world.url(request),
            data=wire.chat_body(request) if request.prompt else None,
            headers=JSON if request.prompt else None,
            timeout=world.timeout_s,
            verify=world.ca or True,
            proxies=NO_PROXY,
        )


class AiohttpClient:
    """Sends requests by ``aiohttp`` on the world's loop.

    It has one session, which is opened with the first request and keeps connections as the pool says.
    """

    def __init__(self, world: LoopbackWorld, pool: Pool) -> None:
        self._world = world
        self._pool = pool
        self._session: aiohttp.ClientSession | None = None

    def ready(self) -> None:
        self._world.run(self._open_session())

    def close(self) -> None:
        if self._session is not None:
            self._world.run(self._close_session(self._session))

    def send(self, request: Request) -> Any:
        if self._world.is_running:
            raise RuntimeError("this request of an aiohttp session is made on the running loop: await it")
        return self._world.run(self.send_async(request))

    async def send_async(self, request: Request) -> Any:
        return unwrap_answer(await self._answer(request))

    async def _answer(self, request: Request) -> Any:
        world, session = self._world, await self._open_session()
        world.count_sending(request)
        status, body, why = 0, b"", ""
        try:
            for attempt in range(RETRIES + 1):
                async with session.request(
                    "POST" if request.prompt else "GET",
                    world.url(request),
                    data=wire.chat_body(request) if request.prompt else None,
                    headers=JSON if request.prompt else None,
                ) as response:
                    status, body = response.status, await response.read()
                pause = response.headers.get("Retry-After", "")
                if status not in (429, 503) or not pause.isdecimal() or attempt == RETRIES:
                    break
                await asyncio.sleep(int(pause))
        except (aiohttp.ClientError, TimeoutError) as error:
            why = describe_failure(error, world.timeout_s)
        return settle_answer(world, request, status, body, why)

    async def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            world, pool = self._world, self._pool
            trace = aiohttp.TraceConfig()

            async def count(*_: object) -> None:
                world.connect("")

            trace.on_connection_create_end.append(count)
            connector = aiohttp.TCPConnector(
                limit=pool.hosts * pool.size,
                limit_per_host=pool.size,
                force_close=not pool.size,
                ssl=ssl.create_default_context(cafile=world.ca) if world.ca else True,
            )
            timeout = aiohttp.ClientTimeout(total=world.timeout_s)
            self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, trace_configs=[trace])
        return self._session

    async def _close_session(self, session: aiohttp.ClientSession) -> None:
        await session.close()
        await asyncio.sleep(0)  # aiohttp's transports close one turn of the loop later.


def counting_pools(opened: Callable[[], None]) -> dict[str, Any]:
    """Return urllib3's pool classes by scheme, with connections that call ``opened`` whenever they connect.

    A dropped connection that is opened anew counts again.
    """

    class Http(HTTPConnection):
        def connect(self) -> None:
            super().connect()
            opened()

    class Https(HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            opened()

    class HttpPool(HTTPConnectionPool):
        ConnectionCls = Http

    class HttpsPool(HTTPSConnectionPool):
        ConnectionCls = Https

    return {"http": HttpPool, "https": HttpsPool}


class Bearer(AuthBase):
    """Puts a live model's key into a request's headers, so that it stands in no variable and no representation."""

    def __init__(self, live: LiveModel) -> None:
        self._live = live

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._live.key}"
        return request


def describe_failure(error: Exception, timeout_s: float) -> str:
    """Say why a request failed, without repeating anything of the request itself."""
    if isinstance(error, requests.Timeout | TimeoutError):
        return f"did not answer within {timeout_s:g} s"
    if isinstance(error, requests.exceptions.RetryError):
        return f"answered 429 or 503 to {RETRIES + 1} attempts"
    return f"could not be reached, or closed the connection ({type(error).__name__})"


def settle_answer(world: LoopbackWorld, request: Request, status: int, body: bytes, why: str) -> Any:
    """Return the answer that a body holds, or the ProviderError to raise in its place. A completion is billed."""
    if not why and status != 200:
        why = f"answered {status}"
    answer = None
    if not why:
        try:
            answer = wire.parse_answer(request, body)
        except msgspec.DecodeError:
            why = "answered with something else than what was asked for"
    if why:
        return world.count_failure(request, why)
    if isinstance(answer, Completion):
        world.count_completion(answer)
    return answer


def unwrap_answer(answer: Any) -> Any:
    """Return the answer, or raise the ProviderError that stands in its place.

    It is raised here because no body is in scope here: a body may repeat a key.
    """
    if isinstance(answer, ProviderError):
        raise answer
    return answer
