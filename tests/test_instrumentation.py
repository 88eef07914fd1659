"""Does a process under Callgrind count its calls alone, and say where it cannot?"""

import os
import subprocess
import sys

import pytest

from argo_bench.errors import UserError
from argo_bench.gate.callgrind import is_installed, sum_self_costs
from argo_bench.harness.workers import instrumentation
from argo_bench.harness.workers.instrumentation import Callgrind

COUNTED = """
from argo_bench.harness.workers.instrumentation import Callgrind

def compute(rounds):
    return sum(range(rounds))

callgrind = Callgrind()
for rounds in (20_000, 40_000):
    with callgrind.counting():
        compute(rounds)
"""


def test_outside_of_callgrind_nothing_is_counted_and_a_sentence_says_so():
    with pytest.raises(UserError, match="Valgrind does not answer: expected a process that runs under Callgrind"):
        Callgrind()


def test_on_an_unknown_processor_a_sentence_says_so(monkeypatch):
    monkeypatch.setattr(instrumentation.platform, "machine", lambda: "riscv64")
    with pytest.raises(UserError, match="instructions cannot be counted on riscv64: expected x86_64 or aarch64"):
        Callgrind()


@pytest.mark.skipif(not is_installed(), reason="Valgrind is not installed")
def test_start_up_is_not_counted_and_twice_the_work_takes_twice_the_instructions(tmp_path):
    output = tmp_path / "callgrind"
    command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={output}", "--quiet"]
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    subprocess.run([*command, sys.executable, "-c", COUNTED], check=True, env=environment)
    fewer, more = (
        sum(sum_self_costs(output.with_name(f"{output.name}.{number}").read_text().splitlines()).values())
        for number in (1, 2)
    )
    assert fewer < 20_000 * 200  # starting Python alone takes some 60 million
    assert 1.9 < more / fewer < 2.1
