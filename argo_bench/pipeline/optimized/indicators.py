"""The indicators by one fused pass over the bars: no columns kept, no copy made, nothing written to the frame.

``Incremental`` makes even that pass only once for a history: from then on the recursions are continued.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from argo_bench.pipeline.baseline.indicators import columns
from argo_bench.pipeline.kernels import (
    FIVE_FIELDS,
    Block,
    closed_sums,
    continued_indicators,
    latest_five,
    latest_indicators,
)
from argo_bench.pipeline.model import COLUMNS, Indicators, Stage, World

CANONICAL = pd.Index(COLUMNS)
"""Frames built with this very index are recognized by identity, which is 3 us cheaper than by comparison."""

DRIFT = 1e-12
"""What ``Incremental`` may differ from a full pass by, relative to the value or to 1 where that is more, however many
bars it was continued over.

Both do the same operations in the same order, so that mostly they do not differ at all. Were a multiplication and an
addition fused in one and not in the other, that would be 1.1e-16 of the sum a bar, which does not add up: a recursion
that keeps k of its sum keeps k of its errors, so that 1 / (1 - k) of them are in it: 14 for Wilder's averages, 13.5 for
the slow EMA. The rest of the bound is for ratios and differences of such sums.
"""


def indicators(world: World, frame: pd.DataFrame) -> Indicators:
    """The latest value of every indicator, from float64 or float32 bars. Raises what the baseline raises."""
    values: list[float] = latest_indicators(block(frame)).tolist()
    if math.isnan(values[0]):
        columns(frame)  # raises: it names the column and the bar, which the kernel does not know
    return Indicators(*values)


def five(world: World, frame: pd.DataFrame) -> dict[str, float]:
    """The five outputs of the published code, from the last 50 bars; bad numbers before them go unnoticed."""
    values: list[float] = latest_five(block(frame)).tolist()
    if math.isnan(values[0]):
        columns(frame)  # raises: it names the column and the bar, which the kernel does not know
    return dict(zip(FIVE_FIELDS, values, strict=True))


def block(frame: pd.DataFrame) -> Block:
    """The frame as a read-only C-contiguous array of shape (5, n): a view where the frame is one block of floats.

    Always read-only, since a kernel compiles anew for writable arrays.
    """
    if not frame.columns.equals(CANONICAL):
        frame = frame[list(COLUMNS)]
    values = frame.to_numpy()
    if values.dtype not in (np.float64, np.float32):
        values = values.astype(np.float64)
    rows = np.ascontiguousarray(values.T)
    rows.flags.writeable = False
    return rows


@dataclass(slots=True)
class History:
    """The closed bars of a symbol, the recursive sums over them, and what came of them with the live bar.

    The bars are a copy: a caller who writes into his frame must not write into the version that is compared with.
    """

    closed: Block
    sums: NDArray[np.float64]
    latest: Indicators
    values: list[float] = field(default_factory=list)

    def continued(self, bars: Block) -> Indicators | None:
        """The indicators of these bars; None where they do not continue the history, which is worthless then."""
        values: list[float] = continued_indicators(bars, self.closed, self.sums).tolist()
        if math.isnan(values[0]):
            return None
        if bars.shape[1] > self.closed.shape[1] + 1:
            self.closed = bars[:, :-1].copy()
        if values != self.values:
            self.values, self.latest = values, Indicators(*values)
        return self.latest


class Incremental:
    """The indicators, continued bar by bar, around the stage that computes them in full.

    The last bar of a frame is live: it may be replaced as often as it likes, and closes when another follows it, with
    whatever values it has then. What the recursive averages carry of the closed bars is kept; of a frame that goes on
    from the same closed bars, the live one and those that have closed since are added by the arithmetic of the full
    pass, and the windows of 20, 50 and 200 bars are summed anew: running sums would drift, and save nothing beside the
    call. So the result is that of the kernel's full pass, up to DRIFT.

    A bar's version is its content. Every closed bar is compared with the one that was seen, 12 kB at 300 bars: a
    comparison of memory, a small part of a pass, whereas trusting the last timestamp would miss a revision. Frames with
    revised, inserted or missing bars, or a shorter history, are computed in full. Timestamps are not compared, since no
    indicator reads them.

    A history is found by its first bar, as the stage is not told the symbol; two with the same one take turns in being
    computed in full. ``maximum`` histories are kept, those used last. ``hits`` are the calls that were continued,
    ``misses`` those that were computed in full.
    """

    def __init__(self, indicators: Stage, maximum: int = 16_384) -> None:
        self.__wrapped__ = indicators
        self.hits = 0
        self.misses = 0
        self._histories: dict[bytes, History] = {}
        self._maximum = maximum

    def __call__(self, world: World, frame: pd.DataFrame) -> Indicators:
        bars = block(frame)
        first = bars[:, :1].tobytes()
        # Taken out, so that bad bars leave no half-continued history behind, and put back last: the order is of use.
        history = self._histories.pop(first, None)
        latest: Indicators | None = None if history is None else history.continued(bars)
        if history is None or latest is None:
            self.misses += 1
            computed: Indicators = self.__wrapped__(world, frame)
            if bars.shape[1] < 2:
                return computed
            latest = computed
            history = History(bars[:, :-1].copy(), closed_sums(bars), latest)
            if len(self._histories) >= self._maximum:
                del self._histories[next(iter(self._histories))]
        else:
            self.hits += 1
        self._histories[first] = history
        return latest
