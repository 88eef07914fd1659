"""Writes a workflow for GitHub that runs the gate on every pull request."""

from __future__ import annotations

import shlex
from pathlib import Path

from argo_bench.errors import UserError
from argo_bench.gate.benchmarks import EXAMPLE
from argo_bench.gate.repository import PYPROJECT
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
      - name: Is the head slower than the base?
        env:
          BASE: ${{ github.event.pull_request.base.sha }}
          HEAD: ${{ github.sha }}
        run: |
          code=0
          argo-bench ci --base "$BASE" --head "$HEAD"{project} --out results/gate || code=$?
{judged}
      - uses: actions/upload-artifact@v4
        if: always()
        with:
          name: argo-bench
          path: results/gate
          if-no-files-found: ignore
"""
WITH_A_WARNING = """\
          if [ "$code" = 4 ]; then
            echo "::warning title=argo-bench::not judged: base and head cannot run here, see the summary"
            code=0
          fi
          exit "$code"
"""
AS_IT_IS = """\
          exit "$code"
"""


def write_workflow(root: Path, project: Path = Path(), *, strict: bool = False, overwrite: bool) -> tuple[Path, str]:
    """Write the file at a repository's root for the project in one of its folders.

    Where the ``strict`` one fails because the gate could not run (exit code 4), another one warns. Returns the path,
    with what is still missing for it to work, if anything. Raises UserError where the file is there already and
    ``overwrite`` is false.
    """
    path = root / PATH
    if path.exists() and not overwrite:
        raise UserError(f"{path} is there already: --force writes over it")
    path.parent.mkdir(parents=True, exist_ok=True)
    option = f" --project {shlex.quote(project.as_posix())}" if project != Path() else ""
    judged = AS_IT_IS if strict else WITH_A_WARNING
    path.write_text(TEXT.replace("{project}", option).replace("{judged}\n", judged), encoding="utf-8")
    pyproject = root / project / PYPROJECT
    if pyproject.is_file() and read_entries(pyproject):
        return path, ""
    return path, f"{pyproject} has no benchmark yet: {EXAMPLE}"
