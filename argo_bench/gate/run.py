"""Runs a gate from two revisions to its record: check out, describe, compare outputs, count, time, decide."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec

from argo_bench.errors import UserError
from argo_bench.gate.answers import CONFIRMATION, FIRST, Batch, Gate, Times, gate_of, make_lines
from argo_bench.gate.benchmarks import Benchmark, Settings, read_benchmarks
from argo_bench.gate.checkouts import Checkout, Repository, Role, check_out
from argo_bench.gate.counts import count_exactly
from argo_bench.gate.output_check import compare_in_subprocess
from argo_bench.gate.records import Agreed, Revisions
from argo_bench.gate.timing import Timer, Trio
from argo_bench.harness.calibration.standing import find_calibration
from argo_bench.harness.machine import environment
from argo_bench.harness.machine.measuring import measuring
from argo_bench.harness.progress import Progress
from argo_bench.harness.record.records import RULE, SCHEMA, End, Failure, Run, Samples
from argo_bench.harness.record.store import FILE_NAME, Writer, command_line, load
from argo_bench.harness.statistics.beyond import BY_MEANS
from argo_bench.harness.surroundings import scratch_directory
from argo_bench.harness.workers.messages import Arm, Describe, Described, UserFunction, function_arm
from argo_bench.harness.workers.processes import ArmFailed, WorkerProcess

PROFILE = "ci"
FIRST_SHARE = 0.6
"""The first batch gets this share of the time that is left for timing; the rest is for confirming."""
OF_ALL = ("pyproject.toml", "constraints.txt", "requirements.txt", "uv.lock", "poetry.lock", "setup.py", "setup.cfg")
"""A change of one of these files may touch every benchmark."""


@dataclass(frozen=True, slots=True)
class Question:
    """Says what a gate is asked.

    ``accepted`` are the benchmarks whose changes of output and of exact counts are meant.
    """

    base: str
    head: str
    settings: Settings
    accepted: Sequence[str]
    seed: int


@dataclass(frozen=True, slots=True)
class Sides:
    """Holds what is called on both sides of a benchmark, and what describing the sides found."""

    benchmark: Benchmark
    arms: Mapping[Role, Arm]
    counts: Mapping[Role, str]
    results: Mapping[Role, Path]
    described: Mapping[Role, Described]
    failures: Sequence[Failure]

    @property
    def waits(self) -> bool:
        return any(each.waits for each in self.described.values())


def run_gate(
    repository: Repository, question: Question, directory: Path, on_progress: Callable[[Progress], None]
) -> Gate:
    """Measure and decide; the record is in ``directory``/run.jsonl.

    Raises UserError for revisions and tables that cannot be read; re-raises KeyboardInterrupt after what was measured
    has been judged.
    """
    began, budget_s = time.monotonic(), question.settings.budget_s
    for revision in (question.base, question.head):
        repository.commit_of(revision)
    writer = Writer(directory)
    interrupted = False
    try:
        writer.write(_make_header(question, directory))
        try:
            with measuring(str(directory)):
                _measure(repository, question, writer, began + budget_s, on_progress)
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


def _measure(
    repository: Repository,
    question: Question,
    writer: Writer,
    deadline: float,
    on_progress: Callable[[Progress], None],
) -> None:
    began = time.monotonic()

    def tell(doing: str) -> None:
        on_progress(Progress(time.monotonic() - began, math.inf, doing, ""))

    settings = question.settings
    revisions: dict[Role, str] = {"base": question.base, "head": question.head}
    tell("checking both revisions out and installing them")
    with (
        scratch_directory() as around,
        check_out(repository, revisions, around.scratch, settings.environment, settings.install) as checkouts,
    ):
        named = read_benchmarks(checkouts["head"].root, settings.tolerance)
        if unknown := sorted(set(question.accepted) - {each.name for each in named}):
            known = ", ".join(each.name for each in named)
            raise UserError(f"--accept {unknown[0]}: expected a benchmark of the head, one of {known}")
        sides = list(_describe_all(named, checkouts, around.scratch, tell))
        changed = repository.find_changed_files(checkouts["base"].commit, checkouts["head"].commit)
        revised = _make_revisions(question, checkouts, sides, changed)
        writer.write(revised)
        for failure in (failure for each in sides for failure in each.failures):
            writer.write(failure)
        whole = [each for each in sides if not each.failures]
        for each in whole:
            writer.write(_compare_outputs(each, checkouts["head"]))
        counted = list(_count_all(whole, checkouts, around.scratch, writer, tell))
        arms = {each.benchmark.name: each.arms for each in counted}
        start = partial(Trio.of, checkouts, around.scratch)
        timer = Timer(start, arms, revised.changed, question.seed, writer, on_progress)
        _time_batches(timer, list(arms), revised, deadline)


def _time_batches(timer: Timer, names: Sequence[str], revisions: Revisions, deadline: float) -> None:
    def times() -> Times:
        return Times(timer.samples, revisions, BY_MEANS)

    def take(batch: Batch, names: Sequence[str], share: float) -> None:
        until = time.monotonic() + share * max(0.0, deadline - time.monotonic())
        timer.time_batch(batch, names, BY_MEANS.looks, until, lambda name: times().is_decided(name, batch))

    take(FIRST, names, FIRST_SHARE)
    if slower := [name for name in times().find_worse(FIRST) if name not in timer.failed]:
        take(CONFIRMATION, slower, 1.0)


def _describe_all(
    named: Sequence[Benchmark], checkouts: Mapping[Role, Checkout], scratch: Path, tell: Callable[[str], None]
) -> Iterator[Sides]:
    head = checkouts["head"].root
    for number, benchmark in enumerate(named):
        tell(f"{benchmark.name}: what base and head return")
        arms = {
            role: function_arm(
                role,
                UserFunction(in_head(benchmark.function, head), in_head(benchmark.setup, head), benchmark.fresh),
                path=checkout.path,
                key=f"{benchmark.name} {role}",
            )
            for role, checkout in checkouts.items()
        }
        results: dict[Role, Path] = {role: scratch / f"{role}-{number}.pickle" for role in checkouts}
        described: dict[Role, Described] = {}
        failures = []
        for role, checkout in checkouts.items():
            try:
                described[role] = _describe_side(checkout, arms[role], results[role], scratch)
            except ArmFailed as error:
                kind = "untested" if error.is_missing or checkout.failure else "failed"
                failures.append(Failure(benchmark.name, role, kind, str(error)))  # type: ignore[arg-type]
        counts = {role: in_head(benchmark.counts, head) for role in checkouts}
        yield Sides(benchmark, arms, counts, results, described, failures)


def _describe_side(checkout: Checkout, arm: Arm, results: Path, scratch: Path) -> Described:
    if checkout.failure is not None:
        raise ArmFailed(f"it cannot be installed: {checkout.failure}", arm=checkout.role)
    worker = WorkerProcess(0, scratch / f"numba-{checkout.role}", None, checkout.program)
    try:
        return worker.ask(Describe(arm, str(results)), Described)
    finally:
        worker.close()


def in_head(target: str, head: Path) -> str:
    """Return a target in a file as the head has it, and one in a module as it is."""
    module, colon, name = target.rpartition(":")
    return f"{head / module}{colon}{name}" if module.endswith(".py") else target


def _make_revisions(
    question: Question, checkouts: Mapping[Role, Checkout], sides: Sequence[Sides], changed: set[str]
) -> Revisions:
    return Revisions(
        base=checkouts["base"].commit,
        head=checkouts["head"].commit,
        environment=question.settings.environment,
        files={each.benchmark.name: each.benchmark.file for each in sides},
        metrics={each.benchmark.name: each.benchmark.metric or ("wall" if each.waits else "cpu") for each in sides},
        tolerances={each.benchmark.name: each.benchmark.tolerance for each in sides},
        changed=[each.benchmark.name for each in sides if _is_changed(each, checkouts["head"].root, changed)],
        accepted=list(question.accepted),
    )


def _is_changed(sides: Sides, root: Path, changed: set[str]) -> bool:
    """Say whether a file differs that was loaded for the benchmark, or that may touch every benchmark."""
    head = sides.described.get("head")
    loaded = set() if head is None else {Path(each) for each in head.files}
    return any(each in OF_ALL or root / each in loaded for each in changed)


def _compare_outputs(sides: Sides, head: Checkout) -> Agreed:
    name, check = sides.benchmark.name, sides.benchmark.check
    if check == "none":
        return Agreed(name, None, "its check is none")
    for role, each in sides.described.items():
        if each.unpicklable is not None:
            return Agreed(name, None, f"what the {role} returns cannot be passed on: {each.unpicklable}")
    return compare_in_subprocess(name, sides.results["base"], sides.results["head"], check, head.path)


def _count_all(
    sides: Sequence[Sides],
    checkouts: Mapping[Role, Checkout],
    scratch: Path,
    writer: Writer,
    tell: Callable[[str], None],
) -> Iterator[Sides]:
    """Count every benchmark, and yield those that could be counted."""
    for each in sides:
        tell(f"{each.benchmark.name}: counting")
        try:
            writer.write(count_exactly(each.benchmark, checkouts, each.arms, each.counts, scratch))
        except ArmFailed as error:
            role = "head" if error.arm == "head" else "base"
            writer.write(Failure(each.benchmark.name, role, "failed", str(error)))
            continue
        yield each
