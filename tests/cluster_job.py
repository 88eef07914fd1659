"""Makes the job of a run on a cluster small, for hosts that tests start."""

import dataclasses

from argo_bench.harness.plan import QUICK
from argo_bench.study.job import job_of

SMALL = dataclasses.replace(QUICK, headline_s=0.02, other_s=0.01, looks=(2,), checked_cycles=4, memory=(), seeds=1)


def make_job(asked):
    return dataclasses.replace(job_of(asked), profile=SMALL)
