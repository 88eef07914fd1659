"""The stages from the frame to the consensus are run here for many symbols at once, and what they decide is drafted.

A function that is listed in MANY, and a stage with a method ``many``, takes and returns the columns of ``arrays``. Any
other stage is asked for one symbol after another.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from argo_bench.pipeline.arrays import (
    ConsensusColumn,
    Frames,
    IndicatorTable,
    RegimeColumn,
    SignalTable,
)
from argo_bench.pipeline.baseline.consensus import consensus
from argo_bench.pipeline.memo import Memo
from argo_bench.pipeline.model import Decision, Fetched, Stage, World
from argo_bench.pipeline.optimized.consensus import consensus_of_many
from argo_bench.pipeline.optimized.frame import frame, frames_of_many
from argo_bench.pipeline.optimized.indicators import block, indicators, indicators_of_many
from argo_bench.pipeline.optimized.signals import signals, signals_of_many
from argo_bench.pipeline.record import Evidence, Pipeline, draft_decision, settle

Found = TypeVar("Found")


MANY: Mapping[Stage, Stage] = {
    frame: frames_of_many,
    indicators: indicators_of_many,
    signals: signals_of_many,
    consensus: consensus_of_many,
}
"""What functions do for one symbol, these do for many."""


def find_many(stage: Stage) -> Stage | None:
    """Return what does for many symbols what a stage does for one, or None.

    A Memo is passed by: computing many at once takes less time than looking each of them up.
    """
    while isinstance(stage, Memo):
        stage = stage.__wrapped__
    many: Stage | None = getattr(stage, "many", None)
    return MANY.get(stage) if many is None else many


async def run_stage(
    stage: Stage, pack: Callable[[Sequence[Any]], Found], world: World, *columns: Sequence[Any]
) -> Found:
    """Run a stage for all rows of the columns. What it has to wait for is waited for together."""
    many = find_many(stage)
    if many is not None:
        found: Found = many(world, *columns)
        return found
    answers = [stage(world, *row) for row in zip(*columns, strict=True)]
    if any(map(inspect.isawaitable, answers)):
        answers = await asyncio.gather(*map(settle, answers))  # a cache may have some of them at once
    return pack(answers)


async def draft_many(world: World, pipeline: Pipeline, fetched: Mapping[str, Fetched]) -> list[Decision]:
    """Run stages 2 to 6 for the symbols, and return the decisions of those with a consensus, not yet explained.

    Raises what a stage raises for any of them.
    """
    opinions = [each.opinions for each in fetched.values()]
    frames = await run_stage(pipeline.frame, _pack_frames, world, [each.bars for each in fetched.values()])
    found = await run_stage(pipeline.indicators, IndicatorTable.pack, world, frames)
    regimes = await run_stage(pipeline.regime, RegimeColumn.pack, world, frames)
    votes = await run_stage(pipeline.signals, SignalTable.pack, world, found, opinions)
    agreed = await run_stage(pipeline.consensus, ConsensusColumn.pack, world, votes, regimes)
    symbols, rows = list(fetched), agreed.find_accepted()
    evidence = (
        Evidence(symbols[row], close, opinions[row].technical["quote"], regime, sources)
        for row, close, regime, sources in zip(
            rows.tolist(), found.close[rows].tolist(), regimes.take(rows), votes.list_sources(rows), strict=True
        )
    )
    return [draft_decision(world, *each) for each in zip(evidence, agreed.take(rows), strict=True)]


def _pack_frames(frames: Sequence[Any]) -> Frames:
    return Frames([block(each) for each in frames], frames.__getitem__)
