"""Modules that come with an extra of this package, and the line that installs them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec


@dataclass(frozen=True, slots=True)
class Requirement:
    """A module that an arm needs, and the extra of this package that installs it."""

    module: str
    extra: str

    @property
    def is_met(self) -> bool:
        return find_spec(self.module) is not None

    @property
    def install_line(self) -> str:
        return f"pip install 'argo-bench[{self.extra}]'"
