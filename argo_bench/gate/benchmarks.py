"""Reads what a gate compares, functions that a repository's pyproject.toml names, and the settings of the gate.

[tool.argo_bench.benchmarks.parse]
function = "mypackage.parser:parse"      # or "benchmarks/parse.py:parse"
setup = "benchmarks/parse.py:example"    # makes the arguments
counts = "benchmarks/parse.py:counts"    # a dict of exact numbers: requests, tokens, SQL statements ...

[tool.argo_bench.ci]
tolerance = "3%"
budget = "5m"
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from argo_bench.errors import UserError
from argo_bench.gate.checkouts import Environment
from argo_bench.gate.repository import PYPROJECT
from argo_bench.harness.benchmark import CHECKS
from argo_bench.harness.claims.metrics import CLOCKS, Clock
from argo_bench.harness.durations import seconds, share
from argo_bench.harness.table import FUNCTION, Entry, read_entries
from argo_bench.loading import settings_of

TOLERANCE = 0.03
BUDGET_S = 600.0
SETTINGS = ("base", "tolerance", "budget", "environment", "install", "accepted")
EXAMPLE = (
    "expected a table such as\n\n    [tool.argo_bench.benchmarks.parse]\n"
    '    function = "mypackage.parser:parse"\n    setup = "benchmarks/parse.py:example"'
)


@dataclass(frozen=True, slots=True)
class SuitePlace:
    """Says where a benchmark of a suite stands: in which ``file``, below which ``root``, both relative to the worktree.

    ``kind`` names the suite's tool, ``inside`` our module that runs it in an environment. A benchmark that is not
    ``is_timed`` only counts. The files of a suite that ``is_laid_over`` are the head's in both worktrees; otherwise
    those in the head's worktree serve both sides. ``limit_s`` is how long the tool lets a benchmark run, if it says so,
    and once more what it makes before all calls where it ``has_cache``.
    """

    kind: str
    inside: str
    root: str
    file: str
    is_timed: bool = True
    is_laid_over: bool = False
    limit_s: float | None = None
    has_cache: bool = False


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Names one function that a gate times in two revisions.

    ``function`` of a module is each revision's own; of a ``file.py`` it is the head's for both, so that both are asked
    for the same work. ``metric`` is CPU time, or wall time where the function waits, unless it is named. ``tolerance``
    is the slow-down, as a share, that does not matter. ``check`` is how the two outputs are compared: ``allclose``,
    ``equal`` or ``none``. ``counts`` names what returns exact counts of its own. Of a benchmark in a ``suite`` the
    function is the name by which the suite knows it.
    """

    name: str
    function: str
    setup: str
    check: str
    metric: Clock | None
    fresh: bool
    tolerance: float
    counts: str
    suite: SuitePlace | None = None

    @property
    def is_timed(self) -> bool:
        return self.suite is None or self.suite.is_timed

    @property
    def file(self) -> str:
        """Return the file in which the function stands, relative to the repository."""
        if self.suite is not None:
            return self.suite.file
        module = self.function.rpartition(":")[0]
        return module if module.endswith(".py") else module.replace(".", "/") + ".py"


@dataclass(frozen=True, slots=True)
class Settings:
    """Holds the gate's settings.

    ``base`` is the revision to compare with, where none is named; ``install`` are pip's arguments.
    """

    base: str | None = None
    tolerance: float = TOLERANCE
    budget_s: float = BUDGET_S
    environment: Environment = "own"
    install: tuple[str, ...] = ()


def read_settings(root: Path) -> Settings:
    """Read [tool.argo_bench.ci] of a repository. Raises UserError, naming the key, for what cannot be read."""
    path = root / PYPROJECT
    table = settings_of(path).get("ci", {})
    where = f"{path}, [tool.argo_bench.ci]"
    if not isinstance(table, dict):
        raise UserError(f"{where}: expected a table, got {table!r}")
    if unknown := sorted(table.keys() - set(SETTINGS)):
        raise UserError(f"{where}: unknown key {unknown[0]!r}: expected {', '.join(SETTINGS)}")
    environment = table.get("environment", "own")
    if environment not in get_args(Environment):
        raise UserError(f"{where}: expected environment to be own or current, got {environment!r}")
    try:
        budget_s = seconds(str(table["budget"])) if "budget" in table else BUDGET_S
        tolerance = share(table.get("tolerance", TOLERANCE))
    except ValueError as error:
        raise UserError(f"{where}: {error}") from None
    install = tuple(shlex.split(_read_text(where, table, "install")))
    return Settings(_read_text(where, table, "base") or None, tolerance, budget_s, environment, install)


def has_table(root: Path) -> bool:
    """Say whether a pyproject.toml has a table of benchmarks."""
    return bool(settings_of(root / PYPROJECT).get("benchmarks"))


def read_benchmarks(root: Path, tolerance: float) -> list[Benchmark]:
    """Read the benchmarks of a repository; of a pair of functions (as for argo-bench compare) the candidate is taken.

    Raises UserError, naming the table, for what is missing, unknown or of another type, and where there is none.
    """
    path = root / PYPROJECT
    found = [_benchmark_of(each, tolerance) for each in read_entries(path)]
    if not found:
        raise UserError(f"{path} has no [tool.argo_bench.benchmarks], and the project no suite: {EXAMPLE}")
    return found


def _benchmark_of(entry: Entry, tolerance: float) -> Benchmark:
    function = entry.text(FUNCTION) or entry.text("candidate")
    if ":" not in function:
        raise UserError(f'{entry.where}: expected function = "module:name" or "file.py:name", got {function!r}')
    check, metric = entry.text("check") or "allclose", entry.text("metric") or None
    if entry.is_pair:  # a check of two functions, or a claim about memory, says nothing about two revisions
        check = check if check in (*CHECKS, "none") else "allclose"
        metric = metric if metric in CLOCKS else None
    if check not in (*CHECKS, "none"):
        raise UserError(f"{entry.where}: expected the check {', '.join(CHECKS)} or none, got {check!r}")
    if metric not in (None, *CLOCKS):
        raise UserError(f"{entry.where}: expected the metric {' or '.join(CLOCKS)}, got {metric!r}")
    try:
        own = share(entry.keys.get("tolerance", tolerance))
    except ValueError as error:
        raise UserError(f"{entry.where}: {error}") from None
    clock = cast("Clock | None", metric)
    fresh = bool(entry.keys.get("fresh", False))
    return Benchmark(entry.name, function, entry.text("setup"), check, clock, fresh, own, entry.text("counts"))


def _read_text(where: str, table: Mapping[str, Any], key: str) -> str:
    if not isinstance(value := table.get(key, ""), str):
        raise UserError(f"{where}: expected {key} to be a text, got {value!r}")
    return value
