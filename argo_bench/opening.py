"""Opens a record as a report, with the sections for its kind: those of any record, or those of the study too."""

from __future__ import annotations

from pathlib import Path

from argo_bench.extras import find_missing
from argo_bench.harness.record.store import Recorded, load
from argo_bench.report import Report
from argo_bench.report.sections import HARNESS, Outline
from argo_bench.shipped import REFERENCE, resolve_run


def open_report(path: str | Path = REFERENCE) -> Report:
    """Return the report on a run, given its directory or its run.jsonl. Raises UserError for anything else.

    ``reference`` is the run that comes with the package, unless there is a file or folder of that name here.
    """
    return report_of(load(resolve_run(path)))


def report_of(recorded: Recorded) -> Report:
    """Return the report for a record's kind.

    Where the study is not installed, a run of it is shown by the sections of any record.
    """
    return Report(recorded, outline_of(recorded))


def outline_of(recorded: Recorded) -> Outline:
    """Return the list of sections for a record's kind."""
    is_of_study = bool(recorded.run.optimizations)
    if not is_of_study or find_missing("study") is not None:
        return HARNESS
    from argo_bench.study.report.sections import STUDY

    return STUDY
