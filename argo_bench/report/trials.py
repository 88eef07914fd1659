"""Tabulates trials: what each arm did under each condition, and which arms change anything."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median

from argo_bench.harness.record.records import Observed, Tried
from argo_bench.harness.record.store import Recorded
from argo_bench.harness.statistics.estimate import RETIRED, Estimate, Rule, estimate
from argo_bench.report.tables import Column, Row, Table

ERROR = 0.05
"""All intervals of one value and arm have this error together: the probability that one or more miss the truth."""
PLAIN: Rule = RETIRED
"""A trial has few rounds, and conditions are not alike: nothing is cut off."""

Rounds = Mapping[tuple[str, str], Sequence[Observed]]
"""Observations are kept by condition and arm, in the order in which they were made."""

MANY = 4
"""A trial under this many conditions or more is a grid, of which a brief table shows only what the arms change."""


def tabulate_trials(recorded: Recorded, *, brief: bool = False) -> list[Table]:
    """Return a table for each trial that observed anything; briefly, a grid shows only what the arms change."""
    return [_tabulate(trial, rounds, brief=brief) for trial, rounds in _group_rounds(recorded) if rounds]


def _group_rounds(recorded: Recorded) -> Iterable[tuple[Tried, Rounds]]:
    """Return every trial with what it observed; if one was interrupted and begun again, only what came after that."""
    found: dict[tuple[str, str], tuple[Tried, dict[tuple[str, str], list[Observed]]]] = {}
    for each in recorded.records:
        if isinstance(each, Tried):
            found[each.optimization, each.trial] = each, {}
        elif isinstance(each, Observed):
            found[each.optimization, each.trial][1].setdefault((each.condition, each.arm), []).append(each)
    return found.values()


def _tabulate(trial: Tried, rounds: Rounds, *, brief: bool) -> Table:
    conditions = list(dict.fromkeys(condition for condition, _ in rounds))
    rows = []
    if len(conditions) < MANY or not (brief and trial.compared):
        for condition in conditions:
            rows.append(Row(("under", condition), strong=True))
            rows += [
                Row((arm, "\n".join(_list_values(trial, rounds, where, arm))))
                for where, arm in rounds
                if where == condition
            ]
    if trial.compared and len(conditions) > 1:
        rows.append(Row(("together", f"all {len(conditions)} conditions"), strong=True))
        rows += [Row((arm, said)) for arm, said in _find_changes(trial, rounds, conditions).items()]
    seen = f"measured, and its ratio to {trial.reference}" if trial.compared else "measured"
    most = max(map(len, rounds.values()))
    note = f"{trial.description}. Medians of {most} rounds." if most > 1 else f"{trial.description}."
    return Table(
        f"{trial.optimization} tried on real systems: {trial.trial}",
        note,
        (Column("version", 20), Column(seen, None)),
        tuple(rows),
    )


def _list_values(trial: Tried, rounds: Rounds, condition: str, arm: str) -> Iterator[str]:
    """Yield a line for each value: its median over the rounds and, where it is compared, its ratio to the reference's.

    The ratio has its interval at 95 %. Values that are zero share one line.
    """
    seen = rounds[condition, arm]
    zeros = []
    for name in dict.fromkeys(name for each in seen for name in each.values):
        values = [each.values[name] for each in seen if name in each.values]
        if any(values):
            ratio = _estimate_ratio(trial, rounds, condition, arm, name, ERROR) if name in trial.compared else None
            yield f"{name}: {_format_value(median(values))}" + (
                "" if ratio is None else f"   {_format_estimate(ratio)}"
            )
        else:
            zeros.append(name)
    if zeros:
        yield f"none: {', '.join(zeros)}"


def _format_value(value: float) -> str:
    return f"{value:,.0f}" if value.is_integer() or abs(value) >= 1000 else f"{value:.3g}"


def _estimate_ratio(trial: Tried, rounds: Rounds, condition: str, arm: str, name: str, error: float) -> Estimate | None:
    """Estimate ln(arm / reference), paired by round.

    Returns None for the reference itself and where there is nothing to compare.
    """
    if arm == trial.reference or (condition, trial.reference) not in rounds:
        return None
    pairs = zip(rounds[condition, trial.reference], rounds[condition, arm], strict=False)
    logs = [
        math.log(got.values[name] / reference.values[name])
        for reference, got in pairs
        if got.values.get(name, 0) > 0 and reference.values.get(name, 0) > 0
    ]
    return estimate(logs, 1 - error, PLAIN) if logs else None


def _format_estimate(found: Estimate) -> str:
    ratio = f"{math.exp(found.theta):.3g}x"
    if found.low is None or found.high is None:
        return ratio
    return f"{ratio} [{math.exp(found.low):.3g}, {math.exp(found.high):.3g}]"


def _find_changes(trial: Tried, rounds: Rounds, conditions: Sequence[str]) -> Mapping[str, str]:
    """Describe how each arm changes the compared values over the conditions; all intervals of a value hold together."""
    said: dict[str, str] = {}
    for arm in dict.fromkeys(arm for _, arm in rounds if arm != trial.reference):
        lines = []
        for name in trial.compared:
            found = {
                each: ratio
                for each in conditions
                if (each, arm) in rounds
                and (ratio := _estimate_ratio(trial, rounds, each, arm, name, ERROR / len(conditions))) is not None
            }
            if found:
                lines.append(f"{name}: {_summarize(found)}")
        if lines:
            said[arm] = "\n".join(lines)
    return said


def _summarize(found: Mapping[str, Estimate]) -> str:
    """Write the ratio to the reference's value on average over the conditions, with an interval of its own at 95 %.

    Behind it stand the numbers of conditions in which it is more or less, and how far off it may be in the others.
    """
    intervals = {where: each.speedup_interval or (0.0, math.inf) for where, each in found.items()}
    more = [1 / found[where].speedup for where, (_, high) in intervals.items() if high < 1]
    less = [1 / found[where].speedup for where, (low, _) in intervals.items() if low > 1]
    open_ones = [max(1 / low if low else math.inf, high) for low, high in intervals.values() if low <= 1 <= high]
    average = estimate([each.theta for each in found.values()], 1 - ERROR, PLAIN)
    parts = [f"{_format_estimate(average)} on average"]
    parts += [
        f"{word} in {len(ratios)} ({_format_range(ratios)})"
        for word, ratios in (("more", more), ("less", less))
        if ratios
    ]
    if open_ones:
        bound = f" (if any, below {max(open_ones):.3g}x)" if math.isfinite(max(open_ones)) else ""
        parts.append(f"no difference shown in {len(open_ones)}{bound}")
    return "; ".join(parts)


def _format_range(ratios: Sequence[float]) -> str:
    low, high = (f"{each:.3g}x" for each in (min(ratios), max(ratios)))
    return low if low == high else f"{low} to {high}"
