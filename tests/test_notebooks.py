"""Do the notebooks run from a stored result, and stay thin and stripped?"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from argo_bench import extras
from argo_bench.errors import UserError
from argo_bench.integrations import notebooks
from argo_bench.opening import open_report

REFERENCE = Path(__file__).parents[1] / "results" / "reference"

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def identify(path):
    return path.stem


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=identify)
def test_a_notebook_executes_from_a_stored_run(path, tmp_path):
    papermill = pytest.importorskip("papermill")
    done = papermill.execute_notebook(
        path,
        tmp_path / path.name,
        parameters={"run": str(path.parents[1] / "results" / "reference"), "quick": True},
        cwd=path.parent,
        progress_bar=False,
    )
    outputs = [output for cell in done.cells for output in cell.get("outputs", [])]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert {"text/html", "image/svg+xml"} <= kinds or {"text/html", "image/png"} <= kinds


@pytest.mark.parametrize("path", NOTEBOOKS, ids=identify)
def test_a_notebook_is_stored_without_outputs(path):
    nbformat = pytest.importorskip("nbformat")
    for cell in nbformat.read(path, as_version=4).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=identify)
def test_a_notebook_and_its_script_are_the_same_cells(path):
    jupytext = pytest.importorskip("jupytext")
    notebook, script = (jupytext.read(each) for each in (path, path.with_suffix(".py")))
    assert [cell.source for cell in notebook.cells] == [cell.source for cell in script.cells]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=identify)
def test_a_notebook_defines_no_functions_and_measures_nothing(path):
    tree = ast.parse(path.with_suffix(".py").read_text(encoding="utf-8"))
    assert not [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    ]
    assert "Experiment" not in path.read_text(encoding="utf-8")


def test_a_run_becomes_an_executed_notebook_of_its_claims(tmp_path):
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("papermill")
    written = notebooks.execute_notebook(open_report(REFERENCE), tmp_path)
    assert written == tmp_path / "report.ipynb"
    cells = nbformat.read(written, as_version=4).cells
    assert any(str(REFERENCE.resolve()) in cell.source for cell in cells)
    assert all(cell.execution_count is not None for cell in cells if cell.cell_type == "code" and cell.source)


def ask_kernel(client, code, *, interrupt=None):
    """What a cell shows, as text; ``interrupt`` is called once the cell shows anything."""
    cell, shown = client.execute(code), []
    while True:
        message = client.get_iopub_msg(timeout=120)
        if message["parent_header"].get("msg_id") != cell:
            continue
        content = message["content"]
        if content.get("execution_state") == "idle":
            return "\n".join(shown)
        shown += [str(content.get("data", {}).get("text/plain", "")), *content.get("traceback", [])]
        if interrupt is not None and message["msg_type"] == "update_display_data":
            interrupt()
            interrupt = None


@pytest.mark.slow
def test_a_cell_that_is_interrupted_shows_what_was_measured_and_the_next_one_works():
    manager_module = pytest.importorskip("jupyter_client.manager")
    manager, client = manager_module.start_new_kernel()
    try:
        ask_kernel(client, "%load_ext argo_bench")
        cell = "%%argo_compare --budget 100s\n#: baseline\nsum(range(5000))\n#: candidate\nsum(list(range(5000)))"
        shown = ask_kernel(client, cell, interrupt=manager.interrupt_kernel)
        assert "interrupted: " in shown or "KeyboardInterrupt" in shown  # the latter before the functions were called
        assert ask_kernel(client, "import psutil; psutil.Process().children(recursive=True)").strip() == "[]"
        cell = "import argo_bench\nrows = open('/dev/null')\nargo_bench.compare(lambda: rows, lambda: rows)"
        assert "UserError: " in (shown := ask_kernel(client, cell))
        assert "since it uses rows, an open file (/dev/null)" in shown
        assert "Traceback" not in shown
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.mark.parametrize("name", ["open_lab", "execute_notebook"])
def test_without_jupyterlab_the_line_that_installs_it_is_told(name, monkeypatch, tmp_path):
    arguments = () if name == "open_lab" else (open_report(REFERENCE), tmp_path)
    monkeypatch.setattr(extras, "EXTRAS", {"notebooks": ("no_such_module",)})
    with pytest.raises(UserError, match=r"no_such_module, which is not installed: .*argo-bench\[notebooks\]"):
        getattr(notebooks, name)(*arguments)


def test_lab_is_jupyterlab_on_the_folder_of_the_notebooks(monkeypatch):
    called = []
    monkeypatch.setattr(extras, "EXTRAS", {"notebooks": ()})
    monkeypatch.setattr(subprocess, "call", lambda command: called.append(command) or 0)
    assert notebooks.open_lab() == 0
    assert called == [[sys.executable, "-m", "jupyterlab", str(NOTEBOOKS[0].parent)]]
