"""Unchanged: see ``baseline/transport.py``."""

from argo_bench.baseline.transport import transport

__all__ = ["transport"]
