"""Does O12 ask once for what means the same, and is every number it shows its signal's?"""

import asyncio
import dataclasses
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_bench.optimizations import load_published
from argo_bench.optimizations.o12_reasoning_cache import (
    DAY,
    FAILING,
    OPTIMIZATION,
    UNCHANGED,
    WRITTEN,
    as_printed,
    as_printed_on_redis,
    damage,
    damage_to_authorship,
    shows_another_number,
    simple,
    waiting,
)
from argo_bench.pipeline import baseline
from argo_bench.pipeline.baseline.encode import digest
from argo_bench.pipeline.baseline.read import LATEST
from argo_bench.pipeline.baseline.reason import prompt, template
from argo_bench.pipeline.model import Consensus, ProviderError, Reasoning
from argo_bench.pipeline.optimized.reason import CONFIDENCE_BAND, take_apart
from argo_bench.pipeline.optimized.reason import reason as waiting_reason
from argo_bench.pipeline.record import Evidence, draft_decision, settle
from argo_bench.pipeline.world import SimulatedWorld, Simulation, content
from argo_bench.pipeline.world.clock import nanoseconds
from argo_bench.pipeline.world.database import REASONING
from argo_bench.study.checking.check import check_on_markets
from argo_bench.study.checking.differences import Differences, Rows, RowsAtTheEnd, note_differences
from argo_bench.study.checking.trace import Oracle
from argo_bench.study.counts import replay
from argo_bench.study.hits import count_cache_hits
from argo_bench.study.recording import record
from argo_bench.study.replay import NoMarket
from tests.test_stages import decision

P = baseline.PIPELINE
HOUR = 3600.0


class FakeWorld:
    """A clock that the test moves, and a model that answers as the simulated one does, or as it is told."""

    def __init__(self, directory=Path("nowhere")):
        self.time = 0.0
        self.cycle = 0
        self.directory = directory
        self.resources = AsyncExitStack()
        self.prompts = []
        self.fails = False
        self.says = None

    def now(self):
        return self.time

    def ask(self, symbol, prompt):
        self.prompts.append(prompt)
        text = self.says or content.explanation(0, self.cycle, symbol, prompt)
        return Answer(ProviderError("503") if self.fails else text)

    @property
    def asked(self):
        return len(self.prompts)


class Answer:
    def __init__(self, answer):
        self.answer = answer

    def result(self):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def __await__(self):
        yield from asyncio.sleep(0).__await__()
        yield from asyncio.sleep(0).__await__()
        return self.result()


def prescribed():
    return OPTIMIZATION.prescribed(P).reason


def remembering():
    """The engineered variant's memory, which waits for the model here."""
    return waiting(P).reason


def told(stage, world, each):
    return asyncio.run(settled(stage(world, each)))


async def settled(value):
    return await settle(value)


def of_its_signal(reasoning, each):
    """Whether a text is what the model says about this decision, but for the opening."""
    expected = content.explanation(0, 0, each.symbol, prompt(each))
    return reasoning.text.split(" a ", 1)[1] == expected.split(" a ", 1)[1]


@pytest.fixture
def world():
    return FakeWorld()


# As prescribed


def test_o12_prescribed_asks_once_an_hour_for_the_same_decision(world):
    stage = prescribed()
    first = told(stage, world, decision())
    world.time = HOUR - 0.1
    assert told(stage, world, decision()) == first
    assert world.asked == 1
    world.time = HOUR
    told(stage, world, decision())
    assert world.asked == 2
    assert (stage.hits, stage.misses) == (1, 2)


def test_o12_as_printed_caches_nothing(world):
    stage = as_printed(P).reason
    for _ in range(3):
        told(stage, world, decision())
    assert world.asked == 3
    assert (stage.hits, stage.misses) == (0, 3)


def test_o12_as_printed_on_redis_asks_once_for_all_processes_and_keeps_the_template_of_a_failed_call(world):
    with SimulatedWorld(NoMarket()) as store:
        world.redis = store.redis
        stages = [as_printed_on_redis(P).reason for _ in range(2)]
        first = told(stages[0], world, decision())
        assert told(stages[1], world, decision()) == first
        assert world.asked == 1
        world.fails = True
        told(stages[0], world, decision(entry=101.0))
        world.fails = False
        assert told(stages[1], world, decision(entry=101.0)) == Reasoning(template(decision(entry=101.0)), "model")


def test_o12_prescribed_asks_again_for_every_cent(world):
    stage = prescribed()
    for cents in range(5):
        told(stage, world, decision(entry=100 + cents / 100))
    assert world.asked == 5


@pytest.mark.parametrize(
    "values",
    [{"regime": "VOLATILE"}, {"stop": 90.0}, {"target": 120.0}, {"sources": (("sonar", "LONG"),)}],
    ids=lambda values: next(iter(values)),
)
def test_o12_prescribed_serves_a_text_about_another_regime_stop_target_or_other_sources(values, world):
    stage = prescribed()
    first = told(stage, world, decision())
    assert told(stage, world, decision(**values)) == first
    assert world.asked == 1


def test_o12_prescribed_shows_the_entry_of_another_signal_below_one(world):
    stage = prescribed()
    cheap, other = (decision(entry=entry, stop=0.1, target=0.2) for entry in (0.1234, 0.1214))
    told(stage, world, cheap)
    text = told(stage, world, other).text
    assert "0.1234" in text
    assert shows_another_number(text, other)


def test_o12_prescribed_takes_a_tenth_of_a_scale_from_0_to_1_for_no_difference(world):
    stage = prescribed()
    assert told(stage, world, decision(confidence=0.76)) == told(stage, world, decision(confidence=0.84))
    told(stage, world, decision(confidence=76.0))
    told(stage, world, decision(confidence=76.1))
    assert world.asked == 3


def test_o12_prescribed_serves_the_template_of_a_failed_call_for_an_hour_as_the_models(world):
    stage = prescribed()
    world.fails = True
    assert told(stage, world, decision()) == Reasoning(template(decision()), "template")
    world.fails = False
    world.time = HOUR - 1
    assert told(stage, world, decision()) == Reasoning(template(decision()), "model")
    assert world.asked == 1


# As engineered


def test_o12_engineered_asks_once_an_hour_for_what_means_the_same(world):
    stage = remembering()
    told(stage, world, decision())
    world.time = HOUR - 1
    moved = decision(signal_id="def", entry=100.01, stop=97.01, target=105.01, confidence=81.3)
    reasoning = told(stage, world, moved)
    assert world.asked == 1
    assert reasoning.author == "model"
    assert of_its_signal(reasoning, moved)
    world.time = HOUR
    told(stage, world, decision())
    assert world.asked == 2
    assert count_cache_hits(P.replace(reason=stage))["hits"] == 1


@pytest.mark.parametrize(
    "values",
    [
        {"symbol": "BBB"},
        {"direction": "SHORT"},
        {"regime": "VOLATILE"},
        {"sources": (("massive", "LONG"), ("sonar", "SHORT"))},
        {"confidence": 80 + CONFIDENCE_BAND},
    ],
    ids=lambda values: next(iter(values)),
)
def test_o12_engineered_asks_again_for_what_means_something_else(values, world):
    stage = remembering()
    told(stage, world, decision())
    told(stage, world, decision(**values))
    assert world.asked == 2


def test_o12_engineered_never_keeps_the_template_of_a_failed_call(world):
    stage = remembering()
    world.fails = True
    assert told(stage, world, decision()) == Reasoning(template(decision()), "template")
    world.fails = False
    assert told(stage, world, decision()).author == "model"
    assert world.asked == 2


@pytest.mark.parametrize(
    "text",
    [
        "Buy AAA at $100.00.",
        "Buy AAA at 100.0, as 3 of 4 sources say.",
        "Buy AAA at 100.0 for a gain of 5 %.",
        "Buy AAA at 1100.0.",
        "Buy AAA at 100.05.",
        "Buy AAA at 1,100.0.",
        "Buy AAA at 100.0k.",
        "Buy AAA at 100.0, half of it (½) at once.",
        "Buy AAA at 1e2.",
    ],
)
def test_o12_engineered_keeps_no_text_with_a_number_that_may_not_be_its_signals(text, world):
    stage = remembering()
    world.says = text
    assert [told(stage, world, decision(signal_id=name)).text for name in ("a", "b")] == [text, text]
    assert world.asked == 2


def test_o12_engineered_keeps_no_text_of_a_signal_with_two_figures_alike(world):
    stage = remembering()
    for name in ("a", "b"):
        told(stage, world, decision(signal_id=name, confidence=97.0))
    assert world.asked == 2


def test_o12_engineered_takes_figures_apart_at_the_ends_of_sentences_and_not_in_names():
    each = decision(symbol="SYN001")
    text = "SYN001 at 100.0, stop 97.0. Target ($105.0): SYN001 (80.0%)."
    parts = take_apart(text, each)
    assert parts is not None
    assert parts[1::2] == ("entry", "stop", "target", "confidence")
    assert take_apart("SYN100.0 at 105.0", decision(symbol="SYN100.0")) is None


def made(symbol, direction, regime, close, confidence, cycle):
    class Now:
        def nominal_time(self):
            return 0.0

    world = Now()
    world.cycle = cycle
    evidence = Evidence(symbol, close, close, regime, ())
    return draft_decision(world, evidence, Consensus(direction, confidence))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(("AAA", "SYN001", "7203.T")),
            st.sampled_from(("LONG", "SHORT")),
            st.sampled_from(("TRENDING", "VOLATILE")),
            st.one_of(st.floats(99, 101), st.floats(0.0002, 2), st.floats(1e4, 1e6)),
            st.floats(75, 100),
            st.booleans(),
        ),
        min_size=2,
        max_size=20,
    )
)
def test_o12_engineered_shows_no_number_that_differs_from_its_signals(drawn):
    stage, world = remembering(), FakeWorld()
    for cycle, (*fields, fails) in enumerate(drawn):
        world.cycle, world.fails = cycle, fails
        each = made(*fields, cycle)
        reasoning = told(stage, world, each)
        if reasoning.author == "model":
            assert of_its_signal(reasoning, each)
        else:
            assert reasoning.text == template(each)
        assert not shows_another_number(reasoning.text, each)


def test_o12_engineered_survives_a_restart(tmp_path):
    first = FakeWorld(tmp_path)
    told(remembering(), first, decision())
    asyncio.run(first.resources.aclose())
    second = FakeWorld(tmp_path)
    second.time = 60.0
    moved = decision(entry=100.5)
    assert of_its_signal(told(remembering(), second, moved), moved)
    assert second.asked == 0


def test_o12_engineered_serves_nothing_after_a_restart_with_another_model_or_prompt(tmp_path, monkeypatch):
    first = FakeWorld(tmp_path)
    told(remembering(), first, decision())
    asyncio.run(first.resources.aclose())
    monkeypatch.setattr("argo_bench.pipeline.optimized.reason.SCHEMA", "another")
    second = FakeWorld(tmp_path)
    told(remembering(), second, decision())
    assert second.asked == 1


def together(stage, world, decisions):
    async def gathered():
        return await asyncio.gather(*(settle(stage(world, each)) for each in decisions))

    return asyncio.run(gathered())


def test_o12_engineered_asks_once_for_decisions_that_ask_together(world):
    stage = waiting(P.replace(reason=waiting_reason)).reason
    decisions = [decision(signal_id=str(cents), entry=100 + cents / 100) for cents in range(5)]
    reasonings = together(stage, world, decisions)
    assert world.asked == 1
    assert all(map(of_its_signal, reasonings, decisions))


@pytest.mark.parametrize("fails", [True, False], ids=["failed", "not to be taken apart"])
def test_o12_engineered_hands_nobody_the_figures_of_those_who_asked_with_them(fails, world):
    stage = waiting(P.replace(reason=waiting_reason)).reason
    decisions = [decision(signal_id=str(stop), stop=float(stop), confidence=97.0) for stop in (97, 98)]
    world.fails = fails
    for each, reasoning in zip(decisions, together(stage, world, decisions), strict=True):
        assert not shows_another_number(reasoning.text, each)
        assert reasoning.author == ("template" if fails else "model")


# What comes late


class Playing(SimulatedWorld):
    """A world whose model takes two seconds, for decisions that are explained, stored and read."""

    def __init__(self, pipeline, directory, takes_s=2.0):
        super().__init__(NoMarket(), Simulation(busy_ns=lambda: 0, error_rate=1.0), directory=directory, durable=False)
        self.pipeline, self.takes_s, self.fails = pipeline, takes_s, False
        self.transport = pipeline.transport
        self.begin(0)

    def _fails(self, request):
        return self.fails

    def _latency_ns(self, request):
        return nanoseconds(self.takes_s)

    def explain(self, *decisions):
        async def together():
            return await asyncio.gather(*(settle(self.pipeline.reason(self, each)) for each in decisions))

        found = self.run(together())
        return [
            dataclasses.replace(each, reasoning=said.text, reasoning_author=said.author)
            for each, said in zip(decisions, found, strict=True)
        ]

    def store(self, *decisions):
        self.run(settled(self.pipeline.store(self, P.encode(self, decisions))))

    @property
    def texts(self):
        return dict(self.query("SELECT signal_id, reasoning FROM signals ORDER BY id"))


@pytest.fixture
def playing(tmp_path):
    with Playing(OPTIMIZATION.engineered(P), tmp_path) as world:
        yield world


def says_its_own(text, each):
    return of_its_signal(Reasoning(text, "model"), each)


def test_o12_engineered_answers_at_once_with_a_marked_template_and_writes_the_text_into_its_row(playing):
    each = decision()
    began = playing.now()
    (explained,) = playing.explain(each)
    assert playing.now() == began
    assert (explained.reasoning, explained.reasoning_author) == (template(each), "template")
    playing.store(explained)
    assert playing.texts == {each.signal_id: template(each)}
    playing.run(playing.idle(1))
    assert says_its_own(playing.texts[each.signal_id], each)
    assert (playing.ledger.requests["explanation"], playing.ledger.rewrites) == (1, 1)
    assert playing.pipeline.reason.late_s == Counter({2.0: 1})


def test_o12_engineered_serves_the_text_at_once_where_the_meaning_was_asked_before(playing):
    playing.explain(decision())
    playing.run(playing.idle(1))
    moved = decision(signal_id="moved", entry=100.01)
    (explained,) = playing.explain(moved)
    assert explained.reasoning_author == "model"
    assert says_its_own(explained.reasoning, moved)
    assert playing.ledger.requests["explanation"] == 1


def test_o12_engineered_asks_once_for_decisions_that_come_together_and_each_gets_its_own_figures(playing):
    decisions = [decision(signal_id=str(cents), entry=100 + cents / 100) for cents in range(5)]
    playing.store(*playing.explain(*decisions))
    playing.run(playing.wind_down())
    assert playing.ledger.requests["explanation"] == 1
    assert all(says_its_own(playing.texts[each.signal_id], each) for each in decisions)


def test_o12_a_text_that_comes_before_its_row_is_stored_with_it(playing):
    (explained,) = playing.explain(decision())
    playing.run(playing.idle(1))
    playing.store(explained)
    assert says_its_own(playing.texts[explained.signal_id], explained)
    assert (playing.ledger.rewrites, playing.ledger.commits) == (0, 1)


def test_o12_engineered_drops_the_text_of_a_decision_that_was_rejected(playing):
    kept, _ = playing.explain(decision(), decision(symbol="BBB", signal_id="rejected"))
    playing.store(kept)
    playing.run(playing.wind_down())
    assert list(playing.texts) == [kept.signal_id]
    assert says_its_own(playing.texts[kept.signal_id], kept)
    assert playing.ledger.rewrites == 1


def test_o12_engineered_leaves_the_template_where_the_model_fails(playing):
    playing.fails = True
    (explained,) = playing.explain(decision())
    playing.store(explained)
    playing.run(playing.wind_down())
    assert playing.texts == {explained.signal_id: template(decision())}
    assert (playing.ledger.rewrites, playing.pipeline.reason.late_s.total()) == (0, 0)
    playing.fails = False
    playing.explain(decision())
    assert playing.ledger.requests["explanation"] == 2


def test_o12_engineered_writes_what_is_under_way_when_the_world_closes(tmp_path):
    with Playing(OPTIMIZATION.engineered(P), tmp_path) as world:
        world.store(*world.explain(decision()))
    with Playing(P, tmp_path) as world:
        assert says_its_own(world.texts[decision().signal_id], decision())
    with Playing(OPTIMIZATION.engineered(P), tmp_path) as world:
        assert world.explain(decision(signal_id="b"))[0].reasoning_author == "model"
        assert world.ledger.requests["explanation"] == 0


def test_o12_the_digest_of_a_row_stays_when_its_text_comes(playing):
    (explained,) = playing.explain(decision())
    playing.store(explained)
    before = playing.query("SELECT sha256 FROM signals")
    playing.run(playing.wind_down())
    assert playing.query("SELECT sha256 FROM signals") == before == [(digest(explained),)]


def test_o12_texts_that_come_late_reach_the_readers_whose_answers_o05_keeps(tmp_path):
    edits = {each: load_published_by_id()[each].engineered for each in ("O05", "O12")}
    with Playing(edits["O12"](edits["O05"](P)), tmp_path) as world:
        each = decision()
        world.store(*world.explain(each))
        seen = [world.run(settled(world.pipeline.read(world, [each.symbol])))]
        world.run(world.idle(1))
        queries = world.ledger.queries
        seen.append(world.run(settled(world.pipeline.read(world, [each.symbol]))))
        assert world.ledger.queries == queries
        texts = [[row[REASONING] for row in (*found.latest, *found.latest_of_symbol)] for found in seen]
        assert texts[0] == [template(each)] * 2
        assert all(says_its_own(text, each) for text in texts[1])
        assert list(seen[1].latest) == world.query(LATEST)


def load_published_by_id():
    return {each.id: each for each in load_published()}


def test_o12_simple_keeps_texts_by_the_whole_prompt_and_no_template(world):
    stage = simple(P).reason
    assert told(stage, world, decision()) == told(stage, world, decision(signal_id="b"))
    told(stage, world, decision(stop=90.0))
    assert world.asked == 2
    world.fails = True
    assert told(stage, world, decision(stop=91.0)).author == "template"
    world.fails = False
    assert told(stage, world, decision(stop=91.0)).author == "model"
    world.time = HOUR
    told(stage, world, decision())
    assert (world.asked, stage.hits, stage.misses) == (5, 1, 5)


def test_a_template_is_permitted_where_it_is_declared_marked_and_right(playing):
    each = decision()
    right = Reasoning(content.explanation(0, 0, each.symbol, prompt(each)), "model")
    stands_in = Reasoning(template(each), "template")

    def compared(got, permits):
        found = Differences(frozenset(permits))
        note_differences(right, got, found)
        return dict(found.counts)

    declared = OPTIMIZATION.permits
    assert compared(stands_in, declared) == {}
    assert compared(stands_in, {"reasoning"}) != {}
    assert compared(stands_in, ()) != {}
    assert compared(Reasoning(template(each), "model"), declared) == {"template as the model's": 1}
    assert compared(Reasoning(right.text, "template"), declared) == {"author of a text": 1}
    for wrong in (
        dataclasses.replace(each, stop=each.target, target=each.stop),
        dataclasses.replace(each, entry=each.entry + 0.01),
        dataclasses.replace(each, symbol="BBB"),
        dataclasses.replace(each, regime="VOLATILE"),
        dataclasses.replace(each, direction="SHORT"),
    ):
        assert compared(Reasoning(template(wrong), "template"), declared) != {}


def test_a_template_that_is_left_in_a_row_at_the_end_is_a_difference():
    each = decision()
    row_with = lambda text: (1, *("x",) * 10, text, *("x",) * 4)  # noqa: E731 - a row of the table with one text
    text = content.explanation(0, 0, each.symbol, prompt(each))
    for rows, expected in ((Rows, {}), (RowsAtTheEnd, {"template left in a row": 1})):
        found = Differences(OPTIMIZATION.permits)
        note_differences(rows([row_with(text)]), rows([row_with(template(each))]), found)
        assert dict(found.counts) == expected


# On a market


def replayed(workload, universe, scale):
    recording = record(workload, universe, scale, 3)
    return {name: replay(workload, edit, recording) for name, edit in OPTIMIZATION.edits(workload).items()}


@pytest.fixture(scope="module")
def morning(small_universe):
    return replayed(DAY, small_universe, 240)


def requests(replays):
    return {name: each.world.ledger.requests["explanation"] for name, each in replays.items()}


def test_o12_on_a_live_market_engineered_asks_far_less_and_as_printed_asks_for_everything(morning):
    asked = requests(morning)
    assert asked["as printed"] == asked["baseline"]
    assert asked["engineered"] < asked["prescribed"] <= asked["baseline"]
    assert asked["engineered"] < 0.3 * asked["baseline"]


def test_o12_on_a_live_market_only_the_prescribed_texts_err(morning):
    found = {name: damage(morning["baseline"], each) for name, each in morning.items()}
    assert len({tuple(counts) for counts in found.values()}) == 1
    for name in ("baseline", "engineered", "as printed", "waiting", "simple"):
        assert found[name]["wrong numbers"] == found[name]["wrong regimes"] == 0
    assert found["baseline"]["text age max s"] == 0
    assert 0 < found["engineered"]["text age max s"] < HOUR
    assert found["engineered"]["templates"] > found["waiting"]["templates"] == 0
    assert {counts["templates served as the model's"] for counts in found.values()} == {0}


def test_o12_where_answers_are_missing_only_the_prescribed_cache_passes_templates_off(small_universe):
    replays = replayed(FAILING, small_universe, 360)
    found = {name: damage(replays["baseline"], each) for name, each in replays.items()}
    assert found["prescribed"]["templates served as the model's"] > 0
    assert found["engineered"]["templates served as the model's"] == 0
    assert found["baseline"]["templates"] > 0


def test_o12_damage_tells_wrong_numbers_and_the_age_of_texts(world):
    stage = prescribed()
    cheap = [decision(entry=entry, stop=0.1, target=0.2) for entry in (0.1234, 0.1214, 0.1234)]
    replays = record_of(stage, world, cheap)
    assert damage(replays, replays) == {
        "texts": 3,
        "wrong numbers": 1,
        "wrong regimes": 0,
        "templates": 0,
        "templates served as the model's": 0,
        "text age p50 s": 5,
        "text age max s": 10,
    }
    assert stage.ages_s == Counter({0: 1, 5: 1, 10: 1})


def record_of(stage, world, decisions):
    from argo_bench.optimizations.optimization import Call, Replay

    calls = []
    for number, each in enumerate(decisions):
        world.time = 5.0 * number
        calls.append(Call(world.time, world.time, number, (each,), told(stage, world, each)))
    return Replay(calls, P.replace(reason=stage), world)


def test_o12_whole_cycles_say_how_many_decisions_have_a_template_and_how_late_the_text_comes(small_universe):
    replays = {
        name: replay(WRITTEN, edit, record(WRITTEN, small_universe, 6, 3))
        for name, edit in OPTIMIZATION.edits(WRITTEN).items()
        if name in ("baseline", "engineered", "waiting")
    }
    found = {name: damage_to_authorship(replays["baseline"], each) for name, each in replays.items()}
    at_once = found["engineered"]
    assert 0 < at_once["templates at the decision"] == at_once["texts that came late"] <= at_once["texts"]
    assert 0 < at_once["late by p50 s"] <= at_once["late by max s"] < 5
    assert found["baseline"]["templates at the decision"] == found["waiting"]["templates at the decision"] == 0


def test_o12_where_unchanged_prices_are_served_there_is_less_to_ask(small_universe, morning):
    replays = replayed(UNCHANGED, small_universe, 240)
    assert 0 < requests(replays)["baseline"] < requests(morning)["baseline"]


def test_o12_engineered_changes_nothing_but_the_wording(small_universe):
    oracle = Oracle.run(small_universe, 2, 40)
    assert oracle.acceptance.accepted > 0
    line = check_on_markets(OPTIMIZATION, "engineered", [oracle])
    assert line.counts == {}
    assert line.permitted["reasoning_author"] > 0
    assert line.output.startswith("as declared")


def test_o12_permits_what_it_says():
    assert OPTIMIZATION.permits <= {field.name for field in dataclasses.fields(decision())}
