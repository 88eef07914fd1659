"""Unchanged: see ``baseline/signals.py``."""

from argo_bench.baseline.signals import signals

__all__ = ["signals"]
