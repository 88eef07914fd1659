"""Turns the samples of a run into its verdicts: results.py, measured.py, judgements.py, and outputs.py beside them."""

from argo_bench._moved import names_of

__getattr__ = names_of(__name__)
