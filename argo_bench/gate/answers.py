"""Decides from the record of a gate: worse, fine, or cannot tell.

A benchmark is worse where its slow-down lies beyond the tolerance, in a first batch and in an independent second one,
with the error over all benchmarks held at 5 % by Holm's procedure at every look; or where an exact count grew by
THRESHOLD. It is fine where a slow-down beyond the tolerance is ruled out. The base is also compared with itself: where
that seems to differ, this machine cannot be trusted now, and times block nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from argo_bench.gate.outcome import Change, Outcome
from argo_bench.gate.records import Agreed, Exact, Gated, Revisions
from argo_bench.harness.claims.verdict import State, word_for
from argo_bench.harness.judging.results import log_ratios
from argo_bench.harness.record.records import Comparison, Failure, Samples
from argo_bench.harness.record.store import Recorded
from argo_bench.harness.statistics.beyond import EdgeTest, choose_test
from argo_bench.harness.statistics.signs import ERROR, Middle

Batch = Literal["first", "confirmation"]
Candidate = Literal["head", "base again"]
FIRST: Batch = "first"
CONFIRMATION: Batch = "confirmation"
HEAD: Candidate = "head"
AGAIN: Candidate = "base again"
THRESHOLD = 0.01
OTHERWISE = "base and head return different things"
DIGITS = 3
"""A share is judged as it is shown: rounded to a tenth of a percent."""
SHOWN_FUNCTIONS = 3


@dataclass(frozen=True, slots=True)
class Gate:
    """Holds the outcomes, those that block first; ``advisory`` is why times block nothing, or None where they may."""

    outcomes: tuple[Outcome, ...]
    advisory: str | None

    @property
    def blocks(self) -> bool:
        return any(each.blocks for each in self.outcomes)

    @property
    def differs(self) -> bool:
        """Say whether the gate blocks for nothing but outputs that differ."""
        return all(each.state == "differs" for each in self.outcomes if each.blocks)

    def __str__(self) -> str:
        """Return the finding."""
        number = len(self.outcomes)
        counted = {
            state: sum(each.state == state for each in self.outcomes)
            for state in ORDER
            if state not in ("fine", "better")
        }
        fine = sum(each.state in ("fine", "better") for each in self.outcomes)
        parts = [f"{count} {word_for(state)}" for state, count in counted.items() if count]
        return ", ".join([f"{fine} of {number} benchmark{'s' if number != 1 else ''} not worse", *parts])


ORDER: tuple[State, ...] = ("failed", "differs", "worse", "cannot tell", "not measured", "new", "better", "fine")


def comparison_of(name: str, batch: Batch, candidate: Candidate) -> Comparison:
    return Comparison(name, batch, 1, "calls", "base", candidate)


class Times:
    """Holds the samples of a gate by batch and candidate, and tests ln(head / base) of every replicate."""

    def __init__(self, samples: Sequence[Samples], revisions: Revisions, test: EdgeTest) -> None:
        self._test = test
        self._revisions = revisions
        self._samples: dict[Comparison, list[Samples]] = {}
        for each in samples:
            self._samples.setdefault(each.comparison, []).append(each)

    def of(self, name: str, batch: Batch, candidate: Candidate = HEAD) -> list[Samples]:
        return self._samples.get(comparison_of(name, batch, candidate), [])

    def names(self, batch: Batch) -> list[str]:
        """Return the benchmarks that reached the first look in a batch."""
        return [name for name in self._revisions.files if len(self.of(name, batch)) >= self._test.looks[0]]

    def estimate(self, name: str, batch: Batch) -> Middle:
        """Return a benchmark's change, with an interval that holds for all benchmarks of the batch together."""
        return self._test.make_interval(self._values(name, batch), ERROR / len(self.names(batch)))

    def find_worse(self, batch: Batch) -> list[str]:
        """Return the benchmarks whose slow-down lies beyond their tolerance."""
        values = {name: self._values(name, batch) for name in self.names(batch)}
        return self._test.find_beyond(values, self._edges(), ERROR)

    def find_untrusted(self, batch: Batch) -> list[str]:
        """Return the benchmarks whose base seems to differ from itself, either way, by more than the tolerance."""
        apart = {name: self._values(name, batch, AGAIN) for name in self.names(batch)}
        mirrored = {name: [-each for each in values] for name, values in apart.items()}
        return [name for one in (apart, mirrored) for name in self._test.find_beyond(one, self._edges(), ERROR / 2)]

    def is_below(self, name: str, batch: Batch) -> bool:
        """Say whether a slow-down beyond the tolerance is ruled out."""
        return self._is_under(name, batch, self._edges()[name])

    def is_better(self, name: str, batch: Batch) -> bool:
        return self._is_under(name, batch, -self._edges()[name])

    def is_decided(self, name: str, batch: Batch) -> bool:
        return self.is_below(name, batch) or name in self.find_worse(batch)

    def _is_under(self, name: str, batch: Batch, edge: float) -> bool:
        values = self._values(name, batch)
        high = self._test.make_interval(values, ERROR).high if values else None
        return high is not None and high < edge

    def _values(self, name: str, batch: Batch, candidate: Candidate = HEAD) -> list[float]:
        return log_ratios(self.of(name, batch, candidate), self._revisions.metrics[name])

    def _edges(self) -> dict[str, float]:
        return {name: math.log1p(each) for name, each in self._revisions.tolerances.items()}


def gate_of(recorded: Recorded) -> Gate:
    """Decide what a record of ``argo-bench ci`` amounts to."""
    revisions = recorded.all(Revisions)[0]
    times = Times(recorded.all(Samples), revisions, choose_test(recorded.run.rule))
    untrusted = [*times.find_untrusted(FIRST), *times.find_untrusted(CONFIRMATION)]
    advisory = (
        f"the base seemed to differ from itself on {', '.join(dict.fromkeys(untrusted))}: times say nothing here now"
        if untrusted
        else None
    )
    found = [_decide_outcome(name, recorded, revisions, times, advisory is not None) for name in revisions.files]
    return Gate(tuple(sorted(found, key=lambda each: (not each.blocks, ORDER.index(each.state)))), advisory)


def _decide_outcome(name: str, recorded: Recorded, revisions: Revisions, times: Times, is_advisory: bool) -> Outcome:
    file = revisions.files[name]
    failures = [each for each in recorded.all(Failure) if each.optimization == name]
    if failures:
        return _judge_failures(name, file, failures)
    exact = next((each for each in recorded.all(Exact) if each.benchmark == name), None)
    agreed = next((each for each in recorded.all(Agreed) if each.benchmark == name), None)
    counts = find_changes(exact)
    grown = (
        []
        if exact is None
        else [_describe_growth(each, counts[each], exact) for each in counts if has_grown(counts[each])]
    )
    differs = [] if agreed is None or agreed.difference is None else [f"{OTHERWISE}: {agreed.difference}"]
    state, seen, is_slower = _judge_times(name, times)
    blocks = is_slower and not is_advisory
    sentences = [*differs, seen, *grown]
    if (differs or grown) and name not in revisions.accepted:
        state, blocks = ("differs" if differs else "worse"), True
        sentences.append(f"if that is meant: --accept {name}")
    speedup, interval = _find_ratio(name, CONFIRMATION if is_slower else FIRST, times)
    return Outcome(
        name,
        state,
        blocks,
        f"{name}: {'; '.join(sentences)}",
        speedup,
        interval,
        revisions.metrics.get(name, "cpu"),
        (*times.of(name, FIRST), *times.of(name, CONFIRMATION)),
        {each: change for each, change in counts.items() if change.base != change.head},
        file,
    )


def _judge_failures(name: str, file: str, failures: Sequence[Failure]) -> Outcome:
    """Return the outcome of a benchmark that failed: it blocks where the head alone fails, not where both do."""
    sides = {each.arm: each for each in failures}
    head, base = sides.get("head"), sides.get("base")
    if head is not None and (base is None or base.kind == "untested"):
        return Outcome(name, "failed", True, f"{name}: the head fails: {head.reason}", file=file)
    if head is None and base is not None and base.kind == "untested":
        return Outcome(name, "new", False, f"{name}: the base has nothing to compare with: {base.reason}", file=file)
    reason = " and ".join(f"the {side} fails: {each.reason}" for side, each in sides.items())
    return Outcome(name, "failed", False, f"{name}: {reason}", file=file)


def _judge_times(name: str, times: Times) -> tuple[State, str, bool]:
    """Return the state by times alone, what was seen, and whether two batches found the head slower."""
    if name not in times.names(FIRST):
        return "not measured", "no time was left for it", False
    seen = describe_middle(times.estimate(name, FIRST))
    if name in times.find_worse(FIRST):
        if name not in times.names(CONFIRMATION):
            return "cannot tell", f"{seen}, and no time was left to confirm it", False
        again = describe_middle(times.estimate(name, CONFIRMATION))
        if name in times.find_worse(CONFIRMATION):
            return "worse", f"{seen}, and in a second batch {again}", True
        return "cannot tell", f"{seen}, but in a second batch {again}", False
    if times.is_better(name, FIRST):
        return "better", seen, False
    return ("fine" if times.is_below(name, FIRST) else "cannot tell"), seen, False


def _find_ratio(name: str, batch: Batch, times: Times) -> tuple[float | None, tuple[float, float] | None]:
    if name not in times.names(batch):
        return None, None
    found = times.estimate(name, batch)
    interval = None
    if found.low is not None and found.high is not None:
        interval = math.exp(-found.high), math.exp(-found.low)
    return math.exp(-found.middle), interval


def describe_middle(found: Middle) -> str:
    """Describe a change, as in ``4.9 % slower [4.2, 5.6]``; beside "faster" a minus in the brackets means slower."""
    slower, low, high = (None if each is None else 100 * math.expm1(each) for each in found[:3])
    assert slower is not None
    sign = 1 if slower >= 0 else -1
    said = f"{abs(slower):.1f} % {'slower' if sign > 0 else 'faster'}"
    if low is None or high is None:
        return said
    bounds = sorted((sign * low, sign * high))
    return f"{said} [{bounds[0]:.1f}, {bounds[1]:.1f}]"


def find_changes(exact: Exact | None) -> dict[str, Change]:
    """Return the counts that both sides have and that a second reading confirmed."""
    if exact is None:
        return {}
    return {
        name: Change(exact.base[name], exact.head[name])
        for name in exact.base
        if name in exact.head and name not in exact.unsteady
    }


def has_grown(change: Change) -> bool:
    return round(change.share, DIGITS) >= THRESHOLD


def _describe_growth(name: str, change: Change, exact: Exact) -> str:
    share = f"+{100 * change.share:.1f} %" if math.isfinite(change.share) else "from none"
    functions = exact.moved.get(name, {})
    most = sorted(functions.items(), key=lambda item: -abs(item[1]))[:SHOWN_FUNCTIONS]
    where = f" ({', '.join(f'{function} {difference:+,.0f}' for function, difference in most)})" if most else ""
    return f"{name} {share}, {change.base:,.0f} -> {change.head:,.0f}{where}"


def make_lines(gate: Gate) -> Iterator[Gated]:
    """Yield the outcomes as lines of a record."""
    for each in gate.outcomes:
        yield Gated(each.name, each.state, each.blocks, each.sentence, each.speedup, each.interval)
