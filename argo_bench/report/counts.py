"""Tabulates exact counts: what each arm does to the output, what it saves by that, and when its cache pays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from argo_bench.harness.record.records import Caching, Counts, Judgement
from argo_bench.harness.record.store import Recorded
from argo_bench.report import finding
from argo_bench.report.simple import SIMPLE
from argo_bench.report.tables import Column, Row, Table

Written = Callable[[float], str]
OverSeeds = Callable[[Sequence[float], Written], str]


def format_count(value: float) -> str:
    """Write a count such as ``168,480``; of a fraction below 1,000 write three digits."""
    return f"{value:,.0f}" if value.is_integer() or abs(value) >= 1000 else f"{value:.3g}"


BENEFITS: Mapping[str, Written] = {
    "requests": format_count,
    "redundant_requests": format_count,
    "model_calls": format_count,
    "dollars": format_count,
    "frame_bytes": finding.format_bytes,
    "hit_rate": finding.format_level,
    "layer_hit_rate": finding.format_level,
    "queries": format_count,
    "explanations": format_count,
}
"""Optimizations are made for the sake of these counts; each is written by the function beside it."""
ASIDE = ("background_requests", "drained_s", "requests_per_row", "data_age_p50_s", "data_age_p99_s")
"""These say what runs beside the cycles, and how old the data of decisions are; background requests by provider too."""
COMMON = (*BENEFITS, *ASIDE, "input_tokens", "output_tokens", "hits", "misses", "queries_and_checks")
"""These are counted for every arm; all other counts are damage, but those of what was seen."""
SAW = "saw "
"""The names of counts of what the results showed, such as decisions and rows, begin with this."""
BACKGROUND = "background "
"""The names of counts of background requests to a provider begin with this."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Holds the counts of a workload at its headline scale, by arm and in the order of the arms."""

    optimization: str
    workload: str
    place: str
    arms: Mapping[str, Sequence[Counts]]

    def names(self) -> list[str]:
        """Return the names of everything that was counted."""
        return list(dict.fromkeys(name for counts in self.arms.values() for each in counts for name in each.counts))

    def values(self, arm: str, name: str) -> list[float]:
        """Return one value for each seed."""
        return [each.counts[name] for each in self.arms[arm] if name in each.counts]


def find_counted(recorded: Recorded) -> list[Counted]:
    """Return every counted workload, by optimization."""
    found: dict[tuple[str, str], list[Counts]] = {}
    for each in recorded.all(Counts):
        found.setdefault((each.optimization, each.workload), []).append(each)
    return [_at_the_headline_scale(counts) for _, counts in sorted(found.items())]


def _at_the_headline_scale(counts: Sequence[Counts]) -> Counted:
    first = counts[0]  # a seed is counted at the headline scale first
    arms: dict[str, list[Counts]] = {}
    for each in counts:
        if each.scale == first.scale:
            arms.setdefault(each.arm, []).append(each)
    return Counted(first.optimization, first.workload, f"{first.scale:,} {first.unit}", arms)


def tabulate_damage(recorded: Recorded, *, brief: bool = False) -> Table:
    """Tabulate what every arm does to the output, count by count, and beside it what it saves.

    ``brief`` leaves only workloads and arms that a verdict speaks of.
    """
    spoken_of = {(each.optimization, each.comparison.workload) for each in recorded.all(Judgement)}
    rows: list[Row] = []
    for each in find_counted(recorded):
        damages = [name for name in each.names() if name not in COMMON and not name.startswith((SAW, BACKGROUND))]
        if damages and (not brief or (each.optimization, each.workload) in spoken_of):
            place = f"{each.workload} at {each.place}"
            title = ": ".join(filter(None, (recorded.name_of(each.optimization), place)))
            rows.append(Row((each.optimization, title, ""), strong=True))
            arms = [arm for arm in each.arms if not brief or arm in _find_judged_arms(recorded, each.optimization)]
            over_seeds = _format_median if brief else _format_median_and_range
            rows += [
                Row(
                    (
                        arm,
                        _describe_damage(each, arm, damages, over_seeds),
                        "\n".join(_describe_benefit(each, arm, over_seeds)) or "-",
                    )
                )
                for arm in arms
            ]
    columns = (Column("version", 20), Column("harm to the output", None), Column("what it is for", 24))
    note = "Counted exactly on a recorded market: the median over the seeds, and the range where they differ."
    if brief:
        note = (
            "Counted exactly on a recorded market: the median over the seeds. The saved report has ranges, other "
            "versions and workloads."
        )
    return Table("Harm to the output, and what it is done for", note, columns, tuple(rows))


def _find_judged_arms(recorded: Recorded, optimization: str) -> set[str]:
    comparisons = [each.comparison for each in recorded.all(Judgement) if each.optimization == optimization]
    return {"baseline", SIMPLE}.union(*((each.reference, each.candidate) for each in comparisons))


def _describe_damage(counted: Counted, arm: str, names: Sequence[str], over_seeds: OverSeeds) -> str:
    """Write a line for each count, and one for all that are zero."""
    if errors := [each.error for each in counted.arms[arm] if each.error is not None]:
        return f"raised {errors[0]}"
    seen = {name: counted.values(arm, name) for name in names}
    some = [f"{name}: {over_seeds(values, format_count)}" for name, values in seen.items() if any(values)]
    none = [name for name, values in seen.items() if values and not any(values)]
    return "\n".join([*some, f"none: {', '.join(none)}"] if none else some)


def _describe_benefit(counted: Counted, arm: str, over_seeds: OverSeeds) -> Iterator[str]:
    for name, written in BENEFITS.items():
        matters = any(any(counted.values(each, name)) for each in counted.arms)
        if matters and (values := counted.values(arm, name)):
            yield f"{name.replace('_', ' ')}: {over_seeds(values, written)}"


def _format_median(values: Sequence[float], written: Written) -> str:
    return written(median(values))


def _format_median_and_range(values: Sequence[float], written: Written) -> str:
    low, high = written(min(values)), written(max(values))
    return low if low == high else f"{written(median(values))} ({low} to {high})"


def tabulate_caches(recorded: Recorded) -> Table:
    """Tabulate the share of calls that hit on each trace, and the hit rate from which on a cache pays."""
    rows = tuple(
        Row(
            (
                f"{each.optimization} {each.arm}\nat {each.scale:,} {each.unit}",
                "\n".join(f"{finding.format_level(rate)} on {where}" for where, rate in each.hit_rates.items()) or "-",
                describe_break_even(each.break_even),
            )
        )
        for each in recorded.all(Caching)
    )
    columns = (Column("version", 24), Column("hit rate", None), Column("pays from", 16))
    note = "How many calls found their result in the cache, and from which share on the cache saves time."
    return Table("When a cache pays", note, columns, rows)


def describe_break_even(break_even: float) -> str:
    """Say from which hit rate on a cache pays."""
    if break_even > 1:
        return "never: a hit costs more than computing"
    return "any hit rate" if break_even <= 0 else f"{finding.format_level(break_even)} hits"
