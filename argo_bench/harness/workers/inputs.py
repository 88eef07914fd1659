"""Finds a function that changes its input, and one that remembers what it returned for an input.

A buffer for results, a generator of random numbers or a logger may change as well, which is no fault: a function that
changes its input is named only where the time of a call moves with the change. Results that move are found by comparing
them. A function remembers where a new input is dear at its first call and cheap at its second. This file uses the
standard library alone, and relative imports.
"""

from __future__ import annotations

import copy
import dataclasses
import inspect
import itertools
import sys
import time
from collections.abc import Iterator, MutableMapping, MutableSequence
from statistics import median
from typing import Any

from ...errors import UserError
from .agreement import first_difference
from .causes import Suspicion, say_times
from .timing import Arguments, FunctionBody, Timing

FEWEST, MOST = 3, 9
"""So many pairs of calls are timed, one on each input; one pair where it takes longer than the budget."""
BUDGET_S = 0.5
"""No pair begins after these seconds."""
MOVED = 1.5
"""Times that are this many times apart are those of other work; both calls get a copy that was made the same way."""
OTHERS = 3
"""A function is called on so many other inputs, all of which must be dear at the first call: once is an accident."""
DEAR, DEAR_NS = 5.0, 20_000
"""A first call on an input is dear where it takes this many times a later one, and so many nanoseconds more."""
LONG_NS = 100_000_000
"""A busy machine makes a cheap call this dear hardly twice in turn, so that two other inputs are enough."""
NUMBERS = 100
"""No more items of a collection are looked at for two that differ."""
LONG_TEXT = 100
"""A shorter text may be a path or a name, which is better not made up."""


def copy_arguments(arguments: Arguments) -> Arguments | None:
    """Return a deep copy; None for arguments that refuse it."""
    try:
        return copy.deepcopy(arguments)
    except Exception:  # noqa: BLE001 - arguments may refuse to be copied in any way
        return None


def find_change(before: Arguments | None, after: Arguments) -> str | None:
    """Return where a call has changed its arguments; None where it has not, or where they cannot be compared."""
    if before is None:
        return None
    try:
        return first_difference(before, after, "equal")
    except UserError:
        return None


def describe_changed_input(body: FunctionBody, before: Arguments, after: Arguments, change: str) -> Suspicion | None:
    """Say how a warm function changes its input and what a call on the changed one takes.

    Return None where times do not move with the change, or where the input cannot be copied again.
    """
    try:
        ratio = _time_ratio(body, before, after)
    except Exception:  # noqa: BLE001 - a changed input may be refused in any way
        return None
    if 1 / MOVED < ratio < MOVED:
        return None
    change = change.replace("output", "input", 1)
    seen = f"changes its input, {change}, on which a call takes {ratio:.2g} of the time"
    return Suspicion("changes its input", seen)


def _time_ratio(body: FunctionBody, before: Arguments, after: Arguments) -> float:
    """Return the time of a call on the changed input over that of a call on the input as it was made.

    Each of them is called first in every other pair. Of the medians in both orders that nearer to 1 is returned, and 1
    where they lie on both sides of it: what moves with the order is no work of the call.
    """
    began = time.monotonic()
    ratios: list[float] = []
    while not ratios or (len(ratios) < MOST and time.monotonic() - began < BUDGET_S):
        taken = [0, 0]
        for which in (0, 1) if len(ratios) % 2 == 0 else (1, 0):
            taken[which] = max(1, body.time_calls([copy.deepcopy((before, after)[which])], 1).wall_ns)
        ratios.append(taken[1] / taken[0])
    return median((median(ratios[::2]), 1.0, median(ratios[1::2] or ratios)))


def describe_returned_input(result: Any, arguments: Arguments, change: str | None) -> Suspicion | None:
    """Say that a function returns an argument of its own, or a view of one, that it has changed."""
    if change is None:
        return None
    numpy = sys.modules.get("numpy")
    for each in arguments:
        is_view = numpy is not None and all(isinstance(one, numpy.ndarray) for one in (each, result))
        if each is result or (is_view and numpy is not None and numpy.shares_memory(each, result)):
            seen = f"returns its input, {change.replace('output', 'input', 1)}"
            return Suspicion("returns its input", seen)
    return None


def describe_used_input(arguments: Arguments) -> Suspicion | None:
    """Say that a generator or another iterator among the arguments is at its end, so that a later call has nothing.

    An iterator of a user's own class, or a file, may begin again; those are left alone. An item may be taken.
    """
    for each in arguments:
        if _is_used_up(each):
            return Suspicion("changes its input", f"uses up its input, a {type(each).__name__}")
    return None


def _is_used_up(value: Any) -> bool:
    if inspect.isgenerator(value):
        return value.gi_frame is None
    if inspect.isasyncgen(value):
        return value.ag_frame is None
    if not isinstance(value, Iterator) or type(value).__module__ not in ("builtins", "itertools"):
        return False
    try:
        next(value)
    except StopIteration:
        return True
    except Exception:  # noqa: BLE001 - what a map calls may raise anything
        return False
    return False


# Other inputs


def list_other_inputs(arguments: Arguments) -> Iterator[Arguments]:
    """Yield copies of the arguments in which one thing is another: two items have changed places, or a number grew.

    Items that change places keep the input of the kind that the function expects. Nothing is yielded where there is
    nothing to change; texts are changed only where they are long.
    """
    for number in itertools.count():
        other = copy_arguments(arguments)
        if other is None:
            return
        items = list(other)
        if not _change_first(items, number):
            return
        yield tuple(items)


def grow_numbers(value: Any) -> Any:
    """Return a copy of lists, tuples, dictionaries and arrays of numbers in which every number is larger by one.

    A sum over items that change places stays what it is, and one item that grows may be lost in a sum of many.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value + 1
    if type(value) in (list, tuple):
        return type(value)(map(grow_numbers, value))
    if type(value) is dict:
        return {key: grow_numbers(each) for key, each in value.items()}
    if _is_array(value) and value.dtype.kind in "iuf":
        return value + value.dtype.type(1)
    return value


def _change_first(holder: Any, number: int) -> bool:
    """Change the first thing in a holder that can be changed, in another way for each number."""
    if isinstance(holder, MutableMapping):
        places: list[Any] = list(itertools.islice(holder, NUMBERS))
    elif isinstance(holder, MutableSequence):
        places = list(range(min(len(holder), NUMBERS)))
    else:
        places = []
    for place in places:
        changed = _change(holder[place], number)
        if changed is not None:
            holder[place] = changed
            return True
    return False


def _change(value: Any, number: int) -> Any:
    """Return another value of the same kind, which may be the same object, changed; None where there is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value + 1 + number
    if isinstance(value, str | bytes):
        return _change_text(value, number)
    if _is_array(value):
        flat = value.reshape(-1) if value.flags.c_contiguous and value.flags.writeable else None
        return value if flat is not None and _exchange(flat, number) else None
    if isinstance(value, MutableSequence):
        return value if _exchange(value, number) or _change_first(value, number) else None
    if isinstance(value, tuple) and type(value) is tuple:
        items = list(value)
        return tuple(items) if _exchange(items, number) or _change_first(items, number) else None
    if isinstance(value, MutableMapping):
        return value if _change_first(value, number) else None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return value if _change_first(vars(value), number) else None
    return None


def _is_array(value: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def _exchange(items: Any, number: int) -> bool:
    """Let two items that differ change places, other ones for each number."""
    size = len(items)
    places = list(range(min(size, NUMBERS))) + list(range(max(NUMBERS, size - NUMBERS), size))
    skipped = 0
    for left, right in zip(places, reversed(places), strict=True):
        if left >= right:
            break
        try:
            if not bool(items[left] != items[right]):
                continue
        except (TypeError, ValueError):
            continue
        if skipped == number:
            one, other = copy.copy(items[left]), copy.copy(items[right])
            items[left], items[right] = other, one
            return True
        skipped += 1
    return False


def _change_text(text: Any, number: int) -> Any:
    """Let two digits within numbers of a long text change places, so that it stays what it is."""
    if len(text) < LONG_TEXT:
        return None
    marks = text if isinstance(text, str) else text.decode("latin-1")
    places = [place for place in range(2, min(len(marks), 100 * NUMBERS)) if marks[place - 2 : place + 1].isdigit()]
    pairs = [(one, two) for one, two in itertools.pairwise(places) if marks[one] != marks[two]]
    if number >= len(pairs):
        return None
    one, two = pairs[number]
    changed = f"{marks[:one]}{marks[two]}{marks[one + 1 : two]}{marks[one]}{marks[two + 1 :]}"
    return changed if isinstance(text, str) else changed.encode("latin-1")


def describe_memory(body: FunctionBody, arguments: Arguments, warm_ns: int) -> Suspicion | None:
    """Say that other inputs are dear at the first call and cheap at the second, as for a function that remembers.

    ``warm_ns`` is what a call on the known input takes. Return None where the function refuses other inputs, or where
    there are none.
    """
    ratios: list[float] = []
    for other in itertools.islice(list_other_inputs(arguments), OTHERS):
        try:
            first, again = _time_twice(body, other)
        except Exception:  # noqa: BLE001 - an input that was made up may be refused in any way
            return None
        later = max(1, again.wall_ns, warm_ns)
        if not is_dear(first.wall_ns, later):
            return None
        ratios.append(first.wall_ns / later)
        if len(ratios) == OTHERS or (len(ratios) > 1 and first.wall_ns > LONG_NS):
            seen = f"remembers its input: on another one its first call takes {say_times(median(ratios))} as long"
            return Suspicion("remembers", seen)
    return None


def is_dear(first_ns: int, later_ns: int, least_ns: int = DEAR_NS) -> bool:
    return first_ns >= max(DEAR * later_ns, later_ns + least_ns)


def _time_twice(body: FunctionBody, arguments: Arguments) -> tuple[Timing, Timing]:
    """Time two calls on one input; where every call gets a fresh one, on two that are equal."""
    again = copy.deepcopy(arguments) if body.is_fresh else arguments
    return body.time_calls([arguments], 1), body.time_calls([again], 1)
