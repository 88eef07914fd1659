"""Gives every claim a verdict from what was measured, by pure functions of the records and the claims."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from argo_bench.harness.claims.claim import Claim
from argo_bench.harness.claims.metrics import Clock, Metric, is_count, is_memory
from argo_bench.harness.claims.verdict import (
    FLOORED,
    HOLDS,
    Word,
    do_contradict,
    floor_of,
    is_worse,
    judge,
    judge_level,
)
from argo_bench.harness.judging.holds_when import HitAndMiss, describe_condition, find_straddled_edge
from argo_bench.harness.judging.measurements import (
    SPOT_LEVEL,
    Measured,
    estimate_exact,
    find_break_even_calls,
    judge_first_call,
)
from argo_bench.harness.judging.memory import describe_parts, weigh
from argo_bench.harness.judging.outputs import KEPT, NOT_CHECKED, Output, describe_output
from argo_bench.harness.plan import SET_UP_S
from argo_bench.harness.record.records import (
    Caching,
    Comparison,
    Declaration,
    Failure,
    Fidelity,
    Judgement,
    Plan,
    Result,
    Spot,
)
from argo_bench.harness.statistics.estimate import RETIRED, Estimate, Rule, estimate, is_unbounded, ratio_of
from argo_bench.harness.statistics.looks import outlook, smallest_detectable

WORDS = {"time": ("faster", "slower"), "memory": ("lighter in memory", "heavier in memory")}
"""Each pair is the words for a gain and for a loss."""
NEVER = 2.0
"""This hit rate is impossible: a cache whose hits cost more than the reference never pays."""
MOST_REPLICATES = 10_000
"""No projection goes beyond this number of replicates."""
NOTABLE_DRAIN = 0.05
"""Deferred work is flagged from this share of a call's time on."""


@dataclass(frozen=True, slots=True)
class Question:
    """Asks whether a claim holds of a variant of a subject.

    ``comparison`` is where it is asked, ``output`` what is said of the variant's output. ``is_void`` says that no
    figure counts, since the output differs from the reference's or was not checked. ``error`` is that which an
    interval made for the question alone may have. ``has_floor`` says that a difference must be as large as one that
    matters, by the rule that judges.
    """

    subject: Declaration
    claim: Claim
    variant: str
    comparison: Comparison
    output: Output
    is_void: bool
    error: float
    has_floor: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """Holds the word for a question, and the fields of its Judgement that rest on measurements (described there).

    The sentence says of the bounds what ``certainty`` says, and ends with ``notes``. ``floor`` is the smallest
    difference that counts where nothing was claimed; ``objection`` says why a clear interval decides nothing.
    """

    word: Word
    flags: list[str]
    interval: Estimate | None = None
    needs: str | None = None
    strip: Sequence[Spot] = ()
    cold: Spot | None = None
    break_even: float | None = None
    curve: Sequence[Spot] = ()
    curve_unit: str = ""
    cache: HitAndMiss | None = None
    level_seen: tuple[float, float] | None = None
    floor: float | None = None
    certainty: str = ""
    notes: Sequence[str] = ()
    objection: str = ""


def judge_all(
    subjects: Sequence[Declaration],
    measured: Measured,
    fidelities: Sequence[Fidelity],
    failures: Sequence[Failure],
    plan: Plan | None = None,
) -> list[Judgement]:
    """Judge every claim on every variant, including those that could not be measured.

    Without the ``plan`` of the run all claims are judged, each by itself.
    """
    failed = {(each.optimization, each.arm): each for each in failures}
    found = []
    for asked in _ask(subjects, fidelities, plan):
        question = replace(asked, has_floor=measured.rule in FLOORED)
        failure = _find_failure(question, failed)
        if failure is None:
            found.append(_write_judgement(question, _answer(question, measured)))
        else:
            unchecked = replace(question, output=NOT_CHECKED)
            found.append(_write_judgement(unchecked, Answer(failure.kind, [failure.reason])))
    return found


def _ask(subjects: Sequence[Declaration], fidelities: Sequence[Fidelity], plan: Plan | None) -> Iterator[Question]:
    for subject in subjects:
        for claim in [each for each in subject.claims if plan is None or each.id in plan.claims]:
            error = 1 - SPOT_LEVEL if plan is None else plan.error_of(subject, claim)
            for variant in subject.variants:
                output = describe_output(fidelities, subject.id, variant)
                is_void = output is not NOT_CHECKED and _is_void(variant, output)
                comparison = subject.headline_comparison(claim, variant)
                yield Question(subject, claim, variant, comparison, output, is_void, error)


def _is_void(variant: str, output: Output) -> bool:
    """Say whether no figure of a variant counts. What is prescribed is judged with its defects, once it was checked."""
    return output.word == "not checked" or (variant != "prescribed" and not output.is_kept)


def _find_failure(question: Question, failed: Mapping[tuple[str, str], Failure]) -> Failure | None:
    """Return why the variant, its reference or the claim's workload was not measured; None where all were."""
    concerned = question.variant, question.claim.against(question.variant), question.claim.workload
    return next((failed[key] for each in concerned if (key := (question.subject.id, each)) in failed), None)


def _answer(question: Question, measured: Measured) -> Answer:
    claim = question.claim
    if is_count(claim.metric):
        return (_answer_by_level if claim.kind == "level" else _answer_by_count)(question, measured)
    if is_memory(claim.metric):
        return _answer_by_memory(question, measured)
    result = measured.results.get(question.comparison)
    if question.is_void and question.subject.functions:  # their sentence says what differs, not how fast that is
        return _leave_open(question)
    return _leave_open(question) if result is None else _answer_by_time(question, result, measured)


def _leave_open(question: Question, reason: str = "not measured before the run ended") -> Answer:
    """Answer a question about which there is no figure."""
    if question.is_void:
        return Answer("void", [_say_why_void(question.output)])
    return Answer("untested" if question.has_floor else "inconclusive", [reason])


def _say_why_void(output: Output) -> str:
    return output.text if output.word not in KEPT else f"when providers fail: {output.when_providers_fail}"


def _answer_by_time(question: Question, result: Result, measured: Measured) -> Answer:
    claim, comparison = question.claim, result.comparison
    clock: Clock = "wall" if claim.metric == "wall" else "cpu"
    interval = result.on(clock)
    strip = measured.strip(claim, comparison)
    floor = floor_of(result.reference_ns) if question.has_floor else None
    word: Word = judge(claim, interval, floor)
    flags = _time_flags(question, result, clock, word)
    mean = result.mean_on(clock)
    objection = ""
    if mean is not None and do_contradict(word, judge(claim, mean, floor)):
        objection = _say_what_mean_says(interval, mean)
        flags.append(objection)
        word = "inconclusive"
    elif mean is not None:
        flags.append(f"on the mean over all calls it is {_format_change(mean)}")
    if not objection and claim.kind == "up_to" and any(spot.verdict == "confirmed" for spot in strip):
        word = "confirmed"
    word = "void" if question.is_void else word
    curve, curve_unit = measured.curve(question.subject, claim, comparison)
    first_calls = measured.first_calls(comparison)
    return Answer(
        word,
        flags,
        interval,
        _say_needs(claim, interval, result, measured.rule) if word == "inconclusive" and not objection else None,
        strip=strip,
        cold=judge_first_call(claim, comparison.scale, first_calls, measured.rule),
        break_even=find_break_even_calls(first_calls, result),
        curve=curve,
        curve_unit=curve_unit,
        cache=measured.hit_and_miss(question.subject, comparison),
        floor=floor,
        objection=objection,
    )


def _say_what_mean_says(typical: Estimate, mean: Estimate) -> str:
    """Say that the typical call and the mean over all calls lead to different verdicts."""
    says = [_format_change(each) for each in (typical, mean)]
    return f"a typical call is {says[0]}, but some are dear: on the mean it is {says[1]}"


def _format_change(of: Estimate) -> str:
    """Return an estimate of time in words, as in ``1.9x slower [1.7x, 2.1x]``."""
    ratio, bounds = of.speedup, of.speedup_interval or (of.speedup, of.speedup)
    if ratio < 1:
        ratio, bounds = 1 / ratio, (1 / bounds[1], 1 / bounds[0])
    return f"{ratio:.3g}x {WORDS['time'][of.speedup < 1]} [{bounds[0]:.3g}x, {bounds[1]:.3g}x]"


def _time_flags(question: Question, result: Result, clock: Clock, word: Word) -> list[str]:
    """Return what a reader of the verdict on one clock has to know besides."""
    floor = floor_of(result.reference_ns) if question.has_floor else None
    other = judge(question.claim, result.on("wall" if clock == "cpu" else "cpu"), floor)
    is_modelled = clock == "wall" and question.subject.workload(question.claim.workload).is_modelled
    flags = ["worse"] if is_worse(result.on(clock), floor) else []
    flags += ["modelled"] if is_modelled else []
    flags += result.flags
    if other != word:
        flags.append(f"{'wall' if clock == 'cpu' else 'CPU'} time says: {other}")
    if result.candidate_drain_ns is not None and result.candidate_drain_ns > NOTABLE_DRAIN * result.candidate_ns:
        flags.append(f"puts off {result.candidate_drain_ns / 1000:.3g} us a call until it closes")
    return flags


def _answer_by_level(question: Question, measured: Measured) -> Answer:
    """Judge a claim about the level of an exact count, such as a hit rate, by its range over the seeds."""
    claim = question.claim
    levels = list(measured.counts(claim.metric, question.comparison, question.variant).values())
    if not levels or question.is_void:
        return _leave_open(question, "nothing was counted")
    low, high = min(levels), max(levels)
    flags = [f"{low:.3g} to {high:.3g} {question.subject.nouns[claim.metric]} over {len(levels)} seeds"]
    return Answer(judge_level(claim, levels), flags, level_seen=(low, high))


def _answer_by_count(question: Question, measured: Measured) -> Answer:
    """Judge a claim about an exact count on all seeds together, as if their range were an interval."""
    claim, comparison = question.claim, question.comparison
    values = measured.count_ratios(claim.metric, comparison)
    if not values or question.is_void:
        return _leave_open(question, "nothing was counted")
    interval = estimate_exact(values)
    word = judge(claim, interval)
    scales = sorted(question.subject.workload(claim.workload).scales)
    places = [msgspec.structs.replace(comparison, scale=scale) for scale in scales]
    curve, curve_unit = measured.curve(question.subject, claim, comparison)
    return Answer(
        word,
        ["worse"] if is_worse(interval) else [],
        interval,
        _say_exact_needs(claim, interval, "seeds") if word == "inconclusive" else None,
        strip=measured.spots_of_counts(claim, claim.metric, places),
        curve=curve,
        curve_unit=curve_unit,
    )


def _answer_by_memory(question: Question, measured: Measured) -> Answer:
    """Judge a claim about memory by the readings of both arms."""
    claim = question.claim
    reference, candidate = measured.readings(question.comparison)
    if question.is_void or not reference or not candidate:
        return _leave_open(question)
    if all(each.hash_seed is None for each in reference):
        return _answer_by_unpaired_memory(question, measured)
    found = weigh(claim.metric, reference, candidate, question.error)
    if found is None or found.interval is None:
        return _leave_open(question) if found is None else Answer("inconclusive", [found.reason])
    word = judge(claim, found.interval)
    needs = _say_exact_needs(claim, found.interval, "readings") if word == "inconclusive" else None
    names = question.subject.functions
    parts = describe_parts(claim.metric, {names["baseline"]: reference, names["candidate"]: candidate}) if names else []
    flags = ["worse"] if is_worse(found.interval) else []
    flags += [*(f"memory {note}" for note in found.notes), *(f"memory of {part}" for part in parts)]
    return Answer(word, flags, found.interval, needs, certainty=found.certainty, notes=[*found.notes, *parts])


def _answer_by_unpaired_memory(question: Question, measured: Measured) -> Answer:
    """Judge a claim by readings that do not name their hash seeds, by the rule of 0.1."""
    claim = question.claim
    values = measured.memory(claim.metric, question.comparison)
    if not values:
        return _leave_open(question)
    # Exact readings that agree have no spread: two of them make an interval without width.
    interval = estimate(values if len(values) > 1 else values * 2, SPOT_LEVEL, RETIRED)
    word = judge(claim, interval)
    needs = _say_exact_needs(claim, interval, "readings") if word == "inconclusive" else None
    return Answer(word, ["worse"] if is_worse(interval) else [], interval, needs)


def _say_exact_needs(claim: Claim, interval: Estimate, of: str) -> str | None:
    edge = find_straddled_edge(claim, interval)
    return (
        None if edge is None else f"another workload: the {interval.replicates} {of} lie on both sides of {edge:.3g}x"
    )


def _say_needs(claim: Claim, interval: Estimate, result: Result, rule: Rule) -> str:
    """Say what an inconclusive result would take: the edge to clear, replicates and seconds."""
    floor = floor_of(result.reference_ns) if rule in FLOORED else None
    found = outlook(claim, interval, MOST_REPLICATES, rule, floor)
    if found is None:
        edge = find_straddled_edge(claim, interval)
        at = "an edge" if edge is None else f"the edge at {edge:.3g}x"
        return f"more than {MOST_REPLICATES:,} replicates: the estimate lies on {at}"
    more = max(0, found.replicates - interval.replicates)
    seconds = found.replicates * (result.seconds_per_replicate + SET_UP_S)
    return (
        f"{found.replicates} replicates ({more} more, about {seconds:.0f} s in all) to tell it from {found.edge:.3g}x"
    )


def _write_judgement(question: Question, answer: Answer) -> Judgement:
    claim, comparison, interval = question.claim, question.comparison, answer.interval
    effect = None if interval is None else smallest_detectable(interval)
    return Judgement(
        claim=claim.id,
        optimization=question.subject.id,
        arm=question.variant,
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
        verdict=answer.word,
        flags=answer.flags,
        output=question.output.text,
        sentence=_write_sentence(question, answer),
        detectable=None if effect is None else ratio_of(effect),
        needs=answer.needs,
        strip=list(answer.strip),
        cold=answer.cold,
        break_even_calls=answer.break_even,
        curve=list(answer.curve),
        curve_unit=answer.curve_unit,
        level_seen=answer.level_seen,
        holds_when=_say_when_it_holds(question, answer),
        damage=dict(question.output.damage),
        when_providers_fail=question.output.when_providers_fail,
    )


def _say_when_it_holds(question: Question, answer: Answer) -> str | None:
    """Say when the claim would hold; None where it holds, names no factor, or has no measurement."""
    if answer.interval is None or answer.objection or answer.word in HOLDS or question.claim.kind == "difference":
        return None
    unit = question.comparison.unit
    return describe_condition(question.claim, answer.strip, unit, answer.curve, answer.curve_unit, answer.cache)


def find_break_even_rates(subjects: Sequence[Declaration], measured: Measured) -> Iterator[Caching]:
    """Yield, for every variant with a workload of hits and one of misses, from which hit rate on it pays."""
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


def _write_sentence(question: Question, answer: Answer) -> str:
    subject, comparison, interval = question.subject, question.comparison, answer.interval
    metric = question.claim.metric
    if subject.functions:
        said = _write_sentence_on_functions(subject.functions, answer, metric)
        remarks = [question.output.text.partition("same; ")[2]] if interval is not None else []
        return "; ".join(filter(None, (said, *answer.notes, *remarks)))
    named = f"{subject.name}, {question.variant}"
    if interval is None:
        return f"{named}: {'; '.join(answer.flags)}"
    ratio = interval.speedup
    if is_count(metric):
        gain, loss = f"fewer {subject.nouns[metric]}", f"more {subject.nouns[metric]}"
    else:
        gain, loss = WORDS["memory" if is_memory(metric) else "time"]
    says = f"{ratio:.3g} times {gain}" if ratio >= 1 else f"{1 / ratio:.3g} times {loss}"
    within = _write_bounds(interval.speedup_interval, "x", answer.certainty)
    reference = "the baseline" if comparison.reference == "baseline" else comparison.reference
    said = f"{named} is {says} than {reference}{within} on {comparison.workload}"
    return "; ".join(filter(None, (said, answer.objection, *answer.notes)))


def _write_sentence_on_functions(functions: Mapping[str, str], answer: Answer, metric: Metric) -> str:
    """Write a sentence such as ``new ran 2.41x [2.36, 2.47] faster than old``, or that nothing is decided."""
    new, old, interval = functions["candidate"], functions["baseline"], answer.interval
    if interval is None:
        return f"{new} against {old}: {'; '.join(answer.flags)}"
    if answer.objection:
        return f"{new} against {old}: undecided: {answer.objection}"
    word, loss = WORDS["memory" if is_memory(metric) else "time"]
    if answer.floor is not None and (undecided := _write_undecided(answer.word, interval, answer.floor, (word, loss))):
        return f"{new} against {old}: {undecided}"
    ratio, bounds = interval.speedup, interval.speedup_interval
    if ratio < 1:
        ratio, bounds, word = 1 / ratio, bounds and (1 / bounds[1], 1 / bounds[0]), loss
    within = _write_bounds(bounds, "", answer.certainty)
    shown = f"at least {bounds[0]:.3g}x" if bounds and is_unbounded(bounds[1]) else f"{ratio:.3g}x"
    verb = "was" if is_memory(metric) else "ran"
    return f"{new} {verb} {shown}{within} {word} than {old}"


def _write_bounds(bounds: tuple[float, float] | None, unit: str, certainty: str) -> str:
    """Write what stands behind a ratio: bounds, or how exact it is where they read as the ratio does."""
    if bounds is None:
        return " (one replicate, no interval)"
    low, high = (f"{each:.3g}{unit}" for each in bounds)
    if is_unbounded(bounds[1]):
        return f" ({certainty})" if certainty else ""
    if certainty and low == high:
        return f" ({certainty})"
    return f" [{low}, {high}, {certainty}]" if certainty else f" [{low}, {high}]"


def _write_undecided(word: Word, interval: Estimate, floor: float, words: tuple[str, str]) -> str | None:
    """Say within what there is no difference, or between what it is open which is better; None where that is not.

    ``words`` are those for a gain and for a loss.
    """
    if word == "no difference":
        return f"no difference: within {100 * math.expm1(floor):.2g} %"
    bounds = interval.speedup_interval
    if bounds is None:
        return None
    is_open = bounds[0] < 1 < bounds[1] or (word == "inconclusive" and abs(interval.theta) < floor)
    between = f"between {_write_change(bounds[0], words)} and {_write_change(bounds[1], words)}"
    return None if not is_open else f"undecided: {between}" if word == "inconclusive" else between


def _write_change(speedup: float, words: tuple[str, str]) -> str:
    """Write a speed-up as a change: ``2 % faster``, ``1.4 % slower``, from twice on ``2.3x slower``."""
    gain, loss = words
    ratio, word = (speedup, gain) if speedup >= 1 else (1 / speedup, loss)
    return f"{ratio:.3g}x {word}" if ratio >= 1.995 else f"{100 * (ratio - 1):.2g} % {word}"
