"""O13 - incremental updates.

Claim        "30-40% reduction in CPU usage" (additional_optimizations.txt, Optimization 13).
Baseline     baseline/indicators.py: every indicator from the whole history, for every symbol and cycle.
Prescribed   The last price of a symbol is remembered for 300 s; while the close is equal, the indicators computed last
             are served. As printed this needs a Redis client, and where it should serve them the code says ``pass`` and
             computes: that is the arm ``as printed``, and with a Redis ``as printed, on Redis``, which still skips
             nothing and pays for one or two round trips. A dict in place of Redis and a ``return`` in place of ``pass``
             are the charitable repair that is measured as prescribed. The document does not show where the cached
             indicators come from; here each computation is kept, without an end.
             The comment says "if price changed significantly", the code compares for equality: one tick of a cent
             computes everything anew. All but the close is ignored: a new volume, high or low, a revised bar, and a
             new day that stands where the last one closed, are missed for up to 300 s. An equal price does not renew
             that. The price is remembered before anything is computed, so that after a failure the indicators of an
             older price are served for this one. Of the pipeline's components only the indicators are ever skipped.
             The document's method knows the symbol and our stage does not: the first bar of the history stands for it.
Engineered   optimized/indicators.py: the recursive sums over the closed bars are kept and continued by the live bar,
             which is replaced, not appended; windows are summed anew. Computed in full, by the stage that it finds,
             where the closed bars are not those that were seen.
Simple       The last bar as a whole is compared with the last one seen; where any value changed, all is computed.
May change   rounding of float64.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from argo_bench.harness.claims.sentence import publish_claim
from argo_bench.optimizations.optimization import CYCLE, Optimization, Replay, Workload
from argo_bench.pipeline.model import Decision, Indicators, Stage, World
from argo_bench.pipeline.optimized.indicators import Incremental, block
from argo_bench.pipeline.optimized.indicators import indicators as kernel
from argo_bench.pipeline.record import Pipeline

TTL_S = 300.0


class PriceGate:
    """Implements the document's check in front of an indicators stage, with a dict where the document has its Redis.

    With ``skips`` an unchanged price serves the indicators computed last; without it they are computed all the same.
    """

    def __init__(self, indicators: Stage, *, skips: bool) -> None:
        self.__wrapped__ = indicators
        self.hits = 0
        self.misses = 0
        self._skips = skips
        self._components: dict[str, tuple[Any, float]] = {}
        self._indicators: dict[str, Indicators] = {}

    def __call__(self, world: World, frame: pd.DataFrame) -> Indicators:
        symbol = block(frame)[:, :1].tobytes().hex()
        current_price = float(frame.iloc[-1]["close"])
        if not self._should_update_component(world, symbol, "price", current_price):
            cached_indicators = self._indicators.get(symbol)
            if cached_indicators and self._skips:
                self.hits += 1
                return cached_indicators
        self.misses += 1
        computed: Indicators = self.__wrapped__(world, frame)
        self._indicators[symbol] = computed
        return computed

    def _should_update_component(self, world: World, symbol: str, component: str, current_value: Any) -> bool:
        cache_key = f"component:{symbol}:{component}"
        last_value, stored_at = self._components.get(cache_key, (None, 0.0))
        if last_value == current_value and world.now() - stored_at < TTL_S:
            return False
        self._components[cache_key] = (current_value, world.now())
        return True


class RedisGate(PriceGate):
    """Implements the document's check with its Redis client, which blocks, and its ``pass``: nothing is skipped."""

    def __init__(self, indicators: Stage) -> None:
        super().__init__(indicators, skips=False)

    def _should_update_component(self, world: World, symbol: str, component: str, current_value: Any) -> bool:
        cache_key = f"component:{symbol}:{component}"
        last_value = world.redis.get(cache_key).result()
        if last_value is not None and json.loads(last_value) == current_value:
            return False
        world.redis.set(cache_key, json.dumps(current_value).encode(), TTL_S).result()
        return True


def prescribed(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(indicators=PriceGate(pipeline.indicators, skips=True))


def engineered(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(indicators=Incremental(pipeline.indicators))


class WholeBarGate:
    """Serves the indicators computed last while the last bar and the number of bars are what they were."""

    def __init__(self, indicators: Stage) -> None:
        self.__wrapped__ = indicators
        self.hits = 0
        self.misses = 0
        self._last: dict[bytes, tuple[bytes, Indicators]] = {}

    def __call__(self, world: World, frame: pd.DataFrame) -> Indicators:
        bars = block(frame)
        symbol, seen = bars[:, :1].tobytes(), bars[:, -1:].tobytes() + bytes(str(len(frame)), "ascii")
        before, served = self._last.get(symbol, (b"", None))
        if served is not None and before == seen:
            self.hits += 1
            return served
        self.misses += 1
        computed: Indicators = self.__wrapped__(world, frame)
        self._last[symbol] = seen, computed
        return computed


def simple(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(indicators=WholeBarGate(pipeline.indicators))


def as_printed(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(indicators=PriceGate(pipeline.indicators, skips=False))


def as_printed_on_redis(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(indicators=RedisGate(pipeline.indicators))


def kernel_in_full(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(indicators=kernel)


TOLERANCE = 1e-9


def damage_to_decisions(expected: Replay, got: Replay) -> Mapping[str, float]:
    """Count how the decisions of whole cycles differ from those in which everything is computed."""
    left, right = index_decisions(expected), index_decisions(got)
    pairs = [(left[key], right[key]) for key in left.keys() & right.keys()]
    drifts = [drift((a.confidence, a.entry), (b.confidence, b.entry)) for a, b in pairs]
    differing = [(a.direction, a.regime) != (b.direction, b.regime) for a, b in pairs]
    one_sided = len(left.keys() ^ right.keys())
    return {
        "signals": len(right),
        "updates": len(left.keys() | right.keys()),
        "missed updates": one_sided + sum(each or d > TOLERANCE for each, d in zip(differing, drifts, strict=True)),
        "flipped signals": sum(a.direction != b.direction for a, b in pairs),
        "largest drift": max(drifts, default=0.0),
    }


def damage_to_indicators(expected: Replay, got: Replay) -> Mapping[str, float]:
    """Count the calls of the indicators stage that got something
    else than was to be computed, and measure by how much."""
    pairs = zip(expected.calls, got.calls, strict=True)
    drifts = [drift(dataclasses.astuple(a.result), dataclasses.astuple(b.result)) for a, b in pairs]
    missed = [find_missed(a.result, b.result) for a, b in zip(expected.calls, got.calls, strict=True)]
    return {
        "updates": len(missed),
        "missed updates": sum(each > TOLERANCE for each in drifts),
        **{f"missed updates of {what}": sum(what in each for each in missed) for what in (*READ_FROM, "a close")},
        "largest drift": max(drifts, default=0.0),
    }


READ_FROM: Mapping[str, frozenset[str]] = {
    "a volume": frozenset(("volume_sma20", "volume_ratio")),
    "a high or low": frozenset(("atr14", "plus_di14", "minus_di14", "adx14")),
}
"""Maps what a bar has besides its close to the indicators that read it."""


def find_missed(expected: Indicators, got: Indicators) -> set[str]:
    """Return of what an update was missed: by the indicators that are not what they should be."""
    off = {name for name in expected.__slots__ if difference(getattr(expected, name), getattr(got, name)) > TOLERANCE}
    found = {what for what, names in READ_FROM.items() if off & names}
    return found | ({"a close"} if off - frozenset().union(*READ_FROM.values()) else set())


def index_decisions(replay: Replay) -> dict[tuple[int, str], Decision]:
    """Return the decisions by cycle and symbol."""
    return {(call.cycle, decision.symbol): decision for call in replay.calls for decision in call.result.decided}


def drift(expected: Iterable[float], got: Iterable[float]) -> float:
    """Return the largest difference, relative to the value or
    to 1 where that is more; infinite where only one is NaN."""
    return max(map(difference, expected, got), default=0.0)


def difference(expected: float, got: float) -> float:
    if math.isnan(expected) or math.isnan(got):
        return 0.0 if math.isnan(expected) and math.isnan(got) else math.inf
    return abs(got - expected) / max(1.0, abs(expected))


SEED = "additional_optimizations.txt, Optimization 13"
WALKED = "whole cycles, 5 s apart, of a live market: one that fills the caches, and is not timed, and 48 more; "
LIVE = Workload(
    name="cycle, live",
    stage=CYCLE,
    inputs="trace",
    description=f"{WALKED}each symbol ticks at its own rate; providers answer at once, so that the schedule is kept",
    cycles=49,
    scales=(6, 3, 12),
    unit="symbols",
    latency_scale=0.0,
    arms={"kernel in full": kernel_in_full},
)
SHORT = Workload(
    name="cycle, live, five cycles",
    stage=CYCLE,
    inputs="trace",
    description="five whole cycles of the same, after one that is not timed",
    scales=(6, 3, 12),
    unit="symbols",
    cycles=6,
    latency_scale=0.0,
)
TICKING = Workload(
    name="cycle, by change rate",
    stage=CYCLE,
    inputs="trace",
    description=f"{WALKED}every symbol ticks in this share of the steps, which need not move its quote",
    cycles=49,
    scales=(20, 0, 50, 100),
    unit="% ticking",
    latency_scale=0.0,
)
WAITING = Workload(
    name="cycle, live, waiting",
    stage=CYCLE,
    inputs="trace",
    description=f"{WALKED}the providers take their time, so that cycles overrun and the 300 s are over sooner",
    cycles=49,
    scales=(6, 3, 12),
    unit="symbols",
)
UNCHANGED = Workload(
    name="cycle, live, last signals served",
    stage=CYCLE,
    inputs="trace",
    description=f"{WALKED}a symbol's last signal is served while its price moved by less than 0.5 %",
    cycles=49,
    scales=(6, 3, 12),
    unit="symbols",
    skip_unchanged=True,
    latency_scale=0.0,
)
QUARTER_OF_AN_HOUR = Workload(
    name="cycle, live, a quarter of an hour",
    stage=CYCLE,
    inputs="trace",
    description="180 cycles of a live market, counted, not timed: what becomes of the signals",
    scales=(6, 3, 12),
    unit="symbols",
    cycles=180,
    timed=False,
    damage=damage_to_decisions,
    latency_scale=0.0,
)
TEN_MINUTES = Workload(
    name="cycle, ten minutes by change rate",
    stage=CYCLE,
    inputs="trace",
    description="120 cycles, twice the life of a remembered price; every symbol ticks in this share of the steps",
    scales=(20, 0, 50, 100),
    unit="% ticking",
    cycles=120,
    timed=False,
    damage=damage_to_decisions,
    latency_scale=0.0,
)
ON_REDIS = Workload(
    name="indicators, unchanged, on Redis",
    stage="indicators",
    inputs="trace",
    description="the frames of consecutive cycles of a market that stands still, beside a Redis that has its prices",
    scales=(6,),
    unit="symbols",
    trace="frozen",
    cycles=8,
    arms={"as printed, on Redis": as_printed_on_redis},
    servers=frozenset({"redis"}),
)
SERVED = Workload(
    name="indicators, live, ten minutes",
    stage="indicators",
    inputs="trace",
    description="the frames of 120 cycles of a live market, counted, not timed: what the indicators stage hands out",
    scales=(6, 3, 12),
    unit="symbols",
    cycles=120,
    timed=False,
    damage=damage_to_indicators,
)

OPTIMIZATION = Optimization(
    id="O13",
    name="incremental updates",
    layer="wrap",
    prescribed=prescribed,
    engineered=engineered,
    simple=simple,
    arms={"as printed": as_printed},
    claims=(
        publish_claim(
            id="O13.cpu",
            text="30-40% reduction in CPU usage",
            source=f"{SEED}, Expected Impact",
            workload=LIVE.name,
            curve=TICKING.name,
            reading="CPU time of whole cycles of the pipeline on a market that ticks as it does live, caches filled; "
            "since 2026-11-29 of 48 cycles, before of five",
            headline=True,
        ),
        publish_claim(
            id="O13.cpu-five-cycles",
            text="30-40% reduction in CPU usage",
            source=f"{SEED}, Expected Impact",
            workload=SHORT.name,
            reading="the same by the reading before 2026-11-29, of five cycles",
        ),
        publish_claim(
            id="O13.cpu.unchanged",
            text="30-40% reduction in CPU usage",
            source=f"{SEED}, Expected Impact",
            workload=UNCHANGED.name,
            reading="second reading: in a service that serves the last signal while the price moved by less than 0.5 %",
        ),
        publish_claim(
            id="O13.faster",
            text="Faster signal generation (skip unchanged components)",
            source=f"{SEED}, Expected Impact",
            metric="wall",
            workload=WAITING.name,
            reading="a cycle takes less time, waiting for providers included, as the document's seconds include it",
        ),
        publish_claim(
            id="O13.efficient",
            text="More efficient processing",
            source=f"{SEED}, Expected Impact",
            workload=LIVE.name,
            curve=TICKING.name,
            reading="less CPU time for whole cycles on a live market, by however little",
        ),
    ),
    workloads=(LIVE, SHORT, TICKING, WAITING, UNCHANGED, QUARTER_OF_AN_HOUR, TEN_MINUTES, SERVED, ON_REDIS),
    may_change="rounding of float64",
    tolerance=TOLERANCE,
)
