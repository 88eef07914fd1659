"""Draws the picture that a report begins with: a row for every claim, with all of its variants in it.

A mark is what was measured, hollow where the output differs; a line is its interval, a band what was published. Levels,
such as hit rates, are no ratios: they have an axis of their own below.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend_handler import HandlerTuple
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FuncFormatter

from argo_bench.harness.record.records import Judgement
from argo_bench.report import finding
from argo_bench.report.answers import ANSWERS, UNDECIDED
from argo_bench.report.chart import NARROW, PART, Canvas, Chart, Colours, get_hue, name_mark, quieten, set_ratio_axis
from argo_bench.report.charts.arms import Style
from argo_bench.report.charts.rows import Hero, Row, find_hero
from argo_bench.report.tables import Table
from argo_bench.report.title import OPENINGS, write_title, write_title_lines
from argo_bench.report.verdicts import tabulate_verdicts

FARTHEST = 4.0
"""A figure cuts off, with an arrow, what lies more than this many times beyond 1x and all estimates."""


def describe(found: Hero) -> str:
    """Say in a sentence or two what the picture shows."""
    number = finding.format_number_of(len(found.rows), "claim")
    return f"Chart of {number} with what was measured of each: {write_title(found.recorded)}."


def tabulate(found: Hero) -> Table:
    """Return the table of all verdicts that are drawn."""
    return tabulate_verdicts(found.recorded, "Verdicts", found.shown)


class Shape(NamedTuple):
    """Says in inches how large the parts of a figure are.

    ``left`` and ``right`` are the margins beside the axes. A narrow figure has the words of a row above its marks:
    ``words`` and ``marks`` are the heights of both. ``size`` is that of the letters, in points, ``letters`` the most of
    them in a label, ``title`` the most in a line of the title. ``number`` is the width of a column of numbers.
    """

    width: float
    left: float
    right: float
    words: float
    marks: float
    size: float
    letters: int
    title: int
    number: float

    @property
    def is_narrow(self) -> bool:
        return self.width <= NARROW


WIDE = Shape(10.0, 3.05, 1.65, 0.0, 0.16, 8.5, 46, 110, 0.78)
SMALL = Shape(NARROW, 0.14, 0.14, 0.16, 0.2, 7.8, 42, 60, 0.74)
HEADING, AXIS, LEGEND, TOP, LINE = 0.21, 0.26, 0.18, 0.2, 0.22
"""A heading, the labels of an axis, a line of the legend, what is above the first row, and a line of the title are this
high, in inches."""
EDGE = 0.12
"""Words keep this distance from the edges, in inches."""
SIZE = 5.2
"""A mark is this wide, in points."""
MOST_NUMBERED = 2
"""Numbers have room beside the rows for so many arms."""


@dataclass(frozen=True, slots=True)
class Pen:
    """Holds what drawing a row takes."""

    axes: Axes
    found: Hero
    colours: Colours
    shape: Shape

    @property
    def row_height(self) -> float:
        return _measure_row(self.found, self.shape)


def _measure_row(found: Hero, shape: Shape) -> float:
    return shape.words + shape.marks * max(1.0, len(found.styles) / 2)


def draw(found: Hero, canvas: Canvas) -> Figure:
    """Draw the ratios, the levels below them, and the legend at the foot."""
    shape, colours = (SMALL if canvas.is_narrow else WIDE), canvas.colours
    said = [f"{each}." for each in write_title_lines(found.recorded)] if canvas.has_title else []
    title = [line for each in said for line in textwrap.wrap(each, shape.title)]
    legend = _list_legend(found, colours, shape)
    row = _measure_row(found, shape)
    headings = sum(bool(group.heading) for group in found.ratios)
    ratios = HEADING * headings + row * sum(len(group.rows) for group in found.ratios)
    levels = row * len(found.levels)
    top = LINE * len(title) + 0.08 * bool(title)
    around = (TOP + AXIS) * bool(ratios) + (HEADING + AXIS) * bool(levels)
    height = top + ratios + levels + around + LEGEND * len(legend) + 0.06
    figure = Figure(figsize=(shape.width, height), facecolor=colours.background)
    for position, line in enumerate(title):
        figure.text(
            EDGE / shape.width, 1 - LINE * (position + 0.85) / height, line,
            fontsize=11, fontweight="bold", color=colours.ink,
        )  # fmt: skip
    for drawn, size, above in ((_draw_ratios, ratios, TOP), (_draw_levels, levels, HEADING)):
        if size:
            top += above + size
            width = 1 - (shape.left + shape.right) / shape.width
            place = (shape.left / shape.width, 1 - top / height, width, size / height)
            axes = figure.add_axes(place, facecolor=colours.background, ylim=(size, 0))
            drawn(Pen(axes, found, colours, shape))
            top += AXIS
    _draw_legend(figure, legend, colours, shape)
    return figure


def _draw_ratios(pen: Pen) -> None:
    axes, found, colours = pen.axes, pen.found, pen.colours
    judgements = [each for group in found.ratios for row in group.rows for each in row.judgements]
    set_ratio_axis(axes, "x", _choose_limits(judgements), 6.5)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _name_ratio(value)))
    _quieten(pen)
    axes.axvline(1, color=colours.baseline, linewidth=1.2, zorder=0.9)
    if len(found.styles) > 1:
        for position, arm in enumerate(found.styles):
            _write_number(pen, position, -0.4 * TOP, OPENINGS.get(arm, arm).removeprefix("as "), colours.muted)
    y = 0.0
    for group in found.ratios:
        if group.heading:
            is_short = pen.shape.is_narrow or not group.more
            heading = group.heading if is_short else f"{group.heading}, {group.more}"
            _write_label(pen, y + 0.6 * HEADING, heading, colours.muted, "bold")
            y += HEADING
        for row in group.rows:
            _draw_row(pen, row, y, finding.find_claimed_region(row.judgements[0]))
            y += pen.row_height


def _draw_levels(pen: Pen) -> None:
    axes, levels = pen.axes, pen.found.levels
    seen = [end for row in levels for each in row.judgements for end in each.level_seen or ()]
    most = max([1.0, *seen])
    axes.set(xlim=(-0.02 * most, 1.02 * most), xticks=(0, most / 2, most))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: finding.format_level(value)))
    _quieten(pen)
    nouns = dict.fromkeys(each.metric.replace("_", " ") for row in levels for each in row.judgements)
    _write_label(pen, -0.4 * HEADING, f"{', '.join(nouns)}, on an axis of its own", pen.colours.muted, "bold")
    for position, row in enumerate(levels):
        low, high = row.judgements[0].low, row.judgements[0].high
        region = (0.0 if low is None else low, most if high is None else high)
        _draw_row(pen, row, position * pen.row_height, region)


def _quieten(pen: Pen) -> None:
    """Mute an axis: its labels are below, and at the left there is no line."""
    axes, colours = pen.axes, pen.colours
    quieten(axes, colours)
    axes.minorticks_off()
    axes.tick_params(axis="x", labelsize=pen.shape.size, length=3, pad=2)
    axes.yaxis.set_visible(False)
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_color(colours.edge)
    axes.grid(axis="x", color=colours.rule, linewidth=0.8)


def _name_ratio(value: float) -> str:
    """Say what a place on the axis means, as in ``10x worse``, ``same``, ``10x better`` and ``100x``."""
    if math.isclose(value, 1):
        return "same"
    if value < 1:
        return f"{1 / value:,.6g}x worse"
    return f"{value:,.6g}x{' better' if value <= 10 else ''}"


def _choose_limits(judgements: Sequence[Judgement]) -> tuple[float, float]:
    """Return limits that hold 1x and every estimate, and of intervals and published ranges what is near to these."""
    estimates = (each.speedup for each in judgements if each.speedup is not None)
    seen = [0.8, 1.25, *(each for each in estimates if each < finding.NONE_LEFT)]
    low, high = min(seen), max(seen)
    pairs = [pair for each in judgements for pair in (each.interval, finding.find_claimed_region(each)) if pair]
    ends = [end for pair in pairs for end in pair if low / FARTHEST <= end <= high * FARTHEST]
    low, high = min([low, *ends]), max([high, *ends])
    margin = (high / low) ** 0.03
    return low / margin, high * margin


def _draw_row(pen: Pen, row: Row, y: float, region: tuple[float, float] | None) -> None:
    """Draw a row from ``y`` downwards: its words, what was published, and each arm's mark with its interval."""
    found, shape, colours = pen.found, pen.shape, pen.colours
    words_at = y + (shape.words or pen.row_height) / 2
    room = pen.row_height - shape.words
    middle = y + shape.words + room / 2
    is_apart = any(map(found.is_dependent, row.judgements))
    label = row.label if len(row.label) <= shape.letters else f"{row.label[: shape.letters - 1]}…"
    _write_label(pen, words_at, f"{label} *" if is_apart else label, colours.ink)
    if region is not None:
        _draw_band(pen, region, middle, 0.42 * room)
    arms = list(found.styles)
    for each in row.judgements:
        position = arms.index(each.arm)
        colour = get_hue(found.answer(each).hue, colours)
        _write_number(pen, position, words_at, _format_number(each), colour)
        lane = room / max(2, len(arms)) * 1.04
        _draw_mark(pen, each, middle + (position - (len(arms) - 1) / 2) * lane)


def _format_number(judgement: Judgement) -> str:
    """Write what was measured as short as it gets."""
    if judgement.level_seen is not None:
        return "-".join(dict.fromkeys(f"{100 * each:.0f}" for each in judgement.level_seen)) + " %"
    if judgement.speedup is None:
        return "-"
    shown = finding.format_ratio(judgement.speedup, judgement.metric)
    return shown if shown.endswith("x") else "none left"


def _draw_band(pen: Pen, region: tuple[float, float], y: float, half: float) -> None:
    """Draw the published range; each of its ends within the axis has a line, so that a thin range is seen too."""
    axes, colours = pen.axes, pen.colours
    left, right = axes.get_xlim()
    low, high = (min(max(edge, left), right) for edge in region)
    axes.add_patch(Rectangle((low, y - half), high - low, 2 * half, color=colours.band, linewidth=0, zorder=1))
    for edge in region:
        if left <= edge <= right:
            axes.plot([edge, edge], [y - half, y + half], color=colours.edge, linewidth=0.9, zorder=1.1)


def _draw_mark(pen: Pen, judgement: Judgement, y: float) -> None:
    """Draw an arm's interval and mark; what lies beyond the axis is an arrow at its end."""
    axes, found = pen.axes, pen.found
    at, interval = judgement.speedup, judgement.interval
    if judgement.level_seen is not None:
        at, interval = sum(judgement.level_seen) / 2, judgement.level_seen
    if at is None:
        return
    left, right = axes.get_xlim()
    colour = get_hue(found.answer(judgement).hue, pen.colours)
    part = name_mark(found.recorded, judgement, PART)
    if interval is not None:
        ends = [min(max(end, left), right) for end in interval]
        axes.plot(ends, [y, y], color=colour, linewidth=1.7, solid_capstyle="butt", zorder=2, gid=part)
        for end, edge, arrow in ((interval[0], left, "<"), (interval[1], right, ">")):
            if not left <= end <= right:
                axes.plot([edge], [y], marker=arrow, color=colour, markersize=4, clip_on=False, zorder=2)
    fill = pen.colours.background if finding.changes_output(judgement) else colour
    mark = _make_mark(found.styles[judgement.arm], fill, colour)
    mark.set_data([min(max(at, left), right)], [y])
    mark.set(clip_on=False, zorder=3, gid=name_mark(found.recorded, judgement))
    axes.add_line(mark)


def _make_mark(style: Style, fill: str, edge: str) -> Line2D:
    return Line2D(
        [], [], marker=style.marker, markersize=SIZE, markerfacecolor=fill, markeredgecolor=edge,
        markeredgewidth=1.2, linestyle="",
    )  # fmt: skip


class Lettering(NamedTuple):
    """Says how words look; those over an axis cover its lines."""

    align: Literal["left", "right"]
    colour: str
    weight: str = "normal"
    is_over_axis: bool = False


def _write_label(pen: Pen, y: float, words: str, colour: str, weight: str = "normal") -> None:
    _write(
        pen,
        (0, EDGE - pen.shape.left),
        y,
        words,
        Lettering("left", colour, weight, pen.shape.is_narrow or weight == "bold"),
    )


def _write_number(pen: Pen, position: int, y: float, words: str, colour: str) -> None:
    """Write a number of the arm with this position; more arms than have room get none."""
    columns = len(pen.found.styles)
    if columns <= MOST_NUMBERED:
        offset = pen.shape.right - EDGE - (columns - 1 - position) * pen.shape.number
        _write(pen, (1, offset), y, words, Lettering("right", colour, is_over_axis=pen.shape.is_narrow))


def _write(pen: Pen, place: tuple[int, float], y: float, words: str, look: Lettering) -> None:
    """Write words at an end of the axes, 0 or 1, and so many inches to the right of it."""
    end, offset = place
    pen.axes.annotate(
        words, (end, y), xycoords=("axes fraction", "data"), xytext=(72 * offset, 0), textcoords="offset points",
        bbox={"facecolor": pen.colours.background, "edgecolor": "none", "pad": 0.5} if look.is_over_axis else None,
        va="center_baseline", ha=look.align, fontsize=pen.shape.size, fontweight=look.weight, color=look.colour,
        annotation_clip=False,
    )  # fmt: skip


Entry = tuple[Patch | Line2D | tuple[Line2D, ...], str]


def _list_legend(found: Hero, colours: Colours, shape: Shape) -> list[list[Entry]]:
    """Return the lines of the legend: first what marks, lines and bands are, then what colours say."""
    shown, ink = found.shown, colours.muted
    marks: list[Entry] = [(_make_mark(style, ink, ink), _name_arm(arm)) for arm, style in found.styles.items()]
    if any(map(finding.changes_output, shown)):
        hollow = tuple(_make_mark(each, colours.background, ink) for each in found.styles.values())
        marks.append((hollow, "hollow: the output differs"))
    if any(each.interval is not None for each in shown):
        marks.append((Line2D([], [], color=ink, linewidth=1.7), "uncertainty"))
    if any(each.kind != "difference" for each in shown):
        marks.append((Patch(facecolor=colours.band, edgecolor=colours.edge), "published range"))
    answers = set(map(found.answer, shown))
    says: list[Entry] = [
        (Patch(facecolor=get_hue(each.hue, colours), edgecolor="none"), each.name)
        for each in (*ANSWERS, UNDECIDED)
        if each in answers
    ]
    if any(map(found.is_dependent, shown)):
        says.append((Line2D([], [], linestyle=""), "* depends on the reference"))
    columns = 2 if shape.is_narrow else max(len(marks), len(says))
    return [part[start : start + columns] for part in (marks, says) for start in range(0, len(part), columns)]


def _name_arm(arm: str) -> str:
    """Name an arm as the title does, and as the tables do where that is another word."""
    opening = OPENINGS.get(arm, arm)
    return opening if opening.endswith(arm) else f"{opening} ({arm})"


def _draw_legend(figure: Figure, lines: Sequence[Sequence[Entry]], colours: Colours, shape: Shape) -> None:
    """Draw the lines of the legend at the foot, the last one lowest; a narrow figure has two columns of entries."""
    for position, line in enumerate(reversed(lines)):
        for column, entries in enumerate([[entry] for entry in line] if shape.is_narrow else [line]):
            handles, names = zip(*entries, strict=True)
            place = EDGE / shape.width + column / 2, (0.04 + LEGEND * position) / figure.get_figheight()
            figure.legend(
                handles, names, loc="lower left", bbox_to_anchor=place, ncols=len(entries), frameon=False,
                fontsize=shape.size, labelcolor=colours.muted, columnspacing=1.6, handletextpad=0.5, handlelength=1.6,
                borderpad=0, borderaxespad=0, handler_map={tuple: HandlerTuple(ndivide=None, pad=0.2)},
            )  # fmt: skip


HERO = Chart(find_hero, draw, describe, tabulate)
"""It shows every claim that the title counts, in a row with all of its variants."""
