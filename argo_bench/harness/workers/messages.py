"""What the orchestrator and its workers say to each other, as msgspec messages."""

from __future__ import annotations

import msgspec

from argo_bench.optimizations.optimization import Variant


class StageArm(msgspec.Struct, frozen=True, tag=True):
    """One arm of one optimization's workload at a scale, with the file that holds its recorded inputs."""

    optimization: str
    workload: str
    scale: int
    arm: str
    inputs: str


class FunctionArm(msgspec.Struct, frozen=True, tag=True):
    """One of a user's two callables.

    ``function`` and ``setup`` are ``module:name``, or empty where ``pickled`` names a file with the local functions by
    arm (and ``setup``). ``path`` is put in front of ``sys.path``. ``fresh``: every call gets a new product of setup.
    """

    benchmark: str
    arm: str
    function: str
    setup: str = ""
    fresh: bool = False
    pickled: str = ""
    path: tuple[str, ...] = ()


Arm = StageArm | FunctionArm


def unfed(arm: Arm) -> Arm:
    """The arm whatever its inputs are."""
    return msgspec.structs.replace(arm, inputs="") if isinstance(arm, StageArm) else arm


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


class CheckFunctions(msgspec.Struct, frozen=True, tag=True):
    """Call a user's two functions once and compare what they return. Answered by Agreement.

    ``check`` is ``allclose``, ``equal``, ``module:name`` of a callable, ``pickled`` for one that stands in the file of
    the arms, or empty for none.
    """

    baseline: FunctionArm
    candidate: FunctionArm
    check: str


class CheckWorkload(msgspec.Struct, frozen=True, tag=True):
    """Compare an arm's outputs with the reference's. Answered by an encoded Fidelity in Checked."""

    arm: StageArm
    reference: str


class CheckVariant(msgspec.Struct, frozen=True, tag=True):
    """Compare a variant's decisions with the oracle's on a pickled universe. Answered by Checked."""

    optimization: str
    variant: Variant
    universe: str
    seed: int
    cycles: int


class MeasureAcceptance(msgspec.Struct, frozen=True, tag=True):
    """Run the oracle and count what its consensus accepted. Answered by Checked."""

    universe: str
    seed: int
    cycles: int


class Describe(msgspec.Struct, frozen=True, tag=True):
    """Call the function twice and write the pickled results to a file. Answered by Described."""

    arm: FunctionArm
    results: str


class Count(msgspec.Struct, frozen=True, tag=True):
    """Count what one call does, ``counts`` being a function that counts more. Answered by Counted."""

    arm: FunctionArm
    counts: str = ""


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


class Checked(msgspec.Struct, frozen=True, tag=True):
    record: msgspec.Raw


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


Message = (
    Prepare
    | WarmUp
    | Sample
    | Drain
    | Forget
    | Collect
    | CheckFunctions
    | CheckWorkload
    | CheckVariant
    | MeasureAcceptance
    | Describe
    | Count
)
Reply = Prepared | Ready | Taken | Drained | Agreement | Checked | Described | Counted | Done | Raised
