"""Pairs of this project under pytest, in turns and with what is expected of them: ``make bench``."""

import pytest

from argo_bench import baseline
from argo_bench.market import generate
from argo_bench.optimizations import build

OPTIMIZED = build({"O07": "engineered", "O08": "engineered"})
pytestmark = pytest.mark.argo(quick=True, budget_s=30)


def bars():
    """400 generated bars of one symbol; the stages read nothing of the world."""
    return None, generate(("AAA",), 400, seed=7).frames["AAA"]


def loop(world, frame):
    return baseline.PIPELINE.indicators(world, frame)


def kernel(world, frame):
    return OPTIMIZED.indicators(world, frame)


def by_pandas(world, frame):
    return baseline.PIPELINE.regime(world, frame)


def by_kernel(world, frame):
    return OPTIMIZED.regime(world, frame)


def test_the_kernel_is_an_order_of_magnitude_faster_than_the_loop(argo_pair):
    assert argo_pair(loop, kernel, setup=bars, check=None).at_least(10)


def test_the_regime_is_not_slower_by_the_kernel(argo_pair):
    assert argo_pair(by_pandas, by_kernel, setup=bars).not_slower_than(0.03)
