"""Shows the figures of pyperf and hyperfine for a comparison beside those of a run.

Times are wall nanoseconds per call; a ratio is baseline / candidate, above 1 the candidate is faster.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import TypeVar

import msgspec

from argo_bench.errors import UserError
from argo_bench.harness.record.records import Comparison, Result
from argo_bench.harness.record.store import UNREADABLE, Recorded
from argo_bench.integrations.export import ROLES, Role, read_export
from argo_bench.report import finding
from argo_bench.report.tables import Column, Row, Table

Decoded = TypeVar("Decoded")


@dataclass(frozen=True, slots=True)
class Time:
    """Holds a mean with its standard deviation, which is zero for a single value."""

    mean_ns: float
    deviation_ns: float


@dataclass(frozen=True, slots=True)
class Peer:
    """Holds what another tool says of a comparison."""

    tool: str
    baseline: Time
    candidate: Time

    @property
    def speedup(self) -> float:
        return self.baseline.mean_ns / self.candidate.mean_ns

    @property
    def deviation(self) -> float:
        """Return the standard deviation of the speed-up, by propagation of both relative ones, as hyperfine does it."""
        return self.speedup * math.hypot(
            self.baseline.deviation_ns / self.baseline.mean_ns, self.candidate.deviation_ns / self.candidate.mean_ns
        )


class _PyperfRun(msgspec.Struct):
    """Holds the values of one process; one that only calibrates has none."""

    values: list[float] = []


class _PyperfBenchmark(msgspec.Struct):
    runs: list[_PyperfRun]


class _Pyperf(msgspec.Struct):
    benchmarks: list[_PyperfBenchmark]


class _HyperfineResult(msgspec.Struct):
    command: str
    mean: float
    stddev: float | None


class _Hyperfine(msgspec.Struct):
    results: list[_HyperfineResult]


def read_peers(directory: Path) -> list[Peer]:
    """Read what the tools left in a folder of exported scripts. Raises UserError where that is nothing, or foreign."""
    export = read_export(directory)
    found = []
    if all((directory / f"{role}.json").exists() for role in ROLES):
        found.append(read_pyperf(directory))
    if (directory / "hyperfine.json").exists():
        found.append(read_hyperfine(directory, export.calls))
    if not found:
        raise UserError(
            f"no figures in {directory}: expected baseline.json and candidate.json by pyperf, or hyperfine.json; the "
            "commands that argo-bench export prints write them"
        )
    return found


def read_pyperf(directory: Path) -> Peer:
    """Read baseline.json and candidate.json; as in pyperf, a time is the mean over the values of all processes."""
    times = {}
    for role in ROLES:
        file = directory / f"{role}.json"
        values = [value for each in _read(file, _Pyperf).benchmarks for run in each.runs for value in run.values]
        if not values:
            raise UserError(f"{file} holds no values: expected what python {role}.py -o {role}.json writes")
        times[role] = Time(1e9 * fmean(values), 1e9 * stdev(values) if len(values) > 1 else 0.0)
    return Peer("pyperf", times["baseline"], times["candidate"])


def read_hyperfine(directory: Path, calls: int) -> Peer:
    """Read hyperfine.json: the time that the calls add to a process that prepares them.

    It is the time of the whole process where that one was not run.
    """
    file = directory / "hyperfine.json"
    runs: dict[tuple[str, str], tuple[int, Time]] = {}
    for each in _read(file, _Hyperfine).results:
        if (said := re.search(r"(baseline|candidate)\.py\b.* --(calls|prepare) ([1-9]\d*)", each.command)) is not None:
            runs[said[1], said[2]] = int(said[3]), Time(1e9 * each.mean, 1e9 * (each.stddev or 0.0))
    if missing := [role for role in ROLES if (role, "calls") not in runs]:
        raise UserError(f"{file} holds no run of {missing[0]}.py: expected both scripts with --calls and a number")
    alone = all((role, "prepare") in runs and runs[role, "prepare"][0] == runs[role, "calls"][0] for role in ROLES)
    times = {}
    for role in ROLES:
        passes, time = runs[role, "calls"]
        if alone:
            time = _subtract_empty(file, role, time, runs[role, "prepare"][1])
        times[role] = Time(time.mean_ns / (passes * calls), time.deviation_ns / (passes * calls))
    return Peer("hyperfine" if alone else "hyperfine\nwhole process", times["baseline"], times["candidate"])


def _subtract_empty(file: Path, role: Role, whole: Time, empty: Time) -> Time:
    if whole.mean_ns <= empty.mean_ns:
        raise UserError(f"{file}: {role}.py takes no longer with its calls than without: expected more --calls")
    return Time(whole.mean_ns - empty.mean_ns, math.hypot(whole.deviation_ns, empty.deviation_ns))


def result_of(recorded: Recorded, comparison: Comparison) -> Result:
    """Return what a run says of a comparison. Raises UserError where the run did not measure it."""
    for result in recorded.all(Result):
        if result.comparison == comparison:
            return result
    raise UserError(
        f"{recorded.directory} holds no {comparison}: expected a run that measured what the folder of --peers exports"
    )


def compare_with_peers(recorded: Recorded, directory: Path) -> Table:
    """Make a table with a row for every tool that left figures in a folder of exported scripts, and one for the run."""
    export = read_export(directory)
    result = result_of(recorded, export.comparison)
    rows = [
        Row((each.tool, _format_time(each.baseline), _format_time(each.candidate), _format_ratio(each)))
        for each in read_peers(directory)
    ]
    wall = result.wall
    rows.append(
        Row(
            (
                "argo-bench",
                finding.format_duration(result.reference_ns),
                finding.format_duration(result.candidate_ns),
                f"{finding.format_speedup(wall.speedup)}\n"
                f"{finding.format_interval(wall.speedup_interval, wall.replicates)}",
            ),
            strong=True,
        )
    )
    return Table(
        "Beside other tools",
        f"{export.comparison}. Wall time per call: mean and standard deviation by the other tools, median here with "
        f"the {100 * wall.level:.4g} % interval of the ratio over n pairs of processes. The other tools' means include "
        "the rare full garbage collections, the figures of a run do not.",
        (Column("tool", None), Column("baseline", 14), Column("candidate", 14), Column("speed-up", 24)),
        tuple(rows),
    )


def _format_time(time: Time) -> str:
    return f"{finding.format_duration(time.mean_ns)}\n+- {finding.format_duration(time.deviation_ns)}"


def _format_ratio(peer: Peer) -> str:
    return f"{finding.format_speedup(peer.speedup)}\n+- {finding.format_number(peer.deviation)}"


def _read(file: Path, kind: type[Decoded]) -> Decoded:
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except OSError as error:
        raise UserError(f"cannot read {file} ({error.strerror}): expected a file that can be read") from None
    except UNREADABLE as error:
        raise UserError(f"{file} is not what its tool writes ({error}): run the command again that wrote it") from None
