"""The harness measured by itself: a bank of comparisons whose answers are known, and what it says."""

from argo_bench._moved import names_of

__getattr__ = names_of(__name__)
