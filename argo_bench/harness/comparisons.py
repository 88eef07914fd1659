"""Keeps the records of comparisons for a while, in one folder of the user's cache.

A record stays until MOST newer ones are there, or for LONGEST_S. One that a living process writes stays in any case;
one whose writer was killed has no verdict and is removed.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import platformdirs

from argo_bench.harness.record.store import FILE_NAME
from argo_bench.temporary import is_running, number_machine, owned_prefix

MOST = 100
"""So many records are kept."""
LONGEST_S = 30 * 24 * 3600.0
"""An older record is removed."""
KIND = "comparison"
WRITER = "writer"
"""This file stands beside a record while it is written; it names the machine and the process."""


@contextmanager
def open_folder() -> Iterator[Path]:
    """Make a folder for the record of a comparison, which nobody removes while the block goes on.

    It stays afterwards, unless an error ends the block before anything was measured. Where the user's cache cannot be
    written, it is temporary.
    """
    place = find_place()
    remove_old(place)
    directory = Path(tempfile.mkdtemp(prefix=f"{time.strftime('%Y%m%d-%H%M%S')}-{KIND}-", dir=place))
    writer = directory / WRITER
    writer.write_text(f"{number_machine()} {os.getpid()}", encoding="utf-8")
    try:
        yield directory
    except BaseException:
        if not _holds_samples(directory):
            shutil.rmtree(directory, ignore_errors=True)
        raise
    finally:
        with suppress(OSError):
            writer.unlink()


def _holds_samples(directory: Path) -> bool:
    with suppress(OSError):
        return b'"samples"' in (directory / FILE_NAME).read_bytes()
    return False


def find_place() -> Path:
    """Return the folder of all records: ARGO_BENCH_HOME/comparisons, or one in the user's cache.

    Where that cannot be written, a temporary one is made, which is said once.
    """
    home = os.environ.get("ARGO_BENCH_HOME")
    place = Path(home, "comparisons") if home else platformdirs.user_cache_path("argo-bench") / "comparisons"
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            return place
    except OSError as error:
        return _make_temporary_place(place, error.strerror)


@cache
def _make_temporary_place(place: Path, reason: str) -> Path:
    made = Path(tempfile.mkdtemp(prefix=owned_prefix("comparisons")))
    logging.getLogger(__name__).warning(
        "argo-bench cannot write to %s (%s): the records of this process's comparisons are in %s, and are removed when "
        "argo-bench next starts after it; name a folder (out=) to keep one",
        place,
        reason,
        made,
    )
    return made


def remove_old(place: Path) -> None:
    """Remove records beyond the bounds, and those whose writer was killed; never one that is being written."""
    kept: list[Path] = []
    for directory in sorted(place.glob(f"*-{KIND}-*"), key=_read_age_s):
        is_written, is_beyond = _is_written(directory), len(kept) >= MOST - 1 or _read_age_s(directory) > LONGEST_S
        if is_written is False or (is_written is None and is_beyond):
            shutil.rmtree(directory, ignore_errors=True)
        else:
            kept.append(directory)


def _read_age_s(directory: Path) -> float:
    try:
        return time.time() - directory.stat().st_mtime
    except OSError:  # another process has removed it
        return float("inf")


def _is_written(directory: Path) -> bool | None:
    """Say whether a process writes the record: False where it was killed meanwhile, None where it has done so."""
    try:
        machine, process = (directory / WRITER).read_text(encoding="utf-8").split()
    except FileNotFoundError:
        return None
    except (OSError, ValueError):  # the file is just being written
        return True
    if machine != number_machine():  # nobody here can tell, so that its age decides
        return None if _read_age_s(directory) > LONGEST_S else True
    return is_running(int(process))
