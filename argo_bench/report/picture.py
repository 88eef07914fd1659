"""A picture that shows itself and saves itself, and what all pictures of a report have in common.

Only matplotlib's objects are used; nothing is drawn on a screen and no global state is touched.
"""

from __future__ import annotations

import base64
import html
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter

Theme = Literal["light", "dark"]
WIDTH = 8.0
"""Inches: 800 pixels wide at 100 to the inch, where the smallest letters are 11 pixels high."""
PNG_DPI = 200
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


def ratio_axis(axes: Axes, of: Literal["x", "y"], limits: tuple[float, float], most: float) -> None:
    """A log axis of ratios between limits, with at most so many labels where they are powers of ten."""
    axis = axes.xaxis if of == "x" else axes.yaxis
    axes.set(**{f"{of}scale": "log", f"{of}lim": limits})
    axis.set_major_locator(FixedLocator(_ticks(*limits, most)))
    axis.set_minor_locator(LogLocator())
    axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(FuncFormatter(_tick_label))


def _ticks(low: float, high: float, most: float) -> list[float]:
    """1, 2 and 5 on a short axis; on a long one powers of ten, 1x among them, as many as have room."""
    decades = math.log10(high / low)
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    step = math.ceil(decades / most)
    steps = (1, 2, 5) if decades < most / 4 else (1,)
    return [m * 10.0**k for k in exponents if k % step == 0 for m in steps if low <= m * 10.0**k <= high]


def _tick_label(value: float, position: int | None = None) -> str:
    exponent = math.floor(math.log10(value))
    if -4 <= exponent <= 5:
        return f"{value:,.{max(0, -exponent)}f}x"
    return f"1e{exponent}x"


def quiet(axes: Axes, colours: Colours) -> None:
    """Spines, ticks and grid that stay behind what is drawn."""
    axes.tick_params(colors=colours.muted, labelsize=8.5, length=3)
    axes.tick_params(which="minor", color=colours.muted, length=2)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("bottom", "left"))
        spine.set_color(colours.muted)
