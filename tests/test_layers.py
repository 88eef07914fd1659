"""Do imports point one way? The list below is the diagram of the house."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "argo_bench"

LAYERS = [
    {"errors"},
    {"_moved", "extras", "loading", "parent"},
    {"harness"},
    {"pipeline"},
    {"optimizations"},
    {"study"},
    {"report"},
    {"comparison"},
    {"gate"},
    {"integrations"},
    {"cli"},
]
ORDER = {name: number for number, names in enumerate(LAYERS) for name in names}
NOT_YET = {
    *("groundwork.py", "plan.py", "run.py", "running.py", "subject.py", "surroundings.py"),
    *("bodies.py", "memory.py", "messages.py", "worker.py", "records.py", "verify.py"),
}
"""Modules of the harness that still know the study."""
CLOCKS = {"time", "tracemalloc", "psutil"}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def is_stage(path: Path) -> bool:
    return bool({"baseline", "optimized", "optimizations"} & set(path.relative_to(PACKAGE).parts))


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return found


def parts_imported_by(path: Path) -> set[str]:
    ours = {name.split(".")[1] for name in imports_of(path) if name.startswith("argo_bench.")}
    return ours & ORDER.keys()


def identify(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def test_every_part_of_the_package_has_a_place_in_the_order():
    assert {part_of(path) for path in MODULES} == set(ORDER)


@pytest.mark.parametrize("path", MODULES, ids=identify)
def test_a_module_imports_only_from_its_own_part_or_from_earlier_ones(path):
    own = ORDER[part_of(path)]
    later = {name for name in parts_imported_by(path) if ORDER[name] > own}
    assert later == set() or (part_of(path) == "harness" and path.name in NOT_YET)


@pytest.mark.parametrize("path", MODULES, ids=identify)
def test_parts_of_one_layer_import_each_other_only_from_left_to_right(path):
    own = part_of(path)
    beside = {name for name in parts_imported_by(path) - {own} if ORDER[name] == ORDER[own]}
    assert beside == set()


@pytest.mark.parametrize("path", [path for path in MODULES if is_stage(path)], ids=identify)
def test_a_stage_reads_no_clock_of_its_own(path):
    assert {name.split(".")[0] for name in imports_of(path)} & CLOCKS == set()


def test_importing_the_package_loads_neither_pandas_nor_numba_nor_matplotlib():

    heavy = "{'pandas', 'numba', 'matplotlib', 'numpy'}"
    code = f"import argo_bench, argo_bench.cli.main, sys; print({heavy} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "set()"


def test_baseline_and_optimized_have_the_same_files():
    baseline, optimized = (
        sorted(path.name for path in (PACKAGE / "pipeline" / folder).glob("*.py"))
        for folder in ("baseline", "optimized")
    )
    assert baseline == optimized
