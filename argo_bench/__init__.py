"""Measures fifteen published optimizations of a trading-signal pipeline and says which of the published claims hold.

The public names load what they need when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argo_bench.claim import Claim, Optimization, Workload
    from argo_bench.comparing import compare
    from argo_bench.harness.benchmark import Benchmark
    from argo_bench.market import Tape, generate, installed_sample, read_bars, read_universe
    from argo_bench.optimizations import BASELINE, FIVE, OPTIMIZED, build, catalogue
    from argo_bench.pipeline import cycle
    from argo_bench.report import open_report as load
    from argo_bench.world import SimulatedWorld

_HOMES = {
    "BASELINE": ("argo_bench.optimizations", "BASELINE"),
    "FIVE": ("argo_bench.optimizations", "FIVE"),
    "OPTIMIZED": ("argo_bench.optimizations", "OPTIMIZED"),
    "Benchmark": ("argo_bench.harness.benchmark", "Benchmark"),
    "Claim": ("argo_bench.claim", "Claim"),
    "Optimization": ("argo_bench.claim", "Optimization"),
    "SimulatedWorld": ("argo_bench.world", "SimulatedWorld"),
    "Tape": ("argo_bench.market", "Tape"),
    "Workload": ("argo_bench.claim", "Workload"),
    "build": ("argo_bench.optimizations", "build"),
    "catalogue": ("argo_bench.optimizations", "catalogue"),
    "compare": ("argo_bench.comparing", "compare"),
    "cycle": ("argo_bench.pipeline", "cycle"),
    "generate": ("argo_bench.market", "generate"),
    "installed_sample": ("argo_bench.market", "installed_sample"),
    "load": ("argo_bench.report", "open_report"),
    "read_bars": ("argo_bench.market", "read_bars"),
    "read_universe": ("argo_bench.market", "read_universe"),
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
    """What ``%load_ext argo_bench`` calls: the magics %argo_env, %argo_run and %%argo_compare."""
    from argo_bench.integrations.ipython import load

    load(shell)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
