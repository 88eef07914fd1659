"""Draws what smaller floats do to indicators: the largest error of each group, arm by arm, as counted on the frames."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from argo_bench.harness.record.store import Recorded
from argo_bench.report import finding
from argo_bench.report.chart import Canvas, Chart, get_hue, quieten
from argo_bench.report.charts.arms import assign_styles, make_legend_entry
from argo_bench.report.counts import find_counted
from argo_bench.report.tables import Column, Row, Table

BEGINS = "largest error of "
EPSILONS = {"float64": 2.0**-53, "float32": 2.0**-24}
"""A rounding changes a number by at most this share: half the distance of neighbouring numbers."""


def find_largest_errors(recorded: Recorded) -> dict[str, dict[str, float]]:
    """Return the largest errors by group of indicators and arm, medians over the seeds; 0 where nothing differs."""
    found: dict[str, dict[str, float]] = {}
    for each in find_counted(recorded):
        for name in each.names():
            if name.startswith(BEGINS):
                arms = {arm: median(each.values(arm, name)) for arm in each.arms if arm != "baseline"}
                found[name.removeprefix(BEGINS)] = arms
    return found


def describe(found: Mapping[str, Mapping[str, float]]) -> str:
    arms = finding.list_some(arm for of in found.values() for arm in of)
    return f"The largest error of each group of indicators against float64, a mark for each of {arms}."


def _format_error(error: float) -> str:
    return f"{error:.1e}" if error else "none"


def tabulate(found: Mapping[str, Mapping[str, float]]) -> Table:
    arms = list(dict.fromkeys(arm for of in found.values() for arm in of))
    columns = (Column("indicators", None), *(Column(arm, 14) for arm in arms))
    rows = tuple(
        Row((group, *(_format_error(of[arm]) if arm in of else "-" for arm in arms))) for group, of in found.items()
    )
    return Table("Largest errors", "Against float64, the median over the seeds.", columns, rows)


def draw(found: Mapping[str, Mapping[str, float]], canvas: Canvas) -> Figure:
    """Draw a row for every group of indicators."""
    colours = canvas.colours
    styles = assign_styles(arm for of in found.values() for arm in of)
    figure = Figure(figsize=(8, 1.5 + 0.42 * len(found)), facecolor=colours.background, layout="constrained")
    axes = figure.add_subplot(facecolor=colours.background)
    least = EPSILONS["float64"] / 30
    for row, of in enumerate(found.values()):
        for place, (arm, drawn) in enumerate(styles.items()):
            if arm in of:
                at = row + 0.22 * (place - (len(styles) - 1) / 2)
                axes.plot(
                    [of[arm] or least], [at], color=get_hue(drawn.hue, colours),
                    marker=drawn.marker, markersize=6, linestyle="",
                )  # fmt: skip
    for name, epsilon in EPSILONS.items():
        axes.axvline(epsilon, color=colours.baseline, linewidth=0.9, linestyle=":")
        axes.annotate(
            f"one rounding in {name}", (epsilon, 1), xycoords=("data", "axes fraction"), xytext=(3, 2),
            textcoords="offset points", fontsize=8.5, color=colours.muted,
        )  # fmt: skip
    axes.set(xscale="log", xlim=(least / 3, 1), ylim=(len(found) - 0.5, -0.5), yticks=range(len(found)))
    axes.set_yticklabels(list(found))
    axes.xaxis.set_major_locator(LogLocator(numticks=9))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0e}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("largest error, log scale; at the left edge: none", color=colours.muted, fontsize=8.5)
    quieten(axes, colours)
    axes.grid(axis="x", color=colours.rule, linewidth=0.8)
    handles: list[tuple[Line2D, str]] = [make_legend_entry(arm, style, colours) for arm, style in styles.items()]
    for handle, _ in handles:
        handle.set_linestyle("")
    axes.legend(
        [handle for handle, _ in handles], [name for _, name in handles], loc="upper right", frameon=False,
        fontsize=8.5, labelcolor=colours.muted,
    )  # fmt: skip
    return figure


ERRORS = Chart(find_largest_errors, draw, describe, tabulate)
"""It shows the largest error of each group of indicators."""
