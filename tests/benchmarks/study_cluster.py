"""What does sending a run to hosts cost, and how many hosts are worth having?

    python tests/benchmarks/study_cluster.py RECORD SERIAL

RECORD is a run that was measured with ``--scheduler`` or ``--local-cluster``, SERIAL the same run on one machine. Of
the first, the seconds of every unit are known, and those between units of one host. The model puts the same units on n
hosts, the longest first, each with what lies between two units: those before the times, then the replicates of the
first look, and so on. Efficiency is the serial time over n times the time of n hosts.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median

import click

from argo_bench.harness.record.records import End, Samples, Unit
from argo_bench.harness.record.store import Recorded, load

HOSTS = (1, 2, 4, 8, 16, 32)


def find_gap_s(units: Sequence[Unit]) -> float:
    """Return the usual seconds between two units of one host."""
    hosts: dict[str, list[Unit]] = {}
    for each in units:
        hosts.setdefault(each.host, []).append(each)
    gaps = [
        after.began - before.ended
        for own in hosts.values()
        for before, after in pairwise(sorted(own, key=lambda each: each.began))
    ]
    return median(gaps) if gaps else 0.0


def spread(seconds: Iterable[float], hosts: int) -> float:
    """Return the seconds until the last of some units is done on so many hosts, the longest ones first."""
    free = [0.0] * hosts
    for each in sorted(seconds, reverse=True):
        heapq.heapreplace(free, free[0] + each)
    return max(free)


def expect_seconds(recorded: Recorded, hosts: int) -> float:
    """Return what the run is expected to take on so many hosts: stages that wait for each other."""
    units, gap_s = recorded.all(Unit), find_gap_s(recorded.all(Unit))
    reached, total = 0, spread((each.ended - each.began + gap_s for each in units if each.replicate is None), hosts)
    for look in recorded.run.looks:
        own = [each for each in units if each.replicate is not None and reached <= each.replicate < look]
        total += spread((each.ended - each.began + gap_s for each in own), hosts)
        reached = look
    return total


@click.command()
@click.argument("record", type=click.Path(path_type=Path))
@click.argument("serial", type=click.Path(path_type=Path))
def main(record: Path, serial: Path) -> None:
    ours, theirs = load(record), load(serial)
    units = ours.all(Unit)
    unit_s = sum(each.ended - each.began for each in units)
    timed_s = sum(
        {
            (each.comparison.optimization, each.replicate, each.seconds): each.seconds or 0.0
            for each in ours.all(Samples)
        }.values()
    )
    serial_s = theirs.all(End)[-1].seconds
    click.echo(
        f"{len(units)} units of {unit_s:.0f} s, {timed_s:.0f} s in blocks; {find_gap_s(units):.1f} s between two"
    )
    click.echo(f"serial: {serial_s:.0f} s")
    for hosts in HOSTS:
        times = serial_s / (expected_s := expect_seconds(ours, hosts))
        click.echo(f"{hosts:3} hosts: {expected_s:6.0f} s, {times:.2f}x, efficiency {times / hosts:.0%}")


if __name__ == "__main__":
    main()
