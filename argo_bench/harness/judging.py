"""From the samples of a run to its results and verdicts: pure functions of the records and the claims."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from argo_bench.claim import VARIANTS, Claim, Optimization
from argo_bench.harness.quality import quality, valid_blocks
from argo_bench.harness.results import Comparison, Failure, Fidelity, Judgement, Result, Samples
from argo_bench.harness.sequential import nominal_error, outlook, smallest_detectable
from argo_bench.harness.stats import Estimate, block_difference, estimate, trimmed_mean
from argo_bench.harness.verdict import Word, is_worse, judge
from argo_bench.optimizations import headline_claims

FAMILY_ERROR = 0.05
SET_UP_S = 0.5
"""What a comparison costs in a replicate beside its blocks: its share of the start, and the warm-up."""
NOTABLE_DRAIN = 0.05
"""Deferred work is flagged from this share of a call's time."""


def level_of(optimization: Optimization, comparison: Comparison, looks: Sequence[int]) -> float:
    """Confidence level of a comparison's interval, the same at every look.

    Simultaneous (Bonferroni) over the headline claims of the whole catalogue, whatever was run, so that one row alone
    and all together give the same verdict on the same data; 95 % for readings outside that family.
    """
    in_family = any(claim.headline for claim in claims_on(optimization, comparison))
    error = FAMILY_ERROR / len(headline_claims()) if in_family else FAMILY_ERROR
    return 1 - nominal_error(error, tuple(looks))


def claims_on(optimization: Optimization, comparison: Comparison) -> list[Claim]:
    """The claims whose verdict rests on a comparison; none for further arms and other scales."""
    if comparison.candidate not in VARIANTS:
        return []
    return [
        claim
        for claim in optimization.claims
        if headline_comparison(optimization, claim, comparison.candidate) == comparison
    ]


def headline_comparison(optimization: Optimization, claim: Claim, variant: str) -> Comparison:
    """The comparison that gives a claim its verdict: its workload at the headline scale, against its reference."""
    workload = optimization.workload(claim.workload)
    return Comparison(optimization.id, workload.name, workload.scales[0], workload.unit, claim.reference, variant)


def result_of(comparison: Comparison, samples: Sequence[Samples], level: float) -> Result:
    """Estimates on both clocks: per replicate the trimmed mean of its blocks' log-ratios, t over the replicates."""
    return Result(
        comparison,
        cpu=estimate([_log_ratio(each, "cpu_ns") for each in samples], level),
        wall=estimate([_log_ratio(each, "wall_ns") for each in samples], level),
        reference_ns=_typical_ns(samples, "A"),
        candidate_ns=_typical_ns(samples, "B"),
        candidate_drain_ns=median(drains) if (drains := _drains(samples)) else None,
        seconds_per_replicate=sum(sum(block.wall_ns) for each in samples for block in each.blocks) / 1e9 / len(samples),
        flags=quality(samples),
    )


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
    optimizations: Sequence[Optimization],
    results: Sequence[Result],
    fidelities: Sequence[Fidelity],
    failures: Sequence[Failure],
) -> list[Judgement]:
    """A verdict for every claim and variant, also for those that could not be measured."""
    by_comparison = {result.comparison: result for result in results}
    failed = {(each.optimization, each.arm): each for each in failures}
    found = []
    for optimization in optimizations:
        for claim in optimization.claims:
            for variant in VARIANTS:
                comparison = headline_comparison(optimization, claim, variant)
                result = by_comparison.get(comparison)
                failure = failed.get((optimization.id, variant)) or failed.get((optimization.id, claim.reference))
                output, faithful = output_of(fidelities, optimization.id, variant)
                if result is not None and failure is None:
                    found.append(_measured(optimization, claim, variant, result, output, faithful))
                else:
                    found.append(_unmeasured(optimization, claim, variant, comparison, failure))
    return found


def output_of(fidelities: Sequence[Fidelity], optimization: str, arm: str) -> tuple[str, bool]:
    """The Output column of an arm, and whether it is faithful: on all workloads and in the whole pipeline."""
    relevant = [each for each in fidelities if each.optimization == optimization and each.arm == arm]
    if not relevant:
        return "not checked", True
    # A difference outweighs everything; one in the pipeline's decisions tells more than one in a stage.
    worst = max(
        relevant, key=lambda each: (not each.faithful, bool(each.counts) and each.workload is None, each.largest_error)
    )
    return worst.output, worst.faithful


def _measured(
    optimization: Optimization, claim: Claim, variant: str, result: Result, output: str, faithful: bool
) -> Judgement:
    interval = result.on(claim.metric)
    word = judge(claim, interval)
    other = judge(claim, result.on("wall" if claim.metric == "cpu" else "cpu"))
    flags = ["worse"] if is_worse(interval) else []
    flags += result.flags
    if other != word:
        flags.append(f"{'wall' if claim.metric == 'cpu' else 'CPU'} time says: {other}")
    if result.candidate_drain_ns is not None and result.candidate_drain_ns > NOTABLE_DRAIN * result.candidate_ns:
        flags.append(f"puts off {result.candidate_drain_ns / 1000:.3g} us a call until it closes")
    if variant != "prescribed" and not faithful:
        word = "void"
    needs = _needs(claim, interval, result) if word == "inconclusive" else None
    return _judgement(optimization, claim, variant, result.comparison, interval, word, flags, output, needs)


def _needs(claim: Claim, interval: Estimate, result: Result) -> str:
    """What an inconclusive result would take: the edge to clear, replicates and seconds."""
    found = outlook(claim, interval)
    if found is None:
        return "more replicates than are worth it: the estimate lies on an edge"
    more = max(0, found.replicates - interval.replicates)
    seconds = found.replicates * (result.seconds_per_replicate + SET_UP_S)
    return (
        f"{found.replicates} replicates ({more} more, about {seconds:.0f} s in all) to tell it from {found.edge:.3g}x"
    )


def _unmeasured(
    optimization: Optimization, claim: Claim, variant: str, comparison: Comparison, failure: Failure | None
) -> Judgement:
    word: Word = "inconclusive" if failure is None else failure.kind
    reason = "not measured before the run ended" if failure is None else failure.reason
    return _judgement(optimization, claim, variant, comparison, None, word, [reason], "not checked")


def _judgement(
    optimization: Optimization,
    claim: Claim,
    variant: str,
    comparison: Comparison,
    interval: Estimate | None,
    word: Word,
    flags: list[str],
    output: str,
    needs: str | None = None,
) -> Judgement:
    effect = None if interval is None else smallest_detectable(interval)
    return Judgement(
        claim=claim.id,
        optimization=optimization.id,
        arm=variant,
        text=claim.text,
        kind=claim.kind,
        low=None if math.isnan(claim.low) else claim.low,
        high=None if math.isnan(claim.high) else claim.high,
        headline=claim.headline,
        comparison=comparison,
        metric=claim.metric,
        speedup=None if interval is None else interval.speedup,
        interval=None if interval is None else interval.speedup_interval,
        level=None if interval is None else interval.level,
        verdict=word,
        flags=flags,
        output=output,
        sentence=_sentence(optimization, variant, comparison, interval, flags),
        detectable=None if effect is None else math.exp(effect),
        needs=needs,
    )


def _sentence(
    optimization: Optimization, variant: str, comparison: Comparison, interval: Estimate | None, flags: Sequence[str]
) -> str:
    subject = f"{optimization.name}, {variant}"
    if interval is None:
        return f"{subject}: {'; '.join(flags)}"
    ratio, bounds = interval.speedup, interval.speedup_interval
    says = f"{ratio:.3g} times faster" if ratio >= 1 else f"{1 / ratio:.3g} times slower"
    within = f" [{bounds[0]:.3g}x, {bounds[1]:.3g}x]" if bounds else " (one replicate, no interval)"
    reference = "the baseline" if comparison.reference == "baseline" else comparison.reference
    return f"{subject} is {says} than {reference}{within} on {comparison.workload}"
