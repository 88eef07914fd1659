"""Measures a pair of functions in a test, says what may be asserted of it, and shows and records it."""

from __future__ import annotations

import asyncio
import copy
import inspect
import math
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from argo_bench.comparison import Compared, compare
from argo_bench.errors import UserError
from argo_bench.harness.benchmark import Benchmark
from argo_bench.harness.claims.verdict import Word, word_for
from argo_bench.harness.functions import find_importable_name
from argo_bench.harness.memory import take_reading
from argo_bench.harness.record.records import Declared, Failure, Fidelity, Samples
from argo_bench.harness.workers.agreement import first_difference
from argo_bench.report.marks import MARKS, label_verdict
from argo_bench.report.tables import VERDICT, Column, Row, Table, terminal_table

Answer = Literal["yes", "no", "inconclusive", "not measured"]
WIDTH = 80
BUDGET_S = 60.0


@dataclass(frozen=True, slots=True)
class Expectation:
    """Answers ``assert``: it is true or false where the whole interval says so, else the test is skipped.

    Where nothing was measured, or the interval lies across what is expected, nothing can be said, which is no failure.
    """

    answer: Answer
    seen: str
    expected: str

    def __bool__(self) -> bool:
        if self.answer in ("inconclusive", "not measured"):
            pytest.skip(f"{self.answer}: {self}")
        return self.answer == "yes"

    def __repr__(self) -> str:
        return f"{self.seen}, expected {self.expected}"


@dataclass(slots=True, repr=False)
class Result:
    """Holds the outcome of measuring a pair.

    ``compared`` is None under ``--benchmark-disable``: both agree on their output, and every expectation of time is let
    pass, as that option wants it.
    ``peak_bytes`` are those of baseline and candidate by tracemalloc, where they were asked for.
    """

    name: str
    compared: Compared | None
    peak_bytes: tuple[int, int] | None = None
    asserted: list[Expectation] = field(default_factory=list)

    @property
    def speedup(self) -> float:
        """Return baseline / candidate; above 1 the candidate is faster. It is NaN where nothing was measured."""
        return self.compared.speedup.point if self.compared is not None and self.is_measured else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        if self.compared is None or not self.is_measured:
            return math.nan, math.nan
        return self.compared.speedup.low, self.compared.speedup.high

    @property
    def is_measured(self) -> bool:
        return self.verdict != "untested"

    @property
    def verdict(self) -> Word:
        return "untested" if self.compared is None else self.compared.verdict

    def at_least(self, factor: float) -> Expectation:
        """Say whether the candidate is at least ``factor`` times as fast."""
        return self._expect(factor, f"at least {factor:g}x")

    def not_slower_than(self, tolerance: float) -> Expectation:
        """Say whether the candidate takes at most ``tolerance`` more time, as a share: 0.03 for 3 %."""
        return self._expect(1 / (1 + tolerance), f"at most {100 * tolerance:g} % slower")

    def confirms(self) -> Expectation:
        """Say whether the claim that was passed holds."""
        answer: Answer = "yes" if self.compared is None or self.compared.holds else "no"
        if self.verdict == "inconclusive":
            answer = "inconclusive"
        return self._note(answer, "the claim to hold")

    def _expect(self, least: float, words: str) -> Expectation:
        """Note whether the interval lies above ``least``; it holds at all looks together, so any edge may be asked."""
        low, high = self.interval
        answer: Answer = "yes" if self.compared is None or low >= least else "no" if high < least else "inconclusive"
        return self._note(answer, words)

    def _note(self, answer: Answer, expected: str) -> Expectation:
        is_answered = self.compared is None or self.is_measured
        self.asserted.append(Expectation(answer if is_answered else "not measured", str(self), expected))
        return self.asserted[-1]

    def __str__(self) -> str:
        disabled = "the outputs agree; --benchmark-disable asks for no times"
        return disabled if self.compared is None else str(self.compared)

    def __repr__(self) -> str:
        """Return the sentence, which stands in pytest's account of a failed ``assert``."""
        return str(self)

    def write_row(self) -> list[str]:
        """Return what stands in the table at the end: the test, the verdict, and what was seen and expected."""
        return [self.name, self.verdict, "\n".join([str(self), *_describe_expectations(self)])]

    def facts(self) -> dict[str, Any]:
        """Return what stands in a record of pytest-benchmark's."""
        if self.compared is None or not self.is_measured:
            return {"verdict": self.verdict, "sentence": str(self)}
        judgement = self.compared.judgement
        return {
            "ratio": self.speedup,
            "interval": list(self.interval),
            "level": judgement.level,
            "verdict": self.verdict,
            "replicates": len(self.compared.report.recorded.all(Samples)),
            "peak_bytes": None if self.peak_bytes is None else list(self.peak_bytes),
            "fidelity": judgement.output,
            "sentence": str(self.compared),
        }

    def properties(self) -> list[tuple[str, str]]:
        """Return what stands in JUnit XML."""
        return [(f"argo.{name}", str(value)) for name, value in self.facts().items() if value is not None]


def measure_pair(name: str, options: Mapping[str, Any], *, is_disabled: bool = False) -> Result:
    """Measure a pair.

    Where ``is_disabled``, both functions are called once instead. The test fails where the two do not agree, where one
    raises, and where an option cannot be read.
    """
    chosen = dict(options)
    with_memory = chosen.pop("memory", False)
    for role in ("baseline", "candidate", "setup"):
        if chosen.get(role) is not None:
            chosen[role] = name_for_workers(chosen[role])
    try:
        if is_disabled:
            return _check_only(name, chosen)
        chosen.setdefault("budget_s", BUDGET_S)
        rest = {option: value for option, value in chosen.items() if option not in ("baseline", "candidate")}
        result = Result(name, compare(chosen["baseline"], chosen["candidate"], **rest))
        _check(result)
        if with_memory:
            result.peak_bytes = _read_peaks(chosen)
    except UserError as error:
        pytest.fail(str(error), pytrace=False)
    return result


def name_for_workers(function: Callable[..., Any] | str) -> Callable[..., Any] | str:
    """Return the function, or ``file.py:name`` for one of a test module that workers do not find by its name."""
    if find_importable_name(function) is not None:
        return function
    module, name = sys.modules.get(getattr(function, "__module__", None) or ""), getattr(function, "__qualname__", "<")
    file = str(getattr(module, "__file__", None) or "")
    is_top = name.isidentifier() and getattr(module, name, None) is function and file.endswith(".py")
    return f"{file}:{name}" if is_top else function


def _check(result: Result) -> None:
    """Fail for outputs that differ and for functions that raise, however fast they are."""
    assert result.compared is not None
    recorded = result.compared.report.recorded
    for failure in (each for each in recorded.all(Failure) if each.kind != "untested"):
        pytest.fail(f"the {failure.arm}, {word_for(failure.kind)}: {failure.reason}", pytrace=False)
    if result.compared.verdict == "void":
        difference = next((each.output for each in recorded.all(Fidelity) if not each.faithful), "")
        pytest.fail(f"{result.name}: baseline and candidate do not compute the same, {difference}", pytrace=False)


def _check_only(name: str, options: Mapping[str, Any]) -> Result:
    """Check by one call each, on inputs of their own, whether both agree.

    Both run in this process: what the baseline returns is copied, since the candidate may write into the same buffer.
    """
    from argo_bench.harness.functions import resolve_function

    def call(role: str, *arguments: Any) -> Any:
        function = options[role]
        found = (resolve_function(function) if isinstance(function, str) else function)(*arguments)
        return asyncio.run(_await_value(found)) if inspect.isawaitable(found) else found

    def call_on_own_input(role: str) -> Any:
        made = call("setup") if options.get("setup") is not None else ()
        return call(role, *(made if isinstance(made, tuple) else () if made is None else (made,)))

    check = options.get("check", "allclose")
    before = call_on_own_input("baseline")
    with suppress(Exception):  # what cannot be copied is compared as it is
        before = copy.deepcopy(before)
    after = call_on_own_input("candidate")
    if check is not None and (difference := first_difference(before, after, check)) is not None:
        pytest.fail(f"{name}: baseline and candidate do not compute the same, {difference}", pytrace=False)
    return Result(name, None)


async def _await_value(value: Awaitable[Any]) -> Any:
    return await value


def _read_peaks(options: Mapping[str, Any]) -> tuple[int, int]:
    """Return the traced peaks of both, each in a process of its own."""
    benchmark = Benchmark("memory", options["baseline"], options["candidate"], options.get("setup"))
    with tempfile.TemporaryDirectory() as scratch:
        arms = benchmark.arms(Path(scratch))
        peaks = [take_reading(arms[role], "traced").peak_bytes or 0 for role in ("baseline", "candidate")]
    return peaks[0], peaks[1]


class Fed:
    """Acts as a clock, which ``advance`` sets forward by the next of some durations that were measured elsewhere."""

    __name__ = "argo_bench"

    def __init__(self, durations: Sequence[float]) -> None:
        self._durations: Iterator[float] = iter(durations)
        self._now = 0.0

    def __call__(self) -> float:
        return self._now

    def advance(self) -> None:
        self._now += next(self._durations, 0.0)


def feed_rounds(benchmark: Any, result: Result) -> None:
    """Pass the samples of a candidate to pytest-benchmark as its rounds; where there are none, an empty call is one.

    Its clock is the only way in: a round is what lies between two readings, and a marker could set a clock for the
    test, but not know the samples.
    """
    if result.compared is None:
        benchmark(lambda: None)
        return
    recorded = result.compared.report.recorded
    declared = recorded.all(Declared)[0]
    clock = "wall_ns" if declared.metric == "wall" else "cpu_ns"
    seconds = [
        value / each.candidate_calls / 1e9
        for each in recorded.all(Samples)
        for block in each.blocks
        for arm, value in zip(block.order, getattr(block, clock), strict=True)
        if arm == "B"
    ]
    fed = Fed(seconds)
    benchmark._timer = fed
    if seconds:
        benchmark.pedantic(fed.advance, rounds=len(seconds), iterations=1)


def summarize(rows: Sequence[Sequence[str]], *, is_terminal: bool) -> Iterator[str]:
    """Yield the lines of a table of 80 columns from the rows of results: what was seen, and what was expected of it."""
    from io import StringIO

    from argo_bench.report.console import PlainConsole

    columns = (Column("test", 24), Column(VERDICT, 16), Column("seen, and expected", None))
    words = {str(word): word for word in MARKS}
    made = tuple(Row((name, label_verdict(words[word]), text), words[word]) for name, word, text in rows)
    shown = StringIO()
    console = PlainConsole(
        file=shown, width=WIDTH, force_terminal=is_terminal, no_color=not is_terminal, highlight=False
    )
    console.print(terminal_table(Table("", "", columns, made)))
    yield from (line.rstrip() for line in shown.getvalue().splitlines() if line.strip())


def _describe_expectations(result: Result) -> Iterator[str]:
    words = {"yes": "met", "no": "not met"}
    for each in result.asserted:
        met = "let pass" if result.compared is None else words.get(each.answer, each.answer)
        yield f"{met}: {each.expected}"
