"""How much memory does a sweep take over 10,000 symbols of 5,000 bars, which are 2 GB as arrays?

    python tests/benchmarks/study_scale.py [ID ...] [--symbols 10000] [--bars 5000] [--json FILE]

Generated bars are written to a folder of Parquet files, one a symbol, and ``argo-bench sweep`` measures the
optimizations on a hundredth and on all of them with the quick profile. Meanwhile the resident memory of its process
and of each of its workers is read five times a second; shown are the most that any of them and that all of them
together have taken.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import psutil

from argo_bench.pipeline.market import generate

CHUNK = 200
"""So many symbols are generated at a time."""
EVERY_S = 0.2
SEED = 26
GIB = 2**30


def write_folder(folder: Path, symbols: int, bars: int) -> None:
    names = [f"S{number:05}" for number in range(symbols)]
    for start in range(0, symbols, CHUNK):
        for symbol, frame in generate(names[start : start + CHUNK], bars, SEED + start).frames.items():
            frame.to_parquet(folder / f"{symbol}.parquet")


def watch(command: list[str]) -> dict[str, float]:
    """Run a command. Return its seconds, and the most memory that one of its processes and all of them took, in GiB."""
    began = time.monotonic()
    largest = together = 0
    running = subprocess.Popen(command)
    process = psutil.Process(running.pid)
    while running.poll() is None:
        sizes = [*filter(None, map(read_resident, [process, *list_children(process)]))]
        largest, together = max([largest, *sizes]), max(together, sum(sizes))
        time.sleep(EVERY_S)
    if running.returncode:
        raise click.ClickException(f"the sweep ended with exit code {running.returncode}")
    return {"seconds": time.monotonic() - began, "largest_gib": largest / GIB, "together_gib": together / GIB}


def list_children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def read_resident(process: psutil.Process) -> int:
    """Return the resident memory in bytes, 0 of a process that is gone."""
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


@click.command()
@click.argument("ids", nargs=-1)
@click.option("--symbols", type=click.IntRange(min=1), default=10_000, show_default=True)
@click.option("--bars", type=click.IntRange(min=300), default=5_000, show_default=True)
@click.option("--json", "path", type=click.Path(path_type=Path), help="Write what was found to this file.")
def main(ids: tuple[str, ...], symbols: int, bars: int, path: Path | None) -> None:
    with tempfile.TemporaryDirectory() as around:
        data, out = Path(around, "data"), Path(around, "sweep")
        data.mkdir()
        write_folder(data, symbols, bars)
        size = sum(file.stat().st_size for file in data.iterdir()) / GIB
        click.echo(f"{symbols:,} files of {bars:,} bars, {size:.2f} GiB")
        sizes = ["--symbols", f"{max(6, symbols // 100)},{symbols}", "--bars", str(bars)]
        command = [sys.executable, "-m", "argo_bench.cli", "sweep", *(ids or ("O08",)), *sizes, "--data", str(data)]
        found = watch([*command, "--quick", "--yes", "--out", str(out)])
    record = {"ids": [*ids] or ["O08"], "symbols": symbols, "bars": bars, "files_gib": size, **found}
    click.echo(
        f"{found['seconds']:.0f} s; the largest process took {found['largest_gib']:.2f} GiB, all of them together "
        f"{found['together_gib']:.2f} GiB at most"
    )
    if path is not None:
        path.write_text(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
