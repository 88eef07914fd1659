"""Draws what every arm saves over what it does to the output, where a workload trades one for the other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter

from argo_bench.harness.record.store import Recorded
from argo_bench.report import finding
from argo_bench.report.chart import NARROW, WIDTH, Canvas, Chart, Colours, get_hue, quieten
from argo_bench.report.charts.arms import FIXED, FIXED_STYLE, Style, assign_styles, move_points
from argo_bench.report.charts.names import Named, write_names
from argo_bench.report.counts import BENEFITS, Counted, find_counted, format_count
from argo_bench.report.tables import Column, Row, Table
from argo_bench.study.report.dominance import find_traded

COLUMNS = 2
PANEL, AROUND = 2.9, 0.6
"""A panel and the title are this high, in inches."""
WIDE = 20.0
"""An axis is logarithmic where its largest count is more than this many times the smallest above zero."""
ROOM = 4.0
"""A logarithmic axis goes on to this many times the largest count, so that labels have room."""


@dataclass(frozen=True, slots=True)
class Point:
    """Holds the damage ``x`` and the benefit ``y`` of an arm, a count for each seed."""

    arm: str
    x: Sequence[float]
    y: Sequence[float]

    @property
    def at(self) -> tuple[float, float]:
        return median(self.x), median(self.y)


@dataclass(frozen=True, slots=True)
class Panel:
    counted: Counted
    title: str
    damage: str
    benefit: str
    points: Sequence[Point]


def find_panels(recorded: Recorded) -> list[Panel]:
    """Return a panel for each counted workload that names the two counts to draw, its frontier."""
    return [panel for each in find_counted(recorded) if (panel := _make_panel(recorded, each)) is not None]


def _make_panel(recorded: Recorded, counted: Counted) -> Panel | None:
    if (traded := find_traded(counted)) is None:
        return None
    damage, benefit = traded
    points = [Point(arm, counted.values(arm, damage), counted.values(arm, benefit)) for arm in counted.arms]
    points = [point for point in points if point.x and point.y]
    title = f"{counted.optimization} {recorded.name_of(counted.optimization)}".rstrip()
    return Panel(counted, title, damage, benefit, points) if points else None


def describe(panels: Sequence[Panel]) -> str:
    """Say what the frontiers show."""
    of = finding.list_some(f"{panel.title} ({_name_count(panel.benefit)} over {panel.damage})" for panel in panels)
    return f"Requests, calls or hits of each version, over the harm that it does to the output, for {of}."


def _name_count(count: str) -> str:
    return count.replace("_", " ")


def _format_count(count: str, value: float) -> str:
    return BENEFITS.get(count, format_count)(value)


def tabulate(panels: Sequence[Panel]) -> Table:
    rows = []
    for panel in panels:
        rows.append(Row((panel.title, _name_count(panel.damage), _name_count(panel.benefit)), strong=True))
        for point in panel.points:
            at = (
                _format_count(count, value)
                for count, value in zip((panel.damage, panel.benefit), point.at, strict=True)
            )
            rows.append(Row((point.arm, *at)))
    columns = (Column("version", None), Column("harm to the output", 24), Column("what it is for", 24))
    return Table("Harm to the output, and what it is done for", "Medians over the seeds.", columns, tuple(rows))


def draw(panels: Sequence[Panel], canvas: Canvas) -> Figure:
    """Draw the panels beside each other; on a narrow canvas below each other, without a title of the whole."""
    colours, narrow = canvas.colours, canvas.is_narrow
    columns = 1 if narrow else COLUMNS
    rows = math.ceil(len(panels) / columns)
    figure = Figure(
        figsize=(NARROW if narrow else WIDTH, rows * PANEL + AROUND), facecolor=colours.background,
        layout=ConstrainedLayoutEngine(h_pad=0.1, w_pad=0.1),
    )  # fmt: skip
    drawn = []
    styles = assign_styles(point.arm for panel in panels for point in panel.points)
    for number, panel in enumerate(panels, 1):
        axes = figure.add_subplot(rows, columns, number, facecolor=colours.background)
        _draw_panel(axes, panel, colours)
        drawn.append((axes, panel))
    less_is_better = all(panel.benefit != "hit_rate" for panel in panels)
    if not narrow:
        figure.suptitle(
            f"Requests, calls or hits, over the harm to the output{': lower left is best' * less_is_better}",
            x=0.012, ha="left", fontsize=12, fontweight="bold", color=colours.ink,
        )  # fmt: skip
    figure.draw_without_rendering()  # places the axes, so that marks and labels can keep clear of each other
    for axes, panel in drawn:
        marks = _draw_marks(axes, panel.points, styles, colours)
        _write_names(axes, panel.points, marks, styles, colours)
    return figure


def _draw_panel(axes: Axes, panel: Panel, colours: Colours) -> None:
    _set_scale(axes, "x", panel.damage, [value for point in panel.points for value in point.x])
    _set_scale(axes, "y", panel.benefit, [value for point in panel.points for value in point.y])
    quieten(axes, colours)
    axes.grid(color=colours.rule, linewidth=0.8)
    axes.set_title(panel.title, loc="left", fontsize=9, fontweight="bold", color=colours.ink, pad=18)
    axes.annotate(
        f"{panel.counted.workload}, {panel.counted.place}", (0, 1), xycoords="axes fraction", xytext=(0, 6),
        textcoords="offset points", color=colours.muted, fontsize=8,
    )  # fmt: skip
    axes.set_xlabel(_name_count(panel.damage), color=colours.muted, fontsize=8.5)
    axes.set_ylabel(_name_count(panel.benefit), color=colours.muted, fontsize=8.5)
    if len(fixed := _join_fixed(panel.points)) > 1:
        xs, ys = zip(*fixed, strict=True)
        axes.plot(xs, ys, color=get_hue(FIXED_STYLE.hue, colours), linewidth=1.2, zorder=2)


def _join_fixed(points: Sequence[Point]) -> list[tuple[float, float]]:
    """Return the points of the arms that a line joins, because they differ in one number."""
    return sorted(point.at for point in points if point.arm.startswith(FIXED))


def _set_scale(axes: Axes, of: Literal["x", "y"], count: str, values: Sequence[float]) -> None:
    """Make an axis linear, or logarithmic where the counts are far apart.

    Where some counts are zero, a logarithmic axis has a linear piece down to zero.
    """
    axis = axes.xaxis if of == "x" else axes.yaxis
    positive = [value for value in values if value > 0]
    low, high = (min(positive), max(positive)) if positive else (1.0, 1.0)
    if high / low > WIDE and min(values) > 0:
        axes.set(**{f"{of}scale": "log", f"{of}lim": (low / 1.6, high * ROOM)})
    elif high / low > WIDE and min(values) == 0:
        scale = axes.set_xscale if of == "x" else axes.set_yscale
        scale("symlog", linthresh=low, linscale=0.5)
        axes.set(**{f"{of}lim": (-0.25 * low, high * ROOM)})
        powers = range(math.ceil(math.log10(low)), math.floor(math.log10(high * ROOM)) + 1)
        axis.set_major_locator(FixedLocator([0.0, *(10.0**power for power in powers)]))
    else:
        room = 0.14 * ((max(values) - min(values, default=0.0)) or max(values) or 1.0)
        axes.set(**{f"{of}lim": (min(values) - room, max(values) + 2.2 * room)})
        axis.set_major_locator(MaxNLocator(5))
    axis.set_major_formatter(FuncFormatter(lambda value, _: "" if value < 0 else _format_count(count, value)))
    axis.set_minor_formatter(NullFormatter())


MARK = 7.0
"""The middles of two marks are at least so many points apart."""


def _draw_marks(
    axes: Axes, points: Sequence[Point], styles: Mapping[str, Style], colours: Colours
) -> dict[str, np.ndarray]:
    """Draw each arm's mark with the range over its seeds, and return where the marks are, in pixels.

    A mark that would lie on another one stands beside it, and a thin line leads to its place.
    """
    pixels = axes.figure.dpi / 72
    placed: dict[str, np.ndarray] = {}
    for point in points:
        of, (x, y) = styles[point.arm], point.at
        colour = get_hue(of.hue, colours)
        axes.plot([min(point.x), max(point.x)], [y, y], color=colour, linewidth=1.2, zorder=3)
        axes.plot([x, x], [min(point.y), max(point.y)], color=colour, linewidth=1.2, zorder=3)
        place = axes.transData.transform(point.at)
        aside = _find_room(place, list(placed.values()), MARK * pixels)
        placed[point.arm] = place + aside
        right, up = (aside / pixels).tolist()
        axes.annotate(
            "", point.at, xytext=(right, up), textcoords="offset points", annotation_clip=False, in_layout=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0},
        )  # fmt: skip
        axes.plot(
            [x], [y], color=colour, marker=of.marker, markersize=6, linestyle="", clip_on=False, zorder=4,
            transform=move_points(axes, right, up), scalex=False, scaley=False,
        )  # fmt: skip
    return placed


def _find_room(place: np.ndarray, taken: Sequence[np.ndarray], size: float) -> np.ndarray:
    """Return how far a mark has to be moved so that it lies on none of the others, which are as large, in pixels."""
    for ring in range(len(taken) + 1):
        for turn in range(1 if ring == 0 else 6 * ring):
            angle = 2 * math.pi * turn / (6 * ring or 1)
            aside = ring * size * np.array([math.cos(angle), math.sin(angle)])
            if all(math.dist(place + aside, other) >= 0.99 * size for other in taken):
                return aside
    return np.zeros(2)


def _write_names(
    axes: Axes,
    points: Sequence[Point],
    marks: Mapping[str, np.ndarray],
    styles: Mapping[str, Style],
    colours: Colours,
) -> None:
    """Write each arm's name beside its mark; ``marks`` are where these are, in pixels."""
    pixels, transform = axes.figure.dpi / 72, axes.transData.transform
    named = []
    for point in points:
        right, up = ((marks[point.arm] - transform(point.at)) / pixels).tolist()
        x, y = point.at
        reach = ((min(point.x), y), (max(point.x), y)), ((x, min(point.y)), (x, max(point.y)))
        named.append(Named(point.arm, point.at, (right, up), styles[point.arm], reach))
    write_names(axes, named, [_join_fixed(points)], colours)


FRONTIER = Chart(find_panels, draw, describe, tabulate)
"""It shows what every arm saves over what it does to the output."""
