"""Counts what a check saw, since a check that saw nothing of what its stage is about has checked nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from argo_bench.optimizations.optimization import CYCLE
from argo_bench.pipeline.model import (
    Bars,
    Completion,
    Consensus,
    Decision,
    Encoded,
    Fetched,
    Indicators,
    Readings,
    Reasoning,
    Signal,
    Validated,
)
from argo_bench.pipeline.record import Cycle
from argo_bench.study.checking.differences import Raised, Rows

ABOUT: Mapping[str, tuple[str, ...]] = {
    "transport": ("answers",),
    "fetch": ("fetches",),
    "frame": ("frames",),
    "indicators": ("indicators",),
    "regime": ("regimes",),
    "signals": ("signals",),
    "consensus": ("consensuses",),
    "reason": ("texts",),
    "validate": ("decisions",),
    "encode": ("encoded",),
    "store": ("rows",),
    "read": ("rows read",),
    "schedule": ("decisions",),
    CYCLE: ("decisions", "rows"),
}
"""Maps each stage to what it is about, in the nouns of ``see``."""
REGIMES = ("TRENDING", "CONSOLIDATION", "VOLATILE", "UNKNOWN")


def see(value: Any, saw: Counter[str]) -> None:
    """Count what a result shows: decisions, rejections by their rule, rows, texts, and so on."""
    for kind, count in _SIGHTS.items():
        if isinstance(value, kind):
            count(value, saw)
            return
    if isinstance(value, Rows):
        saw["rows"] += len(value)
    elif isinstance(value, str) and value in REGIMES:
        saw.update(("regimes", f"regime {value}"))
    elif isinstance(value, float):
        saw["answers"] += 1
    elif isinstance(value, Mapping):
        saw["signals"] += sum(isinstance(each, Signal) for each in value.values())
        saw["indicators"] += any(isinstance(each, float) for each in value.values())
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for each in value:
            see(each, saw)


def find_unseen(stage: str, saw: Mapping[str, int]) -> list[str]:
    """Return what the stage is about and was not seen."""
    return [noun for noun in ABOUT.get(stage, ()) if not saw.get(noun)]


def _see_cycle(cycle: Cycle, saw: Counter[str]) -> None:
    saw["cycles"] += 1
    for decision in cycle.decided:
        _see_decision(decision, saw)
    saw.update(f"rejected: {each.rule}" for each in cycle.rejected)
    saw["rows"] += len(cycle.stored)
    _see_readings(cycle.readings, saw)


def _see_validated(validated: Validated, saw: Counter[str]) -> None:
    saw["decisions"] += len(validated.kept) + len(validated.rejected)
    saw["kept"] += len(validated.kept)
    saw.update(f"rejected: {each.rule}" for each in validated.rejected)


def _see_decision(decision: Decision, saw: Counter[str]) -> None:
    saw["decisions"] += 1
    if decision.reasoning_author:
        saw["texts"] += 1


def _see_readings(readings: Readings, saw: Counter[str]) -> None:
    saw["rows read"] += len(readings.latest) + len(readings.latest_of_symbol)


def _count_as(*nouns: str) -> Callable[[Any, Counter[str]], None]:
    return lambda value, saw: saw.update(nouns)


_SIGHTS: Mapping[type, Callable[[Any, Counter[str]], None]] = {
    Cycle: _see_cycle,
    Validated: _see_validated,
    Decision: _see_decision,
    Readings: _see_readings,
    Encoded: _count_as("encoded"),
    Fetched: _count_as("fetches"),
    Bars: _count_as("answers"),
    Completion: _count_as("answers"),
    Consensus: _count_as("consensuses"),
    Reasoning: _count_as("texts"),
    Indicators: _count_as("indicators"),
    pd.DataFrame: _count_as("frames"),
    Raised: _count_as("errors"),
}
