"""The symbols are walked side by side here, a bounded number at a time, and every one of them.

``StageByStage`` takes those whose data are at hand through each stage together.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

from argo_bench.pipeline.many import draft_many
from argo_bench.pipeline.model import Decision, Fetched, ProviderError, Reasoning, Served, World
from argo_bench.pipeline.optimized.fetch import end_tasks
from argo_bench.pipeline.record import Pipeline, decide, find_at_hand, settle

AT_ONCE = 100
"""The number of symbols that are under way at the same time, each with one request.

It is what a client's connection pool carries by default (``limit`` of aiohttp's ``TCPConnector``).
"""

OUTAGE = 6
"""The number of symbols that must have failed before a walk is given up, however few have been begun."""

TOGETHER = 512
"""The number of symbols that go through a stage together at most: the bars of 300 days of so many take 6 MB."""


class SideBySide:
    """Walks symbols without barriers: a symbol begins as soon as another has ended.

    A symbol whose provider fails yields no decision in this cycle, does not disturb the others, and is counted among
    the ledger's failures as ``schedule``. When more than half of the symbols begun have failed, there is an outage, and
    those not yet begun are left out and counted alike; they come first in the next cycle, so that none starves. Nothing
    else ends a walk early: a symbol without a consensus is no failure, and a deadline would drop signals, as a chain of
    requests usually takes longer than the 5 s between cycles.

    Raises the first ProviderError when no symbol at all came through, since an outage is not a quiet market, and any
    other exception after all the symbols have ended.
    """

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._left_out: set[str] = set()

    async def __call__(self, world: World, pipeline: Pipeline, symbols: Sequence[str]) -> list[Decision]:
        """Return the decisions in the order of the symbols."""
        gate = asyncio.Semaphore(self._at_once)
        begun = failed = 0
        left_out: set[str] = set()

        async def walk(symbol: str) -> Decision | None:
            nonlocal begun, failed
            async with gate:
                # The share is one of symbols begun, not ended: failures are quick, and would be most of the first to
                # end.
                if failed >= OUTAGE and 2 * failed > begun:
                    left_out.add(symbol)
                    return None
                begun += 1
                try:
                    return await decide(pipeline, world, symbol)
                except ProviderError:
                    failed += 1
                    raise

        order = sorted(symbols, key=lambda symbol: symbol not in self._left_out)
        outcomes = dict(zip(order, await asyncio.gather(*map(walk, order), return_exceptions=True), strict=True))
        self._left_out = left_out
        return collect_decisions(world, symbols, outcomes, len(left_out))


def collect_decisions(
    world: World, symbols: Sequence[str], outcomes: Mapping[str, Decision | BaseException | None], left_out: int
) -> list[Decision]:
    """Return the decisions in the order of the symbols, and count those that failed or were left out as failures.

    Raises what ``SideBySide`` says that it raises.
    """
    errors = [outcome for outcome in outcomes.values() if isinstance(outcome, BaseException)]
    for error in errors:
        if not isinstance(error, ProviderError):
            raise error
    if errors and len(errors) + left_out == len(symbols):
        raise errors[0]
    world.ledger.failures["schedule"] += len(errors) + left_out
    decisions = map(outcomes.get, symbols)
    return [decision for decision in decisions if isinstance(decision, Decision)]


class StageByStage:
    """Walks symbols as ``SideBySide`` does, but runs each stage once for all whose data are there at the same moment.

    A task is made only for a symbol that has to wait: for its data, or for its explanation. It takes one of the
    ``at_once`` places meanwhile. A symbol whose data are at hand takes none, except where the reason stage cannot say
    what it has at hand; so symbols begin when they would in ``SideBySide``, and send the same requests. Failures,
    outages and what is raised are those of ``SideBySide`` as well.
    """

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._left_out: set[str] = set()

    async def __call__(self, world: World, pipeline: Pipeline, symbols: Sequence[str]) -> list[Decision]:
        """Return the decisions in the order of the symbols."""
        walk = Walk(world, pipeline, self._at_once, sorted(symbols, key=lambda symbol: symbol not in self._left_out))
        outcomes = await walk.run()
        self._left_out = walk.left_out
        return collect_decisions(world, symbols, outcomes, len(walk.left_out))


class Walk:
    """Is one walk over the symbols in ``order``; ``left_out`` are those that an outage has kept from beginning."""

    def __init__(self, world: World, pipeline: Pipeline, at_once: int, order: Sequence[str]) -> None:
        self.left_out: set[str] = set()
        self._world = world
        self._pipeline = pipeline
        self._at_once = at_once
        self._find_data = find_at_hand(pipeline.fetch)
        self._find_reasoning = find_at_hand(pipeline.reason)
        self._upcoming = deque(order)
        self._begun = self._failed = 0
        self._under_way: dict[asyncio.Task[Any], str] = {}
        self._landed: list[asyncio.Task[Any]] = []
        self._has_landed = asyncio.Event()
        self._outcomes: dict[str, Decision | BaseException | None] = {}

    async def run(self) -> Mapping[str, Decision | BaseException | None]:
        """Return what became of every symbol that was begun: a decision, None, or what was raised."""
        try:
            while self._upcoming or self._under_way:
                # Those that have landed may need their places again, for their explanations, before others begin.
                if fetched := self._take_landed() or self._begin():
                    if self._under_way:
                        await asyncio.sleep(0)  # what is waited for is sent before the others are computed
                    await self._decide(fetched)
                elif self._under_way:
                    await self._has_landed.wait()
        finally:
            await end_tasks(self._under_way)
        return self._outcomes

    def _begin(self) -> dict[str, Fetched]:
        """Begin symbols while there are places for them, and return the data of those that have them at hand."""
        at_hand: dict[str, Fetched] = {}
        while self._upcoming and self._has_place(len(at_hand)):
            symbol = self._upcoming.popleft()
            # The share is one of symbols begun, not ended: failures are quick, and would be most of the first to end.
            if self._failed >= OUTAGE and 2 * self._failed > self._begun:
                self.left_out.add(symbol)
                continue
            self._begun += 1
            fetched = None if self._find_data is None else self._find_data(self._world, symbol)
            if fetched is None:
                self._wait_for(symbol, self._fetch(symbol))
            else:
                at_hand[symbol] = fetched
        return at_hand

    def _has_place(self, at_hand: int) -> bool:
        """Say whether another symbol may begin beside so many whose data are at hand, but which are not decided yet."""
        taken = len(self._under_way) + (at_hand if self._find_reasoning is None else 0)
        return taken < self._at_once and at_hand < TOGETHER

    async def _fetch(self, symbol: str) -> Fetched | Served:
        fetched: Fetched | Served = await settle(self._pipeline.fetch(self._world, symbol))
        return fetched

    async def _explain(self, draft: Decision) -> Decision:
        return with_reasoning(draft, await settle(self._pipeline.reason(self._world, draft)))

    def _wait_for(self, symbol: str, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._under_way[task] = symbol
        task.add_done_callback(self._land)

    def _land(self, task: asyncio.Task[Any]) -> None:
        self._landed.append(task)
        self._has_landed.set()

    def _take_landed(self) -> dict[str, Fetched]:
        """Take note of what has ended, and return the data that have come."""
        landed, self._landed = self._landed, []
        self._has_landed.clear()
        fetched: dict[str, Fetched] = {}
        for task in landed:
            symbol = self._under_way.pop(task)
            error = task.exception()
            if error is not None:
                self._failed += isinstance(error, ProviderError)
                self._outcomes[symbol] = error
            elif isinstance(found := task.result(), Fetched):
                fetched[symbol] = found
            else:
                self._outcomes[symbol] = found.decision if isinstance(found, Served) else found
        return fetched

    async def _decide(self, fetched: Mapping[str, Fetched]) -> None:
        """Decide symbols together; where a stage raises for one of them, decide each of them alone."""
        try:
            drafts = await draft_many(self._world, self._pipeline, fetched)
        except Exception:  # noqa: BLE001 - what it is, and whose, comes out when each symbol is decided alone
            for symbol, each in fetched.items():
                alone = self._pipeline.replace(fetch=lambda world, symbol, each=each: each)
                self._wait_for(symbol, decide(alone, self._world, symbol))
            return
        self._outcomes |= dict.fromkeys(fetched)
        for draft in drafts:
            reasoning = None if self._find_reasoning is None else self._find_reasoning(self._world, draft)
            if reasoning is None:
                self._wait_for(draft.symbol, self._explain(draft))
            else:
                self._outcomes[draft.symbol] = with_reasoning(draft, reasoning)


def with_reasoning(draft: Decision, reasoning: Reasoning) -> Decision:
    """Return the decision with its explanation. Passing by ``dataclasses.replace`` halves the time of a copy."""
    values = *DRAFTED(draft), reasoning.text, reasoning.author
    return Decision(*values)


DRAFTED = attrgetter(*(field.name for field in fields(Decision) if not field.name.startswith("reasoning")))
