"""What a workload feeds to its arms: the stage's inputs, recorded once, and the body that replays and times them.

Inputs come from the baseline pipeline in the simulated world, with its indicators computed by the fast oracle (proved
equal to the loop by the tests). Recorded cycles carry their nominal time, so that a cache with a time to live sees a
service that keeps its 5 s schedule.
"""

from __future__ import annotations

import inspect
import itertools
import math
import pickle
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from argo_bench import baseline
from argo_bench.claim import Workload
from argo_bench.harness.bodies import Timing, warmed_up
from argo_bench.harness.messages import StageArm
from argo_bench.harness.observe import Recorder
from argo_bench.market import Tape, Universe, live_change_rate, trading_seconds
from argo_bench.model import Bars, Stage, UserError
from argo_bench.optimizations import catalogue
from argo_bench.optimized.indicators import indicators as fast_oracle
from argo_bench.pipeline import Edit, cycle
from argo_bench.world import SimulatedWorld

HISTORY = 300
"""Bars that a study starts with, unless its scale is a number of bars."""

STEPS_PER_DAY = 4680
"""Cycles of 5 s in a trading day of six and a half hours."""

DAYS = 8
SEARCHED_CYCLES = 64
TRACE_CYCLES = 48


class Group(NamedTuple):
    """The calls that a stage gets at one virtual time, each as its arguments without the World."""

    virtual_ns: int
    calls: list[tuple[Any, ...]]


def record(workload: Workload, universe: Universe, scale: int, seed: int) -> list[Group]:
    """The stage's inputs: 48 consecutive cycles of a live market for a trace, otherwise the first eight days with any.

    Raises UserError where the data yields no input for the stage.
    """
    if workload.unit == "symbols":
        universe = universe.take(scale, seed)
    tape = workload_tape(workload, universe, scale, seed)
    cycles, wanted = (TRACE_CYCLES, TRACE_CYCLES) if workload.inputs == "trace" else (SEARCHED_CYCLES, DAYS)
    with SimulatedWorld(tape, seed=seed, latency_scale=0.0) as world:
        pipeline = baseline.PIPELINE.replace(indicators=fast_oracle)
        recorder = Recorder(getattr(pipeline, workload.stage))
        pipeline = pipeline.replace(**{workload.stage: recorder})
        groups = []
        for number in range(min(cycles, tape.last_cycle + 1)):
            world.run(cycle(pipeline, world, tape.symbols, number))
            calls = [arguments for arguments in recorder.taken() if not is_empty(arguments)]
            if calls:
                groups.append(Group(world.clock.virtual_ns, calls))
            if len(groups) == wanted:
                break
    if not groups:
        raise UserError(
            f"the workload {workload.name!r} got no input: none of {len(tape.symbols)} symbols reached a decision in "
            f"{cycles} cycles; try more --symbols or another --seed"
        )
    return groups


def workload_tape(workload: Workload, universe: Universe, scale: int, seed: int) -> Tape:
    """The market of a workload: consecutive cycles at each symbol's own change rate, or one cycle a day."""
    start = scale if workload.unit == "bars" else HISTORY
    if workload.inputs == "trace":
        return Tape(
            universe.frames,
            seed=seed,
            change_rate=live_rates(universe),
            start=start,
            cycles_per_bar=STEPS_PER_DAY,
        )
    cycles_per_bar = math.ceil(SEARCHED_CYCLES / days_from(universe, start))
    return Tape(universe.frames, seed=seed, start=start, cycles_per_bar=cycles_per_bar)


def days_from(universe: Universe, start: int) -> int:
    """How many days every symbol has left when a study starts with so many bars; one for those that have no more."""
    shortest = min(len(frame) for frame in universe.frames.values())
    return shortest - min(start, shortest) + 1


def shortage(workload: Workload, scale: int, universe: Universe) -> str | None:
    """Why the data cannot give a scale, or None where it can. A headline scale begins with what there is."""
    symbol, bars = min(((symbol, len(frame)) for symbol, frame in universe.frames.items()), key=lambda each: each[1])
    if workload.unit == "bars" and scale != workload.scales[0] and bars < scale:
        return f"{workload.name} at {scale} bars needs as many bars of every symbol, {symbol} has {bars}"
    return None


def live_rates(universe: Universe) -> dict[str, float]:
    """The share of 5 s steps in which each symbol's quote would move, from its own volatility and quoting step."""
    return {
        symbol: live_change_rate(frame["close"].to_numpy(), trading_seconds=trading_seconds(symbol))
        for symbol, frame in universe.frames.items()
    }


def is_empty(arguments: tuple[Any, ...]) -> bool:
    """A call on an empty list of decisions exercises nothing."""
    return len(arguments) == 1 and isinstance(arguments[0], tuple) and not arguments[0]


class _Closed:
    """A replayed stage asks no provider."""

    symbols: Sequence[str] = ()

    def bars(self, symbol: str, cycle: int) -> Bars:
        raise RuntimeError(f"a replayed stage asked the market for {symbol}; only stages that compute are replayed")


def stage_body(arm: StageArm) -> StageBody:
    """The body of an arm of the catalogue, fed from its file of recorded inputs."""
    workload, edit = workload_and_edit(arm)
    return StageBody(workload, edit, recorded_inputs(arm.inputs))


def workload_and_edit(arm: StageArm) -> tuple[Workload, Edit]:
    optimization = catalogue()[arm.optimization]
    workload = optimization.workload(arm.workload)
    return workload, optimization.edits(workload)[arm.arm]


@cache
def recorded_inputs(path: str) -> Any:
    return pickle.loads(Path(path).read_bytes())


class StageBody:
    """One arm of a workload, ready to be timed in passes.

    A pass is every recorded call once. State is kept between passes only for ``hit``; for ``fresh`` every call gets a
    copy of its arguments; for ``miss`` and ``trace`` every pass starts with newly built state. All of that is prepared
    outside the timed region.
    """

    def __init__(self, workload: Workload, edit: Edit, groups: Sequence[Group]) -> None:
        self.workload = workload
        self.calls = sum(len(group.calls) for group in groups)
        self._edit = edit
        self._recorded = tuple(groups)
        self._groups = list(groups)
        self._world: SimulatedWorld | None = None
        self._stage: Stage = _unbuilt
        self._is_async = False
        self._rebuild()

    def close(self) -> None:
        """Let the state go. What the arm had put off is dropped: ``drained_ns`` is where that is timed."""
        if self._world is not None:
            self._world.discard()
            self._world = None

    def first_call(self) -> Any:
        """What the stage returns for the first recorded call, on the state as built."""
        group = self._groups[0]
        self._live.clock.jump_to(group.virtual_ns)
        result = self._stage(self._live, *copied(group.calls[0]))
        self._is_async = inspect.isawaitable(result)
        if self._is_async:
            result = self._live.run(_awaited(result))
        return result

    def results(self) -> list[Any]:
        """What the stage returns for each recorded call, on newly built state."""
        self._rebuild()
        found = []
        for group in self._groups:
            self._live.clock.jump_to(group.virtual_ns)
            for arguments in group.calls:
                result = self._stage(self._live, *copied(arguments))
                found.append(self._live.run(_awaited(result)) if inspect.isawaitable(result) else result)
        return found

    def keep(self, calls: int) -> None:
        """Use the first so many recorded calls (whole groups of a trace), so that a pass stays short."""
        self._groups = []
        self.calls = 0
        for group in self._recorded:
            if self.calls >= calls:
                break
            whole = self.workload.inputs == "trace"
            kept = group.calls if whole else group.calls[: calls - self.calls]
            self._groups.append(Group(group.virtual_ns, kept))
            self.calls += len(kept)

    def sample(self, passes: int) -> Timing:
        """So many passes, timed on both clocks: wall (hybrid) and CPU of this process, in nanoseconds."""
        if self.workload.inputs == "hit":
            return self.timed(self._groups, passes)
        timings = [self.timed(self.prepared(), 1) for _ in range(passes)]
        return Timing(sum(each.wall_ns for each in timings), sum(each.cpu_ns for each in timings))

    def prepared(self) -> Sequence[Group]:
        """The calls of one pass, with the copies and the new state that the workload asks for."""
        if self.workload.inputs == "fresh":
            return [Group(group.virtual_ns, [copied(call) for call in group.calls]) for group in self._groups]
        if self.workload.inputs != "hit":
            self._rebuild()
        return self._groups

    def drained_ns(self) -> float | None:
        """What the arm puts off until its world closes, per call of a pass on cold state; None where state is kept."""
        if self.workload.inputs not in ("miss", "trace"):
            return None
        self.timed(self.prepared(), 1)
        started = time.perf_counter_ns()
        self._live.run(self._live.resources.aclose())
        return (time.perf_counter_ns() - started) / self.calls

    def warm_up(self) -> int:
        return warmed_up(self.sample, compiled_signatures)

    @property
    def _live(self) -> SimulatedWorld:
        assert self._world is not None, "this body is closed"
        return self._world

    def _rebuild(self) -> None:
        self.close()
        pipeline = self._edit(baseline.PIPELINE)
        self._world = SimulatedWorld(_Closed())
        self._world.transport = pipeline.transport
        self._stage = getattr(pipeline, self.workload.stage)

    def timed(self, groups: Sequence[Group], passes: int) -> Timing:
        """The timed region: all calls of ``groups``, so many times."""
        if self._is_async:
            return self._live.run(self._timed_async(groups, passes))
        stage, world, jump = self._stage, self._live, self._live.clock.jump_to
        # The CPU clock is a system call: it encloses the wall clock, so that its own cost stays out of the wall time.
        cpu = time.process_time_ns()
        wall = world.clock_ns()
        for virtual_ns, calls in itertools.chain.from_iterable(itertools.repeat(groups, passes)):
            jump(virtual_ns)
            for arguments in calls:
                stage(world, *arguments)
        wall = world.clock_ns() - wall
        return Timing(wall, time.process_time_ns() - cpu)

    async def _timed_async(self, groups: Sequence[Group], passes: int) -> Timing:
        stage, world, jump = self._stage, self._live, self._live.clock.jump_to
        cpu = time.process_time_ns()
        wall = world.clock_ns()
        for virtual_ns, calls in itertools.chain.from_iterable(itertools.repeat(groups, passes)):
            jump(virtual_ns)
            for arguments in calls:
                await stage(world, *arguments)
        wall = world.clock_ns() - wall
        return Timing(wall, time.process_time_ns() - cpu)


def _unbuilt(*arguments: Any) -> Any:
    raise RuntimeError("this body is not built")


async def _awaited(value: Any) -> Any:
    return await value


def copied(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(each.copy() if isinstance(each, pd.DataFrame | np.ndarray) else each for each in arguments)


def compiled_signatures() -> int:
    """How many signatures numba has compiled for our kernels in this process."""
    from argo_bench import kernels

    return sum(len(each.signatures) for each in vars(kernels).values() if hasattr(each, "signatures"))
