"""Demands the lines that a plan implies: every replicate, first call, count, reading and comparison of outputs, once.

What may be missing has a cause that the record names: an arm failed or its outputs differ, the run was interrupted, or
its budget had no room for another replicate. A comparison leaves at a look where its samples then said so, or earlier
where a line says that it was left out since the time was short, which no headline comparison is. The hosts of a cluster
measure the replicates of a run in any order, and each subject up to a look of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from argo_bench.harness.claims.claim import Claim
from argo_bench.harness.claims.metrics import is_count, is_memory
from argo_bench.harness.judging.endings import is_over
from argo_bench.harness.plan import arms
from argo_bench.harness.record.lines import Disagreement, find_repeated, is_sealed
from argo_bench.harness.record.records import (
    Caching,
    Cold,
    Comparison,
    Counts,
    Declaration,
    Declared,
    End,
    Failure,
    Fidelity,
    Judgement,
    LeftOut,
    Memory,
    Observed,
    Plan,
    Result,
    Samples,
    Tried,
    Unit,
    rule_of,
)
from argo_bench.harness.record.store import Recorded

EVERY_ARM = "every arm"
"""A failure of this name is of all arms on a workload at a scale, with which its reason begins."""


def check_completeness(recorded: Recorded) -> Iterator[Disagreement]:
    """Yield what stands twice and what is missing, each with the line at which it would be expected."""
    course = Course(recorded)
    yield from _find_repeated_lines(course)
    yield from _check_replicates(course)
    yield from _check_left_out(course)
    yield from _check_trials(recorded)
    if not course.is_partial:
        last = len(recorded.records)
        for what in dict.fromkeys([*_find_missing_first_calls(course), *_find_missing_fidelities(course)]):
            yield Disagreement(last, what)
        for what in dict.fromkeys([*_find_missing_counts(course), *_find_missing_memory(course)]):
            yield Disagreement(last, what)


def _check_trials(recorded: Recorded) -> Iterator[Disagreement]:
    """Check that a line opens every trial before its observations."""
    begun = set()
    for line, record in recorded.lines():
        if isinstance(record, Tried):
            begun.add((record.optimization, record.trial))
        if isinstance(record, Observed) and (record.optimization, record.trial) not in begun:
            what = f"observation in {record.optimization} {record.trial}: no line before it opens that trial"
            yield Disagreement(line, what)


class Course:
    """Knows what was planned of a run, how many replicates it had, and which comparisons have a cause to be short."""

    def __init__(self, recorded: Recorded) -> None:
        self.recorded = recorded
        self.plan = recorded.plan
        self.declared = {each.id: each for each in recorded.declarations}
        end = recorded.records[-1]
        self.end = end if isinstance(end, End) else None
        self.is_interrupted = self.end is None or self.end.interrupted
        self.is_cut = self.is_interrupted or not is_sealed(recorded) or _is_budget_used(self.end)
        self.is_spread = bool(recorded.all(Unit))
        self.left_out = {each.comparison for each in recorded.all(LeftOut)}
        self.samples: dict[Comparison, dict[int, Samples]] = {}
        self.lines: dict[Comparison, int] = {}
        for line, each in recorded.lines():
            if isinstance(each, Samples):
                self.samples.setdefault(each.comparison, {}).setdefault(each.replicate, each)
                self.lines[each.comparison] = line
        self.replicates = 1 + max((number for taken in self.samples.values() for number in taken), default=-1)

    @property
    def is_partial(self) -> bool:
        """Say whether the passes before the replicates may be incomplete: replicates begin when all passes are done."""
        return (self.is_interrupted or _is_budget_used(self.end)) and not self.samples

    @cached_property
    def comparisons(self) -> list[Comparison]:
        """Return what was to be timed; of older records, whose plan is not known, what was timed."""
        return self.plan.comparisons or list(self.samples)

    @cached_property
    def _failures(self) -> list[Failure]:
        return self.recorded.all(Failure)

    @cached_property
    def _differing(self) -> set[str]:
        """Return the subjects that are two functions of a user's whose outputs differ, which ends their comparison."""
        return {each.optimization for each in self.recorded.all(Fidelity) if each.counts and self.is_own(each)}

    def is_own(self, line: Any) -> bool:
        """Say whether a line is about two functions of a user's, which are called again when a run is resumed."""
        subject = self.declared.get(line.optimization)
        return subject is not None and bool(subject.functions)

    def is_excused(self, comparison: Comparison) -> bool:
        """Say whether the record names a cause for which a comparison is incomplete."""
        names = (*arms(comparison), comparison.workload, f"{comparison.workload} at {comparison.place}")
        place = f"{comparison.workload} at {comparison.scale} {comparison.unit} "
        own = [each for each in self._failures if each.optimization == comparison.optimization]
        if any(each.arm in names or (each.arm == EVERY_ARM and each.reason.startswith(place)) for each in own):
            return True
        return comparison.optimization in self._differing

    def claims_on(self, comparison: Comparison) -> list[Claim]:
        subject = self.declared.get(comparison.optimization)
        return [] if subject is None else subject.claims_on(comparison)

    def is_over_at(self, comparison: Comparison, look: int) -> bool:
        """Say whether a comparison was to end at a look, by the samples that it had then."""
        taken = self.samples.get(comparison, {})
        level = self.plan.level_of(self.declared[comparison.optimization], comparison)
        before = [taken[number] for number in sorted(taken) if number < look]
        run = self.recorded.run
        return is_over(self.claims_on(comparison), before, level, run.looks, rule_of(run))


def _find_repeated_lines(course: Course) -> Iterator[Disagreement]:
    def once(record: Any, *key: Any) -> Any:
        return None if course.is_own(record) else key

    return find_repeated(
        course.recorded,
        {
            Plan: lambda each: "the run",
            Declaration: lambda each: None if each.functions else each.id,
            Fidelity: lambda each: once(each, each.optimization, each.arm, each.workload, each.scope),
            Cold: lambda each: (each.optimization, each.workload, each.scale, each.arm),
            Samples: lambda each: (each.comparison, f"in replicate {each.replicate}"),
            Memory: lambda each: (each.optimization, each.workload, each.scale, each.arm),
            Counts: lambda each: (each.optimization, each.workload, each.scale, each.arm, f"seed {each.seed}"),
            Result: lambda each: each.comparison,
            Caching: lambda each: (each.optimization, each.arm),
            Failure: lambda each: (each.optimization, each.arm, each.kind, each.reason),
            Judgement: lambda each: (each.claim, each.arm),
            LeftOut: lambda each: each.comparison,
        },
    )


def _check_replicates(course: Course) -> Iterator[Disagreement]:
    last = len(course.recorded.records)
    strangers = set(course.samples) - set(course.comparisons)
    for comparison in sorted(strangers):
        yield Disagreement(course.lines[comparison], f"samples of {comparison}: the plan has no such comparison")
    for comparison in course.comparisons:
        if course.claims_on(comparison) and not course.plan.only_checks:
            line = course.lines.get(comparison, last)
            taken = sorted(course.samples.get(comparison, ()))
            is_in_order = course.is_spread or taken == [*course.samples.get(comparison, ())]
            if is_sealed(course.recorded) and not is_in_order:
                yield Disagreement(line, f"samples of {comparison}: their replicates do not follow each other")
            gaps = sorted(set(range(len(taken))) - set(taken))
            if gaps and not (course.is_spread and course.is_interrupted):
                missing = ", ".join(map(str, gaps))
                yield Disagreement(line, f"samples of {comparison}: none in replicate {missing}, but in later ones")
            elif not course.is_excused(comparison) and comparison not in course.left_out:
                for what in _check_ending(course, comparison, len(taken)):
                    yield Disagreement(line, f"samples of {comparison}: {what}")
    if is_sealed(course.recorded) and not course.is_cut:
        yield from _check_budget(course)


def _check_ending(course: Course, comparison: Comparison, number: int) -> Iterator[str]:
    """Check that a comparison went on while its samples asked for more, and no longer."""
    looks, has_rule = course.recorded.run.looks, is_sealed(course.recorded)
    if number > looks[-1]:
        yield f"{number} replicates, and the last look is at {looks[-1]}"
        return
    for look in looks if has_rule else ():
        if look < number and course.is_over_at(comparison, look):
            yield f"{number} replicates, though it was to end at the look at {look}"
    most = course.replicates
    if number == most or (course.is_cut and (course.is_spread or number == most - 1)):
        return
    if number not in looks:
        yield f"{number} of {most} replicates, and there is no look at {number}"
    elif has_rule and not course.is_over_at(comparison, number):
        yield f"{number} of {most} replicates, and at the look at {number} it was not to end"


def _check_budget(course: Course) -> Iterator[Disagreement]:
    """Check that a run that had time left ended with its last look, or without an open comparison."""
    end = course.end
    if end is None or course.plan.only_checks or course.replicates >= course.recorded.run.looks[-1]:
        return
    for comparison in course.comparisons:
        if not course.is_excused(comparison) and comparison not in course.left_out and _is_open(course, comparison):
            budget = "no budget" if end.budget_s is None else f"a budget of {end.budget_s:g} s"
            said = f"the run ended after {course.replicates} replicates and {end.seconds:.0f} s, with {budget}"
            yield Disagreement(len(course.recorded.records), f"{said}, without a cause: {comparison} was to go on")
            return


def _check_left_out(course: Course) -> Iterator[Disagreement]:
    """Check that what was left out was planned, was not what comes first, and ended where its line says; and that a run
    which ended by itself has a line for whatever has no claim and fewer replicates than the first look."""
    for line, each in course.recorded.lines():
        if not isinstance(each, LeftOut):
            continue
        taken = len(course.samples.get(each.comparison, ()))
        if not course.plan.order:
            yield Disagreement(line, f"{each.comparison} was left out, and the plan has no order")
        if each.comparison not in course.comparisons:
            yield Disagreement(line, f"{each.comparison} was left out, and the plan has no such comparison")
        elif any(claim.headline for claim in course.claims_on(each.comparison)):
            yield Disagreement(line, f"{each.comparison} was left out, and a headline claim rests on it")
        if each.replicates != taken:
            what = f"left out after {each.replicates} replicates, and there are {taken}"
            yield Disagreement(line, f"{each.comparison}: {what}")
    if course.is_interrupted or course.is_partial or course.plan.only_checks:
        return
    for comparison in course.comparisons if course.plan.order else ():
        is_brief = len(course.samples.get(comparison, ())) < course.recorded.run.looks[0]
        is_named = comparison in course.left_out or course.is_excused(comparison)
        if is_brief and not course.claims_on(comparison) and not is_named:
            yield Disagreement(len(course.recorded.records), f"no line says that {comparison} was left out")


def _is_budget_used(end: End | None) -> bool:
    """Say whether a run ended with less time left than its longest replicate took, so that no other could begin."""
    return end is not None and end.budget_s is not None and end.seconds + end.longest_s > end.budget_s


def _is_open(course: Course, comparison: Comparison) -> bool:
    looks = course.recorded.run.looks
    number = len(course.samples.get(comparison, ()))
    if not course.claims_on(comparison):
        return number < looks[0]
    return number >= course.replicates - 1 and not (number in looks and course.is_over_at(comparison, number))


def _find_missing_first_calls(course: Course) -> Iterator[str]:
    made = {(each.optimization, each.workload, each.scale, each.arm) for each in course.recorded.all(Cold)}
    for comparison in _list_at_headline_scale(course):
        for arm in () if course.plan.only_checks else arms(comparison):
            if (comparison.optimization, comparison.workload, comparison.scale, arm) not in made:
                yield f"no first call of {comparison.optimization} {arm} on {comparison.workload}"


def _list_at_headline_scale(course: Course) -> Iterator[Comparison]:
    """Yield what was compared at headline scales; arms that failed have no more lines."""
    for each in course.comparisons:
        subject = course.declared.get(each.optimization)
        if subject is None or course.is_excused(each):
            continue
        if each.scale == subject.workload(each.workload).scales[0]:
            yield each


def _find_missing_fidelities(course: Course) -> Iterator[str]:
    """Yield comparisons of outputs that are missing: of every arm on what it is timed on, and of every variant."""
    lines = course.recorded.all(Fidelity)
    compared = {(each.optimization, each.arm, each.workload) for each in lines if each.scope == "workload"}
    for each in _list_at_headline_scale(course):
        is_checked = each.reference == "baseline" and not course.is_own(each)
        if is_checked and (each.optimization, each.candidate, each.workload) not in compared:
            yield f"no comparison of outputs of {each.optimization} {each.candidate} on {each.workload}"
    seen = {(each.optimization, each.arm, each.scope) for each in lines}
    scopes = {each.scope for each in lines if each.scope != "workload"}
    failed = {(each.optimization, each.arm) for each in course.recorded.all(Failure)}
    for subject in course.declared.values():
        for variant in () if subject.functions else subject.variants:
            for scope in sorted(scopes):
                if (subject.id, variant, scope) not in seen and (subject.id, variant) not in failed:
                    yield f"no comparison of outputs of {subject.id} {variant} on {scope}"
    checked = {each.name for each in course.recorded.all(Declared) if each.check}
    answered = {each.optimization for each in lines} | {name for name, _ in failed}
    for name in sorted(checked - answered):
        yield f"no comparison of outputs of {name}"


def _list_judged(course: Course) -> Iterator[tuple[Claim, Comparison]]:
    """Yield every claim that is judged, with the comparison that it rests on for each variant."""
    for subject in () if course.plan.only_checks else course.declared.values():
        for claim in subject.claims:
            for variant in subject.variants if claim.id in course.plan.claims else ():
                comparison = subject.headline_comparison(claim, variant)
                if not course.is_excused(comparison):
                    yield claim, comparison


def _find_missing_counts(course: Course) -> Iterator[str]:
    """Yield counts that are missing: of both arms behind every claim on a count, under every seed."""
    counted: dict[tuple[str, str, int, str], dict[int, Counts]] = {}
    for each in course.recorded.all(Counts):
        counted.setdefault((each.optimization, each.workload, each.scale, each.arm), {})[each.seed] = each
    for claim, comparison in _list_judged(course):
        for arm in arms(comparison) if is_count(claim.metric) else ():
            own = counted.get((comparison.optimization, comparison.workload, comparison.scale, arm), {})
            missing = [
                str(seed)
                for seed in course.plan.seeds
                # A cache that was not asked has no rate.
                if seed not in own or (claim.kind != "level" and claim.metric not in own[seed].counts)
            ]
            if missing:
                of = f"{comparison.optimization} {arm} on {comparison.workload}"
                yield f"no {claim.metric} of {of} under seed {', '.join(missing)}"


def _find_missing_memory(course: Course) -> Iterator[str]:
    """Yield memory that was not read: of both arms behind claims on memory, and of all arms of a claim or of none."""
    read = {(each.optimization, each.workload, each.scale, each.arm) for each in course.recorded.all(Memory)}
    demanded: set[tuple[str, str, int, str]] = set()
    beside: dict[str, set[tuple[str, str, int, str]]] = {}
    for claim, comparison in _list_judged(course):
        at = comparison.optimization, comparison.workload, comparison.scale
        if is_memory(claim.metric):
            demanded |= {(*at, arm) for arm in arms(comparison)}
        elif claim.headline and not is_count(claim.metric):
            beside.setdefault(claim.id, set()).update((*at, arm) for arm in arms(comparison))
    begun = [wanted for wanted in beside.values() if (wanted - demanded) & read]
    for optimization, workload, _, arm in sorted(demanded.union(*begun) - read):
        yield f"no memory of {optimization} {arm} on {workload}"
