"""Does the gate measure projects of every kind as they are, and blame the environment for what it lacks?"""

import json
import shutil
import subprocess

import pytest

from argo_bench.gate.records import Gated, Revisions
from argo_bench.harness.record.store import load
from tests.program import argo

pytestmark = pytest.mark.slow
BENCHMARK = '[tool.argo_bench.benchmarks.run]\nfunction = "{module}:run"\n'
RUN = "def run():\n    return sum(i * i for i in range(5000))\n"
SETUP = """
from setuptools import Extension, setup
setup(name="fast", version="1", packages=["fast"], ext_modules=[Extension("fast._c", ["fast/_c.c"])])
"""
EXTENSION = """
#include <Python.h>
static PyObject *total(PyObject *self, PyObject *none) {
    volatile long t = 0;
    for (long i = 0; i < LAST; i++) t += i;
    return PyLong_FromLong(7);
}
static PyMethodDef methods[] = {{"total", total, METH_NOARGS, ""}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_c", "", -1, methods};
PyMODINIT_FUNC PyInit__c(void) { return PyModule_Create(&module); }
"""


def backend(name, requires):
    return f'[build-system]\nrequires = ["{requires}"]\nbuild-backend = "{name}"\n'


PROJECTS = {
    "hatch, src layout": {
        "pyproject.toml": '[project]\nname = "pkg"\nversion = "1"\n' + backend("hatchling.build", "hatchling"),
        "src/pkg/__init__.py": RUN,
    },
    "flit": {
        "pyproject.toml": '[project]\nname = "pkg"\nversion = "1"\ndescription = "a"\n'
        + backend("flit_core.buildapi", "flit_core"),
        "pkg/__init__.py": '"""A package."""\n' + RUN,
    },
    "Poetry": {
        "pyproject.toml": '[tool.poetry]\nname = "pkg"\nversion = "1"\ndescription = ""\nauthors = []\n'
        + backend("poetry.core.masonry.api", "poetry-core"),
        "pkg/__init__.py": RUN,
    },
    "setup.py alone": {
        "pyproject.toml": "",
        "setup.py": "from setuptools import setup\nsetup(name='pkg', version='1', packages=['pkg'])\n",
        "pkg/__init__.py": RUN,
    },
}


class Project:
    """A repository of its own, whose benchmark is ``run`` of a module."""

    def __init__(self, folder, files, module="pkg"):
        self.folder = folder
        self._git("init", "--quiet", "--initial-branch", "main")
        self.save(files | {"pyproject.toml": files["pyproject.toml"] + BENCHMARK.format(module=module)})

    def save(self, files):
        for name, text in files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text, encoding="utf-8")
        self._git("add", "-A")
        self._git("commit", "--quiet", "--message", "more")

    def judge(self, budget):
        done = argo("ci", "--budget", budget, "--out", "record", "--json", cwd=self.folder)
        recorded = load(self.folder / "record")
        [outcome] = recorded.all(Gated)
        assert (self.folder / "record" / "junit.xml").is_file()
        assert argo("verify", self.folder / "record").returncode == 0
        assert json.loads(done.stdout)["outcomes"][0]["state"] == outcome.state
        return done.returncode, outcome, recorded.all(Revisions)[0]

    def _git(self, *arguments):
        identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
        subprocess.run(["git", "-C", str(self.folder), *identity, *arguments], check=True, capture_output=True)


@pytest.mark.parametrize("name", PROJECTS)
def test_a_project_of_any_kind_is_installed_and_measured(tmp_path, name):
    project = Project(tmp_path, PROJECTS[name])
    module = next(file for file in PROJECTS[name] if file.endswith("__init__.py"))
    project.save({module: PROJECTS[name][module] + "# changed\n"})
    code, outcome, revisions = project.judge("60s")
    assert (code, outcome.blocks) == (0, False)
    assert outcome.state in ("fine", "better", "cannot tell")
    assert revisions.changed == ["run"]


NEEDING = {
    "setup.cfg alone": {
        "pyproject.toml": "",
        "setup.cfg": "[metadata]\nname = pkg\nversion = 1\n[options]\npackages = pkg\ninstall_requires = tomlkit\n",
    },
    "no package": {"pyproject.toml": "", "requirements.txt": "tomlkit\n"},
}


@pytest.mark.parametrize("name", NEEDING)
def test_what_a_project_needs_is_installed_wherever_it_says_so(tmp_path, name):
    project = Project(tmp_path, NEEDING[name] | {"pkg/__init__.py": "import tomlkit\n\n" + RUN})
    project.save({"pkg/__init__.py": "import tomlkit\n\n" + RUN + "# changed\n"})
    code, outcome, revisions = project.judge("60s")
    assert (code, outcome.blocks, revisions.changed) == (0, False, ["run"])
    assert outcome.state in ("fine", "better", "cannot tell")


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_a_change_of_an_extension_is_compiled_and_found(tmp_path):
    files = {
        "pyproject.toml": "",
        "setup.py": SETUP,
        "fast/__init__.py": "from fast._c import total as run\n",
        "fast/_c.c": EXTENSION.replace("LAST", "300000"),
    }
    project = Project(tmp_path, files, "fast")
    project.save({"fast/_c.c": EXTENSION.replace("LAST", "1200000")})
    code, outcome, revisions = project.judge("90s")
    assert (code, outcome.state, revisions.changed) == (1, "worse", ["run"])


def test_words_changed_beside_a_dependency_that_cannot_be_had_are_nobodys_fault(tmp_path):
    private = '[project]\nname = "pkg"\nversion = "1"\ndependencies = ["a-private-package-that-no-index-has==9"]\n'
    project = Project(tmp_path, {"pyproject.toml": private, "pkg/__init__.py": RUN, "README.md": "one"})
    project.save({"README.md": "two"})
    code, outcome, revisions = project.judge("30s")
    assert (code, outcome.state, outcome.blocks) == (4, "cannot run", False)
    assert "a-private-package-that-no-index-has" in outcome.sentence
    assert revisions.outside == ["base", "head"]


def test_a_benchmark_that_fails_on_both_sides_is_nobodys_fault(tmp_path):
    project = Project(tmp_path, {"pyproject.toml": "", "pkg.py": "import nowhere\n\n" + RUN})
    project.save({"README.md": "two"})
    code, outcome, _ = project.judge("20s")
    assert (code, outcome.state) == (4, "cannot run")


def test_without_time_nothing_was_measured_and_nothing_fails(tmp_path):
    project = Project(tmp_path, {"pyproject.toml": "", "pkg.py": RUN})
    project.save({"README.md": "two"})
    code, outcome, _ = project.judge("1s")
    assert (code, outcome.state) == (0, "not measured")
