"""Hits of a pipeline's caches are counted here so that every question counts once, whatever it passes on its way.

A stage may have several caches, one behind the other, and a stage that fetches or explains asks the transport, which
may have caches too. A question that one cache cannot answer goes on to the next; it is a miss where the last of them
cannot answer it either, and a hit of the one that does. Were each cache counted by itself, a question would be missed
as often as it passes a cache that is none the worse for passing it on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from argo_bench.pipeline.record import PARTS, Pipeline

ASKING = ("fetch", "reason")
"""These stages put what their caches miss as questions of their own to the transport."""


def count_cache_hits(pipeline: Pipeline) -> dict[str, float]:
    """Count hits and misses, each question once; return nothing where there are no caches or they were not asked."""
    chains = find_chains(pipeline)
    hits = sum(each.hits for chain in chains.values() for each in chain)
    passed_on = ASKING if "transport" in chains else ()
    misses = sum(chain[-1].misses for part, chain in chains.items() if part not in passed_on)
    asked = hits + misses
    return {"hits": float(hits), "misses": float(misses), "hit_rate": hits / asked} if asked else {}


def count_layer_hits(pipeline: Pipeline) -> dict[str, float]:
    """Return the hit rate of all caches added up, a question once for every cache that it reaches."""
    caches = [each for chain in find_chains(pipeline).values() for each in chain]
    hits, misses = (sum(getattr(each, name) for each in caches) for name in ("hits", "misses"))
    return {"layer_hit_rate": hits / (hits + misses)} if hits + misses else {}


def find_chains(pipeline: Pipeline) -> dict[str, list[Any]]:
    """Return the caches of each part that has any, the outermost first; one that serves two parts is the first's."""
    seen: set[int] = set()
    found: dict[str, list[Any]] = {}
    for part in PARTS:
        for each in layers(getattr(pipeline, part)):
            if hasattr(each, "hits") and id(each) not in seen:
                seen.add(id(each))
                found.setdefault(part, []).append(each)
    return found


def layers(stage: Any) -> Iterator[Any]:
    """Yield a stage, what it wraps, what that wraps, and so on; for a method first the object that it belongs to."""
    while stage is not None:
        yield getattr(stage, "__self__", stage)
        stage = getattr(getattr(stage, "__self__", stage), "__wrapped__", None)
