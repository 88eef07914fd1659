"""Describes a gate as plain data for other programs, and a patch in one word."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from argo_bench.gate.answers import Gate
from argo_bench.gate.records import Revisions
from argo_bench.gate.table import list_notes
from argo_bench.harness.record.store import Recorded

VERSION = 1
"""It grows when a key goes or changes its meaning; keys may be added without that."""
PatchWord = Literal["void", "worse", "undecided", "faster", "fine"]
VOID = ("differs", "failed", "removed")
OPEN = ("cannot tell", "cannot run", "not measured")


def describe_gate(gate: Gate, recorded: Recorded) -> dict[str, Any]:
    """Return a gate with its keys in the order in which docs/data.md has them."""
    revisions = recorded.all(Revisions)[0]
    return {
        "version": VERSION,
        "finding": str(gate),
        "word": judge_patch(gate, revisions) if revisions.patch else None,
        "advisory": gate.advisory,
        "blocks": gate.blocks,
        "base": revisions.base,
        "head": revisions.head,
        "changed": revisions.changed,
        "acknowledged": msgspec.to_builtins(revisions.acknowledged),
        "expired": revisions.expired,
        "left_out": revisions.left_out,
        "notes": list(list_notes(gate, recorded)),
        "outcomes": [each.row() for each in gate.outcomes],
    }


def judge_patch(gate: Gate, revisions: Revisions) -> PatchWord:
    """Say in one word what a patch does.

    It is void where an output differs, where a benchmark fails at the head or is gone; worse where anything else
    blocks. Of the benchmarks whose files it changes, one that is open leaves it undecided, else one that is faster
    makes it faster. What it does not change says nothing of it.
    """
    if any(each.state in VOID and (each.blocks or each.state == "removed") for each in gate.outcomes):
        return "void"
    if gate.blocks:
        return "worse"
    states = {each.state for each in gate.outcomes if each.name in revisions.changed or each.state == "cannot run"}
    if gate.advisory is not None or states & {*OPEN, "worse"}:
        return "undecided"
    return "faster" if "better" in states else "fine"
