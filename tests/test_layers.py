"""Do imports point one way? The list below is the diagram of the house."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "argo_bench"

LAYERS = [
    {"controls"},
    {"errors"},
    {"_moved", "extras", "loading", "parent", "shipped", "temporary"},
    {"harness"},
    {"report"},
    {"comparison", "gate"},
    {"pipeline"},
    {"optimizations"},
    {"study"},
    {"opening"},
    {"integrations"},
    {"cli"},
]
ORDER = {name: number for number, names in enumerate(LAYERS) for name in names}
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
    assert later == set()


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


HEAVY = ("pandas", "numba", "matplotlib", "joblib", "pyarrow", "jinja2", "IPython")
ABOVE_OR_BESIDE = ("pipeline", "optimizations", "study", "report", "gate", "integrations", "cli")
ABSENT = f"""
import sys
from importlib.abc import MetaPathFinder

class Absent(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        parts = name.split(".")
        if parts[0] in {HEAVY} or (parts[0] == "argo_bench" and parts[1:2] and parts[1] in {ABOVE_OR_BESIDE}):
            raise ModuleNotFoundError(f"{{name}} is absent", name=name)

sys.meta_path.insert(0, Absent())
"""


def run_without_the_heavy_ones(code: str) -> str:
    """What code prints in an interpreter that has neither the heavy packages nor the rooms around the harness."""
    command = [sys.executable, "-c", ABSENT + code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PACKAGE.parent)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("path", [path for path in MODULES if part_of(path) == "harness"], ids=identify)
def test_the_harness_imports_no_heavy_package_anywhere(path):
    assert {name.split(".")[0] for name in imports_of(path)} & set(HEAVY) == set()


def test_every_module_of_the_harness_loads_where_the_rest_is_absent():
    harness = [path for path in MODULES if part_of(path) == "harness" and path.name != "__main__.py"]
    names = [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in harness]
    code = f"import importlib\nprint(sum(bool(importlib.import_module(name)) for name in {names}))"
    assert run_without_the_heavy_ones(code) == str(len(names))


def test_two_functions_are_compared_where_the_rest_is_absent():
    code = (
        "from argo_bench.harness.compare import compare\n"
        "found = compare('tests.user_functions:slow', 'tests.user_functions:fast', quick=True, budget_s=60.0,\n"
        "                setup='tests.user_functions:numbers')\n"
        "print(found.recorded.declarations[0].functions['candidate'], found.judgement.output)"
    )
    assert run_without_the_heavy_ones(code) == "fast same"


def test_baseline_and_optimized_have_the_same_files():
    baseline, optimized = (
        sorted(path.name for path in (PACKAGE / "pipeline" / folder).glob("*.py"))
        for folder in ("baseline", "optimized")
    )
    assert baseline == optimized
