"""The types that flow through the pipeline are defined here, and the World through which a stage reaches the outside.

Units: prices in the quote currency, volumes in shares or coins, confidences 0..100, times in seconds since the epoch
(UTC) unless a name ends in ``_ns``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    import sqlite3

    import numpy as np
    from numpy.typing import NDArray

Direction = Literal["LONG", "SHORT", "NEUTRAL"]
Regime = Literal["TRENDING", "CONSOLIDATION", "VOLATILE", "UNKNOWN"]
Provider = Literal["massive", "alpaca", "alpha_vantage", "x_sentiment", "sonar", "explanation"]

SOURCES = ("massive", "alpha_vantage", "x_sentiment", "sonar")
"""The four signal sources, in the fixed order in which votes are summed."""

COLUMNS = ("open", "high", "low", "close", "volume")
STRATEGY = "weighted_consensus"
Reply = TypeVar("Reply", covariant=True)


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Holds daily OHLCV bars of one symbol, oldest first, as a provider returns them.

    ``timestamps``: shape (n,), datetime64[us], UTC, strictly increasing.
    ``values``: shape (5, n), float64, one row each for open, high, low, close, volume.
    """

    symbol: str
    timestamps: NDArray[np.datetime64]
    values: NDArray[np.float64]

    def __len__(self) -> int:
        return int(self.values.shape[1])


@dataclass(frozen=True, slots=True)
class Opinions:
    """Holds the raw replies of the providers that give no market data.

    ``technical``: the technical provider's three figures (``rsi``, ``sma``, ``quote``).
    ``x_sentiment``, ``sonar``: the models' one-line texts.
    """

    technical: Mapping[str, float]
    x_sentiment: str
    sonar: str


@dataclass(frozen=True, slots=True)
class Fetched:
    bars: Bars
    opinions: Opinions


@dataclass(frozen=True, slots=True)
class Served:
    """Replaces what would be fetched: the symbol's last decision stands, None where it had none."""

    decision: Decision | None


@dataclass(frozen=True, slots=True)
class Indicators:
    """Holds the latest value of every indicator; NaN where the history is too short.

    Definitions and seeds are TA-Lib's; ``baseline/indicators.py`` names them one by one.
    """

    close: float
    sma20: float
    sma50: float
    sma200: float
    ema12: float
    ema26: float
    macd: float
    macd_signal: float
    macd_hist: float
    rsi14: float
    atr14: float
    plus_di14: float
    minus_di14: float
    adx14: float
    bb_upper: float
    bb_middle: float
    bb_lower: float
    volume_sma20: float
    volume_ratio: float
    change_1: float
    change_4: float
    volatility20: float
    volatility50: float


class Signal(NamedTuple):
    """Holds one source's opinion. It is a tuple, so that ``json.dumps`` takes it as it is."""

    direction: Direction
    confidence: float


Signals = Mapping[str, Signal]
"""Maps source names to signals, in the order of SOURCES; a source without a usable reply is absent."""


@dataclass(frozen=True, slots=True)
class Consensus:
    direction: Direction
    confidence: float


@dataclass(frozen=True, slots=True)
class Reasoning:
    """Holds the explanation of a decision and who wrote it; a template is never passed off as the model's."""

    text: str
    author: Literal["model", "template"]


@dataclass(frozen=True, slots=True)
class Decision:
    """Holds a signal that may be published. ``timestamp`` is the cycle's nominal time.

    ``reference`` is the provider's quote that the entry is checked against. ``sources`` are the directions that the
    sources voted for, in their fixed order.
    """

    signal_id: str
    symbol: str
    direction: Direction
    entry: float
    stop: float
    target: float
    confidence: float
    regime: Regime
    strategy: str
    sources: tuple[tuple[str, Direction], ...]
    timestamp: float
    reference: float
    reasoning: str = ""
    reasoning_author: str = ""


@dataclass(frozen=True, slots=True)
class Rejection:
    decision: Decision
    rule: str


@dataclass(frozen=True, slots=True)
class Validated:
    kept: tuple[Decision, ...]
    rejected: tuple[Rejection, ...]


@dataclass(frozen=True, slots=True)
class Encoded:
    """Holds one decision as JSON for its three sinks: the log line, the outbound POST, the row (by its SHA-256)."""

    decision: Decision
    log_line: str | bytes
    body: str | bytes
    sha256: str


@dataclass(frozen=True, slots=True)
class Readings:
    """Holds what the readers' three queries return after a cycle."""

    latest: Sequence[Any]
    latest_of_symbol: Sequence[Any]
    win_rate: float | None


@dataclass(frozen=True, slots=True)
class Request:
    """Describes one request to a provider. ``what`` tells several requests to the same provider apart.

    A request to a language model carries a prompt; it travels as a ``ChatRequest`` and a ``Completion`` comes back.
    """

    provider: Provider
    symbol: str
    what: str
    prompt: str = ""
    attempt: int = 0
    system: str = ""
    model: str = ""
    max_tokens: int = 0
    temperature: float = 0.0


class Message(NamedTuple):
    role: Literal["system", "user", "assistant"]
    content: str


class ChatRequest(NamedTuple):
    """Holds the body of ``POST /v1/chat/completions`` as OpenAI-compatible services take it."""

    model: str
    messages: tuple[Message, ...]
    max_tokens: int
    temperature: float


class Usage(NamedTuple):
    """Holds the numbers of tokens that a model's service counted and bills."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Choice(NamedTuple):
    message: Message
    finish_reason: Literal["stop", "length"]


class Completion(NamedTuple):
    """Holds a model's reply as OpenAI-compatible services return it."""

    id: str
    model: str
    choices: tuple[Choice, ...]
    usage: Usage


class ProviderError(Exception):
    """Is raised where a provider answered with an error or not at all."""


class StoreError(Exception):
    """Is raised where the shared store did not answer, or refused."""


class Pending(Protocol[Reply]):
    """Stands for a request under way: ``result()`` blocks until its
    answer is there, ``await`` lets other tasks run meanwhile."""

    def result(self) -> Reply: ...

    def __await__(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Pool:
    """Says how a client keeps connections.

    ``client`` is the library, ``hosts`` the number of hosts that it keeps a pool for, ``size`` the number of
    connections that it keeps per host. With ``block`` a request waits for one of these; without it, the request opens
    one connection more, which is thrown away afterwards. ``size`` 0 keeps none.
    """

    client: Literal["requests", "aiohttp"]
    hosts: int = 10
    size: int = 10
    block: bool = False


class Redis(Protocol):
    """Describes the shared store as a stage sees it: it keeps bytes by key for a number of seconds.

    The Pending of either method raises StoreError when the server does not answer.
    """

    def get(self, key: str) -> Pending[bytes | None]: ...
    def set(self, key: str, value: bytes, ttl_s: float) -> Pending[None]: ...


@dataclass(slots=True)
class Ledger:
    """Counts exactly everything that crossed the border of the process; the counts have no noise.

    ``rows`` are those that were committed. ``background`` are those of the ``requests`` whose answer no cycle waited
    for: it came while the service idled, or in a later cycle than the one that asked. ``queries``
    are those that read rows; ``version_checks`` ask SQLite whether another connection has committed anything, and read
    none. ``rewrites`` are rows whose explanation was replaced.
    """

    requests: Counter[str] = field(default_factory=Counter)
    background: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    dollars: float = 0.0
    bytes_out: int = 0
    sql_statements: int = 0
    queries: int = 0
    version_checks: int = 0
    rewrites: int = 0
    commits: int = 0
    rows: int = 0


class World(Protocol):
    """Describes everything outside the pipeline. A stage reaches the outside through its World and nothing else.

    ``now()`` is the virtual clock (CPU costs nothing; all that is counted or compared uses it), ``clock_ns()`` the
    clock that times are taken by. ``idle`` waits until a cycle is due, while background work runs. ``resources`` holds
    clients, queues and tasks, closed in reverse; ``directory`` is the pipeline's own place on disk. ``session`` is a
    client with a pool of connections, ``redis`` the store that processes share. In the database, ``insert`` is one
    INSERT and its commit, ``insert_many`` several in one transaction, ``insert_numbered`` the same with the rows'
    numbers returned, ``execute`` a statement without rows (PRAGMA, CREATE INDEX) on the world's own connection,
    ``database_version`` a number that changes with a commit by another one, ``rewrite`` replaces explanations by the
    signals' ids and tells those in ``when_rewritten``, and ``connect_database`` opens another connection at SQLite's
    defaults, which the caller closes.
    """

    transport: Callable[[World, Request], Pending[Any]]
    resources: AsyncExitStack
    directory: Path
    ledger: Ledger
    cycle: int
    when_rewritten: list[Callable[[Mapping[str, str]], None]]

    def now(self) -> float: ...
    def nominal_time(self) -> float: ...
    def clock_ns(self) -> int: ...
    def block(self, seconds: float) -> None: ...
    async def idle(self, cycle: int) -> None: ...
    def begin(self, cycle: int) -> None: ...
    def connect(self, provider: str) -> None: ...
    def exchange(self, request: Request) -> Pending[Any]: ...
    def session(self, pool: Pool) -> Callable[[Request], Pending[Any]]: ...
    @property
    def redis(self) -> Redis: ...
    def bars(self, provider: Provider, symbol: str) -> Pending[Bars]: ...
    def opinion(self, provider: Provider, symbol: str, what: str) -> Pending[Any]: ...
    def ask(self, symbol: str, prompt: str) -> Pending[str]: ...
    def insert(self, row: Mapping[str, Any]) -> None: ...
    def insert_many(self, rows: Sequence[Mapping[str, Any]]) -> None: ...
    def insert_numbered(self, rows: Sequence[Mapping[str, Any]]) -> list[int]: ...
    def rewrite(self, texts: Mapping[str, str]) -> None: ...
    def execute(self, statement: str) -> None: ...
    def connect_database(self) -> sqlite3.Connection: ...
    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...
    def database_version(self) -> int: ...
    def publish(self, log_line: str | bytes, body: str | bytes) -> None: ...


Stage = Callable[..., Any]
MaybeAwaitable = Awaitable[Any] | Any
