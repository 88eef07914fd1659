"""Makes a subject of a user's two callables: how they are named, fed and checked, and what is claimed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import msgspec

from argo_bench.errors import UserError
from argo_bench.harness.claims.claim import Claim
from argo_bench.harness.claims.metrics import MEASURED, MEMORY, Metric, is_memory
from argo_bench.harness.claims.sentence import read_claim
from argo_bench.harness.functions import find_importable_name, resolve_function, search_path
from argo_bench.harness.labels import label, label_both, shorten_name
from argo_bench.harness.plan import Profile
from argo_bench.harness.record.records import Comparison, Declaration, Declared, Failure, Fidelity, WorkloadFacts
from argo_bench.harness.subject import Ask, Counting, MemoryQuestion, OutputCheck, Settled, Tell, Trial
from argo_bench.harness.suspicions import (
    find_lazy,
    may_repeat_answers,
    weigh,
    without_common,
    write_agreement,
    write_difference,
    write_outcome,
)
from argo_bench.harness.workers.causes import Suspicion
from argo_bench.harness.workers.messages import (
    Agree,
    Agreement,
    Arm,
    CompareResults,
    Examine,
    Examined,
    FindRepeatedAnswer,
    Message,
    UserFunction,
    WriteResult,
    Written,
    function_arm,
)
from argo_bench.harness.workers.timing import is_async

Function = Callable[..., Any] | str
"""A function is given as a callable, or by its name as ``module:name`` or ``file.py:name``."""

Check = Literal["allclose", "equal"] | Callable[[Any, Any], object] | str | None
CHECKS = ("allclose", "equal")
WORKLOAD = "call"
CALLS, ITEMS = "calls", "items"
"""The scale of a benchmark counts one call, or the items of an input whose size was named."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A benchmark compares ``candidate`` with ``baseline``; both are called with what ``setup`` returns.

    ``setup`` returns nothing, one argument, or a tuple of arguments. It runs once in every process, or before every
    call where ``fresh`` is set. ``check`` says when two outputs agree: ``allclose`` (whole numbers agree exactly,
    others as numpy.allclose has it), ``equal``, a callable that gets both outputs and returns False or fails an
    assertion where they differ, or None for no check. Unless ``metric`` names one, CPU time is measured where both
    functions compute and wall time where one of them waits. ``claim`` is the sentence to be judged; without one the
    question is which of the two is faster.

    Each function is measured in a process of its own. Local ones are copied to both, each with a copy of what it closes
    over. Raises UserError for an unknown metric or check, for a function that is neither a callable nor a name, and for
    a claim that cannot be read.

    With ``spread`` both functions are timed on all processors instead of one; it is set where calling them shows that
    one of them computes in threads or processes of its own, and time on the wall is measured then unless a metric is
    named. ``clock_by`` says by what the metric was chosen. ``size`` is that of the input, where it is one of several.
    """

    name: str
    baseline: Function
    candidate: Function
    setup: Function | None = None
    check: Check = "allclose"
    metric: Metric | None = None
    claim: str | None = None
    fresh: bool = False
    spread: bool = field(default=False, kw_only=True)
    clock_by: str = field(default="", kw_only=True)
    size: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if self.metric is not None and self.metric not in MEASURED:
            raise UserError(f"{self.name}: expected a metric of {', '.join(MEASURED)}, got {self.metric!r}")
        if isinstance(self.check, str) and self.check not in CHECKS and ":" not in self.check:
            raise UserError(
                f"{self.name}: expected the check allclose, equal or module:name of a function, got {self.check!r}"
            )
        for function in self._functions():
            if not callable(function) and not isinstance(function, str):
                raise UserError(f"{self.name}: expected a function or its module:name, got {function!r}")
        if callable(self.check) and is_async(self.check):
            raise UserError(f"{self.name}: expected a plain function as the check, got the async {label(self.check)}")
        self._read(self.claim)

    @classmethod
    def of(cls, declared: Declared) -> Benchmark:
        """Rebuild the benchmark of a record: it can be judged again, but not run."""
        baseline, candidate = map(shorten_name, (declared.baseline, declared.candidate))
        return cls(declared.name, baseline, candidate, metric=declared.metric, claim=declared.claim)

    def check_functions(self) -> Benchmark:
        """Return this benchmark once every function that is given by its name has been found.

        Raises UserError for a function that cannot be found.
        """
        for function in self._functions():
            if isinstance(function, str):
                resolve_function(function, search_path())
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
        return Comparison(self.name, WORKLOAD, *self._scale(), "baseline", "candidate")

    @property
    def is_local(self) -> bool:
        """Say whether one of the functions cannot be imported by another process."""
        return any(find_importable_name(each) is None for each in self._functions())

    def _functions(self) -> list[Function]:
        return [each for each in (self.baseline, self.candidate, self.setup) if each is not None]

    def _read(self, claim: str | None) -> Claim:
        return claim_of(self.name, claim, self.metric or "cpu")

    def _scale(self) -> tuple[int, str]:
        return (1, CALLS) if self.size is None else (self.size, ITEMS)

    def at_sizes(self, sizes: Sequence[int]) -> list[Benchmark]:
        """Return this benchmark on an input of each size, which its setup makes.

        Raises UserError where there is no setup that could be told the size.
        """
        if self.setup is None:
            raise UserError(f"{self.name}: sizes need a setup that takes one, as in --setup mymodule:make_input")
        make = resolve_function(self.setup, search_path()) if isinstance(self.setup, str) else self.setup
        return [replace(self, name=f"{self.name} at {n:,}", setup=functools.partial(make, n), size=n) for n in sizes]

    def with_metric(self, metric: Metric) -> Benchmark:
        return replace(self, metric=metric)

    def describe_functions(self) -> Declared:
        """Return the line that the record keeps of this benchmark, from which its verdict can be computed again.

        The metric must be settled.
        """
        assert self.metric is not None
        baseline, candidate = label_both(self.baseline, self.candidate)
        return Declared(
            name=self.name,
            baseline=baseline,
            candidate=candidate,
            setup="" if self.setup is None else label(self.setup),
            check="" if self.check is None else label(self.check),
            fresh=self.fresh,
            metric=self.metric,
            claim=self.claim,
            clock_by=self.clock_by,
        )

    def declaration(self) -> Declaration:
        """Return the line that the record keeps of this benchmark's claim, arms and workload.

        The metric must be settled before the claim can be judged.
        """
        names = map(shorten_name, label_both(self.baseline, self.candidate))
        functions = dict(zip(("baseline", "candidate"), names, strict=True))
        scale, unit = self._scale()
        facts = WorkloadFacts(WORKLOAD, unit, [scale])
        return Declaration(
            self.name, self.name, [*self.variants], [*self.claims], [facts], family=self.name, functions=functions
        )

    def comparisons(self, profile: Profile) -> list[Comparison]:
        return [self.comparison]

    def memory_questions(self, profile: Profile) -> list[MemoryQuestion]:
        """Return the comparison where its metric is a figure of memory; memory is not measured otherwise."""
        metric = self.metric or "cpu"
        if not is_memory(metric):
            return []
        return [MemoryQuestion(self.comparison, {MEMORY[metric].method: profile.memory_looks})]

    def obstacles(self, comparisons: Sequence[Comparison]) -> list[tuple[str, str, Collection[Comparison]]]:
        return []

    def needs(self, comparison: Comparison) -> frozenset[str]:
        return frozenset()

    def settle(self, reference: Ask, candidate: Ask, scratch: Path) -> Settled:
        """Examine each function in a process of its own, compare their outputs, and choose clock and processors."""
        arms = self.arms(scratch)
        files = self._result_files(scratch)
        asks = {"baseline": reference, "candidate": candidate}
        found: dict[str, Examined] = {
            name: asks[name](Examine(arms[name], files[name], self.check is not None), Examined) for name in arms
        }
        others = {"baseline": found["candidate"], "candidate": found["baseline"]}
        suspicions = {name: without_common(each.suspicions, others[name].reached) for name, each in found.items()}
        settled = self._choose_clock(found, suspicions)
        lines: list[msgspec.Struct] = [settled.describe_functions(), settled.declaration()]
        outcome: Fidelity | Failure | None = None
        if self.check is not None:
            outcome = self._judge_outputs(reference, arms, files, found, suspicions)
            lines.append(outcome)
        call_ns = {arms[name].key: each.call_ns for name, each in found.items()}
        built_ns = sum(each.built_ns for each in found.values())
        return Settled(settled, lines, outcome is None or is_timed(outcome), call_ns, built_ns)

    def _choose_clock(self, found: Mapping[str, Examined], suspicions: dict[str, list[Suspicion]]) -> Benchmark:
        """Return this benchmark with its metric and processors; what could not be told becomes a suspicion."""
        is_parallel = any(each.cause == "several processors" for those in suspicions.values() for each in those)
        if self.metric is not None and is_memory(self.metric):
            for those in suspicions.values():
                those[:] = [each for each in those if each.cause != "several processors"]
        if self.metric is not None:
            return replace(self, spread=is_parallel)
        if is_parallel:
            return replace(self, metric="wall", spread=True, clock_by="several processors")
        waiting = [each for each in found.values() if each.waits]
        told_by = sorted({each.told_by for each in waiting or found.values()})
        if waiting and told_by == ["nothing"]:
            unknown = "is called too rarely to tell whether it waits"
            suspicions["candidate"].append(Suspicion("clock is unknown", unknown))
        return replace(self, metric="wall" if waiting else "cpu", clock_by=", ".join(told_by))

    def _judge_outputs(
        self,
        ask: Ask,
        arms: Mapping[str, Arm],
        files: Mapping[str, str],
        found: Mapping[str, Examined],
        suspicions: dict[str, list[Suspicion]],
    ) -> Fidelity | Failure:
        """Return the line of the record that says whether the outputs agree and what is held against the functions."""
        void = [each for each in weigh(suspicions) if each.outcome == "void"]
        if void:
            return write_difference(self.name, "candidate", WORKLOAD, void[0].said)
        agreement = self._compare(ask, arms, files, all(each.is_written for each in found.values()))
        if agreement.difference is not None:
            return write_difference(self.name, "candidate", WORKLOAD, agreement.difference)
        suspicions["candidate"] += [*agreement.suspicions, *find_lazy(found["baseline"], found["candidate"])]
        if may_repeat_answers(found["candidate"]):
            asked = FindRepeatedAnswer(files["baseline"], files["candidate"], arms["candidate"])
            suspicions["candidate"] += ask(asked, Agreement).suspicions
        held = weigh(suspicions)
        outcome = write_outcome(self.name, "candidate", WORKLOAD, held)
        return outcome or write_agreement(self.name, "candidate", WORKLOAD, [each.said for each in held])

    def _compare(self, ask: Ask, arms: Mapping[str, Arm], files: Mapping[str, str], are_written: bool) -> Agreement:
        """Compare both outputs from their files, or by calling both functions in one process where they have none."""
        check = self._check_name()
        asked: Message = (
            CompareResults(files["baseline"], files["candidate"], arms["candidate"], check)
            if are_written
            else Agree(arms["baseline"], arms["candidate"], check)
        )
        agreement: Agreement = ask(asked, Agreement)
        return agreement

    def _check_name(self) -> str:
        return "pickled" if callable(self.check) else self.check or ""

    def _result_files(self, scratch: Path) -> dict[str, str]:
        return {name: str(scratch / f"{name}-{abs(hash(self.name))}.pickle") for name in ("baseline", "candidate")}

    def confirm(self, reference: Ask, candidate: Ask, scratch: Path) -> Fidelity | Failure | None:
        """Compare what both functions return in the processes that timed them; None where that is the same.

        A function that is right at first and wrong later, or right only where the other one has run, is found so.
        Results whose digests are known to agree are not read again.
        """
        if not self.check:
            return None
        arms, files = self.arms(scratch), self._result_files(scratch)
        is_sampled = self.check in CHECKS
        written: dict[str, Written] = {
            name: ask(WriteResult(arms[name], files[name], is_sampled), Written)
            for name, ask in (("baseline", reference), ("candidate", candidate))
        }
        if any(each.unread is not None for each in written.values()):
            agreement = Agreement(None)
        else:
            agreement = self._compare_once(reference, arms, files, [each.digest for each in written.values()], scratch)
        if agreement.difference is not None:
            return write_difference(self.name, "candidate", WORKLOAD, f"after it was timed, {agreement.difference}")
        changes = {name: [*each.suspicions] for name, each in written.items()}
        return write_outcome(self.name, "candidate", WORKLOAD, weigh(changes))

    def _compare_once(
        self, ask: Ask, arms: Mapping[str, Arm], files: Mapping[str, str], digests: Sequence[str], scratch: Path
    ) -> Agreement:
        known = scratch / f"agreed-{abs(hash(self.name))}"
        pair = " ".join(digests)
        if known.is_file() and pair in known.read_text(encoding="utf-8").splitlines():
            return Agreement(None)
        agreement = self._compare(ask, arms, files, are_written=True)
        if agreement.difference is None:
            with known.open("a", encoding="utf-8") as file:
                file.write(f"{pair}\n")
        return agreement

    def settle_unchecked(self) -> Settled:
        """Return the benchmark without calling its functions: CPU time decides unless a metric is named."""
        settled = self.with_metric(self.metric or "cpu")
        return Settled(settled, [settled.describe_functions(), settled.declaration()], is_faithful=False)

    def feed(self, comparisons: Sequence[Comparison], seed: int, scratch: Path, tell: Tell) -> Mapping[Comparison, str]:
        return {}

    def arm(self, comparison: Comparison, name: str, scratch: Path) -> Arm:
        return self.arms(scratch)[name]

    def checks(self, comparisons: Sequence[Comparison], scratch: Path) -> list[OutputCheck]:
        return []

    def countings(self, profile: Profile, seeds: Sequence[int]) -> list[Counting]:
        return []

    def trials(self, profile: Profile) -> list[Trial]:
        return []

    def arms(self, scratch: Path) -> dict[str, Arm]:
        """Return both arms by name; local functions are written to a file under ``scratch``.

        Raises UserError for a local function that cannot be copied to another process.
        """
        pickled = self._pickle_functions(scratch) if self.is_local or callable(self.check) else ""
        setup = "" if self.setup is None else find_importable_name(self.setup) or ""
        return {
            name: function_arm(
                name,
                UserFunction(find_importable_name(function) or "", setup, self.fresh, pickled, self.spread),
                path=tuple(search_path()),
                key=f"{self.name} {name}",
            )
            for name, function in (("baseline", self.baseline), ("candidate", self.candidate))
        }

    def _pickle_functions(self, scratch: Path) -> str:
        file = scratch / f"functions-{abs(hash(self.name))}.pickle"
        if file.exists():
            return str(file)
        from argo_bench.harness.packing import pack_functions

        roles = {"baseline": self.baseline, "candidate": self.candidate, "setup": self.setup, "check": self.check}
        file.write_bytes(pack_functions({role: each for role, each in roles.items() if callable(each)}))
        return str(file)


def is_timed(outcome: Fidelity | Failure) -> bool:
    """Say whether functions of which this was found are timed."""
    return isinstance(outcome, Fidelity) and outcome.faithful


def claim_of(name: str, sentence: str | None, metric: Metric) -> Claim:
    """Return the claim of a benchmark: the sentence as it was read, or the open question which arm is faster."""
    if sentence is not None:
        return read_claim(sentence, id=name, workload=WORKLOAD, metric=metric)
    return Claim(
        id=name,
        text="no claim",
        source="",
        kind="difference",
        workload=WORKLOAD,
        reading="nothing is claimed: which of the two is faster, by 1 % or 2 ns a call at the least",
        metric=metric,
        headline=True,
    )
