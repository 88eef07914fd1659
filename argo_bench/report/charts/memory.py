"""Draws the memory that a pass of each arm takes beyond what was there before: a mark for each reading, by method."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from argo_bench.harness.claims.metrics import Method
from argo_bench.harness.record.records import Memory, Reading
from argo_bench.harness.record.store import Recorded
from argo_bench.harness.workers.memory import RESOLUTION
from argo_bench.report import finding
from argo_bench.report.chart import (
    Canvas,
    Chart,
    Colours,
    draw_legend,
    get_hue,
    quieten,
    stack_panels,
    title_panel,
)
from argo_bench.report.charts.arms import Style, assign_styles, make_legend_entry
from argo_bench.report.results import tabulate_memory
from argo_bench.report.tables import Table

ROW, LEAST = 0.26, 0.4
"""A row and the smallest panel are this high, in inches."""
METHODS: Mapping[Method, str] = {"peak_rss": "peak RSS", "traced": "traced", "memory_profiler": "polled"}


@dataclass(frozen=True, slots=True)
class Weighed:
    """Holds the arms of every workload whose memory was read, by optimization and workload, and their table."""

    panels: Mapping[tuple[str, str], Sequence[Memory]]
    table: Table


def find_panels(recorded: Recorded) -> Weighed | None:
    """Return the workloads whose memory was read, a panel each; None where there is none."""
    panels: dict[tuple[str, str], list[Memory]] = {}
    for each in recorded.all(Memory):
        panels.setdefault((each.optimization, each.workload), []).append(each)
    panels = {place: arms for place, arms in panels.items() if any(map(_list_readings, arms))}
    return Weighed(panels, tabulate_memory(recorded)) if panels else None


def _list_readings(memory: Memory) -> list[tuple[Reading, int]]:
    """Return the readings of a peak, each with its bytes; a peak RSS below the kernel's resolution counts as that."""
    return [
        (each, max(each.peak_bytes, RESOLUTION if each.method == "peak_rss" else 1))
        for each in memory.readings
        if each.method in METHODS and each.peak_bytes is not None
    ]


def describe(weighed: Weighed) -> str:
    of = finding.list_some(f"{optimization} on {workload}" for optimization, workload in weighed.panels)
    return f"Memory of one pass beyond what was there before, on a log axis, for {of}."


def draw(weighed: Weighed, canvas: Canvas) -> Figure:
    colours, panels = canvas.colours, list(weighed.panels.values())
    styles = assign_styles(each.arm for panel in panels for each in panel)
    heights = [max(LEAST, ROW * len(_list_methods(panel)) * (len(panel) + 0.6) / 2) for panel in panels]
    figure, drawn = stack_panels(heights, colours, math.ceil(len(styles) / 2))
    for axes, panel in zip(drawn, panels, strict=True):
        _draw_panel(axes, panel, styles, colours)
    entries = [make_legend_entry(arm, style, colours) for arm, style in styles.items()]
    for line, _ in entries:
        line.set_linestyle("")
    draw_legend(figure, entries, colours, 2)
    return figure


def _list_methods(panel: Sequence[Memory]) -> list[Method]:
    used = {reading.method for each in panel for reading, _ in _list_readings(each)}
    return [method for method in METHODS if method in used]


def _draw_panel(axes: Axes, panel: Sequence[Memory], styles: Mapping[str, Style], colours: Colours) -> None:
    methods = _list_methods(panel)
    sizes = [size for each in panel for _, size in _list_readings(each)]
    axes.set(xscale="log", xlim=(min(sizes) / 1.6, max(sizes) * 1.6), ylim=(len(methods), 0))
    axes.set_yticks([row + 0.5 for row in range(len(methods))], [METHODS[method] for method in methods])
    axes.xaxis.set_major_locator(FixedLocator(_choose_ticks(min(sizes), max(sizes))))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: finding.format_bytes(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.minorticks_off()
    quieten(axes, colours)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=colours.rule, linewidth=0.8)
    for position, each in enumerate(panel):
        of = styles[each.arm]
        for reading, size, aside in _place_readings(each):
            y = methods.index(reading.method) + (position + 0.8 + aside) / (len(panel) + 0.6)
            axes.plot(
                [size], [y], color=get_hue(of.hue, colours), marker=of.marker, markersize=3.8, linestyle="",
                markerfacecolor=get_hue(of.hue, colours) if reading.exact else "none",
            )  # fmt: skip
    for row in range(1, len(methods)):
        axes.axhline(row, color=colours.rule, linewidth=0.8)
    title_panel(axes, f"{panel[0].optimization}: memory of one pass", panel[0].workload, colours)
    axes.set_xlabel("bytes beyond what was there before, log scale", color=colours.muted, fontsize=8.5)


def _place_readings(memory: Memory) -> Iterator[tuple[Reading, int, float]]:
    """Yield the readings with their bytes, and how far each is moved within its row so that no mark hides another."""
    readings = _list_readings(memory)
    for method in METHODS:
        own = [each for each in readings if each[0].method == method]
        for position, (reading, size) in enumerate(own):
            yield reading, size, 0.9 * ((position + 0.5) / len(own) - 0.5)


def _choose_ticks(low: float, high: float) -> list[float]:
    """Return powers of two, at most five or so; where they are few, also the values halfway between them."""
    powers = range(math.floor(math.log2(low)), math.ceil(math.log2(high)) + 1)
    if len(powers) > 3:
        return [2.0**power for power in powers if power % math.ceil(len(powers) / 5) == 0]
    return [halves / 2 * 2.0**power for power in powers for halves in (2, 3)]


MEMORY = Chart(find_panels, draw, describe, lambda weighed: weighed.table)
"""It shows the memory of a pass, a panel for every workload and a row for every method."""
