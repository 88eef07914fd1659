"""Counts how many mutants the checks of outputs catch, and writes the table results/reference/mutants.md.

``python -m tests.mutations.score [FILE]`` checks every mutant as a quick run and as a default run check a variant; no
clock is read, so that mutants may be checked beside each other. It takes some ten minutes on two processors.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import NamedTuple

from argo_bench.harness.plan import DEFAULT, QUICK, Profile, replicate_seed
from argo_bench.harness.record.records import Fidelity
from argo_bench.pipeline.market import installed_sample
from argo_bench.study.checking import check
from argo_bench.study.checking.failures import Trouble
from argo_bench.study.checking.trace import Oracle
from tests.mutations import Mutant, as_optimization, every_mutant, held_out

SEED = 1
PROFILES = (QUICK, DEFAULT)
TUNED_ON = frozenset(sorted(each.id for each in held_out())[1::2])
"""Those of the first 129, every second by name, for which cases were added where they were missed. The other 65 were
never tuned on, and none of the 129 was looked at before the check was written."""
MISSED = {
    "memo-reason-for-hours": "a declared age of explanations, held against when the model wrote each wording",
    "memo-reason-young-after-restart": "the same",
    "fetch-late-answer": "whole cycles whose answers take longer than the five seconds between cycles",
    "schedule-deadline": "the same",
    "schedule-slow-twice": "the same",
    "five-keep-what-was-kept": "whole cycles over more than the five minutes that data may be old",
}
"""Says of each mutant that is missed which comparison would catch it, or why none can."""


class Score(NamedTuple):
    """Says how a mutant fared in a profile: which comparison caught it first, and the first difference.

    ``caught_by`` is empty where none did.
    """

    mutant: Mutant
    profile: str
    caught_by: str
    first: str


@cache
def oracles(profile: Profile) -> tuple[Oracle, ...]:
    seeds = [replicate_seed(SEED, number) for number in range(profile.seeds)]
    universe = installed_sample()
    return tuple(
        Oracle.run(universe, seed, profile.checked_cycles, pace) for seed in seeds for pace in ("fast", "live")
    )


@cache
def troubles(profile: Profile) -> tuple[Trouble, ...]:
    return tuple(Trouble.run(each) for each in oracles(profile) if each.pace == "fast")


@cache
def on_cases(number: int) -> Fidelity:
    """Compare a mutant on the cases, which are the same in every profile."""
    return check.check_on_cases(as_optimization(every_mutant()[number]), "engineered")


def lines(number: int, profile: Profile) -> Iterable[Fidelity]:
    """Yield the lines that a run writes of a mutant, the quickest first."""
    optimization = as_optimization(every_mutant()[number])
    yield on_cases(number)
    yield check.check_on_markets(optimization, "engineered", oracles(profile))
    yield check.check_on_failures(optimization, "engineered", troubles(profile))


def score(number: int, profile: Profile) -> tuple[str, str]:
    """Check a mutant until a comparison catches it, and return which did, and the first difference.

    One that raises in a whole cycle has failed, and is caught.
    """
    try:
        for line in lines(number, profile):
            if line.counts:
                return line.scope, line.first
    except Exception as error:  # noqa: BLE001 - a run says "failed" of it, whatever it is
        return "failed", f"{type(error).__name__}: {error}"
    return "", ""


def score_numbered(number: int) -> list[tuple[str, str]]:
    return [score(number, profile) for profile in PROFILES]


def score_all(mutants: Sequence[Mutant]) -> list[Score]:
    """Return the scores of mutants, each in every profile."""
    number_of = {each.id: number for number, each in enumerate(every_mutant())}
    with ProcessPoolExecutor(2) as processes:
        found = processes.map(score_numbered, [number_of[each.id] for each in mutants])
        return [
            Score(mutant, profile.name, *each)
            for mutant, scores in zip(mutants, found, strict=True)
            for profile, each in zip(PROFILES, scores, strict=True)
        ]


def rate(scores: Sequence[Score]) -> float:
    return sum(bool(each.caught_by) for each in scores) / len(scores)


def write_table(scores: Sequence[Score]) -> str:
    """Write the table as Markdown: the rates, the mutants that are missed, and all of them."""
    return "\n".join((*_write_rates(scores), "", *_write_missed(scores), "", *_write_all(scores), ""))


def _write_rates(scores: Sequence[Score]) -> Iterator[str]:
    yield "# Small bugs, and which of them the checks of outputs catch"
    yield ""
    yield "Written by `python -m tests.mutations.score`; no figure here is a time."
    yield ""
    yield "| | bugs | " + " | ".join(profile.name for profile in PROFILES) + " |"
    yield "| --- | --- |" + " --- |" * len(PROFILES)
    blind = {each.id for each in held_out()} - TUNED_ON
    for name, ids in (("all", None), ("never tuned on", blind)):
        own = [each for each in scores if ids is None or each.mutant.id in ids]
        rates = [f"{rate([each for each in own if each.profile == profile.name]):.1%}" for profile in PROFILES]
        yield f"| {name} | {len(own) // len(PROFILES)} | {' | '.join(rates)} |"


def _write_missed(scores: Sequence[Score]) -> Iterator[str]:
    yield "| missed | of | what it does | what would catch it |"
    yield "| --- | --- | --- | --- |"
    for mutant in list_missed(scores):
        yield f"| {mutant.id} | {mutant.subject} | {mutant.says} | {MISSED.get(mutant.id, '-')} |"


def list_missed(scores: Sequence[Score]) -> list[Mutant]:
    return list({each.mutant.id: each.mutant for each in scores if not each.caught_by}.values())


def _write_all(scores: Sequence[Score]) -> Iterator[str]:
    yield "| bug | part | of | what it does | " + " | ".join(profile.name for profile in PROFILES) + " |"
    yield "| --- | --- | --- | --- |" + " --- |" * len(PROFILES)
    for mutant in every_mutant():
        yield write_row(mutant, scores)


def write_row(mutant: Mutant, scores: Sequence[Score]) -> str:
    """Write the line of a mutant: what caught it in every profile."""
    caught = [each.caught_by or "**missed**" for each in scores if each.mutant.id == mutant.id]
    return f"| {mutant.id} | {mutant.part} | {mutant.subject} | {mutant.says} | {' | '.join(caught)} |"


if __name__ == "__main__":
    written = write_table(score_all(every_mutant()))
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(written, encoding="utf-8")
    else:
        sys.stdout.write(written)
