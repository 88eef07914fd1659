"""Does a run on a real cluster of dask lose nothing and double nothing when workers and the scheduler end?"""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import psutil
import pytest

from argo_bench.errors import UserError
from argo_bench.harness.record.records import Counts, Fidelity, Judgement, Samples, Unit
from argo_bench.harness.record.store import encode, load
from argo_bench.harness.record.verify import verify
from tests import cluster_units, stored
from tests.test_cluster import judgements, measure

pytest.importorskip("distributed")
from argo_bench.integrations import dask_engine
from argo_bench.integrations.dask_engine import DaskEngine, Host, choose_kind, connect

WORKERS, KILLS = 4, 20


def test_workers_on_one_kind_are_taken_and_of_several_a_name_chooses():
    hosts = [
        Host(f"tcp://{number}", f"h{number}", kind, {})
        for number, kind in enumerate(["AMD 9, 2", "AMD 9, 2", "Xeon, 4"])
    ]
    assert choose_kind(hosts[:2], None) == hosts[:2]
    assert choose_kind(hosts, "xeon") == hosts[2:]
    with pytest.raises(UserError, match=r"2 kinds of machine: AMD 9, 2 \(2\); Xeon, 4 \(1\)"):
        choose_kind(hosts, None)
    with pytest.raises(UserError, match="--kind ARM: no worker is on such a machine"):
        choose_kind(hosts, "ARM")


def test_where_no_scheduler_answers_a_sentence_says_how_to_start_one(monkeypatch):
    monkeypatch.setattr(dask_engine, "CONNECT_S", 0.5)
    with (
        pytest.raises(UserError, match=r"no scheduler answers at tcp://127\.0\.0\.1:9 .*--local-cluster 2"),
        connect("tcp://127.0.0.1:9"),
    ):
        pass


class Cluster:
    """A scheduler and workers, each a process that can be killed and started anew."""

    def __init__(self, folder):
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(sys.path),
            cluster_units.NOTES: str(folder / "notes"),
            "DASK_DISTRIBUTED__WORKER__DAEMON": "False",
        }
        self.kills = 0
        self.workers = []

    def start(self, *command):
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *command], env=self.environment, stdout=log, stderr=log, cwd=self.folder
            )

    def start_scheduler(self):
        self.scheduler = self.start(
            "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard"
        )

    def start_worker(self):
        self.workers.append(
            self.start("distributed.cli.dask_worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard")
        )

    def kill_one_worker(self):
        alive = [each for each in self.workers if each.poll() is None]
        if alive:
            random.choice(alive).kill()
            self.kills += 1
        self.start_worker()

    def close(self):
        for each in [*self.workers, self.scheduler]:
            each.kill()
            each.wait()


@contextmanager
def started(folder):
    cluster = Cluster(folder)
    cluster.start_scheduler()
    for _ in range(WORKERS):
        cluster.start_worker()
    try:
        yield cluster
    finally:
        cluster.close()


@pytest.mark.slow
def test_workers_are_killed_and_the_scheduler_restarts_and_every_unit_is_there_once(tmp_path):
    whole = stored.store(tmp_path / "whole", stored.sealed(stored.run_lines()))
    with started(tmp_path) as cluster, connect(cluster.address) as client:
        client.wait_for_workers(WORKERS, timeout=60)
        done = threading.Event()

        def disturb():
            while not done.wait(0.5) and cluster.kills < KILLS:
                cluster.kill_one_worker()
                if cluster.kills == KILLS // 2:
                    cluster.scheduler.kill()
                    cluster.scheduler.wait()
                    cluster.start_scheduler()
                    for _ in range(WORKERS):
                        cluster.start_worker()

        disturbing = threading.Thread(target=disturb)
        disturbing.start()
        try:
            recorded = measure(tmp_path / "run", DaskEngine(client, None, cluster_units.measure_stored))
        finally:
            done.set()
            disturbing.join()
    assert cluster.kills == KILLS
    assert judgements(recorded) == judgements(whole)
    assert verify(recorded) == []
    units = [(each.optimization, each.replicate) for each in recorded.all(Unit)]
    assert len(units) == len(set(units))
    made = [json.loads(line) for line in (tmp_path / "notes").read_text().splitlines()]
    assert (
        len(made) <= len(units) + cluster.kills + WORKERS
    )  # of a kill one unit is repeated, of a restart all under way


def argo(*arguments, cwd, **environment):
    return subprocess.run(
        [sys.executable, "-m", "argo_bench.cli", *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_a_run_on_a_local_cluster_counts_what_one_machine_counts_and_verifies(tmp_path):
    options = ("O11", "--quick", "--symbols", "6")
    spread = argo("run", *options, "--local-cluster", 2, "--out", "spread", cwd=tmp_path)
    assert spread.returncode in (0, 3), spread.stderr
    serial = argo("run", *options, "--budget", "60s", "--out", "serial", cwd=tmp_path)
    assert serial.returncode in (0, 3), serial.stderr
    ours, theirs = load(tmp_path / "spread"), load(tmp_path / "serial")
    assert verify(ours) == []
    for kind in (Counts, Fidelity):
        assert sorted(map(encode, ours.all(kind))) == sorted(map(encode, theirs.all(kind)))
    assert {each.replicate for each in ours.all(Samples)} >= set(range(ours.run.looks[0]))
    decided = [
        {(each.claim, each.arm): each.verdict for each in one.all(Judgement) if each.headline} for one in (ours, theirs)
    ]
    assert decided[0].keys() == decided[1].keys()
    assert not [
        key
        for key in decided[0]
        if {decided[0][key], decided[1][key]} in ({"confirmed", "refuted"}, {"exceeded", "refuted"})
    ]


@pytest.mark.slow
def test_no_unit_of_a_killed_run_goes_on_without_it(tmp_path):
    command = [sys.executable, "-m", "argo_bench.cli", "run", "O11", "--quick", "--local-cluster", "1", "--out", "run"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    module = "argo_bench.harness.cluster.units"
    while not (own := [each for each in find_children(process.pid) if module in each.cmdline()]):
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    gone, alive = psutil.wait_procs(own, timeout=60)
    assert gone and not alive


def find_children(pid):
    found = []
    for each in psutil.Process(pid).children(recursive=True):
        try:
            each.cmdline()
        except psutil.Error:
            continue
        found.append(each)
    return found
