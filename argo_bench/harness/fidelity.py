"""Whether a variant still computes the same thing: outputs against the reference's, decisions against the oracle's.

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

from argo_bench import baseline
from argo_bench.claim import Optimization, Variant, Workload
from argo_bench.harness.results import Acceptance, Fidelity
from argo_bench.harness.workload import HISTORY, Group, StageBody, days_from
from argo_bench.market import Tape, Universe
from argo_bench.model import Decision, Encoded
from argo_bench.optimizations import build
from argo_bench.pipeline import Cycle, Edit, Pipeline, cycle
from argo_bench.world import SimulatedWorld

CYCLES_PER_BAR = 3
CHANGE_RATE = 0.5
"""The checked market: a new day every third cycle, half of the steps without a tick, so that caches hit and miss."""


@dataclass(slots=True)
class Differences:
    """What was found: counts by kind, and the largest relative error in a number that the tolerance covered."""

    counts: Counter[str] = field(default_factory=Counter)
    largest_error: float = 0.0


def compare(expected: Any, got: Any, tolerance: float, found: Differences, where: str = "output") -> None:
    """Walk two results side by side and note where they differ."""
    if isinstance(expected, float) and isinstance(got, int | float):
        _compare_numbers(expected, float(got), tolerance, found, where)
    elif isinstance(expected, Encoded) and isinstance(got, Encoded):
        _compare_encoded(expected, got, tolerance, found)
    elif isinstance(expected, Mapping) and isinstance(got, Mapping):
        if expected.keys() != got.keys():
            found.counts[f"{where}: keys"] += 1
        for key in expected.keys() & got.keys():
            compare(expected[key], got[key], tolerance, found, str(key))
    elif dataclasses.is_dataclass(expected) and type(expected) is type(got):
        for each in dataclasses.fields(expected):
            compare(getattr(expected, each.name), getattr(got, each.name), tolerance, found, each.name)
    elif _is_list(expected) and _is_list(got):
        if len(expected) != len(got):
            found.counts[f"{where}: length"] += 1
        for left, right in zip(expected, got, strict=False):
            compare(left, right, tolerance, found, where)
    elif expected != got:
        found.counts[where] += 1


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _compare_numbers(expected: float, got: float, tolerance: float, found: Differences, where: str) -> None:
    if expected == got or (math.isnan(expected) and math.isnan(got)):
        return
    error = abs(expected - got) / max(1.0, abs(expected))
    if error <= tolerance:
        found.largest_error = max(found.largest_error, error)
    else:
        found.counts[where] += 1


def _compare_encoded(expected: Encoded, got: Encoded, tolerance: float, found: Differences) -> None:
    if expected.sha256 != got.sha256:
        found.counts["SHA-256"] += 1
    for name in ("log_line", "body"):
        left, right = json.loads(getattr(expected, name)), json.loads(getattr(got, name))
        if left == right and list(left) != list(right):
            found.counts[f"key order of the {name.replace('_', ' ')}"] += 1
        else:
            compare(left, right, tolerance, found, name)


def check_workload(
    optimization: Optimization, workload: Workload, groups: Sequence[Group], reference: Edit, candidate: Edit, arm: str
) -> Fidelity:
    """The candidate's outputs against the reference's, call by call on the recorded inputs."""
    bodies = StageBody(workload, reference, groups), StageBody(workload, candidate, groups)
    expected, got = bodies[0].results(), bodies[1].results()
    for body in bodies:
        body.close()
    found = Differences()
    concerned = 0
    for left, right in zip(expected, got, strict=True):
        before = found.counts.total()
        compare(left, right, optimization.tolerance, found)
        concerned += found.counts.total() > before
    return _fidelity(optimization, arm, workload.name, len(expected), concerned, "calls", found)


@dataclass(frozen=True, slots=True)
class Oracle:
    """The baseline's cycles on a market, and how often its consensus was accepted."""

    universe: Universe
    seed: int
    cycles: tuple[Cycle, ...]

    @classmethod
    def run(cls, universe: Universe, seed: int, cycles: int) -> Oracle:
        return cls(universe, seed, run_cycles(baseline.PIPELINE, universe, seed, cycles))

    @property
    def acceptance(self) -> Acceptance:
        return Acceptance(len(self.cycles) * len(self.universe.symbols), sum(len(each.decided) for each in self.cycles))


def run_cycles(pipeline: Pipeline, universe: Universe, seed: int, cycles: int) -> tuple[Cycle, ...]:
    """So many cycles of a pipeline on the checked market, without latency; days are longer where the data has few."""
    cycles_per_bar = max(CYCLES_PER_BAR, math.ceil(cycles / days_from(universe, HISTORY)))
    tape = Tape(universe.frames, seed=seed, start=HISTORY, change_rate=CHANGE_RATE, cycles_per_bar=cycles_per_bar)
    with SimulatedWorld(tape, seed=seed, latency_scale=0.0) as world:
        return tuple(world.run(cycle(pipeline, world, tape.symbols, number)) for number in range(cycles))


def check_variant(optimization: Optimization, variant: Variant, oracle: Oracle) -> Fidelity:
    """The decisions of the pipeline with one variant switched on, against the oracle's, per (cycle, symbol)."""
    pipeline = build({optimization.id: variant})
    return check_pipeline(optimization, variant, pipeline, oracle)


def check_pipeline(optimization: Optimization, arm: str, pipeline: Pipeline, oracle: Oracle) -> Fidelity:
    """Any pipeline against the oracle: signals missed, extra and flipped, and every field that differs."""
    got = run_cycles(pipeline, oracle.universe, oracle.seed, len(oracle.cycles))
    found = Differences()
    concerned = 0
    for left, right in zip(oracle.cycles, got, strict=True):
        concerned += compare_cycles(left, right, optimization.tolerance, found)
    return _fidelity(optimization, arm, None, oracle.acceptance.symbol_cycles, concerned, "symbol-cycles", found)


def compare_cycles(expected: Cycle, got: Cycle, tolerance: float, found: Differences) -> int:
    """Note the differences of one cycle; how many symbols are concerned."""
    left, right = _by_symbol(expected), _by_symbol(got)
    concerned = set()
    for symbol in left.keys() | right.keys():
        before = found.counts.total()
        if symbol not in right:
            found.counts["missed"] += 1
        elif symbol not in left:
            found.counts["extra"] += 1
        else:
            compare(left[symbol][0], right[symbol][0], tolerance, found)
            compare(left[symbol][1], right[symbol][1], tolerance, found, "stored row")
        if found.counts.total() > before:
            concerned.add(symbol)
    if [each.rule for each in expected.rejected] != [each.rule for each in got.rejected]:
        found.counts["rejections"] += 1
    return len(concerned)


def _by_symbol(cycle: Cycle) -> dict[str, tuple[Decision, Encoded | None]]:
    stored = {each.decision.symbol: each for each in cycle.stored}
    return {decision.symbol: (decision, stored.get(decision.symbol)) for decision in cycle.decided}


def differing(counts: Mapping[str, int]) -> str:
    """The most frequent kinds of differences, in words."""
    return f"differs: {', '.join(kind for kind, _ in Counter(counts).most_common(3))}"


def _fidelity(
    optimization: Optimization,
    arm: str,
    workload: str | None,
    compared: int,
    concerned: int,
    unit: str,
    found: Differences,
) -> Fidelity:
    if found.counts:
        output = f"{differing(found.counts)} in {concerned} of {compared} {unit}"
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
    )
