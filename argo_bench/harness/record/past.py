"""Supplies what records of schemas 1 and 2 leave out: the catalogue's claims, and the plan.

Those records were judged by the claims of the catalogue that was installed. It stands in ``past_declarations.json`` as
it was at the end of schema 2, so that they can be read and verified whatever is installed now.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from argo_bench.harness.record.records import Declaration, Declared, Plan
from argo_bench.harness.statistics.estimate import RETIRED

if TYPE_CHECKING:
    from argo_bench.harness.record.store import Recorded

FILE = Path(__file__).with_name("past_declarations.json")
ERROR = 0.05
SEEDS = 6
"""Counts were taken under this many seeds at the most."""


@cache
def past_catalogue() -> dict[str, Declaration]:
    """Return the subjects of the catalogue at the end of schema 2, by id."""
    return {each.id: each for each in msgspec.json.decode(FILE.read_bytes(), type=list[Declaration])}


def past_declarations(recorded: Recorded) -> list[Declaration]:
    """Return the declarations of the optimizations that were asked for, and of a user's functions in the record."""
    from argo_bench.harness.benchmark import Benchmark

    known = past_catalogue()
    functions = [Benchmark.of(each).declaration() for each in recorded.all(Declared)]
    return [*(known[each] for each in recorded.run.optimizations if each in known), *functions]


def past_plan(recorded: Recorded) -> Plan:
    """Return the plan of the run's profile, with its levels and claims."""
    from argo_bench.harness.plan import compute_levels, replicate_seed

    run, declarations = recorded.run, recorded.declarations
    families: dict[str, list[str]] = {}
    for each in (*past_catalogue().values(), *declarations):
        own = [claim.id for claim in each.claims if claim.headline]
        families[each.family] = [*dict.fromkeys([*families.get(each.family, []), *own])]
    claims = [claim for each in declarations for claim in each.claims if claim.headline or run.profile != "quick"]
    return Plan(
        ERROR,
        families,
        compute_levels(families, ERROR, run.looks, RETIRED),
        compute_levels({"": [""]}, ERROR, run.looks, RETIRED)[""],
        [claim.id for claim in claims],
        [replicate_seed(run.seed, number) for number in range(SEEDS)],
        {},
        [],
    )
