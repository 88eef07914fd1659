"""All requests of a symbol are sent at once here, and callers that ask for a symbol together share one fetch.

The bars come from the first provider that succeeds. Nothing is left running: whoever started a request waits for its
end, or cancels it and waits for that.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from argo_bench.pipeline.model import Bars, Fetched, Opinions, Pending, Provider, ProviderError, Stage, World

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

    async def __call__(self, world: World, symbol: str) -> Fetched:
        try:
            async with asyncio.TaskGroup() as sources:
                bars = sources.create_task(self._bars(world, symbol))
                technical = {
                    what: sources.create_task(answer("alpha_vantage", world.opinion("alpha_vantage", symbol, what)))
                    for what in TECHNICAL
                }
                sentiment = sources.create_task(answer("x_sentiment", world.opinion("x_sentiment", symbol, "opinion")))
                analysis = sources.create_task(answer("sonar", world.opinion("sonar", symbol, "opinion")))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        figures = {what: task.result() for what, task in technical.items()}
        return Fetched(bars.result(), Opinions(figures, sentiment.result(), analysis.result()))


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
            if not primary.done() or is_refused(primary):
                asked.append(loop.create_task(answer("alpaca", world.bars("alpaca", symbol))))
            bars: Bars = await first_success(asked)
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
