"""Is the workflow that we write, and our own, what GitHub takes?"""

import re
import shutil
import subprocess
import sys
import textwrap
from importlib.metadata import version
from pathlib import Path

import pytest

from argo_bench.errors import UserError
from argo_bench.gate.workflow import COMMENT_PATH, PATH, Workflow, choose_requirement, write_workflows

ROOT = Path(__file__).parents[1]


def run_tool(name, *arguments):
    command = shutil.which(name, path=str(Path(sys.executable).parent))
    if command is None:
        pytest.skip(f"{name} is not installed: pip install 'argo-bench[test]'")
    done = subprocess.run([command, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def valid(*files, schema="vendor.github-workflows"):
    run_tool("check-jsonschema", "--builtin-schema", schema, *files)


def run_script(text, folder, **environment):
    """Run the last script of a workflow as GitHub does, with the programs that stand in a folder first."""
    script = textwrap.dedent(re.search(r"run: \|\n((?:          .*\n)+)", text.split(STEP)[1])[1])
    return subprocess.run(
        ["bash", "-e", "-c", script],
        env={"PATH": f"{folder}:/usr/bin:/bin"} | environment,
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )


STEP = "      - name: Is the head slower than the base?\n"
WRITE = "      - name: Write the comment"


def program(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)


def test_the_workflow_is_valid_and_compares_the_pull_request_with_its_base(tmp_path):
    paths, missing = write_workflows(tmp_path, overwrite=False)
    assert paths == [tmp_path / PATH, tmp_path / COMMENT_PATH]
    text = paths[0].read_text(encoding="utf-8")
    assert 'argo-bench ci --base "$BASE" --head "$HEAD" --out results/gate' in text
    assert "BASE: ${{ github.event.pull_request.base.sha }}" in text
    assert f"pip install argo-bench=={version('argo-bench')}\n" in text
    assert "has no benchmark yet: expected a table such as" in missing[0]
    assert "where no index has it" in missing[1] and "on the default branch" in missing[2]
    valid(*paths)


def test_the_workflows_pass_zizmor(tmp_path):
    paths, _ = write_workflows(tmp_path, overwrite=False)
    run_tool("zizmor", "--offline", "--no-progress", "--quiet", *paths)


def test_what_runs_a_pull_request_may_write_nothing_and_what_may_write_runs_none(tmp_path):
    gate, comment = (each.read_text(encoding="utf-8") for each in write_workflows(tmp_path, overwrite=False)[0])
    assert "write" not in re.findall(r"permissions:(.*?)steps:", gate, re.DOTALL)[0]
    assert "persist-credentials: false" in gate
    assert re.findall(r"([\w-]+): write", comment) == ["pull-requests"]
    assert "uses:" not in comment
    assert "${{" not in comment.split("run: |")[1]  # nothing of a pull request is expanded in a script
    for action in re.findall(r"uses: (.*)", gate):
        assert re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action)


def test_a_project_in_a_folder_is_named_and_the_file_lands_at_the_root(tmp_path):
    project = Path("services") / "pricing one"
    (tmp_path / project).mkdir(parents=True)
    paths, missing = write_workflows(tmp_path, project, overwrite=False)
    assert paths[0] == tmp_path / PATH
    assert "--project 'services/pricing one' --out" in paths[0].read_text(encoding="utf-8")
    assert str(project) in missing[0]
    valid(*paths)


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        ("./wheels/argo_bench.whl", "pip install ./wheels/argo_bench.whl"),
        ("argo-bench @ git+https://a.org/b", "pip install 'argo-bench @ git+https://a.org/b'"),
        ("x; echo $(id) ${{ secrets.A }}", None),
    ],
)
def test_pip_installs_what_is_asked_for_and_nothing_else(tmp_path, asked, line):
    if line is None:
        with pytest.raises(UserError, match="expected"):
            write_workflows(tmp_path, workflow=Workflow(asked), overwrite=False)
        return
    paths, missing = write_workflows(tmp_path, workflow=Workflow(asked), overwrite=False)
    assert f"{line}\n" in paths[0].read_text(encoding="utf-8")
    assert not any("index" in each for each in missing)
    valid(*paths)


def test_this_repository_installs_itself(tmp_path):
    assert choose_requirement(ROOT, Path()) == "."
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "other"\n', encoding="utf-8")
    assert choose_requirement(tmp_path, Path()) == f"argo-bench=={version('argo-bench')}"


@pytest.mark.parametrize("strict", [pytest.param(False, marks=pytest.mark.slow), True])
def test_what_cannot_run_is_a_warning_unless_that_is_to_fail(tmp_path, strict):
    paths, _ = write_workflows(tmp_path, workflow=Workflow(strict=strict), overwrite=False)
    text = paths[0].read_text(encoding="utf-8")
    valid(*paths)
    program(tmp_path / "argo-bench", "exit $CODE")
    for code in (0, 1, 3, 4):
        done = run_script(text, tmp_path, CODE=str(code), BASE="a", HEAD="b")
        assert done.returncode == (0 if code == 4 and not strict else code)
        assert ("::warning" in done.stdout) == (code == 4 and not strict)


GH = """
case "$*" in
  "run download"*) cp -r artifact comment;;
  *"/pulls/7 "*) echo headsha;;
  *paginate*) echo $EXISTING;;
  *) echo "$@" >> calls; cp body.md posted;;
esac
"""


@pytest.fixture
def commented(tmp_path):
    """Runs the script that comments, on an artifact with a number and a summary; returns what it asked for."""
    paths, _ = write_workflows(tmp_path, overwrite=False)
    text = paths[1].read_text(encoding="utf-8").replace(WRITE, f"{STEP}{WRITE}")
    program(tmp_path / "gh", GH)
    (tmp_path / "artifact").mkdir()

    def run(number="7", summary="### fine, @someone", **environment):
        (tmp_path / "artifact" / "number").write_text(f"{number}\n", encoding="utf-8")
        (tmp_path / "artifact" / "summary.md").write_text(summary, encoding="utf-8")
        given = {"GH_REPO": "o/r", "RUN": "1", "MEASURED": "headsha", "EXISTING": ""} | environment
        done = run_script(text, tmp_path, **given)
        calls = tmp_path / "calls"
        return done.returncode, calls.read_text(encoding="utf-8").strip() if calls.exists() else ""

    return run


def test_a_comment_is_posted_once_and_notifies_nobody(commented, tmp_path):
    assert commented() == (0, "api --method POST repos/o/r/issues/7/comments --field body=@body.md --silent")
    posted = (tmp_path / "posted").read_text(encoding="utf-8")
    assert posted == "<!-- argo-bench -->\n### fine, @<!-- -->someone"


def test_a_comment_that_is_there_is_written_over(commented):
    wanted = "api --method PATCH repos/o/r/issues/comments/55 --field body=@body.md --silent"
    assert commented(EXISTING="55") == (0, wanted)


def test_a_summary_that_is_too_long_is_cut(commented, tmp_path):
    commented(summary="ä" * 60_000)
    assert len((tmp_path / "posted").read_bytes()) < 65_000


@pytest.mark.parametrize("number", ["7; id", "", "-7", "$(id)", "123456789012345678901234"])
def test_a_number_that_is_none_posts_nothing(commented, number):
    assert commented(number) == (1, "")


def test_a_pull_request_with_another_head_gets_no_comment(commented):
    assert commented(MEASURED="another") == (0, "")


def recipe_of(heading):
    text = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2]
    return re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1]


def test_the_recipe_for_gitlab_is_valid(tmp_path):
    recipe = tmp_path / ".gitlab-ci.yml"
    recipe.write_text(recipe_of("In GitLab"), encoding="utf-8")
    valid(recipe, schema="vendor.gitlab-ci")


def test_the_recipe_for_shards_is_valid_and_passes_zizmor(tmp_path):
    recipe = tmp_path / ".github" / "workflows" / "shards.yml"
    recipe.parent.mkdir(parents=True)
    head = "name: argo-bench\non: pull_request\npermissions: {}\n"
    recipe.write_text(head + recipe_of("Shards"), encoding="utf-8")
    valid(recipe)
    run_tool("zizmor", "--offline", "--no-progress", "--quiet", recipe)


def test_our_own_workflows_are_valid():
    files = list((ROOT / ".github" / "workflows").glob("*.yml"))
    valid(*files)
    run_tool("zizmor", "--offline", "--no-progress", "--quiet", *files)


@pytest.mark.parametrize("which", [PATH, COMMENT_PATH])
def test_a_workflow_that_is_there_is_written_over_only_when_that_is_meant(tmp_path, which):
    write_workflows(tmp_path, overwrite=False)
    (tmp_path / which).write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match="is there already: --force writes over it"):
        write_workflows(tmp_path, overwrite=False)
    assert (tmp_path / which).read_text(encoding="utf-8") == "mine"
    write_workflows(tmp_path, overwrite=True)
    assert (tmp_path / which).read_text(encoding="utf-8") != "mine"


def test_a_project_with_benchmarks_gets_no_hint_on_them(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.argo_bench.benchmarks.a]\nfunction = "a:b"\n', encoding="utf-8")
    assert "no benchmark" not in " ".join(write_workflows(tmp_path, overwrite=False)[1])
