"""Does the wheel hold what the program needs beside its code, and is its version that of the newest changes?"""

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import argo_bench
from argo_bench import shipped
from argo_bench.errors import UserError
from argo_bench.opening import open_report
from tests.program import argo_here
from tests.stored import run_lines, sealed, store

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
INCLUDED = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
RECORDS = ("run.jsonl.gz", "lookups/run.jsonl.gz")


def test_what_is_put_into_the_wheel_is_there_and_goes_where_it_is_looked_for():
    assert all((ROOT / source).exists() for source in INCLUDED)
    expected = {"notebooks": "argo_bench/notebooks"}
    expected |= {f"results/reference/{name}": f"argo_bench/{shipped.REFERENCE}/{name}" for name in RECORDS}
    assert expected == INCLUDED


def install_without_a_checkout(folder, monkeypatch):
    """A package with a record and nothing beside it, as a wheel installs it."""
    package = folder / "site-packages" / "argo_bench"
    (package / "reference" / "lookups").mkdir(parents=True)
    monkeypatch.setattr(shipped, "__file__", str(package / "shipped.py"))
    return package


def test_what_comes_with_an_installed_package_is_found_in_it(tmp_path, monkeypatch):
    package = install_without_a_checkout(tmp_path, monkeypatch)
    assert shipped.resolve_run("reference") == package / "reference"
    assert shipped.resolve_run("reference/lookups") == package / "reference" / "lookups"


def install_with_a_run(folder, monkeypatch, cwd):
    """The same with a record of invented samples, for a user who is in another folder."""
    package = install_without_a_checkout(folder, monkeypatch)
    stored = store(package / "reference", sealed(run_lines()))
    cwd.mkdir()
    monkeypatch.chdir(cwd)
    return stored


def test_commands_that_take_a_run_know_the_one_that_comes_with_the_package(tmp_path, monkeypatch):
    stored = install_with_a_run(tmp_path, monkeypatch, tmp_path / "here")
    shown = argo_here("report", "reference", "--json")
    assert json.loads(shown.stdout)["run"]["run"] == stored.run.run
    assert f"all {len(stored.records)} lines agree" in argo_here("verify", "reference").stdout
    assert "S2.time" in argo_here("ci", "history", "reference").stdout


def test_a_report_on_the_installed_run_is_written_here_and_nothing_into_the_package(tmp_path, monkeypatch):
    stored = install_with_a_run(tmp_path, monkeypatch, tmp_path / "here")
    before = sorted(stored.directory.iterdir())
    shown = argo_here("report", "reference")
    assert f"report: {Path(shipped.FILES) / 'report.html'}" in shown.stderr
    assert (tmp_path / "here" / shipped.FILES / "report.html").is_file()
    assert sorted(stored.directory.iterdir()) == before


def test_a_folder_of_the_users_goes_before_what_comes_with_the_package(tmp_path, monkeypatch):
    (tmp_path / "reference").mkdir()
    monkeypatch.chdir(tmp_path)
    assert shipped.resolve_run("reference") == Path("reference")


def test_a_package_without_its_notebooks_says_what_to_do(tmp_path, monkeypatch):
    install_without_a_checkout(tmp_path, monkeypatch)
    with pytest.raises(UserError, match=r"expected the notebooks of argo-bench in .*: install argo-bench again"):
        shipped.find_shipped("notebooks")


def test_the_reference_run_opens_by_its_name_and_without_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runs = {open_report(ROOT / "results/reference").recorded.run.run}
    assert {argo_bench.load().recorded.run.run, argo_bench.load("reference").recorded.run.run} == runs


def test_the_newest_section_of_the_changes_is_that_of_the_version():
    version = PROJECT["project"]["version"]
    newest = re.search(r"^## (\S+?), (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == version.removesuffix(".dev0")
    assert (newest[2] == "not released yet") == version.endswith(".dev0")


def describe_for_an_index() -> str:
    """What an index shows: the README with the substitutions that the build makes."""
    hook = PROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]
    text = "".join(
        each["text"] if "text" in each else (ROOT / each["path"]).read_text(encoding="utf-8")
        for each in hook["fragments"]
    )
    for each in hook["substitutions"]:
        text, count = re.subn(each["pattern"], each["replacement"], text)
        assert count, f"{each['pattern']} is nowhere in the README"
    return text


def test_an_index_shows_nothing_that_it_does_not_have():
    text = describe_for_an_index()
    assert "readme" in PROJECT["project"]["dynamic"]
    assert not re.findall(r"<img|<picture|src=|\]\((?!https://)|\.venv/bin|pip install \.", text)
    assert "pip install argo-bench" in text


@pytest.mark.slow
def test_the_wheel_executes_its_notebooks_outside_of_the_checkout(tmp_path):
    pytest.importorskip("papermill")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True)
    [wheel] = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    [metadata] = (tmp_path / "installed").glob("*.dist-info/METADATA")
    assert metadata.read_text(encoding="utf-8").endswith(describe_for_an_index())
    here = tmp_path / "elsewhere"
    here.mkdir()
    program = [sys.executable, "-m", "argo_bench.cli", "notebook"]
    env = os.environ | {"PYTHONPATH": str(tmp_path / "installed"), "ARGO_BENCH_HOME": str(tmp_path / "home")}
    listed = subprocess.run(program, check=True, capture_output=True, text=True, cwd=here, env=env).stdout
    names = [line.split()[0] for line in listed.splitlines()]
    assert len(names) == len(list((ROOT / "notebooks").glob("*.ipynb")))
    for name in names:
        done = subprocess.run([*program, name], capture_output=True, text=True, cwd=here, env=env, check=False)
        assert done.returncode == 0, done.stderr
        page = (here / f"{name}.html").read_text(encoding="utf-8")
        assert not re.search(r"<(script|link)[^>]*\s(src|href)=", page)
