"""Provides workloads whose work scales exactly, to see what the harness finds: ``millisecond_103`` does 3 % more work.

A call does the same work for each of a number of symbols, which is part of the name, as in ``microsecond_100`` or
``millisecond_97``. At 100 symbols a call takes about 5 us (plain arithmetic) or 5 ms (a Python loop over bars).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

BARS = 1500


def microsecond(symbols: int) -> float:
    """Make one addition and one multiplication per symbol."""
    total = 0.0
    for symbol in range(symbols):
        total += 0.25 * symbol
    return total


def millisecond(symbols: int) -> float:
    """Run a weighted loop over the bars of every symbol."""
    prices = price_series()
    total = 0.0
    for _ in range(symbols):
        average = prices[0]
        for price in prices:
            average += 0.1 * (price - average)
        total += average
    return total


def twin(symbols: int) -> float:
    """Do what ``millisecond`` does in other bytecode, to show what the layout of code alone can change."""
    bars = price_series()
    total = 0.0
    for _each in range(symbols):
        smoothed = bars[0]
        for value in bars:
            smoothed += (value - smoothed) * 0.1
        total = total + smoothed
    return total


@cache
def price_series() -> list[float]:
    return [100 + 10 * ((7919 * bar) % 101) / 101 for bar in range(BARS)]


SIZED: dict[str, Callable[[int], float]] = {
    "microsecond": microsecond,
    "millisecond": millisecond,
    "twin": twin,
}


def make_sized_function(name: str, module: str, functions: Mapping[str, Callable[[int], float]]) -> Callable[[], float]:
    """Return the function that a name with a number stands for. Raises AttributeError for any other name."""
    kind, _, symbols = name.rpartition("_")
    if kind not in functions or not symbols.isdigit():
        example = next(iter(functions))
        raise AttributeError(
            f"{module} has no {name}: expected one of {', '.join(functions)} with a number, as in {example}_100"
        )
    function, count = functions[kind], int(symbols)

    def call_with_count() -> float:
        return function(count)

    call_with_count.__name__ = call_with_count.__qualname__ = name
    call_with_count.__module__ = module
    return call_with_count


@cache
def __getattr__(name: str) -> Callable[[], float]:
    return make_sized_function(name, __name__, SIZED)
