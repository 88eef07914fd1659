"""Reads what a repository acknowledges: benchmarks that are meant to take more than before, up to a bound.

[tool.argo_bench.ci.accepted]
parse = { reason = "checks what it reads", bound = "15%" }
walk = { reason = "other rounding", bound = "5%", output = true, since = "1f2e3d4" }
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argo_bench.errors import UserError
from argo_bench.gate.records import Acceptance
from argo_bench.gate.repository import PYPROJECT
from argo_bench.harness.durations import share
from argo_bench.loading import settings_of

TABLE = "[tool.argo_bench.ci.accepted]"
KEYS = ("reason", "bound", "output", "since")
EXAMPLE = 'an entry such as parse = { reason = "checks what it reads", bound = "15%" }'


@dataclass(frozen=True, slots=True)
class Entry:
    """Holds an acceptance, and the commit ``since`` which it speaks of; that is empty where none is named."""

    acceptance: Acceptance
    since: str


def find_acceptances(
    head: Path, base: Path, names: Collection[str], is_in_base: Callable[[str], bool]
) -> tuple[dict[str, Acceptance], list[str]]:
    """Return what the project in folder ``head`` acknowledges, and the names of its entries that count no more.

    An entry expires once the base has what it speaks of: the same entry, or the commit that it names. Raises UserError
    for what cannot be read, and for an entry whose name is none of ``names`` and that has not expired.
    """
    entries = read_entries(head)
    try:
        before = read_entries(base)
    except UserError:
        before = {}
    expired = [
        name
        for name, each in entries.items()
        if (name in before and before[name].acceptance == each.acceptance) or (each.since and is_in_base(each.since))
    ]
    found = {name: each.acceptance for name, each in entries.items() if name not in expired}
    if unknown := sorted(found.keys() - {*names}):
        hint = describe_close(unknown[0], names)
        raise UserError(f"{head / PYPROJECT}, {TABLE}: the head has no benchmark {unknown[0]!r}: {hint}")
    return found, expired


def describe_close(name: str, names: Collection[str]) -> str:
    close = difflib.get_close_matches(name, names, 1, 0.6)
    return f"did you mean {close[0]!r}?" if close else "take the entry out"


def read_entries(root: Path) -> dict[str, Entry]:
    """Read the table of a project, by benchmark. Raises UserError, naming the entry, for what cannot be read."""
    path = root / PYPROJECT
    table = settings_of(path).get("ci", {})
    table = table.get("accepted", {}) if isinstance(table, dict) else {}
    if not isinstance(table, dict):
        raise UserError(f"{path}, {TABLE}: expected {EXAMPLE}, got {table!r}")
    return {name: _read_entry(f"{path}, {TABLE}, {name}", each) for name, each in table.items()}


def _read_entry(where: str, given: Any) -> Entry:
    if not isinstance(given, dict) or not given.keys() >= {"reason", "bound"}:
        raise UserError(f"{where}: expected {EXAMPLE}, got {given!r}")
    if unknown := sorted(given.keys() - set(KEYS)):
        raise UserError(f"{where}: unknown key {unknown[0]!r}: expected {', '.join(KEYS)}")
    reason, since, output = given["reason"], given.get("since", ""), given.get("output", False)
    if not isinstance(reason, str) or not reason.strip():
        raise UserError(f"{where}: expected a reason in words, got {reason!r}")
    if not isinstance(since, str):
        raise UserError(f"{where}: expected since to be a commit, got {since!r}")
    if not isinstance(output, bool):
        raise UserError(f"{where}: expected output to be true or false, got {output!r}")
    try:
        bound = share(given["bound"])
    except ValueError as error:
        raise UserError(f"{where}: {error}") from None
    return Entry(Acceptance(" ".join(reason.split()), bound, output), since)
