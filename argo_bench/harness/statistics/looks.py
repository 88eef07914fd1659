"""Says when a comparison may stop: at fixed numbers of replicates (looks), with the error of all of them controlled.

At every look the interval has the same nominal error, chosen so that the chance of being wrong at any look is the
overall error (Pocock's boundary, 1977, for t statistics). Looking four times at 5 % each would be wrong 13 % of the
time.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import msgspec
import numpy as np

from argo_bench.harness.claims.claim import EPSILON, Claim
from argo_bench.harness.claims.verdict import judge
from argo_bench.harness.machine.environment import user_folder
from argo_bench.harness.statistics.estimate import Estimate, student_t

LOOKS = (6, 10, 16, 24)
POWER = 0.95
PRECISE_ENOUGH = 0.005
"""At this half-width (of ln), half a percent, an interval is narrow enough to stop measuring."""

FUTILE = 1.5
"""Measuring is given up when a projection needs this many times the replicates of the last look."""

SIMULATED = 2_000_000
KNOWN = {0.05: 0.0167, 0.10: 0.0359, 0.01: 0.00298, 0.05 / 3: 0.00511, 0.05 / 15: 0.000943}
"""These were simulated for LOOKS, so that a run need not wait three seconds for common errors; a test repeats it."""

CHUNK = 250_000
DIGITS = 3


@cache
def nominal_error(overall: float, looks: tuple[int, ...] = LOOKS) -> float:
    """Return the error of each look that keeps the error of all looks together at ``overall``, to three digits.

    It comes from a seeded simulation of two million experiments without an effect; for a single look nothing is
    simulated. Raises ValueError unless 0 < overall < 1 and the looks increase, from at least two where there are
    several.
    """
    if not 0 < overall < 1 or list(looks) != sorted(set(looks)) or not looks:
        raise ValueError(f"expected an error within (0, 1) and increasing looks, got {overall!r} and {looks!r}")
    if len(looks) == 1:
        return overall
    if looks[0] < 2:
        raise ValueError(f"expected increasing looks from 2, since one replicate has no interval, got {looks!r}")
    return KNOWN[overall] if looks == LOOKS and overall in KNOWN else _recall_or_simulate(overall, looks)


def _recall_or_simulate(overall: float, looks: tuple[int, ...]) -> float:
    """Return the error from the user's folder, where a simulation of three seconds is kept for the next time."""
    file = user_folder() / "nominal_errors.json"
    key = f"{overall!r} {looks!r} {SIMULATED}"
    try:
        kept = msgspec.json.decode(file.read_bytes(), type=dict[str, float])
    except (OSError, msgspec.MsgspecError):
        kept = {}
    if key not in kept:
        kept[key] = simulate_error(overall, looks)
        with contextlib.suppress(OSError):  # an error that cannot be kept is simulated again
            file.parent.mkdir(parents=True, exist_ok=True)
            scratch = file.with_suffix(f".{os.getpid()}")
            scratch.write_bytes(msgspec.json.encode(kept))
            os.replace(scratch, file)
    return kept[key]


def simulate_error(overall: float, looks: tuple[int, ...]) -> float:
    """Compute ``nominal_error`` by simulation."""
    statistics = _null_statistics(looks)
    low, high = overall / len(looks), overall
    while high - low > 1e-4 * low:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if _error_of_any(statistics, looks, middle) < overall else (low, middle)
    return float(f"{math.sqrt(low * high):.{DIGITS}g}")


@cache
def _null_statistics(looks: tuple[int, ...]) -> np.ndarray:
    """Simulate experiments in which nothing differs; return |t| at each look, float32 of shape (SIMULATED, looks)."""
    rng = np.random.Generator(np.random.PCG64(20_250_115))
    found = np.empty((SIMULATED, len(looks)), np.float32)
    for start in range(0, SIMULATED, CHUNK):
        values = rng.standard_normal((CHUNK, looks[-1]))
        for number, look in enumerate(looks):
            seen = values[:, :look]
            deviation = seen.std(axis=1, ddof=1)
            found[start : start + CHUNK, number] = np.abs(seen.mean(axis=1)) * math.sqrt(look) / deviation
    return found


def _error_of_any(statistics: np.ndarray, looks: Sequence[int], nominal: float) -> float:
    critical = np.array([student_t(1 - nominal / 2, look - 1) for look in looks], np.float32)
    return float((statistics > critical).any(axis=1).mean())


def smallest_detectable(estimate: Estimate) -> float | None:
    """Return the smallest effect |theta| that this many replicates would have found with a power of 95 %.

    It is (t(1 - alpha/2) + t(0.95)) s / sqrt(R), both quantiles with R - 1 degrees of freedom; None without an
    interval.
    """
    if estimate.deviation is None:
        return None
    degrees = estimate.replicates - 1
    quantiles = student_t((1 + estimate.level) / 2, degrees) + student_t(POWER, degrees)
    return quantiles * estimate.deviation / math.sqrt(estimate.replicates)


@dataclass(frozen=True, slots=True)
class Outlook:
    """Says what an inconclusive result would take: the edge (a speed-up) to be cleared, and replicates."""

    edge: float
    replicates: int


def outlook(claim: Claim, estimate: Estimate, most: int = 10_000) -> Outlook | None:
    """Project how many replicates would put the interval on one side of the nearest edge, if nothing else changed.

    None where there is no interval yet, or where even ``most`` replicates would not do.
    """
    if estimate.deviation is None:
        return None
    if claim.kind == "difference":
        edge, distance = _clearest(-estimate.theta)
    else:
        straddled = [
            edge
            for edge in claim.edges()
            if estimate.low is not None and estimate.high is not None and -estimate.high <= edge <= -estimate.low
        ]
        if not straddled:
            return None
        edge = min(straddled, key=lambda each: abs(each + estimate.theta))
        distance = abs(edge + estimate.theta)
    needed = replicates_for(distance, estimate.deviation, estimate.level, most)
    return None if needed is None else Outlook(math.exp(edge), needed)


def _clearest(value: float) -> tuple[float, float]:
    """Return the edge at which an open question can be decided with the widest interval, and the distance to it.

    The edge is 0 (is there a difference at all?) or EPSILON on the value's side (is there one that matters?).
    """
    relevant = EPSILON - abs(value)
    return (0.0, abs(value)) if abs(value) >= relevant else (math.copysign(EPSILON, value), relevant)


def replicates_for(half_width: float, deviation: float, level: float, most: int = 10_000) -> int | None:
    """Return the fewest replicates whose interval is at most this wide on either side, or None beyond ``most``."""
    if deviation == 0:
        return 2
    low, high = 2, most
    if half_width <= 0 or _half_width(most, deviation, level) > half_width:
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _half_width(middle, deviation, level) <= half_width else (middle + 1, high)
    return low


def _half_width(replicates: int, deviation: float, level: float) -> float:
    return student_t((1 + level) / 2, replicates - 1) * deviation / math.sqrt(replicates)


def is_decided(claims: Sequence[Claim], metric_estimates: Sequence[Estimate]) -> bool:
    """Say whether every claim that rests on a comparison has its verdict, or an interval as narrow as it need be."""
    return all(
        judge(claim, estimate) != "inconclusive" or _is_precise(estimate)
        for claim, estimate in zip(claims, metric_estimates, strict=True)
    )


def is_futile(claims: Sequence[Claim], metric_estimates: Sequence[Estimate], most: int) -> bool:
    """Say whether no claim without a verdict can be expected to get one within ``most`` replicates.

    The projection may be off by FUTILE, since it rests on a deviation of a few values and on an estimate that is still
    uncertain itself.
    """
    open_claims = [
        (claim, estimate)
        for claim, estimate in zip(claims, metric_estimates, strict=True)
        if judge(claim, estimate) == "inconclusive"
    ]
    return bool(open_claims) and all(_is_far(claim, estimate, most) for claim, estimate in open_claims)


def _is_far(claim: Claim, estimate: Estimate, most: int) -> bool:
    """Say whether a verdict is out of reach wherever within one standard error the truth may lie."""
    if estimate.deviation is None:
        return False
    error = estimate.deviation / math.sqrt(estimate.replicates)
    shifted = (msgspec.structs.replace(estimate, theta=estimate.theta + step * error) for step in (-1, 0, 1))
    projections = [outlook(claim, each) for each in shifted]
    return all(each is None or each.replicates > FUTILE * most for each in projections)


def has_ended(claims: Sequence[Claim], metric_estimates: Sequence[Estimate], most: int) -> bool:
    """Say whether a comparison leaves at a look: its verdicts are clear, or cannot be expected to become clear."""
    return is_decided(claims, metric_estimates) or is_futile(claims, metric_estimates, most)


def _is_precise(estimate: Estimate) -> bool:
    return estimate.low is not None and estimate.high is not None and estimate.high - estimate.low <= 2 * PRECISE_ENOUGH
