"""Does a variant still compute the same thing? Outputs are compared with the reference's, decisions with the oracle's.

The oracle is a cache-free float64 run of the baseline on the same ticks. Differences are counted exactly; a relative
difference in a number up to the declared tolerance is not counted, but its size is kept.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from argo_bench.harness.judging.outputs import describe_differences, list_most_frequent
from argo_bench.harness.record.records import Fidelity
from argo_bench.optimizations import build
from argo_bench.optimizations.optimization import Optimization, Variant, Workload
from argo_bench.pipeline import baseline
from argo_bench.pipeline.baseline.encode import SIGNED
from argo_bench.pipeline.market import Tape, Universe
from argo_bench.pipeline.model import Decision, Encoded, Fetched, Reasoning, Stage, World
from argo_bench.pipeline.record import Cycle, Edit, Pipeline, cycle, settle
from argo_bench.pipeline.world import SimulatedWorld
from argo_bench.pipeline.world.base import CYCLE_S
from argo_bench.pipeline.world.database import summarize_readings
from argo_bench.study.recording import FAST, HISTORY, Recording, days_from
from argo_bench.study.records import Acceptance
from argo_bench.study.replay import StageBody

CYCLES_PER_BAR = 3
CHANGE_RATE = 0.5
"""The checked market has a new day every third cycle and no tick in half of the steps, so that caches hit and miss."""


@dataclass(slots=True)
class Differences:
    """Holds the differences that were found.

    ``counts`` are by kind, ``permitted`` are those of the permitted kinds, and ``largest_error`` is the largest
    relative error in a number that the tolerance covered. ``permits`` None stands for every kind.
    ``concerned`` are the calls or symbol-cycles in which something is not permitted. ``same_rows`` says that the same
    signals have been stored so far, so that readers should see the same.
    """

    permits: frozenset[str] | None = frozenset()
    counts: Counter[str] = field(default_factory=Counter)
    permitted: Counter[str] = field(default_factory=Counter)
    largest_error: float = 0.0
    concerned: int = 0
    same_rows: bool = True

    def note(self, kind: str) -> None:
        counter = self.permitted if self.permits is None or kind in self.permits else self.counts
        counter[kind] += 1


def note_differences(expected: Any, got: Any, tolerance: float, found: Differences, where: str = "output") -> None:
    """Walk two results side by side and note where they differ."""
    if isinstance(expected, float) and isinstance(got, int | float):
        _compare_numbers(expected, float(got), tolerance, found, where)
    elif isinstance(expected, np.ndarray) and isinstance(got, np.ndarray):
        if expected.dtype != got.dtype or not np.array_equal(expected, got, equal_nan=expected.dtype.kind == "f"):
            found.note(where)
    elif isinstance(expected, pd.DataFrame) and isinstance(got, pd.DataFrame):
        _compare_frames(expected, got, tolerance, found)
    elif isinstance(expected, Encoded) and isinstance(got, Encoded):
        _compare_encoded(expected, got, tolerance, found)
    elif isinstance(expected, Cycle) and isinstance(got, Cycle):
        compare_cycles(expected, got, tolerance, found)
    elif isinstance(expected, Reasoning) and isinstance(got, Reasoning):
        note_differences(expected.text, got.text, tolerance, found, "reasoning")
        note_differences(expected.author, got.author, tolerance, found, "reasoning author")
    elif isinstance(expected, Mapping) and isinstance(got, Mapping):
        if expected.keys() != got.keys():
            found.note(f"{where}: keys")
        for key in expected.keys() & got.keys():
            note_differences(expected[key], got[key], tolerance, found, str(key))
    elif dataclasses.is_dataclass(expected) and type(expected) is type(got):
        for each in dataclasses.fields(expected):
            note_differences(getattr(expected, each.name), getattr(got, each.name), tolerance, found, each.name)
    elif _is_list(expected) and _is_list(got):
        if len(expected) != len(got):
            found.note(f"{where}: length")
        for left, right in zip(expected, got, strict=False):
            note_differences(left, right, tolerance, found, where)
    elif expected != got:
        found.note(where)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _compare_numbers(expected: float, got: float, tolerance: float, found: Differences, where: str) -> None:
    if expected == got or (math.isnan(expected) and math.isnan(got)):
        return
    error = abs(expected - got) / max(1.0, abs(expected))
    if error <= tolerance:
        found.largest_error = max(found.largest_error, error)
    else:
        found.note(where)


def _compare_frames(expected: pd.DataFrame, got: pd.DataFrame, tolerance: float, found: Differences) -> None:
    if not (expected.columns.equals(got.columns) and expected.index.equals(got.index)):
        found.note("frame: columns or index")
        return
    for name in expected.columns:
        before, after = (frame[name].to_numpy(np.float64) for frame in (expected, got))
        worst = int(np.argmax(np.nan_to_num(np.abs(before - after) / np.maximum(1.0, np.abs(before)), nan=np.inf)))
        _compare_numbers(float(before[worst]), float(after[worst]), tolerance, found, f"{name} of the frame")


def list_signed_fields(encoded: Encoded) -> list[Any]:
    return [getattr(encoded.decision, name) for name in SIGNED]


def _compare_encoded(expected: Encoded, got: Encoded, tolerance: float, found: Differences) -> None:
    # Where the numbers differ the digest has to: the numbers themselves are compared elsewhere.
    if expected.sha256 != got.sha256 and list_signed_fields(expected) == list_signed_fields(got):
        found.note("SHA-256")
    for name in ("log_line", "body"):
        left, right = json.loads(getattr(expected, name)), json.loads(getattr(got, name))
        if left == right and list(left) != list(right):
            found.note(f"key order of the {name.replace('_', ' ')}")
        else:
            note_differences(left, right, tolerance, found, name)


def check_workload(
    optimization: Optimization, workload: Workload, recording: Recording, reference: Edit, candidate: Edit, arm: str
) -> Fidelity:
    """Compare the candidate's outputs with the reference's, call by call on the recorded inputs."""
    bodies = StageBody(workload, reference, recording), StageBody(workload, candidate, recording)
    if workload.servers:
        for body in bodies:
            body.keep(body.few)
    expected, got = bodies[0].collect_results(), bodies[1].collect_results()
    for body in bodies:
        body.close()
    found = Differences(find_permitted(optimization, arm))
    for left, right in zip(expected, got, strict=True):
        before = found.counts.total()
        note_differences(left, right, optimization.tolerance, found)
        found.concerned += found.counts.total() > before
    return _make_fidelity(optimization, arm, workload.name, len(expected), found)


def find_permitted(optimization: Optimization, arm: str) -> frozenset[str] | None:
    """Return the fields that may read differently.

    It is None, for any field, where data may be older: then the age of the data is checked instead.
    """
    return None if optimization.staleness_s and arm == "engineered" else optimization.permits


@dataclass(frozen=True, slots=True)
class Oracle:
    """Holds the baseline's cycles on a market, what they fetched, and how often its consensus was accepted."""

    universe: Universe
    seed: int
    cycles: tuple[Cycle, ...]
    fetched: Mapping[tuple[int, str], Fetched]

    @classmethod
    def run(cls, universe: Universe, seed: int, cycles: int) -> Oracle:
        return cls(universe, seed, *run_cycles(baseline.PIPELINE, universe, seed, cycles))

    @property
    def acceptance(self) -> Acceptance:
        return Acceptance(len(self.cycles) * len(self.universe.symbols), sum(len(each.decided) for each in self.cycles))


class _Fetching:
    """Wraps a fetch stage and remembers what it returned, by
    cycle and symbol, since symbols may overtake each other."""

    def __init__(self, fetch: Stage) -> None:
        self._fetch = fetch
        self.fetched: dict[tuple[int, str], Fetched] = {}

    async def __call__(self, world: World, symbol: str) -> Fetched:
        fetched: Fetched = await settle(self._fetch(world, symbol))
        self.fetched[world.cycle, symbol] = fetched
        return fetched


def run_cycles(
    pipeline: Pipeline, universe: Universe, seed: int, cycles: int
) -> tuple[tuple[Cycle, ...], Mapping[tuple[int, str], Fetched]]:
    """Run ``cycles`` cycles of a pipeline on the checked market,
    without latency, and return them with what they fetched.

    Days are made longer where the data has few of them.
    """
    cycles_per_bar = max(CYCLES_PER_BAR, math.ceil(cycles / days_from(universe, HISTORY)))
    tape = Tape(universe.frames, seed=seed, start=HISTORY, change_rate=CHANGE_RATE, cycles_per_bar=cycles_per_bar)
    fetching = _Fetching(pipeline.fetch)
    pipeline = pipeline.replace(fetch=fetching)
    with SimulatedWorld(tape, seed=seed, latency_scale=0.0, durable=False) as world:
        walked = tuple(world.run(cycle(pipeline, world, tape.symbols, number)) for number in range(cycles))
    return walked, fetching.fetched


def count_older_than(
    staleness_s: float, expected: Mapping[tuple[int, str], Fetched], got: Mapping[tuple[int, str], Fetched]
) -> int:
    """Count the fetches that returned an answer which no provider had given within the last ``staleness_s`` seconds.

    Both mappings are by cycle and symbol.
    """
    steps = int(staleness_s // CYCLE_S)
    history: dict[str, list[tuple[object, ...]]] = {}
    late = 0
    for (number, symbol), then in sorted(expected.items(), key=lambda each: each[0]):
        seen = history.setdefault(symbol, [])
        seen.append(_answers(then))
        recent = seen[-1 - steps :]
        if (now := got.get((number, symbol))) is not None:
            late += any(answer not in known for answer, *known in zip(_answers(now), *recent, strict=True))
    return late


def _answers(fetched: Fetched) -> tuple[object, ...]:
    """Return everything that a fetch was told, answer by answer; of the bars the last one with its time."""
    technical = tuple(sorted(fetched.opinions.technical.items()))
    last = fetched.bars.timestamps[-1], *fetched.bars.values[:, -1].tolist()
    return last, *technical, fetched.opinions.x_sentiment, fetched.opinions.sonar


def check_variant(optimization: Optimization, variant: Variant, oracle: Oracle) -> Fidelity:
    """Compare the decisions of the pipeline with one variant switched on with the oracle's, per (cycle, symbol).

    Where the variant leaves indicators or regime as they are, the fast oracle stands in for the baseline's.
    """
    pipeline = build({optimization.id: variant})
    left = [part for part in ("indicators", "regime") if getattr(pipeline, part) is getattr(baseline.PIPELINE, part)]
    pipeline = pipeline.replace(**{part: getattr(FAST, part) for part in left})
    return check_pipeline(optimization, variant, pipeline, oracle)


def check_pipeline(optimization: Optimization, arm: str, pipeline: Pipeline, oracle: Oracle) -> Fidelity:
    """Compare any pipeline with the oracle: signals missed, extra and flipped, and every field that differs."""
    got, fetched = run_cycles(pipeline, oracle.universe, oracle.seed, len(oracle.cycles))
    found = Differences(find_permitted(optimization, arm))
    for left, right in zip(oracle.cycles, got, strict=True):
        found.concerned += compare_cycles(left, right, optimization.tolerance, found)
    if found.permits is None and (late := count_older_than(optimization.staleness_s, oracle.fetched, fetched)):
        found.counts["older than declared"] += late
        found.concerned += late
    return _make_fidelity(optimization, arm, None, oracle.acceptance.symbol_cycles, found)


def compare_cycles(expected: Cycle, got: Cycle, tolerance: float, found: Differences) -> int:
    """Note the differences of one cycle, and return how many symbols they concern."""
    left, right = _by_symbol(expected), _by_symbol(got)
    concerned = set()
    for symbol in left.keys() | right.keys():
        before = found.counts.total()
        if symbol not in right:
            found.note("missed")
        elif symbol not in left:
            found.note("extra")
        else:
            note_differences(left[symbol][0], right[symbol][0], tolerance, found)
            note_differences(left[symbol][1], right[symbol][1], tolerance, found, "stored row")
        if found.counts.total() > before:
            concerned.add(symbol)
    if [each.rule for each in expected.rejected] != [each.rule for each in got.rejected]:
        found.note("rejections")
    found.same_rows &= _identities(expected.stored) == _identities(got.stored)
    if found.same_rows and summarize_readings(expected.readings) != summarize_readings(got.readings):
        found.note("what readers see")
    return len(concerned)


def _identities(stored: Sequence[Encoded]) -> list[str]:
    return [each.decision.signal_id for each in stored]


def _by_symbol(cycle: Cycle) -> dict[str, tuple[Decision, Encoded | None]]:
    stored = {each.decision.symbol: each for each in cycle.stored}
    return {decision.symbol: (decision, stored.get(decision.symbol)) for decision in cycle.decided}


def _make_fidelity(
    optimization: Optimization, arm: str, workload: str | None, compared: int, found: Differences
) -> Fidelity:
    """What was found in ``compared`` calls of a workload; without one, in symbol-cycles of a whole pipeline."""
    if found.counts:
        unit = "symbol-cycles" if workload is None else "calls"
        output = f"{describe_differences(found.counts)} in {found.concerned} of {compared} {unit}"
    elif found.permitted:
        output = f"as declared ({optimization.may_change}: {list_most_frequent(found.permitted)})"
    elif found.largest_error:
        output = f"as declared ({optimization.may_change}, at most {found.largest_error:.0e})"
    else:
        output = "same"
    return Fidelity(
        optimization.id,
        arm,
        workload,
        compared,
        dict(found.counts),
        found.largest_error,
        output,
        faithful=not found.counts,
        permitted=dict(found.permitted),
    )
