"""Functions that agree when they are checked first, and are wrong when they are timed: for tests/test_cheats.py."""

import asyncio
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

CALLS = 0
LEFT: list[float] = []


def total():
    return sum(range(2000))


def right_nine_times():
    """A constant from the tenth call on."""
    global CALLS
    CALLS += 1
    return total() if CALLS < 10 else 7


def leaves():
    LEFT.append(0.0)
    return total()


def reads_what_was_left():
    """Right only in a process in which the other function has run."""
    return 1_999_000 if LEFT else 0


def in_other_words():
    return sum(reversed(range(2000)))


def pages():
    """Larger than what is compared again."""
    return bytes(2_000_000)


def words():
    """In another order in every process, as hashes are, and so is the other function's."""
    return list({"alpha", "beta", "gamma", "delta"})


def same_words():
    return sorted({"alpha", "beta", "gamma", "delta"}, key=list({"alpha", "beta", "gamma", "delta"}).index)


async def awaits_all():
    return await compute_later()


async def compute_later():
    return total()


TASKS = set()


async def leaves_a_task():
    TASKS.add(asyncio.get_running_loop().create_task(compute_later()))
    return total()


def starts_a_thread():
    threading.Thread(target=time.sleep, args=(0.2,)).start()
    return total()


def goes_on_computing():
    if not any(each.name == "busy" for each in threading.enumerate()):
        threading.Thread(target=spin, name="busy", daemon=True).start()
    return total()


def spin():
    while True:
        sum(range(10_000))


POOL = ThreadPoolExecutor(2)


def asks_a_pool():
    return POOL.submit(total).result()


COUNT_IN_A_CHILD = "print(sum(each % 7 for each in range(600_000)))"


def counts_here():
    return sum(each % 7 for each in range(600_000))


def counts_in_a_child():
    return int(subprocess.run([sys.executable, "-S", "-c", COUNT_IN_A_CHILD], capture_output=True, check=True).stdout)
