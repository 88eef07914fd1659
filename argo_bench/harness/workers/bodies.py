"""What can be timed: a body that a factory makes from an arm's arguments, or a user's function by itself.

The standard library alone, and imports by their place: the same file also runs in interpreters without the package.
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
from .timing import WARM_UP_NS, FunctionBody, Timing, resolved


class Body(Protocol):
    """One arm, built and ready. A pass is ``calls`` calls; everything that is prepared is prepared outside the time."""

    calls: int
    few: int
    """Calls that a check or a reading of memory can do with: a pass may have more, and may wait in every one."""
    is_stored: bool
    """Whether what a pass returns is in a database: then only what the arm keeps is worth weighing."""

    def first_call(self) -> Any:
        """What the first call of a pass returns, on the state as built."""

    def results(self) -> list[Any]:
        """What every call of a pass returns, on newly built state."""

    def keep(self, calls: int) -> None:
        """Make a pass shorter: so many calls at the most, where it can be cut."""

    def prepared(self) -> Any:
        """The calls of one pass, with the copies and the new state that they need."""

    def timed(self, prepared: Any, passes: int) -> Timing:
        """The timed region: the prepared calls, so many times."""

    def sample(self, passes: int) -> Timing:
        """So many passes with what they need, on both clocks: wall (hybrid) and CPU of this process."""

    def warm_up(self, least_ns: int = WARM_UP_NS) -> int:
        """Warm up for so long at least; the passes that make a sample."""

    def drained_ns(self) -> float | None:
        """What is put off until the arm's world closes, per call of a pass on cold state; None where state is kept."""

    def close(self) -> None:
        """Let the state go."""


Arm = Mapping[str, Any]
"""An arm as ``messages.Arm`` is written: its name, factory, arguments (a JSON text) and path."""


def body_of(arm: Arm) -> Body:
    """The arm's body, built in this process, by its factory; without one that of a user's function.

    Raises UserError where a name leads to nothing that can be called.
    """
    extend(arm.get("path", ()))
    arguments = json.loads(arm["arguments"])
    if not arm["factory"]:
        return function_body(arm["name"], arguments)
    body: Body = found(arm["factory"])(**arguments)
    return body


def function_body(name: str, arguments: Mapping[str, Any]) -> FunctionBody:
    """The body of a user's function in the role ``name``."""
    function = role_of(arguments, name, arguments["function"])
    if function is None:
        raise UserError(f"expected a function as module:name, got {arguments['function']!r}")
    return FunctionBody(function, role_of(arguments, "setup", arguments["setup"]), arguments["fresh"])


def role_of(arguments: Mapping[str, Any], role: str, target: str) -> Callable[..., Any] | None:
    """The callable in a role (an arm's name, ``setup`` or ``check``): from the arms' file, by its name, or None."""
    file = arguments.get("pickled")
    if file and (pickled := _unpickled(file).get(role)) is not None:
        return pickled
    return found(target) if target else None


@cache
def _unpickled(file: str) -> dict[str, Callable[..., Any]]:
    """Local functions by their roles, which need cloudpickle where they were written and where they are read."""
    return pickle.loads(Path(file).read_bytes())  # type: ignore[no-any-return]


def extend(path: Sequence[str]) -> None:
    """Have modules found in the folders of ``path`` first."""
    for entry in reversed(path):
        if entry not in sys.path:
            sys.path.insert(0, entry)


def found(target: str) -> Callable[..., Any]:
    """The callable that ``module:name`` or ``file.py:name`` stands for. Raises UserError as ``resolved`` does."""
    return resolved(target, module_in)


def module_in(file: Path) -> ModuleType:
    """A Python file as the module of its name; what it imports is found beside it too, after all else."""
    for name in (file.stem, f"argo_bench_{file.stem}"):
        known = sys.modules.get(name)
        if known is None:
            return _loaded(name, file)
        if getattr(known, "__file__", None) == str(file):
            return known
    raise ImportError(f"{file} has the name of other modules: rename it")


def _loaded(name: str, file: Path) -> ModuleType:
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


def raised(error: Exception) -> dict[str, Any]:
    """What a request raised: a user's mistake is a sentence by itself."""
    is_own = any(each.__name__ == "UserError" for each in type(error).__mro__)
    said = str(error) if is_own else f"{type(error).__name__}: {error}"
    return {
        "type": "Raised",
        "error": said,
        "details": traceback.format_exc(),
        "is_missing": isinstance(error, UserError),
    }
