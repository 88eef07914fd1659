"""All requests of a symbol are sent at once here, and callers that ask for a symbol together share one fetch.

The bars come from the first provider that succeeds. Nothing is left running: whoever started a request waits for its
end, or cancels it and waits for that.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Coroutine, Iterable, Mapping
from functools import lru_cache
from typing import Any

from argo_bench.pipeline.model import (
    Bars,
    Completion,
    Fetched,
    Opinions,
    Pending,
    Provider,
    ProviderError,
    Request,
    Stage,
    World,
)
from argo_bench.pipeline.record import find_at_hand
from argo_bench.pipeline.world.base import OPINION
from argo_bench.pipeline.world.content import MODELS

LIMITS_S: Mapping[Provider, float] = {
    "massive": 6.0,
    "alpaca": 6.0,
    "alpha_vantage": 8.0,
    "x_sentiment": 40.0,
    "sonar": 60.0,
}
"""How long an answer is waited for, by provider.

It is ten times what the slowest answer in a hundred takes, so that only a request that hangs is given up.
"""

TECHNICAL = ("rsi", "sma", "quote")

FIRST_PATIENCE_S = 0.4
"""How long the primary provider is waited for alone until its own latencies are known."""

FEWEST_LATENCIES = 20
LATENCIES_KEPT = 200


class SingleFlight:
    """Wraps a fetch stage so that one call per symbol is under way, however many ask for it meanwhile.

    The flight (the call under way) belongs to all who wait for it: whoever of them is cancelled, the others get what it
    brings; when the last one has left, it is cancelled. A failure reaches all of them. Nothing is kept after it has
    landed.
    """

    def __init__(self, fetch: Stage) -> None:
        self.__wrapped__ = fetch
        self._flights: dict[str, Flight] = {}

    @property
    def at_hand(self) -> Stage | None:
        """What the wrapped stage knows without waiting."""
        return find_at_hand(self.__wrapped__)

    async def __call__(self, world: World, symbol: str) -> Fetched:
        flight = self._flights.get(symbol)
        if flight is None:
            flight = self._flights[symbol] = Flight(asyncio.ensure_future(self.__wrapped__(world, symbol)))
            flight.task.add_done_callback(lambda _: self._forget(symbol, flight))
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting:
                self._forget(symbol, flight)
                await end_tasks([flight.task])

    def _forget(self, symbol: str, flight: Flight) -> None:
        if self._flights.get(symbol) is flight:
            del self._flights[symbol]


class Flight:
    """Holds a call that is under way, and how many wait for it."""

    __slots__ = ("task", "waiting")

    def __init__(self, task: asyncio.Future[Fetched]) -> None:
        self.task = task
        self.waiting = 0


class AtOnce:
    """Fetches a symbol by sending all of its requests together.

    Raises ProviderError as soon as a source without a fallback fails or exceeds its limit; the rest is cancelled.
    """

    def __init__(self) -> None:
        self._bars = Hedged()

    def at_hand(self, world: World, symbol: str) -> Fetched | None:
        """Return the answers to all six requests where the transport has each at hand, None where one must be sent."""
        find = find_at_hand(world.transport)
        found: Fetched | None = None if find is None else find(world, list_requests(symbol), put_together)
        return found

    async def __call__(self, world: World, symbol: str) -> Fetched:
        """Wait for the answers that are not at hand, and send their requests together."""
        find = find_at_hand(world.transport)
        at_hand = [None if find is None else find(world, [each], only) for each in list_requests(symbol)]
        missing = [place for place, each in enumerate(at_hand) if each is None]
        if len(missing) == 1:
            came = iter([await self._ask(world, symbol, missing[0])])
        else:
            came = iter(await self._ask_together(world, symbol, missing))
        return put_together(*(next(came) if each is None else each[0] for each in at_hand))

    async def _ask_together(self, world: World, symbol: str, places: Iterable[int]) -> list[Any]:
        """Return the answers in order. Raises the first failure as soon as there is one, and cancels the rest."""
        try:
            async with asyncio.TaskGroup() as sources:
                tasks = [sources.create_task(self._ask(world, symbol, place)) for place in places]
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return [task.result() for task in tasks]

    def _ask(self, world: World, symbol: str, place: int) -> Coroutine[Any, Any, Any]:
        """Send the request that has this place in ``list_requests``."""
        request = list_requests(symbol)[place]
        if request.what == "bars":
            return self._bars(world, symbol)
        return answer(request.provider, world.transport(world, request))


def only(answer: Any) -> tuple[Any]:
    """Return an answer in a tuple, since the answer itself may be anything."""
    return (answer,)


def put_together(
    bars: Bars, rsi: float, sma: float, quote: float, sentiment: Completion, analysis: Completion
) -> Fetched:
    """Return the answers to the requests of ``list_requests``."""
    figures = {"rsi": rsi, "sma": sma, "quote": quote}
    return Fetched(bars, Opinions(figures, content_of(sentiment), content_of(analysis)))


@lru_cache(maxsize=16_384)
def list_requests(symbol: str) -> tuple[Request, ...]:
    """Return the six requests of a symbol as a world sends them: bars, the technical figures, the two opinions."""
    figures = (Request("alpha_vantage", symbol, what) for what in TECHNICAL)
    opinions = [describe_opinion("x_sentiment", symbol), describe_opinion("sonar", symbol)]
    return Request("massive", symbol, "bars"), *figures, *opinions


def describe_opinion(provider: Provider, symbol: str) -> Request:
    model = MODELS[provider]
    prompt = OPINION.format(symbol=symbol)
    return Request(
        provider, symbol, "opinion", prompt, 0, model.system, model.name, model.max_tokens, model.temperature
    )


def content_of(completion: Completion) -> str:
    return completion.choices[0].message.content


class Hedged:
    """Fetches bars from the primary provider, and asks the other one as well where the primary fails or is late.

    The first success is taken. Late is later than 19 of 20 of the primary's last 200 answers. A primary that was
    overtaken counts with the time until then: this is too little, but still among the slowest, and no more is needed of
    it.
    """

    def __init__(self) -> None:
        self._latencies_s: deque[float] = deque(maxlen=LATENCIES_KEPT)

    @property
    def patience_s(self) -> float:
        if len(self._latencies_s) < FEWEST_LATENCIES:
            return FIRST_PATIENCE_S
        return sorted(self._latencies_s)[int(0.95 * len(self._latencies_s))]

    async def __call__(self, world: World, symbol: str) -> Bars:
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        primary = loop.create_task(answer("massive", world.bars("massive", symbol)))
        asked = [primary]
        try:
            await asyncio.wait(asked, timeout=self.patience_s)
            if primary.done() and not is_refused(primary):
                bars: Bars = primary.result()
            else:
                asked.append(loop.create_task(answer("alpaca", world.bars("alpaca", symbol))))
                bars = await first_success(asked)
            if not is_refused(primary):
                self._latencies_s.append(loop.time() - asked_at)
            return bars
        finally:
            await end_tasks(asked)


def is_refused(task: asyncio.Future[Any]) -> bool:
    return task.done() and isinstance(task.exception(), ProviderError)


async def first_success(asked: Iterable[asyncio.Future[Any]]) -> Any:
    """Return what the first of the requests brings that does not fail. Raises the first ProviderError when all fail."""
    failures: list[ProviderError] = []
    for first in asyncio.as_completed(asked):
        try:
            return await first
        except ProviderError as failure:
            failures.append(failure)
    raise failures[0]


async def answer(provider: Provider, pending: Pending[Any]) -> Any:
    """Wait for the provider's answer. Raises ProviderError where it fails or takes too long."""
    limit_s = LIMITS_S[provider]
    try:
        async with asyncio.timeout(limit_s):
            return await pending
    except TimeoutError:
        raise ProviderError(f"{provider}: expected an answer within {limit_s:g} s, got none") from None


async def end_tasks(tasks: Collection[asyncio.Future[Any]]) -> None:
    """Cancel the tasks that are under way and wait until they are over. What they would have raised is ignored."""
    under_way = [task for task in tasks if not task.done()]
    for task in under_way:
        task.cancel()
    if under_way:
        await asyncio.wait(under_way)
    for task in tasks:
        if not task.cancelled():
            task.exception()


def at_once() -> SingleFlight:
    """Build the fetch stage, with nothing under way."""
    return SingleFlight(AtOnce())
