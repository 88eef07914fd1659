"""Says which units of a run are due: what comes before the times, then the replicates up to the next look."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from argo_bench.harness.record.records import Comparison
from argo_bench.harness.replicates import has_comparison_ended, plan_seconds
from argo_bench.harness.state import RunState


class Due(NamedTuple):
    """Names a unit: a replicate of comparisons with the seconds of their blocks, or all before the times, for None."""

    subject: str
    replicate: int | None
    comparisons: list[Comparison]
    block_s: list[float]


def list_due(state: RunState, prepared: Collection[str]) -> Iterator[Due]:
    """Yield the units that can be measured now; some of them may be under way.

    Replicates begin when all that comes before the times is there, of every subject. Each subject has its own looks:
    its comparisons that a look does not end go on to the next one, while the run has time.
    """
    missing = [each for each in state.subjects if each not in prepared]
    if missing:
        yield from (Due(each, None, [], []) for each in missing)
        return
    for subject in state.subjects:
        yield from _list_replicates(state, subject)


def _list_replicates(state: RunState, subject: str) -> Iterator[Due]:
    going_on = [each for each in state.comparisons if each.optimization == subject]
    taken = {each: {one.replicate for one in state.samples.get(each, ())} for each in going_on}
    reached = 0
    for look in state.profile.looks:
        lacking = {number: [each for each in going_on if number not in taken[each]] for number in range(reached, look)}
        if any(lacking.values()):
            for number, comparisons in lacking.items():
                if comparisons:
                    seconds = [plan_seconds(state, each, reached) for each in comparisons]
                    yield Due(subject, number, comparisons, seconds)
            return
        if state.pace.left_s <= 0:
            return
        going_on = [each for each in going_on if not has_comparison_ended(state, each, look)]
        reached = look
