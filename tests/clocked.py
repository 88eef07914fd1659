"""A user's functions that take exactly what they say, however busy the machine is: for tests of what is measured.

Their setups exchange the clocks of the process that calls them, a worker's, for ones that stand still until a function
spends time: those of the module that times, since it has bound them to names of its own. A worker that has no such
package finds them by this file.
"""

import sys

MS = 1_000_000
"""Nanoseconds."""
spent = {"wall": 0, "cpu": 0}


def exact_clocks():
    for name in ("timing", "worker"):
        clocks = vars(sys.modules[f"_argo_bench.harness.workers.{name}"])
        clocks["perf_counter_ns"] = lambda: spent["wall"]
        clocks["process_time_ns"] = lambda: spent["cpu"]


def numbers():
    exact_clocks()
    return [1, 2, 3]


def compute(ns):
    spent["wall"] += ns
    spent["cpu"] += ns


def wait(ns):
    """A tenth of it is computing, as nothing waits without any."""
    spent["wall"] += ns
    spent["cpu"] += ns // 10


def slow(values):
    compute(MS)
    return sum(values)


def fast(values):
    compute(MS // 10)
    return sum(values)


async def patient():
    wait(4 * MS)


async def hasty():
    wait(MS)
