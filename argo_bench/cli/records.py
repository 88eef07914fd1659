"""Verifies stored records for the program, and says whose fault it is where one cannot be shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from argo_bench.errors import UserError

if TYPE_CHECKING:
    from argo_bench.harness.record.lines import Disagreement
    from argo_bench.harness.record.store import Recorded

GATE = "ci"
"""Records of a gate have this profile."""


def find_disagreements(recorded: Recorded) -> list[Disagreement]:
    """Return the lines of a record that do not follow from the others, by the rules for a run or for a gate."""
    if recorded.run.profile == GATE:
        from argo_bench.gate.verify import find_disagreements as of_gate

        return of_gate(recorded)
    from argo_bench.harness.record.verify import verify

    return verify(recorded)


@contextmanager
def blaming(*runs: Path) -> Iterator[None]:
    """Turn an error into a UserError where it comes from a record whose lines contradict each other.

    An error that no record is to blame for is ours, and stays what it is.
    """
    from argo_bench.harness.record.store import load
    from argo_bench.harness.record.verify import CONTRADICTIONS

    try:
        yield
    except CONTRADICTIONS as error:
        for run in runs:
            if found := find_disagreements(load(run)):
                raise UserError(
                    f"{run} cannot be shown, since its lines contradict each other ({found[0]}): expected a record as "
                    f"it was written; argo-bench verify {run} names all of them"
                ) from error
        raise
