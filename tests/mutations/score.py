"""Counts how many mutants a check of outputs catches, and writes the table of results/reference/mutants.

``python -m tests.mutations.score [FOLDER]`` checks every mutant as a quick run and as a default run check a variant;
no clock is read, so that mutants may be checked beside each other.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import NamedTuple

import msgspec

from argo_bench.harness.plan import DEFAULT, QUICK, Profile, replicate_seed
from argo_bench.harness.record.records import Fidelity
from argo_bench.pipeline.market import installed_sample
from argo_bench.study.checking import check
from argo_bench.study.checking.failures import Trouble
from argo_bench.study.checking.trace import Oracle
from tests.mutations import Mutant, as_optimization, every_mutant
from tests.mutations.emptied import emptied

SEED = 1
FILE = "mutants.json"


class Score(NamedTuple):
    """Says how a mutant fared: which comparison caught it first, None where none did, and the first difference."""

    id: str
    part: str
    subject: str
    says: str
    profile: str
    caught_by: str | None
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


def lines(mutant: Mutant, profile: Profile) -> Iterable[Fidelity]:
    """Yield the lines that a run writes of a mutant, the quickest first."""
    optimization = as_optimization(mutant)
    yield check.check_on_cases(optimization, "engineered")
    yield check.check_on_markets(optimization, "engineered", oracles(profile))
    yield check.check_on_failures(optimization, "engineered", troubles(profile))


def score(mutant: Mutant, profile: Profile) -> Score:
    """Check a mutant until a comparison catches it. One that raises in a whole cycle has failed, and is caught."""
    of = mutant.id, mutant.part, mutant.subject, mutant.says, profile.name
    try:
        for line in lines(mutant, profile):
            if line.counts:
                return Score(*of, line.scope, line.first)
    except Exception as error:  # noqa: BLE001 - a run says "failed" of it, whatever it is
        return Score(*of, "failed", f"{type(error).__name__}: {error}")
    return Score(*of, None, "")


@cache
def everything() -> tuple[Mutant, ...]:
    return (*every_mutant(), *emptied())


def score_numbered(number: int) -> list[Score]:
    mutant = everything()[number]
    return [score(mutant, profile) for profile in (QUICK, DEFAULT)]


def score_all(count: int) -> list[Score]:
    with ProcessPoolExecutor(2) as processes:
        return [each for scores in processes.map(score_numbered, range(count)) for each in scores]


def rate(scores: Sequence[Score], profile: str) -> float:
    of = [each for each in scores if each.profile == profile]
    return sum(each.caught_by is not None for each in of) / len(of)


if __name__ == "__main__":
    found = score_all(len(everything()))
    for each in found:
        if each.caught_by is None:
            sys.stdout.write(f"missed in {each.profile}: {each.id} ({each.part}, {each.subject}): {each.says}\n")
    for name in ("quick", "default"):
        sys.stdout.write(f"{name}: {rate(found, name):.1%} of {len(found) // 2}\n")
    if len(sys.argv) > 1:
        Path(sys.argv[1], FILE).write_bytes(msgspec.json.format(msgspec.json.encode(found)))
