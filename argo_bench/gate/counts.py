"""Counts what a call takes on both sides, without noise: bytes, allocations, instructions, a benchmark's own counts."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from argo_bench.gate import callgrind
from argo_bench.gate.benchmarks import Benchmark
from argo_bench.gate.checkouts import Checkout, Role
from argo_bench.gate.exact import BYTECODE, INSTRUCTIONS, has_grown
from argo_bench.gate.outcome import Change
from argo_bench.gate.records import Exact
from argo_bench.harness.workers.messages import Arm, Count, Counted, Prepare, Prepared, Sample, Taken
from argo_bench.harness.workers.processes import ArmFailed, OutOfTime, WorkerProcess

STEADY = 0.001
"""Two readings of one side may differ by this share; a count that moves more by itself is not judged."""
HASH_SEED = 0
MOST_SECONDS = 120.0
NO_TIME = "no time was left for it"
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Limits:
    """Says where files may be written, and ``until`` when (in seconds of the monotonic clock) counting may take."""

    scratch: Path
    until: float

    @property
    def left_s(self) -> float:
        return self.until - time.monotonic()


def count_exactly(
    benchmark: Benchmark,
    checkouts: Mapping[Role, Checkout],
    arms: Mapping[Role, Arm],
    counts: Mapping[Role, str],
    limits: Limits,
) -> Exact:
    """Read the counts of both sides, each in a process of its own; without counts where the time is up before.

    They are read once more where one of them has changed, so that one that moves by itself is not judged; machine
    instructions where they grew and bytecode instructions did not. Raises ArmFailed where a side raises.
    """
    try:
        return _count_both(benchmark, checkouts, arms, counts, limits)
    except OutOfTime:
        return Exact(benchmark.name, {}, {}, [], {}, NO_TIME)


def _count_both(
    benchmark: Benchmark,
    checkouts: Mapping[Role, Checkout],
    arms: Mapping[Role, Arm],
    counts: Mapping[Role, str],
    limits: Limits,
) -> Exact:
    if limits.left_s <= 0:
        raise OutOfTime
    both = [partial(_ask_for_counts, checkouts[role], arms[role], counts[role], limits) for role in arms]
    once = dict(zip(arms, callgrind.count_side_by_side(both), strict=True))
    found = {role: dict(first.counts) for role, first in once.items()}
    unsteady: set[str] = set()
    if _has_changed(found):
        again = dict(zip(arms, callgrind.count_side_by_side(both), strict=True))
        unsteady = {
            name
            for role, first in once.items()
            for name in first.counts
            if not _is_steady(first.counts[name], again[role].counts.get(name))
        }
    moved = {BYTECODE: _find_largest_changes(*(once[role].by_function for role in ("base", "head")))}
    uncounted = None
    if not benchmark.is_timed:
        return Exact(benchmark.name, found["base"], found["head"], sorted(unsteady), {})
    try:
        functions = _count_instructions(checkouts, arms, limits)
        totals = {role: _sum_costs(each) for role, each in functions.items()}
        if has_grown(Change(totals["base"], totals["head"])) and not _has_more_bytecode(found):
            repeated = _count_instructions(checkouts, arms, limits)
            if not all(_is_steady(totals[role], _sum_costs(repeated[role])) for role in totals):
                unsteady.add(INSTRUCTIONS)
    except ArmFailed as error:
        uncounted = str(error)
    except OutOfTime:
        uncounted = NO_TIME
    else:
        for role, whole in totals.items():
            found[role][INSTRUCTIONS] = whole
        moved[INSTRUCTIONS] = _find_largest_changes(functions["base"], functions["head"])
    return Exact(benchmark.name, found["base"], found["head"], sorted(unsteady), moved, uncounted)


def _ask_for_counts(checkout: Checkout, arm: Arm, counts: str, limits: Limits) -> Counted:
    cache = limits.scratch / f"numba-{checkout.role}"
    worker = WorkerProcess(HASH_SEED, cache, None, checkout.program, limits.until)
    try:
        return worker.ask(Count(arm, counts), Counted)
    finally:
        worker.close()


def _count_instructions(
    checkouts: Mapping[Role, Checkout], arms: Mapping[Role, Arm], limits: Limits
) -> dict[Role, dict[str, float]]:
    """Count machine instructions by C function. Raises ArmFailed, saying why, where they cannot be counted.

    Whether they are, and over how many calls, rests on CPU time, which does not depend on what else the machine does.
    """
    if not callgrind.is_installed():
        raise ArmFailed("valgrind is not installed")
    worker = WorkerProcess(HASH_SEED, limits.scratch / "numba-base", None, checkouts["base"].program, limits.until)
    try:
        worker.ask(Prepare(arms["base"]), Prepared)
        start_s = worker.cpu_s
        call_ns = worker.ask(Sample(arms["base"], 1), Taken).cpu_ns
    finally:
        worker.close()
    if start_s > callgrind.LONGEST_START_S:
        raise ArmFailed("under Callgrind its imports and first calls would take too long")
    calls = callgrind.choose_calls(call_ns)
    seconds = min(MOST_SECONDS, limits.left_s)
    if seconds < callgrind.SLOWER * start_s:
        raise OutOfTime
    counts = [
        partial(callgrind.count_instructions, checkouts[role], arms[role], calls, limits.scratch, seconds)
        for role in arms
    ]
    return dict(zip(arms, callgrind.count_side_by_side(counts), strict=True))


def _has_changed(found: Mapping[Role, Mapping[str, float]]) -> bool:
    """Say whether a count has grown or shrunk by what matters."""
    base, head = found["base"], found["head"]
    both = [(base[name], head[name]) for name in base.keys() & head.keys()]
    return any(has_grown(Change(*each)) or has_grown(Change(*each[::-1])) for each in both)


def _has_more_bytecode(found: Mapping[Role, Mapping[str, float]]) -> bool:
    """Say whether the count of bytecode instructions has grown too."""
    return all(BYTECODE in found[role] for role in found) and has_grown(
        Change(found["base"][BYTECODE], found["head"][BYTECODE])
    )


def _sum_costs(functions: Mapping[str, float]) -> float:
    return round(math.fsum(functions.values()))


def _is_steady(first: float, second: float | None) -> bool:
    return second is not None and abs(second - first) <= STEADY * abs(first)


def _find_largest_changes(base: Mapping[str, float], head: Mapping[str, float]) -> dict[str, float]:
    """Return the functions whose counts differ most, with the difference."""
    differences = {name: head.get(name, 0) - base.get(name, 0) for name in base.keys() | head.keys()}
    largest = sorted(differences.items(), key=lambda item: (-abs(item[1]), item[0]))[:SHOWN]
    return {name: difference for name, difference in largest if difference}
