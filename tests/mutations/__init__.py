"""Bugs as people make them are put into the engineered variants here, to measure what a check of outputs catches.

Each is written from what a stage is to do (the docstrings of ``argo_bench/pipeline``), and none from how outputs are
checked. A mutant is an edit of a pipeline like any variant, so that ``as_optimization`` makes of it what a run takes.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import ModuleType
from typing import Literal

from argo_bench.optimizations import load_published
from argo_bench.optimizations.o02_parallel_fetch import REFUSED, where_bars_are_refused
from argo_bench.optimizations.o05_database_batching import ASKED, UNCHANGED, surviving, with_nothing_kept
from argo_bench.optimizations.o10_batches_early_exit import SIGNALS, TIMED, after_parallel
from argo_bench.optimizations.o12_reasoning_cache import FAILING, waiting, with_failures
from argo_bench.optimizations.o15_validation_batching import RAISING, cycle_survives
from argo_bench.optimizations.optimization import Optimization, Workload
from argo_bench.optimizations.together import all_fifteen, first_five
from argo_bench.pipeline.record import Edit, Pipeline

Part = Literal[
    *("transport", "fetch", "frame", "indicators", "regime", "signals", "consensus", "reason", "validate", "encode"),
    *("store", "read", "schedule", "memo", "sets"),
]
"""One of the pipeline's thirteen parts, or "memo" for keys and lifetimes of what is kept, or "sets" for what goes wrong
between several optimizations."""


@dataclasses.dataclass(frozen=True, slots=True)
class Mutant:
    """Holds one bug. ``says`` is a sentence on what it does to the product; ``make`` is the engineered edit of
    ``subject`` and then the bug."""

    id: str
    part: Part
    subject: str
    says: str
    make: Edit


@dataclasses.dataclass(frozen=True, slots=True)
class Broken:
    """Is the edit that applies a subject's engineered variant, and then a bug."""

    subject: str
    bug: Edit

    def __call__(self, pipeline: Pipeline) -> Pipeline:
        return self.bug(subjects()[self.subject].engineered(pipeline))


def mutant(identifier: str, part: Part, subject: str, says: str, bug: Edit) -> Mutant:
    return Mutant(identifier, part, subject, says, Broken(subject, bug))


HELD_OUT = ("held_out_stages", "held_out_caches", "held_out_transports", "held_out_sets")
"""The modules of a third that no check of outputs was tuned on."""

FURTHER = ("further_stages", "further_records", "further_transports", "further_caches", "further_sets", "late_texts")
"""The modules of those that were written after a check had been measured by the held-out ones."""


def load(names: Sequence[str]) -> list[ModuleType]:
    return [importlib.import_module(f"{__name__}.{name}") for name in names]


def load_held_out() -> list[ModuleType]:
    return load(HELD_OUT)


def load_further() -> list[ModuleType]:
    return load(FURTHER)


def held_out() -> list[Mutant]:
    return [each for module in load_held_out() for each in module.MUTANTS]


def further() -> list[Mutant]:
    return [each for module in load_further() for each in module.MUTANTS]


def every_mutant() -> list[Mutant]:
    return [*held_out(), *further()]


@cache
def subjects() -> Mapping[str, Optimization]:
    """Return the fifteen and the two sets by id, without those of files, of which mutants are some.

    O12 is here in its form that waits for the model, alone and in all fifteen, so that a bug in a text shows where the
    decision is made. Bugs in what comes late (``late_texts``) are put into the form that answers at once.
    """
    published = [
        dataclasses.replace(each, engineered=waiting) if each.id == "O12" else each for each in load_published()
    ]
    return {each.id: each for each in (*published, first_five(published), all_fifteen(published))}


LAID_IN: Mapping[tuple[str, str], Callable[[Edit], Edit]] = {
    ("O02", REFUSED.name): where_bars_are_refused,
    ("O05", ASKED.name): with_nothing_kept,
    ("O05", UNCHANGED.name): surviving,
    ("O10", TIMED.name): after_parallel,
    ("O10", SIGNALS.name): after_parallel,
    ("O12", FAILING.name): with_failures,
    ("O15", RAISING.name): cycle_survives,
}
"""Maps some workloads, by subject and name, to what they lay their engineered arm in.

Two more have an engineered arm of their own, other code than the variant, which stays unmutated: "five outputs" of O08
and "rules that never wait" of O15.
"""


def as_optimization(mutant: Mutant) -> Optimization:
    """Return the mutant's subject with the mutant in the place of its engineered variant, under an id of its own.

    The name is the id as well, since ids are looked up in capitals and names are not.
    """
    subject = subjects()[mutant.subject]
    workloads = tuple(lay_in(mutant, each) for each in subject.workloads)
    name = f"M-{mutant.id}"
    return dataclasses.replace(subject, id=name, name=name, engineered=mutant.make, workloads=workloads)


def lay_in(mutant: Mutant, workload: Workload) -> Workload:
    around = LAID_IN.get((mutant.subject, workload.name))
    if around is None:
        return workload
    return dataclasses.replace(workload, arms={**workload.arms, "engineered": around(mutant.make)})
