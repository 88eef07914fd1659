"""The body here replays a workload's recorded inputs through one arm and times them."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import math
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from argo_bench.harness.workers.timing import WARM_UP_NS, Timing, warm_up_body
from argo_bench.optimizations import subjects
from argo_bench.optimizations.optimization import CYCLE, Workload
from argo_bench.pipeline import baseline
from argo_bench.pipeline.memo import content_key
from argo_bench.pipeline.model import Bars, Request, Stage, World
from argo_bench.pipeline.record import Edit, Pipeline, cycle, settle
from argo_bench.pipeline.unchanged import skip_unchanged
from argo_bench.pipeline.world import SimulatedWorld, Simulation
from argo_bench.pipeline.world.base import CYCLE_S
from argo_bench.pipeline.world.clock import NS
from argo_bench.pipeline.world.database import FILE_NAME, copy_into, preload_database
from argo_bench.study.recording import Group, Recording, Stored, load_inputs
from argo_bench.temporary import owned_prefix

if TYPE_CHECKING:
    from argo_bench.pipeline.world.loopback import LoopbackWorld

KEPT_WHOLE = (CYCLE, "store")
"""Stages whose pass is not shortened, since the worth of a cache or a queue shows over many cycles."""


FEW, FEW_ON_SOCKETS = 24, 3
"""The numbers of recorded calls that suffice where all would take too long, in general and on sockets.

With 24 calls the things that caches keep have begun to grow; on sockets every call really waits.
"""

FEWEST_STEPS = 40
"""A trace of so many cycles is walked cycle by cycle, so that a sample has five of them at least."""

FILLED_FOR_S = 20.0
"""The time after which what others left in the shared store is put there again, since variants keep it for a minute."""


class NoMarket:
    """Replaces the market where the replayed stage asks no provider."""

    symbols: Sequence[str] = ()

    def bars(self, symbol: str, cycle: int) -> Bars:
        raise RuntimeError(f"a replayed stage asked the market for {symbol}; only stages that compute are replayed")


def stage_body(optimization: str, workload: str, arm: str, inputs: str) -> StageBody:
    """Return the body of an arm of the catalogue, fed from its
    file of recorded inputs: the factory of the study's arms."""
    found, edit = workload_and_edit(optimization, workload, arm)
    return StageBody(found, edit, load_inputs(inputs))


def workload_and_edit(optimization: str, workload: str, arm: str) -> tuple[Workload, Edit]:
    known = subjects()[optimization]
    found = known.workload(workload)
    return found, known.edits(found)[arm]


def stage_of(pipeline: Pipeline, workload: Workload, symbols: Sequence[str]) -> Stage:
    """Return what a workload calls: a part of the pipeline, a whole
    cycle of it over all or some symbols, or a burst of requests."""
    if workload.stage == CYCLE:
        return lambda world, walked=symbols: cycle(pipeline, world, walked, world.cycle)
    if workload.stage == "transport":
        return burst
    stage: Stage = getattr(pipeline, workload.stage)
    return stage if workload.consumers == 1 else partial(ask_at_once, stage, workload.consumers)


async def ask_at_once(stage: Stage, consumers: int, world: World, *arguments: Any) -> tuple[Any, ...]:
    """Make the same call for each of ``consumers`` at the same moment, and return what they get."""
    return tuple(await asyncio.gather(*(settle(stage(world, *arguments)) for _ in range(consumers))))


async def burst(world: World, requests: Sequence[Request], in_flight: int) -> tuple[Any, ...]:
    """Send the requests, ``in_flight`` of them under way at any time, and return their answers."""
    gate = asyncio.Semaphore(in_flight)

    async def send(request: Request) -> Any:
        async with gate:
            return await world.transport(world, request)

    return tuple(await asyncio.gather(*map(send, requests)))


class StageBody:
    """Holds one arm of a workload, ready to be timed in passes.

    Between the calls of one cycle and those of the next the service idles, and background work goes on: its waiting is
    in no timing, its CPU time is in that of the pass.

    A pass is every recorded call once. State is kept between passes only for ``hit``; for ``fresh`` every call gets a
    copy of its arguments; for ``miss`` and ``trace`` every pass starts with newly built state, as does every one that
    asks simulated providers. All of that is prepared outside the timed region, and so is the first of several whole
    cycles or of calls to a database, which fills caches and makes indexes.
    """

    def __init__(self, workload: Workload, edit: Edit, recording: Recording) -> None:
        self.workload = workload
        self._edit = edit
        self._market = recording.market
        self._seed = recording.seed
        self._stored = recording.stored
        self._opinion_minutes = recording.opinion_minutes
        self._directory: TemporaryDirectory[str] | None = None
        self._begun = self._built = 0
        self._filled_at = -math.inf
        opens = (workload.stage == CYCLE or recording.stored is not None) and len(recording.groups) > 1
        self._opening = tuple(recording.groups[:1]) if opens else ()
        self._recorded = tuple(recording.groups[len(self._opening) :])
        self._groups = list(self._recorded)
        self.steps = count_steps(workload, self._recorded)
        self.few = FEW_ON_SOCKETS if workload.servers else FEW
        self.is_stored = workload.stage == CYCLE
        self.calls = count_timed(self._recorded)
        self.fixed_calls = count_fixed_calls(workload, self._recorded)
        self._world: SimulatedWorld | LoopbackWorld | None = None
        self._stage: Stage = _unbuilt
        self._is_async = False
        self._rebuild()

    def close(self) -> None:
        """Release the state. Work that the arm had put off is dropped: ``time_drain_ns`` is where that work
        is timed.
        """
        if self._world is not None:
            self._world.discard()
            self._world = None
        if self._directory is not None:
            self._directory.cleanup()
            self._directory = None

    def first_call(self) -> Any:
        """Return what the stage returns for the first recorded call, on the state as built.

        Where a call cannot be made twice, since a row is stored once, each first call is another one.
        """
        group = self._groups[self._begun % len(self._groups) if self.workload.stage == "store" else 0]
        self._begun += 1
        self._turn_to(group)
        result = self._stage(self._live, *copy_arguments(group.calls[0]))
        self._is_async = inspect.isawaitable(result)
        if self._is_async:
            result = self._live.run(settle(result))
        return result

    def collect_results(self) -> list[Any]:
        """Return what the stage returns for each recorded call, on newly built state."""
        self._rebuild()
        found = []
        for group in (*self._opening, *self._groups):
            self._turn_to(group)
            for arguments in group.calls:
                result = self._stage(self._live, *copy_arguments(arguments))
                found.append(self._live.run(settle(result)) if inspect.isawaitable(result) else result)
        return found

    def read_stored(self) -> list[tuple[Any, ...]]:
        """Return the rows that the calls have stored, as another process sees them when nothing is put off any more."""
        self._live.run(self._live.resources.aclose())
        before = 0 if self._stored is None else self._stored.rows
        with closing(sqlite3.connect(self._live.directory / FILE_NAME)) as connection:
            return connection.execute("SELECT * FROM signals WHERE id > ? ORDER BY id", (before,)).fetchall()

    def keep(self, calls: int) -> None:
        """Use only the first ``calls`` recorded calls (whole groups of a trace), so that a pass stays short."""
        if self.workload.stage in KEPT_WHOLE and calls:
            return  # a pass has the calls that the workload states, whoever asks for fewer
        self._groups = []
        self._filled_at = -math.inf
        self.calls = 0
        for group in self._recorded:
            if self.calls >= calls:
                break
            whole = self.workload.inputs == "trace"
            kept = group.calls if whole else group.calls[: calls - self.calls]
            self._groups.append(group._replace(calls=kept))
            self.calls += len(kept)

    def sample(self, passes: int) -> Timing:
        """Time ``passes`` passes on both clocks: wall (hybrid) and CPU of this process, in nanoseconds."""
        if self._keeps_state:
            return self.time_calls(self._groups, passes)
        timings = [self.time_calls(self.prepare_calls(), 1) for _ in range(passes)]
        return Timing(sum(each.wall_ns for each in timings), sum(each.cpu_ns for each in timings))

    def step(self, number: int) -> Timing:
        """Time the cycle of this number, after those before it; the first one is that of a new pass."""
        groups = self.prepare_calls() if number == 0 else self._groups
        following = groups[number + 1] if number + 1 < len(groups) else None
        return self._time_cycle(groups[number], following, 1)

    def prepare_calls(self) -> Sequence[Group]:
        """Return the calls of one pass, with the copies and the new state that the workload asks for."""
        if self.workload.inputs == "fresh":
            if self._market is not None:
                self._rebuild()
            if self._finds_what_others_left and time.monotonic() - self._filled_at > FILLED_FOR_S:
                self._fill()
            return [group._replace(calls=[copy_arguments(call) for call in group.calls]) for group in self._groups]
        if not self._keeps_state:
            self._rebuild()
            for group in self._opening:
                self._turn_to(group)
                self._make_calls(group)
        return self._groups

    def _make_calls(self, group: Group) -> None:
        """Make the calls of a group on the state as it is, without timing them."""
        for arguments in group.calls:
            self._live.run(settle(self._stage(self._live, *arguments)))

    def time_drain_ns(self) -> float | None:
        """Time what the arm has put off until its world closes, in
        ns per call of the last pass, which began on cold state.

        It is None where state is kept, and where providers are asked, since what is put off may wait for them.
        """
        if self.workload.inputs not in ("miss", "trace") or self._market is not None:
            return None
        started = time.perf_counter_ns()
        self._live.run(self._live.resources.aclose())
        return (time.perf_counter_ns() - started) / self.calls

    def warm_up(self, least_ns: int = WARM_UP_NS) -> int:
        """Warm up as every body does; whole cycles, whose passes are long, on the first one alone."""
        if self.workload.stage != CYCLE:
            return warm_up_body(self.sample, count_compiled_signatures, least_ns)
        whole, self._groups = self._groups, self._groups[:1]
        try:
            return math.ceil(warm_up_body(self.sample, count_compiled_signatures, least_ns) / len(whole))
        finally:
            self._groups = whole

    @property
    def _live(self) -> SimulatedWorld | LoopbackWorld:
        assert self._world is not None, "this body is closed"
        return self._world

    @property
    def _finds_what_others_left(self) -> bool:
        """Whether every pass is that of a new process to which others have left their values in the shared store."""
        return self.workload.inputs == "fresh" and "redis" in self.workload.servers

    @property
    def _generation(self) -> int:
        """A part of the shared store's keys, so that passes which begin on cold state have keys of their own."""
        return 0 if self.workload.inputs in ("hit", "fresh") else self._built

    def _fill(self) -> None:
        """Put every value into the shared store, and leave nothing in this process."""
        for group in self._groups:
            self._turn_to(group)
            for arguments in group.calls:
                self._live.run(settle(self._stage(self._live, *copy_arguments(arguments))))
        self._filled_at = time.monotonic()
        self._rebuild()

    def _rebuild(self) -> None:
        self.close()
        self._built += 1
        pipeline = self._edit(baseline.PIPELINE)
        if self.workload.skip_unchanged and self.workload.stage == CYCLE:
            pipeline = skip_unchanged(pipeline)
        self._world = self._new_world()
        self._world.transport = pipeline.transport
        self._stage = stage_of(pipeline, self.workload, self._world.market.symbols)

    def _new_world(self) -> SimulatedWorld | LoopbackWorld:
        """Build a world with a copy of the recording's database and with its connections to servers open."""
        workload, market = self.workload, NoMarket() if self._market is None else self._market
        directory = None
        if self._stored is not None:
            self._directory = TemporaryDirectory(prefix=owned_prefix("rows"))
            directory = Path(self._directory.name)
            copy_into(directory, database_of(self._stored))
        if not workload.servers:
            simulation = Simulation(opinion_minutes=self._opinion_minutes)
            return SimulatedWorld(
                market, simulation, seed=self._seed, directory=directory, latency_scale=workload.latency_scale
            )
        from argo_bench.pipeline.world.loopback import Behaviour, Endpoints, LiveModel, LoopbackWorld
        from argo_bench.study.servers import address_of_providers, redis_url

        endpoints = Endpoints(
            address=address_of_providers() if "providers" in workload.servers else None,
            tls=workload.tls,
            redis_url=redis_url() if "redis" in workload.servers else None,
            namespace=f"{Path(gettempdir()).name}|{workload.name}|{self._seed}|{self._generation}",
            live=LiveModel.from_environment(),
        )
        behaviour = Behaviour(workload.latency_scale, workload.rtt_s, opinion_minutes=self._opinion_minutes)
        world = LoopbackWorld(market, endpoints, behaviour, seed=self._seed, directory=directory)
        world.ready()
        return world

    @property
    def _keeps_state(self) -> bool:
        asks_simulated = self._market is not None and self.workload.stage != "read" and not self.workload.servers
        return self.workload.inputs == "hit" and not asks_simulated

    def _turn_to(self, group: Group) -> None:
        """Move the world to a group's time, with what the providers will answer there prepared."""
        self._live.pass_idle(group.due_ns)
        if self._market is not None:
            self._live.begin(group.cycle)
        self._live.clock.jump_to(group.virtual_ns)

    def time_calls(self, groups: Sequence[Group], passes: int) -> Timing:
        """Time all calls of ``groups``, ``passes`` times.

        The work of the providers' side is not in the timed region.
        """
        if self._market is None:
            return self._time_groups(groups, passes)
        taken = [
            self._time_cycle(group, following, passes) for group, following in itertools.zip_longest(groups, groups[1:])
        ]
        return Timing(sum(each.wall_ns for each in taken), sum(each.cpu_ns for each in taken))

    def _time_cycle(self, group: Group, following: Group | None, passes: int) -> Timing:
        """Time the calls of one cycle on both clocks, and on the CPU's the background work until the following one."""
        self._turn_to(group)
        if group.is_opening:
            self._make_calls(group)
        taken = Timing(0, 0) if group.is_opening else self._time_groups([group], passes)
        before_ns = self._live.background_cpu_ns
        self._live.pass_idle(group.due_ns + CYCLE_S * NS if following is None else following.due_ns)
        background_ns = 0 if group.is_opening else self._live.background_cpu_ns - before_ns
        return Timing(taken.wall_ns, taken.cpu_ns + background_ns)

    def _time_groups(self, groups: Sequence[Group], passes: int) -> Timing:
        if self._is_async:
            return self._live.run(self._time_groups_async(groups, passes))
        stage, world, jump = self._stage, self._live, self._live.clock.jump_to
        # Reading the CPU clock is a system call. It encloses the wall clock, so that its cost stays out of the wall
        # time.
        cpu = time.process_time_ns()
        wall = world.clock_ns()
        for virtual_ns, calls, _, _ in itertools.chain.from_iterable(itertools.repeat(groups, passes)):
            jump(virtual_ns)
            for arguments in calls:
                stage(world, *arguments)
        wall = world.clock_ns() - wall
        return Timing(wall, time.process_time_ns() - cpu)

    async def _time_groups_async(self, groups: Sequence[Group], passes: int) -> Timing:
        stage, world, jump = self._stage, self._live, self._live.clock.jump_to
        cpu = time.process_time_ns()
        wall = world.clock_ns()
        for virtual_ns, calls, _, _ in itertools.chain.from_iterable(itertools.repeat(groups, passes)):
            if world.has_background:
                idle = world.clock_ns()
                await world.idle_until(virtual_ns)
                wall += world.clock_ns() - idle
            jump(virtual_ns)
            for arguments in calls:
                await stage(world, *arguments)
        wall = world.clock_ns() - wall
        return Timing(wall, time.process_time_ns() - cpu)


def count_fixed_calls(workload: Workload, recorded: Sequence[Group]) -> int | None:
    """Return how many calls every arm's timed pass has, or None where a pass may be cut to what both arms can afford.

    Whole cycles and rows have all that are recorded, the other traces those of the first ``timed_cycles``: what a cache
    or a queue is worth depends on how many calls it sees, so that their number must not depend on an arm or a machine.
    """
    if workload.stage in KEPT_WHOLE:
        return count_timed(recorded)
    if workload.inputs == "trace":
        return sum(len(group.calls) for group in recorded[: workload.timed_cycles]) or None
    return None


def count_steps(workload: Workload, recorded: Sequence[Group]) -> int:
    """Return how many cycles a pass of whole cycles is walked in, in turn with another arm's, or 0 where it is not.

    A long trace is walked so: four blocks then take one pass of every arm and not eight. On a short one, blocks would
    have seen too few cycles each; servers would see pauses that the service does not make.
    """
    is_walked = workload.stage == CYCLE and workload.inputs == "trace" and not workload.servers
    is_long = len(recorded) >= FEWEST_STEPS and all(
        len(group.calls) == 1 and not group.is_opening for group in recorded
    )
    return len(recorded) if is_walked and is_long else 0


def count_timed(groups: Sequence[Group]) -> int:
    """Return how many calls are timed: those of an opening are not."""
    return sum(len(group.calls) for group in groups if not group.is_opening)


def database_of(stored: Stored) -> Path:
    """Return a database with these rows, made once in the place
    for temporary files and shared by all processes there."""
    name = f"rows-{stored.rows}-{content_key(*stored.symbols).hex()}.sqlite"
    return preload_database(Path(gettempdir()) / name, stored.rows, symbols=stored.symbols)


def _unbuilt(*arguments: Any) -> Any:
    raise RuntimeError("this body is not built")


def copy_arguments(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(each.copy() if isinstance(each, pd.DataFrame | np.ndarray) else each for each in arguments)


def count_compiled_signatures() -> int:
    """Count the signatures that numba has compiled for our kernels in this process."""
    from argo_bench.pipeline import kernels

    return sum(len(each.signatures) for each in vars(kernels).values() if hasattr(each, "signatures"))
