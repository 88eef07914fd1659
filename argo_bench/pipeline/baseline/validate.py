"""Decisions must pass the rules here before they are published, one decision and one rule after another."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from argo_bench.pipeline.model import Decision, ProviderError, Rejection, Validated, World

MAXIMUM_AGE_S = 600.0
PRICE_TOLERANCE = 0.05
DUPLICATE = "SELECT 1 FROM signals WHERE signal_id = ?"


def validate(world: World, decisions: Sequence[Decision]) -> Validated:
    """Return the decisions that were kept, and those that were rejected with the first rule that each broke."""
    kept: list[Decision] = []
    rejected: list[Rejection] = []
    for decision in decisions:
        rule = broken_rule(world, decision)
        if rule is None:
            kept.append(decision)
        else:
            rejected.append(Rejection(decision, rule))
    return Validated(tuple(kept), tuple(rejected))


def broken_rule(world: World, decision: Decision) -> str | None:
    """Return the first rule that the decision breaks, or None. Only the last two rules wait for anything."""
    return broken_plain_rule(world, decision) or broken_waiting_rule(world, decision)


def broken_plain_rule(world: World, decision: Decision) -> str | None:
    if not (decision.symbol and decision.signal_id and decision.reasoning and prices_are_complete(decision)):
        return "incomplete"
    if world.now() - decision.timestamp > MAXIMUM_AGE_S:
        return "stale"
    if abs(decision.entry - decision.reference) > PRICE_TOLERANCE * decision.reference:
        return "entry off the reference price"
    if not 60 <= decision.confidence <= 100:
        return "confidence out of range"
    return None


def broken_waiting_rule(world: World, decision: Decision) -> str | None:
    """Check the rules that ask the database and a provider, and return the first that the decision breaks."""
    if world.query(DUPLICATE, (decision.signal_id,)):
        return "duplicate"
    try:
        world.opinion("alpha_vantage", decision.symbol, "quote").result()
    except ProviderError:
        return "no reference price"
    return None


def prices_are_complete(decision: Decision) -> bool:
    return all(isfinite(price) and price > 0 for price in (decision.entry, decision.stop, decision.target))
