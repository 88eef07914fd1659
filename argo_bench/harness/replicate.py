"""Measures one replicate: a fresh pair of processes warms comparisons up and times them in blocks of both orders."""

from __future__ import annotations

import time
from collections.abc import Sequence

from argo_bench.harness.block_order import draw_key
from argo_bench.harness.plan import FEWEST_BLOCKS, MOST_BLOCKS, SLOW_NS
from argo_bench.harness.record.records import Block, Comparison, Samples
from argo_bench.harness.workers.messages import (
    Arm,
    Collect,
    Done,
    Drain,
    Drained,
    Prepare,
    Prepared,
    Ready,
    WarmUp,
)
from argo_bench.harness.workers.processes import Turn, Twins, WorkerProcess, take_blocks, walk_in_turns
from argo_bench.harness.workers.timing import WARM_UP_NS

LONGEST_PASS_NS = 30_000_000
"""A pass of many calls is cut to what all arms do in this time; a single call may take longer."""

CHEAP_NS = 50_000_000
"""Calls of both arms that take less than this together are made once more to compare their results."""

FAST_S = 0.9
"""Four blocks are taken where they take no longer than these seconds."""
LONG_S = 0.05
"""Up to these seconds a call, fewer than four blocks find differences that are not there too often."""

Roles = tuple[Arm, Arm]
"""The two are the reference's arm and the candidate's."""


class Replicate:
    """Prepares, warms up and times comparisons in one pair of processes.

    ``number`` and ``seed`` are those of the replicate; the order of its blocks follows from the seed. Every arm is
    warmed up for ``warm_up_ns`` at least. ``call_ns`` holds what a call takes, by the arm's key; arms that are new are
    added to it.
    """

    def __init__(
        self,
        pair: Twins,
        number: int,
        seed: int,
        warm_up_ns: int = WARM_UP_NS,
        call_ns: dict[str, int] | None = None,
    ) -> None:
        self._pair = pair
        self.number = number
        self._seed = seed
        self._warm_up_ns = warm_up_ns
        self._call_ns = {} if call_ns is None else call_ns
        self._met: dict[tuple[WorkerProcess, Arm], Prepared] = {}

    def meet(self, arms: Roles) -> tuple[Prepared, Prepared]:
        """Build both arms and make their first calls, as a cold start would find them."""
        pair = self._pair
        return self._meet_first(pair.reference, arms[0]), self._meet_first(pair.candidate_for(arms[1]), arms[1])

    def _meet_first(self, worker: WorkerProcess, arm: Arm) -> Prepared:
        if (worker, arm) not in self._met:
            known = self._call_ns.get(arm.key)
            prepared = self._met[worker, arm] = worker.ask(Prepare(arm, known is not None), Prepared)
            if prepared.call_ns is not None:
                self._call_ns[arm.key] = prepared.call_ns
        return self._met[worker, arm]

    def calls(self, arms: Roles) -> int:
        """Return the number of calls of a pass, in which both arms are timed on the same inputs.

        On a trace it is fixed, since the gain of a cache depends on it: it must not depend on the machine.
        """
        met = self.meet(arms)
        if met[0].fixed_calls is not None:
            return met[0].fixed_calls
        return max(1, min(met[0].calls, LONGEST_PASS_NS // max(self._call_ns[arm.key] for arm in arms)))

    def _warm_up(self, worker: WorkerProcess, arm: Arm, calls: int) -> Ready:
        """Warm an arm up; a user's function whose calls are slow is warm after its first one."""
        if not arm.factory and self._call_ns.get(arm.key, 0) > SLOW_NS:
            return Ready(passes=1, calls=calls)
        return worker.ask(WarmUp(arm, calls, self._warm_up_ns), Ready)

    def is_worth_confirming(self, arms: Roles) -> bool:
        """Say whether one more call of both arms costs little, or this is the first replicate."""
        return self.number == 0 or sum(self._call_ns.get(arm.key, 0) for arm in arms) < CHEAP_NS

    def time_comparisons(
        self,
        compared: Sequence[tuple[Comparison, Roles]],
        budget_s: float,
        *,
        is_cold: bool = True,
    ) -> list[Samples]:
        """Warm all arms up on the same calls, then take blocks until ``budget_s`` is used.

        The comparisons have their reference's arm in common, and its samples serve all of them. ``is_cold``
        says that the first calls here were made before those of any other scale.
        """
        pair = self._pair
        met = [self.meet(arms) for _, arms in compared]
        calls = min(self.calls(arms) for _, arms in compared)
        reference = pair.reference, compared[0][1][0]
        candidates = [(pair.candidate_for(candidate), candidate) for _, (_, candidate) in compared]
        for worker in pair.workers:
            worker.ask(Collect(), Done)
        ready = [self._warm_up(worker, arm, calls) for worker, arm in (reference, *candidates)]
        turns = [
            Turn(worker, arm, each.passes) for (worker, arm), each in zip((reference, *candidates), ready, strict=True)
        ]
        steps = ready[0].steps
        per_sample = [steps // (2 * FEWEST_BLOCKS) or each.passes * each.calls for each in ready]
        blocks: list[list[Block]] = []
        started = time.monotonic()
        while is_block_due(len(blocks), time.monotonic() - started, budget_s, 2 * sum(per_sample)):
            numbers = range(len(blocks), len(blocks) + (FEWEST_BLOCKS if steps else 1))
            keys = [[draw_key(self._seed, comparison, number) for comparison, _ in compared] for number in numbers]
            blocks += walk_in_turns(turns, keys, steps) if steps else [take_blocks(turns, keys[0])]
        seconds = (time.monotonic() - started) / len(compared)
        drains = [worker.ask(Drain(arm), Drained).ns_per_call for worker, arm in (reference, *candidates)]
        return [
            Samples(
                comparison,
                self.number,
                self._seed,
                reference_calls=per_sample[0],
                candidate_calls=per_sample[number],
                blocks=[each[number - 1] for each in blocks],
                reference_first_call_ns=met[number - 1][0].first_call_ns if is_cold else None,
                candidate_first_call_ns=met[number - 1][1].first_call_ns if is_cold else None,
                reference_drain_ns=drains[0],
                candidate_drain_ns=drains[number],
                seconds=seconds,
            )
            for number, (comparison, _) in enumerate(compared, start=1)
        ]


def is_block_due(blocks: int, seconds: float, budget_s: float, calls: int = 1) -> bool:
    """Say whether a replicate takes one more block, after so many that took so many seconds, ``calls`` calls each.

    It takes blocks for ``budget_s`` seconds, MOST_BLOCKS at the most. It takes FEWEST_BLOCKS at the least where a call
    takes up to LONG_S, or where they are done within twice the budget or FAST_S, and one in any case.
    """
    if blocks == 0:
        return True
    if blocks < FEWEST_BLOCKS:
        is_short = seconds <= LONG_S * blocks * calls
        return is_short or seconds * (blocks + 1) / blocks < max(2 * budget_s, FAST_S)
    return blocks < MOST_BLOCKS and seconds < budget_s
