"""Makes a figure from a record: its data is found once, and then drawn, described in words and tabulated.

A figure is a ``Chart`` of four functions, and what it gives is a ``Picture``, which shows and saves itself. Below them
is what all figures have in common. Only matplotlib's objects are used: nothing is drawn on a screen, and no global
state is touched.
"""

from __future__ import annotations

import base64
import io
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import matplotlib
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from argo_bench.controls import spell_controls
from argo_bench.harness.record.records import Judgement
from argo_bench.harness.record.store import Recorded
from argo_bench.report.finding import format_duration
from argo_bench.report.marks import OKABE_ITO, make_legible
from argo_bench.report.tables import Table

Data = TypeVar("Data")
Theme = Literal["light", "dark"]
WIDTH, NARROW = 8.0, 4.0
"""A wide and a narrow figure have these widths, in inches. The wide one has 800 pixels at 100 to the inch, where the
smallest letters are 11 pixels high. On a page of that width two narrow figures stand beside each other; on a phone one
stands alone.
"""
ABOVE, BELOW, LEFT, RIGHT, LEGEND = 0.47, 0.47, 0.74, 0.34, 0.19
"""A panel of a narrow figure has these margins, and each row of its legend this height, in inches."""
MARK, PART = "mark-", "part-"
"""The names of a verdict's mark, and of whatever else is drawn of it, begin with these in an SVG; its position in the
record follows."""
NEAR_BLACK = "#010101"
"""Figures use this instead of black, which an SVG leaves out as its default: there no theme could change it."""
PNG_DPI, NOTEBOOK_DPI = 200, 80
"""A saved PNG, and one for what shows no SVG of a notebook, have so many pixels to the inch."""
MOST_KEPT = 250_000
"""A notebook keeps a PNG beside the drawing where both have at most so many characters."""
FEW = 3
"""Fewer labels than this leave a reader to guess the scale of an axis."""
FONT = "DejaVu Sans"
FONTS = f"'{FONT}', Verdana, Geneva, 'Segoe UI', sans-serif"
"""A reader whose system lacks the first of these sees the next; all of them are about as wide."""
SETTINGS: dict[Any, Any] = {
    "font.family": [FONT],
    "font.size": 9.0,
    "text.parse_math": False,
    "svg.fonttype": "none",
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
class Canvas:
    """Says how a figure is to look. A narrow one is for a phone: its panels stand below each other."""

    colours: Colours
    is_narrow: bool = False
    has_title: bool = True


@dataclass(frozen=True, slots=True)
class Chart(Generic[Data]):
    """Turns a record into a figure, its alternative text and the table of its numbers.

    ``find`` returns what the figure shows, or None or something empty where there is nothing to show. The other three
    functions are called with what it returned.
    """

    find: Callable[[Recorded], Data | None]
    draw: Callable[[Data, Canvas], Figure]
    describe: Callable[[Data], str]
    tabulate: Callable[[Data], Table]

    def picture(
        self, recorded: Recorded, theme: Theme = "light", *, narrow: bool = False, title: bool = True
    ) -> Picture | None:
        """Return the picture of a record, or None where the record has nothing that it could show."""
        data = self.find(recorded)
        if not data:
            return None
        with matplotlib.rc_context(SETTINGS):
            figure = self.draw(data, Canvas(COLOURS[theme], narrow, title and not narrow))
        for text in figure.findobj(Text):
            text.set_text(spell_controls(text.get_text()))
        return Picture(figure, spell_controls(self.describe(data)), self.tabulate(data))


@dataclass(frozen=True, slots=True)
class Picture:
    """Holds a figure, which shows itself in Jupyter, with its alternative text and the numbers that it draws."""

    figure: Figure
    alt: str
    data: Table

    @property
    def is_dark(self) -> bool:
        """Whether the picture was drawn in the colours of the dark theme, and stays dark wherever it is shown."""
        return to_hex(self.figure.get_facecolor()) == COLOURS["dark"].background.lower()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        from argo_bench.report.themed import make_themed

        if self.is_dark:
            return {"image/svg+xml": self.svg().decode(), "text/plain": self.alt}
        shown = {"text/html": make_themed(self), "text/plain": self.alt}
        image = base64.b64encode(self.png(NOTEBOOK_DPI)).decode("ascii")
        has_room = len(image) + sum(map(len, shown.values())) <= MOST_KEPT
        return shown | {"image/png": image} if has_room else shown

    def png(self, dpi: int = PNG_DPI) -> bytes:
        return self._save("png", dpi=dpi, metadata={"Software": None})

    def svg(self) -> bytes:
        """Return an SVG whose words are text: they can be searched, selected and read out, and take little room."""
        drawn = self._save("svg", metadata={"Date": None})
        return drawn.replace(f"'{FONT}'".encode(), FONTS.encode())

    def dark_svg(self) -> bytes:
        """Return the SVG of the dark picture by exchanging the colours of the light one, without drawing it again."""
        if self.is_dark:
            return self.svg()
        dark = list_colours("dark")
        names = {colour.lower().encode(): name for name, colour in list_colours("light").items()}
        return re.sub(rb"#[0-9a-f]{6}\b", lambda found: dark[names[found[0]]].lower().encode(), self.svg())

    def _save(self, kind: str, **options: Any) -> bytes:
        buffer = io.BytesIO()
        with matplotlib.rc_context(SETTINGS):
            self.figure.savefig(buffer, format=kind, **options)
        return buffer.getvalue()

    def save(self, path: Path) -> None:
        """Save the figure as an SVG or a PNG, by the ending of the name; the same picture gives the same bytes."""
        path.write_bytes(self.svg() if path.suffix == ".svg" else self.png())


def get_hue(name: str, colours: Colours) -> str:
    """Return a hue of Okabe and Ito's as the colour that is legible on a theme's background and band."""
    colour = make_legible(name, colours.band)
    return NEAR_BLACK if colour == "#000000" else colour


def list_colours(theme: Theme) -> dict[str, str]:
    """Return every colour that a picture of a theme may have, by name."""
    colours = COLOURS[theme]
    plain = {each.name: getattr(colours, each.name) for each in fields(colours)}
    return plain | {name.replace(" ", "-"): get_hue(name, colours) for name in OKABE_ITO}


def name_mark(recorded: Recorded, judgement: Judgement, kind: str = MARK) -> str:
    """Return the name of the mark of a verdict, by which a page knows what to say of it."""
    return f"{kind}{recorded.all(Judgement).index(judgement)}"


def place_mark(axes: Axes, at: tuple[float, float], name: str, colours: Colours) -> None:
    """Name a place in the coordinates of its axes, where something is drawn that is no mark; nothing of it is seen."""
    axes.plot(
        [at[0]], [at[1]], marker="o", markersize=1, color=colours.ink, alpha=0, linestyle="", gid=name, zorder=9,
        clip_on=False,
    )  # fmt: skip


def stack_panels(heights: Sequence[float], colours: Colours, legend_rows: int) -> tuple[Figure, list[Axes]]:
    """Make a narrow figure of panels below each other, with room for a legend at its foot.

    ``heights`` are those of the panels, in inches.
    """
    height = sum(heights) + (ABOVE + BELOW) * len(heights) + LEGEND * legend_rows + 0.1
    figure = Figure(figsize=(NARROW, height), facecolor=colours.background)
    panels = []
    top = height
    for each in heights:
        top -= ABOVE + each
        place = (LEFT / NARROW, top / height, 1 - (LEFT + RIGHT) / NARROW, each / height)
        panels.append(figure.add_axes(place, facecolor=colours.background))
        top -= BELOW
    return figure, panels


def title_panel(axes: Axes, title: str, below: str, colours: Colours) -> None:
    """Write above a panel's left edge what it shows, and under which circumstances."""
    lines = (title, 19, 9, "bold", colours.ink), (below, 6, 8, "normal", colours.muted)
    for words, height, size, weight, ink in lines:
        axes.annotate(
            words, (0, 1), xycoords="axes fraction", xytext=(-LEFT * 72 + 6, height), textcoords="offset points",
            fontsize=size, fontweight=weight, color=ink,
        )  # fmt: skip


def draw_legend(figure: Figure, entries: Iterable[tuple[Patch | Line2D, str]], colours: Colours, columns: int) -> None:
    """Draw a legend at the foot of a narrow figure."""
    handles, labels = zip(*entries, strict=True)
    figure.legend(
        handles, labels, loc="lower left", bbox_to_anchor=(0, 0), ncols=columns, frameon=False, fontsize=8.5,
        labelcolor=colours.muted, columnspacing=1.2, handlelength=2.2,
    )  # fmt: skip


def set_duration_axis(axes: Axes, of: Literal["x", "y"], limits: tuple[float, float], most: float = 5) -> None:
    """Make an axis logarithmic in nanoseconds, with labels such as ``2 ms``."""
    set_ratio_axis(axes, of, limits, most)
    axis = axes.xaxis if of == "x" else axes.yaxis
    axis.set_major_formatter(FuncFormatter(lambda value, _: format_duration(value, 6)))


def set_ratio_axis(axes: Axes, of: Literal["x", "y"], limits: tuple[float, float], most: float) -> None:
    """Make an axis logarithmic in ratios between limits, with at most ``most`` labels where they are powers of ten."""
    axis = axes.xaxis if of == "x" else axes.yaxis
    axes.set(**{f"{of}scale": "log", f"{of}lim": limits})
    axis.set_major_locator(FixedLocator(_choose_ticks(*limits, most)))
    axis.set_minor_locator(LogLocator())
    axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(FuncFormatter(_format_tick))


def _choose_ticks(low: float, high: float, most: float) -> list[float]:
    """Choose the values at which an axis has labels.

    A very short axis gets steps of equal size, a short one 1, 2 and 5 times powers of ten, a long one powers of ten, 1x
    among them, as many as have room: ``most`` at the most.
    """
    decades = math.log10(high / low)
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    step = math.ceil(decades / most)
    fine, coarse = (
        [m * 10.0**k for k in exponents if k % step == 0 for m in steps if low <= m * 10.0**k <= high]
        for steps in ((1, 2, 5), (1,))
    )
    is_short = decades < most / 4 or len(coarse) < FEW
    ticks = fine if is_short and 1 < len(fine) <= most else coarse
    if len(ticks) > 1:
        return ticks
    return [
        float(each)
        for each in MaxNLocator(min(round(most), 5), steps=[1, 2, 5, 10]).tick_values(low, high)
        if low <= each <= high
    ]


def _format_tick(value: float, position: int | None = None) -> str:
    exponent = math.floor(math.log10(value))
    return f"{value:,.6g}x" if -4 <= exponent <= 5 else f"1e{exponent}x"


def quieten(axes: Axes, colours: Colours) -> None:
    """Mute spines, ticks and grid, and keep them behind what is drawn."""
    axes.tick_params(colors=colours.muted, labelsize=8.5, length=3)
    axes.tick_params(which="minor", color=colours.muted, length=2)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("bottom", "left"))
        spine.set_color(colours.muted)
