"""Does O14 open, keep and throw away the connections that its numbers say, and stay innermost?"""

import asyncio
import itertools

import pytest

from argo_bench.errors import UserError
from argo_bench.optimizations import build
from argo_bench.optimizations.o14_connection_pools import LOADED, OPTIMIZATION, SMALL_POOLS, Adapter
from argo_bench.optimizations.optimization import VARIANTS
from argo_bench.pipeline import baseline
from argo_bench.pipeline.market import Tape
from argo_bench.pipeline.model import Pool, Request
from argo_bench.pipeline.optimized.transport import QUOTA, Pooled
from argo_bench.pipeline.record import find_changed_parts
from argo_bench.pipeline.world import SimulatedWorld, Simulation
from argo_bench.pipeline.world.providers import start_providers
from argo_bench.study.checking.check import check_on_markets
from argo_bench.study.checking.trace import Oracle
from argo_bench.study.counts import layers
from argo_bench.study.replay import burst
from argo_bench.study.trials import Setting
from argo_bench.study.trials.o14_pools import (
    ARMS,
    HEADLINE,
    TRIALS,
    Condition,
    observe_condition,
    observe_idle_closes,
    world_of,
)

P = baseline.PIPELINE
EDITS = OPTIMIZATION.edits(LOADED)
REQUEST = Request("alpha_vantage", "AAA", "rsi")
FAR = Condition(64, False, 0.4)


@pytest.fixture(scope="module")
def address():
    with start_providers() as address:
        yield address


@pytest.fixture
def setting(address, small_universe, tmp_path):
    return Setting(1, tmp_path, address, None, small_universe, full=False)


@pytest.fixture
def world(small_universe):
    with SimulatedWorld(Tape(small_universe.frames, seed=1), Simulation(busy_ns=lambda: 0), seed=1) as world:
        world.begin(0)
        yield world


def opened(world, edit, *in_flight):
    """The connections that bursts of so many requests at once open, one burst after the other."""
    world.transport = edit(P).transport
    found = []
    for count in in_flight:
        before = world.ledger.connections
        world.run(burst(world, [REQUEST] * count, count))
        found.append(world.ledger.connections - before)
    return found


# In the simulated world


@pytest.mark.parametrize(
    ("arm", "expected"),
    {
        "baseline": [64, 64, 8],
        "session at its defaults": [64, 54, 0],
        SMALL_POOLS: [64, 44, 0],
        "prescribed": [64, 14, 0],
        "pools of 20/50 that block": [50, 0, 0],
        "engineered": [64, 0, 0],
        "simple": [64, 0, 0],
    }.items(),
)
def test_o14_opens_a_connection_for_whatever_the_pool_does_not_keep(arm, expected, world):
    assert opened(world, EDITS[arm], 64, 64, 8) == expected


def test_o14_engineered_opens_no_more_than_its_quota(world):
    assert opened(world, OPTIMIZATION.engineered, 2 * QUOTA) == [QUOTA]


def test_o14_prescribed_passes_the_documents_numbers():
    assert OPTIMIZATION.prescribed(P).transport.pool == Pool("requests", hosts=20, size=50, block=False)
    assert Adapter().pool == Pool("requests", hosts=10, size=10, block=False)


def test_o14_makes_one_client_for_a_world_and_another_for_the_next(small_universe):
    class Counting(SimulatedWorld):
        clients = 0

        def session(self, pool):
            Counting.clients += 1
            return super().session(pool)

    transport = OPTIMIZATION.engineered(P).transport
    for expected in (1, 2):
        with Counting(Tape(small_universe.frames, seed=1), latency_scale=0.0) as world:
            world.begin(0)
            for _ in range(5):
                transport(world, REQUEST).result()
        assert Counting.clients == expected


@pytest.mark.parametrize("choice", list(itertools.product((None, *VARIANTS), repeat=3)), ids=str)
def test_o14_is_innermost_whatever_wraps_it(choice, world):
    selection = {key: variant for key, variant in zip(("O03", "O04", "O14"), choice, strict=True) if variant}
    transport = build(selection).transport
    parts = [type(each) for each in layers(transport)]
    assert len(parts) == len(selection) + ("O14" not in selection)
    assert issubclass(parts[-1], Pooled) == ("O14" in selection)
    world.transport = transport
    for _ in range(2):
        world.run(asked(world))
    assert world.ledger.requests["alpha_vantage"] == (1 if "O03" in selection else 2)
    assert world.ledger.requests["explanation"] == (1 if {"O04", "O03"} & unsent(selection) else 2)
    if "O14" in selection:
        assert world.ledger.connections == 2


def unsent(selection):
    """Those by which an equal prompt is not sent again: the engineered O03 leaves explanations alone."""
    return {key for key, variant in selection.items() if (key, variant) != ("O03", "engineered")}


async def asked(world):
    """A figure, and an explanation of nothing."""
    prompt = "\n".join(
        f"{name}: 1" for name in ("direction", "symbol", "entry", "confidence", "regime", "stop", "target")
    )
    world.transport(world, REQUEST).result()
    await world.ask("AAA", prompt)
    await asyncio.sleep(1)


@pytest.mark.parametrize("variant", VARIANTS)
def test_o14_decides_as_the_baseline_does(variant, small_universe):
    assert set(find_changed_parts(P, build({"O14": variant}))) == {"transport"}
    oracle = Oracle.run(small_universe, 2, 12)
    assert check_on_markets(OPTIMIZATION, variant, [oracle]).output == "same"


# On sockets


@pytest.mark.parametrize(
    ("arm", "kept"),
    {
        "no session": 0,
        "session at its defaults": 10,
        SMALL_POOLS: 20,
        "prescribed, 20/50": 50,
        "20/50 that block": 50,
        "engineered, aiohttp": 64,
    }.items(),
)
def test_o14_throws_away_what_its_pool_does_not_keep(arm, kept, setting):
    with world_of(setting, arm, FAR) as world:
        answers = world.run(burst(world, [REQUEST] * 64, 64))
        # Nearly everything is on its way before the first answer is back; a busy machine opens the last ones later.
        first = world.providers
        kept = min(kept, first.connections)
        world.run(burst(world, [REQUEST] * kept, max(1, kept)))
        again = world.providers
    assert len(set(answers)) == 1
    assert 20 < first.connections <= (50 if arm == "20/50 that block" else 64)
    assert first.discarded == first.connections - kept
    assert again.connections == first.connections


@pytest.mark.parametrize("condition", [Condition(8, True, 0.0), Condition(1, False, 0.005)], ids=str)
def test_o14_trial_observes_every_arm_in_every_round(condition, setting):
    seen = list(observe_condition(setting, condition, rounds=2, seconds=0.02))
    for arm in ARMS:
        rounds = [each.values for each in seen if each.arm == arm]
        assert len(rounds) == 2
        for values in rounds:
            assert set(values) >= {"requests/s", "p50 ms", "p95 ms", "connections", "handshakes", "discards"}
            assert values["handshakes"] == (values["connections"] if condition.tls else 0)
            assert values["requests"] >= 1
            assert values["requests failed"] == 0
            assert values["p95 ms"] >= values["p50 ms"] >= 1000 * condition.rtt_s
            if arm == "no session":
                assert values["connections"] == values["requests"]
            else:
                assert values["connections"] <= condition.in_flight
    assert {each.condition for each in seen} == {str(condition)}


def test_o14_trial_observes_what_closing_idle_connections_costs(setting):
    seen = {each.arm: each.values for each in observe_idle_closes(setting, waves=3)}
    assert list(seen) == list(ARMS)
    for arm, values in seen.items():
        assert values["requests"] == 24
        assert 0 <= values["requests failed"] <= 24
        assert (values["idle closed"] == 0) == (arm == "no session")


def test_o14_trials_compare_with_an_arm_that_is_there():
    assert {each.optimization for each in TRIALS} == {"O14"}
    assert {each.reference for each in TRIALS} <= set(ARMS)
    assert str(HEADLINE) == "32 in flight, TLS, RTT 20 ms"


def test_o14_trial_needs_the_providers(small_universe, tmp_path):
    with pytest.raises(UserError, match="the providers are not running"):
        next(TRIALS[0].run(Setting(1, tmp_path, None, None, small_universe, full=False)))
