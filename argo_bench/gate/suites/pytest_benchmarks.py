"""Finds tests of pytest-benchmark, has pytest collect them, and says what they need."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from argo_bench.gate.benchmarks import Benchmark, SuitePlace
from argo_bench.gate.checkouts import Checkout
from argo_bench.gate.repository import PYPROJECT
from argo_bench.gate.suites.suite import Found, ask_inside
from argo_bench.harness.workers.processes import ArmFailed

KIND = "pytest-benchmark"
INSIDE = "_argo_bench.gate.suites.pytest_inside"
NEEDED = ("pytest>=7", "pytest-benchmark")
NOT_FOUND = re.compile(r"No module named '(\w+)")
USES = re.compile(r"\bdef \w+\([^)]*\bbenchmark\b")
GROUPS = (
    re.compile(r"tests?|testing|bench(mark)?s?|benchmarking|perf", re.IGNORECASE),
    re.compile(r"dev|development", re.IGNORECASE),
)
"""Extras and groups of these names are what tests need; those of the second pattern where none has the first."""
FILES = (
    *("requirements*test*.txt", "*test*requirements*.txt", "tests/requirements.txt"),
    *(f"requirements/{name}*.txt" for name in ("test", "pytest", "bench", "codspeed")),
)
FOLDER = re.compile(r"tests?|bench\w*|perf\w*", re.IGNORECASE)
"""A folder of such a name has tests, and what they read, rather than what is tested."""


def has_tests(root: Path) -> bool:
    """Say whether a test or fixture below a folder takes an argument ``benchmark``."""
    return any(USES.search(file.read_text(encoding="utf-8", errors="replace")) for file in _list_python(root))


def _list_python(root: Path) -> Iterator[Path]:
    for file in sorted(root.rglob("*.py")):
        if not any(part.startswith(".") for part in file.relative_to(root).parts):
            yield file


def list_requirements(root: Path) -> list[str]:
    """Return what pip installs for the tests of a project: its extras, groups and files of requirements for them."""
    found = [part for file in sorted(_list_files(root)) for part in ("-r", str(file))]
    groups = _read_groups(root)
    for pattern in GROUPS:
        if names := [name for name in groups if pattern.fullmatch(name)]:
            return [*found, *dict.fromkeys(each for name in names for each in groups[name])]
    return found


def find_missing(root: Path, reasons: Iterable[str]) -> list[str]:
    """Return the requirements of a project's extras and groups that are named as the modules that were not found."""
    modules = {_normalize(match[1]) for reason in reasons for match in NOT_FOUND.finditer(reason)}
    return [
        each
        for requirements in _read_groups(root).values()
        for each in requirements
        if (match := re.match(r"[\w.\-]+", each)) is not None and _normalize(match[0]) in modules
    ]


def _normalize(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _read_groups(root: Path) -> dict[str, list[str]]:
    """Return the requirements of a project's extras and dependency groups, by name."""
    groups: dict[str, list[str]] = {}
    try:
        tables: dict[str, Any] = tomllib.loads((root / PYPROJECT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return groups
    for table in (tables.get("project", {}).get("optional-dependencies", {}), tables.get("dependency-groups", {})):
        for name in table if isinstance(table, dict) else ():
            groups.setdefault(name, []).extend(_expand(table, name, ()))
    return groups


def _list_files(root: Path) -> set[Path]:
    return {file for pattern in FILES for file in root.glob(pattern)}


def _expand(table: Mapping[str, Any], name: str, within: tuple[str, ...]) -> Iterator[str]:
    """Yield the requirements of a group, and of the groups that it includes (PEP 735)."""
    for each in table.get(name, ()) if name not in within else ():
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict) and "include-group" in each:
            yield from _expand(table, str(each["include-group"]), (*within, name))


def discover(checkout: Checkout, tolerance: float, scratch: Path, until: float) -> Found:
    """Return the tests that pytest collects in a revision's environment and that use ``benchmark``.

    Where it cannot collect at all, the tests stand as one benchmark, which says why. Raises OutOfTime.
    """
    worktree = checkout.worktree.resolve()
    where = checkout.root.resolve().relative_to(worktree).as_posix()
    try:
        if checkout.failure is not None:
            raise ArmFailed(checkout.failure)
        asked = {"root": str(checkout.root.resolve()), "is_installed": "yes" if checkout.libraries is not None else ""}
        found = json.loads(ask_inside(checkout, f"{INSIDE}:discover", scratch, until, **asked))
    except ArmFailed:
        return Found([_make_benchmark(f"pytest-benchmark: {where}", "", where, where, tolerance)])
    benchmarks = [
        _make_benchmark(each["name"], each["name"], where, _relate(each["file"], worktree), tolerance)
        for each in found["benchmarks"]
    ]
    return Found(benchmarks, {name: f"it cannot be collected: {reason}" for name, reason in found["broken"].items()})


def _relate(file: str, worktree: Path) -> str:
    return Path(file).resolve().relative_to(worktree).as_posix()


def _make_benchmark(name: str, function: str, root: str, file: str, tolerance: float) -> Benchmark:
    place = SuitePlace(KIND, INSIDE, root, file, is_laid_over=True)
    return Benchmark(name, function, "", "none", None, False, tolerance, "", place)


def lay_over(files: Collection[str], head: Checkout, base: Checkout) -> None:
    """Copy the head's tests over those of the base, with the folders of tests that they stand in and every conftest.py.

    What is tested stays the base's. Both are then asked for the same work by the same names.
    """
    for part in sorted({_find_outermost(file) for file in files}):
        source, target = head.worktree / part, base.worktree / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True, ignore_dangling_symlinks=True)
        else:
            shutil.copy2(source, target)
    for folder in {parent for file in files for parent in Path(file).parents}:
        conftest = head.worktree / folder / "conftest.py"
        if conftest.is_file() and (base.worktree / folder).is_dir():
            shutil.copy2(conftest, base.worktree / folder / "conftest.py")


def _find_outermost(file: str) -> str:
    """Return the outermost folder of tests that a file stands in, or the file itself."""
    parts = Path(file).parts
    for number, part in enumerate(parts[:-1]):
        if FOLDER.fullmatch(part):
            return Path(*parts[: number + 1]).as_posix()
    return file
