"""Checks lines of a record that a run, a gate and a calibration bank have in common: once each, and as they were drawn.

Nothing here needs to know what the lines were written for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from argo_bench.harness.block_order import draw_order
from argo_bench.harness.plan import replicate_seed
from argo_bench.harness.record.records import (
    LAST_WITHOUT_DECLARATIONS,
    LAST_WITHOUT_SEAL,
    Block,
    Comparison,
    End,
    Foreign,
    Run,
    Samples,
)
from argo_bench.harness.record.store import Recorded, encode, find_writer, tag_of

FAR_BELOW = 10
"""Wall time is far below CPU time where all processors together would have to be so many times as many."""
COARSE_NS = 10_000_000
"""A clock of CPU time may be as coarse as this."""
CAUSES = ("the machine slept", "the clock jumped", "were stolen by other machines")
"""Every cause for which a block does not count has one of these phrases."""


class Disagreement(NamedTuple):
    """Names one line of the record and says what is wrong with it."""

    line: int
    what: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.what}"


def is_sealed(recorded: Recorded) -> bool:
    """Say whether the record is of a schema whose blocks can be drawn again, and which ends with a seal."""
    return recorded.run.schema > LAST_WITHOUT_SEAL


def find_repeated(
    recorded: Recorded, keys: Mapping[type[msgspec.Struct], Callable[[Any], Any]]
) -> Iterator[Disagreement]:
    """Yield the lines that stand twice. ``keys`` name what a line of a kind is about; None may be said again."""
    seen: dict[tuple[type, Any], int] = {}
    for line, record in recorded.lines():
        key = keys[type(record)](record) if type(record) in keys else None
        if key is not None and (first := seen.setdefault((type(record), key), line)) != line:
            yield Disagreement(line, f"{type(record).__name__.lower()} of {_name(key)}: stands in line {first} already")


def _name(key: Any) -> str:
    return " ".join(str(each) for each in key if each is not None) if isinstance(key, tuple) else str(key)


def check_header(recorded: Recorded) -> Iterator[Disagreement]:
    """Check that there is one header, and that it names no schema of before its own rule or its seal."""
    run = recorded.run
    if run.schema <= LAST_WITHOUT_DECLARATIONS and run.rule:
        yield Disagreement(1, f"schema {run.schema}, and the rule {run.rule!r}, which no record of that schema names")
    for line, record in recorded.lines():
        if isinstance(record, Run) and line > 1:
            yield Disagreement(line, "a second header: expected one, in the first line")
    if not is_sealed(recorded) and any(each.seal for each in recorded.all(End)):
        yield Disagreement(1, f"schema {run.schema}, and a seal ends the record, as none of that schema does")


def check_ending(recorded: Recorded) -> Iterator[Disagreement]:
    """Check that there is one end, with the seal of all lines before it."""
    last = len(recorded.records)
    for line, record in recorded.lines():
        if isinstance(record, End) and line < last:
            yield Disagreement(line, "the record goes on after its end")
    end = recorded.records[-1]
    if not isinstance(end, End):
        writer = None if recorded.directory is None else find_writer(recorded.directory)
        why = f"it is being written by {writer}" if writer else "the run was killed, or the file is cut off"
        yield Disagreement(last, f"the record has no end: {why}")
        return
    if (is_sealed(recorded) or end.seal) and not recorded.is_seal_right(end):
        yield Disagreement(last, "its seal is not that of the lines up to it: one was edited, added or left out")
    if end.longest_s > end.seconds:
        yield Disagreement(last, f"a replicate of {end.longest_s:.3g} s in a run of {end.seconds:.3g} s")


def check_order(
    recorded: Recorded, ranks: Mapping[type[msgspec.Struct], int], others: int | None = None
) -> Iterator[Disagreement]:
    """Check that kinds of lines stand in the order of their ranks, as they are written.

    ``others`` is the rank of all other kinds; with None these may stand anywhere. Of lines with one rank the order
    means nothing.
    """
    reached, last = -1, ""
    for line, record in recorded.lines():
        rank = ranks.get(type(record), others)
        kind = record.tag if isinstance(record, Foreign) else tag_of(type(record))
        if rank is None:
            continue
        if rank < reached:
            yield Disagreement(line, f"a line of kind {kind!r} after one of kind {last!r}: it is written before")
        else:
            reached, last = rank, str(kind)


def find_out_of_order(lines: Iterable[tuple[int, Hashable]], expected: Iterable[Hashable]) -> Iterator[int]:
    """Yield the numbers of lines that stand after one that follows them in the order that is expected of their keys."""
    places = {key: place for place, key in enumerate(expected)}
    highest = -1
    for line, key in lines:
        if places.get(key, highest) < highest:
            yield line
        highest = max(highest, places.get(key, highest))


def check_fields(recorded: Recorded) -> Iterator[Disagreement]:
    """Check that every line has no other fields than those of its kind, and none twice: such ones are not read."""
    for (line, record), body in zip(recorded.lines(), recorded.bodies, strict=False):
        if body != encode(record):
            for what in _find_unread(body, record):
                yield Disagreement(line, what)


def _find_unread(body: bytes, record: msgspec.Struct) -> Iterator[str]:
    twice: list[str] = []

    def keep(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice.extend(key for key in found if [name for name, _ in pairs].count(key) > 1)
        return found

    content = json.loads(body, object_pairs_hook=keep, parse_int=str, parse_float=str)
    yield from (f"the field {name!r} stands twice" for name in twice)
    if not isinstance(record, Foreign):
        for name in _find_further_keys(content, msgspec.to_builtins(record)):
            yield f"a field {name!r}, which no {tag_of(type(record))} has"


def _find_further_keys(got: Any, known: Any) -> Iterator[str]:
    if isinstance(got, dict) and isinstance(known, dict):
        yield from sorted(got.keys() - known.keys())
        for key in got.keys() & known.keys():
            yield from _find_further_keys(got[key], known[key])
    elif isinstance(got, list) and isinstance(known, list | tuple):
        for left, right in zip(got, known, strict=False):
            yield from _find_further_keys(left, right)


def check_samples(recorded: Recorded, samples: Sequence[tuple[int, Samples]]) -> Iterator[Disagreement]:
    """Check, for every line of samples, its seed, and that its blocks were drawn and could be measured."""
    cores = recorded.run.environment.get("cores")
    for line, each in samples:
        name = f"samples of {each.comparison} in replicate {each.replicate}"
        if each.seed != (seed := replicate_seed(recorded.run.seed, each.replicate)):
            yield Disagreement(line, f"samples of {each.comparison}: seed {each.seed}, expected {seed}")
        for number, block in enumerate(each.blocks):
            for wrong in _find_implausible(block, cores if isinstance(cores, int) else None):
                yield Disagreement(line, f"{name}: block {number}: {wrong}")
        if is_sealed(recorded) and (said := _find_wrong_order(each)) is not None:
            yield Disagreement(line, f"{name}: {said}")
    if is_sealed(recorded):
        yield from _check_shared(samples)


def _find_wrong_order(samples: Samples) -> str | None:
    """Name the first block whose order is not the one that was drawn, and how many there are."""
    drawn = [draw_order(samples.seed, samples.comparison, number) for number in range(len(samples.blocks))]
    wrong = [number for number, block in enumerate(samples.blocks) if block.order != drawn[number]]
    if not wrong:
        return None
    first, more = wrong[0], f" (and {len(wrong) - 1} more are wrong)" if wrong[1:] else ""
    return f"block {first} has the order {samples.blocks[first].order}, its seed draws {drawn[first]}{more}"


def _find_implausible(block: Block, cores: int | None) -> Iterator[str]:
    for wall, cpu in zip(block.wall_ns, block.cpu_ns, strict=True):
        if cores is not None and cpu > COARSE_NS and wall * cores * FAR_BELOW < cpu:
            yield f"{cpu} ns of CPU time in {wall} ns on {cores} processors"
    if block.invalid is not None and not any(cause in block.invalid for cause in CAUSES):
        yield f"invalid for {block.invalid!r}, which is no cause from outside"


def _check_shared(samples: Iterable[tuple[int, Samples]]) -> Iterator[Disagreement]:
    """Check that candidates that were timed together have the same samples of their reference."""
    groups: dict[tuple[Comparison, int, float | None], Samples] = {}
    for line, each in samples:
        alike = msgspec.structs.replace(each.comparison, candidate="")
        first = groups.setdefault((alike, each.replicate, each.seconds), each)
        if first.comparison != each.comparison and _reference_of(first) != _reference_of(each):
            name = f"samples of {each.comparison} in replicate {each.replicate}"
            yield Disagreement(line, f"{name}: the reference's differ from those of {first.comparison.candidate}")


def _reference_of(samples: Samples) -> list[tuple[Any, ...]]:
    """Return what candidates that are timed together share: the reference's samples of every block, and its calls."""
    found: list[tuple[Any, ...]] = [
        (samples.reference_calls, samples.reference_first_call_ns, samples.reference_drain_ns)
    ]
    for block in samples.blocks:
        slots = [slot for slot, arm in enumerate(block.order) if arm == "A"]
        found.append(([block.wall_ns[slot] for slot in slots], [block.cpu_ns[slot] for slot in slots], block.invalid))
    return found
