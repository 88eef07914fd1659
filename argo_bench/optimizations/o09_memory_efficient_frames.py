"""O09 - memory-efficient frames.

Claim        "40-60% reduction in memory usage" (additional_optimizations.txt, Optimization 9); a later document
             restates it as 48.4 % and 100 MB -> 52 MB.
Baseline     baseline/frame.py: five float64 columns in one block, copied from the provider's array.
Prescribed   The frame is copied, its prices cast to float32 one by one, its volume to the smallest integer that holds
             it; ``gc.collect()`` at the end of every cycle. Wrong, and how it shows:
             - The copy comes before the cast: twice the memory while a frame is made, so that the peak rises.
             - The float64 frame is still held by the caller while the smaller one is filled.
             - A volume above 2^31 or in fractions (crypto) stays 64-bit: less is saved.
             - The columns, once one block, are five: whoever reads them as one copies them.
             - Prices are derived from a float32 close. Stop or target is a cent off in 2 % of prices up to 5,000 and in
               20-35 % at those of BTC; from 131,072 up, where float32 values are 1/64 apart, the entry itself is.
             - At prices in cents a rise of the high often equals a fall of the low. Rounding says which counts, in
               float32 another way, and ADX moves by points: see the arm "float32 at the source".
             - A full collection looks at every object of the process and finds no frame: none is in a reference cycle.
             Two repairs: our columns are written in small letters, with the document's names nothing would be cast at
             all; and the collection is hung on the cycle's last part, not on its walk, which O10 replaces.
Engineered   optimized/frame.py: no copy. The frame is a read-only view of the array that the bars came in, so that
             nothing is rounded and a frame costs its timestamps only. ``memory_usage`` does not see that: it counts the
             provider's array as the frame's. No ``gc.freeze()``, which is state of the process and not of a pipeline,
             and no collection.
             Not float32, which was to be the engineered variant and is an arm: cast once into one block that the frame
             is a view of, volume too (good to 6e-8, and only ratios of it are read), the close handed out as it was
             quoted, so that the prices of signals are right. It takes more than a view takes, and where up and down tie
             it votes otherwise than float64, on about one in a thousand symbol-days with prices in cents.
Simple       The baseline's frame and ``astype("float32")``, without a collection. It rounds as the prescribed one does.
May change   nothing.

How they got that number: a frame of 100 rows without timestamps takes 4,132 bytes in float64 (132 of them the index)
and 2,132 after one cast, with volumes that fit 32 bits: 48.4 %. With timestamps it is 41.7 %, and frames are a small
part of a process.

What no cast can win: 70 % of what the headline's cycle allocates at its peak (1.6 of 2.3 MB at 2,000 bars) are the
lists that the baseline's indicators fill, and they are there whatever a frame weighs. Two readings leave them out: the
same cycle with the indicators of a kernel, and the frames of a universe held at once.
"""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from argo_bench.harness.claims.claim import Claim
from argo_bench.harness.claims.sentence import publish_claim
from argo_bench.optimizations.optimization import (
    CYCLE,
    SIMPLE,
    Optimization,
    Replay,
    Workload,
    keep_baseline,
)
from argo_bench.pipeline.baseline.signals import momentum, trend
from argo_bench.pipeline.model import Bars, Decision, Indicators, Stage, World
from argo_bench.pipeline.optimized.frame import frame as view_of
from argo_bench.pipeline.optimized.indicators import indicators as accumulating_in_float64
from argo_bench.pipeline.record import Edit, Pipeline, quote_digits, settle

CENTS_SURVIVE_BELOW = 131_072.0
"""The price, 2^17, below which cents survive float32.

Below it a float32 is at most 0.0039 off, and rounding finds the cent again; from there up it is 0.0078 off.
"""


def optimize_dataframe_memory(df: pd.DataFrame) -> pd.DataFrame:
    """Cast the frame's columns as the document does."""
    if df is None or df.empty:
        return df
    df = df.copy()
    for column in ("open", "high", "low", "close"):
        if column in df.columns:
            df[column] = df[column].astype("float32")
    if "volume" in df.columns:
        df["volume"] = pd.to_numeric(df["volume"], downcast="integer")
    return df


class CastFrame:
    """Runs a frame stage and then the document's cast."""

    def __init__(self, frame: Stage) -> None:
        self.__wrapped__ = frame

    def __call__(self, world: World, bars: Bars) -> pd.DataFrame:
        df = self.__wrapped__(world, bars)
        return optimize_dataframe_memory(df)


class CollectedAfter:
    """Runs the last part of a cycle and then a full garbage collection."""

    def __init__(self, read: Stage) -> None:
        self.__wrapped__ = read

    async def __call__(self, world: World, symbols: Sequence[str]) -> Any:
        readings = await settle(self.__wrapped__(world, symbols))
        gc.collect()
        return readings


def float32_frame(world: World, bars: Bars) -> pd.DataFrame:
    """Build one float32 block, cast once and never copied; float64 where the last close would lose its cents."""
    dtype = np.float32 if bars.values[3, -1:].max(initial=0.0) < CENTS_SURVIVE_BELOW else np.float64
    return view_of(world, dataclasses.replace(bars, values=bars.values.astype(dtype)))


class AsFloat32:
    """Runs a frame stage and casts all of its columns at once."""

    def __init__(self, frame: Stage) -> None:
        self.__wrapped__ = frame

    def __call__(self, world: World, bars: Bars) -> pd.DataFrame:
        cast: pd.DataFrame = self.__wrapped__(world, bars).astype("float32")
        return cast


class QuotedClose:
    """Wraps an indicators stage and rounds its close, from which
    entry, stop and target are derived, to its quote step."""

    def __init__(self, indicators: Stage) -> None:
        self.__wrapped__ = indicators

    def __call__(self, world: World, frame: pd.DataFrame) -> Indicators:
        found: Indicators = self.__wrapped__(world, frame)
        return dataclasses.replace(found, close=round(found.close, quote_digits(found.close)))


def prescribed(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(frame=CastFrame(pipeline.frame), read=CollectedAfter(pipeline.read))


def engineered(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(frame=view_of)


def simple(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(frame=AsFloat32(pipeline.frame))


def float32_at_the_source(pipeline: Pipeline) -> Pipeline:
    return pipeline.replace(frame=float32_frame, indicators=QuotedClose(pipeline.indicators))


def without_lists(edit: Edit) -> Edit:
    """Return the edit on a pipeline whose indicators come from a kernel, which allocates no columns."""
    return lambda pipeline: edit(pipeline.replace(indicators=accumulating_in_float64))


def of_own_bars(edit: Edit) -> Edit:
    """Return the edit where each frame is made of bars that nobody else holds, as they come from a provider."""

    def edit_pipeline(pipeline: Pipeline) -> Pipeline:
        pipeline = edit(pipeline)
        make = pipeline.frame

        def frame(world: World, bars: Bars) -> pd.DataFrame:
            own = dataclasses.replace(bars, timestamps=bars.timestamps.copy(), values=bars.values.copy())
            made: pd.DataFrame = make(world, own)
            return made

        return pipeline.replace(frame=frame)

    return edit_pipeline


ERRORS = {
    "averages and bands, of the close": (
        *("sma20", "sma50", "sma200", "ema12", "ema26", "bb_upper", "bb_middle", "bb_lower"),
    ),
    "MACD and ATR, of the close": ("macd", "macd_signal", "macd_hist", "atr14"),
    "oscillators, points": ("rsi14", "plus_di14", "minus_di14", "adx14"),
    "volume, of the value": ("volume_sma20", "volume_ratio"),
    "changes and volatilities": ("change_1", "change_4", "volatility20", "volatility50"),
}
"""Groups the indicators whose errors have the same unit: shares
of the close or of the value, points of 100, fractions."""


def frame_damage(expected: Replay, got: Replay) -> Mapping[str, float]:
    """Count the bytes of the frames, and measure what their rounding does to indicators that accumulate in float64."""
    pairs = [
        (read_from(then.result), read_from(now.result)) for then, now in zip(expected.calls, got.calls, strict=True)
    ]
    flips = sum(
        trend(then).direction != trend(now).direction or momentum(then).direction != momentum(now).direction
        for then, now in pairs
    )
    return {
        "frame_bytes": sum(bytes_of(call.result) for call in got.calls),
        "flipped directions": flips,
        **{f"largest error of {what}": max(error(*pair, what) for pair in pairs) for what in ERRORS},
    }


def read_from(frame: pd.DataFrame) -> Indicators:
    return accumulating_in_float64(None, frame)  # type: ignore[arg-type]


def error(expected: Indicators, got: Indicators, what: str) -> float:
    """Return the largest difference of a group of indicators in the group's unit.

    NaNs are on both sides and count nothing.
    """
    found = 0.0
    for name in ERRORS[what]:
        value = getattr(expected, name)
        unit = expected.close if "of the close" in what else value if "of the value" in what else 1.0
        difference = abs(value - getattr(got, name))
        if unit and difference == difference:
            found = max(found, difference / unit)
    return found


def bytes_of(frame: pd.DataFrame) -> int:
    """Return how many bytes pandas says that a frame takes, its index included."""
    return int(frame.memory_usage(deep=True).sum())


def damage_as_published(expected: Replay, got: Replay) -> Mapping[str, float]:
    """Count the bytes of a frame as it must have been measured for the published figure.

    It has as many rows as the recorded bars, no timestamps, and volumes that fit 32 bits.
    """
    length = len(got.calls[0].arguments[0])
    rows = np.arange(1.0, length + 1)
    bars = Bars("AAA", np.datetime64(0, "us") + np.arange(length), np.array([rows, rows, rows, rows, 1e6 + rows]))
    frame = got.pipeline.frame(got.world, bars)
    return {"frame_bytes": bytes_of(frame.reset_index(drop=True))}


def signal_damage(expected: Replay, got: Replay) -> Mapping[str, float]:
    """Count what became of the signals: lost or added ones, other directions or regimes, other figures."""
    left, right = index_decisions(expected), index_decisions(got)
    pairs = [(left[key], right[key]) for key in left.keys() & right.keys()]
    return {
        "signals": len(right),
        "signals missed": len(left.keys() - right.keys()),
        "signals extra": len(right.keys() - left.keys()),
        "decision flips": sum((a.direction, a.regime) != (b.direction, b.regime) for a, b in pairs),
        "prices off": sum((a.entry, a.stop, a.target) != (b.entry, b.stop, b.target) for a, b in pairs),
        "confidences off": sum(a.confidence != b.confidence for a, b in pairs),
        "largest confidence error": max((abs(a.confidence - b.confidence) for a, b in pairs), default=0.0),
    }


def index_decisions(replay: Replay) -> dict[tuple[int, str], Decision]:
    """Return the decisions by cycle and symbol."""
    return {(call.cycle, decision.symbol): decision for call in replay.calls for decision in call.result.decided}


SEED = "additional_optimizations.txt, Optimization 9"
LATER = "a later status document (ALL)"
PUBLISHED_RATIO = 1 / (1 - 0.484)
EDITS: Mapping[str, Edit] = {
    "baseline": keep_baseline,
    "prescribed": prescribed,
    "engineered": engineered,
    SIMPLE: simple,
    "float32 at the source": float32_at_the_source,
}
CYCLES = Workload(
    name="cycle, bars",
    stage=CYCLE,
    inputs="trace",
    description="a whole cycle over six symbols after a first one",
    scales=(2000, 1000, 300),
    unit="bars",
    cycles=2,
)
FRAMES = Workload(
    name="frames",
    stage="frame",
    inputs="miss",
    description="the bars of eight days made into frames, all of which are kept",
    scales=(300, 1000, 2000),
    unit="bars",
    damage=frame_damage,
)
AS_PUBLISHED = Workload(
    name="frames, as published",
    stage="frame",
    inputs="miss",
    description="one frame of stock prices without timestamps, cast once: how the published figure came about",
    scales=(100, 300, 2000),
    unit="bars",
    timed=False,
    damage=damage_as_published,
)
WITHOUT_LISTS = dataclasses.replace(
    CYCLES,
    name="cycle, bars, without the indicators' lists",
    description="the same cycle where a kernel computes the indicators, so that no lists are in the peak",
    scales=(2000,),
    arms={name: without_lists(each) for name, each in EDITS.items()},
    timed=False,
)
UNIVERSE = Workload(
    name="frames of a universe, held at once",
    stage="frame",
    inputs="miss",
    description="the frames of 24 symbols, all kept, of bars that nobody else holds",
    scales=(24,),
    unit="symbols",
    arms={name: of_own_bars(each) for name, each in EDITS.items()},
    timed=False,
)
SIGNALS = Workload(
    name="cycle, signals over 64 days",
    stage=CYCLE,
    inputs="miss",
    description="one cycle on each of 64 days, counted, not timed: what becomes of the signals",
    scales=(6, 3, 12),
    unit="symbols",
    timed=False,
    damage=signal_damage,
    latency_scale=0.0,
)
LONG_RUN = Workload(
    name="cycle, one symbol for long",
    stage=CYCLE,
    inputs="trace",
    description="cycles over one symbol, many of them, whose indicators come from a kernel: does memory grow?",
    scales=(500, 100, 20),
    unit="cycles",
    symbols=1,
    arms={name: without_lists(each) for name, each in EDITS.items()},
    timed=False,
    latency_scale=0.0,
)

OPTIMIZATION = Optimization(
    id="O09",
    name="memory-efficient frames",
    layer="wrap",
    prescribed=prescribed,
    engineered=engineered,
    simple=simple,
    arms={"float32 at the source": float32_at_the_source},
    claims=(
        publish_claim(
            id="O09.memory",
            text="40-60% reduction in memory usage",
            source=f"{SEED}, Expected Impact",
            metric="peak_rss",
            workload=CYCLES.name,
            reading="the largest resident memory during a cycle over six symbols, beyond what was there before it",
            bound="70 % of what a cycle allocates at its peak are the lists of the indicators' loops, which no cast "
            "makes smaller",
            headline=True,
        ),
        publish_claim(
            id="O09.frames",
            text="40-60% reduction in memory usage",
            source=f"{SEED}, Expected Impact",
            metric="frame_bytes",
            workload=FRAMES.name,
            reading="second reading: memory_usage(deep=True) of the frames alone, timestamps included",
        ),
        publish_claim(
            id="O09.held",
            text="40-60% reduction in memory usage",
            source=f"{SEED}, Expected Impact",
            metric="live_bytes",
            workload=FRAMES.name,
            reading="third reading: what is held by frames that are kept",
        ),
        publish_claim(
            id="O09.making",
            text="40-60% reduction in memory usage",
            source=f"{SEED}, Expected Impact",
            metric="traced_peak",
            workload=FRAMES.name,
            reading="fourth reading: the peak of what is allocated while a frame is made",
        ),
        publish_claim(
            id="O09.traced",
            text="40-60% reduction in memory usage",
            source=f"{SEED}, Expected Impact",
            metric="traced_peak",
            workload=CYCLES.name,
            reading="fifth reading: the peak of what is allocated during a cycle over six symbols",
        ),
        publish_claim(
            id="O09.without-lists",
            text="40-60% reduction in memory usage",
            source=f"{SEED}, Expected Impact",
            metric="peak_rss",
            workload=WITHOUT_LISTS.name,
            reading="sixth reading (since 2026-11-29): the headline's peak where a kernel computes the indicators, "
            "since no cast can win the loop's lists",
        ),
        publish_claim(
            id="O09.universe",
            text="40-60% reduction in memory usage",
            source=f"{SEED}, Expected Impact",
            metric="live_bytes",
            workload=UNIVERSE.name,
            reading="seventh reading (since 2026-11-29): what the frames of 24 symbols hold when all are kept at once, "
            "the provider's arrays that they may be views of included",
        ),
        Claim(
            id="O09.float32",
            text="Convert to float32 where precision allows (50% memory reduction)",
            source=f"{SEED}, a comment in the code",
            kind="at_least",
            low=2.0,
            metric="frame_bytes",
            workload=FRAMES.name,
            reading="a frame takes half by memory_usage(deep=True), timestamps included",
        ),
        publish_claim(
            id="O09.gc",
            text="Faster garbage collection",
            source=f"{SEED}, Expected Impact",
            workload=CYCLES.name,
            reading="a cycle takes less CPU time, the garbage collections within it included",
        ),
        publish_claim(
            id="O09.stability",
            text="Better system stability (less memory pressure)",
            source=f"{SEED}, Expected Impact",
            metric="live_bytes",
            workload=LONG_RUN.name,
            reading="less memory is held after 500 cycles than without it (200 until 2026-11-28, with the lists, of "
            'which no cycle leaves any); the document\'s problem is "memory that grows over time"',
        ),
        Claim(
            id="O09.48",
            text="48.4 %; 100 MB -> 52 MB",
            source=LATER,
            kind="at_least",
            low=PUBLISHED_RATIO,
            metric="frame_bytes",
            workload=FRAMES.name,
            reading="frames take at least 48.4 % less by memory_usage(deep=True), timestamps included",
        ),
        Claim(
            id="O09.48.published",
            text="48.4 %; 100 MB -> 52 MB",
            source=LATER,
            kind="at_least",
            low=PUBLISHED_RATIO,
            metric="frame_bytes",
            workload=AS_PUBLISHED.name,
            reading="how they got that number: one cast of a 100-row frame without timestamps, volumes below 2^31",
        ),
    ),
    workloads=(CYCLES, WITHOUT_LISTS, FRAMES, UNIVERSE, AS_PUBLISHED, SIGNALS, LONG_RUN),
)
