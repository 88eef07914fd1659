"""Draws what a sweep found: a panel for each claim, with the ratios of both arms over one dimension of the grid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from argo_bench.report.chart import (
    COLOURS,
    Colours,
    Picture,
    Theme,
    draw_legend,
    get_hue,
    quieten,
    set_ratio_axis,
    stack_panels,
    title_panel,
)
from argo_bench.report.finding import format_number_of
from argo_bench.report.sweep_table import Found, tabulate_sweep, write_value

PANEL_HEIGHT, MOST_PANELS = 1.1, 16
ROOM = 1.15
"""Above and below the intervals, as a factor."""
HUES = {"prescribed": "vermillion", "engineered": "blue"}


def draw_sweep(found: Sequence[Found], over: str, theme: Theme = "light") -> Picture:
    """Draw a panel for each claim: the ratio of both arms over one dimension, a line for each value of the others."""
    colours = COLOURS[theme]
    panels = [panel for panel in _split(found) if panel[1]][:MOST_PANELS]
    figure, axes = stack_panels([PANEL_HEIGHT] * len(panels), colours, 1)
    for each, (claim, own) in zip(axes, panels, strict=True):
        _draw_panel(each, claim, own, over, colours)
    handles = [(_proxy(get_hue(hue, colours)), arm) for arm, hue in HUES.items()]
    draw_legend(figure, handles, colours, len(handles))
    alt = f"Ratios of {format_number_of(len(panels), 'claim')} over {over}, with intervals; the table has the figures."
    return Picture(figure, alt, tabulate_sweep(found))


def _split(found: Sequence[Found]) -> Iterator[tuple[str, list[Found]]]:
    """Yield every claim with its verdicts that have a ratio and an interval."""
    for claim in dict.fromkeys(each.judgement.claim for each in found):
        own = [each for each in found if each.judgement.claim == claim]
        yield claim, [each for each in own if each.judgement.speedup and each.judgement.interval]


def _draw_panel(axes: Axes, claim: str, found: Sequence[Found], over: str, colours: Colours) -> None:
    places = _place(found, over)
    lines: dict[tuple[Any, ...], list[Found]] = {}
    for each in found:
        others = tuple(value for name, value in each.values.items() if name != over)
        lines.setdefault((each.judgement.arm, *others), []).append(each)
    for (arm, *_), own in lines.items():
        own.sort(key=lambda each: places[each.values[over]])
        at = [places[each.values[over]] for each in own]
        middles = [each.judgement.speedup or 1.0 for each in own]
        bounds = [each.judgement.interval or (1.0, 1.0) for each in own]
        errors = [
            [max(0.0, middle - low) for middle, (low, _) in zip(middles, bounds, strict=True)],
            [max(0.0, high - middle) for middle, (_, high) in zip(middles, bounds, strict=True)],
        ]
        colour = get_hue(HUES.get(arm, "bluish green"), colours)
        axes.errorbar(
            at, middles, errors, fmt="o-", color=colour, markersize=3.5, linewidth=1, elinewidth=1.6, capsize=2
        )
    lows, highs = zip(*((each.judgement.interval or (1.0, 1.0)) for each in found), strict=True)
    set_ratio_axis(axes, "y", (min(1.0, *lows) / ROOM, max(1.0, *highs) * ROOM), 4)
    axes.axhline(1.0, color=colours.baseline, linewidth=0.8, zorder=0)
    if all(isinstance(each, int | float) for each in places):
        axes.set_xscale("log")
        axes.minorticks_off()
    axes.set_xticks([*places.values()], [write_value(each) for each in places])
    quieten(axes, colours)
    title_panel(axes, claim, f"reference over arm, by {over}", colours)


def _place(found: Sequence[Found], over: str) -> dict[Any, float]:
    """Return where each value stands on the axis: numbers where they are, words in their order."""
    values = list(dict.fromkeys(each.values[over] for each in found))
    if all(isinstance(each, int | float) for each in values):
        return {each: float(each) for each in sorted(values)}
    return {each: float(number) for number, each in enumerate(values)}


def _proxy(colour: str) -> Line2D:
    return Line2D([], [], color=colour, marker="o", markersize=3.5, linewidth=1)
