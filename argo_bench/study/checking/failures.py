"""What becomes of the signals when providers fail: how many are lost, how many are wrong, and whether anything hangs.

The same requests fail for the variant and for the baseline. A signal is wrong where it is not what the baseline decides
of that symbol on the same answers; the baseline itself loses a whole cycle where a provider without a fallback fails.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from argo_bench.pipeline.model import Decision, ProviderError, World
from argo_bench.pipeline.record import Cycle, Pipeline, cycle, decide
from argo_bench.pipeline.world import SimulatedWorld, Simulation
from argo_bench.study.checking.differences import Differences, Raised, note_differences
from argo_bench.study.checking.scene import PATIENCE_S
from argo_bench.study.checking.served import Log, serve, watch
from argo_bench.study.checking.trace import Oracle
from argo_bench.study.recording import FAST

ERROR_RATE = 0.02
"""The share of requests that fail."""
LOST_MORE = "lost more than the baseline"


class Troubled(NamedTuple):
    """Holds what a pipeline did while providers failed: each cycle, or what it raised instead, and the answers."""

    cycles: tuple[Cycle | Raised, ...]
    log: Log

    @property
    def walked(self) -> dict[int, Cycle]:
        """The cycles that came to their end, by number."""
        return {number: each for number, each in enumerate(self.cycles) if isinstance(each, Cycle)}

    @property
    def signals(self) -> dict[tuple[int, str], Decision]:
        """The signals that were kept, by cycle and symbol."""
        walked = self.walked.items()
        return {(number, each.decision.symbol): each.decision for number, done in walked for each in done.stored}

    @property
    def decided(self) -> dict[tuple[int, str], Decision]:
        """The decisions that were made, by cycle and symbol."""
        return {(number, each.symbol): each for number, done in self.walked.items() for each in done.decided}


def walk_in_trouble(pipeline: Pipeline, oracle: Oracle, served: Log | None = None) -> Troubled:
    """Run a pipeline on the oracle's market while some requests fail; an exception costs its cycle."""
    seed, cycles, log = oracle.seed, len(oracle.cycles), Log()
    tape = oracle.make_market()
    pipeline = watch(pipeline if served is None else serve(pipeline, served), log)
    simulation = Simulation(error_rate=ERROR_RATE, prepare_ahead=False)
    found: list[Cycle | Raised] = []
    with SimulatedWorld(tape, simulation, seed=seed, latency_scale=0.0, durable=False) as world:
        world.ignore_abandoned_tasks()
        for number in range(cycles):
            found.append(_walk(pipeline, world, tape.symbols, number))
    return Troubled(tuple(found), log)


def _walk(pipeline: Pipeline, world: SimulatedWorld, symbols: Sequence[str], number: int) -> Cycle | Raised:
    async def walk() -> Cycle:
        async with asyncio.timeout(PATIENCE_S):
            return await cycle(pipeline, world, symbols, number)

    try:
        return world.run(walk())
    except Exception as error:  # noqa: BLE001 - whatever a variant raises costs it the cycle
        return Raised(error)


async def walk_each_alone(world: World, pipeline: Pipeline, symbols: Sequence[str]) -> list[Decision]:
    """Walk the symbols one after another; one whose provider fails yields no decision and disturbs no other."""
    found = []
    for symbol in symbols:
        try:
            decision = await decide(pipeline, world, symbol)
        except ProviderError:
            continue
        if decision is not None:
            found.append(decision)
    return found


ALONE = FAST.replace(schedule=walk_each_alone)
"""The baseline in which a symbol whose provider fails disturbs no other."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Holds what the baseline does while providers fail, on the market of an oracle.

    A signal is due where all that its symbol needs was answered; ``lost`` is how many of ``due`` the baseline loses,
    since one symbol's failure ends its cycle.
    """

    oracle: Oracle
    failed_cycles: int
    due: int
    lost: int

    @classmethod
    def run(cls, oracle: Oracle) -> Trouble:
        got = walk_in_trouble(FAST, oracle)
        due = walk_in_trouble(ALONE, oracle, got.log).signals
        failed = sum(isinstance(each, Raised) for each in got.cycles)
        return cls(oracle, failed, len(due), len(due.keys() - got.signals.keys()))

    def check(self, pipeline: Pipeline, found: Differences) -> Counter[str]:
        """Compare a pipeline with the baseline while providers fail, note the faults, and return what was lost."""
        got = walk_in_trouble(pipeline, self.oracle)
        right = walk_in_trouble(ALONE, self.oracle, got.log)
        for key, decision in got.decided.items():
            found.where = f"seed {self.oracle.seed}, cycle {key[0]}, {key[1]}"
            before = found.counts.total()
            if key in right.decided:
                note_differences(_without_text(right.decided[key]), _without_text(decision), found)
            else:
                found.note("made up", None, decision.direction)
            found.concerned += found.counts.total() > before
        for number, each in enumerate(got.cycles):
            found.where = f"seed {self.oracle.seed}, cycle {number}"
            if isinstance(each, Raised) and each.kind == "TimeoutError":
                found.note("hangs")
                found.concerned += 1
            elif isinstance(each, Cycle):
                due = {symbol for at, symbol in right.decided if at == number}
                for symbol in sorted(due - {decision.symbol for decision in each.decided}):
                    found.note("left out without an error", symbol)
                    found.concerned += 1
        found.where = ""
        lost = len(right.signals.keys() - got.signals.keys())
        if lost * self.due > self.lost * len(right.signals):
            found.note(LOST_MORE, f"{self.lost} of {self.due}", f"{lost} of {len(right.signals)}")
        return Counter(
            {
                "signals": len(right.signals),
                "lost": lost,
                "signals of the baseline": self.due,
                "lost by the baseline": self.lost,
            }
        )


def _without_text(decision: Decision) -> Decision:
    """Return a decision without its explanation: a remembered one is as good as the template of a failed request."""
    return replace(decision, reasoning="", reasoning_author="")
