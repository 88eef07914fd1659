"""Says how an arm is drawn: by a hue, a marker and a line, each of which is enough to know it by."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation, Transform

from argo_bench.report.chart import Colours, get_hue


class Style(NamedTuple):
    hue: str
    marker: str
    line: Literal["-", "--", "-.", ":"]


STYLES: Mapping[str, Style] = {
    "baseline": Style("grey", "s", "-"),
    "prescribed": Style("vermillion", "^", "--"),
    "engineered": Style("blue", "o", "-"),
    "simple": Style("orange", "v", ":"),
    "candidate": Style("blue", "o", "-"),
}
FIXED = "fixed "
"""The names of arms begin with this where the arms differ in one number, such as a lifetime; a line joins them."""
FIXED_STYLE = Style("bluish green", "D", "-")
OTHER = Style("reddish purple", "P", "-.")


SPARE = (
    OTHER,
    Style("black", "X", ":"),
    Style("sky blue", "*", "--"),
    Style("orange", "p", "-."),
    Style("bluish green", "h", ":"),
    Style("grey", "<", "--"),
    Style("reddish purple", ">", ":"),
    Style("sky blue", "8", "-."),
)
"""Arms that are not known by name get these in turn, so that no two of them in a figure look the same."""
FIXED_MARKERS = "Dd<>ph8*"
"""Arms that differ in one number have one hue, and a marker each."""


def assign_styles(arms: Iterable[str]) -> dict[str, Style]:
    """Return a style for every arm of a figure: those that are known keep theirs, and each has its own marker."""
    fixed, spare = itertools.cycle(FIXED_MARKERS), itertools.cycle(SPARE)
    found: dict[str, Style] = {}
    for arm in dict.fromkeys(arms):
        if arm in STYLES:
            found[arm] = STYLES[arm]
        elif arm.startswith(FIXED):
            found[arm] = FIXED_STYLE._replace(marker=next(fixed))
        else:
            found[arm] = next(spare)
    return found


def make_legend_entry(arm: str, style: Style, colours: Colours) -> tuple[Line2D, str]:
    """Return an arm's line and name for a legend."""
    colour = get_hue(style.hue, colours)
    return Line2D([], [], color=colour, linestyle=style.line, linewidth=1.6, marker=style.marker, markersize=5), arm


APART = 4.5
"""Marks of several arms at one place stand so many points beside each other."""


def move_points(axes: Axes, right: float, up: float) -> Transform:
    """Return a transform of data by which what is drawn lies so many points to the right and up."""
    return axes.transData + ScaledTranslation(right / 72, up / 72, axes.figure.dpi_scale_trans)


def move_aside(axes: Axes, position: int, number: int) -> Transform:
    """Return a transform of data by which the marks of one of several arms lie beside those of the others."""
    return move_points(axes, APART * (position - (number - 1) / 2), 0)
