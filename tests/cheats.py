"""Functions that must not be called faster: they are wrong when timed, or right for less work. See test_cheats.py.

Each stands beside an honest function that it is compared with. Those of ``CHEATS`` are told apart by what they do in a
line; what the sentence of their comparison has to name stands beside them.
"""

import asyncio
import collections
import contextlib
import functools
import gc
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

CALLS = 0
LEFT: list[float] = []
NUMBERS = [0.1 * each for each in range(20_000)]


def total():
    return sum(range(2000))


def numbers():
    return list(NUMBERS)


def add_up(items):
    found = 0.0
    for each in items:
        found += each * each
    return found


def count_calls():
    global CALLS
    CALLS += 1
    return CALLS


def right_three_times():
    return total() if count_calls() < 4 else 7


def right_nine_times():
    """A constant from the tenth call on."""
    return total() if count_calls() < 10 else 7


def right_forty_times():
    return total() if count_calls() < 40 else 7


def leaves():
    LEFT.append(0.0)
    return total()


def reads_what_was_left():
    """Right only in a process in which the other function has run."""
    return 1_999_000 if LEFT else 0


def in_other_words():
    return sum(reversed(range(2000)))


def pages():
    """Larger than what is compared again in full."""
    return b"p" * 2_000_000


def other_pages_later():
    return pages() if count_calls() < 40 else b"x" * 2_000_000


def words():
    """In another order in every process, as hashes are, and so is the other function's."""
    return list({"alpha", "beta", "gamma", "delta"})


def same_words():
    return sorted({"alpha", "beta", "gamma", "delta"}, key=list({"alpha", "beta", "gamma", "delta"}).index)


# What changes its input


def shuffled():
    items = list(range(20_000))
    random.Random(3).shuffle(items)
    return items


def sorts_a_copy(items):
    return sorted(items)


def sorts_in_place(items):
    items.sort()
    return items


def jobs():
    return [float(number) for number in range(5_000)]


def drains(queue):
    found = 0.0
    while queue:
        found += queue.pop() ** 0.5


def walks(queue):
    found = 0.0
    for each in queue:
        found += each**0.5


def wide():
    return np.linspace(-3.0, 3.0, 50_000)


def clips_a_copy(values):
    return np.clip(values, -1.0, 1.0)


def clips_its_input(values):
    return np.clip(values, -1.0, 1.0, out=values)


# What remembers


BY_ID: dict[int, float] = {}
BY_LENGTH: dict[int, float] = {}
BY_VALUES: dict[tuple[float, ...], float] = {}
ONLY: list[float] = []


def remembers_by_id(items):
    if id(items) not in BY_ID:
        BY_ID[id(items)] = add_up(items)
    return BY_ID[id(items)]


def remembers_by_length(items):
    if len(items) not in BY_LENGTH:
        BY_LENGTH[len(items)] = add_up(items)
    return BY_LENGTH[len(items)]


def cubes():
    return (200.0,)


def add_cubes(limit):
    return sum(each**3 for each in range(int(limit) * 20))


@functools.lru_cache
def remembers_by_value(limit):
    return add_cubes(limit)


def remembers_the_first(items):
    """Right only for the first of several inputs."""
    if not ONLY:
        ONLY.append(add_up(items))
    return ONLY[0]


@functools.cache
def remembers_without_an_input():
    return total()


KEPT_ANSWER = functools.reduce(lambda found, each: found + each, range(2000))
TABLE = {200.0: add_cubes(200.0)}


def made_at_import():
    return KEPT_ANSWER


def looks_up(limit):
    return TABLE[limit]


# What is wrong


def rows():
    return {"rows": 1_000_000, "last": 1_735_689_600, "ids": [1_700_000_001, 1_700_000_002], "sum": total()}


def loses_rows():
    return {**rows(), "rows": 999_991}


def ids_off_by_one():
    return {**rows(), "ids": [1_700_000_002, 1_700_000_003]}


def roots():
    return np.sqrt(np.linspace(1.0, 2.0, 20_000))


def single_roots():
    return np.sqrt(np.linspace(1.0, 2.0, 20_000, dtype=np.float32))


def single_roots_dressed_up():
    return single_roots().astype(np.float64)


class Later(Sequence):
    """A list that computes each item when it is read."""

    def __init__(self, size):
        self._size = size

    def __len__(self):
        return self._size

    def __getitem__(self, place):
        if not 0 <= place < self._size:
            raise IndexError
        return sum(range(200)) + place


def two_hundred_sums():
    return [sum(range(200)) + place for place in range(200)]


def sums_later():
    return Later(200)


def sums_by_and_by():
    return (sum(range(200)) + place for place in range(200))


PUT_OFF: list[int] = []


def work(milliseconds):
    """Compute for so many milliseconds of this process's own time."""
    until = time.process_time() + milliseconds / 1e3
    while time.process_time() < until:
        pass
    return milliseconds > 0


def works_at_once():
    return work(2)


def puts_off():
    """Does the work of twelve calls in the twelfth."""
    PUT_OFF.append(1)
    if len(PUT_OFF) < 12:
        return work(0.5)
    PUT_OFF.clear()
    return work(30)


# What leaves work behind


async def awaits_all():
    return await compute_later()


async def compute_later():
    return total()


TASKS = set()


async def leaves_a_task():
    TASKS.add(asyncio.get_running_loop().create_task(compute_later()))
    return total()


async def returns_what_was_not_awaited():
    return compute_later()


def starts_a_thread():
    threading.Thread(target=time.sleep, args=(0.2,)).start()
    return total()


def starts_a_daemon():
    threading.Thread(target=time.sleep, args=(0.5,), daemon=True).start()
    return total()


def goes_on_computing():
    if not any(each.name == "busy" for each in threading.enumerate()):
        threading.Thread(target=spin, name="busy", daemon=True).start()
    return total()


def spin():
    while True:
        sum(range(10_000))


LATER = ThreadPoolExecutor(1)


def hands_on_to_a_pool():
    """Most of its work is done after its call, whichever thread is faster."""
    LATER.submit(add_up_after, threading.get_ident())
    return total()


def add_up_after(caller):
    while is_within(hands_on_to_a_pool, sys._current_frames().get(caller)):
        time.sleep(0.001)
    return sum(range(5_000_000))


def is_within(function, frame):
    """Whether a thread with this innermost frame runs a function."""
    while frame is not None and frame.f_code is not function.__code__:
        frame = frame.f_back
    return frame is not None


RUNNING = collections.deque()


def starts_a_process():
    RUNNING.append(subprocess.Popen(["sleep", "30"]))
    while len(RUNNING) > 20:
        RUNNING.popleft().kill()
    return total()


def starts_a_process_of_a_process():
    """The shell ends at once, and what it has begun goes on."""
    subprocess.run(["sh", "-c", "sleep 3 &"], check=True, stdout=subprocess.DEVNULL)
    return total()


POOL = ThreadPoolExecutor(2)


def asks_a_pool():
    return POOL.submit(total).result()


COUNT_IN_A_CHILD = "print(sum(each % 7 for each in range(600_000)))"


def counts_here():
    return sum(each % 7 for each in range(600_000))


def counts_in_a_child():
    return int(subprocess.run([sys.executable, "-S", "-c", COUNT_IN_A_CHILD], capture_output=True, check=True).stdout)


# What changes its process


def allocates():
    return len([[each] for each in range(5_000)])


def switches_collection_off():
    gc.disable()
    return allocates()


def freezes():
    gc.freeze()
    return allocates()


def raises_thresholds():
    gc.set_threshold(1_000_000)
    return allocates()


def stops_clocks():
    time.perf_counter_ns = time.process_time_ns = time.time = lambda: 0
    return total()


def stops_clocks_later():
    if count_calls() == 40:
        time.perf_counter_ns = time.process_time_ns = lambda: 0
    return total()


def moves_to_all_processors():
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
    return total()


def changes_its_priority():
    os.setpriority(os.PRIO_PROCESS, 0, 19)
    return total()


def switches_threads_seldom():
    sys.setswitchinterval(1.0)
    return total()


def hides_errors():
    np.seterr(all="ignore")
    return total()


def seeds():
    random.seed(1)
    return total()


def replaces_a_builtin():
    import builtins

    builtins.abs = float
    return total()


# What knows that it is watched


def knows_the_loop():
    """A constant where the loop that times calls has called it."""
    frame = sys._getframe(1)
    if frame.f_code.co_name == "_call_again":
        return 7
    return total()


def knows_the_comparison():
    """Right only where results are compared."""
    if any(name.endswith("workers.agreement") for name in sys.modules):
        return total()
    return 7


class Cheat(NamedTuple):
    """Holds a pair, what makes its input, and what its sentence must have."""

    what: str
    baseline: object
    candidate: object
    named: str
    setup: object = None
    fresh: bool = False


CHEATS = [
    Cheat("wrong from the fourth call on", total, right_three_times, "two results for one input"),
    Cheat("a constant from the tenth call on", total, right_nine_times, "two results for one input"),
    Cheat("a constant from the fortieth call on", total, right_forty_times, "after it was timed"),
    Cheat("other pages from the fortieth call on", pages, other_pages_later, "after it was timed"),
    Cheat("reads what the other one left", leaves, reads_what_was_left, "1999000 against 0"),
    Cheat("sorts in place", sorts_a_copy, sorts_in_place, "its input", shuffled),
    Cheat("walks the queue that the other one emptied", drains, walks, "the baseline changes its input", jobs),
    Cheat("hands out its changed input", clips_a_copy, clips_its_input, "returns its input", wide),
    Cheat("remembers by the identity of its input", add_up, remembers_by_id, "remembers its input", numbers),
    Cheat("remembers by the length of its input", add_up, remembers_by_length, "first answer again", numbers),
    Cheat("remembers by the value of its input", add_cubes, remembers_by_value, "remembers its input", cubes),
    Cheat("remembers though inputs are fresh", add_cubes, remembers_by_value, "remembers its input", cubes, True),
    Cheat("right for the first input alone", add_up, remembers_the_first, "first answer again", numbers),
    Cheat("remembers, and takes no input", total, remembers_without_an_input, "in a cache around it"),
    Cheat("was made when its module was loaded", total, made_at_import, "made before the call"),
    Cheat("looks up what was made at import", add_cubes, looks_up, "made before the call", cubes),
    Cheat("loses rows", rows, loses_rows, "1000000 against 999991"),
    Cheat("is off by one", rows, ids_off_by_one, "1700000001 against 1700000002"),
    Cheat("computes with half the digits", roots, single_roots, "single precision"),
    Cheat("hides that it did", roots, single_roots_dressed_up, "single precision"),
    Cheat("computes when it is read", two_hundred_sums, sums_later, "when its result is read"),
    Cheat("puts off", works_at_once, puts_off, "times as long at about one call of"),
    Cheat("returns a generator", two_hundred_sums, sums_by_and_by, "return a list"),
    Cheat("leaves a task", awaits_all, leaves_a_task, "leaves a task running after every call"),
    Cheat("returns a coroutine", awaits_all, returns_what_was_not_awaited, "await it"),
    Cheat("leaves a thread", total, starts_a_thread, "leaves a thread running after every call"),
    Cheat("leaves a daemon", total, starts_a_daemon, "leaves a thread running after every call"),
    Cheat("goes on computing", total, goes_on_computing, "goes on computing"),
    Cheat("hands on to a pool", total, hands_on_to_a_pool, "goes on computing"),
    Cheat("leaves a process", total, starts_a_process, "leaves a child process behind"),
    Cheat("leaves the process of a process", total, starts_a_process_of_a_process, "leaves a child process behind"),
    Cheat("switches garbage collection off", allocates, switches_collection_off, "leaves garbage collection off"),
    Cheat("freezes", allocates, freezes, "leaves objects frozen"),
    Cheat("raises thresholds", allocates, raises_thresholds, "thresholds of garbage collection"),
    Cheat("stops the clocks", total, stops_clocks, "replaces time."),
    Cheat("stops the clocks at its fortieth call", total, stops_clocks_later, "replaces time."),
    Cheat("changes its priority", total, changes_its_priority, "another priority"),
    Cheat("switches threads seldom", total, switches_threads_seldom, "switch interval"),
    Cheat("hides numerical errors", total, hides_errors, "numpy.seterr"),
    Cheat("seeds the global generator", total, seeds, "sets the seed"),
    Cheat("replaces a builtin", total, replaces_a_builtin, "replaces the builtin abs"),
    Cheat("knows the loop that times it", total, knows_the_loop, "1999000 against 7"),
    Cheat("knows the process that compares", total, knows_the_comparison, "1999000 against 7"),
]
"""What the sentence must name stands in it, and the word is neither faster nor that of a claim that holds."""
if len(getattr(os, "sched_getaffinity", lambda of: ())(0)) > 1:
    CHEATS.append(Cheat("leaves its processor", total, moves_to_all_processors, "on other processors"))
