"""Is a function found out that changes its input so that later calls do other work, and is nothing else accused?"""

import itertools
import logging
import random

import numpy as np
import pytest

from argo_bench.harness.workers import inputs
from argo_bench.harness.workers.timing import FunctionBody, Timing


class CountedBody(FunctionBody):
    """A body whose clock counts the items that a call looks at, as told by the call itself, instead of time."""

    looked_at = 0

    def time_calls(self, prepared, passes, kept=None):
        type(self).looked_at = 0
        for each in prepared:
            self.function(*each)
        return Timing(self.looked_at, self.looked_at)


def look(items):
    CountedBody.looked_at += len(items)
    return items


def queue():
    return list(range(1000, 0, -1))


def drains(items):
    while items:
        look([items.pop()])


def walks(items):
    for each in items:
        look([each])


def sorts_in_place(items):
    look(items if items != sorted(items) else items[:10])  # a sorted list takes a look at a few items
    items.sort()


def rotates(items):
    items.append(items.pop(0))
    look(items)


def fills(values, out):
    look(values)
    np.multiply(values, 2.0, out=out)


def draws(generator):
    look(range(100))
    return generator.random() < 2


def logs(logger):
    look(range(100))
    logger.debug("called")


def remembers(memo):
    look(range(1000) if not memo else range(1))
    memo["seen"] = True


def change_of(function, setup):
    body = CountedBody(function, setup)
    arguments = body.next_arguments()
    before = inputs.copy_arguments(arguments)
    body.function(*arguments)
    change = inputs.find_change(before, arguments)
    return None if change is None else inputs.describe_changed_input(body, before, arguments, change)


@pytest.mark.parametrize(
    ("function", "setup", "said"),
    [
        (drains, queue, "changes its input, input[0]: length 1000 against 0, on which a call takes 0.001 of "),
        (
            sorts_in_place,
            queue,
            "changes its input, input[0][0]: 1000 against 1, on which a call takes 0.01 of ",
        ),
        (
            remembers,
            dict,
            "changes its input, input[0]['seen']: nothing against True, on which a call takes 0.001 ",
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_function_is_named_whose_time_moves_with_its_input(function, setup, said):
    assert change_of(function, setup).seen.startswith(said)


@pytest.mark.parametrize(
    ("function", "setup"),
    [
        (walks, queue),
        (rotates, queue),
        (fills, lambda: (np.arange(100.0), np.zeros(100))),
        (draws, lambda: random.Random(1)),
        (draws, lambda: np.random.default_rng(1)),
        (logs, lambda: logging.getLogger("tests.inputs")),
        (walks, lambda: (each for each in range(3))),
    ],
)
def test_a_function_that_does_the_same_every_time_is_not_accused(function, setup):
    assert change_of(function, setup) is None


def test_a_function_whose_every_other_call_is_dear_is_not_accused():
    calls = itertools.count()

    def changes(items):
        look(range(500 if next(calls) % 2 else 100))
        items.append(0)

    assert change_of(changes, queue) is None


def test_a_function_without_arguments_has_no_input_to_change():
    assert change_of(lambda: None, None) is None
