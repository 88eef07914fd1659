"""A variant and the baseline walk the same market, cycle by cycle, and what each decides is compared.

Where a variant declares that its data may be older, the cache-free baseline is run on exactly the data that the variant
was served: a difference from that is a fault. The difference from the baseline on fresh data is damage, whatever was
declared: signals missed, added and flipped.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

from argo_bench.pipeline.market import Tape, Universe
from argo_bench.pipeline.model import Decision, Fetched
from argo_bench.pipeline.record import Cycle, Pipeline, cycle
from argo_bench.pipeline.world import SimulatedWorld, Simulation
from argo_bench.pipeline.world.content import OPINION_MINUTES
from argo_bench.pipeline.world.database import FILE_NAME
from argo_bench.study.checking.differences import Differences, Rows, compare_cycles, compare_rows_at_the_end
from argo_bench.study.checking.served import OLDER, Log, count_older, find_oldest, serve, watch, watch_providers
from argo_bench.study.checking.updates import Noted, NotingIndicators, count_missed_updates, keeps_indicators
from argo_bench.study.recording import FAST, HISTORY, draw_day, draw_few, first_days, live_tape
from argo_bench.study.records import Acceptance

Pace = Literal["fast", "live"]
"""A fast market shows faults; a live one, which moves as the data say, shows what a variant does to the signals."""
CYCLES_PER_BAR = 3
CHANGE_RATE = 0.5
"""A fast market has a new day every third cycle and no tick in half of the steps, so that caches hit and miss."""


@dataclass(frozen=True, slots=True)
class Walk:
    """Holds what a pipeline did on a market: its cycles, the rows at the end, what it was answered, and the
    indicators that its stage handed out."""

    cycles: tuple[Cycle, ...]
    rows: Rows
    log: Log
    indicators: Noted


@dataclass(frozen=True, slots=True)
class Oracle:
    """Holds a market, and the baseline's walk on it without caches and on fresh data."""

    universe: Universe
    seed: int
    pace: Pace
    walk: Walk

    @classmethod
    def run(cls, universe: Universe, seed: int, cycles: int, pace: Pace = "fast") -> Oracle:
        """Walk a market of few symbols for ``cycles`` cycles, a live one for half as many more."""
        universe = draw_few(universe, seed)
        cycles = cycles * 3 // 2 if pace == "live" else cycles
        walk = walk_market(FAST, make_market(universe, seed, cycles, pace), seed, cycles, pace=pace)
        return cls(universe, seed, pace, walk)

    def make_market(self) -> Tape:
        return make_market(self.universe, self.seed, len(self.cycles), self.pace)

    @property
    def cycles(self) -> tuple[Cycle, ...]:
        return self.walk.cycles

    @property
    def acceptance(self) -> Acceptance:
        return Acceptance(len(self.cycles) * len(self.universe.symbols), sum(len(each.decided) for each in self.cycles))


def make_market(universe: Universe, seed: int, cycles: int, pace: Pace) -> Tape:
    """Return a checked market: fast days, which are made longer where there are few of them, or a live one, drawn by
    the seed."""
    if pace == "live":
        return live_tape(draw_day(universe, HISTORY, seed), seed, HISTORY, days=1)
    return first_days(universe, seed, HISTORY, cycles=cycles, rate=CHANGE_RATE, cycles_per_bar=CYCLES_PER_BAR)


def walk_market(
    pipeline: Pipeline, market: Tape, seed: int, cycles: int, served: Log | None = None, pace: Pace = "fast"
) -> Walk:
    """Run ``cycles`` cycles of a pipeline on a market, without latency, until nothing is put off any more.

    With ``served`` the providers' answers are taken from that log. On a live market opinions last, on a fast one they
    are drawn anew every cycle.
    """
    log = Log()
    pipeline = watch(pipeline if served is None else serve(pipeline, served), log)
    noting = NotingIndicators(pipeline.indicators)
    pipeline = pipeline.replace(indicators=noting)
    on_demand = Simulation(prepare_ahead=False, opinion_minutes=OPINION_MINUTES if pace == "live" else 0.0)
    with SimulatedWorld(market, on_demand, seed=seed, latency_scale=0.0, durable=False) as world:
        watch_providers(world, log)
        walked = tuple(world.run(cycle(pipeline, world, market.symbols, number)) for number in range(cycles))
        world.run(world.resources.aclose())
        rows = read_rows(world)
    return Walk(walked, rows, log, noting.noted)


def read_rows(world: SimulatedWorld) -> Rows:
    """Return the rows of the world's database as another process sees them."""
    with closing(sqlite3.connect(world.directory / FILE_NAME)) as connection:
        return Rows(connection.execute("SELECT * FROM signals ORDER BY id"))


def check_walk(pipeline: Pipeline, oracle: Oracle, found: Differences, staleness_s: float) -> tuple[Walk, Counter[str]]:
    """Compare a pipeline's walk with the oracle's, note the differences, and return the walk and its damage."""
    walk = walk_market(pipeline, oracle.make_market(), oracle.seed, len(oracle.cycles), pace=oracle.pace)
    right = oracle.walk
    if staleness_s:
        for _ in range(count_older(staleness_s, oracle.walk.log, walk.log)):
            found.note(OLDER)
        right = walk_market(FAST, oracle.make_market(), oracle.seed, len(oracle.cycles), walk.log, oracle.pace)
    found.same_rows = True
    for number, (left, got) in enumerate(zip(right.cycles, walk.cycles, strict=True)):
        found.where = f"{oracle.pace} market, seed {oracle.seed}, cycle {number}"
        found.concerned += compare_cycles(left, got, found)
    if found.same_rows:
        found.where = f"{oracle.pace} market, seed {oracle.seed}, rows at the end"
        compare_rows_at_the_end(right.rows, walk.rows, found)
    found.where = ""
    damage = count_damage(oracle.walk, walk)
    if keeps_indicators(pipeline):
        damage.update(count_missed_updates(oracle.walk.indicators, walk.indicators))
    return walk, damage


def count_damage(fresh: Walk, walk: Walk) -> Counter[str]:
    """Count the signals that a walk missed, added and flipped against the baseline on fresh data, and the texts, where
    some are templates at the decision."""
    due, got = _by_cycle_and_symbol(fresh.cycles), _by_cycle_and_symbol(walk.cycles)
    flipped = sum(due[key].direction != got[key].direction for key in due.keys() & got.keys())
    counts = {"missed": len(due.keys() - got.keys()), "added": len(got.keys() - due.keys()), "flipped": flipped}
    damage = Counter({"signals": len(due), **counts})
    templates = sum(each.reasoning_author == "template" for each in got.values())
    if templates:
        damage.update({"texts": len(got), "templates": templates})
    return damage


def measure_age(fresh: Walk, walk: Walk) -> dict[str, float]:
    """Return how old the data of a walk was at most, in seconds, and how far a close was off, as a share of it."""
    right, got = fresh.log.fetched, walk.log.fetched
    errors = [abs(_last_close(got[key]) / _last_close(right[key]) - 1) for key in right.keys() & got.keys()]
    return {"oldest data s": find_oldest(fresh.log, walk.log), "largest price error": max(errors, default=0.0)}


def _last_close(fetched: Fetched) -> float:
    return float(fetched.bars.values[3, -1])


def _by_cycle_and_symbol(cycles: tuple[Cycle, ...]) -> dict[tuple[int, str], Decision]:
    return {(number, each.symbol): each for number, walked in enumerate(cycles) for each in walked.decided}
