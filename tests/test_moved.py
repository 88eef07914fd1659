"""Do the paths of version 0.1 still work, with a warning that says where their modules are now?"""

import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import argo_bench
from argo_bench._moved import MOVED, PACKAGE, homes_of

OLD_NAMES = [
    ("argo_bench.claim", "Claim"),
    ("argo_bench.claim", "Optimization"),
    ("argo_bench.claim", "Requirement"),
    ("argo_bench.model", "UserError"),
    ("argo_bench.model", "World"),
    ("argo_bench.market.reader", "read_bars"),
    ("argo_bench.pipeline", "Pipeline"),
    ("argo_bench.world", "SimulatedWorld"),
    ("argo_bench.harness.results", "load"),
    ("argo_bench.harness.results", "Acceptance"),
    ("argo_bench.harness.calibration", "Used"),
    ("argo_bench.harness.judging", "Measured"),
    ("argo_bench.cli", "cli"),
]


@pytest.mark.parametrize("module", MOVED)
def test_every_home_of_an_old_module_is_there(module):
    for home in homes_of(PACKAGE + module):
        importlib.import_module(home)


@pytest.mark.parametrize(("module", "name"), OLD_NAMES)
def test_a_name_is_found_on_its_old_path_with_a_warning(module, name):
    code = "import warnings\nwith warnings.catch_warnings(record=True) as seen:\n    warnings.simplefilter('always')\n"
    code += f"    from {module} import {name}\nprint(callable({name}), seen[-1].category.__name__, seen[-1].message)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.startswith(f"True DeprecationWarning {module}")
    assert "the old path goes with the next version" in shown


@pytest.mark.parametrize(
    "module", ["argo_bench.nonsense", "argo_bench.market.nonsense", "argo_bench.pipeline.nonsense"]
)
def test_a_module_that_never_was_is_not_found(module):
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(f"argo_bench.{module}")


def test_a_folder_that_an_update_left_behind_hides_no_old_path(tmp_path):
    """git and pip remove the sources of a package that moved, and leave the folder with its compiled files."""
    package = Path(argo_bench.__file__).parent
    copy = tmp_path / "argo_bench"
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__", "notebooks"))
    for old in ("world", "market"):
        (copy / old / "__pycache__").mkdir(parents=True, exist_ok=True)
    code = "from argo_bench.world import SimulatedWorld; import argo_bench; print(argo_bench.__file__)"
    command = [sys.executable, "-W", "ignore", "-c", code]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert Path(shown.strip()).parent == copy


def test_the_identity_of_a_class_does_not_depend_on_the_path():
    code = "from argo_bench.claim import Claim as old; from argo_bench import Claim; print(old is Claim)"
    shown = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "True"
