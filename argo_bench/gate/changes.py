"""Says whether a change of files may touch a benchmark: a module that it loads, or what it is built from or reads."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

from argo_bench.gate.checkouts import Checkout

PYTHON = (".py", ".pyi")
WORDS = (".md", ".rst", ".adoc")
WORDS_IN = ("docs", "doc", ".github", ".gitlab", ".circleci")
BY_ALL = ("setup.py", "conftest.py", "build.py", "hatch_build.py", "pdm_build.py")
"""A change of one of these may touch every benchmark, though none loads it: Poetry, hatch and PDM build extensions by
files with the last three names."""


def is_changed(loaded: Sequence[Path], head: Checkout, changed: Collection[str]) -> bool:
    """Say whether one of the ``changed`` files, relative to the worktree, may touch a benchmark that loads ``loaded``.

    A file in Python does where it is loaded, from the worktree or as it is installed. Any other one does, unless it
    holds words for readers: a source of an extension, a table of dependencies and data are seen in no list of modules.
    """
    return any(_may_touch(PurePosixPath(each), loaded, head) for each in changed)


def _may_touch(file: PurePosixPath, loaded: Sequence[Path], head: Checkout) -> bool:
    if file.suffix not in PYTHON:
        return file.suffix not in WORDS and file.parts[0] not in WORDS_IN
    if file.name in BY_ALL:
        return True
    sources = {each if each.suffix in PYTHON else _find_source(each) for each in loaded}
    in_worktree = head.worktree / file
    return any(each == in_worktree or _is_installed_from(each, file, head) for each in sources)


def _find_source(compiled: Path) -> Path:
    """Return the file in Python beside a compiled module of which that may be made, as Cython and mypyc do."""
    return compiled.with_name(f"{compiled.name.partition('.')[0]}.py")


def _is_installed_from(source: Path, file: PurePosixPath, head: Checkout) -> bool:
    """Say whether a module's source is the installed copy of a file: their paths end alike."""
    if head.libraries is None or not source.is_relative_to(head.libraries):
        return False
    module = source.relative_to(head.libraries).parts
    return file.parts[-len(module) :] == module
