"""O08 - vectorized indicators.

Claim        "10-100x faster indicator calculations" (additional_optimizations.txt, Optimization 8).
Baseline     baseline/indicators.py: loops over the frame, every indicator a full column, as the document describes
             its current state. Beside it, because the document's own code base already used rolling windows: the
             same set in vectorized pandas, and the three loops over a frame that "loops in pandas" may mean
             (_pandas_loops.py): what is gained depends on which of them is replaced.
Prescribed   Three rolling means with min_periods=1, a full-column ratio and a full-column change, written into the
             caller's frame, which keeps the five new columns. min_periods=1 invents an SMA 50 on ten bars. The other
             indicators of the full set are left to the loop, as the document leaves them.
Engineered   optimized/indicators.py: one fused numba pass for the whole set, which never writes to its input.
Simple       The latest values from the last windows alone, without columns that nobody reads: numpy for the five, plain
             Python for the full set.
May change   nothing beyond the rounding of float64.
"""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd

from argo_bench.extras import Requirement
from argo_bench.harness.claims.sentence import publish_claim
from argo_bench.optimizations._indicator_libraries import latest_only, polars_indicators, talib_indicators
from argo_bench.optimizations._pandas_loops import five_by_rows, five_by_scalars, five_by_slices
from argo_bench.optimizations.optimization import SIMPLE, Optimization, Workload
from argo_bench.pipeline.baseline.indicators import five as loop_five
from argo_bench.pipeline.baseline.indicators import indicators as loop
from argo_bench.pipeline.baseline.indicators import pandas_five, pandas_indicators, remaining
from argo_bench.pipeline.model import Indicators, Stage, World
from argo_bench.pipeline.optimized.indicators import five as kernel_five
from argo_bench.pipeline.optimized.indicators import indicators as kernel
from argo_bench.pipeline.record import Edit, Pipeline


def rolling_five(world: World, frame: pd.DataFrame) -> dict[str, float]:
    """Compute the document's five outputs by rolling windows. This writes five columns into the caller's frame."""
    frame["sma_20"] = frame["close"].rolling(20, min_periods=1).mean()
    frame["sma_50"] = frame["close"].rolling(50, min_periods=1).mean()
    frame["volume_sma"] = frame["volume"].rolling(20, min_periods=1).mean()
    frame["volume_ratio"] = frame["volume"] / frame["volume_sma"]
    frame["price_change"] = frame["close"].pct_change()
    latest = frame.iloc[-1]
    return {
        "close": float(latest["close"]),
        "sma20": float(latest["sma_20"]),
        "sma50": float(latest["sma_50"]),
        "volume_ratio": float(latest["volume_ratio"]),
        "change_1": float(latest["price_change"]),
    }


def rolling_and_loop(world: World, frame: pd.DataFrame) -> Indicators:
    """Compute the full set: the document's five, and by the loop all that the document does not vectorize."""
    return Indicators(**{**remaining(world, frame), **rolling_five(world, frame)})


def five_of_last_windows(world: World, frame: pd.DataFrame) -> dict[str, float]:
    """Compute the document's five outputs by plain numpy from the windows that end at the last bar."""
    close, volume = frame["close"].to_numpy(), frame["volume"].to_numpy()
    usual = volume[-20:].mean() if len(volume) >= 20 else 0.0
    return {
        "close": float(close[-1]),
        "sma20": float(close[-20:].mean()) if len(close) >= 20 else math.nan,
        "sma50": float(close[-50:].mean()) if len(close) >= 50 else math.nan,
        "volume_ratio": float(volume[-1] / usual) if usual else math.nan,
        "change_1": float(close[-1] / close[-2] - 1) if len(close) > 1 else math.nan,
    }


def edit(stage: Stage) -> Edit:
    """Return the edit that puts a stage in the place of the indicators."""
    return lambda pipeline: pipeline.replace(indicators=stage)


def prescribed(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(indicators=rolling_and_loop)


def engineered(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(indicators=kernel)


def simple(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(indicators=latest_only)


SEED = "additional_optimizations.txt, Optimization 8"
FIVE = Workload(
    name="five outputs",
    stage="indicators",
    inputs="fresh",
    description="the five outputs that the document's code computes, from a frame of its own for every call; histories "
    "that are longer than the data are generated",
    scales=(300, 2000, 10_000, 50_000),
    unit="bars",
    arms={
        "baseline": edit(loop_five),
        "prescribed": edit(rolling_five),
        "engineered": edit(kernel_five),
        SIMPLE: edit(five_of_last_windows),
        "pandas": edit(pandas_five),
    },
    generates=True,
)
BY_ROWS, BY_SLICES, BY_SCALARS = "iterrows", "iloc slices", "iloc scalars"
PANDAS_LOOPS = replace(
    FIVE,
    name="five outputs, loops in pandas",
    description="the same five outputs, for comparison with the three loops over a frame that the document may mean",
    scales=(300,),
    arms={
        **{name: each for name, each in FIVE.arms.items() if name != "pandas"},
        BY_ROWS: edit(five_by_rows),
        BY_SLICES: edit(five_by_slices),
        BY_SCALARS: edit(five_by_scalars),
    },
    generates=False,
)
FULL = Workload(
    name="full set",
    stage="indicators",
    inputs="fresh",
    description="the 23 indicators that the pipeline reads, from a frame of its own for every call",
    scales=(300, 1000, 2000),
    unit="bars",
    arms={
        "baseline": edit(loop),
        "pandas": edit(pandas_indicators),
        "TA-Lib": edit(talib_indicators),
        "polars": edit(polars_indicators),
    },
)

OPTIMIZATION = Optimization(
    id="O08",
    name="vectorized indicators",
    layer="replace",
    prescribed=prescribed,
    engineered=engineered,
    simple=simple,
    requires={"TA-Lib": Requirement("talib", "oracle"), "polars": Requirement("polars", "fast")},
    claims=(
        publish_claim(
            id="O08.time",
            text="10-100x faster indicator calculations",
            source=f"{SEED}, Expected Impact",
            workload=FIVE.name,
            reading="the five outputs of the document's code against a loop for the same five",
            headline=True,
        ),
        *(
            publish_claim(
                id=f"O08.time-{word}",
                text="10-100x faster indicator calculations",
                source=f"{SEED}, Expected Impact",
                workload=PANDAS_LOOPS.name,
                reference=reference,
                reading=f"how they may have got that number (since 2026-11-29): the same five against {loop}; the "
                'document says "loops in pandas" and shows none',
            )
            for word, reference, loop in (
                ("rows", BY_ROWS, "a loop with iterrows, which takes the rows into lists"),
                ("slices", BY_SLICES, "a loop that slices every window with iloc"),
                ("scalars", BY_SCALARS, "a loop that takes every number with iloc"),
            )
        ),
        publish_claim(
            id="O08.full",
            text="10-100x faster indicator calculations",
            source=f"{SEED}, Expected Impact",
            workload=FULL.name,
            reading="second reading: the full set of 23 indicators against the loop",
        ),
        publish_claim(
            id="O08.pandas",
            text="10-100x faster indicator calculations",
            source=f"{SEED}, Expected Impact",
            workload=FULL.name,
            reference="pandas",
            reading="third reading: the full set against vectorized pandas, which the code base used already",
        ),
        publish_claim(
            id="O08.cpu",
            text="Better CPU utilization",
            source=f"{SEED}, Expected Impact",
            workload=FULL.name,
            reading="less CPU time for the full set",
        ),
        publish_claim(
            id="O08.memory",
            text="Reduced memory usage (vectorized operations)",
            source=f"{SEED}, Expected Impact",
            metric="traced_peak",
            workload=FULL.name,
            reading="a smaller traced peak while the full set is computed",
        ),
    ),
    workloads=(FIVE, PANDAS_LOOPS, FULL),
    may_change="rounding of float64",
    tolerance=1e-9,
)
