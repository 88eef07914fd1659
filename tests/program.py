"""The program argo-bench, as a process of its own or, where nothing of a process matters, within this one."""

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

from argo_bench.cli.main import main


def argo(*arguments, **options):
    command = [sys.executable, "-m", "argo_bench.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


def argo_here(*arguments, cwd=None, env=None):
    """The same without starting a process, which takes a second: the streams are texts, and it is no terminal."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(cwd or Path.cwd()),
        mock.patch.dict(os.environ, dict(os.environ if env is None else env), clear=True),
        mock.patch.object(sys, "argv", ["argo-bench", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())
