"""Checks two revisions of a repository out, each in a worktree with an environment of its own, and removes both."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from argo_bench.errors import UserError
from argo_bench.harness.workers.processes import Program

Role = Literal["base", "head"]
Environment = Literal["own", "current"]
INSTALLED_BY = ("pyproject.toml", "setup.py")
"""A folder with one of these files can be installed by pip."""
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SYSTEMROOT")
"""Workers see these environment variables alone, so that none can make one side differ from the other."""
SHOWN_LINES = 8


@dataclass(frozen=True, slots=True)
class Checkout:
    """Holds one revision: its worktree, and the interpreter in which it is installed; ``failure`` is why it is not."""

    role: Role
    revision: str
    commit: str
    root: Path
    python: Path
    failure: str | None = None

    @property
    def path(self) -> tuple[str, ...]:
        """Return the folders in which its modules are found first."""
        return tuple(str(folder) for folder in (self.root / "src", self.root) if folder.is_dir())

    @property
    def program(self) -> Program:
        """Return the program of a worker in its interpreter, with a clean environment."""
        return Program(str(self.python), self.root, clean_environment())


def clean_environment() -> dict[str, str]:
    return {name: value for name in KEPT if (value := os.environ.get(name)) is not None}


class Repository:
    """Finds the git repository around a folder. Raises UserError where there is none, or no git."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("git") is None:
            raise UserError("git is not on the PATH: argo-bench ci checks revisions out with it; install it")
        self._folder = folder
        found = self._git("rev-parse", "--show-toplevel")
        if found.returncode:
            raise UserError(f"{folder.resolve()} is in no git repository: run argo-bench ci in the one to be judged")
        self.root = Path(found.stdout.strip())

    def commit_of(self, revision: str) -> str:
        """Return the commit that a revision names. Raises UserError for one that the repository does not have."""
        found = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        if found.returncode:
            shallow = self._git("rev-parse", "--is-shallow-repository").stdout.strip() == "true"
            way_out = "fetch the whole history (fetch-depth: 0)" if shallow else "see git log, or git fetch it first"
            raise UserError(f"the repository has no revision {revision!r}: expected a branch, tag or commit; {way_out}")
        return found.stdout.strip()

    def find_uncommitted_files(self) -> list[str]:
        """Return the tracked files whose changes are in no commit."""
        lines = self._git("status", "--porcelain", "--untracked-files=no").stdout.splitlines()
        return [line[3:] for line in lines]

    def find_changed_files(self, base: str, head: str) -> set[str]:
        """Return the files that differ between two commits, relative to the root."""
        return set(self._git("diff", "--name-only", "-z", base, head).stdout.split("\0")) - {""}

    @contextmanager
    def worktree(self, commit: str, root: Path) -> Iterator[Path]:
        """Check a commit out in a folder, and remove the folder at the end."""
        self._git("worktree", "prune")  # forgets worktrees of a gate that was killed: their folders are gone
        added = self._git("worktree", "add", "--detach", "--quiet", str(root), commit)
        if added.returncode:
            raise UserError(f"git cannot check {commit[:10]} out ({added.stderr.strip()}): mend that first")
        try:
            yield root
        finally:
            self._git("worktree", "remove", "--force", "--force", str(root))

    def _git(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["git", "-C", str(self._folder), *arguments], capture_output=True, text=True, check=False)


@contextmanager
def check_out(
    repository: Repository,
    revisions: Mapping[Role, str],
    scratch: Path,
    environment: Environment,
    install: Sequence[str],
) -> Iterator[dict[Role, Checkout]]:
    """Check both revisions out and install them side by side; both are removed at the end.

    ``install`` are pip's arguments; none stands for the project itself. Raises UserError as ``commit_of`` does.
    """
    commits = {role: repository.commit_of(revision) for role, revision in revisions.items()}
    with ExitStack() as stack:
        roots = {role: stack.enter_context(repository.worktree(commits[role], scratch / role)) for role in commits}

        def make_checkout(role: Role) -> Checkout:
            python = Path(sys.executable)
            failure = None
            if environment == "own":
                python = scratch / f"{role}-env" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
                failure = _install(roots[role], scratch / f"{role}-env", python, install)
            return Checkout(role, revisions[role], commits[role], roots[role], python, failure)

        with ThreadPoolExecutor() as pool:
            yield dict(zip(commits, pool.map(make_checkout, commits), strict=True))


def _install(root: Path, folder: Path, python: Path, install: Sequence[str]) -> str | None:
    """Make an environment and install the project in it; return what pip said where it could not."""
    has_pip = find_spec("pip") is not None
    _run_command([sys.executable, "-m", "venv", *(["--without-pip"] if has_pip else []), str(folder)], root)
    pip = [sys.executable, "-m", "pip", "--python", str(python)] if has_pip else [str(python), "-m", "pip"]
    arguments = list(install) or _find_pip_arguments(root)
    if not arguments:
        return None
    options = ["--quiet", "--disable-pip-version-check", "--no-input"]
    return _run_command([*pip, "install", *options, *arguments], root)


def _find_pip_arguments(root: Path) -> list[str]:
    """Return pip's arguments that install the project in a folder; none where pip would not know how."""
    if not any((root / name).is_file() for name in INSTALLED_BY):
        return []
    pyproject = root / "pyproject.toml"
    is_package = (root / "setup.py").is_file() or "[project]" in pyproject.read_text(encoding="utf-8")
    constraints = ["-c", "constraints.txt"] if (root / "constraints.txt").is_file() else []
    return [*constraints, "-e", "."] if is_package else []


def _run_command(command: Sequence[str], folder: Path) -> str | None:
    """Run a command and return the last lines that it wrote if it failed, else None."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if not done.returncode:
        return None
    lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    return f"{shlex.join(command[-4:])} failed: " + " / ".join(lines[-SHOWN_LINES:])
