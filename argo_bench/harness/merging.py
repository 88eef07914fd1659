"""Merges the records of runs that measured different subjects into one, which is judged as if one run had made it.

Runs on machines of different kinds are not merged: what one kind of processor says is no sample of the other's times.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from argo_bench.errors import UserError
from argo_bench.harness.judging.judgements import find_break_even_rates, judge_all
from argo_bench.harness.judging.measurements import Measured
from argo_bench.harness.record.differing import pick_difference
from argo_bench.harness.record.parts import kind_of
from argo_bench.harness.record.records import (
    CONCLUSIONS,
    SCHEMA,
    Counts,
    Declaration,
    End,
    Failure,
    Fidelity,
    LeftOut,
    Memory,
    Part,
    Plan,
    Run,
    Samples,
)
from argo_bench.harness.record.store import Recorded, Writer, command_line, load, subject_of
from argo_bench.harness.record.verify import estimate_results, verify
from argo_bench.harness.shards import ShardNumber

ALIKE_IN_RUN = (
    *("schema", "rule", "profile", "seed", "looks", "isolation", "bars", "source", "symbols", "choices"),
    *("trace", "skip_unchanged"),
)
ALIKE_IN_ASKED = ("symbols", "trace", "skip_unchanged", "study", "live", "dates", "adjust_by", "latencies")
ALIKE_IN_PLAN = ("error", "level", "seeds", "looks", "only_checks", "order")
ALIKE_ON_MACHINES = ("python", "versions", "source")
"""Runs that are merged have these in common; the last are facts of the machines."""


def merge_runs(folders: Sequence[Path], directory: Path) -> dict[str, Recorded]:
    """Merge the records of runs into one for each kind of machine, and return these by the kind, in words.

    One kind goes into ``directory``, several into folders below it. Raises UserError for records that do not verify, do
    not belong together, or have the same subject twice; then nothing is written.
    """
    parts = sorted(map(load, folders), key=_number_of)
    for each in parts:
        _check_whole(each)
        _check_alike(parts[0], each)
    kinds: dict[str, list[Recorded]] = {}
    for each in parts:
        kinds.setdefault(kind_of(each.run.environment), []).append(each)
    for own in kinds.values():
        _check_distinct(own)
    places = dict.fromkeys(kinds, directory)
    if len(kinds) > 1:
        places = {kind: directory / f"kind-{number}" for number, kind in enumerate(kinds, 1)}
    return {kind: write_merged(own, places[kind]) for kind, own in kinds.items()}


def write_merged(parts: Sequence[Recorded], directory: Path) -> Recorded:
    """Write the record that runs on machines of one kind amount to, and return it."""
    lines = list(_merge_lines(parts, directory.name))
    writer = Writer(directory)
    try:
        writer.write(*lines, *_conclude(Recorded(directory, lines)))
        writer.write_end(_merge_ends(parts))
    finally:
        writer.close()
    return load(directory)


def find_missing_shards(parts: Sequence[Recorded]) -> dict[str, list[ShardNumber]]:
    """Return, for each kind of machine, the shards of a run of which it has some, but not all."""
    shards: dict[str, list[ShardNumber]] = {}
    for each in parts:
        if each.run.asked is not None and each.run.asked.shard:
            shards.setdefault(kind_of(each.run.environment), []).append(ShardNumber.read(each.run.asked.shard))
    missing: dict[str, list[ShardNumber]] = {}
    for kind, own in shards.items():
        of = max(each.of for each in own)
        missing[kind] = [ShardNumber(number, of) for number in range(1, of + 1) if ShardNumber(number, of) not in own]
    return missing


def _number_of(part: Recorded) -> int:
    """Return the number of a shard, by which parts are in order; 0 for a run of named subjects."""
    asked = part.run.asked
    return ShardNumber.read(asked.shard).number if asked is not None and asked.shard else 0


def _check_whole(part: Recorded) -> None:
    if part.run.schema < SCHEMA or part.run.asked is None:
        raise UserError(f"{part.directory} is no run of this version of argo-bench run: expected records of such")
    if part.all(Part):
        raise UserError(f"{part.directory} is merged already: give the records that it was merged from")
    if found := verify(part):
        raise UserError(f"{part.directory} does not verify ({found[0]}): leave it out, or measure it again")


def _check_alike(first: Recorded, other: Recorded) -> None:
    for (what, ours), (_, theirs) in zip(_list_common(first), _list_common(other), strict=True):
        if ours != theirs:
            raise UserError(
                f"{first.directory} and {other.directory} do not belong together: {what} "
                f"{_describe_difference(ours, theirs)}: expected the same version, data and options"
            )
    declared = {each.id: each for each in first.declarations}
    for each in other.declarations:
        if declared.get(each.id, each) != each:
            raise UserError(f"{first.directory} and {other.directory} declare different claims of {each.id}")


def _list_common(recorded: Recorded) -> Iterator[tuple[str, Any]]:
    """Yield what runs that are merged have in common, by its name."""
    run, asked = msgspec.to_builtins(recorded.run), msgspec.to_builtins(recorded.run.asked)
    plan = msgspec.to_builtins(recorded.plan)
    for names, found in ((ALIKE_ON_MACHINES, run["environment"]), (ALIKE_IN_RUN, run), (ALIKE_IN_ASKED, asked)):
        yield from ((name, found.get(name)) for name in names)
    yield from ((f"plan's {name}", plan[name]) for name in ALIKE_IN_PLAN)


def _describe_difference(ours: Any, theirs: Any) -> str:
    name, one, other = pick_difference(ours, theirs)
    return f"is {one} in one and {other} in the other" if name is None else f"of {name} are {one} and {other}"


def _check_distinct(parts: Sequence[Recorded]) -> None:
    """Check that every subject was measured once on machines of one kind."""
    seen: dict[str, Recorded] = {}
    for part in parts:
        for each in part.declarations:
            if (first := seen.setdefault(each.id, part)) is not part:
                where = f"{first.directory} and in {part.directory}, both on {kind_of(part.run.environment)}"
                raise UserError(f"{each.id} is in {where}: give one of them")


def _merge_lines(parts: Sequence[Recorded], name: str) -> Iterator[msgspec.Struct]:
    """Yield the lines of a merged record up to its conclusions, in the order in which one run writes them."""
    yield _merge_headers([each.run for each in parts], name)
    yield _merge_plans([each.plan for each in parts])
    declared: list[Declaration] = [line for each in parts for line in each.all(Declaration)]
    yield from sorted(declared, key=lambda each: bool(each.functions))
    for each in parts:
        end = next(iter(each.all(End)), None)
        yield Part([one.id for one in each.declarations], each.run.run, each.run.started, each.run.environment, end)
    measured = [line for each in parts for line in each.records if not isinstance(line, HEADERS)]
    of_all = [line for line in measured if subject_of(line) is None]
    yield from (line for number, line in enumerate(of_all) if line not in of_all[:number])
    own = [line for line in measured if subject_of(line) is not None and not isinstance(line, CONCLUSIONS)]
    yield from (line for line in own if not isinstance(line, Samples))
    yield from sorted((line for line in own if isinstance(line, Samples)), key=lambda line: line.replicate)
    yield from (line for each in parts for line in each.all(LeftOut))


HEADERS = (Run, Plan, Declaration, End)


def _merge_headers(runs: Sequence[Run], name: str) -> Run:
    asked = runs[0].asked
    ids = list(dict.fromkeys(each for run in runs if run.asked for each in run.asked.ids))
    return msgspec.structs.replace(
        runs[0],
        run=name,
        started=min(each.started for each in runs),
        command=command_line(),
        optimizations=[each for run in runs for each in run.optimizations],
        asked=None if asked is None else msgspec.structs.replace(asked, ids=ids, shard=msgspec.UNSET),
    )


def _merge_plans(plans: Sequence[Plan]) -> Plan:
    def united(of: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return {name: value for each in of for name, value in each.items()}

    return msgspec.structs.replace(
        plans[0],
        families=united([each.families for each in plans]),
        levels=united([each.levels for each in plans]),
        sets=united([each.sets for each in plans]),
        claims=[claim for each in plans for claim in each.claims],
        comparisons=[comparison for each in plans for comparison in each.comparisons],
    )


def _conclude(merged: Recorded) -> Iterator[msgspec.Struct]:
    """Yield what follows from the samples of all parts, as a run concludes from its own."""
    declared, results = merged.declarations, [*estimate_results(merged).values()]
    measured = Measured(results, merged.all(Samples), merged.all(Memory), merged.all(Counts))
    yield from results
    yield from find_break_even_rates(declared, measured)
    yield from judge_all(declared, measured, merged.all(Fidelity), merged.all(Failure), merged.plan)


def _merge_ends(parts: Sequence[Recorded]) -> End:
    """Return the last line: the seconds are those of the longest part, since parts may be measured side by side."""
    ends = [each for part in parts for each in part.all(End)]
    budgets = [each.budget_s for each in ends if each.budget_s is not None]
    return End(
        max((each.seconds for each in ends), default=0.0),
        len(ends) < len(parts) or any(each.interrupted for each in ends),
        1 + max((each.replicate for part in parts for each in part.all(Samples)), default=-1),
        min(budgets, default=None),
        max((each.longest_s for each in ends), default=0.0),
        busy="; ".join(dict.fromkeys(each.busy for each in ends if each.busy)),
    )
