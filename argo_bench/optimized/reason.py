"""Unchanged: see ``baseline/reason.py``."""

from argo_bench.baseline.reason import reason

__all__ = ["reason"]
