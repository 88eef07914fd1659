"""Draws the time per call of each arm over the scales at which it was measured, with the slope and the crossover."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from argo_bench.harness.claims.metrics import CLOCKS
from argo_bench.harness.record.records import Comparison, Judgement, Result
from argo_bench.harness.record.store import Recorded
from argo_bench.report import finding
from argo_bench.report.chart import (
    Canvas,
    Chart,
    Colours,
    draw_legend,
    get_hue,
    quieten,
    set_duration_axis,
    stack_panels,
    title_panel,
)
from argo_bench.report.charts.arms import Style, assign_styles, make_legend_entry, move_aside
from argo_bench.report.tables import Column, Row, Table

PANEL = 1.7
"""A panel is this high, in inches."""


@dataclass(frozen=True, slots=True)
class Line:
    """Holds the median nanoseconds per call of an arm by scale."""

    arm: str
    times: dict[int, float]

    @property
    def slope(self) -> float | None:
        """Return the exponent with which the time grows with the scale, by least squares over the logarithms.

        Returns None for fewer than two scales.
        """
        points = [(math.log(scale), math.log(time)) for scale, time in self.times.items() if scale > 0]
        if len(points) < 2:
            return None
        x, y = (math.fsum(each) / len(points) for each in zip(*points, strict=True))
        return math.fsum((a - x) * (b - y) for a, b in points) / math.fsum((a - x) ** 2 for a, _ in points)


@dataclass(frozen=True, slots=True)
class Panel:
    """Holds the lines of a workload; ``reference`` is the one that the candidates are measured against."""

    claim: str
    comparison: Comparison
    reference: Line
    candidates: Sequence[Line]


def find_panels(recorded: Recorded) -> list[Panel]:
    """Return a panel for every workload that was timed at several scales."""
    return list(_find_panels(recorded))


def _find_panels(recorded: Recorded) -> Iterator[Panel]:
    results = {each.comparison: each for each in recorded.all(Result)}
    drawn: set[tuple[str, str]] = set()
    for each in sorted(recorded.all(Judgement), key=lambda each: not each.headline):
        at = each.comparison
        if each.metric not in CLOCKS or at.unit == "% ticking" or (at.workload, at.reference) in drawn:
            continue
        drawn.add((at.workload, at.reference))
        lines: dict[str, dict[int, float]] = {}
        reference: dict[int, float] = {}
        for other, result in sorted(results.items()):
            if (other.workload, other.reference) == (at.workload, at.reference):
                lines.setdefault(other.candidate, {})[other.scale] = result.candidate_ns
                reference[other.scale] = result.reference_ns
        candidates = [Line(arm, times) for arm, times in lines.items() if len(times) > 1]
        if len(reference) > 1 and candidates:
            yield Panel(each.claim, at, Line(at.reference, reference), candidates)


def find_crossover(reference: Line, candidate: Line) -> float | None:
    """Return the scale at which the two lines cross, interpolated between logarithms; None where they do not."""
    scales = sorted(reference.times.keys() & candidate.times.keys())
    gains = [math.log(reference.times[scale] / candidate.times[scale]) for scale in scales]
    for (left, right), (before, after) in zip(pairwise(scales), pairwise(gains), strict=True):
        if before * after < 0 and left > 0:
            return math.exp(math.log(left) + math.log(right / left) * before / (before - after))
    return None


def _describe_line(panel: Panel, line: Line) -> str:
    """Say how the time of a line grows, and where it crosses the reference."""
    slope = line.slope
    grows = "" if slope is None else f"grows as n^{slope:.2f}"
    at = None if line is panel.reference else find_crossover(panel.reference, line)
    crosses = "" if at is None else f"as fast as {panel.reference.arm} at about {at:,.0f} {panel.comparison.unit}"
    return ", ".join(filter(None, (grows, crosses)))


def describe(panels: Sequence[Panel]) -> str:
    of = finding.list_some(f"{panel.claim} on {panel.comparison.workload}" for panel in panels)
    return f"Time per call over the scale, both on log axes, for {of}."


def tabulate(panels: Sequence[Panel]) -> Table:
    rows = []
    for panel in panels:
        rows.append(Row((panel.claim, panel.comparison.workload, ""), strong=True))
        for line in (panel.reference, *panel.candidates):
            times = (
                f"{scale:,} {panel.comparison.unit}: {finding.format_duration(time)}"
                for scale, time in sorted(line.times.items())
            )
            rows.append(Row((line.arm, "\n".join(times), _describe_line(panel, line))))
    columns = (Column("arm", None), Column("time per call", None), Column("slope and crossover", None))
    return Table("Scaling", "Median times per call; slopes by least squares over logarithms.", columns, tuple(rows))


def draw(panels: Sequence[Panel], canvas: Canvas) -> Figure:
    colours = canvas.colours
    styles = assign_styles(line.arm for panel in panels for line in (panel.reference, *panel.candidates))
    figure, drawn = stack_panels([PANEL] * len(panels), colours, math.ceil(len(styles) / 2))
    for axes, panel in zip(drawn, panels, strict=True):
        _draw_panel(axes, panel, styles, colours)
    draw_legend(figure, [make_legend_entry(arm, style, colours) for arm, style in styles.items()], colours, 2)
    return figure


def _draw_panel(axes: Axes, panel: Panel, styles: Mapping[str, Style], colours: Colours) -> None:
    lines = (panel.reference, *panel.candidates)
    times = [time for line in lines for time in line.times.values()]
    scales = sorted({scale for line in lines for scale in line.times})
    margin = (max(times) / min(times)) ** 0.08
    set_duration_axis(axes, "y", (min(times) / margin, max(times) * margin), 4)
    if scales[0] > 0:
        reach = (scales[-1] / scales[0]) ** 0.06
        axes.set(xscale="log", xlim=(scales[0] / reach, scales[-1] * reach))
    else:
        axes.set_xlim(-0.06 * scales[-1], 1.06 * scales[-1])
    axes.xaxis.set_major_locator(FixedLocator([float(each) for each in scales]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.minorticks_off()
    quieten(axes, colours)
    axes.grid(axis="y", color=colours.rule, linewidth=0.8)
    for position, line in enumerate(lines):
        of = styles[line.arm]
        colour = get_hue(of.hue, colours)
        points = sorted(line.times.items())
        axes.plot(
            [scale for scale, _ in points], [time for _, time in points], color=colour, linestyle=of.line,
            marker=of.marker, markersize=5, linewidth=1.6, transform=move_aside(axes, position, len(lines)),
        )  # fmt: skip
    title_panel(axes, f"{panel.claim}: time per call over scale", panel.comparison.workload, colours)
    axes.set_xlabel(f"{panel.comparison.unit}, log scale", color=colours.muted, fontsize=8.5)


SCALING = Chart(find_panels, draw, describe, tabulate)
"""It shows the time per call over the scale, for every timed workload with several scales."""
