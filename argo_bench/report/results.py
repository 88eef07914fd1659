"""Tabulates what was measured beside the verdicts: memory, further arms and scales, and first calls."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from statistics import median

import msgspec

from argo_bench.harness.claims.metrics import Method
from argo_bench.harness.record.records import Cold, Comparison, Judgement, Memory, Result, Samples
from argo_bench.harness.record.store import Recorded
from argo_bench.harness.workers.memory import RESOLUTION
from argo_bench.report import finding
from argo_bench.report.tables import Column, Row, Table


def tabulate_memory(recorded: Recorded) -> Table:
    """Tabulate the memory that one pass of every arm takes beyond what was there before, by each method used."""
    weighed = recorded.all(Memory)
    baselines = {(each.optimization, each.workload): each for each in weighed if each.arm == "baseline"}
    used = [name for name in MEMORY_COLUMNS if any(MEMORY_COLUMNS[name](each) is not None for each in weighed)]
    rows = []
    for each in weighed:
        baseline = baselines.get((each.optimization, each.workload))
        rows.append(Row((f"{each.optimization} {each.arm}", *(_format_bytes(each, baseline, name) for name in used))))
    columns = (Column("version", None), *(Column(name, 14) for name in used))
    note = (
        "What one pass over the inputs takes beyond what was there before, and which share of the baseline's that is. "
        "Peak RSS is the most resident memory by the kernel's count, traced peak what Python and Arrow allocated; "
        "polled is memory_profiler's figure, as a cross-check."
    )
    return Table("Memory", note, columns, tuple(rows))


def _peak_by(method: Method) -> Callable[[Memory], float | None]:
    return lambda memory: _median(each.peak_bytes for each in memory.readings if each.method == method)


MEMORY_COLUMNS: Mapping[str, Callable[[Memory], float | None]] = {
    "peak RSS": _peak_by("peak_rss"),
    "traced peak": _peak_by("traced"),
    "live after": lambda memory: _median(each.live_bytes for each in memory.readings if each.method == "traced"),
    "allocations": lambda memory: _median(each.allocations for each in memory.readings),
    "polled": _peak_by("memory_profiler"),
}


def _median(values: Iterable[int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _format_bytes(memory: Memory, baseline: Memory | None, column: str) -> str:
    value = MEMORY_COLUMNS[column](memory)
    if value is None:
        return "-"
    if column == "peak RSS" and value <= RESOLUTION:
        return f"< {finding.format_bytes(RESOLUTION)}"
    shown = f"{value:,.0f}" if column == "allocations" else finding.format_bytes(value)
    reference = None if baseline is None or baseline is memory else MEMORY_COLUMNS[column](baseline)
    return shown if not reference else f"{shown}\n{value / reference:.3g} of baseline"


def tabulate_results(recorded: Recorded, *, brief: bool = False) -> Table:
    """Tabulate results that no verdict rests on: other arms and, unless ``brief``, the variants at other scales."""
    judged = {each.comparison for each in recorded.all(Judgement)}
    elsewhere = {
        msgspec.structs.replace(each.comparison, scale=spot.scale)
        for each in recorded.all(Judgement)
        for spot in each.strip
    }
    told = judged | elsewhere if brief else judged
    curved = {(each.optimization, each.curve_unit) for each in recorded.all(Judgement) if brief and each.curve}
    on_the_wall = {(e.optimization, e.comparison.workload) for e in recorded.all(Judgement) if e.metric == "wall"}
    rows = tuple(
        Row(
            (
                f"{each.comparison.optimization} {finding.name_arms(each.comparison)}",
                f"{each.comparison.workload} at {each.comparison.place}",
                _format_speedup(each, on_the_wall),
                f"{finding.format_duration(each.candidate_ns)}\nfrom {finding.format_duration(each.reference_ns)}",
            )
        )
        for each in sorted(recorded.all(Result), key=lambda each: each.comparison)
        if each.comparison not in told and (each.comparison.optimization, each.comparison.unit) not in curved
    )
    columns = (Column("version", 20), Column("workload", None), Column("speed-up", 20), Column("time per call", 14))
    note = (
        "No claim rests on these. How many times as fast each is, in CPU time, or in wall time where a claim about the "
        "same workload speaks of it."
    )
    return Table("Also measured", note, columns, rows)


def _format_speedup(result: Result, on_the_wall: Container[tuple[str, str]]) -> str:
    waits = (result.comparison.optimization, result.comparison.workload) in on_the_wall
    found = result.wall if waits else result.cpu
    return (
        f"{finding.format_speedup(found.speedup)}\n{finding.format_interval(found.speedup_interval, found.replicates)}"
    )


def tabulate_first_call_times(recorded: Recorded, shortest_ns: int = 0) -> Table:
    """Tabulate what an arm's first call took in a fresh process, at the first scale at which it was made.

    First calls that took less than ``shortest_ns`` are left out.
    """
    compiled: dict[tuple[str, str, str], Cold] = {}
    for each in recorded.all(Cold):
        if each.compiled:
            compiled.setdefault((each.optimization, each.workload, each.arm), each)
    rows = tuple(
        Row(
            (
                f"{cold.optimization} {cold.arm}",
                f"{cold.workload} at {cold.scale} {cold.unit}",
                finding.format_duration(cold.first_call_ns),
                _format_or_dash(_find_first_call_from_disk(recorded, cold)),
                _format_or_dash(_find_later_call(recorded, cold)),
            )
        )
        for cold in compiled.values()
        if cold.first_call_ns >= shortest_ns
    )
    columns = (
        Column("version", 20),
        Column("workload", None),
        Column("from scratch", 12),
        Column("code on disk", 12),
        Column("later call", 10),
    )
    note = "What the first call of a process takes without and with compiled code on disk, and what a later call takes."
    if shortest_ns:
        note += f" Only first calls from {finding.format_duration(shortest_ns)} up; the saved report has all."
    return Table("First calls", note, columns, rows)


def _find_first_call_from_disk(recorded: Recorded, cold: Cold) -> float | None:
    times: list[int | None] = [
        each.first_call_ns
        for each in recorded.all(Cold)
        if not each.compiled and _place(each) == _place(cold) and each.arm == cold.arm
    ]
    for samples in recorded.all(Samples):
        if _place(samples.comparison) == _place(cold):
            times += [samples.reference_first_call_ns] * (samples.comparison.reference == cold.arm)
            times += [samples.candidate_first_call_ns] * (samples.comparison.candidate == cold.arm)
    taken = [time for time in times if time is not None]
    return median(taken) if taken else None


def _find_later_call(recorded: Recorded, cold: Cold) -> float | None:
    for each in recorded.all(Result):
        if _place(each.comparison) == _place(cold):
            if each.comparison.candidate == cold.arm:
                return each.candidate_ns
            if each.comparison.reference == cold.arm:
                return each.reference_ns
    return None


def _place(of: Comparison | Cold) -> tuple[str, str, int]:
    return of.optimization, of.workload, of.scale


def _format_or_dash(nanoseconds: float | None) -> str:
    return "-" if nanoseconds is None else finding.format_duration(nanoseconds)
