"""The symbols are walked side by side here, a bounded number at a time, and every one of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from argo_bench.pipeline.model import Decision, ProviderError, World
from argo_bench.pipeline.record import Pipeline, decide

AT_ONCE = 100
"""The number of symbols that are under way at the same time, each with one request.

It is what a client's connection pool carries by default (``limit`` of aiohttp's ``TCPConnector``).
"""

OUTAGE = 6
"""The number of symbols that must have failed before a walk is given up, however few have been begun."""


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
        errors = [outcome for outcome in outcomes.values() if isinstance(outcome, BaseException)]
        for error in errors:
            if not isinstance(error, ProviderError):
                raise error
        if errors and len(errors) + len(left_out) == len(order):
            raise errors[0]
        world.ledger.failures["schedule"] += len(errors) + len(left_out)
        decisions = (outcomes[symbol] for symbol in symbols)
        return [decision for decision in decisions if isinstance(decision, Decision)]
