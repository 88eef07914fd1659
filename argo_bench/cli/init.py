"""Defines ``argo-bench init``: writes a script with which other machines measure a run."""

from __future__ import annotations

from pathlib import Path

import click

from argo_bench.cli.shell import say


@click.group(short_help="Write a script with which a cluster measures a run.")
def init() -> None:
    """Write a script with which a cluster measures a run; for a gate in CI it is `argo-bench ci init`."""


@init.command(context_settings={"ignore_unknown_options": True}, short_help="Write a submitit script for Slurm.")
@click.option("--shards", type=click.IntRange(min=1), default=8, show_default=True, help="Jobs of the array.")
@click.option(
    "--minutes", type=click.IntRange(min=1), default=120, show_default=True, help="Time after which Slurm ends a job."
)
@click.option(
    "--out", type=click.Path(path_type=Path), default="measure_shards.py", show_default=True, help="The file."
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def slurm(shards: int, minutes: int, out: Path, options: tuple[str, ...]) -> None:
    """Write a Python script that measures the shards of a run in a Slurm array, by submitit, and merges them.

    OPTIONS go to `argo-bench run`, as in: argo-bench init slurm --shards 5 --data prices/ --symbols 200
    """
    from argo_bench.harness.cluster.slurm import write_slurm_script

    write_slurm_script(out, shards, options, minutes)
    say(f"wrote {out}: start it on a login node with python {out}; `python {out} local` tries it on this machine")
