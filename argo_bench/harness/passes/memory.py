"""Measures the memory of every arm behind a claim about memory, each reading in a process of its own."""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from argo_bench.harness.claims.metrics import Method
from argo_bench.harness.memory import Forks, find_available, take_readings
from argo_bench.harness.plan import arms
from argo_bench.harness.record.records import Comparison, Memory, Reading
from argo_bench.harness.side_by_side import list_processors, run_side_by_side
from argo_bench.harness.state import RunState, place_of
from argo_bench.harness.subject import Around
from argo_bench.harness.workers.messages import Arm
from argo_bench.harness.workers.processes import ArmFailed

UNIT_S = 0.8
"""The readings of an arm are expected to take these seconds, before any has been taken."""
Weighed = tuple[Comparison, tuple[Method, ...]]
Idle = queue.SimpleQueue[tuple[int | None, Forks]]


def measure_memory(state: RunState, around: Around) -> None:
    numba_cache, hash_seed = around.scratch / "numba", state.seed % 2**32
    asked = _list_comparisons(state)
    state.feed(around, 0, [comparison for comparison, _ in asked])
    done = {(each.optimization, each.workload, each.scale, each.arm) for each in state.memories}
    idle: Idle = queue.SimpleQueue()
    calls: dict[tuple[str, str, int, str], Callable[[], list[Reading] | ArmFailed]] = {}
    for comparison, methods in asked:
        for name in arms(comparison):
            key = (*place_of(comparison), name)
            if key not in done and name not in state.find_failed_arms(comparison.optimization):
                arm = state.subject_of(comparison).arm(comparison, name, around.scratch)
                calls[key] = partial(_take_readings, arm, find_available(methods), hash_seed, numba_cache, idle)
    state.pace.plan("memory", len(calls), UNIT_S)
    with ExitStack() as stack:
        for cpu in ((*list_processors(),) or (None,)) if calls else ():
            idle.put((cpu, stack.enter_context(Forks(hash_seed, numba_cache, state.supply.preload()))))
        for key, readings in run_side_by_side(calls, state.until):
            with state.failing(key[0], key[3]):
                if isinstance(readings, ArmFailed):
                    raise readings
                state.memories.append(Memory(*key, readings))
                state.writer.write(state.memories[-1])
            state.did("memory", f"memory: {key[0]} {key[3]}")


def _list_comparisons(state: RunState) -> list[Weighed]:
    """Return what is measured, without the comparisons that were to be timed and cannot be."""
    found = [each for subject in state.subjects.values() for each in subject.memory_comparisons(state.profile)]
    gone = set(state.plan.comparisons) - set(state.comparisons)
    return [each for each in found if each[0] not in gone]


def _take_readings(
    arm: Arm, methods: Sequence[Method], hash_seed: int, numba_cache: Path, idle: Idle
) -> list[Reading] | ArmFailed:
    """Take the readings of an arm on a processor that is idle, or return how the arm failed."""
    processor, forks = idle.get()
    try:
        return take_readings(arm, methods, hash_seed, numba_cache, processor, forks)
    except ArmFailed as error:
        return error
    finally:
        idle.put((processor, forks))
