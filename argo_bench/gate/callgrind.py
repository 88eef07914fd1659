"""Counts the instructions of one call by Callgrind, as a whole and by function.

The counts are exact, whatever else the machine does. Start-up is not counted, and what goes before and after the calls
cancels: the counts of some calls are subtracted from those of twice as many.
"""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec

from argo_bench.gate.checkouts import Checkout, clean_environment
from argo_bench.harness.machine.environment import THREAD_CAPS
from argo_bench.harness.workers.messages import Arm
from argo_bench.harness.workers.processes import ArmFailed, job_command

Value = TypeVar("Value")
COUNTED_NS = 1_000_000
"""The calls of the smaller count take this time by themselves, at least; Callgrind makes it some 50 times as long."""
MOST_CALLS = 1024
LONGEST_START_S = 1.0
"""A benchmark that takes more CPU time until its second call has returned, outside of Callgrind, is not counted. Two
counts on two idle cores took 5 s for a start of 0.15 s, 11 s for 0.7 s with pandas, and 27 s for 1.7 s with a kernel to
compile."""
SLOWER = 32
"""Two counts side by side take so many times the CPU time of the start, where one of two cores is busy."""
NAME = re.compile(r"^(c?)fn=\((\d+)\)(?: (.*))?$")
COST = re.compile(r"^[+*\-\d]\S* (\d+)")


def count_side_by_side(counts: Iterable[Callable[[], Value]]) -> list[Value]:
    """Take several counts at the same time and return them: none of them depends on what else the machine does."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda count: count(), counts))


def is_installed() -> bool:
    return shutil.which("valgrind") is not None


def choose_calls(call_ns: int) -> int:
    """Return the number of calls in the smaller count: a power of four, the same for times that differ a little."""
    needed = max(1.0, COUNTED_NS / max(1, call_ns))
    return min(MOST_CALLS, int(4 ** math.ceil(math.log(needed, 4))))


def count_instructions(checkout: Checkout, arm: Arm, calls: int, scratch: Path, seconds: float) -> dict[str, float]:
    """Count the instructions of one call by C function.

    Raises ArmFailed where the calls fail or take longer than ``seconds``.
    """
    fewer, more = _run_callgrind(checkout, arm, calls, scratch / f"callgrind-{checkout.role}", seconds)
    return {
        function: (more[function] - fewer[function]) / calls
        for function in more.keys() | fewer.keys()
        if more[function] != fewer[function]
    }


def _run_callgrind(
    checkout: Checkout, arm: Arm, calls: int, output: Path, seconds: float
) -> tuple[Counter[str], Counter[str]]:
    """Return the instructions of some calls and those of twice as many, by C function, from one process."""
    command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={output}"]
    calling = job_command("counts", json.dumps(msgspec.to_builtins(arm)), f"{calls:04d}", python=str(checkout.python))
    environment = {**clean_environment(), **THREAD_CAPS, "PYTHONHASHSEED": "0"}
    try:
        done = subprocess.run(
            [*command, "--compress-strings=yes", *calling],
            cwd=checkout.root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        raise ArmFailed(f"counting instructions took more than {seconds:.0f} s") from None
    written = [output.with_name(f"{output.name}.{number}") for number in (1, 2)]
    if done.returncode or not all(each.is_file() for each in written):
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise ArmFailed(f"valgrind ended with exit status {done.returncode}: {last}")
    fewer, more = (sum_self_costs(each.read_text(encoding="utf-8", errors="replace").splitlines()) for each in written)
    for each in (*written, output):
        each.unlink(missing_ok=True)
    return fewer, more


def sum_self_costs(lines: Iterable[str]) -> Counter[str]:
    """Sum the first event's cost of every function by itself, from the lines of a file of Callgrind's.

    Its format is described in the Valgrind manual, "Callgrind Format Specification". A ``calls=`` line is followed by
    the cost of what was called, which belongs to another function.
    """
    names: dict[str, str] = {}
    costs: Counter[str] = Counter()
    function = ""
    is_called = False
    for line in lines:
        if (named := NAME.match(line)) is not None:
            called, number, name = named.groups()
            if name is not None:
                names[number] = name
            if not called:
                function = names[number]
        elif line.startswith("calls="):
            is_called = True
        elif (cost := COST.match(line)) is not None:
            if not is_called:
                costs[function] += int(cost[1])
            is_called = False
    return costs
