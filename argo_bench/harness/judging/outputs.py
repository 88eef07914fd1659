"""Says what the Output column shows, from the comparisons of outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from argo_bench.harness.record.records import Fidelity


def describe_output(fidelities: Sequence[Fidelity], subject: str, arm: str) -> tuple[str, bool]:
    """Return an arm's Output column, and whether it is faithful on all workloads and in the whole pipeline."""
    relevant = [each for each in fidelities if each.optimization == subject and each.arm == arm]
    if not relevant:
        return "not checked", True
    # A difference outweighs everything; one in the pipeline's decisions tells more than one in a stage.
    worst = max(
        relevant, key=lambda each: (not each.faithful, bool(each.counts) and each.workload is None, each.largest_error)
    )
    return worst.output, worst.faithful


def describe_differences(counts: Mapping[str, int]) -> str:
    """Name the most frequent kinds of differences."""
    return f"differs: {list_most_frequent(counts)}"


def list_most_frequent(counts: Mapping[str, int]) -> str:
    return ", ".join(kind for kind, _ in Counter(counts).most_common(3))
