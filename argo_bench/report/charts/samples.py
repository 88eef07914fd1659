"""Draws the raw samples behind the headline verdicts: how each arm's times are spread, and every block's ratio.

All timed headline claims are drawn; where there is none, the further readings are. Blocks with a recorded cause from
outside are hollow, because they do not count; no sample is left out for its value.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import median

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from argo_bench.harness.claims.metrics import CLOCKS
from argo_bench.harness.record.records import Block, Comparison, Judgement, Samples
from argo_bench.harness.record.store import Recorded
from argo_bench.harness.statistics.estimate import block_difference, compute_trimmed_mean
from argo_bench.harness.statistics.quality import valid_blocks
from argo_bench.report import finding
from argo_bench.report.chart import (
    Canvas,
    Chart,
    Colours,
    draw_legend,
    get_hue,
    quieten,
    set_duration_axis,
    set_ratio_axis,
    stack_panels,
    title_panel,
)
from argo_bench.report.charts.arms import Style, assign_styles, make_legend_entry
from argo_bench.report.tables import Column, Row, Table

SPREAD, RAN = 1.5, 1.15
"""The two kinds of panel are this high, in inches."""
MOST_PANELS = 8


@dataclass(frozen=True, slots=True)
class Arm:
    """Holds the times per call of an arm in nanoseconds, a list for each process that was timed."""

    name: str
    processes: Sequence[Sequence[float]]

    @property
    def times(self) -> list[float]:
        return sorted(time for process in self.processes for time in process)


@dataclass(frozen=True, slots=True)
class Spread:
    """Holds a panel of times: the judgements that rest on them, and the arms, references first."""

    judgements: Sequence[Judgement]
    arms: Sequence[Arm]


def find_judged_by_time(recorded: Recorded) -> list[Judgement]:
    """Return the timed judgements, one for each comparison and clock: the headline ones, or all where there is none."""
    timed = [each for each in recorded.all(Judgement) if each.metric in CLOCKS and each.speedup is not None]
    chosen = [each for each in timed if each.headline] or timed
    sampled = {each.comparison for each in recorded.all(Samples)}
    found = {(each.comparison, each.metric): each for each in reversed(chosen) if each.comparison in sampled}
    return list(found.values())[::-1]


def _group_samples(recorded: Recorded) -> Mapping[Comparison, list[Samples]]:
    found: dict[Comparison, list[Samples]] = {}
    for each in recorded.all(Samples):
        found.setdefault(each.comparison, []).append(each)
    return {comparison: sorted(those, key=lambda each: each.replicate) for comparison, those in found.items()}


def _list_times(samples: Samples, arm: str, clock: str) -> list[float]:
    """Return the nanoseconds per call of one arm in one replicate; in the order of a block A is the reference."""
    letter, calls = ("A", samples.reference_calls) if arm == "reference" else ("B", samples.candidate_calls)
    return [
        time / calls
        for block in valid_blocks(samples)
        for time, slot in zip(getattr(block, clock), block.order, strict=True)
        if slot == letter
    ]


def _name_clock(judgement: Judgement) -> str:
    return "wall_ns" if judgement.metric == "wall" else "cpu_ns"


def find_spreads(recorded: Recorded) -> list[Spread]:
    """Return a panel for every timed workload, at most MOST_PANELS of them."""
    return list(islice(_find_spreads(recorded), MOST_PANELS))


def _find_spreads(recorded: Recorded) -> Iterator[Spread]:
    samples = _group_samples(recorded)
    claims: dict[tuple[str, str, int, str], list[Judgement]] = {}
    for each in find_judged_by_time(recorded):
        at = each.comparison
        claims.setdefault((at.workload, each.metric, at.scale, at.unit), []).append(each)
    for of in claims.values():
        references: dict[str, list[Sequence[float]]] = {}
        arms: dict[str, Arm] = {}
        for each in of:
            taken = samples[each.comparison]
            clock = _name_clock(each)
            shown = references.setdefault(each.comparison.reference, [])
            for one in taken:  # candidates that were timed together share the reference's samples
                if (times := _list_times(one, "reference", clock)) not in shown:
                    shown.append(times)
            arms.setdefault(each.arm, Arm(each.arm, [_list_times(one, "candidate", clock) for one in taken]))
        yield Spread(of, [*(Arm(name, processes) for name, processes in references.items()), *arms.values()])


def describe_spreads(panels: Sequence[Spread]) -> str:
    claims = finding.list_some(each.claim for panel in panels for each in panel.judgements)
    return f"Cumulative share of samples over the time per call on a log axis, a line for each arm of {claims}."


def _name_claims(judgements: Sequence[Judgement]) -> str:
    return ", ".join(dict.fromkeys(each.claim for each in judgements))


def tabulate_quantiles(panels: Sequence[Spread]) -> Table:
    shares = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
    rows = []
    for panel in panels:
        at = panel.judgements[0].comparison
        rows.append(
            Row((_name_claims(panel.judgements), f"{at.workload}, {at.place}", *[""] * len(shares)), strong=True)
        )
        for arm in panel.arms:
            times = arm.times
            counted = f"{len(times)} of {finding.format_number_of(len(arm.processes), 'replicate')}"
            quantiles = np.quantile(times, shares).tolist()
            rows.append(Row((arm.name, counted, *map(finding.format_duration, quantiles))))
    names = ("least", "10 %", "25 %", "median", "75 %", "90 %", "most")
    columns = (Column("arm", None), Column("samples", None), *(Column(name, 10) for name in names))
    note = "Time per call of every sample that counts; run.jsonl has each of them, in its order."
    return Table("Samples", note, columns, tuple(rows))


def draw_spreads(panels: Sequence[Spread], canvas: Canvas) -> Figure:
    colours = canvas.colours
    styles = assign_styles(arm.name for panel in panels for arm in panel.arms)
    rows = math.ceil((len(styles) + 1) / 2)
    figure, drawn = stack_panels([SPREAD] * len(panels), colours, rows)
    for axes, panel in zip(drawn, panels, strict=True):
        _draw_spread(axes, panel, styles, colours)
    entries: list[tuple[Patch | Line2D, str]] = [
        make_legend_entry(name, style, colours) for name, style in styles.items()
    ]
    entries.append((Line2D([], [], color=colours.muted, linewidth=0.7), "a process each"))
    draw_legend(figure, entries, colours, 2)
    return figure


def _draw_spread(axes: Axes, panel: Spread, styles: Mapping[str, Style], colours: Colours) -> None:
    ends = [end for arm in panel.arms for end in (arm.times[0], arm.times[-1])]
    margin = max((max(ends) / min(ends)) ** 0.06, 1.01)
    set_duration_axis(axes, "x", (min(ends) / margin, max(ends) * margin), 4)
    axes.set(ylim=(0, 1.04), yticks=(0, 0.5, 1), yticklabels=("0", "50 %", "100 %"))
    quieten(axes, colours)
    axes.minorticks_off()
    axes.grid(color=colours.rule, linewidth=0.8)
    for position, arm in enumerate(panel.arms, 1):
        style = styles[arm.name]
        colour = get_hue(style.hue, colours)
        for times, width, line in (*((each, 0.7, "-") for each in arm.processes), (arm.times, 1.8, style.line)):
            _draw_steps(axes, sorted(times), colour, width=width, line=line)
        share = position / (len(panel.arms) + 1)  # at a height of its own, so that no mark is under another
        at = float(np.quantile(arm.times, share))
        axes.plot([at], [share], color=colour, marker=style.marker, markersize=6, linestyle="", zorder=4)
        is_left = math.log(at / min(ends)) < math.log(max(ends) / min(ends)) / 2
        axes.annotate(
            finding.format_duration(median(arm.times)), (at, share), xytext=(8 if is_left else -8, 0),
            textcoords="offset points", ha="left" if is_left else "right", va="center", fontsize=8.5, color=colour,
            bbox={"facecolor": colours.background, "edgecolor": "none", "pad": 0.5}, zorder=3,
        )  # fmt: skip
    first = panel.judgements[0]
    title_panel(axes, f"{_name_claims(panel.judgements)}: samples", _name_place(first.comparison), colours)
    axes.set_xlabel(
        f"{finding.noun_of(first.metric)} per call, log scale; numbers are medians", color=colours.muted, fontsize=8.5
    )


def _name_place(comparison: Comparison) -> str:
    return f"{comparison.workload}, {comparison.place}"


def _draw_steps(axes: Axes, times: Sequence[float], colour: str, *, width: float, line: str) -> None:
    """Draw a cumulative distribution, from no share at the least time to all at the greatest; ``times`` are sorted."""
    if times:
        axes.plot(
            [times[0], *times], np.arange(len(times) + 1) / len(times), drawstyle="steps-post", color=colour,
            linewidth=width, linestyle=line, alpha=1 if width > 1 else 0.4,
        )  # fmt: skip


def find_ratios(recorded: Recorded) -> list[tuple[Judgement, list[Samples]]]:
    """Return the timed judgements, at most MOST_PANELS, each with its samples in the order of measuring."""
    samples = _group_samples(recorded)
    return [(each, samples[each.comparison]) for each in find_judged_by_time(recorded)][:MOST_PANELS]


def _compute_ratio(samples: Samples, block: Block, clock: str) -> float:
    """Return the ratio reference / candidate of the times per call in one block."""
    per_call = math.log(samples.candidate_calls / samples.reference_calls)
    return math.exp(per_call - block_difference(block.order, getattr(block, clock)))


def _summarize_process(samples: Samples, clock: str) -> float:
    """Return the mean ratio of a pair of processes, over the blocks that count.

    It is the trimmed mean of the logarithms, as the estimate takes it.
    """
    logs = [math.log(_compute_ratio(samples, block, clock)) for block in valid_blocks(samples)]
    return math.exp(compute_trimmed_mean(logs))


def describe_ratios(panels: Sequence[tuple[Judgement, list[Samples]]]) -> str:
    of = finding.list_some(f"{judgement.claim} {judgement.arm}" for judgement, _ in panels)
    return f"Ratio of every block in the order of measuring, for {of}."


def tabulate_ratios(panels: Sequence[tuple[Judgement, list[Samples]]]) -> Table:
    rows = []
    for judgement, samples in panels:
        where = f"{judgement.claim} {finding.name_arms(judgement.comparison)}"
        rows.append(Row((where, "", "", "", ""), strong=True))
        for each in samples:
            ratios = [_compute_ratio(each, block, _name_clock(judgement)) for block in valid_blocks(each)]
            out = sum(block.invalid is not None for block in each.blocks)
            blocks = f"{len(each.blocks)}, {out} not counted" if out else f"{len(each.blocks)}"
            rows.append(
                Row(
                    (
                        f"process pair {each.replicate + 1}",
                        blocks,
                        finding.format_factor(_summarize_process(each, _name_clock(judgement)), 3),
                        finding.format_factor(min(ratios), 3),
                        finding.format_factor(max(ratios), 3),
                    )
                )
            )
    columns = (
        Column("process pair", None),
        Column("blocks", 20),
        Column("trimmed mean", 12),
        Column("least", 10),
        Column("most", 10),
    )
    note = "Reference / candidate per call; a block is four samples, ABBA or BAAB."
    return Table("Ratio of every process pair", note, columns, tuple(rows))


def draw_ratios(panels: Sequence[tuple[Judgement, list[Samples]]], canvas: Canvas) -> Figure:
    colours = canvas.colours
    dot = Line2D([], [], color=colours.muted, marker="o", markersize=4, linestyle="")
    hollow = Line2D([], [], color=colours.muted, marker="o", markersize=4, linestyle="", markerfacecolor="none")
    entries: list[tuple[Patch | Line2D, str]] = [
        (dot, "a block"),
        (Line2D([], [], color=colours.muted, linewidth=1.8), "a process pair"),
        (Patch(facecolor=colours.band, edgecolor=colours.edge), "interval"),
    ]
    if any(block.invalid is not None for _, samples in panels for each in samples for block in each.blocks):
        entries.append((hollow, "disturbed, not counted"))
    figure, drawn = stack_panels([RAN] * len(panels), colours, math.ceil(len(entries) / 3))
    for axes, (judgement, samples) in zip(drawn, panels, strict=True):
        _draw_ratios(axes, judgement, samples, colours)
    draw_legend(figure, entries, colours, 3)
    return figure


def _draw_ratios(axes: Axes, judgement: Judgement, samples: Sequence[Samples], colours: Colours) -> None:
    clock = _name_clock(judgement)
    of_arm = assign_styles([judgement.arm])[judgement.arm]
    colour = get_hue(of_arm.hue, colours)
    seen = [_compute_ratio(each, block, clock) for each in samples for block in each.blocks]
    low, high = min(seen + list(judgement.interval or ())), max(seen + list(judgement.interval or ()))
    margin = max((high / low) ** 0.08, 1.005)
    set_ratio_axis(axes, "y", (low / margin, high * margin), 4)
    quieten(axes, colours)
    axes.minorticks_off()
    axes.grid(axis="y", color=colours.rule, linewidth=0.8)
    if judgement.interval is not None:
        axes.axhspan(*judgement.interval, color=colours.band, linewidth=0, zorder=0.5)
    if judgement.speedup is not None:
        axes.axhline(judgement.speedup, color=colours.edge, linewidth=1, zorder=0.7)
    if low / margin < 1 < high * margin:
        axes.axhline(1, color=colours.baseline, linewidth=1.4, zorder=0.8)
    start = 0
    spans = []
    for each in samples:
        end = start + len(each.blocks)
        for filled in (colour, "none"):
            blocks = [block if (block.invalid is None) == (filled == colour) else None for block in each.blocks]
            ratios = [math.nan if block is None else _compute_ratio(each, block, clock) for block in blocks]
            if any(blocks):
                axes.plot(
                    np.arange(start, end) + 0.5, ratios, color=colour, marker=of_arm.marker, markersize=4,
                    markerfacecolor=filled, linestyle="", zorder=3,
                )  # fmt: skip
        spans.append((start, end))
        start = end
    starts, ends = (np.array(each) for each in zip(*spans, strict=True))
    of_processes = [_summarize_process(each, clock) for each in samples]
    axes.hlines(of_processes, starts + 0.1, ends - 0.1, color=colour, linewidth=1.8, zorder=2)
    axes.vlines(starts[1:], *axes.get_ylim(), color=colours.rule, linewidth=0.8, zorder=0.6)
    names = [str(each.replicate + 1) for each in samples]
    axes.set(xlim=(0, start), xticks=(starts + ends) / 2, xticklabels=names)
    axes.tick_params(axis="x", length=0)
    against = finding.name_arms(judgement.comparison)
    title_panel(axes, f"{judgement.claim} {against}", _name_place(judgement.comparison), colours)
    axes.set_xlabel("process pair, in the order of measuring", color=colours.muted, fontsize=8.5)


ECDF = Chart(find_spreads, draw_spreads, describe_spreads, tabulate_quantiles)
"""It shows the share of samples below each time per call, for every arm; thin lines are single processes."""
PAIRED_RATIO = Chart(find_ratios, draw_ratios, describe_ratios, tabulate_ratios)
"""It shows the ratio of every block in the order of measuring, process by process."""
