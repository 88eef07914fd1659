"""What the orchestrator and its workers say to each other: JSON, which the workers read without any library."""

from __future__ import annotations

from typing import Any

import msgspec


class Arm(msgspec.Struct, frozen=True):
    """What a worker builds and calls, in the role ``name``.

    ``factory`` is the ``module:name`` of what makes a body from ``arguments``, a JSON object as text; empty for a
    user's function. ``path`` is put in front of ``sys.path``. Arms of one ``key`` do the same, whatever they are fed.
    """

    name: str
    factory: str
    arguments: str
    path: tuple[str, ...] = ()
    key: str = ""


def arm_of(name: str, factory: str, arguments: dict[str, Any], path: tuple[str, ...] = (), key: str = "") -> Arm:
    """An arm with its arguments as text; they are its key where there is no other."""
    text = msgspec.json.encode(arguments).decode()
    return Arm(name, factory, text, path, key or f"{factory} {text}")


def function_arm(
    name: str,
    function: str,
    setup: str = "",
    *,
    fresh: bool = False,
    pickled: str = "",
    path: tuple[str, ...] = (),
    key: str = "",
) -> Arm:
    """One of a user's callables in the role ``name``.

    ``function`` and ``setup`` are ``module:name``, or empty where ``pickled`` names a file with the local functions by
    role (and ``setup``). ``fresh``: every call gets a new product of setup.
    """
    arguments = {"function": function, "setup": setup, "fresh": fresh, "pickled": pickled}
    return arm_of(name, "", arguments, path, key)


class Prepare(msgspec.Struct, frozen=True, tag=True):
    """Build the arm and make its first call, and one more to see what it takes, unless that ``is_known``. Answered by
    Prepared."""

    arm: Arm
    is_known: bool = False


class WarmUp(msgspec.Struct, frozen=True, tag=True):
    """Warm the arm up on its first ``calls`` calls, for ``least_ns`` unless it is warm from them, and find the passes
    that make a sample. Answered by Ready."""

    arm: Arm
    calls: int
    least_ns: int


class Sample(msgspec.Struct, frozen=True, tag=True):
    """Time so many passes. Answered by Taken."""

    arm: Arm
    passes: int


class Drain(msgspec.Struct, frozen=True, tag=True):
    """Time what the arm has put off in its last pass until its world closes. Answered by Drained."""

    arm: Arm


class Forget(msgspec.Struct, frozen=True, tag=True):
    """Drop all arms and collect garbage. Answered by Done."""


class Collect(msgspec.Struct, frozen=True, tag=True):
    """Collect garbage, as before every comparison. Answered by Done."""


class Agree(msgspec.Struct, frozen=True, tag=True):
    """Call a user's two functions once and compare what they return. Answered by Agreement.

    ``check`` is ``allclose``, ``equal``, ``module:name`` of a callable, ``pickled`` for one that stands in the file of
    the arms, or empty for none.
    """

    baseline: Arm
    candidate: Arm
    check: str


class Describe(msgspec.Struct, frozen=True, tag=True):
    """Call the function twice and write the pickled results to a file. Answered by Described."""

    arm: Arm
    results: str


class Count(msgspec.Struct, frozen=True, tag=True):
    """Count what one call does, ``counts`` being a function that counts more. Answered by Counted."""

    arm: Arm
    counts: str = ""


class Call(msgspec.Struct, frozen=True, tag=True):
    """Call ``module:name`` with ``arguments``, a JSON object as text. Answered by Returned."""

    target: str
    arguments: str
    path: tuple[str, ...] = ()


class Prepared(msgspec.Struct, frozen=True, tag=True):
    """``call_ns`` is what a later call took; None where that is known."""

    first_call_ns: int
    call_ns: int | None
    calls: int


class Ready(msgspec.Struct, frozen=True, tag=True):
    passes: int
    calls: int


class Taken(msgspec.Struct, frozen=True, tag=True):
    wall_ns: int
    cpu_ns: int


class Drained(msgspec.Struct, frozen=True, tag=True):
    """None where the workload keeps its state between passes."""

    ns_per_call: float | None


class Returned(msgspec.Struct, frozen=True, tag=True):
    """``result`` is a JSON text: what the called function returned."""

    result: str


class Agreement(msgspec.Struct, frozen=True, tag=True):
    """``difference`` is the first one, or None. ``waits``: an arm spent less than nine tenths of its call computing."""

    difference: str | None
    waits: bool


class Described(msgspec.Struct, frozen=True, tag=True):
    """``files`` are the source files loaded for it; ``waits``: the call computed for less than nine tenths of its time;
    ``unpicklable`` is why its results cannot be compared, if they cannot."""

    files: list[str]
    waits: bool
    unpicklable: str | None


class Counted(msgspec.Struct, frozen=True, tag=True):
    """``counts`` of one call by name, ``by_function`` the bytecode instructions of each function; empty where a call is
    too long to be traced."""

    counts: dict[str, float]
    by_function: dict[str, int]


class Done(msgspec.Struct, frozen=True, tag=True):
    pass


class Raised(msgspec.Struct, frozen=True, tag=True):
    """The request raised: one line for the user and the traceback for the record. ``is_missing``: the arm's name leads
    to nothing."""

    error: str
    details: str
    is_missing: bool = False


class Ended(msgspec.Struct, frozen=True, tag=True):
    """The process ended without an answer: its exit status, or the signal as a negative number."""

    code: int


Message = Prepare | WarmUp | Sample | Drain | Forget | Collect | Agree | Describe | Count | Call
Reply = Prepared | Ready | Taken | Drained | Returned | Agreement | Described | Counted | Done | Raised
