"""Writes a script that has a Slurm array measure the shards of a run, by submitit."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from argo_bench.errors import UserError

TEXT = '''\
"""Measures a run of argo-bench in {shards} jobs of a Slurm array, and merges them. Written by `argo-bench init slurm`.

    pip install 'argo-bench[study,cluster]'
    python {name}

Every job has a machine to itself (exclusive), since two measurements on one machine disturb each other. The folder
has to be on a file system that all machines share. A job that was killed goes on when this is started again.
"""

import subprocess
import sys
from pathlib import Path

import submitit

SHARDS = {shards}
FOLDER = Path({folder!r}).resolve()
OPTIONS = {options!r}
PARAMETERS = {{"timeout_min": {minutes}, "slurm_exclusive": True, "slurm_array_parallelism": {at_once}}}
"""Add what your cluster wants, such as "slurm_partition" or "slurm_account"."""


def argo_bench(*arguments):
    return [sys.executable, "-m", "argo_bench.cli", *arguments]


def measure(number):
    """Measure a shard, or go on with one that was interrupted, and return its folder."""
    folder = FOLDER / f"shard-{{number}}"
    if (folder / "run.jsonl").exists():
        command = argo_bench("run", "--resume", str(folder))
    else:
        command = argo_bench("run", "--shard", f"{{number}}/{{SHARDS}}", "--out", str(folder), *OPTIONS)
    done = subprocess.run(command, check=False)
    if done.returncode not in (0, 3):  # 3: an output differs, which the record says
        raise RuntimeError(f"shard {{number}} ended with exit code {{done.returncode}}")
    return str(folder)


def submit(executor):
    """Yield the jobs: all of them at once on a cluster, and one after the other where this machine is all there is."""
    if executor.cluster == "slurm":
        yield from executor.map_array(measure, range(1, SHARDS + 1))
    else:
        yield from (executor.submit(measure, number) for number in range(1, SHARDS + 1))


def main(cluster=None):
    executor = submitit.AutoExecutor(folder=FOLDER / "log", cluster=cluster)
    executor.update_parameters(name="argo-bench", **PARAMETERS)
    measured = []
    for job in submit(executor):
        try:
            measured.append(job.result())
        except Exception as error:
            print(f"{{job.job_id}}: {{error}}", file=sys.stderr)
    if not measured:
        sys.exit("no shard was measured: see the folder log")
    sys.exit(subprocess.run(argo_bench("merge", *measured, "--out", str(FOLDER / "merged")), check=False).returncode)


if __name__ == "__main__":
    main(*sys.argv[1:2])
'''


def write_slurm_script(path: Path, shards: int, options: Sequence[str], minutes: int = 120) -> None:
    """Write the script.

    Raises UserError where the file is there already, and for options that the script sets itself.
    """
    own = [each for each in options if each.partition("=")[0] in ("--shard", "--out", "--resume", "--scheduler")]
    if own:
        raise UserError(f"{shlex.join(own)}: expected options of argo-bench run that the script does not set itself")
    if path.exists():
        raise UserError(f"{path} is there already: expected a new file, with --out")
    text = TEXT.format(
        name=path.name, shards=shards, folder="shards", options=list(options), minutes=minutes, at_once=shards
    )
    path.write_text(text, encoding="utf-8")
