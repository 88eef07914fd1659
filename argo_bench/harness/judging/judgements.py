"""From the samples of a run to its results and verdicts: pure functions of the records and the claims."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from statistics import median

import msgspec

from argo_bench.harness.claims.claim import Claim, Clock, MemoryMetric, Metric, is_count, is_memory
from argo_bench.harness.claims.verdict import HOLDS, Word, is_worse, judge, judge_level
from argo_bench.harness.judging.holds_when import HitAndMiss, holds_when, straddled
from argo_bench.harness.judging.outputs import output_of
from argo_bench.harness.plan import JUDGED_BY, SET_UP_S
from argo_bench.harness.record.records import (
    Caching,
    Comparison,
    Counts,
    Declaration,
    Failure,
    Fidelity,
    Judgement,
    Memory,
    Reading,
    Result,
    Samples,
    Spot,
)
from argo_bench.harness.statistics.estimate import Estimate, block_difference, estimate, trimmed_mean
from argo_bench.harness.statistics.looks import outlook, smallest_detectable
from argo_bench.harness.statistics.quality import quality, valid_blocks
from argo_bench.harness.workers.memory import RESOLUTION

SPOT_LEVEL = 0.95
WORDS = {"time": ("faster", "slower"), "memory": ("lighter in memory", "heavier in memory")}
"""What a gain and a loss are called."""
NEVER = 2.0
"""Stands for a hit rate that cannot be: a cache whose hits cost more than the reference never pays."""
LEAST = 1e-9
"""Of the reference's count: what a candidate that counts nothing is taken for."""
MOST_REPLICATES = 10_000
"""No projection goes further."""
NOTABLE_DRAIN = 0.05
"""Deferred work is flagged from this share of a call's time."""


def result_of(comparison: Comparison, samples: Sequence[Samples], level: float) -> Result:
    """Estimates on both clocks: per replicate the trimmed mean of its blocks' log-ratios, t over the replicates."""
    return Result(
        comparison,
        cpu=estimate(log_ratios(samples, "cpu"), level),
        wall=estimate(log_ratios(samples, "wall"), level),
        reference_ns=_typical_ns(samples, "A"),
        candidate_ns=_typical_ns(samples, "B"),
        candidate_drain_ns=median(drains) if (drains := _drains(samples)) else None,
        seconds_per_replicate=math.fsum(map(seconds_of, samples)) / len(samples),
        flags=quality(samples),
    )


def seconds_of(samples: Samples) -> float:
    """What the blocks of a replicate took; their wall time where the record has nothing better."""
    if samples.seconds is not None:
        return samples.seconds
    return sum(sum(block.wall_ns) for block in samples.blocks) / 1e9


def log_ratios(samples: Sequence[Samples], metric: Metric) -> list[float]:
    """One value per replicate: ln(candidate / reference) per call, on the wall clock for ``wall``, else the CPU's."""
    return [_log_ratio(each, "wall_ns" if metric == "wall" else "cpu_ns") for each in samples]


def _log_ratio(samples: Samples, clock: str) -> float:
    """ln of the candidate's time per call over the reference's, in one replicate."""
    blocks = [block_difference(block.order, getattr(block, clock)) for block in valid_blocks(samples)]
    return trimmed_mean(blocks) - math.log(samples.candidate_calls / samples.reference_calls)


def _drains(samples: Sequence[Samples]) -> list[float]:
    """What the candidate puts off beyond what closing the reference's world takes."""
    return [
        max(0.0, each.candidate_drain_ns - each.reference_drain_ns)
        for each in samples
        if each.candidate_drain_ns is not None and each.reference_drain_ns is not None
    ]


def _typical_ns(samples: Sequence[Samples], arm: str) -> float:
    """Median wall time per call of one arm over all samples, for display."""
    return median(
        wall / (each.reference_calls if arm == "A" else each.candidate_calls)
        for each in samples
        for block in each.blocks
        for slot, wall in zip(block.order, block.wall_ns, strict=True)
        if slot == arm
    )


def judgements(
    subjects: Sequence[Declaration],
    measured: Measured,
    fidelities: Sequence[Fidelity],
    failures: Sequence[Failure],
    judged: Collection[str] | None = None,
) -> list[Judgement]:
    """A verdict for every claim and variant, also for those that could not be measured; ``judged`` are the ids of the
    claims that are, all of them for None."""
    failed = {(each.optimization, each.arm): each for each in failures}
    found = []
    for subject in subjects:
        for claim in [each for each in subject.claims if judged is None or each.id in judged]:
            for variant in subject.variants:
                comparison = subject.headline_comparison(claim, variant)
                concerned = ((subject.id, each) for each in (variant, claim.against(variant), claim.workload))
                failure = next((failed[each] for each in concerned if each in failed), None)
                output, faithful = output_of(fidelities, subject.id, variant)
                is_void = variant != "prescribed" and not faithful
                result = measured.results.get(comparison)
                if failure is None and is_count(claim.metric):
                    found.append(_counted(subject, claim, variant, comparison, measured, output, is_void))
                elif failure is None and is_memory(claim.metric):
                    found.append(_weighed(subject, claim, variant, comparison, measured, output, is_void))
                elif result is not None and failure is None:
                    found.append(_judged(subject, claim, variant, result, measured, output, is_void))
                else:
                    found.append(_unmeasured(subject, claim, variant, comparison, failure, output, is_void))
    return found


class Measured:
    """Results by comparison, the samples behind them, the memory of the arms, and their exact counts."""

    def __init__(
        self,
        results: Sequence[Result],
        samples: Sequence[Samples] = (),
        memories: Sequence[Memory] = (),
        counts: Sequence[Counts] = (),
    ) -> None:
        self.results = {result.comparison: result for result in results}
        self._counts: dict[tuple[str, str, int, str], list[Counts]] = {}
        for count in counts:
            self._counts.setdefault((count.optimization, count.workload, count.scale, count.arm), []).append(count)
        self._readings = {(e.optimization, e.workload, e.scale, e.arm): e.readings for e in memories}
        self._samples: dict[Comparison, list[Samples]] = {}
        for each in samples:
            self._samples.setdefault(each.comparison, []).append(each)

    def strip(self, claim: Claim, headline: Comparison) -> list[Spot]:
        """The claim's verdict at every scale, in the order of the scales."""
        # A claim of "up to" may be met at any of the scales, so that the error of all together counts.
        same = [self.results[each] for each in self._samples if each in self.results and _is_beside(each, headline)]
        return [
            _spot(claim, each.comparison.scale, self._interval(claim, each, len(same) if claim.kind == "up_to" else 1))
            for each in sorted(same, key=lambda each: each.comparison.scale)
        ]

    def curve(self, subject: Declaration, claim: Claim, headline: Comparison) -> tuple[list[Spot], str]:
        """The claim's verdicts over the condition of its curve, and that condition's unit; empty without a curve."""
        if not claim.curve:
            return [], ""
        workload = subject.workload(claim.curve)
        beside = msgspec.structs.replace(headline, workload=workload.name, unit=workload.unit)
        places = [msgspec.structs.replace(beside, scale=scale) for scale in sorted(workload.scales)]
        if is_count(claim.metric):
            return self.counted_spots(claim, claim.metric, places), workload.unit
        taken = [self.results[each] for each in places if each in self.results and each in self._samples]
        return [_spot(claim, each.comparison.scale, self._interval(claim, each, 1)) for each in taken], workload.unit

    def counted_spots(self, claim: Claim, metric: Metric, places: Sequence[Comparison]) -> list[Spot]:
        values = {place.scale: self.count_ratios(metric, place) for place in places}
        return [_spot(claim, scale, exact(ratios)) for scale, ratios in values.items() if ratios]

    def count_ratios(self, metric: Metric, comparison: Comparison) -> list[float]:
        """ln(candidate / reference) of an exact count, a value for each seed; none where nothing was counted."""
        reference = self.counts(metric, comparison, comparison.reference)
        candidate = self.counts(metric, comparison, comparison.candidate)
        return [
            math.log(max(candidate[seed], LEAST * value) / value)
            for seed, value in reference.items()
            if value > 0 and seed in candidate
        ]

    def counts(self, metric: str, comparison: Comparison, arm: str) -> dict[int, float]:
        """An arm's exact count by seed."""
        at = comparison.optimization, comparison.workload, comparison.scale, arm
        return {each.seed: each.counts[metric] for each in self._counts.get(at, ()) if metric in each.counts}

    def hit_rates(self, optimization: str, arm: str) -> dict[str, float]:
        """The median over the seeds of the hit rate that an arm had on each counted trace, by workload and scale."""
        return {
            f"{each[1]}, {each[2]:,} {counts[0].unit}": median(rates)
            for each, counts in self._counts.items()
            if each[0] == optimization
            and each[3] == arm
            and (rates := [count.counts["hit_rate"] for count in counts if "hit_rate" in count.counts])
        }

    def hit_and_miss(self, subject: Declaration, comparison: Comparison) -> HitAndMiss | None:
        """What hits and misses take where an optimization has a workload of each for the stage of a comparison."""
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

    def _interval(self, claim: Claim, result: Result, family: int) -> Estimate:
        """At 95 % over ``family`` whatever the level of the result: a strip is outside the headline family."""
        level = 1 - (1 - SPOT_LEVEL) / family
        return estimate(log_ratios(self._samples[result.comparison], claim.metric), level)

    def memory(self, metric: MemoryMetric, comparison: Comparison) -> list[float]:
        """ln(candidate / reference) of a figure of memory, a value for each pair of readings; none where unmeasured."""
        at = comparison.optimization, comparison.workload, comparison.scale
        reference, candidate = (
            _figures(metric, self._readings.get((*at, arm), [])) for arm in (comparison.reference, comparison.candidate)
        )
        return [math.log(after / before) for before, after in zip(reference, candidate, strict=False)]

    def first_calls(self, comparison: Comparison) -> list[tuple[int, int]]:
        """Nanoseconds of the first calls of reference and candidate, a pair for each replicate that has both."""
        return [
            (each.reference_first_call_ns, each.candidate_first_call_ns)
            for each in self._samples.get(comparison, ())
            if each.reference_first_call_ns is not None and each.candidate_first_call_ns is not None
        ]


def _figures(metric: MemoryMetric, readings: Sequence[Reading]) -> list[int]:
    """Bytes, never less than what the method can tell from nothing."""
    method, least = JUDGED_BY[metric], RESOLUTION if metric == "peak_rss" else 1
    values = [
        each.live_bytes if metric == "live_bytes" else each.peak_bytes for each in readings if each.method == method
    ]
    return [max(least, value) for value in values if value is not None]


def _is_beside(comparison: Comparison, headline: Comparison) -> bool:
    """Whether the two differ in nothing but their scale."""
    return msgspec.structs.replace(comparison, scale=headline.scale) == headline


def _spot(claim: Claim, scale: int, interval: Estimate) -> Spot:
    return Spot(scale, interval.speedup, interval.speedup_interval, judge(claim, interval))


def exact(values: Sequence[float]) -> Estimate:
    """Counts have no noise: the range over the seeds takes the place of an interval."""
    return Estimate(math.fsum(values) / len(values), min(values), max(values), 1.0, len(values), None)


def cold_spot(claim: Claim, scale: int, pairs: Sequence[tuple[int, int]]) -> Spot | None:
    """The verdict on the first call of a process, compiled code taken from disk; None where it was not timed."""
    if not pairs:
        return None
    return _spot(
        claim, scale, estimate([math.log(candidate / reference) for reference, candidate in pairs], SPOT_LEVEL)
    )


def break_even_calls(pairs: Sequence[tuple[int, int]], result: Result) -> float | None:
    """(cold_C - cold_B) / (t_B - t_C), of medians: calls until the candidate has made up for its first one."""
    if not pairs:
        return None
    extra = median(candidate for _, candidate in pairs) - median(reference for reference, _ in pairs)
    gained = result.reference_ns - result.candidate_ns
    return None if gained <= 0 else max(0.0, extra / gained)


def _judged(
    subject: Declaration, claim: Claim, variant: str, result: Result, measured: Measured, output: str, is_void: bool
) -> Judgement:
    clock: Clock = "wall" if claim.metric == "wall" else "cpu"
    interval = result.on(clock)
    word = judge(claim, interval)
    other = judge(claim, result.on("wall" if clock == "cpu" else "cpu"))
    flags = ["worse"] if is_worse(interval) else []
    flags += ["modelled"] if clock == "wall" and subject.workload(claim.workload).is_modelled else []
    flags += result.flags
    if other != word:
        flags.append(f"{'wall' if clock == 'cpu' else 'CPU'} time says: {other}")
    if result.candidate_drain_ns is not None and result.candidate_drain_ns > NOTABLE_DRAIN * result.candidate_ns:
        flags.append(f"puts off {result.candidate_drain_ns / 1000:.3g} us a call until it closes")
    strip = measured.strip(claim, result.comparison)
    if claim.kind == "up_to" and any(spot.verdict == "confirmed" for spot in strip):
        word = "confirmed"
    word = "void" if is_void else word
    needs = _needs(claim, interval, result) if word == "inconclusive" else None
    curve, curve_unit = measured.curve(subject, claim, result.comparison)
    cache = measured.hit_and_miss(subject, result.comparison)
    first_calls = measured.first_calls(result.comparison)
    return _judgement(
        subject,
        claim,
        variant,
        result.comparison,
        interval,
        word,
        flags,
        output,
        needs,
        strip=strip,
        cold=cold_spot(claim, result.comparison.scale, first_calls),
        break_even=break_even_calls(first_calls, result),
        curve=curve,
        curve_unit=curve_unit,
        cache=cache,
    )


def _counted(
    subject: Declaration,
    claim: Claim,
    variant: str,
    comparison: Comparison,
    measured: Measured,
    output: str,
    is_void: bool,
) -> Judgement:
    """The verdict of a claim about an exact count: all seeds together, as if their range were an interval."""
    assert is_count(claim.metric)
    if claim.kind == "level":
        levels = list(measured.counts(claim.metric, comparison, variant).values())
        if not levels or is_void:
            return _unmeasured(subject, claim, variant, comparison, None, output, is_void, "nothing was counted")
        word = judge_level(claim, levels)
        flags = [f"{min(levels):.3g} to {max(levels):.3g} {subject.nouns[claim.metric]} over {len(levels)} seeds"]
        judgement = _judgement(subject, claim, variant, comparison, None, word, flags, output)
        return msgspec.structs.replace(judgement, level_seen=(min(levels), max(levels)))
    values = measured.count_ratios(claim.metric, comparison)
    if not values or is_void:
        return _unmeasured(subject, claim, variant, comparison, None, output, is_void, "nothing was counted")
    interval = exact(values)
    word = judge(claim, interval)
    scales = sorted(subject.workload(claim.workload).scales)
    places = [msgspec.structs.replace(comparison, scale=scale) for scale in scales]
    curve, curve_unit = measured.curve(subject, claim, comparison)
    return _judgement(
        subject,
        claim,
        variant,
        comparison,
        interval,
        word,
        ["worse"] if is_worse(interval) else [],
        output,
        _exact_needs(claim, interval, "seeds") if word == "inconclusive" else None,
        strip=measured.counted_spots(claim, claim.metric, places),
        curve=curve,
        curve_unit=curve_unit,
    )


def _exact_needs(claim: Claim, interval: Estimate, of: str) -> str | None:
    edge = straddled(claim, interval)
    return (
        None if edge is None else f"another workload: the {interval.replicates} {of} lie on both sides of {edge:.3g}x"
    )


def _weighed(
    subject: Declaration,
    claim: Claim,
    variant: str,
    comparison: Comparison,
    measured: Measured,
    output: str,
    is_void: bool,
) -> Judgement:
    """The verdict of a claim about memory, from the readings of both arms."""
    assert is_memory(claim.metric)
    values = measured.memory(claim.metric, comparison)
    if not values or is_void:
        return _unmeasured(subject, claim, variant, comparison, None, output, is_void)
    # Exact readings that are alike have no spread: two of them make an interval of no width.
    interval = estimate(values if len(values) > 1 else values * 2, SPOT_LEVEL)
    flags = ["worse"] if is_worse(interval) else []
    word = judge(claim, interval)
    needs = _exact_needs(claim, interval, "readings") if word == "inconclusive" else None
    return _judgement(subject, claim, variant, comparison, interval, word, flags, output, needs)


def _needs(claim: Claim, interval: Estimate, result: Result) -> str:
    """What an inconclusive result would take: the edge to clear, replicates and seconds."""
    found = outlook(claim, interval, MOST_REPLICATES)
    if found is None:
        edge = straddled(claim, interval)
        at = "an edge" if edge is None else f"the edge at {edge:.3g}x"
        return f"more than {MOST_REPLICATES:,} replicates: the estimate lies on {at}"
    more = max(0, found.replicates - interval.replicates)
    seconds = found.replicates * (result.seconds_per_replicate + SET_UP_S)
    return (
        f"{found.replicates} replicates ({more} more, about {seconds:.0f} s in all) to tell it from {found.edge:.3g}x"
    )


def _unmeasured(
    subject: Declaration,
    claim: Claim,
    variant: str,
    comparison: Comparison,
    failure: Failure | None,
    output: str,
    is_void: bool,
    unseen: str = "not measured before the run ended",
) -> Judgement:
    word: Word = "void" if is_void else "inconclusive"
    reason = output if is_void else unseen
    if failure is not None:
        word, reason, output = failure.kind, failure.reason, "not checked"
    return _judgement(subject, claim, variant, comparison, None, word, [reason], output)


def _judgement(
    subject: Declaration,
    claim: Claim,
    variant: str,
    comparison: Comparison,
    interval: Estimate | None,
    word: Word,
    flags: list[str],
    output: str,
    needs: str | None = None,
    strip: Sequence[Spot] = (),
    cold: Spot | None = None,
    break_even: float | None = None,
    curve: Sequence[Spot] = (),
    curve_unit: str = "",
    cache: HitAndMiss | None = None,
) -> Judgement:
    effect = None if interval is None else smallest_detectable(interval)
    return Judgement(
        claim=claim.id,
        optimization=subject.id,
        arm=variant,
        text=claim.text,
        kind=claim.kind,
        low=claim.low,
        high=claim.high,
        headline=claim.headline,
        comparison=comparison,
        metric=claim.metric,
        speedup=None if interval is None else interval.speedup,
        interval=None if interval is None else interval.speedup_interval,
        level=None if interval is None else interval.level,
        verdict=word,
        flags=flags,
        output=output,
        sentence=_sentence(subject, variant, comparison, interval, flags, claim.metric),
        detectable=None if effect is None else math.exp(effect),
        needs=needs,
        strip=list(strip),
        cold=cold,
        break_even_calls=break_even,
        curve=list(curve),
        curve_unit=curve_unit,
        holds_when=None
        if interval is None or word in HOLDS or claim.kind == "difference"
        else holds_when(claim, strip, comparison.unit, curve, curve_unit, cache),
    )


def cachings(subjects: Sequence[Declaration], measured: Measured) -> Iterator[Caching]:
    """For every variant with a workload of hits and one of misses: from which hit rate on it pays."""
    for subject in subjects:
        for workload in subject.workloads:
            if workload.inputs != "hit":
                continue
            for variant in subject.variants:
                at = Comparison(subject.id, workload.name, workload.scales[0], workload.unit, "baseline", variant)
                if (cache := measured.hit_and_miss(subject, at)) is not None:
                    rates = measured.hit_rates(subject.id, variant)
                    even = cache.rate_for(1.0)
                    yield Caching(subject.id, variant, at.scale, workload.unit, min(even, NEVER), rates)


def _sentence(
    subject: Declaration,
    variant: str,
    comparison: Comparison,
    interval: Estimate | None,
    flags: Sequence[str],
    metric: Metric,
) -> str:
    if subject.functions:
        return _sentence_on_functions(subject.functions, interval, flags, metric)
    named = f"{subject.name}, {variant}"
    if interval is None:
        return f"{named}: {'; '.join(flags)}"
    ratio, bounds = interval.speedup, interval.speedup_interval
    if is_count(metric):
        gain, loss = f"fewer {subject.nouns[metric]}", f"more {subject.nouns[metric]}"
    else:
        gain, loss = WORDS["memory" if is_memory(metric) else "time"]
    says = f"{ratio:.3g} times {gain}" if ratio >= 1 else f"{1 / ratio:.3g} times {loss}"
    within = f" [{bounds[0]:.3g}x, {bounds[1]:.3g}x]" if bounds else " (one replicate, no interval)"
    reference = "the baseline" if comparison.reference == "baseline" else comparison.reference
    return f"{named} is {says} than {reference}{within} on {comparison.workload}"


def _sentence_on_functions(
    functions: Mapping[str, str], interval: Estimate | None, flags: Sequence[str], metric: Metric
) -> str:
    """As in ``new ran 2.41x [2.36, 2.47] faster than old``."""
    new, old = functions["candidate"], functions["baseline"]
    if interval is None:
        return f"{new} against {old}: {'; '.join(flags)}"
    ratio, bounds = interval.speedup, interval.speedup_interval
    word, loss = WORDS["memory" if is_memory(metric) else "time"]
    if ratio < 1:
        ratio, bounds, word = 1 / ratio, bounds and (1 / bounds[1], 1 / bounds[0]), loss
    within = f" [{bounds[0]:.3g}, {bounds[1]:.3g}]" if bounds else " (one replicate, no interval)"
    verb = "was" if is_memory(metric) else "ran"
    return f"{new} {verb} {ratio:.3g}x{within} {word} than {old}"
