"""Measures fifteen published optimizations of a trading-signal pipeline and says which of the published claims hold.

The public names load what they need when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argo_bench.comparing import compare
    from argo_bench.harness.benchmark import Benchmark
    from argo_bench.market import generate, installed_sample, read_bars, read_universe
    from argo_bench.optimizations import BASELINE, FIVE, build, catalogue, optimized
    from argo_bench.report import open_report as load

_HOMES = {
    "BASELINE": ("argo_bench.optimizations", "BASELINE"),
    "FIVE": ("argo_bench.optimizations", "FIVE"),
    "Benchmark": ("argo_bench.harness.benchmark", "Benchmark"),
    "build": ("argo_bench.optimizations", "build"),
    "catalogue": ("argo_bench.optimizations", "catalogue"),
    "compare": ("argo_bench.comparing", "compare"),
    "generate": ("argo_bench.market", "generate"),
    "installed_sample": ("argo_bench.market", "installed_sample"),
    "load": ("argo_bench.report", "open_report"),
    "optimized": ("argo_bench.optimizations", "optimized"),
    "read_bars": ("argo_bench.market", "read_bars"),
    "read_universe": ("argo_bench.market", "read_universe"),
}

__all__ = [
    "BASELINE",
    "FIVE",
    "Benchmark",
    "build",
    "catalogue",
    "compare",
    "generate",
    "installed_sample",
    "load",
    "optimized",
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
