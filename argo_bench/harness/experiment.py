"""A run: what will be compared, the replicates that measure it, and the verdicts at the end.

Everything measured is on disk before the next thing begins. An interrupt ends the measuring, not the run: what was
measured until then is still estimated and judged.
"""

from __future__ import annotations

import pickle
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

import msgspec

from argo_bench.claim import VARIANTS, Optimization, Workload
from argo_bench.harness import environment
from argo_bench.harness.fitness import Finding
from argo_bench.harness.judging import claims_on, judgements, level_of, result_of
from argo_bench.harness.messages import (
    Arm,
    Checked,
    CheckVariant,
    CheckWorkload,
    Drain,
    Drained,
    MeasureAcceptance,
    Prepare,
    Prepared,
    Ready,
    WarmUp,
)
from argo_bench.harness.results import (
    SCHEMA,
    Acceptance,
    Block,
    Cold,
    Comparison,
    End,
    Failure,
    Fidelity,
    Judgement,
    Result,
    Run,
    Samples,
    Writer,
    command_line,
)
from argo_bench.harness.sequential import LOOKS, is_decided
from argo_bench.harness.twins import ArmFailed, Isolation, Twins
from argo_bench.harness.workload import LONGEST_PASS_NS, record, shortage
from argo_bench.market import Universe
from argo_bench.model import UserError

FEWEST_BLOCKS = 4
MOST_BLOCKS = 40

Decoded = TypeVar("Decoded")
Inputs = dict[tuple[str, str, int], Path]
"""The file of recorded inputs by optimization, workload and scale."""


@dataclass(frozen=True, slots=True)
class Profile:
    """How much is measured.

    ``looks``: the numbers of replicates after which a comparison may stop; ``budget_s``: no replicate begins that would
    end after so many seconds, once the first look is reached; ``headline_s`` and ``other_s``: seconds of blocks per
    comparison and replicate.
    """

    name: Literal["quick", "default"]
    isolation: Isolation
    looks: tuple[int, ...]
    budget_s: float
    headline_s: float
    other_s: float
    every_scale: bool
    checked_cycles: int


QUICK = Profile("quick", "shared", (6,), 150, 0.4, 0.2, every_scale=False, checked_cycles=36)
DEFAULT = Profile("default", "twins", LOOKS, 1200, 0.8, 0.4, every_scale=True, checked_cycles=120)
PROFILES = {profile.name: profile for profile in (QUICK, DEFAULT)}


class Progress(NamedTuple):
    """How far a run is (``done`` of ``total``, in expected seconds), what it is doing, and the interval so far."""

    done: float
    total: float
    doing: str
    seen: str


def planned(optimizations: Sequence[Optimization], profile: Profile) -> list[Comparison]:
    """Every comparison of the run: both variants on every workload, further arms at the headline scale."""
    comparisons: list[Comparison] = []
    for optimization in optimizations:
        for workload in optimization.workloads:
            claims = [claim for claim in optimization.claims if claim.workload == workload.name]
            pairs = [("baseline", variant) for variant in VARIANTS]
            pairs += [(each.reference, v) for each in claims if each.reference != "baseline" for v in VARIANTS]
            extra = [arm for arm in optimization.edits(workload) if arm != "baseline" and arm not in VARIANTS]
            for scale in workload.scales if profile.every_scale else workload.scales[:1]:
                further = [("baseline", arm) for arm in extra] if scale == workload.scales[0] else []
                comparisons += [
                    Comparison(optimization.id, workload.name, scale, workload.unit, reference, candidate)
                    for reference, candidate in dict.fromkeys(pairs + further)
                ]
    return comparisons


class Experiment:
    """One run of some optimizations on a universe, recorded by ``writer``; ``on_progress`` is told how it goes.

    ``machine`` is what was found about its fitness, for the record.
    """

    def __init__(
        self,
        optimizations: Sequence[Optimization],
        universe: Universe,
        profile: Profile,
        seed: int,
        writer: Writer,
        run_id: str,
        on_progress: Callable[[Progress], None] = lambda progress: None,
        machine: Sequence[Finding] = (),
    ) -> None:
        self._optimizations = {optimization.id: optimization for optimization in optimizations}
        self._universe = universe
        self._profile = profile
        self._seed = seed
        self._writer = writer
        self._run_id = run_id
        self._on_progress = on_progress
        self._machine = machine
        self._samples: dict[Comparison, list[Samples]] = {}
        self._fidelities: list[Fidelity] = []
        self._failures: list[Failure] = []
        self._began = time.monotonic()
        self._comparisons = self._enough_bars(self._runnable(planned(optimizations, profile)))
        self._checks = len(optimizations) * len(VARIANTS)
        self._done = 0.0
        self._seen = ""

    def run(self) -> list[Judgement]:
        """Measure, check and judge. Re-raises KeyboardInterrupt after what was measured has been judged."""
        self._began = time.monotonic()
        self._writer.write(self._header())
        for failure in self._failures:
            self._writer.write(failure)
        interrupted = False
        with tempfile.TemporaryDirectory(prefix="argo-bench-") as scratch:
            try:
                self._measure(Path(scratch))
            except KeyboardInterrupt:
                interrupted = True
        verdicts = self._conclude()
        replicates = max((len(samples) for samples in self._samples.values()), default=0)
        self._writer.write(End(time.monotonic() - self._began, interrupted, replicates))
        if interrupted:
            raise KeyboardInterrupt
        return verdicts

    # Before measuring

    def _header(self) -> Run:
        return Run(
            schema=SCHEMA,
            run=self._run_id,
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            command=command_line(),
            profile=self._profile.name,
            isolation=self._profile.isolation,
            seed=self._seed,
            looks=list(self._profile.looks),
            symbols=dict(self._universe.origin),
            source=self._universe.source,
            optimizations=list(self._optimizations),
            environment=environment.facts() | {"fitness": [msgspec.structs.asdict(each) for each in self._machine]},
        )

    def _runnable(self, comparisons: Sequence[Comparison]) -> list[Comparison]:
        """The comparisons whose requirements are met; the others' arms are recorded as untested."""
        missing = {
            (optimization.id, arm): requirement
            for optimization in self._optimizations.values()
            for arm, requirement in optimization.requires.items()
            if not requirement.is_met
        }
        for (identifier, arm), requirement in missing.items():
            reason = f"{requirement.module} is not installed: {requirement.install_line}"
            self._failures.append(Failure(identifier, arm, "untested", reason))
        return [each for each in comparisons if not {(each.optimization, arm) for arm in arms(each)} & missing.keys()]

    def _enough_bars(self, comparisons: Sequence[Comparison]) -> list[Comparison]:
        """The comparisons that the data is long enough for; what it cannot give is recorded as untested."""
        short = {each: shortage(self._workload(each), each.scale, self._universe) for each in comparisons}
        for identifier, reason in dict.fromkeys((each.optimization, why) for each, why in short.items() if why):
            self._failures.append(Failure(identifier, "every arm", "untested", reason))
        return [each for each, why in short.items() if why is None]

    # Measuring

    def _measure(self, scratch: Path) -> None:
        universe = scratch / "universe.pickle"
        universe.write_bytes(pickle.dumps(self._universe))
        inputs = self._recorded(scratch, replicate=0)
        with Twins("shared", self._seed, scratch / "numba") as pair:
            self._first_calls(pair, inputs)
            self._check(pair, inputs, universe)
        first, most = self._profile.looks[0], self._profile.looks[-1]
        longest = 0.0
        for replicate in range(most):
            if replicate in self._profile.looks:
                self._comparisons = [each for each in self._comparisons if not self._is_decided(each)]
            spent = time.monotonic() - self._began
            if not self._comparisons or (replicate >= first and spent + longest > self._profile.budget_s):
                return
            if replicate:
                inputs = self._recorded(scratch, replicate)
            self._replicate(replicate, inputs, scratch / "numba")
            longest = max(longest, time.monotonic() - self._began - spent)

    def _is_decided(self, comparison: Comparison) -> bool:
        """Whether more replicates could change no verdict; comparisons behind no claim stop at the first look."""
        optimization = self._optimizations[comparison.optimization]
        result = result_of(comparison, self._samples[comparison], self._level(comparison))
        claims = claims_on(optimization, comparison)
        return is_decided(claims, [result.on(claim.metric) for claim in claims])

    def _recorded(self, scratch: Path, replicate: int) -> Inputs:
        """The files that hold each workload's inputs, recorded with the replicate's seed."""
        files: Inputs = {}
        for comparison in list(self._comparisons):
            key = (comparison.optimization, comparison.workload, comparison.scale)
            if key in files or comparison not in self._comparisons:
                continue
            self._tell(f"recording {comparison.workload} at {comparison.scale}")
            try:
                groups = record(self._workload(comparison), self._universe, comparison.scale, self._seed_of(replicate))
            except UserError as error:
                self._drop(comparison, str(error))
                continue
            files[key] = scratch / f"inputs-{len(files)}.pickle"
            files[key].write_bytes(pickle.dumps(groups))
        return files

    def _drop(self, comparison: Comparison, reason: str) -> None:
        """A workload that the data gives no input for is untested; what was measured of it stays."""
        failure = Failure(comparison.optimization, f"{comparison.workload} at {comparison.place}", "untested", reason)
        self._failures.append(failure)
        self._writer.write(failure)
        place = (comparison.optimization, comparison.workload, comparison.scale)
        self._comparisons = [e for e in self._comparisons if (e.optimization, e.workload, e.scale) != place]

    def _first_calls(self, pair: Twins, inputs: Inputs) -> None:
        """Every arm's first call with an empty numba cache, which also shows whether the arm runs at all."""
        for comparison in list(self._comparisons):
            for arm in (self._arm(comparison, name, inputs) for name in arms(comparison)):
                with self._failing(comparison, arm.arm):
                    prepared = pair.reference.ask(Prepare(arm), Prepared)
                    if prepared.first_call_ns is not None:
                        self._writer.write(
                            Cold(
                                arm.optimization,
                                arm.workload,
                                arm.scale,
                                comparison.unit,
                                arm.arm,
                                prepared.first_call_ns,
                                compiled=True,
                            )
                        )
            self._tell(f"first call: {comparison}")

    def _check(self, pair: Twins, inputs: Inputs, universe: Path) -> None:
        """Outputs against the reference's on every workload, decisions against the oracle's for every variant."""
        cycles = self._profile.checked_cycles
        self._tell("checking outputs: the oracle")
        measured = pair.reference.ask(MeasureAcceptance(str(universe), self._seed, cycles), Checked)
        self._writer.write(decoded(measured, Acceptance))
        for comparison in list(self._comparisons):
            workload = self._workload(comparison)
            if comparison.reference != "baseline" or comparison.scale != workload.scales[0]:
                continue
            self._tell(f"checking outputs: {comparison.optimization} {comparison.candidate}")
            with self._failing(comparison, comparison.candidate):
                arm = self._arm(comparison, comparison.candidate, inputs)
                self._note(decoded(pair.reference.ask(CheckWorkload(arm, comparison.reference), Checked), Fidelity))
        for optimization in self._optimizations.values():
            for variant in VARIANTS:
                self._advance(1.0, f"checking decisions: {optimization.id} {variant}")
                with self._failing_arm(optimization.id, variant):
                    message = CheckVariant(optimization.id, variant, str(universe), self._seed, cycles)
                    self._note(decoded(pair.reference.ask(message, Checked), Fidelity))

    def _note(self, fidelity: Fidelity) -> None:
        self._fidelities.append(fidelity)
        self._writer.write(fidelity)

    def _replicate(self, replicate: int, inputs: Inputs, numba_cache: Path) -> None:
        """Every comparison once, in random order, in a fresh pair of processes."""
        seed = self._seed_of(replicate)
        rng = random.Random(seed)
        order = rng.sample(self._comparisons, len(self._comparisons))
        with Twins(self._profile.isolation, seed % 2**32, numba_cache) as pair:
            for comparison in order:
                if comparison not in self._comparisons:
                    continue
                self._tell(str(comparison))
                with self._failing(comparison, comparison.candidate):
                    self._keep(self._compared(pair, comparison, inputs, replicate, rng))
                self._advance(self._seconds(comparison), str(comparison))

    def _compared(
        self,
        pair: Twins,
        comparison: Comparison,
        inputs: Inputs,
        replicate: int,
        rng: random.Random,
    ) -> Samples:
        """Warm both arms up on the same calls, then ABBA or BAAB blocks until the comparison's seconds are used."""
        reference, candidate = (self._arm(comparison, name, inputs) for name in arms(comparison))
        first = pair.reference.ask(Prepare(reference), Prepared), pair.candidate.ask(Prepare(candidate), Prepared)
        calls = max(1, min(first[0].calls, LONGEST_PASS_NS // max(each.call_ns for each in first)))
        ready = (
            pair.reference.ask(WarmUp(reference, calls), Ready),
            pair.candidate.ask(WarmUp(candidate, calls), Ready),
        )
        blocks: list[Block] = []
        budget = self._block_seconds(comparison)
        started = time.monotonic()
        while len(blocks) < FEWEST_BLOCKS or (len(blocks) < MOST_BLOCKS and time.monotonic() - started < budget):
            order: Literal["ABBA", "BAAB"] = rng.choice(("ABBA", "BAAB"))
            blocks.append(pair.block(order, (reference, ready[0].passes), (candidate, ready[1].passes)))
        return Samples(
            comparison,
            replicate,
            self._seed_of(replicate),
            reference_calls=ready[0].passes * ready[0].calls,
            candidate_calls=ready[1].passes * ready[1].calls,
            blocks=blocks,
            reference_first_call_ns=first[0].first_call_ns,
            candidate_first_call_ns=first[1].first_call_ns,
            reference_drain_ns=pair.reference.ask(Drain(reference), Drained).ns_per_call,
            candidate_drain_ns=pair.candidate.ask(Drain(candidate), Drained).ns_per_call,
        )

    def _keep(self, samples: Samples) -> None:
        self._writer.write(samples)
        taken = self._samples.setdefault(samples.comparison, [])
        taken.append(samples)
        estimate = result_of(samples.comparison, taken, self._level(samples.comparison)).cpu
        if (interval := estimate.speedup_interval) is not None:
            candidate = f"{samples.comparison.optimization} {samples.comparison.candidate}"
            self._seen = f"{candidate} {estimate.speedup:.3g}x [{interval[0]:.3g}, {interval[1]:.3g}]"

    # After measuring

    def _conclude(self) -> list[Judgement]:
        results: list[Result] = []
        for comparison, samples in self._samples.items():
            results.append(result_of(comparison, samples, self._level(comparison)))
            self._writer.write(results[-1])
        verdicts = judgements(list(self._optimizations.values()), results, self._fidelities, self._failures)
        for verdict in verdicts:
            self._writer.write(verdict)
        return verdicts

    # What belongs to a comparison

    def _workload(self, comparison: Comparison) -> Workload:
        return self._optimizations[comparison.optimization].workload(comparison.workload)

    def _level(self, comparison: Comparison) -> float:
        return level_of(self._optimizations[comparison.optimization], comparison, self._profile.looks)

    def _arm(self, comparison: Comparison, name: str, inputs: Inputs) -> Arm:
        file = inputs[comparison.optimization, comparison.workload, comparison.scale]
        return Arm(comparison.optimization, comparison.workload, comparison.scale, name, str(file))

    def _seed_of(self, replicate: int) -> int:
        return replicate_seed(self._seed, replicate)

    def _block_seconds(self, comparison: Comparison) -> float:
        claims = claims_on(self._optimizations[comparison.optimization], comparison)
        return self._profile.headline_s if any(claim.headline for claim in claims) else self._profile.other_s

    def _seconds(self, comparison: Comparison) -> float:
        """What a comparison is expected to take in one replicate, warm-up of the candidate included."""
        return self._block_seconds(comparison) + 0.4

    # Progress and failures

    def _advance(self, seconds: float, doing: str) -> None:
        self._done += seconds
        self._tell(doing)

    def _tell(self, doing: str) -> None:
        self._on_progress(Progress(self._done, max(self._done, self._expected()), doing, self._seen))

    def _expected(self) -> float:
        """Seconds of work in all, as far as can be told: what is decided leaves at the next look."""
        measured = max((len(samples) for samples in self._samples.values()), default=0)
        next_look = next((look for look in self._profile.looks if look > measured), self._profile.looks[-1])
        to_come = sum(
            (next_look - len(self._samples.get(each, ()))) * self._seconds(each) for each in self._comparisons
        )
        return to_come + (self._done if self._samples else self._checks)

    @contextmanager
    def _failing(self, comparison: Comparison, arm: str) -> Iterator[None]:
        """An arm that raises is recorded as failed, and its comparisons end; the others go on."""
        with self._failing_arm(comparison.optimization, arm):
            yield

    @contextmanager
    def _failing_arm(self, optimization: str, arm: str) -> Iterator[None]:
        try:
            yield
        except ArmFailed as error:
            failure = Failure(optimization, arm, "failed", str(error))
            self._failures.append(failure)
            self._writer.write(failure)
            self._comparisons = [
                each for each in self._comparisons if each.optimization != optimization or arm not in arms(each)
            ]


def replicate_seed(seed: int, replicate: int) -> int:
    """The seed of a replicate's market and of the order of its blocks."""
    return seed * 1000 + replicate


def arms(comparison: Comparison) -> tuple[str, str]:
    return comparison.reference, comparison.candidate


def decoded(checked: Checked, kind: type[Decoded]) -> Decoded:
    return msgspec.json.decode(checked.record, type=kind)


def run_id(profile: Profile, at: datetime) -> str:
    """A name for the run's directory that sorts by time."""
    return f"{at:%Y%m%d-%H%M%S}-{profile.name}"
