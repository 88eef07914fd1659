"""Holds what a run knows: its subjects, what is still to be compared, and all that was found so far."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from argo_bench.harness.claims.claim import Claim
from argo_bench.harness.claims.metrics import Metric
from argo_bench.harness.judging.results import estimate_result
from argo_bench.harness.machine.environment import worker_cpu
from argo_bench.harness.pace import Pace
from argo_bench.harness.plan import GRACE, SET_UP_S, Profile, arms, make_plan, replicate_seed
from argo_bench.harness.progress import Progress
from argo_bench.harness.record.records import (
    Comparison,
    Counts,
    Declaration,
    Failure,
    Fidelity,
    Memory,
    Plan,
    Run,
    Samples,
)
from argo_bench.harness.record.store import Recorded, Writer, subject_of
from argo_bench.harness.shortage import DUE, Rank, rank_of, write_left_out
from argo_bench.harness.subject import Around, Job, Subject, Supply
from argo_bench.harness.workers.messages import Arm
from argo_bench.harness.workers.processes import ArmFailed, Twins, WorkerProcess

Kind = TypeVar("Kind")
Place = tuple[str, str, int]
"""A place is an optimization, a workload and a scale; comparisons of one place share recorded inputs."""


def place_of(comparison: Comparison) -> Place:
    return comparison.optimization, comparison.workload, comparison.scale


def _list_names(comparison: Comparison) -> set[tuple[str, str]]:
    """Return the names under which a failure ends a comparison."""
    place = f"{comparison.workload} at {comparison.place}"
    return {(comparison.optimization, name) for name in (comparison.workload, place, *arms(comparison))}


@dataclass(slots=True)
class RunState:
    """Holds the state of a run, which the passes and the replicates read and extend.

    ``before`` is the interrupted run that is continued. ``call_ns`` has what a call takes by an arm's key, and
    ``block_s`` the seconds of blocks that are worth taking of a comparison; ``replicate_s`` has those that a comparison
    took in its last replicate, blocks and all. ``until`` is the moment of the monotonic
    clock at which workers are ended; it is None where the time is only aimed at, as by a study. ``prepared_s`` are the
    seconds before the first replicate, and ``longest_s`` those of the longest replicate: no other begins where there is
    less time left. ``common`` are lines about the run as a whole that another process has measured.
    """

    subjects: dict[str, Subject]
    supply: Supply
    profile: Profile
    seed: int
    writer: Writer
    on_progress: Callable[[Progress], None]
    before: Recorded | None
    declared: dict[str, Declaration]
    plan: Plan
    pace: Pace
    comparisons: list[Comparison] = field(default_factory=list)
    samples: dict[Comparison, list[Samples]] = field(default_factory=dict)
    fidelities: list[Fidelity] = field(default_factory=list)
    memories: list[Memory] = field(default_factory=list)
    counts: list[Counts] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    common: list[msgspec.Struct] = field(default_factory=list)
    call_ns: dict[str, int] = field(default_factory=dict)
    block_s: dict[Comparison, float] = field(default_factory=dict)
    replicate_s: dict[Comparison, float] = field(default_factory=dict)
    seen: str = ""
    until: float | None = None
    prepared_s: float | None = None
    longest_s: float = 0.0

    @classmethod
    def begin(
        cls, job: Job, writer: Writer, on_progress: Callable[[Progress], None], before: Recorded | None
    ) -> RunState:
        """Return the state of a run: nothing is measured yet, or what the interrupted run ``before`` measured."""
        subjects = {subject.id: subject for subject in job.subjects}
        declared = {subject.id: subject.declaration() for subject in job.subjects}
        planned = [comparison for subject in job.subjects for comparison in subject.comparisons(job.profile)]
        if before is None:
            plan = make_plan(list(declared.values()), planned, job.profile, job.seed, job.supply.families(), job.sets)
            plan = msgspec.structs.replace(plan, only_checks=job.only_checks)
        else:
            plan = before.plan
            declared |= {each.id: each for each in before.declarations}
        pace = Pace(job.profile.budget_s)
        state = cls(
            subjects, job.supply, job.profile, job.seed, writer, on_progress, before, declared, plan, pace, planned
        )
        is_bound = all(each.functions for each in declared.values())  # a study keeps what it promises to measure
        if is_bound and math.isfinite(job.profile.budget_s):
            state.until = time.monotonic() + GRACE * job.profile.budget_s
        state._take_up()
        state._leave_out_obstacles()
        return state

    def _take_up(self) -> None:
        """Take over what the interrupted run has measured."""
        self.fidelities = self.earlier(Fidelity)
        self.memories = self.earlier(Memory)
        self.counts = self.earlier(Counts)
        self.failures = self.earlier(Failure)
        for samples in self.earlier(Samples):
            self.samples.setdefault(samples.comparison, []).append(samples)
        before = () if self.before is None else self.before.records
        self.common = [each for each in before if subject_of(each) is None and not isinstance(each, Run | Plan)]

    def _leave_out_obstacles(self) -> None:
        """Leave out, as untested, what cannot run here, and what is known to have failed."""
        gone = self.dropouts
        self.comparisons = [each for each in self.comparisons if not _list_names(each) & gone]
        for subject in self.subjects.values():
            own = [each for each in self.comparisons if each.optimization == subject.id]
            for name, reason, concerned in subject.obstacles(own):
                failure = Failure(subject.id, name, "untested", reason)
                if failure not in self.failures:
                    self.failures.append(failure)
                self.comparisons = [each for each in self.comparisons if each not in concerned]

    @property
    def dropouts(self) -> set[tuple[str, str]]:
        """Return pairs of a subject and the name of its arm, workload or trial that is known not to run."""
        return {(each.optimization, each.arm) for each in self.failures}

    def subject_of(self, comparison: Comparison) -> Subject:
        return self.subjects[comparison.optimization]

    def claims_on(self, comparison: Comparison) -> list[Claim]:
        """Return the claims whose verdicts rest on the comparison."""
        return self.declared[comparison.optimization].claims_on(comparison)

    def level_of(self, comparison: Comparison) -> float:
        return self.plan.level_of(self.declared[comparison.optimization], comparison)

    def metric_of(self, comparison: Comparison) -> Metric:
        return next((each.metric for each in self.claims_on(comparison)), "cpu")

    def is_at_headline_scale(self, comparison: Comparison) -> bool:
        workload = self.declared[comparison.optimization].workload(comparison.workload)
        return comparison.scale == workload.scales[0]

    def rank_of(self, comparison: Comparison) -> Rank:
        """Return the rank of a comparison, by which it gets its time."""
        return rank_of(comparison, self.declared[comparison.optimization])

    def leave_out(self, comparison: Comparison) -> None:
        """Give a comparison up for want of time, and write down what it would have taken."""
        taken, needed_s = len(self.samples.get(comparison, ())), self.replicate_s.get(comparison, SET_UP_S)
        needed = next((look for look in self.profile.looks if look > taken), taken)
        self.writer.write(write_left_out(comparison, self.rank_of(comparison), taken, needed, needed_s))
        self.comparisons.remove(comparison)

    def is_due(self, comparison: Comparison) -> bool:
        """Say whether the comparison is measured in every replicate; others are, where time is left in one."""
        return self.rank_of(comparison) in DUE

    def seed_of(self, replicate: int) -> int:
        return replicate_seed(self.seed, replicate)

    def start_worker(self, around: Around) -> WorkerProcess:
        """Start a worker in which nothing else has run."""
        seed = self.seed % 2**32
        return WorkerProcess(seed, around.scratch / "numba", worker_cpu(), until=self.until)

    def start_twins(self, around: Around, seed: int) -> Twins:
        """Start a process for each arm."""
        return Twins.start(seed % 2**32, around.scratch / "numba", self.until)

    def feed(self, around: Around, replicate: int, comparisons: Sequence[Comparison]) -> None:
        """Make the inputs of the comparisons in a replicate, unless they are there.

        A workload for which the data gives no input is untested from here on.
        """
        for subject in self.subjects.values():
            own = [each for each in comparisons if each.optimization == subject.id]
            for comparison, reason in subject.feed(own, self.seed_of(replicate), around.scratch, self.tell).items():
                if comparison in self.comparisons:
                    self.fail(Failure(subject.id, f"{comparison.workload} at {comparison.place}", "untested", reason))
                    place = place_of(comparison)
                    self.comparisons = [each for each in self.comparisons if place_of(each) != place]

    def arms_of(self, comparison: Comparison, around: Around) -> tuple[Arm, Arm]:
        """Return the reference's arm and the candidate's."""
        subject = self.subject_of(comparison)
        reference, candidate = (subject.arm(comparison, name, around.scratch) for name in arms(comparison))
        return reference, candidate

    def find_failed_arms(self, subject: str) -> set[str]:
        return {each.arm for each in self.failures if each.optimization == subject}

    def note(self, fidelity: Fidelity) -> None:
        self.fidelities.append(fidelity)
        self.writer.write(fidelity)

    def keep(self, samples: Samples) -> None:
        self.writer.write(samples)
        taken = self.samples.setdefault(samples.comparison, [])
        taken.append(samples)
        result = estimate_result(samples.comparison, taken, self.level_of(samples.comparison))
        estimate = result.on(self.metric_of(samples.comparison))
        if (interval := estimate.speedup_interval) is not None:
            candidate = f"{samples.comparison.optimization} {samples.comparison.candidate}"
            self.seen = f"{candidate} {estimate.speedup:.3g}x [{interval[0]:.3g}, {interval[1]:.3g}]"

    def earlier(self, kind: type[Kind]) -> list[Kind]:
        """Return the lines of a kind that an earlier part of the run has recorded."""
        return [] if self.before is None else self.before.all(kind)

    def write(self, lines: Sequence[msgspec.Struct]) -> None:
        for line in lines:
            if isinstance(line, Fidelity):
                self.fidelities.append(line)
            if isinstance(line, Failure) and line not in self.failures:
                self.failures.append(line)
            self.writer.write(line)

    def take_over(self, lines: Sequence[msgspec.Struct]) -> None:
        """Record at once what another process has measured, and end the comparisons that failed there."""
        fresh = [each for each in lines if not (isinstance(each, Failure) and each in self.failures)]
        self.writer.write(*fresh)
        for each in fresh:
            match each:
                case Samples():
                    self.samples.setdefault(each.comparison, []).append(each)
                case Fidelity():
                    self.fidelities.append(each)
                case Memory():
                    self.memories.append(each)
                case Counts():
                    self.counts.append(each)
                case Failure():
                    self.failures.append(each)
                case _ if subject_of(each) is None:
                    self.common.append(each)
        gone = self.dropouts
        self.comparisons = [each for each in self.comparisons if not _list_names(each) & gone]

    def did(self, part: str, doing: str, units: float = 1.0) -> None:
        self.pace.did(part, units)
        self.tell(doing)

    def tell(self, doing: str) -> None:
        """Report what is being done and the time that is left.

        Replicates after the first look use up what is left of the budget, unless everything is decided by then.
        """
        left = self.pace.to_come_s()
        if len(self.profile.looks) > 1 and self.comparisons:
            left = max(left, self.pace.left_s)
        self.on_progress(Progress(self.pace.elapsed_s, left, doing, self.seen))

    @contextmanager
    def failing(self, subject: str, arm: str) -> Iterator[None]:
        """Record an arm that raises within the block as failed and end its comparisons; the others go on."""
        try:
            yield
        except ArmFailed as error:
            failed = error.arm or arm
            self.fail(Failure(subject, failed, "failed", str(error)))
            self.comparisons = [
                each for each in self.comparisons if each.optimization != subject or failed not in arms(each)
            ]

    def fail(self, failure: Failure) -> None:
        """Record a failure, unless an earlier part of the run has recorded the same."""
        if failure not in self.failures:
            self.failures.append(failure)
            self.writer.write(failure)
