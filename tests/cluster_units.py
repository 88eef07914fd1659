"""Runs units of the stored run on workers of a cluster that tests start, and notes each in a file."""

import json
import os
import platform
import time
from pathlib import Path

import msgspec

from argo_bench.harness.cluster.units import Answer, Order
from argo_bench.harness.machine.host_lock import hold_host
from argo_bench.harness.record.records import Unit
from argo_bench.harness.record.store import encode
from tests.test_cluster import find_lines

TOOK_S = 0.4
NOTES = "ARGO_BENCH_TEST_NOTES"


def measure_stored(order: bytes) -> bytes:
    asked = msgspec.json.decode(order, type=Order)
    with hold_host():
        began = time.time()
        time.sleep(TOOK_S)
        unit = Unit(asked.subject, asked.replicate, platform.node(), began, time.time())
    with Path(os.environ[NOTES]).open("a", encoding="utf-8") as notes:
        notes.write(json.dumps([asked.key, os.getpid()]) + "\n")
    return msgspec.json.encode(Answer([msgspec.Raw(encode(each)) for each in [*find_lines(asked), unit]]))
