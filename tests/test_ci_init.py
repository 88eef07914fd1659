"""Is the workflow that we write, and our own, what GitHub takes?"""

import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from argo_bench.errors import UserError
from argo_bench.gate.workflow import PATH, write_workflow

ROOT = Path(__file__).parents[1]
SCHEMA = ["--builtin-schema", "vendor.github-workflows"]


def valid(file):
    command = shutil.which("check-jsonschema", path=str(Path(sys.executable).parent))
    if command is None:
        pytest.skip("check-jsonschema is not installed: pip install 'argo-bench[test]'")
    done = subprocess.run([command, *SCHEMA, str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_workflow_is_valid_and_compares_the_pull_request_with_its_base(tmp_path):
    path, hint = write_workflow(tmp_path, overwrite=False)
    assert path == tmp_path / PATH
    text = path.read_text(encoding="utf-8")
    assert 'argo-bench ci --base "$BASE" --head "$HEAD" --out results/gate' in text
    assert "BASE: ${{ github.event.pull_request.base.sha }}" in text
    assert "has no benchmark yet: expected a table such as" in hint
    valid(path)


def test_a_project_in_a_folder_is_named_and_the_file_lands_at_the_root(tmp_path):
    project = Path("services") / "pricing one"
    (tmp_path / project).mkdir(parents=True)
    path, hint = write_workflow(tmp_path, project, overwrite=False)
    assert path == tmp_path / PATH
    assert "--project 'services/pricing one' --out" in path.read_text(encoding="utf-8")
    assert str(project) in hint
    valid(path)


@pytest.mark.parametrize("strict", [False, True])
def test_what_cannot_run_is_a_warning_unless_that_is_to_fail(tmp_path, strict):
    path, _ = write_workflow(tmp_path, strict=strict, overwrite=False)
    text = path.read_text(encoding="utf-8")
    valid(path)
    script = textwrap.dedent(text.split("run: |\n")[1].split("      - uses")[0])
    (tmp_path / "argo-bench").write_text("#!/bin/sh\nexit $CODE\n", encoding="utf-8")
    (tmp_path / "argo-bench").chmod(0o755)
    for code in (0, 1, 3, 4):
        environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "CODE": str(code), "BASE": "a", "HEAD": "b"}
        done = subprocess.run(
            ["bash", "-e", "-c", script], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == (0 if code == 4 and not strict else code)
        assert ("::warning" in done.stdout) == (code == 4 and not strict)


def test_our_own_workflows_are_valid():
    for file in (ROOT / ".github" / "workflows").glob("*.yml"):
        valid(file)


def test_a_workflow_that_is_there_is_written_over_only_when_that_is_meant(tmp_path):
    path, _ = write_workflow(tmp_path, overwrite=False)
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match="is there already: --force writes over it"):
        write_workflow(tmp_path, overwrite=False)
    assert path.read_text(encoding="utf-8") == "mine"
    write_workflow(tmp_path, overwrite=True)
    assert path.read_text(encoding="utf-8") != "mine"


def test_a_project_with_benchmarks_gets_no_hint(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.argo_bench.benchmarks.a]\nfunction = "a:b"\n', encoding="utf-8")
    assert write_workflow(tmp_path, overwrite=False)[1] == ""
