"""Does the providers' process come up, say why if it cannot, and leave nothing behind?"""

import asyncio
import pickle
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import pytest
from aiohttp import web

from argo_bench.errors import UserError
from argo_bench.pipeline.market import Tape
from argo_bench.pipeline.model import Bars, ProviderError, Request
from argo_bench.pipeline.world import wire
from argo_bench.pipeline.world.loopback import Address, Behaviour, Conditions, Control, ProviderLedger
from argo_bench.pipeline.world.providers import Book, Connection, start_providers

DEADLINE_S = 20

OWNER = """
import sys
from argo_bench.pipeline.world.providers import start_providers
with start_providers() as address:
    sys.stdout.write(address.to_json() + "\\n")
    sys.stdout.flush()
    sys.stdin.read()
"""


def until(holds):
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)


def is_listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_gone(address):
    ports = address.http, address.https, address.control
    return not any(map(is_listening, ports)) and not Path(address.ca).parent.exists()


def test_an_address_survives_its_json():
    address = Address(1, 2, 3, "/somewhere/ca.pem")
    assert Address.from_json(address.to_json()) == address


def test_the_process_listens_within_its_block_and_is_gone_after_it():
    with start_providers() as address:
        assert all(map(is_listening, (address.http, address.https, address.control)))
        assert Path(address.ca).read_text().startswith("-----BEGIN CERTIFICATE-----")
    assert is_gone(address)


def test_the_process_is_gone_after_its_parent_was_killed():
    with subprocess.Popen([sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        address = Address.from_json(owner.stdout.readline())
        assert is_listening(address.control)
        owner.kill()
        until(lambda: is_gone(address))


@pytest.mark.parametrize("role", ["http", "https", "control"])
def test_a_port_in_use_is_one_clear_sentence(role, monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        expected = f"port {port} of 127.0.0.1: expected a free port, found one in use; name another one, or 0 to have"
        with pytest.raises(UserError, match=expected), start_providers(**{role: port}):
            pass
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_named_is_listened_on():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with start_providers(control=port) as address:
        assert address.control == port


def test_the_control_port_listens_to_nobody_without_the_token():
    with start_providers() as address:
        connection = HTTPConnection("127.0.0.1", address.control)
        connection.request("POST", "/markets/0", b"whatever")
        assert connection.getresponse().status == 403
        connection.close()


def test_a_market_travels_once_and_a_cycle_that_it_has_not_is_the_users_mistake(small_universe):
    tape = Tape(small_universe.frames, seed=3)
    with start_providers() as address:
        control = Control(address)
        conditions = Conditions("digest", 3, Behaviour(0.0, 0.0, 60.0))
        first = control.conditions(conditions, pickle.dumps(tape))
        second = control.conditions(conditions, b"this is not looked at")
        assert first != second
        control.prepare(second, 0)
        with pytest.raises(UserError, match=f"expected a cycle from 0 to {tape.last_cycle}"):
            control.prepare(second, tape.last_cycle + 1)
        assert control.ledger(second) == ProviderLedger()
        control.end(second)
        with pytest.raises(ProviderError, match="answered 404"):
            control.ledger(second)
        control.close()


def test_a_new_connection_costs_one_more_round_trip_and_two_with_tls():
    class Transport:
        def __init__(self, context):
            self.context = context

        def get_extra_info(self, name):
            return self.context if name == "sslcontext" else None

    async def answer(request):
        raise AssertionError("nobody asks")

    async def charged(context):
        book = Book(Conditions("", 0, Behaviour(0.0, 0.0, 60.0)), None)
        connection = Connection(web.Server(answer), loop=asyncio.get_running_loop())
        connection.transport = Transport(context)
        return [connection.note_request(book) for _ in range(3)], book.ledger.connections, book.ledger.handshakes

    assert asyncio.run(charged(None)) == ([2, 1, 1], 1, 0)
    assert asyncio.run(charged("a context")) == ([3, 1, 1], 1, 1)


def test_bars_come_back_from_json_as_they_were(small_universe):
    bars = Tape(small_universe.frames, seed=3).bars("AAA", 5)
    found = wire.parse_bars("AAA", wire.bars_body(bars))
    assert found.timestamps.dtype == bars.timestamps.dtype
    assert found.timestamps.tobytes() == bars.timestamps.tobytes()
    assert found.values.flags.c_contiguous
    assert found.values.tobytes() == bars.values.tobytes()


def test_bars_that_start_within_a_millisecond_are_refused():
    bars = Bars("AAA", np.array(["2025-01-15T14:30:00.000001"], "datetime64[us]"), np.ones((5, 1)))
    with pytest.raises(UserError, match="AAA: expected bars that start at whole milliseconds"):
        wire.bars_body(bars)


def test_a_question_to_a_model_comes_back_from_json_as_it_was():
    request = Request("sonar", "AAA", "opinion", "What of AAA?", 2, "You judge.", "sonar", 16, 0.5)
    assert wire.parse_request("sonar", "AAA", "opinion", 2, wire.chat_body(request)) == request
