"""O10 - batches, priority, early exit.

Claim        "20-30% reduction in cycle time (early exit)" (additional_optimizations.txt, Optimization 10).
Baseline     baseline/schedule.py: symbols one after another. The document starts from symbols in parallel, so that the
             reference is O02 as prescribed, and the variants stand on it here.
Prescribed   Symbols sorted by their success so far, in batches of six, each waited for as a whole; the walk ends after
             a batch of which less than 30 % yielded a signal. Wrong, and how it shows:
             - "No signal" counts as failure, though a symbol without a consensus is as healthy as any other. Consensus
               accepts 25-31 % of symbols and days, so that most walks end early and their signals are lost.
             - Symbols that were never tried rank below those that succeeded once, and those at the end of the list are
               never reached: they starve.
             - The gather is a barrier: one slow symbol holds up five slots.
             - At six symbols there is one batch, after which nothing is left to skip.
             - A failed symbol becomes a log line and is dropped; one that was cancelled counts as success and is
               handed out as if it were a signal, since CancelledError is no Exception.
             - An empty universe raises ValueError: the batch size is zero.
             - Signals come in the order of priority, not of the universe.
             The document does not show how it prioritizes; this is the smallest reading of "priority adjustment":
             successes by attempts, none where there were none, ties as given. An arm ranks untried symbols at 50 %.
Engineered   optimized/schedule.py: a bound instead of batches, every symbol in every cycle, given up only when
             providers fail. It skips nothing, so against symbols in parallel there is no waiting to be won; it bounds
             what is in flight, and one failing symbol no longer costs the cycle. While a provider is down it stops
             asking. Symbols whose data are at hand go through each stage together, as arrays; only one that waits is a
             task. A validation in rounds then makes no task for a quote that is at hand either.
Simple       asyncio.gather over all symbols with a semaphore of the same size. One failing symbol costs the cycle.
May change   nothing.

Symbols can only overlap where a stage awaits: without O02, a variant exchanges the blocking fetch and reason of the
baseline for the same requests awaited.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from functools import partial
from statistics import fmean
from typing import Any

from argo_bench.harness.claims.claim import Claim
from argo_bench.harness.claims.sentence import publish_claim
from argo_bench.optimizations.o02_parallel_fetch import prescribed as in_parallel
from argo_bench.optimizations.optimization import CYCLE, SIMPLE, Optimization, Replay, Workload, keep_baseline
from argo_bench.pipeline import baseline
from argo_bench.pipeline.model import (
    Bars,
    Decision,
    Fetched,
    Opinions,
    Pending,
    ProviderError,
    Request,
    Stage,
    World,
)
from argo_bench.pipeline.optimized.fetch import TECHNICAL
from argo_bench.pipeline.optimized.reason import reason as awaiting_reason
from argo_bench.pipeline.optimized.schedule import AT_ONCE, StageByStage
from argo_bench.pipeline.optimized.validate import validate as in_rounds
from argo_bench.pipeline.optimized.validate import validate_at_hand
from argo_bench.pipeline.record import Edit, Pipeline, decide, settle

BATCH = 6
LEAST_SUCCESS = 0.3

logger = logging.getLogger(__name__)
logger.addHandler(logging.NullHandler())  # whoever wants the document's warnings adds a handler of their own


class Batches:
    """Walks the symbols as the document does. ``untried`` is the success rate of a symbol that was never walked.

    ``attempts`` counts per symbol how often it was walked, ``successes`` how often that gave a signal.
    """

    def __init__(self, untried: float = 0.0) -> None:
        self.attempts: Counter[str] = Counter()
        self.successes: Counter[str] = Counter()
        self._untried = untried

    async def __call__(self, world: World, pipeline: Pipeline, symbols: Sequence[str]) -> list[Decision]:
        sorted_symbols = self._prioritize_symbols(symbols)
        batch_size = min(BATCH, len(sorted_symbols))
        generated_signals: list[Any] = []
        for start in range(0, len(sorted_symbols), batch_size):
            batch = sorted_symbols[start : start + batch_size]
            tasks = [decide(pipeline, world, symbol) for symbol in batch]
            results = await asyncio.gather(*tasks, return_exceptions=True)
            for symbol, result in zip(batch, results, strict=True):
                if isinstance(result, Exception):
                    logger.error("Error processing %s: %s", symbol, result)
                    continue
                if result:
                    generated_signals.append(result)
                    self._track_symbol_success(symbol, True)
                else:
                    self._track_symbol_success(symbol, False)
            success_rate = sum(1 for r in results if r and not isinstance(r, Exception)) / len(results)
            if success_rate < LEAST_SUCCESS:
                logger.warning("Low success rate (%.0f%%), skipping remaining symbols", 100 * success_rate)
                break
        return generated_signals

    def _prioritize_symbols(self, symbols: Sequence[str]) -> list[str]:
        self.attempts.update(dict.fromkeys(symbols, 0))
        return sorted(symbols, key=self._success_rate, reverse=True)

    def _success_rate(self, symbol: str) -> float:
        attempts = self.attempts[symbol]
        return self.successes[symbol] / attempts if attempts else self._untried

    def _track_symbol_success(self, symbol: str, success: bool) -> None:
        self.attempts[symbol] += 1
        self.successes[symbol] += success


async def awaiting_fetch(world: World, symbol: str) -> Fetched:
    """Send the baseline's six requests one after another, but let other symbols be walked while a provider answers."""
    bars = await market_data(world, symbol)
    technical = {what: await world.opinion("alpha_vantage", symbol, what) for what in TECHNICAL}
    sentiment = await world.opinion("x_sentiment", symbol, "opinion")
    analysis = await world.opinion("sonar", symbol, "opinion")
    return Fetched(bars, Opinions(technical, sentiment, analysis))


async def market_data(world: World, symbol: str) -> Bars:
    bars: Bars
    try:
        bars = await world.bars("massive", symbol)
    except ProviderError:
        bars = await world.bars("alpaca", symbol)
    return bars


def walk_by(pipeline: Pipeline, schedule: Stage) -> Pipeline:
    """Return the pipeline with another schedule, and the baseline's
    blocking requests awaited; anything else stays as it is."""
    plain = baseline.PIPELINE
    return pipeline.replace(
        fetch=awaiting_fetch if pipeline.fetch is plain.fetch else pipeline.fetch,
        reason=awaiting_reason if pipeline.reason is plain.reason else pipeline.reason,
        schedule=schedule,
    )


def prescribed(pipeline: Pipeline, untried: float = 0.0) -> Pipeline:
    return walk_by(pipeline, Batches(untried))


def engineered(pipeline: Pipeline) -> Pipeline:
    edited = walk_by(pipeline, StageByStage())
    return edited.replace(validate=validate_at_hand) if pipeline.validate is in_rounds else edited


def gather_bounded(at_once: int = AT_ONCE) -> Stage:
    """Return the schedule that walks all symbols in one gather, so many of them at a time."""

    async def schedule(world: World, pipeline: Pipeline, symbols: Sequence[str]) -> list[Decision]:
        gate = asyncio.Semaphore(at_once)

        async def walk(symbol: str) -> Decision | None:
            async with gate:
                return await decide(pipeline, world, symbol)

        decisions = await asyncio.gather(*map(walk, symbols))
        return [decision for decision in decisions if decision is not None]

    return schedule


def simple(pipeline: Pipeline) -> Pipeline:
    return walk_by(pipeline, gather_bounded())


def after_parallel(edit: Edit) -> Edit:
    """Return the edit on a pipeline whose symbols and sources are fetched in parallel already."""
    return lambda pipeline: edit(in_parallel(pipeline))


def damage(expected: Replay, got: Replay) -> Mapping[str, float]:
    """Count the signals lost against the baseline's and the symbols never walked, and measure how long a cycle took."""
    wanted, found = list_signals(expected), list_signals(got)
    rejected = [each for call in got.calls for each in call.result.rejected]
    attempts: Mapping[str, int] = getattr(got.pipeline.schedule, "attempts", {})
    return {
        "signals": len(found),
        "signals missed": len(wanted - found),
        "recall": len(wanted & found) / len(wanted) if wanted else 1.0,
        "starved symbols": sum(count == 0 for count in attempts.values()),
        "signals rejected as stale": sum(each.rule == "stale" for each in rejected),
        "cycle s": fmean(call.ended_s - call.virtual_s for call in got.calls),
    }


class Unavailable:
    """Stands for a request whose answer, when it comes, says that the provider is down."""

    def __init__(self, pending: Pending[Any]) -> None:
        self._pending = pending

    def result(self) -> Any:
        self._pending.result()
        raise ProviderError("503: the provider is down")

    def __await__(self) -> Generator[Any, None, Any]:
        yield from self._pending.__await__()
        raise ProviderError("503: the provider is down")


def in_outage(edit: Edit) -> Edit:
    """Return the edit where a provider is down in DOWN's cycles, in a service that goes on after a failed cycle."""

    def edit_pipeline(pipeline: Pipeline) -> Pipeline:
        pipeline = edit(pipeline)
        sent, walk = pipeline.transport, pipeline.schedule

        def transport(world: World, request: Request) -> Pending[Any]:
            pending: Pending[Any] = sent(world, request)
            return Unavailable(pending) if world.cycle in DOWN and request.provider == "alpha_vantage" else pending

        async def schedule(world: World, pipeline: Pipeline, symbols: Sequence[str]) -> list[Decision]:
            try:
                decisions: list[Decision] = await settle(walk(world, pipeline, symbols))
            except ProviderError:
                return []
            return decisions

        return pipeline.replace(transport=transport, schedule=schedule)

    return edit_pipeline


def outage_damage(expected: Replay, got: Replay) -> Mapping[str, float]:
    """Count the signals of the cycles without the outage, and measure how long the cycles with it took."""
    usual = [call for call in got.calls if call.cycle not in DOWN]
    down = [call for call in got.calls if call.cycle in DOWN]
    return {
        "signals outside the outage": sum(len(call.result.decided) for call in usual),
        "cycle s in the outage": fmean(call.ended_s - call.virtual_s for call in down),
        "cycle s outside it": fmean(call.ended_s - call.virtual_s for call in usual),
    }


def list_signals(replay: Replay) -> set[tuple[int, str]]:
    """Return the cycle and symbol of every signal."""
    return {(call.cycle, decision.symbol) for call in replay.calls for decision in call.result.decided}


SEED = "additional_optimizations.txt, Optimization 10"
PARALLEL = "symbols in parallel"
DOWN = range(2, 5)
"""The cycles of an outage in which the technical provider is down."""
ARMS: Mapping[str, Edit] = {
    "prescribed": after_parallel(prescribed),
    "engineered": after_parallel(engineered),
    SIMPLE: after_parallel(simple),
    PARALLEL: in_parallel,
    "prescribed, untried at 50 %": after_parallel(partial(prescribed, untried=0.5)),
}
TIMED = Workload(
    name="cycle, symbols",
    stage=CYCLE,
    inputs="trace",
    description="whole cycles of a live market after a first one; 30 symbols are the fewest at which five batches are "
    "there to be skipped, 6 are one batch",
    scales=(30, 6, 120),
    unit="symbols",
    arms=ARMS,
    # Walked one after another, the signals of a fourth cycle would be older than 600 s and be rejected: another output.
    cycles=2,
    damage=damage,
)
SIGNALS = Workload(
    name="cycle, signals found",
    stage=CYCLE,
    inputs="trace",
    description="24 cycles of a live market, counted, not timed: what becomes of the signals",
    scales=(30, 6, 120, 600),
    unit="symbols",
    arms=ARMS,
    cycles=24,
    timed=False,
    damage=damage,
    frontier=("signals missed", "cycle s"),
)
OUTAGE = Workload(
    name="cycle, a provider is down",
    stage=CYCLE,
    inputs="trace",
    description="six cycles, counted, not timed; in three of them the technical provider answers every request with "
    "an error, and a cycle that fails is followed by the next",
    scales=(120, 30, 600),
    unit="symbols",
    # Without O02, whose coalescer as prescribed lets the next cycle wait for ever for a request that has failed.
    arms={
        "baseline": in_outage(keep_baseline),
        "prescribed": in_outage(prescribed),
        "engineered": in_outage(engineered),
        SIMPLE: in_outage(simple),
        PARALLEL: in_outage(lambda pipeline: walk_by(pipeline, gather_bounded(sys.maxsize))),
        "prescribed, untried at 50 %": in_outage(partial(prescribed, untried=0.5)),
    },
    cycles=6,
    timed=False,
    damage=outage_damage,
)

OPTIMIZATION = Optimization(
    id="O10",
    name="batches and early exit",
    layer="schedule",
    prescribed=prescribed,
    engineered=engineered,
    simple=simple,
    claims=(
        publish_claim(
            id="O10.time",
            text="20-30% reduction in cycle time (early exit)",
            source=f"{SEED}, Expected Impact",
            metric="wall",
            workload=TIMED.name,
            reference=PARALLEL,
            reading="time of a whole cycle over 30 symbols, latencies included, against O02 as prescribed, which is "
            "what the document starts from; at its own six symbols nothing is left to skip",
            headline=True,
            bound="symbols that run at the same time end with the slowest: time is won by leaving symbols out, and a "
            "version that skips none cannot win any",
        ),
        publish_claim(
            id="O10.time-counted",
            text="20-30% reduction in cycle time (early exit)",
            source=f"{SEED}, Expected Impact",
            metric="cycle s",
            workload=SIGNALS.name,
            reference=PARALLEL,
            reading="the same without noise (since 2026-11-29): the mean of 24 cycles on the virtual clock, on which "
            "computing costs nothing",
        ),
        publish_claim(
            id="O10.resources",
            text="Better resource utilization (focus on successful symbols)",
            source=f"{SEED}, Expected Impact",
            metric="requests",
            workload=SIGNALS.name,
            reference=PARALLEL,
            reading="fewer requests to providers in 24 cycles (eight until 2026-11-28), whatever signals that costs",
        ),
        publish_claim(
            id="O10.outage",
            text="Better resource utilization (focus on successful symbols)",
            source=f"{SEED}, Expected Impact",
            metric="requests",
            workload=OUTAGE.name,
            reference=PARALLEL,
            reading="fewer requests where it can cost nothing (since 2026-11-29): a provider is down in three of six "
            "cycles, in which no symbol can succeed",
        ),
        Claim(
            id="O10.adaptive",
            text="Adaptive processing based on success rates",
            source=f"{SEED}, Expected Impact",
            kind="direction",
            workload=TIMED.name,
            reference=PARALLEL,
            reading="less CPU time for a whole cycle, since symbols unlikely to succeed are not processed",
        ),
    ),
    workloads=(TIMED, SIGNALS, OUTAGE),
)
