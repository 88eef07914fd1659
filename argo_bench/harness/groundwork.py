"""What is found out before anything is timed: first calls, outputs, counts, memory and trials; and what a run knows.

Everything found is on disk before the next thing begins. An arm that raises is recorded as failed; the others go on.
"""

from __future__ import annotations

import multiprocessing
import pickle
import queue
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec

from argo_bench.harness.benchmark import WORKLOAD, Benchmark
from argo_bench.harness.machine.fitness import Finding
from argo_bench.harness.memory import Forks, Method, Reading, available, memory_of
from argo_bench.harness.pace import Pace
from argo_bench.harness.plan import Counting, Profile, arms, counted, planned, weighed
from argo_bench.harness.record.records import (
    Acceptance,
    Asked,
    Cold,
    Comparison,
    Counts,
    Failure,
    Fidelity,
    LiveRates,
    Memory,
    Observed,
    Plan,
    Samples,
    Tried,
)
from argo_bench.harness.record.store import Kind, Recorded, Writer
from argo_bench.harness.side_by_side import checked, processors, side_by_side
from argo_bench.harness.subject import Subject, declaration_of, plan_of, replicate_seed
from argo_bench.harness.surroundings import Surroundings
from argo_bench.harness.workers.messages import (
    Agreement,
    Arm,
    Checked,
    CheckVariant,
    CheckWorkload,
    MeasureAcceptance,
    Message,
    Prepare,
    Prepared,
    StageArm,
    unfed,
)
from argo_bench.harness.workers.processes import ArmFailed, Twins
from argo_bench.optimizations.optimization import VARIANTS, Optimization, Server
from argo_bench.optimizations.together import SETS
from argo_bench.study.counting import count, pool, work
from argo_bench.study.feed import Feed, place
from argo_bench.study.trials import Setting, Trial, trials

if TYPE_CHECKING:
    from argo_bench.harness.calibration.rates import Used
    from argo_bench.pipeline.market import Universe

Decoded = TypeVar("Decoded")
UNIT_S = {"first calls": 0.35, "checks": 0.35, "counts": 4e-5, "memory": 0.8, "trials": 10.0, "times": 1.0}
"""What a unit of each part of a run is expected to take, before there is anything to go by."""


class Progress(NamedTuple):
    """Seconds that a run has taken and those that it is expected to take still (infinite where that is unknown), what
    it is doing, and the interval so far."""

    spent_s: float
    left_s: float
    doing: str
    seen: str


class Groundwork:
    """The state of a run of some optimizations and benchmarks, and all of it that needs no clock.

    ``writer`` records it, ``on_progress`` is told how it goes. ``universe`` is what the optimizations are fed; None
    where there are only benchmarks. ``machine`` is what was found about its fitness, ``calibrated`` how far the harness
    can be trusted on it, ``asked`` what it can be resumed with, all for the record. ``before`` is the interrupted run
    that is taken up.
    """

    def __init__(
        self,
        subjects: Sequence[Subject],
        universe: Universe | None,
        profile: Profile,
        seed: int,
        writer: Writer,
        run_id: str,
        on_progress: Callable[[Progress], None] = lambda progress: None,
        machine: Sequence[Finding] = (),
        calibrated: Used | None = None,
        asked: Asked | None = None,
        before: Recorded | None = None,
    ) -> None:
        self._subjects = {subject.id: subject for subject in subjects}
        self._universe = universe
        self._profile = profile
        self._seed = seed
        self._writer = writer
        self._run_id = run_id
        self._on_progress = on_progress
        self._machine = machine
        self._calibrated = calibrated
        self._asked = asked
        self._before = before
        self._samples: dict[Comparison, list[Samples]] = {}
        self._call_ns: dict[Arm, int] = {}
        self._block_s: dict[Comparison, float] = {}
        self._fidelities: list[Fidelity] = []
        self._memories: list[Memory] = []
        self._counts: list[Counts] = []
        self._failures: list[Failure] = []
        self._known_failures = 0
        if before is not None:
            self._take_up(before)
        self._declared = {subject.id: declaration_of(subject) for subject in subjects}
        self._declared |= {} if before is None else {each.id: each for each in before.declarations}
        self._planned: Plan = self._new_plan() if before is None else before.plan
        self._comparisons = self._enough_bars(self._runnable(planned(subjects, profile)))
        self._trials = [each for each in trials() if each.optimization in self._subjects and self._is_tried(each)]
        self._trials = [each for each in self._trials if (each.optimization, each.name) not in self._gone()]
        self._beside_s: float | None = None
        self._overrun = 1.0  # the seconds that blocks took for a second planned: long ones take more than their share
        self._pace = Pace(profile.budget_s)
        self._seen = ""

    def _new_plan(self) -> Plan:
        judged = [claim for each in self._subjects.values() for claim in self._profile.claims(each)]
        return plan_of(
            list(self._declared.values()),
            self._profile.looks,
            judged,
            [self._seed_of(number) for number in range(self._profile.seeds)],
            {each: ids for each, ids in SETS.items() if each in self._subjects},
            planned(list(self._subjects.values()), self._profile),
        )

    def _take_up(self, before: Recorded) -> None:
        """Go on with what an interrupted run has measured."""
        self._fidelities = before.all(Fidelity)
        self._memories = before.all(Memory)
        self._counts = before.all(Counts)
        self._failures = before.all(Failure)
        self._known_failures = len(self._failures)
        for samples in before.all(Samples):
            self._samples.setdefault(samples.comparison, []).append(samples)

    def _runnable(self, comparisons: Sequence[Comparison]) -> list[Comparison]:
        """The comparisons whose requirements are met; the others' arms are recorded as untested."""
        missing = {
            (optimization.id, arm): requirement
            for optimization in self._optimizations()
            for arm, requirement in optimization.requires.items()
            if not requirement.is_met
        }
        for (identifier, arm), requirement in missing.items():
            reason = f"{requirement.module} is not installed: {requirement.install_line}"
            self._foresee(Failure(identifier, arm, "untested", reason))
        gone = missing.keys() | self._gone()
        return [
            each
            for each in comparisons
            if not {(each.optimization, name) for name in (each.workload, *arms(each))} & gone
        ]

    def _gone(self) -> set[tuple[str, str]]:
        """Optimizations with the arms, workloads and trials of theirs that are known not to run."""
        return {(each.optimization, each.arm) for each in self._failures}

    def _servers(self) -> set[Server]:
        """What has to run for the workloads and the trials."""
        needed = [self._served(each) for each in self._comparisons]
        return set[Server]().union(*needed, *(each.servers for each in self._trials))

    def _served(self, comparison: Comparison) -> frozenset[Server]:
        """The servers behind the workload of a comparison."""
        subject = self._subjects[comparison.optimization]
        return subject.workload(comparison.workload).servers if isinstance(subject, Optimization) else frozenset()

    def _without(self, missing: Mapping[Server, str]) -> None:
        """Leave out, as untested, what needs a server that is not there."""
        for server, reason in missing.items():
            absent = [each for each in self._comparisons if server in self._served(each)]
            trials = [each for each in self._trials if server in each.servers]
            named = [(each.optimization, each.workload) for each in absent]
            named += [(each.optimization, each.name) for each in trials]
            for optimization, name in dict.fromkeys(named):
                self._fail(Failure(optimization, name, "untested", reason))
            self._comparisons = [each for each in self._comparisons if each not in absent]
            self._trials = [each for each in self._trials if each not in trials]

    def _foresee(self, failure: Failure) -> None:
        """Note what cannot be run, unless the record has it already."""
        if failure not in self._failures:
            self._failures.append(failure)

    def _enough_bars(self, comparisons: Sequence[Comparison]) -> list[Comparison]:
        """The comparisons that the data is long enough for; what it cannot give is recorded as untested."""
        short = {each: self._shortage(each) for each in comparisons}
        for identifier, reason in dict.fromkeys((each.optimization, why) for each, why in short.items() if why):
            self._foresee(Failure(identifier, "every arm", "untested", reason))
        return [each for each, why in short.items() if why is None]

    def _shortage(self, comparison: Comparison) -> str | None:
        subject = self._subjects[comparison.optimization]
        if isinstance(subject, Benchmark):
            return None
        from argo_bench.study.recording import shortage

        assert self._universe is not None, "optimizations need a universe"
        return shortage(subject.workload(comparison.workload), comparison.scale, self._universe)

    def _record(self, feed: Feed, replicate: int, comparisons: Sequence[Comparison]) -> None:
        """Record what comparisons of a replicate are fed, unless that is there; a workload that the data gives no input
        for is untested from here on."""
        barren = feed.record(comparisons, self._seed_of(replicate), self._tell)
        for comparison in [each for each in self._comparisons if place(each) in barren]:
            if comparison in self._comparisons:
                named = f"{comparison.workload} at {comparison.place}"
                self._fail(Failure(comparison.optimization, named, "untested", barren[place(comparison)]))
                self._comparisons = [each for each in self._comparisons if place(each) != place(comparison)]

    def _settle(self, pair: Twins, scratch: Path) -> None:
        """Compare the outputs of every benchmark, choose its clock, and declare it; one that disagrees is not timed."""
        for benchmark in [each for each in self._subjects.values() if isinstance(each, Benchmark)]:
            self._tell(f"checking outputs: {benchmark.name}")
            agreement = Agreement(None, waits=False)
            try:
                with self._failing_arm(benchmark.name, "candidate"):
                    agreement = pair.reference.ask(benchmark.question(scratch), Agreement)
            finally:
                metric = benchmark.metric or ("wall" if agreement.waits else "cpu")
                settled = self._subjects[benchmark.name] = benchmark.measured_in(metric)
                self._declared[benchmark.name] = settled.declaration()
                self._writer.write(settled.declared())
                self._writer.write(settled.declaration())
            if not benchmark.check or self._has_failed(benchmark.name):
                continue
            differs = agreement.difference
            output = "same" if differs is None else f"differs: {differs}"
            counts = {} if differs is None else {differs: 1}
            self._note(Fidelity(benchmark.name, "candidate", WORKLOAD, 1, counts, 0.0, output, differs is None))
            if differs is not None:
                self._comparisons.remove(benchmark.comparison)

    def _has_failed(self, subject: str) -> bool:
        return bool(self._failed_arms(subject))

    def _first_calls(self, pair: Twins, feed: Feed) -> None:
        """Every arm's first call at the headline scale with an empty numba cache, which also shows whether it runs."""
        met = {(each.optimization, each.workload, each.scale, each.arm) for each in self._earlier(Cold)}
        for comparison in filter(self._is_headline_scale, list(self._comparisons)):
            for name in arms(comparison):
                if (*place(comparison), name) in met:
                    continue
                met.add((*place(comparison), name))
                with self._failing(comparison, name):
                    arm = feed.arm(comparison, name)
                    prepared = pair.reference.ask(Prepare(arm), Prepared)
                    if prepared.call_ns is not None:
                        self._call_ns[unfed(arm)] = prepared.call_ns
                    self._writer.write(
                        Cold(*place(comparison), comparison.unit, name, prepared.first_call_ns, compiled=True)
                    )
                pair.revive()
                self._did("first calls", f"first call: {comparison}")

    def _check(self, feed: Feed, scratch: Path) -> None:
        """Outputs against the reference's on every workload, decisions against the oracle's for every variant."""
        if self._universe is None:
            return
        universe = scratch / "universe.pickle"
        universe.write_bytes(pickle.dumps(self._universe))
        market = str(universe), self._seed, self._profile.checked_cycles
        known = {(each.optimization, each.arm, each.workload) for each in self._fidelities}
        questions: dict[tuple[str, str, str | None], Message] = {}
        for each in filter(self._is_headline_scale, self._comparisons):
            arm = feed.arm(each, each.candidate)
            if each.reference == "baseline" and isinstance(arm, StageArm):
                questions[each.optimization, each.candidate, each.workload] = CheckWorkload(arm, each.reference)
        for optimization in self._optimizations():
            for variant in VARIANTS:
                questions[optimization.id, variant, None] = CheckVariant(optimization.id, variant, *market)
        questions = {key: message for key, message in questions.items() if key not in known}
        if not self._earlier(Acceptance):
            questions["", "", None] = MeasureAcceptance(*market)
        self._pace.plan("checks", len(questions), UNIT_S["checks"])
        self._tell("checking outputs")
        for (optimization_id, name, _), answer in checked(questions, self._seed, scratch / "numba"):
            with self._failing_arm(optimization_id, name):
                if isinstance(answer, ArmFailed):
                    raise answer
                if optimization_id:
                    self._note(decoded(answer, Fidelity))
                else:
                    self._writer.write(decoded(answer, Acceptance))
            self._did("checks", f"checking outputs: {optimization_id} {name}")

    def _count(self, scratch: Path) -> None:
        """Exact counts of every arm under several seeds, beside each other on all processors: nothing is timed here."""
        if self._universe is None:
            return
        from argo_bench.study.recording import live_rates

        if not self._earlier(LiveRates):
            self._writer.write(LiveRates(live_rates(self._universe)))
        universe = scratch / "universe.pickle"
        asked = counted(list(self._subjects.values()), self._profile)
        asked = [each for each in map(self._countable, asked) if each.arms]
        with pool(scratch / "numba") as workers:
            running = {
                workers.submit(count, what.under(number), self._seed_of(number), universe, scratch): what.under(number)
                for what in asked
                for number in range(self._profile.seeds)
                if not self._is_counted(what.under(number), self._seed_of(number))
            }
            self._pace.plan("counts", sum(map(work, running.values())), UNIT_S["counts"])
            try:
                for done in as_completed(running):
                    what = running[done]
                    self._did("counts", f"counting: {what.optimization} {what.workload}", work(what))
                    self._keep_counts(done.result())
            except BaseException:
                workers.shutdown(wait=False, cancel_futures=True)
                for child in multiprocessing.active_children():
                    child.terminate()
                raise

    def _is_counted(self, what: Counting, seed: int) -> bool:
        """Whether the record has all counts of a workload under a seed."""
        same = [each for each in self._counts if (each.optimization, each.workload, each.seed) == (*what[:2], seed)]
        known = {(each.scale, each.arm) for each in same}
        return known >= {(scale, arm) for scale, names in what.arms.items() for arm in names}

    def _countable(self, what: Counting) -> Counting:
        """Without the arms that cannot run."""
        absent = {each.arm for each in self._failures if each.optimization == what.optimization}
        arms = {scale: tuple(arm for arm in names if arm not in absent) for scale, names in what.arms.items()}
        return what._replace(arms={scale: names for scale, names in arms.items() if names})

    def _keep_counts(self, counts: Sequence[Counts]) -> None:
        for each in counts:
            self._writer.write(each)
            self._counts.append(each)
            if each.error is not None and each.arm not in self._failed_arms(each.optimization):
                self._fail(Failure(each.optimization, each.arm, "failed", f"{each.workload}: {each.error}"))

    def _failed_arms(self, subject: str) -> set[str]:
        return {each.arm for each in self._failures if each.optimization == subject}

    def _weigh(self, feed: Feed, numba_cache: Path) -> None:
        """The memory of every arm behind a headline claim, each reading in a process of its own; never while timing."""
        done = {(each.optimization, each.workload, each.scale, each.arm) for each in self._memories}
        asked = [each for subject in self._subjects.values() for each in weighed(subject, self._profile)]
        gone = set(planned(list(self._subjects.values()), self._profile)) - set(self._comparisons)
        asked = [each for each in asked if each[0] not in gone]
        feed.record([comparison for comparison, _ in asked], self._seed_of(0), self._tell)
        calls: dict[tuple[str, str, int, str], Callable[[], list[Reading] | ArmFailed]] = {}
        hash_seed = self._seed % 2**32
        idle: queue.SimpleQueue[tuple[int | None, Forks]] = queue.SimpleQueue()
        for comparison, methods in asked:
            for name in arms(comparison):
                key = (*place(comparison), name)
                if key not in done and name not in self._failed_arms(comparison.optimization):
                    arm = feed.arm(comparison, name)
                    calls[key] = partial(_weighed, arm, available(methods), hash_seed, numba_cache, idle)
        self._pace.plan("memory", len(calls), UNIT_S["memory"])
        with ExitStack() as stack:
            for cpu in ((*processors(),) or (None,)) if calls else ():
                idle.put((cpu, stack.enter_context(Forks(hash_seed, numba_cache))))
            for key, readings in side_by_side(calls):
                with self._failing_arm(key[0], key[3]):
                    if isinstance(readings, ArmFailed):
                        raise readings
                    self._memories.append(Memory(*key, readings))
                    self._writer.write(self._memories[-1])
                self._did("memory", f"memory: {key[0]} {key[3]}")

    def _is_tried(self, trial: Trial) -> bool:
        return self._profile.full_trials or (self._profile.every_claim and not trial.study)

    def _try(self, around: Surroundings) -> None:
        """Every trial, observation by observation; one that raises is recorded as failed, and the others go on."""
        if self._universe is None:
            return
        full = self._profile.full_trials
        setting = Setting(self._seed, around.scratch, around.address, around.redis, self._universe, full)
        begun = [(each.optimization, each.trial) for each in self._earlier(Tried)]
        seen_before = set(begun if self._samples else begun[:-1])
        for trial in [each for each in self._trials if (each.optimization, each.name) not in seen_before]:
            self._tell(f"trying {trial.optimization}: {trial.name}")
            self._writer.write(
                Tried(trial.optimization, trial.name, trial.description, trial.reference, [*trial.compared], full)
            )
            try:
                for seen in trial.run(setting):
                    self._writer.write(
                        Observed(trial.optimization, trial.name, seen.condition, seen.arm, {**seen.values})
                    )
                    self._tell(f"trying {trial.optimization}: {trial.name}, {seen.condition}, {seen.arm}")
            except Exception as error:  # noqa: BLE001 - an arm may raise anything under load; it is recorded
                self._fail(Failure(trial.optimization, trial.name, "failed", f"{type(error).__name__}: {error}"))
            self._did("trials", f"tried {trial.optimization}: {trial.name}")

    def _note(self, fidelity: Fidelity) -> None:
        self._fidelities.append(fidelity)
        self._writer.write(fidelity)

    def _earlier(self, kind: type[Kind]) -> list[Kind]:
        """What an earlier part of the run has recorded of a kind."""
        return [] if self._before is None else self._before.all(kind)

    def _optimizations(self) -> list[Optimization]:
        return [each for each in self._subjects.values() if isinstance(each, Optimization)]

    def _is_headline_scale(self, comparison: Comparison) -> bool:
        subject = self._subjects[comparison.optimization]
        if isinstance(subject, Benchmark):
            return True
        return comparison.scale == subject.workload(comparison.workload).scales[0]

    def _seed_of(self, replicate: int) -> int:
        return replicate_seed(self._seed, replicate)

    def _did(self, part: str, doing: str, units: float = 1.0) -> None:
        self._pace.did(part, units)
        self._tell(doing)

    def _tell(self, doing: str) -> None:
        left = self._pace.to_come_s()
        if self._goes_on():
            left = max(left, self._pace.left_s)
        self._on_progress(Progress(self._pace.spent_s, left, doing, self._seen))

    def _goes_on(self) -> bool:
        """Whether replicates after the first look use up what is left of the budget, as they do unless all is decided
        by then."""
        return len(self._profile.looks) > 1 and bool(self._comparisons)

    @contextmanager
    def _failing(self, comparison: Comparison, arm: str) -> Iterator[None]:
        """An arm that raises is recorded as failed, and its comparisons end; the others go on."""
        with self._failing_arm(comparison.optimization, arm):
            yield

    @contextmanager
    def _failing_arm(self, subject: str, arm: str) -> Iterator[None]:
        try:
            yield
        except ArmFailed as error:
            failed = error.arm or arm
            self._fail(Failure(subject, failed, "failed", str(error)))
            self._comparisons = [
                each for each in self._comparisons if each.optimization != subject or failed not in arms(each)
            ]

    def _fail(self, failure: Failure) -> None:
        self._failures.append(failure)
        self._writer.write(failure)


def _weighed(
    arm: Arm,
    methods: Sequence[Method],
    hash_seed: int,
    numba_cache: Path,
    idle: queue.SimpleQueue[tuple[int | None, Forks]],
) -> list[Reading] | ArmFailed:
    """The readings on a processor that is idle, or how the arm failed."""
    processor, forks = idle.get()
    try:
        return memory_of(arm, methods, hash_seed, numba_cache, processor, forks)
    except ArmFailed as error:
        return error
    finally:
        idle.put((processor, forks))


def decoded(checked: Checked, kind: type[Decoded]) -> Decoded:
    return msgspec.json.decode(checked.record, type=kind)
