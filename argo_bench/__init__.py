"""Measures fifteen published optimizations of a trading-signal pipeline and says which of the published claims hold.

The public names load what they need when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from argo_bench._moved import OldPaths

if TYPE_CHECKING:
    from argo_bench.comparison import compare
    from argo_bench.harness.benchmark import Benchmark
    from argo_bench.harness.claims.claim import Claim
    from argo_bench.opening import open_report as load
    from argo_bench.optimizations import BASELINE, FIVE, OPTIMIZED, build, catalogue
    from argo_bench.optimizations.optimization import Optimization, Workload
    from argo_bench.pipeline.market import Tape, generate, installed_sample, read_bars, read_universe
    from argo_bench.pipeline.record import cycle
    from argo_bench.pipeline.world import SimulatedWorld

_HOMES = {
    "BASELINE": ("argo_bench.optimizations", "BASELINE"),
    "FIVE": ("argo_bench.optimizations", "FIVE"),
    "OPTIMIZED": ("argo_bench.optimizations", "OPTIMIZED"),
    "Benchmark": ("argo_bench.harness.benchmark", "Benchmark"),
    "Claim": ("argo_bench.harness.claims.claim", "Claim"),
    "Optimization": ("argo_bench.optimizations.optimization", "Optimization"),
    "SimulatedWorld": ("argo_bench.pipeline.world", "SimulatedWorld"),
    "Tape": ("argo_bench.pipeline.market", "Tape"),
    "Workload": ("argo_bench.optimizations.optimization", "Workload"),
    "build": ("argo_bench.optimizations", "build"),
    "catalogue": ("argo_bench.optimizations", "catalogue"),
    "compare": ("argo_bench.comparison", "compare"),
    "cycle": ("argo_bench.pipeline.record", "cycle"),
    "generate": ("argo_bench.pipeline.market", "generate"),
    "installed_sample": ("argo_bench.pipeline.market", "installed_sample"),
    "load": ("argo_bench.opening", "open_report"),
    "read_bars": ("argo_bench.pipeline.market", "read_bars"),
    "read_universe": ("argo_bench.pipeline.market", "read_universe"),
}

__all__ = [
    "BASELINE",
    "FIVE",
    "OPTIMIZED",
    "Benchmark",
    "Claim",
    "Optimization",
    "SimulatedWorld",
    "Tape",
    "Workload",
    "build",
    "catalogue",
    "compare",
    "cycle",
    "generate",
    "installed_sample",
    "load",
    "read_bars",
    "read_universe",
]


def load_ipython_extension(shell: Any) -> None:
    """Register, for ``%load_ext argo_bench``, the magics %argo_env, %argo_run and %%argo_compare."""
    from argo_bench.integrations.ipython import register_magics

    register_magics(shell)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _read_version()
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    try:
        value = getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        from argo_bench.extras import explain_missing

        if (sentence := explain_missing(error, f"argo_bench.{name}")) is None:
            raise
        raise ModuleNotFoundError(sentence, name=error.name) from None
    globals()[name] = value
    return value


def _read_version() -> str:
    """Return the version that is installed; from a checkout that is not installed, the word "unknown"."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("argo-bench")
    except PackageNotFoundError:
        return "unknown"


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


sys.meta_path.insert(0, OldPaths())
