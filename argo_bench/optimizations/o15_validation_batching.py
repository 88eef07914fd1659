"""O15 - validation batching.

Claim        "50-70% reduction in validation time (parallel)" (additional_optimizations.txt, Optimization 15).
Baseline     baseline/validate.py, one decision and one rule after another; an exception of a rule ends the cycle.
Prescribed   One task per decision, all gathered with return_exceptions=True. The results are then unpacked as pairs,
             and an exception is no pair: where one rule raises, the stage raises a TypeError and the batch is lost. The
             line that was to prevent it asks whether the pair itself is an exception, which it never is. Rules that
             never wait gain nothing from tasks and pay for them. Not from the document: it returns the kept signals
             alone, here the rejected ones stand beside them with their rule.
Engineered   optimized/validate.py: the rules that never wait first, in a plain pass; then one look-up of all ids; then
             all quotes at once, each symbol's once, so many in flight. A rule that raises rejects its own decision and
             says so. No numpy in the plain pass: filling arrays pays from some fifty decisions on, and a cycle of 120
             symbols has fewer.
             The arm "quotes ahead" asks for the quotes while the decisions are being explained. It is no part of the
             engineered variant: a decision that turns out stale or a duplicate costs a request more than it has to.
Simple       The plain rules in a loop, then one gather over the signals that are left, each with its own look-up and
             quote. An exception of a rule ends the cycle, as in the baseline.
May change   nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from statistics import fmean
from typing import Any

from argo_bench.harness.claims.sentence import publish_claim
from argo_bench.optimizations.o10_batches_early_exit import engineered as walk_side_by_side
from argo_bench.optimizations.optimization import CYCLE, SIMPLE, Optimization, Replay, Workload, keep_baseline
from argo_bench.pipeline.baseline.validate import DUPLICATE, broken_plain_rule
from argo_bench.pipeline.memo import content_key
from argo_bench.pipeline.model import (
    Decision,
    Pending,
    ProviderError,
    Rejection,
    Request,
    Stage,
    Validated,
    World,
)
from argo_bench.pipeline.optimized.validate import ask_ahead, part_by_rule, plain_rule, settle_rest, unbroken
from argo_bench.pipeline.optimized.validate import validate as in_rounds
from argo_bench.pipeline.record import Edit, Pipeline, settle

Validation = Callable[[World, Decision], Coroutine[Any, Any, tuple[bool, str | None]]]
"""Decides of one signal whether it is valid, and names the issue where it is not."""


async def validate_signal(world: World, decision: Decision) -> tuple[bool, str | None]:
    """Apply the baseline's rules in their order; the quote is awaited."""
    issue = broken_plain_rule(world, decision) or await broken_waiting_rule(world, decision)
    return issue is None, issue


async def broken_waiting_rule(world: World, decision: Decision) -> str | None:
    """Return the first rule that the decision breaks of the two that wait, or None."""
    if world.query(DUPLICATE, (decision.signal_id,)):
        return "duplicate"
    try:
        await world.opinion("alpha_vantage", decision.symbol, "quote")
    except ProviderError:
        return "no reference price"
    return None


async def validate_plainly(world: World, decision: Decision) -> tuple[bool, str | None]:
    """Apply the rules that never wait."""
    issue = broken_plain_rule(world, decision)
    return issue is None, issue


def in_one_gather(validation: Validation) -> Stage:
    """Return the document's batch of validations as a stage."""

    async def validate(world: World, decisions: Sequence[Decision]) -> Validated:
        validation_tasks = [validation(world, decision) for decision in decisions]
        results: list[Any] = await asyncio.gather(*validation_tasks, return_exceptions=True)
        kept, rejected = [], []
        for decision, (is_valid, issue) in zip(decisions, results, strict=False):
            if isinstance((is_valid, issue), Exception):
                continue
            if is_valid:
                kept.append(decision)
            else:
                rejected.append(Rejection(decision, issue))
        return Validated(tuple(kept), tuple(rejected))

    return validate


def prescribed(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(validate=in_one_gather(validate_signal))


def engineered(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(validate=in_rounds)


async def loop_then_gather(world: World, decisions: Sequence[Decision]) -> Validated:
    """Apply the plain rules in a loop, then wait for the other rules of all that are left at once."""
    broken = [broken_plain_rule(world, decision) for decision in decisions]
    left = unbroken(decisions, broken)
    settle_rest(broken, await asyncio.gather(*[broken_waiting_rule(world, decision) for decision in left]))
    return part_by_rule(decisions, broken)


def simple(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(validate=loop_then_gather)


def baseline_plain(world: World, decisions: Sequence[Decision]) -> Validated:
    """Loop over the rules that never wait, as the baseline does."""
    return part_by_rule(decisions, [broken_plain_rule(world, decision) for decision in decisions])


def engineered_plain(world: World, decisions: Sequence[Decision]) -> Validated:
    """Run the engineered stage's first pass alone."""
    return part_by_rule(decisions, [plain_rule(world, decision) for decision in decisions])


class Garbled:
    """Stands for a quote that arrives as a text which is no number."""

    def __init__(self, pending: Pending[Any]) -> None:
        self._pending = pending

    def result(self) -> float:
        self._pending.result()
        return float("n/a")

    def __await__(self) -> Generator[Any, None, float]:
        yield from self._pending.__await__()
        return float("n/a")


def with_garbage(pipeline: Pipeline) -> Pipeline:
    """Return the pipeline where one quote in fifty cannot be parsed,
    by symbol and cycle, so that a rule raises ValueError."""
    sent = pipeline.transport

    def transport(world: World, request: Request) -> Pending[Any]:
        pending: Pending[Any] = sent(world, request)
        is_garbled = request.what == "quote" and content_key(request.symbol, world.cycle)[0] < 256 / 50
        return Garbled(pending) if is_garbled else pending

    return pipeline.replace(transport=transport)


def surviving(stage: Stage) -> Stage:
    """Return the stage in a service whose loop logs what validation raises and goes on with nothing kept."""

    async def validate(world: World, decisions: Sequence[Decision]) -> Validated:
        try:
            validated: Validated = await settle(stage(world, decisions))
        except (TypeError, ValueError):
            return Validated((), ())
        return validated

    return validate


def cycle_survives(edit: Edit) -> Edit:
    """Return the edit where quotes are garbage and an exception costs the cycle's signals, but not the service."""

    def edit_pipeline(pipeline: Pipeline) -> Pipeline:
        pipeline = edit(with_garbage(pipeline))
        return pipeline.replace(validate=surviving(pipeline.validate))

    return edit_pipeline


def one_at_a_time(pipeline: Pipeline) -> Pipeline:
    """Edit the pipeline to validate signal by signal, by the baseline's rules: an exception costs its own signal."""
    alone = surviving(pipeline.validate)

    async def validate(world: World, decisions: Sequence[Decision]) -> Validated:
        results = [await alone(world, (decision,)) for decision in decisions]
        return Validated(
            kept=tuple(decision for each in results for decision in each.kept),
            rejected=tuple(rejection for each in results for rejection in each.rejected),
        )

    return with_garbage(pipeline).replace(validate=validate)


def damage(expected: Replay, got: Replay) -> Mapping[str, float]:
    """Count the signals that were neither kept nor rejected, and what became of the others."""
    signals = sum(len(call.arguments[0]) for call in got.calls)
    kept = sum(len(call.result.kept) for call in got.calls)
    rejected = [each for call in got.calls for each in call.result.rejected]
    return {
        "signals": signals,
        "signals lost": signals - kept - len(rejected),
        "signals rejected": len(rejected),
        "signals rejected because a rule raised": sum(": raised " in each.rule for each in rejected),
    }


def side_by_side(edit: Edit) -> Edit:
    """Return the edit on a pipeline that walks its symbols, and awaits their reasons, side by side."""
    return lambda pipeline: edit(walk_side_by_side(pipeline))


def cycle_damage(expected: Replay, got: Replay) -> Mapping[str, float]:
    """Count the stored signals and those missed against the baseline's, and measure how long a cycle took."""
    wanted, found = (
        {(call.cycle, each.decision.signal_id) for call in replay.calls for each in call.result.stored}
        for replay in (expected, got)
    )
    return {
        "signals stored": len(found),
        "signals missed": len(wanted - found),
        "cycle s": fmean(call.ended_s - call.virtual_s for call in got.calls),
    }


AHEAD = "quotes ahead"
SEED = "additional_optimizations.txt, Optimization 15"
WAITING = Workload(
    name="validate, rules that wait",
    stage="validate",
    inputs="hit",
    description="the decisions of one cycle through all rules, the provider's latency with them",
    scales=(30, 6, 120),
    unit="symbols",
)
PLAIN = Workload(
    name="validate, rules that never wait",
    stage="validate",
    inputs="hit",
    description="the decisions of one cycle through the rules that ask neither database nor provider",
    scales=(30, 6, 120),
    unit="symbols",
    arms={
        "baseline": lambda pipeline: pipeline.replace(validate=baseline_plain),
        "prescribed": lambda pipeline: pipeline.replace(validate=in_one_gather(validate_plainly)),
        "engineered": lambda pipeline: pipeline.replace(validate=engineered_plain),
        SIMPLE: lambda pipeline: pipeline.replace(validate=baseline_plain),
    },
)
RAISING = Workload(
    name="validate, one quote in fifty is garbage",
    stage="validate",
    inputs="trace",
    description="the decisions of 120 consecutive cycles of a live market in which one quote in fifty makes its rule "
    "raise; the service goes on with the next cycle, in the arm 'one at a time' with the next signal",
    scales=(30, 6, 120),
    unit="symbols",
    arms={
        "baseline": cycle_survives(lambda pipeline: pipeline),
        "prescribed": cycle_survives(prescribed),
        "engineered": cycle_survives(engineered),
        SIMPLE: cycle_survives(simple),
        "one at a time": one_at_a_time,
    },
    cycles=120,
    timed=False,
    damage=damage,
)
WHOLE_CYCLES = Workload(
    name="cycle, validated",
    stage=CYCLE,
    inputs="trace",
    description="12 cycles of a live market whose symbols and reasons are awaited side by side, counted, not timed: "
    "what the quotes add to a cycle, and what asking for them ahead wins",
    scales=(30, 6, 120),
    unit="symbols",
    arms={
        "baseline": side_by_side(keep_baseline),
        "prescribed": side_by_side(prescribed),
        "engineered": side_by_side(engineered),
        SIMPLE: side_by_side(simple),
        AHEAD: side_by_side(ask_ahead),
    },
    cycles=12,
    timed=False,
    damage=cycle_damage,
)

OPTIMIZATION = Optimization(
    id="O15",
    name="validation batching",
    layer="replace",
    prescribed=prescribed,
    engineered=engineered,
    simple=simple,
    claims=(
        publish_claim(
            id="O15.time",
            text="50-70% reduction in validation time (parallel)",
            source=f"{SEED}, Expected Impact",
            workload=WAITING.name,
            metric="wall",
            reading="wall time of the validate stage with rules that wait for a provider",
            headline=True,
        ),
        publish_claim(
            id="O15.plain",
            text="50-70% reduction in validation time (parallel)",
            source=f"{SEED}, Expected Impact",
            workload=PLAIN.name,
            metric="cpu",
            reading="the same for rules that never wait, where parallel can only mean less work",
        ),
        publish_claim(
            id="O15.cpu",
            text="50-70% reduction in validation time (parallel)",
            source=f"{SEED}, Expected Impact",
            workload=WAITING.name,
            metric="cpu",
            reading="the same sentence as CPU time (since 2026-11-29): what the shorter wait costs the machine",
        ),
        publish_claim(
            id="O15.faster",
            text="Faster signal processing",
            source=f"{SEED}, Expected Impact",
            workload=WAITING.name,
            metric="wall",
            reading="a batch of signals is through validation sooner",
        ),
        publish_claim(
            id="O15.throughput",
            text="Better throughput",
            source=f"{SEED}, Expected Impact",
            workload=WAITING.name,
            metric="cpu",
            reading="once the waits overlap, signals per second are bounded by CPU: a batch takes less of it",
        ),
    ),
    workloads=(WAITING, PLAIN, RAISING, WHOLE_CYCLES),
)
