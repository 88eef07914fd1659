"""Checks the lines that say of a run on several hosts where and when each part of it was measured."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from argo_bench.harness.record.lines import Disagreement
from argo_bench.harness.record.records import Samples, Unit
from argo_bench.harness.record.store import Recorded


def check_units(recorded: Recorded) -> Iterator[Disagreement]:
    """Check that every unit was measured once, that no two overlap on a host, and that all samples belong to one."""
    units = [(line, each) for line, each in recorded.lines() if isinstance(each, Unit)]
    yield from _find_overlapping(units)
    seen: dict[tuple[str, int | None, float], int] = {}
    for line, each in units:
        if each.ended < each.began:
            yield Disagreement(line, f"{_name(each)} ended before it began")
        if (first := seen.setdefault((each.optimization, each.replicate, each.began), line)) != line:
            yield Disagreement(line, f"{_name(each)} stands in line {first} already")
    known = {(each.optimization, each.replicate) for _, each in units}
    for line, record in recorded.lines() if units else ():
        if isinstance(record, Samples) and (record.comparison.optimization, record.replicate) not in known:
            yield Disagreement(line, f"samples of {record.comparison} in replicate {record.replicate}: of no unit")


def _find_overlapping(units: list[tuple[int, Unit]]) -> Iterator[Disagreement]:
    hosts: dict[str, list[tuple[int, Unit]]] = {}
    for line, each in units:
        hosts.setdefault(each.host, []).append((line, each))
    for own in hosts.values():
        own.sort(key=lambda placed: placed[1].began)
        for (_, before), (line, each) in pairwise(own):
            if each.began < before.ended:
                yield Disagreement(line, f"{_name(each)} began on {each.host} before {_name(before)} had ended there")


def _name(unit: Unit) -> str:
    what = "what comes before the times" if unit.replicate is None else f"replicate {unit.replicate}"
    return f"{unit.optimization}, {what}"
