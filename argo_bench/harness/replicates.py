"""Measures the replicates of a run: which comparisons are timed in each, for how long, and when they end."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import filterfalse

import msgspec

from argo_bench.harness.judging.endings import is_over
from argo_bench.harness.pace import share_of_blocks
from argo_bench.harness.plan import FEWEST_BLOCKS, SET_UP_S, Profile, choose_seconds
from argo_bench.harness.record.records import Comparison, Samples
from argo_bench.harness.replicate import Replicate
from argo_bench.harness.shortage import DUE, Rank, choose_left_out
from argo_bench.harness.state import RunState
from argo_bench.harness.subject import Around
from argo_bench.harness.workers.processes import OutOfTime, Twins

STAYING = 0.25
"""This share of the headline comparisons is expected to go on after the first look: in the stored run 6 of 36 did."""
UNIT_S = 1.0
"""A comparison is expected to take these seconds in a replicate, before any has been measured."""


@dataclass(slots=True)
class Costs:
    """Keeps what replicates have cost.

    ``beside_s`` are the seconds that the last replicate took beside its blocks (None before the first), and ``overrun``
    the seconds that blocks took for each second planned, since long blocks take more than their share.
    """

    beside_s: float | None = None
    overrun: float = 1.0


def time_replicates(state: RunState, around: Around) -> None:
    """Measure replicates until every comparison has ended, the last look is reached, or the budget has no room for one.

    The replicates of the first look are taken in any case, unless the time is bounded: raises OutOfTime where one of
    them would end after the bound. What has too few by then is written down as left out.
    """
    _take_replicates(state, around)
    for each in [each for each in state.comparisons if _is_behind(state, each)]:
        state.leave_out(each)


def _is_behind(state: RunState, comparison: Comparison) -> bool:
    """Say whether a comparison that was to go on has too few replicates: where it is not due, for the first look, and
    otherwise beside those of the others, of which the last may be under way."""
    taken, looks = len(state.samples.get(comparison, ())), state.profile.looks
    if not state.is_due(comparison):
        return taken < looks[0]
    most = max(map(len, state.samples.values()), default=0)
    if taken + 1 >= most or state.rank_of(comparison) == Rank.HEADLINE:
        return False
    return taken not in looks or not has_comparison_ended(state, comparison, taken)


def _take_replicates(state: RunState, around: Around) -> None:
    first, most = state.profile.looks[0], state.profile.looks[-1]
    costs, state.prepared_s, each_s = Costs(), state.pace.elapsed_s, 0.0
    for number in range(_whole_replicates(state), most):
        if number in state.profile.looks:
            _look(state, number)
        if not state.comparisons or (number >= first and _expect_next(state, each_s) > state.pace.left_s):
            return
        if state.until is not None and time.monotonic() + state.longest_s > state.until:
            raise OutOfTime
        began, asked = state.pace.elapsed_s, len(state.comparisons)
        _leave_out_what_does_not_fit(state, around, number)
        allowed_s = state.pace.left_s / max(1.0, _expect_replicates(state.profile, number))
        state.feed(around, number, [*filter(state.is_due, state.comparisons)])
        fed_s = state.pace.elapsed_s - began
        _time_replicate(state, around, number, began + allowed_s, costs)
        for each in filter(state.is_due, state.comparisons):
            state.replicate_s[each] = state.replicate_s.get(each, 0.0) + fed_s / asked
        state.longest_s = max(state.longest_s, state.pace.elapsed_s - began)
        each_s = max(each_s, (state.pace.elapsed_s - began) / asked)


def _expect_next(state: RunState, each_s: float) -> float:
    """Return the seconds that the next replicate is expected to take at the least: those of what is due in it. Where
    nothing is due any more, each of the others is expected to take ``each_s``."""
    due = [*filter(state.is_due, state.comparisons)]
    return math.fsum(state.replicate_s.get(each, each_s) for each in due) or each_s * len(state.comparisons)


def _leave_out_what_does_not_fit(state: RunState, around: Around, number: int) -> None:
    """Leave out the comparisons that have no time beside the replicates that headline comparisons are expected to need.

    What each takes is known from its last replicate; before the first, it is expected from what a call takes.
    """
    ranked = [(each, state.rank_of(each)) for each in state.comparisons]
    missing = {each: _expect_missing(state, each, rank, number) for each, rank in ranked}
    unmeasured = [each for each, rank in ranked if rank in DUE and each not in state.replicate_s]
    replicate_s = state.replicate_s | {each: _expect_seconds(state, around, each) for each in unmeasured}
    for each in choose_left_out(ranked, replicate_s, missing, state.pace.left_s):
        state.leave_out(each)


def _expect_missing(state: RunState, comparison: Comparison, rank: Rank, number: int) -> float:
    """Return how many replicates more a comparison is expected to need; a run that is resumed may have some of them."""
    taken = max(number, len(state.samples.get(comparison, ())))
    if rank == Rank.HEADLINE:
        return _expect_replicates(state.profile, taken)
    return max(0.0, state.profile.looks[0] - taken)


def _expect_replicates(profile: Profile, number: int) -> float:
    """Return how many replicates a headline comparison is expected to need after so many: before the first look, those
    up to it, and a share of those that lead on to ten."""
    first, reached = profile.looks[0], profile.replicates_to_reach
    if number < first:
        return first - number + STAYING * (reached - first)
    return max(0, reached - number)


def _expect_seconds(state: RunState, around: Around, comparison: Comparison) -> float:
    """Return the seconds that a comparison is expected to take in a replicate, before it has been measured in one."""
    has_input = state.is_at_headline_scale(comparison)  # the others get theirs when it is their turn
    arms = state.arms_of(comparison, around) if has_input else ()
    calls_ns = sum(state.call_ns.get(each.key, 0) for each in arms)
    return SET_UP_S + max(_profile_s(state, comparison), FEWEST_BLOCKS * calls_ns / 1e9)


def _whole_replicates(state: RunState) -> int:
    """Return how many replicates every comparison that is due has from an earlier part of the run."""
    due = filter(state.is_due, state.comparisons)
    return min((len(state.samples.get(each, ())) for each in due), default=0)


def _look(state: RunState, number: int) -> None:
    """Take out the comparisons whose verdicts more replicates could not change, or could not be expected to give.

    Those that stay get the seconds of blocks that narrow their interval fastest. A run that is resumed may have some
    replicates beyond the first ``number``, which this look does not see.
    """
    state.comparisons = [each for each in state.comparisons if not has_comparison_ended(state, each, number)]
    for each in state.comparisons:
        state.block_s[each] = plan_seconds(state, each)


def plan_seconds(state: RunState, comparison: Comparison, before: float = math.inf) -> float:
    """Return the seconds of blocks that are worth taking of a comparison, by its replicates ``before`` a number."""
    samples = [each for each in state.samples.get(comparison, ()) if each.replicate < before]
    return choose_seconds(samples, _profile_s(state, comparison))


def has_comparison_ended(state: RunState, comparison: Comparison, number: int) -> bool:
    """Say whether a comparison needs no more replicates, by the samples of its first ``number`` ones."""
    samples = [each for each in state.samples.get(comparison, ()) if each.replicate < number]
    claims = state.claims_on(comparison)
    return is_over(claims, samples, state.level_of(comparison), state.profile.looks)


def _time_replicate(state: RunState, around: Around, number: int, until_s: float, costs: Costs) -> None:
    """Time every comparison once, in a fresh pair of processes: the first calls, then the times, in the order of ranks
    and at random within one.

    Blocks get as many seconds as the time allows. Where it is short, comparisons that are not due are left to other
    replicates.
    """
    seed = state.seed_of(number)
    asked = [each for each in state.comparisons if not _is_measured(state, each, number)]
    order = random.Random(seed).sample(asked, len(asked))
    due = sorted(filter(state.is_due, order), key=state.rank_of)
    first = state.supply.first()
    others = sorted(
        filterfalse(state.is_due, order), key=lambda each: (state.rank_of(each), each.optimization not in first)
    )
    _plan_times(state, number)
    began = state.pace.elapsed_s
    blocks_s = math.fsum(_seconds_of_blocks(state, each) for each in _group_by_reference(due))
    planned_s = SET_UP_S * len(order)
    share = share_of_blocks(until_s - began, costs.overrun * blocks_s, costs.beside_s, planned_s)
    timed_s, due_until_s = 0.0, began
    with state.start_twins(around, seed) as pair:
        replicate = Replicate(pair, number, seed, state.profile.warm_up_ns, state.call_ns)
        _meet(state, around, replicate, pair, due)
        aside_s = (state.pace.elapsed_s - began) / max(1, len(due))
        for alike in [*_group_by_reference(due), *_group_by_reference(others)]:
            is_due = state.is_due(alike[0])
            if not is_due and state.pace.elapsed_s > until_s:
                break
            asked_s = state.pace.elapsed_s
            for samples in _time_alike(state, around, replicate, pair, alike, share):
                state.keep(samples)
                timed_s += (samples.seconds or 0.0) if is_due else 0.0
                state.did("times" if is_due else "further times", str(samples.comparison))
            for each in alike:
                state.replicate_s[each] = (state.pace.elapsed_s - asked_s) / len(alike) + aside_s
            if is_due:
                due_until_s = state.pace.elapsed_s
    costs.beside_s = due_until_s - began - timed_s
    costs.overrun = timed_s / (share * blocks_s) if blocks_s else 1.0


def time_one_replicate(state: RunState, around: Around, number: int) -> None:
    """Time every comparison of a run once, in a fresh pair of processes, with the seconds of blocks that it has."""
    seed = state.seed_of(number)
    order = random.Random(seed).sample(state.comparisons, len(state.comparisons))
    asked = sorted(order, key=state.rank_of)
    state.feed(around, number, asked)
    with state.start_twins(around, seed) as pair:
        replicate = Replicate(pair, number, seed, state.profile.warm_up_ns, state.call_ns)
        _meet(state, around, replicate, pair, asked)
        for alike in _group_by_reference(asked):
            for samples in _time_alike(state, around, replicate, pair, alike, share=1.0):
                state.keep(samples)


def _meet(
    state: RunState, around: Around, replicate: Replicate, pair: Twins, comparisons: Sequence[Comparison]
) -> None:
    """Make the first calls at the headline scale, as a cold start would find them."""
    for comparison in filter(state.is_at_headline_scale, comparisons):
        if comparison in state.comparisons:
            with state.failing(comparison.optimization, comparison.candidate):
                replicate.meet(state.arms_of(comparison, around))
            pair.revive()


def _plan_times(state: RunState, done: int) -> None:
    """Plan the comparisons that are still to be timed until the next look, when ``done`` replicates have been taken."""
    next_look = next((look for look in state.profile.looks if look > done), done)
    due = len([*filter(state.is_due, state.comparisons)])
    state.pace.plan("times", due * (next_look - done), UNIT_S)


def _time_alike(
    state: RunState, around: Around, replicate: Replicate, pair: Twins, alike: Sequence[Comparison], share: float
) -> Iterator[Samples]:
    """Time comparisons that share a reference, which is sampled once for all of them, and yield their samples.

    An arm that raises ends its own comparisons; the others are timed again without it.
    """
    state.feed(around, replicate.number, [each for each in alike if each in state.comparisons])
    done: set[Comparison] = set()
    while asked := [each for each in alike if each in state.comparisons and each not in done]:
        state.tell(str(asked[0]))
        subject = state.subject_of(asked[0])
        with state.failing(subject.id, asked[0].candidate):
            taken = replicate.time_comparisons(
                [(each, state.arms_of(each, around)) for each in asked],
                share * _seconds_of_blocks(state, asked),
                is_cold=state.is_at_headline_scale(asked[0]),
            )
            done |= set(asked)
            if replicate.is_worth_confirming(state.arms_of(asked[0], around)):
                differing = subject.confirm(pair.reference.ask, pair.candidate.ask, around.scratch)
                if differing is not None:
                    state.write([differing])
                    state.comparisons = [each for each in state.comparisons if each.optimization != subject.id]
            yield from taken
        pair.revive()


def _seconds_of_blocks(state: RunState, alike: Sequence[Comparison]) -> float:
    """Return the seconds of blocks for comparisons that share their reference's samples."""
    return max(state.block_s.get(each, _profile_s(state, each)) for each in alike) * (1 + len(alike)) / 2


def _profile_s(state: RunState, comparison: Comparison) -> float:
    is_headline = any(claim.headline for claim in state.claims_on(comparison))
    return state.profile.headline_s if is_headline else state.profile.other_s


def _is_measured(state: RunState, comparison: Comparison, replicate: int) -> bool:
    return any(each.replicate == replicate for each in state.samples.get(comparison, ()))


def _group_by_reference(comparisons: Iterable[Comparison]) -> list[list[Comparison]]:
    """Group the comparisons that differ in nothing but the candidate, in the order of the first of each group."""
    found: dict[Comparison, list[Comparison]] = {}
    for each in comparisons:
        found.setdefault(msgspec.structs.replace(each, candidate=""), []).append(each)
    return list(found.values())
