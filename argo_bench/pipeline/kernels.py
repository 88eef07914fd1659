"""Every numba kernel of the package is in this module: numba's disk cache does not see changes in another file.

A block is a C-contiguous array of shape (5, n), float64 or float32, with one row each for open, high, low, close,
volume, oldest bar first. Kernels compile at their first call, accumulate in float64 and never write to their input.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from argo_bench.pipeline.model import Indicators

Block = NDArray[np.float64] | NDArray[np.float32]
Values = NDArray[np.float64] | NDArray[np.float32]
Kernel = TypeVar("Kernel", bound=Callable[..., Any])
Decorator = Callable[[Kernel], Kernel]

FIELDS = tuple(field.name for field in dataclasses.fields(Indicators))
"""The names of the numbers that ``latest_indicators`` returns, in their order."""

FIVE_FIELDS = ("close", "sma20", "sma50", "volume_ratio", "change_1")
"""The names of the numbers that ``latest_five`` returns, in their order."""

SHORT, MEDIUM, LONG = 20, 50, 200
FAST, SLOW, SIGNAL = 12, 26, 9
WILDER = 14
BAND_WIDTH = 2.0
CHANGE = 4

FAST_KEEP, SLOW_KEEP, SIGNAL_KEEP = 1 - 2 / (FAST + 1), 1 - 2 / (SLOW + 1), 1 - 2 / (SIGNAL + 1)
WILDER_KEEP = 1 - 1 / WILDER
FAST_SCALE, SLOW_SCALE, SIGNAL_SCALE = 1 - FAST_KEEP, 1 - SLOW_KEEP, 1 - SIGNAL_KEEP

FAST_SEED, SLOW_SEED, SIGNAL_SEED = FAST - 1, SLOW - 1, SLOW + SIGNAL - 2
DIRECTION_SEED, WILDER_SEED, ADX_SEED = WILDER - 1, WILDER, 2 * WILDER - 1
LAST_SEED = max(FAST_SEED, SIGNAL_SEED, ADX_SEED)

SUMS = 11
"""The number of recursive sums that ``carry`` takes from bar to bar."""

NAN = math.nan

# The flags "nnan" and "ninf" are left out, since the kernels have to tell a NaN from a number.
exact: Decorator[Any] = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
# Sums over windows may be reordered, so that they use vector registers. The recursions may not, since reordering makes
# their chains of dependent operations longer.
reordered: Decorator[Any] = njit(
    cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz", "arcp", "afn"}
)


@exact
def latest_indicators(block: Block) -> NDArray[np.float64]:
    """Compute the latest value of every indicator, float64 in the order of FIELDS.

    All values are NaN where a bar holds a NaN or an infinity.
    """
    bars = block.shape[1]
    if bars == 0:
        return np.full(len(FIELDS), NAN)
    sums = np.zeros(SUMS)
    first = 0.0
    for row in range(len(block)):
        first += np.float64(block[row, 0])
    if 0.0 * first + carry(sums, block, 1, bars) != 0.0:
        return np.full(len(FIELDS), NAN)
    values: NDArray[np.float64] = indicator_values(block, sums)
    return values


@exact
def carry(sums: NDArray[np.float64], block: Block, start: int, stop: int) -> float:
    """Carry the recursive sums, in place, over the bars from ``start`` (1 or later) to ``stop - 1``.

    At ``start`` 1 the sums have to be zeros; from there on they may be carried in any steps, with the same result.
    Returns 0, or NaN where one of these bars holds a NaN or an infinity, which makes the sums worthless.

    Every recursive average is kept as a weighted sum, ``sum = keep * sum + value``: that is one fused multiply-add per
    bar, so the chains of dependent operations are short and overlap. The average is the sum times ``1 - keep``. It is
    seeded by giving the sum a value at the right bar; while one of Wilder's averages is being seeded, its sum keeps
    everything.

    Some numbers are reached by fewer operations: the RSI sums changes and their sizes instead of gains and losses; the
    true range spans the bar and the close before it; ADX needs no range, which cancels between +DI and -DI.
    """
    opened, high, low, close, volume = block[0], block[1], block[2], block[3], block[4]
    fast, slow, quick, signal, moved, drift, span, range_sum, rising, falling, trend = sums
    signal_keep = SIGNAL_KEEP if start > SIGNAL_SEED else 1.0
    wilder_keep = WILDER_KEEP if start > WILDER_SEED else 1.0
    direction_keep = WILDER_KEEP if start > DIRECTION_SEED else 1.0
    trend_keep = WILDER_KEEP if start > ADX_SEED else 1.0
    before, high_before, low_before = (
        np.float64(close[start - 1]),
        np.float64(high[start - 1]),
        np.float64(low[start - 1]),
    )
    taint = 0.0
    for bar in range(start, stop):
        top, bottom, price = np.float64(high[bar]), np.float64(low[bar]), np.float64(close[bar])
        taint += 0.0 * ((np.float64(opened[bar]) + np.float64(volume[bar])) + (top + bottom))

        fast = FAST_KEEP * fast + price
        slow = SLOW_KEEP * slow + price
        quick = FAST_KEEP * quick + price
        signal = signal_keep * signal + (FAST_SCALE * quick - SLOW_SCALE * slow)

        step = price - before
        drift = wilder_keep * drift + step
        moved = wilder_keep * moved + abs(step)

        true_range = (top if top > before else before) - (bottom if bottom < before else before)
        span = wilder_keep * span + true_range
        range_sum = direction_keep * range_sum + true_range
        up, down = max(top - high_before, 0.0), max(low_before - bottom, 0.0)
        rising = direction_keep * rising + (up if up > down else 0.0)
        falling = direction_keep * falling + (down if down > up else 0.0)
        directed = rising + falling
        trend = trend_keep * trend + (abs(rising - falling) / directed if directed > 0.0 else 0.0)

        before, high_before, low_before = price, top, bottom
        if bar <= LAST_SEED:
            if bar == FAST_SEED:
                fast = mean(close, 0, FAST) / FAST_SCALE
            if bar == DIRECTION_SEED:
                direction_keep = WILDER_KEEP
                trend = 0.0
            if bar == WILDER_SEED:
                wilder_keep = WILDER_KEEP
            if bar == SLOW_SEED:
                slow = mean(close, 0, SLOW) / SLOW_SCALE
                quick = mean(close, SLOW - FAST, SLOW) / FAST_SCALE
                signal = FAST_SCALE * quick - SLOW_SCALE * slow
            if bar == ADX_SEED:
                trend_keep = WILDER_KEEP
            if bar == SIGNAL_SEED:
                signal *= 1 / (SIGNAL * SIGNAL_SCALE)
                signal_keep = SIGNAL_KEEP
    sums[:] = (fast, slow, quick, signal, moved, drift, span, range_sum, rising, falling, trend)
    found: float = taint + 0.0 * fast
    return found


@exact
def indicator_values(block: Block, sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the numbers of ``latest_indicators`` from the sums over all bars.

    The windows are summed from the last bars.
    """
    close, volume = block[3], block[4]
    bars = close.size
    fast, slow, quick, signal, moved, drift, span, range_sum, rising, falling, trend = sums
    sma_short = latest_mean(close, SHORT)
    volume_mean = latest_mean(volume, SHORT)
    band = BAND_WIDTH * latest_deviation(close, SHORT)
    line = FAST_SCALE * quick - SLOW_SCALE * slow if bars > SIGNAL_SEED else NAN
    average = SIGNAL_SCALE * signal
    return np.array(
        (
            np.float64(close[bars - 1]),
            sma_short,
            latest_mean(close, MEDIUM),
            latest_mean(close, LONG),
            FAST_SCALE * fast if bars > FAST_SEED else NAN,
            SLOW_SCALE * slow if bars > SLOW_SEED else NAN,
            line,
            average if bars > SIGNAL_SEED else NAN,
            line - average,
            (50 + 50 * (drift / moved) if moved > 0.0 else 0.0) if bars > WILDER_SEED else NAN,
            span / WILDER if bars > WILDER_SEED else NAN,
            share(rising, range_sum) if bars > WILDER_SEED else NAN,
            share(falling, range_sum) if bars > WILDER_SEED else NAN,
            100 * trend / WILDER if bars > ADX_SEED else NAN,
            sma_short + band,
            sma_short,
            sma_short - band,
            volume_mean,
            ratio(volume, volume_mean),
            latest_change(close, 1),
            latest_change(close, CHANGE),
            latest_volatility(close, SHORT),
            latest_volatility(close, MEDIUM),
        )
    )


@exact
def latest_indicators_of_all(values: NDArray[np.float64], ends: NDArray[np.int64]) -> NDArray[np.float64]:
    """Compute ``latest_indicators`` of many blocks, float64 of shape (blocks, 23).

    ``values`` are their bars, block after block, float64 and one-dimensional; ``ends`` says where each ends there.
    """
    found = np.empty((len(ends), len(FIELDS)))
    start = 0
    for symbol in range(len(ends)):
        block = values[start : ends[symbol]].reshape((5, (ends[symbol] - start) // 5))
        found[symbol] = latest_indicators(block)
        start = ends[symbol]
    return found


@exact
def sum_closed_bars(block: Block) -> NDArray[np.float64]:
    """Return the recursive sums over all bars of a block but the last one, which is live."""
    sums = np.zeros(SUMS)
    carry(sums, block, 1, block.shape[1] - 1)
    return sums


@exact
def continue_indicators(block: Block, closed: Block, sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the numbers of ``latest_indicators``, in a time that grows with the history only by a comparison.

    ``closed`` are the bars, one or more, that ``sums`` were taken over. The sums are carried on, in place, over the
    bars that have closed since; the last bar of the block is live and leaves no trace in them. All values are NaN where
    the block does not begin with the closed bars or has none after them, and where a later bar holds a NaN or an
    infinity, which makes the sums worthless.
    """
    kept, live = closed.shape[1], block.shape[1] - 1
    if live < kept or not begins_with(block, closed, kept):
        return np.full(len(FIELDS), NAN)
    taint = carry(sums, block, kept, live)
    with_live = sums.copy()
    if taint + carry(with_live, block, live, live + 1) != 0.0:
        return np.full(len(FIELDS), NAN)
    values: NDArray[np.float64] = indicator_values(block, with_live)
    return values


@exact
def continue_all(
    values: NDArray[np.float64],
    ends: NDArray[np.int64],
    rows: NDArray[np.int64],
    kept: NDArray[np.int64],
    digests: NDArray[np.uint64],
    sums: NDArray[np.float64],
) -> tuple[NDArray[np.float64], int]:
    """Compute the numbers of many blocks, float64 of shape (blocks, 23), each from what is known of its closed bars.

    The blocks are those of ``latest_indicators_of_all``; ``rows`` has the row of each in the three arrays that follow.
    The first ``kept`` bars of a block are known: ``digests``, of shape (rows, 2), are theirs, and ``sums``, of shape
    (rows, 11), were taken over them. All three are brought up to date in place. A block that does not go on from the
    bars that are known begins anew, in a full pass. Returns how many went on as well. The numbers are NaN where a bar
    holds a NaN or an infinity; then no bar is known any more.
    """
    found = np.full((len(ends), len(FIELDS)), NAN)
    continued = 0
    start = 0
    for number in range(len(ends)):
        row, bars = rows[number], (ends[number] - start) // 5
        block = values[start : ends[number]].reshape((5, bars))
        start = ends[number]
        if bars < 2:
            found[number] = latest_indicators(block)
            continue
        known, live = kept[row], bars - 1
        taint = 0.0
        digest = digest_bars(block, 0, min(known, live))
        if 0 < known <= live and digest[0] == digests[row, 0] and digest[1] == digests[row, 1]:
            continued += 1
        else:
            known = 0
            digests[row, :] = np.uint64(0)
            sums[row, :] = 0.0
            for each in range(5):
                taint += 0.0 * block[each, 0]
        taint += carry(sums[row], block, max(known, 1), live)
        with_live = sums[row].copy()
        taint += carry(with_live, block, live, live + 1)
        kept[row] = 0
        if taint == 0.0:
            found[number] = indicator_values(block, with_live)
            digest = digest_bars(block, known, live)
            digests[row, 0] += digest[0]
            digests[row, 1] += digest[1]
            kept[row] = live
    return found, continued


PLACE, LOW_HALF, HALF = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xFFFFFFFF), np.uint64(32)


@exact
def digest_bars(block: NDArray[np.float64], start: int, stop: int) -> tuple[np.uint64, np.uint64]:
    """Return a digest of the bars from ``start`` to before ``stop``; the digests of successive bars add up.

    The first number is the sum of the values' bits, so that one value which differs is always noticed. The second one
    is the sum of the products of their halves, each after a key of its place (NH; Black et al., UMAC, 1999): where two
    or more values differ, one case in four thousand million goes unnoticed.
    """
    bits = block.view(np.uint64)
    plain = keyed = np.uint64(0)
    for row in range(5):
        first = PLACE * np.uint64(1 + (row << 32))
        for bar in range(start, stop):
            value = bits[row, bar]
            plain += value
            mixed = value ^ (first + PLACE * np.uint64(bar))
            keyed += (mixed & LOW_HALF) * (mixed >> HALF)
    return plain, keyed


@exact
def begins_with(block: Block, bars: Block, count: int) -> bool:
    """Return whether a block begins with the first ``count`` of these bars.

    Differences are counted over a whole row, since a loop that may stop early uses no vector registers.
    """
    for row in range(len(bars)):
        different = 0
        for bar in range(count):
            different += block[row, bar] != bars[row, bar]
        if different:
            return False
    return True


@exact
def latest_five(block: Block) -> NDArray[np.float64]:
    """Compute the published code's five outputs, float64 in the order of FIVE_FIELDS, from the last bars alone.

    All values are NaN where a bar that is read holds a NaN or an infinity; the bars before are not looked at.
    """
    close, volume = block[3], block[4]
    bars = close.size
    if bars == 0:
        return np.full(len(FIVE_FIELDS), NAN)
    if 0.0 * (mean(close, max(bars - MEDIUM, 0), bars) + mean(volume, max(bars - SHORT, 0), bars)) != 0.0:
        return np.full(len(FIVE_FIELDS), NAN)
    return np.array(
        (
            np.float64(close[bars - 1]),
            latest_mean(close, SHORT),
            latest_mean(close, MEDIUM),
            ratio(volume, latest_mean(volume, SHORT)),
            latest_change(close, 1),
        )
    )


@reordered
def mean(values: Values, start: int, stop: int) -> float:
    total = 0.0
    for bar in range(start, stop):
        total += np.float64(values[bar])
    return total / (stop - start)


@reordered
def latest_mean(values: Values, count: int) -> float:
    return mean(values, values.size - count, values.size) if values.size >= count else NAN


@reordered
def latest_deviation(values: Values, count: int) -> float:
    """Return the population's standard deviation about the mean.

    The mean of the squares minus the square of the mean would lose its digits to cancellation.
    """
    if values.size < count:
        return NAN
    center = latest_mean(values, count)
    total = 0.0
    for bar in range(values.size - count, values.size):
        distance = np.float64(values[bar]) - center
        total += distance * distance
    return math.sqrt(total / count)


@reordered
def latest_volatility(close: Values, count: int) -> float:
    """Return the sample's standard deviation of 1-bar returns.

    It is computed from growth, which is the return plus 1 and has the same deviation.
    """
    if close.size <= count:
        return NAN
    start = close.size - count
    center = 0.0
    for bar in range(start, close.size):
        center += np.float64(close[bar]) / np.float64(close[bar - 1])
    center /= count
    total = 0.0
    for bar in range(start, close.size):
        distance = np.float64(close[bar]) / np.float64(close[bar - 1]) - center
        total += distance * distance
    return math.sqrt(total / (count - 1))


@exact
def latest_change(close: Values, count: int) -> float:
    if close.size <= count:
        return NAN
    return np.float64(close[close.size - 1]) / np.float64(close[close.size - 1 - count]) - 1.0


@exact
def ratio(values: Values, average: float) -> float:
    """Return the latest value over the average; NaN where the average is 0."""
    return np.float64(values[values.size - 1]) / average if average != 0.0 else NAN


@exact
def share(part: float, whole: float) -> float:
    """Return the part as a percentage of the whole; 0 where the whole is 0."""
    return 100 * part / whole if whole > 0.0 else 0.0


ROUNDING = 1e-13
"""The share of the numbers' sizes by which two sums of up to 200 numbers, each in an order of its own, differ at most.

A sum of n numbers in any order is off by at most n 2^-53 of the sum of their sizes (Higham, Accuracy and Stability of
Numerical Algorithms, 2002, section 4.2). Where two averages are compared, four sums take part: 4 x 200 x 2^-53 < 1e-13.
The error of a deviation is smaller, measured by the sum of the sizes of what deviates.
"""

TRENDING, CONSOLIDATION, VOLATILE, IN_DOUBT = 0, 1, 2, -1
"""The numbers that ``latest_regime`` returns."""


@exact
def latest_regime(close: Values, volatile_ratio: float) -> int:
    """Return the regime of the last 200 closes, or IN_DOUBT where
    the order of the sums would decide or a number is missing.

    ``close`` has 200 values or more. The regime is VOLATILE where the deviation of the returns over 20 bars is more
    than ``volatile_ratio`` times that over 50 bars.
    """
    slack = ROUNDING * growth(close, MEDIUM)
    excess = latest_volatility(close, SHORT) - volatile_ratio * latest_volatility(close, MEDIUM)
    if not abs(excess) > slack:
        return IN_DOUBT
    if excess > 0.0:
        return VOLATILE
    slack = ROUNDING * size(close, LONG) / LONG
    short, medium, long = latest_mean(close, SHORT), latest_mean(close, MEDIUM), latest_mean(close, LONG)
    if not (abs(short - medium) > slack and abs(medium - long) > slack):
        return IN_DOUBT
    return TRENDING if (short > medium) == (medium > long) else CONSOLIDATION


@exact
def latest_regime_of_all(
    values: NDArray[np.float64], ends: NDArray[np.int64], volatile_ratio: float
) -> NDArray[np.int64]:
    """Return ``latest_regime`` of many blocks, int64 of shape (blocks,).

    It is IN_DOUBT for a block of fewer than 200 bars as well. The blocks are those of ``latest_indicators_of_all``.
    """
    found = np.full(len(ends), IN_DOUBT)
    start = 0
    for symbol in range(len(ends)):
        bars = (ends[symbol] - start) // 5
        if bars >= LONG:
            found[symbol] = latest_regime(values[start + 4 * bars - LONG : start + 4 * bars], volatile_ratio)
        start = ends[symbol]
    return found


@reordered
def size(values: Values, count: int) -> float:
    """Return the sum of the sizes (absolute values) of the latest values."""
    total = 0.0
    for bar in range(values.size - count, values.size):
        total += abs(np.float64(values[bar]))
    return total


@reordered
def growth(close: Values, count: int) -> float:
    """Return the sum of the sizes (absolute values) of the latest 1-bar growth factors."""
    total = 0.0
    for bar in range(close.size - count, close.size):
        total += abs(np.float64(close[bar]) / np.float64(close[bar - 1]))
    return total
