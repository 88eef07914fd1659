"""Pairs of this project under pytest, in turns and with what is expected of them: ``make bench``."""

import json

import pytest

from argo_bench.optimizations import build
from argo_bench.pipeline import baseline
from argo_bench.pipeline.market import Tape, generate
from argo_bench.pipeline.record import cycle
from argo_bench.pipeline.world import SimulatedWorld

OPTIMIZED = build({"O08": "engineered", "O11": "engineered"})
pytestmark = pytest.mark.argo(quick=True, budget_s=30)


def bars():
    """400 generated bars of one symbol; the stages read nothing of the world."""
    return None, generate(("AAA",), 400, seed=7).frames["AAA"]


def loop(world, frame):
    return baseline.PIPELINE.indicators(world, frame)


def kernel(world, frame):
    return OPTIMIZED.indicators(world, frame)


def decisions():
    """What a cycle of six symbols decided; the stages read nothing of the world."""
    symbols = tuple(f"S{number}" for number in range(6))
    with SimulatedWorld(Tape(generate(symbols, 400, seed=7).frames, seed=1), seed=1, latency_scale=0) as world:
        return None, world.run(cycle(baseline.PIPELINE, world, symbols, 0)).decided


def for_every_sink(world, decided):
    return baseline.PIPELINE.encode(world, decided)


def by_msgspec(world, decided):
    return OPTIMIZED.encode(world, decided)


def same_documents(expected, got):
    """The sinks may get text or bytes, spaced or not: what counts is what they read."""
    return documents(expected) == documents(got)


def documents(encoded):
    return [[json.loads(sink) for sink in (each.log_line, each.body)] for each in encoded]


def test_the_kernel_is_an_order_of_magnitude_faster_than_the_loop(argo_pair):
    assert argo_pair(loop, kernel, setup=bars).at_least(10)


def test_decisions_are_not_encoded_slower(argo_pair):
    assert argo_pair(for_every_sink, by_msgspec, setup=decisions, check=same_documents).not_slower_than(0.03)
