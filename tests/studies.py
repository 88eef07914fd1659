"""Runs of the study as tests make them: optimizations on a universe, into a folder."""

import dataclasses
import json
import os
import time

from argo_bench.harness.holding import Hold, Taken
from argo_bench.harness.plan import QUICK
from argo_bench.harness.progress import Progress
from argo_bench.harness.record.store import Writer, load
from argo_bench.harness.run import run
from argo_bench.study.job import study_job

TINY = dataclasses.replace(
    QUICK, name="default", every_claim=True, looks=(2,), headline_s=0.02, other_s=0.01, checked_cycles=4, memory=()
)
"""Next to no budget: real workers, real records."""
TOLD = "progress.json"


def run_study(optimizations, universe, profile, seed, writer, name, *, benchmarks=(), asked=None, **options):
    """Measure optimizations (and benchmarks beside them); the verdicts. ``options`` are those of ``harness.run.run``:
    on_progress, machine, before."""
    return run(study_job(optimizations, universe, profile, seed, benchmarks, asked), writer, name, **options)


def tiny_run_of(optimizations, universe, tmp_path_factory):
    """A run in TINY and the progress that it told. All workers of xdist that are there have one run together."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    directory = shared / f"tiny-{'-'.join(each.id for each in optimizations)}"
    while True:
        try:
            hold = Hold.take(directory.with_suffix(".lock"), "a run for tests")
            break
        except Taken:
            time.sleep(0.1)
    try:
        if not (directory / TOLD).exists():
            told, writer = [], Writer(directory)
            run_study(optimizations, universe, TINY, 1, writer, "tiny", on_progress=told.append)
            writer.close()
            (directory / TOLD).write_text(json.dumps(told), encoding="utf-8")
    finally:
        hold.release()
    progress = [Progress(*each) for each in json.loads((directory / TOLD).read_text(encoding="utf-8"))]
    return load(directory), progress
