"""Do this project's own benchmarks run at all, and do their pairs agree, before anything is timed?"""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from argo_bench.gate.benchmarks import TOLERANCE, read_benchmarks
from argo_bench.harness.workers.bodies import body_of
from argo_bench.harness.workers.messages import UserFunction, function_arm

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("gated", read_benchmarks(ROOT, TOLERANCE), ids=lambda each: each.name)
def test_a_gated_benchmark_returns_the_same_twice(gated, monkeypatch):
    monkeypatch.chdir(ROOT)
    arm = msgspec.to_builtins(function_arm("head", UserFunction(gated.function, gated.setup)))
    bodies = [body_of(arm) for _ in range(2)]
    first, second = (body.first_call() for body in bodies)
    for body in bodies:
        body.close()
    assert first == second
    assert len(first) > 0


@pytest.mark.slow
def test_pairs_agree_where_pytest_benchmark_is_disabled():
    command = ["-m", "pytest", "-o", "addopts=", "--import-mode=importlib", "--benchmark-disable", "-rA"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, *command, "tests/benchmarks/test_pairs.py"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("PASSED") == 2
