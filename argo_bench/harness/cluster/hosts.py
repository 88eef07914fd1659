"""Measures a run on the hosts of a cluster: sends the units that are due, and records every one when it comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from argo_bench.errors import UserError
from argo_bench.harness.cluster.due import Due, list_due
from argo_bench.harness.cluster.units import Answer, Order
from argo_bench.harness.record.records import Asked, Comparison, Samples, Unit
from argo_bench.harness.record.store import decode_record, subject_of
from argo_bench.harness.state import RunState
from argo_bench.harness.subject import Around

UNIT_S = 30.0
"""A unit is expected to take these seconds, before any has come back."""


class Engine(Protocol):
    """An engine has units measured on the hosts of a cluster; those that are lost with a worker are sent once more."""

    def submit(self, order: Order) -> None:
        """Have a unit measured."""

    def wait(self) -> Sequence[tuple[Order, bytes]]:
        """Wait until units are there, and return them with their answers. Raises UserError where nobody answers."""

    def cancel(self) -> None:
        """Drop the units that are under way."""


@dataclass(frozen=True, slots=True)
class ClusterHosts:
    """Has a run measured by an engine.

    ``make_job`` names the function that makes a job of what was ``asked``; ``alike`` is what every host must have in
    common with this one, and ``facts`` are those of the hosts' machines.
    """

    engine: Engine
    make_job: str
    asked: Asked
    alike: dict[str, Any]
    facts: dict[str, Any]

    def measure(self, state: RunState, around: Around) -> None:
        """Measure what a run's state lacks.

        Raises UserError for a host of another version, and where no host answers; what came back before is recorded.
        """
        prepared = {each.optimization for each in state.earlier(Unit) if each.replicate is None}
        running: set[str] = set()
        lacking: set[Comparison] = set()
        try:
            while True:
                due = [order for order in map(self._make_order, list_due(state, prepared)) if order.key not in running]
                for order in due:
                    self.engine.submit(order)
                    running.add(order.key)
                _plan(state, len(running))
                if not running:
                    break
                for order, answer in self.engine.wait():
                    running.discard(order.key)
                    lacking |= _record(state, order, answer)
                    if order.replicate is None:
                        prepared.add(order.subject)
        finally:
            self.engine.cancel()
            for each in lacking:
                state.comparisons.append(each)
                state.leave_out(each)

    def _make_order(self, due: Due) -> Order:
        return Order(self.make_job, self.asked, due.subject, due.replicate, due.comparisons, due.block_s, self.alike)


def _plan(state: RunState, running: int) -> None:
    state.pace.plan("units", running, UNIT_S)
    state.tell(f"{running} units are being measured, or wait for a host" if running else "all units are measured")


def _record(state: RunState, order: Order, answer: bytes) -> set[Comparison]:
    """Record the lines of a unit at once; those about the run as a whole, which every subject has, only once.

    Returns the comparisons that it gave no samples of, for no reason that is recorded: they are not asked for again.
    """
    given = msgspec.json.decode(answer, type=Answer)
    if given.refused:
        raise UserError(f"a host cannot measure {order.key}: {given.refused}")
    lines = [decode_record(each, is_first=False) for each in given.lines]
    known = [] if order.replicate is not None else state.common
    state.take_over([each for each in lines if subject_of(each) is not None or each not in known])
    measured = {each.comparison for each in lines if isinstance(each, Samples)}
    lacking = {each for each in order.comparisons if each not in measured and each in state.comparisons}
    state.comparisons = [each for each in state.comparisons if each not in lacking]
    last = lines[-1]
    if isinstance(last, Unit):
        state.longest_s = max(state.longest_s, last.ended - last.began)
    state.did("units", order.key)
    return lacking
