"""What do worker processes find of each other in one store, what does reading it cost, and what does its death cost?

This file is also the program of the workers. They take turns, so that what is found does not depend on who is faster.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import pickle
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import msgspec

from argo_bench.errors import UserError
from argo_bench.harness.subject import Observation
from argo_bench.optimizations.o01_distributed_cache import (
    LOCAL,
    REDIS_ALONE,
    engineered,
    from_redis_alone,
    local_dict,
    prescribed,
)
from argo_bench.optimizations.optimization import keep_baseline
from argo_bench.parent import start
from argo_bench.pipeline import baseline
from argo_bench.pipeline.market import Tape
from argo_bench.pipeline.model import SOURCES, Fetched, ProviderError, Signal, Stage, StoreError
from argo_bench.pipeline.optimized.fetch import at_once
from argo_bench.pipeline.record import Edit, settle
from argo_bench.pipeline.shared import encode_fetched
from argo_bench.pipeline.world import SimulatedWorld
from argo_bench.pipeline.world.loopback import Address, Behaviour, Endpoints, LoopbackWorld
from argo_bench.pipeline.world.redis import Server
from argo_bench.study.recording import HISTORY, STEPS_PER_DAY, live_rates
from argo_bench.study.trials import Setting, Trial

REFETCH, RECOMPUTE = "refetch, latencies x 0.1", "recompute"
EDITS: Mapping[str, Edit] = {
    "prescribed": prescribed,
    "engineered": engineered,
    REDIS_ALONE: from_redis_alone,
    LOCAL: local_dict,
    REFETCH: keep_baseline,
    RECOMPUTE: keep_baseline,
}
CACHES = ("prescribed", "engineered", LOCAL)
CYCLES = 24
"""The number of cycles, two minutes: a process alone fetches twice what is kept for a minute."""

REFETCHED_CYCLES = 3
VOTES = {source: Signal("LONG", 80.0) for source in SOURCES}
COUNTED_VOTES = 300
STEP = 12
"""The number of cycles between two steps while the store is
killed: a minute, so that no variant has the market already."""

BEFORE, DURING, AFTER = 2, 3, 2
"""The numbers of steps before, during and after a kill; the store is killed within the first of the middle ones."""


# Several processes, one store


class Job(NamedTuple):
    """Holds what a worker needs to know before its first turn."""

    tape: Tape
    address: Address
    seed: int


class Turn(NamedTuple):
    """Describes one turn of a worker.

    ``arm`` names the arm, ``url`` and ``namespace`` its store, ``cycle`` the cycle to fetch; -1 is for the votes.
    """

    arm: str
    url: str
    namespace: str
    cycle: int


class Took(NamedTuple):
    """Holds the fetches of a turn by the time that each took in us: those that a cache answered, and the others."""

    found: list[float]
    fetched: list[float]


class Worker:
    """Runs a process that fetches when it is its turn, and dies with this one."""

    def __init__(self, job: Path) -> None:
        command: list[str | Path] = [sys.executable, "-m", __name__, job]
        self._process = start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def take(self, turn: Turn) -> Took:
        """Have the worker take a turn. Raises UserError where the worker has ended; the worker says itself why."""
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(msgspec.json.encode(turn) + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            line = b""
        else:
            line = process.stdout.readline()
        if not line:
            raise UserError(f"O01, {turn.arm}: expected a worker that answers, got exit code {process.wait()}")
        return msgspec.json.decode(line, type=Took)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        self._process.communicate()


def observe_sharing(setting: Setting) -> Iterator[Observation]:
    """Observe two workers over TCP; in full also four, over TCP and a unix socket."""
    assert setting.redis is not None and setting.address is not None, "this trial asks for both servers"
    tape = tape_of(setting, 6 if setting.full else 3)
    job = setting.scratch / "o01-job.pickle"
    job.write_bytes(pickle.dumps(Job(tape, setting.address, setting.seed)))
    server = setting.redis
    places = [(2, "TCP", server.url)]
    if setting.full:
        places.append((4, "TCP", server.url))
        if server.unix_url:
            places.append((4, "unix socket", server.unix_url))
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(job)) for _ in range(max(count for count, *_ in places))]
        for count, kind, url in places:
            for number in range(5 if setting.full else 3):
                namespace = f"o01-{os.getpid()}-{kind}-{count}-{number}"
                yield from walk_arms(workers[:count], f"{count} workers, {kind}", url, namespace)
                yield from time_votes(workers[0], f"consensus, {kind}", url, namespace)


def walk_arms(workers: Sequence[Worker], condition: str, url: str, namespace: str) -> Iterator[Observation]:
    """Observe each arm through all cycles, the workers one behind the other, and what it takes to fetch anew."""
    for arm in CACHES:
        took = [[worker.take(Turn(arm, url, namespace, cycle)) for worker in workers] for cycle in range(CYCLES)]
        found, fetched = (
            [sum(len(turn[place]) for turn in turns) for turns in zip(*took, strict=True)] for place in (0, 1)
        )
        others = fetched[1:]
        values = {
            "hit rate": sum(found) / sum(found + fetched),
            "cross-process hit rate": 1 - sum(others) / (fetched[0] * len(others)),
        }
        times = [us for turns in took for turn in turns for us in turn.found]
        if times:
            values["read p50 us"] = median(times)
        yield Observation(arm, condition, values)
    for arm in (REDIS_ALONE, REFETCH):
        turns = [workers[-1].take(Turn(arm, url, namespace, cycle)) for cycle in range(REFETCHED_CYCLES)]
        times = [us for turn in turns for us in (turn.found if arm == REDIS_ALONE else turn.fetched)]
        if times:
            yield Observation(arm, condition, {"read p50 us": median(times)})


def time_votes(worker: Worker, condition: str, url: str, namespace: str) -> Iterator[Observation]:
    """Observe a consensus that is read from the store, and one that is counted."""
    for arm in ("prescribed", RECOMPUTE):
        took = worker.take(Turn(arm, url, namespace, -1))
        yield Observation(arm, condition, {"read p50 us": median(took.found)})


def work(job: Job) -> None:
    """Take turns until there are no more."""
    turns = (msgspec.json.decode(line, type=Turn) for line in sys.stdin.buffer)
    for (arm, url, namespace), group in itertools.groupby(turns, key=lambda turn: turn[:3]):
        endpoints = Endpoints(job.address, redis_url=url, namespace=namespace)
        behaviour = Behaviour(latency_scale=0.1 if arm == REFETCH else 0.0)
        with LoopbackWorld(job.tape, endpoints, behaviour, seed=job.seed) as world:
            pipeline = EDITS[arm](baseline.PIPELINE)
            world.transport = pipeline.transport
            world.ready()
            for turn in group:
                if turn.cycle < 0:
                    took = world.run(count_votes(world, pipeline.consensus))
                else:
                    world.begin(turn.cycle)
                    took = world.run(fetch_all(world, pipeline.fetch))
                sys.stdout.buffer.write(msgspec.json.encode(took) + b"\n")
                sys.stdout.buffer.flush()


async def fetch_all(world: LoopbackWorld, fetch: Stage) -> Took:
    """Fetch every symbol once, one after another."""
    took = Took([], [])
    for symbol in world.market.symbols:
        misses = getattr(fetch, "misses", -1)
        began = time.perf_counter_ns()
        await settle(fetch(world, symbol))
        us = (time.perf_counter_ns() - began) / 1e3
        was_found = getattr(fetch, "misses", None) == misses
        (took.found if was_found else took.fetched).append(us)
    return took


async def count_votes(world: LoopbackWorld, consensus: Stage) -> Took:
    """Count the same votes again and again. The first time, which may store them, is left out."""
    took = []
    for _ in range(COUNTED_VOTES + 1):
        began = time.perf_counter_ns()
        await settle(consensus(world, VOTES, "TRENDING"))
        took.append((time.perf_counter_ns() - began) / 1e3)
    return Took(took[1:], [])


# The store killed


@dataclass(slots=True)
class Counts:
    """Counts what was seen while the store was killed and restarted; hits are those of the second of two workers."""

    fetches: int = 0
    exceptions: int = 0
    wrong_values: int = 0
    hits_before: int = 0
    hits_during: int = 0
    hits_after: int = 0
    longest_stall_ns: int = 0

    def values(self, kills: int) -> dict[str, float]:
        return {
            "kills": kills,
            "fetches": self.fetches,
            "exceptions": self.exceptions,
            "wrong values": self.wrong_values,
            "hits before": self.hits_before,
            "hits during": self.hits_during,
            "hits after": self.hits_after,
            "longest stall of the loop, ms": self.longest_stall_ns / 1e6,
        }


def observe_kills(setting: Setting) -> Iterator[Observation]:
    """Observe a stream of fetches through kills and restarts of the store.

    Raises UserError for a store that is the user's.
    """
    server = setting.redis
    assert server is not None and setting.address is not None, "this trial asks for both servers"
    if not server.is_ours:
        raise UserError(f"expected a server that may be killed, got {server.how}; unset it to have one started")
    kills = 20 if setting.full else 3
    tape = tape_of(setting, 2)
    for arm, edit in (("baseline", keep_baseline), ("prescribed", prescribed), ("engineered", engineered)):
        endpoints = Endpoints(setting.address, redis_url=server.url, namespace=f"o01-{os.getpid()}-{arm}")
        stream = LoopbackWorld(tape, endpoints, Behaviour(latency_scale=0.0), seed=setting.seed)
        with stream as world, SimulatedWorld(tape, seed=setting.seed, latency_scale=0.0) as oracle, rubbish_aside():
            counts = count_through_kills(world, oracle, edit, server, kills, random.Random(setting.seed))
        yield Observation(arm, "2 workers, TCP", counts.values(kills))


def count_through_kills(
    world: LoopbackWorld, oracle: SimulatedWorld, edit: Edit, server: Server, kills: int, generator: random.Random
) -> Counts:
    """Step two workers' pipelines on one event loop: what the second finds the first has fetched."""
    pipelines = [edit(baseline.PIPELINE.replace(fetch=at_once())) for _ in range(2)]
    world.transport = oracle.transport = pipelines[0].transport
    reader = pipelines[1].fetch
    steps = itertools.count(0, STEP)
    world.ready()

    def step(counts: Counts) -> int:
        """Make one step of both workers, and return the hits of the second."""
        cycle = next(steps)
        oracle.begin(cycle)
        world.begin(cycle)
        truth = {symbol: encode_fetched(baseline.PIPELINE.fetch(oracle, symbol)) for symbol in oracle.market.symbols}
        hits = getattr(reader, "hits", 0)
        world.run(watch_fetches(world, [each.fetch for each in pipelines], truth, counts))
        return getattr(reader, "hits", 0) - hits

    step(Counts())  # left out of the counts, since what is done for the first time holds the loop up as well
    counts = Counts()
    for _ in range(kills):
        counts.hits_before += sum(step(counts) for _ in range(BEFORE))
        with killing(server, generator.uniform(0.0, 0.02)):
            step(counts)
        counts.hits_during += sum(step(counts) for _ in range(DURING - 1))
        server.restart()
        counts.hits_after += sum(step(counts) for _ in range(AFTER))
    return counts


@contextmanager
def rubbish_aside() -> Iterator[None]:
    """Keep the garbage collector from what is in memory already.

    In a process of this size, searching all of it would by itself hold the loop up.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def killing(server: Server, after_s: float) -> Iterator[None]:
    """Kill the server from another thread while the block runs; it is dead at the end of the block."""

    def kill() -> None:
        time.sleep(after_s)
        server.kill()

    thread = threading.Thread(target=kill, name="argo-kill")
    thread.start()
    try:
        yield
    finally:
        thread.join()


async def watch_fetches(
    world: LoopbackWorld, fetches: Sequence[Stage], truth: Mapping[str, bytes], counts: Counts
) -> None:
    """Compare what each worker gets for each symbol with the
    truth, while a task measures how long the loop is held up."""
    looking = asyncio.ensure_future(look(counts))
    for fetch in fetches:
        for symbol, expected in truth.items():
            counts.fetches += 1
            try:
                got: Fetched = await settle(fetch(world, symbol))
            except (StoreError, ProviderError):
                counts.exceptions += 1
            else:
                counts.wrong_values += encode_fetched(got) != expected
    looking.cancel()
    await asyncio.wait([looking])


async def look(counts: Counts) -> None:
    """Wake up every millisecond and note by how much too late that was."""
    while True:
        due = time.perf_counter_ns() + 1_000_000
        await asyncio.sleep(0.001)
        counts.longest_stall_ns = max(counts.longest_stall_ns, time.perf_counter_ns() - due)


def tape_of(setting: Setting, symbols: int) -> Tape:
    """Return a live market of so many symbols."""
    universe = setting.universe.take(min(symbols, len(setting.universe.symbols)), setting.seed)
    recent: dict[str, Any] = {symbol: frame.tail(HISTORY) for symbol, frame in universe.frames.items()}
    rates = live_rates(universe)
    return Tape(recent, seed=setting.seed, change_rate=rates, start=HISTORY, cycles_per_bar=STEPS_PER_DAY)


TRIALS = (
    Trial(
        optimization="O01",
        name="one store, several processes",
        description="workers walk the same symbols over 24 cycles, one behind the other, through one store; the "
        "cross-process hit rate is the share of a worker's own fetches that those behind the first were spared by it. "
        "While they walk the providers answer at once; a refetch takes a tenth of their latencies, a recompute is that "
        "of a consensus",
        run=observe_sharing,
        servers=frozenset({"providers", "redis"}),
        reference=LOCAL,
        compared=("read p50 us",),
    ),
    Trial(
        optimization="O01",
        name="the store killed",
        description="two workers' pipelines fetch a minute's market after the other; the store is killed by SIGKILL "
        "within a fetch at a random moment, stays away for two more minutes and comes back empty; what is got is "
        "compared with what the providers say",
        run=observe_kills,
        servers=frozenset({"providers", "redis"}),
    ),
)

if __name__ == "__main__":
    work(pickle.loads(Path(sys.argv[1]).read_bytes()))
