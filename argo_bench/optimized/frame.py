"""Unchanged: see ``baseline/frame.py``."""

from argo_bench.baseline.frame import frame

__all__ = ["frame"]
