"""Shows how ratios moved from run to run: each is one to the baseline of its own session, so that no day matters.

Runs of unlike profiles measure unlike amounts of work and are never laid beside each other. A gate's ratios are to the
base of its own commit: each says what one change did, and none is compared with another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from argo_bench.errors import UserError
from argo_bench.gate.records import Gated, Revisions
from argo_bench.gate.table import COMMIT
from argo_bench.harness.claims.metrics import CLOCKS
from argo_bench.harness.record.records import Judgement
from argo_bench.harness.record.store import FILE_NAME, Recorded, load
from argo_bench.report.tables import Column, Row, Table

RESULTS = Path("results")
DEFAULT = "default"
GATE = "ci"
"""The profile of a gate's record."""


@dataclass(frozen=True, slots=True)
class Point:
    """Holds one run's ratio, baseline / candidate, with its interval, and where and with what it was measured.

    Of a gate it is base / head, and ``commit`` is the head.
    """

    started: str
    run: str
    version: str
    processor: str
    speedup: float
    low: float
    high: float
    commit: str = ""

    def __str__(self) -> str:
        """Return the ratio with its interval; of a gate head / base, which is above 1 where the head takes more."""
        if self.commit:
            return f"{1 / self.speedup:.3g} of base [{1 / self.high:.3g}, {1 / self.low:.3g}]"
        return f"{self.speedup:.3g}x [{self.low:.3g}, {self.high:.3g}]"


@dataclass(frozen=True, slots=True)
class Series:
    """Holds the ratios of one claim and arm, or of a benchmark of gates, in order of time and of one profile."""

    name: str
    points: tuple[Point, ...]
    profile: str = DEFAULT

    @property
    def label(self) -> str:
        """The name, with the profile unless that is the one of whole runs."""
        if self.profile == DEFAULT:
            return self.name
        return f"{self.name} ({'gate' if self.profile == GATE else self.profile})"

    @property
    def moves(self) -> tuple[str, ...]:
        """Describe the changes between neighbours whose intervals have nothing in common.

        Of a gate they are the commits whose intervals leave out 1.
        """
        if self.profile == GATE:
            return tuple(
                f"{each} at {each.commit[:COMMIT]} on {each.started[:10]}"
                for each in self.points
                if each.high < 1 or each.low > 1
            )
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
    """Collect the ratios of every claim on a time and of every benchmark of gates, or of the one that is named.

    Those of a profile stand together, whole runs first. Raises UserError where no run has a ratio of it.
    """
    points: dict[tuple[str, str], list[Point]] = {}
    for run in recorded:
        for name, found in _list_points_of_gate(run):
            if claim in (None, name):
                points.setdefault((GATE, name), []).append(found)
        for judgement in run.all(Judgement):
            if judgement.metric not in CLOCKS or (claim is not None and judgement.claim != claim):
                continue
            if (point := _make_point(judgement, run)) is not None:
                key = run.run.profile or DEFAULT, f"{judgement.claim} {judgement.arm}"
                points.setdefault(key, []).append(point)
    if not points:
        of = "a claim on a time" if claim is None else repr(claim)
        raise UserError(f"no run has a ratio for {of}: expected one such as O08.time, and a run that measured it")
    return sorted((Series(name, tuple(each), profile) for (profile, name), each in points.items()), key=_place)


def _place(series: Series) -> tuple[bool, str]:
    return series.profile != DEFAULT, series.profile


def _list_points_of_gate(recorded: Recorded) -> Iterator[tuple[str, Point]]:
    """Yield what a gate has measured by benchmark; nothing of a shard, whose merged record has it too."""
    revisions = next(iter(recorded.all(Revisions)), None)
    if revisions is None or revisions.is_part:
        return
    for each in recorded.all(Gated):
        if each.speedup is not None and each.interval is not None:
            yield each.benchmark, _make_point_of(recorded, each.speedup, each.interval, revisions.head)


def _make_point(judgement: Judgement, recorded: Recorded) -> Point | None:
    if judgement.speedup is None or judgement.interval is None:
        return None
    return _make_point_of(recorded, judgement.speedup, judgement.interval)


def _make_point_of(recorded: Recorded, speedup: float, interval: tuple[float, float], commit: str = "") -> Point:
    run = recorded.run
    versions = run.environment.get("versions", {})
    version = str(versions.get("argo-bench", "")) if isinstance(versions, dict) else ""
    processor = str(run.environment.get("processor", ""))
    return Point(run.started, run.run, version, processor, speedup, *interval, commit)


NOTE = (
    "Each speed-up is over the baseline of the same run. It has moved where the intervals of two neighbouring runs "
    "have nothing in common."
)
NOTE_ON_GATES = f"{NOTE} Rows of ci are head / base of one commit; they have moved where the interval leaves out 1."


def table_of(series: Sequence[Series]) -> Table:
    """Tabulate first and last ratio of each series by profile, and whether it moved; those that moved come first."""
    ordered = sorted(series, key=lambda each: (*_place(each), not each.moves))
    rows = tuple(
        Row(
            (
                each.label,
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
        NOTE_ON_GATES if any(each.profile == GATE for each in series) else NOTE,
        columns,
        rows,
    )
