"""The workload is defined here: a trading-signal pipeline, baseline and optimized, with its market and its world."""

from argo_bench._moved import names_of

__getattr__ = names_of(__name__)
