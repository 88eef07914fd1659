"""Counts what a call takes on both sides, without noise: bytes, allocations, instructions, a benchmark's own counts."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from argo_bench.gate import callgrind
from argo_bench.gate.answers import has_grown
from argo_bench.gate.benchmarks import Benchmark
from argo_bench.gate.checkouts import Checkout, Role
from argo_bench.gate.outcome import Change
from argo_bench.gate.records import Exact
from argo_bench.harness.workers.messages import Arm, Count, Counted, Prepare, Prepared
from argo_bench.harness.workers.processes import ArmFailed, WorkerProcess

INSTRUCTIONS = "instructions"
BYTECODE = "bytecode instructions"
STEADY = 0.001
"""Two readings of one side may differ by this share; a count that moves more by itself is not judged."""
HASH_SEED = 0
MOST_SECONDS = 120.0
SHOWN = 5


def count_exactly(
    benchmark: Benchmark,
    checkouts: Mapping[Role, Checkout],
    arms: Mapping[Role, Arm],
    counts: Mapping[Role, str],
    scratch: Path,
) -> Exact:
    """Read the counts of both sides twice, each in a process of its own.

    Machine instructions are counted once more where they grew and bytecode instructions did not. Raises ArmFailed where
    a side raises.
    """
    both = [partial(_ask_for_counts, checkouts[role], arms[role], counts[role], scratch) for role in arms]
    once, again = callgrind.count_side_by_side(both), callgrind.count_side_by_side(both)
    readings = dict(zip(arms, zip(once, again, strict=True), strict=True))
    found = {role: dict(first.counts) for role, (first, _) in readings.items()}
    unsteady = {
        name
        for first, second in readings.values()
        for name in first.counts
        if not _is_steady(first.counts[name], second.counts.get(name))
    }
    moved = {BYTECODE: _find_largest_changes(*(readings[role][0].by_function for role in ("base", "head")))}
    uncounted = None
    try:
        functions = _count_instructions(checkouts, arms, scratch)
        totals = {role: _sum_costs(each) for role, each in functions.items()}
        if has_grown(Change(totals["base"], totals["head"])) and not _has_more_bytecode(found):
            repeated = _count_instructions(checkouts, arms, scratch)
            if not all(_is_steady(totals[role], _sum_costs(repeated[role])) for role in totals):
                unsteady.add(INSTRUCTIONS)
    except ArmFailed as error:
        uncounted = str(error)
    else:
        for role, whole in totals.items():
            found[role][INSTRUCTIONS] = whole
        moved[INSTRUCTIONS] = _find_largest_changes(functions["base"], functions["head"])
    return Exact(benchmark.name, found["base"], found["head"], sorted(unsteady), moved, uncounted)


def _ask_for_counts(checkout: Checkout, arm: Arm, counts: str, scratch: Path) -> Counted:
    worker = WorkerProcess(HASH_SEED, scratch / f"numba-{checkout.role}", None, checkout.program)
    try:
        return worker.ask(Count(arm, counts), Counted)
    finally:
        worker.close()


def _count_instructions(
    checkouts: Mapping[Role, Checkout], arms: Mapping[Role, Arm], scratch: Path
) -> dict[Role, dict[str, float]]:
    """Count machine instructions by C function. Raises ArmFailed, saying why, where they cannot be counted."""
    if not callgrind.is_installed():
        raise ArmFailed("valgrind is not installed")
    began = time.monotonic()
    worker = WorkerProcess(HASH_SEED, scratch / "numba-base", None, checkouts["base"].program)
    try:
        call_ns = worker.ask(Prepare(arms["base"]), Prepared).call_ns
    finally:
        worker.close()
    if call_ns is None or time.monotonic() - began > callgrind.LONGEST_START_S:
        raise ArmFailed("under Callgrind its imports and first calls would take too long")
    calls = callgrind.choose_calls(call_ns)
    counts = [
        partial(callgrind.count_instructions, checkouts[role], arms[role], calls, scratch, MOST_SECONDS)
        for role in arms
    ]
    return dict(zip(arms, callgrind.count_side_by_side(counts), strict=True))


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
