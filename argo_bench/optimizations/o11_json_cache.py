"""O11 - JSON cache.

Claim        "30-50% reduction in serialization time (cache hits)" (additional_optimizations.txt, Optimization 11); a
             later document restates it as 0.5 ms -> 0.0001 ms at a hit rate of 50 %.
Baseline     baseline/encode.py: json.dumps for each of the three sinks.
Prescribed   A cache of serialized texts keyed by the MD5 of json.dumps(sort_keys=True): it serializes to find out
             whether to serialize, then serializes a second time on a miss, and evicts in the order of insertion at
             1,000 entries. Keys come out sorted in the log line and the POST. One repair: the digest's canonical JSON
             has no spaces, which the document's cache cannot write; its separators are passed through.
Engineered   optimized/encode.py: one encoding per signal by msgspec, the same bytes for log line and POST. No cache.
Simple       The standard library's json.dumps once per signal, the same text for log line and POST. No cache.
May change   nothing; log line and POST are compared as parsed JSON, the SHA-256 to the letter.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from argo_bench.extras import Requirement
from argo_bench.harness.claims.sentence import publish_claim
from argo_bench.optimizations.optimization import Optimization, Workload
from argo_bench.pipeline.baseline.encode import SIGNED, digest, payload
from argo_bench.pipeline.model import Decision, Encoded, World
from argo_bench.pipeline.optimized.encode import canonical
from argo_bench.pipeline.optimized.encode import encode as encode_once
from argo_bench.pipeline.record import Pipeline

MAXIMUM_ENTRIES = 1000


class JSONCache:
    """Implements the document's cache of serialized texts. ``separators`` are those of json.dumps."""

    def __init__(self, separators: tuple[str, str] | None = None) -> None:
        self.hits = 0
        self.misses = 0
        self._separators = separators
        self._texts: dict[str, str] = {}

    def serialize(self, data: Any) -> str:
        key = hashlib.md5(self._dumps(data).encode()).hexdigest()
        if key in self._texts:
            self.hits += 1
            return self._texts[key]
        self.misses += 1
        text = self._dumps(data)
        if len(self._texts) >= MAXIMUM_ENTRIES:
            del self._texts[next(iter(self._texts))]
        self._texts[key] = text
        return text

    def _dumps(self, data: Any) -> str:
        return json.dumps(data, sort_keys=True, separators=self._separators, ensure_ascii=self._separators is None)


class CachedEncode:
    """Encodes like the baseline, with every json.dumps replaced by the document's cache."""

    def __init__(self) -> None:
        self._sinks = JSONCache()
        self._signed = JSONCache(separators=(",", ":"))

    @property
    def hits(self) -> int:
        return self._sinks.hits + self._signed.hits

    @property
    def misses(self) -> int:
        return self._sinks.misses + self._signed.misses

    def __call__(self, world: World, decisions: Sequence[Decision]) -> list[Encoded]:
        return [
            Encoded(
                decision,
                self._sinks.serialize(payload(decision)),
                self._sinks.serialize(payload(decision)),
                self._digest(decision),
            )
            for decision in decisions
        ]

    def _digest(self, decision: Decision) -> str:
        signed = {name: getattr(decision, name) for name in SIGNED}
        return hashlib.sha256(self._signed.serialize(signed).encode()).hexdigest()


def encode_orjson(world: World, decisions: Sequence[Decision]) -> list[Encoded]:
    """Encode like the engineered stage, with orjson for the sinks instead of msgspec."""
    import orjson

    encoded = []
    for decision in decisions:
        body = orjson.dumps(decision)
        encoded.append(Encoded(decision, body, body, hashlib.sha256(canonical(decision)).hexdigest()))
    return encoded


def dump_once(world: World, decisions: Sequence[Decision]) -> list[Encoded]:
    """Encode like the baseline, with one json.dumps for log line and POST."""
    texts = [json.dumps(payload(decision)) for decision in decisions]
    return [Encoded(each, text, text, digest(each)) for each, text in zip(decisions, texts, strict=True)]


def prescribed(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(encode=CachedEncode())


def engineered(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(encode=encode_once)


def simple(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(encode=dump_once)


def orjson_arm(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(encode=encode_orjson)


SEED = "additional_optimizations.txt, Optimization 11"
HIT = Workload(
    name="encode, hit",
    stage="encode",
    inputs="hit",
    description="the same decisions encoded again and again: every text is found in the cache",
    scales=(6, 30, 120),
    unit="symbols",
    arms={"orjson": orjson_arm},
)
MISS = Workload(
    name="encode, miss",
    stage="encode",
    inputs="miss",
    description="decisions that were never encoded before; of the three sinks only the POST repeats a payload",
    scales=(6, 30, 120),
    unit="symbols",
)

OPTIMIZATION = Optimization(
    id="O11",
    name="JSON cache",
    layer="replace",
    prescribed=prescribed,
    engineered=engineered,
    simple=simple,
    requires={"orjson": Requirement("orjson", "fast")},
    claims=(
        publish_claim(
            id="O11.time",
            text="30-50% reduction in serialization time (cache hits)",
            source=f"{SEED}, Expected Impact",
            workload=HIT.name,
            reading="time of the encode stage when every serialization is a cache hit, against json.dumps",
            headline=True,
        ),
        publish_claim(
            id="O11.cpu",
            text="Reduced CPU usage for repeated serializations",
            source=f"{SEED}, Expected Impact",
            workload=MISS.name,
            reading="the encode stage uses less CPU on new decisions, each serialized for three sinks",
        ),
        publish_claim(
            id="O11.responses",
            text="Faster API responses",
            source=f"{SEED}, Expected Impact",
            metric="wall",
            workload=MISS.name,
            reading="the POST body of a new decision is ready sooner",
        ),
        publish_claim(
            id="O11.5000x",
            text="0.5 ms -> 0.0001 ms",
            source="a later status document (ALL)",
            workload=HIT.name,
            reading="a cache hit is at least 5,000 times faster than json.dumps",
        ),
    ),
    workloads=(HIT, MISS),
)
