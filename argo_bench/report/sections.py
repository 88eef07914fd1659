"""Lists the sections of a report, each of which terminal, Markdown, notebook and page render in their own way.

The list is an argument of every renderer. ``HARNESS`` lists what any record can show, ``study/report/sections.py`` what
a run of the study can show beside it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from argo_bench.extras import check_extra
from argo_bench.harness.record.records import Judgement
from argo_bench.harness.record.store import Recorded
from argo_bench.report.conditions import tabulate_conditions
from argo_bench.report.counts import tabulate_caches, tabulate_damage
from argo_bench.report.growth import tabulate_growth
from argo_bench.report.outputs import tabulate_checks
from argo_bench.report.results import tabulate_first_call_times, tabulate_memory, tabulate_results
from argo_bench.report.tables import Column, Row, Table
from argo_bench.report.trials import tabulate_trials
from argo_bench.report.verdicts import Notes, tabulate_strips, tabulate_verdicts

if TYPE_CHECKING:
    from argo_bench.report.chart import Chart

Place = Literal["summary", "terminal", "text", "page", "files"]
"""A section is shown in one or several of these: ``summary`` is a terminal for a run of many subjects, ``terminal`` one
for a run of a few, ``text`` is Markdown and a notebook, ``page`` a subject's part of report.html, and ``files`` a
figure beside report.md.
"""

SLOW_FIRST_CALL_NS = 50_000_000
"""A terminal has a line for first calls that take this long or longer."""


@dataclass(frozen=True, slots=True)
class Section:
    """Describes a part of a report: its tables, or a chart with its caption.

    ``tables`` is called with the record, and whether it is to be brief. ``chart`` names a Chart as ``module:NAME``; it
    is imported when it is drawn, because matplotlib comes with an extra. A table without rows is left out, and so is a
    chart that finds nothing to draw. ``has_narrow_file`` says that a figure beside report.md has a version for phones.
    """

    name: str
    places: tuple[Place, ...]
    tables: Callable[[Recorded, bool], Sequence[Table]] | None = None
    chart: str = ""
    caption: str = ""
    has_narrow_file: bool = False

    def tabulate(self, recorded: Recorded, *, brief: bool = False) -> list[Table]:
        """Return those of its tables that have rows."""
        return [] if self.tables is None else [table for table in self.tables(recorded, brief) if table.rows]

    def load_chart(self) -> Chart[Any]:
        """Import its chart. Raises UserError where matplotlib is not installed."""
        check_extra("report", "a figure")
        module, _, name = self.chart.partition(":")
        found: Chart[Any] = getattr(importlib.import_module(module), name)
        return found


class Source(NamedTuple):
    """Holds a piece of source code, and says which module and line it is from."""

    title: str
    place: str
    code: str


class Part(NamedTuple):
    """Names a heading of the page, under which subjects stand."""

    anchor: str
    title: str


OTHERS = Part("others", "Compared")
"""A user's own functions stand under this heading."""


@dataclass(frozen=True, slots=True)
class Background:
    """Says what the page tells of a subject beside what was measured.

    ``is_known`` says that its id can be linked to.
    """

    part: Part = OTHERS
    is_known: bool = False
    rank: str = ""
    may_change: str = ""
    sources: Mapping[str, Sequence[Source]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Advice:
    """Says what to do with a subject, and why.

    ``prescribed``, ``engineered`` and ``simple`` are what was seen of each arm, ``winner`` is the arm to ship, which is
    empty where none is. ``label`` is the word with what has to be said in the same breath, ``gains`` what the winner
    gives, and ``place`` when to ship it: 1 comes first, and 0 is not to be shipped.
    """

    subject: str
    word: Literal["keep", "fix", "simple", "drop", "undecided"]
    reason: str
    prescribed: str
    engineered: str
    simple: str = "-"
    winner: str = ""
    label: str = ""
    gains: str = ""
    place: int = 0


@dataclass(frozen=True, slots=True)
class Outline:
    """Lists what a report on one kind of record consists of, from top to bottom.

    ``remarks`` returns sentences that come before those of any record, ``advise`` an advice for each optimization,
    ``describe`` the background of a subject, and ``note`` what stands beside a verdict. ``parts`` are the headings of
    the page in order. ``about`` says what such records are about.
    """

    sections: Sequence[Section]
    remarks: Callable[[Recorded], Sequence[str]] = lambda recorded: ()
    advise: Callable[[Recorded], Sequence[Advice]] = lambda recorded: ()
    describe: Callable[[str], Background] = lambda subject: Background()
    parts: Sequence[Part] = (OTHERS,)
    note: Callable[[Recorded], Notes] = lambda recorded: {}
    about: str = ""

    def at(self, place: Place) -> Iterator[Section]:
        """Return the sections that are shown in a place."""
        return (each for each in self.sections if place in each.places)

    def find(self, name: str) -> Section | None:
        """Return the section with this name, or None where such reports have none."""
        return next((each for each in self.sections if each.name == name), None)


def tabulate_headline(recorded: Recorded, brief: bool) -> list[Table]:
    """Return the table of the verdicts on headline claims."""
    judged = [each for each in recorded.all(Judgement) if each.headline]
    return [tabulate_verdicts(recorded, "Verdicts", judged, brief=brief)]


def tabulate_further(recorded: Recorded, brief: bool) -> list[Table]:
    """Return the table of the verdicts on further readings."""
    judged = [each for each in recorded.all(Judgement) if not each.headline]
    return [tabulate_verdicts(recorded, "Further readings", judged, brief=brief)]


def tabulate_first_calls(recorded: Recorded, brief: bool) -> list[Table]:
    """Return the table of what first calls took; briefly, only of slow ones."""
    return [tabulate_first_call_times(recorded, SLOW_FIRST_CALL_NS if brief else 0)]


def tabulate_sentences(recorded: Recorded, brief: bool) -> list[Table]:
    """Return the table of each claim as it was published, with what was measured in full sentences."""
    seen: dict[tuple[str, str], list[str]] = {}
    for each in recorded.all(Judgement):
        seen.setdefault((each.claim, each.text), []).append(each.sentence)
    rows = tuple(Row((claim, text, "\n".join(sentences))) for (claim, text), sentences in seen.items())
    columns = (Column("claim", 14), Column("as published", None), Column("measured", None))
    return [Table("Claim by claim", "", columns, rows)]


CHARTS = "argo_bench.report.charts."
ANY_TEXT: tuple[Place, ...] = ("terminal", "text")
ANY_TABLE: tuple[Place, ...] = ("terminal", "text", "page")

HEADLINE = Section("verdicts", ("summary", "terminal", "text"), tabulate_headline)
FURTHER = Section("further readings", ANY_TEXT, tabulate_further)
HERO = Section("hero", ("files",), chart=f"{CHARTS}hero:HERO", has_narrow_file=True)
FOREST = Section(
    "forest",
    ("page",),
    chart=f"{CHARTS}forest:FOREST",
    caption=(
        "A tick is the estimate, the thick line its interval, the band what was claimed; ≠ computes something else."
    ),
)
ECDF = Section(
    "ecdf",
    ("page",),
    chart=f"{CHARTS}samples:ECDF",
    caption="The share of calls that took no longer than this. Thin lines are single processes: together, they agree.",
)
PAIRED_RATIO = Section(
    "paired_ratio",
    ("page",),
    chart=f"{CHARTS}samples:PAIRED_RATIO",
    caption=(
        "How many times as fast the new code was, block by block in the order of measuring: drift, warm-up and "
        "disturbances would show as slopes and jumps."
    ),
)
SCALING = Section(
    "scaling",
    ("page",),
    chart=f"{CHARTS}scaling:SCALING",
    caption="A steeper line grows faster with its input; where lines cross, the faster arm changes.",
)
BREAK_EVEN = Section(
    "break_even",
    ("page",),
    chart=f"{CHARTS}break_even:BREAK_EVEN",
    caption="What a slow first call costs, and after how many calls it has paid off. From medians.",
)
HIT_RATES = Section(
    "hit_rates",
    ("page",),
    chart=f"{CHARTS}break_even:HIT_RATES",
    caption="A cache pays where its line is above 1x; marks are hit rates seen on traces. From medians.",
)
MEMORY = Section(
    "memory",
    ("page",),
    chart=f"{CHARTS}memory:MEMORY",
    caption="Every reading, in a process of its own. Hollow marks were polled and may miss a peak.",
)
HOLDS_WHEN = Section("holds when", ANY_TABLE, lambda recorded, brief: [tabulate_conditions(recorded, brief=brief)])
STRIPS = Section("over scales", ANY_TABLE, lambda recorded, brief: [tabulate_strips(recorded)])
OUTPUT = Section("output", ANY_TABLE, lambda recorded, brief: [tabulate_damage(recorded, brief=brief)])
CHECKS = Section("checks", ("page",), lambda recorded, brief: [tabulate_checks(recorded)])
GROWTH = Section("growth", ANY_TABLE, lambda recorded, brief: [tabulate_growth(recorded)])
CACHES = Section("caches", ANY_TABLE, lambda recorded, brief: [tabulate_caches(recorded)])
TRIALS = Section("trials", ANY_TABLE, lambda recorded, brief: tabulate_trials(recorded, brief=brief))
MEMORY_TABLE = Section("memory table", ANY_TEXT, lambda recorded, brief: [tabulate_memory(recorded)])
BESIDE = Section("beside", ANY_TABLE, lambda recorded, brief: [tabulate_results(recorded, brief=brief)])
FIRST_CALLS = Section("first calls", ANY_TABLE, tabulate_first_calls)
SENTENCES = Section("in words", ("text", "page"), tabulate_sentences)

HARNESS = Outline(
    (
        *(HEADLINE, FURTHER),
        *(HERO, FOREST, ECDF, PAIRED_RATIO, SCALING, BREAK_EVEN, HIT_RATES, MEMORY),
        *(GROWTH, HOLDS_WHEN, STRIPS, OUTPUT, CHECKS, CACHES, TRIALS, MEMORY_TABLE, BESIDE, FIRST_CALLS, SENTENCES),
    )
)
"""A report on any record can show these. On the page the charts of a subject stand above its tables."""
