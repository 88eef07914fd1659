"""Defines the ``compare`` that users call: it returns what the harness found, with the displays of a report."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from argo_bench.harness import compare as harness
from argo_bench.harness.benchmark import Function
from argo_bench.harness.compare import Interrupted

if TYPE_CHECKING:
    import pandas as pd

    from argo_bench.report import Report


@dataclass(frozen=True, slots=True)
class Compared(harness.Found):
    """Holds what a comparison found: print it, show it in Jupyter, ask it for ``speedup`` and ``verdict``."""

    @property
    def report(self) -> Report:
        """Return the report on the comparison, which has tables and figures."""
        from argo_bench.report import Report

        return Report(self.recorded)

    def to_frame(self) -> pd.DataFrame:
        """Return a data frame of one row; see ``Report.to_frame``."""
        return self.report.to_frame()

    def __str__(self) -> str:
        return harness.Found.__str__(self)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        from argo_bench.report.bar import draw_bar

        shown = self.report._repr_mimebundle_()
        return shown | {"text/html": draw_bar(self.judgement) + shown["text/html"], "text/plain": str(self)}


@functools.wraps(harness.compare)
def compare(baseline: Function, candidate: Function, **options: Any) -> Compared:
    try:
        return Compared(harness.compare(baseline, candidate, **options).recorded)
    except Interrupted as stopped:
        raise Interrupted(Compared(stopped.found.recorded)) from None
