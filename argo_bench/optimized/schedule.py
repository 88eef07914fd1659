"""Unchanged: see ``baseline/schedule.py``."""

from argo_bench.baseline.schedule import schedule

__all__ = ["schedule"]
