"""What a counted replay did beside what claims speak of is observed here, so that nothing hides behind a count.

That is what ran in the background, how many requests a stored signal took, and how old the data of decisions were.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from argo_bench.optimizations.optimization import CYCLE, Replay, Workload
from argo_bench.pipeline.model import Bars, Decision, Fetched, Stage, World
from argo_bench.pipeline.record import Cycle, settle
from argo_bench.pipeline.world.base import CYCLE_S, EPOCH_S, Market
from argo_bench.report.counts import BACKGROUND


class AgeOfData:
    """Wraps a fetch stage and notes how long ago the market last looked like what is returned.

    ``ages_s`` are seconds by symbol and cycle. Bars that the market never showed are left out.
    """

    def __init__(self, fetch: Stage, market: Market) -> None:
        self.__wrapped__ = fetch
        self.ages_s: dict[tuple[str, int], float] = {}
        self._market = market
        self._last_seen: dict[str, dict[tuple[Any, ...], int]] = {}
        self._looked_until: dict[str, int] = {}

    async def __call__(self, world: World, symbol: str) -> Any:
        cycle = world.cycle
        fetched = await settle(self.__wrapped__(world, symbol))
        if isinstance(fetched, Fetched):
            seen = self._look(symbol, cycle).get(looks(fetched.bars))
            if seen is not None:
                self.ages_s[symbol, cycle] = float(CYCLE_S * (cycle - seen))
        return fetched

    def _look(self, symbol: str, cycle: int) -> dict[tuple[Any, ...], int]:
        """Return the cycles, up to this one, in which the symbol's market last looked in each of its ways."""
        seen = self._last_seen.setdefault(symbol, {})
        for each in range(self._looked_until.get(symbol, 0), cycle + 1):
            seen[looks(self._market.bars(symbol, each))] = each
        self._looked_until[symbol] = max(self._looked_until.get(symbol, 0), cycle + 1)
        return seen

    def of_decision(self, decision: Decision, cycle: int) -> float:
        """Return how old the data of a decision are in a cycle, which may be later than that of the decision; NaN where
        that cannot be told."""
        decided = round((decision.timestamp - EPOCH_S) / CYCLE_S)
        return CYCLE_S * (cycle - decided) + self.ages_s.get((decision.symbol, decided), math.nan)


def looks(bars: Bars) -> tuple[Any, ...]:
    """Return what tells two states of a market apart: the time and the values of the live bar, in single precision."""
    return bars.timestamps[-1], bars.values[:, -1].astype(np.float32).tobytes()


def observe(workload: Workload, done: Replay, aged: AgeOfData | None) -> dict[str, float]:
    """Return the observations of a replay by name; those of whole cycles also where they are zero."""
    ledger, found = done.world.ledger, dict[str, float]()
    background = ledger.background.total()
    if background or done.drained_s or workload.stage == CYCLE:
        found |= {"background_requests": float(background), "drained_s": done.drained_s}
        found |= {f"{BACKGROUND}{provider}": float(count) for provider, count in sorted(ledger.background.items())}
    if workload.stage == CYCLE and ledger.rows:
        found["requests_per_row"] = ledger.requests.total() / ledger.rows
    return found | ({} if aged is None else describe_ages(done, aged))


def describe_ages(done: Replay, aged: AgeOfData) -> dict[str, float]:
    """Return the median and the 99th percentile of how old the data of decisions were, in seconds."""
    ages = [
        age
        for call in done.calls
        if isinstance(call.result, Cycle)
        for decision in call.result.decided
        if not math.isnan(age := aged.of_decision(decision, call.cycle))
    ]
    if not ages:
        return {}
    return {"data_age_p50_s": float(np.percentile(ages, 50)), "data_age_p99_s": float(np.percentile(ages, 99))}
