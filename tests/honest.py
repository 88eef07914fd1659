"""Pairs of functions that look odd and do nothing wrong, with what makes their input: for tests/test_honest.py."""

import asyncio
import collections
import contextvars
import enum
import functools
import io
import json
import logging
import math
import random
import sqlite3
import tempfile
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numba
import numpy as np
import pandas as pd

VALUES = [0.1 * each for each in range(500)]


def values():
    return list(VALUES)


def thirds():
    return [each / 3 for each in range(5000)]


def add_up(items):
    total = 0.0
    for each in items:
        total += each
    return total


def add_backwards(items):
    return sum(reversed(items))


@numba.njit
def _jitted(array):
    total = 0.0
    for each in array:
        total += each
    return total


def compiles_at_first(items):
    return _jitted(np.asarray(items))


@functools.cache
def _wait_once():
    time.sleep(0.005)


def sums_exactly_after_a_wait(items):
    """Give one sum for any order of the items, unlike a loop, whose last digit depends on it."""
    _wait_once()
    return math.fsum(items)


def imports_at_first(items):
    import statistics

    return statistics.fmean(items) * len(items)


class Lazy:
    @functools.cached_property
    def total(self):
        return add_up(VALUES)


def lazy():
    return Lazy()


def asks_the_attribute(holder):
    return holder.total


def adds_up_itself(holder):
    return add_up(VALUES)


def connection():
    made = sqlite3.connect(":memory:", check_same_thread=False)
    made.execute("CREATE TABLE numbers (value REAL)")
    made.executemany("INSERT INTO numbers VALUES (?)", [(each,) for each in VALUES])
    return made


def fetches_all(store):
    return add_up([row[0] for row in store.execute("SELECT value FROM numbers")])


def asks_for_the_sum(store):
    return store.execute("SELECT sum(value) FROM numbers").fetchone()[0]


def generator():
    return random.Random(5)


def draws(source):
    return [source.random() for _ in range(100)]


def draws_at_once(source):
    return [draw() for draw in [source.random] * 100]


def discards_draws(source):
    source.random()
    return add_up(VALUES)


def logger():
    return logging.getLogger("tests.honest")


def logs(log):
    log.debug("adding up")
    return add_up(VALUES)


def logs_nothing(log):
    return add_up(VALUES)


def arrays():
    return np.asarray(VALUES), np.zeros(len(VALUES))


def into_a_buffer(array, out):
    np.multiply(array, 2.0, out=out)
    return float(out.sum())


def into_a_new_array(array, out):
    return float((array * 2.0).sum())


def stream():
    return (each for each in VALUES)


def shuffled():
    items = list(range(500))
    random.Random(3).shuffle(items)
    return items


def sorts_in_place(items):
    items.sort()
    return items[:10]


def sorts_a_copy(items):
    return sorted(items)[:10]


def whole(items):
    return [int(each) for each in range(100)]


def whole_as_floats(items):
    return [float(each) for each in range(100)]


def a_set(items):
    return {str(each) for each in range(50)}


def the_set_backwards(items):
    return {str(each) for each in reversed(range(50))}


def warns(items):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.warn("slow path", stacklevel=1)
    return add_up(items)


def writes_a_file(items):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "total"
        file.write_text(repr(add_up(items)))
        return float(file.read_text())


POOL = ThreadPoolExecutor(2)


def in_a_kept_pool(items):
    return sum(POOL.map(add_up, [items[:250], items[250:]]))


def a_mapping(items):
    return {"first": items[0], "last": items[-1]}


def the_mapping_backwards(items):
    return {"last": items[-1], "first": items[0]}


def a_list(items):
    return items[:20]


def a_tuple(items):
    return tuple(items[:20])


def an_array(items):
    return np.asarray(items[:20])


def a_series(items):
    return pd.Series(items[:20])


def the_series_by_numpy(items):
    return pd.Series(np.asarray(items[:20]))


@dataclass
class Bar:
    close: float


def bars(items):
    return [Bar(each) for each in items[:20]]


def bars_by_map(items):
    return list(map(Bar, items[:20]))


class Tick(NamedTuple):
    price: float


def ticks(items):
    return [Tick(each) for each in items[:20]]


def ticks_by_map(items):
    return list(map(Tick, items[:20]))


class Side(enum.Enum):
    BUY = 1
    SELL = 2


def sides(items):
    return [Side.BUY if each > 1 else Side.SELL for each in items[:20]]


def sides_by_number(items):
    return [Side(1 if each > 1 else 2) for each in items[:20]]


def no_number(items):
    return [float("nan"), *items[:3]]


def a_large_text(items):
    return "x" * 2_000_000


def a_buffer_of_bytes(items):
    return bytearray(b"abc" * 20)


def the_bytes(items):
    return b"abc" * 20


def exact_tenths(items):
    return sum((Decimal("0.1") for _ in range(10)), Decimal())


def a_fraction(items):
    return Fraction(1)


def counters():
    return {"calls": 0}


def counts_its_calls(metrics):
    metrics["calls"] += 1
    return add_up(VALUES)


def counts_nothing(metrics):
    return add_up(VALUES)


def appends_and_pops(items):
    items.append(0.0)
    items.pop()
    return add_up(items)


def ring():
    return collections.deque(VALUES)


def rotates(items):
    items.rotate(1)
    return len(items)


def looks(items):
    return sum(1 for _ in items)


def file_in_memory():
    return io.BytesIO(json.dumps(VALUES).encode())


def reads_from_the_start(file):
    file.seek(0)
    return json.load(file)


def reads_its_value(file):
    return json.loads(file.getvalue())


def lock():
    return threading.Lock()


def holds_it(guard):
    with guard:
        return add_up(VALUES)


def ignores_it(guard):
    return add_up(VALUES)


CONTEXT = contextvars.ContextVar("context", default=1)


def sets_a_context(items):
    token = CONTEXT.set(2)
    total = add_up(items)
    CONTEXT.reset(token)
    return total


def waits_a_moment(items):
    time.sleep(0.001)
    return add_up(items)


KEPT: list[asyncio.Task] = []


async def opens_a_connection_at_first(items):
    if not KEPT:
        KEPT.append(asyncio.get_running_loop().create_task(asyncio.sleep(3600)))
    await asyncio.sleep(0)
    return add_up(items)


async def gathers(items):
    halves = await asyncio.gather(*(add_later(half) for half in (items[:250], items[250:])))
    return sum(halves)


async def add_later(items):
    await asyncio.sleep(0)
    return add_up(items)


async def adds_in_turn(items):
    return await add_later(items[:250]) + await add_later(items[250:])


def makes_cycles(items):
    for _ in range(50):
        one = []
        one.append(one)
    return add_up(items)


def multiplies(items):
    matrix = np.outer(items, items)
    return float((matrix @ matrix).sum())


def multiplies_with_einsum(items):
    matrix = np.outer(items, items)
    return float(np.einsum("ij,jk->", matrix, matrix, optimize=True))


def finds_the_largest(items):
    largest = VALUES[0] * 2
    for each in VALUES:
        largest = max(largest, each * 2)
    return largest / 2


def picks_the_largest(items):
    """Returns an item of what both look through, the very object."""
    return max(VALUES)


ROWS = {"first": [1.5, 2.5], "second": [3.5]}


def searches(items):
    return next(row for name, row in ROWS.items() if name == "second")


def looks_up(items):
    return ROWS["second"]


def nothing(items):
    return None


def nothing_either(items):
    add_up(items)


PAIRS = [
    (add_up, add_backwards, values),
    (add_up, compiles_at_first, values),
    (add_up, sums_exactly_after_a_wait, thirds),
    (add_up, imports_at_first, values),
    (adds_up_itself, asks_the_attribute, lazy),
    (fetches_all, asks_for_the_sum, connection),
    (discards_draws, discards_draws, generator),
    (logs, logs_nothing, logger),
    (into_a_new_array, into_a_buffer, arrays),
    (whole, whole_as_floats, values),
    (a_set, the_set_backwards, values),
    (add_up, warns, values),
    (add_up, writes_a_file, values),
    (add_up, in_a_kept_pool, values),
    (a_mapping, the_mapping_backwards, values),
    (a_list, a_tuple, values),
    (a_list, an_array, values),
    (a_series, the_series_by_numpy, values),
    (bars, bars_by_map, values),
    (ticks, ticks_by_map, values),
    (sides, sides_by_number, values),
    (no_number, no_number, values),
    (a_large_text, a_large_text, values),
    (a_buffer_of_bytes, the_bytes, values),
    (exact_tenths, a_fraction, values),
    (counts_nothing, counts_its_calls, counters),
    (add_up, appends_and_pops, values),
    (looks, rotates, ring),
    (reads_its_value, reads_from_the_start, file_in_memory),
    (ignores_it, holds_it, lock),
    (add_up, sets_a_context, values),
    (add_up, waits_a_moment, values),
    (add_later, opens_a_connection_at_first, values),
    (adds_in_turn, gathers, values),
    (add_up, makes_cycles, values),
    (multiplies, multiplies_with_einsum, values),
    (nothing, nothing_either, values),
    (finds_the_largest, picks_the_largest, values),
    (searches, looks_up, values),
]
"""What makes their input is called once in a process."""

FRESH_PAIRS = [
    (draws, draws_at_once, generator),
    (add_up, sum, stream),
    (sorts_a_copy, sorts_in_place, shuffled),
    (add_up, add_backwards, values),
    (reads_its_value, reads_from_the_start, file_in_memory),
]
"""What makes their input is called before every call."""
