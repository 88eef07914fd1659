"""Gives a run its own place on disk, which is gone at the end however the run ends."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import psutil

from argo_bench.errors import UserError
from argo_bench.harness.machine.environment import find_file_system, is_disk
from argo_bench.harness.subject import Around, OutputCheck
from argo_bench.parent import cleaner
from argo_bench.temporary import owned_prefix, remove_leftovers

SCRATCH = "ARGO_BENCH_SCRATCH"
"""This environment variable says where scratch directories go."""


@contextmanager
def scratch_directory() -> Iterator[Around]:
    """Make a directory in which this process and its children put temporary files, and remove it at the end.

    A process that outlives this one removes it. Where that was killed too, the next one that comes here does so.
    """
    remove_leftovers()
    before = os.environ.get("TMPDIR")
    with ExitStack() as stack:
        scratch = choose_place() / f"{owned_prefix('bench')}{secrets.token_hex(4)}"
        stack.enter_context(cleaner(scratch))  # before the directory exists: a kill may come at any moment
        scratch.mkdir(mode=0o700)
        stack.callback(_end_what_runs_in, scratch)
        stack.callback(_put_temporary_files_in, before)
        _put_temporary_files_in(str(scratch))
        yield Around(scratch, {"file_system": find_file_system(scratch)})


def choose_place() -> Path:
    """Return the folder where scratch directories go: ARGO_BENCH_SCRATCH, else the first usual place that is on a disk.

    Raises UserError where ARGO_BENCH_SCRATCH cannot be written to.
    """
    if chosen := os.environ.get(SCRATCH):
        if not (os.path.isdir(chosen) and os.access(chosen, os.W_OK)):
            raise UserError(f"{SCRATCH}: expected a directory that can be written to, got {chosen!r}; make or unset it")
        return Path(chosen).resolve()
    usual = [Path(tempfile.gettempdir()), Path("/var/tmp"), Path.cwd()]
    return next((each for each in usual if os.access(each, os.W_OK) and is_disk(each)), usual[0])


def _end_what_runs_in(scratch: Path) -> None:
    """Kill the child processes that were started within the directory, in a session of their own, and still run.

    They do so after an interrupt, and would go on writing there.
    """
    for child in psutil.Process().children():
        with suppress(psutil.Error, ProcessLookupError):
            if child.environ().get("TMPDIR") == str(scratch) and os.getsid(child.pid) == child.pid:
                child.kill()


def _put_temporary_files_in(directory: str | None) -> None:
    if directory is None:
        os.environ.pop("TMPDIR", None)
    else:
        os.environ["TMPDIR"] = directory
    tempfile.tempdir = None


class NoSupply:
    """Supplies nothing, for functions that are fed only by their setup."""

    def header(self) -> dict[str, Any]:
        return {}

    def families(self) -> Mapping[str, Sequence[str]]:
        return {}

    @contextmanager
    def open(self, needs: Collection[str]) -> Iterator[Around]:
        with scratch_directory() as around:
            around.facts["shared_store"] = None
            yield around

    def lines(self) -> list[msgspec.Struct]:
        return []

    def checks(self, scratch: Path) -> list[OutputCheck]:
        return []

    def preload(self) -> tuple[str, ...]:
        return ()

    def first(self) -> frozenset[str]:
        return frozenset()
