"""Unchanged: see ``baseline/fetch.py``."""

from argo_bench.baseline.fetch import fetch

__all__ = ["fetch"]
