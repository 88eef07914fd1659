"""Unchanged: see ``baseline/validate.py``."""

from argo_bench.baseline.validate import validate

__all__ = ["validate"]
