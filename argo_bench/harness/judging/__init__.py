"""From the samples of a run to its verdicts."""

from argo_bench._moved import names_of

__getattr__ = names_of(__name__)
