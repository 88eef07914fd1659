"""Finds what differs between values that records are to have in common, for the sentence that refuses them."""

from __future__ import annotations

from typing import Any


def pick_difference(ours: Any, theirs: Any) -> tuple[str | None, Any, Any]:
    """Return what differs: of two dicts the first entry that does, with its name, else both without a name."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        name = next(each for each in {**ours, **theirs} if ours.get(each) != theirs.get(each))
        return name, ours.get(name), theirs.get(name)
    return None, ours, theirs
