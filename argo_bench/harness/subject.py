"""What can be measured: the protocols of a subject, of what subjects are fed from, and of what a run asks of them.

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
from argo_bench.harness.plan import Profile
from argo_bench.harness.record.records import Asked, Comparison, Counts, Declaration, Method
from argo_bench.harness.workers.messages import Arm, Call, Message

Expected = TypeVar("Expected")
Tell = Callable[[str], None]
Ask = Callable[[Message, type[Any]], Any]
"""Sends a message to a worker and returns its reply, of the type that is named. Raises ArmFailed."""


@dataclass(slots=True)
class Around:
    """What runs around a run: ``scratch`` is a folder of its own, ``facts`` are for the record, ``missing`` says why
    a server that was asked for is not there, and the way out; ``servers`` are the supply's own."""

    scratch: Path
    facts: dict[str, Any] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    servers: Any = None


class OutputCheck(NamedTuple):
    """A comparison of outputs that a worker makes: what it is of, what is called, and the line that it returns."""

    arm: str
    workload: str | None
    call: Call
    line: type[msgspec.Struct]


class Counting(Protocol):
    """Exact counts of some arms under one seed, which any process can take. It can be pickled."""

    @property
    def subject(self) -> str: ...
    @property
    def workload(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def places(self) -> set[tuple[int, str]]:
        """The scales and arms that are counted."""

    @property
    def work(self) -> float:
        """What it takes, in calls."""

    def without(self, arms: Collection[str]) -> Counting:
        """The same without some arms."""

    def count(self, scratch: Path) -> list[Counts]:
        """The counts; an arm that raises has an ``error`` instead. ``scratch`` keeps what several of them use."""


class Observation(NamedTuple):
    """One arm under one condition once: numbers by name, with their unit in the name."""

    arm: str
    condition: str
    values: Mapping[str, float]


class Trial(Protocol):
    """A study on real components that yields numbers instead of a ratio of two arms."""

    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def reference(self) -> str:
        """The arm that others are laid against."""

    @property
    def compared(self) -> tuple[str, ...]:
        """The values that are."""

    @property
    def needs(self) -> frozenset[str]:
        """The servers that it asks for."""

    def observe(self, around: Around) -> Iterator[Observation]:
        """What is seen, as it is seen."""


class Settled(NamedTuple):
    """A subject whose outputs were compared before anything else: itself, now ready, what the record says of that, and
    whether it can be timed."""

    subject: Subject
    lines: Sequence[msgspec.Struct]
    is_faithful: bool


class Subject(Protocol):
    """What claims are made about. Where nothing else is said a method of a plain subject returns nothing."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def variants(self) -> tuple[str, ...]:
        """The arms that every claim is judged on."""

    @property
    def claims(self) -> tuple[Claim, ...]: ...
    @property
    def is_local(self) -> bool:
        """Whether its arms must share a process, since they cannot be imported by two."""

    def declaration(self) -> Declaration:
        """What judging needs to know of it, for the record."""

    def comparisons(self, profile: Profile) -> list[Comparison]:
        """What is timed."""

    def weighed(self, profile: Profile) -> list[tuple[Comparison, tuple[Method, ...]]]:
        """The comparisons whose arms' memory is measured, and by what."""

    def obstacles(self, comparisons: Sequence[Comparison]) -> list[tuple[str, str, Collection[Comparison]]]:
        """What cannot be run here: the name of an arm or a workload, why, and the comparisons that it takes away."""

    def needs(self, comparison: Comparison) -> frozenset[str]:
        """The servers behind a comparison."""

    def settle(self, ask: Ask, scratch: Path) -> Settled:
        """Ready to be timed, once it is known that its outputs agree and what decides. Raises ArmFailed."""

    def unsettled(self) -> Settled:
        """The subject where that failed."""

    def feed(self, comparisons: Sequence[Comparison], seed: int, scratch: Path, tell: Tell) -> Mapping[Comparison, str]:
        """Make what comparisons are fed in the replicates of a seed; those that there is nothing for, and why."""

    def arm(self, comparison: Comparison, name: str, scratch: Path) -> Arm:
        """An arm by its name. Raises UserError for what cannot be passed to another process."""

    def is_trace(self, comparison: Comparison) -> bool:
        """Whether a pass must not be shortened for another arm's sake."""

    def checks(self, comparisons: Sequence[Comparison], scratch: Path) -> list[OutputCheck]:
        """Comparisons of outputs that need nothing but a worker, for what is timed at the headline scale."""

    def countings(self, profile: Profile, seeds: Sequence[int]) -> list[Counting]: ...
    def trials(self, profile: Profile) -> list[Trial]: ...


class Supply(Protocol):
    """What the subjects of a run are fed from: data, and servers behind it."""

    def header(self) -> dict[str, Any]:
        """Fields of the record's first line."""

    def families(self) -> Mapping[str, Sequence[str]]:
        """Claims whose intervals hold together, whatever of them is measured."""

    def open(self, needs: Collection[str]) -> AbstractContextManager[Around]:
        """A place on disk and the servers, gone at the end."""

    def lines(self) -> list[msgspec.Struct]:
        """What the record says of the data."""

    def checks(self, scratch: Path) -> list[OutputCheck]:
        """What is found out of the data by a worker."""

    def preload(self) -> tuple[str, ...]:
        """Modules that all arms need."""

    def first(self) -> frozenset[str]:
        """Subjects whose further arms are timed before others'."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is measured, by which profile and under which seed; ``asked`` is what it can be resumed with, if it can."""

    subjects: Sequence[Subject]
    profile: Profile
    seed: int
    supply: Supply
    asked: Asked | None = None
    sets: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The members of what stands for several subjects."""
