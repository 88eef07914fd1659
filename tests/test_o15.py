"""Does O15 wait for all quotes at once, and whose signals does an exception cost?"""

import asyncio
import dataclasses

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from argo_bench.optimizations.o15_validation_batching import (
    OPTIMIZATION,
    PLAIN,
    RAISING,
    WHOLE_CYCLES,
    cycle_damage,
    damage,
    in_one_gather,
    validate_signal,
)
from argo_bench.pipeline import baseline
from argo_bench.pipeline.market import Tape
from argo_bench.pipeline.model import ProviderError, Reasoning, Validated
from argo_bench.pipeline.optimized.validate import IDS_PER_QUERY, QUOTES_IN_FLIGHT, ask_ahead
from argo_bench.pipeline.record import settle
from argo_bench.pipeline.world import SimulatedWorld
from argo_bench.study.checking.check import check_on_markets
from argo_bench.study.checking.trace import Oracle
from argo_bench.study.counts import replay
from argo_bench.study.recording import record
from tests.test_stages import decision

P = baseline.PIPELINE
PRESCRIBED = OPTIMIZATION.prescribed(P).validate
ENGINEERED = OPTIMIZATION.engineered(P).validate
SIMPLE = OPTIMIZATION.simple(P).validate
SYMBOLS = ("AAA", "BBB", "CCC", "DDD", "EEE", "FFF-USD")


def batch(*values):
    """A decision a symbol, with the given fields."""
    return tuple(
        decision(symbol=symbol, signal_id=f"id {symbol}", **each) for symbol, each in zip(SYMBOLS, values, strict=False)
    )


WHOLE = batch(*[{}] * 6)


@pytest.fixture
def world(small_universe):
    with opened(small_universe) as world:
        yield world


def opened(universe, latency_scale=1.0):
    world = SimulatedWorld(Tape(universe.frames, seed=1), seed=1, latency_scale=latency_scale)
    world.transport = P.transport
    world.begin(0)
    return world


def validated(world, stage, decisions):
    return world.run(settled(stage(world, decisions)))


async def settled(value):
    return await settle(value)


class Failing:
    """A transport whose answers for some symbols are an error."""

    def __init__(self, errors):
        self.errors = errors

    def __call__(self, world, request):
        pending = P.transport(world, request)
        error = self.errors.get(request.symbol)
        return pending if error is None else Erroneous(error)


class Erroneous:
    def __init__(self, error):
        self.error = error

    def result(self):
        raise self.error

    def __await__(self):
        yield from asyncio.sleep(0).__await__()
        raise self.error


@pytest.mark.parametrize("stage", [PRESCRIBED, ENGINEERED, SIMPLE])
def test_o15_waits_for_the_slowest_quote_where_the_baseline_waits_for_all_one_after_another(stage, small_universe):
    waits = []
    for each in WHOLE:
        with opened(small_universe) as world:
            validated(world, P.validate, (each,))
            waits.append(world.clock.virtual_ns)
    with opened(small_universe) as world:
        expected = validated(world, P.validate, WHOLE)
        assert world.clock.virtual_ns == sum(waits)
    with opened(small_universe) as world:
        assert validated(world, stage, WHOLE) == expected
        assert world.clock.virtual_ns == pytest.approx(max(waits), abs=10)


def test_o15_prescribed_loses_the_batch_to_one_exception(world):
    world.transport = Failing({"CCC": ValueError("n/a")})
    with pytest.raises(TypeError, match="cannot unpack non-iterable ValueError object"):
        validated(world, PRESCRIBED, WHOLE)


def test_o15_prescribed_asks_a_tuple_whether_it_is_an_exception(world):
    async def failed(world, decision):
        return ValueError("not checked"), None

    assert validated(world, in_one_gather(failed), WHOLE).kept == WHOLE


def test_o15_prescribed_makes_a_task_of_every_signal_even_where_nothing_waits(world):
    tasks = []

    async def validation(world, decision):
        tasks.append(asyncio.current_task())
        return True, None

    validated(world, in_one_gather(validation), WHOLE)
    assert len(set(tasks)) == len(WHOLE)


def test_o15_prescribed_keeps_the_rules_of_a_signal_in_order(world):
    stale = decision(timestamp=0.0, confidence=0.0)
    assert world.run(validate_signal(world, stale)) == (False, "stale")
    assert world.ledger.sql_statements == 0
    assert not world.ledger.requests


def test_o15_engineered_looks_all_ids_up_at_once(world):
    validated(world, ENGINEERED, WHOLE)
    assert world.ledger.sql_statements == 1
    validated(world, P.validate, WHOLE)
    assert world.ledger.sql_statements == 1 + len(WHOLE)


def test_o15_engineered_splits_a_look_up_that_sqlite_would_refuse(world):
    stored = decision(signal_id="stored")
    P.store(world, P.encode(world, [stored]))
    before = world.ledger.sql_statements
    many = [decision(signal_id=f"id {number}") for number in range(2 * IDS_PER_QUERY)]
    result = validated(world, ENGINEERED, (*many, stored))
    assert world.ledger.sql_statements - before == 3
    assert [each.decision for each in result.rejected] == [stored]


def test_o15_engineered_asks_for_the_quote_of_a_symbol_once(world):
    twice = (*WHOLE, *(decision(symbol=each.symbol, signal_id=f"other {each.symbol}") for each in WHOLE))
    assert validated(world, ENGINEERED, twice).kept == twice
    assert world.ledger.requests["alpha_vantage"] == len(WHOLE)


def test_o15_engineered_has_so_many_quotes_in_flight_and_no_more(world):
    flying = [0]
    most = []

    class Flying:
        def __await__(self):
            flying[0] += 1
            most.append(flying[0])
            yield from asyncio.sleep(1).__await__()
            flying[0] -= 1

    world.transport = lambda world, request: Flying()
    many = tuple(decision(symbol=f"S{number}", signal_id=str(number)) for number in range(3 * QUOTES_IN_FLIGHT))
    assert validated(world, ENGINEERED, many).kept == many
    assert max(most) == QUOTES_IN_FLIGHT


def test_o15_engineered_asks_nothing_for_signals_that_are_rejected_already(world):
    rejected = validated(world, ENGINEERED, batch({"timestamp": 0.0}, {"confidence": 0.0})).rejected
    assert [each.rule for each in rejected] == ["stale", "confidence out of range"]
    assert world.ledger.sql_statements == 0
    assert not world.ledger.requests


def test_o15_engineered_rejects_the_signal_whose_rule_raises_and_says_why(world):
    plain_query = world.query

    def query(sql, parameters=()):
        if "id BBB" in parameters:
            raise OverflowError("an id that the database cannot take")
        return plain_query(sql, parameters)

    world.query = query
    world.transport = Failing({"CCC": ValueError("n/a"), "DDD": ProviderError("503")})
    decisions = batch({"entry": None}, {}, {}, {}, {}, {"timestamp": 0.0})
    result = validated(world, ENGINEERED, decisions)
    assert [(each.decision.symbol, each.rule) for each in result.rejected] == [
        ("AAA", "plain rule: raised TypeError"),
        ("BBB", "duplicate: raised OverflowError"),
        ("CCC", "no reference price: raised ValueError"),
        ("DDD", "no reference price"),
        ("FFF-USD", "stale"),
    ]
    assert result.kept == (decisions[4],)


def test_o15_engineered_has_nothing_to_do_for_no_signals(world):
    assert validated(world, ENGINEERED, ()) == Validated((), ())
    assert world.ledger.sql_statements == 0


FAULTS = [
    {},
    {},
    {"reasoning": ""},
    {"timestamp": 0.0},
    {"entry": 200.0},
    {"confidence": 10.0},
    {"signal_id": "stored"},
]


@given(
    faults=st.lists(st.tuples(st.sampled_from(SYMBOLS), st.sampled_from(FAULTS)), max_size=12),
    unquoted=st.sets(st.sampled_from(SYMBOLS)),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_o15_engineered_keeps_and_rejects_as_the_baseline_does(faults, unquoted, world):
    if not world.query("SELECT 1 FROM signals"):
        P.store(world, P.encode(world, [decision(signal_id="stored")]))
    world.transport = Failing({symbol: ProviderError("503") for symbol in unquoted})
    now = world.now()
    decisions = tuple(
        decision(**{"symbol": symbol, "signal_id": f"id {number % 9}", "timestamp": now, **fault})
        for number, (symbol, fault) in enumerate(faults)
    )
    expected = validated(world, P.validate, decisions)
    assert validated(world, ENGINEERED, decisions) == expected
    assert validated(world, SIMPLE, decisions) == expected


def test_o15_without_rules_that_wait_all_variants_still_agree(world):
    decisions = batch({}, {"reasoning": ""}, {"timestamp": 0.0}, {}, {"confidence": 10.0})
    stages = [PLAIN.arms[name](P).validate for name in ("baseline", "prescribed", "engineered", "simple")]
    results = [validated(world, stage, decisions) for stage in stages]
    assert world.ledger.sql_statements == 0
    assert not world.ledger.requests
    assert results == [validated(world, P.validate, decisions)] * 4


@pytest.fixture(scope="module")
def garbage(small_universe):
    """The damage of each arm on 120 cycles of six symbols in which some quotes are garbage."""
    recording = record(RAISING, small_universe, 6, 3)
    replays = {name: replay(RAISING, edit, recording) for name, edit in OPTIMIZATION.edits(RAISING).items()}
    return {name: damage(replays["baseline"], got) for name, got in replays.items()}


def test_o15_prescribed_loses_more_signals_to_garbage_than_validation_one_at_a_time(garbage):
    assert garbage["prescribed"]["signals lost"] > garbage["one at a time"]["signals lost"] > 0


def test_o15_engineered_loses_none_and_rejects_those_that_one_at_a_time_would_lose(garbage):
    assert garbage["engineered"]["signals lost"] == 0
    assert garbage["engineered"]["signals rejected because a rule raised"] == garbage["one at a time"]["signals lost"]


def test_o15_the_counts_of_all_arms_have_the_same_names(garbage):
    assert len({tuple(counts) for counts in garbage.values()}) == 1
    assert len({counts["signals"] for counts in garbage.values()}) == 1


def test_o15_engineered_is_faithful_on_a_generated_market(small_universe):
    oracle = Oracle.run(small_universe, 2, 40)
    assert oracle.acceptance.accepted > 0
    assert check_on_markets(OPTIMIZATION, "engineered", [oracle]).counts == {}


class Explaining:
    """A reason stage that takes its time."""

    async def __call__(self, world, decision):
        await asyncio.sleep(3)
        return Reasoning("because", "model")


async def explain_and_validate(world, pipeline, decisions):
    texts = await asyncio.gather(*(settle(pipeline.reason(world, each)) for each in decisions))
    explained = [dataclasses.replace(each, reasoning=text.text) for each, text in zip(decisions, texts, strict=True)]
    return await settle(pipeline.validate(world, explained))


def test_o15_quotes_ahead_arrive_while_reasons_are_awaited_and_decide_the_same(small_universe):
    found, sent, took_ns = {}, {}, {}
    drafts = tuple(dataclasses.replace(each, reasoning="") for each in batch({}, {}, {"confidence": 10.0}, {}, {}, {}))
    for name, edit in (("engineered", OPTIMIZATION.engineered), ("ahead", ask_ahead)):
        with opened(small_universe) as world:
            world.transport = Failing({"DDD": ProviderError("503")})
            pipeline = edit(P.replace(reason=Explaining()))
            found[name] = world.run(explain_and_validate(world, pipeline, drafts))
            sent[name], took_ns[name] = dict(world.ledger.requests), world.clock.virtual_ns
    assert found["ahead"] == found["engineered"]
    assert [each.rule for each in found["ahead"].rejected] == ["confidence out of range", "no reference price"]
    assert sent["ahead"] == sent["engineered"]
    assert took_ns["ahead"] == pytest.approx(3_000_000_000, abs=100)
    assert took_ns["engineered"] > took_ns["ahead"]


def test_o15_quotes_ahead_shorten_whole_cycles_and_lose_nothing(small_universe):
    recording = record(WHOLE_CYCLES, small_universe, 6, 3)
    replays = {name: replay(WHOLE_CYCLES, edit, recording) for name, edit in OPTIMIZATION.edits(WHOLE_CYCLES).items()}
    counts = {name: cycle_damage(replays["baseline"], each) for name, each in replays.items()}
    assert all(each["signals missed"] == 0 for each in counts.values())
    assert counts["quotes ahead"]["signals stored"] > 0
    assert counts["quotes ahead"]["cycle s"] < counts["engineered"]["cycle s"] < counts["baseline"]["cycle s"]
