"""Renders outcomes in the formats of other tools, and makes outcomes of the verdicts of a run."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from argo_bench.errors import UserError
from argo_bench.gate.outcome import Outcome
from argo_bench.harness.claims.verdict import HOLDS, State, word_for
from argo_bench.harness.record.records import Judgement, Samples
from argo_bench.harness.record.store import Recorded
from argo_bench.integrations.outputs import FORMATS
from argo_bench.integrations.outputs.results import Results
from argo_bench.report import write_whole

STATES: Mapping[str, State] = {
    "inconclusive": "cannot tell",
    "void": "differs",
    "failed": "failed",
    "untested": "not measured",
    "refuted": "worse",
    "slower": "worse",
}
"""A gate gives this state to a verdict that does not hold."""


def render(form: str, results: Results) -> Mapping[str, str]:
    """Return the texts of one format by the names of their files."""
    texts: Mapping[str, str] = import_module(f"{__package__}.{form.replace('-', '_')}").render(results)
    return texts


def render_first(form: str, results: Results) -> str:
    """Return the first text of one format. Raises UserError where it has none for want of samples."""
    texts = render(form, results)
    if not texts:
        raise UserError(f"{form} takes samples, and the run has none: expected a run that timed something")
    return next(iter(texts.values()))


def write_all(directory: Path, results: Results) -> list[Path]:
    """Write every format to its files, each whole or not at all, and return the files.

    Raises UserError where the folder cannot be written.
    """
    written = []
    for name, text in ((name, text) for form in FORMATS for name, text in render(form, results).items()):
        write_whole(directory / name, text.encode(errors="backslashreplace"))
        written.append(directory / name)
    return written


def make_outcomes(recorded: Recorded) -> list[Outcome]:
    """Return the verdicts of a run as outcomes.

    What an engineered variant computes wrongly, and what failed, blocks.
    """
    return [_make_outcome(each, recorded) for each in recorded.all(Judgement)]


def _make_outcome(judgement: Judgement, recorded: Recorded) -> Outcome:
    state = STATES.get(judgement.verdict, "fine" if judgement.verdict in HOLDS else "worse")
    if judgement.verdict in ("faster", "no difference"):
        state = "fine"
    return Outcome(
        f"{judgement.claim} {judgement.arm}",
        state,
        state in ("differs", "failed"),
        f"{judgement.sentence}: {word_for(judgement.verdict)}",
        judgement.speedup,
        judgement.interval,
        judgement.metric,
        tuple(each for each in recorded.all(Samples) if each.comparison == judgement.comparison),
    )
