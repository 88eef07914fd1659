"""The inputs that a workload feeds to its arms are recorded here, once, from the baseline in the simulated world.

Indicators and regime are computed by the fast oracle (proved equal to the baseline's by the tests). Recorded cycles
carry their nominal time, so that a cache with a time to live sees a service that keeps its 5 s schedule.
"""

from __future__ import annotations

import itertools
import math
import pickle
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from argo_bench.errors import UserError
from argo_bench.optimizations.optimization import CYCLE, Trace, Workload
from argo_bench.pipeline import baseline
from argo_bench.pipeline.baseline.regime import VOLATILE_RATIO
from argo_bench.pipeline.kernels import latest_indicators
from argo_bench.pipeline.market import Tape, Universe, generate, live_change_rate, trading_seconds
from argo_bench.pipeline.model import (
    Bars,
    Indicators,
    Readings,
    Reasoning,
    Regime,
    Request,
    Stage,
    Validated,
    World,
)
from argo_bench.pipeline.optimized.indicators import indicators as fast_indicators
from argo_bench.pipeline.optimized.regime import Detector
from argo_bench.pipeline.record import PARTS, Pipeline, cycle
from argo_bench.pipeline.unchanged import skip_unchanged
from argo_bench.pipeline.world import SimulatedWorld, Simulation
from argo_bench.pipeline.world.base import CYCLE_S
from argo_bench.pipeline.world.clock import NS
from argo_bench.pipeline.world.content import OPINION_MINUTES
from argo_bench.study.recorder import Recorder

UNIVERSE = "universe.pickle"
"""The name of the file, in a run's scratch directory, that holds its universe."""
HISTORY = 300
"""The number of bars that a study starts with, unless its scale is a number of bars."""

MOST_BARS = 2**22
"""The recorded inputs of a workload have so many bars at most, which take 160 MiB: days are left out, then symbols."""
MANY = 256
"""Outputs of whole walks are compared on so many symbols of a larger universe, since all that was answered is kept."""

RECENT_DAYS = 60
STEPS_PER_DAY = 4680
"""The number of cycles of 5 s in a trading day, which has six and a half hours."""

DRAWS = 24
"""How often symbols and a day are drawn for whole cycles until something is decided."""
DAYS, FETCHED_DAYS = 8, 3
"""The numbers of days of which inputs are recorded; the smaller one holds where every fetch really waits."""
SEARCHED_CYCLES = 64
ASKING = ("transport", "fetch", "reason", "validate", "read", "schedule", CYCLE)
"""Stages that ask the providers, or whose call depends on the cycle, so that a replay needs the market behind them."""

FEWEST_REQUESTS = 16
WAVES = 2
"""How many requests a burst has for each that may be in flight; it has at least FEWEST_REQUESTS."""

RATES: Mapping[Trace, float] = {"calm": 0.2, "open": 1.0, "frozen": 0.0}
"""The share of the steps that tick; ``live`` is missing, since it has a rate for each symbol."""

FAST: Pipeline = baseline.PIPELINE.replace(indicators=fast_indicators, regime=Detector(baseline.PIPELINE.regime))
"""The baseline whose indicators and regime come from the fast oracle."""


class Group(NamedTuple):
    """Holds the calls that a stage gets at one virtual time, each as its arguments without the World.

    A whole cycle may have the symbols that it walks as its argument; without any it walks all. Within a pass, calls
    that are an opening fill caches for those after them and are not timed.
    """

    virtual_ns: int
    calls: list[tuple[Any, ...]]
    cycle: int = 0
    is_opening: bool = False

    @property
    def due_ns(self) -> int:
        """The time of the virtual clock at which a service on schedule makes these calls."""
        return max(self.virtual_ns, CYCLE_S * NS * self.cycle)


class Stored(NamedTuple):
    """Describes a database that holds so many rows of these symbols."""

    rows: int
    symbols: Sequence[str]


class Recording(NamedTuple):
    """Holds recorded calls and what a replay of them needs.

    This is the market behind them where the stage asks providers, the seed of both, the database that is there before
    the first call, where there is one, and the time constant of the models' opinions.
    """

    groups: Sequence[Group]
    market: Tape | None = None
    seed: int = 0
    stored: Stored | None = None
    opinion_minutes: float = 0.0

    def until(self, cycles: int) -> Recording:
        """Return the part of the recording within its first ``cycles`` cycles."""
        return self._replace(groups=[group for group in self.groups if group.cycle < cycles])


def record(workload: Workload, universe: Universe, scale: int, seed: int) -> Recording:
    """Record the stage's inputs: the consecutive cycles of a trace, otherwise the first eight days that have any.

    Raises UserError where the data yields no input for the stage.
    """
    if workload.stage == CYCLE and workload.pairs:
        return record_pairs(workload, universe, scale, seed)
    if workload.stage == CYCLE:
        return record_cycles(workload, universe, scale, seed)
    universe = take_symbols(workload, universe, scale, seed)
    tape = workload_tape(workload, universe, scale, seed)
    market = tape if workload.stage in ASKING else None
    is_trace = workload.inputs == "trace"
    cycles = trace_cycles(workload, scale) if is_trace else DAYS if workload.servers else SEARCHED_CYCLES
    cycles = min(cycles, tape.last_cycle + 1)
    if workload.stage == "transport":
        return Recording([Group(0, [(burst_of(tape.symbols, scale), scale)])], market, seed)
    if workload.stage == "fetch":
        # What is asked for again and again is the market of one moment: a process never goes back to an earlier one.
        most = 1 if workload.inputs == "hit" else FETCHED_DAYS
        cycles = min(cycles, most) if workload.servers and not is_trace else cycles
        calls: list[tuple[Any, ...]] = [(symbol,) for symbol in tape.symbols]
        groups = [Group(0, calls, number) for number in range(cycles)]
        return Recording(groups, market, seed, opinion_minutes=find_opinion_minutes(workload))
    groups = []
    days = max(1, min(DAYS, MOST_BARS // (len(tape.symbols) * find_start(workload, scale))))
    minutes = find_opinion_minutes(workload)
    with SimulatedWorld(tape, Simulation(opinion_minutes=minutes), seed=seed, latency_scale=0.0) as world:
        recorder = Recorder(getattr(FAST, workload.stage))
        pipeline = until(workload.stage).replace(**{workload.stage: recorder})
        if workload.skip_unchanged:
            pipeline = skip_unchanged(pipeline)
        for number in range(cycles):
            world.run(cycle(pipeline, world, tape.symbols, number))
            recorded = [arguments for arguments in recorder.take_calls() if not is_empty(arguments)]
            if recorded:
                groups.append(Group(world.clock.virtual_ns, recorded, number))
            if not is_trace and len(groups) == days:
                break
    if not groups:
        raise UserError(
            f"the workload {workload.name!r} got no input: none of {len(tape.symbols)} symbols reached a decision in "
            f"{cycles} cycles; try more --symbols or another --seed"
        )
    stored = Stored(scale, tape.symbols) if workload.unit == "rows" else None
    return Recording(groups, market, seed, stored, minutes)


def find_opinion_minutes(workload: Workload) -> float:
    """Return the time constant of the opinions of a workload, in minutes; where cycles are days it is 0."""
    if workload.inputs != "trace":
        return 0.0
    return OPINION_MINUTES if workload.opinion_minutes is None else workload.opinion_minutes


def record_cycles(workload: Workload, universe: Universe, scale: int, seed: int) -> Recording:
    """Return whole cycles of a market on which something is decided, or the last one drawn where no draw has that.

    Symbols and day are drawn by the seed, until the baseline decides in one of the cycles after the first.
    """
    for number in range(DRAWS):
        drawn = draw_symbols(universe, scale if workload.unit == "symbols" else workload.symbols, seed, number)
        tape = workload_tape(workload, draw_day(drawn, find_start(workload, scale), seed, number), scale, seed)
        cycles = min(trace_cycles(workload, scale), tape.last_cycle + 1)
        minutes = find_opinion_minutes(workload)
        found = Recording([Group(0, [()], cycle) for cycle in range(cycles)], tape, seed, opinion_minutes=minutes)
        if decides(tape, seed, range(1, cycles), minutes):
            break
    return found


def record_pairs(workload: Workload, universe: Universe, scale: int, seed: int) -> Recording:
    """Return whole cycles of several pairs of a symbol and a day, one pair after another.

    Every pair has ``scale`` cycles, of which the first is its opening. Symbols and days are drawn by the seed, each
    symbol once, where the baseline decides in one of the cycles after the opening. Raises UserError where fewer pairs
    than the workload asks for have that.
    """
    whole = universe.take(max(workload.pairs, len(universe.frames)), seed)
    found = replace(whole, frames={})
    groups: list[Group] = []
    minutes = find_opinion_minutes(workload)
    for number in range(DRAWS * workload.pairs):
        drawn = draw_day(draw_symbols(whole, 1, seed, number), HISTORY, seed, number)
        walked = replace(found, frames={**found.frames, **drawn.frames})
        if len(walked.frames) == len(found.frames):
            continue
        begin, end = scale * len(found.frames), scale * len(walked.frames)
        if decides(workload_tape(workload, drawn, end, seed), seed, range(begin + 1, end), minutes):
            found = walked
            groups += [Group(0, [(drawn.symbols,)], cycle, is_opening=cycle == begin) for cycle in range(begin, end)]
        if len(found.frames) == workload.pairs:
            return Recording(groups, workload_tape(workload, found, end, seed), seed, opinion_minutes=minutes)
    raise UserError(
        f"the workload {workload.name!r} got no input: {len(found.frames)} of the {workload.pairs} pairs of a symbol "
        f"and a day that it needs reached a decision in {scale} cycles; try more --symbols or another --seed"
    )


def draw_symbols(universe: Universe, count: int, seed: int, number: int = 0) -> Universe:
    """Return some of the universe's symbols, drawn by the seed; where there are fewer, generated ones are added."""
    order = np.random.default_rng([seed, number, count]).permutation(len(universe.frames))
    symbols = universe.symbols
    return universe.select([symbols[place] for place in order[:count]]).take(count, seed)


def decides(tape: Tape, seed: int, cycles: Iterable[int], opinion_minutes: float = 0.0) -> bool:
    """Return whether the baseline decides anything in some cycles of a market."""
    pipeline = until("reason")
    simulation = Simulation(prepare_ahead=False, opinion_minutes=opinion_minutes)
    with SimulatedWorld(tape, simulation, seed=seed, latency_scale=0.0, durable=False) as world:
        return any(world.run(cycle(pipeline, world, tape.symbols, number)).decided for number in cycles)


def burst_of(symbols: Sequence[str], in_flight: int) -> tuple[Request, ...]:
    """Return requests to the technical provider, whose answers
    are small, so that they take only waiting and connections."""
    count = max(FEWEST_REQUESTS, WAVES * in_flight)
    asked = itertools.islice(itertools.cycle(itertools.product(symbols, ("rsi", "sma", "quote"))), count)
    return tuple(Request("alpha_vantage", symbol, what) for symbol, what in asked)


NOTHING_AFTER: Mapping[str, Stage] = {
    "consensus": lambda world, signals, regime: None,
    "reason": lambda world, decision: Reasoning("not asked", "template"),
    "validate": lambda world, decisions: Validated((), ()),
    "encode": lambda world, decisions: [],
    "store": lambda world, signals: None,
    "read": lambda world, symbols: Readings((), (), None),
}


def until(stage: str) -> Pipeline:
    """Return the fast pipeline with nothing done after a stage, and without frames where the stage takes none."""
    after = PARTS[PARTS.index(stage) + 1 :]
    pipeline = FRAMELESS if PARTS.index(stage) > PARTS.index("regime") else FAST
    return pipeline.replace(**{part: nothing for part, nothing in NOTHING_AFTER.items() if part in after})


def oracle_indicators(world: World, bars: Bars) -> Indicators:
    """Return the indicators of the bars, by the fast oracle; they stand in a frame's place."""
    values = bars.values.view()
    values.flags.writeable = False
    return Indicators(*latest_indicators(values).tolist())


def oracle_regime(world: World, indicators: Indicators) -> Regime:
    """Return the regime by the averages and deviations that are known already. Comparisons with NaN are false."""
    if math.isnan(indicators.sma200):
        return "UNKNOWN"
    if indicators.volatility20 > VOLATILE_RATIO * indicators.volatility50:
        return "VOLATILE"
    s20, s50, s200 = indicators.sma20, indicators.sma50, indicators.sma200
    return "TRENDING" if s20 > s50 > s200 or s20 < s50 < s200 else "CONSOLIDATION"


FRAMELESS: Pipeline = FAST.replace(frame=oracle_indicators, indicators=lambda world, found: found, regime=oracle_regime)
"""The baseline up to its signals, which makes no frame, so that a trading day takes seconds."""


def take_symbols(workload: Workload, universe: Universe, scale: int, seed: int) -> Universe:
    """Return the symbols of a workload: as many as its scale or the workload itself says, or all there are.

    One of generated bars takes their place where the workload wants that and the data is too short.
    """
    if workload.unit == "symbols":
        return universe.take(scale, seed)
    if workload.inputs == "trace":
        return universe.take(workload.symbols, seed)
    if workload.generates and find_shortage(workload, scale, universe) is not None:
        frames = generate(["SYN001"], scale + DAYS - 1, seed).frames
        return Universe(frames, dict.fromkeys(frames, "generated"), "generated, since the data is too short")
    return draw_few(universe, seed, most=MOST_BARS // find_start(workload, scale))


def draw_few(universe: Universe, seed: int, most: int = MANY) -> Universe:
    """Return so many of the symbols of a larger universe, drawn by the seed, and any other universe as it is."""
    return draw_symbols(universe, most, seed) if len(universe.frames) > most else universe


def describe_drawn(universe: Universe) -> list[str]:
    """Say where only some of the symbols, or fewer days than usual, are looked at."""
    symbols, said = len(universe.frames), []
    if symbols > MANY:
        said = [f"decisions of whole walks are compared on {MANY} of the {symbols:,} symbols; each seed draws others"]
    if symbols * HISTORY * DAYS > MOST_BARS:
        said.append(f"inputs of a workload have {MOST_BARS:,} bars at most: days are left out, and then symbols")
    return said


def trace_cycles(workload: Workload, scale: int) -> int:
    return scale if workload.unit == "cycles" else workload.cycles


def find_start(workload: Workload, scale: int) -> int:
    """Return how many bars a symbol has in a workload's first cycle."""
    return scale if workload.unit == "bars" else HISTORY


def workload_tape(workload: Workload, universe: Universe, scale: int, seed: int) -> Tape:
    """Return the market of a workload: consecutive cycles of a day that ticks as the trace says, or one cycle a day."""
    start = find_start(workload, scale)
    if workload.inputs == "trace":
        rate = scale / 100 if workload.unit == "% ticking" else change_rate(workload.trace, universe)
        return live_tape(
            universe, seed, start, days=math.ceil(trace_cycles(workload, scale) / STEPS_PER_DAY), rate=rate
        )
    return first_days(universe, seed, start, cycles=SEARCHED_CYCLES)


def first_days(
    universe: Universe, seed: int, start: int, *, cycles: int, rate: float = 1.0, cycles_per_bar: int = 1
) -> Tape:
    """Return the days from the bar ``start`` on. A day has more cycles where there are few days for ``cycles``."""
    cycles_per_bar = max(cycles_per_bar, math.ceil(cycles / days_from(universe, start)))
    seen = universe.cut(slice(start + math.ceil(cycles / cycles_per_bar) - 1))
    return Tape(seen.frames, seed=seed, start=start, change_rate=rate, cycles_per_bar=cycles_per_bar)


def live_tape(
    universe: Universe, seed: int, start: int, *, days: int, rate: float | Mapping[str, float] | None = None
) -> Tape:
    """Return the last days of a universe, tick by tick; by default at each symbol's own rate."""
    recent = universe.cut(slice(-(start + days - 1), None))
    ticks = live_rates(universe) if rate is None else rate
    return Tape(recent.frames, seed=seed, change_rate=ticks, start=start, cycles_per_bar=STEPS_PER_DAY)


def draw_day(universe: Universe, start: int, seed: int, number: int = 0) -> Universe:
    """Return a universe that ends on one of its last days, drawn by the seed and the number of the draw.

    Only RECENT_DAYS are drawn from: earlier prices are adjusted for later splits, so that cents would be too coarse.
    """
    days = min(RECENT_DAYS, days_from(universe, start))
    back = int(np.random.default_rng([seed, number]).integers(days))
    return universe.cut(slice(None, -back)) if back else universe


def change_rate(trace: Trace, universe: Universe) -> float | Mapping[str, float]:
    return live_rates(universe) if trace == "live" else RATES[trace]


def live_rates(universe: Universe) -> dict[str, float]:
    """Return the share of 5 s steps in which each symbol's quote would move, from its own volatility and quote step."""
    return {
        symbol: live_change_rate(frame["close"].to_numpy(), trading_seconds=trading_seconds(symbol))
        for symbol, frame in universe.frames.items()
    }


def days_from(universe: Universe, start: int) -> int:
    """Return how many days every symbol has left when a study starts with ``start`` bars; at least one."""
    shortest = min(universe.count_bars().values())
    return shortest - min(start, shortest) + 1


def find_shortage(workload: Workload, scale: int, universe: Universe) -> str | None:
    """Say why the data cannot give a scale, or return None where it can.

    A headline scale takes whatever bars there are.
    """
    symbol, bars = min(universe.count_bars().items(), key=lambda each: each[1])
    if workload.unit == "bars" and scale != workload.scales[0] and bars < scale:
        return f"{workload.name} at {scale} bars needs as many bars of every symbol, {symbol} has {bars}"
    return None


def is_empty(arguments: tuple[Any, ...]) -> bool:
    """Return whether a call is on an empty list of decisions, which exercises nothing."""
    return len(arguments) == 1 and isinstance(arguments[0], tuple) and not arguments[0]


def write_inputs(path: Path, inputs: Recording | Universe) -> None:
    """Pickle inputs into a file, piece by piece: all of them in one string took more memory than the inputs do."""
    with path.open("wb") as file:
        pickle.dump(inputs, file, pickle.HIGHEST_PROTOCOL)


def read_inputs(path: Path) -> Any:
    with path.open("rb") as file:
        return pickle.load(file)


@lru_cache(maxsize=1)
def load_inputs(path: str) -> Any:
    """Return what a file holds; the last one alone is kept, since a file may hold those of ten thousand symbols."""
    return read_inputs(Path(path))
