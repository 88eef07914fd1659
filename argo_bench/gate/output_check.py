"""Says whether base and head return the same: ``python -m argo_bench.gate.output_check BASE HEAD CHECK PATH...`` prints
it.

It runs in a process of its own, since reading the results imports modules of the repository that is judged.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, cast

import msgspec

from argo_bench.errors import UserError
from argo_bench.gate.checkouts import clean_environment
from argo_bench.gate.records import Agreed
from argo_bench.harness.workers.agreement import first_difference

MODULE = "argo_bench.gate.output_check"
SECONDS = 120.0


def compare_in_subprocess(benchmark: str, base: Path, head: Path, check: str, path: Sequence[str]) -> Agreed:
    """Compare two files of results in a process of its own; ``path`` is where modules of the repository are found."""
    command = [sys.executable, "-P", "-m", MODULE, benchmark, str(base), str(head), check, *path]
    environment = clean_environment() | {"PYTHONPATH": str(Path(__file__).parents[2])}
    try:
        done = subprocess.run(command, capture_output=True, env=environment, check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return Agreed(benchmark, None, f"comparing them takes more than {SECONDS:.0f} s")
    if done.returncode:
        last = (done.stderr.decode(errors="replace").strip().splitlines() or ["no output"])[-1]
        return Agreed(benchmark, None, f"they cannot be read here: {last}")
    return msgspec.json.decode(done.stdout, type=Agreed)


def compare_results(benchmark: str, base: Path, head: Path, check: str) -> Agreed:
    """Compare two files of results in this process, once each side's two results are found to agree."""
    results = {side: pickle.loads(file.read_bytes()) for side, file in (("base", base), ("head", head))}
    kind = cast("Literal['allclose', 'equal']", check)
    for side, (first, second) in results.items():
        if (difference := first_difference(first, second, kind)) is not None:
            return Agreed(benchmark, None, f"the {side} gives two results for one input, {difference}")
    return Agreed(benchmark, first_difference(results["base"][0], results["head"][0], kind), None)


def main() -> None:
    benchmark, base, head, check, *path = sys.argv[1:]
    sys.path += path
    try:
        found = compare_results(benchmark, Path(base), Path(head), check)
    except UserError as error:
        found = Agreed(benchmark, None, str(error))
    sys.stdout.buffer.write(msgspec.json.encode(found))


if __name__ == "__main__":
    main()
