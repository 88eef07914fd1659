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
from pathlib import Path

import msgspec
import numpy as np

from argo_bench.harness.claims.claim import EPSILON, Claim
from argo_bench.harness.claims.verdict import judge
from argo_bench.harness.machine.environment import user_folder
from argo_bench.harness.statistics.estimate import (
    CURRENT,
    RETIRED,
    TRIMMED_VARIANCE,
    Estimate,
    Rule,
    count_cut,
    student_t,
)

LOOKS = (6, 10, 16, 24)
POWER = 0.95
PRECISE_ENOUGH = 0.005
"""At this half-width (of ln), half a percent, an interval is narrow enough to stop measuring."""

FUTILE = 1.5
"""Measuring is given up when a projection needs this many times the replicates of the last look."""

SIMULATED = 2_000_000
KNOWN = Path(__file__).with_name("nominal_errors.json")
"""These were simulated, so that a run need not wait ten seconds for common errors; a test repeats some of them."""

CHUNK = 250_000
DIGITS = 3


@cache
def nominal_error(overall: float, looks: tuple[int, ...] = LOOKS, rule: Rule = CURRENT) -> float:
    """Return the error of each look that keeps the error of all looks together at ``overall``, to three digits.

    It comes from a seeded simulation of two million experiments without an effect. A single look of Student's t needs
    none; the trimmed mean's interval holds a little less often than its level says, which this makes up for. Raises
    ValueError unless 0 < overall < 1 and the looks increase, from at least two where there are several.
    """
    if not 0 < overall < 1 or list(looks) != sorted(set(looks)) or not looks:
        raise ValueError(f"expected an error within (0, 1) and increasing looks, got {overall!r} and {looks!r}")
    if len(looks) == 1 and (rule == RETIRED or count_cut(looks[0], 1 - overall) == 0):
        return overall
    if looks[0] < 2:
        raise ValueError(f"expected increasing looks from 2, since one replicate has no interval, got {looks!r}")
    return _read_known(KNOWN).get(_name(overall, looks, rule)) or _recall_or_simulate(overall, looks, rule)


def _name(overall: float, looks: tuple[int, ...], rule: Rule) -> str:
    return f"{rule} {overall:.9g} {looks!r} {SIMULATED}"


def _read_known(file: Path) -> dict[str, float]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, float])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return {}


def _recall_or_simulate(overall: float, looks: tuple[int, ...], rule: Rule) -> float:
    """Return the error from the user's folder, where a simulation of ten seconds is kept for the next time."""
    file, name = user_folder() / "nominal_errors.json", _name(overall, looks, rule)
    kept = _read_known(file)
    if name not in kept:
        kept[name] = simulate_error(overall, looks, rule)
        with contextlib.suppress(OSError):  # an error that cannot be kept is simulated again
            file.parent.mkdir(parents=True, exist_ok=True)
            scratch = file.with_suffix(f".{os.getpid()}")
            scratch.write_bytes(msgspec.json.encode(kept))
            os.replace(scratch, file)
    return kept[name]


def simulate_error(overall: float, looks: tuple[int, ...], rule: Rule = CURRENT) -> float:
    """Compute ``nominal_error`` by simulation."""
    # The trimmed mean's interval covers less than it says on normal values, so that Bonferroni's bound may be too high.
    low, high = overall / (4 * len(looks)), overall
    while high - low > 1e-4 * low:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if _error_of_any(looks, middle, rule) < overall else (low, middle)
    return float(f"{math.sqrt(low * high):.{DIGITS}g}")


def _error_of_any(looks: Sequence[int], nominal: float, rule: Rule) -> float:
    """Return the share of the simulated experiments in which some look finds an effect at the ``nominal`` error."""
    found = np.zeros(SIMULATED, bool)
    for look in looks:
        cut = count_cut(look, 1 - nominal) if rule == CURRENT else 0
        found |= _null_statistics(look, cut, max(LOOKS[-1], looks[-1])) > student_t(1 - nominal / 2, look - 2 * cut - 1)
    return float(found.mean())


@cache
def _null_statistics(look: int, cut: int, most: int) -> np.ndarray:
    """Return |theta| / error of every experiment of ``most`` values at a look, with so many cut from each end."""
    found = np.empty(SIMULATED, np.float32)
    for start in range(0, SIMULATED, CHUNK):
        mean, error = estimate_rows(_null_values(start, most)[:, :look], cut)
        found[start : start + CHUNK] = np.abs(mean) / error
    return found


def estimate_rows(values: np.ndarray, cut: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the trimmed mean and the standard error of every row, as ``estimate`` has them of one.

    ``values`` is float64 of shape (experiments, replicates); ``cut`` values are cut from each end of a row.
    """
    ordered = np.sort(values, axis=1)
    number = ordered.shape[1] - 2 * cut
    kept = ordered[:, cut : cut + number]
    winsorized = np.clip(ordered, kept[:, :1], kept[:, -1:])
    squares = ((winsorized - winsorized.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    return kept.mean(axis=1), np.sqrt(squares / (number * (number - 1)))


def _null_values(start: int, most: int) -> np.ndarray:
    """Return a chunk of the experiments in which nothing differs, float64 of shape (CHUNK, ``most``)."""
    return np.random.Generator(np.random.PCG64([20_250_115, start])).standard_normal((CHUNK, most))


def smallest_detectable(estimate: Estimate) -> float | None:
    """Return the smallest effect |theta| that this many replicates would have found with a power of 95 %.

    It is (t(1 - alpha/2) + t(0.95)) standard errors, both quantiles with the interval's degrees of freedom; None
    without an interval.
    """
    if estimate.error is None:
        return None
    degrees = estimate.degrees
    return (student_t((1 + estimate.level) / 2, degrees) + student_t(POWER, degrees)) * estimate.error


@dataclass(frozen=True, slots=True)
class Outlook:
    """Says what an inconclusive result would take: the edge (a speed-up) to be cleared, and replicates."""

    edge: float
    replicates: int


def outlook(
    claim: Claim, estimate: Estimate, most: int = 10_000, rule: Rule = CURRENT, floor: float | None = None
) -> Outlook | None:
    """Project how many replicates would put the interval on one side of the nearest edge, if nothing else changed.

    ``floor`` is the smallest difference that counts where nothing was claimed, as for ``judge``.

    None where there is no interval yet, or where even ``most`` replicates would not do.
    """
    if estimate.spread is None:
        return None
    if claim.kind == "difference":
        edge, distance = _clearest(-estimate.theta, floor)
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
    needed = replicates_for(distance, estimate.spread, estimate.level, most, rule)
    return None if needed is None else Outlook(math.exp(edge), needed)


def _clearest(value: float, floor: float | None) -> tuple[float, float]:
    """Return the edge at which an open question can be decided with the widest interval, and the distance to it.

    The edge is 0 (is there a difference at all?) or the floor on the value's side (is there one that matters?). Below
    the floor only the second question is open; by the rule of before, which had none, both are.
    """
    relevant = (floor or EPSILON) - abs(value)
    is_clear = abs(value) >= (relevant if floor is None else floor)
    return (0.0, abs(value)) if is_clear else (math.copysign(floor or EPSILON, value), relevant)


def replicates_for(
    half_width: float, spread: float, level: float, most: int = 10_000, rule: Rule = CURRENT
) -> int | None:
    """Return replicates enough for an interval at most this wide on either side, or None beyond ``most``.

    ``spread`` is the standard deviation of the replicates, but for slow ones.
    """
    if spread == 0:
        return 2
    if half_width <= 0 or _half_width(most, spread, level, rule) > half_width:
        return None
    low, high = 2, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _half_width(middle, spread, level, rule) <= half_width else (middle + 1, high)
    return low


def _half_width(replicates: int, spread: float, level: float, rule: Rule) -> float:
    cut = count_cut(replicates, level) if rule == CURRENT else 0
    error = spread * math.sqrt((TRIMMED_VARIANCE if cut else 1.0) / replicates)
    return student_t((1 + level) / 2, replicates - 2 * cut - 1) * error


@dataclass(frozen=True, slots=True)
class Stopping:
    """Says when a comparison leaves at a look.

    ``most`` is the last look, ``rule`` the one by which intervals are made, ``floor`` the smallest difference that
    counts where nothing was claimed, as for ``judge``.
    """

    most: int
    rule: Rule = CURRENT
    floor: float | None = EPSILON

    def has_ended(self, claims: Sequence[Claim], metric_estimates: Sequence[Estimate]) -> bool:
        """Say whether the verdicts are clear, or cannot be expected to become clear."""
        return self.is_decided(claims, metric_estimates) or self.is_futile(claims, metric_estimates)

    def is_decided(self, claims: Sequence[Claim], metric_estimates: Sequence[Estimate]) -> bool:
        """Say whether every claim that rests on a comparison has its verdict, or an interval as narrow as need be."""
        return all(
            judge(claim, estimate, self.floor) != "inconclusive" or _is_precise(estimate)
            for claim, estimate in zip(claims, metric_estimates, strict=True)
        )

    def is_futile(self, claims: Sequence[Claim], metric_estimates: Sequence[Estimate]) -> bool:
        """Say whether no claim without a verdict can be expected to get one within ``most`` replicates.

        The projection may be off by FUTILE, since it rests on the spread of a few values and on an estimate that is
        still uncertain itself.
        """
        open_claims = [
            (claim, estimate)
            for claim, estimate in zip(claims, metric_estimates, strict=True)
            if judge(claim, estimate, self.floor) == "inconclusive"
        ]
        return bool(open_claims) and all(self._is_far(claim, estimate) for claim, estimate in open_claims)

    def _is_far(self, claim: Claim, estimate: Estimate) -> bool:
        """Say whether a verdict is out of reach wherever within one standard error the truth may lie."""
        if estimate.error is None:
            return False
        shifted = (
            msgspec.structs.replace(estimate, theta=estimate.theta + step * estimate.error) for step in (-1, 0, 1)
        )
        projections = [outlook(claim, each, rule=self.rule, floor=self.floor) for each in shifted]
        return all(each is None or each.replicates > FUTILE * self.most for each in projections)


def _is_precise(estimate: Estimate) -> bool:
    return estimate.low is not None and estimate.high is not None and estimate.high - estimate.low <= 2 * PRECISE_ENOUGH
