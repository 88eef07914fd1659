"""A pipeline is a frozen record of functions; an optimization is an edit of that record.

Each of the thirteen parts takes the World first. ``cycle`` walks a universe once; ``find_changed_parts`` says in which
parts two pipelines differ, from the code itself.
"""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from argo_bench.pipeline.model import (
    STRATEGY,
    Consensus,
    Decision,
    Direction,
    Encoded,
    Readings,
    Regime,
    Rejection,
    Served,
    Signals,
    Stage,
    World,
)

STOP_FRACTION = 0.03
TARGET_FRACTION = 0.05


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Holds one callable per part, in the order in which a cycle uses them."""

    transport: Stage
    fetch: Stage
    frame: Stage
    indicators: Stage
    regime: Stage
    signals: Stage
    consensus: Stage
    reason: Stage
    validate: Stage
    encode: Stage
    store: Stage
    read: Stage
    schedule: Stage

    def replace(self, **parts: Stage) -> Pipeline:
        """Return the same pipeline with some parts exchanged."""
        return dataclasses.replace(self, **parts)


PARTS = tuple(field.name for field in dataclasses.fields(Pipeline))
Edit = Callable[[Pipeline], Pipeline]


@dataclass(frozen=True, slots=True)
class Cycle:
    """Holds what one cycle did. Symbols whose sources reach no consensus are neither decided nor rejected."""

    decided: tuple[Decision, ...]
    rejected: tuple[Rejection, ...]
    stored: tuple[Encoded, ...]
    readings: Readings


@dataclass(frozen=True, slots=True)
class Evidence:
    """Holds what a decision says of what the stages before the consensus found out about a symbol.

    ``close`` is the last price and ``reference`` the provider's quote; ``sources`` are the directions that the sources
    voted for, in their fixed order.
    """

    symbol: str
    close: float
    reference: float
    regime: Regime
    sources: tuple[tuple[str, Direction], ...]


async def settle(value: Any) -> Any:
    """Return the value, after awaiting it where it is awaitable: an edit may turn a plain stage async."""
    return await value if inspect.isawaitable(value) else value


def find_at_hand(stage: Stage) -> Stage | None:
    """Return what says which answers of a stage need no waiting, and None of any other; None where a stage cannot say.

    A wrapper that adds nothing to such answers hands out what it wraps.
    """
    at_hand: Stage | None = getattr(stage, "at_hand", None)
    return at_hand


async def decide(pipeline: Pipeline, world: World, symbol: str) -> Decision | None:
    """Run stages 1 to 7 for one symbol, and return a decision with its explanation, or None."""
    fetched = await settle(pipeline.fetch(world, symbol))
    if isinstance(fetched, Served):
        return fetched.decision
    frame = await settle(pipeline.frame(world, fetched.bars))
    indicators = await settle(pipeline.indicators(world, frame))
    regime = await settle(pipeline.regime(world, frame))
    signals = await settle(pipeline.signals(world, indicators, fetched.opinions))
    consensus = await settle(pipeline.consensus(world, signals, regime))
    if consensus is None:
        return None
    quote, sources = fetched.opinions.technical["quote"], list_sources(signals)
    draft = draft_decision(world, Evidence(symbol, indicators.close, quote, regime, sources), consensus)
    reasoning = await settle(pipeline.reason(world, draft))
    return dataclasses.replace(draft, reasoning=reasoning.text, reasoning_author=reasoning.author)


def list_sources(signals: Signals) -> tuple[tuple[str, Direction], ...]:
    return tuple((name, signal.direction) for name, signal in signals.items())


def draft_decision(world: World, evidence: Evidence, consensus: Consensus) -> Decision:
    """Return the decision that a consensus amounts to, not yet explained. Prices are rounded as they are quoted."""
    close = evidence.close
    sign = 1 if consensus.direction == "LONG" else -1
    digits = quote_digits(close)
    identity = f"{evidence.symbol}|{world.cycle}|{STRATEGY}"
    return Decision(
        signal_id=hashlib.blake2b(identity.encode(), digest_size=16).hexdigest(),
        symbol=evidence.symbol,
        direction=consensus.direction,
        entry=round(close, digits),
        stop=round(close * (1 - sign * STOP_FRACTION), digits),
        target=round(close * (1 + sign * TARGET_FRACTION), digits),
        confidence=round(consensus.confidence, 2),
        regime=evidence.regime,
        strategy=STRATEGY,
        sources=evidence.sources,
        timestamp=world.nominal_time(),
        reference=evidence.reference,
    )


def quote_digits(price: float) -> int:
    """Return the decimals in which a price is quoted: 2 from 1.00
    up (cents), 4 below (hundredths of a cent; SEC Rule 612)."""
    return 2 if price >= 1 else 4


async def cycle(pipeline: Pipeline, world: World, symbols: Sequence[str], number: int) -> Cycle:
    """Walk the universe once: decide, validate, encode, publish, store, and let the readers read.

    Until the cycle is due, what earlier cycles have put into the background goes on.
    """
    await world.idle(number)
    world.begin(number)
    world.transport = pipeline.transport
    decided = tuple(await settle(pipeline.schedule(world, pipeline, symbols)))
    validated = await settle(pipeline.validate(world, decided))
    encoded = tuple(await settle(pipeline.encode(world, validated.kept)))
    for each in encoded:
        world.publish(each.log_line, each.body)
    await settle(pipeline.store(world, encoded))
    readings = await settle(pipeline.read(world, symbols))
    return Cycle(decided, validated.rejected, encoded, readings)


def unwrap(stage: Stage) -> tuple[Any, ...]:
    """Return what a stage consists of: the types of its wrappers from the outside in, then the code of the function."""
    layers: list[Any] = []
    while True:
        if (inner := getattr(stage, "__wrapped__", None)) is not None and not inspect.isfunction(stage):
            layers.append(type(stage))
            stage = inner
        elif (function := getattr(stage, "py_func", None)) is not None:
            stage = function
        else:
            layers.append(getattr(stage, "__code__", type(stage)))
            return tuple(layers)


def find_changed_parts(before: Pipeline, after: Pipeline) -> Mapping[str, tuple[Stage, Stage]]:
    """Return the parts in which two pipelines differ, with both stages, by part.

    Stages are compared by wrapper types and code, so that the answer cannot lie.
    """
    pairs = {part: (getattr(before, part), getattr(after, part)) for part in PARTS}
    return {part: pair for part, pair in pairs.items() if unwrap(pair[0]) != unwrap(pair[1])}
