"""Defines what the orchestrator and its workers say to each other: JSON, which the workers read without any library."""

from __future__ import annotations

from typing import Any

import msgspec

from argo_bench.harness.workers.causes import Suspicion
from argo_bench.harness.workers.waiting import Means


class Arm(msgspec.Struct, frozen=True):
    """Says what a worker builds and calls, in the role ``name``.

    ``factory`` is the ``module:name`` of what makes a body from ``arguments``, a JSON object as text; it is empty for a
    user's function. ``path`` is put in front of ``sys.path``. Arms of one ``key`` do the same, whatever they are fed.
    """

    name: str
    factory: str
    arguments: str
    path: tuple[str, ...] = ()
    key: str = ""


def arm_of(name: str, factory: str, arguments: dict[str, Any], path: tuple[str, ...] = (), key: str = "") -> Arm:
    """Make an arm with its arguments as text; factory and arguments are its key where there is no other."""
    text = msgspec.json.encode(arguments).decode()
    return Arm(name, factory, text, path, key or f"{factory} {text}")


class InSuite(msgspec.Struct, frozen=True):
    """Says that a function is a benchmark of a suite, which ``make``, as ``module:name``, builds the body of.

    ``root`` is the suite's folder, ``folder`` one for files of the side that is measured. The modules of a side that
    ``is_installed`` are those of its environment, whatever lies beside the suite.
    """

    make: str
    root: str
    folder: str
    is_installed: bool = False


class UserFunction(msgspec.Struct, frozen=True):
    """Names one of a user's callables and what makes its arguments.

    ``function`` and ``setup`` are ``module:name``. ``function`` is empty where ``pickled`` names a file with the local
    functions by role, which may hold the setup too. With ``fresh`` every call gets a new product of ``setup``. With
    ``spread`` the function is timed on all processors instead of one. Of a benchmark in a ``suite`` the function is the
    name by which the suite knows it.
    """

    function: str
    setup: str = ""
    fresh: bool = False
    pickled: str = ""
    spread: bool = False
    suite: InSuite | None = None


def function_arm(name: str, function: UserFunction, path: tuple[str, ...] = (), key: str = "") -> Arm:
    """Make an arm of one of a user's callables in the role ``name``."""
    return arm_of(name, "", msgspec.to_builtins(function), path, key)


class Prepare(msgspec.Struct, frozen=True, tag=True):
    """Build the arm and make its first call, and one more to see what it takes, unless that ``is_known``.

    Prepared is the answer.
    """

    arm: Arm
    is_known: bool = False


class WarmUp(msgspec.Struct, frozen=True, tag=True):
    """Warm the arm up on its first ``calls`` calls, and find the passes that make a sample.

    It takes ``least_ns`` at least, unless the arm is warm from the same calls. Ready is the answer.
    """

    arm: Arm
    calls: int
    least_ns: int


class Sample(msgspec.Struct, frozen=True, tag=True):
    """Time ``passes`` passes. Taken is the answer."""

    arm: Arm
    passes: int


class Step(msgspec.Struct, frozen=True, tag=True):
    """Time one step of a pass that is walked step by step; the first one begins a new pass. Taken is the answer."""

    arm: Arm
    number: int


class Drain(msgspec.Struct, frozen=True, tag=True):
    """Time what the arm has put off in its last pass until its world closes. Drained is the answer."""

    arm: Arm


class Forget(msgspec.Struct, frozen=True, tag=True):
    """Drop all arms and collect garbage. Done is the answer."""


class Collect(msgspec.Struct, frozen=True, tag=True):
    """Collect garbage, as before every comparison. Done is the answer."""


class Examine(msgspec.Struct, frozen=True, tag=True):
    """Examine a user's function, in a process in which no other one has run, and write what it returns to a file.

    Unless it ``is_checked``, it is only called twice. Examined is the answer.
    """

    arm: Arm
    file: str
    is_checked: bool


class Agree(msgspec.Struct, frozen=True, tag=True):
    """Call a user's two functions once and compare what they return. Agreement is the answer.

    ``check`` is ``allclose``, ``equal``, ``module:name`` of a callable, or ``pickled`` for one that stands in the file
    of the arms.
    """

    baseline: Arm
    candidate: Arm
    check: str


class WriteResult(msgspec.Struct, frozen=True, tag=True):
    """Call the function of an arm that was timed once more, and write what it returns to a file.

    Of a large result a sample is written if it may be (``is_sampled``). Written is the answer.
    """

    arm: Arm
    file: str
    is_sampled: bool


class CompareResults(msgspec.Struct, frozen=True, tag=True):
    """Compare what was written of two arms by the check of their benchmark. Agreement is the answer."""

    baseline: str
    candidate: str
    arm: Arm
    check: str


class FindRepeatedAnswer(msgspec.Struct, frozen=True, tag=True):
    """Find out from what was written of two arms whether the candidate repeats an answer. Agreement is the answer."""

    baseline: str
    candidate: str
    arm: Arm


class Describe(msgspec.Struct, frozen=True, tag=True):
    """Call the function twice and write the pickled results to a file. Described is the answer."""

    arm: Arm
    results: str


class Count(msgspec.Struct, frozen=True, tag=True):
    """Count what one call does; ``counts`` names a function that counts more. Counted is the answer."""

    arm: Arm
    counts: str = ""


class Call(msgspec.Struct, frozen=True, tag=True):
    """Call ``module:name`` with ``arguments``, a JSON object as text. Returned is the answer."""

    target: str
    arguments: str
    path: tuple[str, ...] = ()


class Prepared(msgspec.Struct, frozen=True, tag=True):
    """Says that an arm is built. ``call_ns`` is what a later call took; None where that is known.

    A pass has ``calls`` calls, and ``fixed_calls`` when it is timed; None where it may be cut.
    """

    first_call_ns: int
    call_ns: int | None
    calls: int
    fixed_calls: int | None = None


class Ready(msgspec.Struct, frozen=True, tag=True):
    """Says how many passes make a sample, how many calls a pass has, and in how many steps it is walked (0: in one)."""

    passes: int
    calls: int
    steps: int = 0


class Taken(msgspec.Struct, frozen=True, tag=True):
    wall_ns: int
    cpu_ns: int


class Drained(msgspec.Struct, frozen=True, tag=True):
    """Says what a drain took, in nanoseconds per call; None where the workload keeps its state between passes."""

    ns_per_call: float | None


class Returned(msgspec.Struct, frozen=True, tag=True):
    """Carries what the called function returned: ``result``, a JSON text."""

    result: str


class Examined(msgspec.Struct, frozen=True, tag=True):
    """Says what was found out about a function, with the times of its first call and of a later one.

    ``waits`` says that it waits for more than a tenth of its time, and ``told_by`` what told that. ``reading_ns`` is
    the time of reading a result that may compute when it is read, or None. ``is_written`` says that another process can
    read the result. ``reached`` are the names of variables that the function uses. ``built_ns`` is the time in which
    the function was loaded and its setup ran.
    """

    suspicions: list[Suspicion]
    waits: bool
    first_ns: int
    call_ns: int
    reading_ns: int | None
    is_written: bool
    reached: list[str] = []
    told_by: Means = "nothing"
    built_ns: int = 0


class Written(msgspec.Struct, frozen=True, tag=True):
    """Says that a result was written, with its digest: ``unread`` is the reason why it was not, or None."""

    unread: str | None
    digest: str
    suspicions: list[Suspicion]


class Agreement(msgspec.Struct, frozen=True, tag=True):
    """Says whether two outputs agree: ``difference`` is the first one, or None.

    The suspicions are about the candidate.
    """

    difference: str | None
    suspicions: list[Suspicion] = []


class Described(msgspec.Struct, frozen=True, tag=True):
    """Describes a function that was called twice.

    ``files`` are the source files that were loaded for it. ``waits`` says that it waits for more than a
    tenth of its time. ``unpicklable`` is the reason why its results cannot be compared, or None.
    """

    files: list[str]
    waits: bool
    unpicklable: str | None


class Counted(msgspec.Struct, frozen=True, tag=True):
    """Carries the counts of one call by name, and the bytecode instructions of each function.

    ``by_function`` is empty where a call is too long to be traced.
    """

    counts: dict[str, float]
    by_function: dict[str, int]


class Done(msgspec.Struct, frozen=True, tag=True):
    pass


class Raised(msgspec.Struct, frozen=True, tag=True):
    """Says that the request raised: one line for the user and the traceback for the record.

    ``is_missing`` says that the arm's name leads to nothing, ``is_skipped`` that a suite leaves the benchmark out.
    """

    error: str
    details: str
    is_missing: bool = False
    is_skipped: bool = False


class Ended(msgspec.Struct, frozen=True, tag=True):
    """Says that the process ended without an answer: its exit status, or the signal as a negative number."""

    code: int


Message = (
    Prepare
    | WarmUp
    | Sample
    | Step
    | Drain
    | Forget
    | Collect
    | Examine
    | Agree
    | WriteResult
    | CompareResults
    | FindRepeatedAnswer
    | Describe
    | Count
    | Call
)
Reply = (
    Prepared | Ready | Taken | Drained | Returned | Examined | Written | Agreement | Described | Counted | Done | Raised
)
