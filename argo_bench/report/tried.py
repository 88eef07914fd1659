"""The tables of trials: what each arm did under each condition, and which arms change anything."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from argo_bench.harness.results import Observed, Recorded, Tried
from argo_bench.harness.stats import Estimate, estimate
from argo_bench.report.tables import Column, Row, Table

ERROR = 0.05
"""Over all the intervals of one value and arm together."""

Rounds = Mapping[tuple[str, str], Sequence[Observed]]
"""The observations by condition and arm, in the order in which they were made."""


def tried(recorded: Recorded, *, brief: bool = False) -> list[Table]:
    """A table for each trial that saw anything; ``brief``: of grids only what the arms change."""
    return [_table(each, rounds, brief=brief) for each in recorded.all(Tried) if (rounds := _rounds(recorded, each))]


def _rounds(recorded: Recorded, trial: Tried) -> Rounds:
    found: dict[tuple[str, str], list[Observed]] = {}
    for each in recorded.all(Observed):
        if (each.optimization, each.trial) == (trial.optimization, trial.trial):
            found.setdefault((each.condition, each.arm), []).append(each)
    return found


MANY = 4
"""Conditions from which on a trial is a grid."""


def _table(trial: Tried, rounds: Rounds, *, brief: bool) -> Table:
    conditions = list(dict.fromkeys(condition for condition, _ in rounds))
    rows = []
    if len(conditions) < MANY or not brief:
        for condition in conditions:
            rows.append(Row((condition, "", ""), strong=True))
            for (where, arm), seen in rounds.items():
                if where == condition:
                    rows.append(Row((arm, "\n".join(_values(seen)), "\n".join(_ratios(trial, rounds, where, arm)))))
    if trial.compared and len(conditions) > 1:
        rows.append(Row((f"over all {len(conditions)} conditions", "", ""), strong=True))
        rows += [Row((arm, said, "")) for arm, said in _changes(trial, rounds, conditions).items()]
    against = f"against {trial.reference}" if trial.compared else ""
    columns = (Column("arm", 20), Column("seen", None), Column(against, 26))
    return Table(f"{trial.optimization} tried: {trial.trial}", trial.description, columns, tuple(rows))


def _values(seen: Sequence[Observed]) -> Iterator[str]:
    """The median over the rounds of each value; zeros together in one line."""
    zeros = []
    for name in dict.fromkeys(name for each in seen for name in each.values):
        values = [each.values[name] for each in seen if name in each.values]
        if any(values):
            yield f"{name}: {_written(median(values))}"
        else:
            zeros.append(name)
    if zeros:
        yield f"0: {', '.join(zeros)}"


def _written(value: float) -> str:
    return f"{value:,.0f}" if value.is_integer() or abs(value) >= 1000 else f"{value:.3g}"


def _ratios(trial: Tried, rounds: Rounds, condition: str, arm: str) -> Iterator[str]:
    """Of each compared value the ratio to the reference's, with its interval at 95 %."""
    for name in trial.compared:
        if (found := _ratio(trial, rounds, condition, arm, name, ERROR)) is not None:
            yield f"{name}: {_in_words(found)}"


def _ratio(trial: Tried, rounds: Rounds, condition: str, arm: str, name: str, error: float) -> Estimate | None:
    """ln(arm / reference), paired by round; None for the reference itself and where there is nothing to compare."""
    if arm == trial.reference or (condition, trial.reference) not in rounds:
        return None
    pairs = zip(rounds[condition, trial.reference], rounds[condition, arm], strict=False)
    logs = [
        math.log(got.values[name] / reference.values[name])
        for reference, got in pairs
        if got.values.get(name, 0) > 0 and reference.values.get(name, 0) > 0
    ]
    return estimate(logs, 1 - error) if logs else None


def _in_words(found: Estimate) -> str:
    ratio = f"{math.exp(found.theta):.3g}x"
    if found.low is None or found.high is None:
        return ratio
    return f"{ratio} [{math.exp(found.low):.3g}, {math.exp(found.high):.3g}]"


def _changes(trial: Tried, rounds: Rounds, conditions: Sequence[str]) -> Mapping[str, str]:
    """Whether an arm changes the compared values anywhere; the intervals of a value hold together."""
    said: dict[str, str] = {}
    for arm in dict.fromkeys(arm for _, arm in rounds if arm != trial.reference):
        lines = []
        for name in trial.compared:
            found = {
                each: ratio
                for each in conditions
                if (each, arm) in rounds
                and (ratio := _ratio(trial, rounds, each, arm, name, ERROR / len(conditions))) is not None
            }
            lines.append(f"{name}: {_summary(found)}")
        said[arm] = "\n".join(lines)
    return said


def _summary(found: Mapping[str, Estimate]) -> str:
    """In how many conditions the value is more or less than the reference's, and how far off it may be elsewhere."""
    intervals = {where: each.speedup_interval or (0.0, math.inf) for where, each in found.items()}
    more = [1 / found[where].speedup for where, (_, high) in intervals.items() if high < 1]
    less = [1 / found[where].speedup for where, (low, _) in intervals.items() if low > 1]
    open_ones = [max(1 / low if low else math.inf, high) for low, high in intervals.values() if low <= 1 <= high]
    parts = [
        f"{word} in {len(ratios)} ({min(ratios):.3g}x to {max(ratios):.3g}x)"
        for word, ratios in (("more", more), ("less", less))
        if ratios
    ]
    if open_ones:
        parts.append(f"no difference shown in {len(open_ones)} (if any, below {max(open_ones):.3g}x)")
    return "; ".join(parts)
