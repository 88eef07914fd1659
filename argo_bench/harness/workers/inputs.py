"""Finds a function that changes its input so that later calls do other work, such as one that empties a queue.

A buffer for results, a generator of random numbers or a logger may change as well, which is no fault: the function is
named only where the time of a call moves with the change. Results that move are found by comparing them. This file
uses the standard library alone, and relative imports.
"""

from __future__ import annotations

import copy
import time
from statistics import median

from ...errors import UserError
from .agreement import first_difference
from .timing import FunctionBody

FEWEST, MOST = 3, 9
"""So many pairs of calls are timed, one on each input."""
BUDGET_S = 0.5
"""No pair begins after these seconds."""
MOVED = 1.5
"""Times that are this many times apart are those of other work; both calls get a copy that was made the same way."""


def describe_changed_input(body: FunctionBody) -> str | None:
    """Say how a warm function changes its input and what a call on the changed one takes.

    Return None where the input stays, where times do not move with it, or where it cannot be copied or compared.
    """
    arguments = body.make_arguments()
    try:
        before = copy.deepcopy(arguments)
        body.call(arguments)
        change = first_difference(before, arguments, "equal")
        if change is None:
            return None
        ratio = _time_ratio(body, before, arguments)
    except UserError:
        return None
    except Exception:  # noqa: BLE001 - arguments may refuse to be copied in any way
        return None
    if 1 / MOVED < ratio < MOVED:
        return None
    change = change.replace("output", "input", 1)
    return f"changes its input, {change}, on which a call takes {ratio:.2g} of the time"


def _time_ratio(body: FunctionBody, before: tuple[object, ...], after: tuple[object, ...]) -> float:
    """Return the time of a call on the changed input over that of a call on the input as it was made."""
    began = time.monotonic()
    ratios: list[float] = []
    while len(ratios) < FEWEST or (len(ratios) < MOST and time.monotonic() - began < BUDGET_S):
        original, changed = (body.time_calls([copy.deepcopy(each)], 1).wall_ns for each in (before, after))
        ratios.append(max(1, changed) / max(1, original))
    return median(ratios)
