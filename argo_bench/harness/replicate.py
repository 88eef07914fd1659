"""One replicate: a fresh pair of processes in which comparisons are warmed up and timed in ABBA or BAAB blocks."""

from __future__ import annotations

import random
import time
from typing import Literal

from argo_bench.harness.messages import Arm, Drain, Drained, Prepare, Prepared, Ready, WarmUp
from argo_bench.harness.plan import FEWEST_BLOCKS, MOST_BLOCKS
from argo_bench.harness.results import Block, Comparison, Samples
from argo_bench.harness.twins import Twins

LONGEST_PASS_NS = 30_000_000
"""A pass of many calls is cut to what both arms do in this time; a single call may take longer."""

FAST_S = 0.6
"""Four blocks are taken where they take no longer."""

Roles = tuple[Arm, Arm]
"""The reference's arm and the candidate's."""


class Replicate:
    """``number`` and ``seed`` are those of the replicate; ``rng`` draws the order of the blocks."""

    def __init__(self, pair: Twins, number: int, seed: int, rng: random.Random) -> None:
        self._pair = pair
        self._number = number
        self._seed = seed
        self._rng = rng
        self._met: dict[Roles, tuple[Prepared, Prepared]] = {}

    def meet(self, arms: Roles, *, together: bool = False) -> None:
        """Build both arms and make their first calls, as a cold start would find them."""
        pair = self._pair.together() if together else self._pair
        prepared = pair.reference.ask(Prepare(arms[0]), Prepared), pair.candidate.ask(Prepare(arms[1]), Prepared)
        self._met[arms] = prepared

    def compared(
        self, comparison: Comparison, arms: Roles, budget_s: float, *, together: bool = False, is_cold: bool = True
    ) -> Samples:
        """Warm both arms up on the same calls, then take blocks until ``budget_s`` is used.

        ``together`` puts both into one process. ``is_cold``: their first calls here were made before any other scale's.
        """
        pair = self._pair.together() if together else self._pair
        if arms not in self._met:
            self.meet(arms, together=together)
        first = self._met[arms]
        reference, candidate = arms
        calls = max(1, min(first[0].calls, LONGEST_PASS_NS // max(each.call_ns for each in first)))
        ready = (
            pair.reference.ask(WarmUp(reference, calls), Ready),
            pair.candidate.ask(WarmUp(candidate, calls), Ready),
        )
        blocks: list[Block] = []
        started = time.monotonic()
        while is_short(len(blocks), time.monotonic() - started, budget_s):
            order: Literal["ABBA", "BAAB"] = self._rng.choice(("ABBA", "BAAB"))
            blocks.append(pair.block(order, (reference, ready[0].passes), (candidate, ready[1].passes)))
        seconds = time.monotonic() - started
        return Samples(
            comparison,
            self._number,
            self._seed,
            reference_calls=ready[0].passes * ready[0].calls,
            candidate_calls=ready[1].passes * ready[1].calls,
            blocks=blocks,
            reference_first_call_ns=first[0].first_call_ns if is_cold else None,
            candidate_first_call_ns=first[1].first_call_ns if is_cold else None,
            reference_drain_ns=pair.reference.ask(Drain(reference), Drained).ns_per_call,
            candidate_drain_ns=pair.candidate.ask(Drain(candidate), Drained).ns_per_call,
            seconds=seconds,
        )


def is_short(blocks: int, seconds: float, budget_s: float) -> bool:
    """Whether a replicate takes one more block: four at least, of long ones as many as fit into twice the budget."""
    if blocks == 0:
        return True
    if blocks < FEWEST_BLOCKS:
        return seconds * (blocks + 1) / blocks < max(2 * budget_s, FAST_S)
    return blocks < MOST_BLOCKS and seconds < budget_s
