"""The regime is detected here by one kernel over the last 200 closes, and remembered for closes seen before."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xxhash
from numpy.typing import NDArray

from argo_bench.pipeline.arrays import REGIME_NUMBERS, UNKNOWN, Frames, RegimeColumn
from argo_bench.pipeline.baseline.regime import MINIMUM_BARS, VOLATILE_RATIO
from argo_bench.pipeline.kernels import CONSOLIDATION, IN_DOUBT, TRENDING, VOLATILE, latest_regime, latest_regime_of_all
from argo_bench.pipeline.memo import Memo
from argo_bench.pipeline.model import Regime, Stage, World

NAMES: dict[int, Regime] = {TRENDING: "TRENDING", CONSOLIDATION: "CONSOLIDATION", VOLATILE: "VOLATILE"}
SCHEMA = f"1:{MINIMUM_BARS}:{VOLATILE_RATIO}"
"""Names the thresholds, so that entries detected by other ones are never served."""


class Detector:
    """Detects the regime by a kernel, with the same results as ``regime``, the stage that it wraps.

    Float32 closes are taken as the float64 numbers that they are. Where two averages lie so near to each other that the
    order of a sum decides, ``regime`` is asked: a kernel that sums as pandas does today would be wrong when pandas sums
    otherwise, as it does where bottleneck is installed.
    """

    def __init__(self, regime: Stage) -> None:
        self.__wrapped__ = regime

    def __call__(self, world: World, frame: pd.DataFrame) -> Regime:
        close = closes(frame)
        if len(close) < MINIMUM_BARS:
            return "UNKNOWN"
        detected = latest_regime(close, VOLATILE_RATIO)
        if detected == IN_DOUBT:
            asked: Regime = self.__wrapped__(world, frame.assign(close=frame["close"].astype(np.float64)))
            return asked
        return NAMES[detected]

    def many(self, world: World, frames: Frames) -> RegimeColumn:
        """Detect the regimes of many frames by one call."""
        numbers = latest_regime_of_all(frames.values, frames.ends, VOLATILE_RATIO)
        for row in np.flatnonzero(numbers == IN_DOUBT).tolist():
            is_short = frames.blocks[row].shape[1] < MINIMUM_BARS
            numbers[row] = UNKNOWN if is_short else REGIME_NUMBERS[self(world, frames[row])]
        return RegimeColumn(numbers)


def remember(regime: Stage) -> Memo:
    """Wrap a detector in a Memo. The detector is a pure function of the closes, so nothing expires."""
    return Memo(Detector(regime), make_key, disk=True, schema=SCHEMA)


def make_key(frame: pd.DataFrame) -> bytes:
    """Return all that the detector reads, as a digest of 16 bytes (XXH3-128)."""
    return xxhash.xxh3_128_digest(closes(frame).data)


def closes(frame: pd.DataFrame) -> NDArray[np.float64]:
    """Return the last 200 closes, or all where there are fewer; a view where the frame is one block of float64.

    The array is always read-only, since a kernel would compile anew for writable ones. Going over the frame's values
    takes an eighth of the time that going over its column takes.
    """
    column = frame.to_numpy()[-MINIMUM_BARS:, frame.columns.get_loc("close")]
    close = np.ascontiguousarray(column, dtype=np.float64)
    close.flags.writeable = False
    return close
