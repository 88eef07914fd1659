"""The workload is defined here: a trading-signal pipeline in a baseline and an optimized version, its market, its
world."""

from argo_bench._moved import names_of

__getattr__ = names_of(__name__)
