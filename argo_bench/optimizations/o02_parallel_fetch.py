"""O02 - parallel fetch and coalescing.

Claim        fetch time -60-70 %, redundant calls -50 % (FIVE, the earlier document on optimizations 1-5). It has no
             copy here: its rules are those that the study's own specification restates.
Baseline     baseline/fetch.py and baseline/schedule.py: six requests one after another, then the next symbol.
Prescribed   Both market providers are asked at once and the first that completes is taken, within 2 s; the other is
             cancelled. The four sources are gathered, and so are the symbols. Whoever asks for ``signal:{symbol}:
             {minute}`` while it is under way waits for the same future. Two repairs: bare coroutines in
             ``asyncio.wait`` are a TypeError since Python 3.11, so that they become tasks; where nobody answers within
             2 s, which the document leaves open, ProviderError is raised. What is wrong stays:
             - The first to complete may have failed: its failure is the answer, while the other would have succeeded.
             - Every fetch is billed by both market providers, and which of them is believed is left to chance.
             - When the leader of a flight fails or is cancelled, its future is never resolved and its key never
               removed: all who wait hang, and so does everybody who asks for that symbol in the same minute.
             - Who waits awaits the future itself: one waiter that is cancelled cancels it for all the others, and then
               the leader, whose fetch succeeded, raises InvalidStateError.
             - The gather leaves the other requests running when one source fails, and the loser of the race is not
               waited for. Nothing bounds how many symbols are under way, and one that fails costs the whole walk.
Engineered   optimized/fetch.py and optimized/schedule.py: the first success; the other provider is asked only when the
             primary has failed, or is later than 19 of 20 of its answers; a limit for every source; all six requests at
             once; a flight that belongs to all who wait for it, whoever is cancelled; all that was started has ended
             when a fetch returns. Symbols side by side, 100 at a time.
Simple       all six requests in one ``asyncio.gather``, and all symbols in another: nothing is shared or asked twice.
The bound    While one symbol is fetched, one request after another waits 4.5 s on average, the slowest of the six alone
             2.3 s, and it is the analysis model's more often than not. So no order of asking saves more than BOUND of
             the time, and 60 % is out of reach whatever is gathered: the simple arm waits for just this one request,
             and hedging shortens what is never the slowest. What takes more off is not to ask (O03) or not to wait.
May change   nothing.

Symbols can only overlap where a stage awaits: both variants await the explanation model, on which the baseline blocks.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from argo_bench.harness.claims.sentence import publish_claim
from argo_bench.optimizations.optimization import CYCLE, SIMPLE, Optimization, Replay, Workload
from argo_bench.pipeline import baseline
from argo_bench.pipeline.memo import content_key
from argo_bench.pipeline.model import (
    Bars,
    Decision,
    Fetched,
    Opinions,
    Pending,
    ProviderError,
    Request,
    Served,
    Stage,
    World,
)
from argo_bench.pipeline.optimized.fetch import TECHNICAL, at_once
from argo_bench.pipeline.optimized.reason import reason as awaiting_reason
from argo_bench.pipeline.optimized.schedule import SideBySide
from argo_bench.pipeline.record import Edit, Pipeline, decide, settle

RACE_S = 2.0
BOUND = 0.49
"""The share of a symbol's fetch time that is saved when nothing but the slowest of its six requests is waited for."""


async def fetch_sources(world: World, symbol: str) -> Fetched:
    """Gather over the sources as the document does. What one source consists of is asked for in order."""
    bars, technical, sentiment, analysis = await asyncio.gather(
        race(world, symbol),
        technical_figures(world, symbol),
        settle(world.opinion("x_sentiment", symbol, "opinion")),
        settle(world.opinion("sonar", symbol, "opinion")),
    )
    return Fetched(bars, Opinions(technical, sentiment, analysis))


async def race(world: World, symbol: str) -> Bars:
    """Return what the market provider that ends first brings, or raise its failure."""
    providers = [
        asyncio.create_task(settle(world.bars("massive", symbol))),
        asyncio.create_task(settle(world.bars("alpaca", symbol))),
    ]
    done, pending = await asyncio.wait(providers, timeout=RACE_S, return_when=asyncio.FIRST_COMPLETED)
    for loser in pending:
        loser.cancel()
    for first in providers:  # instead of done.pop(), which may yield either of two from run to run
        if first in done:
            bars: Bars = first.result()
            return bars
    raise ProviderError(f"expected bars of {symbol} within {RACE_S:g} s, got none")


async def technical_figures(world: World, symbol: str) -> dict[str, float]:
    return {what: await world.opinion("alpha_vantage", symbol, what) for what in TECHNICAL}


class RequestCoalescer:
    """Implements the document's coalescer, in front of a fetch stage."""

    def __init__(self, fetch: Stage) -> None:
        self.__wrapped__ = fetch
        self.pending: dict[str, asyncio.Future[Fetched]] = {}

    async def __call__(self, world: World, symbol: str) -> Fetched:
        key = f"signal:{symbol}:{int(world.now() // 60)}"
        if key in self.pending:
            return await self.pending[key]
        future: asyncio.Future[Fetched] = asyncio.get_running_loop().create_future()
        self.pending[key] = future
        result: Fetched = await self.__wrapped__(world, symbol)
        future.set_result(result)
        del self.pending[key]
        return result


async def all_at_once(world: World, pipeline: Pipeline, symbols: Sequence[str]) -> list[Decision]:
    """Gather over the symbols as the document does."""
    decisions = await asyncio.gather(*(decide(pipeline, world, symbol) for symbol in symbols))
    return [decision for decision in decisions if decision is not None]


def overlapping(pipeline: Pipeline, fetch: Stage, schedule: Stage) -> Pipeline:
    """Return the pipeline with another fetch and schedule, and the baseline's blocking reason awaited."""
    is_plain = pipeline.reason is baseline.PIPELINE.reason
    reason = awaiting_reason if is_plain else pipeline.reason
    return pipeline.replace(fetch=fetch, reason=reason, schedule=schedule)


def prescribed(pipeline: Pipeline) -> Pipeline:
    return overlapping(pipeline, RequestCoalescer(fetch_sources), all_at_once)


def engineered(pipeline: Pipeline) -> Pipeline:
    return overlapping(pipeline, at_once(), SideBySide())


async def gather_sources(world: World, symbol: str) -> Fetched:
    """Fetch a symbol by one gather over its six requests."""
    bars, rsi, sma, quote, sentiment, analysis = await asyncio.gather(
        bars_or_fallback(world, symbol),
        *(settle(world.opinion("alpha_vantage", symbol, what)) for what in TECHNICAL),
        settle(world.opinion("x_sentiment", symbol, "opinion")),
        settle(world.opinion("sonar", symbol, "opinion")),
    )
    return Fetched(bars, Opinions(dict(zip(TECHNICAL, (rsi, sma, quote), strict=True)), sentiment, analysis))


async def bars_or_fallback(world: World, symbol: str) -> Bars:
    try:
        bars: Bars = await world.bars("massive", symbol)
    except ProviderError:
        bars = await world.bars("alpaca", symbol)
    return bars


def simple(pipeline: Pipeline) -> Pipeline:
    return overlapping(pipeline, gather_sources, all_at_once)


GIVEN_UP_S = 30.0
"""The time after which a fetch that has not ended is taken for one that hangs; its requests take less by far."""


class Refusing:
    """Wraps a transport and refuses one request for bars in twenty, after its latency, by provider, symbol and cycle.

    ``served`` counts the bars that arrived, by provider; ``under_way`` the requests that are waited for, by symbol.
    """

    def __init__(self, transport: Stage) -> None:
        self.__wrapped__ = transport
        self.served: Counter[str] = Counter()
        self.under_way: Counter[str] = Counter()

    def __call__(self, world: World, request: Request) -> Pending[Any]:
        return Watched(self, self.__wrapped__(world, request), request, world.cycle)

    @contextmanager
    def wait_for(self, request: Request, cycle: int) -> Iterator[None]:
        self.under_way[request.symbol] += 1
        try:
            yield
            if request.what == "bars":
                if refuses(request.provider, request.symbol, cycle):
                    raise ProviderError(f"{request.provider} answered 503")
                self.served[request.provider] += 1
        finally:
            self.under_way[request.symbol] -= 1


class Watched:
    def __init__(self, transport: Refusing, pending: Pending[Any], request: Request, cycle: int) -> None:
        self._transport = transport
        self._pending = pending
        self._request = request
        self._cycle = cycle

    def result(self) -> Any:
        with self._transport.wait_for(self._request, self._cycle):
            return self._pending.result()

    def __await__(self) -> Generator[Any, None, Any]:
        with self._transport.wait_for(self._request, self._cycle):
            return (yield from self._pending.__await__())


def refuses(provider: str, symbol: str, cycle: int) -> bool:
    return content_key("refused", provider, symbol, cycle)[0] < 256 / 20


class Surviving:
    """Wraps a fetch stage in a service that goes on without a symbol whose fetch fails or hangs.

    ``outcomes`` counts how fetches ended, and the requests that were still under way when they had.
    """

    def __init__(self, fetch: Stage, transport: Refusing) -> None:
        self.__wrapped__ = fetch
        self.outcomes: Counter[str] = Counter()
        self._transport = transport

    async def __call__(self, world: World, symbol: str) -> Fetched | Served:
        asked = asyncio.ensure_future(self._ask(world, symbol))
        await asyncio.wait([asked], timeout=GIVEN_UP_S)
        self.outcomes["running"] += self._transport.under_way[symbol]
        if not asked.done() or asked.cancelled():
            self.outcomes["hanging"] += 1
            asked.cancel()
        elif isinstance(asked.exception(), ProviderError):
            both = all(refuses(provider, symbol, world.cycle) for provider in ("massive", "alpaca"))
            self.outcomes["outage" if both else "needless"] += 1
        else:
            return asked.result()
        return Served(None)

    async def _ask(self, world: World, symbol: str) -> Fetched:
        fetched: Fetched = await settle(self.__wrapped__(world, symbol))
        return fetched


def where_bars_are_refused(edit: Edit) -> Edit:
    """Return the edit for a market where one request for bars in
    twenty is refused; a fetch that fails costs only its symbol."""

    def edit_and_refuse(pipeline: Pipeline) -> Pipeline:
        transport = Refusing(pipeline.transport)
        pipeline = edit(pipeline.replace(transport=transport))
        return pipeline.replace(fetch=Surviving(pipeline.fetch, transport))

    return edit_and_refuse


def damage(expected: Replay, got: Replay) -> Mapping[str, float]:
    """Count what the race costs and loses. Requests that are refused are billed like others."""
    wanted, found = list_signals(expected), list_signals(got)
    served, outcomes = got.pipeline.transport.served, got.pipeline.fetch.outcomes  # type: ignore[attr-defined]
    market = [
        sum(replay.world.ledger.requests[provider] for provider in ("massive", "alpaca")) for replay in (expected, got)
    ]
    return {
        "extra billed calls": market[1] - market[0],
        "failed though the other provider answered": outcomes["needless"],
        "failed as both refused": outcomes["outage"],
        "left hanging": outcomes["hanging"],
        "requests still running after their fetch": outcomes["running"],
        "answers of the fallback %": 100 * served["alpaca"] / served.total() if served else 0.0,
        "signals missed": len(wanted - found),
    }


def list_signals(replay: Replay) -> set[tuple[int, str]]:
    """Return the cycle and symbol of every signal."""
    return {(call.cycle, decision.symbol) for call in replay.calls for decision in call.result.decided}


FIVE = "an earlier document on optimizations 1-5 (FIVE)"
FETCH = Workload(
    name="fetch, simulated latencies",
    stage="fetch",
    inputs="miss",
    description="the six requests of one symbol at full latency in the simulated world, over many symbols and days",
    scales=(6,),
    unit="symbols",
)
SOCKETS = replace(
    FETCH,
    name="fetch, on sockets",
    description="the same on sockets of this machine, every latency a tenth of the real one",
    servers=frozenset({"providers"}),
    latency_scale=0.1,
)
WHOLE = Workload(
    name="cycle, symbols in parallel",
    stage=CYCLE,
    inputs="trace",
    description="whole cycles of a live market after a first one, at full latency in the simulated world",
    scales=(6, 30),
    unit="symbols",
    cycles=3,
)
TOGETHER = Workload(
    name="fetch, two ask together",
    stage="fetch",
    inputs="trace",
    description="a live trace in which two consumers ask for every symbol at the same moment: what providers are asked",
    scales=(120, 360),
    unit="cycles",
    timed=False,
    consumers=2,
)
ALONE = replace(
    TOGETHER,
    name="fetch, one asks",
    description="the same trace with a single consumer, who has nobody to share with; no answer is late",
    consumers=1,
)
REFUSED = Workload(
    name="cycle, one request for bars in twenty refused",
    stage=CYCLE,
    inputs="trace",
    description="cycles of a live market in which one request for bars in twenty is refused; a fetch that fails, or "
    "has not ended after 30 s, costs its symbol alone",
    scales=(48, 12),
    unit="cycles",
    arms={
        "baseline": where_bars_are_refused(lambda pipeline: pipeline),
        "prescribed": where_bars_are_refused(prescribed),
        "engineered": where_bars_are_refused(engineered),
        SIMPLE: where_bars_are_refused(simple),
    },
    timed=False,
    damage=damage,
)

OPTIMIZATION = Optimization(
    id="O02",
    name="parallel fetch and coalescing",
    layer="replace",
    prescribed=prescribed,
    engineered=engineered,
    simple=simple,
    claims=(
        publish_claim(
            id="O02.time",
            text="fetch time -60-70 %",
            source=FIVE,
            metric="wall",
            workload=FETCH.name,
            reading="time until all sources of one symbol have answered, against one source after another",
            headline=True,
            bound="the slowest source, mostly the analysis model, has to be waited for: at the stated latencies no "
            f"more than {100 * BOUND:.0f} % can be saved",
        ),
        publish_claim(
            id="O02.sockets",
            text="fetch time -60-70 %",
            source=FIVE,
            metric="wall",
            workload=SOCKETS.name,
            reading="the same on real sockets, a new connection for every request, latencies at a tenth",
        ),
        publish_claim(
            id="O02.cycle",
            text="fetch time -60-70 %",
            source=FIVE,
            metric="wall",
            workload=WHOLE.name,
            reading="time of a whole cycle over six symbols, which are fetched side by side",
        ),
        publish_claim(
            id="O02.calls",
            text="redundant calls -50 %",
            source=FIVE,
            metric="redundant_requests",
            workload=TOGETHER.name,
            reading="answers beyond the first to the same question about a symbol within a cycle, where two consumers "
            "ask at the same moment (since 2026-11-29; before that all requests, the necessary ones too)",
            headline=True,
        ),
        publish_claim(
            id="O02.calls-old",
            text="redundant calls -50 %",
            source=FIVE,
            metric="requests",
            workload=TOGETHER.name,
            reading="half of all requests or fewer where two consumers ask for each symbol at the same moment: the "
            "reading until 2026-11-29, by which necessary requests count as redundant",
        ),
        publish_claim(
            id="O02.calls-alone",
            text="redundant calls -50 %",
            source=FIVE,
            metric="requests",
            workload=ALONE.name,
            reading="half of the requests or fewer where one consumer asks, and no call is redundant",
        ),
    ),
    workloads=(FETCH, SOCKETS, WHOLE, TOGETHER, ALONE, REFUSED),
)
