"""Modules that come with an extra of this package, and the line that installs them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from argo_bench.errors import UserError


@dataclass(frozen=True, slots=True)
class Requirement:
    """A module that an arm or a command needs, and the extra of this package that installs it."""

    module: str
    extra: str

    @property
    def is_met(self) -> bool:
        return find_spec(self.module) is not None

    @property
    def install_line(self) -> str:
        return f"pip install 'argo-bench[{self.extra}]'"

    def check(self, purpose: str) -> None:
        """Raise UserError with the line that installs the module, unless it is there. ``purpose`` is what needs it."""
        if not self.is_met:
            raise UserError(f"{purpose} need {self.module}, which is not installed: {self.install_line}")
