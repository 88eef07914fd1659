"""What additional_optimizations.txt says is held here: every expected impact, and how it ranks the optimizations.

Each impact comes with the claims that judge it. Priority, effort and phase are the document's own words; reports lay
them beside what was measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple


class Rank(NamedTuple):
    """Says how urgent the document finds an optimization, what it takes, and the week in which it would come.

    The document's sections and its table disagree on O12 (red high), O08 and O11 (green high): the words are taken, not
    the colours. Of the first five the document says only that they are there.
    """

    priority: Literal["high", "medium"]
    effort: Literal["low", "medium", "high"]
    phase: int


RANKS: Mapping[str, Rank] = {
    "O06": Rank("medium", "low", 1),
    "O07": Rank("medium", "low", 1),
    "O08": Rank("high", "medium", 2),
    "O09": Rank("medium", "low", 2),
    "O10": Rank("medium", "medium", 3),
    "O11": Rank("high", "low", 1),
    "O12": Rank("high", "low", 1),
    "O13": Rank("medium", "high", 3),
    "O14": Rank("medium", "low", 2),
    "O15": Rank("medium", "medium", 3),
}


class Statement(NamedTuple):
    """Holds a bullet under "Expected Impact", a row of a table or a comment in the code that promises something.

    It comes with the claims that judge it; where there are none, it says why.
    """

    where: str
    text: str
    claims: tuple[str, ...]
    because: str = ""


STATEMENTS: tuple[Statement, ...] = (
    Statement("summary", "30-50% additional reduction in signal generation time", ("ALL.additional",)),
    Statement("summary", "40-60% reduction in memory usage", ("ALL.memory",)),
    Statement("summary", "50-70% reduction in redundant calculations", ("ALL.redundant", "ALL.redundant-after-five")),
    Statement("summary", "Better CPU utilization through vectorization", ("ALL.utilization",)),
    Statement("6", "50-70% reduction in consensus calculation time (cache hits)", ("O06.time",)),
    Statement("6", "Eliminates redundant calculations for unchanged signals", ("O06.redundant",)),
    Statement("6", "Faster response when signals haven't changed", ("O06.response",)),
    Statement("7", "60-80% reduction in regime detection time", ("O07.time", "O07.hit", "O07.miss")),
    Statement("7", "Eliminates redundant technical analysis calculations", ("O07.redundant",)),
    Statement("7", "Faster signal generation cycles", ("O07.cycle",)),
    Statement(
        "8",
        "10-100x faster indicator calculations",
        ("O08.time", "O08.time-rows", "O08.time-slices", "O08.time-scalars", "O08.full", "O08.pandas"),
    ),
    Statement("8", "Reduced memory usage (vectorized operations)", ("O08.memory",)),
    Statement("8", "Better CPU utilization", ("O08.cpu",)),
    Statement(
        "9",
        "40-60% reduction in memory usage",
        ("O09.memory", "O09.frames", "O09.held", "O09.traced", "O09.without-lists", "O09.universe"),
    ),
    Statement("9", "Faster garbage collection", ("O09.gc",)),
    Statement("9", "Better system stability (less memory pressure)", ("O09.stability",)),
    Statement("10", "20-30% reduction in cycle time (early exit)", ("O10.time", "O10.time-counted")),
    Statement("10", "Better resource utilization (focus on successful symbols)", ("O10.resources", "O10.outage")),
    Statement("10", "Adaptive processing based on success rates", ("O10.adaptive",)),
    Statement("11", "30-50% reduction in serialization time (cache hits)", ("O11.time",)),
    Statement("11", "Reduced CPU usage for repeated serializations", ("O11.cpu",)),
    Statement("11", "Faster API responses", ("O11.responses",)),
    Statement("12", "70-90% reduction in AI reasoning calls", ("O12.calls", "O12.unchanged")),
    Statement("12", "Significant cost savings (AI calls are expensive)", ("O12.savings",)),
    Statement("12", "Faster signal generation (no AI wait time)", ("O12.faster",)),
    Statement("13", "30-40% reduction in CPU usage", ("O13.cpu", "O13.cpu.unchanged")),
    Statement("13", "Faster signal generation (skip unchanged components)", ("O13.faster",)),
    Statement("13", "More efficient processing", ("O13.efficient",)),
    Statement("14", "Better concurrency under load", ("O14.concurrency", "O14.concurrency-own")),
    Statement("14", "Reduced connection overhead", ("O14.overhead",)),
    Statement("14", "Faster API calls (reused connections)", ("O14.calls",)),
    Statement("14", "adaptive sizing", (), "promised in the prose, and no code is given for it"),
    Statement("15", "50-70% reduction in validation time (parallel)", ("O15.time", "O15.plain", "O15.cpu")),
    Statement("15", "Faster signal processing", ("O15.faster",)),
    Statement("15", "Better throughput", ("O15.throughput",)),
    Statement(
        "7, code",
        "5 minute cache (regime changes slowly)",
        (),
        "a remark on markets without a figure; regimes that are served wrongly are counted in O07's damage",
    ),
    Statement(
        "8, code",
        "OPTIMIZATION: Vectorized operations (10-100x faster than loops)",
        ("O08.time", "O08.time-rows", "O08.time-slices", "O08.time-scalars"),
    ),
    Statement("9, code", "OPTIMIZATION: Use appropriate dtypes to reduce memory", ("O09.frames",)),
    Statement("9, code", "Convert to float32 where precision allows (50% memory reduction)", ("O09.float32",)),
    Statement("9, code", "OPTIMIZATION: Explicit memory cleanup after cycle", ("O09.gc", "O09.stability")),
    Statement("12, code", "1 hour cache (reasoning is expensive)", ("O12.savings",)),
    Statement(
        "13, code",
        "Only recalculate indicators if price changed significantly",
        (),
        "the code beside it asks whether the price is equal; what that misses is counted in O13's damage",
    ),
    Statement("14, code", "Increase pool sizes for better concurrency", ("O14.concurrency", "O14.concurrency-own")),
    Statement(
        "14, code",
        "Don't block, raise exception instead",
        (),
        "no gain is stated, and it is not so: the client opens a connection more and throws it away, which O14's trial "
        "counts",
    ),
    Statement("table", "Consensus Calculation Caching: 50-70% faster", ("O06.time",)),
    Statement("table", "Regime Detection Caching: 60-80% faster", ("O07.time",)),
    Statement("table", "Vectorized Pandas Operations: 10-100x faster", ("O08.time", "O08.pandas")),
    Statement("table", "Memory-Efficient DataFrames: 40-60% less memory", ("O09.memory",)),
    Statement("table", "Batch Processing with Early Exit: 20-30% faster", ("O10.time",)),
    Statement("table", "JSON Serialization Caching: 30-50% faster", ("O11.time",)),
    Statement("table", "AI Reasoning Generation Caching: 70-90% cost/time", ("O12.cost", "O12.time", "O12.stage")),
    Statement("table", "Incremental Signal Updates: 30-40% less CPU", ("O13.cpu",)),
    Statement("table", "Connection Pool Tuning: Better concurrency", ("O14.concurrency",)),
    Statement("table", "Async Signal Validation Batching: 50-70% faster", ("O15.time",)),
    Statement("combined", "Signal Generation Time: 0.8-1.5s, 0.4-0.8s", ("ALL.time-after-five",)),
    Statement("combined", "Signal Generation Time: 80-85% faster", ("ALL.time",)),
    Statement("combined", "Memory Usage: 40-60% reduction", ("ALL.memory",)),
    Statement("combined", "CPU Usage: 30-40% reduction", ("ALL.cpu",)),
    Statement("combined", "AI Reasoning Calls: 70-90% reduction", ("ALL.reasoning",)),
    Statement("combined", "API Costs: 70-90% reduction", ("ALL.cost",)),
)
