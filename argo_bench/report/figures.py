"""The forest plot: every verdict as an interval on a log axis of speed-up, over the range that was claimed.

Only matplotlib's objects are used; nothing is drawn on a screen and no global state is touched.
"""

from __future__ import annotations

import base64
import html
import io
import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter

from argo_bench.harness.results import Judgement, Recorded
from argo_bench.report import finding
from argo_bench.report.marks import MARKS, ORDER, labelled, legible

Theme = Literal["light", "dark"]
WIDTH = 8.0
"""Inches: 800 pixels wide at 100 to the inch, where the smallest letters are 11 pixels high."""
HEADLINE, FURTHER, HEADING, AROUND = 0.46, 0.38, 0.28, 1.5
"""Heights in inches of the two kinds of row, of a part's heading, and of all that is above and below the rows."""
MARGIN = 0.12
"""Inches left and right."""
PNG_DPI = 200
TITLE_CHARACTERS = 72
MOST_DECADES = 6.5
"""Labels of a log axis that have room beside each other."""
DIFFERS = "  ≠ output"
FARTHEST = 1e5
"""A claimed edge or interval end this many times beyond what was seen is cut off with an arrow."""
SETTINGS: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9.0,
    "text.parse_math": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "argo-bench",
    "axes.unicode_minus": False,
}


@dataclass(frozen=True, slots=True)
class Colours:
    background: str
    band: str
    edge: str
    ink: str
    muted: str
    baseline: str
    rule: str


COLOURS: Mapping[Theme, Colours] = {
    "light": Colours("#FFFFFF", "#E3E8EF", "#8391A3", "#1B1F24", "#57606A", "#6E7781", "#E9ECF0"),
    "dark": Colours("#0F1317", "#232B35", "#6F7F92", "#F0F3F6", "#A9B4C0", "#66727F", "#1E252C"),
}


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure that shows itself in Jupyter, with its alternative text."""

    figure: Figure
    alt: str

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        image = base64.b64encode(self.png()).decode("ascii")
        source = f'src="data:image/png;base64,{image}" style="width:100%;max-width:800px"'
        return {
            "text/html": f'<img alt="{html.escape(self.alt)}" {source}>',
            "image/png": image,
            "text/plain": self.alt,
        }

    def png(self) -> bytes:
        return self._saved("png", dpi=PNG_DPI, metadata={"Software": None})

    def svg(self) -> bytes:
        return self._saved("svg", metadata={"Date": None})

    def _saved(self, kind: str, **options: Any) -> bytes:
        buffer = io.BytesIO()
        with matplotlib.rc_context(SETTINGS):
            self.figure.savefig(buffer, format=kind, **options)
        return buffer.getvalue()

    def save(self, path: Path) -> None:
        """As an SVG or a PNG by the name's ending; the same picture gives the same bytes."""
        path.write_bytes(self.svg() if path.suffix == ".svg" else self.png())


def forest(recorded: Recorded, theme: Theme = "light") -> Picture:
    """Headline verdicts first and bold, further readings lighter below, each part by verdict and then by effect."""
    with matplotlib.rc_context(SETTINGS):
        return Picture(_forest(recorded, COLOURS[theme]), alt_text(recorded))


def alt_text(recorded: Recorded) -> str:
    """What the forest plot shows, in words."""
    headline, further = _parts(recorded)
    sentences = [f"Forest plot of speed-ups on a log axis. {finding.finding(recorded)}."]
    if shown := headline or further:
        sentences.append("; ".join(map(_in_words, shown)) + ".")
    if headline and further:
        sentences.append(f"{finding.counted(len(further), 'further reading')} below.")
    return " ".join(sentences)


def _in_words(judgement: Judgement) -> str:
    claimed = finding.claimed(judgement.kind, judgement.low, judgement.high)
    return (
        f"{judgement.claim} {judgement.arm}: claimed {claimed}, seen {finding.measured(judgement)}, {judgement.verdict}"
    )


def _parts(recorded: Recorded) -> tuple[list[Judgement], list[Judgement]]:
    """Headline judgements and the others, by verdict and then the largest speed-up first."""
    judgements = sorted(
        recorded.all(Judgement), key=lambda each: (ORDER[each.verdict], -(each.speedup or 0), each.claim, each.arm)
    )
    return [each for each in judgements if each.headline], [each for each in judgements if not each.headline]


def _forest(recorded: Recorded, colours: Colours) -> Figure:
    headline, further = _parts(recorded)
    rows = sum(HEADLINE if each.headline else FURTHER for each in (*headline, *further))
    height = rows + HEADING * (bool(headline) + bool(further))
    figure = Figure(
        figsize=(WIDTH, height + AROUND), layout=ConstrainedLayoutEngine(w_pad=MARGIN), facecolor=colours.background
    )
    axes = figure.add_subplot(facecolor=colours.background)
    axes.set_ylim(max(height, HEADLINE), 0)
    _draw_axis(axes, _limits([*headline, *further]), colours)
    y = 0.0
    for name, part in (("Headline claims", headline), ("Further readings", further)):
        if part:
            _label(axes, 0, y + HEADING / 2, name, colours.muted, size=8.5)
            y += HEADING
        for each in part:
            size = HEADLINE if each.headline else FURTHER
            axes.axhline(y, color=colours.rule, linewidth=0.8, zorder=0)
            _draw_row(axes, each, y + size / 2, size, colours)
            y += size
    figure.suptitle(
        textwrap.fill(finding.finding(recorded), TITLE_CHARACTERS),
        x=0.012, ha="left", fontsize=12, fontweight="bold", color=colours.ink,
    )  # fmt: skip
    _draw_legend(figure, [*headline, *further], colours)
    return figure


def _limits(judgements: Sequence[Judgement]) -> tuple[float, float]:
    """An axis that holds 1x, every estimate, and all intervals and claimed edges within FARTHEST of them."""
    seen = [0.48, 2.1, *(each.speedup for each in judgements if each.speedup is not None)]
    low, high = min(seen), max(seen)
    edges = [
        edge for each in judgements for pair in (each.interval, finding.claimed_region(each)) for edge in pair or ()
    ]
    shown = [edge for edge in edges if low / FARTHEST <= edge <= high * FARTHEST]
    low, high = min(low, *shown, high), max(high, *shown, low)
    margin = (high / low) ** 0.04
    return low / margin, high * margin


def _ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 on a short axis; on a long one powers of ten, 1x among them, as many as have room."""
    decades = math.log10(high / low)
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    step = math.ceil(decades / MOST_DECADES)
    steps = (1, 2, 5) if decades < 1.6 else (1,)
    return [m * 10.0**k for k in exponents if k % step == 0 for m in steps if low <= m * 10.0**k <= high]


def _tick_label(value: float, position: int | None = None) -> str:
    exponent = math.floor(math.log10(value))
    if -4 <= exponent <= 5:
        return f"{value:,.{max(0, -exponent)}f}x"
    return f"1e{exponent}x"


def _draw_axis(axes: Axes, limits: tuple[float, float], colours: Colours) -> None:
    axes.set_xscale("log")
    axes.set_xlim(*limits)
    axes.xaxis.set_major_locator(FixedLocator(_ticks(*limits)))
    axes.xaxis.set_minor_locator(LogLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(FuncFormatter(_tick_label))
    axes.tick_params(axis="x", colors=colours.muted, labelsize=8.5, length=3)
    axes.tick_params(axis="x", which="minor", color=colours.muted, length=3)
    axes.yaxis.set_visible(False)
    axes.set_axisbelow(True)
    axes.grid(axis="x", color=colours.rule, linewidth=0.8)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(colours.muted)
    axes.axvline(1, color=colours.baseline, linewidth=1.4, zorder=2)
    for words, offset, side in (("\u25c2 slower", -7, "right"), ("faster \u25b8", 7, "left")):
        axes.annotate(
            words, (1, 1), xycoords=("data", "axes fraction"), xytext=(offset, 3), textcoords="offset points",
            ha=side, va="bottom", color=colours.muted, fontsize=8.5,
        )  # fmt: skip


def _draw_row(axes: Axes, judgement: Judgement, y: float, size: float, colours: Colours) -> None:
    mark = MARKS[judgement.verdict]
    colour = legible(mark.hue, colours.band)
    weight, ink = ("bold", colours.ink) if judgement.headline else ("normal", colours.muted)
    claimed = finding.claimed(judgement.kind, judgement.low, judgement.high)
    as_factor = finding.claimed_as_factor(judgement.kind, judgement.low, judgement.high)
    shift = 0.19 * size
    name = f"{judgement.claim}  {finding.arm_and_reference(judgement.comparison)}"
    differs = DIFFERS if finding.changes_output(judgement) else ""
    _label(axes, 0, y - shift, name, ink, weight=weight)
    _label(axes, 0, y + shift, f"claimed {claimed}{as_factor and f' = {as_factor}'}", colours.muted, size=8)
    _label(axes, 1, y - shift, labelled(judgement.verdict), colour, weight=weight)
    _label(axes, 1, y + shift, finding.measured(judgement) + differs, ink, size=8)
    _draw_band(axes, finding.claimed_region(judgement), y, 0.36 * size, colours)
    _draw_interval(axes, judgement, y, size, colour)


def _label(
    axes: Axes, side: Literal[0, 1], y: float, words: str, colour: str, *, weight: str = "normal", size: float = 9
) -> None:
    """Words beside the axes: right-aligned on the left side (0), left-aligned on the right side (1)."""
    axes.annotate(
        words, (side, y), xycoords=("axes fraction", "data"), xytext=(10 if side else -8, 0),
        textcoords="offset points", ha="left" if side else "right", va="center_baseline",
        color=colour, fontsize=size, fontweight=weight, annotation_clip=False,
    )  # fmt: skip


def _draw_band(axes: Axes, region: tuple[float, float] | None, y: float, half: float, colours: Colours) -> None:
    """The claimed range; an end beyond the axis becomes an arrow."""
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
    half = 0.3 * size
    axes.plot([judgement.speedup] * 2, [y - half, y + half], color=colour, linewidth=2.4, zorder=5)


def _draw_legend(figure: Figure, judgements: Sequence[Judgement], colours: Colours) -> None:
    levels = sorted({each.level for each in judgements if each.level is not None}, reverse=True)
    shown = " or ".join(f"{100 * level:.4g} %" for level in levels)
    clocks = " or ".join(sorted({"CPU" if each.metric == "cpu" else "wall" for each in judgements}))
    figure.axes[0].set_xlabel(
        f"speed-up over the reference in {clocks or 'CPU'} time, log scale", color=colours.muted, fontsize=8.5
    )
    entries: list[tuple[Patch | Line2D, str]] = [
        (Patch(facecolor=colours.band, edgecolor=colours.edge), "claimed range"),
        (Line2D([], [], color=colours.muted, linewidth=5), f"{shown} interval".strip()),
        (Line2D([], [], color=colours.muted, marker="|", markersize=10, markeredgewidth=2.4, linestyle=""), "estimate"),
        (Line2D([], [], color=colours.baseline, linewidth=1.4), "1x: as fast as the reference"),
    ]
    if any(map(finding.changes_output, judgements)):
        entries.append((Line2D([], [], linestyle=""), f"{DIFFERS.strip()}: computes something else"))
    handles, labels = zip(*entries, strict=True)
    figure.legend(
        handles, labels, loc="outside lower left", ncols=3, frameon=False, fontsize=8.5, labelcolor=colours.muted
    )
