"""What this project's own gate watches (``make gate``): cycles and what they cost exactly, and an estimate."""

import random

from argo_bench.harness.stats import estimate, trimmed_mean
from argo_bench.market import Tape, generate
from argo_bench.optimizations import BASELINE, build, optimized
from argo_bench.pipeline import cycle
from argo_bench.world import SimulatedWorld

SYMBOLS = ("AAA", "BBB", "CCC-USD")
BARS = 400
CYCLES = 3


def walk(selection):
    """The decisions of a few cycles of a pipeline, and the ledger of its world."""
    pipeline = build(selection)
    frames = generate(SYMBOLS, BARS, seed=7).frames
    with SimulatedWorld(Tape(frames, seed=1), seed=1, latency_scale=0) as world:
        cycles = [world.run(cycle(pipeline, world, SYMBOLS, number)) for number in range(CYCLES)]
        ledger = world.ledger
    decided = [(each.symbol, each.direction, round(each.confidence, 6)) for one in cycles for each in one.decided]
    return decided, ledger


def baseline_cycles():
    """Three cycles of the baseline."""
    return walk(BASELINE)[0]


def optimized_cycles():
    """Three cycles of the optimized pipeline, from cold caches."""
    return walk(optimized())[0]


def counts():
    """What three optimized cycles cost, exactly."""
    ledger = walk(optimized())[1]
    return {
        "requests": sum(ledger.requests.values()),
        "tokens": ledger.input_tokens + ledger.output_tokens,
        "SQL statements": ledger.sql_statements,
        "rows": ledger.rows,
        "bytes out": ledger.bytes_out,
    }


def ratios():
    """Log-ratios of 24 replicates of 40 blocks, as the one argument."""
    rng = random.Random(1)
    return [[rng.gauss(0.03, 0.01) for _ in range(40)] for _ in range(24)]


def estimates(replicates):
    """An estimate with its interval from blocks, as after every replicate of a run."""
    return [estimate([trimmed_mean(each) for each in replicates[: number + 2]], 0.95) for number in range(20)]
