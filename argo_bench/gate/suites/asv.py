"""Finds suites of asv by their asv.conf.json, has asv-runner discover what is in them, and says what they need."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argo_bench.gate.benchmarks import Benchmark, SuitePlace
from argo_bench.gate.checkouts import Checkout
from argo_bench.gate.suites.suite import Found, ask_inside
from argo_bench.harness.workers.processes import ArmFailed

KIND = "asv"
INSIDE = "_argo_bench.gate.suites.asv_inside"
NEEDED = ("asv-runner>=0.3", "pympler")
CONFIGURATIONS = ("asv.conf.json", "asv.conf.jsonc")
BENCHMARKS = "benchmarks"
"""The folder of a suite where its configuration names none, relative to the file."""
TEXT_OR_COMMENT = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
TEXT_OR_LAST_COMMA = re.compile(r'("(?:\\.|[^"\\])*")|,(?=\s*[}\]])')
ENVIRONMENTS = ("req", "env", "env_nobuild")
"""The parts of a matrix: packages, and environment variables of two kinds."""
COMMANDS = ("install_command", "build_command")
USUAL_LIMIT_S = 60.0
"""asv gives a benchmark so many seconds where neither it nor the configuration says otherwise."""
LEFT_ALONE = ("node_modules", "build", "dist", "env", "venv", "site-packages")


@dataclass(frozen=True, slots=True)
class Suite:
    """Holds a suite: its folder of benchmarks, the packages that its matrix asks for, and what is ``unused`` of it.

    A benchmark that has no ``timeout`` of its own runs for ``limit_s`` seconds at most.
    """

    folder: Path
    requirements: tuple[str, ...]
    unused: tuple[str, ...] = ()
    limit_s: float = USUAL_LIMIT_S


def find_suites(root: Path) -> list[Suite]:
    """Return the suites whose configuration lies in a project or in its folders, three levels deep at most."""
    files = [file for file in _walk(root, 3) if file.name in CONFIGURATIONS]
    suites = [_read_suite(file) for file in sorted(files)]
    return [each for each in suites if each is not None]


def _walk(folder: Path, depth: int) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
        if entry.is_file():
            yield entry
        elif depth and entry.is_dir() and not entry.name.startswith(".") and entry.name not in LEFT_ALONE:
            yield from _walk(entry, depth - 1)


def _read_suite(file: Path) -> Suite | None:
    """Read a configuration, which may have comments; None where it is unreadable or its folder is missing."""
    try:
        text = TEXT_OR_COMMENT.sub(lambda match: match[1] or "", file.read_text(encoding="utf-8"))
        settings = json.loads(TEXT_OR_LAST_COMMA.sub(lambda match: match[1] or "", text))
        folder = (file.parent / settings.get("benchmark_dir", BENCHMARKS)).resolve()
        limit_s = float(settings.get("default_benchmark_timeout") or USUAL_LIMIT_S)
    except (ValueError, AttributeError, TypeError):
        return None
    if not folder.is_dir():
        return None
    return Suite(folder, _list_requirements(settings.get("matrix")), tuple(_list_unused(settings)), limit_s)


def _list_requirements(matrix: Any) -> tuple[str, ...]:
    """Return the names of the packages of a matrix, without versions: those that asv installs are often too old."""
    packages = _find_packages(matrix) if isinstance(matrix, dict) else {}
    names = [str(name).removeprefix("pip+") for name in packages] if isinstance(packages, dict) else []
    return tuple(name for name in names if re.fullmatch(r"[A-Za-z0-9][\w.\-]*", name))


def _find_packages(matrix: Mapping[str, Any]) -> Any:
    """Return the part of a matrix that names packages: all of it in configurations of asv before 0.5."""
    return matrix.get("req") if {*ENVIRONMENTS} & matrix.keys() else matrix


def _list_unused(settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a configuration asks for and does not get, since there is one environment for each revision."""
    matrix = settings.get("matrix")
    if isinstance(matrix, dict):
        packages = _find_packages(matrix)
        yield from (f"{name.removeprefix('pip+')} {version}" for name, version in _list_pairs(packages) if version)
        for kind in ENVIRONMENTS[1:]:
            yield from (f"{name}={value}" for name, value in _list_pairs(matrix.get(kind)))
    pythons = settings.get("pythons")
    yield from (f"Python {each}" for each in (pythons if isinstance(pythons, list) else ()))
    yield from (name for name in COMMANDS if settings.get(name))


def _list_pairs(table: Any) -> Iterator[tuple[str, str]]:
    """Yield the names of a part of a matrix with each of their values; one that is null leaves the name out."""
    for name, values in table.items() if isinstance(table, dict) else ():
        for value in values if isinstance(values, list) else [values]:
            if value is not None:
                yield str(name), str(value)


def discover(suite: Suite, checkout: Checkout, tolerance: float, scratch: Path, until: float) -> Found:
    """Return what asv-runner finds of a suite in a revision's environment.

    Where it finds nothing at all, the suite stands as one benchmark, which says why. Raises OutOfTime.
    """
    where = suite.folder.relative_to(checkout.worktree.resolve()).as_posix()
    try:
        if checkout.failure is not None:
            raise ArmFailed(checkout.failure)
        found = json.loads(ask_inside(checkout, f"{INSIDE}:discover", scratch, until, root=str(suite.folder)))
    except ArmFailed:
        place = SuitePlace(KIND, INSIDE, where, where)
        return Found([_make_benchmark(f"asv: {where}", "", place, None, tolerance)])
    benchmarks, left_out = [], {f"{name}": f"it cannot run: {reason}" for name, reason in found["broken"].items()}
    for each in found["benchmarks"]:
        if each["skipped"] is not None:
            left_out[each["name"]] = each["skipped"]
            continue
        file = Path(each["file"]).resolve().relative_to(checkout.worktree.resolve()).as_posix()
        limit_s = each["limit_s"] or suite.limit_s
        place = SuitePlace(KIND, INSIDE, where, file, each["is_timed"], limit_s=limit_s, has_cache=each["has_cache"])
        benchmarks.append(_make_benchmark(each["name"], each["id"], place, each["is_raw"], tolerance))
    return Found(benchmarks, left_out)


def _make_benchmark(name: str, function: str, place: SuitePlace, is_raw: bool | None, tolerance: float) -> Benchmark:
    """Make a benchmark of which the times alone count: what its function returns is dropped by asv."""
    return Benchmark(name, function, "", "none", "wall" if is_raw else None, False, tolerance, "", place)
