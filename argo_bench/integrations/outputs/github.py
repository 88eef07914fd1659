"""Shows outcomes in GitHub's ways: the summary of a job, annotations, and the history of github-action-benchmark."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Literal

import msgspec

from argo_bench.controls import spell_controls
from argo_bench.gate.answers import ORDER
from argo_bench.gate.outcome import Outcome
from argo_bench.harness.claims.verdict import word_for
from argo_bench.integrations.outputs.results import Results
from argo_bench.report.marks import label_verdict

MOST_BYTES = 1 << 20
"""A step's summary may have this size (docs.github.com, "Workflow commands for GitHub Actions")."""
MOST_OF_A_KIND = 10
"""A step shows this number of annotations of a kind."""
Kind = Literal["error", "warning", "notice"]


def render(results: Results) -> dict[str, str]:
    """Return the summary of a job, and the entries of github-action-benchmark."""
    return {
        "summary.md": step_summary(results.title, results.outcomes, results.note),
        "github-action-benchmark.json": smaller_is_better(results.outcomes),
    }


def step_summary(title: str, outcomes: Sequence[Outcome], note: str = "") -> str:
    """Write Markdown with the finding on top, what blocks first; rows that a summary has no room for are counted."""
    head = f"### {_escape(title)}\n\n| benchmark | change | state | seen |\n| --- | --- | --- | --- |\n"
    foot = f"\n{_escape(note)}\n" if note else ""
    room = MOST_BYTES - len((head + foot).encode()) - 200
    ordered = sorted(outcomes, key=lambda each: (not each.blocks, ORDER.index(each.state)))
    rows: list[str] = []
    for position, each in enumerate(ordered):
        row = f"| {' | '.join(_escape(cell) for cell in _cells(each))} |\n"
        room -= len(row.encode())
        if room < 0:
            rows.append(f"\n{len(ordered) - position} more are left out for want of room.\n")
            break
        rows.append(row)
    return head + "".join(rows) + foot


def _cells(outcome: Outcome) -> tuple[str, str, str, str]:
    seen = outcome.sentence.removeprefix(f"{outcome.name}: ")
    return outcome.name, format_change(outcome), label_verdict(outcome.state), seen


def format_change(outcome: Outcome) -> str:
    """Return the ratio head / base with its interval, as in ``1.05 [1.04, 1.06]``."""
    if outcome.speedup is None:
        return ""
    bounds = outcome.interval
    return f"{1 / outcome.speedup:.3g}" + (f" [{1 / bounds[1]:.3g}, {1 / bounds[0]:.3g}]" if bounds else "")


def _escape(text: str) -> str:
    """Escape a text so that neither HTML nor a Markdown table takes it for anything else."""
    return " ".join(html.escape(spell_controls(text), quote=False).split()).replace("|", r"\|").replace("`", r"\`")


def annotate(outcomes: Sequence[Outcome]) -> str:
    """Write workflow commands: errors for what blocks, warnings for what is only worse, notices for the rest.

    The rest is what is undecided or accepted.
    """
    kinds: dict[Kind, list[Outcome]] = {"error": [], "warning": [], "notice": []}
    for each in outcomes:
        if each.blocks:
            kinds["error"].append(each)
        elif each.state in ("worse", "more memory", "more counted", "failed", "differs", "cannot run"):
            kinds["warning"].append(each)
        elif each.state in ("cannot tell", "accepted"):
            kinds["notice"].append(each)
    lines = []
    for kind, found in kinds.items():
        shown = found if len(found) <= MOST_OF_A_KIND else found[: MOST_OF_A_KIND - 1]
        lines += [_command(kind, each.name, each.sentence, each.file) for each in shown]
        if len(shown) < len(found):
            lines.append(_command(kind, "argo-bench", f"{len(found) - len(shown)} more, see the summary", None))
    return "".join(f"{line}\n" for line in lines)


def _command(kind: Kind, title: str, message: str, file: str | None) -> str:
    properties = {"file": file, "title": title}
    named = ",".join(f"{name}={_escape_property(value)}" for name, value in properties.items() if value is not None)
    return f"::{kind} {named}::{_escape_data(message)}"


def _escape_data(text: str) -> str:
    return spell_controls(text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A"))


def _escape_property(text: str) -> str:
    return _escape_data(text).replace(":", "%3A").replace(",", "%2C")


class _Entry(msgspec.Struct):
    name: str
    unit: str
    value: float
    range: str
    extra: str


def smaller_is_better(outcomes: Sequence[Outcome]) -> str:
    """Write JSON for github-action-benchmark's ``customSmallerIsBetter``.

    The values are head / base, a ratio that travels between machines.
    """
    entries = []
    for each in outcomes:
        if each.speedup is None:
            continue
        ratio, spread = 1 / each.speedup, ""
        if each.interval is not None:
            half = (1 / each.interval[0] - 1 / each.interval[1]) / 2
            spread = f"± {half:.3g}" if math.isfinite(half) else ""
        entries.append(_Entry(each.name, "x of base", ratio, spread, f"{word_for(each.state)}: {each.sentence}"))
    return msgspec.json.format(msgspec.json.encode(entries), indent=2).decode()
