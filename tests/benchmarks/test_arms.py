"""The arms of every workload under pytest-benchmark, for its history and comparisons: ``make bench``.

The verdicts do not come from here (rounds of one arm are not interleaved with another's); they come from
``argo-bench run``.
"""

import pytest

from argo_bench.harness.surroundings import scratch_directory
from argo_bench.optimizations import catalogue
from argo_bench.pipeline.market import installed_sample
from argo_bench.study.recording import record
from argo_bench.study.replay import StageBody
from argo_bench.study.servers import start_servers

ROUNDS = 20
CALLS = 6
PASSES = 50
ARMS = [
    pytest.param(optimization, workload, arm, id=f"{optimization.id}-{workload.name}-{arm}".replace(" ", "_"))
    for optimization in catalogue().values()
    for workload in optimization.workloads
    for arm in optimization.edits(workload)
]


@pytest.fixture(scope="module")
def around():
    """The servers that workloads on sockets and on a shared store ask."""
    with scratch_directory() as around, start_servers({"providers", "redis"}, around):
        yield around


@pytest.mark.parametrize(("optimization", "workload", "arm"), ARMS)
def test_arm(request, benchmark, optimization, workload, arm):
    requirement = optimization.requires.get(arm)
    if requirement is not None and not requirement.is_met:
        pytest.skip(f"{requirement.module} is not installed: {requirement.install_line}")
    if workload.servers:  # started for those alone, and not where benchmarks are skipped
        missing = request.getfixturevalue("around").missing
        for server in workload.servers & missing.keys():
            pytest.skip(missing[server])
    groups = record(workload, installed_sample(), workload.scales[0], seed=1)
    body = StageBody(workload, optimization.edits(workload)[arm], groups)
    body.first_call()  # as a worker does first: it says whether the stage is a coroutine
    body.keep(CALLS)
    body.warm_up()
    passes = PASSES if workload.inputs == "hit" else 1
    benchmark.group = f"{optimization.id} {workload.name}"
    benchmark.extra_info.update(calls_per_round=passes * body.calls)
    benchmark.pedantic(body.time_calls, setup=lambda: ((body.prepare_calls(), passes), {}), rounds=ROUNDS, iterations=1)
    body.close()
