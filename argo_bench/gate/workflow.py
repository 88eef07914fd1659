"""Writes workflows for GitHub: one runs the gate on every pull request, another one comments on the pull request.

What a pull request from a fork runs has no right to write. So the first workflow keeps the comment as an artifact, and
the second one, which runs nothing of the pull request, holds the token that may write it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from argo_bench.errors import UserError
from argo_bench.gate.benchmarks import EXAMPLE
from argo_bench.gate.repository import PYPROJECT
from argo_bench.harness.table import read_entries
from argo_bench.loading import read_project_name

FOLDER = Path(".github") / "workflows"
PATH = FOLDER / "argo-bench.yml"
COMMENT_PATH = FOLDER / "argo-bench-comment.yml"
PACKAGE = "argo-bench"
CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1"
SETUP_PYTHON = "actions/setup-python@5fda3b95a4ea91299a34e894583c3862153e4b97 # v7.0.0"
UPLOAD = "actions/upload-artifact@bbbca2ddaa5d8feaa63e36b76fdaad77386f024f # v7.0.0"
"""The newest releases of the actions, July 2026, by the commits of their tags."""
TEXT = """\
# Is the head of a pull request slower than its base? Written by `argo-bench ci init`.
#
# The record of each run, results/gate, is the artifact "argo-bench" of that run, and is deleted after retention-days.
# `argo-bench verify` and `argo-bench ci history` read it. To keep records for longer: docs/ci.md of argo-bench.
name: argo-bench
on:
  pull_request:

permissions: {}

concurrency:
  group: argo-bench-${{ github.ref }}
  cancel-in-progress: true

jobs:
  gate:
    runs-on: ubuntu-latest
    timeout-minutes: 30
    permissions:
      contents: read
    steps:
      - uses: {checkout}
        with:
          fetch-depth: 0
          persist-credentials: false
      - uses: {setup_python}
        with:
          python-version: "3.13"
      - name: Install argo-bench
        run: |
          python -m pip install {install}
      - name: Install valgrind, which counts machine instructions
        run: sudo apt-get update && sudo apt-get install --yes --no-install-recommends valgrind
        continue-on-error: true
      - name: Is the head slower than the base?
        env:
          BASE: ${{ github.event.pull_request.base.sha }}
          HEAD: ${{ github.sha }}
        run: |
          code=0
          argo-bench ci --base "$BASE" --head "$HEAD"{project} --out results/gate || code=$?
{judged}
      - name: Keep the comment for the workflow that may write it
        if: always()
        env:
          NUMBER: ${{ github.event.pull_request.number }}
        run: |
          mkdir -p comment
          echo "$NUMBER" > comment/number
          if [ -f results/gate/summary.md ]; then cp results/gate/summary.md comment/; fi
      - uses: {upload}
        if: always()
        with:
          name: argo-bench-comment
          path: comment
          retention-days: 1
      - uses: {upload}
        if: always()
        with:
          name: argo-bench
          path: results/gate
          retention-days: 90
          if-no-files-found: ignore
"""
COMMENT_TEXT = """\
# Writes what argo-bench found on the pull request, and writes over it the next time. Written by `argo-bench ci init`.
#
# It holds a token that may write, also for pull requests from forks, and therefore runs, checks out and expands nothing
# of theirs: a text is downloaded and posted, on the pull request alone whose head was measured. GitHub takes this file
# from the default branch.
name: argo-bench comment
on:
  workflow_run: # zizmor: ignore[dangerous-triggers] nothing of the pull request is run here
    workflows: [argo-bench]
    types: [completed]

permissions: {}

concurrency:
  group: comment-${{ github.event.workflow_run.head_repository.id }}-${{ github.event.workflow_run.head_branch }}
  cancel-in-progress: false

jobs:
  comment:
    if: github.event.workflow_run.event == 'pull_request'
    runs-on: ubuntu-latest
    timeout-minutes: 5
    permissions:
      actions: read
      pull-requests: write
    steps:
      - name: Write the comment, or write over the one that is there
        env:
          GH_TOKEN: ${{ github.token }}
          GH_REPO: ${{ github.repository }}
          RUN: ${{ github.event.workflow_run.id }}
          MEASURED: ${{ github.event.workflow_run.head_sha }}
        run: |
          gh run download "$RUN" --name argo-bench-comment --dir comment || exit 0
          number=$(head -c 20 comment/number)
          [[ "$number" =~ ^[1-9][0-9]{0,11}$ ]] || { echo "no number of a pull request"; exit 1; }
          head=$(gh api "repos/$GH_REPO/pulls/$number" --jq .head.sha)
          [ "$head" = "$MEASURED" ] || { echo "the head of $number is another one by now"; exit 0; }
          [ -f comment/summary.md ] || { echo "nothing was measured"; exit 0; }
          echo '<!-- argo-bench -->' > body.md
          head -c 40000 comment/summary.md | iconv -c -f utf-8 -t utf-8 > text.md
          sed 's/@/@<!-- -->/g' text.md | head -c 60000 >> body.md
          ours='.[] | select(.user.login == "github-actions[bot]")'
          ours="$ours"' | select(.body | startswith("<!-- argo-bench -->")) | .id'
          comment=$(gh api --paginate "repos/$GH_REPO/issues/$number/comments" --jq "$ours" | head -n 1)
          if [ -n "$comment" ]; then
            gh api --method PATCH "repos/$GH_REPO/issues/comments/$comment" --field body=@body.md --silent
          else
            gh api --method POST "repos/$GH_REPO/issues/$number/comments" --field body=@body.md --silent
          fi
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


@dataclass(frozen=True, slots=True)
class Workflow:
    """Says what the workflows do: ``install`` is what pip is asked for; none stands for this version, by its name.

    Where the ``strict`` one fails because the gate could not run (exit code 4), another one warns.
    """

    install: str = ""
    strict: bool = False


def write_workflows(
    root: Path, project: Path = Path(), workflow: Workflow = Workflow(), *, overwrite: bool
) -> tuple[list[Path], list[str]]:
    """Write both files at a repository's root for the project in one of its folders.

    Returns the paths, with sentences on what is still missing for them to work. Raises UserError where one is there
    already and ``overwrite`` is false, and for what pip cannot be asked for in one line.
    """
    install = workflow.install or choose_requirement(root / project, project)
    if not install.isprintable() or "${{" in install:
        raise UserError(f"--install {install!r}: expected one line, such as argo-bench=={version(PACKAGE)}")
    option = f" --project {shlex.quote(project.as_posix())}" if project != Path() else ""
    gate = TEXT.replace("{judged}\n", AS_IT_IS if workflow.strict else WITH_A_WARNING)
    uses = {"checkout": CHECKOUT, "setup_python": SETUP_PYTHON, "upload": UPLOAD}
    for name, text in {**uses, "project": option, "install": shlex.quote(install)}.items():
        gate = gate.replace(f"{{{name}}}", text)
    texts = {root / PATH: gate, root / COMMENT_PATH: COMMENT_TEXT}
    for path in texts:
        if path.exists() and not overwrite:
            raise UserError(f"{path} is there already: --force writes over it")
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(texts), list(_list_missing(root / project / PYPROJECT, install))


def choose_requirement(folder: Path, project: Path) -> str:
    """Return what pip is asked for: this version, or the folder itself where it is this package."""
    if read_project_name(folder / PYPROJECT) == PACKAGE:
        return "." if project == Path() else f"./{project.as_posix()}"
    return f"{PACKAGE}=={version(PACKAGE)}"


def _list_missing(pyproject: Path, install: str) -> Iterator[str]:
    if not (pyproject.is_file() and read_entries(pyproject)):
        yield f"{pyproject} has no benchmark yet: {EXAMPLE}"
    if install.startswith(f"{PACKAGE}=="):
        yield (
            f"the workflow installs {install}: where no index has it, name a place that has, as in "
            f"--install 'argo-bench @ git+https://HOST/OWNER/argo-bench@COMMIT'"
        )
    yield f"comments begin once {COMMENT_PATH.as_posix()} is on the default branch"
