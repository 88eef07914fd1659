"""Computes what the bank says of the harness: false positives, power, coverage, and effects of what should not matter.

A virtual experiment takes replicates that were recorded in a row, roles kept, and goes through the looks and rules of a
real comparison without a claim. Exact intervals rest on experiments that share no replicate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import NamedTuple

import msgspec
import numpy as np

from argo_bench.harness.benchmark import claim_of
from argo_bench.harness.calibration.bank import SYMBOLS, is_waiting
from argo_bench.harness.calibration.standing import SUMMARY, Calibration, Null, Power, Rate
from argo_bench.harness.claims.claim import EPSILON
from argo_bench.harness.claims.verdict import FLOORED, Word, judge
from argo_bench.harness.judging.results import log_ratios
from argo_bench.harness.record.records import Banked, Comparison, rule_of
from argo_bench.harness.record.store import Recorded, load
from argo_bench.harness.statistics.estimate import BLOCK_TRIM, CURRENT, RETIRED, Estimate, Rule, estimate
from argo_bench.harness.statistics.looks import LOOKS, Stopping, nominal_error
from argo_bench.harness.statistics.quality import position_effect

ERROR = 0.05
FIXED = 10
"""Coverage without stopping is counted on experiments of this number of replicates."""
SIMULATED = 20_000
QUESTION = claim_of("calibration", None, "cpu")


class Decision(NamedTuple):
    word: Word
    estimate: Estimate
    seconds: float


def decide(
    values: Sequence[float], seconds: Sequence[float], looks: Sequence[int] = LOOKS, rule: Rule = CURRENT
) -> Decision | None:
    """Decide as a comparison without a claim would have on these replicates; None where they end before a decision."""
    level = 1 - nominal_error(ERROR, tuple(looks), rule)
    stopping = Stopping(looks[-1], rule, EPSILON if rule in FLOORED else None)
    for look in looks:
        if look > len(values):
            return None
        found = estimate(values[:look], level, rule)
        if look == looks[-1] or stopping.has_ended([QUESTION], [found]):
            return Decision(judge(QUESTION, found, stopping.floor), found, math.fsum(seconds[:look]))
    return None


def decide_all(series: Sequence[Banked], rule: Rule = CURRENT) -> list[Decision]:
    """Return the decisions of experiments one after the other, none of which shares a pair of processes with another.

    Where a replicate has several pairs, each makes a series of its own.
    """
    found = []
    for pair in range(1 + min(len(each.further) for each in series)):
        values, seconds = _list_values(series, pair), [each.seconds / (1 + len(each.further)) for each in series]
        start = 0
        while (decision := decide(values[start:], seconds[start:], rule=rule)) is not None:
            found.append(decision)
            start += decision.estimate.replicates
    return found


def summarize_bank(recorded: Recorded) -> Calibration:
    """Compute everything that a bank tells. Raises ValueError for a bank without comparisons of equal code."""
    rule = rule_of(recorded.run)
    banks: dict[Comparison, list[Banked]] = {}
    for each in recorded.all(Banked):
        banks.setdefault(each.samples.comparison, []).append(each)
    equal = {comparison: bank for comparison, bank in banks.items() if _is_equal(comparison)}
    wrong = {
        _name(comparison): [_differs(each) for each in decide_all(bank, rule)] for comparison, bank in equal.items()
    }
    if not any(wrong.values()):
        raise ValueError("the bank has no comparison of equal code that is long enough")
    known = {comparison: bank for comparison, bank in banks.items() if comparison.reference == comparison.candidate}
    planted = [(c, bank) for c, bank in sorted(known.items()) if c.scale != SYMBOLS and decide_all(bank, rule)]
    return Calibration(
        machine=recorded.run.run,
        processor=str(recorded.run.environment["processor"]),
        when=recorded.run.started[:10],
        replicates=sum(map(len, banks.values())),
        false_positives={name: Rate.of(outcomes) for name, outcomes in wrong.items() if outcomes},
        all_false_positives=Rate.of([outcome for outcomes in wrong.values() for outcome in outcomes]),
        any_start=fmean(outcome for bank in equal.values() for outcome in _from_any_start(bank, rule)),
        power=[estimate_power(comparison, bank, rule) for comparison, bank in planted],
        coverage=Rate.of([hit for c, bank in known.items() for hit in _check_coverage(c, bank, rule)]),
        coverage_stopped=Rate.of([hit for c, bank in known.items() for hit in _check_coverage_at_stop(c, bank, rule)]),
        simulated=simulate_coverage(partial(_covers_at_fixed_size, rule=rule)),
        simulated_stopped=simulate_coverage(partial(_covers_at_stop, rule=rule)),
        nulls=list(_measure_nulls(banks, rule)),
        rule=rule,
    )


def estimate_power(comparison: Comparison, bank: Sequence[Banked], rule: Rule = CURRENT) -> Power:
    """Return how often and how fast a planted effect was found."""
    right: Word = "slower" if comparison.scale > SYMBOLS else "faster"
    made = decide_all(bank, rule)
    return Power(
        comparison.scale / SYMBOLS,
        Rate.of([each.word == right for each in made]),
        sum(_differs(each) and each.word != right for each in made),
        median(each.seconds for each in made),
        median(each.estimate.replicates for each in made),
        "" if rule == RETIRED else _name(comparison),
    )


def _list_values(series: Sequence[Banked], pair: int = 0) -> list[float]:
    """Return ln(candidate / reference) of every replicate, from one of its pairs of processes."""
    taken = [each.further[pair - 1] if pair else each.samples for each in series]
    return log_ratios(taken, "wall" if is_waiting(taken[0].comparison) else "cpu")


def _is_equal(comparison: Comparison) -> bool:
    return comparison.scale == SYMBOLS and comparison.reference == comparison.candidate


def _name(comparison: Comparison) -> str:
    return f"{comparison.workload}, {comparison.optimization}"


def _differs(decision: Decision) -> bool:
    return decision.word in ("faster", "slower")


def _from_any_start(bank: Sequence[Banked], rule: Rule) -> Iterator[bool]:
    values, seconds = _list_values(bank), [each.seconds for each in bank]
    for start in range(len(values)):
        if (decision := decide(values[start:], seconds[start:], rule=rule)) is not None:
            yield _differs(decision)


def _check_coverage(comparison: Comparison, bank: Sequence[Banked], rule: Rule) -> Iterator[bool]:
    """Yield whether successive intervals, each at 95 % over ten replicates, contain what was planted."""
    values, truth = _list_values(bank), math.log(comparison.scale / SYMBOLS)
    for start in range(0, len(values) - FIXED + 1, FIXED):
        yield contains(estimate(values[start : start + FIXED], 1 - ERROR, rule), truth)


def _check_coverage_at_stop(comparison: Comparison, bank: Sequence[Banked], rule: Rule) -> Iterator[bool]:
    truth = math.log(comparison.scale / SYMBOLS)
    for decision in decide_all(bank, rule):
        yield contains(decision.estimate, truth)


def contains(interval: Estimate, truth: float) -> bool:
    return interval.low is not None and interval.high is not None and interval.low <= truth <= interval.high


def _measure_nulls(banks: dict[Comparison, list[Banked]], rule: Rule) -> Iterator[Null]:
    """Yield the mean speed-ups by role (who is candidate), position (who goes first) and layout (other bytes)."""
    for comparison, bank in sorted(banks.items()):
        if comparison.scale != SYMBOLS:
            continue
        if comparison.reference != comparison.candidate:
            yield _make_null("layout", _list_values(bank), rule)
        else:
            yield _make_null(f"role: {_name(comparison)}", _list_values(bank), rule)
            effects = [effect for each in bank if (effect := position_effect(each.samples)) is not None]
            if effects:
                yield _make_null(f"position: {_name(comparison)}", effects, rule)


def _make_null(what: str, values: Sequence[float], rule: Rule) -> Null:
    found = estimate(values, 1 - ERROR, rule)
    low, high = found.speedup_interval or (found.speedup, found.speedup)
    return Null(what, found.speedup, low, high)


def simulate_coverage(contained: Callable[[Sequence[float], float], bool], experiments: int = SIMULATED) -> float:
    """Return the share of simulated experiments whose interval contains the truth.

    A replicate is the trimmed mean of twenty blocks with long-tailed noise (Student's t, three degrees of freedom) of
    1.5 %, and a normal effect of its own of 0.7 %; the truth is 3 %.
    """
    rng = np.random.Generator(np.random.PCG64(20_260_115))
    truth, most, blocks = 0.03, LOOKS[-1], 20
    hits = 0
    for _ in range(experiments):
        noise = np.sort(0.015 * rng.standard_t(3, (most, blocks)), axis=1)
        cut = int(BLOCK_TRIM * blocks)
        values = truth + 0.007 * rng.standard_normal(most) + noise[:, cut : blocks - cut].mean(axis=1)
        hits += contained(values.tolist(), truth)
    return hits / experiments


def _covers_at_fixed_size(values: Sequence[float], truth: float, rule: Rule = CURRENT) -> bool:
    return contains(estimate(values[:FIXED], 1 - ERROR, rule), truth)


def _covers_at_stop(values: Sequence[float], truth: float, rule: Rule = CURRENT) -> bool:
    decision = decide(values, [0.0] * len(values), rule=rule)
    return decision is not None and contains(decision.estimate, truth)


def store_summary(directory: Path) -> Calibration:
    """Compute the summary of a bank, keep it beside the bank, and return it."""
    found = summarize_bank(load(directory))
    (directory / SUMMARY).write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
    return found
