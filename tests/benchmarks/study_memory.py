"""How far from the truth is each way of reading a peak of memory, over twelve allocators whose peak is known?

    python tests/benchmarks/study_memory.py [--runs 3] [--out results/reference/memory.jsonl]

Every reading is taken in a fresh process, started from one that has 400 MiB, as an orchestrator with data has. Shown is
the largest error of several runs, in percent of the known peak, or in KiB where nothing is allocated.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.allocators import ALLOCATORS, MIB, Allocator  # noqa: E402 - a script finds the tests only now

if TYPE_CHECKING:
    from argo_bench.harness.memory import Method, Reading

PARENT_MIB = 400
TITLES: dict[Method, str] = {
    "peak_rss": "ours",
    "traced": "tracem.",
    "memory_profiler": "mem_prof",
    "polled_rss": "psutil",
    "ru_maxrss": "maxrss",
    "allocations": "memray",
}
NOTE = """\
ours      VmHWM set back just before, one pass
tracem.   tracemalloc with Arrow's own counters; objects by the size asked for
mem_prof  memory_profiler's memory_usage at its defaults, which calls again what
          was too short for it
psutil    polled every 1 ms by a thread of the same process, when it is let
maxrss    getrusage in the child, less what was resident before the pass
memray    with Python's allocators traced\
"""


def methods() -> list[Method]:
    """Those whose package is installed."""
    from argo_bench.harness.memory import NEEDS

    return [each for each in TITLES if each not in NEEDS or NEEDS[each].is_met]


def measured(allocator: Allocator, method: Method) -> Reading:
    from argo_bench.harness.memory import take_reading
    from argo_bench.harness.workers.messages import UserFunction, function_arm

    setup = f"tests.allocators:{allocator.setup}" if allocator.setup else ""
    function = UserFunction(f"tests.allocators:{allocator.name}", setup)
    return take_reading(function_arm("candidate", function, (str(ROOT),)), method)


def error_bytes(allocator: Allocator, reading: Reading) -> int:
    assert reading.peak_bytes is not None
    return reading.peak_bytes - allocator.peak_bytes


def shown(errors: dict[str, dict[Method, int]]) -> str:
    """A row for each allocator, and the worst of each method below."""
    used = methods()
    lines = [f"{'allocator':<16}{'MiB':>6}{''.join(f'{TITLES[method]:>9}' for method in used)}"]
    for each in ALLOCATORS:
        cells = "".join(f"{share(errors[each.name][method], each):>9}" for method in used)
        lines.append(f"{each.name.replace('_', ' '):<16}{each.peak_bytes / MIB:>6.1f}{cells}")
    worst = [max(abs(errors[each.name][m]) / each.peak_bytes for each in ALLOCATORS if each.peak_bytes) for m in used]
    lines.append(f"{'worst':<22}{''.join(f'{each:>9.1%}' for each in worst)}")
    return "\n".join(lines)


def share(error: int, allocator: Allocator) -> str:
    return f"{error / allocator.peak_bytes:+.1%}" if allocator.peak_bytes else f"{error / 1024:+,.0f}K"


def write(out: TextIO | None, record: dict[str, object]) -> None:
    if out is not None:
        out.write(json.dumps(record) + "\n")
        out.flush()


@click.command()
@click.option("--runs", type=click.IntRange(min=1), default=3, show_default=True, help="Readings of each.")
@click.option("--out", type=click.File("w", encoding="utf-8"), help="Write every reading to this file, one a line.")
def main(runs: int, out: TextIO | None) -> None:
    import msgspec

    from argo_bench.harness.machine.environment import read_facts

    held = b"x" * (PARENT_MIB * MIB)
    write(out, {"type": "study", "parent_bytes": len(held), "runs": runs, "environment": read_facts()})
    errors: dict[str, dict[Method, int]] = {each.name: {} for each in ALLOCATORS}
    for run in range(runs):
        for allocator in ALLOCATORS:
            for method in methods():
                reading = measured(allocator, method)
                error = error_bytes(allocator, reading)
                errors[allocator.name][method] = max(error, errors[allocator.name].get(method, 0), key=abs)
                about = {"run": run, "allocator": allocator.name, "known_bytes": allocator.peak_bytes}
                write(out, about | {"error_bytes": error} | msgspec.to_builtins(reading))
    click.echo(f"{shown(errors)}\n\n{NOTE}")


if __name__ == "__main__":
    main()
