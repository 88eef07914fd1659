"""Runs a gate from two revisions to its record: check out, describe, compare outputs, count, time, decide."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec

from argo_bench.errors import UserError
from argo_bench.gate.accepted import find_acceptances
from argo_bench.gate.answers import CONFIRMATION, FIRST, Batch, Gate, Times, find_foretold, gate_of, make_lines
from argo_bench.gate.benchmarks import Benchmark, Settings
from argo_bench.gate.changes import is_changed
from argo_bench.gate.checkouts import Checkout, Role, check_out
from argo_bench.gate.clock import Clock
from argo_bench.gate.counts import NO_TIME, Limits, count_exactly
from argo_bench.gate.describing import Describer
from argo_bench.gate.output_check import compare_in_subprocess
from argo_bench.gate.records import BY_KIND, NO_OUTPUT, Agreed, Exact, Revisions, Shard
from argo_bench.gate.repository import Repository
from argo_bench.gate.shards import add_others, select_own
from argo_bench.gate.suites.finding import find_compared, in_head, name_function
from argo_bench.gate.timing import Timer, Trio
from argo_bench.harness.calibration.standing import find_calibration
from argo_bench.harness.machine import environment
from argo_bench.harness.machine.measuring import measuring
from argo_bench.harness.progress import Progress
from argo_bench.harness.record.records import RULE, SCHEMA, End, Failure, Run, Samples
from argo_bench.harness.record.store import FILE_NAME, Writer, command_line, load
from argo_bench.harness.statistics.beyond import BY_MEANS
from argo_bench.harness.surroundings import scratch_directory
from argo_bench.harness.workers.messages import Arm, Described, function_arm
from argo_bench.harness.workers.processes import ArmFailed, OutOfTime

PROFILE = "ci"
DESCRIBING_SHARE = 0.5
"""Describing may take this share of the time that is left once both sides are installed."""
FIRST_SHARE = 0.6
"""The first batch gets this share of the time that is left for timing; the rest is for confirming."""
CONFIRMATION_SHARE = 0.9
"""The second batch plans with this share of the time that is left, since its last replicate may be a longer one."""
COUNTING_SHARE = 0.4
"""Counting may take this share of the time that is left for it and for timing."""
TIMING_S = 10.0
"""Timing gets these seconds, where they are left, before counting and confirming: six replicates of one benchmark."""


@dataclass(frozen=True, slots=True)
class Question:
    """Says what a gate is asked.

    The head is compared with the commit at which it left the base, so that what the base got since counts for nothing;
    where that ``is_direct``, with the base itself. ``accepted`` are the benchmarks whose changes of output and of exact
    counts are meant. With a ``patch`` the head is the base with what this file of git's changes. A ``shard`` has a part
    of the benchmarks alone.
    """

    base: str
    head: str
    settings: Settings
    accepted: Sequence[str]
    seed: int
    is_direct: bool = False
    patch: Path | None = None
    shard: Shard | None = None


@dataclass(frozen=True, slots=True)
class Sides:
    """Holds what is called on both sides of a benchmark, and what describing the sides found."""

    benchmark: Benchmark
    arms: Mapping[Role, Arm]
    counts: Mapping[Role, str]
    results: Mapping[Role, Path]
    described: Mapping[Role, Described]
    failures: Sequence[Failure]
    skipped: str | None = None
    """Why the head's suite leaves it out, where it does."""

    @property
    def waits(self) -> bool:
        return any(each.waits for each in self.described.values())

    @property
    def loaded(self) -> list[Path]:
        """Return the source files that were loaded for it at the head."""
        return [Path(each) for each in self.described["head"].files] if "head" in self.described else []


def run_gate(
    repository: Repository, question: Question, directory: Path, on_progress: Callable[[Progress], None]
) -> Gate:
    """Measure and decide; the record is in ``directory``/run.jsonl.

    Raises UserError for revisions and tables that cannot be read; re-raises KeyboardInterrupt after what was measured
    has been judged.
    """
    began, budget_s = time.monotonic(), question.settings.budget_s
    commits = _find_commits(repository, question)
    writer = Writer(directory)
    interrupted = False
    try:
        writer.write(_make_header(question, directory))
        try:
            with measuring(str(directory)):
                _measure(repository, question, commits, writer, Clock(began + budget_s, on_progress))
        except KeyboardInterrupt:
            interrupted = True
        gate = _conclude(directory, writer, budget_s, time.monotonic() - began, interrupted=interrupted)
    except UserError:
        if not writer.has_more_than_header:
            (directory / FILE_NAME).unlink()  # nothing was measured
        raise
    finally:
        writer.close()
    if interrupted or gate is None:
        raise KeyboardInterrupt
    return gate


def _make_header(question: Question, directory: Path) -> Run:
    return Run(
        schema=SCHEMA,
        run=directory.name,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command_line(),
        profile=PROFILE,
        isolation="twins",
        seed=question.seed,
        looks=list(BY_MEANS.looks),
        symbols={},
        source="",
        optimizations=[],
        environment=environment.read_facts() | {"calibration": msgspec.to_builtins(find_calibration())},
        rule=RULE,
    )


def _conclude(directory: Path, writer: Writer, budget_s: float, seconds: float, *, interrupted: bool) -> Gate | None:
    """Write and return the answers that the record supports; None where an interrupt came before any."""
    recorded = load(directory)
    gate = gate_of(recorded) if recorded.all(Revisions) else None
    for each in make_lines(gate) if gate is not None else ():
        writer.write(each)
    replicates = 1 + max((each.replicate for each in recorded.all(Samples)), default=-1)
    writer.write_end(End(seconds, interrupted, replicates, float(budget_s)))
    return gate


def _find_commits(repository: Repository, question: Question) -> dict[Role, tuple[str, str]]:
    """Return the name and the commit of both revisions. Raises UserError for one that the repository does not have."""
    if question.patch is not None:
        base = repository.commit_of(question.base)
        patched = repository.apply_patch(base, question.patch)
        return {"base": (question.base, base), "head": (question.patch.name, patched)}
    base, head = (repository.commit_of(each) for each in (question.base, question.head))
    if not question.is_direct:
        left = repository.find_merge_base(base, head)
        if left is None and repository.is_shallow:
            raise UserError(
                f"this clone is shallow and lacks the commit at which {question.head} left {question.base}: fetch the "
                "whole history (fetch-depth: 0), or pass --direct to compare with what the base has become"
            )
        base = left or base
    return {"base": (question.base, base), "head": (question.head, head)}


def _measure(
    repository: Repository,
    question: Question,
    commits: Mapping[Role, tuple[str, str]],
    writer: Writer,
    clock: Clock,
) -> None:
    settings = question.settings
    clock.tell("checking both revisions out and installing them")
    with (
        scratch_directory() as around,
        check_out(
            repository, commits, around.scratch, settings.environment, settings.install, clock.left_s
        ) as checkouts,
    ):
        clock.tell("finding the benchmarks")
        is_own = settings.environment == "own"
        compared = find_compared(checkouts, settings.tolerance, around.scratch, clock.deadline, is_own=is_own)
        named = compared.benchmarks
        if unknown := sorted(set(question.accepted) - {each.name for each in named}):
            known = ", ".join(each.name for each in named)
            raise UserError(f"--accept {unknown[0]}: expected a benchmark of the head, one of {known}")
        acknowledged, expired = find_acceptances(
            checkouts["head"].root,
            checkouts["base"].root,
            {each.name for each in named},
            lambda commit: repository.contains(checkouts["base"].commit, commit),
        )
        own = select_own(named, question.shard)
        sides = list(_describe_all(own, checkouts, around.scratch, clock))
        changed = repository.find_changed_files(checkouts["base"].commit, checkouts["head"].commit)
        moved_on = repository.count_commits(checkouts["base"].commit, repository.commit_of(question.base))
        revised = _make_revisions(question, checkouts, sides, changed, moved_on)
        patch = question.patch.name if question.patch is not None else ""
        revised = msgspec.structs.replace(
            revised,
            acknowledged=acknowledged,
            expired=expired,
            patch=patch,
            removed={**compared.removed},
            untimed=[each.name for each in named if not each.is_timed],
            left_out={**compared.left_out} | {each.benchmark.name: each.skipped for each in sides if each.skipped},
        )
        if question.shard is not None:
            revised = add_others(revised, named, question.shard)
        writer.write(revised)
        for failure in (failure for each in sides for failure in each.failures):
            writer.write(failure)
        whole = [each for each in sides if not each.failures]
        for each in whole:
            writer.write(_compare_outputs(each, checkouts["head"]))
        counts = _count_all(whole, revised.changed, checkouts, around.scratch, clock)
        timed = {}
        for each in whole:
            name = each.benchmark.name
            writer.write(counts[name])
            if isinstance(counts[name], Exact) and each.benchmark.is_timed:
                timed[name] = each
        arms = {name: each.arms for name, each in timed.items() if each.described}
        start = partial(Trio.of, checkouts, around.scratch, clock.deadline)
        timer = Timer(start, arms, revised.changed, question.seed, writer, clock)
        foretold = find_foretold([each for each in counts.values() if isinstance(each, Exact)], revised)
        _time_batches(timer, revised, foretold, clock)
        for name in [each for each in timed if each not in arms]:
            timer.write_left_out(name, FIRST)


def _time_batches(timer: Timer, revisions: Revisions, foretold: Collection[str], clock: Clock) -> None:
    def times() -> Times:
        return Times(timer.samples, revisions, BY_MEANS, foretold)

    def take(batch: Batch, names: Sequence[str], share: float) -> None:
        until = clock.end_of(share)
        if batch == FIRST:
            until = max(until, min(clock.end_of(CONFIRMATION_SHARE), clock.now() + TIMING_S))
        timer.time_batch(batch, names, BY_MEANS.looks, until, lambda name: times().is_decided(name, batch))

    take(FIRST, timer.names, FIRST_SHARE)
    if slower := [name for name in times().find_worse(FIRST) if name not in timer.failed]:
        take(CONFIRMATION, slower, CONFIRMATION_SHARE)


def _describe_all(
    named: Sequence[Benchmark], checkouts: Mapping[Role, Checkout], scratch: Path, clock: Clock
) -> Iterator[Sides]:
    with Describer(scratch, clock.end_of(DESCRIBING_SHARE)) as describer:
        for number, benchmark in enumerate(named):
            clock.tell(f"{benchmark.name}: what base and head return")
            yield _describe(number, benchmark, checkouts, scratch, describer)


def _describe(
    number: int, benchmark: Benchmark, checkouts: Mapping[Role, Checkout], scratch: Path, describer: Describer
) -> Sides:
    arms = {
        role: function_arm(
            role,
            name_function(benchmark, checkout, checkouts["head"], scratch),
            path=checkout.path,
            key=f"{benchmark.name} {role}",
        )
        for role, checkout in checkouts.items()
    }
    results: dict[Role, Path] = {role: scratch / f"{role}-{number}.pickle" for role in checkouts}
    described: dict[Role, Described] = {}
    failures: list[Failure] = []
    skipped = None
    for role, checkout in checkouts.items():
        try:
            described[role] = describer.describe(benchmark, checkout, arms[role], results[role])
        except ArmFailed as error:
            failures.append(Failure(benchmark.name, role, _kind_of(checkout, error), str(error)))
            if error.is_skipped and role == "head":
                skipped = str(error)
        except OutOfTime:
            described, failures = {}, []  # nothing is known of it, which is no failure
            break
    counts = dict.fromkeys(checkouts, in_head(benchmark.counts, checkouts["head"].root))
    return Sides(benchmark, arms, counts, results, described, failures, skipped)


def _kind_of(checkout: Checkout, error: ArmFailed) -> Literal["untested", "failed"]:
    return "untested" if error.is_missing or checkout.failure is not None else "failed"


def _make_revisions(
    question: Question,
    checkouts: Mapping[Role, Checkout],
    sides: Sequence[Sides],
    changed: set[str],
    moved_on: int,
) -> Revisions:
    head = checkouts["head"]
    return Revisions(
        base=checkouts["base"].commit,
        head=head.commit,
        environment=question.settings.environment,
        files={each.benchmark.name: each.benchmark.file for each in sides},
        metrics={each.benchmark.name: each.benchmark.metric or ("wall" if each.waits else "cpu") for each in sides},
        tolerances={each.benchmark.name: each.benchmark.tolerance for each in sides},
        changed=[each.benchmark.name for each in sides if is_changed(each.loaded, head, changed)],
        accepted=list(question.accepted),
        outside=_find_outside(checkouts),
        moved_on=moved_on,
        count_rule=BY_KIND,
    )


def _find_outside(checkouts: Mapping[Role, Checkout]) -> list[str]:
    """Return the sides that cannot be installed through no fault of theirs; none is at fault where both cannot."""
    failed = [role for role, each in checkouts.items() if each.failure is not None]
    return [role for role in failed if len(failed) == len(checkouts) or checkouts[role].is_outside]


def _compare_outputs(sides: Sides, head: Checkout) -> Agreed:
    name, check = sides.benchmark.name, sides.benchmark.check
    if not sides.described:
        return Agreed(name, None, NO_TIME)
    if sides.benchmark.suite is not None:
        return Agreed(name, None, NO_OUTPUT)
    if check == "none":
        return Agreed(name, None, "its check is none")
    for role, each in sides.described.items():
        if each.unpicklable is not None:
            return Agreed(name, None, f"what the {role} returns cannot be passed on: {each.unpicklable}")
    return compare_in_subprocess(name, sides.results["base"], sides.results["head"], check, head.readable)


def _count_all(
    sides: Sequence[Sides],
    changed: Collection[str],
    checkouts: Mapping[Role, Checkout],
    scratch: Path,
    clock: Clock,
) -> dict[str, Exact | Failure]:
    """Return the counts of every benchmark, or how it failed; none of one that could not be described in time.

    Those that only count come first, then those whose files differ. Each but the last may take half of the time that is
    left, so that one that hangs leaves some for the others.
    """
    until = clock.end_of(COUNTING_SHARE)
    if any(each.benchmark.is_timed and each.described for each in sides):
        until = min(until, clock.deadline - TIMING_S)
    found: dict[str, Exact | Failure] = {}
    for each in sorted(sides, key=lambda each: (each.benchmark.is_timed, each.benchmark.name not in changed)):
        name = each.benchmark.name
        if not each.described:
            found[name] = Exact(name, {}, {}, [], {}, NO_TIME)
            continue
        clock.tell(f"{name}: counting")
        left_s = until - clock.now()
        limits = Limits(scratch, until if len(found) == len(sides) - 1 else until - left_s / 2)
        try:
            found[name] = count_exactly(each.benchmark, checkouts, each.arms, each.counts, limits)
        except ArmFailed as error:
            role = "head" if error.arm == "head" else "base"
            found[name] = Failure(name, role, "failed", str(error))
    return found
