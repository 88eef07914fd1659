"""Reads the benchmarks of a project from the tables [tool.argo_bench.benchmarks.NAME] of its pyproject.toml.

A table names a pair of functions (``baseline`` and ``candidate``), for argo-bench compare, or one ``function`` that
argo-bench ci times in two revisions.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argo_bench.errors import UserError
from argo_bench.harness.benchmark import Benchmark
from argo_bench.harness.labels import label_both, shorten_name
from argo_bench.loading import load_module, settings_of

FUNCTION = "function"
"""This key marks a table about one function in two revisions."""
PAIR = ("baseline", "candidate")
COMMON = ("setup", "check", "metric", "fresh", "tolerance", "counts")
OF_PAIR = (*PAIR, *COMMON, "claim")
OF_FUNCTION = (FUNCTION, *COMMON)
NUMBERS = ("tolerance",)


@dataclass(frozen=True, slots=True)
class Entry:
    """Holds a table: where it stands, its name, and its keys after they were checked."""

    where: str
    name: str
    keys: Mapping[str, Any]

    @property
    def is_pair(self) -> bool:
        return FUNCTION not in self.keys

    def text(self, key: str) -> str:
        """Return the value of a key as text; empty where the table does not have it."""
        return str(self.keys.get(key, ""))


def read_entries(path: Path = Path("pyproject.toml")) -> list[Entry]:
    """Read the tables of a pyproject.toml in its order; empty where there is no such file or table.

    Raises UserError, naming the table, for what is missing, unknown or of another type.
    """
    found = settings_of(path).get("benchmarks", {})
    if not isinstance(found, dict):
        raise UserError(f"{path}: expected tables [tool.argo_bench.benchmarks.NAME], got {found!r}")
    return [_read_entry(f"{path}, [tool.argo_bench.benchmarks.{name}]", name, table) for name, table in found.items()]


def _read_entry(where: str, name: str, table: object) -> Entry:
    if not isinstance(table, dict):
        raise UserError(f"{where}: expected a table with baseline and candidate, or a function, got {table!r}")
    known = OF_FUNCTION if FUNCTION in table else OF_PAIR
    if unknown := sorted(table.keys() - set(known)):
        raise UserError(f"{where}: unknown key {unknown[0]!r}: expected {', '.join(known)}")
    if FUNCTION not in table and (missing := [key for key in PAIR if key not in table]):
        raise UserError(
            f'{where}: {missing[0]} is missing: expected a function, as in {missing[0]} = "module:name" (or one '
            f'{FUNCTION} = "module:name" for argo-bench ci)'
        )
    for key, value in table.items():
        wanted, words = (bool, "true or false") if key == "fresh" else (str, "a text")
        if key not in NUMBERS and not isinstance(value, wanted):
            raise UserError(f"{where}: expected {key} to be {words}, got {value!r}")
    return Entry(where, name, table)


def read_pairs(path: Path = Path("pyproject.toml")) -> dict[str, Benchmark]:
    """Read the benchmarks of two functions in a pyproject.toml, by name. Raises UserError as ``read_entries`` does."""
    return {each.name: benchmark_of(each.name, each.keys) for each in read_entries(path) if each.is_pair}


def benchmark_of(name: str, keys: Mapping[str, Any]) -> Benchmark:
    """Make a benchmark from a table's keys or a command's options; the word ``none`` for a check becomes None."""
    options = {key: value for key, value in keys.items() if key not in ("tolerance", "counts")}
    check = options.get("check", "allclose")
    return Benchmark(name, **{**options, "check": None if check == "none" else check})


def find_benchmarks(file: Path) -> list[Benchmark]:
    """Return the benchmarks that a Python file defines as values of any name, or as items of a list or tuple.

    Raises UserError for a file that is missing or cannot be imported.
    """
    found: list[Benchmark] = []
    for value in vars(load_module(file.resolve())).values():
        values = value if isinstance(value, list | tuple) else [value]
        found += [each for each in values if isinstance(each, Benchmark)]
    return list({id(each): each for each in found}.values())


def choose_benchmarks(words: Sequence[str], options: Mapping[str, Any]) -> list[Benchmark]:
    """Return one benchmark of two named functions with ``options``, or the benchmarks of pyproject.toml that are named.

    No words at all stand for every benchmark of pyproject.toml. Raises UserError for anything else.
    """
    if words and ":" in words[0]:
        if len(words) != 2:
            raise UserError(f"compare takes two functions, the old and the new, got {len(words)}: {', '.join(words)}")
        pair = dict(zip(PAIR, words, strict=True))
        old, new = map(shorten_name, label_both(*words))
        return [benchmark_of(f"{new} against {old}", pair | dict(options))]
    table = read_pairs()
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
