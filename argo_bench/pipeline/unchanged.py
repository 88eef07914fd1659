"""The rule "serve the last signal while the price moved by less than 0.5 %" is an edit, and a switch of the workload.

It is none of the published optimizations, yet it hides most of them, so that a study can show both.
"""

from __future__ import annotations

from collections.abc import Sequence

from argo_bench.pipeline.model import Bars, Decision, Fetched, Served, Stage, World
from argo_bench.pipeline.record import Pipeline, settle

UNCHANGED = 0.005
"""The share of the last price below which a move counts as none."""


def skip_unchanged(pipeline: Pipeline) -> Pipeline:
    """Return the pipeline that decides a symbol anew only when its price has moved since its last decision."""
    serving = LastServed(pipeline.fetch, pipeline.schedule)
    return pipeline.replace(fetch=serving.fetch, schedule=serving.schedule)


class LastServed:
    """Keeps for each symbol the price at which it was last decided, and what came of it (None: no signal)."""

    def __init__(self, fetch: Stage, schedule: Stage) -> None:
        self._fetch = fetch
        self._schedule = schedule
        self._price: dict[str, float] = {}
        self._decision: dict[str, Decision | None] = {}

    async def fetch(self, world: World, symbol: str) -> Fetched | Served:
        fetched: Fetched = await settle(self._fetch(world, symbol))
        price = last_price(fetched.bars)
        if symbol in self._decision and abs(price / self._price[symbol] - 1) < UNCHANGED:
            return Served(self._decision[symbol])
        self._price[symbol] = price
        return fetched

    async def schedule(self, world: World, pipeline: Pipeline, symbols: Sequence[str]) -> list[Decision]:
        decisions: list[Decision] = await settle(self._schedule(world, pipeline, symbols))
        decided = {decision.symbol: decision for decision in decisions}
        self._decision |= {symbol: decided.get(symbol) for symbol in self._price}
        return decisions


def last_price(bars: Bars) -> float:
    return float(bars.values[3, -1])
