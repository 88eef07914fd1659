"""Decides what follows from what was found out about two functions: no ratio, a remark beside it, or nothing.

A function is never called faster for a cause of ``workers/causes.py``: where the other one does the same, and that is
fair, nothing follows; otherwise the sentence of the comparison names the cause and the way out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from argo_bench.harness.record.records import Failure, Fidelity
from argo_bench.harness.workers.causes import RULES, Cause, Outcome, Suspicion, rank, say_times
from argo_bench.harness.workers.messages import Examined

DEAR_FIRST, DEAR_FIRST_NS = 5, 200_000
"""A candidate may repeat an answer where its first call took so many times a later one, and so much longer."""
UNLIKE_READING = 2
"""Reading two results differs by more than the machine's unsteadiness from this ratio on: each is read once."""

HAVING: frozenset[Cause] = frozenset({"was made before", "remembers"})
"""Both have their result ready; in which of the two ways matters to nobody."""


class Held(NamedTuple):
    """Holds what is held against an arm: what follows, and what a sentence says of it."""

    outcome: Outcome
    said: str


def weigh(found: Mapping[str, Sequence[Suspicion]]) -> list[Held]:
    """Return what is held against the arms by name, the gravest cause first."""
    held = []
    for arm, suspicions in found.items():
        others = [each for name, those in found.items() if name != arm for each in those]
        for each in suspicions:
            if not (RULES[each.cause].is_fair and _is_shared(each, others)):
                said = f"the {arm} {each.seen}: {RULES[each.cause].way_out}"
                held.append((rank(each.cause), Held(RULES[each.cause].outcome, said)))
    return [each for _, each in sorted(held, key=lambda pair: pair[0])]


def _is_shared(suspicion: Suspicion, others: Sequence[Suspicion]) -> bool:
    """Say whether the other function does the same; of settings, whether it is the same one."""
    if suspicion.cause in ("changes a setting", "replaces a clock"):
        return suspicion in others
    alike = HAVING if suspicion.cause in HAVING else {suspicion.cause}
    return any(each.cause in alike for each in others)


def without_common(suspicions: Sequence[Suspicion], reached: Collection[str]) -> list[Suspicion]:
    """Leave out that a result stands in a variable that the other function uses too: it is an input of both."""
    return [
        each
        for each in suspicions
        if not (each.cause == "was made before" and each.seen.rpartition(", in ")[2] in reached)
    ]


def may_repeat_answers(examined: Examined) -> bool:
    """Say whether a function computes at its first call alone, by what its calls took."""
    return examined.first_ns > max(DEAR_FIRST * examined.call_ns, examined.call_ns + DEAR_FIRST_NS)


def find_lazy(baseline: Examined, candidate: Examined) -> list[Suspicion]:
    """Say that the candidate computes when its result is read, so that the time of its call is not that of its work.

    It does where the reading takes longer than the call, and far longer than reading the baseline's result: the ratio
    of the calls would then be more than twice that of the work.
    """
    if candidate.reading_ns is None or candidate.call_ns >= baseline.call_ns:
        return []
    if candidate.reading_ns - UNLIKE_READING * (baseline.reading_ns or 0) <= candidate.call_ns:
        return []
    times = candidate.reading_ns / max(1, candidate.call_ns)
    return [
        Suspicion("computes when read", f"computes when its result is read, which takes {say_times(times)} its call")
    ]


def write_difference(subject: str, variant: str, workload: str, differs: str) -> Fidelity:
    """Return the line of the record that says how outputs, or the work behind them, differ."""
    return Fidelity(subject, variant, workload, 1, {differs: 1}, 0.0, f"differs: {differs}", faithful=False)


def write_agreement(subject: str, variant: str, workload: str, remarks: Sequence[str]) -> Fidelity:
    """Return the line of the record that says that outputs agree, with the remarks that belong into the sentence."""
    return Fidelity(subject, variant, workload, 1, {}, 0.0, "; ".join(["same", *remarks]), faithful=True)


def write_outcome(subject: str, variant: str, workload: str, held: Sequence[Held]) -> Fidelity | Failure | None:
    """Return the line of the record for the gravest thing that forbids a ratio; None where nothing does."""
    for outcome, said in held:
        if outcome == "void":
            return write_difference(subject, variant, workload, said)
        if outcome == "refused":
            return Failure(subject, variant, "untested", said)
    return None
