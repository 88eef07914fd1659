"""Writes a workflow for GitHub that runs the gate on every pull request."""

from __future__ import annotations

from pathlib import Path

from argo_bench.errors import UserError
from argo_bench.gate.benchmarks import EXAMPLE, PYPROJECT
from argo_bench.harness.table import read_entries

PATH = Path(".github") / "workflows" / "argo-bench.yml"
TEXT = """\
name: argo-bench
on:
  pull_request:

permissions:
  contents: read

concurrency:
  group: argo-bench-${{ github.ref }}
  cancel-in-progress: true

jobs:
  gate:
    runs-on: ubuntu-latest
    timeout-minutes: 30
    steps:
      - uses: actions/checkout@v4
        with:
          fetch-depth: 0
      - uses: actions/setup-python@v5
        with:
          python-version: "3.13"
      - run: pip install argo-bench
      - run: sudo apt-get install --yes --no-install-recommends valgrind
        continue-on-error: true
      - run: argo-bench ci --base ${{ github.event.pull_request.base.sha }} --head ${{ github.sha }} --out results/gate
      - uses: actions/upload-artifact@v4
        if: always()
        with:
          name: argo-bench
          path: results/gate
          if-no-files-found: ignore
"""


def write_workflow(folder: Path, *, overwrite: bool) -> tuple[Path, str]:
    """Write the file and return its path, with what is still missing for it to work, if anything.

    Raises UserError where the file is there already and ``overwrite`` is false.
    """
    path = folder / PATH
    if path.exists() and not overwrite:
        raise UserError(f"{path} is there already: --force writes over it")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(TEXT, encoding="utf-8")
    pyproject = folder / PYPROJECT
    if pyproject.is_file() and read_entries(pyproject):
        return path, ""
    return path, f"{pyproject} has no benchmark yet: {EXAMPLE}"
