"""Draws from which hit rate on a cache saves more than its look-ups cost, over what the computation costs.

Without a cache a call takes C; with one it takes L + (1 - h) C, where L is the look-up and h the hit rate, so that it
pays from h = L / C on. L was measured for each store, C is on the axis.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from argo_bench.harness.record.records import Result
from argo_bench.harness.record.store import Recorded
from argo_bench.report import finding
from argo_bench.report.chart import Canvas, Chart, get_hue, quieten
from argo_bench.report.charts.arms import Style, make_legend_entry
from argo_bench.report.tables import Column, Row, Table
from argo_bench.study.report.answers import ALWAYS

DICT = "dict"
STYLES = {
    DICT: Style("blue", "o", "-"),
    "joblib.Memory": Style("vermillion", "^", "--"),
    "SQLite": Style("bluish green", "D", "-."),
    "Redis": Style("reddish purple", "P", ":"),
}
COSTS_NS = 1e3, 1e10
"""A computation may cost from a microsecond to ten seconds."""
STAGES = {
    ("O06", "consensus, hit"): "consensus",
    ("O07", "regime, live trace"): "regime",
    ("O08", "full set"): "indicators",
    ("O02", "fetch, on sockets"): "fetch",
}
"""The reference of each of these workloads is the baseline of a stage, whose name in the figure is the value."""


def find_lookups(recorded: Recorded) -> dict[str, float]:
    """Return the nanoseconds of a look-up by store, the cheapest first; empty for a run of anything else."""
    results = [each for each in recorded.all(Result) if each.comparison.optimization in STYLES]
    found = {each.comparison.optimization: each.candidate_ns for each in results}
    if results:
        found[DICT] = float(np.median([each.reference_ns for each in results]))
    return dict(sorted(found.items(), key=lambda each: each[1]))


def find_stage_costs(recorded: Recorded) -> dict[str, float]:
    """Return the nanoseconds of a call of the baseline's stages by name, from a run of the catalogue.

    They are those at the headline scales.
    """
    found: dict[str, float] = {}
    for each in recorded.all(Result):
        name = STAGES.get((each.comparison.optimization, each.comparison.workload))
        if name is not None and each.comparison.reference == "baseline":
            found.setdefault(name, each.reference_ns)
    return found


@dataclass(frozen=True, slots=True)
class Costs:
    """Holds the nanoseconds of a look-up by store, and of a call of the baseline's stages by name."""

    stores: Mapping[str, float]
    stages: Mapping[str, float]


def find_costs(recorded: Recorded) -> Costs | None:
    """Return what look-ups and stages cost; None where no look-up was timed."""
    stores = find_lookups(recorded)
    return Costs(stores, find_stage_costs(recorded)) if stores else None


def describe(costs: Costs) -> str:
    stores = finding.list_some(costs.stores)
    return (
        f"From which hit rate on a cache pays, over what a computation costs, for look-ups in {stores}. Left of where "
        "a line reaches 100 % its store never pays."
    )


def tabulate(costs: Costs) -> Table:
    stages = costs.stages
    columns = (
        Column("store", 14),
        Column("a look-up", 12),
        Column("never pays below", 18),
        *(Column(f"{name}, {finding.format_duration(ns)}", None) for name, ns in stages.items()),
    )
    rows = tuple(
        Row(
            (
                store,
                finding.format_duration(ns),
                finding.format_duration(ns),
                *(_format_rate(ns / cost) for cost in stages.values()),
            )
        )
        for store, ns in costs.stores.items()
    )
    return Table("From which hit rate on", "The share of calls that must hit.", columns, rows)


def _format_rate(share: float) -> str:
    if share >= 1:
        return "never"
    return f"{100 * share:.2g} %" if share >= ALWAYS else f"less than {100 * ALWAYS:g} %"


def draw(costs: Costs, canvas: Canvas) -> Figure:
    """Draw a line for every store, and a dotted one for every stage."""
    colours, stages = canvas.colours, costs.stages
    figure = Figure(figsize=(8, 4.2), facecolor=colours.background, layout="constrained")
    axes = figure.add_subplot(facecolor=colours.background)
    at = np.geomspace(*COSTS_NS, 400)
    for position, (store, ns) in enumerate(costs.stores.items()):
        shares, style = ns / at, STYLES[store]
        axes.plot(
            at[shares <= 1], shares[shares <= 1], color=get_hue(style.hue, colours), linestyle=style.line,
            linewidth=1.8, marker=style.marker, markersize=5, markevery=(5 * position, 40),
        )  # fmt: skip
    for name, ns in stages.items():
        axes.axvline(ns, color=colours.baseline, linewidth=0.9, linestyle=":")
        axes.annotate(
            name, (ns, 1), xycoords=("data", "axes fraction"), xytext=(3, -4), textcoords="offset points",
            rotation=90, va="top", fontsize=8.5, color=colours.muted,
        )  # fmt: skip
    axes.set(xscale="log", xlim=COSTS_NS, ylim=(0, 1.02), yticks=(0, 0.25, 0.5, 0.75, 1))
    axes.set_yticklabels(("0", "25", "50", "75", "100 %"))
    axes.xaxis.set_major_locator(FixedLocator([10.0**power for power in range(3, 11)]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: finding.format_duration(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("what the computation takes, log scale", color=colours.muted, fontsize=8.5)
    axes.set_ylabel("share of calls that must hit", color=colours.muted, fontsize=8.5)
    quieten(axes, colours)
    axes.grid(axis="y", color=colours.rule, linewidth=0.8)
    axes.set_title("Above its line a cache pays", loc="left", color=colours.ink, fontsize=10, fontweight="bold")
    handles = [make_legend_entry(store, STYLES[store], colours)[0] for store in costs.stores]
    names = [f"{store}, {finding.format_duration(ns)} a look-up" for store, ns in costs.stores.items()]
    figure.legend(
        handles, names, loc="outside lower left", ncols=2, frameon=False, fontsize=8.5, labelcolor=colours.muted
    )
    return figure


CACHE_PAYS = Chart(find_costs, draw, describe, tabulate)
"""It shows a line for each store; below its line a cache costs more than it saves."""
