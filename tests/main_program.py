"""A main program whose functions are copied to a worker, one of each kind, each with what it has to return there.

Run by itself, ``python main_program.py FOLDER``, it prints the arms of both as JSON; tests/test_packing.py has a worker
call them.
"""

import collections
import dataclasses
import enum
import functools
import json
import multiprocessing
import pickle
import queue
import sys
import threading
import types
from pathlib import Path
from sys import stdout

from argo_bench.harness.benchmark import Benchmark

KINDS = {}
OFFSET = 40
MISSING, OF_A_MODULE = object(), dataclasses.MISSING


def returns(expected):
    """Note a function with what it returns."""

    def note(function):
        KINDS[getattr(function, "__qualname__", type(function).__name__)] = function, expected
        return function

    return note


def shout(function):
    @functools.wraps(function)
    def louder():
        return function().upper()

    return louder


@returns(4)
@functools.lru_cache
def wrapped_by_a_cache():
    return 4


@returns(4)
@functools.lru_cache(maxsize=2, typed=True)
def begin():  # of the name of the function that begins a worker
    return 4


@functools.cache
def fib(number):
    return number if number < 2 else fib(number - 1) + fib(number - 2)


fib(20)


@returns([832040, 0, 28])
def recursion_within_a_cache():
    before = fib.cache_info().hits
    return [fib(30), before, fib.cache_info().hits]


@returns("LOUD")
@shout
def wrapped_by_wraps():
    return "loud"


class Window:
    lock = threading.Lock()

    def __init__(self, size):
        self.size = size
        self.guard = threading.RLock()
        self.jobs = queue.Queue()
        self.done = threading.Event()

    def measure(self, factor, more=0):
        with self.lock, self.guard:
            self.jobs.put(factor)
            return self.size * self.jobs.get() + more + self.done.is_set()

    doubled = functools.partialmethod(measure, 2)

    def __call__(self):
        return self.size

    @classmethod
    def of_class(cls):
        return cls(OFFSET).size

    @staticmethod
    def static():
        return OFFSET

    @functools.cached_property
    def area(self):
        return self.size**2

    @functools.lru_cache  # noqa: B019
    def remembered(self):
        return self.size


@returns([6, 7, 9, 3])
def objects_of_a_class_with_locks():
    window = Window(3)
    return [window.doubled(), window.measure(2, more=1), window.area, window.remembered()]


KINDS["bound method"] = functools.partial(Window(3).measure, 5, more=2), 17
KINDS["method of a class"] = Window.of_class, 40
KINDS["static method"] = Window.static, 40
KINDS["partial of a partial method"] = Window(4).doubled, 8
KINDS["object that can be called"] = Window(5), 5
KINDS["lambda"] = lambda: OFFSET + 2, 42


@dataclasses.dataclass
class Point:
    x: int
    y: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    x: int


Pair = collections.namedtuple("Pair", "left right")


class Colour(enum.Enum):
    RED = 1


KEPT = Point(1, [2])


@returns([3, [2], 2, {"x": 1, "y": [2]}, 9, 3, True])
def classes_of_the_main_program():
    moved = dataclasses.replace(KEPT, x=3)
    fields = len(dataclasses.fields(Point))
    slotted = dataclasses.replace(Slotted(1), x=9)
    return [moved.x, moved.y, fields, dataclasses.asdict(KEPT), slotted.x, Pair(3, 4).left, Colour(1) is Colour.RED]


@returns([True, True])
def classes_found_by_their_names():
    return [pickle.loads(pickle.dumps(each)) == each for each in (Point(1), Slotted(2))]


KINDS["instance of a class of the main program"] = lambda: Point(1, [2]), KEPT


@returns([True, True])
def things_that_are_only_themselves():
    return [OF_A_MODULE is dataclasses.MISSING, is_missing(MISSING)]


def is_missing(value):
    return value is MISSING


@functools.singledispatch
def describe(value):
    return "anything"


@describe.register
def _(value: int):
    return f"a number, {OFFSET}"


@returns(["anything", "a number, 40"])
def chosen_by_type():
    return [describe(""), describe(1)]


def make_adder(amount):
    def add(number=2):
        return number + amount

    return add


KINDS["closure"] = make_adder(OFFSET), 42


@returns(1)
def bound_again():
    return 1


before = bound_again


def bound_again():
    return 2


KINDS["name that was bound again"] = bound_again, 2


def double(number):
    return 2 * number


@returns([2, 4])
def children_that_find_functions_by_name():
    if "fork" not in multiprocessing.get_all_start_methods():
        return [2, 4]
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.map(double, [1, 2])


BYTES, WRITABLE = memoryview(b"abc"), memoryview(bytearray(b"abc"))


@returns([b"bc", True, False])
def views_of_bytes():
    return [BYTES[1:].tobytes(), isinstance(BYTES, memoryview) and BYTES.readonly, WRITABLE.readonly]


space = {}
exec("import math\ndef of_exec(): return math.floor(2.5) + helper()\ndef helper(): return 1", space)
KINDS["function of exec"] = space["of_exec"], 3

made = sys.modules["made_by_code"] = types.ModuleType("made_by_code")
exec("RATE = 3\ndef helper(): return RATE\ndef of_module(): return helper() + 1", vars(made))
KINDS["function of a module that code has made"] = made.of_module, 4
KINDS["module that code has made"] = lambda: made.of_module(), 4


@returns(True)
def stream_of_the_process():
    return stdout is sys.stdout


async def wait(number):
    return number


KINDS["partial of an async function"] = functools.partial(wait, 3), 3


class Waiter:
    async def __call__(self):
        return await wait(4)


KINDS["async object that can be called"] = Waiter(), 4


def main(folder):
    for number, (name, (function, expected)) in enumerate(KINDS.items()):
        place = Path(folder, str(number))
        place.mkdir()
        arms = Benchmark(name, function, lambda expected=expected: expected).arms(place)
        described = {role: [each.name, each.arguments, each.path] for role, each in arms.items()}
        stdout.write(f"{json.dumps([name, described])}\n")


if __name__ == "__main__":
    main(sys.argv[1])
