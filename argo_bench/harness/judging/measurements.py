"""Looks up what a run measured by what a claim asks for: ratios, counts, memory, and spots beside the headline."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

import msgspec

from argo_bench.harness.claims.claim import Claim
from argo_bench.harness.claims.metrics import MEMORY, Metric, is_count
from argo_bench.harness.claims.verdict import FLOORED, do_contradict, floor_of, judge
from argo_bench.harness.judging.holds_when import HitAndMiss
from argo_bench.harness.judging.results import log_ratios
from argo_bench.harness.record.records import Comparison, Counts, Declaration, Memory, Reading, Result, Samples, Spot
from argo_bench.harness.statistics.estimate import CURRENT, Estimate, Rule, estimate
from argo_bench.harness.workers.memory import RESOLUTION

SPOT_LEVEL = 0.95
LEAST = 1e-9
"""A count of zero of the candidate is taken to be this share of the reference's count, since ln 0 has no value."""


class Measured:
    """Holds results by comparison, the samples behind them, the memory of the arms, and their exact counts.

    ``rule`` is the one by which intervals are made.
    """

    def __init__(
        self,
        results: Sequence[Result],
        samples: Sequence[Samples] = (),
        memories: Sequence[Memory] = (),
        counts: Sequence[Counts] = (),
        rule: Rule = CURRENT,
    ) -> None:
        self.rule = rule
        self.results = {result.comparison: result for result in results}
        self._counts: dict[tuple[str, str, int, str], list[Counts]] = {}
        for count in counts:
            self._counts.setdefault((count.optimization, count.workload, count.scale, count.arm), []).append(count)
        self._readings = {(each.optimization, each.workload, each.scale, each.arm): each.readings for each in memories}
        self._samples: dict[Comparison, list[Samples]] = {}
        for each in samples:
            self._samples.setdefault(each.comparison, []).append(each)

    def strip(self, claim: Claim, headline: Comparison) -> list[Spot]:
        """Return the claim's verdict at every scale, in the order of the scales."""
        # A claim of "up to" may be met at any of the scales, so that the error of all of them together counts.
        same = [self.results[each] for each in self._samples if each in self.results and _is_beside(each, headline)]
        family = len(same) if claim.kind == "up_to" else 1
        return [self._judge_spot(claim, each, family) for each in sorted(same, key=lambda each: each.comparison.scale)]

    def curve(self, subject: Declaration, claim: Claim, headline: Comparison) -> tuple[list[Spot], str]:
        """Return the claim's verdicts over the condition of its curve, with its unit; empty without a curve."""
        if not claim.curve:
            return [], ""
        workload = subject.workload(claim.curve)
        beside = msgspec.structs.replace(headline, workload=workload.name, unit=workload.unit)
        places = [msgspec.structs.replace(beside, scale=scale) for scale in sorted(workload.scales)]
        if is_count(claim.metric):
            return self.spots_of_counts(claim, claim.metric, places), workload.unit
        taken = [self.results[each] for each in places if each in self.results and each in self._samples]
        return [self._judge_spot(claim, each, 1) for each in taken], workload.unit

    def spots_of_counts(self, claim: Claim, metric: Metric, places: Sequence[Comparison]) -> list[Spot]:
        values = {place.scale: self.count_ratios(metric, place) for place in places}
        return [_make_spot(claim, scale, estimate_exact(ratios)) for scale, ratios in values.items() if ratios]

    def count_ratios(self, metric: Metric, comparison: Comparison) -> list[float]:
        """Return ln(candidate / reference) of an exact count, one value per seed; none where nothing was counted."""
        reference = self.counts(metric, comparison, comparison.reference)
        candidate = self.counts(metric, comparison, comparison.candidate)
        return [
            math.log(max(candidate[seed], LEAST * value) / value)
            for seed, value in reference.items()
            if value > 0 and seed in candidate
        ]

    def counts(self, metric: str, comparison: Comparison, arm: str) -> dict[int, float]:
        """Return an arm's exact count by seed."""
        at = comparison.optimization, comparison.workload, comparison.scale, arm
        return {each.seed: each.counts[metric] for each in self._counts.get(at, ()) if metric in each.counts}

    def hit_rates(self, optimization: str, arm: str) -> dict[str, float]:
        """Return the hit rate of an arm on each counted trace, by workload and scale, as the median over the seeds."""
        return {
            f"{each[1]}, {each[2]:,} {counts[0].unit}": median(rates)
            for each, counts in self._counts.items()
            if each[0] == optimization
            and each[3] == arm
            and (rates := [count.counts["hit_rate"] for count in counts if "hit_rate" in count.counts])
        }

    def hit_and_miss(self, subject: Declaration, comparison: Comparison) -> HitAndMiss | None:
        """Return the times of hits and misses at a comparison's stage; None unless a workload of each was measured."""
        stage = subject.workload(comparison.workload).stage
        results = {}
        for workload in subject.workloads:
            if workload.stage == stage and workload.inputs in ("hit", "miss"):
                place = msgspec.structs.replace(
                    comparison, workload=workload.name, unit=workload.unit, scale=workload.scales[0]
                )
                results[workload.inputs] = self.results.get(place)
        hit, miss = results.get("hit"), results.get("miss")
        if hit is None or miss is None:
            return None
        return HitAndMiss(miss.reference_ns, hit.candidate_ns, miss.candidate_ns)

    def _judge_spot(self, claim: Claim, result: Result, family: int) -> Spot:
        """Judge by an interval at 95 % over ``family``, whatever the result's level: strips are outside that family.

        As at the headline, a verdict that the mean over all calls contradicts is none.
        """
        level = 1 - (1 - SPOT_LEVEL) / family
        interval = estimate(log_ratios(self._samples[result.comparison], claim.metric), level, self.rule)
        floor = floor_of(result.reference_ns) if self.rule in FLOORED else None
        spot = _make_spot(claim, result.comparison.scale, interval, floor)
        mean = result.mean_on(claim.metric)
        if mean is not None and do_contradict(spot.verdict, judge(claim, mean, floor)):
            return msgspec.structs.replace(spot, verdict="inconclusive")
        return spot

    def readings(self, comparison: Comparison) -> tuple[list[Reading], list[Reading]]:
        """Return the readings of the memory of reference and candidate, none of an arm that was not measured."""
        at = comparison.optimization, comparison.workload, comparison.scale
        return (
            self._readings.get((*at, comparison.reference), []),
            self._readings.get((*at, comparison.candidate), []),
        )

    def memory(self, metric: Metric, comparison: Comparison) -> list[float]:
        """Return ln(candidate / reference) of a figure of memory, one value per pair of readings, as 0.1 judged it.

        The list is empty where an arm was not measured.
        """
        reference, candidate = (_figures(metric, readings) for readings in self.readings(comparison))
        return [math.log(after / before) for before, after in zip(reference, candidate, strict=False)]

    def first_calls(self, comparison: Comparison) -> list[tuple[int, int]]:
        """Return the first calls of reference and candidate in nanoseconds, a pair for each replicate that has both."""
        return [
            (each.reference_first_call_ns, each.candidate_first_call_ns)
            for each in self._samples.get(comparison, ())
            if each.reference_first_call_ns is not None and each.candidate_first_call_ns is not None
        ]


def _figures(metric: Metric, readings: Sequence[Reading]) -> list[int]:
    """Return the readings of a metric of memory, none below what the method can tell from nothing."""
    figure = MEMORY[metric]
    least = RESOLUTION if figure.method == "peak_rss" else 1
    values: list[int | None] = [getattr(each, figure.field) for each in readings if each.method == figure.method]
    return [max(least, value) for value in values if value is not None]


def _is_beside(comparison: Comparison, headline: Comparison) -> bool:
    """Say whether the two differ in nothing but their scale."""
    return msgspec.structs.replace(comparison, scale=headline.scale) == headline


def _make_spot(claim: Claim, scale: int, interval: Estimate, floor: float | None = None) -> Spot:
    return Spot(scale, interval.speedup, interval.speedup_interval, judge(claim, interval, floor))


def estimate_exact(values: Sequence[float]) -> Estimate:
    """Return the range of exact counts over the seeds in place of an interval, since counts have no noise."""
    return Estimate(math.fsum(values) / len(values), min(values), max(values), 1.0, len(values), None)


def judge_first_call(claim: Claim, scale: int, pairs: Sequence[tuple[int, int]], rule: Rule = CURRENT) -> Spot | None:
    """Judge the first call of a process, with compiled code taken from disk; None where it was not timed."""
    if not pairs:
        return None
    logs = [math.log(candidate / reference) for reference, candidate in pairs]
    floor = floor_of(median(first for first, _ in pairs)) if rule in FLOORED else None
    return _make_spot(claim, scale, estimate(logs, SPOT_LEVEL, rule), floor)


def find_break_even_calls(pairs: Sequence[tuple[int, int]], result: Result) -> float | None:
    """Return the calls after which the candidate has made up for its first one; None where it never does.

    It is (cold_C - cold_B) / (t_B - t_C), of medians, where C is the candidate and B the reference.
    """
    if not pairs:
        return None
    extra = median(candidate for _, candidate in pairs) - median(reference for reference, _ in pairs)
    gained = result.reference_ns - result.candidate_ns
    return None if gained <= 0 else max(0.0, extra / gained)
