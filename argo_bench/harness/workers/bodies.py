"""Builds what can be timed: a body that a factory makes from an arm's arguments, or a user's function by itself.

It uses the standard library alone and relative imports: the same file also runs in interpreters without the package.
"""

from __future__ import annotations

import importlib.util
import json
import pickle
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from ...errors import UserError
from .timing import WARM_UP_NS, FunctionBody, Timing, resolve


class Skipped(UserError):
    """Says that a suite leaves one of its benchmarks out here."""


class Body(Protocol):
    """A body is one arm, built and ready. A pass is ``calls`` calls; preparations for it are not timed."""

    calls: int
    few: int
    """This many calls are enough for a check or a reading of memory; a pass may have more, each of which may wait."""
    fixed_calls: int | None
    """A timed pass has this many calls, whatever they take; None where a pass may be cut."""
    steps: int
    """A pass is walked in this many steps of one call, in turn with another arm's; 0 where it is timed in one."""
    is_stored: bool
    """Says whether the results of a pass are in a database; then only the memory that the arm keeps is measured."""

    def first_call(self) -> Any:
        """Return what the first call of a pass returns, on the state as built."""

    def collect_results(self) -> list[Any]:
        """Return what every call of a pass returns, on newly built state."""

    def keep(self, calls: int) -> None:
        """Make a pass shorter, to ``calls`` calls at the most, where it can be cut."""

    def prepare_calls(self) -> Any:
        """Prepare the calls of one pass, with the copies and the new state that they need."""

    def time_calls(self, prepared: Any, passes: int) -> Timing:
        """Time the prepared calls, ``passes`` times over."""

    def sample(self, passes: int) -> Timing:
        """Prepare and time ``passes`` passes on both clocks: wall (hybrid) and CPU of this process."""

    def step(self, number: int) -> Timing:
        """Time the step of this number, after those before it; the first one begins a new pass."""

    def warm_up(self, least_ns: int = WARM_UP_NS) -> int:
        """Warm up for ``least_ns`` nanoseconds at least, and return the number of passes that make a sample."""

    def time_drain_ns(self) -> float | None:
        """Return the nanoseconds that a pass on cold state puts off until the arm's world closes, per call.

        None where state is kept between passes.
        """

    def close(self) -> None:
        """Drop the state."""


Arm = Mapping[str, Any]
"""An arm is a mapping with the fields of ``messages.Arm``: its name, factory, arguments (a JSON text) and path."""


def body_of(arm: Arm) -> Body:
    """Build the arm's body in this process by its factory, or, without a factory, that of a user's function.

    Raises UserError where a name leads to nothing that can be called.
    """
    extend_path(arm.get("path", ()))
    arguments = json.loads(arm["arguments"])
    if not arm["factory"]:
        return function_body(arm["name"], arguments)
    body: Body = find_function(arm["factory"])(**arguments)
    return body


def function_body(name: str, arguments: Mapping[str, Any]) -> FunctionBody:
    """Build the body of a user's function in the role ``name``; of a benchmark in a suite, by what runs the suite."""
    if (suite := arguments.get("suite")) is not None:
        body: FunctionBody = find_function(suite["make"])(arguments["function"], suite)
        return body
    function = role_of(arguments, name, arguments["function"])
    if function is None:
        raise UserError(f"expected a function as module:name, got {arguments['function']!r}")
    return FunctionBody(function, role_of(arguments, "setup", arguments["setup"]), arguments["fresh"])


def role_of(arguments: Mapping[str, Any], role: str, target: str) -> Callable[..., Any] | None:
    """Return the callable in a role, from the arms' file or by its name; None where there is neither.

    A role is an arm's name, ``setup`` or ``check``.
    """
    file = arguments.get("pickled")
    if file and (pickled := load_copies(file).get(role)) is not None:
        return pickled
    return find_function(target) if target else None


@cache
def load_copies(file: str) -> dict[str, Callable[..., Any]]:
    """Read local functions by their roles; writing and reading the file both need cloudpickle.

    The functions and classes of the main program get their names in this process's one, where pickle looks for them.
    Raises UserError for what cannot be rebuilt here.
    """
    try:
        functions, names = pickle.loads(Path(file).read_bytes())
    except Exception as error:  # noqa: BLE001 - a user's classes may refuse to be rebuilt in any way
        raise UserError(
            f"the functions cannot be rebuilt in another process ({type(error).__name__}: {error}): put them into a "
            "module that can be imported, or make what they use in setup"
        ) from None
    vars(sys.modules["__main__"]).update(names)
    return functions  # type: ignore[no-any-return]


def extend_path(path: Sequence[str]) -> None:
    """Put the folders of ``path`` first in the search for modules."""
    for entry in reversed(path):
        if entry not in sys.path:
            sys.path.insert(0, entry)


def find_function(target: str) -> Callable[..., Any]:
    """Return the callable that ``module:name`` or ``file.py:name`` names. Raises UserError as ``resolve`` does."""
    return resolve(target, module_in)


def module_in(file: Path) -> ModuleType:
    """Load a Python file as the module of its name; what it imports is found beside it too, after all else."""
    for name in (file.stem, f"argo_bench_{file.stem}"):
        known = sys.modules.get(name)
        if known is None:
            return _load_module(name, file)
        if getattr(known, "__file__", None) == str(file):
            return known
    raise ImportError(f"{file} has the name of other modules: rename it")


def _load_module(name: str, file: Path) -> ModuleType:
    if str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))
    specification = importlib.util.spec_from_file_location(name, file)
    if specification is None or specification.loader is None or not file.is_file():
        raise ImportError(f"no file at {file}")
    module = sys.modules[name] = importlib.util.module_from_spec(specification)
    try:
        specification.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def describe_error(error: Exception) -> dict[str, Any]:
    """Return the reply for a request that raised; the message of a user's mistake is a sentence by itself."""
    is_own = any(each.__name__ == "UserError" for each in type(error).__mro__)
    said = str(error) if is_own else f"{type(error).__name__}: {error}"
    return {
        "type": "Raised",
        "error": said,
        "details": traceback.format_exc(),
        "is_missing": isinstance(error, UserError),
        "is_skipped": isinstance(error, Skipped),
    }
