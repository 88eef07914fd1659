"""What a run was asked for, and what that amounts to: subjects, market, profile and seed.

A record carries what was asked for, so that an interrupted run can be taken up by itself.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from argo_bench.errors import UserError
from argo_bench.harness.plan import PROFILES, Profile
from argo_bench.harness.record.records import SCHEMA, Asked
from argo_bench.harness.record.store import Recorded
from argo_bench.harness.subject import Subject
from argo_bench.optimizations import catalogue, switch
from argo_bench.optimizations.optimization import Optimization
from argo_bench.pipeline.market import installed_sample, read_universe
from argo_bench.pipeline.memo import content_key
from argo_bench.pipeline.world.loopback import LIVE, LiveModel
from argo_bench.study.gather import subjects_of

if TYPE_CHECKING:
    from argo_bench.pipeline.market import Universe

SECONDS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True, slots=True)
class Job:
    """``universe`` is None where no optimization is among the subjects; ``asked`` where it cannot be resumed."""

    subjects: Sequence[Subject]
    universe: Universe | None
    profile: Profile
    seed: int
    asked: Asked | None = None


def job_of(asked: Asked) -> Job:
    """The job; traces, files with further optimizations and a real model are switched on for this process and its
    workers. Raises UserError for anything that is not there."""
    switch(asked.trace, skip_unchanged=asked.skip_unchanged)
    if asked.live:
        os.environ[LIVE] = "1"
        LiveModel.from_environment()
    subjects = subjects_of(asked.ids)
    if asked.profile == "quick" and not asked.ids:  # the sets of optimizations alone would take minutes
        subjects = [each for each in subjects if each.id in catalogue()]
    staged = any(isinstance(each, Optimization) for each in subjects)
    profile = replace(PROFILES[asked.profile], full_trials=asked.study)
    if asked.budget_s is not None:
        profile = replace(profile, budget_s=asked.budget_s)
    universe = universe_of(asked.data, asked.symbols, asked.seed) if staged else None
    return Job(subjects, universe, profile, asked.seed, asked)


def job_again(before: Recorded) -> Job:
    """The job of a run that was interrupted. Raises UserError where its record does not say what was asked for, or
    where the same data is no longer there."""
    if before.run.asked is None:
        raise UserError(
            f"{before.directory} cannot be resumed: its record does not say what was asked for (compare, or an older "
            f"version); start it again with another --out"
        )
    if before.run.schema < SCHEMA:
        raise UserError(
            f"{before.directory} was begun by an older version (schema {before.run.schema}): its verdicts stand; start "
            "another run, with another --out, to measure more"
        )
    job = job_of(before.run.asked)
    symbols = {} if job.universe is None else dict(job.universe.origin)
    bars = "" if job.universe is None else digest(job.universe)
    if symbols != before.run.symbols or (before.run.bars and bars != before.run.bars):
        raise UserError(
            f"{before.directory} was fed other bars of {', '.join(before.run.symbols)} than the data has now of "
            f"{', '.join(symbols)}: expected the same ones"
        )
    return job


def digest(universe: Universe) -> str:
    """Of the symbols and all their bars."""
    return content_key(*universe.frames.keys(), *universe.frames.values()).hex()


def universe_of(data: str | None, symbols: int | None, seed: int) -> Universe:
    """The user's bars, or the installed sample, in the number of symbols asked for."""
    universe = read_universe(data) if data else installed_sample()
    return universe.take(symbols, seed) if symbols else universe


def seconds(text: str) -> float:
    """A duration such as ``90``, ``90s``, ``5m`` or ``1.5h`` in seconds. Raises ValueError for anything else."""
    if (found := re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip().lower())) is None:
        raise ValueError(f"expected a duration such as 90s, 5m or 1h, got {text!r}")
    return float(found[1]) * SECONDS[found[2] or "s"]
