"""Does the service idle between cycles, so that background work goes on, is counted, and is not waited for?"""

import asyncio

import pytest

from argo_bench.optimizations.optimization import Workload
from argo_bench.pipeline.market import Tape
from argo_bench.pipeline.world import SimulatedWorld, Simulation
from argo_bench.pipeline.world.clock import NS
from argo_bench.study import counts, replay
from argo_bench.study.recording import Group, Recording
from argo_bench.study.replay import StageBody

CYCLE_NS = 5 * NS
IN_CYCLE_NS = 300_000_000
"""What every call of the stage waits for itself."""


class Reading:
    """A clock that moves only when it is told to."""

    def __init__(self):
        self.ns = 1_000

    def __call__(self):
        return self.ns


class Aside:
    """A fetch stage that waits a little, asks a question on the side, and notes when the answer comes."""

    def __init__(self, cpu=None):
        self.cpu = cpu
        self.answered_s = []
        self.tasks = set()

    async def __call__(self, world, symbol):
        self.tasks.add(asyncio.ensure_future(self.ask(world, symbol)))
        await asyncio.sleep(IN_CYCLE_NS / NS)

    async def ask(self, world, symbol):
        await world.bars("massive", symbol)
        if self.cpu is not None:
            self.cpu.ns += 7_000
        self.answered_s.append(round(world.clock.virtual_ns / NS, 6))


@pytest.fixture
def timed(monkeypatch, small_universe):
    """Time three cycles of a stage on clocks that stand still; give the timing, the body and the stage's notes."""

    def time_cycles(takes_s, cycles=3, cpu=None):
        simulation = Simulation(busy_ns=Reading(), cpu_ns=cpu or Reading(), handshake_s=0.0)
        monkeypatch.setattr(replay, "Simulation", lambda **given: simulation)
        monkeypatch.setattr(replay, "SimulatedWorld", fixed_world(takes_s))
        monkeypatch.setattr(replay.time, "process_time_ns", lambda: 0)
        stage = Aside(cpu)
        body = StageBody(
            Workload("w", "fetch", "trace", "a test", (cycles,), "cycles"),
            lambda pipeline: pipeline.replace(fetch=stage),
            Recording([Group(0, [("AAA",)], number) for number in range(cycles)], Tape(small_universe.frames, seed=1)),
        )
        body.first_call()
        stage.answered_s.clear()
        found = body.time_calls(body.prepare_calls(), 1)
        bodies.append(body)
        return found, body, stage

    bodies = []
    yield time_cycles
    for body in bodies:
        body.close()


def fixed_world(takes_s, kind=SimulatedWorld):
    class Fixed(kind):
        def _latency_ns(self, request):
            return round(takes_s * NS)

    return Fixed


@pytest.mark.parametrize("takes_s", [0.1, 2.0, 4.9, 7.0, 23.0])
def test_a_question_off_the_critical_path_lengthens_no_cycle(timed, takes_s):
    found, _, _ = timed(takes_s)
    assert found.wall_ns == 3 * IN_CYCLE_NS


def test_background_work_ends_when_it_is_due_whether_the_service_idles_then_or_not(timed):
    _, _, stage = timed(5.1)
    # What is asked at 0 and 5 s is answered within the next cycles; the idle time after the last one is over at 15 s.
    assert stage.answered_s == [5.1, 10.1]


def test_work_longer_than_the_idle_time_goes_on_in_the_next_one_and_is_not_lost(timed):
    _, body, stage = timed(8.0)
    assert stage.answered_s == [8.0, 13.0]
    body._live.run(body._live.wind_down())
    assert stage.answered_s == [8.0, 13.0, 18.0]


def test_the_cpu_time_of_background_work_is_counted_and_stands_by_itself(timed):
    cpu = Reading()
    found, body, _ = timed(2.0, cpu=cpu)
    assert body._live.background_cpu_ns == 3 * 7_000
    assert found.cpu_ns == 3 * 7_000
    assert found.wall_ns == 3 * IN_CYCLE_NS


def test_what_is_due_after_the_next_cycle_has_begun_does_not_run_before():
    clock = Reading()
    with SimulatedWorld(replay.NoMarket(), Simulation(busy_ns=clock, cpu_ns=Reading())) as world:
        ran = []

        async def set_timers():
            loop = asyncio.get_running_loop()
            for due_s in (1.0, 4.999, 5.001, 12.0):
                loop.call_later(due_s, ran.append, due_s)

        world.run(set_timers())
        started_ns = world.clock_ns()
        world.pass_idle(CYCLE_NS)
        assert ran == [1.0, 4.999]
        assert (world.clock.virtual_ns, world.clock_ns() - started_ns) == (CYCLE_NS, CYCLE_NS)
        world.pass_idle(2 * CYCLE_NS)
        assert ran == [1.0, 4.999, 5.001]


def test_without_background_work_idling_costs_nothing_and_moves_no_clock():
    with SimulatedWorld(replay.NoMarket(), Simulation(busy_ns=Reading())) as world:
        assert not world.has_background
        world.pass_idle(CYCLE_NS)
        assert (world.clock.virtual_ns, world.period) == (0, 0)


def counted(takes_s, universe, monkeypatch, cycles=3):
    simulation = Simulation(busy_ns=Reading(), cpu_ns=Reading(), handshake_s=0.0, prepare_ahead=False)
    monkeypatch.setattr(counts, "Simulation", lambda **given: simulation)
    monkeypatch.setattr(counts, "NotingWorld", fixed_world(takes_s, counts.NotingWorld))
    workload = Workload("w", "fetch", "trace", "a test", (cycles,), "cycles")
    groups = [Group(0, [("AAA",)], number) for number in range(cycles)]
    stage = Aside()
    recording = Recording(groups, Tape(universe.frames, seed=1))
    return counts.replay(workload, lambda pipeline: pipeline.replace(fetch=stage), recording), stage


def test_a_counted_replay_counts_background_requests_and_drains_once(small_universe, monkeypatch):
    done, stage = counted(8.0, small_universe, monkeypatch)
    assert stage.answered_s == [8.0, 13.0, 18.0]
    assert [call.ended_s - call.virtual_s for call in done.calls] == [pytest.approx(0.3)] * 3
    ledger = done.world.ledger
    assert (ledger.requests["massive"], ledger.background["massive"]) == (3, 3)
    assert done.drained_s == pytest.approx(18.0 - 10.3)


def test_a_request_that_its_cycle_waits_for_is_no_background_work(small_universe, monkeypatch):
    done, _ = counted(0.1, small_universe, monkeypatch)
    assert done.world.ledger.requests["massive"] == 3
    assert done.world.ledger.background.total() == 0
    assert done.drained_s == 0.0
