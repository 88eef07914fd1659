"""Lists the sections of a report on a run of the study: those of any report, and those on edits of the pipeline."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import replace

from argo_bench.harness.record.records import Judgement
from argo_bench.harness.record.store import Recorded
from argo_bench.optimizations import catalogue, subjects
from argo_bench.optimizations.document import RANKS
from argo_bench.report import sections as shared
from argo_bench.report.sections import ANY_TABLE, OTHERS, Background, Outline, Part, Section, Source
from argo_bench.report.tables import Table
from argo_bench.report.verdicts import Notes, tabulate_curves, tabulate_verdicts
from argo_bench.study.records import Acceptance, LiveRates
from argo_bench.study.report.advice import advise_all, tabulate_advice
from argo_bench.study.report.combined import tabulate_combined
from argo_bench.study.report.dominance import note_beside, tabulate_dominated
from argo_bench.study.report.explain import find_exchanged, format_place
from argo_bench.study.report.latencies import tabulate_latencies
from argo_bench.study.report.left_out import tabulate_left_out
from argo_bench.study.report.sights import note_unseen, tabulate_sights

PUBLISHED = Part("optimizations", "Optimization by optimization")
TOGETHER = Part("combined", "Combined claims")
CHARTS = "argo_bench.study.report."
SHOWN_RATES = 12
"""The rate of each symbol is written where there are no more of them."""


def note(recorded: Recorded) -> Notes:
    """Return what stands beside a verdict: what was not seen, and by what its arm is dominated."""
    unseen, dominated = note_unseen(recorded), note_beside(recorded)
    return {key: [*unseen.get(key, ()), *dominated.get(key, ())] for key in {**unseen, **dominated}}


def _tabulate_verdicts(recorded: Recorded, brief: bool, *, headline: bool) -> list[Table]:
    """Tabulate the verdicts on headline claims or on further readings; unless briefly, with what stands beside them."""
    judged = [each for each in recorded.all(Judgement) if each.headline == headline]
    title = "Verdicts" if headline else "Further readings"
    notes = {} if brief else note(recorded)
    return [tabulate_verdicts(recorded, title, judged, brief=brief, notes=notes)]


HEADLINE = replace(shared.HEADLINE, tables=lambda recorded, brief: _tabulate_verdicts(recorded, brief, headline=True))
FURTHER = replace(shared.FURTHER, tables=lambda recorded, brief: _tabulate_verdicts(recorded, brief, headline=False))
DOMINATED = Section("dominated", ANY_TABLE, lambda recorded, brief: [tabulate_dominated(recorded)])
SIGHTS = Section("sights", ANY_TABLE, lambda recorded, brief: [tabulate_sights(recorded, brief=brief)])
ADVICE = Section(
    "advice", ("summary", "terminal", "text"), lambda recorded, brief: [tabulate_advice(recorded, brief=brief)]
)
COMBINED = Section("combined claims", ("summary", *ANY_TABLE), lambda recorded, brief: [tabulate_combined(recorded)])
LEFT_OUT = Section("one left out", ANY_TABLE, lambda recorded, brief: [tabulate_left_out(recorded)])
CHANGE_RATE = Section("change rate", ANY_TABLE, lambda recorded, brief: [tabulate_curves(recorded)])
LATENCIES = Section("latencies", ("text", "page"), lambda recorded, brief: [tabulate_latencies(recorded)])
SHARES = Section(
    "shares",
    ("page",),
    chart=f"{CHARTS}shares:SHARES",
    caption=(
        "By how much each optimization multiplies the speed, the largest first; below, what it is worth alone and "
        "beside the others."
    ),
)
FRONTIER = Section(
    "frontier",
    ("page", "files"),
    chart=f"{CHARTS}frontier:FRONTIER",
    caption="Requests, calls or hits of each version, over the harm that it does to the output: left is less harm.",
)
CURVES = Section(
    "curves",
    ("page", "files"),
    chart=f"{CHARTS}curves:CURVES",
    caption="How each claim fares where prices change more or less often; the band is what was claimed.",
)
ERRORS = Section("errors", (), chart=f"{CHARTS}errors:ERRORS")
PAYS = Section("pays", (), chart=f"{CHARTS}lookups:CACHE_PAYS")


def remarks(recorded: Recorded) -> list[str]:
    """Return sentences on how many symbol-cycles were accepted, and on how often a live market ticks."""
    lines = [
        f"In {each.accepted:,} of {each.symbol_cycles:,} steps of a symbol ({100 * each.rate:.3g} %) enough sources "
        "agreed for a signal."
        for each in recorded.all(Acceptance)
        if each.symbol_cycles
    ]
    return lines + [_describe_rates(each.rates) for each in recorded.all(LiveRates) if each.rates]


def _describe_rates(rates: Mapping[str, float]) -> str:
    """Say how often a live market ticks, the quickest symbol first; of many symbols the extremes and the median."""
    (quickest, most), *others = sorted(rates.items(), key=lambda each: -each[1])
    if len(rates) > SHOWN_RATES:
        median = f", {100 * statistics.median(rates.values()):.3g} % at the median of {len(rates):,} symbols"
        further = f"{median} and {100 * others[-1][1]:.3g} % for {others[-1][0]}"
    else:
        further = "".join(f", {100 * rate:.3g} % for {symbol}" for symbol, rate in others)
    return f"In a live market the price changes in {100 * most:.3g} % of the steps of 5 s for {quickest}{further}."


def describe(subject: str) -> Background:
    """Return what the catalogue says of an optimization or of a set of them, and the sources as they are installed."""
    known = subjects().get(subject)
    if known is None:
        return Background(OTHERS)
    is_single = subject in catalogue()
    sources = find_exchanged(catalogue()[subject]) if is_single else {}
    return Background(
        PUBLISHED if is_single else TOGETHER,
        True,
        describe_rank(subject),
        known.may_change,
        {
            part: [Source(each.title, format_place(each.module, each.first_line), each.code) for each in found]
            for part, found in sources.items()
        },
    )


def describe_rank(subject: str) -> str:
    """Say how the document ranks an optimization; return an empty text where it does not."""
    rank = RANKS.get(subject)
    return "" if rank is None else f"{rank.priority} priority, {rank.effort} effort, week {rank.phase}"


STUDY = Outline(
    (
        *(HEADLINE, ADVICE, FURTHER, COMBINED, DOMINATED),
        *(shared.HERO, shared.FOREST, shared.ECDF, shared.PAIRED_RATIO, SHARES, shared.SCALING),
        *(shared.BREAK_EVEN, shared.HIT_RATES, CURVES, FRONTIER, shared.MEMORY, ERRORS, PAYS),
        *(
            LEFT_OUT,
            shared.HOLDS_WHEN,
            shared.STRIPS,
            CHANGE_RATE,
            LATENCIES,
            SIGHTS,
            shared.OUTPUT,
            shared.CHECKS,
            shared.CACHES,
            shared.TRIALS,
        ),
        *(shared.MEMORY_TABLE, shared.BESIDE, shared.FIRST_CALLS, shared.SENTENCES),
    ),
    remarks,
    advise_all,
    describe,
    (PUBLISHED, TOGETHER, OTHERS),
    note,
    "Published optimizations of a trading-signal pipeline, alone and together",
)
