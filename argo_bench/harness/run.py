"""Runs a job: the passes, then the replicates, and at the end the verdicts.

Everything measured is on disk before the next thing begins. An interrupt ends the measuring, not the run: what was
measured until then is still estimated and judged.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from argo_bench.errors import UserError
from argo_bench.harness.calibration.standing import Used, find_calibration
from argo_bench.harness.claims.metrics import CLOCKS
from argo_bench.harness.judging.judgements import find_break_even_rates, judge_all
from argo_bench.harness.judging.measurements import Measured
from argo_bench.harness.judging.results import estimate_result
from argo_bench.harness.machine import environment
from argo_bench.harness.machine.fitness import FitnessCheck, LoadWatch, check_load, describe_busy
from argo_bench.harness.machine.measuring import measuring
from argo_bench.harness.passes.checks import UNIT_S as CHECK_S
from argo_bench.harness.passes.checks import check_outputs, settle_subjects
from argo_bench.harness.passes.counts import UNIT_S as COUNT_S
from argo_bench.harness.passes.counts import list_countings, take_counts
from argo_bench.harness.passes.first_calls import make_first_calls
from argo_bench.harness.passes.memory import UNIT_S as WEIGH_S
from argo_bench.harness.passes.memory import measure_memory
from argo_bench.harness.passes.trials import list_trials, run_trials
from argo_bench.harness.plan import Profile, arms, describe_end
from argo_bench.harness.progress import Progress
from argo_bench.harness.record.records import RULE, SCHEMA, Cold, End, Failure, Judgement, Run, Unit
from argo_bench.harness.record.store import Recorded, Writer, command_line
from argo_bench.harness.replicates import time_replicates
from argo_bench.harness.state import RunState, place_of
from argo_bench.harness.subject import Around, Job
from argo_bench.harness.workers.processes import OutOfTime

FIRST_CALL_S, TRIAL_S = 0.35, 10.0
"""A first call and a trial are expected to take these seconds, before any has been made."""


def measure(
    job: Job,
    directory: Path,
    name: str,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    machine: Sequence[FitnessCheck] = (),
    before: Recorded | None = None,
) -> bool:
    """Measure a job into a folder, and say whether Ctrl-C ended it; what was measured by then is recorded and judged.

    ``name`` is the run's in the record, ``machine`` what was found about its fitness, ``before`` the interrupted run
    that is continued. Raises UserError where the folder holds a run already, and where hosts of a cluster would go on
    with what one machine has begun, or the other way round.
    """
    if before is not None:
        _refuse_to_mix(job, before)
    writer = Writer(directory, resume=before is not None)
    try:
        with measuring(str(directory)):
            run(job, writer, name, on_progress, machine, before)
    except KeyboardInterrupt:
        return True
    finally:
        writer.close()
    return False


def _refuse_to_mix(job: Job, before: Recorded) -> None:
    """Refuse to go on with a run elsewhere: of a run on hosts a line says of each unit where it was measured."""
    if before.all(Unit) and job.hosts is None:
        raise UserError(f"{before.directory} was measured on the hosts of a cluster: go on with --scheduler there")
    if job.hosts is not None and before.all(Cold) and not before.all(Unit):
        raise UserError(f"{before.directory} was measured on one machine: go on with it there, without a cluster")


def run(
    job: Job,
    writer: Writer,
    name: str,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    machine: Sequence[FitnessCheck] = (),
    before: Recorded | None = None,
) -> list[Judgement]:
    """Measure, check and judge a job, and return the judgements; KeyboardInterrupt is raised again after these."""
    watch = LoadWatch()
    state = RunState.begin(job, writer, on_progress, before)
    is_interrupted, has_begun = False, before is not None
    try:
        with state.supply.open(set() if job.hosts else find_needed_servers(state)) as around:
            if not has_begun:
                writer.write(make_header(job, name, machine, around), state.plan, *_list_early_declarations(state))
                has_begun = True
            state.write(state.failures[len(state.earlier(Failure)) :])
            leave_out(state, around)
            take = job.hosts.measure if job.hosts else _check if job.only_checks else _measure
            take(state, around)
    except KeyboardInterrupt:
        if not has_begun:
            raise
        is_interrupted = True
    except OutOfTime:
        _say_what_was_left_out(state)
    verdicts = _conclude(state)
    busy = "" if job.hosts else describe_busy(check_load(watch.so_far()))  # the hosts measured, not this machine
    writer.write_end(_make_end(state, job.profile.budget_s, busy, is_interrupted=is_interrupted))
    if is_interrupted:
        raise KeyboardInterrupt
    return verdicts


def _make_end(state: RunState, budget_s: float, busy: str, *, is_interrupted: bool) -> End:
    numbers = [each.replicate for taken in state.samples.values() for each in taken]
    budget = float(budget_s) if math.isfinite(budget_s) else None
    begun = 1 + max(numbers, default=-1)
    earlier_s = 0.0 if state.before is None else state.before.earlier_s
    return End(state.pace.elapsed_s, is_interrupted, begun, budget, state.longest_s, busy=busy, earlier_s=earlier_s)


def make_run_id(profile: Profile, at: datetime) -> str:
    """Return a name for the run's directory that sorts by time."""
    return f"{at:%Y%m%d-%H%M%S}-{profile.name}"


def _list_early_declarations(state: RunState) -> list[msgspec.Struct]:
    """Return the declarations that are complete before any function of a subject has been called."""
    return [each for each in state.declared.values() if not each.functions]


def find_needed_servers(state: RunState) -> set[str]:
    """Return the servers that have to run for what is timed and for the trials."""
    needed = [state.subject_of(each).needs(each) for each in state.comparisons]
    return set[str]().union(*needed, *(trial.needs for _, trial in list_trials(state)))


def make_header(job: Job, name: str, machine: Sequence[FitnessCheck], around: Around) -> Run:
    calibrated: Used | None = None if job.hosts else find_calibration()
    fields: dict[str, Any] = {"symbols": {}, "source": "", "optimizations": []} | job.supply.header()
    return Run(
        schema=SCHEMA,
        run=name,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command_line(),
        profile=job.profile.name,
        isolation="twins",
        seed=job.seed,
        looks=list(job.profile.looks),
        environment=(environment.read_facts() if job.hosts is None else job.hosts.facts)
        | around.facts
        | {
            "fitness": [] if job.hosts else [msgspec.structs.asdict(each) for each in machine],
            "calibration": msgspec.to_builtins(calibrated),
        },
        asked=job.asked,
        rule=RULE,
        **fields,
    )


def leave_out(state: RunState, around: Around) -> None:
    """Leave out, as untested, what needs a server that is not there."""
    for server, reason in around.missing.items():
        absent = [each for each in state.comparisons if server in state.subject_of(each).needs(each)]
        named = [(each.optimization, each.workload) for each in absent]
        named += [(subject, trial.name) for subject, trial in list_trials(state) if server in trial.needs]
        for subject, what in dict.fromkeys(named):
            state.fail(Failure(subject, what, "untested", reason))
        state.comparisons = [each for each in state.comparisons if each not in absent]


def _measure(state: RunState, around: Around) -> None:
    """Take every part of the run but the times, in one pass each, and then time the replicates."""
    measure_before_times(state, around)
    time_replicates(state, around)


def measure_before_times(state: RunState, around: Around) -> None:
    """Take every part of the run but the times, in one pass each."""
    _plan_pace(state)
    state.feed(around, 0, [*filter(state.is_at_headline_scale, state.comparisons)])
    settle_subjects(state, around)
    with state.start_twins(around, state.seed) as pair:
        make_first_calls(state, pair, around)
    check_outputs(state, around)
    take_counts(state, around)
    measure_memory(state, around)
    run_trials(state, around)


def _check(state: RunState, around: Around) -> None:
    """Compare outputs as a run does, and take no times."""
    state.comparisons = [*filter(state.is_at_headline_scale, state.comparisons)]
    state.feed(around, 0, state.comparisons)
    settle_subjects(state, around)
    check_outputs(state, around)


def _plan_pace(state: RunState) -> None:
    """Plan the parts of the run in units of work."""
    subjects = list(state.subjects.values())
    begun = filter(state.is_at_headline_scale, state.comparisons)
    weighed = [each for subject in subjects for each in subject.memory_questions(state.profile)]
    parts = {
        "first calls": (len({(*place_of(each), name) for each in begun for name in arms(each)}), FIRST_CALL_S),
        "checks": (sum(len(each.variants) for each in subjects) + len(state.comparisons), CHECK_S),
        "counts": (sum(each.work for each in list_countings(state)), COUNT_S),
        "memory": (sum(2 * looks[0] for each in weighed for looks in each.looks.values()), WEIGH_S),
        "trials": (len(list_trials(state)), TRIAL_S),
    }
    for part, (units, unit_s) in parts.items():
        state.pace.plan(part, units, unit_s)
    next_look = state.profile.looks[0]
    state.pace.plan("times", len([*filter(state.is_due, state.comparisons)]) * next_look, 1.0)


def expect_seconds(job: Job) -> float:
    """Return the seconds that a run is expected to take up to the first look, before anything is measured."""
    with tempfile.TemporaryDirectory() as folder:
        writer = Writer(Path(folder))
        state = RunState.begin(job, writer, lambda progress: None, None)
        writer.close()
    _plan_pace(state)
    return state.pace.to_come_s()


def _say_what_was_left_out(state: RunState) -> None:
    """Record as not measured what the time did not last for: what has no figure, or is open before the first look."""
    measured = _collect_measured(state)
    verdicts = _judge(state, measured)
    first = state.profile.looks[0]
    for each in verdicts:
        replicates = len(state.samples.get(each.comparison, ()))
        is_brief = each.metric in CLOCKS and replicates < first
        is_known = (each.optimization, each.arm) in state.dropouts
        if each.verdict in ("inconclusive", "untested") and not is_known and (each.speedup is None or is_brief):
            needed_s = None
            if state.prepared_s is not None and state.longest_s:
                needed_s = state.prepared_s + first * state.longest_s
            reason = describe_end(replicates, state.profile, state.pace.elapsed_s, needed_s)
            state.fail(Failure(each.optimization, each.arm, "untested", reason))


def _judge(state: RunState, measured: Measured) -> list[Judgement]:
    return judge_all([*state.declared.values()], measured, state.fidelities, state.failures, state.plan)


def _collect_measured(state: RunState) -> Measured:
    results = [estimate_result(each, taken, state.level_of(each)) for each, taken in state.samples.items()]
    samples = [each for taken in state.samples.values() for each in taken]
    return Measured(results, samples, state.memories, state.counts)


def _conclude(state: RunState) -> list[Judgement]:
    measured = _collect_measured(state)
    for result in measured.results.values():
        state.writer.write(result)
    declared = list(state.declared.values())
    for caching in find_break_even_rates(declared, measured):
        state.writer.write(caching)
    verdicts = _judge(state, measured)
    for verdict in verdicts:
        state.writer.write(verdict)
    return verdicts
