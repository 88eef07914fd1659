"""What this project's own gate watches (``make gate``): cycles and what they cost exactly, and a record read back.

Public names alone, so that both revisions of the gate have them, wherever their modules are.
"""

from pathlib import Path

import argo_bench

SYMBOLS = ("AAA", "BBB", "CCC-USD")
BARS = 400
CYCLES = 3
ENGINEERED = {f"O{number:02d}": "engineered" for number in range(1, 16)}
RECORD = Path(__file__).parents[1] / "goldens" / "records" / "compare"


def walk(selection):
    """The decisions of a few cycles of a pipeline, and the ledger of its world."""
    pipeline = argo_bench.build(selection)
    frames = argo_bench.generate(SYMBOLS, BARS, seed=7).frames
    with argo_bench.SimulatedWorld(argo_bench.Tape(frames, seed=1), seed=1, latency_scale=0) as world:
        cycles = [world.run(argo_bench.cycle(pipeline, world, SYMBOLS, number)) for number in range(CYCLES)]
        ledger = world.ledger
    decided = [(each.symbol, each.direction, round(each.confidence, 6)) for one in cycles for each in one.decided]
    return decided, ledger


def baseline_cycles():
    """Three cycles of the baseline."""
    return walk(argo_bench.BASELINE)[0]


def optimized_cycles():
    """Three cycles of the optimized pipeline, from cold caches."""
    return walk(ENGINEERED)[0]


def counts():
    """What three optimized cycles cost, exactly."""
    ledger = walk(ENGINEERED)[1]
    return {
        "requests": sum(ledger.requests.values()),
        "tokens": ledger.input_tokens + ledger.output_tokens,
        "SQL statements": ledger.sql_statements,
        "rows": ledger.rows,
        "bytes out": ledger.bytes_out,
    }


def record():
    """The verdicts of a stored comparison, read back with all its samples."""
    return argo_bench.load(RECORD).to_dict()
