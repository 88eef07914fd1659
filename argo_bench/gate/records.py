"""Defines the lines of a record that a gate alone writes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from argo_bench.harness.claims.metrics import Clock
from argo_bench.harness.claims.verdict import State
from argo_bench.harness.record.records import Quantity, Ratio

CountRule = Literal["alike", "by kind"]
BY_KIND: CountRule = "by kind"
NO_OUTPUT = "a benchmark of a suite has no output"


class Acceptance(msgspec.Struct, frozen=True):
    """Acknowledges that a benchmark takes more at the head, up to a ``bound``, as a share; and another ``output``."""

    reason: str
    bound: Quantity
    output: bool = False

    def __str__(self) -> str:
        return f"accepted up to {100 * self.bound:.3g} %: {self.reason}"


class Shard(msgspec.Struct, frozen=True):
    """Says that a record has shard ``number`` of so many: every ``of``-th benchmark in the order of their names.

    ``outside`` are the sides that could not be installed where it was measured. One that ``is_merged`` stands in the
    record of a whole gate, which keeps how many ``seconds`` it took, and whether it was ``interrupted``.
    """

    number: int
    of: int
    outside: list[str] = []
    seconds: Quantity = 0.0
    interrupted: bool = False
    is_merged: bool = False

    def select(self, names: Iterable[str]) -> list[str]:
        """Return those of all names that this shard has, in their order."""
        own = {*sorted(names)[self.number - 1 :: self.of]}
        return [name for name in names if name in own]


class Revisions(msgspec.Struct, frozen=True, tag="revisions"):
    """Says what a gate compares: two commits of a repository, and the file, clock and tolerance of every benchmark.

    A tolerance is the slow-down, as a share, that does not matter. ``changed`` are the benchmarks whose files differ,
    ``accepted`` those of which changes of output and of exact counts are meant, and ``removed`` those that only the
    base has, with their files. A side is ``outside`` where it could not be installed for a cause outside of it, such as
    a registry that does not answer, and both are where neither could be. By ``count_rule`` exact counts were judged: by
    what they count, or alike, as earlier versions did, where any that grew blocked. The branch that was named as the
    base has ``moved_on`` by so many commits since the head left it, with which the head was not compared.
    ``acknowledged`` is what the head's pyproject.toml accepts, by benchmark; ``expired`` are those of its entries that
    count no more, since the base has them or what they speak of. The head may be the base with a ``patch``, a file of
    that name. Where the record has ``shards``, the benchmarks of no other ones were measured. Benchmarks of a suite
    that are ``untimed`` only count; those that are ``left_out``, with reasons, are not judged.
    """

    base: str
    head: str
    environment: Literal["own", "current"]
    files: dict[str, str]
    metrics: dict[str, Clock]
    tolerances: dict[str, Quantity]
    changed: list[str]
    accepted: list[str]
    removed: dict[str, str] = {}
    outside: list[str] = []
    moved_on: int = 0
    count_rule: CountRule = "alike"
    acknowledged: dict[str, Acceptance] = {}
    expired: list[str] = []
    patch: str = ""
    shards: list[Shard] = []
    untimed: list[str] = []
    left_out: dict[str, str] = {}

    @property
    def is_part(self) -> bool:
        """Say whether the record is that of one shard, which decides nothing by itself."""
        return bool(self.shards) and not self.shards[0].is_merged

    def find_missing(self) -> dict[str, str]:
        """Return the benchmarks of shards that are not in the record, with the name of their shard."""
        if not self.shards:
            return {}
        numbers, of = {each.number for each in self.shards}, self.shards[0].of
        lost = [Shard(number, of) for number in range(1, of + 1) if number not in numbers]
        return {name: f"shard {each.number} of {of}" for each in lost for name in each.select(self.files)}

    def outside_of(self, name: str) -> list[str]:
        """Return the sides that could not be installed where a benchmark was measured."""
        return next((each.outside for each in self.shards if name in each.select(self.files)), self.outside)

    def bound_of(self, name: str) -> float:
        """Return the share by which a benchmark may grow, where that is acknowledged; else 0."""
        return self.acknowledged[name].bound if name in self.acknowledged else 0.0


class Agreed(msgspec.Struct, frozen=True, tag="agreement"):
    """Says whether base and head return the same: the first ``difference``, or why it is ``unknown``."""

    benchmark: str
    difference: str | None
    unknown: str | None


class Exact(msgspec.Struct, frozen=True, tag="exact"):
    """Holds what one warm call takes on both sides, without noise, by the name of the count.

    ``unsteady`` are counts that a second reading contradicted. ``moved`` are the functions whose share of a count grew
    or shrank most, with the difference. ``uncounted`` says why there are no instructions.
    """

    benchmark: str
    base: dict[str, Quantity]
    head: dict[str, Quantity]
    unsteady: list[str]
    moved: dict[str, dict[str, float]]
    uncounted: str | None = None


class Gated(msgspec.Struct, frozen=True, tag="gate"):
    """Judges one benchmark in one word. ``speedup`` is base / head; ``blocks`` says that the gate fails for it."""

    benchmark: str
    state: State
    blocks: bool
    sentence: str
    speedup: Ratio | None
    interval: tuple[Ratio, Ratio] | None
