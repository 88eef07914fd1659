"""Defines ``argo-bench reference``: two runs with two seeds become the stored ones, once both are complete."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import click

from argo_bench.cli.shell import GATE_FAILED, OUTPUTS_DIFFER, Duration, Seed, say, takes_profile
from argo_bench.errors import UserError

REPLACED = ("run.jsonl.gz", "report.md", "agreement.md")
"""These files and the figures of the first run are replaced; whatever else is in the folder stays."""
FIGURES = ("*.svg",)
MARGIN = 0.1
Progress = Literal["not begun", "interrupted", "whole"]


@click.command(hidden=True)
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--seeds", type=(Seed(), Seed()), default=(1, 0), show_default=True, help="Of the first and the second.")
@takes_profile
@click.option("--budget", type=Duration(), help="Time of each run. [default: that of the profile]")
@click.option("--out", type=click.Path(path_type=Path), default=Path("results/reference"), show_default=True)
@click.option("--readme", type=click.Path(path_type=Path), default=Path("README.md"), show_default=True)
@click.option(
    "--thresholds", type=click.Path(path_type=Path), default=Path("tests/benchmarks/thresholds.toml"), show_default=True
)
def reference(ids: tuple[str, ...], seeds: tuple[int, int], out: Path, **options: Any) -> None:
    """Two runs with two seeds, one after another, into the folder of the stored ones, and whether they agree.

    What was there stays until both runs are complete and verify. The second run is in `seed-<n>/` below the first. A
    command that did not end is gone on with when it is given again: what it measured is kept.
    """
    budget = [] if options["budget"] is None else ["--budget", f"{options['budget']:g}s"]
    fresh = out.with_name(f"{out.name}.new")
    folders = fresh, fresh / f"seed-{seeds[1]}"
    for seed, folder in zip(seeds, folders, strict=True):
        match find_progress(folder, (ids, options["profile"], seed)):
            case "not begun":
                settings = [*ids, "--profile", options["profile"], "--seed", str(seed)]
                measure_apart([*settings, *budget, "--out", str(folder)])
            case "interrupted":
                measure_apart(["--resume", str(folder), *budget])
    complete(folders)
    replace_stored(out, folders)
    write_beside(out, options["readme"], options["thresholds"])
    say(f"stored: {out}, with {folders[1].name} below it; {out / 'agreement.md'} compares them")


def find_progress(folder: Path, settings: tuple[Sequence[str], str, int]) -> Progress:
    """Say how far the run of a folder has come. Raises UserError where it has other ids, profile or seed."""
    from argo_bench.harness.record.records import End
    from argo_bench.harness.record.store import FILE_NAME, load

    if not (folder / FILE_NAME).exists():
        return "not begun"
    recorded = load(folder)
    asked = recorded.run.asked
    if asked is None or (tuple(asked.ids), asked.profile, asked.seed) != settings:
        raise UserError(f"{folder} holds a run of other settings: give those again, or move it away")
    last = recorded.records[-1]
    return "whole" if isinstance(last, End) and not last.interrupted else "interrupted"


def measure_apart(options: Sequence[str]) -> None:
    """Make a run in a process of its own. Raises UserError where it did not come to its end."""
    code = subprocess.run([sys.executable, "-m", "argo_bench.cli", "run", *options], check=False).returncode
    if code not in (0, OUTPUTS_DIFFER):
        raise UserError(f"the run ended with exit code {code}: what was stored before is as it was")


def complete(folders: Sequence[Path]) -> None:
    """Verify both runs, and write beside them what is stored with them. Exits where one does not verify."""
    from argo_bench.harness.record.store import FILE_NAME, load
    from argo_bench.harness.record.verify import verify
    from argo_bench.report.two_runs import write_agreement

    runs = [load(folder) for folder in folders]
    for recorded in runs:
        if found := verify(recorded):
            say(f"argo-bench: {recorded.directory} does not verify: {found[0]}", err=True)
            sys.exit(GATE_FAILED)
    for folder in folders:
        (folder / f"{FILE_NAME}.gz").write_bytes(gzip.compress((folder / FILE_NAME).read_bytes(), mtime=0))
    (folders[0] / "agreement.md").write_text(write_agreement(*runs), encoding="utf-8")


def replace_stored(out: Path, folders: Sequence[Path], move: Callable[[Path, Path], object] = os.replace) -> None:
    """Put the files of two complete runs where the stored ones are."""
    first, second = folders
    (out / second.name).mkdir(parents=True, exist_ok=True)
    for name in [*REPLACED, *sorted(each.name for pattern in FIGURES for each in first.glob(pattern))]:
        if (first / name).exists():
            move(first / name, out / name)
    move(second / REPLACED[0], out / second.name / REPLACED[0])
    shutil.rmtree(first)


def write_beside(out: Path, readme: Path, thresholds: Path) -> None:
    """Write what follows from the first of the stored runs elsewhere, into the files of these that are there."""
    from argo_bench.gate.thresholds import propose_thresholds
    from argo_bench.harness.record.store import load
    from argo_bench.study.report.readme import write_table

    stored = load(out)
    if readme.is_file():
        write_table(readme, stored)
    if thresholds.is_file():
        thresholds.write_text(propose_thresholds(stored, MARGIN), encoding="utf-8")
