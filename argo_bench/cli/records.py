"""Verifies stored records for the program, and says whose fault it is where one cannot be shown."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

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


def blaming(*several: Recorded) -> AbstractContextManager[None]:
    """Turn an error into a UserError where it comes from one of these records, whose lines contradict each other."""
    from argo_bench.harness.record.verify import blaming as blaming_records

    return blaming_records(*several, find=find_disagreements)
