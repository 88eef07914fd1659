"""Is a patch applied to a commit of its own, judged in one word, and refused with git's reason?"""

import msgspec
import pytest

from argo_bench.errors import UserError
from argo_bench.gate import run
from argo_bench.gate.benchmarks import Settings
from argo_bench.gate.description import judge_patch
from argo_bench.gate.records import Agreed, Exact
from argo_bench.gate.repository import Repository
from argo_bench.harness.record.records import Failure
from tests.test_gate import ALL, batch, both, gate, revisions
from tests.test_gate_repository import commit, git, made  # noqa: F401

SAME = batch("walk", 0.0, **ALL)


def word(*records, changed=("parse", "walk"), **more):
    of = msgspec.structs.replace(revisions("parse", "walk"), changed=[*changed], patch="a.diff", **more)
    return judge_patch(gate(*records, of=of), of)


def test_a_patch_is_judged_in_one_word():
    assert word(*batch("parse", -0.2, **ALL), *SAME) == "faster"
    assert word(*batch("parse", 0.0, **ALL), *SAME) == "fine"
    assert word(*batch("parse", 0.03), *SAME) == "undecided"
    assert word(*both("parse", 0.1), *SAME) == "worse"
    assert word(*batch("parse", 0.0, **ALL), *SAME, Exact("parse", {"requests": 1}, {"requests": 2}, [], {})) == "worse"


def test_what_computes_otherwise_or_does_not_run_is_void_however_fast():
    fast = [*batch("parse", -0.2, **ALL), *SAME]
    assert word(*fast, Agreed("parse", "output[3]: 1 and 2", None)) == "void"
    assert word(Failure("parse", "head", "failed", "ValueError: no"), *both("walk", 0.1)) == "void"
    assert word(*fast, removed={"scan": "scan.py"}) == "void"


def test_what_the_patch_does_not_touch_says_nothing_of_it():
    open_one = batch("walk", 0.03)
    assert word(*batch("parse", -0.2, **ALL), *open_one, changed=["parse"]) == "faster"
    assert word(*batch("parse", 0.0, **ALL), *batch("walk", -0.2, **ALL), changed=["parse"]) == "fine"
    assert word(*open_one, changed=[]) == "fine"


def test_where_nothing_can_be_said_it_is_undecided():
    away = batch("parse", 0.06, candidate="base again", **ALL)
    assert word(*batch("parse", -0.2, **ALL), *away, *SAME) == "undecided"
    failures = Failure("parse", "base", "failed", "x"), Failure("parse", "head", "failed", "y")
    assert word(*failures, *SAME, changed=[]) == "undecided"


@pytest.fixture
def patched(made, tmp_path):  # noqa: F811
    """A repository, its commit, and a patch for it."""
    folder = made("own")
    head = git(folder, "rev-parse", "HEAD")
    (folder / "m.py").write_text("one = 2\n", encoding="utf-8")
    (folder / "new.py").write_text("new = 1\n", encoding="utf-8")
    git(folder, "add", "-A")
    patch = tmp_path / "a.diff"
    patch.write_text(git(folder, "diff", "--cached") + "\n", encoding="utf-8")
    git(folder, "reset", "--quiet", "--hard")
    return folder, head, patch


def test_a_patch_becomes_a_commit_on_no_branch_the_same_each_time(patched, tmp_path):
    folder, head, patch = patched
    repository = Repository(folder)
    made_of_it = repository.apply_patch(head, patch)
    assert repository.apply_patch(head, patch) == made_of_it
    assert repository.find_changed_files(head, made_of_it) == {"m.py", "new.py"}
    assert git(folder, "rev-parse", "HEAD") == head
    assert git(folder, "status", "--porcelain") == ""
    with repository.worktree(made_of_it, tmp_path / "head") as root:
        assert (root / "m.py").read_text(encoding="utf-8") == "one = 2\n"


def test_a_patch_that_does_not_apply_is_refused_with_gits_reason(patched, tmp_path):
    folder, _, patch = patched
    commit(folder, **{"m.py": "other = 1\n"})
    with pytest.raises(UserError, match=r"does not apply to \w{10} \(patch failed: m.py:1"):
        Repository(folder).apply_patch(git(folder, "rev-parse", "HEAD"), patch)
    empty = tmp_path / "empty.diff"
    empty.write_text("", encoding="utf-8")
    with pytest.raises(UserError, match="does not apply"):
        Repository(folder).apply_patch("HEAD", empty)


def test_the_base_of_a_patch_is_the_commit_that_it_is_applied_to(patched):
    folder, head, patch = patched
    commits = run._find_commits(Repository(folder), run.Question("HEAD", "HEAD", Settings(), (), 1, patch=patch))
    assert commits["base"] == ("HEAD", head)
    assert commits["head"][0] == "a.diff" and commits["head"][1] != head
