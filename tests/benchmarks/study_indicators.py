"""How much faster is the fused kernel than TA-Lib, polars and vectorized pandas, from 200 to 100,000 bars?

    python tests/benchmarks/study_indicators.py [--json FILE]

One process pinned to one CPU, one thread, CPU time. Every round times every arm once, in random order; a ratio is
taken inside a round, so that the machine's drift cancels. Shown: the median, the 10th and the 90th percentile.
"""

from __future__ import annotations

import json
import os
import platform
import random
import statistics
import textwrap
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import pandas as pd

SIZES = (200, 1_000, 10_000, 100_000)
LOOP_BARS = 300
ROUNDS = 40
SAMPLE_NS = 4_000_000
SEED = 8
TARGETS = {"TA-Lib, latest values": 2.0, "TA-Lib, full columns": 2.0, "vectorized pandas": 15.0}
STAGE = "engineered stage"
KERNEL = "engineered kernel"

Arm = Callable[[], object]
Samples = Mapping[str, list[float]]


def settle_process() -> str:
    """One thread and, where the system allows it, one CPU; says which. Before numpy is imported."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ["POLARS_MAX_THREADS"] = "1"
    if not hasattr(os, "sched_setaffinity"):
        return "not pinned"
    cpu = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cpu})
    return f"pinned to CPU {cpu}"


def market(bars: int) -> pd.DataFrame:
    """A random walk with a daily volatility that keeps 100,000 bars within a sane range of prices."""
    import numpy as np
    import pandas as pd

    from argo_bench.pipeline.optimized.indicators import CANONICAL

    rng = np.random.default_rng([SEED, bars])
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.005, bars)))
    opened = close * np.exp(rng.normal(0, 0.002, bars))
    high = np.maximum(opened, close) * (1 + rng.exponential(0.002, bars))
    low = np.minimum(opened, close) * (1 - rng.exponential(0.002, bars))
    rows = np.vstack([opened, high, low, close, rng.integers(10**5, 10**7, bars)])
    index = pd.date_range("2000-01-01", periods=bars, freq="h", tz="UTC", unit="us", name="timestamp")
    return pd.DataFrame(np.ascontiguousarray(rows).T, index=index, columns=CANONICAL)


def full_set(frame: pd.DataFrame) -> dict[str, Arm]:
    """The arms that compute all 23 indicators. Each takes the frame, but for the kernel alone."""
    from argo_bench.optimizations import _indicator_libraries as libraries
    from argo_bench.pipeline.baseline.indicators import pandas_indicators
    from argo_bench.pipeline.kernels import latest_indicators
    from argo_bench.pipeline.optimized.indicators import block, indicators

    rows = block(frame)
    arms: dict[str, Arm] = {
        KERNEL: lambda: latest_indicators(rows),
        STAGE: lambda: indicators(None, frame),
    }
    if find_spec("talib"):
        arms["TA-Lib, latest values"] = lambda: libraries.talib_indicators(None, frame)
        arms["TA-Lib, full columns"] = lambda: libraries.talib_columns(None, frame)
    if find_spec("polars"):
        arms["polars"] = lambda: libraries.polars_indicators(None, frame)
    return arms | {"vectorized pandas": lambda: pandas_indicators(None, frame)}


def against_the_loop(frame: pd.DataFrame) -> dict[str, Arm]:
    from argo_bench.optimizations._indicator_libraries import latest_only
    from argo_bench.pipeline.baseline.indicators import indicators

    return full_set(frame) | {
        "loop, last windows": lambda: latest_only(None, frame),
        "loop, full columns": lambda: indicators(None, frame),
    }


def five_outputs(frame: pd.DataFrame) -> dict[str, Arm]:
    from argo_bench.pipeline.baseline.indicators import five, pandas_five
    from argo_bench.pipeline.optimized.indicators import five as engineered_five

    return {
        STAGE: lambda: engineered_five(None, frame),
        "vectorized pandas": lambda: pandas_five(None, frame),
        "loop, full columns": lambda: five(None, frame),
    }


def measure(arms: Mapping[str, Arm], rng: random.Random) -> Samples:
    """CPU nanoseconds per call: one sample an arm and round."""
    repeats = {name: calls_per_sample(arm) for name, arm in arms.items()}
    samples: dict[str, list[float]] = {name: [] for name in arms}
    for _ in range(ROUNDS):
        for name in rng.sample(list(arms), len(arms)):
            samples[name].append(per_call_ns(arms[name], repeats[name]))
    return samples


def calls_per_sample(arm: Arm) -> int:
    """Enough calls for one sample, found after a warm-up that includes compiling."""
    for _ in range(3):
        arm()
    return max(1, round(SAMPLE_NS / per_call_ns(arm, 3)))


def per_call_ns(arm: Arm, calls: int) -> float:
    start = time.process_time_ns()
    for _ in range(calls):
        arm()
    return (time.process_time_ns() - start) / calls


def ratios(samples: Samples, slow: str, fast: str) -> tuple[float, float, float]:
    """How many times longer ``slow`` takes: the 10th percentile, the median and the 90th percentile of the rounds."""
    each = [a / b for a, b in zip(samples[slow], samples[fast], strict=True)]
    tenths = statistics.quantiles(each, n=10, method="inclusive")
    return tenths[0], statistics.median(each), tenths[-1]


def show(title: str, bars: int, samples: Samples) -> None:
    reference = KERNEL if KERNEL in samples else STAGE
    click.echo(f"\n{title}\n{'':22}{'us per call':>13}{'ns per bar':>12}{'x ' + reference:>31}")
    for name, each in samples.items():
        low, middle, high = ratios(samples, name, reference)
        spread = f"{middle:,.1f} ({low:,.1f} .. {high:,.1f})"
        call_ns = statistics.median(each)
        click.echo(f"{name:22}{call_ns / 1e3:13,.2f}{call_ns / bars:12,.1f}{spread:>31}")


def verdicts(samples: Samples) -> list[bool]:
    """Whether the engineered stage reaches each target in nine rounds of ten, said on the way."""
    held = []
    for name, target in TARGETS.items():
        if name not in samples:
            click.echo(f"  untested: {target:g}x {name}, not installed")
            continue
        low, middle, _ = ratios(samples, name, STAGE)
        held.append(low >= target)
        word = "holds" if held[-1] else "FAILS"
        click.echo(f"  {word}: {target:g}x {name}: stage {middle:,.1f}x, at least {low:,.1f}x in 9 of 10 rounds")
    return held


def environment(pinned: str) -> dict[str, str]:
    packages = ("numpy", "pandas", "numba", "TA-Lib", "polars")
    found = {name: version(name) for name in packages if find_spec(name.replace("-", "").lower())}
    return {"python": platform.python_version(), "machine": platform.machine(), "cpu": pinned} | found


@click.command()
@click.option("--json", "path", type=click.Path(path_type=Path), help="Write every sample to this file.")
def main(path: Path | None) -> None:
    pinned = settle_process()
    about = environment(pinned)
    click.echo(textwrap.fill(", ".join(f"{name} {value}" for name, value in about.items()), 80))
    rng = random.Random(SEED)
    record: dict[str, Samples] = {}
    held = []
    for bars in SIZES:
        samples = record[f"full set, {bars} bars"] = measure(full_set(market(bars)), rng)
        show(f"Full set, {bars:,} bars", bars, samples)
        held += verdicts(samples)
    for what, arms in (("Full set and the loop", against_the_loop), ("The published five outputs", five_outputs)):
        samples = record[f"{what.lower()}, {LOOP_BARS} bars"] = measure(arms(market(LOOP_BARS)), rng)
        show(f"{what}, {LOOP_BARS} bars", LOOP_BARS, samples)
    click.echo(f"\n{sum(held)} of {len(held)} targets hold.")
    if path:
        text = json.dumps({"environment": about, "seed": SEED, "unit": "CPU ns per call", "samples": record}, indent=1)
        path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
