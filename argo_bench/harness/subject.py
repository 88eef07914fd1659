"""Declares what can be measured: the protocols of a subject, of its supply, and of what a run asks of them.

A user's ``Benchmark`` is a subject, and the study makes one of every optimization. The harness knows no other kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec

from argo_bench.harness.claims.claim import Claim
from argo_bench.harness.claims.metrics import Method
from argo_bench.harness.plan import Profile
from argo_bench.harness.record.records import Asked, Comparison, Counts, Declaration, Failure, Fidelity, Scope
from argo_bench.harness.workers.messages import Arm, Call, Message

Expected = TypeVar("Expected")
Tell = Callable[[str], None]
Ask = Callable[[Message, type[Any]], Any]
"""Sends a message to a worker and returns its reply, which has the type that is named. Raises ArmFailed."""


@dataclass(slots=True)
class Around:
    """Holds what surrounds a run while it goes on.

    ``scratch`` is a folder of its own, ``facts`` are for the record. ``missing`` says, by server, why one that was
    asked for is not there, and the way out. ``servers`` are the supply's own.
    """

    scratch: Path
    facts: dict[str, Any] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    servers: Any = None


class MemoryQuestion(NamedTuple):
    """Asks for the memory of both arms of a comparison.

    ``looks`` says by which methods, and under how many hash seeds; of several numbers the later ones are for a verdict
    that is still open.
    """

    comparison: Comparison
    looks: Mapping[Method, tuple[int, ...]]


class OutputCheck(NamedTuple):
    """Describes a comparison of outputs that a worker makes: of which arm, on what, by which call, and the kind of its
    line."""

    arm: str
    workload: str | None
    scope: Scope
    call: Call
    line: type[msgspec.Struct]


class Counting(Protocol):
    """Counts calls of some arms exactly under one seed, in any process. It can be pickled."""

    @property
    def subject(self) -> str: ...
    @property
    def workload(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def places(self) -> set[tuple[int, str]]:
        """Return the scales and arms that are counted."""

    @property
    def work(self) -> float:
        """Return how many calls the counting takes."""

    def without(self, arms: Collection[str]) -> Counting:
        """Return the same counting without some arms."""

    def count(self, scratch: Path) -> list[Counts]:
        """Count; an arm that raises has an ``error`` instead. ``scratch`` keeps what several countings use."""


class Observation(NamedTuple):
    """Holds what one arm did once under one condition: numbers by name, with their unit in the name."""

    arm: str
    condition: str
    values: Mapping[str, float]


class Trial(Protocol):
    """A trial is a study on real components that yields numbers instead of a ratio of two arms."""

    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def reference(self) -> str:
        """Return the arm that the others are compared with."""

    @property
    def compared_values(self) -> tuple[str, ...]:
        """Return the names of the observed values that are compared."""

    @property
    def needs(self) -> frozenset[str]:
        """Return the servers that the trial asks for."""

    def observe(self, around: Around) -> Iterator[Observation]:
        """Yield the observations as they are made."""


class Settled(NamedTuple):
    """Holds a subject after its outputs were compared: ``subject`` is ready to be timed, ``lines`` are what the record
    says of the outputs, ``is_faithful`` says whether it may be timed. ``call_ns`` is what a call takes where that was
    found out, by the arm's key, and ``built_ns`` the time in which both arms are loaded and set up."""

    subject: Subject
    lines: Sequence[msgspec.Struct]
    is_faithful: bool
    call_ns: Mapping[str, int] = {}
    built_ns: int = 0


class Subject(Protocol):
    """A subject is what claims are made about. Of a plain subject, methods return nothing unless they say otherwise."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def variants(self) -> tuple[str, ...]:
        """Return the names of the arms on which every claim is judged."""

    @property
    def claims(self) -> tuple[Claim, ...]: ...
    def declaration(self) -> Declaration:
        """Return what judging needs to know of the subject, as a line of the record."""

    def comparisons(self, profile: Profile) -> list[Comparison]:
        """Return the comparisons that are timed."""

    def memory_questions(self, profile: Profile) -> list[MemoryQuestion]:
        """Return the comparisons whose arms' memory is measured, each with the methods."""

    def obstacles(self, comparisons: Sequence[Comparison]) -> list[tuple[str, str, Collection[Comparison]]]:
        """Return what cannot run here: the name of an arm or a workload, why, and the comparisons it takes away."""

    def needs(self, comparison: Comparison) -> frozenset[str]:
        """Return the servers that a comparison needs."""

    def settle(self, reference: Ask, candidate: Ask, scratch: Path) -> Settled:
        """Compare the subject's outputs, decide on its metric, and return it ready to be timed. Raises ArmFailed.

        Each of the two processes has run nothing else; it starts when it is first asked.
        """

    def confirm(self, reference: Ask, candidate: Ask, scratch: Path) -> Fidelity | Failure | None:
        """Compare outputs once more, in the processes that have just timed both arms; None where nothing differs."""

    def settle_unchecked(self) -> Settled:
        """Return the subject as it is left where ``settle`` failed."""

    def feed(self, comparisons: Sequence[Comparison], seed: int, scratch: Path, tell: Tell) -> Mapping[Comparison, str]:
        """Make the inputs of comparisons for the replicates of a seed; return those without any input, and why."""

    def arm(self, comparison: Comparison, name: str, scratch: Path) -> Arm:
        """Return an arm by its name. Raises UserError for what cannot be passed to another process."""

    def checks(self, comparisons: Sequence[Comparison], scratch: Path) -> list[OutputCheck]:
        """Return the comparisons of outputs that need nothing but a worker, for what is timed at the headline scale."""

    def countings(self, profile: Profile, seeds: Sequence[int]) -> list[Counting]: ...
    def trials(self, profile: Profile) -> list[Trial]: ...


class Supply(Protocol):
    """A supply is what the subjects of a run are fed from: data, and the servers behind it."""

    def header(self) -> dict[str, Any]:
        """Return fields for the record's first line."""

    def families(self) -> Mapping[str, Sequence[str]]:
        """Return the claims of each family whose intervals hold together, whichever of them are measured."""

    def open(self, needs: Collection[str]) -> AbstractContextManager[Around]:
        """Open a place on disk and start the servers; both are gone at the end."""

    def lines(self) -> list[msgspec.Struct]:
        """Return the lines of the record about the data."""

    def checks(self, scratch: Path) -> list[OutputCheck]:
        """Return what a worker finds out about the data."""

    def preload(self) -> tuple[str, ...]:
        """Return the modules that all arms need."""

    def first(self) -> frozenset[str]:
        """Return the subjects whose comparisons behind no claim are timed before those of others."""


class Hosts(Protocol):
    """The hosts of a cluster measure a run that this machine only writes down."""

    @property
    def facts(self) -> dict[str, Any]:
        """Return the facts of the hosts' machines, which are of one kind."""

    def measure(self, state: Any, around: Around) -> None:
        """Measure all that a run's state lacks."""


@dataclass(frozen=True, slots=True)
class Job:
    """Says what is measured, by which profile and seed; ``asked`` is what the run can be resumed with, if it can.

    With ``only_checks`` outputs are compared and nothing is measured. Without ``hosts`` this machine measures.
    """

    subjects: Sequence[Subject]
    profile: Profile
    seed: int
    supply: Supply
    asked: Asked | None = None
    sets: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The keys are names that stand for several subjects; the values are their members."""
    only_checks: bool = False
    hosts: Hosts | None = None
