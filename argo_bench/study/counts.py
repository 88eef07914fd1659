"""Exact counts are taken here: every arm of a workload is replayed on a trace under several seeds.

They say what crossed the border of the process and what an arm did to the output. Counts have no noise and time
nothing, so that seeds may be replayed beside each other. The fast oracle stands in for the baseline's indicators and
regime; latencies are left out where a single stage is replayed.
"""

from __future__ import annotations

import dataclasses
import gc
import inspect
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argo_bench.harness.record.records import Counts
from argo_bench.optimizations import subjects
from argo_bench.optimizations.optimization import CYCLE, Call, Replay, Workload
from argo_bench.pipeline.memo import content_key
from argo_bench.pipeline.model import Bars, Fetched, Ledger, Stage, World
from argo_bench.pipeline.record import Edit
from argo_bench.pipeline.unchanged import skip_unchanged
from argo_bench.pipeline.world import SimulatedWorld, Simulation
from argo_bench.pipeline.world.clock import NS
from argo_bench.study.hits import count_cache_hits, count_layer_hits
from argo_bench.study.hits import layers as layers
from argo_bench.study.observed import AgeOfData, observe
from argo_bench.study.recording import FAST, UNIVERSE, Recording, read_inputs, record, trace_cycles, write_inputs
from argo_bench.study.redundancy import NotingWorld
from argo_bench.study.replay import NoMarket, stage_of
from argo_bench.study.sights import count_sights

CALLS_OF_A_CYCLE = 5
MODELS = ("x_sentiment", "sonar", "explanation")


@dataclass(frozen=True, slots=True)
class StageCounting:
    """Names the arms of a workload to count, by scale with the headline one first, on the traces of one seed."""

    subject: str
    workload: str
    seed: int
    arms: Mapping[int, tuple[str, ...]]

    @property
    def places(self) -> set[tuple[int, str]]:
        return {(scale, arm) for scale, names in self.arms.items() for arm in names}

    @property
    def work(self) -> float:
        """The work that the counting takes, in calls of a stage; a whole cycle is taken for that of several."""
        workload = subjects()[self.subject].workload(self.workload)
        each = CALLS_OF_A_CYCLE if workload.stage == CYCLE else 1
        calls = 0
        for scale, arms in self.arms.items():
            symbols = scale if workload.unit == "symbols" else workload.symbols
            calls += trace_cycles(workload, scale) * symbols * len(arms)
        return calls * each

    def without(self, arms: Collection[str]) -> StageCounting:
        kept = {scale: tuple(arm for arm in names if arm not in arms) for scale, names in self.arms.items()}
        return dataclasses.replace(self, arms={scale: names for scale, names in kept.items() if names})

    def count(self, scratch: Path) -> list[Counts]:
        optimization = subjects()[self.subject]
        workload = optimization.workload(self.workload)
        edits = optimization.edits(workload)
        found: list[Counts] = []
        for scale, arms in self.arms.items():
            recording = load_recording(workload, scratch / UNIVERSE, scale, self.seed, scratch)
            expected = replay(workload, edits["baseline"], recording)
            for arm in arms:
                counts, error = _take_counts(workload, edits[arm], recording, expected, is_baseline=arm == "baseline")
                found.append(Counts(self.subject, self.workload, scale, workload.unit, arm, self.seed, counts, error))
        return found


def load_recording(workload: Workload, universe: Path, scale: int, seed: int, scratch: Path) -> Recording:
    """Return the recording of a trace.

    It is kept in ``scratch``. Of a trace in cycles only the longest is kept, and shorter ones are its beginnings.
    """
    longest = max(workload.scales) if workload.unit == "cycles" else scale
    what = workload.stage, workload.inputs, workload.trace, workload.unit, longest, workload.symbols, workload.cycles
    name = content_key(str((*what, workload.skip_unchanged, workload.opinion_minutes, seed))).hex()
    file = scratch / f"recording-{name}.pickle"
    if file.exists():
        recording: Recording = read_inputs(file)
    else:
        recording = record(workload, read_inputs(universe), longest, seed)
        unfinished = file.with_suffix(f".{os.getpid()}")
        write_inputs(unfinished, recording)
        unfinished.replace(file)
    return recording.until(scale) if workload.unit == "cycles" else recording


def _take_counts(
    workload: Workload, edit: Edit, recording: Recording, expected: Replay, *, is_baseline: bool
) -> tuple[dict[str, float], str | None]:
    try:
        with without_collections():
            got = expected if is_baseline else replay(workload, edit, recording)
        counts = count_crossings(got.world.ledger) | count_redundant(got.world)
        counts |= count_cache_hits(got.pipeline) | count_layer_hits(got.pipeline)
        symbols = 0 if recording.market is None else len(recording.market.symbols)
        counts |= count_sights(workload, got, symbols)
        counts |= got.observed
        if workload.damage is not None:
            counts |= {name: float(value) for name, value in workload.damage(expected, got).items()}
    except Exception as error:  # noqa: BLE001 - a variant may raise anything; it is recorded, and the others go on
        return {}, f"{type(error).__name__}: {error}"
    return counts, None


@contextmanager
def without_collections() -> Iterator[None]:
    """Leave out the full garbage collections that a pipeline asks for: they change no count, and take most of the
    time."""
    collect = gc.collect
    gc.collect = lambda generation=2: 0
    try:
        yield
    finally:
        gc.collect = collect


def replay(workload: Workload, edit: Edit, recording: Recording) -> Replay:
    """Replay one arm on a recorded trace, on newly built state."""
    pipeline, market = edit(FAST), recording.market
    aged = None
    if workload.stage == CYCLE and market is not None:
        aged = AgeOfData(pipeline.fetch, market)
        pipeline = pipeline.replace(fetch=aged)
    if workload.skip_unchanged and workload.stage == CYCLE:
        pipeline = skip_unchanged(pipeline)
    symbols = () if market is None else market.symbols
    # Cycles and consumers overlap only where answers take time; a single call of a stage needs no latency.
    waits = workload.stage == CYCLE or workload.consumers > 1
    latency_scale = workload.latency_scale if waits else 0.0
    on_demand = Simulation(prepare_ahead=False, opinion_minutes=recording.opinion_minutes)
    world = NotingWorld(
        market or NoMarket(), on_demand, seed=recording.seed, latency_scale=latency_scale, durable=False
    )
    with world:
        world.transport = pipeline.transport
        stage = stage_of(pipeline, workload, symbols)
        calls = world.run(_call_stage(world, stage, recording))
        drained_s = world.run(world.wind_down())
    own = pipeline if aged is None else pipeline.replace(fetch=aged.__wrapped__)
    done = Replay(calls, own, world, drained_s)
    return dataclasses.replace(done, observed=observe(workload, done, aged))


async def _call_stage(world: SimulatedWorld, stage: Stage, recording: Recording) -> list[Call]:
    calls: list[Call] = []
    for group in recording.groups:
        await world.idle_until(group.due_ns)
        world.begin(group.cycle)
        world.clock.jump_to(group.virtual_ns)
        for arguments in group.calls:
            began = world.clock.virtual_ns
            result = stage(world, *arguments)
            if inspect.isawaitable(result):
                result = await result
            calls.append(Call(began / NS, world.clock.virtual_ns / NS, group.cycle, arguments, slim(result)))
    return calls


def slim(result: Any) -> Any:
    """Return what is kept of a result: of fetched bars only the
    last one, since a day of histories would fill the memory."""
    if isinstance(result, tuple) and result and isinstance(result[0], Fetched):
        return tuple(map(slim, result))
    if not isinstance(result, Fetched):
        return result
    bars = result.bars
    last = Bars(bars.symbol, bars.timestamps[-1:], bars.values[:, -1:].copy())
    return Fetched(last, result.opinions)


def count_crossings(ledger: Ledger) -> dict[str, float]:
    """Return the counts of what crossed the border of the process."""
    return {
        "requests": float(ledger.requests.total()),
        "model_calls": float(sum(ledger.requests[model] for model in MODELS)),
        "explanations": float(ledger.requests["explanation"]),
        "dollars": ledger.dollars,
        "input_tokens": float(ledger.input_tokens),
        "output_tokens": float(ledger.output_tokens),
        "queries": float(ledger.queries),
        "queries_and_checks": float(ledger.queries + ledger.version_checks),
    }


def count_redundant(world: World) -> dict[str, float]:
    """Count the redundant requests, where the world has noted them."""
    return {"redundant_requests": float(world.redundant_requests)} if isinstance(world, NotingWorld) else {}
