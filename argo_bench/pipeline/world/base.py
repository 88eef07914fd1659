"""All worlds have in common what is here: the requests that stages make, the database, the sinks and the ledger."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Coroutine, Generator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

from argo_bench.pipeline.model import Bars, Completion, Ledger, Pending, Provider, Request, World
from argo_bench.pipeline.world import content
from argo_bench.pipeline.world.database import FILE_NAME, INSERT, REWRITE, Settings, open_database, read_settings
from argo_bench.temporary import owned_prefix

EPOCH_S = 1_736_951_400.0
"""The moment at which the virtual clock starts: 2025-01-15
14:30 UTC, the opening of the day that the documents carry."""

CYCLE_S = 5
OPINION = "Sentiment of {symbol}? Answer as direction=LONG|SHORT confidence=0..100"
"""The prompt that both opinion models are asked with."""

Value = TypeVar("Value")


class Market(Protocol):
    """Describes where bars come from: a ``market.Tape``, or anything of its shape."""

    @property
    def symbols(self) -> Sequence[str]: ...
    def bars(self, symbol: str, cycle: int) -> Bars: ...


class Text:
    """Stands for the text of a completion that is under way."""

    __slots__ = ("_pending",)

    def __init__(self, pending: Pending[Completion]) -> None:
        self._pending = pending

    def result(self) -> str:
        return self._pending.result().choices[0].message.content

    def __await__(self) -> Generator[Any, None, str]:
        completion: Completion = yield from self._pending.__await__()
        return completion.choices[0].message.content


class BaseWorld:
    """Implements the half of a world that does not depend on how requests travel and how time passes.

    ``run`` drives a coroutine. Used as a context manager, a world drains its resources at the end. ``directory`` holds
    the database; without one a temporary directory is made, and removed at the end. A database that need not be
    ``durable`` runs with synchronous OFF, whatever level a stage asks for.
    """

    _loop: asyncio.AbstractEventLoop

    def __init__(self, market: Market, *, seed: int, directory: Path | None, durable: bool) -> None:
        self.market = market
        self.seed = seed
        self.ledger = Ledger()
        self.resources = AsyncExitStack()
        self.when_rewritten: list[Callable[[Mapping[str, str]], None]] = []
        self.transport: Callable[[Any, Request], Pending[Any]] = _unset_transport
        self.cycle = -1
        self.background_cpu_ns = 0
        self._is_durable = durable
        self._temporary = None if directory else tempfile.TemporaryDirectory(prefix=owned_prefix("world"))
        self.directory = directory or Path(self._temporary.name)  # type: ignore[union-attr]
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.run(self.resources.aclose())
        self.discard()

    def discard(self) -> None:
        """Close everything without draining the resources: work that was put off is dropped."""
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
        """Run the coroutine on the world's loop and return its
        result, also when called inside a running loop (Jupyter)."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self._loop.run_until_complete(work)
        return in_thread(lambda: self._loop.run_until_complete(work))

    def ignore_abandoned_tasks(self) -> None:
        """Say nothing of what is raised in tasks that nobody waits for, where only results are looked at."""
        self._loop.set_exception_handler(lambda loop, context: None)

    def nominal_time(self) -> float:
        """Return when the current cycle was due, in seconds since the epoch."""
        return EPOCH_S + CYCLE_S * self.cycle

    # Between cycles

    @property
    def has_background(self) -> bool:
        """Whether something is under way that goes on by itself while the service idles."""
        return False

    async def idle(self, cycle: int) -> None:
        """Wait until a cycle is due, while background work runs. Where time is real, nothing is waited for."""

    async def idle_until(self, virtual_ns: int) -> None:
        """Wait until a time of the virtual clock, while background work runs. Where time is real, do nothing."""

    def pass_idle(self, virtual_ns: int) -> None:
        """Do what ``idle_until`` does, from outside the loop, where there is any background work."""
        if self.has_background:
            self.run(self.idle_until(virtual_ns))

    # Requests

    def bars(self, provider: Provider, symbol: str) -> Pending[Bars]:
        return self.transport(self, Request(provider, symbol, "bars"))

    def opinion(self, provider: Provider, symbol: str, what: str) -> Pending[Any]:
        """Ask for a technical figure (``rsi``, ``sma``, ``quote``) or for a model's one-line reply (``opinion``)."""
        if what == "opinion":
            return self._ask_model(provider, symbol, what, OPINION.format(symbol=symbol))
        return self.transport(self, Request(provider, symbol, what))

    def ask(self, symbol: str, prompt: str) -> Pending[str]:
        """Ask the explanation model and return its pending answer."""
        return self._ask_model("explanation", symbol, "explanation", prompt)

    def _ask_model(self, provider: Provider, symbol: str, what: str, prompt: str) -> Text:
        model = content.MODELS[provider]
        request = Request(
            provider, symbol, what, prompt, 0, model.system, model.name, model.max_tokens, model.temperature
        )
        return Text(self.transport(self, request))

    def _bill(self, completion: Completion) -> None:
        self.ledger.input_tokens += completion.usage.prompt_tokens
        self.ledger.output_tokens += completion.usage.completion_tokens
        self.ledger.dollars += content.dollars(completion.model, completion.usage)

    # The database and the sinks

    @property
    def _database(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self.connect_database()
        return self._connection

    @property
    def database_settings(self) -> Settings:
        """The settings that are in force on the world's own connection, the one that writes."""
        return read_settings(self._database)

    def insert(self, row: Mapping[str, Any]) -> None:
        """Insert one row and commit."""
        self.insert_many([row])

    def insert_many(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows by one INSERT each, and commit once.

        Raises sqlite3.IntegrityError where a row violates a constraint and sqlite3.OperationalError where the disk does
        not take the rows; in both cases none of them is kept.
        """
        with self._storing(len(rows)):
            self._database.executemany(INSERT, rows)

    def insert_numbered(self, rows: Sequence[Mapping[str, Any]]) -> list[int]:
        """Insert rows as ``insert_many`` does, and return the numbers that SQLite gave them. Raises what it raises.

        In one transaction they follow each other, since SQLite gives each row the highest number so far and one more.
        """
        with self._storing(len(rows)):
            self._database.executemany(INSERT, rows)
            (last,) = self._database.execute("SELECT last_insert_rowid()").fetchone()
            return [*range(last - len(rows) + 1, last + 1)]

    @contextmanager
    def _storing(self, rows: int) -> Iterator[None]:
        self.ledger.sql_statements += rows
        self.ledger.commits += 1
        try:
            with self._database:
                yield
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
                raise
            raise sqlite3.OperationalError(
                f"{self.directory / FILE_NAME}: expected room for {rows} rows, got {str(error)!r}; none of them "
                "is stored: free space on the disk or raise the limit on the size of files, and store them again"
            ) from error
        self.ledger.rows += rows

    def rewrite(self, texts: Mapping[str, str]) -> None:
        """Replace the explanations of stored signals, by their ids, in one transaction, and tell ``when_rewritten``.

        A signal without a row has no explanation to replace.
        """
        self.ledger.sql_statements += len(texts)
        self.ledger.commits += 1
        self.ledger.rewrites += len(texts)
        with self._database:
            self._database.executemany(REWRITE, [(text, signal_id) for signal_id, text in texts.items()])
        for tell in self.when_rewritten:
            tell(texts)

    def execute(self, statement: str) -> None:
        self.ledger.sql_statements += 1
        self._database.execute(statement).close()
        if not self._is_durable:
            self._database.execute("PRAGMA synchronous = OFF")

    def connect_database(self) -> sqlite3.Connection:
        connection = open_database(self.directory / FILE_NAME)
        if not self._is_durable:
            connection.execute("PRAGMA synchronous = OFF")
        return connection

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        self.ledger.sql_statements += 1
        self.ledger.queries += 1
        return self._database.execute(sql, parameters).fetchall()

    def database_version(self) -> int:
        """Return a number that changes with a commit by another connection, and stays after one by the world's own.

        It is SQLite's data_version, which reads no row: it is no query, and is counted apart.
        """
        self.ledger.sql_statements += 1
        self.ledger.version_checks += 1
        version: int = self._database.execute("PRAGMA data_version").fetchone()[0]
        return version

    def publish(self, log_line: str | bytes, body: str | bytes) -> None:
        """Send the log line and the body of the outbound POST out of the process.

        Here they are only counted, nothing waits.
        """
        self.ledger.bytes_out += len(log_line) + len(body)


def _unset_transport(world: World, request: Request) -> Pending[Any]:
    raise RuntimeError("this world has no transport yet; run a pipeline's cycle, or set world.transport")


def in_thread(call: Callable[[], Value]) -> Value:
    """Make the call in a thread of its own, and return what it returns or raise what it raises."""
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
