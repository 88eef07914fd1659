"""Says which modules come with an extra of this package, and how they are installed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from argo_bench.errors import UserError

EXTRAS: Mapping[str, tuple[str, ...]] = {
    "study": ("pandas", "numba", "joblib", "pyarrow", "bokeh_sampledata"),
    "report": ("matplotlib", "jinja2"),
    "notebooks": ("jupyterlab", "papermill", "IPython"),
}
"""Each extra brings these modules, without which its part of the package cannot be imported."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """Names a module that an arm or a command needs, and the extra of this package that installs it."""

    module: str
    extra: str

    @property
    def is_met(self) -> bool:
        return find_spec(self.module) is not None

    @property
    def install_line(self) -> str:
        return f"pip install 'argo-bench[{self.extra}]'"

    def describe(self, purpose: str) -> str:
        """Say that ``purpose`` needs the module, and how it is installed."""
        return f"{purpose} needs {self.module}, which is not installed: {self.install_line}"


def find_missing(extra: str) -> Requirement | None:
    """Return the first module of an extra that is not installed; None where all are there."""
    return next((need for module in EXTRAS[extra] if not (need := Requirement(module, extra)).is_met), None)


def check_extra(extra: str, purpose: str) -> None:
    """Raise UserError with the line that installs an extra, unless its modules are there.

    ``purpose`` is what needs the extra, as the subject of a sentence.
    """
    if (missing := find_missing(extra)) is not None:
        raise UserError(missing.describe(purpose))


def explain_missing(error: ModuleNotFoundError, purpose: str) -> str | None:
    """Return the sentence for an import that failed for want of an extra; None where no extra has the module."""
    root = (error.name or "").partition(".")[0]
    need = next((Requirement(root, extra) for extra, modules in EXTRAS.items() if root in modules), None)
    return None if need is None else need.describe(purpose)
