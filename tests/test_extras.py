"""Does the plain package do what it is for, and does all else say which extra it needs?"""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from argo_bench.extras import EXTRAS

ROOT = Path(__file__).parents[1]
HEAVY = ("pandas", "numba", "joblib", "pyarrow", "bokeh_sampledata", "matplotlib", "jinja2", "jupyterlab", "papermill")
PLAIN = f"import sys; sys.modules |= dict.fromkeys({HEAVY})  # importing one of them raises ModuleNotFoundError\n"
PROGRAM = PLAIN + "from argo_bench.cli.main import main; sys.argv[0] = 'argo-bench'; main()"


def run_plain(code: str, *arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run code, or the program with arguments, where nothing but the plain package is installed."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


@pytest.mark.parametrize(
    ("arguments", "module", "extra"),
    [
        (("run", "O11"), "pandas", "study"),
        (("list",), "pandas", "study"),
        (("explain", "O11"), "pandas", "study"),
        (("report", "results/reference", "--format", "html"), "matplotlib", "report"),
        (("ci", "history", "results/reference", "--svg", "no.svg"), "matplotlib", "report"),
        (("lab",), "jupyterlab", "notebooks"),
        (("report", "results/reference", "--format", "notebook"), "jupyterlab", "notebooks"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_a_command_says_in_one_sentence_which_extra_it_needs(arguments, module, extra):
    done = run_plain(PROGRAM, *arguments)
    assert done.returncode == 2
    [sentence] = done.stderr.splitlines()
    assert sentence.startswith("argo-bench: ")
    assert sentence.endswith(f"needs {module}, which is not installed: pip install 'argo-bench[{extra}]'")


def test_two_functions_are_compared_and_shown_and_the_page_is_not_missed_in_silence(tmp_path):
    functions = ("tests.user_functions:slow", "tests.user_functions:fast", "--setup", "tests.user_functions:numbers")
    done = run_plain(PROGRAM, "compare", *functions, "--profile", "quick", "--out", str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    assert "fast" in done.stdout
    assert "report.html needs matplotlib, which is not installed: pip install 'argo-bench[report]'" in done.stderr
    assert (tmp_path / "run" / "run.jsonl").is_file()


def test_a_run_of_the_study_is_verified_and_shown_by_the_sections_of_any_record():
    verified = run_plain(PROGRAM, "verify", "results/reference/seed-0")
    assert (verified.returncode, verified.stderr) == (0, "")
    shown = run_plain(PROGRAM, "report", "results/reference/seed-0", "--format", "markdown")
    assert shown.returncode == 0, shown.stderr
    assert "**Verdicts.**" in shown.stdout


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("argo_bench.catalogue()", "the catalogue of optimizations needs pandas"),
        ("argo_bench.read_bars", "argo_bench.read_bars needs pandas"),
        ("argo_bench.load('results/reference/shares').to_frame()", "a data frame needs pandas"),
        ("argo_bench.load('results/reference/shares').hero()", "a figure needs matplotlib"),
    ],
)
def test_a_library_user_is_told_the_extra_too(expression, sentence):
    done = run_plain(f"{PLAIN}import argo_bench; {expression}")
    assert done.returncode == 1
    assert f"{sentence}, which is not installed: pip install 'argo-bench[" in done.stderr.splitlines()[-1]


def test_comparing_in_python_the_gate_and_the_plug_in_load_without_any_extra():
    modules = ("comparison", "gate.run", "gate.table", "gate.history", "opening", "integrations.pytest_plugin")
    paired = (
        "integrations.pairs",
        "integrations.outputs.rendering",
        "cli.main",
        "cli.ci",
        "report.text",
        "report.machine",
    )
    names = [f"argo_bench.{name}" for name in (*modules, *paired)]
    done = run_plain(f"{PLAIN}import importlib\nfor name in {names}: importlib.import_module(name)")
    assert done.returncode == 0, done.stderr


def test_the_modules_of_each_extra_are_those_that_it_installs():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    installed_as = {"IPython": "ipykernel"}
    for extra, modules in EXTRAS.items():
        listed = " ".join(declared["optional-dependencies"][extra])
        assert all(installed_as.get(module, module) in listed for module in modules)
    assert not any(module in " ".join(declared["dependencies"]) for module in HEAVY)
