"""Lifetimes within budgets, with answers asked for anew before they expire: an arm of time, and of nothing else.

What would expire before the next cycle is asked for while the service idles, so that no cycle waits for it. It is asked
for sooner than it had to be, so that no fewer requests are sent, and what the next cycle is served is as old as the
cycle that asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from typing import Any

from argo_bench.pipeline.model import Pending, ProviderError, Request, World
from argo_bench.pipeline.optimized.transport import WithinBudget
from argo_bench.pipeline.record import Pipeline
from argo_bench.pipeline.world.base import CYCLE_S


class AheadOfExpiry(WithinBudget):
    """Serves as ``WithinBudget`` does, and asks anew in the background for what expires before the next cycle.

    A refresh that fails is dropped: whoever asks after the expiry asks for himself.
    """

    def __init__(self, transport: Any) -> None:
        super().__init__(transport)
        self._refreshing: dict[Hashable, asyncio.Task[None]] = {}

    def __call__(self, world: World, request: Request) -> Pending[Any]:
        pending = super().__call__(world, request)
        key = request.provider, request.symbol, request.what, request.prompt
        kept = self._kept.get(key)
        if kept is not None and key not in self._refreshing:
            left_s = kept.expires_at - world.now()
            if 0 < left_s <= CYCLE_S:
                self._refreshing[key] = asyncio.ensure_future(self._refresh(world, request, key))
        return pending

    def at_hand(self, world: World, requests: Sequence[Request], make: Callable[..., Any]) -> None:
        """Say that nothing is at hand: every answer that is served may have to be asked for anew."""

    async def _refresh(self, world: World, request: Request, key: Hashable) -> None:
        try:
            with suppress(ProviderError):
                sent_at = world.now()
                self._keep(world, request, key, sent_at, await self.__wrapped__(world, request))
        finally:
            del self._refreshing[key]


def refresh_ahead(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=AheadOfExpiry(pipeline.transport))
