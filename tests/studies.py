"""Runs of the study as tests make them: optimizations on a universe, into a folder."""

from argo_bench.harness.run import run
from argo_bench.study.job import study_job


def run_study(optimizations, universe, profile, seed, writer, name, *, benchmarks=(), **options):
    """Measure optimizations (and benchmarks beside them); the verdicts. ``options`` are those of ``harness.run.run``:
    on_progress, machine, before."""
    return run(study_job(optimizations, universe, profile, seed, benchmarks), writer, name, **options)
