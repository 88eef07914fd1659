"""Says how verdicts on waiting would change with other latencies: a reader's first objection is "with my providers".

A sample has its wall time and its CPU time. What lies between them is waiting, which is stretched or shortened here as
a whole, and the claim is judged anew. No measurement is made for that, so it holds as long as an arm waits in
proportion: time-outs that an arm has by the clock do not stretch. Measuring with other latencies is the better answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from argo_bench.harness.claims.claim import Claim
from argo_bench.harness.claims.verdict import judge
from argo_bench.harness.judging.holds_when import describe_condition
from argo_bench.harness.judging.measurements import SPOT_LEVEL
from argo_bench.harness.judging.results import log_ratios
from argo_bench.harness.record.records import Block, Comparison, Judgement, Samples, Spot, rule_of
from argo_bench.harness.record.store import Recorded
from argo_bench.harness.statistics.estimate import Rule, estimate
from argo_bench.report import finding
from argo_bench.report.marks import label_verdict
from argo_bench.report.tables import Column, Row, Table, join_lines

PERCENT = (10, 30, 100, 300)
"""Waiting is judged at these shares of what was measured."""
WAITS = 0.5
"""A comparison is one about waiting where at least this share of the reference's wall time is no CPU time."""
Slots = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Curve:
    """Holds the verdicts on a claim and an arm at other latencies, in percent of those measured, and where it holds."""

    judgement: Judgement
    spots: Sequence[Spot]
    holds: str


def find_curves(recorded: Recorded) -> list[Curve]:
    """Return a curve for each claim about wall time of which most is waiting."""
    samples: dict[Comparison, list[Samples]] = {}
    for each in recorded.all(Samples):
        samples.setdefault(each.comparison, []).append(each)
    claims: Mapping[str, Claim] = {claim.id: claim for of in recorded.declarations for claim in of.claims}
    found = []
    for judgement in recorded.all(Judgement):
        own, claim = samples.get(judgement.comparison, []), claims.get(judgement.claim)
        if claim is not None and judgement.metric == "wall" and judgement.verdict != "void" and is_waiting(own):
            spots = [_judge_at(claim, own, percent, rule_of(recorded.run)) for percent in PERCENT]
            holds = describe_condition(claim, [], "", spots, "% of the latencies", None)
            found.append(Curve(judgement, spots, holds))
    return found


def is_waiting(samples: Sequence[Samples]) -> bool:
    """Say whether most of the reference's time is waiting."""
    wall = cpu = 0
    for each in samples:
        for block in each.blocks:
            of_reference = [place for place, arm in enumerate(block.order) if arm == "A"]
            wall += sum(block.wall_ns[place] for place in of_reference)
            cpu += sum(block.cpu_ns[place] for place in of_reference)
    return wall > 0 and (wall - cpu) / wall >= WAITS


def _judge_at(claim: Claim, samples: Sequence[Samples], percent: int, rule: Rule) -> Spot:
    stretched = [stretch_waits(each, percent / 100) for each in samples]
    interval = estimate(log_ratios(stretched, "wall"), SPOT_LEVEL, rule)
    return Spot(percent, interval.speedup, interval.speedup_interval, judge(claim, interval))


def stretch_waits(samples: Samples, factor: float) -> Samples:
    """Return samples whose waiting, the wall time beyond the CPU time, is ``factor`` times as long."""
    return msgspec.structs.replace(samples, blocks=[_stretch_block(each, factor) for each in samples.blocks])


def _stretch_block(block: Block, factor: float) -> Block:
    walls = [
        max(1, round(min(wall, cpu) + factor * max(0, wall - cpu)))
        for wall, cpu in zip(block.wall_ns, block.cpu_ns, strict=True)
    ]
    first, second, third, fourth = walls
    return msgspec.structs.replace(block, wall_ns=(first, second, third, fourth))


def tabulate_latencies(recorded: Recorded) -> Table:
    """Tabulate the verdicts on waiting at a tenth to three times the latencies that were measured."""
    rows = tuple(
        Row(
            (
                join_lines(each.judgement.claim, finding.name_arms(each.judgement.comparison)),
                *(_format_spot(each.judgement, spot) for spot in each.spots),
                each.holds,
            ),
            None,
            each.judgement.headline,
        )
        for each in find_curves(recorded)
    )
    columns = (
        Column("claim", 18),
        *(Column(f"{percent} %", 14) for percent in PERCENT),
        Column("holds", None),
    )
    note = (
        "The verdict if every wait took so many per cent of what it took here, each by its own 95 % interval. It is "
        "computed from the samples: time that is no CPU time is waiting. Time-outs that a version takes from the clock "
        "stay as they are."
    )
    return Table("With other latencies", note, columns, rows)


def _format_spot(judgement: Judgement, spot: Spot) -> str:
    return join_lines(finding.format_ratio(spot.speedup, judgement.metric), label_verdict(spot.verdict))
