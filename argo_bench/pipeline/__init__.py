"""The workload: a trading-signal pipeline in a baseline and an optimized implementation, its market and its world."""

from argo_bench._moved import names_of

__getattr__ = names_of(__name__)
