"""Finds what a gate compares: the table of a repository, or else the suites that it has already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from argo_bench.errors import UserError
from argo_bench.gate.benchmarks import TOLERANCE, Benchmark, has_table, read_benchmarks
from argo_bench.gate.checkouts import Checkout, Role
from argo_bench.gate.installing import install_more
from argo_bench.gate.suites import asv, pytest_benchmarks
from argo_bench.gate.suites.suite import Found
from argo_bench.harness.workers.messages import InSuite, UserFunction
from argo_bench.harness.workers.processes import OutOfTime

MOST_MISSING = 5


@dataclass(frozen=True, slots=True)
class Compared:
    """Holds the head's benchmarks, those that only the base has with their files, and those left out with reasons."""

    benchmarks: list[Benchmark]
    removed: Mapping[str, str]
    left_out: Mapping[str, str]


def find_compared(
    checkouts: Mapping[Role, Checkout], tolerance: float, scratch: Path, until: float, *, is_own: bool
) -> Compared:
    """Return what both revisions are compared by: the head's table, or else its suites.

    What suites need is installed where both environments are the gate's own (``is_own``). Raises UserError for a table
    that cannot be read, and where there is neither a table nor a suite.
    """
    head, base = checkouts["head"], checkouts["base"]
    if not _takes_suites(head.root):
        benchmarks = read_benchmarks(head.root, tolerance)
        return Compared(benchmarks, _name_removed(benchmarks, _read_those_of(base)), {})

    found, before = _find_suites((head, base), tolerance, scratch, until, is_own=is_own)
    if not found.benchmarks and not found.left_out:
        read_benchmarks(head.root, tolerance)  # which says that there is no table either
    laid_over = [each.file for each in found.benchmarks if each.suite is not None and each.suite.is_laid_over]
    pytest_benchmarks.lay_over([each for each in laid_over if (head.worktree / each).is_file()], head, base)
    known = [each for each in before.benchmarks if each.name not in found.left_out]
    return Compared([*found.benchmarks], _name_removed(found.benchmarks, known), found.left_out)


def find_of(checkout: Checkout, tolerance: float, scratch: Path, until: float, *, is_own: bool) -> Found:
    """Return the benchmarks of one revision, by its table or else its suites. Raises UserError where it has neither."""
    if not _takes_suites(checkout.root):
        return Found(read_benchmarks(checkout.root, tolerance))
    return _find_suites((checkout,), tolerance, scratch, until, is_own=is_own)[0]


def _takes_suites(root: Path) -> bool:
    """Say whether a project has no table and has suites."""
    return not has_table(root) and _has_suite(root)


def _has_suite(root: Path) -> bool:
    return bool(asv.find_suites(root)) or pytest_benchmarks.has_tests(root)


def _find_suites(
    checkouts: Sequence[Checkout], tolerance: float, scratch: Path, until: float, *, is_own: bool
) -> list[Found]:
    """Return what each revision's suites have; what those of the first one need is installed for all.

    What a file of the first one does not find is installed too, where an extra or a group of the project names it.
    """
    root = checkouts[0].root
    suites, has_tests = asv.find_suites(root), pytest_benchmarks.has_tests(root)
    needed = [*(asv.NEEDED if suites else ()), *(pytest_benchmarks.NEEDED if has_tests else ())]
    wanted = [each for suite in suites for each in suite.requirements]
    wanted += pytest_benchmarks.list_requirements(root) if has_tests else []

    def find(checkout: Checkout) -> Found:
        if is_own and checkout.failure is None:
            install_more(checkout.python, needed, wanted, checkout.root, until)
        return _discover(checkout, tolerance, scratch, until)

    with ThreadPoolExecutor() as pool:
        found = list(pool.map(find, checkouts))
        for _ in range(MOST_MISSING if is_own else 0):  # a file names one module at a time that it does not find
            missing = pytest_benchmarks.find_missing(root, found[0].left_out.values())
            if {*missing} <= {*wanted}:
                break
            wanted = [*wanted, *missing]
            found = list(pool.map(find, checkouts))
    return found


def _discover(checkout: Checkout, tolerance: float, scratch: Path, until: float) -> Found:
    suites, has_tests = asv.find_suites(checkout.root), pytest_benchmarks.has_tests(checkout.root)
    benchmarks: list[Benchmark] = []
    left_out: dict[str, str] = {}
    unused = {each.folder.relative_to(checkout.worktree.resolve()).as_posix(): each.unused for each in suites}
    try:
        for suite in suites:
            one = asv.discover(suite, checkout, tolerance, scratch, until)
            benchmarks += one.benchmarks
            left_out |= one.left_out
        if has_tests:
            one = pytest_benchmarks.discover(checkout, tolerance, scratch, until)
            benchmarks += one.benchmarks
            left_out |= one.left_out
    except OutOfTime:
        left_out["its suites"] = "no time was left to find their benchmarks"
    return Found(benchmarks, left_out, unused)


def _read_those_of(base: Checkout) -> list[Benchmark]:
    """Return the benchmarks that the base has; none where its table cannot be read, as the head's can."""
    try:
        return read_benchmarks(base.root, TOLERANCE)
    except UserError:
        return []


def _name_removed(benchmarks: Sequence[Benchmark], before: Sequence[Benchmark]) -> dict[str, str]:
    names = {each.name for each in benchmarks}
    return {each.name: each.file for each in before if each.name not in names}


def name_function(benchmark: Benchmark, checkout: Checkout, head: Checkout, scratch: Path) -> UserFunction:
    """Return what a worker of a side calls; files, and the benchmarks of a suite, are the head's for both sides."""
    place = benchmark.suite
    if place is None:
        return UserFunction(
            in_head(benchmark.function, head.root), in_head(benchmark.setup, head.root), benchmark.fresh
        )
    folder = scratch / f"{place.kind}-{checkout.role}"
    root = str((checkout if place.is_laid_over else head).worktree.resolve() / place.root)
    suite = InSuite(f"{place.inside}:make_body", root, str(folder), checkout.libraries is not None)
    return UserFunction(benchmark.function, suite=suite)


def in_head(target: str, head: Path) -> str:
    """Return a target in a file as the head has it, and one in a module as it is."""
    module, colon, name = target.rpartition(":")
    return f"{head / module}{colon}{name}" if module.endswith(".py") else target
