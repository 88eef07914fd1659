"""Finds modules of version 0.1 where they are now: their old paths work for this version, with a warning.

``OldPaths`` makes a module under the old name that has the names of the new one. It is the first finder that Python
asks, because the folder of an old package may still be there with nothing but compiled files in it, which Python would
import as an empty package. Where a package of today has an old module's name, ``names_of`` gives it that module's
names.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from types import ModuleType
from typing import Any

PACKAGE = "argo_bench."
MOVED: dict[str, tuple[str, ...]] = {
    "baseline": ("pipeline.baseline",),
    "calls": ("harness.workers.timing", "errors"),
    "claim": ("harness.claims.claim", "optimizations.optimization", "extras"),
    "cli": ("cli.main",),
    "cli_ci": ("cli.ci",),
    "comparing": ("comparison", "harness.compare"),
    "gate.signs": ("harness.statistics.signs",),
    "harness.agreement": ("harness.workers.agreement",),
    "harness.attribution": ("study.attribution",),
    "harness.bank": ("harness.calibration.bank", "harness.calibration.standing"),
    "harness.bodies": ("harness.workers.bodies",),
    "harness.calibration": ("harness.calibration.rates", "harness.calibration.standing"),
    "harness.counting": ("study.counts",),
    "harness.environment": ("harness.machine.environment",),
    "harness.experiment": ("harness.run",),
    "harness.feed": ("study.subject",),
    "harness.fidelity": ("study.checking.check", "study.checking.trace", "study.checking.differences"),
    "harness.fitness": ("harness.machine.fitness",),
    "harness.gather": ("harness.table", "study.job"),
    "harness.groundwork": ("harness.state", "harness.progress"),
    "harness.holding": ("harness.judging.holds_when",),
    "harness.job": ("study.job",),
    "harness.judging": ("harness.judging.judgements", "harness.judging.measurements", "harness.judging.results"),
    "harness.lookups": ("study.lookups",),
    "harness.memory_pass": ("harness.workers.memory", "harness.record.records"),
    "harness.messages": ("harness.workers.messages",),
    "harness.observe": ("study.recorder",),
    "harness.past": ("harness.record.past",),
    "harness.planted": ("harness.calibration.workloads",),
    "harness.quality": ("harness.statistics.quality",),
    "harness.recording": ("study.recording",),
    "harness.results": ("harness.record.records", "harness.record.store", "study.records", "gate.records"),
    "harness.sequential": ("harness.statistics.looks",),
    "harness.stats": ("harness.statistics.estimate",),
    "harness.trials": ("study.trials",),
    "harness.twins": ("harness.workers.processes",),
    "harness.verdict": ("harness.claims.verdict",),
    "harness.verify": ("harness.record.verify",),
    "harness.worker": ("harness.workers.worker",),
    "harness.workload": ("study.replay",),
    "kernels": ("pipeline.kernels",),
    "market": ("pipeline.market",),
    "memo": ("pipeline.memo",),
    "model": ("pipeline.model", "errors"),
    "optimized": ("pipeline.optimized",),
    "pipeline": ("pipeline.record",),
    "report": ("opening",),
    "report.advice": ("study.report.advice",),
    "report.combined": ("study.report.combined",),
    "report.counted": ("report.counts",),
    "report.explain": ("study.report.explain",),
    "report.line_memory": ("study.report.line_memory",),
    "report.lookups": ("study.report.lookups",),
    "report.measured": ("report.results",),
    "report.picture": ("report.chart",),
    "report.readme": ("study.report.readme",),
    "report.tried": ("report.trials",),
    "running": ("harness.run",),
    "sentence": ("harness.claims.sentence",),
    "shared": ("pipeline.shared",),
    "shell": ("cli.shell",),
    "unchanged": ("pipeline.unchanged",),
    "world": ("pipeline.world",),
    "world.parent": ("parent",),
}
"""The keys are the old paths of modules and packages; the values are the modules that have their names now."""


PACKAGES = ("baseline", "harness.trials", "market", "optimized", "world")
"""Modules of these packages are found under the same name in the package that MOVED names."""


def homes_of(name: str) -> tuple[str, ...]:
    """Return the full paths of the modules that have an old one's names now; none for a module that has not moved."""
    old = name.removeprefix(PACKAGE)
    if old in MOVED:
        return tuple(PACKAGE + home for home in MOVED[old])
    for package in PACKAGES:
        if old.startswith(f"{package}."):
            home = PACKAGE + MOVED[package][0] + old.removeprefix(package)
            return (home,) if find_spec(home) is not None else ()
    return ()


def find_attribute(name: str, attribute: str) -> Any:
    """Return an attribute of the old module ``name`` from where it is now, or raise AttributeError if it is nowhere."""
    for home in homes_of(name):
        module = importlib.import_module(home)
        if hasattr(module, attribute):
            return getattr(module, attribute)
    raise AttributeError(f"module {name!r} has no attribute {attribute!r}")


class OldPaths(MetaPathFinder, Loader):
    """Finds the modules of MOVED under their old names."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(PACKAGE) or not homes_of(fullname):
            return None
        present = PathFinder.find_spec(fullname, path)
        if present is not None and present.origin is not None:
            return None
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return ModuleType(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        warn(name, homes_of(name)[0])
        module.__getattr__ = lambda attribute: find_attribute(name, attribute)  # type: ignore[method-assign]


def names_of(package: str) -> Callable[[str], Any]:
    """Make a ``__getattr__`` for a package, which finds the names of version 0.1's module of the same name."""

    def find_old_name(attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(f"module {package!r} has no attribute {attribute!r}")
        value = find_attribute(package, attribute)
        warn(f"{package}.{attribute}", f"{homes_of(package)[0]}.{attribute}")
        return value

    return find_old_name


def warn(old: str, new: str) -> None:
    message = f"{old} is {new} now: the old path goes with the next version"
    warnings.warn(message, DeprecationWarning, stacklevel=3)
