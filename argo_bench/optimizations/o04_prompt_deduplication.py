"""O04 - prompt deduplication.

Claim        model calls -40-60 %, cost -30-50 % (FIVE, the earlier document on optimizations 1-5). It has no copy here:
             its rules are those that the study's own specification restates.
Baseline     baseline/transport.py: every prompt travels.
Prescribed   A prompt is served what a similar one was answered within the last 24 h: its blanks and lines are collapsed
             to single spaces, the MD5 of that is looked up, then its embedding is compared with every entry, one after
             another, and the closest one of cosine 0.95 or more is served. Similar is not equal: prompts that differ in
             their figures, in their symbol or in LONG and SHORT are mostly the same words, so a trader may read about
             another price, another symbol or the opposite direction. Neither the system prompt nor the model is in the
             key; white space that means something is lost; opinions about the present are served all day; what has
             expired is skipped and never removed, so a scan lengthens for ever. Savings are estimated at 4 characters a
             token of the prompt. The embedder is pluggable: the default counts hashed character trigrams and needs no
             download. One that is trained for meaning weighs figures less still.
Engineered   optimized/transport.py: prompts that agree in every field and character, or in every number, capitalized
             word and negation with a similarity of 0.95; opinions within a cycle only; bounded; asked once for all who
             ask together; failures are not remembered.
Simple       A dictionary of answers by all that travels to the model, each for 60 s.
May change   the wording of an explanation whose question was asked before: the earlier text is served.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Hashable
from typing import Any, NamedTuple

import numpy as np

from argo_bench.extras import Requirement
from argo_bench.harness.claims.sentence import publish_claim
from argo_bench.optimizations.optimization import Optimization, Replay, Workload
from argo_bench.pipeline.model import Decision, Pending, Reasoning, Request, Stage, World
from argo_bench.pipeline.optimized.transport import (
    Arrived,
    Arriving,
    Embedder,
    Vector,
    deduplicate,
    hash_trigrams,
)
from argo_bench.pipeline.record import Pipeline

SIMILARITY = 0.95
TTL_S = 24 * 3600.0
SIMPLE_TTL_S = 60.0
CHARACTERS_PER_TOKEN = 4


class Entry(NamedTuple):
    embedding: Vector
    answer: Any
    stored_at: float


class PromptDeduplicator:
    """Implements the document's cache, in front of a transport, for the requests that carry a prompt."""

    def __init__(self, transport: Stage, embed: Embedder = hash_trigrams) -> None:
        self.__wrapped__ = transport
        self.hits = 0
        self.misses = 0
        self.comparisons = 0
        self.estimated_tokens_saved = 0
        self._embed = embed
        self._entries: dict[str, Entry] = {}

    def __call__(self, world: World, request: Request) -> Pending[Any]:
        if not request.prompt:
            pending: Pending[Any] = self.__wrapped__(world, request)
            return pending
        prompt = " ".join(request.prompt.split())
        key = hashlib.md5(prompt.encode()).hexdigest()
        embedding = self._embed(prompt)
        entry = self._fresh(world, key) or self._most_similar(world, embedding)
        if entry is not None:
            self.hits += 1
            self.estimated_tokens_saved += len(prompt) // CHARACTERS_PER_TOKEN
            return Arrived(entry.answer)
        self.misses += 1

        def keep(answer: Any) -> None:
            self._entries[key] = Entry(embedding, answer, world.now())

        return Arriving(self.__wrapped__(world, request), keep)

    def _fresh(self, world: World, key: str) -> Entry | None:
        entry = self._entries.get(key)
        return entry if entry is not None and world.now() - entry.stored_at < TTL_S else None

    def _most_similar(self, world: World, embedding: Vector) -> Entry | None:
        closest, similarity = None, SIMILARITY
        for key, entry in self._entries.items():
            if self._fresh(world, key) is None:
                continue
            self.comparisons += 1
            lengths = np.linalg.norm(embedding) * np.linalg.norm(entry.embedding)
            if (cosine := float(embedding @ entry.embedding / lengths)) >= similarity:
                closest, similarity = entry, cosine
        return closest


class LibraryExact:
    """Keeps answers in a cachetools.TTLCache, keyed by all that travels to a model, for the document's 24 h."""

    def __init__(self, transport: Stage) -> None:
        self.__wrapped__ = transport
        self.hits = 0
        self.misses = 0
        self._answers: Any = None

    def __call__(self, world: World, request: Request) -> Pending[Any]:
        if not request.prompt:
            pending: Pending[Any] = self.__wrapped__(world, request)
            return pending
        if self._answers is None:
            from cachetools import TTLCache

            self._answers = TTLCache(maxsize=4096, ttl=TTL_S, timer=world.now)
        key = request.model, request.system, request.prompt, request.max_tokens, request.temperature
        answer = self._answers.get(key)
        if answer is not None:
            self.hits += 1
            return Arrived(answer)
        self.misses += 1
        return Arriving(self.__wrapped__(world, request), lambda answer: self._answers.__setitem__(key, answer))


class ExactForAMinute:
    """Keeps answers in a dictionary, by all that travels to a model, for 60 s; nothing is swept."""

    def __init__(self, transport: Stage) -> None:
        self.__wrapped__ = transport
        self.hits = 0
        self.misses = 0
        self._answers: dict[Hashable, tuple[Any, float]] = {}

    def __call__(self, world: World, request: Request) -> Pending[Any]:
        if not request.prompt:
            pending: Pending[Any] = self.__wrapped__(world, request)
            return pending
        key = request.model, request.system, request.prompt, request.max_tokens, request.temperature
        answer, stored_at = self._answers.get(key, (None, 0.0))
        if answer is not None and world.now() - stored_at < SIMPLE_TTL_S:
            self.hits += 1
            return Arrived(answer)
        self.misses += 1
        keep = self._answers.__setitem__
        return Arriving(self.__wrapped__(world, request), lambda answer: keep(key, (answer, world.now())))


def simple(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=ExactForAMinute(pipeline.transport))


def prescribed(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=PromptDeduplicator(pipeline.transport))


def engineered(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=deduplicate(pipeline.transport))


def cachetools_arm(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(transport=LibraryExact(pipeline.transport))


TOLD = re.compile(
    r"a (?P<direction>\w+) position in (?P<symbol>\S+) at (?P<entry>\S+) with a confidence of (?P<confidence>\S+) "
    r"in a (?P<regime>\w+) market\. The stop at (?P<stop>\S+) limits the loss; the target is (?P<target>\S+)\."
)
"""Matches what an explanation of the simulated model says."""

NUMBERS = ("entry", "stop", "target", "confidence")


def wrong_explanations(expected: Replay, got: Replay) -> dict[str, float]:
    """Count the explanations that speak of something else than the decision that they explain.

    One that is wrong in several ways counts under each, and once among the wrong hits.
    """
    found = dict.fromkeys(("wrong hits", "other symbol", "opposite direction", "other numbers", "other regime"), 0.0)
    for call in got.calls:
        wrong = find_wrong_fields(call.arguments[0], call.result)
        found["other symbol"] += "symbol" in wrong
        found["opposite direction"] += "direction" in wrong
        found["other numbers"] += not wrong.isdisjoint(NUMBERS)
        found["other regime"] += "regime" in wrong
        found["wrong hits"] += bool(wrong)
    return found | count_served(got)


def find_wrong_fields(decision: Decision, reasoning: Reasoning) -> set[str]:
    """Return the fields to which a model's text gives another value than the decision.

    A template is made of the decision.
    """
    told = TOLD.search(reasoning.text)
    if reasoning.author == "template" or told is None:
        return set()
    return {name for name, value in told.groupdict().items() if value != str(getattr(decision, name))}


def other_opinions(expected: Replay, got: Replay) -> dict[str, float]:
    """Count the opinions that the model would not have given at the time."""
    pairs = [
        (getattr(at.result.opinions, model), getattr(answer.result.opinions, model))
        for at, answer in zip(expected.calls, got.calls, strict=True)
        for model in ("x_sentiment", "sonar")
    ]
    return {"other opinions": float(sum(left != right for left, right in pairs))} | count_served(got)


def count_served(got: Replay) -> dict[str, float]:
    """Count the requests answered without being sent, and the embeddings compared to find their answers."""
    transport = got.pipeline.transport
    return {
        "served calls": float(getattr(transport, "hits", 0)),
        "scan comparisons": float(getattr(transport, "comparisons", 0)),
    }


FIVE = "an earlier document on optimizations 1-5 (FIVE)"
DAY = Workload(
    name="explanations, a trading day",
    stage="reason",
    inputs="trace",
    description="the prompts of every decision of a trading day that ticks as it does, caches cold",
    scales=(4680, 1170, 360),
    unit="cycles",
    timed=False,
    damage=wrong_explanations,
    frontier=("wrong hits", "model_calls"),
)
TICKING = Workload(
    name="explanations, by share of ticking",
    stage="reason",
    inputs="trace",
    description="the same over a quarter of the day, on markets that tick more or less often",
    scales=(20, 0, 50, 100),
    unit="% ticking",
    cycles=1170,
    timed=False,
    damage=wrong_explanations,
)
OPINIONS = Workload(
    name="opinions, a quarter of a day",
    stage="fetch",
    inputs="trace",
    description="the prompts to the two opinion models over a quarter of a day: a symbol's are the same in every cycle",
    scales=(1170, 360, 120),
    unit="cycles",
    timed=False,
    damage=other_opinions,
)

OPTIMIZATION = Optimization(
    id="O04",
    name="prompt deduplication",
    layer="wrap",
    prescribed=prescribed,
    engineered=engineered,
    simple=simple,
    arms={"cachetools": cachetools_arm},
    requires={"cachetools": Requirement("cachetools", "caching")},
    may_change="the wording of an explanation whose question was asked before",
    permits=frozenset({"reasoning"}),
    claims=(
        publish_claim(
            id="O04.calls",
            text="model calls -40-60 %",
            source=FIVE,
            metric="model_calls",
            workload=DAY.name,
            curve=TICKING.name,
            reading="requests to the explanation model over a trading day, against sending every prompt",
            headline=True,
        ),
        publish_claim(
            id="O04.cost",
            text="cost -30-50 %",
            source=FIVE,
            metric="dollars",
            workload=DAY.name,
            curve=TICKING.name,
            reading="dollars for the explanation model over a trading day, against sending every prompt",
            headline=True,
        ),
        publish_claim(
            id="O04.calls-opinions",
            text="model calls -40-60 %",
            source=FIVE,
            metric="model_calls",
            workload=OPINIONS.name,
            reading="requests to the two opinion models, most of all model requests, over a trading day",
        ),
        publish_claim(
            id="O04.cost-opinions",
            text="cost -30-50 %",
            source=FIVE,
            metric="dollars",
            workload=OPINIONS.name,
            reading="dollars for the two opinion models over a trading day",
        ),
    ),
    workloads=(DAY, TICKING, OPINIONS),
)
