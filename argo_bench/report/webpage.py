"""report.html: a run as one page that needs nothing else, with its figures, the numbers behind them and every sample.

A figure is drawn once, in the light colours; on the page these are variables, which a dark theme sets to others.
"""

from __future__ import annotations

import base64
import gzip
import html
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from argo_bench.harness.calibration.standing import Used
from argo_bench.harness.claims.claim import Claim
from argo_bench.harness.claims.verdict import Word
from argo_bench.harness.machine.fitness import Finding
from argo_bench.harness.record.records import End, Judgement
from argo_bench.harness.record.store import Recorded, line_of
from argo_bench.optimizations import catalogue, subjects
from argo_bench.optimizations.document import RANKS
from argo_bench.optimizations.optimization import VARIANTS
from argo_bench.report import calibration, finding
from argo_bench.report.advice import Advice, advice
from argo_bench.report.combined import combined
from argo_bench.report.counted import caches, done_to_the_output
from argo_bench.report.curves import curves
from argo_bench.report.document import DOES_NOT_SHOW, facts
from argo_bench.report.explain import Source, exchanged, place
from argo_bench.report.figures import forest
from argo_bench.report.frontier import frontier
from argo_bench.report.marks import MARKS, labelled
from argo_bench.report.measured import beside, first_calls
from argo_bench.report.page import in_words
from argo_bench.report.paying import break_even, hit_rates
from argo_bench.report.picture import Picture, palette
from argo_bench.report.remarks import remarks
from argo_bench.report.samples import ecdf, paired_ratio
from argo_bench.report.scaling import scaling
from argo_bench.report.shares import shares
from argo_bench.report.tables import VERDICT, Table
from argo_bench.report.tried import tried
from argo_bench.report.verdicts import holds_when, over_the_change_rate, strips, verdicts
from argo_bench.report.weighed import weighed

MOST_EMBEDDED = 2_500_000
"""Bytes of packed samples from which on they are left beside the page."""
CAPTION = 0.9
"""Inches, on the scale of the figures, of what stands below each."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure on the page: the drawing, how to read it, and the numbers that it draws."""

    drawing: Markup
    caption: str
    data: Table
    height: float


@dataclass(frozen=True, slots=True)
class Published:
    """A claim in its own words, and how it was read."""

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
class Section:
    """All that a run has on one optimization, set or benchmark."""

    id: str
    anchor: str
    name: str
    rank: str
    advice: Advice | None
    finding: str
    judgements: Sequence[Judgement]
    headline: Sequence[Published]
    further: Sequence[Published]
    may_change: str
    verdicts: Sequence[Table]
    columns: Sequence[Sequence[Figure]]
    tables: Sequence[Table]
    sources: dict[str, Sequence[Code]]
    remarks: Sequence[str]

    def seen(self, claim: str, arm: str) -> list[tuple[Word, str]]:
        """The verdict on a claim in an arm, with what was measured."""
        judged = (each for each in self.judgements if (each.claim, each.arm) == (claim, arm))
        return [(each.verdict, finding.measured(each)) for each in judged]


def webpage(recorded: Recorded) -> str:
    """The page as HTML. What comes from the record is escaped by the template."""
    environment = Environment(
        loader=PackageLoader("argo_bench.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        mark=labelled,
        hue=lambda word: MARKS[word].hue.replace(" ", "-"),
        verdict=VERDICT,
        counted=finding.counted,
    )
    return environment.get_template("webpage.html.jinja").render(_content(recorded))


def _content(recorded: Recorded) -> dict[str, Any]:
    judgements = recorded.all(Judgement)
    headline = [each for each in judgements if each.headline]
    common = [*remarks(recorded.of("")), finding.calibrated(recorded)]
    sections = [_section(recorded, each, common, place) for place, each in enumerate(recorded.subjects)]
    kept = recorded.run.environment.get("calibration")
    return {
        "run": recorded.run,
        "finding": finding.finding(recorded),
        "setting": finding.setting(recorded),
        "took": [finding.duration(1e9 * end.seconds) for end in recorded.all(End)],
        "tally": {word: sum(each.verdict == word for each in headline or judgements) for word in MARKS},
        "hero": [
            ("wide", _inline(forest(recorded, title=False), "wide")),
            ("narrow", _inline(forest(recorded, narrow=True), "narrow")),
        ],
        "overview": [each for each in sections if each.advice is not None],
        "verdicts": verdicts(recorded, "Verdicts", headline) if headline else forest(recorded).data,
        "parts": _parts(sections),
        "calibrated": finding.calibrated(recorded),
        "calibration": [] if kept is None else list(calibration.tables(msgspec.convert(kept, Used).calibration)),
        "fitness": msgspec.convert(recorded.run.environment.get("fitness", []), list[Finding]),
        "facts": [(name.replace("_", " "), value) for name, value in facts(recorded) if name != "fitness"],
        "remarks": common[:-1],
        "limits": [Markup(re.sub(r"\*(.+?)\*", r"<em>\1</em>", html.escape(line))) for line in DOES_NOT_SHOW],
        "records": len(recorded.records),
        "raw": _raw(recorded),
        "light": palette("light"),
        "dark": palette("dark"),
    }


def _parts(sections: Sequence[Section]) -> list[tuple[str, str, list[Section]]]:
    """The sections under their headings: published ones, those together, and what is a user's own."""
    together = [each.id for each in sections if each.id in subjects().keys() - catalogue().keys()]
    found = {
        ("optimizations", "Optimization by optimization"): [each for each in sections if each.id in catalogue()],
        ("combined", "Combined claims"): [each for each in sections if each.id in together],
        ("others", "Compared"): [each for each in sections if each.id not in subjects()],
    }
    return [(name, title, those) for (name, title), those in found.items() if those]


def _section(recorded: Recorded, identifier: str, common: Sequence[str], place: int) -> Section:
    of = recorded.of(identifier)
    judgements = of.all(Judgement)
    known = subjects().get(identifier)
    rank = RANKS.get(identifier)
    headline = [each for each in judgements if each.headline]
    further = [each for each in judgements if not each.headline]
    tables = (
        combined(recorded, identifier),
        holds_when(of),
        done_to_the_output(of),
        strips(of),
        over_the_change_rate(of),
        caches(of),
        *tried(of),
        beside(of),
        first_calls(of),
        *in_words(of),
    )
    is_single = identifier in catalogue()
    return Section(
        identifier,
        identifier if identifier in subjects() else f"own-{place}",
        recorded.name_of(identifier),
        "" if rank is None else f"{rank.priority} priority, {rank.effort} effort, week {rank.phase}",
        next(iter(advice(of)), None),
        finding.finding(of),
        judgements,
        list(_published(recorded, headline)),
        list(_published(recorded, further)),
        "" if known is None else known.may_change,
        [
            verdicts(of, title, those, brief=True)
            for title, those in (("Headline verdicts", headline), ("Further readings", further))
            if those
        ],
        _columns(list(_figures(of, place))),
        [table for table in tables if table.rows],
        _sources(identifier) if is_single else {},
        [line for line in remarks(of) if line not in common],
    )


def _published(recorded: Recorded, judgements: Sequence[Judgement]) -> Iterator[Published]:
    """The claims that were judged, as they were read."""
    claims = {claim.id: claim for known in recorded.known.values() if not known.functions for claim in known.claims}
    for each in {each.claim: each for each in judgements}.values():
        span = finding.claimed(each.kind, each.low, each.high)
        as_factor = finding.claimed_as_factor(each.kind, each.low, each.high)
        claim: Claim | None = claims.get(each.claim)
        references = dict.fromkeys(map(claim.against, VARIANTS) if claim else [each.comparison.reference])
        yield Published(
            each.claim,
            each.text,
            "" if claim is None else claim.source,
            f"{span}{as_factor and f' = {as_factor}'}",
            "" if claim is None else claim.reading,
            f"{finding.NOUNS[each.metric]} of {each.comparison.workload}, against {' or '.join(references)}",
        )


Draw = Callable[[Recorded], Picture | None]
FIGURES: Sequence[tuple[Draw, str]] = (
    (
        lambda of: forest(of, narrow=True),
        "A tick is the estimate, the thick line its interval, the band what was claimed; ≠ computes something else.",
    ),
    (ecdf, "Every sample that counts. Thin lines are single processes; steps that lie together agree."),
    (
        paired_ratio,
        "Reference / candidate, block by block in the order of measuring: drift, warm-up and disturbances would show "
        "as slopes and jumps.",
    ),
    (
        shares,
        "What each multiplies the speed by, the largest first; below, what it is worth alone and beside the others.",
    ),
    (scaling, "A steeper line grows faster with its input; where lines cross, the faster arm changes."),
    (break_even, "What a slow first call costs, and after how many calls it is made up for. From medians."),
    (hit_rates, "A cache pays where its line is above 1x; marks are hit rates seen on traces. From medians."),
    (
        lambda of: curves(of, narrow=True),
        "The claims where fewer or more symbols tick in a step, over the range that was claimed.",
    ),
    (
        lambda of: frontier(of, narrow=True),
        "What each arm saves over what it does to the output, exact counts: further left is less harm.",
    ),
    (weighed, "Every reading, in a process of its own. Hollow marks were polled and may miss a peak."),
)
"""The figures of a section in their order, and how to read each."""


def _figures(of: Recorded, place: int) -> Iterator[Figure]:
    for position, (draw, caption) in enumerate(FIGURES):
        if (picture := draw(of)) is not None:
            yield Figure(
                _inline(picture, f"f{place}-{position}"), caption, picture.data, picture.figure.get_figheight()
            )


def _columns(figures: Sequence[Figure]) -> list[list[Figure]]:
    """Two columns, each figure in the one that is the shorter until then."""
    columns: tuple[list[Figure], list[Figure]] = ([], [])
    for each in figures:
        min(columns, key=lambda column: sum(CAPTION + other.height for other in column)).append(each)
    return [column for column in columns if column]


def _inline(picture: Picture, name: str) -> Markup:
    """The drawing for the page: words as text in the page's font, colours as variables, names of its parts its own."""
    drawing = ElementTree.fromstring(picture.svg(words="none"))
    box = drawing.attrib["viewBox"]
    _adapt(drawing, name, {hexes.lower(): each for each, hexes in palette("light").items()})
    drawing.attrib = {"viewBox": box, "role": "img", "aria-label": picture.alt}
    return Markup(ElementTree.tostring(drawing, encoding="unicode"))


def _adapt(element: ElementTree.Element, prefix: str, names: Mapping[str, str]) -> None:
    """Groups that say nothing are dissolved, names of shapes get a prefix, and numbers two decimals."""
    element.tag = _local(element.tag)
    kept: list[ElementTree.Element] = []
    for child in element:
        _adapt(child, prefix, names)
        if child.tag == "g" and not child.attrib:
            kept += child
        elif child.tag not in ("metadata", "style"):
            kept.append(child)
    element[:] = kept
    element.tail = None
    if element.tag not in ("text", "tspan"):
        element.text = None
    element.attrib = {
        _local(key): _adapted(value, prefix, names)
        for key, value in element.attrib.items()
        if not (key == "id" and element.tag == "g") and not value.startswith("rotate(-0 ")
    }


def _local(name: str) -> str:
    """A name without its namespace, which HTML knows."""
    return name.rpartition("}")[2]


def _adapted(value: str, prefix: str, names: Mapping[str, str]) -> str:
    value = re.sub(r"^#(?=[mp][0-9a-f]{10})|^(?=[mp][0-9a-f]{10}$)|(?<=url\(#)", lambda at: f"{at[0]}{prefix}-", value)
    value = re.sub(r"#[0-9a-f]{6}\b", lambda found: f"var(--{names[found[0]]})", value)
    value = re.sub(r"\d+\.\d{3,}", lambda found: f"{float(found[0]):.2f}", value)
    return re.sub(r"\s+", " ", value.replace("'DejaVu Sans'", "var(--sans)")).strip()


def _sources(identifier: str) -> dict[str, Sequence[Code]]:
    """The sources of every part that the optimization exchanges, as they are installed."""
    return {part: [_code(each) for each in sources] for part, sources in exchanged(catalogue()[identifier]).items()}


def _code(source: Source) -> Code:
    coloured = highlight(source.code, PythonLexer(), HtmlFormatter(nowrap=True))
    return Code(source.title, place(source.module, source.first_line), Markup(coloured))


def _raw(recorded: Recorded) -> str | None:
    """The record, packed, as the address of a download; None where it would make the page too large."""
    packed = gzip.compress(b"".join(map(line_of, recorded.records)), mtime=0)
    return None if len(packed) > MOST_EMBEDDED else f"data:application/gzip;base64,{base64.b64encode(packed).decode()}"
