"""Holds pairs of functions as users bring them, for ``study_agreement.py``.

Some differ by several times, some by a few percent, some by nothing, and some wait.
"""

from __future__ import annotations

import asyncio
import bisect
import collections
import functools
import itertools
import json
import math
import operator
import re
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

NUMBERS = [(7919 * number) % 10_007 for number in range(3_000)]
WORDS = [f"word{number % 613}" for number in NUMBERS]
TEXT = " ".join(WORDS)
ROWS = [{"id": number, "price": number / 7, "name": word} for number, word in zip(NUMBERS, WORDS, strict=True)]
ARRAY = np.array(NUMBERS, float)
SERIES = pd.Series(ARRAY)
SORTED = sorted(NUMBERS)


def loop(times: int) -> Callable[[], float]:
    """Return a function whose work is proportional to ``times``."""

    def run() -> float:
        total = 0.0
        for number in range(times):
            total += 0.25 * number
        return 1.0 if total else 0.0

    return run


def wait(milliseconds: float) -> Callable[[], int]:
    def run() -> int:
        time.sleep(milliseconds / 1e3)
        return 1

    return run


def filter_by_loop() -> list[int]:
    found = []
    for number in NUMBERS:
        if number % 3 == 0:
            found.append(number * 2)
    return found


def count_by_hand() -> dict[str, int]:
    counts: dict[str, int] = {}
    for word in WORDS:
        counts[word] = counts.get(word, 0) + 1
    return counts


def join_by_sums() -> str:
    text = ""
    for word in WORDS:
        text += word
    return text


def is_in_list() -> int:
    return sum(number in NUMBERS[:100] for number in range(300))


def is_in_set() -> int:
    known = set(NUMBERS[:100])
    return sum(number in known for number in range(300))


async def wait_in_turn() -> int:
    for _ in range(3):
        await asyncio.sleep(0.002)
    return 3


async def wait_together() -> int:
    await asyncio.gather(*(asyncio.sleep(0.002) for _ in range(3)))
    return 3


def average_in_windows() -> list[float]:
    return [math.fsum(NUMBERS[start : start + 20]) / 20 for start in range(len(NUMBERS) - 19)]


def average_by_sums() -> list[float]:
    sums = [0, *itertools.accumulate(NUMBERS)]
    return [(sums[start + 20] - sums[start]) / 20 for start in range(len(NUMBERS) - 19)]


PAIRS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "same loop": (loop(60_000), loop(60_000)),
    "same short loop": (loop(60), loop(60)),
    "same sort": (lambda: sorted(NUMBERS), lambda: sorted(NUMBERS)),
    "same dump": (lambda: json.dumps(ROWS[:200]), lambda: json.dumps(ROWS[:200])),
    "same sum": (lambda: float(ARRAY.sum()), lambda: float(ARRAY.sum())),
    "same rolling": (lambda: float(SERIES.rolling(20).mean().sum()), lambda: float(SERIES.rolling(20).mean().sum())),
    "same wait": (wait(2), wait(2)),
    "2 % more": (loop(60_000), loop(61_200)),
    "3 % more": (loop(60_000), loop(61_800)),
    "3 % less": (loop(61_800), loop(60_000)),
    "5 % more": (loop(6_000), loop(6_300)),
    "10 % more": (loop(600), loop(660)),
    "half": (loop(60_000), loop(30_000)),
    "longer wait": (wait(2), wait(3)),
    "comprehension": (filter_by_loop, lambda: [number * 2 for number in NUMBERS if number % 3 == 0]),
    "counter": (count_by_hand, lambda: dict(collections.Counter(WORDS))),
    "join": (join_by_sums, lambda: "".join(WORDS)),
    "membership": (is_in_list, is_in_set),
    "map": (lambda: [str(number) for number in NUMBERS], lambda: list(map(str, NUMBERS))),
    "numpy sum": (lambda: float(sum(ARRAY)), lambda: float(ARRAY.sum())),
    "fsum": (lambda: float(sum(NUMBERS)), lambda: math.fsum(NUMBERS)),
    "sort by key": (
        lambda: sorted(ROWS, key=lambda row: (row["price"], row["id"])),
        lambda: sorted(ROWS, key=operator.itemgetter("price", "id")),
    ),
    "reduce": (lambda: functools.reduce(operator.add, NUMBERS), lambda: sum(NUMBERS)),
    "split": (lambda: re.split(" ", TEXT), lambda: TEXT.split(" ")),
    "windows": (average_in_windows, average_by_sums),
    "bisect": (
        lambda: [SORTED.index(number) for number in NUMBERS[:50]],
        lambda: [bisect.bisect_left(SORTED, number) for number in NUMBERS[:50]],
    ),
    "pandas apply": (lambda: float(SERIES.apply(lambda x: 2 * x).sum()), lambda: float((2 * SERIES).sum())),
    "sorted in place": (lambda: sorted(NUMBERS)[:5], lambda: sorted(NUMBERS, reverse=True)[:-6:-1]),
    "waits together": (wait_in_turn, wait_together),
    "format": (
        lambda: ["%d:%s" % (row["id"], row["name"]) for row in ROWS],  # noqa: UP031 - the older way is compared
        lambda: [f"{row['id']}:{row['name']}" for row in ROWS],
    ),
}


def __getattr__(name: str) -> Callable[..., Any]:
    """Return a function of a pair: ``old_3`` and ``new_3`` are those of the fourth."""
    side, _, number = name.partition("_")
    if side not in ("old", "new") or not number.isdigit():
        raise AttributeError(name)
    return [*PAIRS.values()][int(number)][side == "new"]
