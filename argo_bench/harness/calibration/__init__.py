"""Measures the harness by itself: fills a bank of comparisons whose answers are known, and says what they show."""

from argo_bench._moved import names_of

__getattr__ = names_of(__name__)
