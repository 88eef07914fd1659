"""Draws where the speed of all optimizations together comes from, each of them a switch that is on or off.

There are two panels: a waterfall in the log of time, and what each switch is worth alone and as the last one.

A switch's share is the mean of what it saves alone and of what its absence costs, which is its Shapley value (1953)
where no more than two interact. What the shares do not add up to is shown as such.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from argo_bench.harness.judging.results import log_ratios
from argo_bench.harness.record.records import Samples, rule_of
from argo_bench.harness.record.store import Recorded
from argo_bench.harness.statistics.estimate import Estimate, Rule, estimate
from argo_bench.optimizations import catalogue
from argo_bench.report.chart import (
    Canvas,
    Chart,
    Colours,
    draw_legend,
    get_hue,
    quieten,
    set_ratio_axis,
    stack_panels,
    title_panel,
)
from argo_bench.report.tables import Column, Row, Table
from argo_bench.study.attribution import NAME, ONLY, WITHOUT

LEVEL = 0.95
ROW = 0.17
"""A switch takes this height, in inches."""
REST = "interactions of several"


@dataclass(frozen=True, slots=True)
class Share:
    """Holds ln of the factor by which a switch makes the whole faster: alone, as the last one, and their mean."""

    id: str
    alone: Estimate
    last: Estimate
    share: Estimate

    @property
    def interaction(self) -> float:
        """Return how much more the switch is worth beside the others than alone, as a difference of ln."""
        return self.last.theta - self.alone.theta


@dataclass(frozen=True, slots=True)
class Shares:
    """Holds the shares of all switches, the largest first, and the effect of all of them together."""

    parts: Sequence[Share]
    whole: Estimate


def find_shares(recorded: Recorded) -> Shares | None:
    """Return what each switch contributes; None where the configurations were not measured."""
    values: dict[str, dict[int, float]] = {}
    for each in recorded.all(Samples):
        if each.comparison.optimization == NAME:
            [ratio] = log_ratios([each], "cpu")
            values.setdefault(each.comparison.candidate, {})[each.replicate] = -ratio
    ids = [arm.removeprefix(ONLY.format("")) for arm in values if arm.startswith(ONLY.format(""))]
    whole = values.get("engineered", {})
    rule = rule_of(recorded.run)
    found = [share for each in ids if (share := _make_share(each, values, whole, rule)) is not None]
    if not found:
        return None
    parts = sorted(found, key=lambda each: -each.share.theta)
    return Shares(parts, estimate(list(whole.values()), LEVEL, rule))


def _make_share(
    identifier: str, values: Mapping[str, Mapping[int, float]], whole: Mapping[int, float], rule: Rule
) -> Share | None:
    """Estimate a share from differences within replicates, where all configurations had the same reference."""
    only = values[ONLY.format(identifier)]
    without = values.get(WITHOUT.format(identifier), {})
    both = sorted(only.keys() & without.keys() & whole.keys())
    if not both:
        return None
    alone = [only[each] for each in both]
    last = [whole[each] - without[each] for each in both]
    means = [(first + second) / 2 for first, second in zip(alone, last, strict=True)]
    return Share(identifier, *(estimate(each, LEVEL, rule) for each in (alone, last, means)))


def draw(shares: Shares, canvas: Canvas) -> Figure:
    """Draw the waterfall over what each switch is worth alone and as the last one."""
    colours, parts, whole = canvas.colours, shares.parts, shares.whole
    figure, (falls, worth) = stack_panels([ROW * (len(parts) + 2), ROW * len(parts)], colours, 1)
    _draw_waterfall(falls, parts, whole, colours)
    _draw_worth(worth, parts, colours)
    draw_legend(figure, (_make_legend_entry(name, colour, colours) for name, colour in MARKS.items()), colours, 2)
    return figure


MARKS = {"alone": "sky blue", "as the last one": "vermillion"}


def _make_legend_entry(name: str, colour: str, colours: Colours) -> tuple[Line2D, str]:
    return Line2D([], [], marker="o", linestyle="", color=get_hue(colour, colours)), name


def _draw_waterfall(axes: Axes, parts: Sequence[Share], whole: Estimate, colours: Colours) -> None:
    steps = [(each.id, each.share.theta) for each in parts]
    steps.append((REST, whole.theta - math.fsum(step for _, step in steps)))
    at = 0.0
    reached = [1.0]
    for row, (_, step) in enumerate(steps):
        colour = get_hue("bluish green" if step >= 0 else "vermillion", colours)
        axes.plot([math.exp(at), math.exp(at + step)], [row, row], color=colour, linewidth=6, solid_capstyle="butt")
        axes.plot([math.exp(at + step)] * 2, [row, row + 1], color=colours.muted, linewidth=0.8)
        at += step
        reached.append(math.exp(at))
    axes.plot([math.exp(whole.theta)], [len(steps)], "o", color=colours.ink, markersize=5)
    axes.set_yticks(range(len(steps) + 1), [*(name for name, _ in steps[:-1]), "rest", "all"])
    axes.set_ylim(len(steps) + 0.6, -0.6)
    set_ratio_axis(axes, "x", (min(reached) / 1.15, max(reached) * 1.15), 5)
    quieten(axes, colours)
    title_panel(axes, "Where the speed comes from", "times as fast as without any, switch by switch", colours)


def _draw_worth(axes: Axes, parts: Sequence[Share], colours: Colours) -> None:
    ends: list[float] = [1.0]
    for row, each in enumerate(parts):
        for found, name in ((each.alone, "alone"), (each.last, "as the last one")):
            colour = get_hue(MARKS[name], colours)
            place = row - 0.14 if name == "alone" else row + 0.14
            low, high = (found.theta if end is None else end for end in (found.low, found.high))
            axes.plot([math.exp(low), math.exp(high)], [place, place], color=colour, linewidth=1.6)
            axes.plot([math.exp(found.theta)], [place], "o", color=colour, markersize=3.5)
            ends += [math.exp(low), math.exp(high)]
    axes.axvline(1, color=colours.baseline, linewidth=0.9)
    axes.set_yticks(range(len(parts)), [each.id for each in parts])
    axes.set_ylim(len(parts) - 0.4, -0.6)
    set_ratio_axis(axes, "x", (min(ends) / 1.1, max(ends) * 1.1), 5)
    quieten(axes, colours)
    title_panel(axes, "What each is worth", "apart: it is worth more or less beside the others", colours)


def _format_factor(found: Estimate) -> str:
    if found.low is None or found.high is None:
        return f"{math.exp(found.theta):.3g}x"
    return f"{math.exp(found.theta):.3g}x [{math.exp(found.low):.3g}, {math.exp(found.high):.3g}]"


def tabulate(shares: Shares) -> Table:
    """Return a row for every switch: its share, and what it is worth alone and as the last one."""
    parts, whole = shares.parts, shares.whole
    columns = (
        *(Column("id", 4), Column("optimization", 30), Column("share", 22), Column("alone", 22)),
        *(Column("as the last one", 22), Column("beside the others", None)),
    )
    rows = [
        Row(
            (
                each.id,
                catalogue()[each.id].name,
                _format_factor(each.share),
                _format_factor(each.alone),
                _format_factor(each.last),
                _describe_interaction(each),
            ),
        )
        for each in parts
    ]
    rest = whole.theta - math.fsum(each.share.theta for each in parts)
    rows.append(Row(("", REST, f"{math.exp(rest):.3g}x", "", "", ""), strong=True))
    rows.append(Row(("", "all together", _format_factor(whole), "", "", ""), strong=True))
    note = "A share is the mean of the gain alone and of what its absence costs, in the log of the CPU time of a cycle."
    return Table("What each switch contributes", note, columns, tuple(rows))


def _describe_interaction(share: Share) -> str:
    if abs(share.interaction) < math.log(1.02):
        return "worth the same"
    return f"worth {math.exp(abs(share.interaction)):.2f}x {'more' if share.interaction > 0 else 'less'}"


def describe(shares: Shares) -> str:
    """Say how large the whole is, and the largest shares."""
    parts, whole = shares.parts, shares.whole
    largest = "; ".join(f"{each.id} {_format_factor(each.share)}" for each in parts[:5])
    return f"A waterfall of what each optimization contributes to {_format_factor(whole)} of all together: {largest}."


SHARES = Chart(find_shares, draw, describe, tabulate)
"""It shows what each optimization contributes to all of them together."""
