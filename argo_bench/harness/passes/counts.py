"""Takes the exact counts of every arm under several seeds, on all processors at once; nothing is timed here."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from argo_bench.harness.record.records import Counts, Failure
from argo_bench.harness.state import RunState
from argo_bench.harness.subject import Around, Counting
from argo_bench.parent import die_with_parent

UNIT_S = 4e-5
"""A counted call is expected to take these seconds, before any has been made."""


def take_counts(state: RunState, around: Around) -> None:
    for line in state.supply.lines():
        if not state.earlier(type(line)):
            state.writer.write(line)
    asked = [each.without(state.find_failed_arms(each.subject)) for each in list_countings(state)]
    missing = [each for each in asked if each.places and not _is_counted(state, each)]
    state.pace.plan("counts", sum(each.work for each in missing), UNIT_S)
    if not missing:
        return
    with make_pool(around.scratch / "numba") as workers:
        missing.sort(key=lambda each: each.work, reverse=True)  # so that none of the longest is left to run alone
        running = {workers.submit(each.count, around.scratch): each for each in missing}
        try:
            for done in as_completed(running):
                counting = running[done]
                state.did("counts", f"counting: {counting.subject} {counting.workload}", counting.work)
                _keep(state, done.result())
        except BaseException:
            workers.shutdown(wait=False, cancel_futures=True)
            for child in multiprocessing.active_children():
                child.terminate()
            raise


def list_countings(state: RunState) -> list[Counting]:
    """Return the countings of all subjects, under every seed."""
    seeds = [state.seed_of(number) for number in range(state.profile.seeds)]
    return [each for subject in state.subjects.values() for each in subject.countings(state.profile, seeds)]


def make_pool(numba_cache: Path) -> ProcessPoolExecutor:
    """Start processes to count in, one for each processor; Ctrl-C reaches only the process that starts them."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(initializer=_begin, initargs=(str(numba_cache), os.getpid()), mp_context=context)


def _begin(numba_cache: str, parent: int) -> None:
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["NUMBA_CACHE_DIR"] = numba_cache


def _is_counted(state: RunState, counting: Counting) -> bool:
    """Say whether the record has all counts of a workload under a seed."""
    same = (counting.subject, counting.workload, counting.seed)
    known = {(each.scale, each.arm) for each in state.counts if (each.optimization, each.workload, each.seed) == same}
    return known >= counting.places


def _keep(state: RunState, counts: Sequence[Counts]) -> None:
    for each in counts:
        state.writer.write(each)
        state.counts.append(each)
        if each.error is not None and each.arm not in state.find_failed_arms(each.optimization):
            state.fail(Failure(each.optimization, each.arm, "failed", f"{each.workload}: {each.error}"))
