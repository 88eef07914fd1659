"""Makes the first call of every arm at the headline scale, with nothing compiled before; that shows whether it runs.

References have one process and candidates another. What arms of one process, or numba's cache on disk, have in common
is loaded and compiled by the first of them, so that the later ones' calls are the time that they add.
"""

from __future__ import annotations

from argo_bench.harness.plan import arms
from argo_bench.harness.record.records import Cold
from argo_bench.harness.state import RunState, place_of
from argo_bench.harness.subject import Around
from argo_bench.harness.workers.messages import Prepare, Prepared
from argo_bench.harness.workers.processes import Twins


def make_first_calls(state: RunState, pair: Twins, around: Around) -> None:
    met = {(each.optimization, each.workload, each.scale, each.arm) for each in state.earlier(Cold)}
    for comparison in filter(state.is_at_headline_scale, list(state.comparisons)):
        for name in arms(comparison):
            if (*place_of(comparison), name) in met:
                continue
            met.add((*place_of(comparison), name))
            with state.failing(comparison.optimization, name):
                arm = state.subject_of(comparison).arm(comparison, name, around.scratch)
                worker = pair.reference if name == comparison.reference else pair.candidate
                prepared = worker.ask(Prepare(arm, arm.key in state.call_ns), Prepared)
                if prepared.call_ns is not None:
                    state.call_ns[arm.key] = prepared.call_ns
                at = place_of(comparison)
                state.writer.write(Cold(*at, comparison.unit, name, prepared.first_call_ns, compiled=True))
            pair.revive()
            state.did("first calls", f"first call: {comparison}")
