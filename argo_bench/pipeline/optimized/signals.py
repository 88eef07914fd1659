"""This part is unchanged: see ``baseline/signals.py``."""

from argo_bench.pipeline.baseline.signals import signals

__all__ = ["signals"]
