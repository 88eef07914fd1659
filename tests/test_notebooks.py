"""Do the notebooks answer from a stored run, stay thin and stripped, and reach a user's folder without harm?"""

import ast
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from argo_bench import extras
from argo_bench.cli.main import cli
from argo_bench.errors import UserError
from argo_bench.integrations import notebooks
from argo_bench.opening import open_report

REFERENCE = Path(__file__).parents[1] / "results" / "reference"

LARGEST_OUTPUT = 300_000
NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def identify(path):
    return path.stem


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=identify)
def test_a_notebook_answers_and_draws_and_no_cell_shows_too_much(path, tmp_path):
    pytest.importorskip("papermill")
    nbformat = pytest.importorskip("nbformat")
    written = notebooks.render_notebook(str(path), {}, tmp_path / path.name)
    cells = nbformat.read(written, as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    shown = [output["data"]["text/html"] for output in outputs if "text/html" in output.get("data", {})]
    assert any("<svg" in each for each in shown)
    assert any("<table" in each for each in shown)
    answer = next(number for number, cell in enumerate(cells) if cell.source == "## The answer") + 1
    [said] = [each["data"]["text/markdown"] for each in cells[answer].outputs]
    assert len(said.split()) > 5
    assert max(len(json.dumps(cell.get("outputs", []))) for cell in cells) < LARGEST_OUTPUT


@pytest.mark.parametrize("path", NOTEBOOKS, ids=identify)
def test_a_notebook_asks_one_question_and_shows_answer_picture_and_numbers_in_this_order(path):
    cells = [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "markdown"]
    headings = [cell["source"][0].strip() for cell in cells]
    assert re.fullmatch(r"# .*\?", headings[0])
    assert [each for each in headings if each.startswith("# ")] == headings[:1]
    expected = ["## The answer", "## The picture", "## The numbers"]
    assert [each.split(":")[0] for each in headings if each.startswith("## The ")][:1] == expected[:1]
    assert list(dict.fromkeys(each.split(":")[0] for each in headings if each.split(":")[0] in expected)) == expected


@pytest.mark.parametrize("path", NOTEBOOKS, ids=identify)
def test_every_parameter_of_a_notebook_is_used_by_a_later_cell(path):
    cells = [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    given = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    assert len(given) == 1
    lines = [line for cell in cells for line in cell["source"] if cell not in given and not line.startswith("%")]
    used = {node.id for node in ast.walk(ast.parse("\n".join(lines))) if isinstance(node, ast.Name)}
    parameters = {
        node.id
        for node in ast.walk(ast.parse("".join(given[0]["source"])))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    assert parameters
    assert parameters <= used


@pytest.mark.parametrize("path", NOTEBOOKS, ids=identify)
def test_a_cell_of_a_notebook_is_short(path):
    cells = [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert max(len(cell["source"]) for cell in cells) <= 8


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


@pytest.mark.slow
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


@pytest.mark.parametrize(
    "call",
    [
        lambda folder: notebooks.open_lab(folder),
        lambda folder: notebooks.execute_notebook(open_report(REFERENCE), folder),
        lambda folder: notebooks.render_notebook("01", {}, folder / "page.html"),
    ],
    ids=["lab", "report", "notebook"],
)
def test_without_jupyterlab_the_line_that_installs_it_is_told(call, monkeypatch, tmp_path):
    monkeypatch.setattr(extras, "EXTRAS", {**extras.EXTRAS, "notebooks": ("no_such_module",)})
    with pytest.raises(UserError, match=r"no_such_module, which is not installed: .*argo-bench\[notebooks\]"):
        call(tmp_path)


def test_copies_are_made_once_and_what_is_edited_or_executed_stays(tmp_path):
    folder = tmp_path / "argo-notebooks"
    assert notebooks.copy_notebooks(folder).kept == []
    assert sorted(path.name for path in folder.iterdir()) == [path.name for path in NOTEBOOKS]
    edited, executed, deleted = (folder / path.name for path in NOTEBOOKS[:3])
    book = json.loads(executed.read_text(encoding="utf-8"))
    book["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["mine"]}]
    executed.write_text(json.dumps(book), encoding="utf-8")
    edited.write_text("my own notes, and no notebook any more", encoding="utf-8")
    before = {path: path.read_bytes() for path in (edited, executed)}
    deleted.unlink()
    assert notebooks.copy_notebooks(folder).kept == [edited.name]
    assert {path: path.read_bytes() for path in before} == before
    assert deleted.read_bytes() == NOTEBOOKS[2].read_bytes()


class Ended:
    """A process that has ended with a code."""

    def __init__(self, code):
        self._code = code

    def poll(self):
        return self._code


def run_lab(monkeypatch, tmp_path, arguments, *, code, user):
    """Call the command where JupyterLab ends with a code; return the result and how JupyterLab was called."""
    called = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(extras, "EXTRAS", {**extras.EXTRAS, "notebooks": ()})
    monkeypatch.setattr(subprocess, "Popen", lambda command: called.append(command) or Ended(code))
    monkeypatch.setattr(os, "geteuid", lambda: user, raising=False)
    return CliRunner().invoke(cli, ["lab", *arguments]), called


def test_lab_is_jupyterlab_on_copies_in_the_current_folder_with_further_arguments(monkeypatch, tmp_path):
    done, called = run_lab(monkeypatch, tmp_path, ["--no-browser", "--port", "9999"], code=0, user=1000)
    assert done.exit_code == 0
    assert called == [[sys.executable, "-m", "jupyterlab", "argo-notebooks", "--no-browser", "--port", "9999"]]
    assert sorted(path.name for path in (tmp_path / "argo-notebooks").iterdir()) == [path.name for path in NOTEBOOKS]


@pytest.mark.parametrize(
    ("arguments", "code", "user", "is_told"),
    [
        (["--no-browser"], 1, 0, True),
        (["--allow-root"], 1, 0, False),
        ([], 0, 0, False),
        ([], 1, 1000, False),
    ],
    ids=["refused", "allowed and failed", "configured", "not root"],
)
def test_root_is_told_the_line_that_starts_it(arguments, code, user, is_told, monkeypatch, tmp_path):
    done, _ = run_lab(monkeypatch, tmp_path, arguments, code=code, user=user)
    assert done.exit_code == code
    assert ("argo-bench lab --allow-root --no-browser" in done.stderr) == is_told


WAITING_LAB = """
import signal, sys, time
signal.signal(signal.SIGINT, lambda *_: print("asked", flush=True))
print("started", flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
def test_jupyterlab_answers_to_ctrl_c_itself_and_ends_with_its_parent(tmp_path):
    (tmp_path / "jupyterlab").mkdir()
    (tmp_path / "jupyterlab" / "__init__.py").touch()
    (tmp_path / "jupyterlab" / "__main__.py").write_text(WAITING_LAB, encoding="utf-8")
    path = os.pathsep.join((str(tmp_path), str(Path(__file__).parents[1])))
    process = subprocess.Popen(
        [sys.executable, "-m", "argo_bench.cli", "lab"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        assert process.stdout.readline() == "started\n"
        os.killpg(process.pid, signal.SIGINT)
        assert process.stdout.readline() == "asked\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == ""  # its end: the other process has gone too
        assert process.wait() == 128 + signal.SIGTERM


@pytest.mark.parametrize(
    ("name", "given", "out", "sentence"),
    [
        ("0", {}, "page.html", "no single notebook begins with '0': expected one of 00_your_own_functions, "),
        ("99", {}, "page.html", "no single notebook begins with '99'"),
        ("no.ipynb", {}, "page.html", "there is no notebook no.ipynb"),
        ("02", {}, "page.pdf", r"expected a name that ends with .html or .ipynb"),
        ("02", {"ids": "O08"}, "page.html", "has no parameter 'ids': expected one of run, id"),
        ("00", {"quick": "perhaps"}, "page.html", "quick is true or false: got 'perhaps'"),
    ],
)
def test_what_cannot_be_executed_is_said_before_anything_is(name, given, out, sentence, monkeypatch, tmp_path):
    pytest.importorskip("papermill")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=sentence):
        notebooks.render_notebook(name, given, tmp_path / out)
    assert list(tmp_path.iterdir()) == []


def test_the_notebook_itself_is_not_overwritten(tmp_path):
    pytest.importorskip("papermill")
    path = tmp_path / "mine.ipynb"
    path.write_bytes(NOTEBOOKS[0].read_bytes())
    with pytest.raises(UserError, match="is the notebook itself"):
        notebooks.render_notebook(str(path), {}, path)


def test_a_list_of_the_notebooks_is_one_of_questions():
    shown = CliRunner().invoke(cli, ["notebook"]).stdout.splitlines()
    assert [line.split()[0] for line in shown] == [path.stem for path in NOTEBOOKS]
    assert all(line.endswith("?") for line in shown)


BOOK = """{"cells": [
 {"cell_type": "code", "execution_count": null, "id": "0", "metadata": {"tags": ["parameters"]}, "outputs": [],
  "source": ["wanted = 'nothing'"]},
 {"cell_type": "code", "execution_count": null, "id": "1", "metadata": {}, "outputs": [], "source": ["%s"]}
], "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
"nbformat": 4, "nbformat_minor": 5}"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "shown"),
    [("print('wanted', wanted, 6 * 7)", "wanted all of it 42"), ("raise ValueError(wanted)", None)],
    ids=["runs", "fails"],
)
def test_a_notebook_of_ones_own_becomes_a_page_or_a_sentence(cell, shown, monkeypatch, tmp_path):
    pytest.importorskip("papermill")
    monkeypatch.chdir(tmp_path)
    Path("mine.ipynb").write_text(BOOK % cell, encoding="utf-8")
    done = CliRunner().invoke(cli, ["notebook", "mine.ipynb", "-p", "wanted", "all of it"])
    if shown is None:
        assert str(done.exception) == "cell 3 of mine.ipynb fails with ValueError: all of it"
        assert not Path("mine.html").exists()
    else:
        assert done.stdout == "mine.html\n"
        page = Path("mine.html").read_text(encoding="utf-8")
        assert shown in page
        assert not re.search(r"<(script|link)[^>]*\s(src|href)=", page)
