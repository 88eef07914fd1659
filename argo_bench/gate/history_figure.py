"""Draws how ratios have moved from run to run, a panel for each claim and arm."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from argo_bench.gate.history import Series
from argo_bench.report.chart import (
    COLOURS,
    Colours,
    Picture,
    get_hue,
    quieten,
    set_ratio_axis,
    stack_panels,
    title_panel,
)
from argo_bench.report.finding import format_number_of, list_some
from argo_bench.report.tables import Column, Row, Table

PANEL_HEIGHT = 0.9
ROOM = 1.15
"""Above and below the intervals, as a factor."""
MOST_PANELS = 12


def draw_history(series: Sequence[Series]) -> Picture:
    """Draw a panel for each, on a log axis, in order of the runs; those that moved first, MOST_PANELS at the most."""
    shown = sorted(series, key=lambda each: not each.moves)[:MOST_PANELS]
    colours = COLOURS["light"]
    figure, panels = stack_panels([PANEL_HEIGHT] * len(shown), colours, 0)
    for axes, each in zip(panels, shown, strict=True):
        _draw_panel(axes, each, colours)
    rows = [Row((each.label, point.started[:10], point.run, str(point))) for each in shown for point in each.points]
    columns = (Column("claim", 20), Column("date", 10), Column("run", None), Column("ratio", 24))
    table = Table("Ratios over time", "Each over the baseline of the same run.", columns, tuple(rows))
    return Picture(figure, _describe(shown), table)


def _draw_panel(axes: Axes, series: Series, colours: Colours) -> None:
    points = series.points
    places = range(len(points))
    below = [each.speedup - each.low for each in points]
    above = [each.high - each.speedup for each in points]
    colour = get_hue("vermillion" if series.moves else "blue", colours)
    axes.errorbar(places, [each.speedup for each in points], [below, above], fmt="o-", color=colour, markersize=4,
                  linewidth=1, elinewidth=2, capsize=3)  # fmt: skip
    lowest, highest = min(each.low for each in points), max(each.high for each in points)
    set_ratio_axis(axes, "y", (lowest / ROOM, highest * ROOM), 4)
    axes.set_xticks(list(places), [each.started[5:10] for each in points])
    axes.set_xlim(-0.5, len(points) - 0.5)
    quieten(axes, colours)
    moved = (
        f"{len(series.moves)} clear move{'' if len(series.moves) == 1 else 's'}" if series.moves else "no clear move"
    )
    title_panel(axes, series.label, f"{moved}, speed-up by month and day", colours)


def _describe(series: Sequence[Series]) -> str:
    """Say over which days the ratios were followed, and which of them moved; the table has the figures."""
    days = sorted(point.started[:10] for each in series for point in each.points)
    moved = [each.label for each in series if each.moves]
    on = f"on {days[0]}" if days[0] == days[-1] else f"from {days[0]} to {days[-1]}"
    found = f"{list_some(moved)} clearly moved" if moved else "None of them clearly moved"
    return f"{format_number_of(len(series), 'speed-up')} with intervals over runs {on}. {found}."
