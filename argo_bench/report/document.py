"""Writes report.md: the finding with its figure, the tables, and what it takes to judge and to repeat them."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from typing import Any

from argo_bench.controls import spell_controls
from argo_bench.harness.record.records import Judgement
from argo_bench.harness.record.store import Recorded
from argo_bench.report import finding, text
from argo_bench.report.sections import Outline, Section
from argo_bench.report.tables import escape
from argo_bench.report.title import write_title

WIDTH = 960
"""A figure is shown with this width, in pixels, where a page is wide enough."""
SHOWN_SYMBOLS = 20
"""So many symbols are named, each with its origin."""
DOES_NOT_SHOW = (
    "What another machine would give: ratios carry over better than times, and neither carries over exactly.",
    "What a stage's speed-up is worth to a whole cycle, of which the stage is only a part.",
    "Equality: *inconclusive* says that the interval lies across an edge, not that two arms are equally fast.",
    "That outputs never differ: they were compared on the inputs of this run.",
)


def write_document(recorded: Recorded, outline: Outline, alts: Mapping[str, str]) -> str:
    """Return the whole report as Markdown, to be saved beside its figures.

    ``alts`` are their alternative texts by name; ``hero`` is the name of hero.svg and hero-dark.svg, and of
    hero-narrow.svg and hero-narrow-dark.svg where the section has a narrow file.
    """
    sections = [
        f"# {escape(write_title(recorded))}",
        *(_write_picture(each, alts[each.name]) for each in outline.at("files") if each.name in alts),
        text.markdown(recorded, outline),
        "## How it was measured",
        _write_list(_describe_circumstances(recorded)),
        "## Where it was measured",
        _write_list(f"{escape(name)}: {escape(value)}" for name, value in list_facts(recorded)),
        "## What this does not show",
        _write_list(DOES_NOT_SHOW),
    ]
    return spell_controls("\n\n".join(section.rstrip() for section in sections) + "\n")


PHONE = "(max-width: 600px)"
"""A screen for which this holds is shown the narrow version of a figure."""


def write_picture_tag(section: Section, alt: str) -> str:
    """Return the HTML of a saved figure, of which a browser takes the file for its theme and, where there is one,
    for its width."""
    dark = "(prefers-color-scheme: dark)"
    sources = [(dark, "-dark"), ("", "")]
    if section.has_narrow_file:
        sources = [(f"{PHONE} and {dark}", "-narrow-dark"), (PHONE, "-narrow"), *sources]
    lines = [f'<source media="{media}" srcset="{section.name}{ending}.svg">' for media, ending in sources if media]
    image = f'<img alt="{html.escape(alt)}" src="{section.name}.svg" width="{WIDTH}">'
    inside = "\n  ".join([*lines, image])
    return f"<picture>{inside}</picture>"


def _write_picture(section: Section, alt: str) -> str:
    drawn = write_picture_tag(section, alt)
    return f"{drawn}\n\n*{section.caption}*" if section.caption else drawn


def _write_list(lines: Iterator[str] | tuple[str, ...]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _describe_circumstances(recorded: Recorded) -> Iterator[str]:
    run = recorded.run
    yield f"Run {escape(run.run)} of {escape(run.started)}; every sample is in run.jsonl beside this file."
    yield f"Repeat this run: <code>{html.escape(run.command)}</code>"
    yield escape(finding.describe_setting(recorded))
    symbols = (f"{symbol} ({origin})" for symbol, origin in run.symbols.items())
    yield "Symbols: " + escape(finding.list_some(symbols, SHOWN_SYMBOLS))
    yield from map(escape, finding.describe_choices(recorded))
    if any(each.comparison.reference != "baseline" for each in recorded.all(Judgement)):
        yield "Speed-ups are over the baseline, except where *vs* names another version."
    if (time := finding.describe_time(recorded)) is not None:
        yield f"The run took {time}."


def list_facts(recorded: Recorded) -> Iterator[tuple[str, str]]:
    """Yield the facts of the environment, each as a name and words.

    Empty values are left out, and so is the calibration, which a remark has in words.
    """
    for name, value in recorded.run.environment.items():
        if name.endswith("_bytes") and value is not None:
            yield name.removesuffix("_bytes"), finding.format_bytes(value)
        elif value is not None and name != "calibration":
            yield name, _write_in_line(value)


def _write_in_line(value: Any) -> str:
    """Write a value in one line: the pairs of a mapping, the elements of a list, and of a check what it found."""
    match value:
        case {"subject": subject, "found": found}:
            return f"{subject} {found}"
        case Mapping():
            return ", ".join(f"{key} {each}" for key, each in value.items())
        case list():
            return ("; " if any(isinstance(each, Mapping) for each in value) else ", ").join(map(_write_in_line, value))
        case float():
            return f"{value:.3g}"
        case _:
            return str(value)
