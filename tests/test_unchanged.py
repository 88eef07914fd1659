"""Does the switch serve the last signal while the price has hardly moved, and decide anew when it has?"""

import dataclasses

import numpy as np
import pytest

from argo_bench.optimizations.optimization import CYCLE, Workload
from argo_bench.pipeline import baseline
from argo_bench.pipeline.market import Tape
from argo_bench.pipeline.model import Bars
from argo_bench.pipeline.optimized.indicators import indicators
from argo_bench.pipeline.record import cycle
from argo_bench.pipeline.unchanged import UNCHANGED, skip_unchanged
from argo_bench.pipeline.world import SimulatedWorld
from argo_bench.study.recording import record
from argo_bench.study.replay import StageBody


class Counting:
    def __init__(self, stage):
        self.stage = stage
        self.calls = 0

    def __call__(self, world, *arguments):
        self.calls += 1
        return self.stage(world, *arguments)


class Moving:
    """A market of one symbol whose last price is the same but for the factor of the cycle."""

    def __init__(self, tape, factors):
        self.symbols = tape.symbols[:1]
        self._tape = tape
        self._factors = factors

    def bars(self, symbol, number):
        bars = self._tape.bars(symbol, 0)
        values = bars.values.copy()
        values[3, -1] *= self._factors[number]
        values[1, -1] = max(values[1, -1], values[3, -1])
        values[2, -1] = min(values[2, -1], values[3, -1])
        return Bars(symbol, bars.timestamps, values)


def walked(small_universe, factors):
    """How often the indicators were computed, and the decisions of every cycle."""
    counting = Counting(indicators)
    pipeline = skip_unchanged(baseline.PIPELINE.replace(indicators=counting))
    with SimulatedWorld(Moving(Tape(small_universe.frames, seed=2), factors), seed=2, latency_scale=0.0) as world:
        cycles = [world.run(cycle(pipeline, world, world.market.symbols, k)) for k in range(len(factors))]
    return counting.calls, cycles


def test_a_price_that_hardly_moved_is_not_decided_anew(small_universe):
    calls, _ = walked(small_universe, [1.0, 1.0 + 0.9 * UNCHANGED, 1.0 - 0.9 * UNCHANGED])
    assert calls == 1


def test_small_moves_add_up_against_the_price_that_was_decided_at(small_universe):
    calls, _ = walked(small_universe, [1.0, 1.0 + 0.9 * UNCHANGED, 1.0 + 1.1 * UNCHANGED])
    assert calls == 2


def test_the_last_signal_is_served_and_not_stored_twice(small_universe):
    for seed_factor in np.linspace(0.9, 1.1, 9):
        _, (first, second) = walked(small_universe, [seed_factor, seed_factor])
        if first.decided:
            assert second.decided == first.decided
            assert [each.rule for each in second.rejected] == ["duplicate"]
            return
    raise AssertionError("no price gave a signal")


@pytest.mark.parametrize(("skips", "calls"), [(False, 3), (True, 1)])
def test_a_timed_run_of_whole_cycles_serves_unchanged_signals_where_its_workload_says_so(skips, calls, small_universe):
    still = Workload("w", CYCLE, "trace", "a test", (1,), "symbols", trace="frozen", cycles=3, latency_scale=0.0)
    workload = dataclasses.replace(still, skip_unchanged=skips)
    counting = Counting(indicators)
    recording = record(workload, small_universe, 1, seed=1)
    body = StageBody(workload, lambda pipeline: pipeline.replace(indicators=counting), recording)
    body.first_call()
    counting.calls = 0
    body.time_calls(body.prepare_calls(), 1)
    body.close()
    assert counting.calls == calls
