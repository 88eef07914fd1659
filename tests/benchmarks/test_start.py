"""What it costs to start the program: the goal is at most 150 ms more than an empty Python."""

import subprocess
import sys

import pytest

COMMANDS = {"python -c pass": ["-c", "pass"], "argo-bench --help": ["-m", "argo_bench.cli", "--help"]}


@pytest.mark.parametrize("name", COMMANDS)
def test_start(benchmark, name):
    benchmark.group = "start of the program"
    command = [sys.executable, *COMMANDS[name]]
    benchmark.pedantic(lambda: subprocess.run(command, check=True, capture_output=True), rounds=10, warmup_rounds=2)
