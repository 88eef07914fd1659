"""Defines the options with which a run is measured on the hosts of a cluster."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
import msgspec

from argo_bench.errors import UserError
from argo_bench.extras import Requirement

if TYPE_CHECKING:
    from argo_bench.harness.record.records import Asked
    from argo_bench.harness.subject import Job

MAKE_JOB = "argo_bench.study.job:job_of"
Spread = Callable[["Job"], "Job"]


def takes_cluster(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command options that name a cluster; it is called with ``spread``, which has the cluster measure a job."""

    @functools.wraps(command)
    def called(*given: Any, scheduler: str | None, local_cluster: int | None, kind: str | None, **options: Any) -> Any:
        with open_cluster(scheduler, local_cluster, kind) as spread:
            return command(*given, spread=spread, **options)

    scheduler = click.option(
        "--scheduler", metavar="ADDRESS", help="Measure on the workers of this dask scheduler, as in tcp://host:8786."
    )
    local = click.option(
        "--local-cluster", type=click.IntRange(min=1), metavar="N", help="Try that with N workers on this machine."
    )
    kind = click.option("--kind", help="Of a cluster, take the machines whose processor has this in its name.")
    return scheduler(local(kind(called)))


@contextmanager
def open_cluster(scheduler: str | None, local: int | None, kind: str | None) -> Iterator[Spread]:
    """Yield what has a job measured by a cluster, or, without one, by this machine."""
    if scheduler is None and local is None:
        if kind is not None:
            raise UserError("--kind chooses among the machines of a cluster: name one with --scheduler")
        yield lambda job: job
        return
    if scheduler is not None and local is not None:
        raise UserError("expected --scheduler or --local-cluster, not both")
    need = Requirement("distributed", "cluster")
    if not need.is_met:
        raise UserError(need.describe("a cluster"))

    from argo_bench.harness.cluster.hosts import ClusterHosts
    from argo_bench.harness.cluster.units import list_alike
    from argo_bench.integrations.dask_engine import DaskEngine, choose_kind, connect, find_hosts, start_local

    with connect(scheduler) if scheduler is not None else start_local(local or 1) as client:
        found = find_hosts(client)
        hosts = choose_kind(found, kind)
        chosen = sorted({each.machine for each in hosts}) if len(hosts) < len(found) else None
        facts = {**hosts[0].facts, "hosts": sorted({each.name for each in hosts})}

        def spread(job: Job) -> Job:
            if job.asked is None or any(each.declaration().functions for each in job.subjects):
                raise UserError("a cluster measures optimizations; compare functions of yours with argo-bench compare")
            engine = DaskEngine(client, chosen)
            asked = _name_files_for_all(job.asked)
            return replace(job, hosts=ClusterHosts(engine, MAKE_JOB, asked, list_alike(job), facts))

        yield spread


def _name_files_for_all(asked: Asked) -> Asked:
    """Return what was asked with files named from the root, as every host that shares them finds them."""
    ids = [os.path.abspath(each) if each.endswith(".py") else each for each in asked.ids]
    return msgspec.structs.replace(asked, ids=ids, data=None if asked.data is None else os.path.abspath(asked.data))
