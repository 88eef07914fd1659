"""Writes the sentences below the tables of a report: conditions, differences, failures, and what is still open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from argo_bench.harness.benchmark import Benchmark
from argo_bench.harness.claims.verdict import word_for
from argo_bench.harness.memory import find_disagreement
from argo_bench.harness.record.parts import kind_of
from argo_bench.harness.record.records import Declared, End, Failure, Fidelity, Judgement, LeftOut, Memory, Part
from argo_bench.harness.record.store import Recorded
from argo_bench.harness.shortage import describe_left_out
from argo_bench.report import finding
from argo_bench.report.outputs import name_scope

NOTES = ("puts off", "unstable", "drift", "position", "autocorrelation", "memory ", "two modes", "slow processes")
"""A flag that begins like one of these is said in a remark; the others stand in the rows themselves."""

FLAG_WORDS: Mapping[str, str] = {
    "unstable: ": "the measurement was disturbed, ",
    "blocks invalid": "blocks do not count",
    "drift: the ratio moves during a replicate": "the speed-up changes while its processes run",
    "position: the ratio depends on who goes first": "the speed-up depends on which version goes first",
    "autocorrelation: neighbouring blocks resemble each other": (
        "neighbouring blocks resemble each other, so that the interval may be too narrow"
    ),
}
"""The values are shown for what records say of samples by the keys."""


def word_flag(flag: str) -> str:
    """Return a flag in words for readers; records keep the short ones."""
    for stored, shown in FLAG_WORDS.items():
        flag = flag.replace(stored, shown)
    return flag


def list_remarks(recorded: Recorded) -> list[str]:
    """Return the remarks, a sentence each: outputs that differ, arms that could not be measured, what is still open."""
    lines = [
        f"{each.optimization} {each.arm}, {name_scope(each)}: {finding.word_output(each.output)}."
        for each in recorded.all(Fidelity)
        if not each.faithful
    ]
    lines += _describe_parts(recorded)
    lines += _describe_surroundings(recorded)
    lines += [f"{end.busy[0].upper()}{end.busy[1:]}." for end in recorded.all(End)[-1:] if end.busy]
    lines += list_not_measured(recorded)
    lines += describe_left_out(recorded.all(LeftOut))
    lines += [
        f"{each.claim} {each.arm} is inconclusive: to know, it would take {each.needs}."
        for each in recorded.all(Judgement)
        if each.needs is not None
    ]
    noted = (
        f"{each.optimization} {each.arm}, {each.comparison.workload}: {word_flag(flag)}."
        for each in recorded.all(Judgement)
        for flag in each.flags
        if flag.startswith(NOTES)
    )
    lines += dict.fromkeys(noted)  # several claims may rest on one comparison
    if modelled := dict.fromkeys(each.claim for each in recorded.all(Judgement) if "modelled" in each.flags):
        lines.append(
            f"In the times of {', '.join(modelled)} opening a connection and looking up in the shared store count as "
            "long as they took on real servers."
        )
    lines += _describe_method_dependence(recorded)
    lines += _describe_declared(recorded)
    lines += [finding.describe_calibration(recorded)] if recorded.all(Judgement) else []
    return lines


def _describe_parts(recorded: Recorded) -> list[str]:
    """Say of a merged record what it was merged from."""
    parts = recorded.all(Part)
    kind = kind_of(recorded.run.environment)
    return [f"Merged from {len(parts)} runs, each on a machine of this kind: {kind}."] if parts else []


def list_not_measured(recorded: Recorded) -> list[str]:
    """Say which arms failed or were not measured, and why, in a sentence each."""
    return [f"{each.optimization} {each.arm}: {word_for(each.kind)}, {each.reason}." for each in recorded.all(Failure)]


def _describe_surroundings(recorded: Recorded) -> Iterator[str]:
    """Yield sentences on where databases were, and on which server was the shared store."""
    facts = recorded.run.environment
    if (system := facts.get("file_system")) is not None and recorded.run.optimizations:
        memory = ", which is memory: times of the database say nothing about a disk" if system == "tmpfs" else ""
        yield f"Database files were on a {system} file system{memory}."
    if (store := facts.get("shared_store")) is not None:
        yield f"The shared store was {store}."


def _describe_declared(recorded: Recorded) -> Iterator[str]:
    """Yield sentences on how the claims of a user's functions were read, and on what it costs that some are local."""
    for each in recorded.all(Declared):
        if each.claim is not None:
            yield f'{each.name}: "{each.claim}" was read as: {Benchmark.of(each).claims[0].reading}.'
        if each.isolation == "shared":
            yield (
                f"{each.name}: both functions ran in one process, since they are local to where they were defined, and "
                "shared its memory and its garbage collector. Functions of a module get a process each."
            )


def _describe_method_dependence(recorded: Recorded) -> Iterator[str]:
    """Yield a sentence for each saving of memory on which two methods do not agree."""
    weighed = recorded.all(Memory)
    for reference in (each for each in weighed if each.arm == "baseline"):
        for each in weighed:
            same = (each.optimization, each.workload) == (reference.optimization, reference.workload)
            if (
                same
                and each is not reference
                and (flag := find_disagreement(reference.readings, each.readings)) is not None
            ):
                yield f"{each.optimization} {each.arm}, memory: {flag}."
