"""The indicators are computed here in one fused pass over the bars: without columns, a copy or a write to the frame.

``Incremental`` makes even that pass only once for a history: from then on the recursions are continued.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from argo_bench.pipeline.arrays import Frames, IndicatorTable
from argo_bench.pipeline.baseline.indicators import columns
from argo_bench.pipeline.kernels import (
    FIVE_FIELDS,
    SUMS,
    Block,
    continue_all,
    continue_indicators,
    latest_five,
    latest_indicators,
    latest_indicators_of_all,
    sum_closed_bars,
)
from argo_bench.pipeline.model import COLUMNS, Indicators, Stage, World

CANONICAL = pd.Index(COLUMNS)
"""The index object that our frames have for columns: recognizing it by identity is 3 us cheaper than comparing it."""

DRIFT = 1e-12
"""How much ``Incremental`` may differ from a full pass, however many bars it was continued over.

The bound is relative to the value, or to 1 where the value is smaller. Both do the same operations in the same order,
so that mostly they do not differ at all. If a multiplication and an addition were fused in one and not in the other,
each bar would add an error of 1.1e-16 of the sum. These errors do not pile up: a recursion that keeps the share k of
its sum keeps the share k of its errors, so that 1 / (1 - k) of them remain, 14 for Wilder's averages and 13.5 for the
slow EMA. The rest of the bound is for ratios and differences of such sums.
"""


def indicators(world: World, frame: pd.DataFrame) -> Indicators:
    """Compute the latest value of every indicator, from float64 or float32 bars. Raises what the baseline raises."""
    values: list[float] = latest_indicators(block(frame)).tolist()
    if math.isnan(values[0]):
        columns(frame)  # raises, and names the column and the bar, which the kernel does not know
    return Indicators(*values)


def indicators_of_many(world: World, frames: Frames) -> IndicatorTable:
    """Compute what ``indicators`` computes, for all frames by one call. Raises what it raises for the first bad one."""
    values = latest_indicators_of_all(frames.values, frames.ends)
    refuse_bad_bars(frames, values)
    return IndicatorTable(values)


def refuse_bad_bars(frames: Frames, values: NDArray[np.float64]) -> None:
    """Raise what ``indicators`` raises for the first frame whose row in ``values``, of shape (frames, 23), is NaN."""
    for row in np.flatnonzero(np.isnan(values[:, 0])).tolist():
        columns(frames[row])


def five(world: World, frame: pd.DataFrame) -> dict[str, float]:
    """Compute the five outputs of the published code, from the last 50 bars; bad numbers before them go unnoticed."""
    values: list[float] = latest_five(block(frame)).tolist()
    if math.isnan(values[0]):
        columns(frame)  # raises, and names the column and the bar, which the kernel does not know
    return dict(zip(FIVE_FIELDS, values, strict=True))


def block(frame: pd.DataFrame) -> Block:
    """Return the frame as a read-only C-contiguous array of
    shape (5, n), a view where the frame is one block of floats.

    It is always read-only, since a kernel would compile anew for writable arrays.
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
    """Holds the closed bars of a symbol, the recursive sums over them, and what came of them with the live bar.

    The bars are a copy: a caller who writes into his frame must not change what the next frame is compared with.
    """

    closed: Block
    sums: NDArray[np.float64]
    latest: Indicators
    values: list[float] = field(default_factory=list)

    def continue_with(self, bars: Block) -> Indicators | None:
        """Return the indicators of these bars, or None where they do not continue the history.

        A history that returned None is worthless from then on.
        """
        values: list[float] = continue_indicators(bars, self.closed, self.sums).tolist()
        if math.isnan(values[0]):
            return None
        if bars.shape[1] > self.closed.shape[1] + 1:
            self.closed = bars[:, :-1].copy()
        if values != self.values:
            self.values, self.latest = values, Indicators(*values)
        return self.latest


class Histories:
    """Holds what is known of the closed bars of many symbols as arrays, in a row for each symbol.

    The first ``kept`` bars of a symbol are known: ``digests``, uint64 of shape (rows, 2), are theirs, and the recursive
    sums, ``sums``, float64 of shape (rows, 11), were taken over them. The bars themselves come with every answer, and
    are not kept. A row is found by a symbol's first bar. When there are ``maximum`` rows and one more is needed, all
    are forgotten.
    """

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._forget()

    def _forget(self) -> None:
        self._rows: dict[bytes, int] = {}
        self.kept = np.zeros(0, np.int64)
        self.digests = np.zeros((0, 2), np.uint64)
        self.sums = np.zeros((0, SUMS))

    def find_rows(self, blocks: Sequence[Block]) -> NDArray[np.int64]:
        """Return the row of each block, int64 of shape (blocks,), after making room for them."""
        firsts = [block[:, :1].tobytes() for block in blocks]
        if len(self._rows) + len(firsts) > self._maximum and len(self._rows.keys() | firsts) > self._maximum:
            self._forget()
        rows = [self._rows.setdefault(first, len(self._rows)) for first in firsts]
        if (missing := len(self._rows) - len(self.kept)) > 0:
            missing = max(missing, len(self.kept))  # doubled, so that each row is copied once on average
            self.kept = np.pad(self.kept, (0, missing))
            self.digests = np.pad(self.digests, ((0, missing), (0, 0)))
            self.sums = np.pad(self.sums, ((0, missing), (0, 0)))
        return np.array(rows, np.int64)


class Incremental:
    """Continues the indicators bar by bar, and wraps the stage that computes them in full.

    The last bar of a frame is live: it may be replaced any number of times, and closes when another follows it, with
    whatever values it has then. The sums that the recursive averages carry of the closed bars are kept. For a frame
    that goes on from the same closed bars, the live bar and the bars that have closed since are added by the arithmetic
    of the full pass, and the windows of 20, 50 and 200 bars are summed anew: running sums would drift, and would save
    nothing compared with the cost of the call. So the result is that of the kernel's full pass, up to DRIFT.

    The version of a bar is its content. Every closed bar is compared with the one that was seen. That compares 12 kB of
    memory at 300 bars, a small part of a pass; trusting the last timestamp instead would miss a revision. Frames with
    revised, inserted or missing bars, or with a shorter history, are computed in full. Timestamps are not compared,
    since no indicator reads them.

    A history is found by its first bar, as the stage is not told the symbol; two symbols with the same first bar take
    turns in being computed in full. The ``maximum`` histories used last are kept. ``hits`` counts the calls that were
    continued, ``misses`` those that were computed in full.
    """

    def __init__(self, indicators: Stage, maximum: int = 16_384) -> None:
        self.__wrapped__ = indicators
        self.hits = 0
        self.misses = 0
        self._histories: dict[bytes, History] = {}
        self._of_many = Histories(maximum)
        self._maximum = maximum

    @property
    def many(self) -> Stage | None:
        """How many frames are taken at once: where the wrapped stage is the kernel's, which goes on from any bar."""
        return self._continue_many if self.__wrapped__ is indicators else None

    def _continue_many(self, world: World, frames: Frames) -> IndicatorTable:
        """Compute what calls for single frames compute, from histories that these do not share."""
        known = self._of_many
        rows = known.find_rows(frames.blocks)
        values, continued = continue_all(frames.values, frames.ends, rows, known.kept, known.digests, known.sums)
        refuse_bad_bars(frames, values)
        self.hits += continued
        self.misses += len(frames) - continued
        return IndicatorTable(values)

    def __call__(self, world: World, frame: pd.DataFrame) -> Indicators:
        bars = block(frame)
        first = bars[:, :1].tobytes()
        # The history is taken out, so that bad bars leave no half-continued one behind. It is put back last, since the
        # order of the dictionary is the order of use.
        history = self._histories.pop(first, None)
        latest: Indicators | None = None if history is None else history.continue_with(bars)
        if history is None or latest is None:
            self.misses += 1
            computed: Indicators = self.__wrapped__(world, frame)
            if bars.shape[1] < 2:
                return computed
            latest = computed
            history = History(bars[:, :-1].copy(), sum_closed_bars(bars), latest)
            if len(self._histories) >= self._maximum:
                del self._histories[next(iter(self._histories))]
        else:
            self.hits += 1
        self._histories[first] = history
        return latest
