"""Does a gate check out what real repositories have: submodules, sub-folders, hooks, branches that have moved on?"""

import json
import subprocess
from pathlib import Path

import pytest

from argo_bench.errors import UserError
from argo_bench.gate import run
from argo_bench.gate.benchmarks import Settings
from argo_bench.gate.changes import is_changed
from argo_bench.gate.checkouts import Checkout
from argo_bench.gate.installing import OUTSIDE, is_package
from argo_bench.gate.repository import Repository
from tests.program import argo


def git(folder, *arguments):
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "protocol.file.allow=always")
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def commit(folder, **files):
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    git(folder, "add", "-A")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "more")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def made(tmp_path):
    """Makes a repository of a name."""

    def make(name):
        folder = tmp_path / name
        folder.mkdir()
        git(folder, "init", "--quiet", "--initial-branch", "main")
        commit(folder, **{"pyproject.toml": "", "m.py": "one = 1\n"})
        return folder

    return make


def test_submodules_are_filled_from_this_clone_at_any_depth(made, tmp_path):
    deepest, inner, outer = (made(name) for name in ("deepest", "inner", "outer"))
    first = commit(deepest, **{"vend.py": "version = 1\n"})
    commit(deepest, **{"vend.py": "version = 2\n"})
    git(inner, "submodule", "add", "--quiet", "--name", "a name", str(deepest), "lib/deepest")
    git(inner / "lib" / "deepest", "checkout", "--quiet", first)
    commit(inner)
    git(outer, "submodule", "add", "--quiet", str(inner), "third_party/inner")
    git(outer, "submodule", "update", "--quiet", "--init", "--recursive")
    head = commit(outer)
    with Repository(outer).worktree(head, tmp_path / "head") as root:
        assert (root / "third_party/inner/m.py").read_text(encoding="utf-8") == "one = 1\n"
        assert (root / "third_party/inner/lib/deepest/vend.py").read_text(encoding="utf-8") == "version = 1\n"
    assert not (tmp_path / "head").exists()
    assert git(outer, "status", "--porcelain") == ""


def test_a_submodule_that_this_clone_does_not_have_is_left_empty(made, tmp_path):
    library, outer = made("library"), made("outer")
    git(outer, "submodule", "add", "--quiet", str(library), "lib")
    head = commit(outer)
    git(tmp_path, "clone", "--quiet", str(outer), "clone")
    with Repository(tmp_path / "clone").worktree(head, tmp_path / "head") as root:
        assert list((root / "lib").iterdir()) == []


def test_a_submodule_whose_git_folder_lies_in_it_is_filled(made, tmp_path):
    outer = made("outer")
    inner = made("outer/inner")
    git(outer, "submodule", "add", "--quiet", str(inner), "inner")
    assert (inner / ".git").is_dir(), "git leaves the folder of a clone where it is"
    with Repository(outer).worktree(commit(outer), tmp_path / "head") as root:
        assert (root / "inner" / "m.py").read_text(encoding="utf-8") == "one = 1\n"


def test_submodules_of_a_linked_worktree_are_filled_from_its_own_folder(made, tmp_path):
    library, outer = made("library"), made("outer")
    git(outer, "worktree", "add", "--quiet", str(tmp_path / "linked"))
    git(tmp_path / "linked", "submodule", "add", "--quiet", str(library), "lib")
    head = commit(tmp_path / "linked")
    with Repository(tmp_path / "linked").worktree(head, tmp_path / "head") as root:
        assert (root / "lib" / "m.py").read_text(encoding="utf-8") == "one = 1\n"


def test_files_that_differ_are_found_whatever_git_is_told_to_ignore(made):
    library, outer = made("library"), made("outer")
    git(outer, "submodule", "add", "--quiet", str(library), "lib")
    git(outer, "config", "--file", ".gitmodules", "submodule.lib.ignore", "all")
    git(outer, "config", "diff.ignoreSubmodules", "all")
    git(outer, "config", "diff.relative", "true")
    base = commit(outer)
    (outer / "below").mkdir()
    commit(outer / "lib", **{"m.py": "one = 2\n"})
    git(outer, "mv", "m.py", "n.py")
    git(outer, "update-index", "--add", "--cacheinfo", f"160000,{git(outer / 'lib', 'rev-parse', 'HEAD')},lib")
    git(outer, "commit", "--quiet", "--message", "moved")
    found = Repository(outer / "below").find_changed_files(base, git(outer, "rev-parse", "HEAD"))
    assert found == {"lib", "m.py", "n.py"}


def test_hooks_of_the_repository_do_not_run(made, tmp_path):
    folder = made("hooked")
    hook = folder / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n", encoding="utf-8")
    hook.chmod(0o755)
    git(folder, "checkout", "--quiet", "main")
    assert (tmp_path / "ran").exists(), "the hook runs where nobody prevents it"
    (tmp_path / "ran").unlink()
    with Repository(folder).worktree(git(folder, "rev-parse", "HEAD"), tmp_path / "head"):
        assert not (tmp_path / "ran").exists()


def test_the_project_is_the_nearest_folder_with_a_pyproject(made):
    folder = made("monorepo")
    (folder / "services" / "pricing" / "src").mkdir(parents=True)
    (folder / "services" / "pricing" / "pyproject.toml").touch()
    of = {each: Repository(folder / each).project for each in (".", "services", "services/pricing/src")}
    assert of == {".": Path(), "services": Path(), "services/pricing/src": Path("services/pricing")}
    with pytest.raises(UserError, match="is no folder: expected that of a project in a git repository"):
        Repository(folder / "nowhere")


def question(base, *, is_direct=False):
    return run.Question(base, "feature", Settings(), (), 1, is_direct)


def test_the_head_is_compared_with_where_it_left_the_base(made):
    folder = made("moved")
    left = git(folder, "rev-parse", "HEAD")
    git(folder, "checkout", "--quiet", "-b", "feature")
    head = commit(folder, notes="b")
    git(folder, "checkout", "--quiet", "main")
    tip = commit(folder, **{"m.py": "one = 2\n"})
    repository = Repository(folder)
    assert run._find_commits(repository, question("main")) == {"base": ("main", left), "head": ("feature", head)}
    assert run._find_commits(repository, question("main", is_direct=True))["base"] == ("main", tip)
    assert repository.count_commits(left, tip) == 1


def test_histories_with_nothing_in_common_are_compared_as_they_are(made):
    folder = made("grafted")
    git(folder, "checkout", "--quiet", "--orphan", "feature")
    commit(folder)
    assert run._find_commits(Repository(folder), question("main"))["base"][1] == git(folder, "rev-parse", "main")


def test_a_shallow_clone_without_the_commit_at_which_the_head_left_the_base_is_told(made, tmp_path):
    folder = made("origin")
    git(folder, "checkout", "--quiet", "-b", "feature")
    commit(folder, notes="b")
    git(folder, "checkout", "--quiet", "main")
    tip = commit(folder, **{"m.py": "one = 2\n"})
    git(tmp_path, "clone", "--quiet", "--depth=1", "--no-single-branch", f"file://{folder}", "clone")
    git(tmp_path / "clone", "branch", "feature", "origin/feature")
    clone = Repository(tmp_path / "clone")
    with pytest.raises(UserError, match=r"shallow and lacks the commit at which feature left main: .*--direct"):
        run._find_commits(clone, question("main"))
    assert run._find_commits(clone, question("main", is_direct=True))["base"] == ("main", tip)


def test_a_project_that_the_base_does_not_have_has_new_benchmarks(made):
    folder = made("monorepo")
    project = folder / "services" / "pricing"
    project.mkdir(parents=True)
    table = '[tool.argo_bench.benchmarks.quote]\nfunction = "quotes:quote"\n'
    commit(project, **{"pyproject.toml": table, "quotes.py": "def quote():\n    return sum(range(9))\n"})
    arguments = ("--base", "HEAD~1", "--environment", "current", "--budget", "60s", "--out", "record", "--json")
    done = argo("ci", *arguments, cwd=project)
    assert done.returncode == 0, done.stderr
    [outcome] = json.loads(done.stdout)["outcomes"]
    assert outcome["state"] == "new"
    assert "it has no folder services/pricing" in outcome["sentence"]


def test_a_branch_that_only_the_remote_has_is_found_there(made, tmp_path):
    origin = made("origin")
    git(tmp_path, "clone", "--quiet", str(origin), "clone")
    git(tmp_path / "clone", "checkout", "--quiet", "-b", "feature")
    git(tmp_path / "clone", "branch", "--quiet", "-D", "main")
    assert Repository(tmp_path / "clone").commit_of("main") == git(origin, "rev-parse", "main")
    with pytest.raises(UserError, match="no revision 'nowhere'"):
        Repository(tmp_path / "clone").commit_of("nowhere")


@pytest.mark.parametrize(
    ("files", "package"),
    [
        ({"pyproject.toml": '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'}, True),
        ({"pyproject.toml": "[tool.poetry]\nname = 'a'\n"}, True),
        ({"pyproject.toml": "[project]\nname = 'a'\n"}, True),
        ({"setup.py": ""}, True),
        ({"pyproject.toml": "[tool.ruff]\n", "setup.py": ""}, True),
        ({"pyproject.toml": "[tool.ruff]\n", "setup.cfg": "[metadata]\nname = a\n[options]\npackages = a\n"}, True),
        ({"pyproject.toml": "[tool.ruff]\n", "setup.cfg": "[flake8]\nmax-line-length = 99\n"}, False),
        ({"pyproject.toml": "[tool.ruff]\n", "setup.cfg": "broken"}, False),
        ({"setup.cfg": "[metadata]\nname = a\n"}, False),
        ({"pyproject.toml": "[tool.argo_bench.benchmarks.a]\nfunction = 'a:b'\n"}, False),
        ({"pyproject.toml": "# [project]\n"}, False),
        ({"pyproject.toml": "[broken"}, False),
        ({}, False),
    ],
)
def test_what_pip_can_build_is_a_package(tmp_path, files, package):
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert is_package(tmp_path) is package


@pytest.mark.parametrize(
    ("said", "is_outside"),
    [
        ("ERROR: Could not find a version that satisfies the requirement private==1 (from versions: none)", True),
        ("WARNING: Retrying ... NewConnectionError('Failed to establish a new connection')", True),
        ("error: command 'gcc' failed: No such file or directory", True),
        ("error: command '/usr/bin/x86_64-linux-gnu-gcc' failed with exit code 1", False),
        ("SyntaxError: invalid syntax in setup.py", False),
        ("ModuleNotFoundError: No module named 'nowhere'", False),
    ],
)
def test_a_cause_outside_of_the_project_is_told_from_one_of_its_own(said, is_outside):
    assert (OUTSIDE.search(said) is not None) is is_outside


CHANGES = {
    "pkg/core.py": True,
    "pkg/other.py": False,
    "services/pricing/src/pkg/core.py": True,
    "pkg/_c.c": True,
    "pkg/table.csv": True,
    "uv.lock": True,
    "setup.py": True,
    "build.py": True,
    "tools/hatch_build.py": True,
    "README.md": False,
    "docs/conf.py": False,
    "docs/picture.png": False,
    ".github/workflows/ci.yml": False,
    "tests/test_core.py": False,
}


@pytest.mark.parametrize(("file", "changed"), CHANGES.items())
@pytest.mark.parametrize("is_installed", [False, True])
def test_a_change_touches_a_benchmark_that_loads_the_file_or_is_built_from_it(file, changed, is_installed):
    root, libraries = Path("/w/head"), Path("/w/head-env/lib/python3.11/site-packages")
    head = Checkout("head", "HEAD", "h", root, root, Path("python"), libraries if is_installed else None)
    loaded = libraries / "pkg" / "core.py" if is_installed else root / file
    if not is_installed and file in ("pkg/other.py", "docs/conf.py", "tests/test_core.py"):
        loaded = root / "pkg" / "core.py"
    assert is_changed([loaded], head, {file}) is changed


@pytest.mark.parametrize(("file", "changed"), [("src/pkg/core.py", True), ("src/pkg/other.py", False)])
def test_a_module_that_is_compiled_from_python_changes_with_its_source(file, changed):
    root, libraries = Path("/w/head"), Path("/w/head-env/lib/python3.11/site-packages")
    head = Checkout("head", "HEAD", "h", root, root, Path("python"), libraries)
    compiled = "core.cpython-311-x86_64-linux-gnu.so"
    assert is_changed([libraries / "pkg" / compiled], head, {file}) is changed
    in_place = Checkout("head", "HEAD", "h", root, root, Path("python"))
    assert is_changed([root / "src" / "pkg" / compiled], in_place, {file}) is changed
