"""A user's callable as a body: named, or unpickled from the file of a benchmark's local functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from argo_bench.errors import UserError
from argo_bench.harness.workers import timing as calls
from argo_bench.harness.workers.messages import FunctionArm
from argo_bench.harness.workers.timing import FunctionBody
from argo_bench.loading import module_from


def function_body(arm: FunctionArm) -> FunctionBody:
    """The body of an arm. Raises UserError where a name leads to nothing that can be called."""
    setup = named(arm, "setup", arm.setup)
    return FunctionBody(named(arm, arm.arm, arm.function) or _uncallable(arm.function), setup, arm.fresh)


def named(arm: FunctionArm, role: str, target: str) -> Callable[..., Any] | None:
    """The callable in a role (an arm's name, ``setup`` or ``check``): from the arms' file, by its name, or None."""
    if arm.pickled and (found := _unpickled(arm.pickled).get(role)) is not None:
        return found
    return resolved(target, arm.path) if target else None


def _uncallable(target: str) -> Callable[..., Any]:
    raise UserError(f"expected a function as module:name, got {target!r}")


def resolved(target: str, path: Sequence[str] = ()) -> Callable[..., Any]:
    """As in ``calls``, a file as a module of its own name that workers find too."""
    return calls.resolved(target, module_from, path)


@cache
def _unpickled(file: str) -> dict[str, Callable[..., Any]]:
    import cloudpickle

    return cloudpickle.loads(Path(file).read_bytes())  # type: ignore[no-any-return]
