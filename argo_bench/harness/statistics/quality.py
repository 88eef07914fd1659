"""Says what the samples of a comparison tell about their own quality, as flags: no value is dropped for it.

Each check is one number per replicate and a t test over the replicates at 1 %.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from statistics import fmean

from argo_bench.harness.record.records import Block, Samples
from argo_bench.harness.statistics.estimate import RETIRED, block_difference, estimate

MOST_INVALID = 0.10
CONFIDENCE = 0.99
NOTABLE = 0.01
"""Effects below 1 % of a time are not worth a flag, however clear they are."""


def valid_blocks(samples: Samples) -> list[Block]:
    """Return the blocks without a recorded cause from outside, or all of them where none would be left."""
    return [block for block in samples.blocks if block.invalid is None] or samples.blocks


def flag_quality(samples: Sequence[Samples]) -> list[str]:
    """Return the flags that apply: ``unstable``, ``drift``, ``position`` and ``autocorrelation``.

    Samples are unstable where over 10 % of their blocks are invalid.
    """
    blocks = [block for each in samples for block in each.blocks]
    invalid = sum(block.invalid is not None for block in blocks)
    flags = [f"unstable: {invalid} of {len(blocks)} blocks invalid"] if invalid > MOST_INVALID * len(blocks) else []
    per_replicate = [
        [(block.order, block_difference(block.order, block.cpu_ns)) for block in valid_blocks(each)] for each in samples
    ]
    checks: dict[str, Callable[[Sequence[tuple[str, float]]], float | None]] = {
        "drift: the ratio moves during a replicate": _drift,
        "position: the ratio depends on who goes first": _position,
    }
    for name, check in checks.items():
        values = [value for each in per_replicate if (value := check(each)) is not None]
        if _is_clear(values, NOTABLE):
            flags.append(name)
    correlations = [value for each in per_replicate if (value := _autocorrelation(each)) is not None]
    if _is_clear(correlations, 0.2):
        flags.append("autocorrelation: neighbouring blocks resemble each other")
    return flags


def _is_clear(values: Sequence[float], least: float) -> bool:
    if len(values) < 3:
        return False
    found = estimate(values, CONFIDENCE, RETIRED)
    return abs(found.theta) > least and found.low is not None and found.high is not None and found.low * found.high > 0


def _drift(blocks: Sequence[tuple[str, float]]) -> float | None:
    """Return the change of the log-ratio from the first block to the last, by least squares; None below four blocks."""
    n = len(blocks)
    if n < 4:
        return None
    middle, mean = (n - 1) / 2, fmean(value for _, value in blocks)
    slope = math.fsum((k - middle) * (value - mean) for k, (_, value) in enumerate(blocks))
    return slope / math.fsum((k - middle) ** 2 for k in range(n)) * (n - 1)


def position_effect(samples: Samples) -> float | None:
    """Return how much the log-ratio of one replicate depends on who goes first; None where one order is missing."""
    return _position([(block.order, block_difference(block.order, block.cpu_ns)) for block in valid_blocks(samples)])


def _position(blocks: Sequence[tuple[str, float]]) -> float | None:
    """Return how much the log-ratio depends on who goes first; None where one order is missing."""
    outer = [value for order, value in blocks if order == "ABBA"]
    inner = [value for order, value in blocks if order == "BAAB"]
    return fmean(outer) - fmean(inner) if outer and inner else None


def _autocorrelation(blocks: Sequence[tuple[str, float]]) -> float | None:
    """Return the correlation of neighbouring blocks, corrected for its bias of -1/n; None below eight blocks."""
    n = len(blocks)
    if n < 8:
        return None
    mean = fmean(value for _, value in blocks)
    deviations = [value - mean for _, value in blocks]
    total = math.fsum(each * each for each in deviations)
    if total == 0:
        return None
    return math.fsum(a * b for a, b in itertools.pairwise(deviations)) / total + 1 / n
