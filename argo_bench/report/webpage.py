"""Writes report.html: a run as one page that needs nothing else, with figures, the numbers behind them and all samples.

A figure is drawn once, in the light colours; on the page these are variables, which a dark theme sets to others.
"""

from __future__ import annotations

import base64
import gzip
import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from argo_bench.controls import spell_controls
from argo_bench.harness.calibration.standing import Used
from argo_bench.harness.claims.verdict import Word, word_for
from argo_bench.harness.machine.fitness import FitnessCheck
from argo_bench.harness.record.records import End, Judgement
from argo_bench.harness.record.store import Recorded, line_of
from argo_bench.report import calibration, finding
from argo_bench.report.chart import list_colours
from argo_bench.report.charts.hero import HERO
from argo_bench.report.document import DOES_NOT_SHOW, list_facts
from argo_bench.report.inline import make_inline
from argo_bench.report.marks import MARKS, label_verdict
from argo_bench.report.sections import Advice, Background, Outline, Part, Source
from argo_bench.report.simple import describe_simple, find_simple
from argo_bench.report.tables import VERDICT, Table
from argo_bench.report.text import all_remarks, tabulate
from argo_bench.report.title import write_aside, write_title
from argo_bench.report.verdicts import tabulate_verdicts

MOST_EMBEDDED = 2_500_000
"""A packed record of more bytes is too large for the page: it is left beside it."""
CAPTION = 0.9
"""The text below a figure takes this height, in inches on the scale of the figures."""


@dataclass(frozen=True, slots=True)
class Figure:
    """Holds a figure of the page: the drawing, how to read it, and the numbers that it draws."""

    drawing: Markup
    caption: str
    data: Table
    height: float


@dataclass(frozen=True, slots=True)
class Published:
    """Holds a claim in its own words, and how it was read."""

    id: str
    text: str
    source: str
    claimed: str
    reading: str
    judged_on: str


@dataclass(frozen=True, slots=True)
class Code:
    title: str
    place: str
    code: Markup


@dataclass(frozen=True, slots=True)
class Chapter:
    """Holds all that a run has on one optimization, set or benchmark.

    ``simple`` is what was seen of the simple way, a line for each claim by its id.
    """

    id: str
    anchor: str
    name: str
    background: Background
    advice: Advice | None
    finding: str
    judgements: Sequence[Judgement]
    headline: Sequence[Published]
    further: Sequence[Published]
    verdicts: Sequence[Table]
    columns: Sequence[Sequence[Figure]]
    tables: Sequence[Table]
    sources: Mapping[str, Sequence[Code]]
    remarks: Sequence[str]
    simple: Mapping[str, str]

    def find_verdicts(self, claim: str, arm: str) -> list[tuple[Word, str]]:
        """Return the verdict on a claim in an arm, with what was measured."""
        judged = (each for each in self.judgements if (each.claim, each.arm) == (claim, arm))
        return [(each.verdict, finding.describe_measured(each)) for each in judged]


def write_page(recorded: Recorded, outline: Outline) -> str:
    """Return the page as HTML; the template escapes what comes from the record."""
    environment = Environment(
        loader=PackageLoader("argo_bench.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        mark=label_verdict,
        said=word_for,
        hue=lambda word: MARKS[word].hue.replace(" ", "-"),
        verdict=VERDICT,
        counted=finding.format_number_of,
    )
    return spell_controls(environment.get_template("webpage.html.jinja").render(_collect(recorded, outline)))


def _collect(recorded: Recorded, outline: Outline) -> dict[str, Any]:
    judgements = recorded.all(Judgement)
    headline = [each for each in judgements if each.headline]
    common = [*all_remarks(recorded.of(""), outline), finding.describe_calibration(recorded)]
    chapters = [_make_chapter(recorded, outline, each, place) for place, each in enumerate(recorded.subjects)]
    hero = HERO.picture(recorded, title=False), HERO.picture(recorded, narrow=True)
    kept = recorded.run.environment.get("calibration")
    return {
        "run": recorded.run,
        "finding": write_title(recorded),
        "aside": write_aside(recorded),
        "setting": finding.describe_setting(recorded),
        "took": [finding.format_duration(1e9 * end.seconds) for end in recorded.all(End)],
        "tally": {word: sum(each.verdict == word for each in headline or judgements) for word in MARKS},
        "hero": [
            (name, make_inline(picture, name))
            for name, picture in zip(("wide", "narrow"), hero, strict=True)
            if picture
        ],
        "overview": [each for each in chapters if each.advice is not None],
        "verdicts": tabulate_verdicts(recorded, "Verdicts", headline or judgements, notes=outline.note(recorded)),
        "parts": _group_sections(outline.parts, chapters),
        "calibrated": finding.describe_calibration(recorded),
        "calibration": [] if kept is None else list(calibration.make_tables(msgspec.convert(kept, Used).calibration)),
        "fitness": msgspec.convert(recorded.run.environment.get("fitness", []), list[FitnessCheck]),
        "facts": [(name.replace("_", " "), value) for name, value in list_facts(recorded) if name != "fitness"],
        "remarks": common[:-1],
        "limits": [Markup(re.sub(r"\*(.+?)\*", r"<em>\1</em>", html.escape(line))) for line in DOES_NOT_SHOW],
        "records": len(recorded.records),
        "raw": _pack_record(recorded),
        "light": list_colours("light"),
        "dark": list_colours("dark"),
    }


def _group_sections(parts: Sequence[Part], chapters: Sequence[Chapter]) -> list[tuple[str, str, list[Chapter]]]:
    """Return the headings that have chapters, each as its anchor, its title and these chapters."""
    found = [(*part, [each for each in chapters if each.background.part == part]) for part in parts]
    return [each for each in found if each[-1]]


def _make_chapter(recorded: Recorded, outline: Outline, identifier: str, place: int) -> Chapter:
    of = recorded.of(identifier)
    judgements = of.all(Judgement)
    background = outline.describe(identifier)
    headline = [each for each in judgements if each.headline]
    further = [each for each in judgements if not each.headline]
    common = {*all_remarks(recorded.of(""), outline), finding.describe_calibration(recorded)}
    return Chapter(
        identifier,
        identifier if background.is_known else f"own-{place}",
        recorded.name_of(identifier),
        background,
        next(iter(outline.advise(of)), None),
        write_title(of),
        judgements,
        list(_list_published(recorded, headline)),
        list(_list_published(recorded, further)),
        [
            tabulate_verdicts(of, title, those, brief=True, notes=outline.note(of))
            for title, those in (("Headline verdicts", headline), ("Further readings", further))
            if those
        ],
        _split_in_columns(list(_draw_figures(of, outline, place))),
        tabulate(of, outline, "page"),
        {part: [_highlight(each) for each in sources] for part, sources in background.sources.items()},
        [line for line in all_remarks(of, outline) if line not in common],
        {claim: describe_simple(seen) for claim, seen in find_simple(of).items()},
    )


def _list_published(recorded: Recorded, judgements: Sequence[Judgement]) -> Iterator[Published]:
    """Yield the claims that were judged, and how they were read."""
    known = {
        claim.id: (each, claim)
        for each in recorded.declarations_by_id.values()
        if not each.functions
        for claim in each.claims
    }
    for each in {each.claim: each for each in judgements}.values():
        span = finding.format_claimed(each.kind, each.low, each.high)
        as_factor = finding.format_claimed_as_factor(each.kind, each.low, each.high)
        subject, claim = known.get(each.claim, (None, None))
        references = [each.comparison.reference]
        if subject is not None and claim is not None:
            references = list(dict.fromkeys(map(claim.against, subject.variants)))
        yield Published(
            each.claim,
            each.text,
            "" if claim is None else claim.source,
            f"{span}{as_factor and f' = {as_factor}'}",
            "" if claim is None else claim.reading,
            f"{finding.noun_of(each.metric)} of {each.comparison.workload}, against {' or '.join(references)}",
        )


def _draw_figures(of: Recorded, outline: Outline, place: int) -> Iterator[Figure]:
    drawable = (each for each in outline.at("page") if each.chart)
    for position, section in enumerate(drawable):
        picture = section.load_chart().picture(of, narrow=True)
        if picture is not None:
            drawing = make_inline(picture, f"f{place}-{position}")
            yield Figure(drawing, section.caption, picture.data, picture.figure.get_figheight())


def _split_in_columns(figures: Sequence[Figure]) -> list[list[Figure]]:
    """Sort figures into two columns, each into the one that is shorter until then."""
    columns: tuple[list[Figure], list[Figure]] = ([], [])
    for each in figures:
        min(columns, key=lambda column: sum(CAPTION + other.height for other in column)).append(each)
    return [column for column in columns if column]


def _highlight(source: Source) -> Code:
    coloured = highlight(source.code, PythonLexer(), HtmlFormatter(nowrap=True))
    return Code(source.title, source.place, Markup(coloured))


def _pack_record(recorded: Recorded) -> str | None:
    """Return the packed record as the address of a download; None where it would make the page too large."""
    packed = gzip.compress(b"".join(map(line_of, recorded.records)), mtime=0)
    return None if len(packed) > MOST_EMBEDDED else f"data:application/gzip;base64,{base64.b64encode(packed).decode()}"
