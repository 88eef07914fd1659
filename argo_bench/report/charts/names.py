"""Writes the names of marks beside them, where they cover nothing, with a line to a mark that is farther away."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes

from argo_bench.report.chart import Colours, get_hue
from argo_bench.report.charts.arms import Style, move_points

SIZE, LETTER = 8.0, 0.56
"""Names have this size, in points; a letter is about this wide, as a share of the size."""
MARK = 10.0
"""Around the middle of a mark so many points are taken."""
BESIDE, ABOVE = 9, 11
"""A name is this far from its mark, in points: beside it, and above or below it."""
NEXT: Sequence[tuple[int, int]] = ((1, 0), (1, 1), (1, -1), (-1, 0), (-1, 1), (-1, -1), (0, 1), (0, -1))
"""A name may stand in these places, the best first; each is a direction from its mark, to the right and up."""
ROWS = 8
"""Where none of these is free, it may stand up to so many rows above or below its mark."""
AWAY = 12.0
"""A row farther away is as bad as covering so many square points."""
CROSSED = 20.0
"""A line that leads across something is as bad as covering so many square points, for each step within it."""


Spot = tuple[float, float]
"""This is a place in the coordinates of the data."""
Box = np.ndarray
"""This is a rectangle in points: left, bottom, right and top."""


@dataclass(frozen=True, slots=True)
class Named:
    """Holds a mark: the place of its data, how far from it the mark was moved, in points, and its name and look.

    ``reach`` are the places of data between which a line through the mark is drawn.
    """

    name: str
    at: Spot
    moved: tuple[float, float]
    style: Style
    reach: Sequence[tuple[Spot, Spot]] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Says how far from its mark a name stands, in points, on which side, and whether a line leads to it."""

    right: float
    up: float
    side: int
    row: int = 1

    @property
    def has_line(self) -> bool:
        return self.row > 1


def list_places() -> list[Place]:
    """Return the places for a name, the best first."""
    near = [Place(BESIDE * right, ABOVE * up, right) for right, up in NEXT]
    far = [
        Place((BESIDE + 3) * side, ABOVE * row * up, side, row)
        for row in range(2, ROWS + 1)
        for side in (1, -1)
        for up in (1, -1)
    ]
    return [*near, *far]


def write_names(axes: Axes, marks: Sequence[Named], lines: Iterable[Sequence[Spot]], colours: Colours) -> None:
    """Write each name beside its mark, where it covers no mark, line or name and stays on the panel.

    Where no place is free, the one that covers least is taken. ``lines`` are what else is drawn, as places of data.
    """
    pixels = axes.figure.dpi / 72
    frame: Box = (axes.get_window_extent().get_points() / pixels).ravel()

    def find(at: Spot) -> np.ndarray:
        found: np.ndarray = axes.transData.transform(at) / pixels
        return found

    middles = {each.name: find(each.at) + np.array(each.moved) for each in marks}
    boxes = [_make_box(middle, MARK, MARK) for middle in middles.values()]
    for line in (*lines, *(ends for each in marks for ends in each.reach)):
        boxes += _cover_line([find(at) for at in line])
    taken = np.array(boxes).reshape(-1, 4)
    for each in marks:
        places = [_Placed(place, middles[each.name], each.name) for place in list_places()]
        best = min(places, key=lambda placed: placed.rate(taken, frame))
        taken = np.vstack([taken, best.box])
        _write_name(axes, each, best.place, get_hue(each.style.hue, colours))


def _write_name(axes: Axes, mark: Named, place: Place, colour: str) -> None:
    begins = (0.0 if place.side > 0 else 1.0), 0.5  # the line does, as shares of the name's width and height
    line = {"arrowstyle": "-", "color": colour, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 3, "relpos": begins}
    axes.annotate(
        mark.name, mark.at, xycoords=move_points(axes, *mark.moved), xytext=(place.right, place.up),
        textcoords="offset points", fontsize=SIZE, color=colour, annotation_clip=False, in_layout=False, zorder=5,
        ha={1: "left", 0: "center", -1: "right"}[place.side], va="center", arrowprops=line if place.has_line else None,
    )  # fmt: skip


def _make_box(middle: np.ndarray, width: float, height: float) -> Box:
    half = np.array([width, height]) / 2
    return np.concatenate([middle - half, middle + half])


def _cover_line(places: Sequence[np.ndarray]) -> list[Box]:
    """Return small boxes along a line through places, in points."""
    boxes = []
    for left, right in pairwise(places):
        steps = max(2, math.ceil(math.dist(left, right) / 3))
        boxes += [_make_box(left + (right - left) * step / steps, 4, 4) for step in range(steps + 1)]
    return boxes


@dataclass(frozen=True, slots=True)
class _Placed:
    """Holds a name in a place beside the middle of its mark, in points."""

    place: Place
    middle: np.ndarray
    name: str

    @property
    def box(self) -> Box:
        """Return what the name covers."""
        width, height = LETTER * SIZE * len(self.name), 1.3 * SIZE
        x = self.middle[0] + self.place.right - {1: 0.0, 0: 0.5, -1: 1.0}[self.place.side] * width
        y = self.middle[1] + self.place.up - height / 2
        return np.array([x, y, x + width, y + height])

    def rate(self, taken: np.ndarray, frame: Box) -> float:
        """Return how bad the place is: by what is covered, stands out of the panel, is crossed, and how far it is.

        ``taken`` are the boxes that the name should not cover, of shape (boxes, 4).
        """
        box = self.box
        shared = np.minimum(box[2:], taken[:, 2:]) - np.maximum(box[:2], taken[:, :2])
        covered = math.fsum(np.prod(np.maximum(shared, 0.0), axis=1))
        width, height = box[2:] - box[:2]
        beside, below = np.maximum(0.0, frame[:2] - box[:2]) + np.maximum(0.0, box[2:] - frame[2:])
        away = AWAY * (self.place.row - 1) + CROSSED * self._count_crossed(taken)
        return float(covered + beside * height + below * width + away)

    def _count_crossed(self, taken: np.ndarray) -> int:
        """Count the steps of the line to the name that lie within what is taken, apart from the mark itself."""
        if not self.place.has_line:
            return 0
        offset = np.array([self.place.right, self.place.up])
        steps = self.middle + offset * np.linspace(0.0, 1.0, 12)[:, None]
        outside = steps[np.hypot(*(steps - self.middle).T) > MARK][:, None]
        is_within = (taken[:, :2] <= outside) & (outside <= taken[:, 2:])
        return int(is_within.all(axis=2).any(axis=1).sum())
