"""Opens the notebooks that come with the package in JupyterLab, or executes one of them."""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argo_bench.errors import UserError
from argo_bench.extras import check_extra
from argo_bench.report import Report, write_whole
from argo_bench.shipped import find_shipped

AT_A_GLANCE, ONE_OPTIMIZATION = "01_claims_at_a_glance.ipynb", "02_one_optimization.ipynb"
COPIES = "argo-notebooks"
"""A user's own copies of the notebooks are in this folder of the current one."""
ALLOW_ROOT = "--allow-root"
POLL_S = 0.1
WITHOUT_NETWORK = """
{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
"""
"""This template is nbconvert's without the scripts that it loads from the network: no notebook here needs them."""


@dataclass(frozen=True, slots=True)
class Notebook:
    """Names a notebook that comes with the package, and the question that it answers."""

    path: Path
    question: str

    @property
    def name(self) -> str:
        return self.path.stem


def list_notebooks() -> list[Notebook]:
    """Return the notebooks in order. Raises UserError where there are none."""
    paths = sorted(find_shipped("notebooks").glob("*.ipynb"))
    return [Notebook(path, _read_sources(path)[0].splitlines()[0].removeprefix("# ")) for path in paths]


def _read_sources(path: Path) -> list[str]:
    """Return the source of every cell. Raises UserError for what is no notebook."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return ["".join(cell["source"]) for cell in cells]
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"{path} cannot be read as a notebook: expected an .ipynb file of JupyterLab's") from None


@dataclass(frozen=True, slots=True)
class Copies:
    """Says where a user's copies are, and which of them differ from the notebooks of this version."""

    folder: Path
    kept: Sequence[str]


def copy_notebooks(folder: Path) -> Copies:
    """Copy the notebooks into a folder, which is made where it is missing; what is there already stays as it is.

    Raises UserError where the folder cannot be written.
    """
    kept = []
    for notebook in list_notebooks():
        copy = folder / notebook.path.name
        if not copy.exists():
            write_whole(copy, notebook.path.read_bytes())
        elif _is_edited(copy, notebook.path):
            kept.append(copy.name)
    return Copies(folder, kept)


def _is_edited(copy: Path, original: Path) -> bool:
    """Say whether cells of a copy differ; having been executed is no difference."""
    try:
        return _read_sources(copy) != _read_sources(original)
    except UserError:
        return True


def open_lab(folder: Path, arguments: Sequence[str] = ()) -> int:
    """Start JupyterLab on a folder, with further arguments of its own; return its exit code when it has ended.

    Raises UserError where it is not installed.
    """
    check_extra("notebooks", "JupyterLab")
    process = subprocess.Popen([sys.executable, "-m", "jupyterlab", str(folder), *arguments])
    # Ctrl-C reaches JupyterLab too, which asks whether it is meant: this process waits for the answer.
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, lambda *_: None),
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: process.terminate()),
    }
    try:
        while (code := process.poll()) is None:
            time.sleep(POLL_S)  # a signal that comes just before an endless wait would be handled at its end
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code


def is_refused_as_root(code: int, arguments: Sequence[str]) -> bool:
    """Say whether JupyterLab may have ended with this exit code because it was started by root without being told."""
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return code == 1 and is_root and ALLOW_ROOT not in arguments


def execute_notebook(report: Report, directory: Path) -> Path:
    """Execute the notebook of a run as ``directory``/report.ipynb: that of one optimization where the run has no other.

    Raises UserError where papermill is not installed, or a cell fails.
    """
    ids = report.recorded.run.optimizations
    parameters = {"run": str(report.directory.resolve())} | ({"id": ids[0]} if len(ids) == 1 else {})
    source = find_shipped("notebooks") / (ONE_OPTIMIZATION if len(ids) == 1 else AT_A_GLANCE)
    path = directory / "report.ipynb"
    write_whole(path, _render(_execute(source, parameters), "ipynb"))
    return path


def render_notebook(name: str, given: Mapping[str, str], out: Path | None) -> Path:
    """Execute a notebook with parameters, and write it as a page that needs no network, or as a notebook.

    ``name`` is the beginning of the name of one that comes with the package, such as ``02``, or the path of another.
    ``given`` are values as text, which are read as what they stand in place of. The ending of ``out`` says what is
    written: .html or .ipynb. Raises UserError for what cannot be found, read or written, and where a cell fails.
    """
    check_extra("notebooks", "an executed notebook")
    source = _find(name)
    path = out or Path(f"{source.stem}.html")
    if path.suffix not in (".html", ".ipynb"):
        raise UserError(f"cannot write {path}: expected a name that ends with .html or .ipynb")
    if path.exists() and path.samefile(source):
        raise UserError(f"{path} is the notebook itself: expected another --out")
    executed = _execute(source, _read_parameters(source, given))
    write_whole(path, _render(executed, path.suffix.removeprefix(".")))
    return path


def _find(name: str) -> Path:
    path = Path(name)
    if path.suffix == ".ipynb":
        if path.is_file():
            return path
        raise UserError(f"there is no notebook {path}: expected the path of an .ipynb file")
    known = list_notebooks()
    found = [each.path for each in known if each.name.startswith(name)]
    if len(found) != 1:
        raise UserError(f"no single notebook begins with {name!r}: expected one of {', '.join(e.name for e in known)}")
    return found[0]


def _read_parameters(source: Path, given: Mapping[str, str]) -> dict[str, Any]:
    """Return values of the kinds that the notebook has. Raises UserError for a name or a value that does not fit."""
    import papermill

    known = {name: each["default"] for name, each in papermill.inspect_notebook(source).items()}
    values: dict[str, Any] = {}
    for name, text in given.items():
        if name not in known:
            listed = ", ".join(known) or "none"
            raise UserError(f"{source.name} has no parameter {name!r}: expected one of {listed}")
        values[name] = _read_value(name, text, ast.literal_eval(known[name]))
    return values


def _read_value(name: str, text: str, default: object) -> object:
    if isinstance(default, str):
        return text
    if isinstance(default, bool):
        if text.lower() not in ("true", "false"):
            raise UserError(f"{name} is true or false: got {text!r}")
        return text.lower() == "true"
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        raise UserError(f"{name} is a value like {default!r}: got {text!r}") from None


def _execute(source: Path, parameters: Mapping[str, Any]) -> Any:
    """Execute a notebook in the current folder, and return it. Raises UserError where a cell fails."""
    check_extra("notebooks", "an executed notebook")
    import papermill

    try:
        return papermill.execute_notebook(
            source, None, dict(parameters), progress_bar=False, log_output=False, extra_arguments=["--log-level=ERROR"]
        )
    except papermill.PapermillExecutionError as error:
        said = f"{error.ename}: {error.evalue}"
        raise UserError(f"cell {error.exec_count} of {source.name} fails with {said}") from None


def _render(notebook: Any, kind: str) -> bytes:
    import nbformat

    if kind == "ipynb":
        return str(nbformat.writes(notebook)).encode()
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(raw_template=WITHOUT_NETWORK)
    title = next((cell.source for cell in notebook.cells if cell.source.startswith("# ")), "notebook")
    notebook.metadata["title"] = title.splitlines()[0].removeprefix("# ")
    page, _ = exporter.from_notebook_node(notebook)
    return str(page).encode()
