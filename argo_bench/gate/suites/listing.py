"""Lists the benchmarks that a gate would take from a revision, each with the reason where it cannot run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from argo_bench.gate.benchmarks import Benchmark, Settings
from argo_bench.gate.checkouts import Checkout, Role, check_out
from argo_bench.gate.describing import Describer
from argo_bench.gate.repository import Repository
from argo_bench.gate.suites.finding import find_of, name_function
from argo_bench.harness.surroundings import scratch_directory
from argo_bench.harness.workers.messages import function_arm
from argo_bench.harness.workers.processes import ArmFailed, OutOfTime
from argo_bench.report.tables import Column, Row, Table

TABLE = "table"
"""The kind of benchmarks that [tool.argo_bench.benchmarks] names."""
LEFT_OUT = "left out"
UNUSED = "unused"
"""The kind of what a suite's configuration asks for and does not get: no benchmark."""
NO_TIME = "no time was left to try it"


@dataclass(frozen=True, slots=True)
class Listed:
    """Holds one benchmark: its kind, its file in the repository, and its ``problem``, or None where it runs.

    What is of the kind UNUSED is a suite, whose ``problem`` is what its configuration asks for in vain.
    """

    name: str
    kind: str
    file: str
    problem: str | None

    def row(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def list_benchmarks(repository: Repository, head: str, settings: Settings, tell: Callable[[str], None]) -> list[Listed]:
    """Check the head out and install it, find its benchmarks, and call each of them a few times, within the budget.

    Raises UserError where it has neither a table nor a suite.
    """
    until = time.monotonic() + settings.budget_s
    is_own = settings.environment == "own"
    commits: dict[Role, tuple[str, str]] = {"head": (head, repository.commit_of(head))}
    tell("checking the head out and installing it")
    with (
        scratch_directory() as around,
        check_out(
            repository, commits, around.scratch, settings.environment, settings.install, settings.budget_s
        ) as checkouts,
    ):
        checkout = checkouts["head"]
        tell("finding the benchmarks")
        found = find_of(checkout, settings.tolerance, around.scratch, until, is_own=is_own)
        tried = list(_try_all(found.benchmarks, checkout, around.scratch, until, tell))
    left_out = [Listed(name, LEFT_OUT, "", reason) for name, reason in found.left_out.items()]
    unused = [Listed(name, UNUSED, name, ", ".join(asked)) for name, asked in found.unused.items() if asked]
    return [*tried, *left_out, *unused]


def _try_all(
    benchmarks: Sequence[Benchmark], checkout: Checkout, scratch: Path, until: float, tell: Callable[[str], None]
) -> Iterator[Listed]:
    """Yield every benchmark with its problem."""
    with Describer(scratch, until) as describer:
        for benchmark in benchmarks:
            tell(benchmark.name)
            kind = benchmark.suite.kind if benchmark.suite is not None else TABLE
            problem = _try_one(benchmark, checkout, describer, scratch) if time.monotonic() < until else NO_TIME
            yield Listed(benchmark.name, kind, benchmark.file, problem)


def _try_one(benchmark: Benchmark, checkout: Checkout, describer: Describer, scratch: Path) -> str | None:
    """Return why a benchmark cannot run, or None."""
    arm = function_arm("head", name_function(benchmark, checkout, checkout, scratch), checkout.path)
    try:
        describer.describe(benchmark, checkout, arm, scratch / "listed.pickle")
    except ArmFailed as error:
        return str(error)
    except OutOfTime:
        return NO_TIME
    return None


def make_list_table(listed: Sequence[Listed]) -> Table:
    """Tabulate what was found, with what cannot run at the end, and say under it what was not used."""
    found = [each for each in listed if each.kind != UNUSED]
    problems = [each for each in found if each.problem is not None]
    kinds = dict.fromkeys(each.kind for each in found if each.kind != LEFT_OUT)
    counted = ", ".join(f"{sum(each.kind == kind for each in found)} of {kind}" for kind in kinds)
    title = f"{len(found) - len(problems)} of {len(found)} benchmarks run: {counted or 'none was found'}"
    notes = [
        f"The configuration of {each.name} asks for {each.problem}, which is not used: each revision has one "
        "environment, with the Python that runs the gate and the versions that pip chooses."
        for each in listed
        if each.kind == UNUSED
    ]
    rows = tuple(
        Row((each.name, each.kind, each.problem or "runs"), None, False)
        for each in sorted(found, key=lambda each: each.problem is not None)
    )
    return Table(title, " ".join(notes), (Column("benchmark", 36), Column("kind", 16), Column("runs?", None)), rows)
