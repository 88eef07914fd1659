"""Says what exact counts of a benchmark amount to: a count speaks for itself, and never for the times.

More requests, statements or tokens are more whatever the times are, and so are peak bytes beyond a floor. Instructions
are a forecast of time: they block only where the times are measured well enough and say slower too. Bytecode
instructions and allocations say where to look.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from argo_bench.gate.outcome import Change
from argo_bench.gate.records import Exact

INSTRUCTIONS = "instructions"
PEAK_BYTES = "peak bytes"
BYTECODE = "bytecode instructions"
ALLOCATIONS = "allocations"
Kind = Literal["forecast", "memory", "information", "count"]
"""``forecast``: instructions, which foretell time. ``count``: what a benchmark counts itself, such as requests. Nobody
knows whether more of a value that asv tracks is better or worse: it informs."""
KINDS: Mapping[str, Kind] = {
    INSTRUCTIONS: "forecast",
    PEAK_BYTES: "memory",
    BYTECODE: "information",
    ALLOCATIONS: "information",
    "object bytes": "memory",
    "resident bytes": "memory",
    "tracked value": "information",
}
CHANGED = 0.01
FLOOR_BYTES = 256 * 1024
"""Fewer bytes more are no more memory: a buffer or a table of an interpreter is as large."""
DIGITS = 3
"""A share is judged as it is shown: rounded to a tenth of a percent."""
SHOWN_FUNCTIONS = 3


@dataclass(frozen=True, slots=True)
class Growth:
    """Holds the counts of a benchmark that grew by CHANGED, each described in words, by what they may say.

    ``accepted`` are counts and memory that grew no more than is acknowledged.
    """

    forecast: tuple[str, ...] = ()
    memory: tuple[str, ...] = ()
    count: tuple[str, ...] = ()
    information: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()


def find_changes(exact: Exact | None) -> dict[str, Change]:
    """Return the counts that both sides have, without those that a second reading contradicted."""
    if exact is None:
        return {}
    return {
        name: Change(exact.base[name], exact.head[name])
        for name in exact.base
        if name in exact.head and name not in exact.unsteady
    }


def find_growth(exact: Exact | None, bound: float = 0.0) -> Growth:
    """Return what grew; peak bytes only where they grew by FLOOR_BYTES too.

    Up to a ``bound`` that is acknowledged, as a share, more instructions are information and other counts accepted.
    """
    found: dict[str, list[str]] = {"forecast": [], "memory": [], "count": [], "information": [], "accepted": []}
    for name, change, words in describe_grown(exact):
        kind = KINDS.get(name, "count")
        if kind == "memory" and change.head - change.base < FLOOR_BYTES:
            continue
        if kind != "information" and round(change.share, DIGITS) <= bound:
            found["information" if kind == "forecast" else "accepted"].append(words)
        else:
            found[kind].append(words)
    return Growth(**{kind: tuple(words) for kind, words in found.items()})


def describe_grown(exact: Exact | None) -> Iterator[tuple[str, Change, str]]:
    """Yield every count that grew by CHANGED: its name, the change, and a description."""
    for name, change in find_changes(exact).items():
        if exact is not None and has_grown(change):
            yield name, change, _describe_growth(name, change, exact)


def has_grown(change: Change) -> bool:
    return round(change.share, DIGITS) >= CHANGED


def format_count(count: float) -> str:
    """Return an integer exactly, and another number by its first digits."""
    return f"{count:,.0f}" if float(count).is_integer() else f"{count:,.6g}"


def _describe_growth(name: str, change: Change, exact: Exact) -> str:
    share = f"+{100 * change.share:.1f} %" if math.isfinite(change.share) else "from none"
    functions = exact.moved.get(name, {})
    most = sorted(functions.items(), key=lambda item: -abs(item[1]))[:SHOWN_FUNCTIONS]
    where = f" ({', '.join(f'{function} {difference:+,.0f}' for function, difference in most)})" if most else ""
    return f"{name} {share}, {format_count(change.base)} -> {format_count(change.head)}{where}"
