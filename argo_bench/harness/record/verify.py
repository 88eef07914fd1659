"""Recomputes a run from its raw samples alone, and names every line of the record that does not agree.

The digests of the lines guard against accidents; this guards against a record that was edited with care.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from argo_bench.errors import UserError
from argo_bench.harness.benchmark import shorten_name
from argo_bench.harness.calibration.rates import summarize_bank
from argo_bench.harness.calibration.standing import SUMMARY, Calibration
from argo_bench.harness.judging.judgements import find_break_even_rates, judge_all
from argo_bench.harness.judging.measurements import Measured
from argo_bench.harness.judging.outputs import KEPT, describe_line, word_of
from argo_bench.harness.judging.results import estimate_result
from argo_bench.harness.plan import compute_levels, hash_seed_of_memory, replicate_seed
from argo_bench.harness.record.records import (
    LAST_WITHOUT_DECLARATIONS,
    RULE,
    Caching,
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
)
from argo_bench.harness.record.store import Recorded

TOLERANCE = 1e-12
"""The tolerance is relative: sums are exact to the bit on one platform and agree to this on others."""


class Disagreement(NamedTuple):
    """Names one line of the record and says what is wrong with it."""

    line: int
    what: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.what}"


def verify(recorded: Recorded) -> list[Disagreement]:
    """Return everything that does not follow from the samples, the claims and the seeds; empty for an honest record.

    Raises UserError for a record that was judged by a rule that this version does not know.
    """
    if recorded.run.profile == "calibrate":
        return sorted(_check_calibration(recorded))
    if recorded.run.schema > LAST_WITHOUT_DECLARATIONS and recorded.run.rule != RULE:
        raise UserError(
            f"{recorded.directory} was judged by the rule {recorded.run.rule!r}, which this version does not know: "
            "update argo-bench to verify it"
        )
    checks = (
        _check_levels,
        _check_functions,
        _check_seeds,
        _check_fidelities,
        _check_results,
        _check_verdicts,
        _check_end,
    )
    return sorted({each for check in checks for each in check(recorded)})


def _check_calibration(recorded: Recorded) -> Iterator[Disagreement]:
    """Check a calibration bank against the summary beside it."""
    file = recorded.directory / SUMMARY
    if not file.is_file():
        yield Disagreement(len(recorded.records), f"no {SUMMARY} beside it: argo-bench calibrate writes one")
        return
    kept = msgspec.json.decode(file.read_bytes(), type=Calibration)
    for field, got, ours in _find_differences(msgspec.to_builtins(kept), msgspec.to_builtins(summarize_bank(recorded))):
        yield Disagreement(len(recorded.records), f"{SUMMARY}: {field} is {got!r}, the bank gives {ours!r}")


def _declarations_by_id(recorded: Recorded) -> dict[str, Declaration]:
    """Return what was measured, by id, as the record declares it."""
    return {each.id: each for each in recorded.declarations}


def _check_levels(recorded: Recorded) -> Iterator[Disagreement]:
    """Check that a plan's levels follow from its families and looks, and that claims are in their subject's family."""
    plan, looks = recorded.plan, recorded.run.looks
    line = next((line for line, record in recorded.lines() if isinstance(record, Plan)), 1)
    expected = compute_levels(plan.families, plan.error, looks)
    for name in expected.keys() | plan.levels.keys():
        if plan.levels.get(name) != expected.get(name):
            yield Disagreement(line, f"plan: the level of {name} is {plan.levels.get(name)}, not {expected.get(name)}")
    if plan.level != (single := compute_levels({"": [""]}, plan.error, looks)[""]):
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
        if isinstance(record, Run) and (unknown := set(record.optimizations) - _declarations_by_id(recorded).keys()):
            yield Disagreement(line, f"no line declares {', '.join(sorted(unknown))}: they cannot be verified")
        if isinstance(record, Samples):
            expected = replicate_seed(recorded.run.seed, record.replicate)
            if record.seed != expected:
                yield Disagreement(line, f"samples of {record.comparison}: seed {record.seed}, expected {expected}")
        if isinstance(record, Counts) and record.seed not in counted:
            name = f"counts of {record.optimization} {record.arm}"
            yield Disagreement(line, f"{name}: seed {record.seed}, expected one of {', '.join(map(str, counted))}")
        if isinstance(record, Memory) and (strange := _find_strange_seeds(record, recorded.run.seed)):
            name = f"memory of {record.optimization} {record.arm}"
            yield Disagreement(
                line, f"{name}: hash seeds {strange} are not the first ones of the run's seed, once each"
            )


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
            if record.faithful != (word_of(record) in KEPT) or not agrees:
                name = f"fidelity of {record.optimization} {record.arm}"
                yield Disagreement(line, f"{name}: its counts say {says!r}, it says {record.output!r}")


def _check_results(recorded: Recorded) -> Iterator[Disagreement]:
    known = _declarations_by_id(recorded)
    samples: dict[Comparison, list[Samples]] = {}
    for each in recorded.all(Samples):
        samples.setdefault(each.comparison, []).append(each)
    seen = set()
    for line, record in recorded.lines():
        if isinstance(record, Result):
            seen.add(record.comparison)
            taken = samples.get(record.comparison)
            if taken is None:
                yield Disagreement(line, f"result of {record.comparison}: no samples")
            elif (subject := known.get(record.comparison.optimization)) is not None:
                level = recorded.plan.level_of(subject, record.comparison)
                expected = estimate_result(record.comparison, taken, level)
                yield from _compare_lines(line, f"result of {record.comparison}", record, expected)
    for comparison in samples.keys() - seen:
        yield Disagreement(len(recorded.records), f"no result of {comparison}, of which there are samples")


def _check_verdicts(recorded: Recorded) -> Iterator[Disagreement]:
    known = _declarations_by_id(recorded)
    of_kind = recorded.all
    measured = Measured(of_kind(Result), of_kind(Samples), of_kind(Memory), of_kind(Counts))
    declared = list(known.values())
    ours_all = judge_all(declared, measured, of_kind(Fidelity), of_kind(Failure), recorded.plan)
    expected = {(each.claim, each.arm): each for each in ours_all}
    for line, record in recorded.lines():
        if isinstance(record, Judgement) and record.optimization in known:
            ours = expected.pop((record.claim, record.arm), None)
            name = f"verdict on {record.claim} {record.arm}"
            if ours is None:
                yield Disagreement(line, f"{name}: no line declares such a claim, or this one stands twice")
            else:
                yield from _compare_lines(line, name, record, ours)
    for claim, arm in expected:
        yield Disagreement(len(recorded.records), f"no verdict on {claim} {arm}")
    caches = {(each.optimization, each.arm): each for each in find_break_even_rates(declared, measured)}
    for line, record in recorded.lines():
        if isinstance(record, Caching) and record.optimization in known:
            expects = caches.pop((record.optimization, record.arm), None)
            name = f"caching of {record.optimization} {record.arm}"
            if expects is None:
                yield Disagreement(line, f"{name}: nothing was measured that gives it")
            else:
                yield from _compare_lines(line, name, record, expects)


def _check_end(recorded: Recorded) -> Iterator[Disagreement]:
    last = recorded.records[-1]
    if not isinstance(last, End):
        yield Disagreement(len(recorded.records), "the record has no end: the run was killed, or the file is cut off")
        return
    replicates = 1 + max((each.replicate for each in recorded.all(Samples)), default=-1)
    if last.replicates != replicates:
        yield Disagreement(len(recorded.records), f"{last.replicates} replicates, the samples have {replicates}")


def _compare_lines(line: int, name: str, record: msgspec.Struct, expected: msgspec.Struct) -> Iterator[Disagreement]:
    for field, got, ours in _find_differences(msgspec.to_builtins(record), msgspec.to_builtins(expected)):
        yield Disagreement(line, f"{name}: {field} is {got!r}, the samples give {ours!r}")


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
