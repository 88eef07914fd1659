"""Shows how ratios moved from run to run: each is one to the baseline of its own session, so that no day matters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from argo_bench.errors import UserError
from argo_bench.harness.claims.metrics import CLOCKS
from argo_bench.harness.record.records import Judgement
from argo_bench.harness.record.store import FILE_NAME, Recorded, load
from argo_bench.report.tables import Column, Row, Table

RESULTS = Path("results")


@dataclass(frozen=True, slots=True)
class Point:
    """Holds one run's ratio, baseline / candidate, with its interval, and where and with what it was measured."""

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
    """Holds the ratios of one claim and arm in order of time."""

    name: str
    points: tuple[Point, ...]

    @property
    def moves(self) -> tuple[str, ...]:
        """Describe the changes between neighbours whose intervals have nothing in common."""
        return tuple(
            f"moved from {before} to {after} on {after.started[:10]}"
            for before, after in pairwise(self.points)
            if before.high < after.low or after.high < before.low
        )


def read_runs(paths: Sequence[Path]) -> tuple[list[Recorded], list[str]]:
    """Read the runs of some paths in order of time; without paths those under results/.

    Also returns, for each run that cannot be read, the reason.
    """
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
    """Collect the ratios of every claim on a time, or of the one that is named.

    Raises UserError where no run has a ratio of it.
    """
    points: dict[str, list[Point]] = {}
    for run in recorded:
        for judgement in run.all(Judgement):
            if judgement.metric not in CLOCKS or (claim is not None and judgement.claim != claim):
                continue
            if (point := _make_point(judgement, run)) is not None:
                points.setdefault(f"{judgement.claim} {judgement.arm}", []).append(point)
    if not points:
        of = "a claim on a time" if claim is None else repr(claim)
        raise UserError(f"no run has a ratio for {of}: expected one such as O08.time, and a run that measured it")
    return [Series(name, tuple(found)) for name, found in points.items()]


def _make_point(judgement: Judgement, recorded: Recorded) -> Point | None:
    if judgement.speedup is None or judgement.interval is None:
        return None
    run = recorded.run
    versions = run.environment.get("versions", {})
    version = str(versions.get("argo-bench", "")) if isinstance(versions, dict) else ""
    processor = str(run.environment.get("processor", ""))
    return Point(run.started, run.run, version, processor, judgement.speedup, *judgement.interval)


def table_of(series: Sequence[Series]) -> Table:
    """Tabulate the first and last ratio of each series, and whether it moved; those that moved come first."""
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
