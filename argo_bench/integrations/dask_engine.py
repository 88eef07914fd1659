"""Sends units to a cluster of dask.distributed and brings their answers back, through lost workers and schedulers."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec
from distributed import Client, Future, LocalCluster, wait
from distributed.comm import CommClosedError
from distributed.scheduler import KilledWorker

from argo_bench.errors import UserError
from argo_bench.harness.cluster.units import Order, read_kind
from argo_bench.temporary import owned_prefix

LOOK_S = 2.0
"""So often it is looked whether the scheduler is still there."""
CONNECT_S, WORKERS_S = 10.0, 30.0
"""A scheduler has this time to answer, and the first worker to come."""
PATIENCE_S = 120.0
"""A scheduler that is gone is waited for so long."""
MOST_LOST = 25
"""A unit that is lost with its worker so many times is the cause itself."""
LOST = (CommClosedError, CancelledError, TimeoutError, OSError, RuntimeError)
"""Asking a scheduler that is gone raises one of these."""


class UnitFailed(Exception):
    """Says on a worker that the process which measured a unit ended without an answer."""


def run_order(order: bytes) -> bytes:
    """Measure a unit on this host in a process of its own, and return its answer. Raises UnitFailed."""
    with tempfile.TemporaryDirectory(prefix=owned_prefix("unit")) as folder:
        asked, answer = Path(folder) / "order.json", Path(folder) / "answer.json"
        asked.write_bytes(order)
        module = "argo_bench.harness.cluster.units"
        done = subprocess.run(
            [sys.executable, "-m", module, str(asked), str(answer), str(os.getpid())],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or not answer.is_file():
            last = (done.stderr.strip().splitlines() or ["no output"])[-1]
            raise UnitFailed(f"its process ended with exit status {done.returncode}: {last}")
        return answer.read_bytes()


class DaskEngine:
    """Has units measured by the workers of a scheduler, on ``hosts`` alone where these are named.

    ``run`` is what a worker calls with an order, and returns the answer.
    """

    def __init__(self, client: Client, hosts: Sequence[str] | None, run: Callable[[bytes], bytes] = run_order) -> None:
        self._client = client
        self._run = run
        self._address = str(client.scheduler.address)
        self._hosts = hosts
        self._running: dict[Future, Order] = {}
        self._lost: Counter[str] = Counter()

    def submit(self, order: Order) -> None:
        """Have a unit measured; the units of one replicate come before those of the next."""
        future = self._client.submit(
            self._run,
            msgspec.json.encode(order),
            pure=False,
            workers=self._hosts,
            priority=-(order.replicate or 0),
        )
        self._running[future] = order

    def wait(self) -> Sequence[tuple[Order, bytes]]:
        """Wait until units are there, and return them with their answers.

        Raises UserError where no scheduler answers for PATIENCE_S, and for a unit that fails by itself.
        """
        while True:
            try:
                done = wait([*self._running], timeout=LOOK_S, return_when="FIRST_COMPLETED").done
            except TimeoutError:
                done = set()
                if self._client.status != "running":
                    self._connect_again()
            except LOST:
                done = set()
                self._connect_again()
            if answers := [each for future in done if (each := self._take(future)) is not None]:
                return answers

    def _take(self, future: Future) -> tuple[Order, bytes] | None:
        """Return the answer of a unit that is done; None where it was lost, and is sent once more."""
        order = self._running.pop(future)
        try:
            if future.status == "finished":
                return order, future.result(timeout=CONNECT_S)
            error = future.exception(timeout=CONNECT_S) if future.status == "error" else None
        except LOST:
            error = None
        if error is not None and not isinstance(error, KilledWorker | CommClosedError):
            raise UserError(f"a host could not measure {order.key}: {error}")
        self._lost[order.key] += 1
        if self._lost[order.key] > MOST_LOST:
            raise UserError(f"{order.key} was lost {MOST_LOST} times with its worker: see why the workers end")
        self.submit(order)
        return None

    def _connect_again(self) -> None:
        """Wait for the scheduler, which may have been started anew, and send all units that were under way."""
        orders, self._running = [*self._running.values()], {}
        with suppress(*LOST):
            self._client.close(timeout=1)
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                self._client = Client(self._address, timeout=CONNECT_S)
                break
            except LOST:
                if time.monotonic() > until:
                    raise UserError(
                        f"the scheduler at {self._address} has not answered for {PATIENCE_S:.0f} s: what was measured "
                        "is recorded; start it again, and go on with --resume"
                    ) from None
                time.sleep(1.0)
        for each in orders:
            self.submit(each)

    def cancel(self) -> None:
        """Drop the units that are under way, and let the cluster go."""
        with suppress(*LOST):
            self._client.cancel([*self._running])
        self._running = {}


class Host(NamedTuple):
    """Holds what a worker says of its machine."""

    address: str
    name: str
    kind: str
    facts: Mapping[str, Any]

    @property
    def machine(self) -> str:
        """Return the machine's part of the address, which a worker that is started anew has too."""
        return urlsplit(self.address).hostname or self.address


def find_hosts(client: Client) -> list[Host]:
    """Return what the workers say of their machines.

    Raises UserError where there is none, and where one cannot run argo-bench.
    """
    try:
        client.wait_for_workers(1, timeout=WORKERS_S)
    except TimeoutError:
        raise UserError(
            f"no worker has come to {client.scheduler.address} within {WORKERS_S:.0f} s: start one"
        ) from None
    answers: dict[str, Any] = client.run(read_kind, on_error="return")
    for address, each in answers.items():
        if isinstance(each, BaseException):
            raise UserError(f"the worker at {address} cannot run argo-bench ({each}): install this version there")
    return [Host(address, *each) for address, each in answers.items()]


def choose_kind(hosts: Sequence[Host], wanted: str | None) -> list[Host]:
    """Return the hosts of one kind of machine: of the only one, or of the one whose name contains what is ``wanted``.

    Raises UserError where several kinds are there, or none of that name.
    """
    kinds = Counter(each.kind for each in hosts)
    chosen = [kind for kind in kinds if wanted is None or wanted.lower() in kind.lower()]
    if len(chosen) == 1:
        return [each for each in hosts if each.kind == chosen[0]]
    found = "; ".join(f"{kind} ({number})" for kind, number in kinds.items())
    if chosen:
        raise UserError(
            f"the workers are on {len(chosen)} kinds of machine: {found}. Verdicts are those of one kind: measure each "
            "with --kind and a part of its name, into a folder of its own, and lay them side by side with merge"
        )
    raise UserError(f"--kind {wanted}: no worker is on such a machine; there are {found}")


@contextmanager
def connect(address: str) -> Iterator[Client]:
    """Connect to a scheduler. Raises UserError where none answers."""
    try:
        client = Client(address, timeout=CONNECT_S)
    except (*LOST, ValueError) as error:
        raise UserError(
            f"no scheduler answers at {address} ({str(error).splitlines()[0]}): start one with `dask scheduler`, or "
            "try it on this machine with --local-cluster 2"
        ) from None
    try:
        yield client
    finally:
        with suppress(*LOST):
            client.close()


@contextmanager
def start_local(workers: int) -> Iterator[Client]:
    """Start a cluster on this machine, whose workers take turns: only one of them measures at a time."""
    cluster = LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    )
    try:
        with connect(cluster.scheduler_address) as client:
            yield client
    finally:
        cluster.close(timeout=5)
