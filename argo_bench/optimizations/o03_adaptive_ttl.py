"""O03 - adaptive TTL.

Claim        API calls -70-85 %, cost -50-60 % (FIVE, the earlier document on optimizations 1-5). It has no copy here:
             its rules are those that the study's own specification restates.
Baseline     baseline/transport.py: every request travels. What adaptive lifetimes are to beat is the arm "fixed 20 s".
Prescribed   Every answer is kept for 120 s x type (market 1, indicators 1.5, sentiment 2, reasoning 10; consensus, 3,
             is no request) x volatility (above 5 %: 0.5, below 1 %: 2) x regime (VOLATILE 0.7, CONSOLIDATION 1.5) x 3
             off hours, within 10 and 3600 s. Volatility is read as the size of the last bar's move, the regime is that
             of the last bars; both are found anew whenever bars arrive. What is wrong stays:
             `if current_volatility` takes 0.0 for unknown, so a market that stands still gets no longer lifetime;
             "BTC" anywhere in a name makes it crypto, and ETH-USD has off hours; off hours go by the hour of a naive
             clock, 9 to 16, which knows no half hour, no weekend and no holiday. Such a clock shows UTC on a server,
             where the American afternoon is off hours and kept three times as long: the arm "New York clock" is the
             kind reading. It never forgets an expired answer, and its shortest lifetime is 10 s, however fast prices
             move.
Engineered   optimized/transport.py and lifetimes.py, by budgets for what may be wrong with an answer. A price is kept
             until it is expected to be off by 0.1 %, a thirtieth of the way to the stop: calm symbols for minutes, wild
             ones for seconds, by how the symbol itself moves, first in its daily bars and then from answer to answer.
             It is kept for less where a move of twice that budget would change the decision. An opinion is kept until
             the chance that the model has changed its mind is one in twenty, by how often it has done so. The reference
             price, read by one rule with a tolerance of 5 %, has a budget of 1 %. RSI and SMA are daily figures that no
             vote reads. Nothing is older than 300 s; lifetimes are jittered; a stock's prices are kept from close to
             next open by the exchange's calendar (exchange_calendars). Explanations are left to O04 and O12. Nothing is
             asked for ahead of its expiry: that sends no fewer requests, and makes what is served older.
Simple       one lifetime of 60 s for every answer.
May change   data up to 300 s old while the market is open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from argo_bench.extras import Requirement
from argo_bench.harness.claims.sentence import publish_claim
from argo_bench.optimizations._refreshed_ahead import refresh_ahead
from argo_bench.optimizations.optimization import CYCLE, Optimization, Replay, Workload
from argo_bench.pipeline.baseline.consensus import consensus
from argo_bench.pipeline.baseline.signals import signals
from argo_bench.pipeline.lifetimes import read_bars
from argo_bench.pipeline.model import Direction, Pending, Regime, Request, Stage, World
from argo_bench.pipeline.optimized.transport import BOUND_S, Arrived, Arriving, Cached, within_budget
from argo_bench.pipeline.record import Edit, Pipeline

BASE_S = 120.0
SHORTEST_S = 10.0
LONGEST_S = 3600.0
BY_TYPE: Mapping[str, float] = {"market": 1.0, "indicators": 1.5, "sentiment": 2.0, "reasoning": 10.0}
TYPE: Mapping[str, str] = {
    "bars": "market",
    "quote": "market",
    "rsi": "indicators",
    "sma": "indicators",
    "opinion": "sentiment",
    "explanation": "reasoning",
}
"""Maps what is asked to one of the document's types of data."""

BY_REGIME: Mapping[str, float] = {"VOLATILE": 0.7, "CONSOLIDATION": 1.5}
Clock = Callable[[float], int]
"""Maps seconds since the epoch to the hour that a clock shows."""


def utc_hour(now: float) -> int:
    return datetime.fromtimestamp(now, UTC).hour


def new_york_hour(now: float) -> int:
    return datetime.fromtimestamp(now, ZoneInfo("America/New_York")).hour


def adaptive_ttl_s(data_type: str, current_volatility: float | None, regime: str, symbol: str, hour: int) -> float:
    """Return the document's lifetime of an answer, in seconds."""
    ttl = BASE_S * BY_TYPE[data_type]
    if current_volatility:
        if current_volatility > 0.05:
            ttl *= 0.5
        elif current_volatility < 0.01:
            ttl *= 2.0
    ttl *= BY_REGIME.get(regime, 1.0)
    if "BTC" not in symbol and not 9 <= hour < 16:
        ttl *= 3.0
    return max(SHORTEST_S, min(LONGEST_S, ttl))


class AdaptiveTTL(Cached):
    """Implements the document's cache, in front of a transport; lifetimes count from when the answer arrives."""

    def __init__(self, pipeline: Pipeline, hour: Clock = utc_hour) -> None:
        super().__init__(pipeline.transport)
        self._frame = pipeline.frame
        self._regime = pipeline.regime
        self._hour = hour
        self._volatility: dict[str, float] = {}
        self._regimes: dict[str, Regime] = {}

    def expires_at(self, world: World, request: Request, answer: Any, sent_at: float) -> float:
        symbol, now = request.symbol, world.now()
        if request.what == "bars":
            before, last = answer.values[3, -2:]
            self._volatility[symbol] = abs(float(last / before) - 1)
            self._regimes[symbol] = self._regime(world, self._frame(world, answer))
        volatility, regime = self._volatility.get(symbol), self._regimes.get(symbol, "UNKNOWN")
        return now + adaptive_ttl_s(TYPE[request.what], volatility, regime, symbol, self._hour(now))


class FixedTTL(Cached):
    """Keeps every answer for one lifetime, counted from when it arrives."""

    def __init__(self, transport: Stage, ttl_s: float) -> None:
        super().__init__(transport)
        self._ttl_s = ttl_s

    def expires_at(self, world: World, request: Request, answer: Any, sent_at: float) -> float:
        return world.now() + self._ttl_s


class LibraryTTL:
    """Keeps every answer for one lifetime with cachetools.TTLCache, which is bounded and forgets what has expired."""

    def __init__(self, transport: Stage, ttl_s: float) -> None:
        self.__wrapped__ = transport
        self.hits = 0
        self.misses = 0
        self._ttl_s = ttl_s
        self._answers: Any = None

    def __call__(self, world: World, request: Request) -> Pending[Any]:
        if self._answers is None:
            from cachetools import TTLCache

            self._answers = TTLCache(maxsize=4096, ttl=self._ttl_s, timer=world.now)
        key = request.provider, request.symbol, request.what, request.prompt
        answer = self._answers.get(key)
        if answer is not None:
            self.hits += 1
            return Arrived(answer)
        self.misses += 1
        return Arriving(self.__wrapped__(world, request), lambda answer: self._answers.__setitem__(key, answer))


def prescribed(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=AdaptiveTTL(pipeline))


def engineered(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=within_budget(pipeline.transport))


def on_a_new_york_clock(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=AdaptiveTTL(pipeline, new_york_hour))


def with_fixed_ttl(ttl_s: float) -> Edit:
    """Return the edit with one lifetime for every answer."""
    return lambda pipeline: pipeline.replace(transport=FixedTTL(pipeline.transport, ttl_s))


def cachetools_arm(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=LibraryTTL(pipeline.transport, REFERENCE_S))


REFERENCE_S = 20.0
SIMPLE_S = 60.0
LOOK = 7
"""Decisions are compared in every seventh cycle: 35 s share no divisor with lifetimes of whole minutes but 5 s, so that
answers of every age are looked at."""
FIXED_20 = "fixed 20 s"
MINUTE = 12
"""The number of 5 s cycles that make a minute."""


def damage(expected: Replay, got: Replay) -> dict[str, float]:
    """Measure how old the bars are that a decision is made on, and how far off their last price is.

    The age is the time since the market last looked like what was served. The steepest minute is, for each symbol, the
    one in which its price moved furthest; the largest error within it is averaged over the symbols.
    """
    ages: list[float] = []
    errors: list[float] = []
    steepest: list[float] = []
    symbols = list(dict.fromkeys(call.arguments[0] for call in expected.calls))
    for place, symbol in enumerate(symbols):
        true, served = expected.calls[place :: len(symbols)], got.calls[place :: len(symbols)]
        seen: dict[Any, float] = {}
        prices = np.empty(len(true))
        off = np.empty(len(true))
        for number, (at, answer) in enumerate(zip(true, served, strict=True)):
            assert at.arguments == answer.arguments == (symbol,), "expected both replays to walk the same symbols"
            seen[looks(at.result.bars)] = at.virtual_s
            ages.append(at.virtual_s - seen[looks(answer.result.bars)])
            prices[number] = at.result.bars.values[3, -1]
            off[number] = abs(answer.result.bars.values[3, -1] / prices[number] - 1)
        errors.extend(off.tolist())
        steepest.append(float(off[steepest_minute(prices)].max()))
    return {
        "data age p50 s": float(np.percentile(ages, 50)),
        "data age p99 s": float(np.percentile(ages, 99)),
        "data age max s": max(ages),
        "price error p99 %": 100 * float(np.percentile(errors, 99)),
        "price error max %": 100 * max(errors),
        "price error at the steepest minute %": 100 * float(np.mean(steepest)),
    }


def looks(bars: Any) -> tuple[int, bytes]:
    """Return what tells two states of a symbol's market apart: how many bars there are, and the live one."""
    return len(bars), bars.values[:, -1].tobytes()


def steepest_minute(prices: np.ndarray) -> slice:
    """Return the cycles of the minute in which the price moved
    furthest; all of them where there is less than a minute."""
    if len(prices) <= MINUTE:
        return slice(None)
    start = int(np.abs(prices[MINUTE:] / prices[:-MINUTE] - 1).argmax())
    return slice(start, start + MINUTE + 1)


def damage_of_day(expected: Replay, got: Replay) -> dict[str, float]:
    """Measure the age of the bars and their error, and count the signals that are not those of fresh data."""
    return damage(expected, got) | count_signals(expected, got)


def count_signals(expected: Replay, got: Replay) -> dict[str, float]:
    """Count, in every seventh cycle, the signals due and those that were missed, added or flipped."""
    due, found = list_directions(expected), list_directions(got)
    pairs = list(zip(due, found, strict=True))
    counts = {
        "signals due": sum(fresh is not None for fresh in due),
        "signals missed": sum(fresh is not None and each is None for fresh, each in pairs),
        "signals added": sum(fresh is None and each is not None for fresh, each in pairs),
        "signals flipped": sum(fresh != each and None not in (fresh, each) for fresh, each in pairs),
    }
    changed = counts["signals missed"] + counts["signals added"] + counts["signals flipped"]
    return {name: float(count) for name, count in (counts | {"signals changed": changed}).items()}


def list_directions(replay: Replay) -> list[Direction | None]:
    """Return what would be decided on what was fetched, None for no signal.

    What a replay keeps of bars is the last one, and the market has the closed ones before it.
    """
    market: Any = replay.world.market  # type: ignore[attr-defined]
    found: list[Direction | None] = []
    for call in replay.calls:
        if call.cycle % LOOK == 0:
            served = call.result.bars
            bars = market.bars(served.symbol, call.cycle)
            end = int(np.searchsorted(bars.timestamps, served.timestamps[-1]))
            values = np.hstack([bars.values[:, :end], served.values[:, -1:]])
            indicators, regime = read_bars(values)
            vote = consensus(replay.world, signals(replay.world, indicators, call.result.opinions), regime)
            found.append(None if vote is None else vote.direction)
    return found


FIVE = "an earlier document on optimizations 1-5 (FIVE)"
DAY = Workload(
    name="fetch, a trading day",
    stage="fetch",
    inputs="trace",
    description="what is asked of the providers over a trading day, six requests a symbol every 5 s, caches cold",
    scales=(4680, 1170, 360),
    unit="cycles",
    arms={
        "New York clock": on_a_new_york_clock,
        "fixed 5 s": with_fixed_ttl(5.0),
        "fixed 60 s": with_fixed_ttl(60.0),
        "fixed 120 s": with_fixed_ttl(120.0),
        "fixed 300 s": with_fixed_ttl(300.0),
        "cachetools 20 s": cachetools_arm,
    },
    timed=False,
    damage=damage_of_day,
    frontier=("signals changed", "requests"),
    earlier_damage="data age p99 s",
)
TICKING = Workload(
    name="fetch, by share of ticking",
    stage="fetch",
    inputs="trace",
    description="the same over a quarter of the day, on markets that tick more or less often",
    scales=(20, 0, 50, 100),
    unit="% ticking",
    cycles=1170,
    timed=False,
    damage=damage,
)
AHEAD = "refreshed ahead"
IN_TIME = Workload(
    name="cycle, lifetimes",
    stage=CYCLE,
    inputs="trace",
    description="whole live cycles: what a cycle waits for is what has expired, unless it was asked for anew while the "
    "service idled before",
    scales=(6,),
    unit="symbols",
    cycles=24,
    arms={AHEAD: refresh_ahead},
)

OPTIMIZATION = Optimization(
    id="O03",
    name="adaptive TTL",
    layer="wrap",
    prescribed=prescribed,
    engineered=engineered,
    simple=with_fixed_ttl(SIMPLE_S),
    arms={FIXED_20: with_fixed_ttl(REFERENCE_S)},
    requires={"cachetools 20 s": Requirement("cachetools", "caching")},
    may_change=f"data up to {BOUND_S:.0f} s old while the market is open",
    staleness_s=BOUND_S,
    claims=(
        publish_claim(
            id="O03.calls",
            text="API calls -70-85 %",
            source=FIVE,
            metric="requests",
            workload=DAY.name,
            reference=FIXED_20,
            curve=TICKING.name,
            reading="requests to all providers over a trading day, against one fixed lifetime of 20 s",
            headline=True,
        ),
        publish_claim(
            id="O03.cost",
            text="cost -50-60 %",
            source=FIVE,
            metric="dollars",
            workload=DAY.name,
            reference=FIXED_20,
            curve=TICKING.name,
            reading="dollars for the two opinion models over a trading day, against one fixed lifetime of 20 s; market "
            "data comes by subscription",
            headline=True,
        ),
        publish_claim(
            id="O03.calls-uncached",
            text="API calls -70-85 %",
            source=FIVE,
            metric="requests",
            workload=DAY.name,
            curve=TICKING.name,
            reading="requests to all providers over a trading day, against no cache at all",
        ),
        publish_claim(
            id="O03.cost-uncached",
            text="cost -50-60 %",
            source=FIVE,
            metric="dollars",
            workload=DAY.name,
            curve=TICKING.name,
            reading="dollars for the two opinion models over a trading day, against no cache at all",
        ),
    ),
    workloads=(DAY, TICKING, IN_TIME),
)
