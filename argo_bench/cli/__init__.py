"""Holds the program argo-bench: its commands and options."""

from argo_bench._moved import names_of

__getattr__ = names_of(__name__)
