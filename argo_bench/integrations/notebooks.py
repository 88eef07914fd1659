"""Opens the notebooks that come with the package in JupyterLab, or executes one for a run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from argo_bench.errors import UserError
from argo_bench.extras import check_extra
from argo_bench.report import Report

AT_A_GLANCE, ONE_OPTIMIZATION = "01_claims_at_a_glance.ipynb", "02_one_optimization.ipynb"


def find_folder() -> Path:
    """Return the folder of the notebooks: in an installed package, or beside it in a checkout.

    Raises UserError where there are none.
    """
    package = Path(__file__).parents[1]
    for found in (package / "notebooks", package.parent / "notebooks"):
        if found.is_dir():
            return found
    raise UserError(f"expected the notebooks in {package.parent / 'notebooks'}: install argo-bench again")


def open_lab() -> int:
    """JupyterLab on the notebooks, until it is ended; its exit code. Raises UserError where it is not installed."""
    check_extra("notebooks", "JupyterLab")
    return subprocess.call([sys.executable, "-m", "jupyterlab", str(find_folder())])


def execute_notebook(report: Report, directory: Path) -> Path:
    """Execute the notebook of a run as ``directory``/report.ipynb: that of one optimization where the run has no other.

    Raises UserError where papermill is not installed.
    """
    check_extra("notebooks", "an executed notebook")
    import papermill

    ids = report.recorded.run.optimizations
    parameters = {"run": str(report.directory.resolve())} | ({"id": ids[0]} if len(ids) == 1 else {})
    source = find_folder() / (ONE_OPTIMIZATION if len(ids) == 1 else AT_A_GLANCE)
    path = directory / "report.ipynb"
    papermill.execute_notebook(source, path, parameters, cwd=source.parent, progress_bar=False, log_output=False)
    return path
