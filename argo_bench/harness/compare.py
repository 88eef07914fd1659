"""Compares two callables of the user's: which is faster, by how much, and where the record of the comparison is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from argo_bench.controls import spell_controls
from argo_bench.errors import ShownAsSentence, UserError
from argo_bench.harness.benchmark import Benchmark, Check, Function
from argo_bench.harness.claims.metrics import Metric
from argo_bench.harness.claims.verdict import HOLDS, Word, word_for
from argo_bench.harness.comparisons import open_folder
from argo_bench.harness.labels import label_both, shorten_name
from argo_bench.harness.machine.fitness import describe_busy, glance_at_load
from argo_bench.harness.plan import DEFAULT, QUICK, Profile
from argo_bench.harness.progress import Progress
from argo_bench.harness.record.records import Declared, End, Judgement
from argo_bench.harness.record.store import Recorded, load
from argo_bench.harness.run import make_run_id, measure
from argo_bench.harness.statistics.estimate import is_unbounded
from argo_bench.harness.subject import Job
from argo_bench.harness.surroundings import NoSupply

BUDGET_S = 120.0


@dataclass(frozen=True, slots=True)
class Speedup:
    """A speed-up is baseline / candidate: above 1 the candidate is better. ``low`` and ``high`` bound the interval."""

    point: float
    low: float
    high: float

    def __str__(self) -> str:
        if is_unbounded(self.high):
            return f"at least {self.low:.3g}x"
        return f"{self.point:.3g}x [{self.low:.3g}, {self.high:.3g}]"


@dataclass(frozen=True, slots=True)
class Found:
    """Holds what a comparison found, read from its record: print it, or ask it for ``speedup`` and ``verdict``."""

    recorded: Recorded

    @property
    def judgement(self) -> Judgement:
        return self.recorded.all(Judgement)[0]

    @property
    def verdict(self) -> Word:
        """Return the claim's verdict, or ``faster``, ``slower`` or ``no difference`` where nothing was claimed.

        ``inconclusive`` is not ``no difference``. ``void`` means that the two functions do not compute the same,
        ``untested`` that their times would compare different things or that there is too little time, ``failed`` that
        one of them raised an error; the sentence says why.
        """
        return self.judgement.verdict

    @property
    def holds(self) -> bool:
        """Say whether there was a claim and it holds."""
        return self.verdict in HOLDS

    @property
    def speedup(self) -> Speedup:
        """Return the estimate with its interval. Raises UserError, with the reason, where there is none."""
        judgement = self.judgement
        if judgement.speedup is None or judgement.interval is None:
            raise UserError(f"there is no ratio: {judgement.sentence}")
        return Speedup(judgement.speedup, *judgement.interval)

    @property
    def reading(self) -> str:
        """Return how the claim was read."""
        return self.recorded.declarations[0].claims[0].reading

    @property
    def seconds(self) -> float:
        """Return the seconds that the comparison took."""
        return self.recorded.all(End)[-1].seconds

    @property
    def directory(self) -> Path:
        """Return the folder of the record, which ``argo-bench verify`` and ``argo-bench report`` read."""
        return self.recorded.directory

    @property
    def busy(self) -> str:
        """Return what others took of the machine meanwhile, where that was too much, else an empty text."""
        return self.recorded.all(End)[-1].busy

    def __str__(self) -> str:
        judgement, claim = self.judgement, self.recorded.all(Declared)[0].claim
        said = f'"{claim}": {word_for(judgement.verdict)}' if claim is not None else ""
        return spell_controls("; ".join(each for each in (judgement.sentence, said, self.busy) if each))


class Interrupted(ShownAsSentence, KeyboardInterrupt):
    """Says that Ctrl-C ended a comparison, and holds in ``found`` what was measured before it."""

    def __init__(self, found: Found) -> None:
        super().__init__(
            f"{found}; the verdict rests on what was measured until the interrupt, which "
            f"argo_bench.load({str(found.directory)!r}) opens"
        )
        self.found = found


def compare(
    baseline: Function,
    candidate: Function,
    *,
    setup: Function | None = None,
    check: Check = "allclose",
    metric: Metric | None = None,
    claim: str | None = None,
    fresh: bool = False,
    quick: bool = False,
    budget_s: float = BUDGET_S,
    seed: int = 1,
    out: str | Path | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Found:
    """Measure how much faster ``candidate`` is than ``baseline``, with an interval, once their outputs agree.

    Both are callables, plain or async, or their names as ``module:name``. They are called with what ``setup`` returns
    (nothing, one argument, or a tuple of arguments); it is called once per process, or before every call where
    ``fresh`` is set. ``check``, ``metric`` and ``claim`` are those of ``Benchmark``. Each function has a process of its
    own in every replicate; local ones are copied to it. ``quick`` takes four to ten replicates; otherwise measuring
    goes on until the verdict is clear or ``budget_s`` seconds are used up. They bound everything, checks and setups
    included: after 1.25 times so long processes are ended, and what was measured is judged. What is checked beside the
    outputs, and what follows, stands in docs/functions.md.

    ``out`` is the folder of the record (by default one in the user's cache, which is removed after 100 comparisons or a
    month). Raises UserError for what cannot be measured, and Interrupted, which holds what was measured, after Ctrl-C.
    """
    old, new = map(shorten_name, label_both(baseline, candidate))
    name = f"{new} against {old}"
    benchmark = Benchmark(name, baseline, candidate, setup, check, metric, claim, fresh)
    profile = replace(QUICK if quick else DEFAULT, budget_s=budget_s)
    return Found(measure_benchmarks([benchmark], profile, seed, out, on_progress))


def measure_benchmarks(
    benchmarks: Sequence[Benchmark],
    profile: Profile,
    seed: int,
    out: str | Path | None,
    on_progress: Callable[[Progress], None],
) -> Recorded:
    """Run benchmarks and return the record of the run.

    Raises Interrupted after an interrupt, and KeyboardInterrupt where that came before the functions were called.
    """
    job = Job([benchmark.check_functions() for benchmark in benchmarks], profile, seed, NoSupply())
    with nullcontext(Path(out)) if out is not None else open_folder() as directory:
        machine = glance_at_load()
        if busy := describe_busy(machine):
            on_progress(Progress(0.0, math.inf, busy, ""))
        is_interrupted = measure(job, directory, make_run_id(profile, datetime.now()), on_progress, machine)
        try:
            recorded = load(directory)
        except UserError:
            if is_interrupted:  # before the first line
                raise KeyboardInterrupt from None
            raise
    if is_interrupted:
        raise Interrupted(Found(recorded)) if recorded.all(Declared) else KeyboardInterrupt
    return recorded
