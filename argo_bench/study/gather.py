"""Where a user's benchmarks come from: the table [tool.argo_bench.benchmarks] of a pyproject.toml, or a Python file."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from argo_bench.errors import UserError
from argo_bench.harness.benchmark import Benchmark, short
from argo_bench.harness.subject import Subject
from argo_bench.loading import module_from, settings_of
from argo_bench.optimizations import add_file, lookup

NEEDED = ("baseline", "candidate")
KEYS = (*NEEDED, "setup", "check", "metric", "claim", "fresh")
REVISIONS = "function"
"""The key of a table about one function in two revisions, which is argo-bench ci's to compare."""


def of_pyproject(path: Path = Path("pyproject.toml")) -> dict[str, Benchmark]:
    """The benchmarks of two functions in a pyproject.toml by name, in its order; none where there is no such file or
    table.

    Raises UserError, naming the table, for what is missing, unknown or of another type.
    """
    return {
        name: _of_table(where_of(path, name), name, table)
        for name, table in tables_of(path).items()
        if REVISIONS not in table
    }


def tables_of(path: Path) -> dict[str, dict[str, Any]]:
    """The tables [tool.argo_bench.benchmarks.NAME] by name. Raises UserError for what is no table."""
    found = settings_of(path).get("benchmarks", {})
    if not isinstance(found, dict):
        raise UserError(f"{path}: expected tables [tool.argo_bench.benchmarks.NAME], got {found!r}")
    for name, table in found.items():
        if not isinstance(table, dict):
            raise UserError(f"{where_of(path, name)}: expected a table with baseline and candidate, got {table!r}")
    return found


def where_of(path: Path, name: str) -> str:
    return f"{path}, [tool.argo_bench.benchmarks.{name}]"


def _of_table(where: str, name: str, table: Mapping[str, Any]) -> Benchmark:
    if unknown := sorted(table.keys() - set(KEYS)):
        raise UserError(f"{where}: unknown key {unknown[0]!r}: expected {', '.join(KEYS)}")
    if missing := [key for key in NEEDED if key not in table]:
        raise UserError(f'{where}: {missing[0]} is missing: expected a function, as in {missing[0]} = "module:name"')
    for key, value in table.items():
        wanted = bool if key == "fresh" else str
        if not isinstance(value, wanted):
            raise UserError(f"{where}: expected {key} to be a {wanted.__name__}, got {value!r}")
    return Benchmark(name, **_checked(table))


def of_module(file: Path) -> list[Benchmark]:
    """The benchmarks that a Python file defines, whatever their names, or those in a list of its.

    Raises UserError for a file that is missing or cannot be imported.
    """
    found: list[Benchmark] = []
    for value in vars(module_from(file.resolve())).values():
        values = value if isinstance(value, list | tuple) else [value]
        found += [each for each in values if isinstance(each, Benchmark)]
    return list({id(each): each for each in found}.values())


def subjects_of(words: Sequence[str]) -> list[Subject]:
    """Optimizations by id or name, benchmarks of pyproject.toml by name, and what Python files define, in that order.

    Every optimization for no words. Raises UserError for what is none of these, and for a file that defines nothing.
    """
    table = of_pyproject() if words else {}
    named = [word for word in words if not word.endswith(".py")]
    ids = [word for word in named if word not in table]
    found: list[Subject] = []
    for file in [Path(word) for word in words if word.endswith(".py")]:
        defined: list[Subject] = [*add_file(file), *of_module(file)]
        if not defined:
            raise UserError(f"{file} defines no Optimization and no Benchmark: expected one at its top level")
        found += defined
    return [*(lookup(ids) if ids or not words else []), *(table[word] for word in named if word in table), *found]


def benchmarks_of(words: Sequence[str], options: Mapping[str, Any]) -> list[Benchmark]:
    """Two functions with ``options`` as one benchmark, or benchmarks of pyproject.toml by name; all of them for none.

    Raises UserError for anything else.
    """
    if words and ":" in words[0]:
        if len(words) != 2:
            raise UserError(f"compare takes two functions, the old and the new, got {len(words)}: {', '.join(words)}")
        return [Benchmark(f"{short(words[1])} against {short(words[0])}", words[0], words[1], **_checked(options))]
    table = of_pyproject()
    if not table:
        raise UserError(
            "nothing to compare: expected two functions, as in argo-bench compare mypackage:old mypackage:new, or "
            "benchmarks in [tool.argo_bench.benchmarks] of pyproject.toml"
        )
    for word in words:
        if word not in table:
            close = difflib.get_close_matches(word, table, 1, 0.4)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise UserError(f"pyproject.toml has no benchmark {word!r}: expected one of {', '.join(table)}{hint}")
    return [table[word] for word in words] if words else list(table.values())


def _checked(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options with the word ``none`` for a check as None."""
    check = options.get("check", "allclose")
    return {**options, "check": None if check == "none" else check}
