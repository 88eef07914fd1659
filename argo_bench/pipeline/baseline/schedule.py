"""The symbols are walked here, one after another."""

from __future__ import annotations

from collections.abc import Sequence

from argo_bench.pipeline.model import Decision, World
from argo_bench.pipeline.record import Pipeline, decide


async def schedule(world: World, pipeline: Pipeline, symbols: Sequence[str]) -> list[Decision]:
    """Return the decisions of the universe; symbols without a consensus yield none."""
    decisions = [await decide(pipeline, world, symbol) for symbol in symbols]
    return [decision for decision in decisions if decision is not None]
