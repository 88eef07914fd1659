"""Measures one unit of a run on the host that it was sent to, as ``python -m argo_bench.harness.cluster.units``.

A unit is one replicate of a subject's comparisons, in a fresh pair of processes, or what is measured of a subject
before any replicate. It is measured in a process of its own, whose memory and switches nothing else has touched.
"""

from __future__ import annotations

import platform
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from argo_bench.errors import UserError
from argo_bench.harness.machine.environment import read_facts
from argo_bench.harness.machine.host_lock import hold_host
from argo_bench.harness.machine.measuring import measuring
from argo_bench.harness.record.differing import pick_difference
from argo_bench.harness.record.parts import kind_of
from argo_bench.harness.record.records import Asked, Comparison, Declaration, Plan, Run, Unit
from argo_bench.harness.record.store import Recorded, Writer, encode, load
from argo_bench.harness.replicates import time_one_replicate
from argo_bench.harness.run import find_needed_servers, leave_out, make_header, measure_before_times
from argo_bench.harness.state import RunState
from argo_bench.harness.subject import Job
from argo_bench.harness.workers.bodies import find_function
from argo_bench.parent import die_with_parent
from argo_bench.temporary import owned_prefix

ALIKE = ("python", "versions", "source")
"""Facts of the machine that every host of a run has in common with the one that asks."""
ALIKE_DATA = ("bars", "symbols")
"""Fields of the first line that follow from the data, which every host must read alike."""


class Order(msgspec.Struct, frozen=True):
    """Says what is to be measured: one ``replicate`` of some comparisons of a subject, or, for None, all before these.

    ``make_job`` names the function that makes a job of what was ``asked``, as in ``module:name``. ``block_s`` are the
    seconds of blocks of each comparison. ``alike`` is what the host must have in common with the one that asks.
    """

    make_job: str
    asked: Asked
    subject: str
    replicate: int | None
    comparisons: list[Comparison]
    block_s: list[float]
    alike: dict[str, Any]

    @property
    def key(self) -> str:
        """Return the name of the unit, by which it is known to the cluster."""
        return f"{self.subject}, {'before the times' if self.replicate is None else f'replicate {self.replicate}'}"


class Answer(msgspec.Struct, frozen=True):
    """Holds the lines that were measured, each as in a record, or why the host ``refused``."""

    lines: list[msgspec.Raw]
    refused: str = ""


def list_alike(job: Job) -> dict[str, Any]:
    """Return what every host of a run has in common: versions, the package's source, and the data."""
    facts, header = read_facts(), job.supply.header()
    return {name: facts[name] for name in ALIKE} | {f"data's {name}": header.get(name) for name in ALIKE_DATA}


def describe_difference(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str | None:
    """Say what two hosts do not have in common, by the first of it; None where they have all."""
    for name, own in ours.items():
        if own != theirs.get(name):
            entry, one, other = pick_difference(own, theirs.get(name))
            return f"{name if entry is None else f'{name}: {entry}'} is {one} here and {other} there"
    return None


def _refuse_another(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    if (said := describe_difference(ours, msgspec.to_builtins(theirs))) is not None:
        raise UserError(said)


def measure_unit(order: Order) -> list[msgspec.Struct]:
    """Measure a unit and return its lines; the last one says where and when. Raises UserError for another version."""
    _refuse_another({name: value for name, value in order.alike.items() if name in ALIKE}, read_facts())
    make_job: Callable[[Asked], Job] = find_function(order.make_job)
    job = make_job(order.asked)
    _refuse_another(order.alike, list_alike(job))
    job = replace(job, subjects=[each for each in job.subjects if each.id == order.subject])
    with hold_host():
        began = time.time()
        with (
            tempfile.TemporaryDirectory(prefix=owned_prefix("unit")) as folder,
            measuring(f"{order.key} of a run on several hosts"),
        ):
            lines = _measure(job, order, Path(folder))
        return [*lines, Unit(order.subject, order.replicate, platform.node(), began, time.time())]


def _measure(job: Job, order: Order, folder: Path) -> Sequence[msgspec.Struct]:
    writer = Writer(folder)
    state = RunState.begin(job, writer, lambda progress: None, None)
    try:
        if order.replicate is not None:
            state.comparisons = [each for each in order.comparisons if each in state.comparisons]
            state.block_s = dict(zip(order.comparisons, order.block_s, strict=True))
        with state.supply.open(find_needed_servers(state)) as around:
            writer.write(make_header(job, order.key, (), around), state.plan)
            leave_out(state, around)
            state.write(state.failures)
            if order.replicate is None:
                measure_before_times(state, around)
            else:
                time_one_replicate(state, around, order.replicate)
    finally:
        writer.close()
    found: Recorded = load(folder)
    return [each for each in found.records if not isinstance(each, Run | Plan | Declaration)]


def main(order_file: str, answer_file: str, parent: str) -> None:
    """Measure the unit that a file describes, and write the answer to another one."""
    die_with_parent(int(parent))
    order = msgspec.json.decode(Path(order_file).read_bytes(), type=Order)
    try:
        answer = Answer([msgspec.Raw(encode(each)) for each in measure_unit(order)])
    except UserError as error:
        answer = Answer([], str(error))
    Path(answer_file).write_bytes(msgspec.json.encode(answer))


def read_kind() -> tuple[str, str, dict[str, Any]]:
    """Return the name of this host, its kind in words, and its facts."""
    facts = read_facts()
    return platform.node(), kind_of(facts), facts


if __name__ == "__main__":
    main(*sys.argv[1:])
