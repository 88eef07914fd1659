"""Draws curves: each claim's ratio over the share of symbols that tick, with the range that was claimed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.transforms import Transform

from argo_bench.harness.record.records import Judgement
from argo_bench.harness.record.store import Recorded
from argo_bench.report import finding
from argo_bench.report.chart import NARROW, WIDTH, Canvas, Chart, Colours, get_hue, quieten, set_ratio_axis
from argo_bench.report.charts.arms import Style, assign_styles, make_legend_entry, move_aside
from argo_bench.report.verdicts import tabulate_curves
from argo_bench.study.records import LiveRates

COLUMNS = 3
PANEL, AROUND = 2.15, 0.75
"""A panel, and title and legend together, are this high, in inches."""
MOST_DECADES = 7.0
"""So many labels of a ratio axis have room above each other."""
FARTHEST = 30.0
"""A figure cuts off edges of claimed ranges that lie this many times beyond what was seen."""


@dataclass(frozen=True, slots=True)
class Curves:
    """Holds the judgements of each panel, a line each.

    ``live`` is the share of steps, in percent, in which a live market ticks, where the record has it.
    """

    recorded: Recorded
    panels: Sequence[Sequence[Judgement]]
    live: float | None


def find_curves(recorded: Recorded) -> Curves | None:
    """Return a panel for each claim with a curve; claims that rest on the same ratios share one."""
    panels = _find_panels(recorded)
    return Curves(recorded, panels, _find_live_rate(recorded)) if panels else None


def _find_panels(recorded: Recorded) -> list[list[Judgement]]:
    """Return the judgements of each panel, a line each.

    Of several claims that rest on the same ratios one is drawn, a headline claim if there is one.
    """
    claims: dict[str, list[Judgement]] = {}
    for each in sorted(recorded.all(Judgement), key=lambda each: not each.headline):
        if len(each.curve) > 1:
            claims.setdefault(each.claim, []).append(each)
    first: dict[object, list[Judgement]] = {}
    for of in claims.values():
        first.setdefault((of[0].optimization, _ratios(of)), of)
    return sorted(first.values(), key=lambda of: of[0].claim)


def _ratios(judgements: Sequence[Judgement]) -> tuple[tuple[str | float, ...], ...]:
    return tuple((each.arm, *(spot.speedup for spot in each.curve)) for each in judgements)


def _find_live_rate(recorded: Recorded) -> float | None:
    """Return the mean share of steps in which a live market ticks, in percent."""
    rates = [rate for each in recorded.all(LiveRates) for rate in each.rates.values()]
    return 100 * math.fsum(rates) / len(rates) if rates else None


def describe(curves: Curves) -> str:
    """Say what the curves show."""
    claims = finding.list_some(each.claim for of in curves.panels for each in of)
    return f"Ratios to the reference on a log axis over the share of ticking symbols, for {claims}."


def draw(curves: Curves, canvas: Canvas) -> Figure:
    """Draw the panels beside each other; on a narrow canvas below each other, without a title of the whole."""
    colours, panels, live, narrow = canvas.colours, curves.panels, curves.live, canvas.is_narrow
    most = 1 if narrow else COLUMNS
    columns = min(most, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure = Figure(
        figsize=(NARROW if narrow else WIDTH, rows * PANEL + AROUND), facecolor=colours.background,
        layout=ConstrainedLayoutEngine(h_pad=0.09, w_pad=0.09),
    )  # fmt: skip
    styles = assign_styles(each.arm for of in panels for each in of)
    for number, of in enumerate(panels):
        axes = figure.add_subplot(rows, most, number // columns * most + number % columns + 1)
        _draw_panel(axes, of, finding.name_claim(curves.recorded, of[0]), live, styles, colours)
        if number % columns == 0:
            axes.set_ylabel("reference / candidate", color=colours.muted, fontsize=8.5)
        if number + columns >= len(panels):
            axes.set_xlabel(of[0].curve_unit, color=colours.muted, fontsize=8.5)
    if not narrow:
        figure.suptitle(
            "Where the claims hold: over the share of symbols that tick",
            x=0.012, ha="left", fontsize=12, fontweight="bold", color=colours.ink,
        )  # fmt: skip
    _draw_legend(figure, styles, live is not None, colours, 2 if narrow else 5)
    return figure


def _draw_panel(
    axes: Axes,
    judgements: Sequence[Judgement],
    title: str,
    live: float | None,
    styles: Mapping[str, Style],
    colours: Colours,
) -> None:
    first = judgements[0]
    axes.set_facecolor(colours.background)
    set_ratio_axis(axes, "y", _choose_limits(judgements), MOST_DECADES)
    quieten(axes, colours)
    axes.grid(axis="y", color=colours.rule, linewidth=0.8)
    low, high = axes.get_ylim()
    if (region := finding.find_claimed_region(first)) is not None:
        axes.axhspan(max(low, region[0]), min(high, region[1]), color=colours.band, linewidth=0, zorder=0.5)
        for edge in region:
            if low < edge < high:
                axes.axhline(edge, color=colours.edge, linewidth=1, zorder=0.6)
    axes.axhline(1, color=colours.baseline, linewidth=1.4, zorder=1)
    if live is not None:
        axes.axvline(live, color=colours.muted, linewidth=1, linestyle=":", zorder=1)
    for position, each in enumerate(judgements):
        _draw_line(axes, each, styles[each.arm], move_aside(axes, position, len(judgements)), colours)
    against = "" if first.comparison.reference == "baseline" else f" vs {first.comparison.reference}"
    axes.set_title(
        f"{title}\n", loc="left", fontsize=8.5, color=colours.ink,
        fontweight="bold" if first.headline else "normal", linespacing=1.3,
    )  # fmt: skip
    axes.annotate(
        f"{finding.noun_of(first.metric)}{against}", (0, 1), xycoords="axes fraction", xytext=(0, 6),
        textcoords="offset points", color=colours.muted, fontsize=8,
    )  # fmt: skip
    scales = [spot.scale for each in judgements for spot in each.curve]
    margin = 0.08 * (max(scales) - min(scales) or 1)
    axes.set_xlim(min(scales) - margin, max(scales) + margin)
    axes.set_xticks([spot.scale for spot in max((each.curve for each in judgements), key=len)])


def _draw_line(axes: Axes, judgement: Judgement, of: Style, aside: Transform, colours: Colours) -> None:
    colour = get_hue(of.hue, colours)
    scales = [spot.scale for spot in judgement.curve]
    for spot in judgement.curve:
        if spot.interval is not None:
            axes.plot(
                [spot.scale] * 2,
                spot.interval,
                color=colour,
                linewidth=4,
                alpha=0.45,
                solid_capstyle="butt",
                transform=aside,
            )
    axes.plot(
        scales, [spot.speedup for spot in judgement.curve], color=colour, linestyle=of.line, linewidth=1.6,
        marker=of.marker, markersize=5, transform=aside, zorder=3,
    )  # fmt: skip


def _choose_limits(judgements: Sequence[Judgement]) -> tuple[float, float]:
    """Return limits that hold 1x, every estimate, and the claimed edges near them."""
    spots = [spot for each in judgements for spot in each.curve if spot.speedup < finding.NONE_LEFT]
    seen = [0.9, 1.1, *(end for spot in spots for end in (spot.speedup, *(spot.interval or ())))]
    low, high = min(seen), max(seen)
    edges = finding.find_claimed_region(judgements[0]) or ()
    shown = [edge for edge in edges if low / FARTHEST <= edge <= high * FARTHEST]
    low, high = min(low, *shown, high), max(high, *shown, low)
    margin = (high / low) ** 0.06
    return low / margin, high * margin


def _draw_legend(figure: Figure, styles: Mapping[str, Style], has_live: bool, colours: Colours, columns: int) -> None:
    entries: list[tuple[Patch | Line2D, str]] = [
        make_legend_entry(arm, style, colours) for arm, style in styles.items()
    ]
    entries.append((Patch(facecolor=colours.band, edgecolor=colours.edge), "claimed range"))
    entries.append((Line2D([], [], color=colours.baseline, linewidth=1.4), "1x: as the reference"))
    if has_live:
        entries.append((Line2D([], [], color=colours.muted, linewidth=1, linestyle=":"), "live market, mean"))
    handles, labels = zip(*entries, strict=True)
    figure.legend(
        handles, labels, loc="outside lower left", ncols=columns, frameon=False, fontsize=8.5,
        labelcolor=colours.muted, columnspacing=1.4, handlelength=2.4,
    )  # fmt: skip


CURVES = Chart(find_curves, draw, describe, lambda curves: tabulate_curves(curves.recorded))
"""It shows the ratio of every claim that has a curve, over the share of symbols that tick."""
