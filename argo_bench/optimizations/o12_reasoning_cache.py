"""O12 - reasoning cache.

Claim        "70-90% reduction in AI reasoning calls" (additional_optimizations.txt, Optimization 12); its summary table
             has "70-90% cost/time".
Baseline     baseline/reason.py: the model is asked for every decision of every cycle, in line.
Prescribed   Texts by the MD5 of symbol, direction, confidence to one decimal and entry to two, for an hour. As printed
             it stores only when a Redis client is there, despite its comment ("Redis or in-memory"): the arm "as
             printed" caches nothing, "as printed, on Redis" has the client. The variant is the charitable repair: a
             dictionary in the client's place, which nobody sweeps. What stays wrong: the entry is in the key to the
             cent, so a tick asks again unless the price has come back to a cent that it had; regime, stop, target,
             sources and model are not in the key, so a text may speak of another market or of other levels; below 1.00,
             where prices have four decimals, unlike entries share a text with the wrong figures.
             It remembers a bare text, so the template of a failed call is served for an hour as the model's. On the
             document's confidence scale of 0 to 1 one decimal is a tenth of the scale, here it is a thousandth of 100.
Engineered   optimized/reason.py: asked once per meaning (symbol, direction, regime, the sources' directions, confidence
             within 5 points; model and prompt are in the schema) and hour. A text is kept with its figures taken out,
             and the figures of the decision at hand are filled in; one whose figures cannot be told apart is not kept,
             nor is a template. Memo, so it survives a restart and asks once for those who ask together. Nobody waits
             for the model: a decision whose meaning is new is published with a template that is marked as one, and the
             model's text gets into its row when it comes (optimized/store.py). The arm "waiting" is the same on the
             critical path: every decision has the model's text when it is published.
Simple       A dictionary of texts by all that the prompt says, for an hour: an equal question has an equal answer.
May change   the wording of an explanation, never its numbers; and its author: the explanation is a marked template
             until the model's text arrives.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Generator, Mapping
from statistics import median
from typing import Any

from argo_bench.harness.claims.claim import Claim
from argo_bench.harness.claims.sentence import publish_claim
from argo_bench.optimizations.o02_parallel_fetch import engineered as side_by_side
from argo_bench.optimizations.optimization import CYCLE, SIMPLE, Optimization, Replay, Workload
from argo_bench.pipeline.baseline.reason import prompt
from argo_bench.pipeline.memo import content_key
from argo_bench.pipeline.model import Decision, Pending, ProviderError, Reasoning, Request, Stage, World
from argo_bench.pipeline.optimized.reason import AnsweredAtOnce, Remembered
from argo_bench.pipeline.optimized.reason import reason as waiting_reason
from argo_bench.pipeline.optimized.store import LateTexts
from argo_bench.pipeline.record import Edit, Pipeline, settle

TTL_S = 3600.0
Texts = dict[str, tuple[str, float]]
"""Maps a key to a text and its time of storing: the document leaves this to Redis."""


class TextCache:
    """Implements the document's cache around a reason stage;
    without ``texts`` it has nowhere to store and caches nothing.

    ``ages_s`` counts the texts served by their age in seconds, as ``Remembered`` does.
    """

    def __init__(self, reason: Stage, texts: Texts | None) -> None:
        self.__wrapped__ = reason
        self._texts = texts
        self.hits = 0
        self.misses = 0
        self.ages_s: Counter[int] = Counter()

    async def __call__(self, world: World, decision: Decision) -> Reasoning:
        cached = self._get_cached_reasoning(world, decision)
        if cached:
            self.hits += 1
            return Reasoning(cached, "model")
        self.misses += 1
        self.ages_s[0] += 1
        reasoning: Reasoning = await settle(self.__wrapped__(world, decision))
        self._cache_reasoning(world, decision, reasoning.text)
        return reasoning

    def _get_cached_reasoning(self, world: World, decision: Decision) -> str | None:
        if self._texts is not None:
            text, stored_at = self._texts.get(self._key(decision), ("", 0.0))
            if text and world.now() - stored_at < TTL_S:
                self.ages_s[int(world.now() - stored_at)] += 1
                return text
        return None

    def _cache_reasoning(self, world: World, decision: Decision, text: str) -> None:
        if self._texts is not None:
            self._texts[self._key(decision)] = text, world.now()

    def _key(self, decision: Decision) -> str:
        attributes = {
            "symbol": decision.symbol,
            "direction": decision.direction,
            "confidence": round(decision.confidence, 1),
            "entry_price": round(decision.entry, 2),
        }
        signal_hash = hashlib.md5(json.dumps(attributes, sort_keys=True).encode()).hexdigest()
        return f"reasoning:{signal_hash}"


class RedisTextCache(TextCache):
    """Implements the document's cache with its Redis client, which blocks: other tasks wait with it.

    Ages are not known.
    """

    def __init__(self, reason: Stage) -> None:
        super().__init__(reason, None)

    def _get_cached_reasoning(self, world: World, decision: Decision) -> str | None:
        text = world.redis.get(self._key(decision)).result()
        return None if text is None else text.decode()

    def _cache_reasoning(self, world: World, decision: Decision, text: str) -> None:
        world.redis.set(self._key(decision), text.encode(), TTL_S).result()


def prescribed(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(reason=TextCache(pipeline.reason, {}))


def as_printed(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(reason=TextCache(pipeline.reason, None))


def as_printed_on_redis(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(reason=RedisTextCache(pipeline.reason))


def engineered(pipeline: Pipeline) -> Pipeline:
    """Edit the pipeline so that nobody waits for the model: a template comes first, and the text into the row later."""
    rows = LateTexts(pipeline.store)
    return pipeline.replace(reason=AnsweredAtOnce(waiting_reason, rows), store=rows)


def waiting(pipeline: Pipeline) -> Pipeline:
    """Edit the pipeline so that it remembers as engineered does, and waits for what is not remembered."""
    return pipeline.replace(reason=Remembered(pipeline.reason))


class ByWholePrompt:
    """Keeps each text for an hour in a dictionary, by its whole prompt; a template is not kept, nothing is swept."""

    def __init__(self, reason: Stage) -> None:
        self.__wrapped__ = reason
        self.hits = 0
        self.misses = 0
        self._texts: Texts = {}

    async def __call__(self, world: World, decision: Decision) -> Reasoning:
        asked = prompt(decision)
        text, stored_at = self._texts.get(asked, ("", 0.0))
        if text and world.now() - stored_at < TTL_S:
            self.hits += 1
            return Reasoning(text, "model")
        self.misses += 1
        answer: Reasoning = await settle(self.__wrapped__(world, decision))
        if answer.author == "model":
            self._texts[asked] = answer.text, world.now()
        return answer


def simple(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(reason=ByWholePrompt(pipeline.reason))


def after_side_by_side(edit: Edit) -> Edit:
    """Return the edit of a pipeline that walks its symbols side by side, so that a cycle takes seconds."""
    return lambda pipeline: edit(side_by_side(pipeline))


NUMBER = re.compile(r"\d+(?:\.\d+)?")
REGIME = re.compile(r"TRENDING|CONSOLIDATION|VOLATILE|UNKNOWN")


def damage(expected: Replay, got: Replay) -> Mapping[str, float]:
    """Count what the texts say wrongly of their signals and who
    is said to have written them, and measure how old they are."""
    served: list[tuple[Decision, Reasoning]] = [(call.arguments[0], call.result) for call in got.calls]
    ages = ages_of(got.pipeline.reason) or Counter({0: len(served)})
    return {
        "texts": len(served),
        "wrong numbers": sum(shows_another_number(reasoning.text, decision) for decision, reasoning in served),
        "wrong regimes": sum(
            set(REGIME.findall(reasoning.text)) != {decision.regime} for decision, reasoning in served
        ),
        "templates": sum(is_template(reasoning.text, decision) for decision, reasoning in served),
        "templates served as the model's": sum(
            reasoning.author == "model" and is_template(reasoning.text, decision) for decision, reasoning in served
        ),
        "text age p50 s": median(ages.elements()),
        "text age max s": max(ages),
    }


def damage_to_authorship(expected: Replay, got: Replay) -> Mapping[str, float]:
    """Count whose words decisions are published with, and measure how late the model's text came."""
    decided = [each for call in got.calls for each in call.result.decided]
    stage = got.pipeline.reason
    late = stage.late_s if isinstance(stage, AnsweredAtOnce) else Counter[float]()
    return {
        "texts": len(decided),
        "templates at the decision": sum(each.reasoning_author == "template" for each in decided),
        "texts that came late": late.total(),
        "late by p50 s": median(late.elements()) if late else 0.0,
        "late by max s": max(late, default=0.0),
        "rows rewritten": got.world.ledger.rewrites,
    }


def shows_another_number(text: str, decision: Decision) -> bool:
    """Return whether a number in the text is none of the signal's."""
    known = {decision.entry, decision.stop, decision.target, decision.confidence}
    return not known.issuperset(map(float, NUMBER.findall(text.replace(decision.symbol, ""))))


def is_template(text: str, decision: Decision) -> bool:
    return text.startswith(f"{decision.direction} {decision.symbol} at ")


def ages_of(stage: Any) -> Counter[int]:
    """Count, by seconds since the model wrote them, all texts that
    a cache in the stage has served; empty without a cache."""
    while stage is not None and not hasattr(stage, "ages_s"):
        stage = getattr(stage, "__wrapped__", None)
    return Counter() if stage is None else stage.ages_s


class Unanswered:
    """Stands for a request that is sent and billed, and whose answer does not arrive."""

    def __init__(self, pending: Pending[Any]) -> None:
        self._pending = pending

    def result(self) -> Any:
        self._pending.result()
        raise ProviderError("no answer")

    def __await__(self) -> Generator[Any, None, Any]:
        yield from self._pending.__await__()
        raise ProviderError("no answer")


def with_failures(edit: Edit) -> Edit:
    """Return the edit where one answer of the explanation model in fifty does not arrive, by symbol and cycle."""

    def edit_pipeline(pipeline: Pipeline) -> Pipeline:
        sent = pipeline.transport

        def transport(world: World, request: Request) -> Pending[Any]:
            pending: Pending[Any] = sent(world, request)
            fails = request.provider == "explanation" and content_key(request.symbol, world.cycle)[0] < 256 / 50
            return Unanswered(pending) if fails else pending

        return edit(pipeline.replace(transport=transport))

    return edit_pipeline


SEED = "additional_optimizations.txt, Optimization 12"
DAY = Workload(
    name="reason, a trading day",
    stage="reason",
    inputs="trace",
    description="every decision of the 4,680 cycles of a live trading day, or of its first 1,170 or 360, cold at the "
    "start: requests and dollars of the explanation model alone",
    scales=(4680, 1170, 360),
    unit="cycles",
    arms={"as printed": as_printed, "waiting": waiting},
    timed=False,
    damage=damage,
    frontier=("wrong numbers", "model_calls"),
)
UNCHANGED = Workload(
    name="reason, a trading day, unchanged prices served",
    stage="reason",
    inputs="trace",
    description="the same day where a symbol's last signal is served while its price moved by less than 0.5 %",
    scales=(4680, 1170, 360),
    unit="cycles",
    skip_unchanged=True,
    timed=False,
    damage=damage,
)
TICKING = Workload(
    name="reason, share of ticking symbols",
    stage="reason",
    inputs="trace",
    description="every decision of 1,170 cycles in which so many per cent of the symbols tick",
    scales=(20, 0, 50, 100),
    unit="% ticking",
    cycles=1170,
    timed=False,
    damage=damage,
)
FAILING = Workload(
    name="reason, one answer in fifty missing",
    stage="reason",
    inputs="trace",
    description="every decision of a live trace where one answer of the model in fifty does not arrive",
    scales=(1170, 360, 120),
    unit="cycles",
    arms={
        "baseline": with_failures(lambda pipeline: pipeline),
        "prescribed": with_failures(prescribed),
        "engineered": with_failures(engineered),
    },
    timed=False,
    damage=damage,
)
STAGE = Workload(
    name="reason, live trace",
    stage="reason",
    inputs="trace",
    description="the decisions of 48 consecutive 5 s cycles of a live market, cold at the start, the model's latency "
    "with them",
    scales=(6, 30, 120),
    unit="symbols",
)
ON_REDIS = Workload(
    name="reason, on Redis",
    stage="reason",
    inputs="hit",
    description="the same decisions again and again, beside a Redis that keeps their texts; asked for anew each takes "
    "a request at a fiftieth of the model's latency",
    scales=(6,),
    unit="symbols",
    arms={"as printed, on Redis": as_printed_on_redis},
    servers=frozenset({"providers", "redis"}),
    latency_scale=0.02,
)
LIVE = Workload(
    name="cycle, live",
    stage=CYCLE,
    inputs="trace",
    description="whole cycles of a live market with all latencies; a first one, which fills the caches, is not timed",
    scales=(6, 3, 12),
    unit="symbols",
    arms={"waiting": waiting},
    cycles=9,
)
WRITTEN = Workload(
    name="cycles, who wrote the text",
    stage=CYCLE,
    inputs="trace",
    description="48 whole cycles of a live market with all latencies, counted, not timed; symbols are walked side by "
    "side (O02), so that the service keeps its schedule: how many decisions are published with a template, and when "
    "the model's text comes",
    scales=(6, 3, 12),
    unit="symbols",
    arms={
        "baseline": side_by_side,
        "prescribed": after_side_by_side(prescribed),
        "engineered": after_side_by_side(engineered),
        SIMPLE: after_side_by_side(simple),
        "waiting": after_side_by_side(waiting),
    },
    timed=False,
    damage=damage_to_authorship,
)
DAY_WAITING = Workload(
    name="reason, a trading day, waiting",
    stage="reason",
    inputs="trace",
    description="the same day, where engineered waits for what is not remembered",
    scales=(4680, 1170, 360),
    unit="cycles",
    arms={"engineered": waiting},
    timed=False,
)
STAGE_WAITING = Workload(
    name="reason, live trace, waiting",
    stage="reason",
    inputs="trace",
    description="the decisions of 48 cycles with the model's latency, where engineered waits for what is new",
    scales=(6,),
    unit="symbols",
    arms={"engineered": waiting},
)
LIVE_WAITING = Workload(
    name="cycle, live, waiting",
    stage=CYCLE,
    inputs="trace",
    description="whole cycles of a live market with all latencies, where engineered waits for what is not remembered",
    scales=(6,),
    unit="symbols",
    arms={"engineered": waiting},
    cycles=9,
)

OPTIMIZATION = Optimization(
    id="O12",
    name="reasoning cache",
    layer="wrap",
    prescribed=prescribed,
    engineered=engineered,
    simple=simple,
    claims=(
        publish_claim(
            id="O12.calls",
            text="70-90% reduction in AI reasoning calls",
            source=f"{SEED}, Expected Impact",
            workload=DAY.name,
            metric="model_calls",
            reading="requests to the explanation model over a live trading day of six symbols, cold at the start",
            headline=True,
            curve=TICKING.name,
        ),
        Claim(
            id="O12.cost",
            text="70-90% cost/time",
            source="additional_optimizations.txt, Summary of Additional Optimizations",
            kind="reduction",
            low=0.70,
            high=0.90,
            workload=DAY.name,
            metric="dollars",
            reading="cost: dollars for the explanation model over the same day, by its tokens",
            curve=TICKING.name,
        ),
        Claim(
            id="O12.time",
            text="70-90% cost/time",
            source="additional_optimizations.txt, Summary of Additional Optimizations",
            kind="reduction",
            low=0.70,
            high=0.90,
            workload=LIVE.name,
            metric="wall",
            reading="time: of whole cycles of a live market, the model's latency with them",
        ),
        Claim(
            id="O12.stage",
            text="70-90% cost/time",
            source="additional_optimizations.txt, Summary of Additional Optimizations",
            kind="reduction",
            low=0.70,
            high=0.90,
            workload=STAGE.name,
            metric="wall",
            reading="time: of the reason stage alone on a live trace, the model's latency with it",
        ),
        publish_claim(
            id="O12.savings",
            text="Significant cost savings (AI calls are expensive)",
            source=f"{SEED}, Expected Impact",
            workload=DAY.name,
            metric="dollars",
            reading="the explanation model costs fewer dollars over a live trading day",
            curve=TICKING.name,
        ),
        publish_claim(
            id="O12.faster",
            text="Faster signal generation (no AI wait time)",
            source=f"{SEED}, Expected Impact",
            workload=LIVE.name,
            metric="wall",
            reading="whole cycles of a live market are faster",
        ),
        publish_claim(
            id="O12.unchanged",
            text="70-90% reduction in AI reasoning calls",
            source=f"{SEED}, Expected Impact",
            workload=UNCHANGED.name,
            metric="model_calls",
            reading="requests to the explanation model where signals of unchanged prices are served anyway",
        ),
        publish_claim(
            id="O12.calls-waiting",
            text="70-90% reduction in AI reasoning calls",
            source=f"{SEED}, Expected Impact",
            workload=DAY_WAITING.name,
            metric="model_calls",
            reading="the headline with the engineered variant of before 2026-11-29, which waits for the model",
        ),
        Claim(
            id="O12.time-waiting",
            text="70-90% cost/time",
            source="additional_optimizations.txt, Summary of Additional Optimizations",
            kind="reduction",
            low=0.70,
            high=0.90,
            workload=LIVE_WAITING.name,
            metric="wall",
            reading="time of whole cycles with the engineered variant of before 2026-11-29, which waits for the model",
        ),
        Claim(
            id="O12.stage-waiting",
            text="70-90% cost/time",
            source="additional_optimizations.txt, Summary of Additional Optimizations",
            kind="reduction",
            low=0.70,
            high=0.90,
            workload=STAGE_WAITING.name,
            metric="wall",
            reading="time of the reason stage with the engineered variant of before 2026-11-29, which waits",
        ),
    ),
    workloads=(
        *(DAY, UNCHANGED, TICKING, FAILING, STAGE, ON_REDIS, LIVE),
        *(WRITTEN, DAY_WAITING, STAGE_WAITING, LIVE_WAITING),
    ),
    may_change="the wording of an explanation, never its numbers; the explanation is a marked template until the "
    "model's text arrives",
    permits=frozenset({"reasoning", "reasoning_author"}),
)
