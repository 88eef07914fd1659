"""What does a killed process lose of the rows that it had acknowledged, and what does a row cost the disk, arm by arm?

Each arm has a process of its own, whose program is this file as well. It forks a writer for each kill, so that what is
killed is one plain process and its imports are paid once.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from hashlib import sha256
from itertools import count
from pathlib import Path
from statistics import fmean, median
from tempfile import TemporaryDirectory

import psutil

from argo_bench.errors import UserError
from argo_bench.harness.machine.environment import find_file_system
from argo_bench.harness.subject import Observation
from argo_bench.optimizations.o05_database_batching import WRITES, engineered, prescribed
from argo_bench.optimizations.optimization import keep_baseline
from argo_bench.parent import start
from argo_bench.pipeline import baseline
from argo_bench.pipeline.baseline.read import LATEST, LATEST_OF_SYMBOL, WIN_RATE
from argo_bench.pipeline.model import STRATEGY, Decision, Encoded
from argo_bench.pipeline.record import Edit, Pipeline
from argo_bench.pipeline.world import SimulatedWorld
from argo_bench.pipeline.world.base import CYCLE_S, EPOCH_S
from argo_bench.pipeline.world.database import FILE_NAME, SYMBOLS, TIMESTAMP, copy_into, preload_database
from argo_bench.study.replay import NoMarket
from argo_bench.study.trials import Setting, Trial

ARMS: Mapping[str, Edit] = {
    "baseline": keep_baseline,
    "prescribed": prescribed,
    "engineered": engineered,
    **WRITES.arms,
}
KILLED: Mapping[str, Edit] = {arm: edit for arm, edit in ARMS.items() if arm != "rollback journal"}
KILLS_PER_FILE = 10
"""The number of kills after which a new file is begun: a check of the whole file takes longer as it grows."""

PAUSES_S: Mapping[str, float] = {"killed while storing": 0.0, "killed between cycles": 0.01}
"""How long a writer pauses between two cycles, by condition, in seconds.

A service stores for a moment every 5 s, so that a kill mostly finds it waiting; the moment itself is the harder test
for a transaction. A pause of 0.01 s is long compared with that moment, and leaves time for several cycles.
"""

ALIVE_S = 0.02, 0.2
"""The bounds of how long a writer lives after its first acknowledgement."""

COUNTED = ("kills", "rows acknowledged", "rows lost", "runs with loss", "duplicate rows", "corrupt files")
LARGEST_BATCH = 16
ROWS_PER_CYCLE = 8
WRITTEN_CYCLES = 125
"""The number of cycles that are written: they make a thousand rows."""

TIMED_CYCLES = 40
PIPE_BYTES = 1 << 16

Found = list[tuple[str, dict[str, float]]]
"""Holds values by condition."""

Study = Callable[[Edit, Path, int, int], Found]
"""Studies an arm, in a directory, of a size, with a seed."""


def observe_kills(setting: Setting) -> Iterator[Observation]:
    """Observe writers that are killed at random moments: acknowledged rows that the file does not have afterwards."""
    yield from in_processes("kill", setting, 100 if setting.full else 10, KILLED)


def observe_writes(setting: Setting) -> Iterator[Observation]:
    """Observe bytes and commits per row, and how long after its acknowledgement readers see a row."""
    yield from in_processes("write", setting, 200_000 if setting.full else 10_000)


def observe_times(setting: Setting) -> Iterator[Observation]:
    """Observe storing and reading on a million rows."""
    yield from in_processes("time", setting, 1_000_000)


def in_processes(what: str, setting: Setting, size: int, arms: Mapping[str, Edit] = ARMS) -> Iterator[Observation]:
    """Yield each arm's observations, made by a process of its own in a directory of its own.

    Raises UserError where a process failed, with what it said last.
    """
    for arm in arms:
        with TemporaryDirectory(prefix="o05-", dir=setting.scratch) as directory:
            output = output_of([sys.executable, "-m", __name__, what, arm, directory, str(size), str(setting.seed)])
        for condition, values in json.loads(output):
            yield Observation(arm, condition, values)


def output_of(command: Sequence[str]) -> bytes:
    with start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            output, complaint = process.communicate()
        finally:
            process.kill()
    if process.returncode:
        said = complaint.decode(errors="replace").strip().splitlines() or ["nothing"]
        raise UserError(
            f"{' '.join(command[2:5])}: expected observations, got exit code {process.returncode}: {said[-1]}"
        )
    return output


def main(what: str, arm: str, directory: str, size: str, seed: str) -> str:
    """Return the observations of one arm as JSON: pairs of a condition and its values."""
    studies: Mapping[str, Study] = {"kill": kill, "write": write, "time": take_times}
    return json.dumps(studies[what](ARMS[arm], Path(directory), int(size), int(seed)))


# Killing


def kill(edit: Edit, directory: Path, kills: int, seed: int) -> Found:
    """Kill ``kills`` writers under each condition."""
    where = settings_of(edit, directory)
    generator = random.Random(seed)
    return [
        (f"{name}, {where}", rows_after_kills(edit, directory / name, kills, generator, pause_s))
        for name, pause_s in PAUSES_S.items()
    ]


def rows_after_kills(
    edit: Edit, directory: Path, kills: int, generator: random.Random, pause_s: float
) -> dict[str, float]:
    """Kill ``kills`` writers on files that live through ten kills
    each, and look up every row of theirs after each kill."""
    counted = Counter(dict.fromkeys(COUNTED, 0))
    for number in range(kills):
        place = directory / str(number // KILLS_PER_FILE)
        if number % KILLS_PER_FILE == 0:
            place.mkdir(parents=True)
            acknowledged, lost = set[str](), set[str]()
        heard = run_until_killed(edit, place, number * 1_000_000, generator, pause_s)
        acknowledged |= heard
        with closing(sqlite3.connect(place / FILE_NAME)) as connection:
            is_whole = connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            ids = [each for (each,) in connection.execute("SELECT signal_id FROM signals NOT INDEXED")]
        newly_lost = acknowledged.difference(ids) - lost
        lost |= newly_lost
        here = (1, len(heard), len(newly_lost), bool(newly_lost), len(ids) - len(set(ids)), not is_whole)
        counted.update(dict(zip(COUNTED, here, strict=True)))
    return {name: float(total) for name, total in counted.items()}


def run_until_killed(edit: Edit, place: Path, first_cycle: int, generator: random.Random, pause_s: float) -> set[str]:
    """Return the ids that a writer acknowledged until it was killed, at a random moment."""
    alive_s, seed = generator.uniform(*ALIVE_S), generator.getrandbits(32)
    reading, writing = os.pipe()
    writer = os.fork()
    if not writer:
        os.close(reading)
        try:
            write_for_ever(edit, place, first_cycle, random.Random(seed), pause_s, writing)
        except (OSError, sqlite3.Error) as error:
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
        finally:
            # A writer that fails, or whose reader is gone, is a fork and must not go on in its parent's code.
            os._exit(1)
    os.close(writing)
    try:
        heard = os.read(reading, PIPE_BYTES)
        until = time.monotonic() + alive_s
        while (left := until - time.monotonic()) > 0:
            if select.select([reading], [], [], left)[0]:
                if not (chunk := os.read(reading, PIPE_BYTES)):
                    break
                heard += chunk
    finally:
        os.kill(writer, signal.SIGKILL)
        _, status = os.waitpid(writer, 0)
    while chunk := os.read(reading, PIPE_BYTES):
        heard += chunk
    os.close(reading)
    if not os.WIFSIGNALED(status):
        raise RuntimeError(f"{place}: expected a writer that lives until it is killed, got status {status}")
    # Whatever follows the last line break was cut off by the kill, or is empty.
    return {line.decode() for line in heard.split(b"\n")[:-1]}


def write_for_ever(
    edit: Edit, place: Path, first_cycle: int, generator: random.Random, pause_s: float, acknowledge: int
) -> None:
    """Store cycle after cycle, and acknowledge each row as soon as the stage has returned."""
    pipeline = edit(baseline.PIPELINE)
    world = SimulatedWorld(NoMarket(), directory=place)
    for number in count(first_cycle):
        world.begin(number)
        signals = signals_of(number, generator.randint(1, LARGEST_BATCH))
        pipeline.store(world, signals)
        os.write(acknowledge, "".join(f"{each.decision.signal_id}\n" for each in signals).encode())
        time.sleep(pause_s)


# Writing


def write(edit: Edit, directory: Path, rows: int, seed: int) -> Found:
    """Write a thousand rows, eight a cycle, on top of ``rows`` rows,
    and measure what the process wrote until its file closed."""
    copy_into(directory, make_database(directory, rows, seed))
    pipeline = edit(baseline.PIPELINE)
    world = SimulatedWorld(NoMarket(), directory=directory)
    cycles = iter(range(WRITTEN_CYCLES + 1))
    walk(pipeline, world, next(cycles))
    world.query("PRAGMA wal_checkpoint(TRUNCATE)")
    size, commits, output = database_bytes(world), world.ledger.commits, bytes_written()
    behind = [walk(pipeline, world, number) for number in cycles]
    acknowledged, rows_per_study = ROWS_PER_CYCLE * (WRITTEN_CYCLES + 1), ROWS_PER_CYCLE * WRITTEN_CYCLES
    size, commits = database_bytes(world) - size, world.ledger.commits - commits
    world.discard()
    values = {
        "rows acknowledged": acknowledged,
        "rows dropped at the end": acknowledged - world.ledger.rows,
        "commits per row": commits / rows_per_study,
        "file growth per row, bytes": size / rows_per_study,
        "readers behind, mean s": fmean(behind),
        "readers behind, max s": max(behind),
    }
    if output is not None and (output_after := bytes_written()) is not None:
        values["written per row, bytes"] = (output_after - output) / rows_per_study
    return [(f"{rows:,} rows before, {settings_of(edit, directory)}", values)]


def walk(pipeline: Pipeline, world: SimulatedWorld, number: int) -> float:
    """Store and read one cycle.

    Returns by how many seconds the newest row that readers see is behind the newest one stored.
    """
    world.begin(number)
    pipeline.store(world, signals_of(number, ROWS_PER_CYCLE))
    newest: float = pipeline.read(world, SYMBOLS).latest[0][TIMESTAMP]
    return world.nominal_time() - newest


def database_bytes(world: SimulatedWorld) -> int:
    """Return the bytes of the pages in use: with those still in
    the log, without those that dropped indexes have left."""
    pages, free = (world.query(f"PRAGMA {name}")[0][0] for name in ("page_count", "freelist_count"))
    in_use: int = (pages - free) * world.database_settings.page_size
    return in_use


def bytes_written() -> int | None:
    """Return the bytes that this process has handed to write calls so far; None where the system does not say."""
    counters = psutil.Process().io_counters() if hasattr(psutil.Process, "io_counters") else None
    written: int | None = getattr(counters, "write_chars", None)
    return written


# Timing


def take_times(edit: Edit, directory: Path, rows: int, seed: int) -> Found:
    """Measure median times of a cycle's store and read on top
    of so many rows, and of each query asked of the database."""
    copy_into(directory, make_database(directory, rows, seed))
    pipeline = edit(baseline.PIPELINE)
    world = SimulatedWorld(NoMarket(), directory=directory)
    world.query("SELECT 1 FROM signals LIMIT 1")
    world.begin(0)
    prepared_ms = time_call_ms(lambda: pipeline.store(world, signals_of(0, ROWS_PER_CYCLE)))
    pipeline.read(world, SYMBOLS)
    stores, reads = [], []
    for number in range(1, TIMED_CYCLES + 1):
        world.begin(number)
        signals = signals_of(number, ROWS_PER_CYCLE)
        stores.append(time_call_ms(lambda signals=signals: pipeline.store(world, signals)))  # type: ignore[misc]
        reads.append(time_call_ms(lambda: pipeline.read(world, SYMBOLS)))
    queries: dict[str, tuple[str, Sequence[str]]] = {
        "latest": (LATEST, ()),
        "latest of a symbol": (LATEST_OF_SYMBOL, SYMBOLS[:1]),
        "win rate": (WIN_RATE, ()),
    }
    values = {
        "first store ms": prepared_ms,
        "store p50 ms": median(stores),
        "store max ms": max(stores),
        "read p50 ms": median(reads),
    }
    for name, (sql, parameters) in queries.items():
        asked = [time_call_ms(lambda sql=sql, parameters=parameters: world.query(sql, parameters)) for _ in range(9)]  # type: ignore[misc]
        values[f"{name} p50 ms"] = median(asked)
    world.discard()
    return [(f"{rows:,} rows before, {settings_of(edit, directory)}", values)]


def time_call_ms(call: Callable[[], object]) -> float:
    began = time.perf_counter_ns()
    call()
    return (time.perf_counter_ns() - began) / 1e6


# What all have in common


def make_database(directory: Path, rows: int, seed: int) -> Path:
    """Return a database with so many rows, made once for all arms."""
    return preload_database(directory.parent / f"o05-{rows}-rows.sqlite", rows, seed)


def settings_of(edit: Edit, directory: Path) -> str:
    """Say what is in force on the connection that an arm writes on, and which file system holds the file."""
    place = directory / "settings"
    place.mkdir()
    with SimulatedWorld(NoMarket(), directory=place) as world:
        world.begin(0)
        edit(baseline.PIPELINE).store(world, signals_of(0, 1))
        return f"{world.database_settings}, {find_file_system(directory)}"


def signals_of(cycle: int, number: int) -> list[Encoded]:
    """Return ``number`` signals as validation lets them through, each of a symbol of its own."""
    return [signal_of(cycle, SYMBOLS[each % len(SYMBOLS)]) for each in range(number)]


def signal_of(cycle: int, symbol: str) -> Encoded:
    digest = sha256(f"{symbol}|{cycle}|{STRATEGY}".encode()).hexdigest()
    entry = round(20 + int(digest[:4], 16) / 100, 2)
    decision = Decision(
        signal_id=digest[:32],
        symbol=symbol,
        direction="LONG",
        entry=entry,
        stop=round(entry * 0.97, 2),
        target=round(entry * 1.05, 2),
        confidence=80.0,
        regime="TRENDING",
        strategy=STRATEGY,
        sources=(("massive", "LONG"), ("alpha_vantage", "LONG"), ("x_sentiment", "LONG"), ("sonar", "LONG")),
        timestamp=EPOCH_S + CYCLE_S * cycle,
        reference=entry,
        reasoning=f"LONG {symbol} at {entry} in a TRENDING market: all sources agree, above the 20 and 50 day averages "
        "on rising volume, with room to the target before the last high.",
        reasoning_author="model",
    )
    return Encoded(decision, b"", b"", digest)


TRIALS = (
    Trial(
        optimization="O05",
        name="kill -9",
        description="writers on a real disk, killed at random moments; every row that was acknowledged before is "
        "looked up afterwards, and the file checked",
        run=observe_kills,
    ),
    Trial(
        optimization="O05",
        name="a row on disk",
        description="a thousand rows, eight in each 5 s cycle: bytes handed to the file system, commits, growth of the "
        "file, and how far the readers are behind",
        run=observe_writes,
        compared=("written per row, bytes", "file growth per row, bytes", "commits per row"),
    ),
    Trial(
        optimization="O05",
        name="a million rows",
        description="a cycle's eight rows stored and the readers' queries on a file of a million rows",
        run=observe_times,
        compared=("store p50 ms", "read p50 ms", "latest of a symbol p50 ms", "win rate p50 ms"),
        study=True,
    ),
)

if __name__ == "__main__":
    print(main(*sys.argv[1:]))  # noqa: T201 - its parent reads it
