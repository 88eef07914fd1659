"""Counts what a replay of a workload showed, so that a figure on nothing is seen: decisions, rejections, rows."""

from __future__ import annotations

from collections import Counter

from argo_bench.optimizations.optimization import CYCLE, Replay, Workload
from argo_bench.report.counts import SAW
from argo_bench.study.checking.seen import see

CALLS, SYMBOL_CYCLES = "calls", "symbol-cycles"


def count_sights(workload: Workload, replay: Replay, symbols: int) -> dict[str, float]:
    """Return what the results of a replay show, by a name that begins with SAW.

    Of whole cycles of so many ``symbols`` the symbol-cycles are counted, else the calls. Rejections are counted by
    their rule and together. A stage whose results show nothing, such as the store, has its calls alone.
    """
    saw = Counter[str]()
    for call in replay.calls:
        see(call.result, saw)
    rejected = sum(count for noun, count in saw.items() if noun.startswith("rejected: "))
    of_what = {SYMBOL_CYCLES: len(replay.calls) * symbols} if workload.stage == CYCLE else {CALLS: len(replay.calls)}
    found = of_what | dict(saw) | ({"rejected": rejected} if "decisions" in saw else {})
    return {f"{SAW}{noun}": float(count) for noun, count in found.items()}
