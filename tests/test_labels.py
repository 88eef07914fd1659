"""Is every function named in few words, and are two of one name told apart?"""

import functools
import operator
from dataclasses import dataclass
from pathlib import Path

import numpy
import pytest

from argo_bench.harness.benchmark import Benchmark
from argo_bench.harness.labels import label, label_both, shorten_name
from argo_bench.harness.table import choose_benchmarks
from tests import clocked, user_functions

FILE = Path(__file__).name


def smooth(data, window=1, scale=1.0):
    return data


class Smoother:
    def smooth(self, data):
        return data

    by_three = functools.partialmethod(smooth, window=3)

    def __call__(self, data):
        return data


@dataclass
class Named(Smoother):
    window: int = 3


square, cube = (lambda x: x**2, lambda x: x**3)
LINE = square.__code__.co_firstlineno

NAMES = {
    "partial(smooth, window=3)": functools.partial(smooth, window=3),
    "partial(smooth, list, 3)": functools.partial(smooth, [1], 3),
    "partial(smooth, ndarray, scale=0.5)": functools.partial(smooth, numpy.arange(3), scale=0.5),
    "partial(smooth, 'a:b', None)": functools.partial(smooth, "a:b", None),
    "partial(smooth, square)": functools.partial(smooth, numpy.square),
    "partial(smooth, ...)": functools.partial(smooth, *range(40)),
    "partial(Smoother.smooth, 2)": functools.partial(Smoother().smooth, 2),
    "partial(Smoother.smooth, window=3)": Smoother().by_three,
    "Smoother.smooth": Smoother().smooth,
    "Smoother": Smoother(),
    "Named(window=3)": Named(),
    "operator.itemgetter(1)": operator.itemgetter(1),
    "smooth": functools.lru_cache(smooth),
    f"lambda ({FILE}, line {LINE})": square,
    "add": numpy.add,
}


@pytest.mark.parametrize("name", NAMES)
def test_a_function_is_named_with_what_tells_it_from_others(name):
    assert shorten_name(label(NAMES[name])) == name


def make(amount):
    def add(number):
        return number + amount

    return add


def parse():
    return 1


earlier = parse


def parse():
    return 2


PAIRS = {
    "modules of two names": (user_functions.slow, clocked.slow, "tests.user_functions.slow", "tests.clocked.slow"),
    "names in text": ("old.fast:parse", "new.fast:parse", "old.fast.parse", "new.fast.parse"),
    "files": ("old.py:parse", "new.py:parse", "parse (old.py)", "parse (new.py)"),
    "closures of one maker": (make(1), make(2), "add (baseline)", "add (candidate)"),
    "objects of one class": (Smoother(), Smoother(), "Smoother (baseline)", "Smoother (candidate)"),
    "lambdas of one line": (
        square,
        cube,
        *(f"lambda ({FILE}, line {LINE}) ({each})" for each in ("baseline", "candidate")),
    ),
    "a name that was bound again": (
        earlier,
        parse,
        *(f"parse ({FILE}, line {each.__code__.co_firstlineno})" for each in (earlier, parse)),
    ),
    "partials that look alike": (
        functools.partial(smooth, numpy.arange(3)),
        functools.partial(smooth, numpy.arange(4)),
        "partial(smooth, ndarray) (baseline)",
        "partial(smooth, ndarray) (candidate)",
    ),
    "two names": (smooth, parse, "smooth", "parse"),
    "one function": (smooth, smooth, "smooth", "smooth"),
}


@pytest.mark.parametrize("kind", PAIRS)
def test_two_functions_of_one_name_are_told_apart_by_what_differs(kind):
    baseline, candidate, *names = PAIRS[kind]
    told = [*map(shorten_name, label_both(baseline, candidate))]
    assert told == names
    assert [*map(shorten_name, told)] == told  # as the record's verification shortens them again
    declared = Benchmark(kind, baseline, candidate, metric="cpu").describe_functions()
    assert list(Benchmark.of(declared).declaration().functions.values()) == names


def test_a_lambda_of_a_notebook_is_named_by_its_cell(monkeypatch):
    interactiveshell = pytest.importorskip("IPython.core.interactiveshell")
    shell = interactiveshell.InteractiveShell.instance()
    try:
        shell.run_cell("x = 1\nhalve = lambda data: data / 2", store_history=True)
        assert label(shell.user_ns["halve"]) == "lambda (In[1], line 2)"
    finally:
        shell.history_manager.end_session()
        interactiveshell.InteractiveShell.clear_instance()


def test_the_command_names_two_functions_of_one_name_apart(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (found,) = choose_benchmarks(["old:parse", "new:parse"], {})
    assert found.name == "new.parse against old.parse"
