"""Measures a part of a gate's benchmarks, and merges the records of the parts into one that is decided as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from argo_bench.errors import UserError
from argo_bench.gate.answers import gate_of, make_lines
from argo_bench.gate.benchmarks import Benchmark
from argo_bench.gate.records import Agreed, Exact, Revisions, Shard
from argo_bench.harness.record.differing import pick_difference
from argo_bench.harness.record.records import End, Failure, LeftOut, Run, Samples
from argo_bench.harness.record.store import Recorded, Writer, command_line, load
from argo_bench.harness.shards import ShardNumber

ALIKE_IN_RUN = ("schema", "rule", "profile", "seed", "looks", "isolation")
ALIKE = (
    *("base", "head", "patch", "environment", "files", "tolerances", "accepted", "acknowledged", "expired", "removed"),
    *("count_rule", "untimed"),
)
"""Shards of one gate have these in common."""


def read_shard(text: str) -> Shard:
    """Read a shard such as ``2/8``. Raises ValueError for anything else."""
    return Shard(*ShardNumber.read(text))


def select_own(named: Sequence[Benchmark], shard: Shard | None) -> list[Benchmark]:
    """Return the benchmarks that are to be measured: those of a shard, or all where there is none."""
    if shard is None:
        return list(named)
    own = {*shard.select([each.name for each in named])}
    return [each for each in named if each.name in own]


def add_others(revisions: Revisions, named: Sequence[Benchmark], shard: Shard) -> Revisions:
    """Return what a shard compares with the benchmarks of the other shards, whose clocks it has not seen."""
    names = {each.name for each in named}
    return msgspec.structs.replace(
        revisions,
        files={each.name: each.file for each in named},
        metrics={each.name: revisions.metrics.get(each.name, each.metric or "cpu") for each in named},
        tolerances={each.name: each.tolerance for each in named},
        removed={name: file for name, file in revisions.removed.items() if name not in names},
        shards=[msgspec.structs.replace(shard, outside=revisions.outside)],
    )


def merge_shards(folders: Sequence[Path], directory: Path) -> Recorded:
    """Merge the records of shards into one in ``directory``, which is decided as if one machine had measured it.

    Raises UserError, naming the difference, for records that are not shards of one gate.
    """
    parts = sorted((load(each) for each in folders), key=lambda each: _shard_of(each).number)
    _check_alike(parts)
    lines = list(merge_lines(parts, directory.name))
    writer = Writer(directory)
    try:
        for each in lines:
            writer.write(each)
        for gated in make_lines(gate_of(Recorded(directory, lines))):
            writer.write(gated)
        writer.write_end(_merge_ends(parts))
    finally:
        writer.close()
    return load(directory)


def _shard_of(recorded: Recorded) -> Shard:
    found = recorded.all(Revisions)
    if not found or not found[0].is_part:
        raise UserError(f"{recorded.directory} is no shard: expected a record of argo-bench ci --shard K/N")
    return found[0].shards[0]


def _check_alike(parts: Sequence[Recorded]) -> None:
    first = parts[0]
    numbers: dict[int, Path] = {}
    for each in parts:
        for (what, ours), theirs in zip(_list_common(first), _list_common(each), strict=True):
            if ours != theirs[1] and None not in (ours, theirs[1]):
                difference = f"{what} {_describe_difference(ours, theirs[1])}"
                raise UserError(
                    f"{first.directory} and {each.directory} are no shards of one gate: {difference}: "
                    "measure all with the same commits, options and version"
                )
        number = _shard_of(each).number
        if number in numbers:
            raise UserError(f"shard {number} is there twice, in {numbers[number]} and in {each.directory}: give one")
        numbers[number] = each.directory


def _list_common(recorded: Recorded) -> Iterator[tuple[str, Any]]:
    """Yield what the shards of a gate have in common, by its name."""
    run, revisions = recorded.run, recorded.all(Revisions)[0]
    versions = run.environment.get("versions")
    yield "version", versions.get("argo-bench") if isinstance(versions, dict) else None
    yield "number of shards", revisions.shards[0].of
    for name in ALIKE_IN_RUN:
        yield name, getattr(run, name)
    for name in ALIKE:
        yield name, msgspec.to_builtins(getattr(revisions, name))
    yield "budget", next((each.budget_s for each in recorded.all(End)), None)


def _describe_difference(ours: Any, theirs: Any) -> str:
    name, one, other = pick_difference(ours, theirs)
    return f"{one!r} and {other!r}" if name is None else f"of {name!r} {one!r} and {other!r}"


def merge_lines(parts: Sequence[Recorded], name: str) -> Iterator[msgspec.Struct]:
    """Yield the lines of a merged record up to its outcomes, in the order in which one gate writes them."""
    yield _merge_headers([each.run for each in parts], name)
    revisions = [each.all(Revisions)[0] for each in parts]
    yield _merge_revisions(revisions, [next(iter(each.all(End)), None) for each in parts])
    place = {each: number for number, each in enumerate(revisions[0].files)}
    for kind in (Failure, Agreed, Exact):
        found: list[Any] = [line for each in parts for line in each.all(kind)]
        yield from sorted(found, key=lambda line: place[line.optimization if kind is Failure else line.benchmark])
    yield from sorted((line for each in parts for line in each.all(Samples)), key=lambda line: line.replicate)
    left_out = (line for each in parts for line in each.all(LeftOut))
    yield from sorted(left_out, key=lambda line: place[line.comparison.optimization])


def _merge_headers(runs: Sequence[Run], name: str) -> Run:
    processors = [str(each.environment.get("processor", "")) for each in runs]
    return msgspec.structs.replace(
        runs[0],
        run=name,
        started=min(each.started for each in runs),
        command=command_line(),
        environment=runs[0].environment | {"processors": processors},
    )


def _merge_revisions(revisions: Sequence[Revisions], ends: Sequence[End | None]) -> Revisions:
    first = revisions[0]
    own = {name: each for each in revisions for name in each.shards[0].select(each.files)}
    shards = [
        msgspec.structs.replace(
            each.shards[0],
            seconds=end.seconds if end is not None else 0.0,
            interrupted=end is None or end.interrupted,
            is_merged=True,
        )
        for each, end in zip(revisions, ends, strict=True)
    ]
    return msgspec.structs.replace(
        first,
        metrics={name: own.get(name, first).metrics[name] for name in first.files},
        changed=[name for name in first.files if name in own and name in own[name].changed],
        outside=[],
        left_out={name: reason for each in revisions for name, reason in each.left_out.items()},
        moved_on=max(each.moved_on for each in revisions),
        shards=shards,
    )


def _merge_ends(parts: Sequence[Recorded]) -> End:
    ends = [each for part in parts for each in part.all(End)]
    replicates = 1 + max((each.replicate for part in parts for each in part.all(Samples)), default=-1)
    budgets = [each.budget_s for each in ends if each.budget_s is not None]
    seconds = max((each.seconds for each in ends), default=0.0)
    return End(seconds, interrupted=False, replicates=replicates, budget_s=min(budgets, default=None))
