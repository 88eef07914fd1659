"""Recomputes a run from its raw samples alone, and names every line of the record that does not agree.

The digests of the lines guard against accidents; this guards against a record that was edited with care. A rewrite that
is consistent throughout cannot be told from an honest record without a secret.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import msgspec

from argo_bench.errors import UserError
from argo_bench.harness.calibration.rates import summarize_bank
from argo_bench.harness.calibration.standing import SUMMARY, Calibration
from argo_bench.harness.judging.judgements import find_break_even_rates, judge_all
from argo_bench.harness.judging.measurements import Measured
from argo_bench.harness.judging.outputs import KEPT, describe_line, word_of
from argo_bench.harness.judging.results import estimate_result
from argo_bench.harness.labels import shorten_name
from argo_bench.harness.plan import compute_levels, hash_seed_of_memory, replicate_seed
from argo_bench.harness.record.completeness import check_completeness
from argo_bench.harness.record.lines import (
    Disagreement,
    check_ending,
    check_fields,
    check_header,
    check_order,
    check_samples,
    find_out_of_order,
    find_repeated,
    is_sealed,
)
from argo_bench.harness.record.parts import check_apart, check_parts
from argo_bench.harness.record.records import (
    LAST_WITHOUT_DECLARATIONS,
    RULES,
    Banked,
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
    Memory,
    Plan,
    Result,
    Run,
    Samples,
    rule_of,
)
from argo_bench.harness.record.store import UNREADABLE, Recorded
from argo_bench.harness.record.units import check_units
from argo_bench.harness.shortage import ORDER, PAST_ORDERS
from argo_bench.harness.statistics.looks import LOOKS

TOLERANCE = 1e-12
"""The tolerance is relative: sums are exact to the bit on one platform and agree to this on others."""


ABOUT = (Judgement, Caching, Cold, Memory, Counts)
"""Lines of these kinds are about a subject that is declared."""
RANKS: Mapping[type[msgspec.Struct], int] = {Run: 0, Plan: 1, Result: 3, Caching: 4, Judgement: 5, End: 6}
MEASURED = 2
"""Whatever is measured has this rank: a run that is resumed may go back to an earlier pass."""
CONTRADICTIONS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    StopIteration,
    TypeError,
    ValueError,
)
"""Computing from lines that contradict each other raises one of these."""


def verify(recorded: Recorded) -> list[Disagreement]:
    """Return everything that does not follow from the samples, the claims and the seeds; empty for an honest record.

    Raises UserError for a record that was judged by a rule that this version does not know.
    """
    if recorded.run.schema > LAST_WITHOUT_DECLARATIONS and recorded.run.rule not in RULES:
        raise UserError(
            f"{recorded.directory} was judged by the rule {recorded.run.rule!r}, which this version does not know: "
            "update argo-bench to verify it"
        )
    if recorded.run.profile == "calibrate":
        return run_checks(recorded, (check_header, _check_own_fields, _check_bank, _check_calibration))
    checks = (
        check_header,
        check_ending,
        _check_own_fields,
        _check_place,
        _check_settings,
        _check_levels,
        _check_functions,
        _check_samples,
        _check_subjects,
        _check_seeds,
        _check_fidelities,
        _check_results,
        _check_verdicts,
        _check_end,
        check_parts,
        partial(check_apart, check=check_units),
        partial(check_apart, check=check_completeness),
    )
    return run_checks(recorded, checks)


@contextmanager
def blaming(*several: Recorded, find: Callable[[Recorded], Sequence[Disagreement]] = verify) -> Iterator[None]:
    """Turn an error into a UserError where it comes from one of these records, whose lines contradict each other.

    ``find`` is what verifies them. An error that no record is to blame for is ours, and stays what it is.
    """
    try:
        yield
    except CONTRADICTIONS as error:
        for recorded in several:
            if found := find(recorded):
                raise UserError(
                    f"{recorded.directory} cannot be shown, since its lines contradict each other ({found[0]}): "
                    f"expected a record as it was written; argo-bench verify {recorded.directory} names all of them"
                ) from error
        raise


def run_checks(
    recorded: Recorded, checks: Sequence[Callable[[Recorded], Iterator[Disagreement]]]
) -> list[Disagreement]:
    """Return what the checks find, in the order of the lines. A check that cannot compute from the lines says so."""
    found: set[Disagreement] = set()
    for check in checks:
        try:
            found.update(check(recorded))
        except CONTRADICTIONS as error:
            what = f"nothing can be computed from the lines before ({type(error).__name__}: {error})"
            found.add(Disagreement(len(recorded.records), what))
    return sorted(found)


def _check_own_fields(recorded: Recorded) -> Iterator[Disagreement]:
    """Check the fields of a record of this schema; those of older ones may have been given up since."""
    return check_fields(recorded) if is_sealed(recorded) else iter(())


def _check_place(recorded: Recorded) -> Iterator[Disagreement]:
    """Check that the plan stands before what was measured, and the conclusions after it."""
    return check_order(recorded, RANKS, MEASURED) if is_sealed(recorded) else iter(())


def _check_bank(recorded: Recorded) -> Iterator[Disagreement]:
    """Check that the replicates of a calibration bank are there once each, and as they were drawn."""
    if is_sealed(recorded) and recorded.run.looks != [*LOOKS]:
        yield Disagreement(1, f"the header has the looks {recorded.run.looks}, banks have {[*LOOKS]}")
    yield from find_repeated(recorded, {Banked: lambda each: (each.samples.comparison, each.samples.replicate)})
    banked = [(line, each.samples) for line, each in recorded.lines() if isinstance(each, Banked)]
    yield from check_samples(recorded, banked)
    further = [(line, one) for line, each in recorded.lines() if isinstance(each, Banked) for one in each.further]
    yield from check_samples(recorded, further)
    numbers: dict[Comparison, int] = {}
    for line, each in banked:
        number = numbers[each.comparison] = numbers.get(each.comparison, -1) + 1
        if each.replicate != number:
            yield Disagreement(line, f"{each.comparison}: replicate {each.replicate}, expected {number}")


def _check_calibration(recorded: Recorded) -> Iterator[Disagreement]:
    """Check a calibration bank against the summary beside it."""
    file = recorded.directory / SUMMARY
    if not file.is_file():
        yield Disagreement(len(recorded.records), f"no {SUMMARY} beside it: argo-bench calibrate writes one")
        return
    try:
        kept = msgspec.json.decode(file.read_bytes(), type=Calibration)
    except UNREADABLE as error:
        yield Disagreement(len(recorded.records), f"{SUMMARY} cannot be read: {error}")
        return
    for field, got, ours in _find_differences(msgspec.to_builtins(kept), msgspec.to_builtins(summarize_bank(recorded))):
        yield Disagreement(len(recorded.records), f"{SUMMARY}: {field} is {got!r}, the bank gives {ours!r}")


def _declarations_by_id(recorded: Recorded) -> dict[str, Declaration]:
    """Return what was measured, by id, as the record declares it."""
    return {each.id: each for each in recorded.declarations}


def _check_settings(recorded: Recorded) -> Iterator[Disagreement]:
    """Check that the header says what was asked for, and what was planned."""
    run, asked, plan = recorded.run, recorded.run.asked, recorded.plan
    if asked is not None and (asked.seed, asked.profile) != (run.seed, run.profile):
        said = f"seed {run.seed} and profile {run.profile}, asked for were {asked.seed} and {asked.profile}"
        yield Disagreement(1, f"the header has {said}")
    if asked is not None and run.optimizations:
        if (asked.trace, asked.skip_unchanged) != (run.trace, run.skip_unchanged):
            yield Disagreement(1, "the header has another trace than was asked for, or other unchanged prices")
        if asked.symbols not in (None, len(run.symbols)):
            yield Disagreement(1, f"the header has {len(run.symbols)} symbols, asked for were {asked.symbols}")
    if tuple(plan.order) not in ((), ORDER, *PAST_ORDERS):
        yield Disagreement(1, f"the plan has the order {plan.order}, expected {[*ORDER]}")
    if (is_sealed(recorded) or plan.looks) and plan.looks != run.looks:
        yield Disagreement(1, f"the header has the looks {run.looks}, planned were {plan.looks}")


def _check_samples(recorded: Recorded) -> Iterator[Disagreement]:
    return check_samples(recorded, [(line, each) for line, each in recorded.lines() if isinstance(each, Samples)])


def _check_levels(recorded: Recorded) -> Iterator[Disagreement]:
    """Check that a plan's levels follow from its families and looks, and that claims are in their subject's family."""
    plan, looks = recorded.plan, recorded.run.looks
    if plan.looks and plan.looks != looks:
        return  # which of both are meant is not known
    line = next((line for line, record in recorded.lines() if isinstance(record, Plan)), 1)
    expected = compute_levels(plan.families, plan.error, looks, rule_of(recorded.run))
    for name in expected.keys() | plan.levels.keys():
        if plan.levels.get(name) != expected.get(name):
            yield Disagreement(line, f"plan: the level of {name} is {plan.levels.get(name)}, not {expected.get(name)}")
    if plan.level != (single := compute_levels({"": [""]}, plan.error, looks, rule_of(recorded.run))[""]):
        yield Disagreement(line, f"plan: the level of other intervals is {plan.level}, not {single}")
    seeds = [replicate_seed(recorded.run.seed, number) for number in range(len(plan.seeds))]
    if plan.seeds != seeds:
        yield Disagreement(line, f"plan: counts under the seeds {plan.seeds}, expected {seeds}")
    for number, record in recorded.lines():
        if isinstance(record, Declaration):
            headline = {claim.id for claim in record.claims if claim.headline}
            if strangers := headline - set(plan.families.get(record.family, ())):
                yield Disagreement(number, f"{record.id}: {', '.join(sorted(strangers))} is not of its family")


def _check_functions(recorded: Recorded) -> Iterator[Disagreement]:
    """Check that what is judged of a user's functions is what was asked of them."""
    known = _declarations_by_id(recorded)
    for line, record in recorded.lines():
        if not isinstance(record, Declared):
            continue
        names = {"baseline": shorten_name(record.baseline), "candidate": shorten_name(record.candidate)}
        asked = (names, record.metric, record.claim)
        judged = known.get(record.name)
        claim = None if judged is None else judged.claims[0]
        said = None if claim is None or claim.kind == "difference" else claim.text
        if judged is None or asked != (judged.functions, claim and claim.metric, said):
            yield Disagreement(line, f"{record.name}: its functions, metric and claim are not those that are judged")


def _check_seeds(recorded: Recorded) -> Iterator[Disagreement]:
    counted = recorded.plan.seeds
    for line, record in recorded.lines():
        if isinstance(record, Counts) and record.seed not in counted:
            name = f"counts of {record.optimization} {record.arm}"
            yield Disagreement(line, f"{name}: seed {record.seed}, expected one of {', '.join(map(str, counted))}")
        if isinstance(record, Memory):
            name = f"memory of {record.optimization} {record.arm}"
            if strange := _find_strange_seeds(record, recorded.run.seed):
                what = f"{name}: hash seeds {strange} are not the first ones of the run's seed, once each"
                yield Disagreement(line, what)
            if is_sealed(recorded) and any(each.hash_seed is None for each in record.readings):
                yield Disagreement(line, f"{name}: a reading without its hash seed")


def _find_strange_seeds(memory: Memory, seed: int) -> list[int]:
    """Return the hash seeds of a method's readings where they are not the first that a run's seed gives, in order."""
    taken: dict[str, list[int]] = {}
    for each in memory.readings:
        if each.hash_seed is not None:  # records of 0.1 have none
            taken.setdefault(each.method, []).append(each.hash_seed)
    for seeds in taken.values():
        if seeds != [hash_seed_of_memory(seed, number) for number in range(len(seeds))]:
            return seeds
    return []


def _check_fidelities(recorded: Recorded) -> Iterator[Disagreement]:
    known = _declarations_by_id(recorded)
    for line, record in recorded.lines():
        if isinstance(record, Fidelity):
            subject = known.get(record.optimization)
            says = describe_line(record, "nothing" if subject is None else subject.may_change)
            says = says if record.saw else says.split(" (")[0]  # earlier versions recorded less than they said
            agrees = record.output == says if record.saw else record.output.startswith(says)
            name = f"fidelity of {record.optimization} {record.arm}"
            if is_sealed(recorded) and record.concerned > record.compared:
                yield Disagreement(line, f"{name}: {record.concerned} differ, and {record.compared} were compared")
            if record.faithful != (word_of(record) in KEPT) or not agrees:
                yield Disagreement(line, f"{name}: its counts say {says!r}, it says {record.output!r}")


def estimate_results(recorded: Recorded) -> dict[Comparison, Result]:
    """Return what the samples amount to, by comparison, for every subject that is declared."""
    known, rule = _declarations_by_id(recorded), rule_of(recorded.run)
    samples: dict[Comparison, list[Samples]] = {}
    for each in recorded.all(Samples):
        samples.setdefault(each.comparison, []).append(each)
    return {
        comparison: estimate_result(comparison, taken, recorded.plan.level_of(subject, comparison), rule)
        for comparison, taken in samples.items()
        if (subject := known.get(comparison.optimization)) is not None
    }


def _check_results(recorded: Recorded) -> Iterator[Disagreement]:
    expected = estimate_results(recorded)
    timed = {each.comparison for each in recorded.all(Samples)}
    for line, record in recorded.lines():
        if isinstance(record, Result) and record.comparison not in timed:
            yield Disagreement(line, f"result of {record.comparison}: no samples")
        elif isinstance(record, Result) and record.comparison in expected:
            yield from _compare_lines(recorded, line, f"result of {record.comparison}", expected[record.comparison])
    results = [(line, each.comparison) for line, each in recorded.lines() if isinstance(each, Result)]
    yield from _check_sequence(recorded, results, expected)
    for comparison in timed - {each.comparison for each in recorded.all(Result)}:
        yield Disagreement(len(recorded.records), f"no result of {comparison}, of which there are samples")


def _check_verdicts(recorded: Recorded) -> Iterator[Disagreement]:
    known = _declarations_by_id(recorded)
    of_kind = recorded.all
    results = [*estimate_results(recorded).values()]
    measured = Measured(results, of_kind(Samples), of_kind(Memory), of_kind(Counts), rule_of(recorded.run))
    declared = list(known.values())
    ours_all = judge_all(declared, measured, of_kind(Fidelity), of_kind(Failure), recorded.plan)
    expected = {(each.claim, each.arm): each for each in ours_all}
    verdicts = [(line, (each.claim, each.arm)) for line, each in recorded.lines() if isinstance(each, Judgement)]
    yield from _check_sequence(recorded, verdicts, expected)
    for line, record in recorded.lines():
        if isinstance(record, Judgement) and record.optimization in known:
            ours = expected.pop((record.claim, record.arm), None)
            name = f"verdict on {record.claim} {record.arm}"
            if ours is None:
                yield Disagreement(line, f"{name}: no line declares such a claim")
            else:
                yield from _compare_lines(recorded, line, name, ours)
    for claim, arm in expected:
        yield Disagreement(len(recorded.records), f"no verdict on {claim} {arm}")
    yield from _check_caching(
        recorded, {(each.optimization, each.arm): each for each in find_break_even_rates(declared, measured)}
    )


def _check_caching(recorded: Recorded, caches: dict[tuple[str, str], Caching]) -> Iterator[Disagreement]:
    known = _declarations_by_id(recorded)
    said = [(line, (each.optimization, each.arm)) for line, each in recorded.lines() if isinstance(each, Caching)]
    yield from _check_sequence(recorded, said, caches)
    for line, record in recorded.lines():
        if isinstance(record, Caching) and record.optimization in known:
            expects = caches.pop((record.optimization, record.arm), None)
            name = f"caching of {record.optimization} {record.arm}"
            if expects is None:
                yield Disagreement(line, f"{name}: nothing was measured that gives it")
            else:
                yield from _compare_lines(recorded, line, name, expects)
    for optimization, arm in caches:
        yield Disagreement(len(recorded.records), f"no caching of {optimization} {arm}")


def _check_sequence(
    recorded: Recorded, lines: Sequence[tuple[int, Hashable]], expected: Iterable[Hashable]
) -> Iterator[Disagreement]:
    """Check that conclusions of one kind stand in the order of what they follow from."""
    for line in find_out_of_order(lines, expected) if is_sealed(recorded) else ():
        yield Disagreement(line, "it stands after a conclusion that follows it: lines were moved")


def _check_subjects(recorded: Recorded) -> Iterator[Disagreement]:
    """Check that whatever was asked for and judged is declared; older records leave declarations out."""
    known, is_whole = _declarations_by_id(recorded), recorded.run.schema > LAST_WITHOUT_DECLARATIONS
    for line, record in recorded.lines():
        if isinstance(record, Run) and (unknown := set(record.optimizations) - known.keys()):
            yield Disagreement(line, f"no line declares {', '.join(sorted(unknown))}: they cannot be verified")
        if is_whole and isinstance(record, ABOUT) and record.optimization not in known:
            yield Disagreement(line, f"no line declares {record.optimization}")
        if isinstance(record, Cold | Counts | Memory) and (subject := known.get(record.optimization)) is not None:
            yield from _check_workload(line, record, subject)


def _check_workload(line: int, record: Cold | Counts | Memory, subject: Declaration) -> Iterator[Disagreement]:
    found = next((each for each in subject.workloads if each.name == record.workload), None)
    if found is None:
        yield Disagreement(line, f"{subject.id} has no workload {record.workload!r}")
    elif record.scale not in found.scales:
        yield Disagreement(line, f"{subject.id} {record.workload}: no scale of {record.scale}, expected {found.scales}")
    elif not isinstance(record, Memory) and record.unit != found.unit:
        yield Disagreement(line, f"{subject.id} {record.workload}: in {record.unit}, expected {found.unit}")


def _check_end(recorded: Recorded) -> Iterator[Disagreement]:
    last = recorded.records[-1]
    replicates = 1 + max((each.replicate for each in recorded.all(Samples)), default=-1)
    if isinstance(last, End) and last.replicates != replicates:
        yield Disagreement(len(recorded.records), f"{last.replicates} replicates, the samples have {replicates}")


def _compare_lines(recorded: Recorded, line: int, name: str, expected: msgspec.Struct) -> Iterator[Disagreement]:
    """Compare a conclusion with what follows; of schemas 1 and 2, whose lines had fewer fields, those that it has."""
    got, ours = (msgspec.to_builtins(each) for each in (recorded.records[line - 1], expected))
    if recorded.run.schema <= LAST_WITHOUT_DECLARATIONS and recorded.bodies:
        written = msgspec.json.decode(recorded.bodies[line - 1], type=dict[str, msgspec.Raw])
        got, ours = ({key: each[key] for key in each if key in written} for each in (got, ours))
    for field, value, other in _find_differences(got, ours):
        yield Disagreement(line, f"{name}: {field} is {value!r}, the samples give {other!r}")


def _find_differences(got: Any, ours: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(got, Mapping) and isinstance(ours, Mapping):
        for key in sorted(got.keys() | ours.keys()):
            yield from _find_differences(got.get(key), ours.get(key), f"{path}.{key}" if path else key)
    elif isinstance(got, list | tuple) and isinstance(ours, list | tuple) and len(got) == len(ours):
        for number, (left, right) in enumerate(zip(got, ours, strict=True)):
            yield from _find_differences(left, right, f"{path}[{number}]")
    elif isinstance(got, float) and isinstance(ours, float):
        if not math.isclose(got, ours, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
            yield path, got, ours
    elif got != ours:
        yield path, got, ours
