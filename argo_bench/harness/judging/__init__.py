"""Turns the samples of a run into its verdicts: results, measurements, judgements, and outputs beside them."""

from argo_bench._moved import names_of

__getattr__ = names_of(__name__)
