"""Decides from the record of a gate: worse, fine, or cannot tell.

A benchmark is worse where its slow-down lies beyond the tolerance, in a first batch and in an independent second one,
with the error over all benchmarks held at 5 % by Holm's procedure at every look; or where its instructions grew and its
times, measured to less than the tolerance, say slower too. It is fine where a slow-down beyond the tolerance is ruled
out. More memory and more of what a benchmark counts itself block in words of their own. Where the repository
acknowledges that a benchmark takes more, its bound stands in the place of the tolerance. The base is also compared with
itself: where that seems to differ, this machine cannot be trusted now, and times block nothing.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from argo_bench.gate.exact import Growth, describe_grown, find_changes, find_growth, format_count
from argo_bench.gate.outcome import Outcome
from argo_bench.gate.records import BY_KIND, Acceptance, Agreed, Exact, Gated, Revisions
from argo_bench.harness.claims.verdict import State, word_for
from argo_bench.harness.judging.results import log_ratios
from argo_bench.harness.record.records import Comparison, Failure, LeftOut, Samples
from argo_bench.harness.record.store import Recorded
from argo_bench.harness.statistics.beyond import EdgeTest, choose_test
from argo_bench.harness.statistics.signs import ERROR, Middle

Batch = Literal["first", "confirmation"]
Candidate = Literal["head", "base again"]
FIRST: Batch = "first"
CONFIRMATION: Batch = "confirmation"
HEAD: Candidate = "head"
AGAIN: Candidate = "base again"
OTHERWISE = "base and head return different things"
EXPIRED = "what its entry in [tool.argo_bench.ci.accepted] speaks of is in the base already, so that it counts no more"
NO_TIME = "no time was left for it"
BUDGET_ENDED = "the budget ended"


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

    @property
    def lacks_environment(self) -> bool:
        """Say whether a benchmark could not run, on either side, for want of something outside of the project."""
        return any(each.state == "cannot run" for each in self.outcomes)

    def __str__(self) -> str:
        """Return the finding."""
        number = sum(each.state != "removed" for each in self.outcomes)
        counted = {
            state: sum(each.state == state for each in self.outcomes)
            for state in ORDER
            if state not in ("fine", "better")
        }
        fine = sum(each.state in ("fine", "better") for each in self.outcomes)
        parts = [f"{count} {word_for(state)}" for state, count in counted.items() if count]
        return ", ".join([f"{fine} of {number} benchmark{'s' if number != 1 else ''} not worse", *parts])


ORDER: tuple[State, ...] = (
    "failed",
    "differs",
    "worse",
    "more memory",
    "more counted",
    "cannot run",
    "cannot tell",
    "not measured",
    "accepted",
    "removed",
    "new",
    "better",
    "fine",
)
"""What blocks comes first, what is good last."""


def comparison_of(name: str, batch: Batch, candidate: Candidate) -> Comparison:
    return Comparison(name, batch, 1, "calls", "base", candidate)


class Times:
    """Holds the samples of a gate by batch and candidate, and tests ln(head / base) of every replicate.

    ``foretold`` are the benchmarks whose instructions grew: they are timed until the interval is narrower than the
    tolerance, since a slow-down within it counts there. A shard does not see the others: there a benchmark is decided
    once it would be whatever they found.
    """

    def __init__(
        self, samples: Sequence[Samples], revisions: Revisions, test: EdgeTest, foretold: Collection[str] = ()
    ) -> None:
        self._test = test
        self._revisions = revisions
        self._foretold = foretold
        self._samples: dict[Comparison, list[Samples]] = {}
        for each in samples:
            self._samples.setdefault(each.comparison, []).append(each)

    def of(self, name: str, batch: Batch, candidate: Candidate = HEAD) -> list[Samples]:
        return self._samples.get(comparison_of(name, batch, candidate), [])

    def names(self, batch: Batch) -> list[str]:
        """Return the benchmarks that reached the first look in a batch."""
        return [name for name in self._revisions.files if len(self.of(name, batch)) >= self._test.looks[0]]

    def estimate(self, name: str, batch: Batch, family: int | None = None) -> Middle:
        """Return a benchmark's change, with an interval that holds for all of a family together.

        The family is as large as that of the benchmarks of the batch, unless its size is given.
        """
        return self._test.make_interval(self._values(name, batch), ERROR / (family or len(self.names(batch))))

    def find_worse(self, batch: Batch, among: Collection[str] | None = None) -> list[str]:
        """Return the benchmarks whose slow-down lies beyond their tolerance, or beyond what is acknowledged.

        They are tested together, all or those ``among`` some.
        """
        values = {name: self._values(name, batch) for name in self.names(batch) if among is None or name in among}
        return self._test.find_beyond(values, self._edges(), ERROR)

    def find_untrusted(self, batch: Batch) -> list[str]:
        """Return the benchmarks whose base seems to differ from itself, either way, by more than the tolerance."""
        apart = {name: self._values(name, batch, AGAIN) for name in self.names(batch)}
        mirrored = {name: [-each for each in values] for name, values in apart.items()}
        edges = {name: self._tolerance(name) for name in self._revisions.files}
        return [name for one in (apart, mirrored) for name in self._test.find_beyond(one, edges, ERROR / 2)]

    def is_below(self, name: str, batch: Batch) -> bool:
        """Say whether a slow-down beyond the tolerance, or beyond what is acknowledged, is ruled out."""
        return self._is_under(name, batch, self._edges()[name])

    def is_tolerable(self, name: str, batch: Batch) -> bool:
        """Say whether a slow-down beyond the tolerance is ruled out, whatever is acknowledged."""
        return self._is_under(name, batch, self._tolerance(name))

    def is_better(self, name: str, batch: Batch) -> bool:
        return self._is_under(name, batch, -self._tolerance(name))

    def is_narrow(self, name: str, batch: Batch, family: int | None = None) -> bool:
        """Say whether the interval is narrower than the tolerance."""
        found = self.estimate(name, batch, family)
        return found.low is not None and found.high is not None and found.high - found.low < self._tolerance(name)

    def is_decided(self, name: str, batch: Batch) -> bool:
        family = len(self._revisions.files) if self._revisions.shards else None
        if family is None:
            is_worse = name in self.find_worse(batch)
        else:  # beyond Bonferroni's bound over all benchmarks Holm's procedure names it, whatever the others are
            is_worse = bool(self._test.find_beyond({name: self._values(name, batch)}, self._edges(), ERROR / family))
        if is_worse:
            return True
        return self.is_below(name, batch) and (name not in self._foretold or self.is_narrow(name, batch, family))

    def _is_under(self, name: str, batch: Batch, edge: float) -> bool:
        values = self._values(name, batch)
        high = self._test.make_interval(values, ERROR).high if values else None
        return high is not None and high < edge

    def _values(self, name: str, batch: Batch, candidate: Candidate = HEAD) -> list[float]:
        return log_ratios(self.of(name, batch, candidate), self._revisions.metrics[name])

    def _edges(self) -> dict[str, float]:
        bounds = {name: math.log1p(self._revisions.bound_of(name)) for name in self._revisions.tolerances}
        return {name: max(self._tolerance(name), bound) for name, bound in bounds.items()}

    def _tolerance(self, name: str) -> float:
        return math.log1p(self._revisions.tolerances[name])


def gate_of(recorded: Recorded) -> Gate:
    """Decide what a record of ``argo-bench ci`` amounts to."""
    revisions = recorded.all(Revisions)[0]
    times = times_of(recorded)
    untrusted = [*times.find_untrusted(FIRST), *times.find_untrusted(CONFIRMATION)]
    advisory = (
        f"the base seemed to differ from itself on {', '.join(dict.fromkeys(untrusted))}: times say nothing here now"
        if untrusted
        else None
    )
    missing = revisions.find_missing()
    found = [
        _decide_outcome(name, recorded, times, advisory is not None)
        if name not in missing
        else Outcome(name, "not measured", False, f"{name}: its {missing[name]} is not in this record", file=file)
        for name, file in revisions.files.items()
        if name not in revisions.left_out
    ]
    found += [_name_removed(name, file) for name, file in revisions.removed.items()]
    return Gate(tuple(sorted(found, key=lambda each: (not each.blocks, ORDER.index(each.state)))), advisory)


def times_of(recorded: Recorded, samples: Sequence[Samples] | None = None) -> Times:
    """Return the times of a record, or of some of its samples, with what its counts foretell."""
    revisions = recorded.all(Revisions)[0]
    taken = recorded.all(Samples) if samples is None else samples
    return Times(taken, revisions, choose_test(recorded.run.rule), find_foretold(recorded.all(Exact), revisions))


def find_foretold(counted: Sequence[Exact], revisions: Revisions) -> set[str]:
    """Return the benchmarks whose instructions grew, beyond what is acknowledged."""
    if revisions.count_rule != BY_KIND:
        return set()
    return {each.benchmark for each in counted if find_growth(each, revisions.bound_of(each.benchmark)).forecast}


@dataclass(frozen=True, slots=True)
class _Seen:
    """Holds what was seen of a benchmark so far; ``may_be_meant`` says that ``--accept`` lets it pass."""

    state: State
    sentences: tuple[str, ...]
    blocks: bool = False
    may_be_meant: bool = False


def _decide_outcome(name: str, recorded: Recorded, times: Times, is_advisory: bool) -> Outcome:
    revisions = recorded.all(Revisions)[0]
    file = revisions.files[name]
    failures = [each for each in recorded.all(Failure) if each.optimization == name]
    if failures:
        return _judge_failures(name, file, failures, revisions.outside_of(name))
    exact = next((each for each in recorded.all(Exact) if each.benchmark == name), None)
    agreed = next((each for each in recorded.all(Agreed) if each.benchmark == name), None)
    accepted = revisions.acknowledged.get(name)
    if name in revisions.untimed:
        seen = _judge_without_times(exact)
    elif name not in times.names(FIRST):
        seen = _Seen("not measured", (_say_unmeasured(name, recorded),))
    else:
        seen = _judge_times(name, times, accepted)
    is_slower = seen.blocks
    if is_advisory:
        seen = replace(seen, blocks=False)
    if name in revisions.accepted:
        seen = _add(seen, [words for _, _, words in describe_grown(exact)])
    elif revisions.count_rule == BY_KIND:
        do_times_confirm = _do_times_confirm(name, times, is_advisory, revisions.bound_of(name))
        seen = _judge_counts(seen, find_growth(exact, revisions.bound_of(name)), do_times_confirm, accepted)
    else:
        seen = _judge_counts_alike(seen, exact)
    if agreed is not None and agreed.difference is not None:
        seen = replace(seen, sentences=(f"{OTHERWISE}: {agreed.difference}", *seen.sentences))
        if accepted is not None and accepted.output:
            seen = _add(seen, [f"accepted: {accepted.reason}"])
        elif name not in revisions.accepted:
            seen = replace(seen, state="differs", blocks=True, may_be_meant=True)
    if seen.may_be_meant:
        seen = _add(seen, [f"if that is meant: --accept {name}"])
    if name in revisions.expired and seen.state not in ("fine", "better"):
        seen = _add(seen, [EXPIRED])
    speedup, interval = _find_ratio(name, CONFIRMATION if is_slower else FIRST, times)
    return Outcome(
        name,
        seen.state,
        seen.blocks,
        f"{name}: {'; '.join(seen.sentences)}",
        speedup,
        interval,
        revisions.metrics.get(name, "cpu"),
        (*times.of(name, FIRST), *times.of(name, CONFIRMATION)),
        {each: change for each, change in find_changes(exact).items() if change.base != change.head},
        file,
    )


def _add(seen: _Seen, sentences: Sequence[str]) -> _Seen:
    return replace(seen, sentences=(*seen.sentences, *sentences))


def _do_times_confirm(name: str, times: Times, is_advisory: bool, bound: float) -> bool | None:
    """Say whether the times are slower, by more than the ``bound``, where more instructions foretell it.

    None says that they leave it open.
    """
    if is_advisory or name not in times.names(FIRST):
        return None
    found = times.estimate(name, FIRST)
    if found.high is not None and found.high <= math.log1p(bound):
        return False
    return found.middle > math.log1p(bound) if times.is_narrow(name, FIRST) else None


def _judge_counts(seen: _Seen, growth: Growth, do_times_confirm: bool | None, accepted: Acceptance | None) -> _Seen:
    """Add what counts say: each kind has its own word, and a slow-down that the times have found goes before all."""
    is_worse = seen.state == "worse"
    if growth.forecast and do_times_confirm:
        seen = replace(_add(seen, growth.forecast), state="worse", blocks=True, may_be_meant=True)
    elif growth.forecast and do_times_confirm is None and not is_worse:
        left = "and the times leave open whether that is slower"
        seen = replace(_add(seen, [f"{', '.join(growth.forecast)}, {left}"]), state="cannot tell")
    elif growth.forecast:
        seen = _add(seen, [f"for information: {each}" for each in growth.forecast])
    more: tuple[tuple[State, tuple[str, ...]], ...] = (("more counted", growth.count), ("more memory", growth.memory))
    for state, words in more:
        if words:
            kept = seen.state if seen.state == "worse" else state
            seen = replace(_add(seen, words), state=kept, blocks=True, may_be_meant=True)
    if growth.accepted:
        kept = "accepted" if seen.state in ("fine", "better") else seen.state
        seen = replace(_add(seen, [f"{', '.join(growth.accepted)}, {accepted}"]), state=kept)
    return _add(seen, [f"for information: {each}" for each in growth.information])


def _judge_counts_alike(seen: _Seen, exact: Exact | None) -> _Seen:
    """Add what counts said in earlier versions, whose records are verified by it: any that grew was worse."""
    if grown := [words for _, _, words in describe_grown(exact)]:
        return replace(_add(seen, grown), state="worse", blocks=True, may_be_meant=True)
    return seen


def _name_removed(name: str, file: str) -> Outcome:
    """Return the outcome of a benchmark that the base has and the head does not."""
    sentence = f"{name}: the head has no benchmark of this name; the base has it in {file}"
    return Outcome(name, "removed", False, sentence, file=file)


def _judge_failures(name: str, file: str, failures: Sequence[Failure], outside: Collection[str]) -> Outcome:
    """Return the outcome of a benchmark that failed: the head's fault where it alone fails and the cause is its own.

    What fails on both sides alike, or for a cause outside of them, is a matter of the environment.
    """
    sides = {each.arm: each for each in failures}
    head, base = sides.get("head"), sides.get("base")
    reason = " and ".join(f"the {side} fails: {each.reason}" for side, each in sides.items())
    do_both_lack_it = head is not None and head.kind == "untested"
    is_new = base is not None and base.kind == "untested" and "base" not in outside and not do_both_lack_it
    if head is not None and "head" not in outside and (base is None or is_new):
        return Outcome(name, "failed", True, f"{name}: the head fails: {head.reason}", file=file)
    if head is None and base is not None and is_new:
        return Outcome(name, "new", False, f"{name}: the base has nothing to compare with: {base.reason}", file=file)
    if head is None and not outside:
        return Outcome(name, "failed", False, f"{name}: {reason}", file=file)
    return Outcome(name, "cannot run", False, f"{name}: {reason}", file=file)


def _judge_times(name: str, times: Times, accepted: Acceptance | None) -> _Seen:
    """Return what the times alone say; they block where two batches found the head slower."""
    seen = describe_middle(times.estimate(name, FIRST))
    if name in times.find_worse(FIRST):
        if name not in times.names(CONFIRMATION):
            return _Seen("cannot tell", (f"{seen}, and no time was left to confirm it",))
        again = describe_middle(times.estimate(name, CONFIRMATION))
        if name in times.find_worse(CONFIRMATION):
            beyond = () if accepted is None else (f"that is beyond what is {accepted}",)
            return _Seen("worse", (f"{seen}, and in a second batch {again}", *beyond), blocks=True)
        return _Seen("cannot tell", (f"{seen}, but in a second batch {again}",))
    if times.is_better(name, FIRST):
        return _Seen("better", (seen,))
    if times.is_below(name, FIRST):
        if accepted is None or times.is_tolerable(name, FIRST):
            return _Seen("fine", (seen,))
        return _Seen("accepted", (f"{seen}, {accepted}",))
    return _Seen("cannot tell", (seen,))


def _say_unmeasured(name: str, recorded: Recorded) -> str:
    """Say why a benchmark did not reach the first look."""
    lines = (each for each in recorded.all(LeftOut) if each.comparison == comparison_of(name, FIRST, HEAD))
    left_out = next(lines, None)
    if left_out is None:
        return NO_TIME
    taken = left_out.replicates
    return f"{left_out.reason} after {taken} of {recorded.run.looks[0]} replicates" if taken else left_out.reason


def _judge_without_times(exact: Exact | None) -> _Seen:
    """Return what is said of a benchmark that only counts, before its counts are looked at."""
    if exact is None or not exact.base:
        return _Seen("not measured", (NO_TIME,))
    counts = ", ".join(f"{name} {format_count(value)}" for name, value in exact.head.items())
    return _Seen("fine", (f"it is counted: {counts}",))


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


def make_lines(gate: Gate) -> Iterator[Gated]:
    """Yield the outcomes as lines of a record."""
    for each in gate.outcomes:
        yield Gated(each.name, each.state, each.blocks, each.sentence, each.speedup, each.interval)
