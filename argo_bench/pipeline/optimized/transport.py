"""Fewer requests and fewer connections are made here.

Answers are kept while their price can hardly have moved, equal prompts are sent once, and one client serves all
requests.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable, Generator, Hashable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from argo_bench.pipeline.lifetimes import (
    QUOTE_BUDGET,
    Changes,
    Session,
    Volatility,
    find_budget,
    session_after,
)
from argo_bench.pipeline.market import is_crypto
from argo_bench.pipeline.model import Bars, Completion, Pending, Pool, ProviderError, Request, Stage, World
from argo_bench.pipeline.record import find_at_hand

BOUND_S = 300.0
"""The age beyond which no answer is served while its market is open, counted from when it was asked for.

It is half of what validation takes for a stale decision.
"""

QUOTA = 100
"""The number of requests that a provider is asked to answer at the same time.

The study's providers name no quota, so this is the limit that aiohttp has by default. A further request waits here,
where waiting is cheap, instead of being refused there.
"""

JITTER = 0.1
"""The share by which lifetimes are shortened at most, so that what was asked for together does not expire together."""


class Arrived:
    """Stands for an answer that is there already, so that nothing is waited for."""

    __slots__ = ("_answer",)

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def result(self) -> Any:
        return self._answer

    def __await__(self) -> Generator[Any, None, Any]:
        yield from ()
        return self._answer


class Arriving:
    """Stands for a request under way; its answer is handed to ``keep`` when it arrives, a failure is not."""

    __slots__ = ("_keep", "_pending")

    def __init__(self, pending: Pending[Any], keep: Callable[[Any], None]) -> None:
        self._pending = pending
        self._keep = keep

    def result(self) -> Any:
        answer = self._pending.result()
        self._keep(answer)
        return answer

    def __await__(self) -> Generator[Any, None, Any]:
        answer = yield from self._pending.__await__()
        self._keep(answer)
        return answer


class Kept(NamedTuple):
    answer: Any
    expires_at: float


class Together(NamedTuple):
    """Holds what was made of the answers to several requests, and until when all of them are served."""

    requests: Sequence[Request]
    made: Any
    expires_at: float


class Cached:
    """Serves an answer again until it expires, and wraps the transport that asks for it.

    ``hits`` and ``misses`` are counted.
    """

    def __init__(self, transport: Stage) -> None:
        self.__wrapped__ = transport
        self.hits = 0
        self.misses = 0
        self._kept: dict[Hashable, Kept] = {}

    def expires_at(self, world: World, request: Request, answer: Any, sent_at: float) -> float:
        """Return until when an answer that has just arrived is served, in seconds since the epoch."""
        raise NotImplementedError

    def __call__(self, world: World, request: Request) -> Pending[Any]:
        key = request.provider, request.symbol, request.what, request.prompt
        kept = self._kept.get(key)
        if kept is not None and world.now() < kept.expires_at:
            self.hits += 1
            return Arrived(kept.answer)
        self.misses += 1
        return Arriving(self.__wrapped__(world, request), partial(self._keep, world, request, key, world.now()))

    def _keep(self, world: World, request: Request, key: Hashable, sent_at: float, answer: Any) -> None:
        if isinstance(answer, Bars):
            answer.values.flags.writeable = False  # who is served it later must find it as it came
        self._kept[key] = Kept(answer, self.expires_at(world, request, answer, sent_at))


class WithinBudget(Cached):
    """Keeps market data, technical figures and opinions, each for as long as its error stays within a budget.

    Prices are kept by their symbol's own volatility, a calm one for minutes and a wild one for seconds, and for less
    where a source is about to change sides (``lifetimes``). A model's opinion is kept until the model may have changed
    its mind, by how often it has done so. The technical provider's RSI and SMA are daily figures that no vote reads:
    they are kept for BOUND_S, which bounds every lifetime in trading hours and counts from when the request was sent.
    While the exchange is closed the prices of a stock stand still and are served until the next open. Explanations are
    not kept. Nothing is asked for before it has expired.

    There are six entries per symbol, so nothing is evicted.
    """

    def __init__(self, transport: Stage) -> None:
        super().__init__(transport)
        self._volatilities: dict[str, Volatility] = {}
        self._changes: dict[str, Changes] = {}
        self._said: dict[Hashable, tuple[float, Any]] = {}
        self._early: dict[str, tuple[Request, Hashable, float, Any]] = {}
        self._together: dict[str, Together] = {}
        self._session = Session(-math.inf, -math.inf)

    def __call__(self, world: World, request: Request) -> Pending[Any]:
        if request.provider == "explanation":
            pending: Pending[Any] = self.__wrapped__(world, request)
            return pending
        return super().__call__(world, request)

    def at_hand(self, world: World, requests: Sequence[Request], make: Callable[..., Any]) -> Any:
        """Return what ``make`` makes of the answers to requests about one symbol, none of them for an explanation; None
        where one of them has to be sent.

        What is returned counts as hits; what is not counts when it is sent. Of the same requests the same is made, once
        for as long as none of their answers is replaced.
        """
        symbol = requests[0].symbol
        found = self._together.get(symbol)
        if found is None or found.requests is not requests:
            kept = [self._kept.get((each.provider, each.symbol, each.what, each.prompt)) for each in requests]
            if None in kept:
                return None
            found = Together(requests, make(*(each[0] for each in kept if each)), min(each[1] for each in kept if each))
            if len(requests) > 1:
                self._together[symbol] = found
        if world.now() >= found.expires_at:
            return None
        self.hits += len(requests)
        return found.made

    def _keep(self, world: World, request: Request, key: Hashable, sent_at: float, answer: Any) -> None:
        super()._keep(world, request, key, sent_at, answer)
        self._together.pop(request.symbol, None)
        if request.what == "bars" and (early := self._early.pop(request.symbol, None)) is not None:
            super()._keep(world, *early)
        elif request.what == "quote" and request.symbol not in self._volatilities:
            self._early[request.symbol] = request, key, sent_at, answer

    def expires_at(self, world: World, request: Request, answer: Any, sent_at: float) -> float:
        if request.what in ("bars", "quote"):
            lifetime_s = self._price_lifetime_s(world, request, answer, sent_at)
            if not is_crypto(request.symbol) and (opens_at := self._session_at(sent_at).opens_at) > sent_at:
                return opens_at
        else:
            lifetime_s = self._opinion_lifetime_s(request, answer, sent_at) if request.prompt else BOUND_S
        return sent_at + min(BOUND_S, lifetime_s) * (1 - JITTER * hash_to_share(request))

    def _price_lifetime_s(self, world: World, request: Request, answer: Any, sent_at: float) -> float:
        """Return how long a price is kept, in seconds; zero for a quote until its symbol's bars have been seen."""
        known = self._volatilities.get(request.symbol)
        if request.what == "quote":
            return 0.0 if known is None else known.seconds_until(QUOTE_BUDGET)
        known = self._volatilities.setdefault(request.symbol, known or Volatility(answer))
        known.note(sent_at, float(answer.values[3, -1]))
        return known.seconds_until(find_budget(world, answer))

    def _opinion_lifetime_s(self, request: Request, answer: Any, sent_at: float) -> float:
        """Return how long an opinion is kept, in seconds, after learning from it whether the model has changed its
        mind."""
        text = answer.choices[0].message.content if isinstance(answer, Completion) else answer
        changes = self._changes.setdefault(request.provider, Changes())
        question = request.provider, request.symbol, request.prompt
        if (before := self._said.get(question)) is not None and sent_at > before[0]:
            changes.note(sent_at - before[0], has_changed=text != before[1])
        self._said[question] = sent_at, text
        return changes.lifetime_s

    def _session_at(self, now: float) -> Session:
        if now >= self._session.closes_at:
            self._session = session_after(now)
        return self._session


def within_budget(transport: Stage) -> WithinBudget:
    """Wrap the transport so that answers are kept within an error budget."""
    return WithinBudget(transport)


def hash_to_share(request: Request) -> float:
    """Return a number in [0, 1) that depends only on the symbol and on what is asked."""
    return xxhash.xxh3_64_intdigest(f"{request.symbol}|{request.what}".encode()) / 2**64


SIMILAR = 0.95
REMEMBERED_QUESTIONS = 8192
WORDINGS = 8
"""How many wordings of one question are remembered."""

FACTS = re.compile(
    r"(?m)^[ \t]+|[-+]?\d+(?:\.\d+)?|\b[A-Z][A-Z0-9.-]*\b"
    r"|\b(?i:long|short|neutral|buy|sell|bullish|bearish|not|no|never|without)\b"
)
"""Matches what two wordings of a question must share: indents,
numbers, words in capitals (symbols), directions, negations."""

BUCKETS_LOG2 = 10
Vector = NDArray[np.float64]
Embedder = Callable[[str], Vector]


def hash_trigrams(text: str) -> Vector:
    """Count the text's character trigrams in 1,024 hashed buckets, scaled to unit length; float64 of shape (1024,)."""
    codes = np.frombuffer(f"  {text.lower()}  ".encode(), np.uint8).astype(np.uint32)
    trigrams = codes[:-2] << 16 | codes[1:-1] << 8 | codes[2:]
    # This is multiplicative hashing (Knuth, The Art of Computer Programming, volume 3, section 6.4).
    buckets = trigrams * np.uint32(2_654_435_761) >> (32 - BUCKETS_LOG2)
    counts = np.bincount(buckets, minlength=1 << BUCKETS_LOG2)
    return counts / np.linalg.norm(counts)


class Asked(NamedTuple):
    """Holds a prompt that was answered, with its answer."""

    prompt: str
    completion: Completion


class Deduplicated:
    """Asks a model the same question once, and wraps the transport that asks.

    Two requests are the same question when they agree in every field that changes the answer and in the prompt but for
    blanks at its ends. Prompts of cosine similarity 0.95 or more that share all FACTS in the same order are the same as
    well; the facts lead to the few candidates, whose similarities are one matrix product. Opposites in small letters
    that FACTS does not list are not told apart, so this is for prompts from one's own templates. Opinions are about the
    present, so the cycle is part of their question. Callers share a request that is already under way; a failure is not
    remembered.

    ``hits``, ``misses`` and ``comparisons`` of embeddings are counted. When full, it forgets its oldest question.
    """

    def __init__(self, transport: Stage, embed: Embedder = hash_trigrams) -> None:
        self.__wrapped__ = transport
        self.hits = 0
        self.misses = 0
        self.comparisons = 0
        self._embed = embed
        self._explanations: dict[Hashable, list[Asked]] = {}
        self._opinions: dict[Hashable, list[Asked]] = {}
        self._opinions_of = -1
        self._flights: dict[Hashable, Flight] = {}

    def __call__(self, world: World, request: Request) -> Pending[Any]:
        if not request.prompt:
            pending: Pending[Any] = self.__wrapped__(world, request)
            return pending
        prompt = request.prompt.strip()
        question = question_of(world, request), *FACTS.findall(prompt)
        answered = self._answers_for(world, request)
        if (asked := self._find_similar(answered.get(question, []), prompt)) is not None:
            self.hits += 1
            return Arrived(asked.completion)
        key = question, prompt
        if (flight := self._flights.get(key)) is not None:
            self.hits += 1
            return flight
        self.misses += 1
        arriving = Arriving(self.__wrapped__(world, request), partial(self._keep, answered, question, prompt))
        flight = self._flights[key] = Flight(arriving, over=partial(self._flights.pop, key, None))
        return flight

    @property
    def at_hand(self) -> Stage | None:
        """What the wrapped transport has at hand. Questions are remembered when they are sent."""
        return find_at_hand(self.__wrapped__)

    def _answers_for(self, world: World, request: Request) -> dict[Hashable, list[Asked]]:
        if request.provider == "explanation":
            return self._explanations
        if world.cycle != self._opinions_of:
            self._opinions, self._opinions_of = {}, world.cycle
        return self._opinions

    def _find_similar(self, candidates: list[Asked], prompt: str) -> Asked | None:
        exact = next((asked for asked in candidates if asked.prompt == prompt), None)
        if exact is not None or not candidates:
            return exact
        self.comparisons += len(candidates)
        similarities = np.stack([self._embed(asked.prompt) for asked in candidates]) @ self._embed(prompt)
        best = int(similarities.argmax())
        return candidates[best] if similarities[best] >= SIMILAR else None

    def _keep(self, answered: dict[Hashable, list[Asked]], question: Hashable, prompt: str, answer: Completion) -> None:
        if question not in answered and len(answered) >= REMEMBERED_QUESTIONS:
            del answered[next(iter(answered))]
        wordings = answered.setdefault(question, [])
        wordings.append(Asked(prompt, answer))
        del wordings[:-WORDINGS]


def deduplicate(transport: Stage) -> Deduplicated:
    """Wrap the transport so that equal questions to a model are asked once."""
    return Deduplicated(transport)


def question_of(world: World, request: Request) -> Hashable:
    """Return all that an answer depends on, except the prompt."""
    when = None if request.provider == "explanation" else world.cycle
    return (
        *(request.provider, request.symbol, request.what, when),
        *(request.model, request.system, request.max_tokens, request.temperature),
    )


class Flight:
    """Stands for a request under way that several callers may
    wait for; ``over`` is called when it ends or all have left.

    When the caller that waits for it is cancelled, the next in line waits instead. A failure reaches all of them.
    """

    def __init__(self, pending: Pending[Any], over: Callable[[], object]) -> None:
        self._pending = pending
        self._over = over
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._is_over = False
        self._answer: Any = None
        self._error: ProviderError | None = None

    def result(self) -> Any:
        if not self._is_over:
            with self._landing():
                self._answer = self._pending.result()
        return self._outcome()

    def __await__(self) -> Generator[Any, None, Any]:
        return self._wait().__await__()

    async def _wait(self) -> Any:
        self._waiting += 1
        try:
            async with self._turn:
                if not self._is_over:
                    with self._landing():
                        self._answer = await self._pending
        finally:
            self._waiting -= 1
            if not self._waiting and not self._is_over:
                self._over()
        return self._outcome()

    @contextmanager
    def _landing(self) -> Iterator[None]:
        try:
            yield
        except ProviderError as error:
            self._error = error
        self._is_over = True
        self._over()

    def _outcome(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._answer


class Pooled:
    """Sends all requests over the connections of one client, which
    is made with the first request and ends with its world."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._world: World | None = None
        self._session: Callable[[Request], Pending[Any]]

    def __call__(self, world: World, request: Request) -> Pending[Any]:
        if world is not self._world:
            self._world, self._session = world, world.session(self.pool)
        return self._session(request)


def one_client() -> Pooled:
    """Build the transport of a process.

    It has one client of the event loop, with as many connections to a provider as the provider has quota.
    """
    return Pooled(Pool("aiohttp", size=QUOTA, block=True))
