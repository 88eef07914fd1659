"""Redundant calculations are counted here: calls of a stage that computes, on inputs that it has had before.

The document promises fewer of them and does not say what one is. The stages that only compute, without asking anybody,
are indicators, regime, signals and consensus. One of their calls is redundant where the stage has had the same inputs
before in the trace and answers without finding them in a cache.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from argo_bench.harness.claims.claim import Claim
from argo_bench.harness.claims.sentence import publish_claim
from argo_bench.optimizations.optimization import CYCLE, Replay, Workload
from argo_bench.pipeline.model import Stage, World
from argo_bench.pipeline.record import Edit, Pipeline

COMPUTING = ("indicators", "regime", "signals", "consensus")
NAME = "calculations, counted"
WHAT = (
    "calls of indicators, regime, signals and consensus on inputs that they have had before, and that no cache "
    "answers, over two minutes of live cycles (since 2026-11-29; until then held to be beyond measuring)"
)


def publish_claims(after_five: str) -> tuple[Claim, Claim]:
    """Return the two readings of the document's sentence; ``after_five`` is the arm with the first five alone."""
    text, source = "50-70% reduction in redundant calculations", "additional_optimizations.txt, Executive Summary"
    return (
        publish_claim(
            id="ALL.redundant",
            text=text,
            source=source,
            metric="redundant",
            workload=NAME,
            reading=f"{WHAT}, against no optimization",
        ),
        publish_claim(
            id="ALL.redundant-after-five",
            text=text,
            source=source,
            metric="redundant",
            workload=NAME,
            reference=after_five,
            reading=f"{WHAT}, against the first five, whose caches hand the same data to these stages again and again",
        ),
    )


class Watched:
    """Wraps a stage. ``calls`` counts its calls, ``redundant`` those on known inputs that no cache of it found."""

    def __init__(self, stage: Stage) -> None:
        self.__wrapped__ = stage
        self.calls = 0
        self.redundant = 0
        self._seen: set[bytes] = set()

    def __call__(self, world: World, *arguments: Any) -> Any:
        # The key is made first, as a prescribed stage writes columns into the frame that it is given.
        key = make_key(arguments)
        hits = count_hits(self.__wrapped__)
        result = self.__wrapped__(world, *arguments)
        self.calls += 1
        self.redundant += key in self._seen and count_hits(self.__wrapped__) == hits
        self._seen.add(key)
        return result


def make_key(arguments: tuple[Any, ...]) -> bytes:
    """Return a digest of all numbers of the frames among the arguments, and of the other arguments as text."""
    digest = blake2b(digest_size=16)
    for each in arguments:
        digest.update(each.to_numpy().tobytes() if hasattr(each, "to_numpy") else repr(each).encode())
    return digest.digest()


def count_hits(stage: Any) -> int:
    """Return the hits of all caches around a stage."""
    hits = 0
    while stage is not None:
        holder = getattr(stage, "__self__", stage)
        hits += getattr(holder, "hits", 0)
        stage = getattr(holder, "__wrapped__", None)
    return hits


def watch(edit: Edit) -> Edit:
    """Return the edit with every computing stage watched, whatever the edit has made of it."""

    def edit_pipeline(pipeline: Pipeline) -> Pipeline:
        pipeline = edit(pipeline)
        return pipeline.replace(**{part: Watched(getattr(pipeline, part)) for part in COMPUTING})

    return edit_pipeline


def count_redundant(expected: Replay, got: Replay) -> Mapping[str, float]:
    """Count the calls of the computing stages, and the redundant ones among them."""
    watched: list[Watched] = [getattr(got.pipeline, part) for part in COMPUTING]
    return {"calculations": sum(each.calls for each in watched), "redundant": sum(each.redundant for each in watched)}


def describe_workload(edits: Mapping[str, Edit]) -> Workload:
    """Return the workload in which these arms are watched over two minutes of live cycles of six symbols."""
    return Workload(
        name=NAME,
        stage=CYCLE,
        inputs="trace",
        description="two minutes of live cycles of six symbols: what is calculated again for inputs that were there "
        "before",
        scales=(24,),
        unit="cycles",
        latency_scale=0.1,
        timed=False,
        arms={name: watch(edit) for name, edit in edits.items()},
        damage=count_redundant,
    )
