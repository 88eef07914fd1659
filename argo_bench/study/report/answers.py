"""Answers the questions of the notebooks, each in a sentence that is computed from a record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from argo_bench.errors import UserError
from argo_bench.harness.claims.verdict import word_for
from argo_bench.harness.judging.outputs import describe_damage
from argo_bench.harness.record.records import Judgement
from argo_bench.report import Report, finding
from argo_bench.study.report.advice import advise_all

SHIP: Mapping[str, str] = {
    "keep": "Ship {subject} as it was published",
    "fix": "Ship {subject} in the engineered version, not as it was published",
    "simple": "Ship the simple way instead of {subject}",
    "drop": "Do not ship {subject}",
    "undecided": "This run leaves open whether to ship {subject}",
}
"""How the answer begins, by the word of the advice."""
OPEN = ("inconclusive", "untested", "failed")
ALIKE = 0.005
"""Amounts that differ by a smaller share than this are told as equal."""
ALWAYS = 0.001
"""A cache that pays from a smaller share of hits on pays practically always."""


def say_what_to_ship(report: Report) -> str:
    """Say whether an optimization should be shipped, in which version, and why.

    ``report`` is that on one optimization, as ``Report.of`` gives it. Where there is no advice, as for functions of a
    user's own, the answer is the finding.
    """
    advised = advise_all(report.recorded)
    if not advised:
        return str(report)
    advice = advised[0]
    name = report.recorded.name_of(advice.subject)
    subject = f"{advice.subject} ({name})" if name else advice.subject
    return f"{SHIP[advice.word].format(subject=subject)}: {advice.reason}."


def say_when_a_cache_pays(stores: Report, stages: Report) -> str:
    """Say of each store, on a line of its own, from which share of hits on a cache in it pays for the stages.

    ``stores`` is the report on a run that timed look-ups, ``stages`` one on a run of the study. Raises UserError where
    one of them lacks these times, or where matplotlib is not installed.
    """
    from argo_bench.study.report.lookups import find_lookups, find_stage_costs

    lookups, costs = find_lookups(stores.recorded), find_stage_costs(stages.recorded)
    for report, found, command in (
        (stores, lookups, "argo-bench run argo_bench/study/lookups.py"),
        (stages, costs, "argo-bench run"),
    ):
        if not found:
            raise UserError(f"{report.directory} has not the times that the answer needs: expected a run of {command}")
    told = "\n".join(f"- {_describe_store(store, ns, costs)}." for store, ns in lookups.items())
    return f"A cache pays once a larger share of calls hits than a look-up takes of the computation's time.\n{told}"


def _describe_store(store: str, lookup_ns: float, costs: Mapping[str, float]) -> str:
    """Say for which stages a store pays from which share of hits on, and for which it never does."""
    rates = {name: lookup_ns / cost for name, cost in costs.items()}
    pays = [f"{name} from {100 * rate:.2g} % on" for name, rate in rates.items() if ALWAYS <= rate < 1]
    if always := [name for name, rate in rates.items() if rate < ALWAYS]:
        pays.append(f"{_join(always)} from less than {100 * ALWAYS:g} % on")
    never = [name for name, rate in rates.items() if rate >= 1]
    said = [f"pays for {'; for '.join(pays)}"] if pays else []
    said += [f"never pays for {_join(never)}"] if never else []
    return f"{store} ({finding.format_duration(lookup_ns)} a look-up) {', but '.join(said)}"


def _join(words: Sequence[str]) -> str:
    """Join words as in ``one, two and three``."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def say_what_float32_saves(report: Report) -> str:
    """Say what casting frames to float32 as published does to memory, CPU time, indicators, output and signals.

    ``report`` is one on a run with O09. What the run did not judge is left out. Raises UserError for a run without O09,
    or where matplotlib is not installed.
    """
    frames = report.of("O09")
    judged = {each.claim: each for each in frames.judgements if each.arm == "prescribed"}
    told = [*_describe_amounts(judged), *_describe_errors(frames), *_describe_output(judged)]
    if not told:
        raise UserError(f"{report.directory} judged nothing of O09 as published: expected a run of argo-bench run O09")
    return f"With float32 as published, {'; '.join(told)}."


def _describe_amounts(judged: Mapping[str, Judgement]) -> Iterator[str]:
    if (size := judged.get("O09.frames")) is not None:
        yield f"frames take {_compare(size, 'memory')}"
    if (memory := judged.get("O09.memory")) is not None:
        claimed = finding.format_claimed(memory.kind, memory.low, memory.high)
        verdict = word_for(memory.verdict)
        yield f"a whole cycle takes {_compare(memory, 'memory')} ({claimed} was published: {verdict})"
    if (time := judged.get("O09.gc")) is not None:
        yield f"a whole cycle takes {_compare(time, 'CPU time')}"


def _compare(judgement: Judgement, noun: str) -> str:
    """Say how much of something an arm takes beside its reference, such as ``39 % less memory``."""
    if judgement.speedup is None or judgement.verdict in OPEN:
        return f"{noun} by an amount that this run leaves open"
    share = 1 / judgement.speedup - 1
    if abs(share) < ALIKE:
        return f"as much {noun} as before"
    return f"{abs(100 * share):.3g} % {'more' if share > 0 else 'less'} {noun}"


def _describe_errors(frames: Report) -> Iterator[str]:
    from argo_bench.study.report.errors import find_largest_errors

    for group, arms in find_largest_errors(frames.recorded).items():
        name, _, unit = group.partition(", ")
        if unit == "points" and "prescribed" in arms:
            yield f"{name} are off by up to {arms['prescribed']:.2g} points of 100"


def _describe_output(judged: Mapping[str, Judgement]) -> Iterator[str]:
    if judged:
        judgement = next(iter(judged.values()))
        stays = "stays the same" if finding.is_same(judgement) else f"is {judgement.output}"
        yield f"the output {judgement.output if finding.changes_output(judgement) else stays}"
        if judgement.damage:
            yield describe_damage(judgement.damage) or "no signal is missed, added or flipped"
