"""Makes every trial, observation by observation; one that raises is recorded as failed, and the others go on."""

from __future__ import annotations

from argo_bench.harness.record.records import Failure, Observed, Tried
from argo_bench.harness.state import RunState
from argo_bench.harness.subject import Around, Trial


def list_trials(state: RunState) -> list[tuple[str, Trial]]:
    """Return the trials that can run and have not run yet, each with its subject."""
    begun = [(each.optimization, each.trial) for each in state.earlier(Tried)]
    # Without samples the earlier run was interrupted in its last trial, which is therefore made again.
    seen_before = set(begun) - (set() if state.samples else set(begun[-1:]))
    return [
        (subject.id, trial)
        for subject in state.subjects.values()
        for trial in subject.trials(state.profile)
        if (subject.id, trial.name) not in state.dropouts | seen_before
    ]


def run_trials(state: RunState, around: Around) -> None:
    full = state.profile.full_trials
    for subject, trial in list_trials(state):
        state.tell(f"trying {subject}: {trial.name}")
        state.writer.write(
            Tried(subject, trial.name, trial.description, trial.reference, [*trial.compared_values], full)
        )
        try:
            for seen in trial.observe(around):
                state.writer.write(Observed(subject, trial.name, seen.condition, seen.arm, {**seen.values}))
                state.tell(f"trying {subject}: {trial.name}, {seen.condition}, {seen.arm}")
        except Exception as error:  # noqa: BLE001 - an arm may raise anything under load; it is recorded
            state.fail(Failure(subject, trial.name, "failed", f"{type(error).__name__}: {error}"))
        state.did("trials", f"tried {subject}: {trial.name}")
