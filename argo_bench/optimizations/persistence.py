"""Verdicts that hang on how long a model's opinion lasts are given at three time constants here: 0, 1 and 10 minutes.

They are further readings of published sentences: no headline is among them, and nothing is timed. At 0 minutes both
models are asked to have a new opinion every five seconds, as in the runs before 2026-11-29, where every cache of
opinions does the most damage; ten minutes are what live traces have by themselves (``content.OPINION_MINUTES``).
"""

from __future__ import annotations

from dataclasses import replace

import msgspec

from argo_bench.harness.claims.metrics import is_count
from argo_bench.optimizations.optimization import COUNTS, CYCLE, Optimization, Replay, Workload, at_opinion_minutes
from argo_bench.pipeline.model import Decision

MINUTES = (0.0, 1.0, 10.0)


def count_changed_signals(expected: Replay, got: Replay) -> dict[str, float]:
    """Count the signals of whole cycles that an arm misses, adds and flips against the baseline."""
    due, found = (
        {(call.cycle, each.symbol): each for call in replay.calls for each in decisions_of(call.result)}
        for replay in (expected, got)
    )
    flipped = sum(due[key].direction != found[key].direction for key in due.keys() & found.keys())
    return {
        "signals due": float(len(due)),
        "signals missed": float(len(due.keys() - found.keys())),
        "signals added": float(len(found.keys() - due.keys())),
        "signals flipped": float(flipped),
    }


def decisions_of(result: object) -> tuple[Decision, ...]:
    decided: tuple[Decision, ...] = getattr(result, "decided", ())
    return decided


WALK = Workload(
    name="five minutes of whole cycles",
    stage=CYCLE,
    inputs="trace",
    description="live cycles of six symbols: what crosses the border of the process, and which signals change",
    scales=(60,),
    unit="cycles",
    latency_scale=0.1,
    damage=count_changed_signals,
)
JUDGED = ("O03", "O04", "ALL")
"""The optimizations whose verdicts are given at several time constants."""
HALF_AN_HOUR = 360
"""A number of cycles that takes three of the longest time constants."""


def judge_at_time_constants(optimization: Optimization) -> Optimization:
    """Return an optimization with its headline claims on counts judged at each of MINUTES too, if it is one of JUDGED.

    They are judged on whole cycles, those on explanations on half an hour of the trace of explanations.
    """
    if optimization.id not in JUDGED:
        return optimization
    claims = [claim for claim in optimization.claims if claim.headline and is_count(claim.metric)]
    explained = next((each for each in optimization.workloads if each.stage == "reason"), None)
    trace = WALK
    if explained is not None:
        name = "explanations of half an hour"
        trace = replace(explained, name=name, scales=(HALF_AN_HOUR,), unit="cycles", frontier=None)
    workloads = [at_opinion_minutes(trace, minutes) for minutes in MINUTES]
    further = [
        msgspec.structs.replace(
            claim,
            id=f"{claim.id}-{minutes:g}min",
            workload=workload.name,
            curve="",
            headline=False,
            reading=f"{COUNTS[claim.metric]} over {trace.name}, where an opinion has a time constant of {minutes:g} "
            "min (a reading since 2026-11-29)",
        )
        for minutes, workload in zip(MINUTES, workloads, strict=True)
        for claim in claims
    ]
    return replace(
        optimization,
        claims=(*optimization.claims, *further),
        workloads=(*optimization.workloads, *workloads),
    )
