"""O04: does the prescribed deduplication keep its defects, and does the engineered one ask every question once?"""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from argo_bench.optimizations import build
from argo_bench.optimizations.o04_prompt_deduplication import (
    OPTIMIZATION,
    TTL_S,
    ExactForAMinute,
    PromptDeduplicator,
    cachetools_arm,
    find_wrong_fields,
    other_opinions,
    simple,
    wrong_explanations,
)
from argo_bench.optimizations.optimization import Call, Replay
from argo_bench.pipeline import baseline
from argo_bench.pipeline.baseline.reason import prompt, template
from argo_bench.pipeline.market import Tape
from argo_bench.pipeline.model import (
    Choice,
    Completion,
    Decision,
    Fetched,
    Message,
    Opinions,
    ProviderError,
    Reasoning,
    Request,
    Usage,
)
from argo_bench.pipeline.optimized import transport as parts
from argo_bench.pipeline.optimized.transport import FACTS, Arrived, Deduplicated, hash_trigrams
from argo_bench.pipeline.world import SimulatedWorld
from argo_bench.pipeline.world.content import MODELS, explanation

SOURCES = (("massive", "LONG"), ("alpha_vantage", "LONG"), ("x_sentiment", "SHORT"), ("sonar", "LONG"))
LONG = Decision(
    "id", "AAPL", "LONG", 241.53, 234.28, 253.61, 81.25, "TRENDING", "weighted_consensus", SOURCES, 0.0, 241.53
)
SHORT = replace(LONG, direction="SHORT", stop=248.78, target=229.45)


class Clock:
    """A world that has only the time and the cycle."""

    def __init__(self):
        self.time = 0.0
        self.cycle = 0

    def now(self):
        return self.time


class Model:
    """A transport whose every answer is new; it fails when told to."""

    def __init__(self):
        self.sent = []
        self.fails = False

    def __call__(self, world, request):
        self.sent.append(request)
        return Failing() if self.fails else Arrived(completion(f"answer {len(self.sent)}"))


class Failing:
    def result(self):
        raise ProviderError("answered 503")

    def __await__(self):
        yield from asyncio.sleep(0).__await__()
        raise ProviderError("answered 503")


class Slow:
    """A transport whose answers take a turn of the loop."""

    def __init__(self, fails=False):
        self.sent = 0
        self._fails = fails

    def __call__(self, world, request):
        self.sent += 1
        return SlowPending(self.sent, self._fails)


class SlowPending:
    def __init__(self, number, fails):
        self._number, self._fails = number, fails

    def result(self):
        return completion(f"answer {self._number}")

    def __await__(self):
        yield from asyncio.sleep(0.001).__await__()
        if self._fails:
            raise ProviderError("answered 503")
        return self.result()


def completion(text):
    return Completion("chatcmpl-1", "m", (Choice(Message("assistant", text), "stop"),), Usage(1, 1, 2))


def asks(text, **fields):
    model = MODELS["explanation"]
    base = Request(
        "explanation", "AAPL", "explanation", text, 0, model.system, model.name, model.max_tokens, model.temperature
    )
    return replace(base, **fields)


def explains(decision, **fields):
    return asks(prompt(decision), symbol=decision.symbol, **fields)


def told(cache, world, request):
    return cache(world, request).result().choices[0].message.content


def is_served_from(build_cache, first, second):
    """Whether the second request is answered with what the first one got."""
    cache, world = build_cache(Model()), Clock()
    return told(cache, world, first) == told(cache, world, second)


@pytest.mark.parametrize("edit", [OPTIMIZATION.prescribed, OPTIMIZATION.engineered, simple, cachetools_arm])
def test_every_arm_sends_a_prompt_once(edit):
    model = Model()
    transport, world = edit(baseline.PIPELINE.replace(transport=model)).transport, Clock()
    assert told(transport, world, explains(LONG)) == told(transport, world, explains(LONG)) == "answer 1"
    assert (transport.hits, transport.misses) == (1, 1)
    for _ in range(2):
        transport(world, Request("massive", "AAPL", "bars")).result()
    assert len(model.sent) == 3


@pytest.mark.parametrize(
    "other",
    [
        replace(LONG, symbol="AMZN"),
        replace(LONG, symbol="BTC-USD"),
        replace(LONG, direction="SHORT"),
        SHORT,
        replace(LONG, entry=241.54, stop=234.3, target=253.62),
        replace(LONG, regime="VOLATILE"),
    ],
    ids=["other symbol", "other market", "opposite direction", "mirrored signal", "other numbers", "other regime"],
)
def test_o04_prescribed_serves_what_another_decision_was_explained_with_and_engineered_does_not(other):
    assert is_served_from(PromptDeduplicator, explains(LONG), explains(other))
    assert not is_served_from(Deduplicated, explains(LONG), explains(other))


@pytest.mark.parametrize(
    "fields", [{"system": "Answer as a lawyer."}, {"model": "another"}, {"max_tokens": 10}, {"temperature": 1.0}]
)
def test_o04_prescribed_serves_the_answer_of_another_system_prompt_or_model_and_engineered_does_not(fields):
    assert is_served_from(PromptDeduplicator, explains(LONG), explains(LONG, **fields))
    assert not is_served_from(Deduplicated, explains(LONG), explains(LONG, **fields))


def test_o04_prescribed_loses_white_space_that_means_something_and_engineered_keeps_it():
    block = asks("Which branch runs?\nif a:\n    b()\nc()")
    inner = asks("Which branch runs?\nif a:\n    b()\n    c()")
    assert is_served_from(PromptDeduplicator, block, inner)
    assert not is_served_from(Deduplicated, block, inner)
    for blanks in ("  {}", "{}\n", "\n{}\n\n"):
        assert is_served_from(Deduplicated, explains(LONG), asks(blanks.format(prompt(LONG))))


class Unlike:
    """An embedder to which no two texts are similar."""

    def __init__(self):
        self._places = {}

    def __call__(self, text):
        return np.eye(64)[self._places.setdefault(text, len(self._places))]


def test_o04_prescribed_serves_an_opinion_all_day_and_to_the_other_model_and_engineered_within_a_cycle_only():
    def opinion(provider):
        return asks("Sentiment of AAPL?", provider=provider, what="opinion", model=MODELS[provider].name)

    model = Model()
    cache, world = PromptDeduplicator(model), Clock()
    first = told(cache, world, opinion("x_sentiment"))
    world.time, world.cycle = TTL_S - 1, 17_279
    assert told(cache, world, opinion("x_sentiment")) == told(cache, world, opinion("sonar")) == first
    world.time = TTL_S
    assert told(cache, world, opinion("x_sentiment")) != first

    cache, world = Deduplicated(Model()), Clock()
    first = told(cache, world, opinion("x_sentiment"))
    assert told(cache, world, opinion("x_sentiment")) == first
    assert told(cache, world, opinion("sonar")) != first
    world.cycle = 1
    assert told(cache, world, opinion("x_sentiment")) != first


def test_o04_prescribed_compares_with_every_entry_so_that_a_scan_lengthens_with_each():
    cache, world = PromptDeduplicator(Model(), embed=Unlike()), Clock()
    for number in range(20):
        told(cache, world, asks(f"{number}"))
    assert cache.comparisons == sum(range(20))


def test_o04_prescribed_never_removes_what_has_expired():
    cache, world = PromptDeduplicator(Model(), embed=Unlike()), Clock()
    told(cache, world, asks("1"))
    world.time = 10 * TTL_S
    assert told(cache, world, asks("2")) == "answer 2"
    assert len(cache._entries) == 2
    assert cache.comparisons == 0


def test_o04_prescribed_estimates_savings_without_the_system_prompt_and_the_answer():
    cache, world = PromptDeduplicator(Model()), Clock()
    for _ in range(3):
        told(cache, world, asks("x" * 401))
    assert cache.estimated_tokens_saved == 2 * 100


def test_o04_prescribed_takes_another_embedder():
    assert not is_served_from(lambda model: PromptDeduplicator(model, embed=Unlike()), explains(LONG), explains(SHORT))


def test_o04_simple_serves_exactly_the_same_question_for_a_minute_and_keeps_no_failure():
    clock, model = Clock(), Model()
    cache = ExactForAMinute(model)
    model.fails = True
    with pytest.raises(ProviderError):
        told(cache, clock, asks("Why?"))
    model.fails = False
    first = told(cache, clock, asks("Why?"))
    clock.time = 59.9
    assert told(cache, clock, asks("Why?")) == first
    assert told(cache, clock, asks("Why ?")) != first
    assert told(cache, clock, asks("Why?", system="Be brief.")) != first
    clock.time = 60.0
    assert told(cache, clock, asks("Why?")) != first
    assert (cache.hits, cache.misses, len(model.sent)) == (1, 5, 5)


def test_o04_engineered_serves_another_wording_with_the_same_facts():
    other = prompt(LONG).replace("Explain this trading signal", "Please explain this trading signal")
    cache, world = Deduplicated(Model()), Clock()
    assert told(cache, world, explains(LONG)) == told(cache, world, asks(other))
    assert cache.comparisons == 1


@pytest.mark.parametrize(
    "change", [("Explain", "Do not explain"), ("234.28", "-234.28"), ("signal", "short"), ("\nstop", "\n  stop")]
)
def test_o04_engineered_does_not_take_a_negation_a_sign_a_direction_or_an_indent_for_a_wording(change):
    cache, world = Deduplicated(Model(), embed=lambda text: np.ones(1)), Clock()
    told(cache, world, explains(LONG))
    assert told(cache, world, asks(prompt(LONG).replace(*change))) == "answer 2"


def test_facts_are_indents_numbers_words_in_capitals_directions_and_negations_in_their_order():
    text = "Buy F or BRK.B, not BTC-USD, at -1.5 or 20; go LONG unless bearish\n  (without fees)"
    found = FACTS.findall(text)
    assert found == ["Buy", "F", "BRK.B", "not", "BTC-USD", "-1.5", "20", "LONG", "bearish", "  ", "without"]


def test_o04_engineered_compares_only_with_prompts_of_the_same_facts():
    cache, world = Deduplicated(Model()), Clock()
    for cents in range(50):
        told(cache, world, explains(replace(LONG, entry=200 + cents / 100)))
    assert (cache.misses, cache.comparisons) == (50, 0)


def test_o04_engineered_forgets_its_oldest_question_when_it_is_full(monkeypatch):
    monkeypatch.setattr(parts, "REMEMBERED_QUESTIONS", 3)
    cache, world = Deduplicated(Model()), Clock()
    for entry in (1.0, 2.0, 3.0, 4.0):
        told(cache, world, explains(replace(LONG, entry=entry)))
    assert told(cache, world, explains(replace(LONG, entry=4.0))) == "answer 4"
    assert told(cache, world, explains(replace(LONG, entry=2.0))) == "answer 2"
    assert told(cache, world, explains(replace(LONG, entry=1.0))) == "answer 5"


def test_o04_engineered_remembers_no_more_than_a_few_wordings_of_a_question():
    cache, world = Deduplicated(Model(), embed=Unlike()), Clock()
    for number in range(30):
        told(cache, world, asks("explain " + "a" * number))
    assert [len(wordings) for wordings in cache._explanations.values()] == [8]


def test_o04_engineered_keeps_the_opinions_of_one_cycle_only():
    cache, world = Deduplicated(Model()), Clock()
    for world.cycle in range(5):
        told(cache, world, asks("Sentiment of AAPL?", provider="sonar", what="opinion"))
    assert len(cache._opinions) == 1
    assert cache._explanations == {}


def test_o04_engineered_asks_once_for_all_who_ask_together():
    slow = Slow()
    cache = Deduplicated(slow)

    async def together():
        return await asyncio.gather(*(waited(cache(Clock(), explains(LONG))) for _ in range(5)))

    answers = asyncio.run(together())
    assert slow.sent == 1
    assert all(answer is answers[0] for answer in answers)
    assert (cache.hits, cache.misses) == (4, 1)


async def waited(pending):
    return await pending


def test_o04_engineered_waiters_go_on_when_the_one_who_asked_first_is_cancelled():
    slow = Slow()
    cache = Deduplicated(slow)

    async def first_gives_up():
        first = asyncio.ensure_future(waited(cache(Clock(), explains(LONG))))
        others = [asyncio.ensure_future(waited(cache(Clock(), explains(LONG)))) for _ in range(2)]
        await asyncio.sleep(0)
        first.cancel()
        return await asyncio.gather(first, *others, return_exceptions=True)

    gone, *served = asyncio.run(first_gives_up())
    assert isinstance(gone, asyncio.CancelledError)
    assert [each.choices[0].message.content for each in served] == ["answer 1", "answer 1"]
    assert slow.sent == 1


def test_o04_engineered_forgets_a_request_that_everybody_has_given_up():
    slow = Slow()
    cache = Deduplicated(slow)

    async def given_up():
        waiting = [asyncio.ensure_future(waited(cache(Clock(), explains(LONG)))) for _ in range(2)]
        await asyncio.sleep(0)
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert cache._flights == {}
        return await cache(Clock(), explains(LONG))

    assert asyncio.run(given_up()).choices[0].message.content == "answer 2"


def test_o04_engineered_hands_a_failure_to_all_who_wait_and_does_not_remember_it():
    slow = Slow(fails=True)
    cache = Deduplicated(slow)

    async def together():
        pending = [waited(cache(Clock(), explains(LONG))) for _ in range(3)]
        return await asyncio.gather(*pending, return_exceptions=True)

    assert [type(each) for each in asyncio.run(together())] == [ProviderError] * 3
    assert slow.sent == 1
    assert told(cache, Clock(), explains(LONG)) == "answer 2"


def test_o04_engineered_does_not_remember_a_failure_that_blocked():
    model = Model()
    cache, world = Deduplicated(model), Clock()
    model.fails = True
    with pytest.raises(ProviderError):
        cache(world, explains(LONG)).result()
    model.fails = False
    assert told(cache, world, explains(LONG)) == "answer 2"


def test_a_request_that_two_have_asked_for_is_waited_for_once_when_both_block():
    slow = Slow()
    cache, world = Deduplicated(slow), Clock()
    pending = [cache(world, explains(LONG)) for _ in range(2)]
    assert pending[0].result() is pending[1].result()
    assert slow.sent == 1


def test_embeddings_have_unit_length_and_depend_on_the_text_alone():
    for text in ("", "a", prompt(LONG)):
        assert np.linalg.norm(hash_trigrams(text)) == pytest.approx(1.0)
    assert (hash_trigrams("abc") == hash_trigrams("ABC")).all()
    assert hash_trigrams("abc") @ hash_trigrams("xyz") < 0.5


def test_building_twice_gives_two_cold_caches():
    first, second = (build({"O04": "engineered"}).transport for _ in range(2))
    first._explanations["question"] = []
    assert second._explanations == {}


def told_text(decision):
    return Reasoning(explanation(1, 0, decision.symbol, prompt(decision)), "model")


@pytest.mark.parametrize(
    ("other", "fields"),
    [
        (LONG, set()),
        (replace(LONG, symbol="AMZN"), {"symbol"}),
        (SHORT, {"direction", "stop", "target"}),
        (replace(LONG, confidence=75.5, regime="VOLATILE"), {"confidence", "regime"}),
    ],
)
def test_a_text_is_wrong_in_the_fields_that_it_gives_another_value(other, fields):
    assert find_wrong_fields(LONG, told_text(other)) == fields


def test_a_template_is_made_of_the_decision_and_never_wrong():
    assert find_wrong_fields(LONG, Reasoning(template(SHORT), "template")) == set()


def test_wrong_explanations_are_counted_by_what_is_wrong_and_once_altogether():
    def replay(pipeline, results):
        return Replay([Call(0.0, 0.0, 0, (LONG,), each) for each in results], pipeline, None)

    expected = replay(baseline.PIPELINE, [told_text(LONG)] * 3)
    got = replay(build({"O04": "prescribed"}), [told_text(LONG), told_text(SHORT), told_text(replace(LONG, entry=1.0))])
    assert wrong_explanations(expected, got) == {
        "wrong hits": 2,
        "other symbol": 0,
        "opposite direction": 1,
        "other numbers": 2,
        "other regime": 0,
        "served calls": 0,
        "scan comparisons": 0,
    }
    assert set(wrong_explanations(expected, expected).values()) == {0.0}


def test_other_opinions_are_counted_for_both_models():
    def replay(*opinions):
        return Replay([Call(0.0, 0.0, 0, ("A",), Fetched(None, each)) for each in opinions], baseline.PIPELINE, None)

    expected = replay(Opinions({}, "LONG", "LONG"), Opinions({}, "LONG", "SHORT"))
    got = replay(Opinions({}, "LONG", "SHORT"), Opinions({}, "SHORT", "LONG"))
    assert other_opinions(expected, got)["other opinions"] == 3
    assert other_opinions(expected, expected)["other opinions"] == 0


def test_both_variants_stand_behind_a_whole_cycle_and_explain_each_decision_once(small_universe):
    from argo_bench.pipeline.optimized.indicators import indicators
    from argo_bench.pipeline.record import cycle

    def run(selection):
        tape = Tape(small_universe.frames, seed=3, change_rate=0.0)
        pipeline = build(selection).replace(indicators=indicators)
        with SimulatedWorld(tape, seed=3, latency_scale=0) as world:
            cycles = [world.run(cycle(pipeline, world, tape.symbols, number)) for number in range(12)]
            return cycles, world.ledger

    (plain, plain_ledger), (got, ledger) = run({}), run({"O04": "engineered"})
    bare = [[replace(each, reasoning="") for each in walked.decided] for walked in plain]
    assert [[replace(each, reasoning="") for each in walked.decided] for walked in got] == bare
    assert 0 < ledger.requests["explanation"] < plain_ledger.requests["explanation"]
    assert ledger.requests["sonar"] == plain_ledger.requests["sonar"]
    assert ledger.dollars < plain_ledger.dollars
    for walked in got:
        for each in walked.decided:
            assert find_wrong_fields(each, Reasoning(each.reasoning, "model")) == set()
