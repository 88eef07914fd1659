"""Several services that ask for symbols now and then, and share one store: what their caches find is counted on them.

Each service is a process with a pipeline of its own. A symbol of popularity rank r is asked for by each of them in a
cycle of 5 s with the chance MOST_ASKED / r, so that few symbols are asked for often and most of them rarely. The first
service is restarted every five minutes, and what it held is lost; the store goes on. All callers accept a market that
is a minute old.

MOST_ASKED is the rate at which a process's own dict finds two in five, which is the published "before" of a shared
store; it was found by drawing such services without a market, in steps of 0.05. Were all symbols asked for by every
service in every cycle, then what w services find in one store would be (w - 1) / w, whatever the store is like:
arithmetic that no run needs to confirm.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from argo_bench.optimizations.o03_adaptive_ttl import looks
from argo_bench.optimizations.optimization import Replay
from argo_bench.pipeline.model import Fetched, Stage, World
from argo_bench.pipeline.record import Edit, Pipeline, settle
from argo_bench.pipeline.world.content import uniform

MOST_ASKED = 0.15
RESTART_CYCLES = 60
ACCEPTED_S = 60.0


class Services:
    """Is a fetch stage that has a symbol fetched by those of ``count`` services that ask for it in this cycle.

    ``edit`` makes the pipeline of a service from ``pipeline``. ``hits`` and ``misses`` are those of all services, of
    the first one before its restarts too; one without a cache misses always.
    """

    def __init__(self, edit: Edit, pipeline: Pipeline, count: int) -> None:
        self._edit = edit
        self._pipeline = pipeline
        self._fetches: list[Stage] = [edit(pipeline).fetch for _ in range(count)]
        self._retired: list[Stage] = []
        self._ranks: dict[str, int] = {}
        self._restarts = 0
        self._asked = 0

    @property
    def hits(self) -> int:
        return sum(getattr(each, "hits", 0) for each in (*self._fetches, *self._retired))

    @property
    def misses(self) -> int:
        return self._asked - self.hits

    async def __call__(self, world: World, symbol: str) -> tuple[Fetched, ...]:
        """Return what each service gets that asks; symbols are ranked in the order in which they come first."""
        rank = self._ranks.setdefault(symbol, len(self._ranks) + 1)
        if world.cycle // RESTART_CYCLES > self._restarts:
            self._restarts = world.cycle // RESTART_CYCLES
            self._retired.append(self._fetches[0])
            self._fetches[0] = self._edit(self._pipeline).fetch
        got = []
        for number, fetch in enumerate(self._fetches):
            if asks(world, number, symbol, rank):
                self._asked += 1
                got.append(await settle(fetch(world, symbol)))
        return tuple(got)


def asks(world: World, number: int, symbol: str, rank: int) -> bool:
    seed: int = getattr(world, "seed", 0)
    return uniform(seed, "asks", number, symbol, world.cycle) < MOST_ASKED / rank


def in_services(edit: Edit, count: int) -> Edit:
    """Return the edit by which a fetch stage is that of so many services, each edited."""
    return lambda pipeline: pipeline.replace(fetch=Services(edit, pipeline, count))


def measure_ages(expected: Replay, got: Replay) -> dict[str, float]:
    """Measure how old the bars are that the services get: the time since the market last looked like them."""
    seen: dict[tuple[Any, ...], float] = {}
    ages = [0.0]
    for fresh, served in zip(expected.calls, got.calls, strict=True):
        for true, answer in zip(fresh.result, served.result, strict=True):
            seen[true.bars.symbol, *looks(true.bars)] = fresh.virtual_s
            ages.append(fresh.virtual_s - seen[answer.bars.symbol, *looks(answer.bars)])
    return {
        "asked by the services": len(ages) - 1,
        "data age p50 s": float(np.percentile(ages, 50)),
        "data age p99 s": float(np.percentile(ages, 99)),
        "data age max s": max(ages),
    }
