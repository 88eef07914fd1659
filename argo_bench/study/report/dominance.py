"""Says which arms are dominated, and where a simple rule saves more than the engineered arm at the same damage.

The axes of a table are what the arm is made for (a time or a count), what it does to the output, what it loses, and
its memory. An arm is dominated if another is no worse on all axes that both were measured on, and better on one.
Exact counts are compared under every seed under which both were taken. A time is no worse than another where the whole
interval lies below the other one, or within 1 % of it: intervals that overlap decide nothing. What an arm declares that
it may change is no damage.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from argo_bench.harness.claims.claim import EPSILON
from argo_bench.harness.claims.metrics import Clock
from argo_bench.harness.judging.outputs import DAMAGES, KEPT, describe_output
from argo_bench.harness.record.records import Comparison, Counts, Fidelity, Judgement, Memory, Observed, Result
from argo_bench.harness.record.store import Recorded
from argo_bench.optimizations import subjects
from argo_bench.report import finding
from argo_bench.report.counts import Counted, find_counted, format_count
from argo_bench.report.simple import SIMPLE
from argo_bench.report.tables import Column, Row, Table
from argo_bench.study.attribution import ONLY, WITHOUT

SIMPLE_RULES = (SIMPLE, "fixed ", "cachetools")
"""Arms whose names begin like these follow a rule that can be said in a sentence: one lifetime, a library's default."""
LOST = ("rows lost", "rows dropped")
"""Counts of these names say what an arm does not keep."""
MORE_IS_BETTER = ("hit_rate", "recall")
PARTS_OF_SETS = tuple(each.format("") for each in (ONLY, WITHOUT))
"""Arms whose names begin like these say what a member of a set contributes: nobody would choose one."""
BENEFIT, DAMAGE, ROWS = "benefit", "damage", "rows lost"
Span = tuple[float, float]
Axes = Mapping[str, Mapping[object, Span]]
"""What was seen of an arm on each axis, by seed or reading: the least and the most that it may be; less is better."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Holds what was seen of the arms of one workload.

    ``benefit`` is the metric that they are made for, ``damage`` the count of what they do to the output, which is empty
    where none is named; ``counted`` are the counts behind both.
    """

    optimization: str
    workload: str
    place: str
    benefit: str
    arms: Mapping[str, Axes]
    damage: str = ""
    counted: Counted | None = None

    @property
    def noun(self) -> str:
        return finding.noun_of(self.benefit)


@dataclass(frozen=True, slots=True)
class Dominated:
    """Says that an arm of a workload is dominated by another one, and on which axes that is better and the same."""

    compared: Compared
    arm: str
    by: str
    better: Sequence[str]
    same: Sequence[str]

    @property
    def sentence(self) -> str:
        """Return who is better, in what and by how much, and that nothing speaks against it."""
        said = [f"better in {' and '.join(map(self._name, self.better))}"]
        said += [f"no worse in {' and '.join(map(self._name, self.same))}"] * bool(self.same)
        return f"{self.by} beats it: {', '.join(said)}"

    def _name(self, axis: str) -> str:
        name = {BENEFIT: self.compared.noun, DAMAGE: self.compared.damage}.get(axis, axis)
        if axis not in self.better or axis not in (BENEFIT, DAMAGE):
            return name
        own, theirs = (self.compared.arms[arm][axis] for arm in (self.arm, self.by))
        keys = own.keys() & theirs.keys()
        if self.compared.counted is None:
            ratio = max(math.exp((sum(own[key]) - sum(theirs[key])) / 2) for key in keys)
            return f"{name} ({finding.format_factor(ratio)})"
        values = (abs(median(side[key][0] for key in keys)) for side in (theirs, own))
        return f"{name} ({' against '.join(map(format_count, values))})"


@dataclass(frozen=True, slots=True)
class Beaten:
    """Says what the simple rules save at the damage of the engineered arm, and what that saves, as shares."""

    compared: Compared
    rule: str
    saved_by_rule: float
    saved: float
    seeds: int
    of: int

    @property
    def sentence(self) -> str:
        some = f"{self.seeds} of " if self.seeds < self.of else ""
        saves = f"{self.rule} saves {_format_share(self.saved_by_rule)} of the {self.compared.noun}"
        under = f"under {some}{finding.format_number_of(self.of, 'seed')}"
        return f"{saves} and does no more harm; engineered saves {_format_share(self.saved)} ({under})"


def find_dominated(recorded: Recorded) -> list[Dominated]:
    """Return every dominated arm but the baseline, once for each workload, by the best arm that dominates it."""
    found: dict[tuple[str, str, str], Dominated] = {}
    for compared in list_compared(recorded):
        pairs = {
            arm: [each for other in compared.arms if (each := _dominate(compared, arm, other)) is not None]
            for arm in compared.arms
            if arm != "baseline"
        }
        for arm, ways in pairs.items():
            if ways:
                best = min(ways, key=lambda one: (bool(pairs.get(one.by)), -len(one.better), _rank(one.by)))
                found.setdefault((compared.optimization, compared.workload, arm), best)
    return list(found.values())


def _rank(arm: str) -> int:
    return 0 if arm.startswith(SIMPLE_RULES) else 1 if arm == "engineered" else 2


def _dominate(compared: Compared, arm: str, other: str) -> Dominated | None:
    """Return that another arm dominates one, or None where it does not or too little is known."""
    own, theirs = compared.arms[arm], compared.arms[other]
    shared = [axis for axis in own if own[axis].keys() & theirs.get(axis, {}).keys()]
    if arm == other or BENEFIT not in shared:
        return None
    margins = {BENEFIT: EPSILON if compared.counted is None else 0.0, "memory": EPSILON}
    if not all(_is_no_worse(theirs[axis], own[axis], margins.get(axis, 0.0)) for axis in shared):
        return None
    better = [axis for axis in shared if _is_better(theirs[axis], own[axis], margins.get(axis, 0.0))]
    return Dominated(compared, arm, other, better, [each for each in shared if each not in better]) if better else None


def _is_no_worse(first: Mapping[object, Span], second: Mapping[object, Span], margin: float) -> bool:
    """Say whether an arm is surely no worse by more than a margin: so by one reference or more, and worse by none."""
    shared = first.keys() & second.keys()
    sure = any(first[key][1] <= second[key][0] + margin for key in shared)
    return sure and all(first[key][0] <= second[key][1] + margin for key in shared)


def _is_better(first: Mapping[object, Span], second: Mapping[object, Span], margin: float) -> bool:
    return any(first[key][1] < second[key][0] - margin for key in first.keys() & second.keys())


def list_compared(recorded: Recorded) -> Iterator[Compared]:
    """Yield the counted workloads that name what is traded for what, and then the timed ones."""
    for counted in find_counted(recorded):
        if (traded := find_traded(counted)) is not None:
            damage, benefit = traded
            arms = {arm: _make_axes(recorded, counted, arm, damage, benefit) for arm in counted.arms}
            known = {arm: axes for arm, axes in arms.items() if axes[BENEFIT]}
            place = f"{counted.workload} at {counted.place}"
            yield Compared(counted.optimization, counted.workload, place, benefit, known, damage, counted)
    yield from _list_timed(recorded)


def find_traded(counted: Counted) -> tuple[str, str] | None:
    """Return the names of the damage and of the benefit that a counted workload trades for each other, if it does.

    Where a record has not counted the damage, it is the one that earlier records have.
    """
    known = subjects().get(counted.optimization)
    for workload in () if known is None else known.workloads:
        if workload.name == counted.workload and workload.frontier is not None:
            damage, benefit = workload.frontier
            is_earlier = workload.earlier_damage and damage not in counted.names()
            return (workload.earlier_damage if is_earlier else damage), benefit
    return None


def _make_axes(recorded: Recorded, counted: Counted, arm: str, damage: str, benefit: str) -> Axes:
    lines = counted.arms[arm]
    axes = {
        BENEFIT: _by_seed(lines, benefit),
        DAMAGE: _by_seed(lines, damage),
    }
    if ROWS not in (found := _make_common_axes(recorded, counted.optimization, counted.workload, arm)):
        dropped = next(filter(None, (_by_seed(lines, name) for name in LOST if name not in (damage, benefit))), {})
        axes |= {ROWS: dropped} if dropped else {}
    return axes | found


def _by_seed(lines: Sequence[Counts], name: str) -> Mapping[object, Span]:
    sign = -1.0 if name in MORE_IS_BETTER else 1.0
    return {each.seed: (sign * each.counts[name],) * 2 for each in lines if name in each.counts}


def _list_timed(recorded: Recorded) -> Iterator[Compared]:
    """Yield the workloads that were timed at their headline scale; times against the same reference are compared."""
    first: dict[tuple[str, str], int] = {
        (each.id, workload.name): workload.scales[0] for each in recorded.declarations for workload in each.workloads
    }
    groups: dict[tuple[str, str], list[Result]] = {}
    for each in recorded.all(Result):
        at = each.comparison
        if first.get((at.optimization, at.workload)) == at.scale:
            groups.setdefault((at.optimization, at.workload), []).append(each)
    waiting = {
        (each.optimization, each.comparison.workload) for each in recorded.all(Judgement) if each.metric == "wall"
    }
    for (optimization, workload), results in groups.items():
        clock: Clock = "wall" if (optimization, workload) in waiting else "cpu"
        times: dict[str, dict[object, Span]] = {}
        for each in results:
            interval, at = each.on(clock), each.comparison
            if interval.low is not None and interval.high is not None:
                times.setdefault(at.reference, {})[at.reference] = (0.0, 0.0)
                times.setdefault(at.candidate, {})[at.reference] = (interval.low, interval.high)
        arms = {
            arm: {BENEFIT: time} | _make_common_axes(recorded, optimization, workload, arm)
            for arm, time in times.items()
            if not arm.startswith(PARTS_OF_SETS)
        }
        yield Compared(optimization, workload, f"{workload} at {results[0].comparison.place}", clock, arms)


def _make_common_axes(
    recorded: Recorded, optimization: str, workload: str, arm: str
) -> dict[str, Mapping[object, Span]]:
    """Return what is known of an arm wherever it is compared: outputs, lost rows and memory."""
    axes: dict[str, Mapping[object, Span]] = {}
    lines = [each for each in recorded.all(Fidelity) if each.optimization == optimization and each.arm == arm]
    if arm == "baseline":
        axes |= {"output": {"": (0.0, 0.0)}, "signals": {"": (0.0, 0.0)}}
    elif (said := describe_output(lines, optimization, arm)).word != "not checked":
        differs = float(said.word not in KEPT)
        axes["output"] = {"": (differs, differs)}
        if any(each.scope == "markets" for each in lines):
            lost = math.fsum(said.damage.get(name, 0.0) for name in (*DAMAGES, "lost"))
            axes["signals"] = {"": (lost, lost)}
    lost_rows = [
        each.values[name]
        for each in recorded.all(Observed)
        for name in LOST
        if each.optimization == optimization and each.arm == arm and name in each.values
    ]
    if lost_rows:
        axes[ROWS] = {"": (min(lost_rows), max(lost_rows))}
    peaks: dict[object, Span] = {
        reading.hash_seed: (math.log(max(1, reading.peak_bytes)),) * 2
        for each in recorded.all(Memory)
        for reading in each.readings
        if (each.optimization, each.workload, each.arm) == (optimization, workload, arm)
        and reading.method == "traced"
        and reading.peak_bytes is not None
    }
    if peaks:
        axes["memory"] = peaks
    return axes


def find_beaten(recorded: Recorded) -> list[Beaten]:
    """Return where the simple rules save more at the engineered arm's damage than that does."""
    return [found for compared in list_compared(recorded) if (found := _compare_with_hull(compared)) is not None]


def _compare_with_hull(compared: Compared) -> Beaten | None:
    """Compare with the convex hull of the simple rules and of no rule at all, under each seed."""
    counted = compared.counted
    if counted is None or "engineered" not in compared.arms or "baseline" not in compared.arms:
        return None
    rules = [arm for arm in compared.arms if arm.startswith(SIMPLE_RULES)]
    if not rules:
        return None
    own, best = [], []
    for seed in compared.arms["engineered"][BENEFIT]:
        points = [_find_point(compared, arm, seed) for arm in ("engineered", "baseline", *rules)]
        known = [each for each in points if each is not None]
        if len(known) == len(points):  # a seed under which some rule was not counted says nothing of the hull
            (at, saved), *simple = known
            own.append(saved)
            best.append(saved_on_hull(simple, at))
    seeds = sum(most > saved for saved, most in zip(own, best, strict=True))
    if not seeds:
        return None
    rule, saved_by_rule = _name_rule(compared, rules, median(own), median(best))
    return Beaten(compared, rule, saved_by_rule, median(own), seeds, len(own))


def _find_point(compared: Compared, arm: str, seed: object) -> tuple[float, float] | None:
    """Return the damage of an arm under a seed, and the share that it saves of what the baseline has."""
    axes, base = compared.arms[arm], compared.arms["baseline"]
    if any(seed not in each for each in (axes[BENEFIT], axes[DAMAGE], base[BENEFIT])):
        return None
    whole, left = base[BENEFIT][seed][0], axes[BENEFIT][seed][0]
    if compared.benefit in MORE_IS_BETTER:
        return axes[DAMAGE][seed][0], whole - left
    return (axes[DAMAGE][seed][0], 1 - left / whole) if whole else None


def saved_on_hull(points: Sequence[tuple[float, float]], at: float) -> float:
    """Return the most that a mix of rules saves with a damage of ``at`` or less; each point is a damage and a saving.

    Returns minus infinity where every rule does more damage than that.
    """
    hull: list[tuple[float, float]] = []
    for point in sorted(points):
        if hull and point[1] <= hull[-1][1]:
            continue  # more damage for no more saving
        while hull and hull[-1][0] == point[0]:
            hull.pop()
        while len(hull) > 1 and _is_below(hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    if not hull or at < hull[0][0]:
        return -math.inf
    for (left, low), (right, high) in pairwise(hull):
        if left <= at <= right:
            return low + (high - low) * (at - left) / (right - left)
    return hull[-1][1]


def _is_below(first: tuple[float, float], middle: tuple[float, float], last: tuple[float, float]) -> bool:
    """Say whether the middle point lies on or below the line through the two others."""
    return (middle[1] - first[1]) * (last[0] - first[0]) <= (last[1] - first[1]) * (middle[0] - first[0])


def _name_rule(compared: Compared, rules: Sequence[str], saved: float, of_hull: float) -> tuple[str, float]:
    """Name the one rule that by itself saves more with no more damage, and what it saves; else a mix of rules."""
    typical = {arm: _find_typical_point(compared, arm) for arm in ("engineered", *rules)}
    most = typical["engineered"][0]
    alone = {arm: typical[arm][1] for arm in rules if typical[arm][0] <= most and typical[arm][1] > saved}
    if alone:
        best = max(alone, key=lambda arm: alone[arm])
        return describe_rule(best), alone[best]
    return "a mix of simple rules", of_hull


def _find_typical_point(compared: Compared, arm: str) -> tuple[float, float]:
    points = [point for seed in compared.arms[arm][BENEFIT] if (point := _find_point(compared, arm, seed)) is not None]
    return (median(x for x, _ in points), median(y for _, y in points)) if points else (math.inf, -math.inf)


def describe_rule(arm: str) -> str:
    """Describe a simple rule in words: ``fixed 60 s`` is a fixed TTL of 60 s."""
    if arm.startswith("fixed "):
        return f"a fixed TTL of {arm.removeprefix('fixed ')}"
    return "the simple way" if arm == SIMPLE else f"{arm} as it comes"


def _format_share(share: float) -> str:
    return f"{100 * share:.3g} %"


def note_beside(recorded: Recorded) -> Mapping[tuple[str, str], Sequence[str]]:
    """Return the sentences that stand beside a verdict, by claim and arm: by what it is dominated or beaten."""
    said: dict[tuple[str, str, str], list[str]] = {}
    for beaten in find_beaten(recorded):
        of = beaten.compared
        said.setdefault((of.optimization, of.workload, "engineered"), []).append(beaten.sentence)
    for each in find_dominated(recorded):
        of = each.compared
        said.setdefault((of.optimization, of.workload, each.arm), []).append(each.sentence)
    found: dict[tuple[str, str], Sequence[str]] = {}
    for judgement in recorded.all(Judgement):
        at: Comparison = judgement.comparison
        if sentences := said.get((at.optimization, at.workload, judgement.arm)):
            found[judgement.claim, judgement.arm] = list(dict.fromkeys(sentences))
    return found


def tabulate_dominated(recorded: Recorded) -> Table:
    """Tabulate the dominated arms, and where the simple rules save more at the engineered arm's damage."""
    rows = [
        Row((f"{each.compared.optimization} {each.arm}", each.compared.place, each.sentence))
        for each in find_dominated(recorded)
    ]
    rows += [
        Row((f"{each.compared.optimization} engineered", each.compared.place, each.sentence), strong=True)
        for each in find_beaten(recorded)
    ]
    note = (
        "Another version is better in one thing and worse in none, of all that was measured of both: what it is for, "
        "what it does to the output, what it loses, its memory. Counts must say so under every seed, and intervals "
        "must lie apart."
    )
    columns = (Column("version", 20), Column("on", 24), Column("what beats it", None))
    return Table("Versions that another one beats", note, columns, tuple(rows))
