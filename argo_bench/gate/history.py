"""How ratios have moved from run to run: each is one to the baseline of its own session, so none depends on the day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from matplotlib.axes import Axes

from argo_bench.errors import UserError
from argo_bench.harness.claims.claim import CLOCKS
from argo_bench.harness.record.records import Judgement
from argo_bench.harness.record.store import FILE_NAME, Recorded, load
from argo_bench.report.chart import COLOURS, Colours, Picture, hue, quiet, ratio_axis, stacked, titled
from argo_bench.report.tables import Column, Row, Table

RESULTS = Path("results")
PANEL_HEIGHT = 0.9
ROOM = 1.15
"""Above and below the intervals, as a factor."""
MOST_PANELS = 12


@dataclass(frozen=True, slots=True)
class Point:
    """One run's ratio, baseline / candidate, with its interval; where and with what it was measured."""

    started: str
    run: str
    version: str
    processor: str
    speedup: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.speedup:.3g}x [{self.low:.3g}, {self.high:.3g}]"


@dataclass(frozen=True, slots=True)
class Series:
    """The ratios of one claim and arm in order of time."""

    name: str
    points: tuple[Point, ...]

    @property
    def moves(self) -> tuple[str, ...]:
        """The changes between neighbours whose intervals have nothing in common, in words."""
        return tuple(
            f"moved from {before} to {after} on {after.started[:10]}"
            for before, after in pairwise(self.points)
            if before.high < after.low or after.high < before.low
        )


def read(paths: Sequence[Path]) -> tuple[list[Recorded], list[str]]:
    """The runs in order of time, those under results/ for no paths; and of each that cannot be read, why."""
    folders = list(paths) or sorted(
        {file.parent for pattern in (FILE_NAME, f"{FILE_NAME}.gz") for file in RESULTS.rglob(pattern)}
    )
    found, unreadable = [], []
    for folder in folders:
        try:
            found.append(load(folder))
        except UserError as error:
            unreadable.append(str(error))
    return sorted(found, key=lambda each: each.run.started), unreadable


def history_of(recorded: Sequence[Recorded], claim: str | None = None) -> list[Series]:
    """Of every claim on a time, or of one. Raises UserError where no run has a ratio of it."""
    points: dict[str, list[Point]] = {}
    for run in recorded:
        for judgement in run.all(Judgement):
            if judgement.metric not in CLOCKS or (claim is not None and judgement.claim != claim):
                continue
            if (point := _point(judgement, run)) is not None:
                points.setdefault(f"{judgement.claim} {judgement.arm}", []).append(point)
    if not points:
        of = "a claim on a time" if claim is None else repr(claim)
        raise UserError(f"no run has a ratio for {of}: expected one such as O08.time, and a run that measured it")
    return [Series(name, tuple(found)) for name, found in points.items()]


def _point(judgement: Judgement, recorded: Recorded) -> Point | None:
    if judgement.speedup is None or judgement.interval is None:
        return None
    run = recorded.run
    versions = run.environment.get("versions", {})
    version = str(versions.get("argo-bench", "")) if isinstance(versions, dict) else ""
    processor = str(run.environment.get("processor", ""))
    return Point(run.started, run.run, version, processor, judgement.speedup, *judgement.interval)


def table_of(series: Sequence[Series]) -> Table:
    """First and last ratio of each, and whether it moved, what moved first."""
    ordered = sorted(series, key=lambda each: not each.moves)
    rows = tuple(
        Row(
            (
                each.name,
                str(len(each.points)),
                str(each.points[0]),
                str(each.points[-1]),
                "\n".join(each.moves) or "no move is clear",
            )
        )
        for each in ordered
    )
    moved = sum(bool(each.moves) for each in series)
    columns = (Column("claim", 20), Column("runs", 4), Column("first", 20), Column("last", 20), Column("moved", None))
    return Table(
        f"{moved} of {len(series)} ratios have moved",
        "Each is a ratio to the baseline of its own session; moved: two neighbouring intervals have nothing in common.",
        columns,
        rows,
    )


def drawn(series: Sequence[Series]) -> Picture:
    """A panel for each, on a log axis, in order of the runs; those that moved first, MOST_PANELS at the most."""
    shown = sorted(series, key=lambda each: not each.moves)[:MOST_PANELS]
    colours = COLOURS["light"]
    figure, panels = stacked([PANEL_HEIGHT] * len(shown), colours, 0)
    for axes, each in zip(panels, shown, strict=True):
        _draw(axes, each, colours)
    rows = [Row((each.name, point.started[:10], point.run, str(point))) for each in shown for point in each.points]
    columns = (Column("claim", 20), Column("date", 10), Column("run", None), Column("ratio", 24))
    table = Table("Ratios over time", "Each to the baseline of its own session.", columns, tuple(rows))
    return Picture(figure, " ".join(map(_said, shown)), table)


def _draw(axes: Axes, series: Series, colours: Colours) -> None:
    points = series.points
    places = range(len(points))
    below = [each.speedup - each.low for each in points]
    above = [each.high - each.speedup for each in points]
    colour = hue("vermillion" if series.moves else "blue", colours)
    axes.errorbar(places, [each.speedup for each in points], [below, above], fmt="o-", color=colour, markersize=4,
                  linewidth=1, elinewidth=2, capsize=3)  # fmt: skip
    lowest, highest = min(each.low for each in points), max(each.high for each in points)
    ratio_axis(axes, "y", (lowest / ROOM, highest * ROOM), 4)
    axes.set_xticks(list(places), [each.started[5:10] for each in points])
    axes.set_xlim(-0.5, len(points) - 0.5)
    quiet(axes, colours)
    moved = (
        f"{len(series.moves)} clear move{'' if len(series.moves) == 1 else 's'}" if series.moves else "no clear move"
    )
    titled(axes, series.name, f"{moved}, speed-up by month and day", colours)


def _said(series: Series) -> str:
    ratios = [each.speedup for each in series.points]
    return f"{series.name}: {'; '.join(series.moves) or f'between {min(ratios):.3g}x and {max(ratios):.3g}x'}."
