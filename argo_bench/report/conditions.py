"""Tabulates when a claim that is not reached would hold, or why it does so nowhere that was measured."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from argo_bench.harness.claims.verdict import HOLDS, word_for
from argo_bench.harness.judging.holds_when import NOWHERE
from argo_bench.harness.record.records import Counts, Judgement, Spot
from argo_bench.harness.record.store import Recorded
from argo_bench.report import finding
from argo_bench.report.marks import label_verdict
from argo_bench.report.tables import VERDICT, Column, Row, Table, join_lines

MISSED = "no tested condition reaches the claim"
"""What readers see of a claim for which the record says ``NOWHERE``."""


def tabulate_conditions(recorded: Recorded, *, brief: bool = False) -> Table:
    """Tabulate under which conditions the claims that do not hold would be reached, and else why they are nowhere.

    Briefly, claims are named by their ids alone, and further readings for which there is neither a condition nor a
    bound stand together in the note.
    """
    missed = [each for each in recorded.all(Judgement) if is_missed(each)]
    said = {(each.claim, each.arm): explain(recorded, each) for each in missed}
    left_out = [each for each in missed if brief and not each.headline and is_nowhere(recorded, each)]
    rows = tuple(
        Row(
            (
                join_lines(
                    each.claim if brief else finding.name_claim(recorded, each), finding.name_arms(each.comparison)
                ),
                label_verdict(each.verdict),
                said[each.claim, each.arm],
            ),
            each.verdict,
            each.headline,
        )
        for each in missed
        if each not in left_out
    )
    columns = (Column("claim", 34), Column(VERDICT, 15), Column("holds when", None))
    note = (
        "Under which condition a claim that is not reached would be, read off between the points that were measured; "
        "for caches from what hits and misses take."
    )
    if left_out:
        note += f" No tested condition reaches these either: {'; '.join(_list_arms(left_out))}."
    return Table("When it would hold", note, columns, rows)


def _list_arms(judgements: Iterable[Judgement]) -> list[str]:
    arms: dict[str, list[str]] = {}
    for each in judgements:
        arms.setdefault(each.claim, []).append(each.arm)
    return [f"{claim} {' and '.join(those)}" for claim, those in arms.items()]


def is_missed(judgement: Judgement) -> bool:
    """Say whether something was claimed that is not reached, or about which nothing is decided."""
    return judgement.verdict not in HOLDS and judgement.kind != "difference"


def is_nowhere(recorded: Recorded, judgement: Judgement) -> bool:
    """Say whether a claim was measured, is decided, and neither a condition nor a bound is known."""
    return judgement.holds_when == NOWHERE and judgement.needs is None and not find_bound(recorded, judgement)


def find_bound(recorded: Recorded, judgement: Judgement) -> str:
    """Return what prevents any version from reaching the claim, as it was declared; empty where nothing was."""
    declared = recorded.declarations_by_id.get(judgement.optimization)
    claims = () if declared is None else declared.claims
    return next((each.bound for each in claims if each.id == judgement.claim), "")


def explain(recorded: Recorded, judgement: Judgement) -> str:
    """Say when a claim that is not reached would hold; where it does nowhere, say why."""
    bound = find_bound(recorded, judgement)
    if judgement.holds_when is not None and judgement.holds_when != NOWHERE:
        is_open = judgement.verdict == "inconclusive"
        return join_lines(judgement.holds_when, _explain_open_verdict(judgement) if is_open else "", bound)
    if judgement.verdict in ("untested", "failed"):
        return f"{word_for(judgement.verdict)}: {'; '.join(judgement.flags) or 'no time was left'}"
    if judgement.verdict == "void":
        return "never: the output differs, so that no figure counts"
    if judgement.kind == "level":
        return join_lines(_explain_level(recorded, judgement), bound)
    if judgement.verdict == "inconclusive":
        return join_lines(_explain_open_verdict(judgement), bound)
    return f"{MISSED}: {bound or '; '.join(_list_nearest(judgement))}"


def _explain_open_verdict(judgement: Judgement) -> str:
    contradiction = next((each for each in judgement.flags if each.startswith("a typical call is")), "")
    if contradiction:
        return f"undecided, because {contradiction}"
    if judgement.needs is not None:
        return f"undecided; it would take {judgement.needs}"
    return f"undecided: {'; '.join(judgement.flags) or 'too little was measured'}"


def _explain_level(recorded: Recorded, judgement: Judgement) -> str:
    """Say at which scales of the workload every seed reaches a claimed level; else how near the best of them comes."""
    at, low = judgement.comparison, judgement.low if judgement.low is not None else -math.inf
    high = judgement.high if judgement.high is not None else math.inf
    levels: dict[int, list[float]] = {}
    for each in recorded.all(Counts):
        if (each.optimization, each.workload, each.arm) == (at.optimization, at.workload, judgement.arm):
            levels.setdefault(each.scale, []).extend(
                value for name, value in each.counts.items() if name == judgement.metric
            )
    seen = {scale: values for scale, values in sorted(levels.items()) if values}
    if reached := [scale for scale, values in seen.items() if all(low <= value <= high for value in values)]:
        return f"at {', '.join(f'{scale:,}' for scale in reached)} {at.unit}"
    if not seen:
        return "unknown: nothing was counted"
    best = max(seen, key=lambda scale: min(seen[scale]))
    nearest = finding.format_levels(min(seen[best]), max(seen[best]))
    least = finding.format_claimed("level", judgement.low, judgement.high)
    return f"{MISSED}: the nearest is {nearest} at {best:,} {at.unit}, and {least} was claimed"


def _list_nearest(judgement: Judgement) -> Iterator[str]:
    """Yield how near the measured places come: over the condition of the curve, and over the scales."""
    low = _find_least(judgement)
    least = "" if low is None else f", and {finding.format_factor(low, 3)} is the least that was claimed"
    places = [
        (spots, unit)
        for spots, unit in ((judgement.curve, judgement.curve_unit), (judgement.strip, judgement.comparison.unit))
        if len(spots) > 1
    ]
    for spots, unit in places:
        yield f"{_describe_nearest(judgement, spots, unit)}{least}"
    if not places:
        seen = "nothing" if judgement.speedup is None else finding.format_ratio(judgement.speedup, judgement.metric)
        yield f"only one input size was measured, {judgement.comparison.place}: there it is {seen}{least}"


def _describe_nearest(judgement: Judgement, spots: Sequence[Spot], unit: str) -> str:
    scales = sorted(spot.scale for spot in spots)
    best = max(spots, key=lambda spot: spot.speedup)
    ratio = finding.format_ratio(best.speedup, judgement.metric)
    return f"from {scales[0]:,} to {scales[-1]:,} {unit} the most is {ratio}, at {best.scale:,}"


def _find_least(judgement: Judgement) -> float | None:
    region = finding.find_claimed_region(judgement)
    return None if region is None or not math.isfinite(region[0]) else region[0]
