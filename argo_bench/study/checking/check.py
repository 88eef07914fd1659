"""One variant's checks become lines of the record here: on the cases, on the markets of the seeds, and in trouble.

A run and ``argo-bench check`` ask for the same lines.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from argo_bench.harness.judging.outputs import KEPT, describe_line, word_of
from argo_bench.harness.record.records import Fidelity, Scope
from argo_bench.optimizations.optimization import CYCLE, Optimization, Variant, Workload
from argo_bench.pipeline import baseline
from argo_bench.pipeline.record import Cycle, Edit
from argo_bench.study.checking.battery import check_cases, leave_to_oracle
from argo_bench.study.checking.differences import Differences, Rows, note_differences
from argo_bench.study.checking.failures import Trouble
from argo_bench.study.checking.seen import find_unseen, see
from argo_bench.study.checking.served import note_further_requests
from argo_bench.study.checking.trace import Oracle, check_walk, measure_age
from argo_bench.study.hits import count_cache_hits
from argo_bench.study.recording import Recording
from argo_bench.study.replay import StageBody


def make_differences(optimization: Optimization) -> Differences:
    return Differences(optimization.permits, optimization.tolerance)


def find_staleness_s(optimization: Optimization, arm: str) -> float:
    """Return how old the data of an arm may be: what is declared holds for the engineered variant alone."""
    return optimization.staleness_s if arm == "engineered" else 0.0


def check_workload(
    optimization: Optimization, workload: Workload, recording: Recording, reference: Edit, candidate: Edit, arm: str
) -> Fidelity:
    """Compare the candidate's outputs with the reference's, call by call on the recorded inputs.

    Where data may be older than the baseline's, every difference here may follow from that: whether it does is seen on
    the markets, where the baseline is run on what was served.
    """
    bodies = StageBody(workload, reference, recording), StageBody(workload, candidate, recording)
    if workload.servers:
        for body in bodies:
            body.keep(body.few)
    expected, got = bodies[0].collect_results(), bodies[1].collect_results()
    if workload.stage == "store":  # it returns nothing: the rows are what it is about
        expected, got = [Rows(bodies[0].read_stored())], [Rows(bodies[1].read_stored())]
    for body in bodies:
        body.close()
    found, saw = make_differences(optimization), Counter[str]()
    if find_staleness_s(optimization, arm):
        found.permits = None
    see(expected, saw)
    damage = count_signals_lost(expected, got) if workload.stage == CYCLE and workload.damage is not None else {}
    for left, right in zip(expected, got, strict=True):
        before = found.counts.total()
        note_differences(left, right, found)
        found.concerned += found.counts.total() > before
    seen = Seen(len(expected), saw, find_unseen(workload.stage, saw), damage)
    return make_line(optimization, arm, "workload", found, seen, workload.name)


def count_signals_lost(expected: Sequence[Cycle], got: Sequence[Cycle]) -> dict[str, float]:
    """Count the signals that whole cycles should have decided, and those that were missed, added or turned round."""
    wanted, found = (
        {(at, each.symbol): each.direction for at, cycle in enumerate(cycles) for each in cycle.decided}
        for cycles in (expected, got)
    )
    return {
        "signals": len(wanted),
        "missed": len(wanted.keys() - found.keys()),
        "added": len(found.keys() - wanted.keys()),
        "flipped": sum(wanted[key] != found[key] for key in wanted.keys() & found.keys()),
    }


def check_on_cases(optimization: Optimization, variant: str) -> Fidelity:
    """Compare a variant with the baseline on every named case that it concerns."""
    found, saw = make_differences(optimization), Counter[str]()
    edit = getattr(optimization, variant)
    played = check_cases(edit, found, find_staleness_s(optimization, variant), saw)
    return make_line(optimization, variant, "cases", found, Seen(played, saw, [], {}))


def check_on_markets(optimization: Optimization, variant: str, oracles: Sequence[Oracle]) -> Fidelity:
    """Compare a variant's decisions, rejections, rows and readings with those of oracles, of every seed.

    What a variant does to the signals is counted on the live markets among them.
    """
    found, saw, damage = make_differences(optimization), Counter[str](), Counter[str]()
    ages: dict[str, float] = {}
    staleness_s = find_staleness_s(optimization, variant)
    for oracle in oracles:
        pipeline = leave_to_oracle(getattr(optimization, variant)(baseline.PIPELINE))
        walk, lost = check_walk(pipeline, oracle, found, staleness_s)
        # What a prescribed variant sends besides is counted as its damage; older data decide more signals or fewer.
        if variant == "engineered" and not staleness_s:
            found.where = f"{oracle.pace} market, seed {oracle.seed}"
            note_further_requests(oracle.walk.log, walk.log, found)
        see(oracle.cycles, saw)
        if oracle.pace == "live":
            damage.update(lost)
            ages = {name: max(ages.get(name, 0.0), age) for name, age in measure_age(oracle.walk, walk).items()}
        for name, count in count_cache_hits(pipeline).items():
            if name != "hit_rate":
                saw[name] += int(count)
    compared = sum(oracle.acceptance.symbol_cycles for oracle in oracles)
    seen = Seen(compared, saw, find_unseen(CYCLE, saw), {**damage, **ages})
    return make_line(optimization, variant, "markets", found, seen)


def check_on_failures(optimization: Optimization, variant: Variant, troubles: Sequence[Trouble]) -> Fidelity:
    """Say what a variant loses while providers fail, beside what the baseline loses then, and what it gets wrong."""
    found, saw, damage = make_differences(optimization), Counter[str](), Counter[str]()
    for trouble in troubles:
        damage.update(trouble.check(leave_to_oracle(getattr(optimization, variant)(baseline.PIPELINE)), found))
        saw["failed cycles of the baseline"] += trouble.failed_cycles
    compared = sum(trouble.oracle.acceptance.symbol_cycles for trouble in troubles)
    seen = Seen(compared, saw, [] if saw.total() else ["failed cycles"], dict(damage))
    return make_line(optimization, variant, "failures", found, seen)


class Seen(NamedTuple):
    """Holds what was compared: how many calls, cases or symbol-cycles, what they showed and what they did not, and
    what became of the signals."""

    compared: int
    saw: Mapping[str, int]
    unseen: list[str]
    damage: Mapping[str, float]


def make_line(
    optimization: Optimization, arm: str, scope: Scope, found: Differences, seen: Seen, workload: str | None = None
) -> Fidelity:
    """Return the line of the record that says what was found and what was seen."""
    line = Fidelity(
        optimization.id,
        arm,
        workload,
        seen.compared,
        dict(found.counts),
        found.largest_error,
        "",
        faithful=False,
        permitted=dict(found.permitted),
        scope=scope,
        concerned=found.concerned,
        saw=dict(seen.saw),
        unseen=seen.unseen,
        damage=dict(seen.damage),
        first=found.first,
    )
    output = describe_line(line, optimization.may_change)
    return msgspec.structs.replace(line, output=output, faithful=word_of(line) in KEPT)
