"""O03: does the prescribed lifetime keep its defects, and does the engineered one keep its budget?"""

import asyncio
import sys
from datetime import UTC, datetime

import numpy as np
import pytest

from argo_bench.optimizations import build
from argo_bench.optimizations._refreshed_ahead import refresh_ahead
from argo_bench.optimizations.o03_adaptive_ttl import (
    DAY,
    LOOK,
    OPTIMIZATION,
    AdaptiveTTL,
    FixedTTL,
    LibraryTTL,
    adaptive_ttl_s,
    cachetools_arm,
    count_signals,
    damage,
    new_york_hour,
    on_a_new_york_clock,
    steepest_minute,
    utc_hour,
    with_fixed_ttl,
)
from argo_bench.optimizations.optimization import Call, Replay, at_opinion_minutes
from argo_bench.pipeline import baseline
from argo_bench.pipeline.baseline.consensus import consensus
from argo_bench.pipeline.baseline.regime import regime as plain_regime
from argo_bench.pipeline.lifetimes import (
    ALWAYS_OPEN,
    FIRST_LIFETIME_S,
    OPINION_BUDGET,
    PRICE_BUDGET,
    PRIOR_S,
    SIDES,
    Changes,
    Volatility,
    daily_deviation,
    find_budget,
    list_decisions,
    read_bars,
    session_after,
)
from argo_bench.pipeline.market import Tape
from argo_bench.pipeline.model import Bars, Fetched, Opinions, ProviderError, Request
from argo_bench.pipeline.optimized.transport import BOUND_S, JITTER, Arrived, WithinBudget, hash_to_share
from argo_bench.pipeline.record import cycle
from argo_bench.pipeline.world import SimulatedWorld, Simulation
from argo_bench.pipeline.world.base import CYCLE_S, EPOCH_S
from argo_bench.study.counts import replay
from argo_bench.study.recording import FAST, record

NOON = 12


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


IN_SESSION = at("2025-01-15T15:00:00")


class Clock:
    """A world that has only the time and the cycle."""

    def __init__(self, time=IN_SESSION):
        self.time = time
        self.cycle = 0

    def now(self):
        return self.time


class Provider:
    """A transport that counts what it is asked and fails when told to."""

    def __init__(self, answers=None):
        self.answers = answers or {}
        self.sent = []
        self.fails = False

    def __call__(self, world, request):
        self.sent.append(request)
        return Failing() if self.fails else Arrived(self.answers.get((request.symbol, request.what), object()))


class Failing:
    def result(self):
        raise ProviderError("answered 503")

    def __await__(self):
        yield from ()
        raise ProviderError("answered 503")


def bars_of(closes, symbol="AAPL"):
    days = np.datetime64("2024-01-01", "us") + np.arange(len(closes)) * np.timedelta64(1, "D")
    return Bars(symbol, days, np.tile(np.asarray(closes, float), (5, 1)))


def alternating(move, bars=30):
    """Closes whose daily returns are +move, -move, ... and whose last one is +move."""
    returns = move * np.resize([-1.0, 1.0], bars)
    return 100 * np.cumprod(1 + returns)


def request(symbol="AAPL", what="bars", prompt=""):
    provider = {"bars": "massive", "opinion": "sonar", "explanation": "explanation"}.get(what, "alpha_vantage")
    return Request(provider, symbol, what, prompt)


def lifetime_s(transport, world, provider, asked):
    """How long the answer to a request is served, to the second."""
    transport(world, asked).result()
    started, sent = world.time, len(provider.sent)
    while len(provider.sent) == sent:
        world.time += 1
        transport(world, asked).result()
    return world.time - started


@pytest.mark.parametrize(
    "edit", [OPTIMIZATION.prescribed, OPTIMIZATION.engineered, cachetools_arm, with_fixed_ttl(20.0)]
)
def test_every_arm_sends_fewer_requests_than_the_baseline(edit, small_universe):
    def requests(pipeline):
        tape = Tape(small_universe.frames, seed=1)
        with SimulatedWorld(tape, seed=1, latency_scale=0) as world:
            world.transport = pipeline.transport
            for cycle in range(12):
                world.begin(cycle)
                for symbol in tape.symbols:
                    pipeline.fetch(world, symbol)
            return world.ledger.requests.total()

    assert requests(edit(baseline.PIPELINE)) < requests(baseline.PIPELINE)


@pytest.mark.parametrize(
    ("data_type", "volatility", "regime", "expected"),
    [
        ("market", 0.02, "TRENDING", 120),
        ("indicators", 0.02, "TRENDING", 180),
        ("sentiment", 0.02, "TRENDING", 240),
        ("reasoning", 0.02, "TRENDING", 1200),
        ("market", 0.06, "TRENDING", 60),
        ("market", 0.005, "TRENDING", 240),
        ("market", 0.02, "VOLATILE", 84),
        ("market", 0.02, "CONSOLIDATION", 180),
        ("market", None, "UNKNOWN", 120),
    ],
)
def test_o03_prescribed_multiplies_the_base_by_type_volatility_and_regime(data_type, volatility, regime, expected):
    assert adaptive_ttl_s(data_type, volatility, regime, "AAPL", NOON) == pytest.approx(expected)


def test_o03_prescribed_keeps_lifetimes_between_ten_seconds_and_an_hour():
    assert adaptive_ttl_s("reasoning", 0.005, "CONSOLIDATION", "AAPL", 3) == 3600
    assert adaptive_ttl_s("market", 0.9, "VOLATILE", "AAPL", NOON) == 42


def test_o03_prescribed_takes_a_market_that_stands_still_for_one_of_unknown_volatility():
    still = adaptive_ttl_s("market", 0.0, "TRENDING", "AAPL", NOON)
    assert still == adaptive_ttl_s("market", None, "TRENDING", "AAPL", NOON) == 120
    assert adaptive_ttl_s("market", 1e-9, "TRENDING", "AAPL", NOON) == 240


def test_o03_prescribed_knows_crypto_by_three_letters_anywhere_in_the_name():
    at_night = {name: adaptive_ttl_s("market", 0.02, "TRENDING", name, 3) for name in ("BTC-USD", "ETH-USD", "ABTC")}
    # Ether trades at night and is kept for three times as long; ABTC is a stock and is not.
    assert at_night == {"BTC-USD": 120, "ETH-USD": 360, "ABTC": 120}


@pytest.mark.parametrize(("hour", "expected"), [(8, 360), (9, 120), (15, 120), (16, 360)])
def test_o03_prescribed_has_office_hours_from_nine_to_four(hour, expected):
    assert adaptive_ttl_s("market", 0.02, "TRENDING", "AAPL", hour) == expected


def test_o03_prescribed_reads_a_clock_that_knows_neither_new_york_nor_weekends_nor_holidays():
    assert utc_hour(at("2025-01-15T18:30:00")) == 18  # half past one in New York: open, and taken for off hours
    assert new_york_hour(at("2025-01-15T18:30:00")) == 13
    new_year, sunday = at("2025-01-01T15:00:00"), at("2025-01-19T15:00:00")
    for closed in (new_year, sunday):
        assert adaptive_ttl_s("market", 0.02, "TRENDING", "AAPL", utc_hour(closed)) == 120


def test_o03_prescribed_finds_volatility_and_regime_anew_only_when_bars_arrive():
    seen = []
    pipeline = baseline.PIPELINE.replace(
        transport=Provider({("AAPL", "bars"): bars_of([100.0] * 29 + [94.0])}),
        frame=lambda world, bars: bars,
        regime=lambda world, frame: seen.append(frame) or "VOLATILE",
    )
    cache, world = AdaptiveTTL(pipeline), Clock()
    # 120 s x 0.5 (the last bar fell by 6 %) x 0.7 (VOLATILE), and for a model's opinion twice that.
    assert lifetime_s(cache, world, pipeline.transport, request()) == 42
    assert len(seen) == 2
    assert lifetime_s(cache, world, pipeline.transport, request(what="opinion", prompt="?")) == 84
    assert len(seen) == 2


def test_o03_prescribed_serves_an_answer_of_minutes_ago_while_the_price_has_moved():
    provider = Provider({("AAPL", "bars"): bars_of([100.0] * 28 + [100.0, 102.0])})
    pipeline = baseline.PIPELINE.replace(
        transport=provider, frame=lambda world, bars: bars, regime=lambda world, frame: "CONSOLIDATION"
    )
    cache, world = AdaptiveTTL(pipeline), Clock()
    cache(world, request()).result()
    provider.answers["AAPL", "bars"] = bars_of([100.0] * 28 + [100.0, 140.0])
    world.time += 179
    assert cache(world, request()).result().values[3, -1] == 102.0


def test_o03_prescribed_keeps_the_explanation_of_every_prompt_and_never_forgets_one():
    provider = Provider()
    cache, world = AdaptiveTTL(baseline.PIPELINE.replace(transport=provider)), Clock()
    for number in range(50):
        cache(world, request(what="explanation", prompt=f"prompt {number}")).result()
    world.time += 1e6
    assert len(cache._kept) == 50


def test_o03_prescribed_on_a_new_york_clock_differs_from_a_server_s_in_the_american_afternoon():
    provider = Provider({("AAPL", "bars"): bars_of([100.0] * 28 + [100.0, 102.0])})
    pipeline = baseline.PIPELINE.replace(
        transport=provider, frame=lambda world, bars: bars, regime=lambda world, frame: "TRENDING"
    )
    taken = [
        lifetime_s(edit(pipeline).transport, Clock(at("2025-01-15T18:30:00")), provider, request())
        for edit in (OPTIMIZATION.prescribed, on_a_new_york_clock)
    ]
    assert taken == [360, 120]


def test_o03_engineered_keeps_a_price_until_it_is_expected_to_be_off_by_the_budget():
    bars = bars_of(alternating(0.02))
    provider = Provider({("AAPL", "bars"): bars})
    cache = WithinBudget(provider)
    exact = 23_400 * (PRICE_BUDGET / daily_deviation(bars)) ** 2
    assert exact == pytest.approx(23_400 * (0.001 / 0.0205) ** 2, rel=0.01)
    lifetime = exact * (1 - JITTER * hash_to_share(request()))
    assert lifetime_s(cache, Clock(), provider, request()) == np.ceil(lifetime)


def test_o03_engineered_keeps_nothing_longer_than_its_bound_while_the_market_is_open():
    calm = {(symbol, "bars"): bars_of([100.0] * 30, symbol) for symbol in ("AAPL", "ETH-USD")}
    provider = Provider(calm)
    for symbol in ("AAPL", "ETH-USD"):
        cache, world = WithinBudget(provider), Clock()
        for what in ("bars", "quote", "rsi", "sma"):
            lifetime = lifetime_s(cache, world, provider, request(symbol, what))
            assert BOUND_S * (1 - JITTER) <= lifetime <= BOUND_S


def minds(*changes_of_mind, seconds):
    """What a model's answers teach that are asked for every so many seconds."""
    changes = Changes()
    for has_changed in changes_of_mind:
        changes.note(seconds, has_changed=has_changed)
    return changes.lifetime_s


def test_o03_engineered_keeps_an_opinion_by_how_often_the_model_has_changed_its_mind():
    assert minds(seconds=60) == pytest.approx(FIRST_LIFETIME_S)
    # A model that has changed its mind every 600 s is kept until that is a chance of one in twenty.
    assert minds(*(number % 10 == 9 for number in range(1000)), seconds=60) == pytest.approx(
        OPINION_BUDGET * 600, rel=0.02
    )
    assert minds(*[True] * 1000, seconds=60) < 5  # another answer each time: nothing is kept over a cycle
    asked = request(what="opinion", prompt="?")
    provider = Provider({("AAPL", "opinion"): "never changes"})
    cache, world = WithinBudget(provider), Clock()
    lifetimes = [lifetime_s(cache, world, provider, asked) for _ in range(40)]
    assert lifetimes[0] <= FIRST_LIFETIME_S
    assert lifetimes == sorted(lifetimes)
    assert BOUND_S * (1 - JITTER) <= lifetimes[-1] <= BOUND_S


def test_o03_engineered_learns_how_a_price_moves_from_the_prices_that_arrive():
    bars = bars_of(alternating(0.02))
    known = Volatility(bars)
    by_bars = known.seconds_until(PRICE_BUDGET)
    assert by_bars == pytest.approx(23_400 * (PRICE_BUDGET / daily_deviation(bars)) ** 2)
    price = 100.0
    for number in range(400):  # 0.05 % every 10 s, either way: 0.1 % is four such moves, 40 s
        price *= 1 + 0.0005 * (-1) ** number
        known.note(10.0 * number, price)
    assert known.seconds_until(PRICE_BUDGET) == pytest.approx(40, rel=0.1)
    night = known.seconds_until(PRICE_BUDGET)
    known.note(1e6, 2 * price)  # what happened in a long pause tells nothing of a minute
    assert known.seconds_until(PRICE_BUDGET) == night
    still = Volatility(bars_of([100.0] * 30))
    assert still.seconds_until(PRICE_BUDGET) == np.inf
    still.note(0.0, 100.0)
    still.note(PRIOR_S, 100.1)
    assert still.seconds_until(PRICE_BUDGET) == pytest.approx(2 * PRIOR_S)


def test_o03_engineered_keeps_a_price_for_less_where_a_source_is_about_to_change_sides(small_universe):
    tape, world = Tape(small_universe.frames, seed=1), Clock()
    budgets = set()
    for symbol in tape.symbols:
        for number in range(0, 4000, 40):
            bars = tape.bars(symbol, number)
            budget = find_budget(world, bars)
            budgets.add(budget)
            decided = list_decisions(world, bars.values)
            for move in (1 - 1.9 * budget, 1 + 1.9 * budget):
                values = bars.values.copy()
                values[3, -1] *= move
                values[1, -1], values[2, -1] = max(values[1:4, -1]), min(values[2:4, -1])
                assert list_decisions(world, values) == decided
    assert budgets <= {0.0, *(PRICE_BUDGET / 2**halving for halving in range(4))}
    assert len(budgets) > 2


def test_decisions_on_bars_are_those_of_the_pipeline(small_universe):
    tape = Tape(small_universe.frames, seed=1)
    world = Clock()
    for symbol in tape.symbols:
        bars = tape.bars(symbol, 100)
        frame = baseline.PIPELINE.frame(world, bars)
        indicators, regime = read_bars(bars.values)
        assert regime == plain_regime(world, frame)
        said = [Opinions({}, *(f"direction={side} confidence=75" for side in sides)) for sides in SIDES]
        found = [consensus(world, baseline.PIPELINE.signals(world, indicators, each), regime) for each in said]
        assert list_decisions(world, bars.values) == tuple(each and each.direction for each in found)


def test_o03_engineered_takes_a_day_that_moved_far_already_for_as_volatile_as_that():
    closes = [*alternating(0.005), 0.0]
    closes[-1] = closes[-2] * 0.9
    assert daily_deviation(bars_of(closes)) == pytest.approx(0.1)


def test_o03_engineered_does_not_keep_a_quote_whose_symbol_has_no_bars_yet():
    provider = Provider()
    cache, world = WithinBudget(provider), Clock()
    for _ in range(3):
        cache(world, request(what="quote")).result()
    assert len(provider.sent) == 3


def test_o03_engineered_lifetimes_differ_by_symbol_and_question_and_never_by_run():
    asked = [request(symbol, what) for symbol in ("AAPL", "MSFT") for what in ("bars", "quote")]
    shares = [hash_to_share(each) for each in asked]
    assert shares == [hash_to_share(each) for each in asked]
    assert len(set(shares)) == 4
    assert all(0 <= each < 1 for each in shares)


def test_o03_engineered_serves_no_other_symbol_question_or_prompt():
    provider = Provider({("AAPL", "bars"): bars_of([100.0] * 30)})
    cache, world = WithinBudget(provider), Clock()
    asked = [
        *(request(), request("MSFT", "rsi"), request(what="rsi"), request(what="sma")),
        *(request(what="opinion", prompt="a"), request(what="opinion", prompt="b")),
    ]
    answers = [cache(world, each).result() for each in asked]
    assert len(provider.sent) == len(asked)
    assert [cache(world, each).result() for each in asked] == answers
    assert (cache.hits, cache.misses) == (6, 6)


def test_o03_engineered_does_not_remember_a_failure():
    provider = Provider()
    cache, world = WithinBudget(provider), Clock()
    provider.fails = True
    with pytest.raises(ProviderError):
        cache(world, request(what="rsi")).result()
    with pytest.raises(ProviderError):
        asyncio.run(awaited(cache(world, request(what="rsi"))))
    provider.fails = False
    cache(world, request(what="rsi")).result()
    assert len(provider.sent) == 3


async def awaited(pending):
    return await pending


def test_o03_engineered_leaves_explanations_alone():
    provider = Provider()
    cache, world = WithinBudget(provider), Clock()
    for _ in range(2):
        cache(world, request(what="explanation", prompt="the same")).result()
    assert len(provider.sent) == 2
    assert (cache.hits, cache.misses) == (0, 0)


def test_an_answer_at_hand_is_waited_for_on_no_clock_blocking_or_awaited(small_universe):
    with SimulatedWorld(Tape(small_universe.frames, seed=1), seed=1) as world:
        world.transport = OPTIMIZATION.engineered(baseline.PIPELINE).transport
        world.begin(0)
        expected = world.opinion("sonar", "AAA", "opinion").result()
        sent_at = world.clock.virtual_ns
        assert sent_at > 0
        assert world.opinion("sonar", "AAA", "opinion").result() == expected
        assert world.run(awaited(world.opinion("sonar", "AAA", "opinion"))) == expected
        assert world.clock.virtual_ns == sent_at


def test_an_answer_that_is_awaited_is_kept_as_one_that_is_blocked_for(small_universe):
    with SimulatedWorld(Tape(small_universe.frames, seed=1), seed=1) as world:
        world.transport = OPTIMIZATION.engineered(baseline.PIPELINE).transport
        world.begin(0)
        first = world.run(awaited(world.bars("massive", "AAA")))
        assert world.bars("massive", "AAA").result() is first
        assert world.ledger.requests["massive"] == 1


def until(opening, asked, symbol="AAPL"):
    """How many requests have gone out a second before an opening, and how many at it; the first was at ``asked``."""
    provider = Provider({(symbol, "bars"): bars_of(alternating(0.02), symbol)})
    cache, world = WithinBudget(provider), Clock(at(asked))
    cache(world, request(symbol)).result()
    world.time = at(opening) - 1
    cache(world, request(symbol)).result()
    before = len(provider.sent)
    world.time += 1
    cache(world, request(symbol)).result()
    return before, len(provider.sent)


@pytest.mark.parametrize(
    ("asked", "opening"),
    [
        ("2025-01-15T21:00:00", "2025-01-16T14:30:00"),  # at the close
        ("2025-01-17T22:00:00", "2025-01-21T14:30:00"),  # over a weekend and Martin Luther King's Day
        ("2025-07-03T17:30:00", "2025-07-07T13:30:00"),  # after an early close, in summer time
        ("2025-01-16T12:00:00", "2025-01-16T14:30:00"),  # before the open
    ],
)
def test_o03_engineered_serves_a_stock_s_bars_from_the_close_to_the_next_open(asked, opening):
    pytest.importorskip("exchange_calendars")
    assert until(opening, asked) == (1, 2)


def test_o03_engineered_asks_for_crypto_and_opinions_at_night_as_by_day():
    pytest.importorskip("exchange_calendars")
    assert until("2025-01-16T14:30:00", "2025-01-15T22:00:00", "ETH-USD")[0] == 2
    provider = Provider()
    cache = WithinBudget(provider)
    night = Clock(at("2025-01-15T22:00:00"))
    assert lifetime_s(cache, night, provider, request(what="opinion", prompt="?")) <= BOUND_S


def test_o03_engineered_looks_a_session_up_once(monkeypatch):
    from argo_bench.pipeline.optimized import transport

    looked_up = []
    monkeypatch.setattr(transport, "session_after", lambda now: looked_up.append(now) or session(now))

    def session(now):
        return transport.Session(now - 10, now + 3600)

    provider = Provider({("AAPL", "bars"): bars_of(alternating(0.02))})
    cache, world = WithinBudget(provider), Clock()
    for _ in range(100):
        world.time += 30
        cache(world, request()).result()
    assert len(provider.sent) < 100
    assert len(looked_up) == 1


def test_o03_engineered_takes_every_hour_for_trading_hours_where_there_is_no_calendar(monkeypatch):
    monkeypatch.setitem(sys.modules, "exchange_calendars", None)
    assert session_after(IN_SESSION) == ALWAYS_OPEN
    provider = Provider({("AAPL", "bars"): bars_of([100.0] * 30)})
    night = Clock(at("2025-01-15T22:00:00"))
    assert lifetime_s(WithinBudget(provider), night, provider, request()) <= BOUND_S


def test_the_fixed_lifetime_and_the_library_s_send_the_same_requests():
    pytest.importorskip("cachetools")
    provider = Provider({("AAPL", "bars"): bars_of([100.0] * 30)})
    assert lifetime_s(FixedTTL(provider, 20.0), Clock(), provider, request()) == 20
    assert lifetime_s(LibraryTTL(provider, 20.0), Clock(), provider, request()) == 20


def test_building_twice_gives_two_cold_caches(small_universe):
    first, second = build({"O03": "engineered"}), build({"O03": "engineered"})
    with SimulatedWorld(Tape(small_universe.frames, seed=1), latency_scale=0) as world:
        world.transport = first.transport
        world.begin(0)
        first.fetch(world, "AAA")
    assert (first.transport.misses, second.transport.misses) == (6, 0)


def replayed(prices_true, prices_served):
    def replay(prices):
        calls = []
        for number, price in enumerate(prices):
            fetched = Fetched(bars_of([100.0, price]), Opinions({}, "", ""))
            calls.append(Call(5.0 * number, 5.0 * number, number, ("AAPL",), fetched))
        return Replay(calls, baseline.PIPELINE, None)

    return damage(replay(prices_true), replay(prices_served))


def test_the_age_of_data_counts_from_when_the_market_last_looked_so():
    found = replayed([100, 101, 101, 102, 103], [100, 100, 101, 101, 101])
    # Ages: 0, 5, 0 (the price stood), 5 and 10 s.
    assert found["data age p50 s"] == 5
    assert found["data age max s"] == 10
    assert found["price error max %"] == pytest.approx(100 * (1 - 101 / 103))


def test_the_steepest_minute_is_where_the_price_moved_furthest_in_twelve_cycles():
    prices = np.full(60, 100.0)
    prices[30:] = 110.0
    steepest = steepest_minute(prices)
    assert (steepest.start, steepest.stop) == (18, 31)
    assert steepest_minute(prices[:12]) == slice(None)
    served = np.r_[prices[:1], prices[:-1]]
    assert replayed(prices, served)["price error at the steepest minute %"] == pytest.approx(100 * (1 - 100 / 110))


def test_o03_engineered_is_never_older_than_it_declares_on_a_live_market(small_universe):
    def replay(pipeline):
        tape = Tape(small_universe.frames, seed=2, change_rate=0.9)
        with SimulatedWorld(tape, seed=2, latency_scale=0) as world:
            world.transport = pipeline.transport
            calls = []
            for cycle in range(80):
                world.begin(cycle)
                for symbol in tape.symbols:
                    now = world.now()
                    calls.append(Call(now, now, cycle, (symbol,), pipeline.fetch(world, symbol)))
        return Replay(calls, pipeline, world)

    found = damage(replay(baseline.PIPELINE), replay(build({"O03": "engineered"})))
    assert 0 < found["data age max s"] <= OPTIMIZATION.staleness_s
    unchanged = damage(replay(baseline.PIPELINE), replay(baseline.PIPELINE))
    assert set(unchanged.values()) == {0.0}
    assert unchanged.keys() == found.keys()


def test_o03_signals_are_counted_against_those_of_fresh_data(small_universe):
    recording = record(at_opinion_minutes(DAY, 0.0), small_universe, 60, 3)
    edits = OPTIMIZATION.edits(DAY)
    fresh = replay(DAY, edits["baseline"], recording)
    found = count_signals(fresh, replay(DAY, edits["simple"], recording))
    names = ("signals missed", "signals added", "signals flipped")
    assert found["signals changed"] == sum(found[name] for name in names) > 0
    assert 0 < found["signals due"] <= 6 * -(-60 // LOOK)
    itself = count_signals(fresh, fresh)
    assert itself == dict.fromkeys(itself, 0.0) | {"signals due": found["signals due"]}


def waited_and_asked(edit, universe, cycles):
    """Seconds of the virtual clock that cycles took, and how many requests they sent."""
    tape = Tape(universe.frames, seed=2, change_rate=1.0)
    pipeline = edit(FAST)
    with SimulatedWorld(tape, Simulation(busy_ns=lambda: 0, cpu_ns=lambda: 0), seed=2, latency_scale=0.05) as world:

        async def walk():
            waited = 0.0
            for number in range(cycles):
                await world.idle(number)
                began = max(world.now(), EPOCH_S + CYCLE_S * number)
                await cycle(pipeline, world, tape.symbols, number)
                waited += world.now() - began
            return waited

        return world.run(walk()), world.ledger.requests.total()


def test_o03_refreshing_ahead_saves_time_and_no_requests(small_universe):
    waited, asked = waited_and_asked(OPTIMIZATION.engineered, small_universe, 40)
    sooner, more = waited_and_asked(refresh_ahead, small_universe, 40)
    assert sooner < waited
    assert more >= asked
