"""Does the modelled shared store keep its values outside of the process that asks, at the time that it says?"""

import itertools
import mmap
import sys
import tracemalloc

import pytest

from argo_bench.pipeline.world import SimulatedWorld, Simulation, simulated
from argo_bench.pipeline.world.clock import NS
from argo_bench.pipeline.world.simulated import ROUND_TRIP_S
from argo_bench.study.replay import NoMarket


def stored_megabytes(world, count):
    for number in range(count):
        world.redis.set(f"key {number}", number.to_bytes(4, "big") * (1 << 18), 60.0).result()


def test_the_modelled_store_keeps_values_until_they_expire_at_a_round_trip_a_command():
    with SimulatedWorld(NoMarket(), Simulation(busy_ns=lambda: 1_000)) as world:
        started_ns = world.clock_ns()
        world.redis.set("a", b"first", 10.0).result()
        world.redis.set("a", b"second", 10.0).result()
        assert world.redis.get("a").result() == b"second"
        assert world.redis.get("b").result() is None
        assert world.clock_ns() - started_ns == 4 * round(ROUND_TRIP_S * NS)
        world.block(10.0)
        assert world.redis.get("a").result() is None


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc")
def test_what_the_modelled_store_holds_is_no_memory_of_the_process_that_asks():
    with SimulatedWorld(NoMarket()) as world:
        stored_megabytes(world, 1)
        tracemalloc.start()
        before = resident_bytes()
        stored_megabytes(world, 48)
        grown, (live, peak) = resident_bytes() - before, tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert world.redis.get("key 3").result() == (3).to_bytes(4, "big") * (1 << 18)
    assert live < 1 << 19
    assert peak < 4 << 20
    assert grown < 16 << 20, "48 MB are stored"


def resident_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * mmap.PAGESIZE


def test_moving_the_bytes_of_a_stored_value_is_part_of_the_round_trip():
    def taken(size):
        ticks = itertools.count(step=1_000_000)
        with SimulatedWorld(NoMarket(), Simulation(busy_ns=lambda: next(ticks))) as world:
            started_ns = world.clock_ns()
            world.redis.set("a", bytes(size), 10.0).result()
            return world.clock_ns() - started_ns

    assert taken(10) == taken(1_000_000)


def test_values_that_have_expired_make_room(monkeypatch):
    monkeypatch.setattr(simulated, "SETS_BETWEEN_REMOVALS", 4)
    with SimulatedWorld(NoMarket()) as world:
        for number in range(12):
            world.block(10.0)
            world.redis.set(f"key {number}", b"value", 15.0).result()
        assert len(world.redis.keys()) <= 6
