"""Draws the forest plot: every verdict as an interval on a log axis of speed-up, over the range that was claimed."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from argo_bench.harness.claims.metrics import CLOCKS, is_count
from argo_bench.harness.claims.verdict import word_for
from argo_bench.harness.record.records import Judgement
from argo_bench.harness.record.store import Recorded
from argo_bench.report import finding
from argo_bench.report.chart import (
    NARROW,
    WIDTH,
    Canvas,
    Chart,
    Colours,
    get_hue,
    name_mark,
    place_mark,
    quieten,
    set_ratio_axis,
)
from argo_bench.report.marks import MARKS, ORDER, label_verdict
from argo_bench.report.tables import Table
from argo_bench.report.title import write_title
from argo_bench.report.verdicts import tabulate_verdicts


class Shape(NamedTuple):
    """Says in inches how large the parts of a figure are, and how much text has room.

    ``headline`` and ``further`` are the heights of the two kinds of row. A row whose reference is not the baseline is
    higher by ``reference``. ``heading`` is the height of a part's heading, ``around`` that of all above and below the
    rows (in a narrow figure only above them). ``decades`` labels of the axis have room beside each other, and
    ``characters`` letters in a line below it.
    """

    width: float
    headline: float
    further: float
    reference: float
    around: float
    decades: float
    characters: int
    heading: float = 0.28

    @property
    def is_narrow(self) -> bool:
        return self.width < WIDTH

    def height(self, judgement: Judgement) -> float:
        has_line_more = judgement.comparison.reference != "baseline"
        return (self.headline if judgement.headline else self.further) + self.reference * has_line_more


WIDE_SHAPE = Shape(WIDTH, 0.46, 0.38, 0.13, 1.7, 6.5, 60)
NARROW_SHAPE = Shape(NARROW, 0.64, 0.6, 0.0, 0.46, 6.5, 56)
MARGIN = 0.12
"""The margins at the left and at the right are this wide, in inches."""
TITLE_CHARACTERS = 72
TALL = 12
"""From this number of rows on, the axis has labels at its top too."""
MOST_ROWS = 40
"""With more rows than this, further readings are left to the tables."""
DIFFERS = "  ≠ output"
FARTHEST = 1e5
"""A figure cuts off, with an arrow, ends of claimed ranges and intervals this many times beyond what was seen."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Holds the judgements of a record in the order of drawing, headline ones first.

    ``left_out`` is the number of further readings that stand in the tables alone.
    """

    recorded: Recorded
    headline: Sequence[Judgement]
    further: Sequence[Judgement]
    left_out: int

    @property
    def shown(self) -> list[Judgement]:
        return [*self.headline, *self.further]


def find_verdicts(recorded: Recorded) -> Verdicts:
    """Sort the judgements by verdict and then by speed-up; with more than MOST_ROWS only headline ones are drawn."""
    judgements = sorted(
        recorded.all(Judgement), key=lambda each: (ORDER[each.verdict], -(each.speedup or 0), each.claim, each.arm)
    )
    headline = [each for each in judgements if each.headline]
    further = [each for each in judgements if not each.headline]
    if headline and len(judgements) > MOST_ROWS:
        return Verdicts(recorded, headline, (), len(further))
    return Verdicts(recorded, headline, further, 0)


def describe(found: Verdicts) -> str:
    """Say in a sentence or two what the forest plot shows."""
    words = Counter(each.verdict for each in found.shown)
    counted = ", ".join(f"{count} {word_for(word)}" for word, count in words.items())
    verdicts = finding.format_number_of(len(found.shown), "verdict")
    said = f"Forest plot of {verdicts} on a log axis, as intervals over the ranges claimed: {counted}."
    if found.left_out:
        said += f" The tables have {finding.format_number_of(found.left_out, 'further reading')}."
    return said


def tabulate(found: Verdicts) -> Table:
    """Return the table of all verdicts that are drawn."""
    return tabulate_verdicts(found.recorded, "Verdicts", found.shown)


def draw(found: Verdicts, canvas: Canvas) -> Figure:
    """Draw headline verdicts first and bold, further readings lighter below.

    Times, memory and exact counts are all drawn as ratios; a row without an interval was not measured, or is about a
    level. A narrow figure has the words of a row above its interval.
    """
    colours, shape = canvas.colours, NARROW_SHAPE if canvas.is_narrow else WIDE_SHAPE
    rows = sum(map(shape.height, found.shown))
    height = rows + shape.heading * (bool(found.headline) + bool(found.further))
    drawn = found.shown
    about = _describe_axis(drawn, found.left_out, shape)
    figure, axes = _make_axes(max(height, shape.headline), about, colours, shape)
    _draw_axis(axes, drawn, about, colours, shape)
    y = 0.0
    for name, part in (("Headline claims", found.headline), ("Further readings", found.further)):
        if part:
            side = "inside" if shape.is_narrow else "left"
            _draw_label(axes, side, y + shape.heading / 2, name, Lettering(colours.muted, size=8.5))
            y += shape.heading
        for each in part:
            size = shape.height(each)
            axes.axhline(y, color=colours.rule, linewidth=0.8, zorder=0)
            if shape.is_narrow:
                _draw_narrow_row(axes, each, y, size, colours)
                middle = y + 0.38 + (size - 0.38) / 2
            else:
                _draw_row(axes, each, found.recorded.name_of(each.optimization), (y + size / 2, size), colours)
                middle = y + size / 2
            if each.speedup is not None and each.speedup < finding.NONE_LEFT:
                place_mark(axes, (each.speedup, middle), name_mark(found.recorded, each), colours)
            y += size
    if canvas.has_title:
        figure.suptitle(
            textwrap.fill(write_title(found.recorded), TITLE_CHARACTERS),
            x=0.012, ha="left", fontsize=12, fontweight="bold", color=colours.ink,
        )  # fmt: skip
    if not shape.is_narrow:
        _draw_legend(figure, drawn, colours)
    return figure


def _describe_axis(judgements: Sequence[Judgement], left_out: int, shape: Shape) -> str:
    """Say in lines what the axis is of; a narrow figure, which has no legend, says there what thick lines are."""
    metrics = list(dict.fromkeys(finding.noun_of(each.metric) for each in judgements))
    axis = f"reference / candidate in {', '.join(metrics) or 'CPU time'}, log scale"
    said = [f"{axis}; {_explain_thick_lines(judgements)}" if shape.is_narrow else axis]
    said += [f"{finding.format_number_of(left_out, 'further reading')} in the tables"] if left_out else []
    return "\n".join(textwrap.fill(each, shape.characters) for each in said)


def _make_axes(height: float, about: str, colours: Colours, shape: Shape) -> tuple[Figure, Axes]:
    """Make a figure with axes that are ``height`` inches high, for the lines ``about`` below them.

    A narrow figure has its words inside the axes, so that it needs no layout engine.
    """
    if not shape.is_narrow:
        layout = ConstrainedLayoutEngine(w_pad=MARGIN)
        figure = Figure(figsize=(shape.width, height + shape.around), layout=layout, facecolor=colours.background)
        axes = figure.add_subplot(facecolor=colours.background)
    else:
        below = 0.36 + 0.15 * (about.count("\n") + 1)
        whole = height + shape.around + below
        figure = Figure(figsize=(shape.width, whole), facecolor=colours.background)
        inside = (MARGIN / shape.width, below / whole, 1 - 2 * MARGIN / shape.width, height / whole)
        axes = figure.add_axes(inside, facecolor=colours.background)
    axes.set_ylim(height, 0)
    return figure, axes


def _choose_limits(judgements: Sequence[Judgement]) -> tuple[float, float]:
    """Return limits that hold 1x, every estimate, and all intervals and claimed edges within FARTHEST of them."""
    speedups = (each.speedup for each in judgements)
    seen = [0.48, 2.1, *(each for each in speedups if each is not None and each < finding.NONE_LEFT)]
    low, high = min(seen), max(seen)
    edges = [
        edge
        for each in judgements
        for pair in (each.interval, finding.find_claimed_region(each))
        for edge in pair or ()
    ]
    shown = [edge for edge in edges if low / FARTHEST <= edge <= high * FARTHEST]
    low, high = min(low, *shown, high), max(high, *shown, low)
    margin = (high / low) ** 0.04
    return low / margin, high * margin


def _draw_axis(axes: Axes, judgements: Sequence[Judgement], about: str, colours: Colours, shape: Shape) -> None:
    set_ratio_axis(axes, "x", _choose_limits(judgements), shape.decades)
    quieten(axes, colours)
    axes.yaxis.set_visible(False)
    axes.spines["left"].set_visible(False)
    if not shape.is_narrow:  # its words lie over the axes
        axes.grid(axis="x", color=colours.rule, linewidth=0.8)
    axes.set_xlabel(about, color=colours.muted, fontsize=8.5)
    is_tall = len(judgements) > TALL
    axes.tick_params(top=is_tall, labeltop=is_tall)
    above = 18 if is_tall else 3
    left, right = ("slower", "faster") if _is_time(judgements) else ("slower or more", "faster or less")
    if shape.is_narrow:  # 1x may be too near to an end for words beside it
        axes.set_title(f"\u25c2 {left}", loc="left", color=colours.muted, fontsize=8.5, pad=above)
        axes.set_title(f"{right} \u25b8", loc="right", color=colours.muted, fontsize=8.5, pad=above)
        axes.minorticks_off()
        return
    axes.axvline(1, color=colours.baseline, linewidth=1.4, zorder=2)
    for words, offset, side in ((f"\u25c2 {left}", -7, "right"), (f"{right} \u25b8", 7, "left")):
        axes.annotate(
            words, (1, 1), xycoords=("data", "axes fraction"), xytext=(offset, above), textcoords="offset points",
            ha=side, va="bottom", color=colours.muted, fontsize=8.5,
        )  # fmt: skip


def _is_time(judgements: Sequence[Judgement]) -> bool:
    return all(each.metric in CLOCKS for each in judgements)


def _draw_row(axes: Axes, judgement: Judgement, name: str, place: tuple[float, float], colours: Colours) -> None:
    """Draw the row of a verdict; ``place`` is its middle and its height, in inches."""
    y, size = place
    colour = get_hue(MARKS[judgement.verdict].hue, colours)
    weight, ink = ("bold", colours.ink) if judgement.headline else ("normal", colours.muted)
    claimed = finding.format_claimed(judgement.kind, judgement.low, judgement.high)
    compared = judgement.comparison
    against = [] if compared.reference == "baseline" else [f"vs {compared.reference}"]
    about = ", ".join(filter(None, (name, f"claimed {claimed}")))
    differs = DIFFERS if finding.changes_output(judgement) else ""
    lines = [f"{judgement.claim}  {compared.candidate}", *against, about]
    step = size / (len(lines) + 0.6)
    top = y - (len(lines) - 1) / 2 * step
    _draw_label(axes, "left", top, lines[0], Lettering(ink, weight=weight))
    for position, line in enumerate(lines[1:], 1):
        _draw_label(axes, "left", top + position * step, line, Lettering(colours.muted, size=8))
    _draw_label(axes, "right", y - step / 2, label_verdict(judgement.verdict), Lettering(colour, weight=weight))
    _draw_label(axes, "right", y + step / 2, finding.describe_measured(judgement) + differs, Lettering(ink, size=8))
    _draw_band(axes, finding.find_claimed_region(judgement), y, 0.36 * size, colours)
    _draw_interval(axes, judgement, y, size, colour)


def _draw_narrow_row(axes: Axes, judgement: Judgement, y: float, size: float, colours: Colours) -> None:
    """Draw two lines of words from ``y`` downwards, and the interval below them, all of it ``size`` inches high."""
    colour = get_hue(MARKS[judgement.verdict].hue, colours)
    weight, ink = ("bold", colours.ink) if judgement.headline else ("normal", colours.muted)
    claimed = finding.format_claimed(judgement.kind, judgement.low, judgement.high)
    differs = "  ≠" if finding.changes_output(judgement) else ""
    _draw_label(axes, "inside", y + 0.13, f"{judgement.claim}  {judgement.arm}{differs}", Lettering(ink, weight=weight))
    _draw_label(axes, "end", y + 0.13, label_verdict(judgement.verdict), Lettering(colour, weight=weight))
    _draw_label(axes, "inside", y + 0.28, claimed, Lettering(colours.muted, size=8))
    _draw_label(axes, "end", y + 0.28, finding.describe_measured(judgement), Lettering(ink, size=8))
    axes.vlines(1, y + 0.38, y + size, color=colours.baseline, linewidth=1.4, zorder=2)  # clear of the words
    middle = y + 0.38 + (size - 0.38) / 2
    _draw_band(axes, finding.find_claimed_region(judgement), middle, 0.36 * (size - 0.38), colours)
    _draw_interval(axes, judgement, middle, size - 0.32, colour)


class Side(NamedTuple):
    """Says where words stand beside or inside the axes.

    ``at`` is the left or the right end of the axes, ``offset`` the distance from it in points.
    """

    at: Literal[0, 1]
    offset: float
    align: Literal["left", "right"]


SIDES: Mapping[str, Side] = {
    "left": Side(0, -8, "right"),
    "right": Side(1, 10, "left"),
    "inside": Side(0, 0, "left"),
    "end": Side(1, 0, "right"),
}


class Lettering(NamedTuple):
    colour: str
    weight: str = "normal"
    size: float = 9


def _draw_label(axes: Axes, side: str, y: float, words: str, lettering: Lettering) -> None:
    at, offset, align = SIDES[side]
    colour, weight, size = lettering
    axes.annotate(
        words, (at, y), xycoords=("axes fraction", "data"), xytext=(offset, 0),
        textcoords="offset points", ha=align, va="center_baseline",
        color=colour, fontsize=size, fontweight=weight, annotation_clip=False,
    )  # fmt: skip


def _draw_band(axes: Axes, region: tuple[float, float] | None, y: float, half: float, colours: Colours) -> None:
    """Draw the claimed range as a band; an end beyond the axis becomes an arrow."""
    if region is None:
        return
    left, right = axes.get_xlim()
    low, high = (min(max(edge, left), right) for edge in region)
    axes.add_patch(Rectangle((low, y - half), high - low, 2 * half, color=colours.band, linewidth=0, zorder=1))
    for edge, end, marker in ((region[0], left, "<"), (region[1], right, ">")):
        if left <= edge <= right:
            axes.plot([edge, edge], [y - half, y + half], color=colours.edge, linewidth=1.2, zorder=1.5)
        elif (edge > right) == (marker == ">"):
            axes.plot([end], [y], marker=marker, color=colours.edge, markersize=6, clip_on=False, zorder=4)
    if low == high:
        axes.plot([low], [y], marker=">" if low == right else "<", color=colours.edge, markersize=6, clip_on=False)


def _draw_interval(axes: Axes, judgement: Judgement, y: float, size: float, colour: str) -> None:
    if judgement.speedup is None:
        return
    if judgement.interval is not None:
        left, right = axes.get_xlim()
        low, high = (min(max(end, left), right) for end in judgement.interval)
        axes.plot([low, high], [y, y], color=colour, linewidth=13 * size, solid_capstyle="butt", zorder=3)
        for end, edge, marker in ((judgement.interval[0], left, "<"), (judgement.interval[1], right, ">")):
            if not left <= end <= right:
                axes.plot([edge], [y], marker=marker, color=colour, markersize=7, clip_on=False, zorder=4)
    if judgement.speedup < finding.NONE_LEFT:
        half = 0.3 * size
        axes.plot([judgement.speedup] * 2, [y - half, y + half], color=colour, linewidth=2.4, zorder=5)


def _draw_legend(figure: Figure, judgements: Sequence[Judgement], colours: Colours) -> None:
    as_reference = "as fast as the reference" if _is_time(judgements) else "as the reference"
    entries: list[tuple[Patch | Line2D, str]] = [
        (Patch(facecolor=colours.band, edgecolor=colours.edge), "claimed range"),
        (Line2D([], [], color=colours.muted, linewidth=5), _explain_thick_lines(judgements)),
        (Line2D([], [], color=colours.muted, marker="|", markersize=10, markeredgewidth=2.4, linestyle=""), "estimate"),
        (Line2D([], [], color=colours.baseline, linewidth=1.4), f"1x: {as_reference}"),
    ]
    if any(map(finding.changes_output, judgements)):
        entries.append((Line2D([], [], linestyle=""), f"{DIFFERS.strip()}: computes something else"))
    handles, labels = zip(*entries, strict=True)
    figure.legend(
        handles, labels, loc="outside lower left", ncols=2, frameon=False, fontsize=8.5, labelcolor=colours.muted
    )


def _explain_thick_lines(judgements: Sequence[Judgement]) -> str:
    """Say what the thick lines are: intervals, and for exact counts the range over the seeds."""
    levels = {each.level for each in judgements if each.level is not None and not is_count(each.metric)}
    shown = " or ".join(f"{100 * level:.4g} %" for level in sorted(levels, reverse=True))
    counts = "counts: range over seeds" if any(is_count(each.metric) for each in judgements) else ""
    return ", ".join(filter(None, (f"{shown} interval".strip() if levels or not counts else "", counts)))


FOREST = Chart(find_verdicts, draw, describe, tabulate)
"""It shows every verdict as an interval over the range that was claimed."""
