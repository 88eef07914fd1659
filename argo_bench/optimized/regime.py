"""Unchanged: see ``baseline/regime.py``."""

from argo_bench.baseline.regime import regime

__all__ = ["regime"]
