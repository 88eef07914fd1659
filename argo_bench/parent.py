"""Starts processes that do not outlive the one that started them, even if that one is killed with SIGKILL.

On Linux the kernel sends a signal to the child when its parent dies (PR_SET_PDEATHSIG). It does so when the *thread*
ends that started the child: start what is to live as long as the process from the main thread. Elsewhere only EOF on a
pipe tells a child that its parent is gone.

This file also runs by itself, ``parent.py PARENT SIGNAL COMMAND ...``, and imports the standard library only.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

PR_SET_PDEATHSIG = 1

CLEAN = """
import shutil, sys, time
sys.stdin.buffer.read()
for _ in range(100):
    shutil.rmtree(sys.argv[1], ignore_errors=True)
    try:
        open(sys.argv[1]).close()
    except FileNotFoundError:
        break
    except IsADirectoryError:
        time.sleep(0.05)
"""
# Others may still be writing into the directory while they die, hence the repeated attempts, over five seconds.


def die_with_parent(parent: int | None = None, by: signal.Signals = signal.SIGKILL) -> None:
    """Ask the kernel to send this process ``by`` when its parent dies; exit at once if ``parent`` is gone already.

    Only Linux does the first.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(by), 0, 0, 0)
    if parent is not None and os.getppid() != parent:
        sys.exit(1)


def start(
    command: Sequence[str | Path],
    *,
    stdin: int | IO[bytes] | None = subprocess.DEVNULL,
    stdout: int | IO[bytes] | None = None,
    stderr: int | IO[bytes] | None = None,
    env: Mapping[str, str] | None = None,
    by: signal.Signals = signal.SIGKILL,
) -> subprocess.Popen[bytes]:
    """Start the command as a process that is sent ``by`` when this one dies; its pid is the command's own.

    It has a session of its own: Ctrl-C reaches this process alone, which ends the others in its own order.
    """
    wrapper = [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(int(by))]
    return subprocess.Popen(
        [*wrapper, *map(str, command)],
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        env=env,
        start_new_session=True,
    )


@contextmanager
def cleaner(directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process that removes the directory when this one is gone, or at the end of the ``with`` block.

    It outlives this process for as long as the removal takes, five seconds at most. The block waits for it after Ctrl-C
    too, unlike that of a Popen.
    """
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", CLEAN, str(directory)],
        stdin=subprocess.PIPE,
        cwd="/",
        start_new_session=True,
    )
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()


if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]), signal.Signals(int(sys.argv[2])))
    os.execvp(sys.argv[3], sys.argv[3:])
