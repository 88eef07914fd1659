"""What a run was asked for becomes a job here: subjects, market, profile and seed.

A record carries what was asked for, so that an interrupted run can be taken up from the record alone.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from argo_bench.errors import UserError
from argo_bench.harness.benchmark import Benchmark
from argo_bench.harness.plan import PROFILES, Profile, replicate_seed
from argo_bench.harness.record.records import SCHEMA, Asked, Part
from argo_bench.harness.record.store import Recorded
from argo_bench.harness.shards import ShardNumber
from argo_bench.harness.subject import Job, Subject
from argo_bench.harness.surroundings import NoSupply
from argo_bench.harness.table import find_benchmarks, read_pairs
from argo_bench.optimizations import add_file, catalogue, lookup, switch
from argo_bench.optimizations.optimization import Optimization, Trace
from argo_bench.optimizations.together import SETS
from argo_bench.pipeline.market import Universe, installed_sample, read_universe
from argo_bench.pipeline.market.table import Order
from argo_bench.pipeline.market.universe import GENERATED_BARS
from argo_bench.pipeline.world.figures import use_figures
from argo_bench.pipeline.world.loopback import LIVE, LiveModel
from argo_bench.study.recording import MANY
from argo_bench.study.subject import StudySubject
from argo_bench.study.supply import MarketSupply

FEWEST_CHECKED, USUAL_SYMBOLS = 8, 6


def job_of(asked: Asked) -> Job:
    """Return the job that was asked for.

    Traces, files with further optimizations, own latencies and a real model are switched on for this process and its
    workers. Raises UserError for anything that is not there.
    """
    switch(cast("Trace | None", asked.trace), skip_unchanged=asked.skip_unchanged)
    use_figures(asked.latencies)
    if asked.live:
        os.environ[LIVE] = "1"
        LiveModel.from_environment()
    optimizations, benchmarks = optimizations_and_benchmarks(asked.ids)
    if asked.profile == "quick" and not asked.ids:  # the two sets of optimizations by themselves would take minutes
        optimizations = [each for each in optimizations if each.id in catalogue()]
    optimizations, benchmarks = take_shard(optimizations, benchmarks, asked.shard or "1/1")
    profile = replace(PROFILES[asked.profile], full_trials=asked.study)
    if asked.budget_s is not None:
        profile = replace(profile, budget_s=asked.budget_s)
    if not optimizations:
        return Job(benchmarks, profile, asked.seed, NoSupply(), asked)
    bars = asked.bars or None
    universe = universe_of(asked.data, asked.symbols, asked.seed, asked.dates, asked.adjust_by, bars)
    return study_job(optimizations, universe, profile, asked.seed, benchmarks, asked)


def take_shard(
    optimizations: Sequence[Optimization], benchmarks: Sequence[Benchmark], shard: str
) -> tuple[list[Optimization], list[Benchmark]]:
    """Return what a shard such as ``2/8`` has of both.

    Raises UserError for what is no shard, and for one that has nothing.
    """
    try:
        place = ShardNumber.read(shard)
    except ValueError as error:
        raise UserError(f"--shard: {error}") from None
    named = [*(each.id for each in optimizations), *(each.id for each in benchmarks)]
    own = {*place.select(named)}
    if not own:
        raise UserError(f"shard {shard} has nothing: there are {len(named)} to be measured; take fewer shards")
    return [each for each in optimizations if each.id in own], [each for each in benchmarks if each.id in own]


def study_job(
    optimizations: Sequence[Optimization],
    universe: Universe,
    profile: Profile,
    seed: int,
    benchmarks: Sequence[Benchmark] = (),
    asked: Asked | None = None,
) -> Job:
    """Return the job of measuring optimizations on a universe, and a user's benchmarks beside them; a profile that
    does not judge every claim leaves the simple ways out."""
    seeds = tuple(replicate_seed(seed, number) for number in range(profile.seeds))
    cycles = choose_checked_cycles(profile, min(MANY, len(universe.symbols)))
    supply = MarketSupply(universe, seed, seeds, cycles, tuple(each.id for each in optimizations))
    asked_of = optimizations if profile.every_claim else [replace(each, simple=None) for each in optimizations]
    subjects: list[Subject] = [StudySubject(each, supply) for each in asked_of]
    sets = {name: ids for name, ids in SETS.items() if name in supply.ids}
    return Job([*subjects, *benchmarks], profile, seed, supply, asked, sets)


def choose_checked_cycles(profile: Profile, symbols: int) -> int:
    """Return how many cycles a comparison of outputs walks: fewer of a larger universe, so that it stays affordable."""
    return max(FEWEST_CHECKED, profile.checked_cycles * USUAL_SYMBOLS // max(USUAL_SYMBOLS, symbols))


def optimizations_and_benchmarks(words: Sequence[str]) -> tuple[list[Optimization], list[Benchmark]]:
    """Find optimizations by id or name, benchmarks of pyproject.toml
    by name, and what Python files define, in that order.

    No words stand for every optimization. Raises UserError for what is none of these, and for a file that defines
    nothing.
    """
    table = read_pairs() if words else {}
    named = [word for word in words if not word.endswith(".py")]
    ids = [word for word in named if word not in table]
    found: list[Optimization] = []
    benchmarks = [table[word] for word in named if word in table]
    for file in [Path(word) for word in words if word.endswith(".py")]:
        optimizations, own = add_file(file), find_benchmarks(file)
        if not optimizations and not own:
            raise UserError(f"{file} defines no Optimization and no Benchmark: expected one at its top level")
        found += optimizations
        benchmarks += own
    return [*(lookup(ids) if ids or not words else []), *found], benchmarks


def job_again(before: Recorded) -> Job:
    """Return the job of a run that was interrupted.

    Raises UserError where the run's record does not say what was asked for, where an older version began it, or where
    the same data is no longer there.
    """
    if before.run.asked is None:
        raise UserError(
            f"{before.directory} cannot be resumed: its record does not say what was asked for (compare, or an older "
            f"version); start it again with another --out"
        )
    if before.all(Part):
        raise UserError(
            f"{before.directory} was merged: resume the run that lacks something, and merge its record with the others"
        )
    if before.run.schema < SCHEMA:
        raise UserError(
            f"{before.directory} was begun by an older version (schema {before.run.schema}): its verdicts stand; start "
            "another run, with another --out, to measure more"
        )
    job = job_of(before.run.asked)
    header = job.supply.header()
    symbols, bars = header.get("symbols", {}), header.get("bars", "")
    if symbols != before.run.symbols or (before.run.bars and bars != before.run.bars):
        raise UserError(
            f"{before.directory} was fed other bars of {', '.join(before.run.symbols)} than the data has now of "
            f"{', '.join(symbols)}: expected the same ones"
        )
    return job


def universe_of(
    data: str | None,
    symbols: int | None,
    seed: int,
    dates: str | None = None,
    adjust_by: str | None = None,
    bars: int | None = None,
) -> Universe:
    """Return the user's bars, or the installed sample, in the number of symbols and of newest bars asked for.

    ``dates`` and ``adjust_by`` are those of ``read_bars``. Raises UserError where they are given without data.
    """
    if not data and (dates or adjust_by):
        raise UserError("how dates and adjusted closes are to be read was given, but no data: name them with --data")
    order = cast(Order | None, dates)
    universe = read_universe(data, dates=order, adjust_by=adjust_by) if data else installed_sample()
    universe = universe.take(symbols, seed, bars=max(GENERATED_BARS, bars or 0)) if symbols else universe
    return universe.take_newest(bars) if bars else universe
