"""Plays the named cases on a variant and on the baseline, and compares everything that came of them."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

from argo_bench.pipeline import baseline
from argo_bench.pipeline.record import Edit, Pipeline, find_changed_parts
from argo_bench.study.checking.cases import Case, load_cases
from argo_bench.study.checking.differences import Differences, Raised, note_differences
from argo_bench.study.checking.scene import Scene
from argo_bench.study.checking.seen import see
from argo_bench.study.checking.served import (
    OLDER,
    Log,
    count_older,
    note_further_requests,
    serve,
    watch,
    watch_providers,
)
from argo_bench.study.recording import FAST

THROUGH = {
    "fetch": ("transport",),
    "indicators": ("frame",),
    "regime": ("frame",),
    "reason": ("transport",),
    "validate": ("transport", "store"),
    "read": ("store",),
}
"""Maps a part to the others that its cases go through. Those of ``schedule`` and of whole cycles go through all."""
WALKS = ("schedule", "whole")


class Played(NamedTuple):
    """Holds what came of a case, and what the providers had answered in it."""

    result: Any
    log: Log


def play(case: Case, build: Callable[[], Pipeline], log: Log | None = None) -> Played:
    """Play a case on a pipeline. With a ``log`` the providers' answers are taken from it."""
    noted, processes = Log(), itertools.count()

    def build_watched() -> Pipeline:
        pipeline, process = build(), next(processes)
        return watch(pipeline if log is None else serve(pipeline, log, process), noted, process)

    with Scene(build_watched, case.histories) as scene:
        watch_providers(scene, noted)
        try:
            result = case.play(scene)
        except Exception as error:  # noqa: BLE001 - what a variant returns may be nothing that a case can go on with
            result = Raised(error)
    return Played(result, noted)


@cache
def play_baseline(case_number: int) -> Played:
    """Play a case on the baseline, once in a process."""
    case = load_cases()[case_number]
    return play(case, partial(build_reference, case))


def build_reference(case: Case) -> Pipeline:
    """Return the baseline; for cases of whole cycles, the one in which the fast oracle computes."""
    return FAST if case.part in WALKS else baseline.PIPELINE


def build_candidate(edit: Edit, case: Case) -> Pipeline:
    """Return the edited baseline, newly built; in whole cycles the fast oracle stands in for what was left alone."""
    pipeline = edit(baseline.PIPELINE)
    return leave_to_oracle(pipeline) if case.part in WALKS else pipeline


def leave_to_oracle(pipeline: Pipeline) -> Pipeline:
    """Return the pipeline with the fast oracle in the place of the baseline's indicators and regime."""
    left = [part for part in ("indicators", "regime") if getattr(pipeline, part) is getattr(baseline.PIPELINE, part)]
    return pipeline.replace(**{part: getattr(FAST, part) for part in left})


def find_concerned_parts(edit: Edit) -> frozenset[str]:
    """Return the parts whose cases an edit concerns: those that it changes, and those that go through these."""
    changed = find_changed_parts(baseline.PIPELINE, edit(baseline.PIPELINE)).keys()
    through = {part for part, others in THROUGH.items() if changed & set(others)}
    return frozenset({*changed, *through, *WALKS})


def check_cases(edit: Edit, found: Differences, staleness_s: float, saw: Counter[str]) -> int:
    """Play every case that an edit concerns, note the differences, and return how many cases were played.

    With ``staleness_s`` the variant's caches may serve answers of that age: the baseline is then played on what the
    variant was served.
    """
    concerned = find_concerned_parts(edit)
    played = 0
    for number, case in enumerate(load_cases()):
        if case.part not in concerned:
            continue
        played += 1
        expected = play_baseline(number)
        got = play(case, partial(build_candidate, edit, case))
        see(expected.result, saw)
        _compare(case, expected, got, found, staleness_s)
    saw["cases"] += played
    return played


def _compare(case: Case, expected: Played, got: Played, found: Differences, staleness_s: float) -> None:
    found.where, found.same_rows = case.name, True
    before = found.counts.total()
    right = expected.result
    if staleness_s:
        for _ in range(count_older(staleness_s, expected.log, got.log)):
            found.note(OLDER)
        right = play(case, partial(build_reference, case), got.log).result
    note_differences(right, got.result, found, case.part)
    if case.part == "transport":
        note_further_requests(expected.log, got.log, found)
    found.concerned += found.counts.total() > before
    found.where = ""
