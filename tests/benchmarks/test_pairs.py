"""Pairs of this project under pytest, in turns and with what is expected of them: ``make bench``."""

import pytest

from argo_bench import baseline
from argo_bench.market import Tape, generate
from argo_bench.optimizations import build
from argo_bench.world import SimulatedWorld

OPTIMIZED = build({"O07": "engineered", "O08": "engineered"})
pytestmark = pytest.mark.argo(quick=True, budget_s=30)


def bars():
    """A world, which holds what is remembered, and 400 generated bars of one symbol."""
    frames = generate(("AAA",), 400, seed=7).frames
    return SimulatedWorld(Tape(frames, seed=1), seed=1, latency_scale=0), frames["AAA"]


def loop(world, frame):
    return baseline.PIPELINE.indicators(world, frame)


def kernel(world, frame):
    return OPTIMIZED.indicators(world, frame)


def computed(world, frame):
    return baseline.PIPELINE.regime(world, frame)


def remembered(world, frame):
    return OPTIMIZED.regime(world, frame)


def test_the_kernel_is_an_order_of_magnitude_faster_than_the_loop(argo_pair):
    assert argo_pair(loop, kernel, setup=bars, check=None).at_least(10)


def test_a_remembered_regime_is_not_slower(argo_pair):
    assert argo_pair(computed, remembered, setup=bars).not_slower_than(0.03)
