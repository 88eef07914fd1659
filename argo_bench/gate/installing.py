"""Installs a project of any kind that pip can build in an environment of its own, and says why where it cannot.

What is installed is what users get: extensions are compiled, and nothing of the source tree stands before it. Where the
project has a lock of uv's, and uv is on the PATH, the versions are those of the lock.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from configparser import ConfigParser
from configparser import Error as ConfigError
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from argo_bench.gate.repository import PYPROJECT

SHOWN_LINES = 8
REQUIREMENTS = "requirements.txt"
"""What a project that is no package needs stands in a file of this name."""
OUTSIDE = re.compile(
    r"Could not find a version that satisfies|No matching distribution found|Temporary failure in name resolution"
    r"|Name or service not known|Connection (?:refused|reset|timed out|aborted)|Read timed out|Max retries exceeded"
    r"|NewConnectionError|ProxyError|SSLError|HTTP error|HTTPError|\b(?:401|403|404|429|5\d\d) (?:Client|Server) Error"
    r"|command '[^']*(?:gcc|cc|g\+\+|clang|cl\.exe|gfortran|cargo|rustc)' failed: No such file"
    r"|Microsoft Visual C\+\+ .* is required|No space left on device|Permission denied"
    r"|error: can't find Rust compiler|Unknown compiler\(s\)"
)
"""What pip, its network library and compilers write where the cause is not in the project. The wordings are those of
pip 23 to 25, urllib3 2, setuptools and distutils, Meson and setuptools-rust."""


@dataclass(frozen=True, slots=True)
class Installed:
    """Holds an interpreter, and the folder of its ``libraries`` where the project itself is installed among them.

    ``failure`` says why it could not be, and ``is_outside`` that the cause lies outside of the project.
    """

    python: Path
    libraries: Path | None = None
    failure: str | None = None
    is_outside: bool = False


@dataclass(frozen=True, slots=True)
class _Failed(Exception):
    reason: str
    is_outside: bool


def install_project(root: Path, folder: Path, install: Sequence[str], seconds: float) -> Installed:
    """Make an environment in ``folder`` and install a project with pip's arguments, or as its own files say.

    Of one that is no package only what its requirements.txt names is installed, as far as it can be had.
    """
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    without = ["--without-pip"] if find_spec("pip") is not None else []
    try:
        _run([sys.executable, "-m", "venv", *without, str(folder)], root, seconds)
        arguments = list(install) or _find_pip_arguments(root, folder, seconds)
        if not arguments:
            if (root / REQUIREMENTS).is_file():
                with suppress(_Failed):  # what is missing in the end is found where it is used
                    _run([*_pip_install(python), "-r", REQUIREMENTS], root, seconds)
            return Installed(python)
        _run([*_pip_install(python), *arguments], root, seconds)
    except _Failed as failed:
        return Installed(python, failure=failed.reason, is_outside=failed.is_outside)
    libraries = next(folder.glob("[Ll]ib*/**/site-packages"))
    # What is not installed, such as a folder of benchmarks, is found in the project's folder after all that is.
    (libraries / "of_the_project.pth").write_text(f"{root}\n", encoding="utf-8")
    return Installed(python, libraries)


def install_more(python: Path, needed: Sequence[str], wanted: Sequence[str], root: Path, until: float) -> None:
    """Install packages beside a project, ``needed`` ones at least where those that are ``wanted`` too cannot be had.

    ``until`` is in seconds of the monotonic clock. What is missing in the end is found where it is used.
    """
    for packages in ([*needed, *wanted], needed):
        with suppress(_Failed):
            _run([*_pip_install(python), *packages], root, until - time.monotonic())
            return


def _pip_install(python: Path) -> list[str]:
    """Return the command by which packages are installed in an interpreter's environment, which may have no pip."""
    has_pip = find_spec("pip") is not None
    pip = [sys.executable, "-m", "pip", "--python", str(python)] if has_pip else [str(python), "-m", "pip"]
    return [*pip, "install", "--quiet", "--disable-pip-version-check", "--no-input"]


def _find_pip_arguments(root: Path, folder: Path, seconds: float) -> list[str]:
    """Return pip's arguments that install the project in a folder; none where pip would not know how."""
    if not is_package(root):
        return []
    if (root / "uv.lock").is_file() and shutil.which("uv") is not None:
        locked = folder / "locked.txt"
        options = ["--frozen", "--quiet", "--no-emit-project", "--no-hashes", "--no-header"]
        _run(["uv", "export", *options, "--output-file", str(locked)], root, seconds)
        return ["-r", str(locked), "."]
    constraints = ["-c", "constraints.txt"] if (root / "constraints.txt").is_file() else []
    return [*constraints, "."]


def is_package(root: Path) -> bool:
    """Say whether pip can build what is in a folder: by PEP 517, PEP 621, Poetry's table, a setup.py or a setup.cfg."""
    if (root / "setup.py").is_file():
        return True
    file = root / PYPROJECT
    if not file.is_file():  # without it pip builds nothing from a setup.cfg either
        return False
    if _has_metadata(root / "setup.cfg"):
        return True
    try:
        tables: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return False
    return "project" in tables or "build-system" in tables or "poetry" in tables.get("tool", {})


def _has_metadata(file: Path) -> bool:
    """Say whether a setup.cfg describes a package, and does not only hold the settings of tools."""
    found = ConfigParser(interpolation=None, strict=False)
    try:
        found.read_string(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, ConfigError):
        return False
    return found.has_option("metadata", "name")


def _run(command: Sequence[str], folder: Path, seconds: float) -> None:
    """Run a command. Raises _Failed with the last lines that it wrote where it fails."""
    shown = shlex.join(command[-4:])
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=max(1.0, seconds),
        )
    except subprocess.TimeoutExpired:
        raise _Failed(f"{shown} took more than the {seconds:.0f} s that were left for it", is_outside=True) from None
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        said = " / ".join(lines[-SHOWN_LINES:])
        raise _Failed(f"{shown} failed: {said}", is_outside=OUTSIDE.search("\n".join(lines)) is not None)
