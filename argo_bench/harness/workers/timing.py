"""Finds a callable by its name and times it, within a nanosecond per call of what timeit measures.

It uses the standard library alone and relative imports: the same file also runs in interpreters without the package.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import inspect
import itertools
import math
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from time import perf_counter_ns, process_time_ns
from types import ModuleType
from typing import Any, NamedTuple

from ...errors import UserError

if sys.platform != "win32":
    import resource

SAMPLE_NS = 10_000_000
"""A sample takes this wall time, which is long against the clock's resolution and the cost of reading it."""
WARM_UP_NS = 200_000_000
"""An arm is warmed up for this time at least, unless a profile has less."""


Arguments = tuple[Any, ...]


class Timing(NamedTuple):
    """Holds what both clocks say. The CPU time is this process's and that of the children that it has waited for."""

    wall_ns: int
    cpu_ns: int


# The clocks are bound to names of this module before any code of a user's runs: a function that replaces time's own
# changes no time.


class FunctionBody:
    """Calls ``function`` with what ``setup`` returns: nothing for None, a tuple's items, or the one value.

    The setup runs once; with ``fresh`` it runs before every call, outside the time, for functions that change their
    input.
    """

    def __init__(
        self, function: Callable[..., Any], setup: Callable[[], Any] | None = None, fresh: bool = False
    ) -> None:
        self.calls = self.few = 1
        self.steps = 0
        self.fixed_calls: int | None = None
        self.is_stored = False
        self._function = function
        self._setup = setup
        self._fresh = fresh
        self._is_async = is_async(function)
        self._runner = asyncio.Runner()
        self.tasks: frozenset[asyncio.Task[Any]] = frozenset()
        self._kept: Arguments | None = self.make_arguments()

    def close(self) -> None:
        self._runner.close()

    @property
    def is_fresh(self) -> bool:
        """Whether every call gets a new product of the setup."""
        return self._fresh

    @property
    def function(self) -> Callable[..., Any]:
        return self._function

    def first_call(self) -> Any:
        return self.take_result(self.next_arguments())[0]

    def take_result(self, arguments: Arguments) -> tuple[Any, Timing]:
        """Make a call by the loop that times calls, so that it cannot be told from a timed one; return what it returns.

        What is awaitable is awaited. ``tasks`` are then those that were not done when it returned.
        """
        kept: list[Any] = []
        timing = self.time_calls([arguments], 1, kept)
        if self._is_async:
            self.tasks = kept.pop()
        if not self._is_async and inspect.isawaitable(kept[0]):
            self._is_async = True
            awaiting = _clock_loop(lambda: kept.append(self._runner.run(_await_value(kept[0]))))
            timing = Timing(timing.wall_ns + awaiting.wall_ns, timing.cpu_ns + awaiting.cpu_ns)
        return kept[-1], timing

    def collect_results(self) -> list[Any]:
        return [self.first_call()]

    def keep(self, calls: int) -> None:
        """Do nothing: a pass is one call already."""

    def prepare_calls(self) -> list[Arguments]:
        return [self.next_arguments()]

    def sample(self, passes: int) -> Timing:
        if self._fresh:
            return self.time_calls([self.next_arguments() for _ in range(passes)], 1)
        return self.time_calls(self.prepare_calls(), passes)

    def time_calls(self, prepared: Sequence[Arguments], passes: int, kept: list[Any] | None = None) -> Timing:
        """Time one call for each of the prepared arguments, or ``passes`` calls with the only ones.

        What the last of the calls with the only arguments returns is appended to ``kept``, if it is given.
        """
        function, many = self._function, len(prepared) > 1
        if self._is_async:
            calls = prepared if many else itertools.repeat(prepared[0], passes)
            return self._runner.run(_clock_calls(function, calls, kept))
        if many:
            return _clock_loop(_call_each, function, prepared)
        return _clock_loop(_call_again, function, prepared[0], passes, kept)

    def step(self, number: int) -> Timing:
        """Raise TypeError: a pass of one call has no steps."""
        raise TypeError(f"a pass of one call has no step {number}")

    def warm_up(self, least_ns: int = WARM_UP_NS) -> int:
        return warm_up_body(self.sample, lambda: count_compiled_signatures(self._function), least_ns)

    def time_drain_ns(self) -> None:
        return None

    def next_arguments(self) -> Arguments:
        """Return the arguments of the next call: those of all calls, or with ``fresh`` a new product of the setup."""
        made = self._kept
        if self._fresh:
            self._kept = None
        return self.make_arguments() if made is None else made

    def make_arguments(self) -> Arguments:
        """Return a new product of the setup, as the arguments of a call."""
        made = self._setup() if self._setup is not None else None
        if inspect.isawaitable(made):
            made = self._runner.run(_await_value(made))
        return () if made is None else made if isinstance(made, tuple) else (made,)


def is_async(function: Any) -> bool:
    """Say whether a function, a partial of one or an object that can be called is defined as async."""
    while isinstance(function, functools.partial):
        function = function.func
    return any(map(inspect.iscoroutinefunction, (function, inspect.getattr_static(type(function), "__call__", None))))


def _clock_loop(loop: Callable[..., None], *arguments: Any) -> Timing:
    # The CPU clock is a system call: it encloses the wall clock, so that its own cost stays out of the wall time.
    children = read_children_ns()
    cpu = process_time_ns()
    wall = perf_counter_ns()
    loop(*arguments)
    wall = perf_counter_ns() - wall
    cpu = process_time_ns() - cpu
    return Timing(wall, cpu + read_children_ns() - children)


def read_children_ns() -> int:
    """Return the CPU time of the child processes that have ended and been waited for; 0 where nobody can tell."""
    if sys.platform == "win32":
        return 0
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return int(1e9 * (used.ru_utime + used.ru_stime))


def _call_again(function: Callable[..., Any], arguments: Arguments, times: int, kept: list[Any] | None) -> None:
    if arguments:
        for _ in itertools.repeat(None, times - 1):
            function(*arguments)
    else:
        for _ in itertools.repeat(None, times - 1):
            function()
    result = function(*arguments) if times else None
    if kept is not None:
        kept.append(result)


def _call_each(function: Callable[..., Any], prepared: Iterable[Arguments]) -> None:
    for arguments in prepared:
        function(*arguments)


async def _clock_calls(
    function: Callable[..., Awaitable[Any]], calls: Iterable[Arguments], kept: list[Any] | None
) -> Timing:
    children = read_children_ns()
    cpu = process_time_ns()
    wall = perf_counter_ns()
    result = None
    for arguments in calls:
        del result
        result = await function(*arguments)
    if kept is not None:
        kept += [result, frozenset(asyncio.all_tasks() - {asyncio.current_task()})]
    del result
    wall = perf_counter_ns() - wall
    cpu = process_time_ns() - cpu
    return Timing(wall, cpu + read_children_ns() - children)


async def _await_value(value: Awaitable[Any]) -> Any:
    return await value


def resolve(target: str, module_from: Callable[[Path], ModuleType]) -> Callable[..., Any]:
    """Return the callable that ``module:name`` or ``file.py:name`` names; ``module_from`` loads a file.

    Raises UserError where the module cannot be imported, has no such name, or the name cannot be called.
    """
    module_name, _, name = target.rpartition(":")
    if not module_name or not name:
        raise UserError(f"expected a function as module:name, as in mypackage.fast:parse, got {target!r}")
    try:
        found: Any = (
            module_from(Path(module_name).resolve())
            if module_name.endswith(".py")
            else importlib.import_module(module_name)
        )
    except ImportError as error:
        raise UserError(
            f"cannot import {module_name!r} for {target!r} ({error}): expected an importable module, or a file.py:name"
        ) from None
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise UserError(f"{module_name} has no {name!r}: expected the name of a function in it") from None
    if not callable(found):
        raise UserError(f"{target} cannot be called: expected a function, got {type(found).__name__}")
    return found  # type: ignore[no-any-return]


def count_compiled_signatures(function: Callable[..., Any]) -> int:
    """Count the signatures that numba has compiled for the function and for the other functions of its module."""
    module = sys.modules.get(getattr(function, "__module__", ""), None)
    beside = {id(each): each for each in (function, *vars(module or object).values())}
    return sum(len(each.signatures) for each in beside.values() if isinstance(getattr(each, "signatures", None), list))


def warm_up_body(sample: Callable[[int], Timing], signatures: Callable[[], int], least_ns: int) -> int:
    """Take samples of one pass until numba compiles nothing more, for ``least_ns`` at least.

    Every arm has been called before, so that a single slow pass is enough. Returns the passes that make a sample.
    """
    started = perf_counter_ns()
    shortest = math.inf
    while True:
        before = signatures()
        shortest = min(shortest, max(1, sample(1).wall_ns))
        if signatures() == before and perf_counter_ns() - started > least_ns:
            return max(1, math.ceil(SAMPLE_NS / shortest))
