"""What does the indicator and regime pass over a universe take, by the kernels, TA-Lib, polars and pandas?

    python tests/benchmarks/study_pass.py [--symbols 1000] [--bars 310] [--part kernels] [--json FILE]

Wall time on all processors, with threads as each library ships: polars computes all symbols of one frame in its own
threads, the others one symbol after another, the kernels also in a thread a processor. Every round times every arm
once, in random order, and a ratio is taken inside a round. Shown: the median, the 10th and the 90th percentile. All
arms must find the same indicators and regimes, which is checked first.

Then the engineered set walks the same symbols (each has ticked, all answers are pushed) with the indicators of each
library in turn, which are asked for one symbol after another; the floor that all of these share is shown beside them.

At last, in CPU time, the kernels that a cycle calls: reading the arrays, the digest that says whether the closed bars
are those that are known, going on from these with the live bar or with one that was appended, and the full pass.
"""

from __future__ import annotations

import gc
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
import polars as pl
from numba import njit

sys.path.insert(0, str(Path(__file__).parents[2]))

from argo_bench.optimizations._indicator_libraries import polars_indicators, talib_columns, talib_indicators
from argo_bench.pipeline.arrays import REGIME_NUMBERS, UNKNOWN
from argo_bench.pipeline.baseline.indicators import pandas_indicators
from argo_bench.pipeline.baseline.regime import MINIMUM_BARS, VOLATILE_RATIO
from argo_bench.pipeline.kernels import (
    FIELDS,
    IN_DOUBT,
    SUMS,
    continue_all,
    digest_bars,
    latest_indicators_of_all,
    latest_regime_of_all,
)
from argo_bench.pipeline.market import generate
from argo_bench.pipeline.model import Indicators
from argo_bench.study.recording import oracle_regime
from tests.benchmarks.study_indicators import ratios
from tests.benchmarks.study_universe import FLOORS, SEED, STAGES, WARM_UP, Arm, Floors, make_market, make_pipelines

ROUNDS, CYCLES, CALLS = 15, 15, 200
READING = "reading the arrays"
TITLES = {
    "pass": "The pass, wall time",
    "cycle": "A cycle, everything pushed, CPU time",
    "kernels": "The kernels, CPU time",
}
KERNELS, THREADS = "kernels, one call", "kernels, a thread a processor"
REFERENCES = {"pass": KERNELS, "cycle": FLOORS, "kernels": READING}
TOLERANCE = 1e-9
PARTS = ("high", "low", "close", "volume")
Found = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]
"""Indicators, float64 of shape (symbols, 23), and the numbers of the regimes, int64 of shape (symbols,)."""


def make_arms(frames: Mapping[str, pd.DataFrame]) -> dict[str, Callable[[], Found]]:
    values, ends = lay_out(frames)
    table = make_table(frames)
    pool = ThreadPoolExecutor(os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count())
    parts = split(values, ends, pool._max_workers)

    def call_once(values: Any = values, ends: Any = ends) -> Found:
        return latest_indicators_of_all(values, ends), latest_regime_of_all(values, ends, VOLATILE_RATIO)

    def call_in_threads() -> Found:
        found = [*pool.map(call_once, *zip(*parts, strict=True))]
        return np.concatenate([each[0] for each in found]), np.concatenate([each[1] for each in found])

    def loop(indicators: Callable[[Any, pd.DataFrame], Indicators]) -> Callable[[], Found]:
        def walk() -> Found:
            found = [indicators(None, frame) for frame in frames.values()]
            return pack(found)

        return walk

    return {
        KERNELS: call_once,
        THREADS: call_in_threads,
        "TA-Lib, latest values": loop(talib_indicators),
        "TA-Lib, full columns": loop(talib_columns),
        "polars, one frame": lambda: compute_by_polars(table),
        "vectorized pandas": loop(pandas_indicators),
    }


def lay_out(frames: Mapping[str, pd.DataFrame]) -> tuple[Any, Any]:
    """Return the blocks of all symbols as one array, and the end of each in it, as the kernels take them."""
    blocks = [np.ascontiguousarray(frame.to_numpy().T).reshape(-1) for frame in frames.values()]
    values = np.concatenate(blocks)
    values.flags.writeable = False
    return values, np.cumsum([each.size for each in blocks], dtype=np.int64)


def split(values: Any, ends: Any, parts: int) -> list[tuple[Any, Any]]:
    """Return the values and ends of so many parts of the symbols."""
    found = []
    for own in np.array_split(np.arange(len(ends)), parts):
        start = ends[own[0] - 1] if own[0] else 0
        found.append((values[start : ends[own[-1]]], ends[own] - start))
    return found


def pack(found: Sequence[Indicators]) -> Found:
    """Return indicators as arrays, and the regimes that follow from the averages and deviations among them."""
    numbers = [REGIME_NUMBERS[oracle_regime(None, each)] for each in found]  # type: ignore[arg-type]
    return np.array([[getattr(each, name) for name in FIELDS] for each in found]), np.array(numbers)


def make_table(frames: Mapping[str, pd.DataFrame]) -> pl.DataFrame:
    """Return all symbols in one frame, one after another."""
    names = [name for name, frame in frames.items() for _ in range(len(frame))]
    columns = {name: np.concatenate([frame[name].to_numpy() for frame in frames.values()]) for name in PARTS}
    return pl.DataFrame({"symbol": pl.Series(names, dtype=pl.Categorical), **columns})


def compute_by_polars(table: pl.DataFrame) -> Found:
    """Compute the indicators of all symbols by one query, whose regimes follow from the averages among them."""
    found = table.group_by("symbol", maintain_order=True).agg(**POLARS)
    s20, s50, s200 = pl.col("sma20"), pl.col("sma50"), pl.col("sma200")
    is_trending = ((s20 > s50) & (s50 > s200)) | ((s20 < s50) & (s50 < s200))
    regimes = found.select(
        pl.when(s200.is_null())
        .then(UNKNOWN)
        .when(pl.col("volatility20") > VOLATILE_RATIO * pl.col("volatility50"))
        .then(REGIME_NUMBERS["VOLATILE"])
        .when(is_trending)
        .then(REGIME_NUMBERS["TRENDING"])
        .otherwise(REGIME_NUMBERS["CONSOLIDATION"])
    )
    return found.select(FIELDS).to_numpy(), regimes.to_numpy().ravel()


def express_indicators() -> dict[str, pl.Expr]:
    """Return the expressions of all indicators of one symbol, as ``polars_indicators`` computes them from series."""
    high, low, close, volume = (pl.col(name) for name in PARTS)
    bar = pl.int_range(pl.len())

    def average(values: pl.Expr, n: int, weight: float, first: int) -> pl.Expr:
        """Return a recursive average that starts with the mean of the n values from the bar ``first`` on."""
        seeded = pl.when(bar == first + n - 1).then(values.slice(first, n).mean()).when(bar >= first + n).then(values)
        return seeded.ewm_mean(alpha=weight, adjust=False, ignore_nulls=True)

    def share(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
        return (100 * part / whole).fill_nan(0.0)

    def positive(values: pl.Expr) -> pl.Expr:
        return pl.when(values > 0).then(values).otherwise(0.0)

    before = close.shift(1)
    step = close - before
    ranges = pl.max_horizontal(high, before) - pl.min_horizontal(low, before)
    up, down = high - high.shift(1), low.shift(1) - low
    returns = close / before - 1
    ema26 = average(close, 26, 2 / 27, 0)
    line = average(close, 12, 2 / 13, 14) - ema26
    signal = average(line, 9, 2 / 10, 25)
    gain, loss = average(positive(step), 14, 1 / 14, 1), average(positive(-step), 14, 1 / 14, 1)

    def wilder_sum(moves: pl.Expr) -> pl.Expr:
        known = pl.when(bar == 0).then(0.0).otherwise(moves)
        return pl.when(bar >= 14).then(average(known, 14, 1 / 14, 0))

    total = wilder_sum(ranges)
    plus = share(wilder_sum(pl.when((up > down) & (up > 0)).then(up).otherwise(0.0)), total)
    minus = share(wilder_sum(pl.when((down > up) & (down > 0)).then(down).otherwise(0.0)), total)
    middle, volume_mean = close.rolling_mean(20), volume.rolling_mean(20)
    band = 2 * close.rolling_std(20, ddof=0)
    columns = {
        "close": close,
        "sma20": middle,
        "sma50": close.rolling_mean(50),
        "sma200": close.rolling_mean(200),
        "ema12": average(close, 12, 2 / 13, 0),
        "ema26": ema26,
        "macd": pl.when(bar >= 33).then(line),
        "macd_signal": signal,
        "macd_hist": line - signal,
        "rsi14": share(gain, gain + loss),
        "atr14": average(ranges, 14, 1 / 14, 1),
        "plus_di14": plus,
        "minus_di14": minus,
        "adx14": average(share((plus - minus).abs(), plus + minus), 14, 1 / 14, 14),
        "bb_upper": middle + band,
        "bb_middle": middle,
        "bb_lower": middle - band,
        "volume_sma20": volume_mean,
        "volume_ratio": volume / volume_mean,
        "change_1": returns,
        "change_4": close / close.shift(4) - 1,
        "volatility20": returns.rolling_std(20),
        "volatility50": returns.rolling_std(50),
    }
    return {name: column.last() for name, column in columns.items()}


POLARS = express_indicators()


def refuse_differences(arms: Mapping[str, Callable[[], Found]]) -> None:
    """Raise ClickException where an arm finds other indicators or regimes than the kernels."""
    indicators, regimes = arms[KERNELS]()
    for name, arm in arms.items():
        found, own = arm()
        if not np.allclose(found, indicators, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True):
            wrong = [
                field
                for place, field in enumerate(FIELDS)
                if not np.allclose(
                    found[:, place], indicators[:, place], rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True
                )
            ]
            raise click.ClickException(f"{name} finds other indicators than the kernels: {', '.join(wrong)}")
        sure = regimes != IN_DOUBT
        if (own[sure] != regimes[sure]).any():
            raise click.ClickException(f"{name} finds other regimes than the kernels")


def time_pass(arms: Mapping[str, Callable[[], Found]], symbols: int, rng: random.Random) -> dict[str, list[float]]:
    """Return the wall nanoseconds a symbol, one a round, of every arm."""
    samples: dict[str, list[float]] = {name: [] for name in arms}
    for _ in range(ROUNDS):
        for name in rng.sample(list(arms), len(arms)):
            start = time.perf_counter_ns()
            arms[name]()
            samples[name].append((time.perf_counter_ns() - start) / symbols)
    return samples


def time_cycles(symbols: int, rng: random.Random) -> dict[str, list[float]]:
    """Return the CPU nanoseconds a symbol and cycle of the engineered set with the indicators of each library."""
    market = make_market(symbols, "pushed")
    engineered = make_pipelines("pushed", symbols)[STAGES]
    libraries = {
        "TA-Lib, latest values": talib_indicators,
        "polars": polars_indicators,
        "vectorized pandas": pandas_indicators,
    }
    pipelines = {"kernels": engineered}
    pipelines |= {name: engineered.replace(indicators=stage) for name, stage in libraries.items()}
    arms = {name: Arm(market, pipeline, is_pushed=True) for name, pipeline in pipelines.items()}
    floors = Floors(market)
    samples: dict[str, list[float]] = {}
    gc.collect()
    gc.freeze()
    for number in range(WARM_UP + CYCLES):
        for name in rng.sample(list(arms), len(arms)):
            ran = arms[name].run(number)
            if number >= WARM_UP:
                samples.setdefault(name, []).append(ran.cpu_ns / symbols)
        floor = sum(floors.measure(number, ran).values())
        if number >= WARM_UP:
            samples.setdefault(FLOORS, []).append(floor / symbols)
    for world in (*(arm.world for arm in arms.values()), floors.world):
        world.discard()
    gc.unfreeze()
    return samples


@njit(nogil=True, error_model="numpy")
def digest_all(values: Any, ends: Any) -> Any:
    """Return the sum of the digests of all closed bars, as ``continue_all`` takes them."""
    total = np.uint64(0)
    start = 0
    for end in ends:
        block = values[start:end].reshape((5, (end - start) // 5))
        plain, keyed = digest_bars(block, 0, block.shape[1] - 1)
        total += plain + keyed
        start = end
    return total


def time_kernels(frames: Mapping[str, pd.DataFrame], rng: random.Random) -> dict[str, list[float]]:
    """Return the CPU nanoseconds a symbol, one a round, of the kernels over a universe whose bars are known."""
    values, ends = lay_out(frames)
    shorter, shorter_ends = lay_out({name: frame.iloc[:-1] for name, frame in frames.items()})
    rows = np.arange(len(ends))
    known = (np.zeros(len(ends), np.int64), np.zeros((len(ends), 2), np.uint64), np.zeros((len(ends), SUMS)))
    continue_all(shorter, shorter_ends, rows, *known)
    closed = [each.copy() for each in known]

    def go_on(values: Any, ends: Any) -> None:
        for each, before in zip(known, closed, strict=True):
            each[:] = before
        assert continue_all(values, ends, rows, *known)[1] == len(ends)

    arms: dict[str, Callable[[], object]] = {
        READING: values.sum,
        "digest of the closed bars": lambda: digest_all(values, ends),
        "digest and live bar": lambda: go_on(shorter, shorter_ends),
        "digest and appended bar": lambda: go_on(values, ends),
        "full pass": lambda: latest_indicators_of_all(values, ends),
    }
    samples: dict[str, list[float]] = {name: [] for name in arms}
    for number in range(CALLS + 1):
        for name in rng.sample(list(arms), len(arms)):
            start = time.process_time_ns()
            arms[name]()
            if number:
                samples[name].append((time.process_time_ns() - start) / len(ends))
    return samples


def show(part: str, record: Mapping[str, Any]) -> None:
    samples, reference = record[part], REFERENCES[part]
    click.echo(f"\n{TITLES[part]}, {record['symbols']:,} symbols\n{'':30}{'us a symbol':>12}{'x ' + reference:>36}")
    for name, each in samples.items():
        low, middle, high = ratios(samples, name, reference)
        spread = f"{middle:,.2f} ({low:,.2f} .. {high:,.2f})"
        click.echo(f"{name:30}{statistics.median(each) / 1e3:12,.2f}{spread:>36}")


@click.command()
@click.option("--symbols", type=click.IntRange(min=2), default=1_000, show_default=True)
@click.option("--bars", type=click.IntRange(min=MINIMUM_BARS), default=310, show_default=True)
@click.option("--part", type=click.Choice([*TITLES]), multiple=True, default=[*TITLES], show_default=True)
@click.option("--json", "path", type=click.Path(path_type=Path), help="Write every sample to this file.")
@click.option("--report", type=click.Path(exists=True, path_type=Path), help="Only show what this file has.")
def main(symbols: int, bars: int, part: Sequence[str], path: Path | None, report: Path | None) -> None:
    if report is not None:
        record = json.loads(report.read_text())
        for each in filter(record.__contains__, TITLES):
            show(each, record)
        return
    rng = random.Random(SEED)
    frames = generate([f"S{number:05}" for number in range(symbols)], bars, SEED).frames
    arms = make_arms(frames)
    refuse_differences(arms)
    measure: dict[str, Callable[[], dict[str, list[float]]]] = {
        "pass": lambda: time_pass(arms, symbols, rng),
        "cycle": lambda: time_cycles(symbols, rng),
        "kernels": lambda: time_kernels(frames, rng),
    }
    record: dict[str, Any] = {"symbols": symbols, "bars": bars, "unit": "ns a symbol"}
    for each in part:
        record[each] = measure[each]()
        show(each, record)
    if path is not None:
        path.write_text(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
