"""Loads what a user's project brings along: a Python file as a module, and settings from its pyproject.toml."""

from __future__ import annotations

import importlib
import sys
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from argo_bench.errors import UserError


@cache
def load_module(file: Path) -> ModuleType:
    """Import ``file`` under its own name, with its folder on the path, so that workers find it too.

    Raises UserError for a file that is missing or cannot be imported.
    """
    if not file.is_file():
        raise UserError(f"no file at {file}: expected a Python file")
    if str(file.parent) not in sys.path:
        sys.path.insert(0, str(file.parent))
    try:
        module = importlib.import_module(file.stem)
    except Exception as error:
        raise UserError(f"{file} cannot be imported ({type(error).__name__}: {error}): mend it first") from error
    if Path(module.__file__ or "").resolve() != file.resolve():
        raise UserError(f"{file} has the name of another module, {module.__file__}: rename it")
    return module


def settings_of(path: Path) -> Mapping[str, Any]:
    """Return the table [tool.argo_bench] of a pyproject.toml; empty where there is none."""
    found = _read_tables(path).get("tool", {}).get("argo_bench", {})
    return found if isinstance(found, dict) else {}


def read_project_name(path: Path) -> str:
    """Return the name of the project that a pyproject.toml has; none where it says none."""
    found = _read_tables(path).get("project", {})
    return str(found.get("name", "")) if isinstance(found, dict) else ""


def _read_tables(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {path} ({error.strerror}): expected a file that can be read") from None
    except (ValueError, RecursionError) as error:  # neither text nor TOML, or a number of thousands of digits
        raise UserError(f"{path} is not valid TOML ({error}): mend it or run from another folder") from None
