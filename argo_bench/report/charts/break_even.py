"""Draws from where on an arm pays: after how many calls a slow first one is made up for, or from which hit rate.

Both are computed from medians that were measured: of first and later calls, of hits and of misses.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from argo_bench.harness.judging.holds_when import HitAndMiss
from argo_bench.harness.record.records import Caching, Comparison, Judgement, Result, Samples
from argo_bench.harness.record.store import Recorded
from argo_bench.report import finding
from argo_bench.report.chart import (
    Canvas,
    Chart,
    Colours,
    draw_legend,
    get_hue,
    quieten,
    set_ratio_axis,
    stack_panels,
    title_panel,
)
from argo_bench.report.charts.arms import Style, assign_styles, make_legend_entry, move_aside
from argo_bench.report.counts import describe_break_even
from argo_bench.report.tables import Column, Row, Table

PANEL = 1.6
"""A panel is this high, in inches."""
MOST_CALLS = 1e6


@dataclass(frozen=True, slots=True)
class Line:
    """Holds the ratios reference / arm at several places, and says in words from where on the arm pays.

    ``at`` are the places, numbers of calls or hit rates; ``seen`` are the hit rates that were counted on traces.
    """

    arm: str
    at: Sequence[float]
    ratios: Sequence[float]
    pays: str
    seen: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Panel:
    title: str
    below: str
    axis: Literal["calls", "hits"]
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class Payoff:
    """Holds panels of ratios over the same kind of axis; ``title`` says what all of them show."""

    title: str
    panels: Sequence[Panel]


def find_first_calls(recorded: Recorded) -> Payoff | None:
    """Return each headline claim's ratio over the calls of a process, the first one included; None without any."""
    panels = list(_find_panels_by_calls(recorded))
    title = "Reference / candidate in the time of all calls of a process, the first included"
    return Payoff(title, panels) if panels else None


def find_hit_rates(recorded: Recorded) -> Payoff | None:
    """Return each cache's ratio over the share of calls that hit; None where hits and misses were not both timed."""
    panels = list(_find_panels_by_hits(recorded))
    title = "Reference / candidate in the time per call over the share of calls that hit"
    return Payoff(title, panels) if panels else None


def _find_panels_by_calls(recorded: Recorded) -> Iterator[Panel]:
    results = {each.comparison: each for each in recorded.all(Result)}
    first: dict[Comparison, list[tuple[int, int]]] = {}
    for each in recorded.all(Samples):
        if each.reference_first_call_ns is not None and each.candidate_first_call_ns is not None:
            pair = each.reference_first_call_ns, each.candidate_first_call_ns
            first.setdefault(each.comparison, []).append(pair)
    claims: dict[str, list[Judgement]] = {}
    for judgement in recorded.all(Judgement):
        if judgement.headline and judgement.cold is not None and judgement.comparison in first:
            claims.setdefault(judgement.claim, []).append(judgement)
    for claim, of in claims.items():
        lines = [_make_line(each, first[each.comparison], results[each.comparison]) for each in of]
        yield Panel(f"{claim}: first call and after", of[0].comparison.workload, "calls", lines)


def _make_line(judgement: Judgement, first: Sequence[tuple[int, int]], result: Result) -> Line:
    reference, candidate = (median(each) for each in zip(*first, strict=True))
    calls = np.geomspace(1, MOST_CALLS, 121)
    ratios = (reference + (calls - 1) * result.reference_ns) / (candidate + (calls - 1) * result.candidate_ns)
    return Line(judgement.arm, calls.tolist(), ratios.tolist(), finding.describe_break_even(judgement))


def _find_panels_by_hits(recorded: Recorded) -> Iterator[Panel]:
    results = {each.comparison: each for each in recorded.all(Result)}
    found: dict[str, list[Line]] = {}
    for each in recorded.all(Caching):
        if (cache := _find_hit_and_miss(recorded, each, results)) is not None:
            shares = np.linspace(0, 1, 51)
            ratios = cache.reference_ns / (shares * cache.hit_ns + (1 - shares) * cache.miss_ns)
            seen = tuple(dict.fromkeys(each.hit_rates.values()))
            line = Line(each.arm, shares.tolist(), ratios.tolist(), describe_break_even(each.break_even), seen)
            found.setdefault(each.optimization, []).append(line)
    for optimization, lines in found.items():
        yield Panel(f"{optimization}: over the hit rate", recorded.name_of(optimization), "hits", lines)


def _find_hit_and_miss(recorded: Recorded, caching: Caching, results: dict[Comparison, Result]) -> HitAndMiss | None:
    """Return the times that the recorded break-even rests on; None where the record does not have them."""
    known = recorded.declarations_by_id.get(caching.optimization)
    of: dict[str, Result] = {}
    for workload in () if known is None else known.workloads:
        at = Comparison(caching.optimization, workload.name, workload.scales[0], workload.unit, "baseline", caching.arm)
        if workload.inputs in ("hit", "miss") and at in results:
            of[workload.inputs] = results[at]
    if len(of) < 2:
        return None
    cache = HitAndMiss(of["miss"].reference_ns, of["hit"].candidate_ns, of["miss"].candidate_ns)
    return cache if math.isclose(cache.rate_for(1.0), caching.break_even) else None


def describe(payoff: Payoff) -> str:
    return f"{payoff.title}, for {finding.list_some(panel.title for panel in payoff.panels)}."


def tabulate(payoff: Payoff) -> Table:
    rows = []
    for panel in payoff.panels:
        rows.append(Row((panel.title, "", ""), strong=True))
        for line in panel.lines:
            places = [(line.at[index], line.ratios[index]) for index in _choose_places(line)]
            ratios = (f"{_format_place(panel, at)}: {finding.format_factor(ratio, 3)}" for at, ratio in places)
            rows.append(Row((line.arm, "\n".join(ratios), line.pays)))
    columns = (Column("arm", None), Column("ratio", None), Column("pays", 24))
    return Table("When it pays", f"{payoff.title}; computed from medians.", columns, tuple(rows))


def _choose_places(line: Line) -> range:
    """Choose a few of the places at which a line was computed, both ends among them."""
    return range(0, len(line.at), (len(line.at) - 1) // 5 or 1)


def _format_place(panel: Panel, at: float) -> str:
    return f"{at:,.0f} calls" if panel.axis == "calls" else f"{finding.format_level(at)} hits"


def draw(payoff: Payoff, canvas: Canvas) -> Figure:
    colours, panels = canvas.colours, payoff.panels
    styles = assign_styles(line.arm for panel in panels for line in panel.lines)
    entries: list[tuple[Patch | Line2D, str]] = [
        make_legend_entry(arm, style, colours) for arm, style in styles.items()
    ]
    entries.append((Line2D([], [], color=colours.baseline, linewidth=1.4), "1x: as the reference"))
    if any(line.seen for panel in panels for line in panel.lines):
        entries.append((Line2D([], [], color=colours.muted, marker="|", markersize=8, linestyle=""), "seen on a trace"))
    figure, drawn = stack_panels([PANEL] * len(panels), colours, math.ceil(len(entries) / 2))
    for axes, panel in zip(drawn, panels, strict=True):
        _draw_panel(axes, panel, styles, colours)
    draw_legend(figure, entries, colours, 2)
    return figure


def _draw_panel(axes: Axes, panel: Panel, styles: Mapping[str, Style], colours: Colours) -> None:
    ratios = [0.9, 1.1, *(ratio for line in panel.lines for ratio in line.ratios)]
    margin = (max(ratios) / min(ratios)) ** 0.07
    set_ratio_axis(axes, "y", (min(ratios) / margin, max(ratios) * margin), 5)
    if panel.axis == "calls":
        axes.set(xscale="log", xlim=(1, MOST_CALLS))
        axes.xaxis.set_major_locator(FixedLocator([1, 100, 10_000, 1_000_000]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("calls in one process, log scale", color=colours.muted, fontsize=8.5)
    else:
        axes.set(xlim=(0, 1), xticks=(0, 0.25, 0.5, 0.75, 1), xticklabels=("0", "25", "50", "75", "100 %"))
        axes.set_xlabel("share of the calls that hit", color=colours.muted, fontsize=8.5)
    quieten(axes, colours)
    axes.minorticks_off()
    axes.grid(axis="y", color=colours.rule, linewidth=0.8)
    axes.axhline(1, color=colours.baseline, linewidth=1.4, zorder=1)
    for position, line in enumerate(panel.lines):
        of = styles[line.arm]
        step = _choose_places(line).step
        first = position * step // len(panel.lines)  # lines that lie on each other have their marks in turn
        colour = get_hue(of.hue, colours)
        axes.plot(
            line.at, line.ratios, color=colour, linestyle=of.line, linewidth=1.6, marker=of.marker, markersize=5,
            markevery=(first, step), clip_on=False, zorder=3,
        )  # fmt: skip
        for rate in line.seen:
            ratio = float(np.interp(rate, line.at, line.ratios))
            axes.plot(
                [rate], [ratio], color=colour, marker="|", markersize=12, markeredgewidth=2, zorder=4,
                transform=move_aside(axes, position, len(panel.lines)),
            )  # fmt: skip
    title_panel(axes, panel.title, panel.below, colours)


BREAK_EVEN = Chart(find_first_calls, draw, describe, tabulate)
"""It shows after how many calls a slow first one is made up for."""
HIT_RATES = Chart(find_hit_rates, draw, describe, tabulate)
"""It shows from which hit rate on a cache pays."""
