"""Checks lines of a record that a run, a gate and a calibration bank have in common: once each, and as they were drawn.

Nothing here needs to know what the lines were written for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from argo_bench.harness.block_order import draw_order
from argo_bench.harness.plan import replicate_seed
from argo_bench.harness.record.records import LAST_WITHOUT_SEAL, Block, Comparison, End, Run, Samples
from argo_bench.harness.record.store import Recorded

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


def check_header_and_end(recorded: Recorded) -> Iterator[Disagreement]:
    """Check that there is one header, and one end with the seal of all lines before it."""
    last = len(recorded.records)
    for line, record in recorded.lines():
        if isinstance(record, Run) and line > 1:
            yield Disagreement(line, "a second header: expected one, in the first line")
        if isinstance(record, End) and line < last:
            yield Disagreement(line, "the record goes on after its end")
    end = recorded.records[-1]
    if not isinstance(end, End):
        yield Disagreement(last, "the record has no end: the run was killed, or the file is cut off")
        return
    if (is_sealed(recorded) or end.seal) and not recorded.is_seal_right(end):
        yield Disagreement(last, "its seal is not that of the lines up to it: one was edited, added or left out")
    if end.longest_s > end.seconds:
        yield Disagreement(last, f"a replicate of {end.longest_s:.3g} s in a run of {end.seconds:.3g} s")


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


def _reference_of(samples: Samples) -> list[tuple[list[int], list[int], str | None]]:
    """Return the reference's samples of every block, which all candidates of the block share."""
    found = []
    for block in samples.blocks:
        slots = [slot for slot, arm in enumerate(block.order) if arm == "A"]
        found.append(([block.wall_ns[slot] for slot in slots], [block.cpu_ns[slot] for slot in slots], block.invalid))
    return found
