"""Checks two revisions of a project out, each in a worktree with an environment of its own, and removes both."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from argo_bench.gate.installing import Installed, install_project
from argo_bench.gate.repository import Repository
from argo_bench.harness.workers.processes import Program

Role = Literal["base", "head"]
Environment = Literal["own", "current"]
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SYSTEMROOT")
"""Workers see these environment variables alone, so that none can make one side differ from the other."""


@dataclass(frozen=True, slots=True)
class Checkout:
    """Holds one revision: its ``worktree``, the project's folder in it, and the interpreter in which it is installed.

    ``libraries`` is the folder in which the project is installed; None where it is used from its folder. ``failure``
    says why it could not be installed, and ``is_outside`` that the cause lies outside of the project.
    """

    role: Role
    revision: str
    commit: str
    worktree: Path
    root: Path
    python: Path
    libraries: Path | None = None
    failure: str | None = None
    is_outside: bool = False

    @property
    def path(self) -> tuple[str, ...]:
        """Return the folders in which its modules are found first; none where it is installed."""
        return () if self.libraries is not None else self._sources

    @property
    def readable(self) -> tuple[str, ...]:
        """Return the folders with all modules by which what it returns can be read."""
        return self._sources if self.libraries is None else (str(self.libraries), *self._sources)

    @property
    def _sources(self) -> tuple[str, ...]:
        return tuple(str(folder) for folder in (self.root / "src", self.root) if folder.is_dir())

    @property
    def program(self) -> Program:
        """Return the program of a worker in its interpreter, with a clean environment."""
        return Program(str(self.python), self.root, clean_environment())


def clean_environment() -> dict[str, str]:
    return {name: value for name in KEPT if (value := os.environ.get(name)) is not None}


@contextmanager
def check_out(
    repository: Repository,
    commits: Mapping[Role, tuple[str, str]],
    scratch: Path,
    environment: Environment,
    install: Sequence[str],
    seconds: float,
) -> Iterator[dict[Role, Checkout]]:
    """Check both revisions out and install them side by side in so many ``seconds``; both are removed at the end.

    ``commits`` are the name and the commit of each revision; ``install`` are pip's arguments, where none stands for the
    project itself. Raises UserError where git cannot check a commit out.
    """
    with ExitStack() as stack:
        worktrees = {
            role: stack.enter_context(repository.worktree(commit, scratch / role))
            for role, (_, commit) in commits.items()
        }

        def make_checkout(role: Role) -> Checkout:
            root = worktrees[role] / repository.project
            found = Installed(Path(sys.executable))
            if not root.is_dir():
                found = Installed(Path(sys.executable), failure=f"it has no folder {repository.project.as_posix()}")
            elif environment == "own":
                found = install_project(root, scratch / f"{role}-env", install, seconds)
            name, commit = commits[role]
            return Checkout(
                role,
                name,
                commit,
                worktrees[role],
                root,
                found.python,
                found.libraries,
                found.failure,
                found.is_outside,
            )

        with ThreadPoolExecutor() as pool:
            yield dict(zip(commits, pool.map(make_checkout, commits), strict=True))
