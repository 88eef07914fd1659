"""Writes report.html: a run as one page that needs nothing else, with figures, the numbers behind them and all samples.

A figure is drawn once, in the light colours; on the page these are variables, which a dark theme sets to others. What
is long waits inside <noscript>, which is text to a browser with scripts until a reader opens it, and plain content to
one without.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any, NamedTuple

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
from argo_bench.harness.record.records import Judgement
from argo_bench.harness.record.store import Recorded, line_of
from argo_bench.report import calibration, finding
from argo_bench.report.changes import describe_changes, list_remarks, tabulate_changes
from argo_bench.report.chart import list_colours
from argo_bench.report.charts.hero import HERO
from argo_bench.report.document import DOES_NOT_SHOW, list_facts
from argo_bench.report.glance import describe_measuring, list_answers
from argo_bench.report.inline import Mark, Styles, make_inline
from argo_bench.report.marks import MARKS, OKABE_ITO, ORDER, label_verdict
from argo_bench.report.sections import Advice, Background, Outline, Part, Source
from argo_bench.report.simple import describe_simple, find_simple
from argo_bench.report.tables import VERDICT, Table
from argo_bench.report.text import all_remarks, tabulate
from argo_bench.report.title import write_aside, write_title, write_title_lines
from argo_bench.report.trend import SPARK, list_dots, name_run, tabulate_trend
from argo_bench.report.verdicts import tabulate_verdicts

LARGEST = 2_990_000
"""A packed record with which the page would have more bytes is left beside it."""
GROUPS = {
    "keep": ("Use it as published", "It gains, loses nothing, and keeps the output."),
    "fix": (
        "Use the engineered version",
        "The published one loses or changes the output; the engineered one does not.",
    ),
    "simple": ("Use the simple way", "Plain code gains and keeps the output, and no version that does so is better."),
    "drop": ("Leave it out", "No version gains without a cost."),
    "undecided": ("Not decided", "This run measured too little to say."),
}
"""The title of each word of advice, and what it means."""
COLOURED = "k|kn|kc|ow|kd|s1|s2|sd|sa|si|se|c1|mi|mf|nf|nc|nd|fm"
UNCOLOURED = re.compile(rf'<span class="(?!(?:{COLOURED})")\w*">([^<]*)</span>')
"""The style sheet has colours for some pieces of source code, which keep their element, and none for others."""
LEAST_RUNS = 3
"""A trend is shown of so many runs or more."""
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
    about: str
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


class Group(NamedTuple):
    """Holds the chapters with one word of advice, and what this word means."""

    title: str
    note: str
    sections: Sequence[Chapter]


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

    def find_verdicts(self, claim: str, arm: str) -> list[tuple[Word, str, bool]]:
        """Return the verdict on a claim in an arm, what was measured, and whether the output differs."""
        judged = (each for each in self.judgements if (each.claim, each.arm) == (claim, arm))
        return [(each.verdict, finding.describe_measured(each), finding.changes_output(each)) for each in judged]


def write_page(recorded: Recorded, outline: Outline, earlier: Sequence[Recorded] = ()) -> str:
    """Return the page as HTML; the template escapes what comes from the record.

    ``earlier`` are runs that it is compared with, the oldest first: what changed since the last of them, and the trend.
    """
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
        order=lambda word: ORDER[word],
        hue=lambda word: MARKS[word].hue.replace(" ", "-"),
        verdict=VERDICT,
        counted=finding.format_number_of,
    )
    template = environment.get_template("webpage.html.jinja")
    styles = Styles()
    collected = _collect(recorded, outline, styles) | _compare(recorded, earlier)
    collected["drawn_styles"] = styles.write_rules()
    page = template.render(collected, raw=None)
    raw = _pack_record(recorded)
    return spell_controls(template.render(collected, raw=raw) if len(page.encode()) + len(raw) <= LARGEST else page)


def _collect(recorded: Recorded, outline: Outline, styles: Styles) -> dict[str, Any]:
    judgements = recorded.all(Judgement)
    headline = [each for each in judgements if each.headline]
    common = [*all_remarks(recorded.of(""), outline), finding.describe_calibration(recorded)]
    chapters = _make_chapters(recorded, outline, styles)
    anchors = {each.id: each.anchor for each in chapters}
    marks = _list_marks(recorded, judgements, anchors)
    hero = HERO.picture(recorded, title=False), HERO.picture(recorded, narrow=True)
    kept = recorded.run.environment.get("calibration")
    script = Markup(resources.files("argo_bench.report").joinpath("webpage.js").read_text(encoding="utf-8"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return {
        "run": recorded.run,
        "finding": write_title_lines(recorded),
        "aside": write_aside(recorded),
        "measuring": describe_measuring(recorded, outline),
        "setting": finding.describe_setting(recorded),
        "answers": list_answers(recorded, outline),
        "anchors": anchors,
        "tally": {word: sum(each.verdict == word for each in headline or judgements) for word in MARKS},
        "hero": [
            (name, make_inline(picture, name, marks, styles))
            for name, picture in zip(("wide", "narrow"), hero, strict=True)
            if picture
        ],
        "groups": _group_advice(chapters),
        "verdicts": tabulate_verdicts(recorded, "Verdicts", headline or judgements, notes=outline.note(recorded)),
        "parts": _group_sections(outline.parts, chapters),
        "calibrated": finding.describe_calibration(recorded),
        "calibration": [] if kept is None else list(calibration.make_tables(msgspec.convert(kept, Used).calibration)),
        "fitness": msgspec.convert(recorded.run.environment.get("fitness", []), list[FitnessCheck]),
        "facts": [(name.replace("_", " "), value) for name, value in list_facts(recorded) if name != "fitness"],
        "remarks": common[:-1],
        "limits": [Markup(re.sub(r"\*(.+?)\*", r"<em>\1</em>", html.escape(line))) for line in DOES_NOT_SHOW],
        "records": len(recorded.records),
        "light": list_colours("light"),
        "dark": list_colours("dark"),
        "hues": [name.replace(" ", "-") for name in OKABE_ITO],
        "script": script,
        "script_digest": f"sha256-{digest}",
    }


def _compare(recorded: Recorded, earlier: Sequence[Recorded]) -> dict[str, Any]:
    """Return what the page says of earlier runs; of one run there is no trend."""
    if not earlier:
        return {"changes": None, "trend": None}
    before, runs = earlier[-1], [*earlier, recorded]
    changes = {
        "since": name_run(before),
        "said": describe_changes(before, recorded),
        "remarks": list_remarks(before, recorded),
        "table": tabulate_changes(before, recorded),
    }
    if len(runs) < LEAST_RUNS:
        return {"changes": changes, "trend": None}
    judged = [each for each in recorded.all(Judgement) if each.headline] or recorded.all(Judgement)
    lines = [(each, list_dots(runs, each.claim, each.arm)) for each in judged]
    return {"changes": changes, "trend": {"lines": lines, "table": tabulate_trend(runs), "size": SPARK}}


def _list_marks(recorded: Recorded, judgements: Sequence[Judgement], anchors: Mapping[str, str]) -> list[Mark]:
    """Return what the mark of each verdict says: value, interval, on how much it rests, and the output."""
    return [
        Mark(
            "; ".join(
                (
                    f"{finding.name_claim(recorded, each)}, {finding.name_arms(each.comparison)}",
                    f"{finding.describe_measured(each)}, {finding.describe_interval(recorded, each)}",
                    f"output: {each.output.replace('; ', ', ')}",
                    word_for(each.verdict),
                )
            ),
            anchors.get(each.optimization, "verdicts"),
            each.verdict,
        )
        for each in judgements
    ]


def _group_advice(chapters: Sequence[Chapter]) -> list[Group]:
    """Return the chapters that have an advice, by its word, in each group in the order of shipping."""
    groups = []
    for word, (title, note) in GROUPS.items():
        those = [each for each in chapters if each.advice is not None and each.advice.word == word]
        those.sort(key=lambda each: (each.advice.place or math.inf) if each.advice else math.inf)
        if those:
            groups.append(Group(f"{title} ({len(those)})", note, those))
    return groups


def _make_chapters(recorded: Recorded, outline: Outline, styles: Styles) -> list[Chapter]:
    advised = {each.subject: each for each in outline.advise(recorded)}
    return [
        replace(
            _make_chapter(recorded, outline, each, place),
            advice=advised.get(each),
            columns=_split_in_columns(list(_draw_figures(recorded.of(each), outline, place, styles))),
        )
        for place, each in enumerate(recorded.subjects)
    ]


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
        _name_anchor(background, identifier, place),
        recorded.name_of(identifier),
        background,
        None,
        write_title(of),
        judgements,
        list(_list_published(recorded, headline)),
        list(_list_published(recorded, further)),
        [
            tabulate_verdicts(of, title, those, brief=True, notes=outline.note(of))
            for title, those in (("Headline verdicts", headline), ("Further readings", further))
            if those
        ],
        (),
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
            finding.noun_of(each.metric),
            each.text,
            "" if claim is None else claim.source,
            f"{span}{as_factor and f' = {as_factor}'}",
            "" if claim is None else claim.reading,
            f"{finding.noun_of(each.metric)} of {each.comparison.workload}, against {' or '.join(references)}",
        )


def _name_anchor(background: Background, identifier: str, place: int) -> str:
    """Return the name by which a chapter can be linked to: its id, unless that may be any text."""
    return identifier if background.is_known else f"own-{place}"


def _draw_figures(of: Recorded, outline: Outline, place: int, styles: Styles) -> Iterator[Figure]:
    judgements = of.all(Judgement)
    anchors = {each: _name_anchor(outline.describe(each), each, place) for each in of.subjects}
    marks = _list_marks(of, judgements, anchors)
    drawable = (each for each in outline.at("page") if each.chart)
    for position, section in enumerate(drawable):
        picture = section.load_chart().picture(of, narrow=True)
        if picture is not None:
            drawing = make_inline(picture, f"f{place}-{position}", marks, styles)
            yield Figure(drawing, section.caption, picture.data, picture.figure.get_figheight())


def _split_in_columns(figures: Sequence[Figure]) -> list[list[Figure]]:
    """Sort figures into two columns, each into the one that is shorter until then."""
    columns: tuple[list[Figure], list[Figure]] = ([], [])
    for each in figures:
        min(columns, key=lambda column: sum(CAPTION + other.height for other in column)).append(each)
    return [column for column in columns if column]


def _highlight(source: Source) -> Code:
    coloured = highlight(source.code, PythonLexer(), HtmlFormatter(nowrap=True))
    return Code(source.title, source.place, Markup(UNCOLOURED.sub(r"\1", coloured)))


def _pack_record(recorded: Recorded) -> str:
    """Return the packed record as the address of a download."""
    packed = gzip.compress(b"".join(map(line_of, recorded.records)), mtime=0)
    return f"data:application/gzip;base64,{base64.b64encode(packed).decode()}"
