"""Unchanged: see ``baseline/read.py``."""

from argo_bench.baseline.read import read

__all__ = ["read"]
