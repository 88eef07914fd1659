"""Unchanged: see ``baseline/store.py``."""

from argo_bench.baseline.store import store

__all__ = ["store"]
