"""Answers questions about the git repository that is judged, and checks its commits out; its hooks do not run."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from argo_bench.errors import UserError

PYPROJECT = "pyproject.toml"
WITHOUT_HOOKS = ("-c", f"core.hooksPath={os.devnull}")
LFS_LEFT = ("-c", "filter.lfs.smudge=", "-c", "filter.lfs.process=", "-c", "filter.lfs.required=false")
"""Where the objects of Git LFS cannot be had, a checkout has their pointers, which only what reads them will see."""
PATCHING = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "argo-bench"), ("EMAIL", "argo-bench@localhost"), ("DATE", "2000-01-01T00:00:00Z"))
}
"""The commit of a patch is made by nobody and at no time, so that it depends on the patch alone."""
SUBMODULE = "160000"
"""The mode by which a tree of git marks the commit of a submodule (gitformat-index, "Index entry")."""


class Submodule(NamedTuple):
    """Holds a submodule as a commit has it: its path in the worktree, and the commit that belongs there."""

    path: str
    commit: str


class Repository:
    """Finds the git repository around a folder, and the project in it. Raises UserError where there is none, or no git.

    The project is the folder itself, or the nearest one above it in the repository, that has a pyproject.toml.
    """

    def __init__(self, folder: Path) -> None:
        if shutil.which("git") is None:
            raise UserError("git is not on the PATH: argo-bench ci checks revisions out with it; install it")
        if not folder.is_dir():
            raise UserError(f"{folder} is no folder: expected that of a project in a git repository")
        self._folder = folder
        found = self._git("rev-parse", "--show-toplevel")
        if found.returncode:
            raise UserError(f"{folder.resolve()} is in no git repository: run argo-bench ci in the one to be judged")
        self.root = Path(found.stdout.strip())
        self.project = self._find_project()

    def _find_project(self) -> Path:
        """Return the project's folder relative to the root."""
        root = self.root.resolve()
        for folder in (self._folder.resolve(), *self._folder.resolve().parents):
            if (folder / PYPROJECT).is_file() and folder.is_relative_to(root):
                return folder.relative_to(root)
            if folder == root:
                break
        return Path()

    def commit_of(self, revision: str) -> str:
        """Return the commit that a revision names, or that it names at the remote ``origin``.

        Raises UserError for one that the repository does not have.
        """
        for name in (revision, f"origin/{revision}"):
            found = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
            if not found.returncode:
                return found.stdout.strip()
        way_out = (
            "fetch the whole history (fetch-depth: 0)" if self.is_shallow else "see git log, or git fetch it first"
        )
        raise UserError(f"the repository has no revision {revision!r}: expected a branch, tag or commit; {way_out}")

    @property
    def is_shallow(self) -> bool:
        return self._git("rev-parse", "--is-shallow-repository").stdout.strip() == "true"

    def find_merge_base(self, base: str, head: str) -> str | None:
        """Return the commit at which the head has left the base; None where this clone has none."""
        found = self._git("merge-base", base, head)
        return None if found.returncode else found.stdout.strip()

    def contains(self, commit: str, other: str) -> bool:
        """Say whether a commit has another one among those that it comes from."""
        return not self._git("merge-base", "--is-ancestor", "--end-of-options", other, commit).returncode

    def count_commits(self, since: str, until: str) -> int:
        """Return the number of commits that ``until`` has and ``since`` has not."""
        return int(self._git("rev-list", "--count", f"{since}..{until}").stdout.strip() or 0)

    def find_uncommitted_files(self) -> list[str]:
        """Return the tracked files whose changes are in no commit."""
        lines = self._git("status", "--porcelain", "--untracked-files=no").stdout.splitlines()
        return [line[3:] for line in lines]

    def find_changed_files(self, base: str, head: str) -> set[str]:
        """Return the files that differ between two commits, relative to the root, both names of one that was renamed.

        A submodule is among them whatever the repository or its owner has git ignore.
        """
        asked = ("diff-tree", "-r", "--name-only", "-z", "--no-renames", "--no-relative", "--ignore-submodules=none")
        return set(self._git(*asked, base, head).stdout.split("\0")) - {""}

    def apply_patch(self, commit: str, patch: Path) -> str:
        """Return a commit that is another one with a patch, on no branch: the same two give the same commit.

        Paths in the patch are relative to the repository's root. Raises UserError where it does not apply.
        """
        with TemporaryDirectory(prefix="argo-bench-") as folder:
            own = {**PATCHING, "GIT_INDEX_FILE": str(Path(folder) / "index")}
            of = ("-C", str(self.root))
            self._git(*of, "read-tree", commit, more=own)
            applied = self._git(*of, "apply", "--cached", "--whitespace=nowarn", str(patch.resolve()), more=own)
            if applied.returncode:
                reason = " / ".join(line.removeprefix("error: ") for line in applied.stderr.strip().splitlines())
                raise UserError(f"{patch} does not apply to {commit[:10]} ({reason}): expected what git diff writes")
            tree = self._git(*of, "write-tree", more=own).stdout.strip()
            made = self._git(*of, "commit-tree", "-p", commit, "-m", f"{commit} with a patch", tree, more=own)
        if made.returncode:
            raise UserError(f"git cannot keep {patch} as a commit ({made.stderr.strip()}): mend that first")
        return made.stdout.strip()

    @contextmanager
    def worktree(self, commit: str, root: Path) -> Iterator[Path]:
        """Check a commit out in a folder with its submodules, and remove the folder at the end."""
        self._git("worktree", "prune")  # forgets worktrees of a gate that was killed: their folders are gone
        added = self._add_worktree(commit, root)
        if added.returncode and not root.exists():
            added = self._add_worktree(commit, root, *LFS_LEFT)
        if added.returncode:
            raise UserError(f"git cannot check {commit[:10]} out ({added.stderr.strip()}): mend that first")
        try:
            self._fill_submodules(self._folders_of_git, self.root, commit, root)
            yield root
        finally:
            self._git("worktree", "remove", "--force", "--force", str(root))
            shutil.rmtree(root, ignore_errors=True)  # git leaves folders that it does not track

    def _add_worktree(self, commit: str, root: Path, *options: str) -> subprocess.CompletedProcess[str]:
        return self._git(
            *WITHOUT_HOOKS, *options, "worktree", "add", "--force", "--detach", "--quiet", str(root), commit
        )

    @property
    def _folders_of_git(self) -> list[Path]:
        """The folders with the repository's objects and submodules: that of all worktrees, and that of the one here."""
        asked = ("rev-parse", "--path-format=absolute", "--git-common-dir", "--absolute-git-dir")
        return [Path(line) for line in dict.fromkeys(self._git(*asked).stdout.splitlines())]

    def _fill_submodules(self, folders: Sequence[Path], root: Path, commit: str, worktree: Path) -> None:
        """Write the files of submodules from what this clone has of them, without asking any other place.

        ``folders`` are those of git, ``root`` is where this clone has the files: an old submodule has its own ``.git``
        there. One that this clone does not have is left empty, as git leaves it.
        """
        for submodule in self._list_submodules(folders[0], commit):
            name, folder = self._name_of(worktree, submodule.path), worktree / submodule.path
            places = [*(each / "modules" / name for each in folders), root / submodule.path / ".git"]
            for own in (each for each in places if each.is_dir()):
                folder.mkdir(parents=True, exist_ok=True)
                index = {"GIT_INDEX_FILE": str(folder.parent / f"{folder.name}.index")}
                of = (*WITHOUT_HOOKS, f"--git-dir={own}", f"--work-tree={folder}")
                is_found = not self._git(*of, "read-tree", submodule.commit, more=index).returncode
                if is_found:
                    self._git(*of, "checkout-index", "--all", "--force", f"--prefix={folder}/", more=index)
                    self._fill_submodules([own], root / submodule.path, submodule.commit, folder)
                Path(index["GIT_INDEX_FILE"]).unlink(missing_ok=True)
                if is_found:
                    break

    def _list_submodules(self, objects: Path, commit: str) -> list[Submodule]:
        lines = self._git(f"--git-dir={objects}", "ls-tree", "-r", "-z", "--full-tree", commit).stdout.split("\0")
        found = [line.partition("\t") for line in lines if line.startswith(f"{SUBMODULE} ")]
        return [Submodule(path, facts.split()[2]) for facts, _, path in found]

    def _name_of(self, worktree: Path, path: str) -> str:
        """Return the name of a submodule, which .gitmodules has beside its path."""
        asked = ("config", "--null", "--file", str(worktree / ".gitmodules"), "--get-regexp", r"^submodule\..*\.path$")
        for line in self._git(*asked).stdout.split("\0"):
            key, _, value = line.partition("\n")
            if value == path:
                return key.removeprefix("submodule.").removesuffix(".path")
        return path

    def _git(self, *arguments: str, more: Mapping[str, str] = {}) -> subprocess.CompletedProcess[str]:
        command = ["git", "-C", str(self._folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {**more})
