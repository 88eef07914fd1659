"""A user's two callables as a subject of measurement: what they are called, how they are fed, checked and claimed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from argo_bench.errors import UserError
from argo_bench.harness.claims.claim import METRICS, Claim, Metric
from argo_bench.harness.claims.sentence import read_claim
from argo_bench.harness.functions import resolved
from argo_bench.harness.record.records import Comparison, Declaration, Declared, WorkloadFacts
from argo_bench.harness.workers.messages import CheckFunctions, FunctionArm

Function = Callable[..., Any] | str
"""A callable, or the name of one as ``module:name`` or ``file.py:name``."""

Check = Literal["allclose", "equal"] | Callable[[Any, Any], object] | str | None
CHECKS = ("allclose", "equal")
WORKLOAD = "call"


@dataclass(frozen=True, slots=True)
class Benchmark:
    """``candidate`` against ``baseline``, both called with what ``setup`` returns.

    ``setup`` returns nothing, one argument, or a tuple of arguments; it runs once in every process, with ``fresh``
    before every call. ``check`` says when two outputs agree: ``allclose`` (numbers as numpy.allclose has it),
    ``equal``, a callable that gets both and returns False or fails an assertion, or None. ``metric`` is CPU time where
    both compute and wall time where one waits, unless it is named. ``claim`` is the sentence to be judged; without one
    the question is which of the two is faster.

    Functions that can be imported are measured in a process each; local ones are copied to one process for both
    (shared isolation), where they may share what they close over. Raises UserError for what cannot be read.
    """

    name: str
    baseline: Function
    candidate: Function
    setup: Function | None = None
    check: Check = "allclose"
    metric: Metric | None = None
    claim: str | None = None
    fresh: bool = False

    def __post_init__(self) -> None:
        if self.metric is not None and self.metric not in METRICS:
            raise UserError(f"{self.name}: expected a metric of {', '.join(METRICS)}, got {self.metric!r}")
        if isinstance(self.check, str) and self.check not in CHECKS and ":" not in self.check:
            raise UserError(
                f"{self.name}: expected the check allclose, equal or module:name of a function, got {self.check!r}"
            )
        for function in self._functions():
            if not callable(function) and not isinstance(function, str):
                raise UserError(f"{self.name}: expected a function or its module:name, got {function!r}")
        self._read(self.claim)

    @classmethod
    def of(cls, declared: Declared) -> Benchmark:
        """The benchmark of a record: enough to judge it again, not to run it."""
        return cls(declared.name, declared.baseline, declared.candidate, metric=declared.metric, claim=declared.claim)

    def found(self) -> Benchmark:
        """Itself, once every function that is named has been found. Raises UserError for one that has not."""
        for function in self._functions():
            if isinstance(function, str):
                resolved(function, search_path())
        return self

    @property
    def id(self) -> str:
        return self.name

    @property
    def variants(self) -> tuple[str, ...]:
        return ("candidate",)

    @property
    def claims(self) -> tuple[Claim, ...]:
        return (self._read(self.claim),)

    @property
    def comparison(self) -> Comparison:
        return Comparison(self.name, WORKLOAD, 1, "calls", "baseline", "candidate")

    @property
    def is_local(self) -> bool:
        """Whether a function cannot be imported by another process."""
        return any(importable(each) is None for each in self._functions())

    def _functions(self) -> list[Function]:
        return [each for each in (self.baseline, self.candidate, self.setup) if each is not None]

    def _read(self, claim: str | None) -> Claim:
        return claim_of(self.name, claim, self.metric or "cpu")

    def measured_in(self, metric: Metric) -> Benchmark:
        return replace(self, metric=metric)

    def declared(self) -> Declared:
        """What the record says of it, with which its verdict can be computed again. The metric must be settled."""
        assert self.metric is not None
        return Declared(
            name=self.name,
            baseline=label(self.baseline),
            candidate=label(self.candidate),
            setup="" if self.setup is None else label(self.setup),
            check="" if self.check is None else label(self.check),
            fresh=self.fresh,
            metric=self.metric,
            claim=self.claim,
            isolation="shared" if self.is_local else None,
        )

    def declaration(self) -> Declaration:
        """What the record says of its claim. The metric must be settled for its verdict."""
        functions = {"baseline": short(label(self.baseline)), "candidate": short(label(self.candidate))}
        facts = WorkloadFacts(WORKLOAD, "calls", [1])
        return Declaration(
            self.name, self.name, [*self.variants], [*self.claims], [facts], family=self.name, functions=functions
        )

    def arms(self, scratch: Path) -> dict[str, FunctionArm]:
        """Both arms by name; local functions are written to a file under ``scratch``.

        Raises UserError for a local function that cannot be copied to another process.
        """
        pickled = self._pickled(scratch) if self.is_local or callable(self.check) else ""
        setup = "" if self.setup is None else importable(self.setup) or ""
        return {
            arm: FunctionArm(
                self.name, arm, importable(function) or "", setup, self.fresh, pickled, tuple(search_path())
            )
            for arm, function in (("baseline", self.baseline), ("candidate", self.candidate))
        }

    def question(self, scratch: Path) -> CheckFunctions:
        """The request to compare what the two return."""
        arms = self.arms(scratch)
        check = "pickled" if callable(self.check) else self.check or ""
        return CheckFunctions(arms["baseline"], arms["candidate"], check)

    def _pickled(self, scratch: Path) -> str:
        import cloudpickle

        roles = {"baseline": self.baseline, "candidate": self.candidate, "setup": self.setup, "check": self.check}
        local = {role: each for role, each in roles.items() if callable(each)}
        try:
            content = cloudpickle.dumps(local)
        except Exception as error:  # noqa: BLE001 - what a user's function closes over may refuse in any way
            raise UserError(
                f"{self.name}: a local function cannot be copied to another process ({error}): expected functions of a "
                "module, or ones that close over data alone; make what they need in setup"
            ) from None
        file = scratch / f"functions-{abs(hash(self.name))}.pickle"
        file.write_bytes(content)
        return str(file)


def claim_of(name: str, sentence: str | None, metric: Metric) -> Claim:
    """The claim of a benchmark: the published sentence as it was read, or the open question which is faster."""
    if sentence is not None:
        return read_claim(sentence, id=name, workload=WORKLOAD, metric=metric)
    return Claim(
        id=name,
        text="no claim",
        source="",
        kind="difference",
        workload=WORKLOAD,
        reading="nothing is claimed: which of the two is faster, if the difference is 1 % or more",
        metric=metric,
        headline=True,
    )


def importable(function: Function) -> str | None:
    """The ``module:name`` under which another process finds a function, or None where there is no such name."""
    if isinstance(function, str):
        return function
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    if module in (None, "__main__") or "<" in name:
        return None
    target = f"{module}:{name}"
    try:
        return target if resolved(target) is function else None
    except UserError:
        return None


def label(function: Function) -> str:
    """What a function is called in a sentence or a record."""
    return function if isinstance(function, str) else getattr(function, "__qualname__", type(function).__name__)


def short(name: str) -> str:
    """The last part of a function's name: ``parse`` of ``mypackage.fast:parse``."""
    return name.rpartition(":")[2].rpartition(">.")[2]


def search_path() -> list[str]:
    """Where this process finds modules, for another one: the current folder first."""
    return list(
        dict.fromkeys(os.path.abspath(entry) for entry in ["", *sys.path] if entry == "" or os.path.isdir(entry))
    )
