"""The providers of the loopback world are served by this module, as one process: by ``start_providers``, or run by
itself.

The process listens in the clear, over TLS 1.3 (with a throw-away certificate made at the start) and, for the harness,
on a control port, everywhere with TCP_NODELAY, which asyncio sets. Answers and latencies are functions of the request
(``content``); the time that a cycle's answers take to compute is spent in ``/prepare``, outside of what is measured.

The network's round trip is emulated here: a request waits for one; the first request of a connection waits for one more
(TCP's handshake), and over TLS for yet another one (TLS 1.3's). Waits may be a millisecond late, as timers are.

The process ends, and removes what it made, at SIGTERM, SIGINT or EOF on its standard input, which has to be a pipe that
its parent holds. It raises UserError for a port that is in use.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import os
import pickle
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, cast
from urllib.parse import unquote

import msgspec
import trustme
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from argo_bench import parent
from argo_bench.errors import UserError
from argo_bench.pipeline.model import Provider, Request
from argo_bench.pipeline.world import content, wire
from argo_bench.pipeline.world.base import Market
from argo_bench.pipeline.world.loopback import (
    HOSTS,
    TOKEN_FILE,
    TOKEN_HEADER,
    Address,
    Conditions,
    Faults,
    ProviderLedger,
)
from argo_bench.temporary import owned_prefix

Fault = Literal["unavailable", "throttled", "hanging"]
STATUS = {"unavailable": 503, "throttled": 429}
LOCALHOST = "127.0.0.1"
ENDS = signal.SIGTERM, signal.SIGINT
BACKLOG = 1024
ATTEMPTS = 20
MARKETS = 8
"""How many markets are kept for worlds to come."""


class Book:
    """Keeps one world's conditions, its cycle's answers, and the ledger of what it was served."""

    def __init__(self, conditions: Conditions, market: Market | None) -> None:
        self.conditions = conditions
        self.ledger = ProviderLedger()
        self.connections: set[Connection] = set()
        self._market = market
        self._cycle = -1
        self._answers: dict[tuple[str, str, str], bytes | str] = {}
        self._throttled: Counter[tuple[object, ...]] = Counter()

    def prepare(self, cycle: int) -> None:
        """Compute all answers of a cycle, encoded as far as they do not depend on the question."""
        if cycle != self._cycle and self._market is not None:
            self._answers = {}
            for symbol in self._market.symbols:
                self._answers |= self._answers_for(symbol, cycle)
            self._cycle = cycle

    def body(self, cycle: int, request: Request) -> bytes:
        """Return the body of the answer to a request. Raises UserError for a request that nobody has an answer to."""
        answer = self._answer(cycle, request)
        if isinstance(answer, str):
            return wire.completion_body(content.completion(self.conditions.seed, cycle, request, answer))
        return answer

    def _answer(self, cycle: int, request: Request) -> bytes | str:
        if request.what == "explanation":
            try:
                return content.explanation(self.conditions.seed, cycle, request.symbol, request.prompt)
            except KeyError as error:
                raise UserError(f"the prompt has no line for {error}") from None
        key = request.provider, request.symbol, request.what
        answers = self._answers if cycle == self._cycle else self._answers_for(request.symbol, cycle)
        if key not in answers:
            raise UserError(f"{request.provider} knows no {request.what} of {request.symbol}")
        return answers[key]

    def _answers_for(self, symbol: str, cycle: int) -> dict[tuple[str, str, str], bytes | str]:
        if self._market is None:
            raise UserError("this world has no market")
        bars = self._market.bars(symbol, cycle)
        found: dict[tuple[str, str, str], bytes | str] = {}
        encoded = wire.bars_body(bars)
        minutes = self.conditions.behaviour.opinion_minutes
        for key, value in content.answers(self.conditions.seed, cycle, symbol, bars, minutes).items():
            if value is bars:
                found[key] = encoded
            else:
                found[key] = value if isinstance(value, str) else wire.figure_body(symbol, key[2], value)
        return found

    def fault(self, cycle: int, request: Request) -> Fault | None:
        """Return what goes wrong with a request, decided by its names alone.

        A request that was throttled counts as another attempt when it comes again under the same names, as a client
        that honours Retry-After sends it.
        """
        faults = self.conditions.behaviour.faults.get(request.provider, Faults())
        names = request.provider, request.symbol, request.what, cycle, request.attempt
        attempt = request.attempt + self._throttled[names]
        shares: dict[Fault, float] = {
            "hanging": faults.hanging,
            "unavailable": faults.unavailable,
            "throttled": faults.throttled,
        }
        for fault, share in shares.items():
            if share and content.uniform(self.conditions.seed, fault, *names[:-1], attempt) < share:
                self._throttled[names] += fault == "throttled"
                return fault
        return None


class Connection(RequestHandler):
    """Serves one connection of a client. It belongs to the world of its first request."""

    book: Book | None = None
    _answered = _received = 0
    _is_closed_by_client = False
    _idle: asyncio.TimerHandle | None = None

    def note_request(self, book: Book) -> int:
        """Count a request that has arrived, and return how many round trips it waits for."""
        self._received += 1
        if self._idle is not None:
            self._idle.cancel()
        if self.book is not None:
            return 1
        is_secure = self.ssl_context is not None
        self.book = book
        book.connections.add(self)
        book.ledger.connections += 1
        book.ledger.handshakes += is_secure
        return 2 + is_secure

    def note_answer(self) -> None:
        """Count an answer that goes out. From now on the connection is idle."""
        assert self.book is not None
        self._answered += 1
        loop = asyncio.get_running_loop()
        self._idle = loop.call_later(self.book.conditions.behaviour.idle_close_s, self._close_idle)

    def _close_idle(self) -> None:
        is_ours = self.book is not None and not self._is_closed_by_client
        self.force_close()
        if is_ours:  # counted after the close, so that whoever reads the count finds the connection closed
            asyncio.get_running_loop().call_soon(self._count_idle_close)

    def _count_idle_close(self) -> None:
        assert self.book is not None
        self.book.ledger.idle_closed += 1

    def eof_received(self) -> None:
        self._note_client_close()
        super().eof_received()

    def connection_lost(self, exc: BaseException | None) -> None:
        if exc is not None:
            self._note_client_close()
        if self._idle is not None:
            self._idle.cancel()
        if self.book is not None:
            self.book.connections.discard(self)
        super().connection_lost(exc)

    def _note_client_close(self) -> None:
        if self.book is not None and not self._is_closed_by_client:
            self.book.ledger.discarded += self._received == self._answered
        self._is_closed_by_client = True


class Providers:
    """Knows all that the process knows: markets by digest, and a book for every world."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._markets: dict[str, Market | None] = {}
        self._books: dict[str, Book] = {}

    # Requests

    async def serve(self, request: web.BaseRequest) -> web.Response:
        """Answer a request of a world.

        Its path is ``/world/cycle/provider/symbol/what/attempt``; a question to a language model has a body as well.
        """
        names = [unquote(part) for part in request.raw_path.split("/")[1:7]]
        if len(names) < 6 or names[0] not in self._books or names[2] not in HOSTS:
            return web.Response(status=404)
        book, cycle = self._books[names[0]], int(names[1])
        try:
            provider = cast(Provider, names[2])
            asked = wire.parse_request(provider, names[3], names[4], int(names[5]), await request.content.read())
        except msgspec.DecodeError:
            return web.Response(status=400)
        connection = cast(Connection, request.protocol)
        round_trips = connection.note_request(book)
        increment(book.ledger.requests, asked.provider)
        fault = book.fault(cycle, asked)
        if fault == "hanging":
            book.ledger.hanging += 1
            await asyncio.Event().wait()
        response = await self._serve_when_due(book, cycle, asked, fault, round_trips)
        connection.note_answer()
        return response

    async def _serve_when_due(
        self, book: Book, cycle: int, asked: Request, fault: Fault | None, round_trips: int
    ) -> web.Response:
        behaviour = book.conditions.behaviour
        loop = asyncio.get_running_loop()
        due = loop.time() + round_trips * behaviour.rtt_s
        if behaviour.latency_scale:
            due += behaviour.latency_scale * content.latency_s(book.conditions.seed, cycle, asked)
        response = self._response(book, cycle, asked, fault)
        try:
            if (rest := due - loop.time()) > 0:
                await asyncio.sleep(rest)
        except asyncio.CancelledError:
            book.ledger.cancelled += 1
            raise
        return response

    def _response(self, book: Book, cycle: int, asked: Request, fault: Fault | None) -> web.Response:
        if fault is not None:
            increment(book.ledger.failed, asked.provider)
            pause = str(book.conditions.behaviour.faults[asked.provider].retry_after_s)
            headers = {"Retry-After": pause} if fault == "throttled" else None
            return web.Response(status=STATUS[fault], headers=headers)
        try:
            return web.Response(body=book.body(cycle, asked), content_type="application/json")
        except UserError as error:
            return web.Response(status=404, text=str(error))

    # The harness

    async def control(self, request: web.BaseRequest) -> web.Response:
        """Answer the harness, which knows the token. Status 422 means a mistake of the user's."""
        if not secrets.compare_digest(request.headers.get(TOKEN_HEADER, ""), self._token):
            return web.Response(status=403)
        body = await request.content.read()
        await asyncio.sleep(0)  # This lets connections that were closed before be counted in the answer.
        try:
            answer = self._execute_control(request.method, request.path.split("/")[1:], body)
        except UserError as error:
            return web.Response(status=422, text=str(error))
        return web.Response(status=404) if answer is None else web.Response(body=answer)

    def _execute_control(self, method: str, path: Sequence[str], body: bytes) -> bytes | None:
        match method, *path:
            case "GET", "markets", digest:
                return b"known" if digest in self._markets else b"unknown"
            case "POST", "markets", digest:
                self._markets[digest] = pickle.loads(body)
                if len(self._markets) > MARKETS:
                    del self._markets[next(iter(self._markets))]
                return b""
            case "POST", "conditions":
                conditions = msgspec.json.decode(body, type=Conditions)
                identity = secrets.token_hex(4)
                self._books[identity] = Book(conditions, self._markets[conditions.market])
                return identity.encode()
            case "POST", "prepare", identity, cycle if identity in self._books:
                self._books[identity].prepare(int(cycle))
                return b""
            case "GET", "ledger", identity if identity in self._books:
                return msgspec.json.encode(self._books[identity].ledger)
            case "DELETE", "conditions", identity if identity in self._books:
                for connection in list(self._books.pop(identity).connections):
                    connection.force_close()
                return b""
        return None


def increment(counts: dict[str, int], name: str) -> None:
    counts[name] = counts.get(name, 0) + 1


# The process


def open_sockets(hosts: Sequence[str], port: int) -> list[socket.socket]:
    """Return listening sockets with the same port on every host; for port 0 the kernel chooses it.

    Raises UserError for a port that is in use or an address that does not exist.
    """
    for attempt in range(ATTEMPTS):
        listening: list[socket.socket] = []
        try:
            for host in hosts:
                chosen = listening[0].getsockname()[1] if listening else port
                listening.append(socket.create_server((host, chosen), backlog=BACKLOG))
        except OSError as error:
            for each in listening:
                each.close()
            if error.errno == errno.EADDRINUSE and not port and attempt < ATTEMPTS - 1:
                continue
            raise UserError(describe_unavailable(host, chosen, error)) from None
        return listening
    raise AssertionError("the last attempt returns or raises")


def describe_unavailable(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} of {host}: expected a free port, found one in use; name another one, or 0 to have a free one "
            "chosen."
        )
    return f"port {port} of {host}: expected to listen there, found {error.strerror}; make the address available."


async def run(ports: Sequence[int]) -> None:
    """Listen, print the addresses as one line of JSON, and serve until told to end."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in ENDS:
        loop.add_signal_handler(number, ended.set)
    end_with_input(loop, ended)
    with TemporaryDirectory(prefix=owned_prefix("providers")) as directory:
        place = Path(directory)
        token = secrets.token_hex(16)
        (place / TOKEN_FILE).write_text(token)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(place / "ca.pem")
        secure = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        secure.minimum_version = ssl.TLSVersion.TLSv1_3
        authority.issue_cert(*HOSTS.values()).configure_cert(secure)
        providers = Providers(token)
        hosts = tuple(HOSTS.values())
        roles = (
            (hosts, providers.serve, None),
            (hosts, providers.serve, secure),
            ((LOCALHOST,), providers.control, None),
        )
        listening = []
        for port, (at, answer, context) in zip(ports, roles, strict=True):
            server = web.Server(answer, handler_cancellation=True)
            for each in open_sockets(at, port):
                chosen = each.getsockname()[1]
                await loop.create_server(partial(Connection, server, loop=loop), sock=each, ssl=context)
            listening.append(chosen)
        say(Address(listening[0], listening[1], listening[2], str(place / "ca.pem")).to_json())
        await ended.wait()
    for number in ENDS:  # When the parent dies, its signal may come after the end of the pipe.
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_IGN)


def say(line: str) -> None:
    """Print a line for the parent, unless it is gone."""
    with suppress(BrokenPipeError):
        os.write(sys.stdout.fileno(), f"{line}\n".encode())


def end_with_input(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    """Have ``ended`` set when the other end of the standard input is closed, as it is when the parent has died."""

    def watch() -> None:
        while os.read(0, 4096):
            pass
        with suppress(RuntimeError):  # The loop is closed because a signal has come first.
            loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def start_providers(
    processor: int | None = None, *, http: int = 0, https: int = 0, control: int = 0
) -> Iterator[Address]:
    """Start the providers in a process of their own and yield where they listen.

    ``processor`` pins the process to one processor. The kernel chooses the ports that are 0. The providers end with the
    block, and with this process. The block has to be entered in the main thread (see ``parent``). Raises UserError
    where the process cannot serve.
    """
    command = [sys.executable, "-m", "argo_bench.pipeline.world.providers", *map(str, (http, https, control))]
    command += [] if processor is None else ["--processor", str(processor)]
    pipe = subprocess.PIPE
    with parent.start(command, stdin=pipe, stdout=pipe, by=signal.SIGTERM) as process:
        assert process.stdin is not None and process.stdout is not None
        address = None
        try:
            line = process.stdout.readline()
            if not line.startswith(b"{"):
                raise UserError(line.decode().strip() or "the providers' process ended before it listened")
            address = Address.from_json(line)
            yield address
        finally:
            process.stdin.close()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if address is not None:
                shutil.rmtree(Path(address.ca).parent, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="argo_bench.pipeline.world.providers", description="Serve as the providers.")
    for name in ("http", "https", "control"):
        parser.add_argument(name, type=int, nargs="?", default=0, help="port; 0: one that is free")
    parser.add_argument("--processor", type=int, help="run on this one")
    chosen = parser.parse_args()
    if chosen.processor is not None:
        os.sched_setaffinity(0, {chosen.processor})
    try:
        asyncio.run(run((chosen.http, chosen.https, chosen.control)))
    except UserError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
