"""Finds where a claim that was not confirmed would hold, by its strip of scales, its curve, and its hits and misses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from argo_bench.harness.claims.claim import Claim
from argo_bench.harness.record.records import Spot
from argo_bench.harness.statistics.estimate import Estimate

NOWHERE = "nowhere measured"


class HitAndMiss(NamedTuple):
    """Holds the nanoseconds of a call: of the reference, and of a cache that finds its result or does not."""

    reference_ns: float
    hit_ns: float
    miss_ns: float

    def rate_for(self, factor: float) -> float:
        """Return the hit rate from which on calls are ``factor`` times as fast as the reference's.

        A rate above 1 means that they never are.
        """
        saved = self.miss_ns - self.hit_ns
        if saved <= 0:
            return math.inf if self.hit_ns > self.reference_ns / factor else 0.0
        return max(0.0, (self.miss_ns - self.reference_ns / factor) / saved)


def describe_condition(
    claim: Claim, strip: Sequence[Spot], unit: str, curve: Sequence[Spot], curve_unit: str, cache: HitAndMiss | None
) -> str:
    """Say in words under which condition the measured figures reach the claim; the boundary is interpolated."""
    low = claim.region()[0]
    found = [
        words
        for spots, of in ((curve, curve_unit), (strip, unit))
        if (words := _find_boundary(sorted(spots, key=lambda spot: spot.scale), of, low)) is not None
    ]
    if cache is not None and math.isfinite(low):
        rate = cache.rate_for(math.exp(low))
        found.append(f"if {100 * rate:.0f} % of the calls hit" if rate <= 1 else "not even if every call hits")
    return "; ".join(dict.fromkeys(found)) or NOWHERE


def _find_boundary(spots: Sequence[Spot], unit: str, low: float) -> str | None:
    """Say where the estimates cross the claim's lower edge; None where they never reach it."""
    gains = [math.log(spot.speedup) - low for spot in spots]
    held = [gain >= 0 for gain in gains]
    if len(spots) < 2 or not any(held):
        return None
    if all(held):
        return f"from {spots[0].scale:,} to {spots[-1].scale:,} {unit}"
    for (left, right), (before, after) in zip(pairwise(spots), pairwise(gains), strict=True):
        if (before >= 0) != (after >= 0):
            at = left.scale + (right.scale - left.scale) * before / (before - after)
            return _describe_boundary(at, unit, below=before >= 0)
    raise AssertionError("some estimates reach the edge and some do not, so that two neighbours differ")


def _describe_boundary(at: float, unit: str, *, below: bool) -> str:
    if unit == "% ticking":
        return f"if {'fewer' if below else 'more'} than {at:.0f} % of symbol-cycles ticked"
    return f"up to about {at:,.0f} {unit}" if below else f"from about {at:,.0f} {unit} on"


def find_straddled_edge(claim: Claim, interval: Estimate) -> float | None:
    """Return, as a speed-up, the nearest edge that an estimate's interval lies across; None where there is none."""
    if interval.low is None or interval.high is None:
        return None
    edges = [edge for edge in claim.edges() if -interval.high <= edge <= -interval.low]
    return math.exp(min(edges, key=lambda edge: abs(edge + interval.theta))) if edges else None
